"""A small extract made by hand: one person, and a row in each table of the PMSI that K1 reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice

CODES = (
    ("CCAM", "QEHJ001", None, "breast_biopsy"),
    ("GHM", "28Z07Z", None, "chemotherapy_session"),
    ("DP", "Z511", None, "chemotherapy_session"),
    ("CIM10", "Z515", None, "palliative_care"),
    ("UCD", "9261110", None, "targeted_therapy"),
    ("NGAP", "CS", 73, "oncology_consultation"),
    ("NGAP", "C", None, "gp_consultation"),
    ("NABM", "7321", None, "tumour_marker"),
    ("LPP", "3100000", None, "device"),
    ("PEC", "04", None, "palliative_care"),
    ("PEC", "05", None, "chemotherapy_session"),
)
"""Codes of every system that hospitals write: system, code, specialty, activity."""

CHAINED = {"NIR_ANO_17": "A", "ENT_DAT": "04032021", "SOR_DAT": "20032021", "NIR_RET": "0"}

STAY = {"ETA_NUM": "750000001", "RSA_NUM": "1"}
VISIT = {"ETA_NUM": "750000001", "SEQ_NUM": "1"}
REHABILITATION = {"ETA_NUM": "750000001", "RHA_NUM": "1"}
HOME = {"ETA_NUM_EPMSI": "750000001", "RHAD_NUM": "1"}
PART = {**HOME, "SEQ_NUM": "1", "SSEQ_NUM": "1"}
PSYCHIATRY = {"ETA_NUM_EPMSI": "750000001", "RIP_NUM": "1"}

TABLES: dict[str, dict[str, str]] = {
    "IR_BEN_R": {"BEN_NIR_PSA": "A", "BEN_RNG_GEM": "1", "BEN_IDT_ANO": "anna"},
    "ER_PRS_F": {
        "BEN_NIR_PSA": "A", "BEN_RNG_GEM": "1", "EXE_SOI_DTD": "2021-01-01", "PRS_NAT_REF": "1111", "PRS_ACT_QTE": "1",
        "DCT_ORD_NUM": "1", "FLX_DIS_DTD": "2021-02-01", "FLX_EMT_NUM": "1", "FLX_EMT_ORD": "1", "FLX_EMT_TYP": "1",
        "FLX_TRT_DTD": "2021-02-01", "ORG_CLE_NUM": "01C", "PRS_ORD_NUM": "1", "REM_TYP_AFF": "1",
    },
    "T_MCO21B": {**STAY, "DGN_PAL": "C509", "DGN_REL": "Z515", "GRG_GHM": "09C041", "SOR_MOD": "9", "SOR_ANN": "2021"},
    "T_MCO21C": {**STAY, **CHAINED},
    "T_MCO21A": {**STAY, "CDC_ACT": "QEHJ001", "ACV_ACT": "1", "ENT_DAT_DEL": "1"},
    "T_MCO21D": {**STAY, "ASS_DGN": "C509"},
    "T_MCO21UM": {**STAY, "DGN_PAL": "C509", "DGN_REL": ""},
    "T_MCO21FM": {**STAY, "CCAM_COD": "QEHJ001-01", "ACV_ACT": "1", "DEL_DAT_ENT": "1"},
    "T_MCO21MED": {**STAY, "UCD_UCD_COD": "0000009261110", "DELAI": "2", "ADM_NBR": "3,5", "NBR_SEJ": "2"},
    "T_MCO21MEDATU": {**STAY, "UCD_UCD_COD": "3400892611107", "DAT_DELAI": "2", "ADM_NBR": "1"},
    "T_MCO21FH": {**STAY, "UCD_UCD_COD": "", "COD_UCD": "9261110", "DEL_DAT_ENT": "2", "QUA_COD": "1"},
    "T_MCO21CSTC": {**VISIT, "NIR_ANO_17": "A", "EXE_SOI_DTD": "2021-03-04", "NIR_RET": "0", "IAS_RET": "0"},
    "T_MCO21FASTC": {**VISIT, "SOR_ANN": "2021", "SOR_MOI": "3"},
    "T_MCO21FBSTC": {**VISIT, "ACT_COD": "C", "EXE_SPE": "01", "DEL_DAT_ENT": "0"},
    "T_MCO21FCSTC": {**VISIT, "ACT_COD": "CS", "EXE_SPE": "73", "DEL_DAT_ENT": "0"},
    "T_MCO21FMSTC": {**VISIT, "CCAM_COD": "QEHJ001", "ACV_ACT": "1", "DEL_DAT_ENT": "0"},
    "T_MCO21FHSTC": {**VISIT, "UCD_UCD_COD": "0000009261110", "QUA": "1", "DEL_DAT_ENT": "0"},
    "T_MCO21FLSTC": {**VISIT, "NABM_COD": "00007321", "ACT_NBR": "1", "DEL_DAT_ENT": "0"},
    "T_MCO21FPSTC": {**VISIT, "LPP_COD": "0000003100000", "LPP_QUA": "1", "DEL_DAT_ENT": "0"},
    "T_SSR21B": {
        **REHABILITATION, "RHS_NUM": "2", "MOR_PRP": "C509", "ETL_AFF": "Z515", "SOR_MOD": "9", "MOI_ANN": "032021",
        "RHS_ANT_SEJ_ENT": "4",
    },
    "T_SSR21C": {**REHABILITATION, **CHAINED},
    "T_SSR21D": {**REHABILITATION, "DGN_COD": "C501"},
    "T_SSR21CCAM": {**REHABILITATION, "RHS_NUM": "2", "CCAM_ACT": "QEHJ001", "CCAM_COD_ACT": "1"},
    "T_HAD21B": {**PART, "PEC_PAL": "4", "DGN_PAL": "C509", "SOR_MOD": "9", "SEQ_SEJ_NBJ": "3", "SSEQ_SEQ_NBJ": "2"},
    "T_HAD21C": {**HOME, **CHAINED},
    "T_HAD21D": {**PART, "DGN_ASS": "Z515"},
    "T_HAD21A": {**PART, "CCAM_COD": "QEHJ001", "ACT_COD": "1", "DEL_DEB_SSEQ": "1"},
    "T_RIP21RSA": {**PSYCHIATRY, "SEQ_SEQ_NUM": "1", "DGN_PAL": "F329", "SOR_MOD": "9", "SEQ_FIN_ANN": "2021"},
    "T_RIP21C": {**PSYCHIATRY, **CHAINED},
    "T_RIP21RSAD": {**PSYCHIATRY, "ASS_DGN": "C509"},
    "T_RIP21R3A": {"ETA_NUM_EPMSI": "750000001"},
}  # fmt: skip
"""One row of each table, by name."""

ROWS: dict[str, set[tuple[str, str, str | None]]] = {
    "PMSI MCO": {
        ("act", "T_MCOaaA", "2021-03-05"),
        ("act", "T_MCOaaFM", "2021-03-05"),
        ("stay", "T_MCOaaB", "2021-03-04"),
        ("diagnosis", "T_MCOaaB", "2021-03-04"),
        ("diagnosis", "T_MCOaaD", "2021-03-04"),
        ("diagnosis", "T_MCOaaUM", "2021-03-04"),
        ("bare_stay", "T_MCOaaB", "2021-03-04"),
        ("bare_stay", "T_MCOaaUM", "2021-03-04"),
        ("death", "T_MCOaaB", "2021-03-20"),
        ("presence", "T_MCOaaC", "2021-03-04"),
    },
    "PMSI MCO, drugs": {
        ("act", "T_MCOaaMED", "2021-03-06"),
        ("act", "T_MCOaaMEDATU", "2021-03-06"),
        ("act", "T_MCOaaFH", "2021-03-06"),
    },
    "PMSI MCO, external care": {
        *(("visit", f"T_MCOaaF{letter}STC", "2021-03-04") for letter in "BCMHLP"),
        ("presence", "T_MCOaaCSTC", "2021-03-04"),
    },
    "PMSI SSR": {
        ("act", "T_SSRaaCCAM", "2021-03-08"),
        ("stay", "T_SSRaaB", "2021-03-01"),
        ("diagnosis", "T_SSRaaB", "2021-03-01"),
        ("diagnosis", "T_SSRaaD", "2021-03-01"),
        ("bare_stay", "T_SSRaaB", "2021-03-01"),
        ("death", "T_SSRaaB", "2021-03-20"),
        ("presence", "T_SSRaaC", "2021-03-04"),
    },
    "PMSI HAD": {
        ("act", "T_HADaaA", "2021-03-10"),
        ("stay", "T_HADaaB", "2021-03-07"),
        ("stay", "T_HADaaD", "2021-03-07"),
        ("diagnosis", "T_HADaaB", "2021-03-07"),
        ("bare_stay", "T_HADaaB", "2021-03-04"),
        ("death", "T_HADaaB", "2021-03-20"),
        ("presence", "T_HADaaC", "2021-03-04"),
    },
    "PMSI RIM-P": {
        ("diagnosis", "T_RIPaaRSAD", "2021-03-04"),
        ("bare_stay", "T_RIPaaRSAD", "2021-03-04"),
        ("death", "T_RIPaaRSA", "2021-03-20"),
        ("presence", "T_RIPaaC", "2021-03-04"),
    },
    "PMSI RIM-P, ambulatory": set(),
}
"""What K1 tells of them, by source: kind, table, day (entry, on a Thursday, and the delay)."""


def rules(bare: ActivityRules) -> ActivityRules:
    """Return rules that name every code of the extract, and read drugs in the PMSI first."""
    codes = pl.DataFrame(CODES, schema=["code_system", "code", "specialty", "activity"], orient="row")
    practice = Practice(private_drugs="pmsi", retrocession="pmsi")
    return replace(bare, codes=codes.with_columns(pl.col("specialty").cast(pl.Int32)), practice=practice)


def write(folder: Path) -> Path:
    """Write the extract."""
    folder.mkdir()
    for name, row in TABLES.items():
        pl.DataFrame([row]).write_csv(folder / f"{name}.csv", separator=";")
    return folder
