"""Alignments of each distinct variant with a model, weighted by its patients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import polars as pl

from eventlogs.errors import InputError, ModelError, did_you_mean
from pathways.mining.pm4py_door.door import pm4py_module
from pathways.mining.pm4py_door.models import ProcessModel
from pathways.mining.pm4py_door.weighted import Variants, Word, weights_of

Engine = Literal["pm4py", "r4pm"]
Kind = Literal["both", "log", "model"]
Move = tuple[Kind, str]
Found = list[Move] | None
_Search = Callable[[Sequence[Word], float], list[Found]]

ALIGNMENT_COLUMNS: dict[str, Any] = {
    "variant": pl.List(pl.String),
    "n_patients": pl.Int64,
    "cost": pl.Int64,
    "fitness": pl.Float64,
    "log_moves": pl.List(pl.String),
    "model_moves": pl.List(pl.String),
    "moves": pl.List(pl.Struct({"kind": pl.String, "activity": pl.String})),
}
"""Columns of `Alignments.frame`."""

DEVIATION_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "activity": pl.String,
    "n_moves": pl.Int64,
    "n_patients": pl.Int64,
}
"""Columns of `Alignments.deviations`."""

SKIP = ">>"
BATCH: dict[str, int] = {"pm4py": 1, "r4pm": 256}
"""Variants that an engine is given at once."""
R4PM_STATES_A_SECOND = 1_000_000
"""States that r4pm's search is let visit for a second of budget: it counts states, not time."""


@dataclass(frozen=True)
class Alignments:
    """The best match of each variant with a model.

    Parameters
    ----------
    frame : polars.DataFrame
        `ALIGNMENT_COLUMNS`, one row a variant, most frequent first. ``cost``: activities done that the model does
        not foresee there (``log_moves``) and activities that it asks for and that are not done (``model_moves``),
        each for one; silent transitions cost nothing. ``fitness`` = 1 - cost / worst, where worst is the variant's
        length plus the model's shortest run. ``moves``: the alignment in order, ``kind`` *both*, *log* or *model*.
        Where the budget ended first, all of these are null: the variant is not aligned.
    shortest_run : int
        Activities of the model's shortest run.
    engine : {'pm4py', 'r4pm'}
        What searched. Costs are the same; of several alignments of one cost, engines may return different ones.

    Notes
    -----
    Patient-level where a variant is of few patients: it leaves through `pathways.disclosure` only.
    """

    frame: pl.DataFrame = field(repr=False)
    shortest_run: int
    engine: Engine = "pm4py"

    @property
    def aligned(self) -> pl.DataFrame:
        """Rows that the budget was enough for."""
        return self.frame.filter(pl.col("cost").is_not_null())

    @property
    def unaligned(self) -> pl.DataFrame:
        """``variant``, ``n_patients`` that the budget was not enough for."""
        return self.frame.filter(pl.col("cost").is_null()).select("variant", "n_patients")

    @property
    def n_patients(self) -> int:
        """Patients of all variants."""
        return int(self.frame["n_patients"].sum())

    @property
    def n_unaligned_patients(self) -> int:
        """Patients of the variants that are not aligned."""
        return int(self.unaligned["n_patients"].sum())

    @property
    def average_fitness(self) -> float | None:
        """Mean fitness of the aligned patients, 0 to 1: pm4py's ``averageFitness``; None where none is aligned."""
        return _mean(self.aligned, pl.col("fitness"))

    @property
    def average_fitness_bounds(self) -> tuple[float, float]:
        """Least and greatest mean fitness of all patients, whatever the variants that are not aligned would give."""
        known = float(self.aligned.select((pl.col("fitness") * pl.col("n_patients")).sum()).item())
        return known / self.n_patients, (known + self.n_unaligned_patients) / self.n_patients

    @property
    def log_fitness(self) -> float | None:
        """1 - all costs / all worst costs of the aligned patients.

        pm4py's ``log_fitness`` adds 1/10 000 of a move for each silent transition, and is lower by that.
        """
        worst = pl.col("variant").list.len() + self.shortest_run
        cost, average = _mean(self.aligned, pl.col("cost")), _mean(self.aligned, worst)
        return None if cost is None or average is None else 1 - cost / average

    @property
    def fitting_share(self) -> float | None:
        """Share of the aligned patients whose sequence the model allows as it is."""
        return _mean(self.aligned, (pl.col("cost") == 0).cast(pl.Float64))

    def deviations(self) -> pl.DataFrame:
        """Return what deviates most: `DEVIATION_COLUMNS`, by patients.

        ``kind`` *log*: done where the model does not foresee it; *model*: asked for by the model and not done.
        """
        moves = self.aligned.select("n_patients", "moves").with_row_index("row").explode("moves")
        named = moves.with_columns(pl.col("moves").struct.field("kind", "activity"))
        counted = (
            named.filter(pl.col("kind") != "both")
            .group_by("row", "kind", "activity")
            .agg(pl.col("n_patients").first(), n_moves=pl.col("n_patients").sum())
        )
        total = counted.group_by("kind", "activity").agg(pl.col("n_moves", "n_patients").sum())
        ranked = total.sort("n_patients", "kind", "activity", descending=[True, False, False])
        return ranked.select(pl.col(name).cast(dtype) for name, dtype in DEVIATION_COLUMNS.items())

    def __repr__(self) -> str:
        left = f", {self.n_unaligned_patients} patients not aligned" if self.n_unaligned_patients else ""
        fitness = self.average_fitness
        told = "" if fitness is None else f", average fitness {fitness:.3f}"
        return f"Alignments({self.frame.height} variants, {self.n_patients} patients{left}{told})"


