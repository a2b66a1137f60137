"""Prostate cancer: numbers, course and events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from eventlogs.synthetic import care
from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.course import (
    Course,
    Milestones,
    Profile,
    Supply,
    draw_deaths,
    draw_palliative,
    draw_profile,
    first_treatment,
    later,
    later_line,
    lognormal_days,
    score,
    surveillance_step,
)
from eventlogs.synthetic.endocrine import draw_refills
from eventlogs.synthetic.events import emit, pick
from eventlogs.synthetic.people import Bools, Floats, Ints, Land, Population
from eventlogs.synthetic.scene import Cancer, Hospital, Lookalike, Rng, Scene

# --- who --------------------------------------------------------------------------------------------------
POPULATION = Population(age_median=71.0, age_sd=8.5, age_range=(45, 96), female_share=0.0)  # ours
"""Older than the 67 years of later centres, so that deaths are those of 2009: 8.4 % in two years."""
SUBTYPES = ("low_risk", "intermediate_risk", "high_risk", "metastatic")
STAGE_SHARES = (0.30, 0.37, 0.25, 0.08)  # 8 % metastatic (later centres); the rest is ours
EXCESS_HAZARD_PER_YEAR = (0.001, 0.003, 0.016, 0.24)  # ours, by risk; 5-year net survival 94 % (2005-2010)
SCREENED_SHARE = 0.50  # ours: found by PSA without symptoms

# --- treatment --------------------------------------------------------------------------------------------
PATHS = ("prostatectomy", "brachytherapy", "radiotherapy", "none", "radiotherapy_endocrine", "endocrine")
PATH_SHARES = (
    (0.42, 0.08, 0.09, 0.37, 0.01, 0.03),
    (0.50, 0.016, 0.09, 0.144, 0.20, 0.05),
    (0.27, 0.00, 0.00, 0.10, 0.38, 0.25),
    (0.00, 0.00, 0.00, 0.10, 0.03, 0.87),
)
"""First treatment by risk (ours), in the order of rising age. With the later treatments below, treated are 38 % by
prostatectomy, 36 % by endocrine therapy, 29 % by radiotherapy, 3 % by brachytherapy, 20 % by none of these (n=43 460,
2009)."""
AGE_WEIGHT = 0.65  # ours: weight of age in the choice of the first treatment
SALVAGE_RADIOTHERAPY_SHARE, SALVAGE_ENDOCRINE_SHARE = 0.158, 0.08  # ours: after prostatectomy
SALVAGE_RADIOTHERAPY = (5.40, 0.40)  # ours: median 221 days after prostatectomy
START = {
    "prostatectomy": (4.682, 0.367),  # biopsy to prostatectomy 108 days (86 to 141), Meunier 2018, one centre
    "brachytherapy": (4.700, 0.35),
    "radiotherapy": (4.750, 0.35),
    "none": (4.682, 0.367),
    "radiotherapy_endocrine": (3.800, 0.50),
    "endocrine": (3.500, 0.55),
}
"""Log-mean and log-spread of the delay from biopsy to the first treatment, injections before radiotherapy; ours but the
first."""
INJECTION_TO_RADIOTHERAPY = (4.40, 0.25)  # ours: median 81 days
RT_FRACTIONS, RT_FRACTION_SHARES = (20, 39, 33), (0.45, 0.35, 0.20)  # ours
INJECTION_MONTHS = 3  # ours: every injection lasts three months, until care stops
ANTIANDROGEN_SHARE = 0.60  # ours: a month of tablets with the first injection
LATER_LINE_SHARE = 0.60  # ours
SURVEILLANCE = (4.094, 0.35)  # ours: first PSA two months after the local treatment
ACTIVE_SURVEILLANCE_AGE = 78  # ours: older untreated men are left alone
MRI_SHARE, PSA_SHARE = 0.70, 0.90  # ours

# --- planted breakdowns -----------------------------------------------------------------------------------
WITHIN_DAYS = {"late_start": 180, "surveillance_lapse": 365}
"""Days after which the step counts as broken; operational, not official. An untreated man counts as late."""
EFFECTS = {
    "endocrine_interruption": {
        "deprivation": 0.25, "frail": 0.35, "far": 0.20, "gp_poor": 0.70, "no_ald": 0.90, "hotspot": 0.90,
    },
}  # fmt: skip
"""As `parameters.EFFECTS`, on the log monthly hazard of stopping the injections; sizes are ours."""
SURVEILLANCE_BASE_LOGIT, BASE_LOG_HAZARD = -2.20, -4.75  # ours

# --- codes (CCAM, CIM-10, CIP13, UCD, NABM: public nomenclatures) -----------------------------------------
SITE = "C61"
BIOPSY_CODES = ("JGHJ001", "JGHJ002", "JGHB002")
PROSTATECTOMY_CODES = ("JGFA006", "JGFC001", "JGFA011")
PATHOLOGY_CODES = ("JGQX004", "JGQX005")
MRI_CODES, CT_CODES, BRACHYTHERAPY_CODE = ("ZCQJ004", "ZCQJ005"), ("ZCQH001", "ZZQH033"), "JGNL001"
PSA = "7318"
INJECTION_CIP13 = ("3400934125652", "3400937575317", "3400936690929", "3400933963811")
"""Triptorelin 11.25 mg, leuprorelin 11.25 and 22.5 mg, goserelin 10.8 mg: three months each (medicines table, 2017)."""
BICALUTAMIDE_CIP13 = ("3400933916336", "3400938431247", "3400938407815")


# --- course -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProstateCourse(Course):
    """What is drawn beside the common course."""

    path: Ints
    brachytherapy: Ints
    local_treatment: Ints

    def on(self, name: str) -> Bools:
        """Whose first treatment is this path."""
        return np.equal(self.path, PATHS.index(name))


def draw(rng: Rng, people: pl.DataFrame, land: Land, calendar: p.Calendar) -> ProstateCourse:
    """Draw the course. The order of draws is fixed: it is part of what a seed means."""
    biopsy, age = people["index_day"].to_numpy(), people["age"].to_numpy()
    profile = _profile(rng, people, land)
    death, cancer_death = draw_deaths(rng, biopsy, age, np.take(EXCESS_HAZARD_PER_YEAR, profile.stage))
    palliative = draw_palliative(rng, profile.metastatic, biopsy, death, cancer_death)
    path = _path(rng, profile, age)
    laws = np.array([START[name] for name in PATHS])
    first, late_start = first_treatment(
        rng, profile, biopsy, (laws[path, 0], laws[path, 1]), treated=path != PATHS.index("none"),
        at_risk=np.ones(age.size, dtype=bool), within_days=WITHIN_DAYS["late_start"],
    )  # fmt: skip
    surgery, brachytherapy, rt_start, injections = _treatments(rng, path, first)
    local = np.minimum(np.minimum(surgery, brachytherapy), rt_start)
    surveillance = surveillance_step(
        rng, profile, local, SURVEILLANCE, base_logit=SURVEILLANCE_BASE_LOGIT,
        within_days=WITHIN_DAYS["surveillance_lapse"],
    )  # fmt: skip
    never = np.full(age.size, p.NEVER)
    dates = Milestones(
        biopsy=biopsy, first_treatment=first, surgery=surgery, chemo_start=never,
        regimen=np.zeros(age.size, dtype=np.int64), sessions=never, postponed=np.zeros(age.size, dtype=bool),
        planning=later(rt_start, -rng.integers(7, 14, age.size)), radiotherapy_start=rt_start,
        fractions=rng.choice(RT_FRACTIONS, age.size, p=RT_FRACTION_SHARES), surveillance=surveillance.due_step,
        metastatic_chemo=later_line(rng, death, cancer_death & profile.metastatic, biopsy + 200, LATER_LINE_SHARE),
        palliative=palliative, death=death, cancer_death=cancer_death, leaves=np.minimum(death, palliative),
        end=np.minimum(death, calendar.end),
    )  # fmt: skip
    return ProstateCourse(
        profile, dates, pl.repeat(SITE, age.size, eager=True), (late_start, surveillance),
        (_injections(rng, profile, injections),), path=path, brachytherapy=brachytherapy, local_treatment=local,
    )  # fmt: skip


def _profile(rng: Rng, people: pl.DataFrame, land: Land) -> Profile:
    stage = rng.choice(4, people.height, p=STAGE_SHARES)
    screened = (stage < 3) & (rng.random(people.height) < SCREENED_SHARE)
    return draw_profile(rng, people, land, POPULATION, (stage, stage, screened))


def _path(rng: Rng, profile: Profile, age: Ints) -> Ints:
    """First treatment: the shares are those of the risk, the younger men having the first of the list."""
    z = (age - POPULATION.age_median) / POPULATION.age_sd
    mixed = AGE_WEIGHT * z + np.sqrt(1 - AGE_WEIGHT**2) * rng.standard_normal(age.size)
    rank = np.empty(age.size)
    for risk in range(len(STAGE_SHARES)):
        rows = np.flatnonzero(profile.stage == risk)
        rank[rows[np.argsort(mixed[rows], kind="stable")]] = (np.arange(rows.size) + 0.5) / max(rows.size, 1)
    shares = np.take(np.cumsum(PATH_SHARES, axis=1), profile.stage, axis=0)
    path: Ints = np.minimum((shares < rank[:, None]).sum(axis=1), len(PATHS) - 1)
    return path


def _treatments(rng: Rng, path: Ints, first: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Days of prostatectomy, brachytherapy, radiotherapy and of the first injection."""
    size = first.size
    surgery, brachytherapy, alone, _, combined, endocrine = (
        np.where(path == row, first, p.NEVER) for row in range(len(PATHS))
    )
    salvage = np.where(rng.random(size) < SALVAGE_RADIOTHERAPY_SHARE, surgery, p.NEVER)
    salvage = later(salvage, lognormal_days(rng, *SALVAGE_RADIOTHERAPY, size=size))
    after_injection = later(combined, lognormal_days(rng, *INJECTION_TO_RADIOTHERAPY, size=size))
    radiotherapy = np.minimum(np.minimum(alone, after_injection), salvage)
    relapse = np.where(rng.random(size) < SALVAGE_ENDOCRINE_SHARE, surgery, p.NEVER)
    after_relapse = later(relapse, rng.integers(150, 500, size))
    return surgery, brachytherapy, radiotherapy, np.minimum(np.minimum(combined, endocrine), after_relapse)


