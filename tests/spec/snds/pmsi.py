"""Hospitals: which stays of the PMSI count, and what they tell."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

HOSPITAL = "750000001"

CHAINED = {
    "ENT_DAT": "", "SOR_DAT": "", "NIR_RET": "0", "NAI_RET": "0", "SEX_RET": "0", "SEJ_RET": "0", "FHO_RET": "0",
    "PMS_RET": "0", "DAT_RET": "0", "COH_NAI_RET": "0", "COH_SEX_RET": "0",
}  # fmt: skip

STAY = {"ETA_NUM": HOSPITAL, "DGN_PAL": "", "DGN_REL": "", "GRG_GHM": "09C041", "SEJ_TYP": "", "SOR_MOD": "8",
        "NBR_SEA": "", "SOR_ANN": "2021", "SOR_MOI": "5", "TYP_GEN_RSA": "0", "GHS_NUM": ""}  # fmt: skip

ACT = {"ETA_NUM": HOSPITAL, "ACV_ACT": "1", "ENT_DAT_DEL": "0", "NBR_EXE_ACT": "1"}

VISIT = {"ETA_NUM": HOSPITAL, "DEL_DAT_ENT": "0"}

DEFAULTS: dict[str, dict[str, str]] = {
    "T_MCO21B": STAY,
    "T_MCO21C": {"ETA_NUM": HOSPITAL, **CHAINED},
    "T_MCO21A": ACT,
    "T_MCO17B": {**STAY, "SOR_ANN": "2017"},
    "T_MCO17C": {"ETA_NUM": HOSPITAL, **CHAINED},
    "T_MCO17A": ACT,
    "T_MCO18B": {**STAY, "SOR_ANN": "2018"},
    "T_MCO18C": {"ETA_NUM": HOSPITAL, **CHAINED},
    "T_MCO18A": ACT,
    "T_MCO21D": {"ETA_NUM": HOSPITAL},
    "T_MCO21UM": {"ETA_NUM": HOSPITAL, "DGN_PAL": "", "DGN_REL": ""},
    "T_MCO21FM": {"ETA_NUM": HOSPITAL, "ACV_ACT": "1", "DEL_DAT_ENT": "0"},
    "T_MCO21MED": {"ETA_NUM": HOSPITAL, "UCD_UCD_COD": "", "UCD_COD": "", "DELAI": "0", "ADM_NBR": "1", "NBR_SEJ": "1",
                   "DAT_ADM_ANN": "", "ADM_MOIS": ""},
    "T_MCO21MEDATU": {"ETA_NUM": HOSPITAL, "DAT_DELAI": "0", "ADM_NBR": "1", "SEJ_NBR": "1"},
    "T_MCO21FH": {"ETA_NUM": HOSPITAL, "DEL_DAT_ENT": "0", "QUA_COD": "1"},
    "T_MCO21CSTC": {"ETA_NUM": HOSPITAL, "ENT_DAT": "", "EXE_SOI_DTD": "", "NIR_RET": "0", "NAI_RET": "0", "SEX_RET": "0",
                    "IAS_RET": "0", "ENT_DAT_RET": "0"},
    "T_MCO17CSTC": {"EXE_SOI_DTD": "", "NIR_RET": "0", "NAI_RET": "0", "SEX_RET": "0", "IAS_RET": "0",
                    "ENT_DAT_RET": "0"},
    "T_MCO21FASTC": {"ETA_NUM": HOSPITAL},
    "T_MCO21FBSTC": {**VISIT, "EXE_SPE": ""},
    "T_MCO21FCSTC": {**VISIT, "EXE_SPE": ""},
    "T_MCO21FMSTC": {**VISIT, "ACV_ACT": "1"},
    "T_MCO17FMSTC": {"DEL_DAT_ENT": "0", "ACV_ACT": "1"},
    "T_MCO21FHSTC": {**VISIT, "QUA": "1"},
    "T_MCO21FLSTC": {**VISIT, "ACT_NBR": "1"},
    "T_MCO21FPSTC": {**VISIT, "LPP_QUA": "1"},
    "T_SSR21B": {"ETA_NUM": HOSPITAL, "RHS_NUM": "1", "MOR_PRP": "", "ETL_AFF": "", "FP_PEC": "", "GRG_GME": "0803A0",
                 "SOR_MOD": "8", "MOI_ANN": "", "RHS_ANT_SEJ_ENT": "0", "TYP_GEN_RHA": "0"},
    "T_SSR21C": {"ETA_NUM": HOSPITAL, **CHAINED, "ANN_LUN_1S": "", "MOI_LUN_1S": ""},
    "T_SSR21D": {"ETA_NUM": HOSPITAL},
    "T_SSR21CCAM": {"ETA_NUM": HOSPITAL, "CCAM_COD_ACT": "1"},
    "T_HAD21B": {"ETA_NUM_EPMSI": HOSPITAL, "PEC_PAL": "", "PEC_ASS": "", "DGN_PAL": "", "SOR_MOD": "8", "SEQ_SEJ_NBJ": "0",
                 "SSEQ_SEQ_NBJ": "0", "SOR_ANN_SSEQ": "2021", "SOR_MOI_SSEQ": "5"},
    "T_HAD21C": {"ETA_NUM_EPMSI": HOSPITAL, **CHAINED},
    "T_HAD21D": {"ETA_NUM_EPMSI": HOSPITAL},
    "T_HAD21A": {"ETA_NUM_EPMSI": HOSPITAL, "ACT_COD": "1", "DEL_DEB_SSEQ": "0"},
    "T_RIP21RSA": {"ETA_NUM_EPMSI": HOSPITAL, "SEQ_SEQ_NUM": "1", "DGN_PAL": "F329", "SOR_MOD": "8",
                   "SEQ_FIN_ANN": "2021", "SEQ_FIN_MOI": "5", "TYP_GEN_RSA": "0"},
    "T_RIP21RSAD": {"ETA_NUM_EPMSI": HOSPITAL},
    "T_RIP21C": {"ETA_NUM_EPMSI": HOSPITAL, **CHAINED},
    "T_RIP21R3A": {"ETA_NUM_EPMSI": HOSPITAL},
}  # fmt: skip
DEFAULTS |= {f"T_MCO21_03{part}": DEFAULTS[f"T_MCO21{part}"] for part in ("B", "C")}
"""What a column holds when a spec does not write it."""

STAY_CODES = [name for name in CHAINED if name.endswith("_RET")]

PROVIDED = {
    "2021-03-01": ("09C041", "breast_biopsy"), "2021-03-02": ("28Z02Z", "breast_biopsy"),
    "2021-03-03": ("28Z03Z", "breast_biopsy"), "2021-03-04": ("28Z04Z", "breast_biopsy"),
    "2021-03-05": ("28Z07Z", "chemotherapy_session"), "2021-03-06": ("28Z13Z", "radiotherapy_session"),
    "2021-03-07": ("28Z14Z", "breast_biopsy"), "2021-03-08": ("28Z15Z", "breast_biopsy"),
    "2021-03-09": ("28Z16Z", "breast_biopsy"), "2021-03-10": ("28Z17Z", "breast_biopsy"),
    "2021-03-11": ("28Z25Z", "radiotherapy_session"),
}  # fmt: skip
"""Stays given for another hospital: day → GHM and activity; those whose GHM names none have a biopsy."""

PROVIDERS = {
    "T_MCO21B": "STAY | GRG_GHM | SEJ_TYP\n"
    + "\n".join(f"{stay} | {group} | B" for stay, (group, _) in enumerate(PROVIDED.values(), start=1)),
    "T_MCO21C": "STAY | NIR_ANO_17 | EXE_SOI_DTD\n"
    + "\n".join(f"{stay} | A | {day}" for stay, day in enumerate(PROVIDED, start=1)),
    "T_MCO21A": "STAY | CDC_ACT\n"
    + "\n".join(
        f"{stay} | QEHJ001"
        for stay, (_, activity) in enumerate(PROVIDED.values(), start=1)
        if activity == "breast_biopsy"
    ),
}

RULES: tuple[Rule, ...] = (
    Rule(
        "return_codes",
        "A stay is attributed only if every return code is 0 (an empty one is no error) and its pseudonym is not fictitious.",
        "SNDS documentation (chaînage); one printed page inverts the filter",
        {
            "T_MCO21B": "STAY\n" + "\n".join(str(stay) for stay in range(1, 15)),
            "T_MCO21C": f"""STAY | NIR_ANO_17 | ENT_DAT | {" | ".join(STAY_CODES)}
