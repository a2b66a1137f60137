"""The rules of the SNDS readers, each as a small extract in and the events out.

The page ``docs/reference/snds-rules.md`` is rendered from here, so that an epidemiologist can contest each rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

KEY = {
    "FLX_DIS_DTD": "2021-06-01", "FLX_EMT_NUM": "1", "FLX_EMT_ORD": "1", "FLX_EMT_TYP": "1",
    "FLX_TRT_DTD": "2021-05-20", "ORG_CLE_NUM": "01C", "PRS_ORD_NUM": "1", "REM_TYP_AFF": "1",
}  # fmt: skip

DEFAULTS: dict[str, dict[str, str]] = {
    "IR_BEN_R": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": "", "BEN_SEX_COD": "2", "BEN_NAI_ANN": "1960",
                 "BEN_RES_DPT": "075", "BEN_RES_COM": "101", "BEN_DCD_DTE": "1600-01-01", "MAX_TRT_DTD": ""},
    "IR_BEN_R_ARC": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": ""},
    "IR_IMB_R": {"BEN_RNG_GEM": "1", "IMB_ALD_DTD": "2021-01-01", "IMB_ETM_NAT": "41", "MED_MTF_COD": "C50",
                 "MED_NCL_IDT": "CIM10", "INS_DTE": "2021-02-01"},
    "ER_PRS_F": {**KEY, "BEN_RNG_GEM": "1", "PRS_NAT_REF": "1352", "PRS_ACT_QTE": "1", "PSE_SPE_COD": "6", "DPN_QLF": "0",
                 "PRS_DPN_QLP": "", "CPL_MAJ_TOP": "0", "CPL_AFF_COD": "0", "BSE_PRS_NAT": "1"},
    "ER_CAM_F": {**KEY, "CAM_ACT_COD": "1"},
    "ER_PHA_F": {**KEY, "PHA_ACT_QSN": "1"},
    "ER_UCD_F": {**KEY, "UCD_DLV_NBR": "1"},
    "ER_ETE_F": {**KEY, "ETE_IND_TAA": "0"},
    "T_MCO21B": {"ETA_NUM": "750000001", "DGN_PAL": "", "DGN_REL": "", "GRG_GHM": "09C041", "SEJ_TYP": "", "SOR_MOD": "8",
                 "NBR_SEA": "", "SOR_ANN": "2021", "SOR_MOI": "5"},
    "T_MCO21C": {"ETA_NUM": "750000001", "ENT_DAT": "", "SOR_DAT": "", "NIR_RET": "0", "NAI_RET": "0", "SEX_RET": "0",
                 "SEJ_RET": "0", "FHO_RET": "0", "PMS_RET": "0", "DAT_RET": "0", "COH_NAI_RET": "0", "COH_SEX_RET": "0"},
    "T_MCO21A": {"ETA_NUM": "750000001", "ACV_ACT": "1", "ENT_DAT_DEL": "0", "NBR_EXE_ACT": "1"},
    "T_MCO21D": {"ETA_NUM": "750000001"},
    "T_MCO21UM": {"ETA_NUM": "750000001", "DGN_PAL": "", "DGN_REL": ""},
}  # fmt: skip
"""What a column holds when a spec does not write it."""

SHORT = {"LINE": "DCT_ORD_NUM", "STAY": "RSA_NUM"}
"""``LINE`` joins the tables of DCIR (it stands for the nine keys), ``STAY`` those of the PMSI."""

BYSTANDER = {
    "ER_PRS_F": {"BEN_NIR_PSA": "nobody", "DCT_ORD_NUM": "9999", "EXE_SOI_DTD": "2021-01-01"},
    "T_MCO21B": {"RSA_NUM": "9999"},
    "T_MCO21C": {"RSA_NUM": "9999", "NIR_ANO_17": "nobody"},
}
"""A row of someone unknown, so that a table that a spec does not need is there."""


@dataclass(frozen=True)
class Rule:
    """One rule: its name, its words, its source, tables in, events out (``patient | activity | day …``)."""

    id: str
    words: str
    source: str
    tables: dict[str, str]
    events: str
    columns: tuple[str, ...] = field(default=("patient_id", "activity", "start"))


def parse(text: str) -> pl.DataFrame:
    """Read a text table: a header line and rows, cells between ``|``."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return pl.DataFrame(lines[1:], schema=[SHORT.get(name, name) for name in lines[0]], orient="row")


