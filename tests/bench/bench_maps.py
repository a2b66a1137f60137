"""Map kernels and their peers on the same synthetic log, from file to result: CPU-seconds, memory, equal counts.

Each engine runs each operation in a process of its own; what is measured is all of it (import, reading, result): user
and system CPU-seconds of its threads and children, and its peak memory. A result is worth its cost only if it is the
same: every engine's counts are compared with ours, and a difference ends the run.

``python tests/bench/bench_maps.py`` takes 600,000 events; ``--events 6000000`` (200,000 patients) is what the
targets are about. ``--grow`` prints our cost at several sizes instead, its slope, and its ratio to the floor, the
scan of the columns that the operation needs. ``--sizes 600000 6000000 60000000`` says which. ``--engines`` and
``--operations`` choose some.

The log has 40 activities and about 30 events a patient, no two of one patient on one day (engines order ties each in
their own way), its rows shuffled: once with integers, once with text of 17 characters; and sorted, as a study has it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

ACTIVITIES = 40
EVENTS_A_PATIENT = 30
PATIENTS_A_PART = 200_000
"""Of a study's sorted files."""

EVENTUALLY_LIMIT = 100_000
"""Events up to which a peer that joins every event with all later ones is asked for eventually-follows."""

SLOW_LIMIT = 600_000
"""Events up to which openprocess, which holds Python objects, is asked at all."""

OPERATIONS = ("import", "edges", "durations", "variants", "terminals", "cases", "rework", "eventually")
FORMS = {"integers": "integers.parquet", "text": "text.parquet", "sorted": "events"}


