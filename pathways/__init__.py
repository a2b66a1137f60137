"""Event logs → maps, conformance, breakdowns, risk.

The functions behind the command: `build`, `check`, `mine`, `contrast`, `export`, `train`, `score`. `Study` opens what
they leave, `load` reads a pathway definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathways.definition import load as load
    from pathways.exports import export as export
    from pathways.steps import build as build
    from pathways.steps import check as check
    from pathways.steps import contrast as contrast
    from pathways.steps import mine as mine
    from pathways.steps import score as score
    from pathways.steps import train as train
    from pathways.study import Study as Study

__all__ = ["Study", "build", "check", "contrast", "export", "load", "mine", "score", "train"]

_HOMES = {"Study": "pathways.study", "export": "pathways.exports", "load": "pathways.definition"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: scikit-learn and scipy take a while."""
    if name not in __all__:
        raise AttributeError(f"module 'pathways' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "pathways.steps")), name)
