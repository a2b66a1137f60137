"""Lung cancer: numbers, course and events."""

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
    draw_deaths,
    draw_palliative,
    draw_profile,
    first_treatment,
    given_sessions,
    later,
    lognormal_days,
    surveillance_step,
)
from eventlogs.synthetic.events import emit, pick, spread, stay_key
from eventlogs.synthetic.people import Bools, Floats, Ints, Land, Population
from eventlogs.synthetic.scene import Cancer, Hospital, Lookalike, Rng, Scene

# --- who --------------------------------------------------------------------------------------------------
POPULATION = Population(
    age_median=67.0,  # ours
    age_sd=10.5,  # ours
    age_range=(32, 96),
    female_share=0.346,  # KBP-2020, n=8 999
)
SUBTYPES = ("non_small_cell", "small_cell")
SMALL_CELL_SHARE = 0.13  # ours
STAGE_SHARES = (0.130, 0.080, 0.214, 0.576)  # non-small-cell: 57.6 % metastatic (KBP-2020); the rest is ours
SMALL_CELL_STAGE_SHARES = (0.02, 0.03, 0.27, 0.68)  # ours
THREE_MONTH_DEATH = (0.030, 0.030, 0.096, 0.292)
"""Localised, locally advanced and metastatic non-small-cell cancer (KBP-2020)."""
THREE_MONTH_DEATH_SMALL_CELL = 0.248  # KBP-2020, all stages
SURVIVAL_SHAPE = 0.75
"""Shape of the Weibull excess hazard (ours): 48 % die in the first year, 12 % of the resected (Rivière 2022)."""

# --- treatment --------------------------------------------------------------------------------------------
PATHS = ("surgery", "neoadjuvant", "chemotherapy", "chemoradiation", "radiotherapy", "tablets", "none")
PATH_SHARES = (
    (0.78, 0.02, 0.00, 0.00, 0.13, 0.00, 0.07),
    (0.68, 0.10, 0.02, 0.05, 0.08, 0.00, 0.07),
    (0.10, 0.09, 0.17, 0.44, 0.08, 0.00, 0.12),
    (0.00, 0.00, 0.62, 0.04, 0.07, 0.08, 0.19),
)
"""First treatment of non-small-cell cancer by stage (ours)."""
SMALL_CELL_PATH_SHARES = (
    (0.40, 0.00, 0.10, 0.40, 0.00, 0.00, 0.10),
    (0.10, 0.00, 0.20, 0.60, 0.00, 0.00, 0.10),
    (0.00, 0.00, 0.35, 0.52, 0.03, 0.00, 0.10),
    (0.00, 0.00, 0.80, 0.04, 0.03, 0.00, 0.13),
)
START = {
    "surgery": (3.638, 0.65),
    "neoadjuvant": (
        3.526,
        0.563,
    ),  # bronchoscopy to neoadjuvant chemotherapy 34 days (22 to 47), Kudjawu 2016
    "chemotherapy": (3.497, 0.594),  # 33 days (22 to 49), id., n=14 596
    "chemoradiation": (3.497, 0.594),
    "radiotherapy": (3.700, 0.50),
    "tablets": (3.350, 0.55),
    "none": (3.497, 0.594),
}
"""Log-mean and log-spread of the delay from bronchoscopy to the first treatment. Those of surgery and radiotherapy as
first treatment, and the waits below, are ours: with them all surgery comes near the published 44 days (26 to 82), all
radiotherapy near 88 (46 to 162) and any first treatment near 34 (22 to 50) (Kudjawu 2016)."""
NEOADJUVANT_TO_SURGERY_DAYS = (82, 118)  # ours
CONCURRENT_DAYS = (10, 50)  # ours: from chemotherapy to its radiotherapy
SEQUENTIAL_RADIOTHERAPY_SHARE = 0.57  # ours: of chemotherapy as first treatment; many die before
SEQUENTIAL_RADIOTHERAPY = (5.08, 0.45)  # ours: median 161 days after chemotherapy began
ADJUVANT_SHARE, ADJUVANT_START = (0.05, 0.50, 0.65, 0.0), (3.80, 0.25)  # ours: stages II and III, 45 days
REGIMENS = (tuple(21 * k for k in range(4)), tuple(21 * k for k in range(12)))
METASTATIC_LONG_SHARE = 0.55  # ours: maintenance until the twelfth course
IMMUNOTHERAPY_SHARE = 0.60  # ours: of metastatic first lines
RT_FRACTIONS = {"localised": 5, "locally_advanced": 33, "metastatic": 10}  # ours
IMAGING_TO_BRONCHOSCOPY = (
    2.50,
    0.65,
)  # ours: with it, first imaging to treatment 49 days (33 to 73), Rivière 2022
SURVEILLANCE = (5.247, 0.14)  # ours: first CT six months after surgery
PET_SHARE, MRI_SHARE, VISIT_SHARE = 0.75, 0.06, 0.85  # ours

