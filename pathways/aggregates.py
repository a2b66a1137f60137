"""Anonymous tables made on the CNAM portal, as released tables: the door for results of ``extract-sql --aggregate``.

The gate of `pathways.disclosure` decides what to hide from exact counts; here these never leave the portal, so the SQL
itself follows a stricter rule, which is checked again on the way in: every count is of at least 11 patients and
rounded to a multiple of 11, so that an exact number stays unknown by 11 values and the difference of two by more; no
pooled rest, no exact total, no histogram; a median is of at least 22 patients, 11 on each side.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from eventlogs.errors import DefinitionError, DisclosureRefused, ExtractError, did_you_mean
from eventlogs.snds.oracle.aggregation import RESULTS, THRESHOLD
from eventlogs.snds.oracle.events import LETTERS, READ
from pathways.definition import Pathway
from pathways.disclosure import (
    EDGE_COLUMNS,
    NODE_COLUMNS,
    SUMMARY_COLUMNS,
    VARIANT_COLUMNS,
    Origin,
    Released,
)
from pathways.mining.kernels import ELSEWHERE, END, START

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "SUMMARY": {
        "PATHWAY_ID": pl.String,
        "SHA256": pl.String,
        "FIRST_YEAR": pl.Int64,
        "LAST_YEAR": pl.Int64,
        "THRESHOLD": pl.Int64,
        "N_PATIENTS": pl.Int64,
        "N_EVENTS": pl.Int64,
    },
    "NODES": {"MAP_LEVEL": pl.String, "NODE": pl.String, "N_PATIENTS": pl.Int64, "MEDIAN_DAY": pl.Int64},
    "EDGES": {
        "MAP_LEVEL": pl.String,
        "STEP_FROM": pl.String,
        "STEP_TO": pl.String,
        "N_EVENTS": pl.Int64,
        "N_PATIENTS": pl.Int64,
        "MEDIAN_DAYS": pl.Int64,
    },
    "VARIANTS": {"SEQUENCE_LETTERS": pl.String, "N_PATIENTS": pl.Int64, "MEDIAN_DAYS": pl.Int64},
}
"""Columns of each file that the script leaves to export."""

COUNTS: Mapping[str, tuple[str, ...]] = {
    "SUMMARY": ("N_PATIENTS",),
    "NODES": ("N_PATIENTS",),
    "EDGES": ("N_PATIENTS", "N_EVENTS"),
    "VARIANTS": ("N_PATIENTS",),
}
"""Columns that must be multiples of the threshold."""

TERMINALS = {"(start)": START, "(end)": END}

LIMITS = (
    "no list, no training, no drill-down: there is no patient in this study",
    "no breakdowns, territories, 90th percentiles, shares of ties, histograms of delays: not counted in SQL",
    f"counts are multiples of {THRESHOLD}, at least {THRESHOLD}; rarer steps and sequences are absent and not pooled",
    f"events come from {', '.join(READ)} only",
)
"""What can't be shown from aggregates, for the manifest."""


def read_aggregates(
    folder: Path, pathway: Pathway, origin: Origin, *, synthetic: bool = False
) -> list[Released]:
    """Return the released tables of a folder of exports: ``summary``, ``nodes``, ``edges``, ``variants``.

    Parameters
    ----------
    folder : pathlib.Path
        ``SUMMARY.csv``, ``NODES.csv``, ``EDGES.csv``, ``VARIANTS.csv``, as the script names them.
    pathway : Pathway
        The definition that the script was written from: its fingerprint is compared.
    origin : Origin
        Study, for the tables' meta.
    synthetic : bool
        Whether the data were synthetic.

    Raises
    ------
    ExtractError
        A file or column is missing, can't be read, or there is nothing above the threshold.
    DefinitionError
        The exports are of another definition.
    DisclosureRefused
        A count is below the threshold or not rounded: it does not come from the script.
    """
    tables = {name: _read(folder, name) for name in RESULTS}
    for name, columns in COUNTS.items():
        _check_counts(name, tables[name], columns)
    summary = _check_summary(folder, tables["SUMMARY"], pathway)
    said = {"source": folder.name, "synthetic": synthetic}
    frames = {
        "summary": _summary(summary, tables["NODES"], pathway, said),
        "nodes": _nodes(tables["NODES"], pathway),
        "edges": _edges(tables["EDGES"], pathway),
        "variants": _variants(tables["VARIANTS"], summary["N_PATIENTS"], pathway),
    }
    return [_released(name, frame, summary["N_PATIENTS"], origin) for name, frame in frames.items()]


