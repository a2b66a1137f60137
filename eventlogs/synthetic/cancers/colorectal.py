"""Colorectal cancer: numbers, course and events."""

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
    Step,
    draw_deaths,
    draw_palliative,
    draw_profile,
    first_treatment,
    given_sessions,
    later,
    later_line,
    lognormal_days,
    score,
    surveillance_step,
)
from eventlogs.synthetic.events import pick, spread, stay_key
from eventlogs.synthetic.people import Bools, Floats, Ints, Land, Population, logistic
from eventlogs.synthetic.scene import Cancer, Hospital, Lookalike, Rng, Scene

# --- who --------------------------------------------------------------------------------------------------
POPULATION = Population(
    age_median=71.0,  # ours
    age_sd=12.0,  # ours
    age_range=(25, 98),
    female_share=0.449,  # 21 370 of 47 582 new cases in 2023 (cancer.fr)
)
SUBTYPES = ("colon", "rectum")
RECTUM_SHARE = 0.297  # 6 623 of 22 317 patients (Kudjawu)
STAGE_SHARES = (0.22, 0.28, 0.27, 0.23)  # ours: I, II, III, IV
SCREENED_SHARE, EMERGENCY_SHARE = 0.06, 0.13  # of colon cancers: screening 6 %, emergency 13 % (published)
EXCESS_HAZARD_PER_YEAR = (0.010, 0.030, 0.085, 0.550)  # ours, by stage; 5-year net survival 63 % (2005-2010)

# --- treatment --------------------------------------------------------------------------------------------
OPERATED_SHARE = 0.96  # ours: of stages I to III
METASTATIC_UNTREATED_SHARE = 0.345  # metastatic colon cancer without anticancer treatment (published)
METASTATIC_SURGERY_SHARE = 0.20  # ours: the primary is taken out first
NEOADJUVANT_SHARE = 0.60  # ours: radiotherapy before surgery, stages II and III of the rectum
START = {
    "colon_surgery": (3.091, 0.658),  # colonoscopy to surgery 22 days (14 to 34), Kudjawu, n=15 694
    "colon_chemotherapy": (3.584, 0.766),  # 36 days (21 to 59), id.
    "rectum_surgery": (3.829, 1.0),  # median 46 where surgery comes first (id., n=6 623); spread ours
    "rectum_chemotherapy": (3.689, 0.579),  # 40 days (27 to 59), id.
    "rectum_radiotherapy": (3.970, 0.514),  # 53 days (39 to 78), id.
}
"""Log-mean and log-spread of the delay from colonoscopy to first treatment. With surgery `RADIOTHERAPY_TO_SURGERY`
after radiotherapy began, surgery of the rectum as a whole comes near the published 97 days (34 to 141, bimodal)."""
RADIOTHERAPY_TO_SURGERY = (34, 3.89, 0.25)  # ours: five weeks, then a lognormal of median 49 days
ADJUVANT_LOGIT_BY_STAGE = (-9.0, -1.05, 1.55, 1.2)
ADJUVANT_LOGIT_RECTUM, ADJUVANT_LOGIT_PER_YEAR = -0.7, -0.10
"""Logit of an indication of chemotherapy after surgery, by stage (ours): with `BASE_LOGIT`, 45 % of colon cancers of
stage II or III receive it (Capsec 2018; registries of 2000: 20.4 % and 61.9 %), the younger ones (67.6 against 77.9
years)."""
PORT_AFTER_SURGERY_DAYS = (14, 29)  # ours
PORT_TO_CHEMO = (3.31, 0.80)
"""Lognormal (ours), so that surgery to chemotherapy has a median of 48 days and 60 % above 42 (Capsec 2018)."""
REGIMENS = (tuple(14 * k for k in range(12)), tuple(21 * k for k in range(8)))
REGIMEN_SHARES, WITH_CAPECITABINE = (0.65, 0.35), 1  # ours; the second comes with tablets
LATER_LINE_SHARE, LATER_OFFSETS = 0.55, tuple(14 * k for k in range(8))  # ours
STOMA_SHARE = {"rectum": 0.60, "emergency": 0.45}  # ours
STOMA_CLOSURE = (4.787, 0.40)  # ours: median 120 days, 90 more with chemotherapy
SURVEILLANCE = (5.914, 0.12)  # ours: first colonoscopy a year after surgery
CT_SHARE, MRI_SHARE, MARKER_SHARE, VISIT_SHARE = 0.85, 0.75, 0.70, 0.80  # ours

