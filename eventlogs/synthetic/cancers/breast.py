"""Breast cancer: numbers, course and events.

The operation and the first session of radiotherapy keep the day that was drawn, so that the laws of delays stay exact,
and may fall on a week-end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from eventlogs.synthetic import care
from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.course import (
    Course,
    Milestones,
    Profile,
    Step,
    Supply,
    draw_deaths,
    draw_palliative,
    draw_profile,
    draw_regimen,
    first_treatment,
    later_line,
    lognormal_days,
    score,
    surveillance_step,
)
from eventlogs.synthetic.endocrine import draw_refills
from eventlogs.synthetic.events import emit, pick, spread, stay_key
from eventlogs.synthetic.people import Bools, Floats, Ints, Land, Population, logistic
from eventlogs.synthetic.scene import Cancer, Hospital, Lookalike, Rng, Scene

# --- who --------------------------------------------------------------------------------------------------
POPULATION = Population(
    age_median=60.0,  # FRESH, Dumas 2022
    age_sd=13.0,  # ours
    age_range=(25, 97),
    female_share=0.994,  # ours, near the usual 1 % of breast cancers in men
)
SCREENED_SHARE_50_74 = 0.50  # ours
STAGE_SHARES = (0.45, 0.37, 0.12, 0.06)  # ours: I, II, III, IV
SUBTYPES = ("luminal", "triple_negative", "her2")
SUBTYPE_SHARES = (0.802, 0.095, 0.103)  # FRESH, Dumas 2022, n=235 368
EXCESS_HAZARD_PER_YEAR = (
    0.006,
    0.020,
    0.060,
    0.300,
)  # ours, by stage; 5-year net survival near 87 % (2005-2010)

# --- treatment --------------------------------------------------------------------------------------------
CONSERVING_SHARE = (0.82, 0.74, 0.42)  # ours by stage; about 70 % overall (screened 82, others 70 %)
NEOADJUVANT_LOGIT = {
    "base": -3.75,
    "stage_2": 1.2,
    "stage_3": 2.6,
    "not_luminal": 1.3,
    "per_year": 0.0,
}  # ours; about 8 %
ADJUVANT_LOGIT = {
    "base": -1.50,
    "stage_2": 1.3,
    "stage_3": 2.4,
    "not_luminal": 1.6,
    "per_year": -0.05,
}  # ours; 30-35 %
PRIMARY_ENDOCRINE_SHARE_80 = 0.30  # ours: no surgery after 80 in luminal disease
STAGE_4_CHEMOTHERAPY_SHARE = 0.55  # ours
REGIMEN_OFFSETS = (
    tuple(21 * k for k in range(6)),
    (0, 21, 42, *(63 + 7 * k for k in range(9))),
    tuple(21 * k for k in range(8)),
)
"""Days of the sessions: six courses every 21 days; three, then nine weekly; eight every 21 days (ours)."""
REGIMEN_SHARES = (0.70, 0.25, 0.05)
WEEKLY_REGIMEN = 1
TRASTUZUMAB_INFUSIONS = 17  # a year, one every 21 days

IMAGING_TO_BIOPSY = (1.85, 0.6)  # lognormal; mean 7.6 days: VICAN2 has 6.3 to 8.1
START_MEAN_MU = (
    3.434  # biopsy to first treatment: median 31 d (Ayrault-Piault 2016) and P(> 42 d) = 33 % (n=505, 2015)
)
START_TOTAL_SIGMA = 0.69
SURGERY_TO_CHEMO = (3.58, 0.33)  # mean 38 days (ours; near 40)
NEOADJUVANT_TO_SURGERY = (3.40, 0.25)  # mean 31 days (ours)
RT_MU_AFTER_SURGERY, RT_MU_AFTER_CHEMO, RT_SIGMA = 3.66, 2.70, 0.38
"""Last surgery or chemotherapy to the first radiotherapy step (planning), lognormal. Sessions begin 7 to 13 days later,
so that surgery to session is near 52.7 days without and 172.6 days with chemotherapy (means, VICAN2, INCa 2014)."""
RT_AFTER_MASTECTOMY_SHARE = (0.35, 0.72, 0.97)  # ours, by stage; 85.3 % irradiated overall (FRESH)
RT_FRACTIONS, RT_FRACTION_SHARES = (5, 15, 16, 25), (0.15, 0.40, 0.25, 0.20)  # ours
ENDOCRINE_SHARE = 0.90  # of luminal; 70.4 % of all start (FRESH)
ENDOCRINE_START = (3.1, 0.4)  # after the end of the local treatment, mean 24 days (ours)
QUARTERLY_SUPPLY_SHARE = 0.30  # ours: boxes for 90 days
RECONSTRUCTION_SHARE = 0.25  # ours, after mastectomy, before 70
SURVEILLANCE = (5.919, 0.10)  # surgery to first mammography, median 372 days (yearly: HAS 2014; spread ours)

LATER_LINE_SHARE = 0.60  # ours: chemotherapy of metastases before death
MRI_SHARE = 0.45  # ours
MARKER_SHARE = 0.30  # ours: followed by CA 15-3
MARKER = "tumour_marker"

# --- the four planted breakdowns --------------------------------------------------------------------------
WITHIN_DAYS = {
    "late_start": 42,
    "radiotherapy_missed": 112,
    "endocrine_interruption": 90,
    "surveillance_lapse": 548,
}
"""Days after which the step counts as broken; operational, not official."""

EFFECTS = {
    "radiotherapy_missed": {
        "facility": 0.40, "deprivation": 0.35, "frail": 0.80, "far": 0.90, "gp_poor": 0.50, "no_ald": 0.60, "age": 0.40,
        "hotspot": 0.90,
    },
    "radiotherapy_delay": {"facility": 0.08, "deprivation": 0.05, "frail": 0.10, "far": 0.12, "hotspot": 0.35},
    "endocrine_interruption": {
        "deprivation": 0.25, "frail": 0.35, "gp_poor": 0.70, "no_ald": 0.90, "young": 0.60, "tamoxifen": 0.45,
        "hotspot": 0.90,
    },
}  # fmt: skip
"""As `parameters.EFFECTS`, on the log-mean delay (radiotherapy_delay), the log-odds of never having the step
(radiotherapy_missed) or the log monthly hazard (endocrine_interruption). Directions follow published predictors (no
ALD, age under 40, tamoxifen); sizes are ours."""

BASE_LOGIT = {"radiotherapy_missed": -2.95, "surveillance_lapse": -1.11}
BASE_LOG_HAZARD = -4.58

# --- codes (CCAM, CIM-10, CIP13, UCD: public nomenclatures) -----------------------------------------------
CONSERVING_CODES = ("QEFA004", "QEFA017", "QEFA001", "QEFA008")
MASTECTOMY_CODES = ("QEFA019", "QEFA003", "QEFA005")
BIOPSY_CODES = ("QEHJ001", "QEHJ004", "QEHJ005", "QEHH001")
PATHOLOGY_CODES = ("QEQX004", "QEQX005", "FCQX005")
RECONSTRUCTION_CODES = ("QEMA006", "QEMA008", "QEMA011", "QEMA020")
TUMOUR_CODES = ("C504", "C509", "C505", "C502")
TAMOXIFEN_CIP13 = ("3400934639470", "3400936143524")
AROMATASE_INHIBITOR_CIP13 = ("3400938435610", "3400938515145", "3400934147425", "3400934625923", "3400935279668",
                             "3400949931859")  # fmt: skip
TRASTUZUMAB_UCD = ("0000009438761", "0000009220097", "0000009435604")

YOUNG_MEAN, TAMOXIFEN_MEAN = 0.12, 0.30
"""Expected means of what follows from age."""


# --- course -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BreastCourse(Course):
    """What is drawn beside the common course."""

    tamoxifen: Bools
    conserving: Bools

    @property
    def her2(self) -> Bools:
        """HER2-positive tumour."""
        return np.equal(self.profile.subtype, 2)


@dataclass(frozen=True)
class Plan:
    """Who is operated, and who receives chemotherapy, before or after."""

    operated: Bools
    neoadjuvant: Bools
    adjuvant: Bools
    chemo_first: Bools
    conserving: Bools


def draw(rng: Rng, people: pl.DataFrame, land: Land, calendar: p.Calendar) -> BreastCourse:
    """Draw the course. The order of draws is fixed: it is part of what a seed means."""
    biopsy, age = people["index_day"].to_numpy(), people["age"].to_numpy()
    profile, tamoxifen = _profile(rng, people, land)
    death, cancer_death = draw_deaths(rng, biopsy, age, np.take(EXCESS_HAZARD_PER_YEAR, profile.stage))
    palliative = draw_palliative(rng, profile.metastatic, biopsy, death, cancer_death)
    everybody = np.ones(age.size, dtype=bool)
    law = np.full(age.size, START_MEAN_MU), np.full(age.size, START_TOTAL_SIGMA)
    first, late_start = first_treatment(
        rng, profile, biopsy, law, treated=everybody, at_risk=everybody, within_days=WITHIN_DAYS["late_start"]
    )
    plan = _plan(rng, profile, age)
    postponed = (profile.subtype != 2) & (rng.random(age.size) < p.POSTPONED_SHARE)
    regimen, duration = draw_regimen(rng, REGIMEN_OFFSETS, REGIMEN_SHARES, postponed)
    surgery, chemo_start = _surgery_and_chemo(rng, plan, first, duration)
    chemo_last = np.where(chemo_start < p.NEVER, chemo_start + duration, p.NEVER)
    after_chemo = np.where(chemo_last < p.NEVER, chemo_last, 0)
    anchor = np.where(plan.operated, np.maximum(surgery, after_chemo), p.NEVER)
    radiotherapy = _radiotherapy(rng, profile, plan, anchor, chemo_last)
    planning = radiotherapy.due_step
    rt_start = np.where(planning < p.NEVER, planning + rng.integers(7, 14, age.size), p.NEVER)
    local_end = np.where(planning < p.NEVER, rt_start + 30, anchor + 25)
    supply = _endocrine(rng, profile, plan, first, local_end)
    surveillance = surveillance_step(
        rng, profile, surgery, SURVEILLANCE, base_logit=BASE_LOGIT["surveillance_lapse"],
        within_days=WITHIN_DAYS["surveillance_lapse"],
    )  # fmt: skip
    dates = Milestones(
        biopsy=biopsy, first_treatment=first, surgery=surgery, chemo_start=chemo_start, regimen=regimen,
        sessions=np.full(age.size, p.NEVER), postponed=postponed, planning=planning, radiotherapy_start=rt_start,
        fractions=rng.choice(RT_FRACTIONS, age.size, p=RT_FRACTION_SHARES), surveillance=surveillance.due_step,
        metastatic_chemo=later_line(rng, death, cancer_death & plan.operated, biopsy + 540, LATER_LINE_SHARE),
        palliative=palliative, death=death, cancer_death=cancer_death, leaves=np.minimum(death, palliative),
        end=np.minimum(death, calendar.end),
    )  # fmt: skip
    shown = replace(radiotherapy, start=np.where(plan.conserving, anchor, p.NEVER))
    return BreastCourse(
        profile, dates, pl.Series(TUMOUR_CODES)[np.arange(age.size) % len(TUMOUR_CODES)],
        (late_start, shown, surveillance), (supply,), tamoxifen=tamoxifen, conserving=plan.conserving,
    )  # fmt: skip


def _profile(rng: Rng, people: pl.DataFrame, land: Land) -> tuple[Profile, Bools]:
    """Profile with two covariates of endocrine therapy, and who would take tamoxifen."""
    age = people["age"].to_numpy()
    subtype = rng.choice(len(SUBTYPES), age.size, p=SUBTYPE_SHARES)
    stage = rng.choice(4, age.size, p=STAGE_SHARES)
    screened = (age >= 50) & (age <= 74) & (rng.random(age.size) < SCREENED_SHARE_50_74)
    tamoxifen = np.where(age < 52, rng.random(age.size) < 0.9, rng.random(age.size) < 0.08)
    profile = draw_profile(rng, people, land, POPULATION, (stage, subtype, screened))
    covariates = profile.covariates | {
        "young": (age < 45).astype(np.float64) - YOUNG_MEAN,
        "tamoxifen": tamoxifen.astype(np.float64) - TAMOXIFEN_MEAN,
    }
    return replace(profile, covariates=covariates), tamoxifen


def _plan(rng: Rng, profile: Profile, age: Ints) -> Plan:
    """Draw the plan: old women with a luminal tumour may have endocrine therapy alone, metastases no surgery."""
    luminal = profile.subtype == 0
    spared = (age >= 80) & luminal & (rng.random(age.size) < PRIMARY_ENDOCRINE_SHARE_80)
    operated = ~profile.metastatic & ~spared
    neoadjuvant = operated & (age < 80) & _drawn(rng, profile, NEOADJUVANT_LOGIT, age)
    adjuvant = operated & ~neoadjuvant & (age < 82) & _drawn(rng, profile, ADJUVANT_LOGIT, age)
    for_metastases = ~luminal | (rng.random(age.size) < STAGE_4_CHEMOTHERAPY_SHARE)
    conserving = operated & (rng.random(age.size) < np.take((*CONSERVING_SHARE, 0.0), profile.stage))
    return Plan(
        operated, neoadjuvant, adjuvant, neoadjuvant | (profile.metastatic & for_metastases), conserving
    )


def _drawn(rng: Rng, profile: Profile, logit: dict[str, float], age: Ints) -> Bools:
    """Draw with a logit of stage, subtype and age."""
    x = logit["base"] + logit["stage_2"] * (profile.stage == 1) + logit["stage_3"] * (profile.stage == 2)
    x = x + logit["not_luminal"] * (profile.subtype != 0) + logit["per_year"] * (age - POPULATION.age_median)
    return rng.random(age.size) < logistic(x)


def _surgery_and_chemo(rng: Rng, plan: Plan, first: Ints, duration: Ints) -> tuple[Ints, Ints]:
    """Days of surgery and of the first session of chemotherapy."""
    to_chemo = lognormal_days(rng, *SURGERY_TO_CHEMO, size=first.size)
    to_surgery = lognormal_days(rng, *NEOADJUVANT_TO_SURGERY, size=first.size)
    surgery = np.where(plan.neoadjuvant, first + duration + to_surgery, first)
    start = np.where(plan.chemo_first, first, np.where(plan.adjuvant, surgery + to_chemo, p.NEVER))
    return np.where(plan.operated, surgery, p.NEVER), start


def _radiotherapy(rng: Rng, profile: Profile, plan: Plan, anchor: Ints, chemo_last: Ints) -> Step:
    """First step (planning) of the radiotherapy of those who should have it: a share of them never do."""
    after_mastectomy = rng.random(anchor.size) < np.take((*RT_AFTER_MASTECTOMY_SHARE, 0.0), profile.stage)
    never = logistic(
        BASE_LOGIT["radiotherapy_missed"] + score(profile.covariates, EFFECTS["radiotherapy_missed"])
    )
    kept = rng.random(anchor.size) >= never
    base = np.where(anchor == chemo_last, RT_MU_AFTER_CHEMO, RT_MU_AFTER_SURGERY)
    mu = base + score(profile.covariates, EFFECTS["radiotherapy_delay"])
    planned = plan.operated & (plan.conserving | after_mastectomy) & kept
    planning = np.where(planned, anchor + lognormal_days(rng, mu, RT_SIGMA), p.NEVER)
    sigma = np.full(anchor.size, RT_SIGMA)
    return Step("radiotherapy_missed", anchor, planning, mu, sigma, never, WITHIN_DAYS["radiotherapy_missed"])


def _endocrine(rng: Rng, profile: Profile, plan: Plan, first: Ints, local_end: Ints) -> Supply:
    """After the local treatment; at once where it is the first treatment."""
    started = (profile.subtype == 0) & (rng.random(first.size) < ENDOCRINE_SHARE)
    wait = lognormal_days(rng, *ENDOCRINE_START, size=first.size)
    first_line = ~plan.operated & ~plan.chemo_first
    start = np.where(first_line, first, np.where(plan.operated & started, local_end + wait, p.NEVER))
    rows = np.flatnonzero(start < p.NEVER)
    hazard: Floats = np.minimum(
        np.exp(BASE_LOG_HAZARD + score(profile.covariates, EFFECTS["endocrine_interruption"])), 0.2
    )
    boxes = np.where(rng.random(rows.size) < QUARTERLY_SUPPLY_SHARE, 3, 1)
    refills = draw_refills(rng, start[rows], hazard[rows], boxes)
    return Supply("endocrine_interruption", rows, boxes, boxes, start[rows], hazard[rows], refills)


# --- events -----------------------------------------------------------------------------------------------

BreastScene = Scene[BreastCourse]


def first_imaging(scene: BreastScene) -> pl.DataFrame:
    """Screening or diagnostic mammography, often with ultrasound."""
    person = np.arange(scene.size)
    before = np.ceil(scene.rng.lognormal(*IMAGING_TO_BIOPSY, scene.size)).astype(np.int64)
    day = scene.dates.biopsy - np.minimum(before, p.LOOKBACK_DAYS)
    archived = pl.Series(np.where(scene.rng.random(scene.size) < 0.3, p.ARCHIVING_SUPPLEMENT, ""))
    screened = scene.profile.screened
    mammography = care.imaging(
        person, day, "mammography", pl.Series(np.where(screened, "QEQK004", "QEQK001"))
    ).with_columns(
        activity=pl.Series(np.where(screened, "screening_mammography", "mammography")),
        supplement=archived.replace("", None),
    )
    some = care.where(scene.rng.random(scene.size) < 0.7)
    later = day + (scene.rng.random(scene.size) * (scene.dates.biopsy - day)).astype(np.int64)
    return pl.concat([mammography, _ultrasound(some, later[some])], how="diagonal")


def _ultrasound(person: Ints, day: Ints) -> pl.DataFrame:
    return emit(person, day, activity="breast_ultrasound", code="QEQM001", code_system="CCAM",
                nature=p.ULTRASOUND_ACT, specialty=6)  # fmt: skip


def biopsy(scene: BreastScene) -> pl.DataFrame:
    """The biopsy, which is the index event."""
    person = np.arange(scene.size)
    code = pick(scene.rng, BIOPSY_CODES, scene.size)
    return emit(person, scene.dates.biopsy, activity="breast_biopsy", code=code, code_system="CCAM",
                nature=p.TECHNICAL_ACT, specialty=6, facility=scene.profile.biopsy_facility)  # fmt: skip


def mri(scene: BreastScene) -> pl.DataFrame:
    """MRI between biopsy and first treatment, for some."""
    gap = scene.dates.first_treatment - scene.dates.biopsy
    person = care.where((scene.rng.random(scene.size) < MRI_SHARE) & (gap > 2))
    day = scene.dates.biopsy + 1 + (scene.rng.random(scene.size) * np.minimum(gap - 1, 20)).astype(np.int64)
    return care.imaging(
        person, day[person], "breast_mri", pick(scene.rng, ("QEQJ001", "QEQN001"), person.size)
    )


def markers(scene: BreastScene) -> pl.DataFrame:
    """CA 15-3 before treatment for some, and in the follow-up of a few."""
    some = np.where(scene.rng.random(scene.size) < MARKER_SHARE, scene.dates.first_treatment, p.NEVER)
    person, day = care.repeated(scene, some, (-3, 180, 360, 720), jitter=10, came=0.6)
    return care.marker(scene, person, np.maximum(day, scene.dates.biopsy[person]), "7321", MARKER)


def surveillance(scene: BreastScene) -> pl.DataFrame:
    """Yearly mammography after surgery; later years are missed as the first one is on average."""
    first = scene.dates.surveillance
    person, year = spread(np.where(first < p.NEVER, 4, 0))
    day = first[person] + 368 * year + np.where(year > 0, scene.rng.integers(-20, 40, person.size), 0)
    came = (year == 0) | (scene.rng.random(person.size) < 0.74)
    with_ultrasound = came & (scene.rng.random(person.size) < 0.5)
    mammography = care.imaging(person[came], day[came], "mammography", "QEQK001")
    return pl.concat(
        [mammography, _ultrasound(person[with_ultrasound], day[with_ultrasound])], how="diagonal"
    )


def surgery(scene: BreastScene) -> pl.DataFrame:
    """Breast surgery: in PMSI, and beside it in ER_CAM_F where the clinic is private."""
    person = care.where(scene.dates.surgery < p.NEVER)
    day, conserving = scene.dates.surgery[person], scene.course.conserving[person]
    codes = [pick(scene.rng, codes, person.size).to_numpy() for codes in (CONSERVING_CODES, MASTECTOMY_CODES)]
    nights = np.where(
        conserving, scene.rng.integers(0, 3, person.size), scene.rng.integers(1, 6, person.size)
    )
    operated = care.operation(
        scene, "surgery", person, day, code=pl.Series(np.where(conserving, *codes)),
        activity=pl.Series(np.where(conserving, "breast_conserving_surgery", "mastectomy")),
        ghm=pl.Series(np.where(conserving, "09C051", "09C041")),
    ).with_columns(
        entry=pl.Series(day - scene.rng.choice(3, person.size, p=(0.55, 0.40, 0.05))), exit=pl.Series(day + nights)
    )  # fmt: skip
    axilla = operated.filter(pl.Series(scene.rng.random(operated.height) < 0.2)).with_columns(
        activity=pl.lit("axillary_surgery"), code=pl.lit("FCFA029")
    )
    return pl.concat([axilla, care.with_pathology(scene, operated, PATHOLOGY_CODES)])


def axillary_completion(scene: BreastScene) -> pl.DataFrame:
    """A second operation on the axilla three to five weeks later, for a few."""
    person = care.where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.04))
    day = scene.dates.surgery[person] + scene.rng.integers(20, 36, person.size)
    return care.operation(
        scene, "axilla", person, day, activity="axillary_surgery", code="FCFA029", ghm="09C101"
    )


def reconstruction(scene: BreastScene) -> pl.DataFrame:
    """Reconstruction one to two years after mastectomy, before 70."""
    eligible = (
        (scene.dates.surgery < p.NEVER) & ~scene.course.conserving & (scene.people["age"].to_numpy() < 70)
    )
    person = care.where(eligible & (scene.rng.random(scene.size) < RECONSTRUCTION_SHARE))
    day = scene.dates.surgery[person] + scene.rng.integers(365, 731, person.size)
    code = pick(scene.rng, RECONSTRUCTION_CODES, person.size)
    rebuilt = care.operation(
        scene, "reconstruction", person, day, activity="breast_reconstruction", code=code, ghm="09C141"
    )
    return rebuilt.with_columns(dr=pl.col("dp"), dp=pl.lit("Z421"))


def trastuzumab(scene: BreastScene) -> pl.DataFrame:
    """One infusion every 21 days for a year, in the séance of chemotherapy of that day or in one of its own."""
    chosen = care.where(scene.course.her2 & (scene.dates.chemo_start < p.NEVER))
    row, rank = spread(np.full(chosen.size, TRASTUZUMAB_INFUSIONS))
    person = chosen[row]
    day = scene.dates.chemo_start[person] + 21 * rank
    alone: dict[str, Any] = {
        "dp": "Z512",
        "dr": care.tumour(scene, person),
        "ghm": "28Z17Z",
        "entry": day,
        "exit": day,
    }
    infusions = emit(person, day, facility=scene.profile.facility[person], stay=stay_key("infusion", person, rank),
                     **alone)  # fmt: skip
    return care.given_in(scene, _in_same_session(scene, infusions), TRASTUZUMAB_UCD, "targeted_therapy")


def _in_same_session(scene: BreastScene, infusions: pl.DataFrame) -> pl.DataFrame:
    """Infusions moved to the single séances of chemotherapy of the same day (the first, or not weekly)."""
    person, rank, day = care.session_days(scene)
    single = (scene.dates.regimen[person] != WEEKLY_REGIMEN) & (rank > 0)
    sessions = emit(person[single], day[single], stay=stay_key("chemo", person[single], rank[single]))
    joined = infusions.join(
        sessions, on=["person", "day"], how="left", suffix="_of_chemo", maintain_order="left"
    )
    shared = pl.col("stay_of_chemo").is_not_null()
    return joined.with_columns(
        stay=pl.coalesce("stay_of_chemo", "stay"),
        dp=pl.when(shared).then(pl.lit("Z511")).otherwise("dp"),
        ghm=pl.when(shared).then(pl.lit("28Z07Z")).otherwise("ghm"),
    ).drop("stay_of_chemo")


def endocrine(scene: BreastScene) -> pl.DataFrame:
    """Dispensings of tamoxifen or an aromatase inhibitor in pharmacies."""
    person = np.arange(scene.size)
    inhibitor = np.take(AROMATASE_INHIBITOR_CIP13, person % len(AROMATASE_INHIBITOR_CIP13))
    tamoxifen = np.take(TAMOXIFEN_CIP13, person % len(TAMOXIFEN_CIP13))
    return care.refills(scene, pl.Series(np.where(scene.course.tamoxifen, tamoxifen, inhibitor)))


BREAST: Cancer[BreastCourse] = Cancer(
    name="breast",
    diagnosis=("C50",),
    population=POPULATION,
    anchors=(
        "breast_biopsy", "breast_conserving_surgery", "mastectomy", "chemotherapy_session", "radiotherapy_session",
        "endocrine_therapy_dispensing", "targeted_therapy",
    ),
    subtypes=SUBTYPES,
    regimens=REGIMEN_OFFSETS,
    weekly_regimen=WEEKLY_REGIMEN,
    surgeons=(p.SURGEON_SPECIALTIES, p.SURGEON_SHARES),
    hospital=Hospital(medical_ghm="09M102", terminal_ghm="09M103", port_ghm="09K02J"),
    lookalike=Lookalike(
        imaging=("mammography", "QEQK001"), biopsy=("breast_biopsy", BIOPSY_CODES),
        operation=("breast_conserving_surgery", "QEFA004", "D24", "09C061"), other_cancer="C187",
    ),
    draw=draw,
    planned=(
        first_imaging, biopsy, mri, care.before_treatment, surgery, axillary_completion, care.after_surgery,
        care.port_placement, care.chemotherapy, trastuzumab, care.radiotherapy, endocrine, surveillance, markers,
        care.oncology_follow_up, reconstruction, care.metastatic_chemotherapy, care.rehabilitation,
    ),
    unplanned=care.UNPLANNED,
)  # fmt: skip
