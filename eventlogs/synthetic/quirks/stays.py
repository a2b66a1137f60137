"""Traps of the PMSI: stays that belong to nobody, repeat another, or are coded in an unexpected way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.claims import Claims, is_private
from eventlogs.synthetic.quirks.draw import Rng, drawn
from eventlogs.synthetic.tables.shared import RETURN_CODES, VISIT_RETURN_CODES

CHAINING_ERROR_SHARE = 0.014  # MCO, 2017 (SNDS documentation)
BAD_PSEUDONYM_SHARE = 0.4  # of chaining errors
GROUPING_ERROR_SHARE = 0.005
PROVIDER_STAY_SHARE = 0.01
PROVIDER_SESSION_SHARE = 0.05
UNTIDY_CODE_SHARE = 0.10
UNIT_DIAGNOSIS_SHARE = 0.30
COUNTED_PLANNING_SHARE = 0.10
ABORTION_SHARE, AUTOMATIC_SHARE = 0.005, 0.02
MONTH_ONLY_SHARE = 0.01
METASTASIS_SHARE = 0.15
METASTASES = ("C780", "C787", "C793", "C795")  # lung, liver, brain, bone
DOUBLE_SHARE = 0.5
DOUBLE_UNTIL = 17_530  # 30 December 2017: the copy, a day later, is still of that year
GEOGRAPHIC = ("130783236", "130783293", "130784234", "690784137", "690784152", "750041543")
"""Geographic FINESS of AP-HM, HCL and AP-HP, in the CNAM's list and in that of DREES."""


def chaining_errors(claims: Claims, rng: Rng) -> Claims:
    """A return code other than 0, or an impossible NIR_ANO_17: the stay belongs to nobody."""
    size = claims.stays.height
    wrong, nameless = drawn(rng, size, CHAINING_ERROR_SHARE), drawn(rng, size, BAD_PSEUDONYM_SHARE)
    code = pl.Series(RETURN_CODES)[rng.integers(0, len(RETURN_CODES), size)]
    return replace(
        claims,
        stays=claims.stays.with_columns(
            return_code=pl.when(wrong & ~nameless).then(code), bad_pseudonym=wrong & nameless
        ),
        visits=_unchained_visits(claims.visits, rng),
    )


def _unchained_visits(visits: pl.DataFrame, rng: Rng) -> pl.DataFrame:
    wrong, nameless = (drawn(rng, visits.height, s) for s in (CHAINING_ERROR_SHARE, BAD_PSEUDONYM_SHARE))
    code = pl.Series(VISIT_RETURN_CODES)[rng.integers(0, len(VISIT_RETURN_CODES), visits.height)]
    return visits.with_columns(
        return_code=pl.when(wrong & ~nameless).then(code), bad_pseudonym=wrong & nameless
    )


def _in_mco(claims: Claims) -> pl.DataFrame:
    return claims.stays.filter(pl.col("field") == "mco")


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
    chosen = _in_mco(claims).filter(drawn(rng, _in_mco(claims).height, GROUPING_ERROR_SHARE))
    copies, acts = _copied_stays(claims, chosen, pl.Series(rng.integers(2, 10, chosen.height)), 2**50)
    wrong = copies.with_columns(ghm=pl.lit("90Z00Z"), sessions=pl.lit(0, dtype=pl.Int64))
    return replace(claims, stays=pl.concat([claims.stays, wrong]), acts=pl.concat([claims.acts, acts]))


def provider_stays(claims: Claims, rng: Rng) -> Claims:
    """SEJ_TYP B: séances given for another hospital count, other stays repeat the requester's (SEJ_TYP A)."""
    stays = claims.stays
    seance = stays["ghm"].str.starts_with("28")
    genuine = ~stays["ghm"].str.starts_with("90") & (stays["field"] == "mco")
    repeated = ~seance & genuine & stays["double"].is_null() & drawn(rng, stays.height, PROVIDER_STAY_SHARE)
    given = seance & drawn(rng, stays.height, PROVIDER_SESSION_SHARE)
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
    moved = (claims.stays["das"] == "Z515").fill_null(False) & drawn(
        rng, claims.stays.height, UNIT_DIAGNOSIS_SHARE
    )
    return replace(claims, stays=claims.stays.with_columns(das_in_unit=moved))


