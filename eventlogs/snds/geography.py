"""Residence as DCIR writes it: BEN_RES_DPT (3 characters), BEN_RES_COM (3) and, to mend them, ORG_AFF_BEN (9).

Rules and codes: SNDS documentation (localisation géographique des bénéficiaires, sections locales mutualistes), value
list
IR_DPT_V. ORG_AFF_BEN: two characters of scheme (01 general, 02 farmers, 03 self-employed), ``M`` for a local mutual
section or ``C``, three of the fund, three of the section.
"""

from __future__ import annotations

import polars as pl

ABROAD = ("991", "992")
"""IR_DPT_V: residents of other countries, in Europe and outside. 099 is *not stated*."""

TRUNCATING_SECTION = "617"
"""A students' section that cut the département to ``00`` and one digit."""


def territory() -> pl.Expr:
    """Return the INSEE département of residence.

    ``001`` → ``01``; Corsica ``02A``, ``02B``, ``201``, ``202`` → ``2A``, ``2B``; overseas ``097`` → ``97`` and the
    first
    digit of the commune, ``971`` to ``978`` as they are. Where it is missing (000, 099, 888, 999), undetermined (020,
    209) or cut (section 617), the département of the fund of affiliation; abroad (991, 992): none.
    """
    return pl.coalesce(_stated(), pl.when(~_code().is_in(ABROAD) | _code().is_null()).then(_of_fund()))


def commune() -> pl.Expr:
    """Return the INSEE commune where the département is stated, or is the undetermined Corsica of a known fund.

    The last two characters of the département and three of the commune; for ``971`` to ``978``, the self-employed write
    the last two of the commune only.
    """
    town = pl.col("BEN_RES_COM").str.zfill(3)
    place = pl.when(_code().is_in(["020", "209"])).then(_of_fund()).otherwise(_stated())
    short = (_scheme() == "03") | (town.str.head(1) != _code().str.tail(1))
    overseas = (
        pl.when(short.fill_null(True))
        .then(pl.concat_str(_code(), town.str.tail(2)))
        .otherwise(pl.concat_str(pl.lit("97"), town))
    )
    full = (
        pl.when(_code().str.contains("^97[1-8]$"))
        .then(overseas)
        .when(_code() == "097")
        .then(pl.concat_str(pl.lit("97"), town))
        .otherwise(pl.concat_str(place, town))
    )
    return pl.when(place.is_not_null() & (full.str.len_chars() == 5)).then(full)


def is_unusual() -> pl.Expr:
    """Tell whether a residence needs more than the general rule: overseas, Corsica, abroad, missing or cut."""
    return ~_is_plain().fill_null(False)


def of_local_section() -> pl.Expr:
    """Tell whether the person is affiliated to a local mutual section (null: not known)."""
    return pl.col("ORG_AFF_BEN").str.slice(2, 1) == "M"


def _code() -> pl.Expr:
    return pl.col("BEN_RES_DPT").str.zfill(3)


def _scheme() -> pl.Expr:
    return pl.col("ORG_AFF_BEN").str.head(2)


def _is_plain() -> pl.Expr:
    cut = (
        _code().str.contains("^00")
        & of_local_section()
        & pl.col("ORG_AFF_BEN").str.ends_with(TRUNCATING_SECTION)
    )
    return _code().str.contains(r"^0(0[1-9]|[1-8]\d|9[0-5])$") & (_code() != "020") & ~cut.fill_null(False)


def _stated() -> pl.Expr:
    town = pl.col("BEN_RES_COM").str.zfill(3)
    corsica = {"02A": "2A", "201": "2A", "02B": "2B", "202": "2B"}
    return (
        pl.when(_is_plain())
        .then(_code().str.tail(2))
        .when(_code().is_in(list(corsica)))
        .then(_code().replace(corsica))
        .when(_code().str.contains("^97[1-8]$"))
        .then(_code())
        .when((_code() == "097") & town.str.contains("^[1-8]"))
        .then(pl.concat_str(pl.lit("97"), town.str.head(1)))
    )


def _of_fund() -> pl.Expr:
    """Return the département of the fund of affiliation: general scheme and its sections only."""
    fund = pl.when(_scheme() == "01").then(pl.col("ORG_AFF_BEN").str.slice(3, 3))
    corsica = {"201": "2A", "202": "2B"}
    return (
        pl.when(fund.is_in(list(corsica)))
        .then(fund.replace(corsica))
        .when(fund.str.contains("^97[1-8]$"))
        .then(fund)
        .when(fund.str.contains(r"^(0[1-9]|[13-8]\d|2[1-9]|9[0-5])\d$"))
        .then(fund.str.head(2))
    )