# --- planted breakdowns -----------------------------------------------------------------------------------
WITHIN_DAYS = {"late_start": 42, "surveillance_lapse": 548}
"""Days after which the step counts as broken; operational, not official."""
SURVEILLANCE_BASE_LOGIT = -1.75  # ours: no French figure was found

# --- codes (CCAM, CIM-10, CIP13, UCD: public nomenclatures) -----------------------------------------------
SITES = ("C341", "C343", "C349", "C342")
BRONCHOSCOPY_CODES = ("GEQE007", "GEQH002", "GEQE004", "GEQJ237", "GEHE001")
RESECTION_CODES = ("GFFA013", "GFFA009", "GFFA029", "GFFC002", "GFFA024")
PATHOLOGY_CODES = ("GFQX004", "GFQX005", "GFQX006")
CT_CODES, MRI_CODES, PET_CODE = ("ZBQK001", "ZBQH001"), ("ZBQJ001", "ZBQN001"), "ZZQL016"
TABLETS_CIP13 = ("3400936923522", "3400939595078", "3400927565878")
IMMUNOTHERAPY_UCD = ("0000009419723", "0000009409535")
PULMONOLOGIST: care.Shares = ((13,), (1.0,))


# --- course -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LungCourse(Course):
    """What is drawn beside the common course; `path` is a row of `PATHS`."""

    path: Ints

    def on(self, *names: str) -> Bools:
        """Whose first treatment is one of these paths."""
        return np.isin(self.path, [PATHS.index(name) for name in names])


def draw(rng: Rng, people: pl.DataFrame, land: Land, calendar: p.Calendar) -> LungCourse:
    """Draw the course. The order of draws is fixed: it is part of what a seed means."""
    biopsy, age = people["index_day"].to_numpy(), people["age"].to_numpy()
    profile = _profile(rng, people, land)
    death, cancer_death = draw_deaths(rng, biopsy, age, _excess_hazard(profile), SURVIVAL_SHAPE)
    palliative = draw_palliative(rng, profile.metastatic, biopsy, death, cancer_death)
    path = _path(rng, profile)
    treated = path != PATHS.index("none")
    laws = np.array([START[name] for name in PATHS])
    first, late_start = first_treatment(
        rng, profile, biopsy, (laws[path, 0], laws[path, 1]), treated=treated,
        at_risk=np.ones(age.size, dtype=bool), within_days=WITHIN_DAYS["late_start"],
    )  # fmt: skip
    surgery, chemo_start, rt_start = _treatments(rng, profile, path, first)
    surveillance = surveillance_step(
        rng, profile, surgery, SURVEILLANCE, base_logit=SURVEILLANCE_BASE_LOGIT,
        within_days=WITHIN_DAYS["surveillance_lapse"],
    )  # fmt: skip
    long = profile.metastatic & (rng.random(age.size) < METASTATIC_LONG_SHARE)
    dates = Milestones(
        biopsy=biopsy, first_treatment=first, surgery=surgery, chemo_start=chemo_start,
        regimen=long.astype(np.int64), sessions=given_sessions(rng, age.size),
        postponed=rng.random(age.size) < p.POSTPONED_SHARE,
        planning=later(rt_start, -np.minimum(rng.integers(7, 14, age.size), rt_start - biopsy)),
        radiotherapy_start=rt_start,
        fractions=np.take([RT_FRACTIONS[name] for name in RT_FRACTIONS], np.maximum(profile.stage - 1, 0)),
        surveillance=surveillance.due_step, metastatic_chemo=np.full(age.size, p.NEVER), palliative=palliative,
        death=death, cancer_death=cancer_death, leaves=np.minimum(death, palliative),
        end=np.minimum(death, calendar.end),
    )  # fmt: skip
    site = pl.Series(SITES)[np.arange(age.size) % len(SITES)]
    return LungCourse(profile, dates, site, (late_start, surveillance), (), path=path)


