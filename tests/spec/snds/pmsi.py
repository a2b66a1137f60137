"""Hospitals: which stays of the PMSI count, and what they tell."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {
    "T_MCO21B": {"ETA_NUM": "750000001", "DGN_PAL": "", "DGN_REL": "", "GRG_GHM": "09C041", "SEJ_TYP": "", "SOR_MOD": "8",
                 "NBR_SEA": "", "SOR_ANN": "2021", "SOR_MOI": "5"},
    "T_MCO21C": {"ETA_NUM": "750000001", "ENT_DAT": "", "SOR_DAT": "", "NIR_RET": "0", "NAI_RET": "0", "SEX_RET": "0",
                 "SEJ_RET": "0", "FHO_RET": "0", "PMS_RET": "0", "DAT_RET": "0", "COH_NAI_RET": "0", "COH_SEX_RET": "0"},
    "T_MCO21A": {"ETA_NUM": "750000001", "ACV_ACT": "1", "ENT_DAT_DEL": "0", "NBR_EXE_ACT": "1"},
    "T_MCO21D": {"ETA_NUM": "750000001"},
    "T_MCO21UM": {"ETA_NUM": "750000001", "DGN_PAL": "", "DGN_REL": ""},
}  # fmt: skip
DEFAULTS |= {f"T_MCO21_03{part}": DEFAULTS[f"T_MCO21{part}"] for part in ("B", "C")}
"""What a column holds when a spec does not write it."""

RULES: tuple[Rule, ...] = (
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
        traps=("chaining_error",),
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
        traps=("grouping_error",),
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
        traps=("provider_stay",),
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
        traps=("grouped_sessions",),
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
        traps=("month_only",),
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
        traps=("session_coding",),
    ),
    Rule(
        "cumulative_file",
        "A file of the year under way is cumulative and not final: beside the whole year, or a later month, it is not read.",
        "IQVIA and ATIH slides on infra-annual PMSI, as gathered in the reference",
        {
            "T_MCO21_03B": "STAY\n1",
            "T_MCO21_03C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 02032021",
            "T_MCO21B": "STAY\n1\n2",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 02032021\n2 | A | 01062021 | 02062021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01\nA-1 | breast_conserving_surgery | 2021-06-01",
        traps=("freshness",),
        counts={"trap.freshness": 2, "stays_read": 2},
    ),
)
