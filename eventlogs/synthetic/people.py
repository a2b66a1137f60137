"""Territories and beneficiaries: who is in the extract, where they live, how they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from . import parameters as p

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OVERSEAS_DEPRIVATION = 1.0
"""Centred deprivation given to overseas départements, where the French index has no value (ours)."""


@dataclass(frozen=True)
class Population:
    """Age (years, a normal law cut to a range) and sex of the people with a cancer."""

    age_median: float
    age_sd: float
    age_range: tuple[int, int]
    female_share: float

    @property
    def frail_share(self) -> float:
        """Expected share of frail people at these ages."""
        age = self.age_median + self.age_sd * np.linspace(-4, 4, 401)
        weight = np.exp(-(np.linspace(-4, 4, 401) ** 2) / 2)
        return float((_frail_probability(np.clip(age, *self.age_range)) * weight).sum() / weight.sum())


@dataclass(frozen=True)
class Land:
    """Where people live.

    Attributes
    ----------
    territories : polars.DataFrame
        `territory` (INSEE département), `share` of the population, `hotspot`.
    communes : polars.DataFrame
        `commune` (INSEE, 5 characters), `dpt` and `com` as in IR_BEN_R, `quintile` (null overseas);
        12 rows for each territory, in the same order.
    """

    territories: pl.DataFrame
    communes: pl.DataFrame

    @property
    def hotspot_share(self) -> float:
        """Share of the population that lives in a hotspot."""
        return float((self.territories["share"] * self.territories["hotspot"]).sum())


def population(only: tuple[str, ...] = ()) -> pl.DataFrame:
    """`territory` and `share` of the population, for all départements or for `only` some of them."""
    pairs = [entry.split(":") for entry in p.POPULATION_THOUSANDS.split()]
    frame = pl.DataFrame({"territory": [c for c, _ in pairs], "people": [float(n) for _, n in pairs]})
    kept = frame.filter(pl.col("territory").is_in(only)) if only else frame
    return kept.select("territory", share=pl.col("people") / pl.col("people").sum())


def hotspot_candidates(territories: pl.DataFrame) -> Ints:
    """Rows of the territories that are large enough to hold a hotspot."""
    return np.flatnonzero(territories["share"].to_numpy() >= p.HOTSPOT_MIN_SHARE)


def draw_land(rng: np.random.Generator, hotspots: int, only: tuple[str, ...] = ()) -> Land:
    """Draw the hotspots and the deprivation of communes."""
    territories = population(only)
    chosen = rng.choice(hotspot_candidates(territories), size=hotspots, replace=False)
    flags = np.zeros(territories.height, dtype=bool)
    flags[chosen] = True
    return Land(territories.with_columns(hotspot=pl.Series(flags)), _communes(rng, territories))


def _communes(rng: np.random.Generator, territories: pl.DataFrame) -> pl.DataFrame:
    """Twelve communes for each territory; their quintiles lean to the one of the territory."""
    size = territories.height
    level = np.repeat(rng.normal(0.0, 0.7, size), p.COMMUNES_PER_TERRITORY) + rng.normal(
        0.0, 1.0, size * p.COMMUNES_PER_TERRITORY
    )
    quintile = 1 + np.searchsorted(
        [-1.03, -0.31, 0.31, 1.03], level
    )  # fifths of a normal law of variance 1.49
    code = pl.Series("territory", np.repeat(territories["territory"].to_numpy(), p.COMMUNES_PER_TERRITORY))
    number = pl.Series("number", np.tile(np.arange(1, p.COMMUNES_PER_TERRITORY + 1), size))
    overseas = pl.col("territory").str.len_chars() == 3
    padded = pl.col("number").cast(pl.String)
    com = (
        pl.when(overseas)
        .then(pl.col("territory").str.slice(2, 1) + padded.str.zfill(2))
        .otherwise(padded.str.zfill(3))
    )
    return pl.DataFrame([code, number, pl.Series("quintile", quintile, dtype=pl.Int8)]).select(
        commune=pl.col("territory").str.slice(0, 2) + com,
        dpt="0" + pl.col("territory").str.slice(0, 2),
        com=com,
        quintile=pl.when(~overseas).then(pl.col("quintile")),
    )


def pseudonyms(prefix: str, seed: int, numbers: Ints) -> pl.Series:
    """17-character pseudonyms: one for each number, all different (a bijection of 64-bit integers)."""
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) + np.uint64(seed % 2**32) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed = mixed ^ (mixed >> np.uint64(31))
    digits = mixed.astype(">u8").tobytes().hex().upper().encode()
    return prefix + pl.Series(np.frombuffer(digits, dtype="S16").astype(str))


def draw_people(
    rng: np.random.Generator,
    land: Land,
    calendar: p.Calendar,
    size: int,
    *,
    population: Population,
    first_number: int,
    seed: int,
    kind: str,
) -> pl.DataFrame:
    """Draw `size` beneficiaries, one row each.

    Returns
    -------
    polars.DataFrame
        `number` (unique in the extract), `kind`, `patient_id` (BEN_IDT_ANO), `psa`, `nir`, `twin_rank`, `sex`,
        `birth_year`, `birth_month`, `age`, `territory`, `territory_number`, `commune`, `dpt`, `com`, `quintile`,
        `hotspot`, `index_day`, `frail`, `gp_poor`, `far`, `ald`.
    """
    numbers = np.arange(first_number, first_number + size)
    index_day = rng.integers(calendar.first_index, calendar.last_index + 1, size)
    drawn_age = np.round(rng.normal(population.age_median, population.age_sd, size))
    age: Ints = np.clip(drawn_age, *population.age_range).astype(np.int64)
    territory = rng.choice(land.territories.height, size, p=land.territories["share"].to_numpy())
    commune = territory * p.COMMUNES_PER_TERRITORY + rng.integers(0, p.COMMUNES_PER_TERRITORY, size)
    frail = rng.random(size) < _frail_probability(age)
    nir = pseudonyms("N", seed, numbers)
    drawn = pl.DataFrame(
        {
            "number": numbers,
            "kind": pl.repeat(kind, size, eager=True),
            "patient_id": nir,
            "psa": pseudonyms("P", seed + 1, numbers),
            "nir": nir,
            "twin_rank": pl.repeat(1, size, dtype=pl.Int8, eager=True),
            "sex": pl.Series(np.where(rng.random(size) < population.female_share, 2, 1), dtype=pl.Int8),
            "birth_year": (1970 + index_day / 365.25).astype(np.int64) - age,
            "birth_month": rng.integers(1, 13, size),
            "age": age,
            "territory_number": territory,
            "index_day": index_day,
            "frail": frail,
            "gp_poor": rng.random(size) < p.GP_POOR_SHARE,
            "far": rng.random(size) < p.FAR_SHARE,
            "ald": rng.random(size) < p.ALD_SHARE,
        }
    )
    return drawn.hstack(land.territories.select("territory", "hotspot")[territory]).hstack(
        land.communes[commune]
    )


def _frail_probability(age: NDArray[np.floating] | Ints) -> Floats:
    return logistic(p.FRAIL_AT_60 + p.FRAIL_PER_YEAR * (age - 60.0))


def deprivation_centred(people: pl.DataFrame) -> Floats:
    """Deprivation from -1 (quintile 1) to 1 (quintile 5)."""
    return ((people["quintile"].cast(pl.Float64) - 3) / 2).fill_null(OVERSEAS_DEPRIVATION).to_numpy()


def facility_codes(territories: pl.DataFrame) -> pl.Series:
    """9-character FINESS-like codes, four for each territory (two public, then two private); invented."""
    code = np.repeat(territories["territory"].to_numpy(), p.FACILITY_SLOTS)
    slot = np.tile(np.arange(p.FACILITY_SLOTS), territories.height)
    frame = pl.DataFrame({"code": code, "slot": slot})
    tail = (pl.col("slot") // 2 * 80_000 + pl.col("slot") * 117 + 10_231).cast(pl.String)
    width = 9 - pl.col("code").str.len_chars()
    padded = pl.when(width == 7).then(tail.str.zfill(7)).otherwise(tail.str.zfill(6))
    return frame.select(pl.col("code") + padded).to_series()


def logistic(logit: NDArray[np.floating]) -> Floats:
    """Probability from its logit."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)
