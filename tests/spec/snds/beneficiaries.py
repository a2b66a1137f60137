"""Who is a person, where they live, when they died."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {
    "IR_BEN_R": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": "", "BEN_SEX_COD": "2", "BEN_NAI_ANN": "1960",
                 "BEN_RES_DPT": "075", "BEN_RES_COM": "101", "BEN_DCD_DTE": "1600-01-01", "BEN_DCD_AME": "160001",
                 "BEN_CDI_NIR": "00", "ORG_AFF_BEN": "01C751000", "MAX_TRT_DTD": ""},
    "IR_BEN_R_ARC": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": ""},
    "IR_IBA_R": {"BEN_CDI_NIR": "00", "BEN_SEX_COD": "2", "BEN_NAI_ANN": "1960"},
    "IR_IMB_R": {"BEN_RNG_GEM": "1", "IMB_ALD_DTD": "2021-01-01", "IMB_ALD_DTF": "2031-01-01", "IMB_ETM_NAT": "41",
                 "MED_MTF_COD": "C50", "MED_NCL_IDT": "CIM10", "INS_DTE": "2021-02-01"},
    "KI_CCI_R": {"DCD_CIM_COD": "C509", "FLX_PER_ANN": "2021", "BEN_NAI_ANN": "1960"},
    "KI_ECD_R": {"ECD_CAU_RNG": "1"},
}  # fmt: skip
"""What a column holds when a spec does not write it."""

RULES: tuple[Rule, ...] = (
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
        traps=("policy_holder",),
        counts={"trap.policy_holder": 1, "persons": 1},
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
        traps=("policy_holder",),
    ),
    Rule(
        "identity_archived_pair",
        "A pair that the archive holds too, without its person or under an older number, is one person: rows that share "
        "a pair, a BEN_IDT_ANO or a BEN_NIR_ANO are gathered, so that a pseudonym (d) that the archive alone knows, by the "
        "older number, leads to the current person. A BEN_NIR_ANO that stands for nobody gathers no one.",
        "SNDS documentation (fiche bénéficiaire); the gathering over both tables is this package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | N1 | P1\nb | xxxxxxxxxxxxxxxxx |\nc | xxxxxxxxxxxxxxxxx |",
            "IR_BEN_R_ARC": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | | \na | N1 | P0\nd | | P0",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | a | 2021-03-01
2 | b | 2021-03-02
3 | c | 2021-03-03
4 | d | 2021-03-04""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001",
        },
        """P1 | breast_biopsy | 2021-03-01
P1 | breast_biopsy | 2021-03-04
x4a6cfc9c180a6257 | breast_biopsy | 2021-03-02
xe8b8b18f48d5710a | breast_biopsy | 2021-03-03""",
        traps=("policy_holder", "renewed_pseudonyms"),
        counts={"trap.renewed_pseudonyms": 2, "persons": 3},
    ),
    Rule(
        "twins",
        "A pseudonym shared by two persons: claims are told apart by birth rank, stays can't be and are left out.",
        "SNDS documentation: 0.18 % of false twins; PMSI carries no birth rank",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_RNG_GEM | BEN_IDT_ANO\ntwin | 1 | P1\ntwin | 2 | P2",
            "IR_IMB_R": "BEN_NIR_PSA | BEN_RNG_GEM\ntwin | 1\ntwin | 2",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | BEN_RNG_GEM | EXE_SOI_DTD
1 | twin | 2 | 2021-03-01
2 | twin | 1 | 2021-03-08""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEFA019",
            "T_MCO21B": "STAY | DGN_PAL\n10 | C509",
            "T_MCO21C": "STAY | NIR_ANO_17 | ENT_DAT | SOR_DAT\n10 | twin | 01042021 | 03042021",
            "T_MCO21A": "STAY | CDC_ACT\n10 | QEFA004",
        },
        "P1 | mastectomy | 2021-03-08\nP2 | breast_biopsy | 2021-03-01",
        traps=("shared_pseudonym",),
        counts={"trap.shared_pseudonym": 2},
    ),
    Rule(
        "archive_left_out",
        "With archived_persons = current_only, IR_BEN_R_ARC is not gathered: a pseudonym that only the archive knows is "
        "nobody's.",
        "SNDS documentation (fiche bénéficiaire)",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO\nnew | P1",
            "IR_BEN_R_ARC": "BEN_NIR_PSA | BEN_IDT_ANO\nold | P1",
            "IR_IMB_R": "BEN_NIR_PSA\nnew",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | old | 2021-03-01\n2 | new | 2021-04-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEFA004",
        },
        "P1 | breast_conserving_surgery | 2021-04-01",
        traps=("policy_holder",),
        practice={"archived_persons": "current_only"},
        counts={"trap.policy_holder": 0, "lines_unknown_person": 1},
    ),
    Rule(
        "no_pseudonym_leaves",
        "A person without BEN_IDT_ANO and BEN_NIR_ANO is named for this extraction only: x and sixteen characters of a "
        "fingerprint of the extraction's name and of the pair. BEN_NIR_PSA does not leave the build.",
        "Santé publique France, SNDS guide of 2020: pseudonyms are renewed about every two years; the name is this "
        "package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\npseudonym | |",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | pseudonym | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001",
        },
        "x04f559e86b47cba4 | breast_biopsy | 2021-03-01",
        traps=("renewed_pseudonyms",),
        counts={"trap.renewed_pseudonyms": 1},
    ),
    Rule(
        "illness_versions",
        "The ALD of a person and code is one, whatever its versions; it is chosen by CIM-10 (dots and blanks off), among the "
        "kinds 41, 43 and 45. An end of 1600, of 2099 or none is an open end, and a closed ALD is still a diagnosis.",
        "Santé publique France, SNDS guide of 2020; SNDS documentation (10.5 % of ends in 2099 on 16 October 2020)",
        {
            "IR_IMB_R": """BEN_NIR_PSA | MED_MTF_COD | IMB_ETM_NAT | IMB_ALD_DTD | IMB_ALD_DTF | INS_DTE