def align(
    variants: Variants,
    model: ProcessModel,
    *,
    engine: Engine = "pm4py",
    seconds: float = 600.0,
    seconds_per_variant: float = 60.0,
) -> Alignments:
    """Align each distinct variant with a model, most frequent first (equal costs for moves in the log and the model).

    Parameters
    ----------
    variants : ProcessMap or polars.DataFrame
        A map with its variants, or those alone: ``variant``, ``n_patients``.
    model : ProcessModel
        Discovered, or what should happen (`load_model`, `reference_model`).
    engine : {'pm4py', 'r4pm'}
        pm4py's Dijkstra search of less memory, or r4pm's, several times faster still
        (``pip install care-pathways[fast]``); see ``tests/bench/bench_models.py``.
    seconds, seconds_per_variant : float
        Budget of the whole and of each variant. A variant for which it is not enough is returned unaligned. r4pm
        counts the states that it visits instead of the time of a variant (`R4PM_STATES_A_SECOND`).

    Returns
    -------
    Alignments

    Raises
    ------
    LogError
        There is no patient.
    ModelError
        The model can't be run from its start to its end.
    InputError
        r4pm is asked for and not installed.
    """
    weights = weights_of(variants)
    search = _search_of(engine)(model)
    shortest = shortest_run(model)
    found = _within(list(weights), search, BATCH[engine], seconds, seconds_per_variant)
    rows = [_row(word, n, moves, shortest) for (word, n), moves in zip(weights.items(), found, strict=True)]
    return Alignments(pl.DataFrame(rows, schema=ALIGNMENT_COLUMNS, orient="row"), shortest, engine)


def _within(
    words: Sequence[Word], search: _Search, batch: int, seconds: float, seconds_per_variant: float
) -> list[Found]:
    """Search until the time is over: batches with an equal part each, then again what that was not enough for."""
    end = time.monotonic() + seconds
    found: dict[Word, Found] = {}

    def seek(some: Sequence[Word]) -> None:
        left = end - time.monotonic()
        if left > 0:
            found.update(zip(some, search(some, min(seconds_per_variant, left / len(some))), strict=True))

    for first in range(0, len(words), batch):
        seek(words[first : first + batch])
    for word in words if batch > 1 else ():
        if found.get(word) is None:
            seek([word])
    return [found.get(word) for word in words]


def shortest_run(model: ProcessModel, seconds: float = 60.0) -> int:
    """Return how many activities the model's shortest run from start to end has.

    Raises
    ------
    ModelError
        There is none, or it was not found in time.
    """
    if model.tree is not None:
        return _shortest_of(model.tree)
    (moves,) = _pm4py_search(model)([()], seconds)
    if moves is None:
        raise ModelError(
            f"{model.name or 'the model'} can't be run from its start to its end (searched {seconds:.0f} s); "
            "check that a path leads to its end and that no loop adds tokens for ever"
        )
    return len(moves)


def _shortest_of(tree: Any) -> int:
    """Return the shortest run of a process tree: a choice takes its shortest branch, a loop is not redone."""
    if tree.operator is None:
        return 0 if tree.label is None else 1
    runs = [_shortest_of(child) for child in tree.children]
    if tree.operator.name in ("XOR", "OR"):
        return min(runs)
    return runs[0] + sum(runs[2:]) if tree.operator.name == "LOOP" else sum(runs)


def _row(word: Word, n_patients: int, moves: Found, shortest: int) -> tuple[Any, ...]:
    if moves is None:
        return list(word), n_patients, None, None, None, None, None
    in_log = [activity for kind, activity in moves if kind == "log"]
    in_model = [activity for kind, activity in moves if kind == "model"]
    cost = len(in_log) + len(in_model)
    told = [{"kind": kind, "activity": activity} for kind, activity in moves]
    return list(word), n_patients, cost, 1 - cost / (len(word) + shortest), in_log, in_model, told


