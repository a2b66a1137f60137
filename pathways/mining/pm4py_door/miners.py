"""Models discovered from what our kernels counted: distinct variants with their weights, or released edges."""

from __future__ import annotations

from collections import Counter
from typing import Any

import networkx as nx
import polars as pl

from eventlogs.abstraction import Level
from eventlogs.errors import DisclosureRefused, LogError
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap
from pathways.mining.outcomes import one_end
from pathways.mining.pm4py_door.door import pm4py_module
from pathways.mining.pm4py_door.models import HeuristicsModel, ProcessModel
from pathways.mining.pm4py_door.weighted import (
    Variants,
    events_of,
    occurrences,
    pairs,
    returns,
    terminals,
    weights_of,
)


def discover(variants: Variants, *, noise: float = 0.2) -> ProcessModel:
    """Discover a model with the inductive miner (infrequent) from the distinct variants and their weights.

    The same model as from the events: the miner reads nothing else of them.

    Parameters
    ----------
    variants : ProcessMap or polars.DataFrame
        A map with its variants, or those alone: ``variant``, ``n_patients``.
    noise : float
        Share of rare behaviour to leave out, 0 to 1; 0 fits every variant.

    Returns
    -------
    ProcessModel

    Raises
    ------
    LogError
        There is no patient, or `noise` is not a share.
    """
    _check_share("noise", noise)
    weights = weights_of(variants)
    parameters = {"noise_threshold": noise, "multiprocessing": False}
    variant = pm4py_module("algo.discovery.inductive.variants." + ("imf" if noise else "im"))
    miner = (variant.IMFUVCL if noise else variant.IMUVCL)(parameters)
    structure = pm4py_module("algo.discovery.inductive.dtypes.im_ds").IMDataStructureUVCL(weights)
    return _model(miner.apply(structure, parameters), _name(variants), from_patients=True)


def discover_heuristics(
    variants: Variants,
    *,
    dependency: float = 0.5,
    concurrency: float = 0.65,
    loop_of_two: float = 0.5,
    least_events: int = 1,
) -> HeuristicsModel:
    """Discover a model with the heuristics miner from the distinct variants and their weights.

    The same net as pm4py's from the events: the miner reads the steps, the pairs two places apart, the returns
    A-B-A, the events by activity, first and last activities, all counted here.

    Parameters
    ----------
    variants : ProcessMap or polars.DataFrame
        A map with its variants, or those alone: ``variant``, ``n_patients``.
    dependency, concurrency, loop_of_two : float
        Least measure, 0 to 1, for a dependency, for steps in parallel, for a loop of length two (pm4py's defaults).
    least_events : int
        Activities and steps seen less often are left out.

    Returns
    -------
    HeuristicsModel

    Raises
    ------
    LogError
        There is no patient, or a measure is not a share.
    """
    measures = {
        "dependency_thresh": dependency,
        "and_measure_thresh": concurrency,
        "loop_length_two_thresh": loop_of_two,
    }
    for name, value in zip(("dependency", "concurrency", "loop_of_two"), measures.values(), strict=True):
        _check_share(name, value)
    events = events_of(variants)
    known = occurrences(events)
    net = pm4py_module("algo.discovery.heuristics.variants.classic").apply_heu_dfg(
        pairs(events),
        activities=list(known),
        activities_occurrences=known,
        start_activities=terminals(variants, 0),
        end_activities=terminals(variants, -1),
        dfg_window_2=pairs(events, 2),
        freq_triples=returns(events),
        parameters={**measures, "min_act_count": least_events, "min_dfg_occurrences": least_events},
    )
    petri_net = pm4py_module("objects.conversion.heuristics_net.converter").apply(net)
    return HeuristicsModel(name=_name(variants), net=petri_net, from_patients=True, heuristics_net=net)


def discover_released(edges: pl.DataFrame, *, level: Level = "activity", name: str = "") -> ProcessModel:
    """Discover a model from released edges alone (inductive miner on directly-follows): it says no more than they.

    Parameters
    ----------
    edges : polars.DataFrame
        ``source``, ``target``, ``n_events``, with edges from ``▶`` and to ``■``; also `ProcessMap.flow`.
    level : {'activity', 'phase'}
        Which rows, where the edges have a column ``level``.
    name : str
        Title.

    Raises
    ------
    DisclosureRefused
        No edge from ``▶`` or none to ``■`` is shown.
    """
    one = edges.filter(pl.col("level") == level) if "level" in edges.columns else edges
    rows = _connected(one_end(one.filter(pl.col("source") != ELSEWHERE)).rows())
    starts = {target: n for source, target, n in rows if source == START}
    ends = {source: n for source, target, n in rows if target == END}
    if not starts or not ends:
        raise DisclosureRefused(
            "no first or no last activity is shown; a model needs both, so select more patients"
        )
    follows = {(source, target): n for source, target, n in rows if source != START and target != END}
    graph = pm4py_module("objects.dfg.obj").DFG(Counter(follows), Counter(starts), Counter(ends))
    inductive = pm4py_module("algo.discovery.inductive.algorithm")
    return _model(inductive.apply(graph, variant=inductive.Variants.IMd), name, from_patients=False)


def _connected(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Keep the edges between activities that lie on a shown path from ``▶`` to ``■``: the miner fails on others."""
    graph = nx.DiGraph([(source, target) for source, target, _ in rows])
    graph.add_nodes_from((START, END))
    inside = ({START} | nx.descendants(graph, START)) & ({END} | nx.ancestors(graph, END))
    return [row for row in rows if inside.issuperset(row[:2])]


def _model(tree: Any, name: str, *, from_patients: bool) -> ProcessModel:
    """Fold and sort the tree, as pm4py does at the end of its own call."""
    generic = pm4py_module("objects.process_tree.utils.generic")
    folded = generic.fold(tree)
    generic.tree_sort(folded)
    return ProcessModel(folded, name, from_patients=from_patients)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise LogError(f"{name} = {value} is not a share; give a number from 0 to 1")


def _name(variants: Variants) -> str:
    return variants.name if isinstance(variants, ProcessMap) else ""