A | C50.9 | 41 | 2021-01-01 | 2099-12-31 | 2021-02-01
A | C509  | 41 | 2021-01-15 | 2021-12-31 | 2021-09-01
B | C50   | 11 | 2021-01-01 | 1600-01-01 | 2021-02-01
C | E11   | 41 | 2021-01-01 |            | 2021-02-01
D | C50   | 43 | 2021-01-01 | 2021-02-01 | 2021-02-01
E | C50   | 45 | 2021-01-01 | 2021-12-31 | 2021-02-01""",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | A | 2021-03-01
2 | B | 2021-03-01
3 | C | 2021-03-01
4 | D | 2021-03-01
5 | E | 2021-03-01""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001\n5 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-01\nD-1 | breast_biopsy | 2021-03-01\nE-1 | breast_biopsy | 2021-03-01",
        traps=("ald_versions", "null_date"),
        counts={"trap.ald_versions": 1, "trap.null_date": 3},
    ),
    Rule(
        "illness_first_date",
        "Of several versions of an ALD the first date stands (shown where the ALD is asked to be the index). A code of another "
        "nomenclature than CIM-10 is none; where the nomenclature is empty it is CIM-10.",
        "Santé publique France, SNDS guide of 2020",
        {
            "IR_IMB_R": """BEN_NIR_PSA | MED_MTF_COD | MED_NCL_IDT | IMB_ALD_DTD | INS_DTE
A | C509 | CIM10 | 2021-02-01 | 2021-09-01
A | C509 | CIM10 | 2021-01-01 | 2021-02-01
B | C50  |       | 2021-01-08 | 2021-02-01
C | C50  | CISP  | 2021-01-08 | 2021-02-01""",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | B | 2021-03-01\n3 | C | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        "A-1 | 2021-01-01\nB-1 | 2021-01-08",
        ("patient_id", "index_date"),
        traps=("ald_versions",),
        cohort={"index": ("ald",)},
        counts={"trap.ald_versions": 1},
    ),
    Rule(
        "certified_death",
        "A certificate (KI_CCI_R) tells a death of the person that its BEN_IDT_ANO names. One without a date, of another year "
        "than its file, or of before the birth is left out.",
        "Public SNDS table schema; Santé publique France, SNDS guide of 2020 (83 to 90 % of certificates are linked, 2013 to "
        "2016)",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO\na | A\nb | B\nc | C\nd | D",
            "IR_IMB_R": "BEN_NIR_PSA\na\nb\nc\nd",
            "KI_CCI_R": """BEN_IDT_ANO | DCD_IDT_ENC | BEN_DCD_DTE | FLX_PER_ANN | BEN_NAI_ANN
A | 1 | 2021-06-05 | 2021 | 1960
B | 2 |            | 2021 | 1960
C | 3 | 2021-06-07 | 2020 | 1960
D | 4 | 2021-06-08 | 2021 | 2030
  | 5 | 2021-06-09 | 2021 | 1960
A | 6 |            |      |""",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | a | 2021-03-01
2 | b | 2021-03-01
3 | c | 2021-03-01
4 | d | 2021-03-01""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001",
        },
        """A | breast_biopsy | 2021-03-01 | ER_CAM_F
A | death | 2021-06-05 | KI_CCI_R
B | breast_biopsy | 2021-03-01 | ER_CAM_F
C | breast_biopsy | 2021-03-01 | ER_CAM_F
D | breast_biopsy | 2021-03-01 | ER_CAM_F""",
        ("patient_id", "activity", "start", "source"),
        traps=("death_sources", "null_date"),
        counts={"certificates_read": 6, "certificates_possible": 2, "certificates_unknown_person": 1},
    ),
    Rule(
        "month_of_death",
        "A death of which the referential tells the month only (BEN_DCD_AME) is dated to the month's last day, so that no care "
        "of that month comes after it; 160001 is none.",
        "Santé publique France, SNDS guide of 2020 (160001); the last day is this package's choice",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_DCD_DTE | BEN_DCD_AME\nA | | 202106\nB | | 160001",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01\n2 | B | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001",
        },
        """A-1 | breast_biopsy | 2021-03-01 | 2021-06-30
