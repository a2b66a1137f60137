"""Claims: which lines of DCIR count, and for what."""

from __future__ import annotations

from tests.spec.snds.writing import KEY, Rule

DEFAULTS: dict[str, dict[str, str]] = {
    "ER_PRS_F": {**KEY, "BEN_RNG_GEM": "1", "PRS_NAT_REF": "1352", "PRS_ACT_QTE": "1", "PSE_SPE_COD": "6", "DPN_QLF": "0",
                 "PRS_DPN_QLP": "", "CPL_MAJ_TOP": "0", "CPL_AFF_COD": "0", "BSE_PRS_NAT": "1"},
    "ER_CAM_F": {**KEY, "CAM_ACT_COD": "1"},
    "ER_PHA_F": {**KEY, "PHA_ACT_QSN": "1"},
    "ER_UCD_F": {**KEY, "UCD_DLV_NBR": "1"},
    "ER_ETE_F": {**KEY, "ETE_IND_TAA": "0"},
}  # fmt: skip
"""What a column holds when a spec does not write it."""

RULES: tuple[Rule, ...] = (
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
        traps=("regularisation",),
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
        traps=("regularisation",),
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
        traps=("information_line",),
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
        traps=("majoration",),
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
        traps=("public_leak",),
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
        traps=("private_radiotherapy",),
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
        traps=("null_date",),
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
        traps=("ucd_forms",),
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
        "care_date",
        "An event is dated by the care, not by the flux, and is known from its flux.",
        "SNDS documentation: FLX_DIS_DTD is the month of arrival",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD\n1 | A | 2021-03-01 | 2021-09-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE | FLX_DIS_DTD\n1 | QEHJ001 | 2021-09-01",
        },
        "A-1 | breast_biopsy | 2021-03-01 | 2021-09-01",
        ("patient_id", "activity", "start", "known_from"),
        traps=("flux_month",),
    ),
)