1  | A                 | 01032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0
2  | A                 | 02032021 | 0 | 0 | 0 | 0 | 0 | 0 |   |   |
3  | A                 | 03032021 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0
4  | A                 | 04032021 | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0
5  | A                 | 05032021 | 0 | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 0
6  | A                 | 06032021 | 0 | 0 | 0 | 1 | 0 | 0 | 0 | 0 | 0
7  | A                 | 07032021 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0 | 0
8  | A                 | 08032021 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0
9  | A                 | 09032021 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0
10 | A                 | 10032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0
11 | A                 | 11032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1
12 | xxxxxxxxxxxxxxxxx | 12032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0
13 | XXXXXXXXXXXXXXXXD | 13032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0
14 | XXXXXXXXXXXXXXXXS | 14032021 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0""",
            "T_MCO21A": "STAY | CDC_ACT\n" + "\n".join(f"{stay} | QEFA004" for stay in range(1, 15)),
        },
        "A-1 | breast_conserving_surgery | 2021-03-01\nA-1 | breast_conserving_surgery | 2021-03-02",
        traps=("chaining_error",),
        counts={"trap.chaining_error": 12, "chaining_error.2021": 12, "chained.2021": 14},
    ),
    Rule(
        "return_codes_ignored",
        "Where practice ignores return codes, the stays come back; a fictitious pseudonym is still nobody.",
        "SNDS documentation: the codes matter where stays are chained, not where they are counted",
        {
            "T_MCO21B": "STAY\n1\n2",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT | NIR_RET
1 | A                 | 01032021 | 02032021 | 1
2 | xxxxxxxxxxxxxxxxx | 01062021 | 02062021 | 0""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01",
        traps=("chaining_error",),
        practice={"return_codes": "ignored"},
        counts={"trap.chaining_error": 2},
    ),
    Rule(
        "return_codes_of_visits",
        "External care has its own return codes, IAS_RET and ENT_DAT_RET among them.",
        "Public SNDS schema of 2020 (T_MCOaaCSTC)",
        {
            "T_MCO21CSTC": """VISIT | NIR_ANO_17 | EXE_SOI_DTD | NIR_RET | NAI_RET | SEX_RET | IAS_RET | ENT_DAT_RET
