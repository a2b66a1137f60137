"""The clinical course of each patient: profile, mechanisms of breakdown and milestones, before any claim exists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from . import parameters as p
from .people import Bools, Floats, Ints, deprivation_centred, logistic


@dataclass(frozen=True)
class Profile:
    """What is true of each patient from the start; arrays with one value for each patient."""

    stage: Ints
    subtype: Ints
    screened: Bools
    public: Bools
    facility: Ints
    biopsy_facility: Ints
    changes_facility: Bools
    tamoxifen: Bools
    covariates: dict[str, Floats]

    @property
    def luminal(self) -> Bools:
        """Hormone-sensitive tumour."""
        return np.equal(self.subtype, 0)

    @property
    def her2(self) -> Bools:
        """HER2-positive tumour."""
        return np.equal(self.subtype, 2)


@dataclass(frozen=True)
class Mechanisms:
    """Parameters of the planted breakdowns; see `parameters.EFFECTS`. Delays are lognormal, in days."""

    start_mu: Floats
    start_sigma: float
    radiotherapy_mu_shift: Floats
    radiotherapy_never: Floats
    monthly_hazard: Floats
    lapse: Floats


@dataclass(frozen=True)
class Milestones:
    """Days of each patient's milestones; `parameters.NEVER` where there is none.

    `end` is the last day of follow-up (death or administrative end); `leaves` the day after which planned care stops
    (palliative care or death).
    """

    biopsy: Ints
    first_treatment: Ints
    surgery: Ints
    conserving: Bools
    chemo_start: Ints
    chemo_last: Ints
    regimen: Ints
    postponed: Bools
    radiotherapy_anchor: Ints
    planning: Ints
    radiotherapy_start: Ints
    fractions: Ints
    endocrine_start: Ints
    surveillance: Ints
    metastatic_chemo: Ints
    palliative: Ints
    death: Ints
    cancer_death: Bools
    leaves: Ints
    end: Ints


def draw_profile(
    rng: np.random.Generator,
    people: pl.DataFrame,
    shares: Floats,
    hotspot_share: float,
) -> Profile:
    """Draw tumour, sector and centres; `shares` are the population shares of the territories."""
    size = people.height
    age = people["age"].to_numpy()
    public = rng.random(size) < p.PUBLIC_SHARE
    facility = _facility(rng, people, public, shares)
    changes = rng.random(size) < p.CHANGES_FACILITY_SHARE
    subtype = rng.choice(len(p.SUBTYPES), size, p=p.SUBTYPE_SHARES)
    tamoxifen = np.where(age < 52, rng.random(size) < 0.9, rng.random(size) < 0.08)
    return Profile(
        stage=rng.choice(4, size, p=p.STAGE_SHARES),
        subtype=subtype,
        screened=(age >= 50) & (age <= 74) & (rng.random(size) < p.SCREENED_SHARE_50_74),
        public=public,
        facility=facility,
        biopsy_facility=np.where(changes, neighbour(facility), facility),
        changes_facility=changes,
        tamoxifen=tamoxifen,
        covariates=_covariates(people, changes, tamoxifen, hotspot_share),
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
    people: pl.DataFrame, changes: Bools, tamoxifen: Bools, hotspot_share: float
) -> dict[str, Floats]:
    """Covariates of the mechanisms, centred on their expected mean so that effects leave the average where it is."""
    age: Floats = people["age"].cast(pl.Float64).to_numpy()
    centred: dict[str, Floats] = {
        "frail": people["frail"].to_numpy() - FRAIL_MEAN,
        "far": people["far"].to_numpy() - p.FAR_SHARE,
        "gp_poor": people["gp_poor"].to_numpy() - p.GP_POOR_SHARE,
        "no_ald": p.ALD_SHARE - people["ald"].to_numpy(),
        "hotspot": people["hotspot"].to_numpy() - hotspot_share,
        "facility": changes.astype(np.float64) - p.CHANGES_FACILITY_SHARE,
        "deprivation": deprivation_centred(people),
        "age": (age - p.AGE_MEDIAN) / 20.0,
        "young": (age < 45).astype(np.float64) - YOUNG_MEAN,
        "tamoxifen": tamoxifen.astype(np.float64) - TAMOXIFEN_MEAN,
    }
    return centred


FRAIL_MEAN, YOUNG_MEAN, TAMOXIFEN_MEAN = 0.25, 0.12, 0.30
"""Expected means of what follows from age."""


def draw_mechanisms(profile: Profile) -> Mechanisms:
    """Turn covariates into the parameters of the four mechanisms (no randomness)."""
    start = _score(profile, "late_start")
    explained = _score_variance(p.EFFECTS["late_start"])
    return Mechanisms(
        start_mu=p.START_MEAN_MU + start,
        start_sigma=float(np.sqrt(p.START_TOTAL_SIGMA**2 - explained)),
        radiotherapy_mu_shift=_score(profile, "radiotherapy_delay"),
        radiotherapy_never=logistic(
            p.BASE_LOGIT["radiotherapy_missed"] + _score(profile, "radiotherapy_missed")
        ),
        monthly_hazard=np.minimum(np.exp(p.BASE_LOG_HAZARD + _score(profile, "endocrine_interruption")), 0.2),
        lapse=logistic(p.BASE_LOGIT["surveillance_lapse"] + _score(profile, "surveillance_lapse")),
    )


def _score(profile: Profile, mechanism: str) -> Floats:
    effects = p.EFFECTS[mechanism]
    total = np.zeros(profile.stage.size)
    for name, effect in effects.items():
        total += effect * profile.covariates[name]
    return total


VARIANCES = {
    "facility": 0.25,
    "deprivation": 0.5,
    "frail": 0.19,
    "far": 0.21,
    "gp_poor": 0.19,
    "no_ald": 0.074,
    "hotspot": 0.08,
}
"""Expected variance of each covariate of the late start, so that the overall spread stays the published one."""


def _score_variance(effects: dict[str, float]) -> float:
    return sum(effect**2 * VARIANCES[name] for name, effect in effects.items())


def draw_milestones(
    rng: np.random.Generator,
    people: pl.DataFrame,
    profile: Profile,
    mechanisms: Mechanisms,
    calendar: p.Calendar,
) -> Milestones:
    """Draw the days of the course. The order of draws is fixed: it is part of what a seed means."""
    biopsy = people["index_day"].to_numpy()
    age = people["age"].to_numpy()
    death, cancer_death = _deaths(rng, biopsy, age, profile.stage)
    palliative = _palliative(rng, profile.stage, biopsy, death, cancer_death)
    leaves = np.minimum(death, palliative)
    first = biopsy + _lognormal_days(rng, mechanisms.start_mu, mechanisms.start_sigma)
    strategy = _strategy(rng, profile, age)
    operated = strategy.operated
    postponed = ~profile.her2 & (rng.random(age.size) < p.POSTPONED_SHARE)
    regimen, duration = _regimen(rng, postponed)
    surgery, chemo_start = _surgery_and_chemo(rng, strategy, first, duration)
    chemo_last = np.where(chemo_start < p.NEVER, chemo_start + duration, p.NEVER)
    conserving = operated & (rng.random(age.size) < np.take((*p.CONSERVING_SHARE, 0.0), profile.stage))
    anchor = np.where(operated, np.maximum(surgery, np.where(chemo_last < p.NEVER, chemo_last, 0)), p.NEVER)
    planned = _irradiated(rng, profile, mechanisms, conserving, operated)
    delay = _lognormal_days(rng, radiotherapy_mu(mechanisms, anchor, chemo_last), p.RT_SIGMA)
    planning = np.where(planned, anchor + delay, p.NEVER)
    rt_start = np.where(planned, planning + rng.integers(7, 14, age.size), p.NEVER)
    fractions = rng.choice(p.RT_FRACTIONS, age.size, p=p.RT_FRACTION_SHARES)
    local_end = np.where(planned, rt_start + 30, anchor + 25)
    endocrine = _endocrine_start(rng, profile, strategy, first, local_end)
    surveillance = _surveillance(rng, mechanisms, surgery)
    metastatic = _metastatic_chemo(rng, biopsy, death, cancer_death, operated)
    return Milestones(
        biopsy=biopsy, first_treatment=first, surgery=surgery, conserving=conserving, chemo_start=chemo_start,
        chemo_last=chemo_last, regimen=regimen, postponed=postponed, radiotherapy_anchor=anchor, planning=planning,
        radiotherapy_start=rt_start, fractions=fractions, endocrine_start=endocrine, surveillance=surveillance,
        metastatic_chemo=metastatic, palliative=palliative, death=death, cancer_death=cancer_death, leaves=leaves,
        end=np.minimum(death, calendar.end),
    )  # fmt: skip


def _deaths(rng: np.random.Generator, biopsy: Ints, age: Ints, stage: Ints) -> tuple[Ints, Bools]:
    """Constant excess hazard by stage beside a hazard of other causes that grows with age."""
    cancer = rng.exponential(1.0, age.size) / np.take(p.EXCESS_HAZARD_PER_YEAR, stage)
    other = rng.exponential(1.0, age.size) / np.exp(
        p.OTHER_DEATH_LOG_HAZARD_AT_60 + p.OTHER_DEATH_PER_YEAR * (age - 60)
    )
    years = np.minimum(cancer, other)
    return biopsy + 20 + np.minimum(years * 365.25, 36_500).astype(np.int64), cancer < other


def _palliative(
    rng: np.random.Generator, stage: Ints, biopsy: Ints, death: Ints, cancer_death: Bools
) -> Ints:
    """Two cancer deaths in three, and half of the others with metastases, see a palliative team before the end."""
    before = np.round(rng.exponential(25.0, stage.size)).astype(np.int64)
    cared = rng.random(stage.size) < np.where(cancer_death, 0.65, np.where(stage == 3, 0.5, 0.02))
    return np.where(cared, np.maximum(death - before, biopsy + 15), p.NEVER)


@dataclass(frozen=True)
class Strategy:
    """Who is operated, and who receives chemotherapy, before or after."""

    operated: Bools
    neoadjuvant: Bools
    adjuvant: Bools
    chemo_first: Bools


def _strategy(rng: np.random.Generator, profile: Profile, age: Ints) -> Strategy:
    """Draw the plan: old women with a luminal tumour may have endocrine therapy alone, metastases no surgery."""
    old_luminal = (age >= 80) & profile.luminal
    spared = old_luminal & (rng.random(age.size) < p.PRIMARY_ENDOCRINE_SHARE_80)
    operated = (profile.stage < 3) & ~spared
    neoadjuvant = operated & (age < 80) & _drawn(rng, profile, p.NEOADJUVANT_LOGIT, age)
    adjuvant = operated & ~neoadjuvant & (age < 82) & _drawn(rng, profile, p.ADJUVANT_LOGIT, age)
    return Strategy(
        operated, neoadjuvant, adjuvant, neoadjuvant | ((profile.stage == 3) & _stage_4_chemo(rng, profile))
    )


def _drawn(rng: np.random.Generator, profile: Profile, logit: dict[str, float], age: Ints) -> Bools:
    """Draw with a logit of stage, subtype and age."""
    x = logit["base"] + logit["stage_2"] * (profile.stage == 1) + logit["stage_3"] * (profile.stage == 2)
    x = x + logit["not_luminal"] * ~profile.luminal + logit["per_year"] * (age - p.AGE_MEDIAN)
    return rng.random(age.size) < logistic(x)


def _stage_4_chemo(rng: np.random.Generator, profile: Profile) -> Bools:
    return ~profile.luminal | (rng.random(profile.stage.size) < p.STAGE_4_CHEMOTHERAPY_SHARE)


def _regimen(rng: np.random.Generator, postponed: Bools) -> tuple[Ints, Ints]:
    """The regimen and the days from its first to its last session."""
    regimen = rng.choice(len(p.REGIMEN_SHARES), postponed.size, p=p.REGIMEN_SHARES)
    return regimen, np.take([offsets[-1] for offsets in p.REGIMEN_OFFSETS], regimen) + 7 * postponed


def _surgery_and_chemo(
    rng: np.random.Generator, strategy: Strategy, first: Ints, duration: Ints
) -> tuple[Ints, Ints]:
    """Days of surgery and of the first session of chemotherapy."""
    to_chemo = _lognormal_days(rng, np.full(first.size, p.SURGERY_TO_CHEMO[0]), p.SURGERY_TO_CHEMO[1])
    to_surgery = _lognormal_days(
        rng, np.full(first.size, p.NEOADJUVANT_TO_SURGERY[0]), p.NEOADJUVANT_TO_SURGERY[1]
    )
    surgery = np.where(strategy.neoadjuvant, first + duration + to_surgery, first)
    start = np.where(strategy.chemo_first, first, np.where(strategy.adjuvant, surgery + to_chemo, p.NEVER))
    return np.where(strategy.operated, surgery, p.NEVER), start


def _irradiated(
    rng: np.random.Generator, profile: Profile, mechanisms: Mechanisms, conserving: Bools, operated: Bools
) -> Bools:
    """Who has radiotherapy: a share of those who should have it never do."""
    after_mastectomy = rng.random(operated.size) < np.take((*p.RT_AFTER_MASTECTOMY_SHARE, 0.0), profile.stage)
    kept = rng.random(operated.size) >= mechanisms.radiotherapy_never
    return operated & (conserving | after_mastectomy) & kept


def radiotherapy_mu(mechanisms: Mechanisms, anchor: Ints, chemo_last: Ints) -> Floats:
    """Log-mean of the delay to the first radiotherapy step, by what came last."""
    base = np.where(anchor == chemo_last, p.RT_MU_AFTER_CHEMO, p.RT_MU_AFTER_SURGERY)
    return base + mechanisms.radiotherapy_mu_shift


def _endocrine_start(
    rng: np.random.Generator, profile: Profile, strategy: Strategy, first: Ints, local_end: Ints
) -> Ints:
    """After the local treatment; at once where it is the first treatment."""
    started = profile.luminal & (rng.random(first.size) < p.ENDOCRINE_SHARE)
    wait = _lognormal_days(rng, np.full(first.size, p.ENDOCRINE_START[0]), p.ENDOCRINE_START[1])
    first_line = ~strategy.operated & ~strategy.chemo_first
    return np.where(first_line, first, np.where(strategy.operated & started, local_end + wait, p.NEVER))


def _surveillance(rng: np.random.Generator, mechanisms: Mechanisms, surgery: Ints) -> Ints:
    """First mammography after surgery: about a year later, or after more than 18 months, or never."""
    size = surgery.size
    lapses = rng.random(size) < mechanisms.lapse
    regular = _lognormal_days(rng, np.full(size, p.SURVEILLANCE[0]), p.SURVEILLANCE[1])
    late = p.WITHIN_DAYS["surveillance_lapse"] + 10 + rng.exponential(p.SURVEILLANCE_RETURN_MEAN_DAYS, size)
    returns = rng.random(size) < p.SURVEILLANCE_RETURN_SHARE
    after_lapse = np.where(returns, surgery + late.astype(np.int64), p.NEVER)
    return np.where(surgery < p.NEVER, np.where(lapses, after_lapse, surgery + regular), p.NEVER)


def _metastatic_chemo(
    rng: np.random.Generator, biopsy: Ints, death: Ints, cancer_death: Bools, operated: Bools
) -> Ints:
    """A line of chemotherapy before cancer death, long enough after the first treatments not to mix with them."""
    start = death - 130 - rng.exponential(200.0, death.size).astype(np.int64)
    treated = cancer_death & operated & (start > biopsy + 540) & (rng.random(death.size) < 0.6)
    return np.where(treated, start, p.NEVER)


def _lognormal_days(rng: np.random.Generator, mu: Floats, sigma: float) -> Ints:
    """Whole days, at least one, rounded up: P(days > w) is exactly P(X > w) for a whole w."""
    return np.ceil(rng.lognormal(mu, sigma)).astype(np.int64)
