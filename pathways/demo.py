"""Everything once, on synthetic data: what ``pathways demo`` does before it serves the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from eventlogs.engine import Progress, silent
from eventlogs.synthetic import synthesise, synthesise_network
from pathways import steps
from pathways.risk.model import RiskModel
from pathways.risk.risklist import RiskList
from pathways.study import Study, measured

PATHWAY = "breast_cancer"
LIST_DATE = date(2023, 9, 30)
NETWORK_PATIENTS = 1500

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One line of the summary: what was made, where, and what it took."""

    what: str
    where: Path
    seconds: float
    peak_memory_mb: int


@dataclass(frozen=True)
class Demo:
    """What the demonstration made. All of it is synthetic."""

    study: Study
    network: Study
    model: RiskModel
    risk_list: RiskList
    lines: tuple[Line, ...]


def run(
    folder: str | Path,
    *,
    patients: int = 20_000,
    seed: int = 7,
    capacity: int = 50,
    progress: Progress = silent,
) -> Demo:
    """Make a synthetic extract, build, mine and train on it, then score a separate synthetic network's log.

    Parameters
    ----------
    folder : path
        Where everything is written; an earlier demonstration there is replaced.
    patients : int
        Of the extract.
    seed : int
        Of the extract; the network's log has the next one.
    capacity : int
        Patients on the risk list.
    progress : callable
        Told of each step.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []

    def step(what: str, where: str, make: Callable[[], T]) -> T:
        with measured(what) as took:
            made = make()
        lines.append(Line(what, place / where, took["seconds"], took["peak_memory_mb"]))
        return made

    def report(done: int, total: int) -> None:
        progress("synthesise", done, total)

    extract, study, network = place / "extract", place / "study", place / "network"
    step(
        f"synthetic extract of {patients:,} patients",
        "extract",
        lambda: synthesise(extract, patients=patients, seed=seed, progress=report),
    )
    built = step(
        "event log", "study", lambda: steps.build(extract, study, pathway=PATHWAY, progress=progress)
    )
    step("maps and breakdowns", "study/released", lambda: steps.mine(built.path, progress=progress))
    model = step("risk model", "study/model", lambda: steps.train(study, progress=progress))
    step(
        f"synthetic network log of {NETWORK_PATIENTS:,} patients",
        "network",
        lambda: synthesise_network(network, patients=NETWORK_PATIENTS, seed=seed + 1, as_of=LIST_DATE),
    )
    own = step("network's study", "network-study", lambda: _network_study(network, place / "network-study"))
    scored, _ = step(
        f"risk list of {capacity} patients",
        "risk-list.csv",
        lambda: steps.score(
            own.path, model=study / "model", at=LIST_DATE, capacity=capacity, out=place / "risk-list.csv"
        ),
    )
    return Demo(Study.open(study), Study.open(own.path), model, scored, tuple(lines))


def _network_study(network: Path, out: Path) -> Study:
    return steps.mine(steps.build(network, out, pathway=PATHWAY, door="table").path)
