"""What every course shares: profile, mechanisms of breakdown, milestones, survival, before any claim exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from . import parameters as p
from .endocrine import Refills
from .people import Bools, Floats, Ints, Land, Population, deprivation_centred, logistic


@dataclass(frozen=True)
class Profile:
    """What is true of each patient from the start; arrays with one value for each patient.

    `stage` goes from 0 to 3 (3: metastases) and `subtype` is a row of the cancer's `subtypes`. `covariates` are centred
    on their expected mean, so that effects leave the average where it is.
    """

    stage: Ints
    subtype: Ints
    screened: Bools
    public: Bools
    facility: Ints
    biopsy_facility: Ints
    changes_facility: Bools
    covariates: dict[str, Floats]

    @property
    def size(self) -> int:
        """Number of patients."""
        return int(self.stage.size)

    @property
    def metastatic(self) -> Bools:
        """Metastases from the start."""
        return np.equal(self.stage, 3)


@dataclass(frozen=True)
class Step:
    """A planted breakdown: a step that comes after a lognormal delay in days, or never.

    Attributes
    ----------
    breakdown : str
        Its id in the pathway definition.
    start, due_step : array
        Day on which each patient is at risk, and the day of the step; `parameters.NEVER` where there is none.
    mu, sigma, p_never : array
        The law that `due_step` was drawn from.
    within_days : int
        Days after which the step counts as missing; operational, not official.
    """

    breakdown: str
    start: Ints
    due_step: Ints
    mu: Floats
    sigma: Floats
    p_never: Floats
    within_days: int


@dataclass(frozen=True)
class Supply:
    """A treatment taken at home that may be interrupted: a planted breakdown.

    `rows` are the patients who have it; the other arrays have one value for each of them. A refill holds `boxes` boxes,
    for `months` months of 30 days.
    """

    breakdown: str
    rows: Ints
    months: Ints
    boxes: Ints
    start: Ints
    monthly_hazard: Floats
    refills: Refills


@dataclass(frozen=True)
class Milestones:
    """Days of each patient's milestones; `parameters.NEVER` where there is none.

    `biopsy` is the index: the biopsy or endoscopy that makes the diagnosis, or the operation of an emergency. `regimen`
    is a row of the cancer's `regimens`, of which `sessions` at most are given. `end` is the last day of follow-up
    (death or administrative end); `leaves` the day after which planned care stops (palliative care or death).
    """

    biopsy: Ints
    first_treatment: Ints
    surgery: Ints
    chemo_start: Ints
    regimen: Ints
    sessions: Ints
    postponed: Bools
    planning: Ints
    radiotherapy_start: Ints
    fractions: Ints
    surveillance: Ints
    metastatic_chemo: Ints
    palliative: Ints
    death: Ints
    cancer_death: Bools
    leaves: Ints
    end: Ints


@dataclass(frozen=True)
class Course:
    """Everything drawn for the patients of a chunk; a cancer adds what is its own."""

    profile: Profile
    dates: Milestones
    site: pl.Series
    steps: tuple[Step, ...]
    supplies: tuple[Supply, ...]


# --- profile ----------------------------------------------------------------------------------------------


def draw_profile(
    rng: np.random.Generator,
    people: pl.DataFrame,
    land: Land,
    population: Population,
    tumour: tuple[Ints, Ints, Bools],
) -> Profile:
    """Draw sector and centres beside the `tumour`: stage, subtype, found by screening."""
    stage, subtype, screened = tumour
    public = rng.random(stage.size) < p.PUBLIC_SHARE
    facility = _facility(rng, people, public, land.territories["share"].to_numpy())
    changes = rng.random(stage.size) < p.CHANGES_FACILITY_SHARE
    return Profile(
        stage=stage,
        subtype=subtype,
        screened=screened,
        public=public,
        facility=facility,
        biopsy_facility=np.where(changes, neighbour(facility), facility),
        changes_facility=changes,
        covariates=_covariates(people, changes, land.hotspot_share, population),
    )


def neighbour(facility: Ints) -> Ints:
    """The next centre of the same département."""
    return facility // p.FACILITY_SLOTS * p.FACILITY_SLOTS + (facility + 1) % p.FACILITY_SLOTS


def _facility(rng: np.random.Generator, people: pl.DataFrame, public: Bools, shares: Floats) -> Ints:
    """A centre of the département of residence, or of another one drawn by size."""
    home = people["territory_number"].to_numpy()
    near_share, far_share = p.OUT_OF_TERRITORY_SHARE
    away = rng.random(home.size) < np.where(people["far"].to_numpy(), far_share, near_share)
    territory = np.where(away, rng.choice(shares.size, home.size, p=shares), home)
    return territory * p.FACILITY_SLOTS + np.where(public, 0, 2) + rng.integers(0, 2, home.size)


def _covariates(
    people: pl.DataFrame, changes: Bools, hotspot_share: float, population: Population
) -> dict[str, Floats]:
    age: Floats = people["age"].cast(pl.Float64).to_numpy()
    return {
        "frail": people["frail"].to_numpy() - population.frail_share,
        "far": people["far"].to_numpy() - p.FAR_SHARE,
        "gp_poor": people["gp_poor"].to_numpy() - p.GP_POOR_SHARE,
        "no_ald": p.ALD_SHARE - people["ald"].to_numpy(),
        "hotspot": people["hotspot"].to_numpy() - hotspot_share,
        "facility": changes.astype(np.float64) - p.CHANGES_FACILITY_SHARE,
        "deprivation": deprivation_centred(people),
        "age": (age - population.age_median) / 20.0,
    }


# --- mechanisms -------------------------------------------------------------------------------------------

VARIANCES = {
    "facility": 0.25, "deprivation": 0.5, "frail": 0.19, "far": 0.21, "gp_poor": 0.19, "no_ald": 0.074, "hotspot": 0.08,
}  # fmt: skip
"""Expected variance of each covariate of the late start, so that the overall spread stays the published one."""


def score(covariates: Mapping[str, Floats], effects: Mapping[str, float]) -> Floats:
    """Sum of the effects of each patient's covariates."""
    total: Floats = sum((effect * covariates[name] for name, effect in effects.items()), np.zeros(1))
    return total


