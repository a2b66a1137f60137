"""Who is a person, where they live, when they died."""

from __future__ import annotations

from tests.spec.snds.writing import Rule

DEFAULTS: dict[str, dict[str, str]] = {
    "IR_BEN_R": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": "", "BEN_SEX_COD": "2", "BEN_NAI_ANN": "1960",
                 "BEN_RES_DPT": "075", "BEN_RES_COM": "101", "BEN_DCD_DTE": "1600-01-01", "MAX_TRT_DTD": ""},
    "IR_BEN_R_ARC": {"BEN_RNG_GEM": "1", "BEN_IDT_ANO": "", "BEN_NIR_ANO": ""},
    "IR_IMB_R": {"BEN_RNG_GEM": "1", "IMB_ALD_DTD": "2021-01-01", "IMB_ETM_NAT": "41", "MED_MTF_COD": "C50",
                 "MED_NCL_IDT": "CIM10", "INS_DTE": "2021-02-01"},
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
        "a pair, a BEN_IDT_ANO or a BEN_NIR_ANO are gathered. A BEN_NIR_ANO that stands for nobody gathers no one.",
        "SNDS documentation (fiche bénéficiaire); the gathering over both tables is this package's",
        {
            "IR_BEN_R": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | N1 | P1\nb | xxxxxxxxxxxxxxxxx |\nc | xxxxxxxxxxxxxxxxx |",
            "IR_BEN_R_ARC": "BEN_NIR_PSA | BEN_NIR_ANO | BEN_IDT_ANO\na | | \na | N1 | P0",
            "ER_PRS_F": "LINE | BEN_NIR_PSA | EXE_SOI_DTD\n1 | a | 2021-03-01\n2 | b | 2021-03-02\n3 | c | 2021-03-03",
            "ER_CAM_F": "LINE | CAM_PRS_IDE\n1 | QEHJ001\n2 | QEHJ001\n3 | QEHJ001",
        },
        "P1 | breast_biopsy | 2021-03-01\nx4a6cfc9c180a6257 | breast_biopsy | 2021-03-02\nxe8b8b18f48d5710a | breast_biopsy | 2021-03-03",
        traps=("policy_holder",),
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
        traps=("shared_pseudonym",),
    ),
)
