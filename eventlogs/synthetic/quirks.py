"""The traps of real extracts, planted on purpose: one small function each, with its rate.

Every function takes what the claims say and returns what a real extract would say instead. Rates are ours unless a
source is named; truth is computed afterwards from the same rows, so each trap has a right answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from . import parameters as p
from .claims import Claims
from .people import pseudonyms
from .tables import RETURN_CODES

IDENTITY_CHANGE_SHARE = (
    0.03  # SNDS documentation: 0.83 % of persons have two pseudonyms; raised to be seen in small extracts
)
MISSING_NIR_SHARE = 0.04  # BEN_NIR_ANO filled for 88.0 % (2011) to 98.5 % (2018) of beneficiaries
TWIN_SHARE = 0.002  # 0.18 % of same-sex twins share a pseudonym (SNDS documentation)
UNRECORDED_DEATH_SHARE = 0.08  # of deaths in hospital
INFORMATION_SHARE = 0.03
MAJORATION_SHARE = 0.03
COMPLEMENTARY_SHARE = 0.02
NO_BASE_SHARE = 0.01
BLANK_DATE_SHARE = 0.005
CANCELLED_SHARE = 0.01
REGULARISED_SHARE = 0.02
FIDES_SHARE = 0.30  # 24 % of public stays in 2016, 35 % in 2019 (SNDS documentation)
CHAINING_ERROR_SHARE = 0.014  # MCO, 2017 (SNDS documentation)
BAD_PSEUDONYM_SHARE = 0.4  # of chaining errors
GROUPING_ERROR_SHARE = 0.005
PROVIDER_STAY_SHARE = 0.01
PROVIDER_SESSION_SHARE = 0.05
UNTIDY_CODE_SHARE = 0.10
UNIT_DIAGNOSIS_SHARE = 0.30
COUNTED_PLANNING_SHARE = 0.10

People = pl.DataFrame
Rng = np.random.Generator


def _drawn(rng: Rng, size: int, share: float) -> pl.Series:
    return pl.Series(rng.random(size) < share)


# --- beneficiaries ----------------------------------------------------------------------------------------


def missing_nir(people: People, rng: Rng, seed: int) -> People:
    """No BEN_NIR_ANO: the person is known by another BEN_IDT_ANO."""
    missing = _drawn(rng, people.height, MISSING_NIR_SHARE)
    other = pseudonyms("I", seed + 3, people["number"].to_numpy())
    return people.with_columns(
        nir=pl.when(~missing).then("nir"), patient_id=pl.when(missing).then(other).otherwise("patient_id")
    )


def identity_change(people: People, rng: Rng, seed: int) -> People:
    """A new BEN_NIR_PSA on the way; the old one stays in IR_BEN_R or goes to IR_BEN_R_ARC."""
    changed = _drawn(rng, people.height, IDENTITY_CHANGE_SHARE)
    day = people["index_day"] + pl.Series(rng.integers(30, 500, people.height))
    return people.with_columns(
        old_psa=pl.when(changed).then(pseudonyms("P", seed + 2, people["number"].to_numpy())),
        change_day=pl.when(changed).then(day),
        old_archived=_drawn(rng, people.height, 0.5),
    )


def twins(people: People, rng: Rng, seed: int) -> People:
    """A twin sister shares the BEN_NIR_PSA under rank 2: PMSI, which has no rank, can't tell them apart."""
    chosen = _drawn(rng, people.height, TWIN_SHARE) & people["change_day"].is_null()
    number = people.filter(chosen)["number"].to_numpy()
    name = pseudonyms("N", seed + 4, number)
    flagged = people.with_columns(shared_psa=chosen)
    sister = flagged.filter(chosen).with_columns(
        patient_id=name, nir=name, twin_rank=pl.lit(2, dtype=pl.Int8), kind=pl.lit("twin"), ald=pl.lit(False),
        death_day=pl.lit(p.NEVER, dtype=pl.Int64), last_day=pl.lit(p.NEVER, dtype=pl.Int64),
    )  # fmt: skip
    return pl.concat([flagged, sister])