def settings_of(folder: Path) -> Mapping[str, Any]:
    """Return what ``extract.toml`` says of the exports (``synthetic``), if it is there.

    Raises
    ------
    ExtractError
        It is no TOML.
    """
    path = folder / "extract.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ExtractError(f"{path} is not valid TOML: {error}; mend that line") from error


def _read(folder: Path, name: str) -> pl.DataFrame:
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise ExtractError(
            f"{folder} has no {path.name}; export the tables that end the script, {', '.join(RESULTS)}"
        )
    try:
        raw = pl.read_csv(path, separator=_separator(path), infer_schema=False)
        named = raw.rename(str.upper)
        return named.select(_typed(column, dtype) for column, dtype in COLUMNS[name].items())
    except pl.exceptions.ColumnNotFoundError as error:
        wanted = ", ".join(COLUMNS[name])
        raise ExtractError(f"{path} lacks a column of {wanted}; export the table OUT_{name} whole") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ExtractError(
            f"{path} can't be read as CSV; export OUT_{name} again, with a header and ;"
        ) from error


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        header = file.readline()
    return max(";,\t", key=lambda mark: header.count(mark.encode()))


def _typed(column: str, dtype: Any) -> pl.Expr:
    """Read a number written with decimals too (``11.0``, ``11,0``); a missing one is empty, ``.`` or ``NA``."""
    text = pl.col(column).str.strip_chars()
    if dtype == pl.String:
        return text
    there = text.str.replace(",", ".", literal=True).replace(["", ".", "NA"], [None, None, None])
    return there.cast(pl.Float64).cast(pl.Int64)


def _check_counts(name: str, table: pl.DataFrame, columns: Sequence[str]) -> None:
    safe = pl.all_horizontal((pl.col(*columns) >= THRESHOLD) & (pl.col(*columns) % THRESHOLD == 0))
    if wrong := table.filter(~safe.fill_null(False)).height:
        raise DisclosureRefused(
            f"{name}.csv has {wrong} rows with a count that is below {THRESHOLD} or no multiple of it: they don't come "
            "from the script; export its tables OUT_… and no other"
        )


def _check_summary(folder: Path, table: pl.DataFrame, pathway: Pathway) -> Mapping[str, Any]:
    if table.height != 1:
        raise ExtractError(
            f"SUMMARY.csv of {folder} has {table.height} rows instead of one; fewer than {THRESHOLD} patients entered, "
            "or it is not the table of the script"
        )
    summary = table.row(0, named=True)
    if summary["SHA256"] != pathway.sha256:
        raise DefinitionError(
            f"{folder} was counted with another definition ({summary['PATHWAY_ID']}, sha256 "
            f"{str(summary['SHA256'])[:12]}…) than {pathway.id} ({pathway.sha256[:12]}…); "
            "give the one that wrote the SQL"
        )
    return summary


def _phases(table: pl.DataFrame, column: str, pathway: Pathway) -> pl.Series:
    """Return the phase of each node, refusing one that the definition does not have."""
    known = {**pathway.phase_of(), **{phase: phase for phase in pathway.phases}}
    names = table[column].to_list()
    for name in names:
        if name not in known:
            raise DefinitionError(
                f"'{name}' is no activity or phase of {pathway.id}{did_you_mean(name, known)}"
            )
    return pl.Series(column, [known[name] for name in names], dtype=pl.String)


def _nodes(table: pl.DataFrame, pathway: Pathway) -> pl.DataFrame:
    phases = _phases(table, "NODE", pathway)
    places = {phase: place for place, phase in enumerate(pathway.phases)}
    names = table["NODE"].to_list()
    made = table.select(
        level="MAP_LEVEL",
        activity="NODE",
        phase=phases,
        label_fr=pl.Series([pathway.name(name, "fr") for name in names], dtype=pl.String),
        label_en=pl.Series([pathway.name(name, "en") for name in names], dtype=pl.String),
        n_patients="N_PATIENTS",
        median_day="MEDIAN_DAY",
        order=phases.replace_strict(places, return_dtype=pl.Int64),
    )
    return _conform(made, NODE_COLUMNS).sort(
        "level", "n_patients", "activity", descending=[False, True, False]
    )


