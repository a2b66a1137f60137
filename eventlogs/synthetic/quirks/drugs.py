"""Traps of drugs beside the GHS: told by several sources, not given, written in several forms."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from eventlogs.synthetic.claims import Claims, is_private
from eventlogs.synthetic.quirks.draw import Rng, drawn

REPEATED_SHARE, NOT_GIVEN_SHARE, OTHER_DAY_SHARE = 0.10, 0.10, 0.30
RETROCESSION = (3317, 3318, 3319)
UCD_FORMS = ("long", "short", "prefixed")


def told_once(claims: Claims) -> Claims:
    """The claims without the PMSI's lines of drugs that DCIR tells."""
    public = claims.stays.filter(~is_private()).select("stay")
    return replace(claims, drugs=claims.drugs.join(public, on="stay", how="semi", maintain_order="left"))


def drugs_told_twice(claims: Claims, rng: Rng) -> Claims:
    """Private drugs in T_MCOaaFH too, some on another day; hand-outs in T_MCOaaFHSTC too, a day later.

    In T_MCOaaMED some lines repeat (NBR_SEJ 2), and some say that nothing was given.
    """
    drugs = claims.drugs
    private = drugs["stay"].is_in(claims.stays.filter(is_private())["stay"].implode())
    moved = private & drawn(rng, drugs.height, OTHER_DAY_SHARE)
    public = drugs.filter(~private)
    repeated = public.filter(drawn(rng, public.height, REPEATED_SHARE)).with_columns(
        shared=pl.lit(2, dtype=pl.Int64)
    )
    idle = public.filter(drawn(rng, public.height, NOT_GIVEN_SHARE))
    idle = idle.with_columns(
        pl.col("delay") + 2,
        event=pl.lit(None, dtype=pl.Int64),
        given=-pl.Series(rng.integers(0, 2, idle.height)),
    )
    told = drugs.with_columns(pl.col("delay") + moved.cast(pl.Int64))
    return replace(
        claims, drugs=pl.concat([told, repeated, idle]), visits=pl.concat([claims.visits, _hand_outs(claims)])
    )  # fmt: skip


def _hand_outs(claims: Claims) -> pl.DataFrame:
    """What T_MCOaaFHSTC says of drugs that hospitals handed out, which ER_UCD_F dates."""
    given = claims.lines.filter(
        pl.col("nature").is_in(RETROCESSION) & pl.col("ucd").is_not_null() & pl.col("facility").is_not_null()
    )
    return given.select(
        event=pl.lit(None, dtype=pl.Int64), person="person", day=pl.col("day") + 1, facility="facility", code="ucd",
        code_system=pl.lit("UCD"), specialty=pl.lit(None, dtype=pl.Int64), delay=pl.lit(0, dtype=pl.Int64),
        return_code=pl.lit(None, dtype=pl.String), bad_pseudonym=pl.lit(False),
    )  # fmt: skip


def ucd_forms(claims: Claims, rng: Rng) -> Claims:
    """UCD on 13 characters, on 7, or as 34008 and 7."""
    return replace(
        claims,
        lines=claims.lines.with_columns(ucd=_written("ucd", pl.col("person") % len(UCD_FORMS))),
        drugs=claims.drugs.with_columns(ucd=_written("ucd", _form(rng, claims.drugs.height))),
        visits=claims.visits.with_columns(
            code=pl.when(pl.col("code_system") == "UCD")
            .then(_written("code", _form(rng, claims.visits.height)))
            .otherwise("code")
        ),
    )


def _form(rng: Rng, size: int) -> pl.Series:
    return pl.Series(rng.integers(0, len(UCD_FORMS), size))


def _written(column: str, form: pl.Expr | pl.Series) -> pl.Expr:
    seven = pl.col(column).str.tail(7)
    return (
        pl.when(form == 1).then(seven).when(form == 2).then("34008" + seven).otherwise(column).alias(column)
    )
