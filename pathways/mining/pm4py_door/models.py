"""Process models: as process tree, Petri net and BPMN, and as files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl

from eventlogs.errors import LogError
from eventlogs.patient_level import keep_outside_released
from pathways.mining.pm4py_door.door import pm4py_module

DEPENDENCY_COLUMNS: dict[str, Any] = {
    "source": pl.String,
    "target": pl.String,
    "n_events": pl.Int64,
    "dependency": pl.Float64,
}
"""Columns of `HeuristicsModel.dependencies`."""


@dataclass(frozen=True)
class ProcessModel:
    """A model of the process, discovered or given, and its forms.

    Parameters
    ----------
    tree : pm4py.objects.process_tree.obj.ProcessTree or None
        What the inductive miner found, or steps put in order: block-structured, hence sound.
    name : str
        Title.
    net : tuple of pm4py PetriNet, Marking, Marking, or None
        The Petri net with its initial and final marking, where there is no tree.
    from_patients : bool
        Found in a log that did not pass the disclosure gate: its file enters no folder ``released``.
    """

    tree: Any = field(default=None, repr=False)
    name: str = ""
    net: tuple[Any, Any, Any] | None = field(default=None, repr=False)
    from_patients: bool = False

    def petri_net(self) -> tuple[Any, Any, Any]:
        """Return the Petri net, its initial and its final marking, as pm4py objects."""
        if self.net is not None:
            return self.net
        net, initial, final = pm4py_module("convert").convert_to_petri_net(self.tree)
        return net, initial, final

    @property
    def activities(self) -> list[str]:
        """Activities that the model names, by name."""
        return sorted({one.label for one in self.petri_net()[0].transitions if one.label is not None})

    def bpmn(self) -> Any:
        """Return the BPMN diagram as a pm4py object, laid out from left to right."""
        source = self.petri_net() if self.tree is None else (self.tree,)
        return _laid_out(pm4py_module("convert").convert_to_bpmn(*source))

    def write_bpmn(self, path: str | Path) -> None:
        """Write a ``.bpmn`` file (BPMN 2.0 XML) in one move: all of it or nothing."""
        exporter = pm4py_module("objects.bpmn.exporter.exporter")
        self._write(Path(path), ".bpmn", lambda part: exporter.apply(self.bpmn(), part))

    def write_pnml(self, path: str | Path) -> None:
        """Write a ``.pnml`` file in one move: all of it or nothing."""
        exporter = pm4py_module("objects.petri_net.exporter.exporter")
        net, initial, final = self.petri_net()
        self._write(Path(path), ".pnml", lambda part: exporter.apply(net, initial, part, final_marking=final))

    def _write(self, path: Path, suffix: str, write: Callable[[str], object]) -> None:
        if self.from_patients:
            keep_outside_released(path, "a model found in a log")
        _write(path, suffix, write)

    def __str__(self) -> str:
        return str(self.tree) if self.tree is not None else f"Petri net of {len(self.activities)} activities"


@dataclass(frozen=True)
class HeuristicsModel(ProcessModel):
    """What the heuristics miner found: its net of dependencies, and the Petri net made of it (not always sound).

    Parameters
    ----------
    heuristics_net : pm4py.objects.heuristics_net.obj.HeuristicsNet
        As pm4py's own miner returns.
    """

    heuristics_net: Any = field(default=None, repr=False)

    def dependencies(self) -> pl.DataFrame:
        """Return the dependencies that the net keeps.

        Returns
        -------
        polars.DataFrame
            `DEPENDENCY_COLUMNS`, strongest first: ``n_events`` steps from source to target; ``dependency`` in
            -1 … 1 (Weijters and van der Aalst 2003: how much more often the step goes this way than back).
        """
        net = self.heuristics_net
        rows = [
            (source, target.node_name, net.dfg_matrix[source][target.node_name], edge.dependency_value)
            for source, node in net.nodes.items()
            for target, edges in node.output_connections.items()
            for edge in edges
        ]
        frame = pl.DataFrame(rows, schema=DEPENDENCY_COLUMNS, orient="row")
        return frame.sort("dependency", "source", "target", descending=[True, False, False])


def _write(path: Path, suffix: str, write: Callable[[str], object]) -> None:
    if path.suffix != suffix:
        raise LogError(f"{path} does not end in {suffix}; give a path that does")
    part = path.with_name(f".{path.stem}.partial-{os.getpid()}{suffix}")
    try:
        write(str(part))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
