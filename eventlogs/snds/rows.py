"""The rows that K1 hands to K2, and what every reader of tables shares.

K1 is relational and order-free, in the Narwhals subset that polars, DuckDB and PySpark share: no date arithmetic, no
order, no text made from rows. What remains to be done with all rows of a person at hand is in `patient`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import ActivityRules

Tables = Callable[[str], "nw.LazyFrame[Any]"]
"""Gives a table by name: an SNDS family, ``pairs``, ``pseudonyms``, or a code list (``codes.CCAM``)."""

Reader = Callable[[Tables, ActivityRules, str], "nw.LazyFrame[Any]"]
"""Makes rows, or one row of counts, from the tables of a year (``""`` where tables carry none)."""


@dataclass(frozen=True)
class Source:
    """One kind of tables that K1 reads.

    Parameters
    ----------
    name : str
        For messages.
    anchor : str
        The family whose years make the slices; claims (anchor ER_PRS_F) are cut into flux months.
    rows : Reader
        Gives the columns of `ROW`.
    counts : Reader
        Gives one row of whole numbers, added over the years; names are ``trap.<id>`` or words.
    """

    name: str
    anchor: str
    rows: Reader
    counts: Reader


LINE_KEY = [
    "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
]  # fmt: skip
"""The nine columns that join ER_PRS_F to its affinée tables."""

ROW: dict[str, Any] = {
    "person": pl.Int64,
    "kind": pl.String,
    "source": pl.String,
    "activity": pl.String,
    "code": pl.String,
    "code_system": pl.String,
    "atc": pl.String,
    "date": pl.Date,
    "until": pl.Date,
    "offset_days": pl.Int64,
    "year": pl.Int64,
    "month": pl.Int64,
    "precision": pl.String,
    "quantity": pl.Int64,
    "facility": pl.String,
    "flux": pl.Date,
    "establishment": pl.String,
    "stay": pl.String,
    "part": pl.String,
    "table_year": pl.String,
    "DCT_ORD_NUM": pl.Int64,
    "FLX_EMT_NUM": pl.Int64,
    "FLX_EMT_ORD": pl.Int64,
    "FLX_EMT_TYP": pl.Int64,
    "FLX_TRT_DTD": pl.Date,
    "ORG_CLE_NUM": pl.String,
    "PRS_ORD_NUM": pl.Int64,
    "REM_TYP_AFF": pl.Int64,
    "CLE_DCI_JNT": pl.String,
}
"""Columns of K1's rows.

``kind``: *line* (DCIR, still to be netted), *act* (dated entry + ``offset_days``), *session* (``quantity`` of them in
one row), *stay* (an event at entry), *bare_stay* (an event only if the stay gave no other), *visit* (external care and
the like, an event at its date), *diagnosis* (opens the cohort, no event; ``code`` is the CIM-10 prefix found,
``source`` is IR_IMB_R for an ALD), *death*, *presence* (``date`` and ``until``: first and last care of any kind with a
residence in France or not stated; no event), *abroad* (``date`` and ``until``: first and last care of any kind with a
residence abroad; no event).

``atc`` is the molecule in the current vintage; ``precision`` overrides the precision of the date (``week``, ``month``).
The last columns, with ``flux``, ``establishment``, ``stay``, ``part`` (a further key where the table has one) and
``table_year``, are the key of the source row: they become its origin.
"""


def coded(frame: nw.LazyFrame[Any], column: str, codes: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return frame.with_columns(nw.col(column).alias("code")).join(codes, on="code", how="inner")


def misread(t: Tables, acts: str, column: str) -> nw.LazyFrame[Any]:
    """Count the acts of a table that published lists misread (`codes.MISREAD`): ``trap.misread_acts``."""
    return coded(t(acts), column, t("codes.MISREAD")).select(nw.len().alias("trap.misread_acts"))


UCD_CHARACTERS = 7


def ucd7(code: nw.Expr) -> nw.Expr:
    """Return the seven characters of a UCD, written on 7, on 13 (zeros first), or as 34008, the 7 and perhaps a key."""
    with_prefix = code.str.starts_with("34008") & (code.str.len_chars() > UCD_CHARACTERS)
    return (
        nw.when(with_prefix).then(code.str.slice(5, UCD_CHARACTERS)).otherwise(code.str.tail(UCD_CHARACTERS))
    )


def cleaned(column: str) -> nw.Expr:
    """Return a diagnosis without dots, signs and blanks."""
    return nw.col(column).str.replace_all("[.+* ]", "")


def with_prefix(
    frame: nw.LazyFrame[Any], t: Tables, name: str, prefixes: Iterable[str]
) -> list[nw.LazyFrame[Any]]:
    """Join ``diagnosis`` to a list of CIM-10 prefixes, one join for each length in it: ``code``, ``activity``."""
    return [
        frame.with_columns(nw.col("diagnosis").str.slice(0, length).alias("code")).join(
            t(f"codes.{name}"), on="code", how="inner"
        )
        for length in sorted({len(prefix) for prefix in prefixes})
    ]


NARWHALS: Mapping[Any, Any] = {pl.Int64: nw.Int64, pl.String: nw.String, pl.Date: nw.Date}


def as_rows(frame: nw.LazyFrame[Any], **values: nw.Expr) -> nw.LazyFrame[Any]:
    """Return exactly the columns of `ROW`, each cast, those not given empty."""
    return frame.select(
        values.get(name, nw.col("person") if name == "person" else nw.lit(None))
        .cast(NARWHALS[dtype])
        .alias(name)
        for name, dtype in ROW.items()
    )


def together(parts: Iterable[nw.LazyFrame[Any]], t: Tables) -> nw.LazyFrame[Any]:
    """Concatenate rows; without any part, no row."""
    found = list(parts)
    return nw.concat(found) if found else as_rows(t("pairs").head(0))


def count_where(flag: nw.Expr, name: str) -> nw.Expr:
    """Count the rows of which something holds; where it can't be said (null) it does not."""
    return nw.when(flag).then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias(name)


def beside(counts: Iterable[nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
    """Put rows of counts side by side, as one row."""
    return reduce(lambda left, right: left.join(right, how="cross"), counts)


FACILITY_DIGITS = 9


def wrong_key(column: str) -> nw.Expr:
    """Tell whether a FINESS number on nine digits has a wrong last one.

    The last digit is a key as Luhn's: every second digit doubled, the digits of all summed to a multiple of ten (SNDS
    documentation: a key; that it is Luhn's is recalled). Numbers with a letter (Corsica) and shorter ones are not
    judged.
    """
    judged = nw.col(column).str.contains("^[0-9]{9}$")
    number = nw.when(judged).then(nw.col(column)).otherwise(nw.lit("0" * FACILITY_DIGITS))
    digits = [number.str.slice(place, 1).cast(nw.Int64) for place in range(FACILITY_DIGITS)]
    doubled = [
        digit if place % 2 == 0 else nw.when(digit > 4).then(digit * 2 - 9).otherwise(digit * 2)
        for place, digit in enumerate(digits)
    ]
    return reduce(lambda left, right: left + right, doubled) % 10 != 0