PEOPLE_QUIRKS: tuple[Callable[[People, Rng, int], People], ...] = (missing_nir, identity_change, twins)


def unrecorded_death(people: People, claims: Claims, rng: Rng) -> People:
    """Death known only by the discharge mode of a stay."""
    in_hospital = claims.stays.filter("died")["person"].unique()
    hidden = pl.Series(np.isin(np.arange(people.height), in_hospital.to_numpy())) & _drawn(
        rng, people.height, UNRECORDED_DEATH_SHARE
    )
    return people.with_columns(recorded_death=pl.when(~hidden).then("recorded_death"))


# --- lines of ER_PRS_F ------------------------------------------------------------------------------------


def _genuine(claims: Claims, rng: Rng, share: float) -> pl.DataFrame:
    """A draw among the lines that bill an event."""
    lines = claims.lines.filter(pl.col("event").is_not_null() & (pl.col("quantity") > 0))
    return lines.filter(_drawn(rng, lines.height, share))


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
    return replace(claims, lines=pl.concat([claims.lines, *more]))


def information_lines(claims: Claims, rng: Rng) -> Claims:
    """DPN_QLF or PRS_DPN_QLP 71: sent for information only."""
    copies = _invented(claims, rng, INFORMATION_SHARE, 9)
    prescriber = _drawn(rng, copies.height, 0.5)
    flag = pl.lit(71, dtype=pl.Int64)
    return _with_lines(
        claims,
        copies.with_columns(
            qualifier=pl.when(~prescriber).then(flag), provider_qualifier=pl.when(prescriber).then(flag)
        ),
    )


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
    chosen = lines["event"].is_not_null() & _drawn(rng, lines.height, REGULARISED_SHARE)
    wrong = lines.filter(chosen).with_columns(
        pl.col("boxes") + pl.Series(rng.integers(0, 2, int(chosen.sum())))
    )
    cancelled = wrong.with_columns(pl.col("lag") + 1, quantity=-pl.col("quantity"))
    right = lines.with_columns(lag=pl.col("lag") + chosen.cast(pl.Int64))
    return replace(claims, lines=pl.concat([right, wrong, cancelled]))