def start_law(profile: Profile, mu: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Log-mean and log-spread of each patient's delay to the first treatment.

    `mu` and `sigma` are those of everybody on the same path; covariates move the log-mean and take a share of the
    spread, the same share (24 %) on every path, so that the overall law stays the one given.
    """
    effects = p.EFFECTS["late_start"]
    explained = sum(effect**2 * VARIANCES[name] for name, effect in effects.items()) / p.EFFECTS_SIGMA**2
    shift = score(profile.covariates, effects) * sigma / p.EFFECTS_SIGMA
    return mu + shift, sigma * np.sqrt(1 - explained)


def first_treatment(
    rng: np.random.Generator,
    profile: Profile,
    biopsy: Ints,
    law: tuple[Floats, Floats],
    *,
    treated: Bools,
    at_risk: Bools,
    within_days: int,
) -> tuple[Ints, Step]:
    """Day of the first treatment, and the planted late start of those `at_risk`; the untreated never start."""
    mu, sigma = start_law(profile, *law)
    first = np.where(treated, biopsy + lognormal_days(rng, mu, sigma), p.NEVER)
    start = np.where(at_risk, biopsy, p.NEVER)
    never = np.where(treated, 0.0, 1.0)
    return first, Step("late_start", start, first, mu, sigma, never, within_days)


def surveillance_step(
    rng: np.random.Generator,
    profile: Profile,
    start: Ints,
    law: tuple[float, float],
    *,
    base_logit: float,
    within_days: int,
) -> Step:
    """First surveillance examination after `start`: on time, after the lapse, or never."""
    size = start.size
    lapse = logistic(base_logit + score(profile.covariates, p.EFFECTS["surveillance_lapse"]))
    lapses = rng.random(size) < lapse
    regular = lognormal_days(rng, *law, size=size)
    late = within_days + 10 + rng.exponential(p.SURVEILLANCE_RETURN_MEAN_DAYS, size).astype(np.int64)
    returns = rng.random(size) < p.SURVEILLANCE_RETURN_SHARE
    came = np.where(lapses, np.where(returns, start + late, p.NEVER), start + regular)
    day = np.where(start < p.NEVER, came, p.NEVER)
    return Step(
        "surveillance_lapse", start, day, np.full(size, law[0]), np.full(size, law[1]), lapse, within_days
    )


# --- survival ---------------------------------------------------------------------------------------------


def draw_deaths(
    rng: np.random.Generator, biopsy: Ints, age: Ints, excess_per_year: Floats, shape: float = 1.0
) -> tuple[Ints, Bools]:
    """Day of death, and whether the cancer caused it.

    The cumulative excess hazard after t years is ``excess_per_year * t**shape``, beside a constant hazard of other
    causes that grows with age.
    """
    cancer = (rng.exponential(1.0, age.size) / excess_per_year) ** (1 / shape)
    other = rng.exponential(1.0, age.size) / np.exp(
        p.OTHER_DEATH_LOG_HAZARD_AT_60 + p.OTHER_DEATH_PER_YEAR * (age - 60)
    )
    days = np.minimum(np.minimum(cancer, other) * 365.25, 36_500).astype(np.int64)
    return biopsy + p.DEATH_AFTER_DAYS + days, cancer < other


def draw_palliative(
    rng: np.random.Generator, metastatic: Bools, biopsy: Ints, death: Ints, cancer_death: Bools
) -> Ints:
    """Two cancer deaths in three, and half of the others with metastases, see a palliative team before the end."""
    of_cancer, of_metastatic, of_others = p.PALLIATIVE_SHARE
    before = np.round(rng.exponential(p.PALLIATIVE_MEAN_DAYS, metastatic.size)).astype(np.int64)
    chance = np.where(cancer_death, of_cancer, np.where(metastatic, of_metastatic, of_others))
    cared = rng.random(metastatic.size) < chance
    return np.where(cared, np.maximum(death - before, biopsy + 15), p.NEVER)


# --- draws ------------------------------------------------------------------------------------------------


def draw_regimen(
    rng: np.random.Generator, regimens: Sequence[Sequence[int]], shares: Sequence[float], postponed: Bools
) -> tuple[Ints, Ints]:
    """The regimen and the days from its first to its last session."""
    regimen = rng.choice(len(regimens), postponed.size, p=shares)
    return regimen, np.take([offsets[-1] for offsets in regimens], regimen) + 7 * postponed


def lognormal_days(
    rng: np.random.Generator, mu: Floats | float, sigma: Floats | float, size: int | None = None
) -> Ints:
    """Whole days, at least one, rounded up: P(days > w) is exactly P(X > w) for a whole w."""
    return np.ceil(rng.lognormal(mu, sigma, size)).astype(np.int64)


def later(day: Ints, days: Ints) -> Ints:
    """`days` after `day`, never where there is no `day`."""
    return np.where(day < p.NEVER, day + days, p.NEVER)


def later_line(rng: np.random.Generator, death: Ints, eligible: Bools, earliest: Ints, share: float) -> Ints:
    """First day of a line of chemotherapy before death, long enough after the first treatments not to mix with them."""
    start = death - 130 - rng.exponential(200.0, death.size).astype(np.int64)
    treated = eligible & (start > earliest) & (rng.random(death.size) < share)
    return np.where(treated, start, p.NEVER)


def given_sessions(rng: np.random.Generator, size: int) -> Ints:
    """Number of sessions given at most: a few patients stop after two to four."""
    stops = rng.random(size) < p.EARLY_STOP_SHARE
    return np.where(stops, rng.integers(2, 5, size), p.NEVER)
