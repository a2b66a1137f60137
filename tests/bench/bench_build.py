"""Builds of a synthetic extract at two sizes: claim lines a CPU-second, peak memory, the share of each step.

Run ``python tests/bench/bench_build.py [--lines 1000000 10000000]``. Each build runs in a process of its own. The peer
is one lazy polars plan over the same files that only joins the claims on their nine keys, keeps the definition's codes
and sums the quantities of a line: no person, stay, cohort, order, origin or check. The ratio says what the whole build
costs beside that.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

LINES_A_PATIENT = 70
"""About as many lines of ER_PRS_F as a synthetic patient has; the true number is counted."""

PATHWAY = "breast_cancer"
DETAIL = {"ER_CAM_F": ("CAM_PRS_IDE", "CCAM"), "ER_PHA_F": ("PHA_PRS_C13", "CIP13")}


def lines_of(extract: Path) -> int:
    """Count the rows of ER_PRS_F."""
    return int(_scan(extract, "ER_PRS_F").select(pl.len()).collect().item())


def _scan(extract: Path, name: str) -> pl.LazyFrame:
    """Read a table with its archived years, each a file or a folder of files."""
    places = [
        path
        for path in sorted(extract.iterdir())
        if re.fullmatch(rf"{name}(_20\d\d)?(\.parquet)?", path.name)
    ]
    files = [
        file for place in places for file in (sorted(place.glob("*.parquet")) if place.is_dir() else [place])
    ]
    return pl.concat([pl.scan_parquet(file) for file in files], how="vertical_relaxed")


def whole_build(extract: Path, out: Path) -> dict[str, float]:
    """Build a study; return CPU-seconds by step."""
    from pathways.steps import build

    shares: defaultdict[str, float] = defaultdict(float)
    state = {"step": "open", "at": time.process_time()}

    def progress(step: str, _done: int, _total: int) -> None:
        now = time.process_time()
        shares[str(state["step"])] += now - float(state["at"])
        state.update(step=step, at=now)

    build(extract, out, pathway=PATHWAY, progress=progress)
    shares["checks"] += time.process_time() - float(state["at"])
    return dict(shares)


def plain_plan(extract: Path, _out: Path) -> dict[str, float]:
    """Join and filter the claims in one lazy plan; return its CPU-seconds."""
    from eventlogs.snds.codes import code_lists, medicines
    from eventlogs.snds.rows import LINE_KEY
    from pathways.definition import load

    lists = code_lists(load(PATHWAY).rules(), medicines())
    began = time.process_time()
    lines = _scan(extract, "ER_PRS_F").select(*LINE_KEY, "BEN_NIR_PSA", "EXE_SOI_DTD", "PRS_ACT_QTE")
    parts = [
        lines.join(_scan(extract, name).with_columns(code=pl.col(column).cast(pl.String)), on=LINE_KEY)
        .join(lists[system].lazy().select("code", "activity"), on="code")
        .select("BEN_NIR_PSA", "EXE_SOI_DTD", "activity", "PRS_ACT_QTE")
        for name, (column, system) in DETAIL.items()
    ]
    keys = ["BEN_NIR_PSA", "EXE_SOI_DTD", "activity"]
    pl.concat(parts).group_by(keys).agg(pl.col("PRS_ACT_QTE").sum()).sort(keys).collect()
    return {"plan": time.process_time() - began}


WORK: dict[str, Callable[[Path, Path], dict[str, float]]] = {"build": whole_build, "peer": plain_plan}


def measured(work: str, extract: Path, out: Path) -> dict[str, float]:
    """Run one piece of work in a process of its own; return its CPU-seconds by step, in all, and its peak in MB."""
    command = [sys.executable, __file__, "--work", work, "--extract", str(extract), "--out", str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def run_one(work: str, extract: Path, out: Path) -> None:
    """Do the work and print its figures as JSON."""
    steps = WORK[work](extract, out)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**steps, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}))


def compare(lines: int) -> None:
    """Generate an extract of about `lines` claim lines, build it, run the peer, and print both."""
    from eventlogs.synthetic import synthesise

    with tempfile.TemporaryDirectory() as folder:
        extract = Path(folder) / "extract"
        synthesise(extract, patients=lines // LINES_A_PATIENT, seed=7)
        n = lines_of(extract)
        ours, peer = (measured(work, extract, Path(folder) / "study") for work in ("build", "peer"))
    steps = {name: value for name, value in ours.items() if name not in ("cpu", "peak_mb")}
    shares = ", ".join(f"{name} {value / ours['cpu']:.0%}" for name, value in steps.items())
    print(
        f"{n:>11,} lines: build {_told(ours, n)}; peer {_told(peer, n)}; ratio {ours['cpu'] / peer['cpu']:.1f}\n"
        f"{'':>13}steps of the build: {shares}; the rest is start and imports"
    )


def _told(figures: dict[str, float], n: int) -> str:
    cpu = figures["cpu"]
    return f"{cpu:.1f} CPU-s, {n / cpu:,.0f} lines a CPU-s, peak {figures['peak_mb']:,.0f} MB"


def main() -> None:
    """Print two lines a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--extract", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        run_one(given.work, given.extract, given.out)
        return
    print(f"synthetic extracts of {PATHWAY}, every trap planted; CPU-seconds of all threads")
    for lines in given.lines:
        compare(lines)


if __name__ == "__main__":
    main()