def fides(claims: Claims, rng: Rng) -> Claims:
    """Public stays that leak into DCIR (ETE_IND_TAA 1): the bill, and surgery dated from the entry."""
    public = claims.stays.filter(pl.col("facility") % p.FACILITY_SLOTS < p.FACILITY_SLOTS // 2)
    leaked = public.filter(_drawn(rng, public.height, FIDES_SHARE))
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


# --- stays ------------------------------------------------------------------------------------------------


def chaining_errors(claims: Claims, rng: Rng) -> Claims:
    """A return code other than 0, or an impossible NIR_ANO_17: the stay belongs to nobody."""
    size = claims.stays.height
    wrong, nameless = _drawn(rng, size, CHAINING_ERROR_SHARE), _drawn(rng, size, BAD_PSEUDONYM_SHARE)
    code = pl.Series(RETURN_CODES)[rng.integers(0, len(RETURN_CODES), size)]
    return replace(
        claims,
        stays=claims.stays.with_columns(
            return_code=pl.when(wrong & ~nameless).then(code), bad_pseudonym=wrong & nameless
        ),
    )


def _copied_stays(
    claims: Claims, chosen: pl.DataFrame, shift: pl.Series, offset: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Copies of stays some days later under new numbers, with their acts."""
    copies = chosen.with_columns(
        pl.col("stay") + offset, pl.col("entry") + shift, pl.col("exit") + shift, died=pl.lit(False)
    )
    acts = claims.acts.join(chosen.select("stay"), on="stay", how="semi", maintain_order="left")
    return copies, acts.with_columns(pl.col("stay") + offset)


def grouping_errors(claims: Claims, rng: Rng) -> Claims:
    """Stays of GHM 90*, which repeat another stay: nothing in them counts."""
    chosen = claims.stays.filter(_drawn(rng, claims.stays.height, GROUPING_ERROR_SHARE))
    copies, acts = _copied_stays(claims, chosen, pl.Series(rng.integers(2, 10, chosen.height)), 2**50)
    wrong = copies.with_columns(ghm=pl.lit("90Z00Z"), sessions=pl.lit(0, dtype=pl.Int64))
    return replace(claims, stays=pl.concat([claims.stays, wrong]), acts=pl.concat([claims.acts, acts]))


def provider_stays(claims: Claims, rng: Rng) -> Claims:
    """SEJ_TYP B: séances given for another hospital count, other stays repeat the requester's (SEJ_TYP A)."""
    stays = claims.stays
    seance = stays["ghm"].str.starts_with("28")
    genuine = ~stays["ghm"].str.starts_with("90")
    repeated = ~seance & genuine & _drawn(rng, stays.height, PROVIDER_STAY_SHARE)
    given = seance & _drawn(rng, stays.height, PROVIDER_SESSION_SHARE)
    chosen = stays.filter(repeated)
    copies, acts = _copied_stays(claims, chosen, pl.Series(np.ones(chosen.height, dtype=np.int64)), 2**51)
    neighbour = (
        pl.col("facility") // p.FACILITY_SLOTS * p.FACILITY_SLOTS
        + (pl.col("facility") + 1) % p.FACILITY_SLOTS
    )
    typed = stays.with_columns(
        sej_typ=pl.when(repeated).then(pl.lit("A")).when(given).then(pl.lit("B")).otherwise("sej_typ")
    )
    provided = copies.with_columns(facility=neighbour, sej_typ=pl.lit("B"))
    return replace(claims, stays=pl.concat([typed, provided]), acts=pl.concat([claims.acts, acts]))


def untidy_diagnoses(claims: Claims, rng: Rng) -> Claims:
    """Codes written with a dot, a plus or trailing blanks."""
    style = pl.Series(
        np.where(
            rng.random(claims.stays.height) < UNTIDY_CODE_SHARE, rng.integers(1, 4, claims.stays.height), 0
        )
    )

    def written(name: str) -> pl.Expr:
        code = pl.col(name)
        dotted = code.str.slice(0, 3) + "." + code.str.slice(3)
        styles = pl.when(style == 1).then(dotted).when(style == 2).then(code + "+").when(style == 3)
        return styles.then(code.str.pad_end(6)).otherwise(code).alias(name)

    return replace(claims, stays=claims.stays.with_columns(written("dp"), written("dr")))


def unit_diagnoses(claims: Claims, rng: Rng) -> Claims:
    """Z51.5 found only as the principal diagnosis of a medical unit."""
    moved = (claims.stays["das"] == "Z515").fill_null(False) & _drawn(
        rng, claims.stays.height, UNIT_DIAGNOSIS_SHARE
    )
    return replace(claims, stays=claims.stays.with_columns(das_in_unit=moved))


def counted_plannings(claims: Claims, rng: Rng) -> Claims:
    """Radiotherapy preparations with NBR_SEA above one: they count once all the same."""
    planning = claims.stays["ghm"].is_in(p.PLANNING_GHM)
    counted = planning & _drawn(rng, claims.stays.height, COUNTED_PLANNING_SHARE)
    return replace(
        claims, stays=claims.stays.with_columns(sessions=pl.when(counted).then(3).otherwise("sessions"))
    )


CLAIM_QUIRKS: tuple[Callable[[Claims, Rng], Claims], ...] = (
    information_lines, majorations, complementary_lines, lines_without_base, blank_dates, cancelled_lines, fides,
    regularisations, chaining_errors, grouping_errors, provider_stays, untidy_diagnoses, unit_diagnoses,
    counted_plannings,
)  # fmt: skip
"""In the order of planting: chaining errors come before the copies of stays, which keep them."""
