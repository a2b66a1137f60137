"""Token replay of each distinct variant, and precision, weighted by the patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from eventlogs.errors import InputError, did_you_mean
from pathways.mining.pm4py_door.alignments import as_trace
from pathways.mining.pm4py_door.door import pm4py_module
from pathways.mining.pm4py_door.models import ProcessModel
from pathways.mining.pm4py_door.weighted import Variants, Word, prefixes, weights_of

Method = Literal["tokens", "alignments"]

REPLAY_COLUMNS: dict[str, Any] = {
    "variant": pl.List(pl.String),
    "n_patients": pl.Int64,
    "fits": pl.Boolean,
    "fitness": pl.Float64,
    "missing": pl.Int64,
    "consumed": pl.Int64,
    "remaining": pl.Int64,
    "produced": pl.Int64,
}
"""Columns of `Replay.frame`."""


@dataclass(frozen=True)
class Replay:
    """Each variant replayed on a Petri net with tokens.

    Parameters
    ----------
    frame : polars.DataFrame
        `REPLAY_COLUMNS`, one row a variant, most frequent first: tokens of one patient; ``fitness`` =
        (1 - missing / consumed) / 2 + (1 - remaining / produced) / 2 (Rozinat and van der Aalst 2008).

    Notes
    -----
    Patient-level where a variant is of few patients: it leaves through `pathways.disclosure` only.
    """

    frame: pl.DataFrame = field(repr=False)

    @property
    def average_fitness(self) -> float:
        """Mean fitness of the patients, 0 to 1."""
        return self._mean("fitness")

    @property
    def log_fitness(self) -> float:
        """Fitness of all tokens of all patients together, 0 to 1."""
        missing, consumed, remaining, produced = (
            self._mean(name) for name in ("missing", "consumed", "remaining", "produced")
        )
        return 0.5 * (1 - missing / consumed) + 0.5 * (1 - remaining / produced)

    @property
    def fitting_share(self) -> float:
        """Share of the patients whose sequence replays without a token missing or left."""
        return self._mean("fits")

    def _mean(self, column: str) -> float:
        weighted = pl.col(column).cast(pl.Float64) * pl.col("n_patients")
        return float(self.frame.select(weighted.sum() / pl.col("n_patients").sum()).item())

    def __repr__(self) -> str:
        return f"Replay({self.frame.height} variants, average fitness {self.average_fitness:.3f})"


def replay(variants: Variants, model: ProcessModel) -> Replay:
    """Replay one case a distinct variant and weight it by its patients: pm4py's token-based replay of the log.

    Parameters
    ----------
    variants : ProcessMap or polars.DataFrame
        A map with its variants, or those alone: ``variant``, ``n_patients``.
    model : ProcessModel
        Discovered, or what should happen.

    Raises
    ------
    LogError
        There is no patient.
    """
    weights = weights_of(variants)
    rows = [
        (
            list(word),
            n,
            one["trace_is_fit"],
            one["trace_fitness"],
            *(one[f"{name}_tokens"] for name in TOKENS),
        )
        for (word, n), one in zip(weights.items(), _replayed(weights, model), strict=True)
    ]
    return Replay(pl.DataFrame(rows, schema=REPLAY_COLUMNS, orient="row"))


TOKENS = ("missing", "consumed", "remaining", "produced")
"""What a replay counts."""

PREFIX_REPLAY = {
    "consider_remaining_in_fitness": False,
    "try_to_reach_final_marking_through_hidden": False,
    "stop_immediately_unfit": True,
    "walk_through_hidden_trans": True,
}
"""How pm4py replays a prefix: it stops where the prefix does, and at the first token that is missing."""


@dataclass(frozen=True)
class Precision:
    """How much of what the model allows was seen (ETConformance, Muñoz-Gama and Carmona 2010).

    Parameters
    ----------
    value : float
        1 - escaping / allowed, over the prefixes of the variants weighted by their patients, 0 to 1.
    compared_share : float
        Share of the weight whose prefix the model could follow; the others say nothing.
    method : {'tokens', 'alignments'}
        How the model follows a prefix.
    """

    value: float
    compared_share: float
    method: Method = "tokens"


def precision(variants: Variants, model: ProcessModel, *, method: Method = "tokens") -> Precision:
    """Measure precision from the distinct variants: pm4py's value of the log.

    Parameters
    ----------
    variants : ProcessMap or polars.DataFrame
        A map with its variants, or those alone: ``variant``, ``n_patients``.
    model : ProcessModel
        Discovered, or what should happen.
    method : {'tokens', 'alignments'}
        Whether the model is taken along each prefix by token replay, which guesses the silent transitions, or by
        an exact search of the markings it can reach (align-ETConformance): minutes on a long log.

    Raises
    ------
    LogError
        There is no patient.
    InputError
        There is no such method.
    """
    methods: dict[str, Callable[[list[Word], ProcessModel], list[set[str] | None]]] = {
        "tokens": _allowed_by_tokens,
        "alignments": _allowed_by_alignments,
    }
    if method not in methods:
        raise InputError(f"there is no method '{method}'{did_you_mean(method, methods)}")
    seen = prefixes(weights_of(variants))
    words = [word for word in seen if word]
    allowed: dict[Word, set[str] | None] = {
        (): _allowed_at_start(model),
        **dict(zip(words, methods[method](words, model), strict=True)),
    }
    return _precision(seen, allowed, method)


def _precision(
    seen: Mapping[Word, Counter[str]], allowed: Mapping[Word, set[str] | None], method: Method
) -> Precision:
    total = escaping = compared = 0
    for prefix, following in seen.items():
        activities, weight = allowed[prefix], following.total()
        if activities is not None:
            compared += weight
            total += weight * len(activities)
            escaping += weight * len(activities - set(following))
    share = compared / sum(following.total() for following in seen.values())
    return Precision(1 - escaping / total if total else 1.0, share, method)


def _allowed_at_start(model: ProcessModel) -> set[str]:
    net, initial, _ = model.petri_net()
    return _labels(_enabled(net, initial))


def _allowed_by_tokens(words: list[Word], model: ProcessModel) -> list[set[str] | None]:
    results = _replayed(words, model, **PREFIX_REPLAY)
    return [
        _labels(one["enabled_transitions_in_marking"]) if one["trace_is_fit"] else None for one in results
    ]


def _allowed_by_alignments(words: list[Word], model: ProcessModel) -> list[set[str] | None]:
    net, initial, final = model.petri_net()
    etc = pm4py_module("algo.evaluation.precision.variants.align_etconformance")
    options = {"show_progress_bar": False, "multiprocessing": False}
    stops = etc.align_fake_log_stop_marking(_log(words), net, initial, final, parameters=options)
    markings = etc.transform_markings_from_sync_to_original_net(stops, net)
    return [
        None if reached is None else _labels(one for marking in reached for one in _enabled(net, marking))
        for reached in markings
    ]


def _enabled(net: Any, marking: Any) -> Iterable[Any]:
    utils = pm4py_module("objects.petri_net.utils.align_utils")
    transitions: Iterable[Any] = utils.get_visible_transitions_eventually_enabled_by_marking(net, marking)
    return transitions


def _labels(transitions: Iterable[Any]) -> set[str]:
    return {one.label for one in transitions if one.label is not None}


def _replayed(words: Iterable[Word], model: ProcessModel, **options: object) -> list[dict[str, Any]]:
    net, initial, final = model.petri_net()
    token_replay = pm4py_module("algo.conformance.tokenreplay.variants.token_replay")
    parameters = {"show_progress_bar": False, **options}
    results: list[dict[str, Any]] = token_replay.apply(_log(words), net, initial, final, parameters)
    return results


def _log(words: Iterable[Word]) -> Any:
    """Return a log of pm4py with one case a sequence."""
    return pm4py_module("objects.log.obj").EventLog([as_trace(word) for word in words])
