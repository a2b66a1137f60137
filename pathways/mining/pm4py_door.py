"""The only door to pm4py: its names, its models, its files.

pm4py is imported inside the functions, since that takes seconds. Models are discovered from distinct variants or
from edges that our kernels counted, never from events.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import polars as pl

from eventlogs.abstraction import Level
from eventlogs.errors import DisclosureRefused, LogError
from eventlogs.log import EventLog
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap

if TYPE_CHECKING:
    import pandas as pd

NAMES = {"patient_id": "case:concept:name", "activity": "concept:name", "start": "time:timestamp"}
"""pm4py's names of our columns; the others keep theirs."""


def to_pm4py(log: EventLog) -> pd.DataFrame:
    """Return the events under pm4py's names, in our rank order.

    Parameters
    ----------
    log : EventLog
        Any log.

    Returns
    -------
    pandas.DataFrame
        One row an event: ``case:concept:name``, ``concept:name``, ``time:timestamp`` (our naive times, written as
        UTC as pm4py asks) and the other columns of `eventlogs.log.EVENT_COLUMNS`. pm4py adds columns to frames that it
        is given: each call returns a new frame.
    """
    frame = log.events.with_columns(
        pl.col("start", "end", "known_from", "known_until").dt.replace_time_zone("UTC")
    )
    return frame.rename(NAMES).to_pandas()


def _pm4py(module: str) -> Any:
    """Return a module of pm4py, imported without its banner."""
    vars(sys)["_pm4py_welcome_shown"] = True
    import pm4py

    return import_module(f"{pm4py.__name__}.{module}")


@dataclass(frozen=True)
class ProcessModel:
    """A discovered model: the process tree, and its forms.

    Parameters
    ----------
    tree : pm4py.objects.process_tree.obj.ProcessTree
        What the inductive miner found; block-structured, hence sound.
    name : str
        Title.
    """

    tree: Any = field(repr=False)
    name: str = ""

    def petri_net(self) -> tuple[Any, Any, Any]:
        """Return the Petri net, its initial and its final marking, as pm4py objects."""
        net, initial, final = _pm4py("convert").convert_to_petri_net(self.tree)
        return net, initial, final

    def bpmn(self) -> Any:
        """Return the BPMN diagram as a pm4py object, laid out from left to right."""
        return _laid_out(_pm4py("convert").convert_to_bpmn(self.tree))

    def write_bpmn(self, path: str | Path) -> None:
        """Write a ``.bpmn`` file (BPMN 2.0 XML) in one move: all of it or nothing."""
        exporter = _pm4py("objects.bpmn.exporter.exporter")
        _write(Path(path), ".bpmn", lambda part: exporter.apply(self.bpmn(), part))

    def write_pnml(self, path: str | Path) -> None:
        """Write a ``.pnml`` file in one move: all of it or nothing."""
        exporter = _pm4py("objects.petri_net.exporter.exporter")
        net, initial, final = self.petri_net()
        _write(Path(path), ".pnml", lambda part: exporter.apply(net, initial, part, final_marking=final))

    def __str__(self) -> str:
        return str(self.tree)


def _write(path: Path, suffix: str, write: Callable[[str], object]) -> None:
    if path.suffix != suffix:
        raise LogError(f"{path} does not end in {suffix}; give a path that does")
    part = path.with_name(f".{path.stem}.partial-{os.getpid()}{suffix}")
    try:
        write(str(part))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def discover(process_map: ProcessMap, *, noise: float = 0.2) -> ProcessModel:
    """Discover a model with the inductive miner (infrequent) from the distinct variants and their weights.

    The same model as from the events: the miner reads nothing else of them.

    Parameters
    ----------
    process_map : ProcessMap
        With its variants.
    noise : float
        Share of rare behaviour to leave out, 0 to 1; 0 fits every variant.

    Returns
    -------
    ProcessModel

    Raises
    ------
    LogError
        The map has no patient, or `noise` is not a share.
    """
    if not 0 <= noise <= 1:
        raise LogError(f"noise = {noise} is not a share; give a number from 0 to 1")
    if process_map.variants.is_empty():
        raise LogError("the map has no patient; a model needs at least one")
    rows = process_map.variants.select("variant", "n_patients").rows()
    weights = Counter({tuple(variant): n for variant, n in rows})
    parameters = {"noise_threshold": noise, "multiprocessing": False}
    variant = _pm4py("algo.discovery.inductive.variants." + ("imf" if noise else "im"))
    miner = (variant.IMFUVCL if noise else variant.IMUVCL)(parameters)
    structure = _pm4py("algo.discovery.inductive.dtypes.im_ds").IMDataStructureUVCL(weights)
    return _model(miner.apply(structure, parameters), process_map.name)


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
    rows = _connected(one.filter(pl.col("source") != ELSEWHERE).select("source", "target", "n_events").rows())
    starts = {target: n for source, target, n in rows if source == START}
    ends = {source: n for source, target, n in rows if target == END}
    if not starts or not ends:
        raise DisclosureRefused(
            "no first or no last activity is shown; a model needs both, so select more patients"
        )
    follows = {(source, target): n for source, target, n in rows if source != START and target != END}
    graph = _pm4py("objects.dfg.obj").DFG(Counter(follows), Counter(starts), Counter(ends))
    inductive = _pm4py("algo.discovery.inductive.algorithm")
    return _model(inductive.apply(graph, variant=inductive.Variants.IMd), name)


def _connected(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Keep the edges between activities that lie on a shown path from ``▶`` to ``■``: the miner fails on others."""
    graph = nx.DiGraph([(source, target) for source, target, _ in rows])
    graph.add_nodes_from((START, END))
    inside = ({START} | nx.descendants(graph, START)) & ({END} | nx.ancestors(graph, END))
    return [row for row in rows if inside.issuperset(row[:2])]


def _model(tree: Any, name: str) -> ProcessModel:
    """Fold and sort the tree, as pm4py does at the end of its own call."""
    generic = _pm4py("objects.process_tree.utils.generic")
    folded = generic.fold(tree)
    generic.tree_sort(folded)
    return ProcessModel(folded, name)


BPMN_STEP_X, BPMN_STEP_Y = 160, 110
"""Distance between columns and rows of a diagram."""


def _laid_out(diagram: Any) -> Any:
    """Place each node by its distance from the start, and draw straight flows: no Graphviz program is needed."""
    graph = nx.DiGraph((flow.get_source(), flow.get_target()) for flow in diagram.get_flows())
    start = next(node for node in graph if not graph.in_degree(node))
    rows: Counter[int] = Counter()
    for node, column in nx.single_source_shortest_path_length(graph, start).items():
        node.set_width(100 if node.get_name() else 50)
        node.set_height(60 if node.get_name() else 50)
        node.set_x(column * BPMN_STEP_X)
        node.set_y(rows[column] * BPMN_STEP_Y)
        rows[column] += 1
    for flow in diagram.get_flows():
        source, target = flow.get_source(), flow.get_target()
        flow.del_waypoints()
        flow.add_waypoint((source.get_x() + source.get_width(), source.get_y() + source.get_height() / 2))
        flow.add_waypoint((target.get_x(), target.get_y() + target.get_height() / 2))
    return diagram
