"""Models that a user brings (PNML, BPMN), and models written as steps in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from eventlogs.errors import ModelError, did_you_mean
from pathways.definition import Pathway
from pathways.mining.pm4py_door.alignments import shortest_run
from pathways.mining.pm4py_door.door import pm4py_module
from pathways.mining.pm4py_door.models import ProcessModel

ROOTS = {".pnml": "pnml", ".bpmn": "definitions"}
"""Root element by suffix."""


def load_model(path: str | Path) -> ProcessModel:
    """Read a model of what should happen: a Petri net (``.pnml``) or a diagram (``.bpmn``, BPMN 2.0 XML).

    Parameters
    ----------
    path : path
        The file. A Petri net that states no final marking ends in its places without an outgoing arc; the names of
        transitions or tasks are activities of the log.

    Returns
    -------
    ProcessModel
        With its Petri net and markings.

    Raises
    ------
    ModelError
        The file is missing, damaged, of another kind, or its model can't be run from its start to its end.
    """
    file = Path(path)
    if file.suffix not in ROOTS:
        raise ModelError(f"{file.name} is no model that can be read{did_you_mean(file.suffix, ROOTS)}")
    if not file.is_file():
        raise ModelError(f"{file} is not a file; give a .pnml or .bpmn file")
    _check_root(file)
    try:
        net, initial, final = _read_pnml(file) if file.suffix == ".pnml" else _read_bpmn(file)
    except Exception as error:
        raise ModelError(
            f"{file.name} holds no model that can be understood ({type(error).__name__}); export it again"
        ) from error
    if not initial or not final:
        raise ModelError(f"{file.name} has no start or no end; mark where the process begins and ends")
    model = ProcessModel(name=file.stem, net=(net, initial, final))
    shortest_run(model)
    return model


def _check_root(file: Path) -> None:
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ModelError(f"{file.name} is not whole XML; export it again as {file.suffix}") from error
    found = root.tag.rpartition("}")[2]
    if found != ROOTS[file.suffix]:
        raise ModelError(f"{file.name} begins with <{found}>, not <{ROOTS[file.suffix]}>; export it again")


def _read_pnml(file: Path) -> tuple[Any, Any, Any]:
    net, initial, final = pm4py_module("objects.petri_net.importer.importer").apply(str(file))
    return net, initial, final


def _read_bpmn(file: Path) -> tuple[Any, Any, Any]:
    diagram = pm4py_module("objects.bpmn.importer.importer").apply(str(file))
    net, initial, final = pm4py_module("convert").convert_to_petri_net(diagram)
    return net, initial, final


@dataclass(frozen=True)
class Step:
    """A step of a reference model.

    Parameters
    ----------
    activities : tuple of str
        Alternatives: one of them is done.
    optional : bool
        The step may be left out.
    repeats : bool
        The step may be done again, at once.
    """

    activities: tuple[str, ...]
    optional: bool = False
    repeats: bool = False


def reference_model(steps: Sequence[Step], *, name: str = "") -> ProcessModel:
    """Return the model in which these steps follow each other in this order.

    Parameters
    ----------
    steps : sequence of Step
        At least one, each with at least one activity.
    name : str
        Title.

    Raises
    ------
    ModelError
        There is no step, or one without an activity.
    """
    if not steps or not all(step.activities for step in steps):
        raise ModelError("a reference model needs steps, and each step at least one activity; add them")
    return ProcessModel(_block("SEQUENCE", [_step(step) for step in steps]), name)


def _step(step: Step) -> Any:
    done = _block("XOR", [_leaf(activity) for activity in step.activities])
    again = _block("LOOP", [done, _leaf(None)]) if step.repeats else done
    return _block("XOR", [again, _leaf(None)]) if step.optional else again


def _leaf(label: str | None) -> Any:
    return pm4py_module("objects.process_tree.obj").ProcessTree(label=label)


def _block(operator: str, children: Iterable[Any]) -> Any:
    """Return a block of a process tree; one child alone is the block itself."""
    parts = list(children)
    if len(parts) == 1:
        return parts[0]
    tree = pm4py_module("objects.process_tree.obj")
    block = tree.ProcessTree(operator=getattr(tree.Operator, operator), children=parts)
    for part in parts:
        part.parent = block
    return block


def milestone_model(pathway: Pathway) -> ProcessModel:
    """Return the model in which a definition's milestones follow each other, each optional, in the order written.

    The milestones' phases at most once, as `pathways.mining.maps.milestone_log` writes them where nothing comes
    back. It measures how far pathways are from the written order; it recommends none: what should be done, and
    within which days, is said by the definition's rules.

    Raises
    ------
    ModelError
        The definition names no milestone.
    """
    if not pathway.milestones:
        raise ModelError(f"{pathway.id} names no milestones; write milestones = [...] in the definition")
    steps = [Step((phase,), optional=True) for phase in pathway.milestones]
    return reference_model(steps, name=pathway.id)
