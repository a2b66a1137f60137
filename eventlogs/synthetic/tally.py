"""How many rows, stays or patients each trap touches, counted in the tables themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import polars as pl

from eventlogs.synthetic.quirks import TRAPS
from eventlogs.synthetic.quirks.lines import MISREAD_ACTS
from eventlogs.synthetic.quirks.stays import GEOGRAPHIC
from eventlogs.synthetic.quirks.written import MONTHS_FROM, NO_AGE
from eventlogs.synthetic.tables.shared import NOBODY, NULL_DATE, RETURN_CODES, VISIT_RETURN_CODES

Tables = dict[str, pl.DataFrame]


def planted_traps(tables: Tables, people: pl.DataFrame) -> pl.DataFrame:
    """`trap` and `planted`: rows, stays or patients of this chunk, in the order of `TRAPS`; null where uncountable."""
    counts = [COUNTS[trap](tables, people) if trap in COUNTS else None for trap in TRAPS]
    return pl.DataFrame({"trap": TRAPS, "planted": counts}, schema={"trap": pl.String, "planted": pl.Int64})


def _family(tables: Tables, name: str) -> Iterator[pl.DataFrame]:
    """A table of claims with its archives, or the MCO tables of all years without the provisional file."""
    pattern = re.compile(name.replace("aa", r"\d\d") + r"(_20\d\d)?")
    yield from (table for found, table in tables.items() if pattern.fullmatch(found))


def _rows(name: str, touched: Callable[[], pl.Expr]) -> Callable[[Tables, pl.DataFrame], int]:
    def count(tables: Tables, people: pl.DataFrame) -> int:
        return sum(table.select(touched().sum()).item() or 0 for table in _family(tables, name))

    return count


def _people(touched: pl.Expr) -> Callable[[Tables, pl.DataFrame], int]:
    return lambda tables, people: int(people.filter(touched)["patient_id"].n_unique())


def _is(column: str, *values: int | str) -> Callable[[], pl.Expr]:
    return lambda: pl.col(column).is_in(list(values)).fill_null(False)


def _informative() -> pl.Expr:
    return pl.col("DPN_QLF").is_in([71, 72]).fill_null(False) | (pl.col("PRS_DPN_QLP") == 71).fill_null(False)


def _supplement() -> pl.Expr:
    return (pl.col("CPL_MAJ_TOP") >= 2) | (pl.col("CPL_AFF_COD") == 16) | (pl.col("BSE_PRS_NAT") == 0)


def _unchained(tables: Tables, people: pl.DataFrame) -> int:
    """Stays and visits of every field whose number stands for nobody, or one of whose return codes is not 0."""
    return sum(_unchained_in(table) for name in CHAINING for table in _family(tables, name))


def _unchained_in(table: pl.DataFrame) -> int:
    codes = [name for name in {*RETURN_CODES, *VISIT_RETURN_CODES} if name in table.columns]
    wrong = (pl.col("NIR_ANO_17") == NOBODY) | pl.any_horizontal(pl.col(codes) != "0")
    return int(table.select(wrong.sum()).item())


def _misread(tables: Tables, people: pl.DataFrame) -> int:
    acts = (*MISREAD_ACTS, *BENIGN_PROSTATE)
    found = (
        _rows(name, _is(column, *acts))
        for name, column in (("ER_CAM_F", "CAM_PRS_IDE"), ("T_MCOaaA", "CDC_ACT"))
    )
    return sum(count(tables, people) for count in found)


CHAINING = ("T_MCOaaC", "T_MCOaaCSTC", "T_SSRaaC", "T_HADaaC", "T_RIPaaC")
BENIGN_PROSTATE = ("JGFA015",)  # resection by the urethra, of bystanders

COUNTS: dict[str, Callable[[Tables, pl.DataFrame], int]] = {
    "policy_holder": _people(pl.col("change_day").is_not_null()),
    "shared_pseudonym": _people(pl.col("shared_psa")),
    "fictitious_number": _people(pl.col("kind") == "fictitious"),
    "renewed_pseudonyms": _people(pl.col("nir").is_null()),
    "chaining_error": _unchained,
    "double_facility": _rows("T_MCOaaB", _is("ETA_NUM", *GEOGRAPHIC)),
    "grouping_error": _rows("T_MCOaaB", lambda: pl.col("GRG_GHM").str.starts_with("90")),
    "special_stay": _rows(
        "T_MCOaaB",
        lambda: (pl.col("GRG_GHM") == "14Z08Z") | (pl.col("TYP_GEN_RSA") != 0) | (pl.col("GHS_NUM") == 9999),
    ),
    "provider_stay": _rows("T_MCOaaB", _is("SEJ_TYP", "B")),
    "sessions_kept": _rows("T_MCOaaB", lambda: pl.col("GRG_GHM").str.starts_with("28")),
    "grouped_sessions": _rows("T_MCOaaB", lambda: pl.col("NBR_SEA") > 1),
    "information_line": _rows("ER_PRS_F", _informative),
    "public_leak": _rows("ER_ETE_F", _is("ETE_IND_TAA", 1)),
    "majoration": _rows("ER_PRS_F", _supplement),
    "regularisation": _rows("ER_PRS_F", lambda: pl.col("PRS_ACT_QTE") < 0),
    "null_date": _rows("ER_PRS_F", lambda: pl.col("EXE_SOI_DTD") == pl.lit(NULL_DATE).str.to_date()),
    "month_only": _rows("T_MCOaaC", lambda: pl.col("ENT_DAT").is_null()),
    "without_ald": _people(~pl.col("ald")),
    "deprivation_overseas": _people(pl.col("quintile").is_null()),
    "cip_lengths": _rows("ER_PHA_F", lambda: pl.col("PHA_PRS_IDE").is_not_null()),
    "misread_acts": _misread,
    "facility_numbers": _rows("ER_ETE_F", lambda: pl.col("ETB_EXE_FIN").str.len_chars() == 9),
    "age_coding": _rows("ER_PRS_F", _is("BEN_AMA_COD", NO_AGE, MONTHS_FROM + 7)),
}  # fmt: skip
"""Traps whose rows can be told from the tables."""