1 | A | 2021-03-01 | 0 | 0 | 0 | 0 | 0
2 | A | 2021-04-01 | 0 | 0 | 0 | 1 | 0
3 | A | 2021-05-01 | 0 | 0 | 0 | 0 | 1
4 | A | 2021-06-01 | 1 | 0 | 0 | 0 | 0
5 | A | 2021-07-01 | 0 | 1 | 0 | 0 | 0
6 | A | 2021-08-01 | 0 | 0 | 1 | 0 | 0""",
            "T_MCO21FMSTC": "VISIT | CCAM_COD\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001\n5 | QEHJ001\n6 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-01",
        traps=("chaining_error",),
        counts={"trap.chaining_error": 5, "chaining_error.2021": 5},
    ),
    Rule(
        "grouping_errors",
        "Stays grouped in error (GHM that begins with 90) are left out; a 90 elsewhere in the group, or none, is no error.",
        "SNDS documentation (GHM en erreur)",
        {
            "T_MCO21B": "STAY | GRG_GHM\n1 | 90Z00Z\n2 | 09C901\n3 |",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 02032021
2 | A | 01042021 | 02042021
3 | A | 01052021 | 02052021""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-04-01\nA-1 | breast_conserving_surgery | 2021-05-01",
        traps=("grouping_error",),
        counts={"trap.grouping_error": 1},
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
        counts={"trap.provider_stay": 2},
    ),
    Rule(
        "sessions_expanded",
        "A row of several sessions (NBR_SEA) counts as many, evenly spaced from entry to discharge (over the month where the stay "
        "has no dates), and their days are known to the week or to the month only; a radiotherapy preparation (28Z19Z to "
        "28Z22Z) counts one.",
        "ATIH counting of sessions (NBR_SEA); 28Z19Z to 28Z22Z count one",
        {
            "T_MCO21B": """STAY | GRG_GHM | NBR_SEA | DGN_PAL | DGN_REL | SOR_ANN | SOR_MOI
