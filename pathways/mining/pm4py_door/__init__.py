"""The only door to pm4py: its names, its models, its files, its conformance checks.

Models are discovered, and checked, from distinct variants and their weights or from edges that our kernels counted,
never from events; ``door`` holds the import.
"""

from __future__ import annotations

from pathways.mining.pm4py_door.alignments import (
    ALIGNMENT_COLUMNS,
    DEVIATION_COLUMNS,
    Alignments,
    align,
    shortest_run,
)
from pathways.mining.pm4py_door.door import NAMES, to_pm4py
from pathways.mining.pm4py_door.miners import discover, discover_heuristics, discover_released
from pathways.mining.pm4py_door.models import DEPENDENCY_COLUMNS, HeuristicsModel, ProcessModel
from pathways.mining.pm4py_door.reading import Step, load_model, milestone_model, reference_model
from pathways.mining.pm4py_door.replay import REPLAY_COLUMNS, Precision, Replay, precision, replay

__all__ = [
    "ALIGNMENT_COLUMNS",
    "DEPENDENCY_COLUMNS",
    "DEVIATION_COLUMNS",
    "NAMES",
    "REPLAY_COLUMNS",
    "Alignments",
    "HeuristicsModel",
    "Precision",
    "ProcessModel",
    "Replay",
    "Step",
    "align",
    "discover",
    "discover_heuristics",
    "discover_released",
    "load_model",
    "milestone_model",
    "precision",
    "reference_model",
    "replay",
    "shortest_run",
    "to_pm4py",
]