# --- planted breakdowns -----------------------------------------------------------------------------------
WITHIN_DAYS = {"late_start": 42, "chemotherapy_late": 56, "surveillance_lapse": 548}
"""Days after which the step counts as broken; operational, not official."""
EFFECTS = {
    "chemotherapy_late": {
        "facility": 0.35, "deprivation": 0.35, "frail": 0.70, "far": 0.60, "gp_poor": 0.40, "no_ald": 0.40, "age": 0.40,
        "hotspot": 0.90,
    },
    "chemotherapy_delay": {"facility": 0.10, "deprivation": 0.06, "frail": 0.12, "far": 0.15, "hotspot": 0.30},
}  # fmt: skip
"""As `parameters.EFFECTS`, on the log-odds of never having the chemotherapy that the port was placed for, and on the
log-mean delay. Published drivers: emergency surgery, complications, living alone (Capsec 2018); sizes are ours."""
BASE_LOGIT = {"chemotherapy_late": -2.1, "surveillance_lapse": -1.52}
"""About 13 % and, from the 20 % below the guideline in a registry of 1998 (Boulin 2005), 20 %."""

# --- codes (CCAM, CIM-10, CIP13, UCD, NABM: public nomenclatures) -----------------------------------------
SITES = {"colon": ("C187", "C182", "C180", "C189", "C184"), "rectum": ("C20", "C19")}
COLONOSCOPY_CODES = ("HHQE002", "HHQE005", "HHQE004")
COLECTOMY_CODES = ("HHFA009", "HHFA006", "HHFA017", "HHFA008", "HHFA018")
RECTAL_CODES = ("HJFA002", "HJFA004", "HJFA006", "HJFA005", "HJFA007")
PATHOLOGY_CODES = ("HHQX004", "HHQX005", "HJQX004")
CT_CODES, MRI_CODES = ("ZZQH033", "ZCQH001"), ("ZCQJ004", "ZCQJ005")
STOMA_CODES = ("HHMA003", "HHMC001")
CEA = "7327"
CAPECITABINE_CIP13 = ("3400936574625", "3400927390579", "3400927642791")
BEVACIZUMAB_UCD = ("0000009261104", "0000009261110")
GASTROENTEROLOGIST: care.Shares = ((8,), (1.0,))


# --- course -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ColorectalCourse(Course):
    """What is drawn beside the common course; `port` and `stoma_closure` are days."""

    emergency: Bools
    port: Ints
    stoma_closure: Ints


@dataclass(frozen=True)
class Plan:
    """First treatment: each patient has one of these, or none."""

    emergency: Bools
    surgery_first: Bools
    radiotherapy_first: Bools
    chemo_first: Bools

    @property
    def treated(self) -> Bools:
        """Anyone with a treatment."""
        return self.surgery_first | self.radiotherapy_first | self.chemo_first

    @property
    def operated(self) -> Bools:
        """Surgery first, or after radiotherapy."""
        return self.surgery_first | self.radiotherapy_first


def draw(rng: Rng, people: pl.DataFrame, land: Land, calendar: p.Calendar) -> ColorectalCourse:
    """Draw the course. The order of draws is fixed: it is part of what a seed means."""
    biopsy, age = people["index_day"].to_numpy(), people["age"].to_numpy()
    profile = _profile(rng, people, land)
    death, cancer_death = draw_deaths(rng, biopsy, age, np.take(EXCESS_HAZARD_PER_YEAR, profile.stage))
    palliative = draw_palliative(rng, profile.metastatic, biopsy, death, cancer_death)
    plan = _plan(rng, profile)
    first, late_start = first_treatment(
        rng, profile, biopsy, _start_law(profile, plan), treated=plan.treated, at_risk=~plan.emergency,
        within_days=WITHIN_DAYS["late_start"],
    )  # fmt: skip
    first = np.where(plan.emergency, biopsy, first)
    rt_start = np.where(plan.radiotherapy_first, first, p.NEVER)
    base, mu, sigma = RADIOTHERAPY_TO_SURGERY
    wait = base + lognormal_days(rng, mu, sigma, size=age.size)
    surgery = np.where(plan.surgery_first, first, later(rt_start, wait))
    port, chemotherapy = _adjuvant(rng, profile, age, np.where(plan.operated, surgery, p.NEVER))
    chemo_start = np.where(plan.chemo_first, first, chemotherapy.due_step)
    early = np.maximum(first - rng.integers(5, 22, age.size), biopsy + 1)
    surveillance = surveillance_step(
        rng, profile, surgery, SURVEILLANCE, base_logit=BASE_LOGIT["surveillance_lapse"],
        within_days=WITHIN_DAYS["surveillance_lapse"],
    )  # fmt: skip
    dates = Milestones(
        biopsy=biopsy, first_treatment=first, surgery=surgery, chemo_start=chemo_start,
        regimen=rng.choice(len(REGIMENS), age.size, p=REGIMEN_SHARES), sessions=given_sessions(rng, age.size),
        postponed=rng.random(age.size) < p.POSTPONED_SHARE,
        planning=later(rt_start, -np.minimum(rng.integers(7, 14, age.size), first - biopsy)),
        radiotherapy_start=rt_start, fractions=rng.choice((25, 5), age.size, p=(0.85, 0.15)),
        surveillance=surveillance.due_step,
        metastatic_chemo=later_line(rng, death, cancer_death & plan.operated, biopsy + 480, LATER_LINE_SHARE),
        palliative=palliative, death=death, cancer_death=cancer_death, leaves=np.minimum(death, palliative),
        end=np.minimum(death, calendar.end),
    )  # fmt: skip
    with_port = rng.random(age.size) < p.PORT_SHARE
    return ColorectalCourse(
        profile, dates, _sites(profile), (late_start, chemotherapy, surveillance), (), emergency=plan.emergency,
        port=np.where(plan.chemo_first, np.where(with_port, np.minimum(early, first), p.NEVER), port),
        stoma_closure=_stoma_closure(rng, profile, plan, surgery, chemo_start),
    )  # fmt: skip