1 | 28Z07Z | 3 | Z511  | C509 | 2021 | 3
2 | 28Z19Z | 3 | Z5100 | C509 | 2021 | 4
3 | 28Z20Z | 3 | Z5100 | C509 | 2021 | 4
4 | 28Z21Z | 3 | Z5100 | C509 | 2021 | 4
5 | 28Z22Z | 3 | Z5100 | C509 | 2021 | 4
6 | 28Z07Z | 2 | Z511  | C509 | 2021 | 5
7 | 28Z07Z | 2 | Z511  | C509 | 2021 | 6""",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 15032021
2 | A | 01042021 | 05042021
3 | A | 07042021 | 11042021
4 | A | 13042021 | 17042021
5 | A | 19042021 | 23042021
6 | A | 03052021 | 10052021
7 | A |          |""",
        },
        """A-1 | chemotherapy_session | 2021-03-01 | month
A-1 | chemotherapy_session | 2021-03-08 | month
A-1 | chemotherapy_session | 2021-03-15 | month
A-1 | radiotherapy_planning | 2021-04-01 | day
A-1 | radiotherapy_planning | 2021-04-07 | day
A-1 | radiotherapy_planning | 2021-04-13 | day
A-1 | radiotherapy_planning | 2021-04-19 | day
A-1 | chemotherapy_session | 2021-05-03 | week
A-1 | chemotherapy_session | 2021-05-10 | week
A-1 | chemotherapy_session | 2021-06-01 | month
A-1 | chemotherapy_session | 2021-06-28 | month""",
        ("patient_id", "activity", "start", "date_precision"),
        traps=("grouped_sessions",),
        counts={"trap.grouped_sessions": 7},
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
        "A stay without dates (before 2009) is dated by its month of discharge; where the year is empty, that of its table.",
        "PMSI MCO before 2009 has SOR_MOI and SOR_ANN only",
        {
            "T_MCO21B": "STAY | SOR_ANN | SOR_MOI\n1 | 2021 | 5\n2 |      | 6",
            "T_MCO21C": "STAY | NIR_ANO_17\n1 | A\n2 | A",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL\n1 | QEFA004 | 2\n2 | QEFA004 | 2",
        },
        "A-1 | breast_conserving_surgery | 2021-05-01 | month\nA-1 | breast_conserving_surgery | 2021-06-01 | month",
        ("patient_id", "activity", "start", "date_precision"),
        traps=("month_only",),
        counts={"trap.month_only": 2},
    ),
    Rule(
        "dates_written_as_numbers",
        "A date kept as a number has lost its leading zero, and may end with a decimal: it is read all the same.",
        "Exports by spreadsheets and by pandas",
        {
            "T_MCO21B": "STAY\n1\n2\n3",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT\n1 | A | 1052021\n2 | A | 11052021.0\n3 | A | 2052021.0",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004",
        },
        """A-1 | breast_conserving_surgery | 2021-05-01
A-1 | breast_conserving_surgery | 2021-05-02
A-1 | breast_conserving_surgery | 2021-05-11""",
    ),
    Rule(
        "diagnosis_positions",
        "Diagnoses are searched in the stay, its units and its associated ones, dots and signs taken off; "
        "a stay for the disease that gave no other event is a hospital stay. An associated diagnosis opens the cohort (B).",
        "CNAM course on the PMSI: D lacks some diagnoses of the units",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | E11",
            "T_MCO21B": "STAY | DGN_PAL | GRG_GHM\n1 | C50.9 | 09M041\n2 | Z51.5 | 23Z02Z\n3 | Z511+ | 09M041\n4 | I10 | 05M091\n5 | I10 | 05M091\n6 | I10 | 05M091",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 04032021
2 | A | 01052021 | 09052021
3 | A | 01042021 | 02042021
4 | A | 01062021 | 02062021
5 | A | 01072021 | 02072021
6 | B | 01062021 | 02062021""",
            "T_MCO21D": "STAY | ASS_DGN\n3 | C50.1\n6 | C50.1",
            "T_MCO21UM": "STAY | DGN_PAL | DGN_REL\n4 | +C504 |\n5 | I10 | C50.8",
            "T_MCO21A": "STAY | CDC_ACT\n6 | QEHA002",
        },
        """A-1 | chemotherapy_session | 2021-04-01 | T_MCOaaB
A-1 | hospital_stay | 2021-03-01 | T_MCOaaB
A-1 | hospital_stay | 2021-06-01 | T_MCOaaUM
A-1 | hospital_stay | 2021-07-01 | T_MCOaaUM
A-1 | palliative_care | 2021-05-01 | T_MCOaaB
B-1 | breast_biopsy | 2021-06-01 | T_MCOaaA""",
        ("patient_id", "activity", "start", "source"),
        traps=("session_coding",),
    ),
    Rule(
        "double_facilities",
        "Until 2017 the sites of AP-HP, HCL and AP-HM report beside their legal entity: stays under a site's number are "
        "left out (list of 166, DREES), those of the entity and of later years stay. 690787460 is printed with a digit missing "
        "(90787460) in both lists.",
        "SNDS documentation (doublons FINESS); SCALPEL; the missing digit from the key of the number and its neighbours",
        {
            "T_MCO17B": """STAY | ETA_NUM
1 | 750100018
2 | 750100067
3 | 750712184
4 | 690784137
5 | 130780521
6 | 690787460""",
            "T_MCO17C": """STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | 750100018 | A | 01032017 | 02032017
2 | 750100067 | A | 01042017 | 02042017
3 | 750712184 | A | 01052017 | 02052017
4 | 690784137 | A | 01062017 | 02062017
5 | 130780521 | A | 01072017 | 02072017
6 | 690787460 | A | 01082017 | 02082017""",
            "T_MCO17A": """STAY | ETA_NUM | CDC_ACT
1 | 750100018 | QEFA004
2 | 750100067 | QEFA019
3 | 750712184 | QEHJ001
4 | 690784137 | QEFA004
5 | 130780521 | QEFA004
6 | 690787460 | QEFA004""",
            "T_MCO18B": "STAY | ETA_NUM\n1 | 750100018",
            "T_MCO18C": "STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | 750100018 | A | 01032018 | 02032018",
            "T_MCO18A": "STAY | ETA_NUM | CDC_ACT\n1 | 750100018 | FCFA029",
        },
        "A-1 | breast_biopsy | 2017-05-01\nA-1 | axillary_surgery | 2018-03-01",
        traps=("double_facility",),
        counts={"trap.double_facility": 5},
    ),
    Rule(
        "double_facilities_cnam",
        "The list of the CNAM has 46 numbers: 750100067 is not among them.",
        "SNDS documentation (doublons FINESS): list of the CNAM",
        {
            "T_MCO17B": """STAY | ETA_NUM
1 | 750100018
2 | 750100067
3 | 750712184""",
            "T_MCO17C": """STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | 750100018 | A | 01032017 | 02032017
2 | 750100067 | A | 01042017 | 02042017
3 | 750712184 | A | 01052017 | 02052017""",
            "T_MCO17A": """STAY | ETA_NUM | CDC_ACT
1 | 750100018 | QEFA004
2 | 750100067 | QEFA019
3 | 750712184 | QEHJ001""",
            "T_MCO18B": "STAY | ETA_NUM\n1 | 750100018",
            "T_MCO18C": "STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | 750100018 | A | 01032018 | 02032018",
            "T_MCO18A": "STAY | ETA_NUM | CDC_ACT\n1 | 750100018 | FCFA029",
        },
        "A-1 | axillary_surgery | 2018-03-01\nA-1 | breast_biopsy | 2017-05-01\nA-1 | mastectomy | 2017-04-01",
        traps=("double_facility",),
        practice={"double_facilities": "cnam"},
        counts={"trap.double_facility": 1},
    ),
    Rule(
        "double_facilities_kept",
        "Where practice keeps them, nothing is left out; the count says how many there are.",
        "For comparison with studies that keep them",
        {
            "T_MCO17B": """STAY | ETA_NUM
1 | 750100018
2 | 750100067
3 | 750712184""",
            "T_MCO17C": """STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | 750100018 | A | 01032017 | 02032017
2 | 750100067 | A | 01042017 | 02042017
3 | 750712184 | A | 01052017 | 02052017""",
            "T_MCO17A": """STAY | ETA_NUM | CDC_ACT
1 | 750100018 | QEFA004
2 | 750100067 | QEFA019
3 | 750712184 | QEHJ001""",
            "T_MCO18B": "STAY | ETA_NUM\n1 | 750100018",
            "T_MCO18C": "STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | 750100018 | A | 01032018 | 02032018",
            "T_MCO18A": "STAY | ETA_NUM | CDC_ACT\n1 | 750100018 | FCFA029",
        },
        "A-1 | axillary_surgery | 2018-03-01\nA-1 | breast_biopsy | 2017-05-01\n"
        "A-1 | breast_conserving_surgery | 2017-03-01\nA-1 | mastectomy | 2017-04-01",
        traps=("double_facility",),
        practice={"double_facilities": "keep"},
        counts={"trap.double_facility": 2},
    ),
    Rule(
        "double_facilities_until",
        "The CNAM's text says 2018: then the site of 2018 is left out too.",
        "SNDS documentation (doublons FINESS): text of the CNAM",
        {
            "T_MCO17B": """STAY | ETA_NUM
1 | 750100018
2 | 750100067
3 | 750712184""",
            "T_MCO17C": """STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | 750100018 | A | 01032017 | 02032017
2 | 750100067 | A | 01042017 | 02042017
3 | 750712184 | A | 01052017 | 02052017""",
            "T_MCO17A": """STAY | ETA_NUM | CDC_ACT
1 | 750100018 | QEFA004
2 | 750100067 | QEFA019
3 | 750712184 | QEHJ001""",
            "T_MCO18B": "STAY | ETA_NUM\n1 | 750100018",
            "T_MCO18C": "STAY | ETA_NUM | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | 750100018 | A | 01032018 | 02032018",
            "T_MCO18A": "STAY | ETA_NUM | CDC_ACT\n1 | 750100018 | FCFA029",
        },
        "A-1 | breast_biopsy | 2017-05-01",
        traps=("double_facility",),
        practice={"double_facilities_until": 2018},
        counts={"trap.double_facility": 3},
    ),
    Rule(
        "double_facilities_of_visits",
        "External care is told twice by AP-HP and AP-HM, once by the HCL.",
        "SNDS documentation (doublons FINESS)",
        {
            "T_MCO17CSTC": """VISIT | ETA_NUM | NIR_ANO_17 | EXE_SOI_DTD
1 | 750100018 | A | 2017-03-01
2 | 130780521 | A | 2017-04-01
3 | 690784137 | A | 2017-05-01""",
            "T_MCO17FMSTC": """VISIT | ETA_NUM | CCAM_COD
1 | 750100018 | QEHJ001
2 | 130780521 | QEHJ001
3 | 690784137 | QEHJ001""",
        },
        "A-1 | breast_biopsy | 2017-05-01",
        traps=("double_facility",),
        counts={"trap.double_facility": 2},
    ),
    Rule(
        "special_stays",
        "Abortions (14Z08Z) are left out; stays generated automatically (TYP_GEN_RSA not 0, GHS 9999) are wrong for costs only "
        "and kept.",
        "SNDS documentation (Health Data Hub, 2021); SCALPEL",
        {
            "T_MCO21B": """STAY | GRG_GHM | TYP_GEN_RSA | GHS_NUM
1 | 14Z08Z | 0 |
2 | 09C041 | 1 |
3 | 09C041 | 0 | 9999
4 | 09C041 | 0 | 3318""",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 02032021
2 | A | 01042021 | 02042021
3 | A | 01052021 | 02052021
4 | A | 01062021 | 02062021""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004\n4 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-04-01\nA-1 | breast_conserving_surgery | 2021-05-01\n"
        "A-1 | breast_conserving_surgery | 2021-06-01",
        traps=("special_stay",),
        counts={"trap.special_stay": 3},
    ),
    Rule(
        "automatic_stays_left_out",
        "Where practice leaves them out, only ordinary stays are read; an empty TYP_GEN_RSA (before 2015) is ordinary.",
        "SNDS documentation (Health Data Hub, 2021); SCALPEL: what studies of costs leave out",
        {
            "T_MCO21B": """STAY | GRG_GHM | TYP_GEN_RSA | GHS_NUM
1 | 14Z08Z | 0 |
2 | 09C041 | 1 |
3 | 09C041 | 0 | 9999
4 | 09C041 | 0 | 3318
5 | 09C041 |   |""",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 02032021
2 | A | 01042021 | 02042021
3 | A | 01052021 | 02052021
4 | A | 01062021 | 02062021
5 | A | 01072021 | 02072021""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004\n4 | QEFA004\n5 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-06-01\nA-1 | breast_conserving_surgery | 2021-07-01",
        traps=("special_stay",),
        practice={"automatic_stays": "leave_out"},
        counts={"trap.special_stay": 3},
    ),
    *(
        Rule(
            f"weeks_made_for_billing_{switch}",
            "Weeks of SSR (TYP_GEN_RHA neither 0 nor 4) and sequences of psychiatry (TYP_GEN_RSA not 0) that are made for billing "
            "are kept as automatic stays are, or left out with them; an empty value is ordinary.",
            "CNAM course on the PMSI (types of RHA); public SNDS schema of 2020",
            {
                "T_MCO21B": "STAY\n1",
                "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01022021 | 02022021",
                "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA019",
                "T_SSR21B": "REHAB | MOR_PRP | TYP_GEN_RHA\n1 | C509 | 0\n2 | C509 | 4\n3 | C509 | 1\n4 | C509 |",
                "T_SSR21C": """REHAB | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 02032021
2 | A | 08032021 | 09032021
3 | A | 15032021 | 16032021
4 | A | 22032021 | 23032021""",
                "T_RIP21RSA": "PSY | DGN_PAL | TYP_GEN_RSA\n1 | C509 | 0\n2 | C509 | 1\n3 | C509 |",
                "T_RIP21C": """PSY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 05042021 | 06042021
2 | A | 12042021 | 13042021
3 | A | 19042021 | 20042021""",
            },
            "\n".join(
                ["A-1 | mastectomy | 2021-02-01", *(f"A-1 | hospital_stay | 2021-{day}" for day in days)]
            ),
            traps=("special_stay",),
            practice={"automatic_stays": switch},
            counts={"trap.special_stay": 2},
        )
        for switch, days in (
            ("keep", ("03-01", "03-08", "03-15", "03-22", "04-05", "04-12", "04-19")),
            ("leave_out", ("03-01", "03-08", "03-22", "04-05", "04-19")),
        )
    ),
    *(
        Rule(
            f"provider_stays_{switch}",
            words,
            source,
            PROVIDERS,
            "\n".join(
                f"A-1 | {activity} | {day}" for day, (_, activity) in PROVIDED.items() if day[-2:] not in gone
            ),
            traps=("provider_stay",),
            practice={"provider_stays": switch},
            counts={"trap.provider_stay": len(PROVIDED)},
        )
        for switch, words, source, gone in (
            (
                "sessions",
                "Of stays given for another hospital those are kept that are sessions of dialysis (28Z03, 28Z04), chemotherapy "
                "or radiotherapy (28Z07 to 28Z13, 28Z17 to 28Z25).",
                "pypmsi",
                ("01", "02", "07", "08", "09"),
            ),
            (
                "all_28",
                "Another list keeps every GHM 28 but transfusion (28Z14), hyperbaric oxygen (28Z15) and apheresis (28Z16).",
                "SCALPEL",
                ("01", "07", "08", "09"),
            ),
            (
                "leave_out",
                "Every stay given for another hospital may be left out, sessions too.",
                "SNDS documentation (prestations inter-établissements)",
                tuple(day[-2:] for day in PROVIDED),
            ),
            (
                "keep",
                "Or every one is kept, and care is counted twice.",
                "For comparison with studies that keep them",
                (),
            ),
        )
    ),
    Rule(
        "sessions_are_kept",
        "Sessions (GHM that begins with 28) are care: a recipe that removes them removes every chemotherapy of the hospital. A "
        "session for something else (28Z14Z, transfusion) is no stay for the cancer.",
        "Comparison of published tools: one drops every GHM 28",
        {
            "T_MCO21B": "STAY | GRG_GHM | DGN_PAL | DGN_REL\n1 | 28Z07Z | Z511 | C509\n2 | 28Z18Z | Z5101 | C509\n3 | 09M281 | E11 | C509\n4 | 28Z14Z | Z513 | C509\n5 | 28Z07Z | Z511 | C349",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 01032021
2 | A | 01042021 | 01042021
3 | A | 01052021 | 03052021
4 | A | 01062021 | 01062021
5 | A | 01072021 | 01072021""",
        },
        """A-1 | chemotherapy_session | 2021-03-01
A-1 | radiotherapy_session | 2021-04-01
A-1 | hospital_stay | 2021-05-01
A-1 | chemotherapy_session | 2021-07-01""",
        traps=("sessions_kept", "session_coding"),
        counts={"trap.sessions_kept": 4, "trap.session_coding": 3},
    ),
    Rule(
        "metastasis_first",
        "A stay whose principal diagnosis is a metastasis (C77 to C79) is a stay for the primary tumour coded beside it; "
        "an associated tumour under another principal diagnosis is not what the stay was for.",
        "INCa cancer algorithm",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | E11",
            "T_MCO21B": "STAY | DGN_PAL | GRG_GHM\n1 | C795 | 08M251\n2 | J189 | 04M051\n3 | C795 | 08M251\n4 | C509 | 09C041\n5 | C773 | 16M071\n6 | C787 | 07M061",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 04032021
2 | A | 01042021 | 04042021
3 | A | 01052021 | 04052021
4 | A | 01022021 | 04022021
5 | A | 01062021 | 04062021
6 | A | 01072021 | 04072021""",
            "T_MCO21D": "STAY | ASS_DGN\n1 | C50.9\n2 | C509\n3 | C349\n5 | C509\n6 | C509",
            "T_MCO21A": "STAY | CDC_ACT\n4 | QEFA019",
        },
        """A-1 | hospital_stay | 2021-03-01
A-1 | hospital_stay | 2021-06-01
A-1 | hospital_stay | 2021-07-01
A-1 | mastectomy | 2021-02-01""",
        traps=("metastasis_first",),
        counts={"trap.metastasis_first": 3},
    ),
    Rule(
        "metastases_ignored",
        "Where practice ignores metastases, only the principal or related diagnosis says what a stay was for.",
        "For comparison with studies that read the principal and related diagnoses only",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | E11",
            "T_MCO21B": "STAY | DGN_PAL | GRG_GHM\n1 | C795 | 08M251\n2 | J189 | 04M051\n3 | C795 | 08M251\n4 | C509 | 09C041",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 04032021
2 | A | 01042021 | 04042021
3 | A | 01052021 | 04052021
4 | A | 01022021 | 04022021""",
            "T_MCO21D": "STAY | ASS_DGN\n1 | C50.9\n2 | C509\n3 | C349",
            "T_MCO21A": "STAY | CDC_ACT\n4 | QEFA019",
        },
        "A-1 | mastectomy | 2021-02-01",
        traps=("metastasis_first",),
        practice={"metastases": "ignored"},
        counts={"trap.metastasis_first": 1},
    ),
    Rule(
        "public_drugs",
        "Drugs outside the GHS are told by the stay in public hospitals, on the day of entry + delay; a line that was not "
        "given (0 or less) is none, one without a quantity counts for one; early access (MEDATU) is told likewise. A UCD on 13 "
        "characters, with 34008 or the older 7 says the same.",
        "SNDS documentation (médicaments de la liste en sus)",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 10032021",
            "T_MCO21MED": """STAY | UCD_UCD_COD | UCD_COD | DELAI | ADM_NBR
1 | 0000009261110 |         | 1 | 0,5
1 | 3400892611107 |         | 2 | 1
1 |               | 9261110 | 3 | 2
1 | 0000009261110 |         | 4 | 0
1 | 0000009261110 |         | 5 | -1
1 | 0000009261110 |         | 7 |""",
            "T_MCO21MEDATU": "STAY | UCD_UCD_COD | DAT_DELAI | ADM_NBR | SEJ_NBR\n1 | 9261110 | 6 | 6 | 3",
        },
        """A-1 | targeted_therapy | 2021-03-02 | T_MCOaaMED | 1
A-1 | targeted_therapy | 2021-03-03 | T_MCOaaMED | 1
A-1 | targeted_therapy | 2021-03-04 | T_MCOaaMED | 2
A-1 | targeted_therapy | 2021-03-07 | T_MCOaaMEDATU | 2
A-1 | targeted_therapy | 2021-03-08 | T_MCOaaMED | 1""",
        ("patient_id", "activity", "start", "source", "quantity"),
        traps=("drugs_told_twice", "ucd_forms"),
        counts={"trap.drugs_told_twice": 2},
    ),
    Rule(
        "shared_drug_lines",
        "A line that several stays repeat (NBR_SEJ) is divided among them: 6 units for 3 sessions are 2 a session.",
        "SNDS documentation (médicaments de la liste en sus); rounding up to whole units is this package's",
        {
            "T_MCO21B": "STAY | GRG_GHM | DGN_PAL | DGN_REL\n1 | 28Z07Z | Z511 | C509\n2 | 28Z07Z | Z511 | C509\n3 | 28Z07Z | Z511 | C509",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 01032021
2 | A | 22032021 | 22032021
3 | A | 12042021 | 12042021""",
            "T_MCO21MED": """STAY | UCD_UCD_COD | ADM_NBR | NBR_SEJ
1 | 0000009261110 | 6 | 3
2 | 0000009261110 | 6 | 3
3 | 0000009261110 | 6 | 3""",
        },
        """A-1 | chemotherapy_session | 2021-03-01 | 1
A-1 | chemotherapy_session | 2021-03-22 | 1
A-1 | chemotherapy_session | 2021-04-12 | 1
A-1 | targeted_therapy | 2021-03-01 | 2
A-1 | targeted_therapy | 2021-03-22 | 2
A-1 | targeted_therapy | 2021-04-12 | 2""",
        ("patient_id", "activity", "start", "quantity"),
        traps=("drugs_told_twice",),
    ),
    Rule(
        "drugs_of_undated_stays",
        "The drug of a stay without dates is dated by the month when it was given.",
        "Public SNDS schema of 2020 (DAT_ADM_ANN, ADM_MOIS)",
        {
            "T_MCO21B": "STAY | SOR_MOI\n1 | 6",
            "T_MCO21C": "STAY | NIR_ANO_17\n1 | A",
            "T_MCO21MED": "STAY | UCD_UCD_COD | DELAI | DAT_ADM_ANN | ADM_MOIS\n1 | 0000009261110 | 12 | 2021 | 5",
        },
        "A-1 | targeted_therapy | 2021-05-01 | month",
        ("patient_id", "activity", "start", "date_precision"),
        traps=("drugs_told_twice", "month_only"),
        counts={"trap.month_only": 1},
    ),
    Rule(
        "private_drugs",
        "Private hospitals tell a drug in T_MCOaaFH and in ER_UCD_F: the claim comes first, the stay's line is not read.",
        "SNDS documentation (médicaments de la liste en sus)",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 10032021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEHJ001",
            "T_MCO21FH": "STAY | UCD_UCD_COD | COD_UCD | DEL_DAT_ENT | QUA_COD\n1 | | 9261110 | 4 | 2",
        },
        "A-1 | breast_biopsy | 2021-03-01",
        traps=("drugs_told_twice",),
        practice={"private_drugs": "dcir"},
        counts={"trap.drugs_told_twice": 1},
    ),
    Rule(
        "private_drugs_of_stays",
        "Or the stay comes first, and its line is the event.",
        "SNDS documentation (médicaments de la liste en sus): one source a sector and mode, either",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 10032021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEHJ001",
            "T_MCO21FH": "STAY | UCD_UCD_COD | COD_UCD | DEL_DAT_ENT | QUA_COD\n1 | | 9261110 | 4 | 2",
        },
        "A-1 | breast_biopsy | 2021-03-01\nA-1 | targeted_therapy | 2021-03-05",
        traps=("drugs_told_twice",),
        practice={"private_drugs": "pmsi"},
        counts={"trap.drugs_told_twice": 1},
    ),
    Rule(
        "retrocession",
        "Drugs that a hospital hands out are told by ER_UCD_F and T_MCOaaFHSTC: the claim comes first.",
        "SNDS documentation (médicaments de la liste en sus)",
        {
            "T_MCO21CSTC": "VISIT | NIR_ANO_17 | EXE_SOI_DTD\n1 | A | 2021-03-01",
            "T_MCO21FMSTC": "VISIT | CCAM_COD\n1 | QEHJ001",
            "T_MCO21FHSTC": "VISIT | UCD_UCD_COD\n1 | 0000009261110",
        },
        "A-1 | breast_biopsy | 2021-03-01",
        traps=("drugs_told_twice",),
        practice={"retrocession": "dcir"},
        counts={"trap.drugs_told_twice": 1},
    ),
    Rule(
        "retrocession_of_visits",
        "Or the visit comes first; what is taken back is not given.",
        "SNDS documentation (médicaments de la liste en sus): one source a sector and mode, either",
        {
            "T_MCO21CSTC": "VISIT | NIR_ANO_17 | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | A | 2021-04-01",
            "T_MCO21FMSTC": "VISIT | CCAM_COD\n1 | QEHJ001",
            "T_MCO21FHSTC": "VISIT | UCD_UCD_COD | QUA\n1 | 0000009261110 | 1\n2 | 0000009261110 | -1",
        },
        "A-1 | breast_biopsy | 2021-03-01\nA-1 | targeted_therapy | 2021-03-01",
        traps=("drugs_told_twice",),
        practice={"retrocession": "pmsi"},
        counts={"trap.drugs_told_twice": 2},
    ),
    Rule(
        "external_care",
        "External care is a visit on its date and delay: acts (CCAM), consultations (NGAP, by the specialty that performs "
        "them), biology (NABM, its zeros off; none where the quantity is 0 or less); a visit without a date has the month of its bill.",
        "Public SNDS schema of 2020 (T_MCOaaCSTC and its tables)",
        {
            "T_MCO21CSTC": "VISIT | NIR_ANO_17 | ENT_DAT\n1 | A | 01032021\n2 | A |",
            "T_MCO21FASTC": "VISIT | SOR_ANN | SOR_MOI\n1 | 2021 | 3\n2 | 2021 | 6",
            "T_MCO21FMSTC": "VISIT | CCAM_COD | DEL_DAT_ENT | ACV_ACT\n1 | QEHJ001 | 2 | 1\n1 | QEFA019 | 2 | 4\n2 | QEQK001 | 0 | 1",
            "T_MCO21FCSTC": "VISIT | ACT_COD | EXE_SPE\n1 | CS | 73\n1 | CS | 16",
            "T_MCO21FLSTC": "VISIT | NABM_COD | DEL_DAT_ENT | ACT_NBR\n1 | 00007321 | 0 | 1\n1 | 7321 | 1 | 0\n1 | 7321 | 2 | -1",
        },
        """A-1 | breast_biopsy | 2021-03-03 | T_MCOaaFMSTC | day
A-1 | mammography | 2021-06-01 | T_MCOaaFMSTC | month
A-1 | oncology_consultation | 2021-03-01 | T_MCOaaFCSTC | day
A-1 | tumour_marker | 2021-03-01 | T_MCOaaFLSTC | day""",
        ("patient_id", "activity", "start", "source", "date_precision"),
    ),
    Rule(
        "private_acts",
        "Acts that private hospitals bill (T_MCOaaFM) and the stay's (T_MCOaaA) are one act; without a delay (before "
        "2013) the bill's is not read.",
        "Public SNDS schema of 2020",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 04032021",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL\n1 | QEFA004 | 1",
            "T_MCO21FM": "STAY | CCAM_COD | DEL_DAT_ENT\n1 | QEFA004 | 1\n1 | QEFA008-01 | 1\n1 | QEFA019 |",
        },
        "A-1 | breast_conserving_surgery | 2021-03-02",
    ),
    Rule(
        "rehabilitation_weeks",
        "Rehabilitation is told by weeks: an act is dated by the Monday of its week, a stay for the disease by that of its "
        "first week; weeks grouped in error (GME, or CMC until 2013, that begins with 90) are left out.",
        "SNDS documentation (fiche SSR): RHS_ANT_SEJ_ENT counts the days from entry to the Monday of the week",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01022021 | 02022021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA019",
            "T_SSR21B": """REHAB | RHS_NUM | MOR_PRP | RHS_ANT_SEJ_ENT | GRG_GME | GRG_CMC
1 | 1 | C509 | 0  | 0803A0 |
1 | 2 | C509 | 4  | 0803A0 |
1 | 3 | C509 | 11 | 0803A0 |
2 | 1 | I10  | 0  | 0803A0 |
2 | 2 | C509 | 4  | 9003A0 |
3 | 1 | I10  | 0  | 0803A0 |
3 | 2 | I10  | 5  | 0803A0 |
4 | 1 | C509 | 0  |        | 90""",
            "T_SSR21C": """REHAB | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 04032021 | 20032021
2 | A | 06052021 | 20052021
3 | A | 02062021 | 20062021
4 | A | 05072021 | 10072021""",
            "T_SSR21CCAM": "REHAB | RHS_NUM | CCAM_ACT\n3 | 2 | ZCQJ004\n3 | 1 | QEQM001",
        },
        """A-1 | breast_ultrasound | 2021-05-31 | week
A-1 | hospital_stay | 2021-03-01 | week
A-1 | mastectomy | 2021-02-01 | day""",
        ("patient_id", "activity", "start", "date_precision"),
        traps=("grouping_error",),
        counts={"trap.grouping_error": 2},
    ),
    Rule(
        "home_care_sequences",
        "Home care is told by sub-sequences: one event a sequence, on its first day, for its main or associated mode of "
        "care (04 palliative); an act is dated from its sub-sequence. Ambulatory psychiatry (R3A) has no person and is not read.",
        "Public SNDS schema of 2020; SNDS documentation (fiche HAD)",
        {
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01022021 | 02022021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA019",
            "T_HAD21B": """HOME | SEQ_NUM | SSEQ_NUM | PEC_PAL | PEC_ASS | DGN_PAL | SEQ_SEJ_NBJ | SSEQ_SEQ_NBJ
1 | 1 | 1 | 09 | 00 | C509 | 0  | 0
1 | 2 | 1 | 04 | 00 | C509 | 10 | 0
1 | 2 | 2 | 04 | 00 | C509 | 10 | 7
2 | 1 | 1 | 09 | 00 | C509 | 0  | 0
3 | 1 | 1 | 09 | 04 | C509 | 0  | 0""",
            "T_HAD21C": """HOME | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 25032021
2 | A | 01062021 | 05062021
3 | A | 01072021 | 05072021""",
            "T_HAD21A": "HOME | SEQ_NUM | SSEQ_NUM | CCAM_COD | DEL_DEB_SSEQ\n1 | 2 | 2 | QEQM001 | 1",
            "T_RIP21R3A": "DGN_PAL\nC509\nF329",
        },
        """A-1 | breast_ultrasound | 2021-03-19
A-1 | hospital_stay | 2021-06-01
A-1 | mastectomy | 2021-02-01
A-1 | palliative_care | 2021-03-11
A-1 | palliative_care | 2021-07-01""",
        traps=("unchained_psychiatry",),
        counts={"trap.unchained_psychiatry": 3},
    ),
    Rule(
        "psychiatric_stays",
        "A psychiatric stay that tells the disease in any position is a hospital stay, and opens the cohort.",
        "Public SNDS schema of 2020 (T_RIPaaRSA, T_RIPaaRSAD)",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | E11",
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01022021 | 02022021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA019",
            "T_RIP21RSA": "PSY | SEQ_SEQ_NUM\n1 | 1\n1 | 2\n2 | 1",
            "T_RIP21RSAD": "PSY | ASS_DGN\n1 | C50.9",
            "T_RIP21C": "PSY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 25032021\n2 | A | 01052021 | 05052021",
        },
        "A-1 | hospital_stay | 2021-03-01\nA-1 | mastectomy | 2021-02-01",
        traps=("unchained_psychiatry",),
        counts={"trap.unchained_psychiatry": 0},
    ),
    Rule(
        "cumulative_file",
        "A file of the year under way is cumulative and not final: beside the whole year, or a later month, it is not read, and "
        "its rows are counted.",
        "IQVIA and ATIH slides on infra-annual PMSI, as gathered in the reference",
        {
            "T_MCO21_03B": "STAY\n1\n3",
            "T_MCO21_03C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 02032021\n3 | A | 08032021 | 09032021",
            "T_MCO21B": "STAY\n1\n2",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 02032021\n2 | A | 01062021 | 02062021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01\nA-1 | breast_conserving_surgery | 2021-06-01",
        traps=("freshness",),
        counts={"trap.freshness": 4, "stays_read": 2},
    ),
)