A-1 | death | 2021-06-30 | 2021-06-30
B-1 | breast_biopsy | 2021-03-01 | none""",
        ("patient_id", "activity", "start", "death_date"),
        traps=("null_date", "death_sources"),
    ),
    Rule(
        "local_sections",
        "The vital status of members of local mutual sections (ORG_AFF_BEN with M third) is not known as long as nothing tells "
        "their death.",
        "Santé publique France, SNDS guide of 2020 (sections and some schemes, not named); CNAM note on the sections",
        {
            "IR_BEN_R": """BEN_NIR_PSA | ORG_AFF_BEN | BEN_DCD_DTE
A | 01M751506 |
B | 01M751506 | 2021-06-05
C | 01C751000 |
D | 01C131000 |""",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | A | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001",
        },
        "A-1 | breast_biopsy | 2021-03-01",
        traps=("death_sources",),
        counts={"persons_vital_status_unknown": 1},
    ),
    Rule(
        "residence",
        "Overseas (097 and the first digit of the commune, or 971 to 978), Corsican (201, 202 or 02A, 02B), missing and "
        "undetermined residences are mended where they can be, else that of the fund of affiliation (ORG_AFF_BEN) serves; all "
        "are counted. One of abroad (991, 992) has no département.",
        "SNDS documentation (localisation géographique); IR_DPT_V",
        {
            "IR_BEN_R": """BEN_NIR_PSA | BEN_RES_DPT | BEN_RES_COM | ORG_AFF_BEN
A | 075 | 101 | 01C131000
B | 097 | 411 | 01C751000
C | 972 | 209 | 01C751000
D | 201 | 004 | 01C751000
E | 02B | 033 | 01C751000
F | 209 | 004 | 01C202000
G | 099 | 999 | 01C131000
H | 991 | 000 | 01C131000
I |     |     | 01C131000""",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n"
            + "\n".join(f"{n} | {p} | 2021-03-01" for n, p in enumerate("ABCDEFGHI")),
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n" + "\n".join(f"{n} | QEHJ001" for n in range(9)),
        },
        """A-1 | 75
B-1 | 974
C-1 | 972
D-1 | 2A
E-1 | 2B
F-1 | 2B
G-1 | 13
H-1 | none
I-1 | 13""",
        ("patient_id", "territory"),
        traps=("geography",),
        counts={"trap.geography": 8},
    ),
    Rule(
        "age_of_lines",
        "The age comes from the year of birth (0000 is none); where it is missing, from BEN_AMA_COD of the claims, in which "
        "1000 and more are months and 9999 is no age.",
        "SNDS documentation (IR_AMA_V)",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NAI_ANN\nA |\nB | 0000\nC | 1960\nD |",
            "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | BEN_AMA_COD
1 | A | 2021-03-01 | 61
2 | B | 2021-03-01 | 9999
3 | C | 2021-03-01 | 1010
4 | D | 2021-03-01 | 1010""",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001",
        },
        "A-1 | 1960\nB-1 | none\nC-1 | 1960\nD-1 | 2020",
        ("patient_id", "birth_year"),
        traps=("age_coding",),
        cohort={"min_age": None},
        counts={"trap.age_coding": 2},
    ),
    *(
        Rule(
            f"fictitious_numbers_{switch}",
            "Persons whose every BEN_CDI_NIR says that the number is fictitious or provisional (neither 00, 03 nor 04) are "
            "no persons to follow; an empty one says nothing.",
            "Santé publique France, SNDS guide of 2020",
            {
                "IR_BEN_R": "BEN_NIR_PSA | BEN_IDT_ANO | BEN_CDI_NIR\na | A | 00\nb | B | 11\nc | C | 08\nd | C | 3\ne | E |\nf | F | 04",
                "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD
1 | a | 2021-03-01
2 | b | 2021-03-01
3 | c | 2021-03-01
4 | e | 2021-03-01
5 | f | 2021-03-01""",
                "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001\n4 | QEHJ001\n5 | QEHJ001",
            },
            "\n".join(f"{person} | breast_biopsy | 2021-03-01" for person in entering),
            traps=("fictitious_number",),
            practice={"fictitious_numbers": switch},
            counts={"trap.fictitious_number": 1},
        )
        for switch, entering in (("leave_out", "ACEF"), ("keep", "ABCEF"))
    ),
    Rule(
        "twins_left_out",
        "With shared_pseudonyms = leave_out_persons, persons who share a pseudonym with somebody are left out altogether.",
        "SNDS documentation: 0.18 % of false twins",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_RNG_GEM | BEN_IDT_ANO\ntwin | 1 | P1\ntwin | 2 | P2\nother | 1 | P3",
            "IR_IMB_R": "BEN_NIR_PSA | BEN_RNG_GEM\ntwin | 2\nother | 1",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | BEN_RNG_GEM | EXE_SOI_DTD\n1 | twin | 2 | 2021-03-01\n2 | other | 1 | 2021-03-01",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001",
        },
        "P3 | breast_biopsy | 2021-03-01",
        traps=("shared_pseudonym",),
        practice={"shared_pseudonyms": "leave_out_persons"},
        counts={"trap.shared_pseudonym": 2, "persons_barred": 2},
    ),
)