def counted_plannings(claims: Claims, rng: Rng) -> Claims:
    """Radiotherapy preparations with NBR_SEA above one: they count once all the same."""
    planning = claims.stays["ghm"].is_in(p.PLANNING_GHM)
    counted = planning & drawn(rng, claims.stays.height, COUNTED_PLANNING_SHARE)
    return replace(
        claims, stays=claims.stays.with_columns(sessions=pl.when(counted).then(3).otherwise("sessions"))
    )


def abortions_and_automatic_stays(claims: Claims, rng: Rng) -> Claims:
    """Stays of GHM 14Z08Z, left out for legal reasons; stays generated automatically, which took place."""
    stays = _in_mco(claims)
    chosen = stays.filter(drawn(rng, stays.height, ABORTION_SHARE))
    copies, acts = _copied_stays(claims, chosen, pl.Series(rng.integers(2, 10, chosen.height)), 2**52)
    automatic = drawn(rng, claims.stays.height, AUTOMATIC_SHARE).cast(pl.Int64) * pl.Series(
        rng.integers(1, 3, claims.stays.height)
    )
    barred = copies.with_columns(ghm=pl.lit("14Z08Z"), sessions=pl.lit(0, dtype=pl.Int64))
    return replace(
        claims,
        stays=pl.concat([claims.stays.with_columns(automatic=automatic), barred]),
        acts=pl.concat([claims.acts, acts]),
    )


def month_only(claims: Claims, rng: Rng) -> Claims:
    """Stays with a month of discharge and no day, as before 2009; of public hospitals, whose claims don't date them."""
    stays = claims.stays
    plain = (
        ~stays.select(is_private()).to_series()
        & (stays["field"] == "mco")
        & (stays["sessions"] <= 1)
        & ~stays["died"]
        & ~stays["stay"].is_in(claims.drugs["stay"].implode())
    )
    return replace(
        claims, stays=stays.with_columns(month_only=plain & drawn(rng, stays.height, MONTH_ONLY_SHARE))
    )


def metastasis_first(claims: Claims, rng: Rng) -> Claims:
    """A metastasis as principal diagnosis, the primary tumour beside it."""
    stays = claims.stays
    free = pl.col("das").is_null() | ~pl.col("das").str.starts_with("Z")
    plain = (
        (pl.col("field") == "mco")
        & pl.col("dp").str.starts_with("C")
        & pl.col("dr").is_null()
        & free
        & ~pl.col("ghm").str.starts_with("28")
        & ~pl.col("stay").is_in(claims.acts["stay"].unique().implode())
    )
    spread = pl.Series(METASTASES)[rng.integers(0, len(METASTASES), stays.height)]
    chosen = plain & drawn(rng, stays.height, METASTASIS_SHARE)
    return replace(
        claims,
        stays=stays.with_columns(
            dp=pl.when(chosen).then(spread).otherwise("dp"), das=pl.when(chosen).then("dp").otherwise("das")
        ),
    )


def double_facilities(claims: Claims, rng: Rng) -> Claims:
    """Stays of public hospitals until 2017, reported once more under a geographic number, a day later."""
    stays = _in_mco(claims).filter((pl.col("exit") <= DOUBLE_UNTIL) & ~is_private())
    chosen = stays.filter(drawn(rng, stays.height, DOUBLE_SHARE))
    copies, acts = _copied_stays(claims, chosen, pl.Series(np.ones(chosen.height, dtype=np.int64)), 2**53)
    number = pl.Series(GEOGRAPHIC)[rng.integers(0, len(GEOGRAPHIC), chosen.height)]
    return replace(
        claims,
        stays=pl.concat([claims.stays, copies.with_columns(double=number)]),
        acts=pl.concat([claims.acts, acts]),
    )
