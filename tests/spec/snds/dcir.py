"""Claims: which lines of DCIR count, and for what."""

from __future__ import annotations

from tests.spec.snds.writing import KEY, Rule

DEFAULTS: dict[str, dict[str, str]] = {
    "ER_PRS_F": {**KEY, "BEN_RNG_GEM": "1", "PRS_NAT_REF": "1352", "PRS_ACT_QTE": "1", "PSE_SPE_COD": "6", "DPN_QLF": "0",
                 "PRS_DPN_QLP": "", "CPL_MAJ_TOP": "0", "CPL_AFF_COD": "0", "BSE_PRS_NAT": "1", "BEN_RES_DPT": "075",
                 "BEN_AMA_COD": "61"},
    "ER_CAM_F": {**KEY, "CAM_ACT_COD": "1"},
    "ER_PHA_F": {**KEY, "PHA_PRS_IDE": "", "PHA_ACT_QSN": "1"},
    "ER_BIO_F": {**KEY, "BIO_ACT_QSN": "1"},
    "ER_UCD_F": {**KEY, "UCD_DLV_NBR": "1", "UCD_TOP_UCD": "0"},
    "ER_ETE_F": {**KEY, "ETE_IND_TAA": "0"},
    "NS_PRS_F": {"PRS_NAT_REF": "1352", "PRS_ACT_QTE": "1", "PSE_SPE_COD": "6", "DPN_QLF": "0", "BEN_RES_DPT": "075",
                 "ETB_EXE_FIN": "", "ETE_IND_TAA": "0", "BEN_AMA_COD": "61", "FLX_DIS_DTD": "2021-06-01"},
    "NS_CAM_F": {"CAM_ACT_COD": "1", "CAM_ACT_QSN": "1", "FLX_DIS_DTD": "2021-06-01"},
    "NS_PHA_F": {"PHA_PRS_IDE": "", "PHA_ACT_QSC": "1", "FLX_DIS_DTD": "2021-06-01"},
}  # fmt: skip
DEFAULTS |= {f"{name}_2020": DEFAULTS[name] for name in ("ER_PRS_F", "ER_CAM_F")}
"""What a column holds when a spec does not write it."""