def synthetic(n_events: int, low: int, high: int, seed: int = 0) -> Any:
    """Return the events of patients `low` to `high`, in order: ``patient``, ``activity``, ``start``, ``rank``."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng((seed, low))
    lengths = 1 + rng.poisson(EVENTS_A_PATIENT - 1, high - low)
    patient = np.repeat(np.arange(low, high, dtype=np.uint32), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    rank = (np.arange(len(patient)) - first).astype(np.uint32)
    passed = np.cumsum(rng.geometric(1 / 40, len(patient)))
    day = (passed - passed[first]).astype(np.int32)
    activity = ((patient + rng.geometric(0.3, len(patient))) % ACTIVITIES).astype(np.uint8)
    frame = pl.DataFrame({"patient": patient, "activity": activity, "day": day, "rank": rank})
    start = pl.lit(datetime(2005, 1, 1)) + pl.duration(days="day")
    return frame.select("patient", "activity", "rank", start=start)


def as_text(frame: Any) -> Any:
    """Return a frame with identifiers of 17 characters and named activities."""
    import polars as pl

    return frame.select(
        pl.col("patient").cast(pl.String).str.zfill(17).alias("patient_id"),
        pl.format("activity_{}", pl.col("activity").cast(pl.String).str.zfill(2)).alias("activity"),
        "start",
        "rank",
    )


def write(folder: Path, n_events: int, forms: tuple[str, ...] = tuple(FORMS)) -> None:
    """Write the log in these forms."""
    import polars as pl

    n_patients = max(1, n_events // EVENTS_A_PATIENT)
    (folder / "events").mkdir(parents=True)
    parts = []
    for number, low in enumerate(range(0, n_patients, PATIENTS_A_PART)):
        part = synthetic(n_events, low, min(low + PATIENTS_A_PART, n_patients))
        if "sorted" in forms:
            as_text(part).write_parquet(folder / "events" / f"part-{number:05}.parquet")
        parts.append(part.drop("rank") if {"integers", "text"} & set(forms) else part.head(0))
    whole = pl.concat(parts).sample(fraction=1, shuffle=True, seed=1)
    if "integers" in forms:
        whole.rename({"patient": "patient_id"}).write_parquet(folder / "integers.parquet")
    if "text" in forms:
        as_text(whole.with_columns(rank=pl.lit(0))).drop("rank").write_parquet(folder / "text.parquet")


# Operations by engine. Each returns a function that writes its result as counts to compare: that is not measured.

Counts = dict[str, Any]
Result = Callable[[], Counts]


def ours(operation: str, path: Path) -> Result:
    """Count with the kernels."""
    from pathways.mining import kernels

    log = kernels.EventScan.open(path, is_sorted=path.is_dir())
    if operation == "edges":
        edges = kernels.edge_counts(log)
        return lambda: _pairs(edges.rows())
    if operation == "durations":
        edges = kernels.directly_follows(log)
        return lambda: _pairs(edges.select("source", "target", "median_days").rows(), 86_400)
    if operation == "variants":
        variants = kernels.variants(log)
        return lambda: _hashed({tuple(v): n for v, n in variants.select("variant", "n_patients").rows()})
    if operation == "rework":
        again = kernels.rework(log).select("activity", "n_rework_patients")
        return lambda: {activity: n for activity, n in again.rows() if n}
    return _ends_and_cases(operation, kernels, log)


def _ends_and_cases(operation: str, kernels: Any, log: Any) -> Result:
    if operation == "terminals":
        ends = kernels.start_activities(log), kernels.end_activities(log)
        return lambda: _terminals([frame.select("activity", "n_patients").rows() for frame in ends])
    if operation == "cases":
        cases = kernels.case_durations(log)
        return lambda: {"days": round(float(cases["days"].sum()))}
    pairs = kernels.eventually_follows(log)
    return lambda: _pairs(pairs.select("source", "target", "n_pairs").rows())


def pm4py_pandas(operation: str, path: Path) -> Result:
    """Count with pm4py on its pandas frame."""
    import pandas as pd
    import pm4py

    frame = pm4py.format_dataframe(
        pd.read_parquet(path), case_id="patient_id", activity_key="activity", timestamp_key="start"
    )
    return _like_pm4py(pm4py, operation, frame)


def pm4py_polars(operation: str, path: Path) -> Result:
    """Count with pm4py on its polars backend."""
    import pm4py
    import polars as pl

    frame = pl.scan_parquet(path).with_columns(pl.col("patient_id", "activity").cast(pl.String))
    formatted = pm4py.format_dataframe(
        frame, case_id="patient_id", activity_key="activity", timestamp_key="start"
    )
    return _like_pm4py(pm4py, operation, formatted)


def pl4pm(operation: str, path: Path) -> Result:
    """Count with pl4pm, which asks for pm4py's names and a lazy frame."""
    import pl4pm as engine
    import polars as pl

    frame = pl.scan_parquet(path).with_columns(pl.col("patient_id", "activity").cast(pl.String))
    return _like_pm4py(engine, operation, engine.format_dataframe(frame, "patient_id", "activity", "start"))


def _like_pm4py(engine: Any, operation: str, log: Any) -> Result:
    if operation in ("edges", "durations", "eventually"):
        found = _PAIRS[operation](engine, log)
        return lambda: _pairs((s, t, n) for (s, t), n in found.items())
    if operation == "variants":
        variants = engine.get_variants(log)
        return lambda: _hashed({tuple(map(str, variant)): n for variant, n in variants.items()})
    if operation == "terminals":
        ends = engine.get_start_activities(log), engine.get_end_activities(log)
        return lambda: _terminals([found.items() for found in ends])
    if operation == "cases":
        seconds = engine.get_all_case_durations(log)
        return lambda: {"days": round(sum(seconds) / 86_400)}
    again = engine.get_rework_cases_per_activity(log)
    return lambda: {str(a): n for a, n in again.items()}


def _medians(engine: Any, log: Any) -> Counts:
    """Return the median seconds of each edge; pl4pm counts one statistic at a time, pm4py all that it knows."""
    if engine.__name__ == "pl4pm":
        return dict(engine.discover_performance_dfg(log, perf_aggregation_key="median")[0])
    return {edge: said["median"] for edge, said in engine.discover_performance_dfg(log)[0].items()}