def _profile(rng: Rng, people: pl.DataFrame, land: Land) -> Profile:
    size = people.height
    subtype = (rng.random(size) < SMALL_CELL_SHARE).astype(np.int64)
    stage = np.where(
        subtype == 0,
        rng.choice(4, size, p=STAGE_SHARES),
        rng.choice(4, size, p=SMALL_CELL_STAGE_SHARES),
    )
    return draw_profile(rng, people, land, POPULATION, (stage, subtype, np.zeros(size, dtype=bool)))


def _excess_hazard(profile: Profile) -> Floats:
    """Scale of the Weibull hazard that gives the published death at three months, nobody dying in the first days."""
    share = np.where(
        profile.subtype == 0, np.take(THREE_MONTH_DEATH, profile.stage), THREE_MONTH_DEATH_SMALL_CELL
    )
    years = (91 - p.DEATH_AFTER_DAYS) / 365.25
    scale: Floats = -np.log1p(-share) / years**SURVIVAL_SHAPE
    return scale


def _path(rng: Rng, profile: Profile) -> Ints:
    """Draw the first treatment from the shares of the patient's stage."""
    shares = np.where(
        (profile.subtype == 0)[:, None],
        np.take(PATH_SHARES, profile.stage, axis=0),
        np.take(SMALL_CELL_PATH_SHARES, profile.stage, axis=0),
    )
    u = rng.random(profile.size)
    path: Ints = np.minimum((np.cumsum(shares, axis=1) < u[:, None]).sum(axis=1), len(PATHS) - 1)
    return path


def _treatments(rng: Rng, profile: Profile, path: Ints, first: Ints) -> tuple[Ints, Ints, Ints]:
    """Days of surgery, of the first session of chemotherapy and of the first of radiotherapy."""
    size = first.size
    is_on = {name: path == row for row, name in enumerate(PATHS)}
    waited = rng.integers(*NEOADJUVANT_TO_SURGERY_DAYS, size)
    surgery = np.where(is_on["surgery"], first, np.where(is_on["neoadjuvant"], first + waited, p.NEVER))
    adjuvant = is_on["surgery"] & (rng.random(size) < np.take(ADJUVANT_SHARE, profile.stage))
    chemo_first = is_on["neoadjuvant"] | is_on["chemotherapy"] | is_on["chemoradiation"]
    after_surgery = surgery + lognormal_days(rng, *ADJUVANT_START, size=size)
    chemo_start = np.where(chemo_first, first, np.where(adjuvant, after_surgery, p.NEVER))
    sequential = is_on["chemotherapy"] & (rng.random(size) < SEQUENTIAL_RADIOTHERAPY_SHARE)
    with_chemo = first + rng.integers(*CONCURRENT_DAYS, size)
    after_chemo = first + lognormal_days(rng, *SEQUENTIAL_RADIOTHERAPY, size=size)
    alone = np.where(is_on["radiotherapy"], first, p.NEVER)
    radiotherapy = np.where(is_on["chemoradiation"], with_chemo, np.where(sequential, after_chemo, alone))
    return surgery, chemo_start, radiotherapy


# --- events -----------------------------------------------------------------------------------------------

LungScene = Scene[LungCourse]


def first_imaging(scene: LungScene) -> pl.DataFrame:
    """The CT that shows the tumour, and a pulmonologist between it and the bronchoscopy."""
    person = np.arange(scene.size)
    before = np.minimum(lognormal_days(scene.rng, *IMAGING_TO_BRONCHOSCOPY, size=scene.size), p.LOOKBACK_DAYS)
    day = scene.dates.biopsy - before
    seen = care.where(scene.rng.random(scene.size) < VISIT_SHARE)
    visit_day = day + (scene.rng.random(scene.size) * before).astype(np.int64)
    return pl.concat(
        [
            care.imaging(person, day, "ct_scan", pick(scene.rng, CT_CODES, scene.size)),
            care.specialist_visit(scene, seen, visit_day[seen], "pneumology_consultation", PULMONOLOGIST),
        ],
        how="diagonal",
    )


def bronchoscopy(scene: LungScene) -> pl.DataFrame:
    """The bronchoscopy, which is the index event, in a day stay; its pathology in town or in the stay."""
    person = np.arange(scene.size)
    code = pick(scene.rng, BRONCHOSCOPY_CODES, scene.size)
    acts = care.operation(
        scene, "biopsy", person, scene.dates.biopsy, activity="bronchoscopy", code=code, ghm="04K02J"
    )
    placed = care.moved(acts, scene.profile.biopsy_facility).with_columns(
        specialty=pl.lit(13, dtype=pl.Int64)
    )
    return care.with_pathology(scene, placed, PATHOLOGY_CODES)