def _injections(rng: Rng, profile: Profile, start: Ints) -> Supply:
    rows = np.flatnonzero(start < p.NEVER)
    effects = score(profile.covariates, EFFECTS["endocrine_interruption"])[rows]
    hazard: Floats = np.minimum(np.exp(BASE_LOG_HAZARD + effects), 0.2)
    months = np.full(rows.size, INJECTION_MONTHS)
    refills = draw_refills(rng, start[rows], hazard, months)
    return Supply(
        "endocrine_interruption",
        rows,
        months,
        np.ones(rows.size, dtype=np.int64),
        start[rows],
        hazard,
        refills,
    )


# --- events -----------------------------------------------------------------------------------------------

ProstateScene = Scene[ProstateCourse]


def first_signs(scene: ProstateScene) -> pl.DataFrame:
    """PSA, the urologist and often MRI before the biopsy."""
    every = np.arange(scene.size)
    psa = care.where(scene.rng.random(scene.size) < PSA_SHARE)
    mri = care.where(scene.rng.random(scene.size) < MRI_SHARE)
    day = scene.dates.biopsy - scene.rng.integers(30, 110, scene.size)
    return pl.concat(
        [
            care.marker(scene, psa, day[psa], PSA, "tumour_marker"),
            care.specialist_visit(scene, every, day + 12, "surgery_consultation", scene.cancer.surgeons),
            care.imaging(mri, day[mri] + 20, "mri_scan", pick(scene.rng, MRI_CODES, mri.size)),
        ],
        how="diagonal",
    )