def _profile(rng: Rng, people: pl.DataFrame, land: Land) -> Profile:
    subtype = (rng.random(people.height) < RECTUM_SHARE).astype(np.int64)
    stage = rng.choice(4, people.height, p=STAGE_SHARES)
    screened = rng.random(people.height) < SCREENED_SHARE
    return draw_profile(rng, people, land, POPULATION, (stage, subtype, screened))


def _sites(profile: Profile) -> pl.Series:
    row = np.arange(profile.size)
    colon, rectum = (np.take(SITES[name], row % len(SITES[name])) for name in SUBTYPES)
    return pl.Series(np.where(profile.subtype == 0, colon, rectum))


def _plan(rng: Rng, profile: Profile) -> Plan:
    """Emergencies are operated at once; metastases are left alone, operated, or treated with chemotherapy."""
    size, colon, metastatic = profile.size, profile.subtype == 0, profile.metastatic
    emergency = colon & (rng.random(size) < EMERGENCY_SHARE)
    u, v = rng.random(size), rng.random(size)
    untreated = METASTATIC_UNTREATED_SHARE / (1 - EMERGENCY_SHARE * colon)
    between = (u >= untreated) & (u < untreated + METASTATIC_SURGERY_SHARE)
    operated = emergency | np.where(metastatic, between, u < OPERATED_SHARE)
    radiated = ~colon & operated & np.isin(profile.stage, (1, 2)) & (v < NEOADJUVANT_SHARE)
    chemo_first = metastatic & ~emergency & (u >= untreated + METASTATIC_SURGERY_SHARE)
    return Plan(emergency, operated & ~radiated, radiated, chemo_first)


def _start_law(profile: Profile, plan: Plan) -> tuple[Floats, Floats]:
    """Log-mean and log-spread of the delay to the first treatment, by what it is."""
    kinds = np.array([START[name] for name in START])
    surgery = np.where(profile.subtype == 0, 0, 2)
    kind = np.where(plan.radiotherapy_first, 4, np.where(plan.chemo_first, surgery + 1, surgery))
    return kinds[kind, 0], kinds[kind, 1]


def _adjuvant(rng: Rng, profile: Profile, age: Ints, surgery: Ints) -> tuple[Ints, Step]:
    """Port of those with an indication of chemotherapy after surgery, and the chemotherapy, which may never come.

    Who has no port is not expected to have chemotherapy by a reader, who does not know the stage.
    """
    logit = np.take(ADJUVANT_LOGIT_BY_STAGE, profile.stage) + ADJUVANT_LOGIT_RECTUM * (profile.subtype == 1)
    logit = logit + ADJUVANT_LOGIT_PER_YEAR * (age - POPULATION.age_median)
    indicated = (surgery < p.NEVER) & (rng.random(age.size) < logistic(logit))
    placed = np.where(indicated, surgery + rng.integers(*PORT_AFTER_SURGERY_DAYS, age.size), p.NEVER)
    mu = PORT_TO_CHEMO[0] + score(profile.covariates, EFFECTS["chemotherapy_delay"])
    sigma = np.full(age.size, PORT_TO_CHEMO[1])
    never = logistic(
        BASE_LOGIT["chemotherapy_late"] + score(profile.covariates, EFFECTS["chemotherapy_late"])
    )
    came = rng.random(age.size) >= never
    chemo = np.where(came, later(placed, lognormal_days(rng, mu, sigma)), p.NEVER)
    port = np.where(rng.random(age.size) < p.PORT_SHARE, placed, p.NEVER)
    return port, Step("chemotherapy_late", port, chemo, mu, sigma, never, WITHIN_DAYS["chemotherapy_late"])