_PAIRS: dict[str, Callable[[Any, Any], Counts]] = {
    "edges": lambda engine, log: engine.discover_dfg(log)[0],
    "durations": _medians,
    "eventually": lambda engine, log: engine.discover_eventually_follows_graph(log),
}

_NEXT = """
    with steps as (select activity as source, patient_id, start,
                          lead(activity) over w as target, lead(start) over w as next_start
                   from '{path}' window w as (partition by patient_id order by start, activity))
"""
_SQL = {
    "edges": _NEXT + "select source, target, count(*) from steps where target is not null group by all",
    "durations": _NEXT
    + """
    select source, target, quantile_cont(epoch(next_start) - epoch(start), 0.5), avg(epoch(next_start) - epoch(start)),
           quantile_cont(epoch(next_start) - epoch(start), 0.9), min(epoch(next_start) - epoch(start)),
           max(epoch(next_start) - epoch(start)), count(*), count(distinct patient_id)
    from steps where target is not null group by all""",
    "variants": """
    select variant, count(*) from (select list(activity order by start, activity) as variant from '{path}'
    group by patient_id) group by all""",
    "terminals": """
    select place, activity, count(*) from (
      select unnest([0, 1]) as place, unnest([arg_min(activity, start), arg_max(activity, start)]) as activity
      from '{path}' group by patient_id) group by all""",
    "cases": """
    select sum(epoch(days) / 86400) from (select max(start) - min(start) as days from '{path}' group by patient_id)""",
    "rework": """
    select activity, count(*) from (select activity from '{path}' group by patient_id, activity having count(*) > 1)
    group by all""",
}


def duckdb(operation: str, path: Path) -> Result:
    """Count with windows and aggregates in DuckDB."""
    import duckdb as engine

    found = engine.sql(_SQL[operation].format(path=path)).fetchall()
    if operation in ("edges", "durations"):
        return lambda: _pairs(row[:3] for row in found)
    if operation == "variants":
        return lambda: _hashed({tuple(map(str, variant)): n for variant, n in found})
    if operation == "terminals":
        return lambda: {f"{place} {activity}": n for place, activity, n in found}
    if operation == "cases":
        return lambda: {"days": round(found[0][0])}
    return lambda: {str(activity): n for activity, n in found}


def r4pm(operation: str, path: Path) -> Result:
    """Count with r4pm, which takes a frame of pm4py's names into its registry."""
    import polars as pl
    import r4pm as engine

    frame = pl.read_parquet(path).select(
        pl.col("patient_id").cast(pl.String).alias("case:concept:name"),
        pl.col("activity").cast(pl.String).alias("concept:name"),
        pl.col("start").dt.replace_time_zone("UTC").alias("time:timestamp"),
    )
    log = engine.import_item_from_df("EventLog", frame.sort("case:concept:name", "time:timestamp"))
    if operation == "edges":
        graph = engine.bindings.discover_dfg(log)
        return lambda: _pairs((s, t, n) for (s, t), n in graph["directly_follows_relations"])
    projected = engine.bindings.log_to_activity_projection(log)
    found = engine.bindings.get_variants(projected)
    return lambda: _hashed({tuple(variant["activities"]): variant["count"] for variant in found})


def openprocess(operation: str, path: Path) -> Result:
    """Count with openprocess, which reads CSV or XES into Python objects."""
    import polars as pl
    from openprocess.mining.csv_import import ColumnMapping, read_csv
    from openprocess.mining.dfg import discover_dfg

    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "log.csv"
        pl.read_parquet(path).write_csv(csv)
        log = read_csv(csv, ColumnMapping("patient_id", "activity", "start"))
    edges = discover_dfg(log).edges
    return lambda: _pairs((s, t, n) for (s, t), n in edges.items())


