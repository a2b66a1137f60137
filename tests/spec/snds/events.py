"""Events and cohorts: what is made of the rows of a whole person."""

from __future__ import annotations

from datetime import date

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {"deprivation": {}}
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
    Rule(
        "same_day_duplicates",
        "Several claim lines of one private radiotherapy fraction are one session; lines of two days are two.",
        "INCa cancer algorithm; private centres report radiotherapy in DCIR only",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-02
2 | A | 2021-03-02
3 | A | 2021-03-03
4 | A | 2021-03-03""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | ZZNL048\n2 | ZZNL050\n3 | ZZNL048\n4 | ZZNL048",
        },
        "A-1 | radiotherapy_session | 2021-03-02 | 2\nA-1 | radiotherapy_session | 2021-03-03 | 2",
        ("patient_id", "activity", "start", "quantity"),
        traps=("private_radiotherapy",),
        counts={"trap.private_radiotherapy": 2},
    ),
    Rule(
        "sessions_weighted",
        "With `grouped_sessions = weighted` a row of several sessions is one event at entry, with their number; the "
        "sessions share the week, or the month, of the stay.",
        "ATIH counting of sessions (NBR_SEA); one event a session is the default, since delays are counted between them",
        {
            "T_MCO21B": "STAY | GRG_GHM | NBR_SEA | DGN_PAL | DGN_REL\n1 | 28Z07Z | 3 | Z511 | C509\n2 | 28Z07Z | 1 | Z511 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 15032021\n2 | A | 01042021 | 01042021",
        },
        "A-1 | chemotherapy_session | 2021-03-01 | month | 3\nA-1 | chemotherapy_session | 2021-04-01 | day | 1",
        ("patient_id", "activity", "start", "date_precision", "quantity"),
        traps=("grouped_sessions",),
        practice={"grouped_sessions": "weighted"},
        counts={"trap.grouped_sessions": 3},
    ),
    Rule(
        "positive_lines",
        "With `regularisations = positive_lines` negative lines are dropped and not summed: the cancelled original stays.",
        "sndsTools (R) filters so; netting is the default, since this keeps care that did not take place",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | FLX_DIS_DTD | PRS_ACT_QTE
1 | A | 2021-03-02 | 2021-04-01 | 1
2 | A | 2021-03-02 | 2021-07-01 | -1""",
            "ER_CAM_F": "LINE | FLX_DIS_DTD | CAM_PRS_IDE\n1 | 2021-04-01 | QEHJ001\n2 | 2021-07-01 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-02 | 2021-04-01",
        ("patient_id", "activity", "start", "known_from"),
        traps=("regularisation",),
        practice={"regularisations": "positive_lines"},
        counts={"trap.regularisation": 1},
    ),
    Rule(
        "molecules_unknown",
        "A chemotherapy session without any drug told that day or in that stay: its molecules are inside the GHS. "
        "It is an event all the same, and no regimen is made up.",
        "SNDS documentation (liste en sus): generic molecules are paid by the GHS",
        {
            "T_MCO21B": """STAY | GRG_GHM | DGN_PAL | DGN_REL
1 | 28Z07Z | Z511 | C509
2 | 28Z07Z | Z511 | C509
3 | 09M041 | Z511 | C509
4 | 28Z17Z | Z511 | C509
5 | 28Z07Z | Z511 | C509""",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 01032021
2 | A | 22032021 | 22032021
3 | A | 12042021 | 13042021
4 | A | 03052021 | 03052021
5 | A | 24052021 | 26052021""",
            "T_MCO21MED": "STAY | UCD_UCD_COD | DELAI\n5 | 0000009261110 | 1",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-22",
            "ER_UCD_F": "LINE | UCD_UCD_COD | UCD_DLV_NBR\n1 | 9435604 | 1",
        },
        """A-1 | chemotherapy_session | 2021-03-01
A-1 | chemotherapy_session | 2021-03-22
A-1 | targeted_therapy | 2021-03-22
A-1 | chemotherapy_session | 2021-04-12
A-1 | chemotherapy_session | 2021-05-03
A-1 | chemotherapy_session | 2021-05-24
A-1 | targeted_therapy | 2021-05-25""",
        traps=("molecules_inside_ghs",),
        counts={"trap.molecules_inside_ghs": 3},
    ),
    Rule(
        "regimens_inferred",
        "Asked for, a regimen of breast cancer is suggested by the spacing of a course's sessions (W 7 days, F 14, T 21), in a "
        "table of its own and always with low confidence; the events stay as they are.",
        "ehrpop 0.0.9; that the molecules are inside the GHS: SNDS documentation (liste en sus)",
        {
            "T_MCO21B": "STAY | GRG_GHM | DGN_PAL | DGN_REL\n"
            + "\n".join(f"{stay} | 28Z07Z | Z511 | C509" for stay in range(1, 8)),
            "T_MCO21C": """STAY | NIR_ANO_17 | EXE_SOI_DTD
1 | A | 2021-03-01
2 | A | 2021-03-08
3 | A | 2021-03-15
4 | A | 2021-03-22
5 | B | 2021-03-01
6 | B | 2021-03-22
7 | B | 2021-04-12""",
        },
        "A-1 | 2021-03-01 | 4 | WWW | weekly_paclitaxel | low\nB-1 | 2021-03-01 | 3 | TT | anthracycline_or_docetaxel | low",
        ("patient_id", "start", "n_sessions", "spacing", "regimen", "confidence"),
        traps=("molecules_inside_ghs",),
        practice={"infer_regimens": True},
        counts={"trap.molecules_inside_ghs": 7},
        shows="regimens",
    ),
    Rule(
        "ald_dates_nothing",
        "The ALD opens the cohort and dates nothing: the index is the first biopsy or treatment. Those whose ALD begins more "
        "than a week before or after it are counted.",
        "Kudjawu, BEH 2016;26-27: the ALD begins more than a week from the diagnosis for 54 % of breast cancers",
        {
            "IR_IMB_R": "BEN_NIR_PSA | IMB_ALD_DTD\nA | 2021-03-09\nB | 2021-03-08\nC | 2021-02-21",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | B | 2021-03-01\n3 | C | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        """A-1 | breast_biopsy | 2021-03-01 | 2021-03-01
B-1 | breast_biopsy | 2021-03-01 | 2021-03-01
C-1 | breast_biopsy | 2021-03-01 | 2021-03-01""",
        ("patient_id", "activity", "start", "index_date"),
        traps=("ald_is_no_diagnosis",),
        counts={"trap.ald_is_no_diagnosis": 2, "trap.without_ald": 0},
    ),
    Rule(
        "ald_as_index",
        "With the index strategy `ald` the beginning of the ALD is the index; of several strategies the earliest day is.",
        "The strategy exists for comparison with studies that date cancers by the ALD",
        {
            "IR_IMB_R": "BEN_NIR_PSA | IMB_ALD_DTD\nA | 2021-04-01\nB | 2021-02-05",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | B | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-01 | 2021-03-01\nB-1 | breast_biopsy | 2021-03-01 | 2021-02-05",
        ("patient_id", "activity", "start", "index_date"),
        traps=("ald_is_no_diagnosis",),
        cohort={"index": ("ald", "index_activities")},
    ),
    Rule(
        "stay_without_ald",
        "A diagnosis in a stay opens the cohort as an ALD does; who has no ALD is counted.",
        "Santé publique France, SNDS guide of 2020: not everyone treated has an ALD",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD | IMB_ALD_DTD\nother | E11 | 2021-03-01\nB | C50 | 2021-03-01",
            "T_MCO21B": "STAY | DGN_PAL\n1 | C509\n2 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 04032021\n2 | B | 01032021 | 04032021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA019",
        },
        "A-1 | breast_conserving_surgery | 2021-03-01\nB-1 | mastectomy | 2021-03-01",
        traps=("without_ald",),
        counts={"trap.without_ald": 1, "trap.ald_is_no_diagnosis": 0},
    ),
    Rule(
        "diagnosis_by_ald_only",
        "A definition may ask for the ALD: then a diagnosis in a stay opens nothing.",
        "[cohort] diagnosis_in",
        {
            "IR_IMB_R": "BEN_NIR_PSA | MED_MTF_COD\nB | C50",
            "T_MCO21B": "STAY | DGN_PAL\n1 | C509\n2 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 04032021\n2 | B | 01032021 | 04032021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        "B-1 | breast_conserving_surgery | 2021-03-01",
        cohort={"diagnosis_in": ("ald",)},
    ),
    Rule(
        "index_near_the_diagnosis",
        "An endoscopy more than 180 days before the first diagnosis (stay or ALD) found something else and is no index: "
        "the index is the next one, and events are kept from 180 days before it. A treatment long before the first "
        "diagnosis still makes a prevalent case.",
        "[cohort] near_diagnosis_days: operational; the index by endoscopy is advised, an older one is unrelated",
        {
            "IR_IMB_R": """BEN_NIR_PSA | MED_MTF_COD | IMB_ALD_DTD
far | C187 | 2021-06-01
edge | C187 | 2021-06-01
treated | C187 | 2021-06-01""",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | far | 2018-03-01
2 | far | 2021-05-10
3 | far | 2021-06-10
4 | edge | 2020-12-03
5 | edge | 2020-12-02
6 | treated | 2018-05-10
7 | treated | 2021-06-10""",
            "ER_CAM_F": """LINE | CAM_PRS_IDE
1 | HHQE002
2 | HHQE002
3 | HHFA009
4 | HHQE002
5 | HHQE004
6 | HHFA009
7 | HHFA009""",
        },
        """far-1 | colonoscopy | 2021-05-10 | 2021-05-10
far-1 | colectomy | 2021-06-10 | 2021-05-10
edge-1 | colonoscopy | 2020-12-02 | 2020-12-03
edge-1 | colonoscopy | 2020-12-03 | 2020-12-03""",
        ("patient_id", "activity", "start", "index_date"),
        pathway="colorectal_cancer",
    ),
    Rule(
        "washout",
        "A person diagnosed more than the washout before the index is a prevalent case and does not enter.",
        "[cohort] washout_days: incident cases only",
        {
            "IR_IMB_R": "BEN_NIR_PSA | IMB_ALD_DTD\nold | 2018-01-01\nnew | 2020-12-01",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | old | 2021-03-01\n2 | new | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001",
        },
        "new-1 | breast_biopsy | 2021-03-01",
        cohort={"washout_days": 730},
    ),
    Rule(
        "who_enters",
        "Sex, age at index (from the year of birth; none told: enters) and period of the index bound the cohort.",
        "[cohort] sex, min_age, max_age, index_from, index_until",
        {
            "IR_BEN_R": """BEN_NIR_PSA | BEN_SEX_COD | BEN_NAI_ANN
in | 2 | 1960
man | 1 | 1960
young | 2 | 2004
unborn | 2 |
early | 2 | 1960""",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | in | 2021-12-31
2 | man | 2021-03-01
3 | young | 2021-03-01
4 | unborn | 2021-01-01
5 | early | 2020-12-31""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001\n5 | QEHJ001",
        },
        "in-1 | breast_biopsy | 2021-12-31\nunborn-1 | breast_biopsy | 2021-01-01",
        cohort={"sex": "F", "min_age": 18, "index_from": date(2021, 1, 1), "index_until": date(2021, 12, 31)},
    ),
    Rule(
        "death_told_by_three",
        "Of the three sources of a death the certificate (KI_CCI_R) dates it first, then IR_BEN_R, then discharge mode 9.",
        "SNDS documentation (décès): the causes are the surest; the order is this package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO | BEN_DCD_DTE\na | A | 2021-05-05\nb | B | 2021-05-05\nc | C |",
            "KI_CCI_R": "BEN_IDT_ANO | DCD_IDT_ENC | BEN_DCD_DTE\nA | 1 | 2021-05-06",
            "T_MCO21B": "STAY | SOR_MOD\n1 | 9\n2 | 9\n3 | 9",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | a | 01052021 | 04052021
2 | b | 01052021 | 04052021
3 | c | 01052021 | 04052021""",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004",
        },
        """A | breast_conserving_surgery | 2021-05-01 | T_MCOaaA
A | death | 2021-05-06 | KI_CCI_R
B | breast_conserving_surgery | 2021-05-01 | T_MCOaaA
B | death | 2021-05-05 | IR_BEN_R
C | breast_conserving_surgery | 2021-05-01 | T_MCOaaA
C | death | 2021-05-04 | T_MCOaaB""",
        ("patient_id", "activity", "start", "source"),
        traps=("death_sources",),
        counts={"trap.death_sources": 3},
    ),
    Rule(
        "death_order",
        "The order of the sources of a death is a switch: here the discharge mode comes before IR_BEN_R. A person whose "
        "sources differ, or whose death IR_BEN_R does not tell, is counted.",
        "SNDS documentation (décès): the causes are the surest, but come after two years; the order is this package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_DCD_DTE\nA | 2021-05-05\nB | 2021-07-07",
            "T_MCO21B": "STAY | SOR_MOD\n1 | 9\n2 | 8",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01052021 | 04052021\n2 | B | 01062021 | 04062021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004\n2 | QEFA004",
        },
        """A-1 | breast_conserving_surgery | 2021-05-01 | T_MCOaaA | 2021-05-04
A-1 | death | 2021-05-04 | T_MCOaaB | 2021-05-04
B-1 | breast_conserving_surgery | 2021-06-01 | T_MCOaaA | 2021-07-07
B-1 | death | 2021-07-07 | IR_BEN_R | 2021-07-07""",
        ("patient_id", "activity", "start", "source", "exit_date"),
        traps=("death_sources",),
        practice={"death_order": ("stays", "beneficiaries", "causes")},
        counts={"trap.death_sources": 1},
    ),
    Rule(
        "death_in_a_month",
        "A stay without a day of discharge tells the month of a death only: it is dated to the month's last day, so that "
        "no care of that month comes after it.",
        "SNDS documentation (décès); the last day of the month is this package's choice, as for BEN_DCD_AME",
        {
            "T_MCO21B": "STAY | SOR_MOD | SOR_ANN | SOR_MOI\n1 | 9 | 2021 | 5",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT\n1 | A | 10052021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004",
        },
        "A-1 | breast_conserving_surgery | 2021-05-10 | day\nA-1 | death | 2021-05-31 | month",
        ("patient_id", "activity", "start", "date_precision"),
        traps=("death_sources", "month_only"),
    ),
    Rule(
        "act_told_on_two_days",
        "A claim dated to the entry of the stay whose later day tells the same act, and an act of a stay without a delay "
        "beside a claim inside the stay, are one act, on the surer day; two days that are both stated, or a claim outside "
        "the stay or of another place, are two acts.",
        "This package's: the same act has one date in the stay (entry + ENT_DAT_DEL) and one in the claim (EXE_SOI_DTD)",
        {
            "T_MCO21B": "STAY\n1\n2\n3\n4\n5",
            "T_MCO21C": """STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT
1 | A | 01032021 | 05032021
5 | E | 01032021 | 05032021
2 | B | 01032021 | 05032021
3 | C | 01032021 | 05032021
4 | D | 01032021 | 05032021""",
            "T_MCO21A": "STAY | CDC_ACT | ENT_DAT_DEL\n1 | QEFA004 | 2\n2 | QEFA004 |\n3 | QEFA004 | 0\n4 | QEFA004 |"
            "\n5 | QEFA004 | 2",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | B | 2021-03-02
3 | C | 2021-03-04
4 | D | 2021-03-06
5 | E | 2021-03-01""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEFA004\n2 | QEFA004\n3 | QEFA004\n4 | QEFA004\n5 | QEFA004",
            "ER_ETE_F": "LINE | ETB_EXE_FIN\n1 | 75000000\n2 | 75000000\n3 | 75000000\n4 | 75000000",
        },
        """A-1 | breast_conserving_surgery | 2021-03-03 | T_MCOaaA
B-1 | breast_conserving_surgery | 2021-03-02 | T_MCOaaA
C-1 | breast_conserving_surgery | 2021-03-01 | T_MCOaaA
C-1 | breast_conserving_surgery | 2021-03-04 | ER_CAM_F
D-1 | breast_conserving_surgery | 2021-03-01 | T_MCOaaA
D-1 | breast_conserving_surgery | 2021-03-06 | ER_CAM_F
E-1 | breast_conserving_surgery | 2021-03-01 | ER_CAM_F
E-1 | breast_conserving_surgery | 2021-03-03 | T_MCOaaA""",
        ("patient_id", "activity", "start", "source"),
        counts={"acts_told_on_two_days": 2},
    ),
    Rule(
        "palliative_exit",
        "A definition may end the observation with the first palliative care; what comes first of the exits does.",
        "[cohort] exits",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_DCD_DTE\nA | 2021-06-05",
            "T_MCO21B": "STAY | DGN_PAL\n1 | C509\n2 | Z515",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01032021 | 04032021\n2 | A | 01052021 | 04052021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004",
        },
        """A-1 | breast_conserving_surgery | 2021-03-01 | 2021-05-01 | palliative_care
A-1 | palliative_care | 2021-05-01 | 2021-05-01 | palliative_care
A-1 | death | 2021-06-05 | 2021-05-01 | palliative_care""",
        ("patient_id", "activity", "start", "exit_date", "exit_reason"),
        cohort={"exits": ("death", "palliative_care")},
    ),
    Rule(
        "place_of_care",
        "Care is placed by the FINESS number of the hospital: its first two characters, overseas 97 and the next digit that is "
        "not 0 (9704 for 974).",
        "SNDS documentation (localisation géographique); the form overseas is recalled, not verified",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | A | 2021-03-02\n3 | A | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
            "ER_ETE_F": "LINE | ETB_EXE_FIN\n1 | 97040002\n2 | 2A000001\n3 | 75000000",
        },
        """A-1 | 2021-03-01 | 974
A-1 | 2021-03-02 | 2A
A-1 | 2021-03-03 | 75""",
        ("patient_id", "start", "territory_of_care"),
        traps=("geography",),
    ),
    Rule(
        "overseas_stratum",
        "FDep has no value overseas (97 and more), whatever the table of quintiles (deprivation.csv) says: those patients are a "
        "stratum of their own, not missing ones.",
        "SNDS documentation: FDep covers metropolitan communes",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_RES_DPT | BEN_RES_COM\nA | 097 | 105\nB | 075 | 101",
            "deprivation": "commune | quintile\n97105 | 5\n75101 | 2",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | B | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001",
        },
        "A-1 | 971 | none\nB-1 | 75 | 2",
        ("patient_id", "territory", "deprivation"),
        traps=("deprivation_overseas",),
        counts={"trap.deprivation_overseas": 1},
    ),
    Rule(
        "covid_months",
        "Events of March to May 2020 are counted: care fell then. They are marked, not mended.",
        "Vincelet 2021 (PMC8429352): screening under 10 % of normal for two months",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2020-02-29
2 | A | 2020-03-01
3 | A | 2020-05-31
4 | A | 2020-06-01
5 | A | 2020-04-15""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEQK001\n3 | QEFA004\n4 | QEQK001\n5 | QEQM001",
        },
        """A-1 | breast_biopsy | 2020-02-29
A-1 | mammography | 2020-03-01
A-1 | breast_ultrasound | 2020-04-15
A-1 | breast_conserving_surgery | 2020-05-31
A-1 | mammography | 2020-06-01""",
        traps=("covid",),
        counts={"trap.covid": 3},
    ),
    Rule(
        "facility_numbers",
        "FINESS numbers are compared on their first eight characters: the nine of the PMSI and the eight of DCIR are one "
        "hospital.",
        "SNDS documentation: ETB_EXE_FIN has eight digits; the ninth is a key",
        {
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-05-02",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001",
            "ER_ETE_F": "LINE | ETB_EXE_FIN\n1 | 75000000",
            "T_MCO21B": "STAY\n1",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n1 | A | 01062021 | 04062021",
            "T_MCO21A": "STAY | CDC_ACT\n1 | QEFA004",
        },
        "A-1 | breast_biopsy | 2021-05-02 | 75000000\nA-1 | breast_conserving_surgery | 2021-06-01 | 75000000",
        ("patient_id", "activity", "start", "facility"),
        traps=("facility_numbers",),
        counts={"trap.facility_numbers": 1},
    ),
    Rule(
        "scheme_exit",
        "A living person without care of any kind for 730 days before the horizon of the claims (31 December 2022) has left "
        "the scheme, on the day of the last care; care that the definition does not name is care.",
        "A proxy, this package's: claims don't say who leaves",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_NAT_REF
1 | gone | 2020-03-02 | 1111
2 | gone | 2020-09-01 | 9999
3 | here | 2020-03-02 | 1111
4 | here | 2021-01-01 | 9999""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n3 | QEHJ001",
        },
        "gone-1 | breast_biopsy | 2020-03-02 | 2020-09-01 | scheme_exit\nhere-1 | breast_biopsy | 2020-03-02 | none | none",
        ("patient_id", "activity", "start", "exit_date", "exit_reason"),
        cohort={"exits": ("death", "scheme_exit"), "silence_days": 730},
    ),
    Rule(
        "abroad",
        "Who has claims as a resident abroad (BEN_RES_DPT 991 or 992) and none as one of France after that leaves on the first of "
        "them; who comes back does not.",
        "SNDS documentation (localisation géographique); the rule of exit is this package's",
        {
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | BEN_RES_DPT
1 | gone | 2021-03-02 | 075
2 | gone | 2021-09-01 | 992
3 | gone | 2021-10-01 | 992
4 | back | 2021-03-02 | 075
5 | back | 2021-09-01 | 992
6 | back | 2021-10-01 | 075""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n4 | QEHJ001",
        },
        "gone-1 | breast_biopsy | 2021-03-02 | 2021-09-01 | abroad\nback-1 | breast_biopsy | 2021-03-02 | none | none",
        ("patient_id", "activity", "start", "exit_date", "exit_reason"),
        cohort={"exits": ("death", "abroad")},
    ),
)
