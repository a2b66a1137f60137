"""Code lists: one molecule whatever its box and vintage, acts that are misread, codes that can't exist."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {}

RULES: tuple[Rule, ...] = (
    Rule(
        "atc_of_either_vintage",
        "The definition names molecules by the ATC of 2021 (trastuzumab L01FD01, lapatinib L01EH01); the tables of 2017 "
        "know them as L01XC03 and L01XE07. One molecule, one activity; a definition may name either.",
        "WHO ATC, as recalled in the code list; IR_PHA_R of 2017, UCD of 2019",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03""",
            "ER_UCD_F": "LINE | UCD_UCD_COD\n1 | 0000009220097\n3 | 0000009999999",
            "ER_PHA_F": "LINE | PHA_PRS_C13\n2 | 3400938379457",
        },
        """A-1 | targeted_therapy | 2021-03-01
A-1 | oral_anticancer_dispensing | 2021-03-02""",
        traps=("atc_vintages",),
        counts={"trap.atc_vintages": 7},
    ),
    Rule(
        "misread_breast_acts",
        "YYYY600 archives an image and is no mammogram, ZBQJ001 and ZBQN001 are MRI of the thorax and no breast MRI, "
        "FCFA021 takes a limb node and is no axillary surgery: none is an event, in a claim, a stay or a visit.",
        "CCAM labels, catalogue of 2025",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03
4 | A | 2021-03-04
5 | A | 2021-03-05
6 | A | 2021-03-06""",
            "T_MCO21B": "STAY | DGN_PAL\n1 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 07032021 | 09032021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | FCFA021\n1 | FCFA029",
            "T_MCO21CSTC": "VISIT | NIR_ANO_17 | EXE_SOI_DTD\n1 | A | 2021-03-08",
            "T_MCO21FMSTC": "VISIT | CCAM_COD\n1 | ZBQN001",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | YYYY600\n2 | ZBQJ001\n3 | ZBQN001\n4 | FCFA021\n5 | QEQN001\n6 | QEHJ001",
        },
        "A-1 | breast_mri | 2021-03-05\nA-1 | breast_biopsy | 2021-03-06\nA-1 | axillary_surgery | 2021-03-07",
        traps=("misread_acts",),
        counts={"trap.misread_acts": 6, "misread_codes": 0},
    ),
    Rule(
        "misread_prostate_acts",
        "Resections of the prostate by the urethra (JGFA015, JGFE023, JGFE365, and the palliative JGFA014) are no "
        "prostatectomy.",
        "CCAM labels, catalogue of 2025",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nA | C61",
            "IR_BEN_R": "BEN_NIR_PSA | BEN_SEX_COD\nA | 1",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03
4 | A | 2021-03-04
5 | A | 2021-03-05""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | JGFA015\n2 | JGFE023\n3 | JGFE365\n4 | JGFA014\n5 | JGFA006",
        },
        "A-1 | radical_prostatectomy | 2021-03-05",
        traps=("misread_acts",),
        counts={"trap.misread_acts": 4},
        pathway="prostate_cancer",
    ),
    Rule(
        "codes_with_a_typo",
        "Published lists hold QEF005 for QEFA005 and ZZNL02 for ZZNL020: a definition that says so is refused, since the "
        "code would find nothing. A row with such a code is no event.",
        "comparison of published lists",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-02
3 | A | 2021-03-03""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA005\n2 | QEF005\n3 | ZZNL02",
        },
        "A-1 | mastectomy | 2021-03-01",
        traps=("code_typos",),
        counts={"trap.code_typos": 0},
    ),
)