def _stoma_closure(rng: Rng, profile: Profile, plan: Plan, surgery: Ints, chemo_start: Ints) -> Ints:
    share = np.where(profile.subtype == 1, STOMA_SHARE["rectum"], STOMA_SHARE["emergency"] * plan.emergency)
    wait = lognormal_days(rng, *STOMA_CLOSURE, size=profile.size) + 90 * (chemo_start < p.NEVER)
    return np.where(rng.random(profile.size) < share, later(surgery, wait), p.NEVER)


# --- events -----------------------------------------------------------------------------------------------

ColorectalScene = Scene[ColorectalCourse]


def before_colonoscopy(scene: ColorectalScene) -> pl.DataFrame:
    """A gastroenterologist some weeks before the colonoscopy, not in an emergency."""
    person = care.where(~scene.course.emergency & (scene.rng.random(scene.size) < VISIT_SHARE))
    day = scene.dates.biopsy[person] - scene.rng.integers(5, 60, person.size)
    return care.specialist_visit(scene, person, day, "gastroenterology_consultation", GASTROENTEROLOGIST)


def colonoscopy(scene: ColorectalScene) -> pl.DataFrame:
    """The colonoscopy that finds the cancer, in a day stay; none before an emergency operation."""
    person = care.where(~scene.course.emergency)
    return _colonoscopies(scene, person, scene.dates.biopsy[person], np.zeros(person.size, dtype=np.int64))


def surveillance(scene: ColorectalScene) -> pl.DataFrame:
    """Colonoscopy after surgery, and again three years later."""
    first = scene.dates.surveillance
    person, rank = spread(np.where(first < p.NEVER, 2, 0))
    day = first[person] + rank * (1095 + scene.rng.integers(-40, 60, person.size))
    stays = _colonoscopies(scene, person, day, rank + 1)
    return stays.with_columns(dp=pl.lit("Z080"), dr=pl.lit(None, dtype=pl.String))


def _colonoscopies(scene: ColorectalScene, person: Ints, day: Ints, ordinal: Ints) -> pl.DataFrame:
    code = pick(scene.rng, COLONOSCOPY_CODES, person.size)
    acts = care.operation(scene, "biopsy", person, day, activity="colonoscopy", code=code, ghm="06K04J")
    centre = np.where(ordinal == 0, scene.profile.biopsy_facility[person], scene.profile.facility[person])
    return care.moved(acts, centre).with_columns(
        stay=pl.Series(stay_key("biopsy", person, ordinal)), specialty=pl.lit(8, dtype=pl.Int64)
    )


def scans(scene: ColorectalScene) -> pl.DataFrame:
    """CT before treatment, MRI of the rectum, CT in the follow-up of the operated."""
    day = care.first_days(scene, 30)
    ct = care.where(scene.rng.random(scene.size) < CT_SHARE)
    mri = care.where((scene.profile.subtype == 1) & (scene.rng.random(scene.size) < MRI_SHARE))
    again, after = care.repeated(scene, scene.dates.surgery, (180, 360, 540, 720, 1080), jitter=25, came=0.6)
    return pl.concat(
        [
            care.imaging(ct, day[ct], "ct_scan", pick(scene.rng, CT_CODES, ct.size)),
            care.imaging(mri, day[mri] + 1, "mri_scan", pick(scene.rng, MRI_CODES, mri.size)),
            care.imaging(again, after, "ct_scan", pick(scene.rng, CT_CODES, again.size)),
        ]
    )


def markers(scene: ColorectalScene) -> pl.DataFrame:
    """CEA before treatment, and every three months after surgery."""
    followed = np.where(scene.rng.random(scene.size) < MARKER_SHARE, scene.dates.surgery, p.NEVER)
    person, day = care.repeated(scene, followed, tuple(range(90, 1100, 90)), jitter=12, came=0.75)
    before = care.first_days(scene, 30)
    some = care.where(scene.rng.random(scene.size) < MARKER_SHARE)
    return pl.concat(
        [
            care.marker(scene, some, before[some], CEA, "tumour_marker"),
            care.marker(scene, person, day, CEA, "tumour_marker"),
        ],
        how="diagonal",
    )


