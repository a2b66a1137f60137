"""What the app holds: released tables of one study, read once at the start, and nothing else of the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from eventlogs.errors import StudyError
from pathways.drawing import lay_out

if TYPE_CHECKING:
    from pathways.disclosure import Released

REQUIRED = ("summary", "nodes", "edges")

TEXT, COUNT, SHARE, FLAG = pl.String, pl.Int64, pl.Float64, pl.Boolean
OPTIONAL: dict[str, dict[str, Any]] = {
    "edge_delays": {
        "level": TEXT,
        "source": TEXT,
        "target": TEXT,
        "day_from": COUNT,
        "day_to": COUNT,
        "n_events": COUNT,
    },
    "replay": {
        "level": TEXT,
        **dict.fromkeys(("activities", "paths", "n_steps", "n_paths"), COUNT),
        **dict.fromkeys(("told_share", "replayed_share", "grain"), SHARE),
    },
    "incidence": {
        **dict.fromkeys(("level", "origin", "target", "cause"), TEXT),
        **dict.fromkeys(("day", "n_at_risk"), COUNT),
        **dict.fromkeys(("incidence", "low", "high"), SHARE),
    },
    "variants": {
        "level": TEXT,
        "rank": COUNT,
        "variant": pl.List(TEXT),
        "n_patients": COUNT,
        "share": SHARE,
        "median_days": SHARE,
    },
    "breakdowns": {
        **dict.fromkeys(("breakdown", "label_fr", "label_en", "kind"), TEXT),
        **dict.fromkeys(("n_patients", "kept", "broken", "excused", "undecidable"), COUNT),
        **dict.fromkeys(("within_days", "grace_days"), COUNT),
        **dict.fromkeys(("evidence", "source"), TEXT),
    },
    "territories": {
        **dict.fromkeys(("breakdown", "territory"), TEXT),
        **dict.fromkeys(("n_evaluable", "n_broken"), COUNT),
        **dict.fromkeys(("rate", "expected", "ratio", "ratio_low", "ratio_high"), SHARE),
        **dict.fromkeys(("shrunk_ratio", "funnel_low", "funnel_high"), SHARE),
        **dict.fromkeys(("hotspot", "suppressed"), FLAG),
    },
}


class OpenStudy(Protocol):
    """The part of ``pathways.study.Study`` that the app uses."""

    @property
    def path(self) -> Path: ...
    @property
    def manifest(self) -> Mapping[str, Any]: ...
    def released(self, name: str) -> Released: ...
    def released_names(self) -> list[str]: ...
    def risk_lists(self) -> list[Path]: ...


@dataclass(frozen=True)
class Results:
    """The released tables of one study, with what the header says.

    Attributes
    ----------
    summary : dict
        The one row of the ``summary`` table.
    nodes, edges, layout, edge_delays, replay, incidence, variants, breakdowns, territories : polars.DataFrame
        As released; a table that the study does not have is empty, with its columns.
    threshold : int
        Counts of patients below this never left.
    role : {'snds', 'network', 'log'}
    study : str
        Fingerprint of the study.
    filters : tuple of str
        The filters of the map, in words.
    """

    summary: Mapping[str, Any]
    nodes: pl.DataFrame
    edges: pl.DataFrame
    layout: pl.DataFrame
    edge_delays: pl.DataFrame
    replay: pl.DataFrame
    incidence: pl.DataFrame
    variants: pl.DataFrame
    breakdowns: pl.DataFrame
    territories: pl.DataFrame
    threshold: int
    role: str
    study: str
    filters: tuple[str, ...] = ()

    @property
    def phases(self) -> list[str]:
        """Every phase of the study, so that each keeps its colour whatever is drawn."""
        return sorted(self.nodes["phase"].unique().to_list())


def read_results(study: OpenStudy) -> Results:
    """Read the released tables of a study, and only those.

    Raises
    ------
    StudyError
        The study has not been mined: a table without which nothing can be shown is absent.
    """
    names = study.released_names()
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise StudyError(
            f"{study.path} has no released table {', '.join(absent)}; "
            f"run 'pathways mine {study.path}' and try again"
        )
    tables = {name: study.released(name) for name in (*REQUIRED, *OPTIONAL) if name in names}
    frames = {name: released.frame for name, released in tables.items()}
    others = {name: frames.get(name, pl.DataFrame(schema=schema)) for name, schema in OPTIONAL.items()}
    nodes, edges = frames["nodes"], frames["edges"]
    filters = tables["edges"].meta.get("filters")
    return Results(
        summary=frames["summary"].row(0, named=True),
        nodes=nodes,
        edges=edges,
        layout=study.released("layout").frame if "layout" in names else lay_out(nodes, edges),
        **others,
        threshold=int(str(tables["edges"].meta["threshold"])),
        role=str(study.manifest["role"]),
        study=str(study.manifest["study"]),
        filters=tuple(str(words) for words in filters) if isinstance(filters, list) else (),
    )
