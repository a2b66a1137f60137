"""Models and their checks from weighted variants beside pm4py from the events, in one run: CPU-seconds, equal results.

Run ``python tests/bench/bench_models.py [--patients 20000] [--variants 60]``; with the real logs of the reference data
(``CARE_PATHWAYS_DATA``), also their models beside published ones. ``--alignment-precision`` adds the precision by exact
search, which costs minutes; ``--whole`` aligns every sequence of the real logs with pm4py's default too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from eventlogs import xes
from eventlogs.log import EventLog
from pathways.mining.kernels import variants
from pathways.mining.pm4py_door import (
    Alignments,
    ProcessModel,
    Step,
    align,
    discover,
    discover_heuristics,
    precision,
    reference_model,
    replay,
    to_pm4py,
)

QUIET = {"show_progress_bar": False}
COURSE = (
    ("imaging", 1.0, 2), ("biopsy", 0.95, 1), ("meeting", 0.8, 1), ("surgery", 0.85, 1), ("consultation", 0.6, 2),
    ("chemotherapy", 0.45, 6), ("radiotherapy", 0.7, 4), ("endocrine", 0.65, 5), ("follow_up", 0.5, 3),
)  # fmt: skip
"""Step, share of the patients who have it, most repeats."""
SWAPPED = 0.1
"""Share of the neighbours that change places."""

MOST_CHECKED = 5_000
"""Patients whose sequences are replayed: pm4py's replay costs the same from events and from variants."""

PUBLISHED = {
    "sepsis/SEPSIS.xes.gz": (
        ("Augusto 2019, IM (from memory)", 0.99, 0.45, 0.62, 50, 32),
        ("Augusto 2019, Split Miner (from memory)", 0.73, 0.86, 0.79, 31, 20),
    ),
    "road_fine/road_fine.xes.gz": (),
}
"""By real log: alignment fitness, precision, F, size, control-flow complexity of published models."""


def synthetic_log(n_patients: int, seed: int = 0) -> EventLog:
    """Return a synthetic log: the steps of `COURSE` in order, some left out, some repeated, some neighbours swapped."""
    rng = np.random.default_rng(seed)
    rows = [(f"{i:017}", name) for i in range(n_patients) for name in synthetic_course(rng)]
    frame = pl.DataFrame(rows, schema=["patient_id", "activity"], orient="row").with_row_index("minute")
    start = pl.lit(datetime(2019, 1, 1)) + pl.duration(minutes="minute")
    return EventLog.create(frame.select("patient_id", "activity", start=start))


def reference() -> ProcessModel:
    """Return the model of `COURSE` in order: what should happen."""
    return reference_model([Step((name,), share < 1, most > 1) for name, share, most in COURSE])