HOSPITAL_DRUGS = {
    1: ("3320", "1"), 2: ("3320", ""), 3: ("3336", ""), 4: ("3317", "0"), 5: ("3317", ""), 6: ("3318", ""),
    7: ("3319", ""), 8: ("3351", ""), 9: ("3352", ""), 10: ("3353", ""), 11: ("3354", ""), 12: ("3356", ""),
    13: ("3357", ""),
}  # fmt: skip
"""Day → PRS_NAT_REF and UCD_TOP_UCD: the first three beside a private stay, the others handed out."""

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
        counts={"trap.regularisation": 2},
    ),
    Rule(
        "corrected_line",
        "A line corrected in a later flux has its new quantity and facility, and is known as such from that flux. A line "
        "without a quantity counts for one.",
        "SNDS documentation (régularisations)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD
1 | A | 2021-03-01 | 2021-04-01
2 | A | 2021-03-01 | 2021-10-01
3 | A | 2021-03-05 | 2021-04-01
4 | A | 2021-03-08 | 2021-04-01
5 | A | 2021-03-08 | 2021-10-01
6 | A | 2021-03-09 | 2021-04-01""",
            "ER_PHA_F": """LINE | PHA_PRS_C13 | PHA_ACT_QSN | FLX_DIS_DTD
1 | 3400932059324 | 1 | 2021-04-01
2 | 3400932059324 | 2 | 2021-10-01
3 | 3400932059324 | 1 | 2021-04-01
4 | 3400932059324 | 3 | 2021-04-01
5 | 3400932059324 | -1 | 2021-10-01
6 | 3400932059324 |   | 2021-04-01""",
            "ER_ETE_F": """LINE | ETB_EXE_FIN | FLX_DIS_DTD
1 | 13000000 | 2021-04-01
2 | 75000000 | 2021-10-01
3 | 13000000 | 2021-04-01
4 | 13000000 | 2021-04-01
5 | 75000000 | 2021-10-01
6 | 13000000 | 2021-04-01""",
        },
        """A-1 | 2021-03-01 | 90 | 75000000 | 2021-10-01
A-1 | 2021-03-05 | 30 | 13000000 | 2021-04-01
A-1 | 2021-03-08 | 60 | 13000000 | 2021-10-01
A-1 | 2021-03-09 | 1 | 13000000 | 2021-04-01""",
        ("patient_id", "start", "quantity", "facility", "known_from"),
        traps=("regularisation",),
    ),
    Rule(
        "information_only",
        "Lines sent for information (DPN_QLF 71 or 72, PRS_DPN_QLP 71) are no care; an empty value is not 71.",
        "SNDS documentation (dépenses pour information)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | DPN_QLF | PRS_DPN_QLP
1 | A | 2021-03-01 | 71 |
2 | A | 2021-03-02 |    | 71
3 | A | 2021-03-03 |    |
4 | A | 2021-03-04 | 0  | 0
5 | A | 2021-03-05 | 72 | 0""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEFA004\n5 | QEFA004",
        },
        "A-1 | breast_biopsy | 2021-03-03\nA-1 | breast_conserving_surgery | 2021-03-04",
        traps=("information_line",),
        counts={"trap.information_line": 3, "lines_read": 5},
    ),
    Rule(
        "majoration_and_complement",
        "Majoration lines (CPL_MAJ_TOP = 2), CPL_AFF_COD = 16 and BSE_PRS_NAT = 0 are no care; an empty value is none of these.",
        "SNDS documentation (filtres de ER_PRS_F)",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | CPL_MAJ_TOP | CPL_AFF_COD | BSE_PRS_NAT
1 | A | 2021-03-01 | 2 | 0  | 1
2 | A | 2021-03-02 | 0 | 16 | 1
3 | A | 2021-03-03 | 0 | 0  | 0
4 | A | 2021-03-04 | 1 | 0  | 1
5 | A | 2021-03-05 |   |    |  """,
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001\n5 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-04\nA-1 | breast_biopsy | 2021-03-05",
        traps=("majoration",),
        counts={"trap.majoration": 3},
    ),
    Rule(
        "public_stay_leaking",
        "A public stay that leaks into DCIR (ETE_IND_TAA = 1, FIDES) is left to the PMSI; an empty value, or no row of "
        "ER_ETE_F, is no leak.",
        "SNDS documentation: 35 % of public activity was billed through FIDES in 2019",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-08
3 | A | 2021-03-09
4 | A | 2021-03-10""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001",
            "ER_ETE_F": "LINE | ETB_EXE_FIN | ETE_IND_TAA\n1 | 75000000 | 1\n2 | 75000000 | 0\n3 | 75000000 |",
        },
        "A-1 | breast_biopsy | 2021-03-08\nA-1 | breast_biopsy | 2021-03-09\nA-1 | breast_biopsy | 2021-03-10",
        traps=("public_leak",),
        counts={"trap.public_leak": 1},
    ),
    Rule(
        "public_stay_leaking_kept",
        "Where practice keeps them, leaks are events, and counted all the same.",
        "SNDS documentation",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004",
            "ER_ETE_F": "LINE | ETB_EXE_FIN | ETE_IND_TAA\n1 | 75000000 | 1",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01",
        traps=("public_leak",),
        practice={"public_leaks": "keep"},
        counts={"trap.public_leak": 1},
    ),
    Rule(
        "several_facilities_of_a_line",
        "A line with several rows of ER_ETE_F is one line: it leaks only if ETE_IND_TAA is 1 in every one of them, and its "
        "facility is the first by number of the others, whatever their order.",
        "The published filter on the joined rows keeps a line as soon as one of its rows is not 1; the facility is this "
        "package's choice",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | A | 2021-03-08",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004\n2 | QEHJ001",
            "ER_ETE_F": """LINE | ETB_EXE_FIN | ETE_IND_TAA
1 | 13000000 | 1
1 | 92000000 |
1 | 75000000 | 0
2 | 13000000 | 1
2 | 75000000 | 1""",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01 | 75000000",
        ("patient_id", "activity", "start", "facility"),
        traps=("public_leak",),
        counts={"trap.public_leak": 1},
    ),
    Rule(
        "fraction_lines",
        "Several claim lines of one radiotherapy fraction (ZZNL, YYYY) are one session; what is counted is lines beyond the first "
        "of a day, corrections aside.",
        "INCa cancer algorithm: radiotherapy of private centres is in DCIR only",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_ACT_QTE
1 | A | 2021-03-02 | 1
2 | A | 2021-03-02 | 1
3 | A | 2021-03-03 | 2
4 | A | 2021-03-03 | -1""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | YYYY045\n2 | ZZNL050\n3 | YYYY045\n4 | YYYY045",
        },
        "A-1 | radiotherapy_session | 2021-03-02\nA-1 | radiotherapy_session | 2021-03-03",
        traps=("private_radiotherapy",),
        counts={"trap.private_radiotherapy": 1},
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
        counts={"trap.null_date": 2},
    ),
    Rule(
        "medicine_codes",
        "A UCD is the same on 13 characters (zeros first), 7, or 34008, the 7 and perhaps a key; a CIP13 gives its molecule and "
        "its tablets.",
        "NU_UCD_R, IR_PHA_R: formats of UCD and CIP",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03
4 | A | 2021-03-04
5 | A | 2021-03-05""",
            "ER_UCD_F": "LINE | UCD_UCD_COD\n1 | 0000009220097\n2 | 9220097\n3 | 340089220097\n5 | 3400892200975",
            "ER_PHA_F": "LINE | PHA_PRS_C13 | PHA_ACT_QSN\n4 | 3400932059324 | 2",
        },
        """A-1 | endocrine_therapy_dispensing | 2021-03-04 | 60
A-1 | targeted_therapy | 2021-03-01 | 1
A-1 | targeted_therapy | 2021-03-02 | 1
A-1 | targeted_therapy | 2021-03-03 | 1
A-1 | targeted_therapy | 2021-03-05 | 1""",
        ("patient_id", "activity", "start", "quantity"),
        traps=("ucd_forms",),
        counts={"trap.ucd_forms": 3},
    ),
    Rule(
        "cip_of_seven_digits",
        "A box of 2006 or 2007 has a CIP of seven digits (PHA_PRS_IDE) and no CIP13: the molecule is the same.",
        "IR_PHA_R: both codes of a box",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2007-03-01\n2 | A | 2021-03-01",
            "ER_PHA_F": """LINE | PHA_PRS_C13 | PHA_PRS_IDE | PHA_ACT_QSN
1 |               | 3205932 | 2
2 | 3400932059324 | 3205932 | 1""",
        },
        "A-1 | 2007-03-01 | CIP7 | 60\nA-1 | 2021-03-01 | CIP13 | 30",
        ("patient_id", "start", "code_system", "quantity"),
        traps=("cip_lengths",),
        counts={"trap.cip_lengths": 1},
    ),
    Rule(
        "biology",
        "An act of biology is known by its NABM code; BIO_ACT_QSN is signed, as the quantity of the line.",
        "Public SNDS table schema: ER_BIO_F",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-08
3 | A | 2021-03-08
4 | A | 2021-03-09""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n4 | QEHJ001",
            "ER_BIO_F": "LINE | BIO_PRS_IDE | BIO_ACT_QSN\n1 | 7321 | 1\n2 | 7321 | 1\n3 | 7321 | -1",
        },
        "A-1 | tumour_marker | 2021-03-01 | NABM | 7321\nA-1 | breast_biopsy | 2021-03-09 | CCAM | QEHJ001",
        ("patient_id", "activity", "start", "code_system", "code"),
    ),
    *(
        Rule(
            f"hospital_drugs_{switch}_by_{source}",
            f"Drugs of hospitals in ER_UCD_F, with {switch} = {source}: UCD_TOP_UCD 1 is a drug beside a private stay, 0 one "
            "handed out; where it is empty, PRS_NAT_REF 3320 and 3336 are the former; 3317 to 3319, 3351 to 3354, 3356 and 3357 "
            "the latter. What is left to the PMSI is no event here.",
            "SNDS documentation (médicaments de la liste en sus); IR_NAT_V",
            {
                "ER_PRS_F": "\n".join(
                    [
                        "LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_NAT_REF",
                        *(
                            f"{day} | A | 2021-03-{day:02} | {nature}"
                            for day, (nature, _) in HOSPITAL_DRUGS.items()
                        ),
                    ]
                ),
                "ER_UCD_F": "\n".join(
                    [
                        "LINE | UCD_UCD_COD | UCD_TOP_UCD",
                        *(f"{day} | 9220097 | {mark}" for day, (_, mark) in HOSPITAL_DRUGS.items()),
                    ]
                ),
            },
            "\n".join(f"A-1 | targeted_therapy | 2021-03-{day:02}" for day in days),
            traps=("drugs_told_twice",),
            practice={switch: source},
            counts={"trap.drugs_told_twice": len(HOSPITAL_DRUGS) - len(days)},
        )
        for switch, source, days in (
            ("private_drugs", "dcir", tuple(HOSPITAL_DRUGS)),
            ("private_drugs", "pmsi", tuple(day for day in HOSPITAL_DRUGS if day > 3)),
            ("retrocession", "pmsi", (1, 2, 3)),
        )
    ),
    Rule(
        "facility_key",
        "A FINESS number on nine digits whose last one is not its key is counted; the number is kept, and read on its first "
        "eight characters.",
        "SNDS documentation: a key as last digit; that it is Luhn's is recalled",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | A | 2021-03-02\n3 | A | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
            "ER_ETE_F": "LINE | ETB_EXE_FIN\n1 | 750712184\n2 | 750712185\n3 | 75071218",
            "T_MCO21B": "STAY | ETA_NUM\n1 | 750712184\n2 | 750712186",
            "T_MCO21C": "STAY | ETA_NUM | NIR_ANO_17\n1 | 750712184 | nobody\n2 | 750712186 | nobody",
        },
        "A-1 | 2021-03-01\nA-1 | 2021-03-02\nA-1 | 2021-03-03",
        ("patient_id", "start"),
        traps=("facility_numbers",),
        counts={"facilities_wrong_key": 2},
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
        counts={"trap.flux_month": 0},
    ),
    Rule(
        "late_flux",
        "Care that arrives more than six months late is read and counted, and so is a line that does not say when it "
        "arrived.",
        "SNDS documentation: 98 to 99 % of care arrives within six months, the last within twenty-seven",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_NAT_REF | PSE_SPE_COD | FLX_DIS_DTD
1 | A | 2021-03-31 | 1111 | 73 | 2021-09-01
2 | A | 2021-03-30 | 1111 | 73 | 2021-10-01
3 | A | 2021-03-29 | 1111 | 73 |
4 | A | 2021-03-28 | 1352 | 6  | 2021-04-01""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE | FLX_DIS_DTD\n4 | QEHJ001 | 2021-04-01",
        },
        "A-1 | 2021-03-28\nA-1 | 2021-03-29\nA-1 | 2021-03-30\nA-1 | 2021-03-31",
        ("patient_id", "start"),
        traps=("flux_month",),
        counts={"trap.flux_month": 1, "lines_without_flux": 1},
    ),
    Rule(
        "archived_december",
        "The lines of December of an archived year have 1 January of the next as their flux: they are read once, with the "
        "archived affinée tables.",
        "SNDS documentation (tables archivées)",
        {
            "ER_PRS_F_2020": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD
1 | A | 2020-11-03 | 2020-12-01
2 | A | 2020-12-15 | 2021-01-01""",
            "ER_CAM_F_2020": """LINE | CAM_PRS_IDE | FLX_DIS_DTD
1 | QEHJ001 | 2020-12-01
2 | QEFA004 | 2021-01-01""",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD\n1 | A | 2021-01-20 | 2021-02-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE | FLX_DIS_DTD\n1 | YYYY045 | 2021-02-01",
        },
        """A-1 | breast_biopsy | 2020-11-03
A-1 | breast_conserving_surgery | 2020-12-15
A-1 | radiotherapy_session | 2021-01-20""",
        traps=("flux_month",),
    ),
    Rule(
        "simplified_dcir",
        "DCIRS is read by the same rules: one key (CLE_DCI_JNT), the person by BEN_IDT_ANO (known to IR_BEN_R or to IR_IBA_R "
        "only), the facility and its indicator on the line, boxes in PHA_ACT_QSC, complements summed into their act.",
        "Public SNDS table schema: DCIRS",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO\na | A",
            "IR_IBA_R": "BEN_IDT_ANO\nA\nB",
            "IR_IMB_R": "BEN_NIR_PSA\na",
            "NS_PRS_F": """CLE_DCI_JNT | BEN_IDT_ANO | EXE_SOI_DTD | DPN_QLF | ETB_EXE_FIN | ETE_IND_TAA
1 | A | 2021-03-01 | 0  | 75000000 | 0
2 | A | 2021-03-02 | 71 | 75000000 | 0
3 | A | 2021-03-03 | 0  | 75000000 | 1
4 | A | 2021-03-04 | 0  | 13000000 |
5 | B | 2021-03-05 | 0  |          |""",
            "NS_CAM_F": "CLE_DCI_JNT | CAM_PRS_IDE\n1 | QEFA004\n2 | QEHJ001\n3 | QEHJ001\n5 | QEHJ001",
            "NS_PHA_F": "CLE_DCI_JNT | PHA_PRS_C13 | PHA_ACT_QSC\n4 | 3400932059324 | 2",
        },
        """A | breast_conserving_surgery | 2021-03-01 | 75000000 | 1
A | endocrine_therapy_dispensing | 2021-03-04 | 13000000 | 60""",
        ("patient_id", "activity", "start", "facility", "quantity"),
        traps=("public_leak", "information_line"),
        counts={"trap.public_leak": 1, "trap.information_line": 1, "lines_unknown_person": 0, "persons": 2},
    ),
)