def staging(scene: LungScene) -> pl.DataFrame:
    """PET, and MRI for a few, before the first treatment."""
    day = care.first_days(scene, 30)
    pet = care.where(scene.rng.random(scene.size) < PET_SHARE)
    mri = care.where(scene.rng.random(scene.size) < MRI_SHARE)
    return pl.concat(
        [
            care.imaging(pet, day[pet], "pet_ct", PET_CODE),
            care.imaging(mri, day[mri], "mri_scan", pick(scene.rng, MRI_CODES, mri.size)),
        ]
    )


def surveillance(scene: LungScene) -> pl.DataFrame:
    """CT after surgery, about every six months; CT during treatment where there is no surgery."""
    first = scene.dates.surveillance
    person, rank = spread(np.where(first < p.NEVER, 5, 0))
    day = first[person] + 182 * rank + np.where(rank > 0, scene.rng.integers(-20, 30, person.size), 0)
    came = (rank == 0) | (scene.rng.random(person.size) < 0.85)
    unoperated = np.where(scene.dates.surgery == p.NEVER, scene.dates.first_treatment, p.NEVER)
    other, other_day = care.repeated(scene, unoperated, tuple(range(75, 1100, 90)), jitter=15, came=0.7)
    every = np.concatenate([person[came], other])
    code = pick(scene.rng, CT_CODES, every.size)
    return care.imaging(every, np.concatenate([day[came], other_day]), "ct_scan", code)


def surgery(scene: LungScene) -> pl.DataFrame:
    """Lung resection, with its pathology."""
    person = care.where(scene.dates.surgery < p.NEVER)
    operated = care.operation(
        scene, "surgery", person, scene.dates.surgery[person], activity="lung_resection", ghm="04C021",
        code=pick(scene.rng, RESECTION_CODES, person.size), nights=(4, 10),
    ).with_columns(specialty=pl.lit(47, dtype=pl.Int64))  # fmt: skip
    return care.with_pathology(scene, operated, PATHOLOGY_CODES)


def immunotherapy(scene: LungScene) -> pl.DataFrame:
    """A drug beside the GHS in the sessions of many metastatic first lines."""
    person, rank, day = care.session_days(scene)
    chosen = scene.profile.metastatic & (scene.profile.subtype == 0)
    chosen = chosen & (scene.rng.random(scene.size) < IMMUNOTHERAPY_SHARE)
    kept = chosen[person]
    sessions = emit(
        person[kept], day[kept], stay=stay_key("chemo", person[kept], rank[kept]),
        entry=day[kept], facility=scene.profile.facility[person[kept]],
    )  # fmt: skip
    return care.given_in(scene, sessions, IMMUNOTHERAPY_UCD, "targeted_therapy")


def tablets(scene: LungScene) -> pl.DataFrame:
    """A box every 28 to 30 days for a targeted oral drug, until care stops."""
    start = np.where(scene.course.on("tablets"), scene.dates.first_treatment, p.NEVER)
    person, day = care.repeated(scene, start, tuple(range(0, 1500, 29)), jitter=0, came=1.0)
    return care.tablets(person, day, TABLETS_CIP13)


LUNG: Cancer[LungCourse] = Cancer(
    name="lung",
    diagnosis=("C33", "C34"),
    population=POPULATION,
    anchors=(
        "bronchoscopy", "lung_resection", "chemotherapy_session", "targeted_therapy", "radiotherapy_session",
        "oral_anticancer_dispensing",
    ),
    subtypes=SUBTYPES,
    regimens=REGIMENS,
    surgeons=((47,), (1.0,)),
    hospital=Hospital(medical_ghm="04M092", terminal_ghm="04M093", port_ghm="04K02J"),
    lookalike=Lookalike(
        imaging=("ct_scan", "ZBQH001"), biopsy=("bronchoscopy", BRONCHOSCOPY_CODES),
        operation=("lung_resection", "GFFA029", "D143", "04C021"), other_cancer="C64",
    ),
    draw=draw,
    planned=(
        first_imaging, bronchoscopy, staging, care.before_treatment, surgery, care.after_surgery, care.port_placement,
        care.chemotherapy, immunotherapy, tablets, care.radiotherapy, surveillance, care.oncology_follow_up,
        care.rehabilitation,
    ),
    unplanned=care.UNPLANNED,
    near_diagnosis_days=180,
)  # fmt: skip