def write(rule: Rule, folder: Path) -> Path:
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
    for name in ("ER_PRS_F", "T_MCO21B", "T_MCO21C"):
        given.setdefault(name, pl.DataFrame([BYSTANDER[name]]))
    for name, frame in given.items():
        defaults = {c: pl.lit(v).alias(c) for c, v in DEFAULTS[name].items() if c not in frame.columns}
        frame.with_columns(*defaults.values()).write_csv(folder / f"{name}.csv", separator=";")
    (folder / "extract.toml").write_text("[cutoff]\ndcir = 2022-12-31\npmsi = 2022-12-31\n")
    return folder


RULES = (
    Rule(
        "identity_merge",
        "A person whose pseudonym changes stays one person: rows of IR_BEN_R with one BEN_IDT_ANO are gathered.",
        "SNDS documentation (fiche bénéficiaire); Santé publique France, SNDS guide of 2020",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO\nold | P1\nnew | P1",
            "IR_IMB_R": "BEN_NIR_PSA\nold",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | old | 2021-03-01\n2 | new | 2021-04-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEFA004",
        },
        "P1 | breast_biopsy | 2021-03-01\nP1 | breast_conserving_surgery | 2021-04-01",
    ),
    Rule(
        "identity_through_nir",
        "Where BEN_IDT_ANO is empty, the one of another row with the same BEN_NIR_ANO serves.",
        "SNDS documentation (fiche bénéficiaire): BEN_NIR_ANO is filled for 88.0 % (2011) to 98.5 % (2018) of pairs",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\nold | N1 | \nnew | N1 | P1",
            "IR_IMB_R": "BEN_NIR_PSA\nnew",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | old | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001",
        },
        "P1 | breast_biopsy | 2021-03-01",
    ),
    Rule(
        "identity_archived_pair",
        "A pair that the archive holds too, without its person or under an older number, is one person: rows that share "
        "a pair, a BEN_IDT_ANO or a BEN_NIR_ANO are gathered. A BEN_NIR_ANO that stands for nobody gathers no one.",
        "SNDS documentation (fiche bénéficiaire); the gathering over both tables is this package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | N1 | P1\nb | xxxxxxxxxxxxxxxxx |\nc | xxxxxxxxxxxxxxxxx |",
            "IR_BEN_R_ARC": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | | \na | N1 | P0",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | a | 2021-03-01\n2 | b | 2021-03-02\n3 | c | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        "P1 | breast_biopsy | 2021-03-01\nb-1 | breast_biopsy | 2021-03-02\nc-1 | breast_biopsy | 2021-03-03",
    ),
    Rule(
        "twins",
        "A pseudonym shared by two persons: claims are told apart by birth rank, stays can't be and are left out.",
        "SNDS documentation: 0.18 % of false twins; PMSI carries no birth rank",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_RNG_GEM | BEN_IDT_ANO\ntwin | 1 | P1\ntwin | 2 | P2",
            "IR_IMB_R": "BEN_NIR_PSA | BEN_RNG_GEM\ntwin | 2",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | BEN_RNG_GEM | EXE_SOI_DTD\n1 | twin | 2 | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001",
            "T_MCO21B": "STAY | DGN_PAL\n10 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n10 | twin | 01042021 | 03042021",
            "T_MCO21A": "STAY | CDC_ACT\n10 | QEFA004",
        },
        "P2 | breast_biopsy | 2021-03-01",
    ),
    Rule(
        "regularisation",
        "Lines of one person, code and day are summed across fluxes; what sums to zero or less is no event. "
        "A filter on positive quantities would keep the cancelled originals.",
        "SNDS documentation (régularisations)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_ACT_QTE | FLX_DIS_DTD
1 | kept      | 2021-03-01 |  1 | 2021-04-01
2 | kept      | 2021-03-01 | -1 | 2021-06-01
3 | kept      | 2021-03-01 |  1 | 2021-06-01
4 | cancelled | 2021-03-02 |  1 | 2021-04-01
5 | cancelled | 2021-03-02 | -1 | 2021-07-01
6 | cancelled | 2021-03-05 |  1 | 2021-04-01""",
            "ER_CAM_F": """LINE | CAM_PRS_IDE | FLX_DIS_DTD
1 | QEHJ001 | 2021-04-01
2 | QEHJ001 | 2021-06-01
3 | QEHJ001 | 2021-06-01
4 | QEHJ001 | 2021-04-01
5 | QEHJ001 | 2021-07-01
6 | QEFA004 | 2021-04-01""",
        },
        "cancelled-1 | breast_conserving_surgery | 2021-03-05\nkept-1 | breast_biopsy | 2021-03-01",
    ),
    Rule(
        "corrected_line",
        "A line corrected in a later flux has its new quantity and facility, and is known as such from that flux.",
        "SNDS documentation (régularisations)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD
1 | A | 2021-03-01 | 2021-04-01
2 | A | 2021-03-01 | 2021-10-01
3 | A | 2021-03-05 | 2021-04-01""",
            "ER_PHA_F": """LINE | PHA_PRS_C13 | PHA_ACT_QSN | FLX_DIS_DTD
1 | 3400932059324 | 1 | 2021-04-01
2 | 3400932059324 | 2 | 2021-10-01
3 | 3400932059324 | 1 | 2021-04-01""",
            "ER_ETE_F": """LINE | ETB_EXE_FIN | FLX_DIS_DTD
1 | 13000000 | 2021-04-01
2 | 75000000 | 2021-10-01
3 | 13000000 | 2021-04-01""",
        },
        """A-1 | 2021-03-01 | 90 | 75000000 | 2021-10-01
A-1 | 2021-03-05 | 30 | 13000000 | 2021-04-01""",
        ("patient_id", "start", "quantity", "facility", "known_from"),
    ),
    Rule(
        "information_only",
        "Lines sent for information (DPN_QLF or PRS_DPN_QLP = 71) are no care; an empty value is not 71.",
        "SNDS documentation (dépenses pour information)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | DPN_QLF | PRS_DPN_QLP
1 | A | 2021-03-01 | 71 |
2 | A | 2021-03-02 |    | 71
3 | A | 2021-03-03 |    |
4 | A | 2021-03-04 | 0  | 0""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEFA004",
        },
        "A-1 | breast_biopsy | 2021-03-03\nA-1 | breast_conserving_surgery | 2021-03-04",
    ),
    Rule(
        "majoration_and_complement",
        "Majoration lines (CPL_MAJ_TOP = 2), CPL_AFF_COD = 16 and BSE_PRS_NAT = 0 are no care.",
        "SNDS documentation (filtres de ER_PRS_F)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | CPL_MAJ_TOP | CPL_AFF_COD | BSE_PRS_NAT
1 | A | 2021-03-01 | 2 | 0  | 1
2 | A | 2021-03-02 | 0 | 16 | 1
3 | A | 2021-03-03 | 0 | 0  | 0
4 | A | 2021-03-04 | 1 | 0  | 1""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-04",
    ),
    Rule(
        "public_stay_leaking",
        "A public stay that leaks into DCIR (ETE_IND_TAA = 1, FIDES) is left to the PMSI.",
        "SNDS documentation: 35 % of public activity was billed through FIDES in 2019",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | A | 2021-03-08",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004\n2 | QEHJ001",
            "ER_ETE_F": "LINE | ETB_EXE_FIN | ETE_IND_TAA\n1 | 75000000 | 1\n2 | 75000000 | 0",
        },
        "A-1 | breast_biopsy | 2021-03-08",
    ),
    Rule(
        "return_codes",
        "A stay is attributed only if every return code is 0 and its pseudonym is not fictitious.",
        "SNDS documentation (chaînage); one printed page inverts the filter",
        {
            "T_MCO21B": "STAY\n1\n2\n3\n4",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT | NIR_RET | COH_SEX_RET
1 | A                 | 01032021 | 02032021 | 0 | 0
2 | A                 | 01042021 | 02042021 | 1 | 0
3 | A                 | 01052021 | 02052021 | 0 | 1
4 | xxxxxxxxxxxxxxxxx | 01062021 | 02062021 | 0 | 0""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004\n4 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01",
    ),
    Rule(
        "grouping_errors",
        "Stays grouped in error (GHM that begins with 90) are left out; a 90 elsewhere in the group is no error.",
        "SNDS documentation (GHM en erreur)",
        {
            "T_MCO21B": "STAY | GRG_GHM\n1 | 90Z00Z\n2 | 09C901",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 02032021\n2 | A | 01042021 | 02042021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-04-01",
    ),
    Rule(
        "provider_stays",
        "A stay provided for another establishment (SEJ_TYP B) is left out, except sessions; an empty SEJ_TYP is kept.",
        "SNDS documentation (prestations inter-établissements); a plain <> 'B' would drop the empty ones",
        {
            "T_MCO21B": "STAY | GRG_GHM | SEJ_TYP\n1 | 09C041 | B\n2 | 28Z07Z | B\n3 | 09C041 |\n4 | 09C041 | A",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 02032021
2 | A | 01042021 | 01042021
3 | A | 01022021 | 02022021
4 | A | 01052021 | 02052021""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n3 | QEHA002\n4 | QEFA019",
        },
        "A-1 | breast_biopsy | 2021-02-01\nA-1 | chemotherapy_session | 2021-04-01\nA-1 | mastectomy | 2021-05-01",
    ),
    Rule(
        "sessions_expanded",
        "Sessions are kept (GHM 28*) and a stay of several counts as many, evenly spaced from entry to discharge; "
        "a radiotherapy preparation counts one.",
        "ATIH counting of sessions (NBR_SEA); 28Z19Z to 28Z22Z count one",
        {
            "T_MCO21B": "STAY | GRG_GHM | NBR_SEA | DGN_PAL | DGN_REL\n1 | 28Z07Z | 3 | Z511 | C509\n2 | 28Z19Z | 3 | Z5100 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 15032021\n2 | A | 01042021 | 09042021",
        },
        """A-1 | chemotherapy_session | 2021-03-01 | month
A-1 | chemotherapy_session | 2021-03-08 | month
A-1 | chemotherapy_session | 2021-03-15 | month
A-1 | radiotherapy_planning | 2021-04-01 | day""",
        ("patient_id", "activity", "start", "date_precision"),
    ),
    Rule(
        "one_act_two_sources",
        "An act told by a private stay and by a claim is one event; the stay's row is kept. "
        "The claim was known first, so the event is known from its flux.",
        "Private stays are told by PMSI and by DCIR; preference is this package's",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-02",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004",
            "ER_ETE_F": "LINE | ETB_EXE_FIN\n1 | 75000000",
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 04032021",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL\n1 | QEFA004 | 1",
        },
        "A-1 | breast_conserving_surgery | 2021-03-02 | T_MCOaaA | 2021-06-01",
        ("patient_id", "activity", "start", "source", "known_from"),
    ),
    Rule(
        "fraction_lines",
        "Several claim lines of one radiotherapy fraction are one session.",
        "INCa cancer algorithm: radiotherapy of private centres is in DCIR only",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-02\n2 | A | 2021-03-02\n3 | A | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | YYYY045\n2 | ZZNL050\n3 | YYYY045",
        },
        "A-1 | radiotherapy_session | 2021-03-02\nA-1 | radiotherapy_session | 2021-03-03",
    ),
    Rule(
        "act_inside_a_stay",
        "An act of a stay is dated entry + ENT_DAT_DEL days; only its first activity (ACV_ACT 1) counts.",
        "PMSI MCO format: ENT_DAT_DEL",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 28022021 | 08032021",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL | ACV_ACT\n1 | QEFA019 | 3 | 1\n1 | QEFA004 | 4 | 4",
        },
        "A-1 | mastectomy | 2021-03-03",
    ),
    Rule(
        "null_dates",
        "01/01/1600 and an empty date are no date: the line is no event, the person did not die.",
        "Santé publique France, SNDS guide of 2020: 01/01/1600 stands for a missing date",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_DCD_DTE\nA | 1600-01-01",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 1600-01-01\n2 | A | \n3 | A | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-03",
    ),
    Rule(
        "month_only",
        "A stay without dates (before 2009) is dated by its month of discharge.",
        "PMSI MCO before 2009 has SOR_MOI and SOR_ANN only",
        {
            "T_MCO21B": "STAY | SOR_ANN | SOR_MOI\n1 | 2021 | 5",
            "T_MCO21C": "STAY | NIR_ANO_17\n1 | A",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL\n1 | QEFA004 | 2",
        },
        "A-1 | breast_conserving_surgery | 2021-05-01 | month",
        ("patient_id", "activity", "start", "date_precision"),
    ),
    Rule(
        "medicine_codes",
        "A UCD is the same on 13 characters, 7, or 34008 and 7; a CIP13 gives its molecule and its tablets.",
        "NU_UCD_R, IR_PHA_R: formats of UCD and CIP",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03
4 | A | 2021-03-04""",
            "ER_UCD_F": "LINE | UCD_UCD_COD\n1 | 0000009220097\n2 | 9220097\n3 | 340089220097",
            "ER_PHA_F": "LINE | PHA_PRS_C13 | PHA_ACT_QSN\n4 | 3400932059324 | 2",
        },
        """A-1 | endocrine_therapy_dispensing | 2021-03-04 | 60
A-1 | targeted_therapy | 2021-03-01 | 1
A-1 | targeted_therapy | 2021-03-02 | 1
A-1 | targeted_therapy | 2021-03-03 | 1""",
        ("patient_id", "activity", "start", "quantity"),
    ),
    Rule(
        "codes_written_as_numbers",
        "A code that a spreadsheet wrote as a decimal number (1.0, 0.0, 75.0) is read as the code.",
        "Exports met in practice",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_ACT_QTE\n1.0 | A | 2021-03-01 | 1.0",
            "ER_CAM_F": "LINE | CAM_PRS_IDE | CAM_ACT_COD\n1 | QEHJ001 | 1.0",
            "T_MCO21B": "STAY\n7.0",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT | NIR_RET\n7 | A | 20210401 | 03042021 | 0.0",
            "T_MCO21A": "STAY | CDC_ACT | ACV_ACT\n7 | QEFA004 | 1.0",
        },
        "A-1 | breast_biopsy | 2021-03-01\nA-1 | breast_conserving_surgery | 2021-04-01",
    ),
    Rule(
        "diagnosis_positions",
        "Diagnoses are searched in the stay, its units and its associated ones, dots and signs taken off; "
        "a stay for the disease that gave no other event is a hospital stay.",
        "CNAM course on the PMSI: D lacks some diagnoses of the units",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | E11",
            "T_MCO21B": "STAY | DGN_PAL | GRG_GHM\n1 | C50.9 | 09M041\n2 | Z51.5 | 23Z02Z\n3 | Z511+ | 09M041\n4 | I10 | 05M091",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 04032021
2 | A | 01052021 | 09052021
3 | A | 01042021 | 02042021
4 | A | 01062021 | 02062021""",
            "T_MCO21D": "STAY | ASS_DGN\n3 | C50.1",
            "T_MCO21UM": "STAY | DGN_PAL\n4 | C504",
        },
        """A-1 | chemotherapy_session | 2021-04-01 | T_MCOaaB
A-1 | hospital_stay | 2021-03-01 | T_MCOaaB
A-1 | hospital_stay | 2021-06-01 | T_MCOaaUM
A-1 | palliative_care | 2021-05-01 | T_MCOaaB""",
        ("patient_id", "activity", "start", "source"),
    ),
    Rule(
        "cohort",
        "A person enters with a diagnosis of the cohort, in a stay or as the CIM-10 of an ALD (41, 43, 45), and an index "
        "event; the ALD date is no event.",
        "Santé publique France, SNDS guide of 2020; ALD date against diagnosis date, BEH 2016;26-27",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD | IMB_ETM_NAT\nin | C50 | 41\nwork | C50 | 11\nother | C67 | 41",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | in | 2021-03-01\n2 | work | 2021-03-01\n3 | other | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        "in-1 | breast_biopsy | 2021-03-01",
    ),
    Rule(
        "care_date",
        "An event is dated by the care, not by the flux, and is known from its flux.",
        "SNDS documentation: FLX_DIS_DTD is the month of arrival",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD\n1 | A | 2021-03-01 | 2021-09-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE | FLX_DIS_DTD\n1 | QEHJ001 | 2021-09-01",
        },
        "A-1 | breast_biopsy | 2021-03-01 | 2021-09-01",
        ("patient_id", "activity", "start", "known_from"),
    ),
    Rule(
        "death",
        "A death is told by IR_BEN_R, else by the discharge mode 9 of a stay; once a person.",
        "SNDS documentation (décès); IR_BEN_R before PMSI is this package's order",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_DCD_DTE\nA | 2021-05-05\nB | 1600-01-01",
            "T_MCO21B": "STAY | SOR_MOD\n1 | 9\n2 | 9",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01052021 | 04052021\n2 | B | 01062021 | 04062021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        """A-1 | breast_conserving_surgery | 2021-05-01 | T_MCOaaA
A-1 | death | 2021-05-05 | IR_BEN_R
B-1 | breast_conserving_surgery | 2021-06-01 | T_MCOaaA
B-1 | death | 2021-06-04 | T_MCOaaB""",
        ("patient_id", "activity", "start", "source"),
    ),
    Rule(
        "lookback",
        "Events earlier than the definition's look-back before the index (180 days) are left out.",
        "Operational, [cohort] lookback_days",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2020-12-01
2 | A | 2020-12-02
3 | A | 2021-05-31""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEQK001\n2 | QEQK001\n3 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-05-31\nA-1 | mammography | 2020-12-02",
    ),
)