def _search_of(engine: str) -> Callable[[ProcessModel], _Search]:
    engines: dict[str, Callable[[ProcessModel], _Search]] = {"pm4py": _pm4py_search, "r4pm": _r4pm_search}
    if engine not in engines:
        raise InputError(f"there is no engine '{engine}'{did_you_mean(engine, engines)}")
    return engines[engine]


def _pm4py_search(model: ProcessModel) -> _Search:
    net, initial, final = model.petri_net()
    less_memory = pm4py_module("algo.conformance.alignments.petri_net.variants.dijkstra_less_memory")

    def one(word: Word, seconds: float) -> Found:
        parameters = {less_memory.Parameters.PARAM_MAX_ALIGN_TIME_TRACE: seconds}
        found = less_memory.apply(as_trace(word), net, initial, final, parameters)
        if found is None:
            return None
        return [_move(*pair) for pair in found["alignment"] if pair != (SKIP, None)]

    return lambda words, seconds: [one(word, seconds) for word in words]


def _move(in_log: str, in_model: str) -> Move:
    if in_log == SKIP:
        return "model", in_model
    return ("log", in_log) if in_model == SKIP else ("both", in_log)


def as_trace(word: Word) -> Any:
    """Return a sequence as a trace of pm4py."""
    log = pm4py_module("objects.log.obj")
    return log.Trace([log.Event({"concept:name": activity}) for activity in word])


R4PM_OPTIONS = {
    "cost_fn": {
        "log_move_cost": 10_000,
        "model_move_cost": 10_000,
        "silent_move_cost": 1,
        "sync_move_cost": 0,
    }
}
"""pm4py's standard costs."""


def _r4pm_search(model: ProcessModel) -> _Search:
    if find_spec("r4pm") is None:
        raise InputError("the engine r4pm is not installed; add it: pip install care-pathways[fast]")
    alignments = import_module("r4pm.bindings.conformance.case_centric.alignments")
    net = import_module("r4pm.petri_net").from_pm4py(*model.petri_net())
    labels = {id_: transition["label"] for id_, transition in net["transitions"].items()}

    def search(words: Sequence[Word], seconds: float) -> list[Found]:
        options = {**R4PM_OPTIONS, "max_states": max(1, int(seconds * R4PM_STATES_A_SECOND))}
        with _projected(words) as projection:
            results = alignments.align_variants(net, projection, options)
        found = {tuple(one["activities"]): _r4pm_result(one["result"]) for one in results}
        return [_r4pm_moves(found[word], word, labels) for word in words]

    return search


@contextmanager
def _projected(words: Sequence[Word]) -> Iterator[str]:
    """Put one case a sequence into r4pm's registry, and take it out again."""
    r4pm = import_module("r4pm")
    rows = [(str(case), name, day) for case, word in enumerate(words) for day, name in enumerate(word)]
    frame = pl.DataFrame(rows, schema=R4PM_COLUMNS, orient="row").with_columns(
        pl.from_epoch("time:timestamp", "d").cast(pl.Datetime("ms", "UTC"))
    )
    log = r4pm.import_item_from_df("EventLog", frame)
    projection = r4pm.convert_item(log, "EventLogActivityProjection")
    try:
        yield projection
    finally:
        r4pm.remove_item(log)
        r4pm.remove_item(projection)


def _r4pm_result(result: Mapping[str, Any]) -> Any:
    """Return what was found, or None where the limit of states came first."""
    if "Ok" in result:
        return result["Ok"]
    if result["Err"] == {"SearchError": "LimitReached"}:
        return None
    raise ModelError(f"r4pm can't align with this model ({result['Err']}); use the engine pm4py")


R4PM_COLUMNS = {"case:concept:name": pl.String, "concept:name": pl.String, "time:timestamp": pl.Int64}
"""Columns of a log of r4pm."""


def _r4pm_moves(found: Any, word: Word, labels: dict[str, str | None]) -> Found:
    if found is None:
        return None
    moves = (_r4pm_move(move, word, labels) for move in found["moves"])
    return [move for move in moves if move is not None]


def _r4pm_move(move: dict[str, dict[str, Any]], word: Word, labels: dict[str, str | None]) -> Move | None:
    ((kind, what),) = move.items()
    if kind == "ModelMove":
        label = labels[what["transition"]]
        return None if label is None else ("model", label)
    return ("log" if kind == "LogMove" else "both"), word[what["trace_event_index"]]


def _mean(frame: pl.DataFrame, value: pl.Expr) -> float | None:
    if frame.is_empty():
        return None
    weight = pl.col("n_patients")
    return float(frame.select((value * weight).sum() / weight.sum()).item())
