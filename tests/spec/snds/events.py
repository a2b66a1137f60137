"""Events and cohorts: what is made of the rows of a whole person."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {
}  # fmt: skip
"""What a column holds when a spec does not write it."""

RULES: tuple[Rule, ...] = (
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
        traps=("without_ald",),
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
        traps=("death_sources",),
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