def synthetic_course(rng: np.random.Generator) -> list[str]:
    """Return the activities of one patient."""
    course = [
        name for name, share, most in COURSE if rng.random() < share for _ in range(rng.integers(1, most + 1))
    ]
    for place in np.flatnonzero(rng.random(max(len(course) - 1, 0)) < SWAPPED):
        course[place : place + 2] = reversed(course[place : place + 2])
    return course or ["imaging"]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and its CPU-seconds, all threads."""
    began = time.process_time()
    return work(), time.process_time() - began


def line(name: str, ours: float, theirs: float, same: bool) -> None:
    """Print a comparison, and stop where the results differ."""
    print(f"{name:46} {ours:8.2f} {theirs:8.2f} {theirs / max(ours, 1e-9):8.1f}  {same}", flush=True)
    if not same:
        sys.exit(1)


def miners(log: EventLog) -> None:
    """From the log to a model: kernels and their counts beside pm4py from its frame."""
    import pm4py

    frame = to_pm4py(log)
    net, cost = timed(lambda: discover_heuristics(variants(log)))
    other, their_cost = timed(lambda: pm4py.discover_heuristics_net(frame.copy()))
    line(
        "heuristics miner", cost, their_cost, net.heuristics_net.dependency_matrix == other.dependency_matrix
    )
    for noise in (0.0, 0.2):
        model, cost = timed(lambda noise=noise: discover(variants(log), noise=noise))  # type: ignore[misc]
        tree, their_cost = timed(
            lambda noise=noise: pm4py.discover_process_tree_inductive(frame.copy(), noise_threshold=noise)  # type: ignore[misc]
        )
        line(f"inductive miner, noise {noise}", cost, their_cost, str(model) == str(tree))


def checks(log: EventLog, n_variants: int, model: ProcessModel, name: str) -> None:
    """Replay the log, and align some of its variants, frequent and rare, beside pm4py's defaults from the events."""
    from pm4py.algo.evaluation.replay_fitness.variants import token_replay

    every = variants(log)
    tokens, cost = timed(lambda: replay(every, model))
    theirs, their_cost = timed(
        lambda: token_replay.apply(to_pm4py(log), *model.petri_net(), parameters=QUIET)
    )
    line(f"{name}: token replay", cost, their_cost, close(tokens.log_fitness, theirs["log_fitness"]))
    some = every.gather_every(max(1, every.height // n_variants))
    alignments(some, model, f"{name}: alignments of {some.height} variants")


def alignments(some: pl.DataFrame, model: ProcessModel, name: str) -> None:
    """Align with each engine, and with pm4py's default search; the same cost of each variant is asked for."""
    theirs, their_cost = timed(lambda: default_costs(some, model))
    for engine in ("pm4py", "r4pm") if find_spec("r4pm") else ("pm4py",):
        align(some.head(1), model, engine=engine)
        found, cost = timed(lambda engine=engine: align(some, model, engine=engine))  # type: ignore[misc]
        line(f"{name}, {engine}", cost, their_cost, found.frame["cost"].to_list() == theirs)


def default_costs(some: pl.DataFrame, model: ProcessModel) -> list[int]:
    """Return the costs in whole moves that pm4py's default search finds, one case a variant."""
    from pm4py.algo.conformance.alignments.petri_net import algorithm
    from pm4py.objects.log.obj import Event, EventLog, Trace

    cases = EventLog([Trace([Event({"concept:name": name}) for name in word]) for word in some["variant"]])
    results = algorithm.apply(cases, *model.petri_net(), parameters=QUIET)
    return [result["cost"] // 10_000 for result in results]


def close(one: float, other: float) -> bool:
    """Compare two figures made in another order of sums."""
    return abs(one - other) < 1e-9


def real_table(log: EventLog, published: Iterable[tuple[Any, ...]], *, exact: bool) -> None:
    """Print how the model of a real log (IMf, noise 0.2) compares with the published ones."""
    every = variants(log)
    model, seconds = timed(lambda: discover(every, noise=0.2))
    engine = "r4pm" if find_spec("r4pm") else "pm4py"
    found: Alignments
    found, aligned = timed(lambda: align(every, model, engine=engine))  # type: ignore[arg-type]
    by_tokens, replayed = timed(lambda: precision(every, model))
    size, complexity, sound = shape(model)
    costs = f"model {seconds:.2f}, alignments {aligned:.2f} by {engine}, precision {replayed:.1f}"
    print(f"IMf with noise 0.2 (CPU-seconds: {costs})")
    print(f"{'':40} {'fitness':>8} {'precision':>9} {'F':>6} {'size':>5} {'CFC':>4} sound")
    fitness = found.log_fitness or 0.0
    rows = [("ours (log fitness; precision by tokens)", fitness, by_tokens.value)]
    if exact:
        value, cost = timed(lambda: precision(every, model, method="alignments"))
        rows.append((f"ours (precision by alignments, {cost:.0f} CPU-s)", fitness, value.value))
    for name, first, second in rows:
        print(
            f"{name:40} {first:8.3f} {second:9.3f} {f_score(first, second):6.3f} {size:5} {complexity:4} {sound}"
        )
    for name, first, second, f, nodes, cfc in published:
        print(f"{name:40} {first:8.2f} {second:9.2f} {f:6.2f} {nodes:5} {cfc:4} True")
    print(f"average fitness {found.average_fitness:.4f}; token replay {replay(every, model)!r}")


def f_score(fitness: float, exactness: float) -> float:
    """Return the harmonic mean."""
    return 2 * fitness * exactness / (fitness + exactness)


def shape(model: ProcessModel) -> tuple[int, int, bool]:
    """Return nodes of the BPMN, control-flow complexity (Cardoso 2005: an AND split 1, else branches), soundness."""
    from pm4py.algo.analysis.woflan import algorithm as woflan
    from pm4py.objects.bpmn.obj import BPMN

    diagram = model.bpmn()
    splits = [
        node
        for node in diagram.get_nodes()
        if isinstance(node, BPMN.Gateway) and len(node.get_out_arcs()) > 1
    ]
    complexity = sum(
        1 if isinstance(node, BPMN.ParallelGateway) else len(node.get_out_arcs()) for node in splits
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sound = woflan.apply(*model.petri_net(), parameters={"print_diagnostics": False})
    return len(diagram.get_nodes()), complexity, bool(sound)


def main() -> None:
    """Print one line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--variants", type=int, default=60)
    parser.add_argument("--alignment-precision", action="store_true")
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    log = synthetic_log(args.patients)
    every = variants(log)
    print(
        f"{log.n_events:,} events, {log.n_patients:,} patients, {every.height:,} variants (synthetic); CPU-seconds"
    )
    print(f"{'':46} {'ours':>8} {'pm4py':>8} {'ratio':>8}  same")
    miners(log)
    log = synthetic_log(min(args.patients, MOST_CHECKED))
    checks(log, args.variants, discover(variants(log), noise=0.2), "discovered")
    checks(log, args.variants, reference(), "reference")
    folder = Path(os.environ.get("CARE_PATHWAYS_DATA", ".")) / "logs"
    for name, published in PUBLISHED.items():
        if not (folder / name).is_file():
            print(f"{name}: not there; set CARE_PATHWAYS_DATA")
            continue
        real = xes.read(folder / name)
        print(
            f"\n{name}: {real.n_events:,} events, {real.n_patients:,} patients, {variants(real).height:,} variants"
        )
        miners(real)
        checks(
            real,
            10**6 if args.whole else args.variants,
            discover(variants(real), noise=0.2),
            Path(name).parent.name,
        )
        real_table(real, published, exact=args.alignment_precision)


if __name__ == "__main__":
    main()