def surgery(scene: ColorectalScene) -> pl.DataFrame:
    """Colectomy or rectal resection, with its pathology."""
    person = care.where(scene.dates.surgery < p.NEVER)
    rectum = scene.profile.subtype[person] == 1
    codes = [pick(scene.rng, codes, person.size).to_numpy() for codes in (RECTAL_CODES, COLECTOMY_CODES)]
    operated = care.operation(
        scene, "surgery", person, scene.dates.surgery[person], code=pl.Series(np.where(rectum, *codes)),
        activity=pl.Series(np.where(rectum, "rectal_resection", "colectomy")),
        ghm=pl.Series(np.where(rectum, "06C031", "06C041")), nights=(5, 12),
    )  # fmt: skip
    at_once = pl.Series(scene.course.emergency[person])
    entered = operated.with_columns(entry=pl.when(at_once).then("day").otherwise("entry"))
    return care.with_pathology(scene, entered, PATHOLOGY_CODES)


def stoma_closure(scene: ColorectalScene) -> pl.DataFrame:
    """Continuity restored some months after surgery."""
    person = care.where(scene.course.stoma_closure < p.NEVER)
    closed = care.operation(
        scene, "stoma", person, scene.course.stoma_closure[person], activity="stoma_closure",
        code=pick(scene.rng, STOMA_CODES, person.size), ghm="06C041", nights=(4, 8),
    )  # fmt: skip
    return closed.with_columns(dr=pl.col("dp"), dp=pl.lit("Z432"))


def port(scene: ColorectalScene) -> pl.DataFrame:
    """Implantable port: before the first chemotherapy, or after surgery for the one that should come."""
    person = care.where(scene.course.port < p.NEVER)
    return care.port(scene, person, scene.course.port[person])


def capecitabine(scene: ColorectalScene) -> pl.DataFrame:
    """Tablets with each session of one regimen, and with the long radiotherapy."""
    person, _, day = care.session_days(scene)
    chosen = scene.dates.regimen[person] == WITH_CAPECITABINE
    starts = np.where(scene.dates.fractions == 25, scene.dates.radiotherapy_start, p.NEVER)
    return pl.concat(
        [
            care.tablets(person[chosen], day[chosen], CAPECITABINE_CIP13),
            *(care.tablets(row, starts[row] + after, CAPECITABINE_CIP13) for row in [care.where(starts < p.NEVER)]
              for after in (0, 21)),
        ]
    )  # fmt: skip


def metastatic_lines(scene: ColorectalScene) -> pl.DataFrame:
    """A later line, half with bevacizumab beside the GHS."""
    sessions = care.metastatic_chemotherapy(scene, LATER_OFFSETS)
    half = sessions.filter(pl.col("person") % 2 == 0)
    return pl.concat(
        [sessions, care.given_in(scene, half, BEVACIZUMAB_UCD, "targeted_therapy")], how="diagonal"
    )


COLORECTAL: Cancer[ColorectalCourse] = Cancer(
    name="colorectal",
    diagnosis=("C18", "C19", "C20"),
    population=POPULATION,
    anchors=(
        "colonoscopy", "colectomy", "rectal_resection", "chemotherapy_session", "radiotherapy_session",
        "targeted_therapy", "oral_anticancer_dispensing",
    ),
    subtypes=SUBTYPES,
    regimens=REGIMENS,
    surgeons=(p.SURGEON_SPECIALTIES, p.SURGEON_SHARES),
    hospital=Hospital(medical_ghm="06M052", terminal_ghm="06M053", port_ghm="06K02J"),
    lookalike=Lookalike(
        imaging=("ct_scan", "ZCQH001"), biopsy=("colonoscopy", COLONOSCOPY_CODES),
        operation=("colectomy", "HHFA009", "K573", "06C041"), other_cancer="C64",
    ),
    draw=draw,
    planned=(
        before_colonoscopy, colonoscopy, scans, markers, care.before_treatment, surgery, care.after_surgery, port,
        care.chemotherapy, capecitabine, care.radiotherapy, stoma_closure, surveillance, care.oncology_follow_up,
        metastatic_lines, care.rehabilitation,
    ),
    unplanned=care.UNPLANNED,
    near_diagnosis_days=180,
)  # fmt: skip