def biopsy(scene: ProstateScene) -> pl.DataFrame:
    """The biopsy, which is the index event; its pathology in town."""
    person = np.arange(scene.size)
    taken = emit(person, scene.dates.biopsy, activity="prostate_biopsy", code=pick(scene.rng, BIOPSY_CODES, scene.size),
                 code_system="CCAM", nature=p.TECHNICAL_ACT, specialty=16,
                 facility=scene.profile.biopsy_facility)  # fmt: skip
    read = emit(person, scene.dates.biopsy + 2, activity="pathology_exam", code_system="CCAM", specialty=37,
                code=pick(scene.rng, PATHOLOGY_CODES, scene.size), nature=p.TECHNICAL_ACT)  # fmt: skip
    return pl.concat([taken, read], how="diagonal")


def staging(scene: ProstateScene) -> pl.DataFrame:
    """CT before the treatment of a high risk or metastases."""
    person = care.where((scene.profile.stage >= 2) & (scene.rng.random(scene.size) < 0.8))
    day = care.first_days(scene, 40)[person]
    return care.imaging(person, day, "ct_scan", pick(scene.rng, CT_CODES, person.size))


def prostatectomy(scene: ProstateScene) -> pl.DataFrame:
    """Radical prostatectomy, with its pathology."""
    person = care.where(scene.dates.surgery < p.NEVER)
    operated = care.operation(
        scene, "surgery", person, scene.dates.surgery[person], activity="radical_prostatectomy", ghm="12C111",
        code=pick(scene.rng, PROSTATECTOMY_CODES, person.size), nights=(2, 6),
    ).with_columns(specialty=pl.lit(16, dtype=pl.Int64))  # fmt: skip
    return care.with_pathology(scene, operated, PATHOLOGY_CODES)