def floor(operation: str, path: Path) -> Result:
    """Read the columns that the operation needs from a study's events, and nothing else."""
    import pyarrow.parquet as pq

    names = {"edges": ["activity", "rank"], "variants": ["activity", "rank", "start"]}
    for part in sorted(path.glob("*.parquet")):
        file = pq.ParquetFile(part, read_dictionary=["activity"])
        for _ in file.iter_batches(
            1 << 18, columns=names.get(operation, names["variants"]), use_threads=False
        ):
            pass
    return dict


def _pairs(rows: Any, seconds: float = 1) -> Counts:
    return {f"{source} {target}": round(float(n) * seconds) for source, target, n in rows}


def _terminals(rows: list[Any]) -> Counts:
    return {f"{place} {activity}": n for place, found in enumerate(rows) for activity, n in found}


def _hashed(variants: dict[tuple[str, ...], int]) -> Counts:
    """Return how many variants there are, and a number that they share with any equal set in any order."""
    total = sum(hash((variant, n)) for variant, n in variants.items())
    return {"variants": len(variants), "patients": sum(variants.values()), "hash": total % (1 << 61)}


Engine = Callable[[str, Path], Result]

ENGINES: dict[str, tuple[Engine, tuple[str, ...]]] = {
    "ours": (ours, OPERATIONS),
    "pm4py": (pm4py_pandas, OPERATIONS),
    "pm4py-polars": (pm4py_polars, OPERATIONS[:-1]),
    "pl4pm": (pl4pm, OPERATIONS),
    "duckdb": (duckdb, OPERATIONS[:-1]),
    "r4pm": (r4pm, ("import", "edges", "variants")),
    "openprocess": (openprocess, ("import", "edges")),
    "floor": (floor, OPERATIONS),
}
"""Each engine, and the operations that it has."""

Run = dict[str, Any]


def child(engine: str, operation: str, path: Path) -> None:
    """Run one operation; print what the whole process cost, and the counts, digested."""
    result = _imported(engine) if operation == "import" else ENGINES[engine][0](operation, path)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    run = {"cpu": sum(one.ru_utime + one.ru_stime for one in used), "mb": _peak_mb()}
    said = json.dumps(sorted(result().items()), default=str)
    run["digest"] = hashlib.sha256(said.encode()).hexdigest()
    print(json.dumps(run))


def _imported(engine: str) -> Result:
    """Import an engine, and nothing else."""
    modules = {"ours": "pathways.mining.kernels", "pm4py-polars": "pm4py", "floor": "pyarrow.parquet"}
    import_module(modules.get(engine, engine))
    return dict


