"""Traps of identity: pseudonyms that change, are shared, are fictitious, and deaths told by several sources."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.claims import Claims
from eventlogs.synthetic.people import pseudonyms
from eventlogs.synthetic.quirks.draw import People, Rng, drawn

IDENTITY_CHANGE_SHARE = (
    0.03  # SNDS documentation: 0.83 % of persons have two pseudonyms; raised to be seen in small extracts
)
MISSING_NIR_SHARE = 0.04  # BEN_NIR_ANO filled for 88.0 % (2011) to 98.5 % (2018) of beneficiaries
TWIN_SHARE = 0.002  # 0.18 % of same-sex twins share a pseudonym (SNDS documentation)
FICTITIOUS_SHARE = 0.01
FICTITIOUS_NUMBERS = ("05", "11")  # BEN_CDI_NIR
FICTITIOUS_BIRTH_YEAR = 1955  # often so (Santé publique France, 2020)
EARLY_SHARE, EARLY_DAYS = 0.08, 730
UNRECORDED_DEATH_SHARE = 0.08  # of deaths in hospital
UNLINKED_DEATH_SHARE = 0.12  # 88.7 to 90.1 % of certificates linked from 2013 to 2015 (SNDS documentation)
OTHER_DAY_SHARE = 0.10


def missing_nir(people: People, rng: Rng, seed: int) -> People:
    """No BEN_NIR_ANO: the person is known by another BEN_IDT_ANO."""
    missing = drawn(rng, people.height, MISSING_NIR_SHARE)
    other = pseudonyms("I", seed + 3, people["number"].to_numpy())
    return people.with_columns(
        nir=pl.when(~missing).then("nir"), patient_id=pl.when(missing).then(other).otherwise("patient_id")
    )


def identity_change(people: People, rng: Rng, seed: int) -> People:
    """A new BEN_NIR_PSA on the way; the old one stays in IR_BEN_R or goes to IR_BEN_R_ARC."""
    changed = drawn(rng, people.height, IDENTITY_CHANGE_SHARE)
    day = people["index_day"] + pl.Series(rng.integers(30, 500, people.height))
    return people.with_columns(
        old_psa=pl.when(changed).then(pseudonyms("P", seed + 2, people["number"].to_numpy())),
        change_day=pl.when(changed).then(day),
        old_archived=drawn(rng, people.height, 0.5),
    )


def twins(people: People, rng: Rng, seed: int) -> People:
    """A twin shares the BEN_NIR_PSA under rank 2: PMSI, which has no rank, can't tell them apart."""
    chosen = drawn(rng, people.height, TWIN_SHARE) & people["change_day"].is_null()
    number = people.filter(chosen)["number"].to_numpy()
    name = pseudonyms("N", seed + 4, number)
    none = pl.lit(None, dtype=pl.Int64)
    flagged = people.with_columns(shared_psa=chosen)
    sister = flagged.filter(chosen).with_columns(
        patient_id=name, nir=name, twin_rank=pl.lit(2, dtype=pl.Int8), kind=pl.lit("twin"), ald=pl.lit(False),
        death_day=pl.lit(p.NEVER, dtype=pl.Int64), last_day=pl.lit(p.NEVER, dtype=pl.Int64), recorded_death=none,
        certified_death=none,
    )  # fmt: skip
    return pl.concat([flagged, sister])


def early_index(people: People, rng: Rng) -> People:
    """Some patients of the first year fell ill two years earlier, when hospitals reported twice."""
    first_year = people["index_day"] < p.Calendar().first_index + 365
    early = drawn(rng, people.height, EARLY_SHARE) & first_year
    return people.with_columns(
        index_day=pl.col("index_day") - EARLY_DAYS * early.cast(pl.Int64),
        birth_year=pl.col("birth_year") - EARLY_DAYS // 365 * early.cast(pl.Int64),
    )


def fictitious_people(patients: People, rng: Rng, seed: int) -> tuple[People, pl.DataFrame]:
    """Numbers that stand for no person to follow, with the care of some patients; and the `source` row of each."""
    chosen = drawn(rng, patients.height, FICTITIOUS_SHARE)
    copies = patients.with_row_index("source").filter(chosen)
    number = copies["number"].to_numpy()
    name = pseudonyms("F", seed + 5, number)
    invented = copies.drop("source").with_columns(
        number=pl.col("number") + p.NEVER,
        patient_id=name,
        nir=name,
        psa=pseudonyms("G", seed + 6, number),
        kind=pl.lit("fictitious"),
        number_kind=pl.Series(FICTITIOUS_NUMBERS)[rng.integers(0, len(FICTITIOUS_NUMBERS), number.size)],
        birth_year=pl.lit(FICTITIOUS_BIRTH_YEAR, dtype=pl.Int64),
    )
    return invented, copies.select(pl.col("source").cast(pl.Int64))


def death_sources(people: People, claims: Claims, rng: Rng) -> People:
    """Deaths that one source lacks, or dates a few days later.

    Certificates are not always linked; a death in hospital may be known by the discharge mode alone; IR_BEN_R is a few
    days late for some.
    """
    size = people.height
    in_hospital = claims.stays.filter("died")["person"].unique().to_numpy()
    hidden = pl.Series(np.isin(np.arange(size), in_hospital)) & drawn(rng, size, UNRECORDED_DEATH_SHARE)
    late = drawn(rng, size, OTHER_DAY_SHARE).cast(pl.Int64) * pl.Series(rng.integers(1, 4, size))
    return people.with_columns(
        certified_death=pl.when(~drawn(rng, size, UNLINKED_DEATH_SHARE)).then("certified_death"),
        recorded_death=pl.when(~hidden & pl.col("recorded_death").is_not_null()).then(
            pl.min_horizontal(pl.col("recorded_death") + late, p.Calendar().end)
        ),
    )  # fmt: skip