def _edges(table: pl.DataFrame, pathway: Pathway) -> pl.DataFrame:
    for column in ("STEP_FROM", "STEP_TO"):
        _phases(table.filter(~pl.col(column).is_in(list(TERMINALS))), column, pathway)
    named = table.select(
        level="MAP_LEVEL",
        source=pl.col("STEP_FROM").replace(TERMINALS),
        target=pl.col("STEP_TO").replace(TERMINALS),
        n_events="N_EVENTS",
        n_patients="N_PATIENTS",
        median_days="MEDIAN_DAYS",
    )
    rest = named.select("level", source=pl.lit(ELSEWHERE), target=pl.lit(ELSEWHERE)).unique()
    whole = pl.concat([named, rest], how="diagonal")
    empty = {name: pl.lit(None) for name in EDGE_COLUMNS if name not in whole.columns}
    order = ["level", "n_events", "source", "target"]
    descending = [False, True, False, False]
    return _conform(whole.with_columns(**empty), EDGE_COLUMNS).sort(
        order, descending=descending, nulls_last=True
    )


def _variants(table: pl.DataFrame, n_patients: int, pathway: Pathway) -> pl.DataFrame:
    spelt = dict(zip(LETTERS, pathway.milestones, strict=False))
    ranked = table.sort("N_PATIENTS", "SEQUENCE_LETTERS", descending=[True, False])
    sequences = [[spelt[letter] for letter in word] for word in ranked["SEQUENCE_LETTERS"].to_list()]
    made = ranked.select(
        level=pl.lit("milestone"),
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        variant=pl.Series(sequences, dtype=pl.List(pl.String)),
        n_patients="N_PATIENTS",
        share=(pl.col("N_PATIENTS") / n_patients).round(2),
        median_days="MEDIAN_DAYS",
    )
    return _conform(made, VARIANT_COLUMNS)


def _summary(
    summary: Mapping[str, Any], nodes: pl.DataFrame, pathway: Pathway, said: Mapping[str, object]
) -> pl.DataFrame:
    """Return the one row of ``summary``; its period is that of the script, not of any patient."""
    row = {
        "n_patients": summary["N_PATIENTS"],
        "n_events": summary["N_EVENTS"],
        "n_activities": nodes.filter(MAP_LEVEL="activity").height,
        "first_day": date(summary["FIRST_YEAR"], 1, 1),
        "last_day": date(summary["LAST_YEAR"], 12, 31),
        "cutoff": date(summary["LAST_YEAR"], 12, 31),
        "pathway_id": pathway.id,
        "pathway_version": pathway.version,
        "pathway_label_fr": pathway.label["fr"],
        "pathway_label_en": pathway.label["en"],
        **said,
    }
    return pl.DataFrame([row]).select(pl.col(name).cast(dtype) for name, dtype in SUMMARY_COLUMNS.items())


NUMERATORS = {
    "summary": "patients with at least one event, and their events",
    "nodes": "patients with at least one such event",
    "edges": "steps from one event to the next, and the patients who make them",
    "variants": "patients with this whole sequence of milestones, repeats written once",
}


def _released(name: str, frame: pl.DataFrame, n_patients: int, origin: Origin) -> Released:
    """Say of a table what the gate says of its own; how much the SQL left out is not known here."""
    meta: dict[str, object] = {
        "numerator": NUMERATORS[name],
        "denominator": n_patients,
        "threshold": THRESHOLD,
        "filters": list(origin.filters),
        "filter_hash": origin.filter_hash,
        "study": origin.study,
        "suppressed": None,
        "rounded": f"counts to multiples of {THRESHOLD}, durations to whole days; the total of events to hundreds",
    }
    return Released(name, frame, meta)


def _conform(frame: pl.DataFrame, columns: Mapping[str, Any]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())
