"""The rules of the SNDS readers, each as a small extract in and the events out.

The page ``docs/reference/snds-rules.md`` is rendered from here, so that an epidemiologist can contest each rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

KEY = {
    "FLX_DIS_DTD": "2021-06-01", "FLX_EMT_NUM": "1", "FLX_EMT_ORD": "1", "FLX_EMT_TYP": "1",
    "FLX_TRT_DTD": "2021-05-20", "ORG_CLE_NUM": "01C", "PRS_ORD_NUM": "1", "REM_TYP_AFF": "1",
}  # fmt: skip

SHORT = {
    "LINE": "DCT_ORD_NUM", "STAY": "RSA_NUM", "VISIT": "SEQ_NUM", "REHAB": "RHA_NUM", "HOME": "RHAD_NUM", "PSY": "RIP_NUM",
}  # fmt: skip
"""``LINE`` joins the tables of DCIR (it stands for the nine keys), the others those of the PMSI, by field: ``STAY`` (MCO),
``VISIT`` (external care), ``REHAB`` (SSR), ``HOME`` (HAD), ``PSY`` (RIM-P)."""

BYSTANDER = {
    "ER_PRS_F": {"BEN_NIR_PSA": "nobody", "DCT_ORD_NUM": "9999", "EXE_SOI_DTD": "2021-01-01"},
    "T_MCO21B": {"RSA_NUM": "9999"},
    "T_MCO21C": {"RSA_NUM": "9999", "NIR_ANO_17": "nobody"},
}
"""A row of someone unknown, so that a table that a spec does not need is there."""


@dataclass(frozen=True)
class Rule:
    """One rule: its name, its words, its source, tables in, events out (``patient | activity | day …``).

    ``traps`` are the ids of the traps that it tests; ``practice`` sets switches (a rule may be there once a position);
    ``cohort`` sets cohort rules (`eventlogs.activities.CohortRules`);
    ``counts`` are counts that the build must report (``trap.<id>`` among them); ``pathway`` is the definition;
    ``shows`` names the table that ``events`` is compared with.
    """

    id: str
    words: str
    source: str
    tables: dict[str, str]
    events: str
    columns: tuple[str, ...] = field(default=("patient_id", "activity", "start"))
    traps: tuple[str, ...] = ()
    practice: Mapping[str, Any] = field(default_factory=dict)
    cohort: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    pathway: str = "breast_cancer"
    shows: Literal["events", "regimens"] = "events"


def parse(text: str) -> pl.DataFrame:
    """Read a text table: a header line and rows, cells between ``|``."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return pl.DataFrame(lines[1:], schema=[SHORT.get(name, name) for name in lines[0]], orient="row")


def write(rule: Rule, folder: Path, defaults_of: Mapping[str, Mapping[str, str]]) -> Path:
    """Write a rule's tables as an SNDS extract (CSV)."""
    given = {name: parse(text) for name, text in rule.tables.items()}
    persons = {
        p
        for frame in given.values()
        for c in ("BEN_NIR_PSA", "NIR_ANO_17")
        if c in frame.columns
        for p in frame[c]
    }
    for name in ("IR_BEN_R", "IR_IMB_R"):
        given.setdefault(name, pl.DataFrame({"BEN_NIR_PSA": sorted(persons - {""})}))
    for name in (*([] if "NS_PRS_F" in given else ["ER_PRS_F"]), "T_MCO21B", "T_MCO21C"):
        given.setdefault(name, pl.DataFrame([BYSTANDER[name]]))
    if "BEN_IDT_ANO" not in given["IR_BEN_R"].columns:
        given["IR_BEN_R"] = given["IR_BEN_R"].with_columns(BEN_IDT_ANO=pl.col("BEN_NIR_PSA") + "-1")
    for name, frame in given.items():
        defaults = {c: pl.lit(v).alias(c) for c, v in defaults_of[name].items() if c not in frame.columns}
        frame.with_columns(*defaults.values()).write_csv(folder / f"{name}.csv", separator=";")
    (folder / "extract.toml").write_text("extraction = 'spec'\n[cutoff]\nall = 2022-12-31\n")
    return folder
