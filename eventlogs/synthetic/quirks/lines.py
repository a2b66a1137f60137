"""Traps of DCIR: lines that bill nothing, lines that are corrected, codes and numbers of several forms.

Every function takes what the claims say and returns what a real extract would say instead. Rates are ours unless a
source is named; truth is computed afterwards from the same rows, so each trap has a right answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.claims import Claims, is_private
from eventlogs.synthetic.quirks.draw import Rng, drawn

INFORMATION_SHARE = 0.03
INFORMATION_OF_VISITS_SHARE = 0.30
MAJORATION_SHARE = 0.03
COMPLEMENTARY_SHARE = 0.02
NO_BASE_SHARE = 0.01
BLANK_DATE_SHARE = 0.005
CANCELLED_SHARE = 0.01
REGULARISED_SHARE = 0.02
FIDES_SHARE = 0.30  # 24 % of public stays in 2016, 35 % in 2019 (SNDS documentation)
REPEATED_FRACTION_SHARE = 0.30
MISREAD_SHARE = 0.01
MISREAD_ACTS = ("YYYY600", "FCFA021")  # an archived image, a node of a limb
SHORT_CODE_ONE_IN = 12  # persons
FULL_FINESS_SHARE = 0.25
QUALIFIERS, QUALIFIER_SHARES = (71, 72), (0.8, 0.2)


def _genuine(claims: Claims, rng: Rng, share: float) -> pl.DataFrame:
    """A draw among the lines that bill an event."""
    lines = claims.lines.filter(pl.col("event").is_not_null() & (pl.col("quantity") > 0))
    return lines.filter(drawn(rng, lines.height, share))


def _invented(claims: Claims, rng: Rng, share: float, shift_days: int) -> pl.DataFrame:
    """Copies of genuine lines that bill nothing; up to `shift_days` later."""
    copies = _genuine(claims, rng, share)
    shift = (
        rng.integers(1, shift_days + 1, copies.height)
        if shift_days
        else np.zeros(copies.height, dtype=np.int64)
    )
    return copies.with_columns(pl.col("day") + pl.Series(shift), event=pl.lit(None, dtype=pl.Int64))


def _with_lines(claims: Claims, *more: pl.DataFrame) -> Claims:
    return replace(claims, lines=pl.concat([claims.lines, *more], how="diagonal"))


def information_lines(claims: Claims, rng: Rng) -> Claims:
    """DPN_QLF 71 or 72, or PRS_DPN_QLP 71: sent for information only; among them, care outside stays of hospitals."""
    copies = pl.concat(
        [_invented(claims, rng, INFORMATION_SHARE, 9), _told_by_visits(claims, rng)], how="diagonal"
    )
    prescriber = drawn(rng, copies.height, 0.5)
    flag = pl.Series(rng.choice(QUALIFIERS, copies.height, p=QUALIFIER_SHARES), dtype=pl.Int64)
    return _with_lines(
        claims,
        copies.with_columns(
            qualifier=pl.when(~prescriber).then(flag),
            provider_qualifier=pl.when(prescriber).then(pl.lit(71, dtype=pl.Int64)),
        ),
    )


def _told_by_visits(claims: Claims, rng: Rng) -> pl.DataFrame:
    """Lines of external care, a day late so that a reader that keeps them finds events too many."""
    visits = claims.visits.filter(pl.col("code_system").is_in(["CCAM", "NGAP"]))
    chosen = visits.filter(drawn(rng, visits.height, INFORMATION_OF_VISITS_SHARE))
    act = pl.col("code_system") == "CCAM"
    number = pl.lit(1, dtype=pl.Int64)
    return chosen.select(
        "person", "specialty", "facility", day=pl.col("day") + 1, quantity=number, boxes=number,
        nature=pl.when(act).then(p.TECHNICAL_ACT).otherwise(p.SPECIALIST_NATURES[0]).cast(pl.Int64),
        ccam=pl.when(act).then("code"), blank=pl.lit(0, dtype=pl.Int64), event=pl.lit(None, dtype=pl.Int64),
        lag=pl.Series(rng.integers(1, 4, chosen.height), dtype=pl.Int64),
    )  # fmt: skip


def majorations(claims: Claims, rng: Rng) -> Claims:
    """CPL_MAJ_TOP 2: a supplement beside the act, not an act."""
    copies = _invented(claims, rng, MAJORATION_SHARE, 0)
    return _with_lines(claims, copies.with_columns(majoration=pl.lit(2, dtype=pl.Int64)))


def complementary_lines(claims: Claims, rng: Rng) -> Claims:
    """CPL_AFF_COD 16."""
    copies = _invented(claims, rng, COMPLEMENTARY_SHARE, 9)
    return _with_lines(claims, copies.with_columns(affiliation=pl.lit(16, dtype=pl.Int64)))


def lines_without_base(claims: Claims, rng: Rng) -> Claims:
    """BSE_PRS_NAT 0."""
    copies = _invented(claims, rng, NO_BASE_SHARE, 9)
    return _with_lines(claims, copies.with_columns(base_nature=pl.lit(0, dtype=pl.Int64)))


def blank_dates(claims: Claims, rng: Rng) -> Claims:
    """No care date, or 1600-01-01."""
    copies = _invented(claims, rng, BLANK_DATE_SHARE, 9)
    return _with_lines(claims, copies.with_columns(blank=pl.Series(rng.integers(1, 3, copies.height))))


def cancelled_lines(claims: Claims, rng: Rng) -> Claims:
    """A line sent by mistake and cancelled by a negative one in a later flux: nothing remains."""
    copies = _invented(claims, rng, CANCELLED_SHARE, 9)
    early = copies.filter(pl.col("day") < p.Calendar().end - 500)
    return _with_lines(claims, early, early.with_columns(pl.col("lag") + 2, quantity=-pl.col("quantity")))


def regularisations(claims: Claims, rng: Rng) -> Claims:
    """A line cancelled and sent again in a later flux; the first one often had a wrong number of boxes."""
    lines = claims.lines
    chosen = lines["event"].is_not_null() & drawn(rng, lines.height, REGULARISED_SHARE)
    wrong = lines.filter(chosen).with_columns(
        pl.col("boxes") + pl.Series(rng.integers(0, 2, int(chosen.sum())))
    )
    cancelled = wrong.with_columns(pl.col("lag") + 1, quantity=-pl.col("quantity"))
    right = lines.with_columns(lag=pl.col("lag") + chosen.cast(pl.Int64))
    return replace(claims, lines=pl.concat([right, wrong, cancelled]))


def fides(claims: Claims, rng: Rng) -> Claims:
    """Public stays that leak into DCIR (ETE_IND_TAA 1): the bill, and surgery dated from the entry."""
    public = claims.stays.filter(~is_private() & (pl.col("field") == "mco"))
    leaked = public.filter(drawn(rng, public.height, FIDES_SHARE))
    acts = leaked.join(
        claims.acts.filter(pl.col("activity_code") == "1"), on="stay", how="left", maintain_order="left_right"
    )
    lines = acts.select(
        "person", "facility", day="entry", ccam="code", taa=pl.lit(1, dtype=pl.Int64),
        nature=pl.when(pl.col("code").is_null()).then(pl.lit(p.GHS)).otherwise(pl.lit(p.SURGICAL_ACT)).cast(pl.Int64),
        quantity=pl.lit(1, dtype=pl.Int64), boxes=pl.lit(1, dtype=pl.Int64), blank=pl.lit(0, dtype=pl.Int64),
        lag=pl.Series(rng.integers(1, 4, acts.height)),
    )  # fmt: skip
    return replace(claims, lines=pl.concat([claims.lines, lines], how="diagonal"))


def repeated_fractions(claims: Claims, rng: Rng) -> Claims:
    """A fraction of private radiotherapy billed by a second line the same day, a supplement alone."""
    lines = claims.lines
    fraction = pl.col("ccam").is_in(p.FRACTION_CODES) & pl.col("event").is_not_null()
    fractions = lines.filter(fraction)
    again = fractions.filter(drawn(rng, fractions.height, REPEATED_FRACTION_SHARE)).with_columns(
        ccam=pl.lit(p.FRACTION_SUPPLEMENTS[0]), supplement=pl.lit(None, dtype=pl.String)
    )
    return _with_lines(claims, again)


def misread_acts(claims: Claims, rng: Rng) -> Claims:
    """Acts whose code looks like a listed one."""
    copies = _invented(claims, rng, MISREAD_SHARE, 9)
    code = pl.Series(MISREAD_ACTS)[rng.integers(0, len(MISREAD_ACTS), copies.height)]
    none = pl.lit(None, dtype=pl.String)
    return _with_lines(
        claims,
        copies.with_columns(
            ccam=code, supplement=none, ucd=none, nabm=none, lpp=none, cip=pl.lit(None, dtype=pl.Int64),
            nature=pl.lit(p.IMAGING_ACT, dtype=pl.Int64), specialty=pl.lit(6, dtype=pl.Int64),
        ),
    )  # fmt: skip


def without_archiving(claims: Claims) -> Claims:
    """The claims without the supplement that archives an image."""
    kept = pl.when(pl.col("supplement") != p.ARCHIVING_SUPPLEMENT).then("supplement")
    return replace(claims, lines=claims.lines.with_columns(supplement=kept))


def short_codes(claims: Claims, rng: Rng) -> Claims:
    """Medicines under their seven digits, for all lines of some persons (real ones are of 2006 and 2007)."""
    chosen = rng.integers(SHORT_CODE_ONE_IN)
    short = (pl.col("person") % SHORT_CODE_ONE_IN == chosen) & pl.col("cip").is_not_null()
    return replace(claims, lines=claims.lines.with_columns(short_code=short))


def full_numbers(claims: Claims, rng: Rng) -> Claims:
    """Facilities written with the nine digits of FINESS beside those with eight."""
    full = drawn(rng, claims.lines.height, FULL_FINESS_SHARE)
    return replace(claims, lines=claims.lines.with_columns(full_number=full))