def _peak_mb() -> float:
    """Return the peak of this process's memory; getrusage would say that of the process it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measured(engine: str, operation: str, path: Path, repeat: int = 1) -> Run | None:
    """Return the cheapest of some runs, each in a process of its own; None where the engine fails."""
    runs = [_once(engine, operation, path) for _ in range(repeat)]
    whole = [run for run in runs if run is not None]
    return min(whole, key=lambda run: float(run["cpu"])) if whole else None


def _once(engine: str, operation: str, path: Path) -> Run | None:
    command = [sys.executable, __file__, "--child", engine, operation, str(path)]
    quiet = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, env=quiet, text=True, check=False)
    if done.returncode:
        print(f"  {engine} {operation} failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    run: Run = json.loads(done.stdout.strip().splitlines()[-1])
    return run


def asked(engine: str, operation: str, n_events: int) -> bool:
    """Return whether a peer is installed, has the operation, and ends within minutes."""
    packages = {"ours": "polars", "floor": "pyarrow", "pm4py-polars": "pm4py"}
    slow = {
        "openprocess": SLOW_LIMIT,
        "pm4py eventually": EVENTUALLY_LIMIT,
        "pl4pm eventually": 10 * EVENTUALLY_LIMIT,
    }
    limit = min(slow.get(engine, n_events), slow.get(f"{engine} {operation}", n_events))
    return (
        operation in ENGINES[engine][1]
        and n_events <= limit
        and bool(find_spec(packages.get(engine, engine)))
    )


def compare(n_events: int, engines: list[str], operations: list[str], repeat: int) -> None:
    """Print, for both unsorted forms, what each operation costs each engine, and their ratio to ours."""
    with tempfile.TemporaryDirectory(prefix="bench-maps-") as folder:
        _written(Path(folder) / "log", n_events, tuple(FORMS))
        for form, name in FORMS.items():
            peers = [e for e in engines if e not in ("ours", "floor")] if form != "sorted" else ["floor"]
            print(f"\n{n_events:,} events, {form}: CPU-seconds and MB of whole processes (ratio to ours)")
            for operation in operations:
                _line(operation, Path(folder) / "log" / name, peers, n_events, repeat)


def _line(operation: str, path: Path, peers: list[str], n_events: int, repeat: int) -> None:
    mine = measured("ours", operation, path, repeat)
    if mine is None:
        sys.exit(1)
    cells = [f"{operation:11} ours {mine['cpu']:.2f} s {mine['mb']:.0f} MB"]
    for peer in peers:
        if not asked(peer, operation, n_events):
            continue
        run = measured(peer, operation, path)
        if run is None:
            continue
        if peer != "floor" and run["digest"] != mine["digest"]:
            sys.exit(f"{peer} counts otherwise than ours: {operation} of {path.name}")
        ratios = f"({run['cpu'] / mine['cpu']:.1f}, {run['mb'] / mine['mb']:.1f})"
        cells.append(f"{peer} {run['cpu']:.2f} s {run['mb']:.0f} MB {ratios}")
    print(" · ".join(cells), flush=True)


def grow(sizes: list[int], operations: list[str], repeat: int) -> None:
    """Print what ours costs from a study's events and from unsorted integers at several sizes, the slope, the floor."""
    costs: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for n_events in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-maps-") as folder:
            _written(Path(folder) / "log", n_events, ("integers", "sorted"))
            for form in ("sorted", "integers"):
                path = Path(folder) / "log" / FORMS[form]
                for operation in operations:
                    run = measured("ours", operation, path, repeat)
                    if run is None:
                        sys.exit(1)
                    costs.setdefault((form, operation), []).append((n_events, run["cpu"]))
                    least = measured("floor", operation, path, repeat) if form == "sorted" else None
                    scan = (
                        f", {run['cpu'] / least['cpu']:.1f} times the scan ({least['cpu']:.2f} s)"
                        if least
                        else ""
                    )
                    print(
                        f"{n_events:>11,} {form:8} {operation:11} {run['cpu']:.2f} s {run['mb']:.0f} MB{scan}",
                        flush=True,
                    )
    for (form, operation), found in costs.items():
        (small, cheap), (large, dear) = found[0], found[-1]
        if large > small:
            slope = math.log(dear / cheap) / math.log(large / small)
            bound = math.log(large * math.log(large) / (small * math.log(small))) / math.log(large / small)
            print(f"slope {form:8} {operation:11} {slope:.2f} (n log n: {bound:.2f})")


def _written(folder: Path, n_events: int, forms: tuple[str, ...]) -> None:
    """Write the log in another process, whose memory ends with it."""
    subprocess.run([sys.executable, __file__, "--write", str(folder), str(n_events), *forms], check=True)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours, of which the cheapest counts")
    parser.add_argument("--grow", action="store_true")
    parser.add_argument("--sizes", nargs="+", type=int, default=[600_000, 6_000_000])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], args.child[1], Path(args.child[2]))
    elif args.write:
        write(Path(args.write[0]), int(args.write[1]), tuple(args.write[2:]))
    elif args.grow:
        grow(args.sizes, args.operations, args.repeat)
    else:
        compare(args.events, args.engines, args.operations, args.repeat)


if __name__ == "__main__":
    main()