def brachytherapy(scene: ProstateScene) -> pl.DataFrame:
    """Permanent seeds, in a stay of two days."""
    person = care.where(scene.course.brachytherapy < p.NEVER)
    return care.operation(
        scene, "brachytherapy", person, scene.course.brachytherapy[person], activity="brachytherapy",
        code=BRACHYTHERAPY_CODE, ghm="12C111", nights=(1, 2),
    )  # fmt: skip


def injections(scene: ProstateScene) -> pl.DataFrame:
    """LHRH agonists every three months, with a month of an antiandrogen at first for many."""
    person = np.arange(scene.size)
    repeated = care.refills(scene, pl.Series(INJECTION_CIP13)[person % len(INJECTION_CIP13)])
    first = repeated.filter(pl.col("day") == pl.col("day").min().over("person"))
    flare = first.filter(pl.Series(scene.rng.random(first.height) < ANTIANDROGEN_SHARE))
    drug = pl.Series(BICALUTAMIDE_CIP13)[flare["person"].to_numpy() % len(BICALUTAMIDE_CIP13)]
    return pl.concat([repeated, flare.with_columns(code=drug, quantity=pl.lit(1, dtype=pl.Int64))])


def surveillance(scene: ProstateScene) -> pl.DataFrame:
    """PSA after the local treatment, then every six months; every four months with injections alone."""
    first, local = scene.dates.surveillance, scene.course.local_treatment
    alone = np.where(local == p.NEVER, scene.dates.first_treatment, p.NEVER)
    begun = care.where(first < p.NEVER)
    later_tests = care.repeated(scene, first, tuple(range(182, 1700, 182)), jitter=20, came=0.85)
    with_injections = care.repeated(scene, alone, tuple(range(90, 1700, 120)), jitter=20, came=0.85)
    return pl.concat(
        [
            care.marker(scene, begun, first[begun], PSA, "tumour_marker"),
            *(care.marker(scene, *tests, PSA, "tumour_marker") for tests in (later_tests, with_injections)),
        ],
        how="diagonal",
    )


def active_surveillance(scene: ProstateScene) -> pl.DataFrame:
    """PSA twice a year and a biopsy after a year for the untreated who are not too old."""
    young = scene.people["age"].to_numpy() < ACTIVE_SURVEILLANCE_AGE
    start = np.where(scene.course.on("none") & young, scene.dates.biopsy, p.NEVER)
    tests = care.repeated(scene, start, tuple(range(150, 1700, 182)), jitter=25, came=0.85)
    person, day = care.repeated(scene, start, (390,), jitter=40, came=0.7)
    again = emit(person, day, activity="prostate_biopsy", code=pick(scene.rng, BIOPSY_CODES, person.size),
                 code_system="CCAM", nature=p.TECHNICAL_ACT, specialty=16,
                 facility=scene.profile.facility[person])  # fmt: skip
    return pl.concat([care.marker(scene, *tests, PSA, "tumour_marker"), again], how="diagonal")


PROSTATE: Cancer[ProstateCourse] = Cancer(
    name="prostate",
    diagnosis=("C61",),
    population=POPULATION,
    anchors=(
        "prostate_biopsy", "radical_prostatectomy", "brachytherapy", "radiotherapy_session",
        "endocrine_therapy_dispensing", "chemotherapy_session",
    ),
    subtypes=SUBTYPES,
    regimens=(p.PALLIATIVE_OFFSETS,),
    surgeons=((16,), (1.0,)),
    hospital=Hospital(medical_ghm="12M032", terminal_ghm="12M033", port_ghm="12K02J"),
    lookalike=Lookalike(
        imaging=("mri_scan", "ZCQJ004"), biopsy=("prostate_biopsy", BIOPSY_CODES),
        operation=(None, "JGFA015", "N40", "12C041"), other_cancer="C64",
    ),
    draw=draw,
    planned=(
        first_signs, biopsy, staging, care.before_treatment, prostatectomy, care.after_surgery, brachytherapy,
        care.radiotherapy, injections, surveillance, active_surveillance, care.oncology_follow_up,
        care.metastatic_chemotherapy, care.rehabilitation,
    ),
    unplanned=care.UNPLANNED,
    near_diagnosis_days=180,
)  # fmt: skip
