"""Event makers that cancers share: visits, biology, chemotherapy, radiotherapy, stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from .course import Course
from .events import emit, pick, spread, stay_key, weekday, working_day
from .people import Bools, Floats, Ints
from .scene import Scene

AnyScene = Scene[Course]


def where(mask: Bools) -> Ints:
    """Rows of the patients of whom `mask` is true."""
    return np.flatnonzero(mask)


def tumour(scene: AnyScene, person: Ints) -> pl.Series:
    """Site code of each person's tumour, the same in all stays."""
    return scene.course.site[person]


def private_nature(scene: AnyScene, person: Ints, nature: int) -> pl.Series:
    """`nature` for patients of private centres, null for the others."""
    return pl.Series(np.where(scene.profile.public[person], 0, nature)).replace(0, None)


def moved(acts: pl.DataFrame, facility: Ints) -> pl.DataFrame:
    """Day stays at another centre, which may be of the other sector: only a private one bills the act."""
    private = pl.Series(facility % p.FACILITY_SLOTS >= p.FACILITY_SLOTS // 2)
    billed = pl.when(private).then(pl.lit(p.TECHNICAL_ACT, dtype=pl.Int64))
    return acts.with_columns(
        entry=pl.col("day"), exit=pl.col("day"), facility=pl.Series(facility), nature=billed
    )


def first_days(scene: AnyScene, longest: int) -> Ints:
    """A day between the index and the first treatment, at most `longest` days after the index."""
    gap = np.minimum(scene.dates.first_treatment - scene.dates.biopsy, longest)
    day: Ints = scene.dates.biopsy + (scene.rng.random(scene.size) * gap).astype(np.int64)
    return day


# --- imaging and biology ----------------------------------------------------------------------------------


def imaging(person: Ints, day: Ints, activity: str | None, code: pl.Series | str) -> pl.DataFrame:
    """An imaging act in town."""
    return emit(
        person, day, activity=activity, code=code, code_system="CCAM", nature=p.IMAGING_ACT, specialty=6
    )


def marker(scene: AnyScene, person: Ints, day: Ints, nabm: str, activity: str | None) -> pl.DataFrame:
    """A tumour marker from a laboratory in town, or one in six times from a public hospital (ours)."""
    inside = scene.profile.public[person] & (scene.rng.random(person.size) < 1 / 6)
    town = emit(
        person[~inside], day[~inside], activity=activity, code=nabm, code_system="NABM", nature=p.BIOLOGY
    )
    hospital = emit(person[inside], day[inside], activity=activity, code=nabm, code_system="NABM", external=True,
                    facility=scene.profile.facility[person[inside]])  # fmt: skip
    return pl.concat([town, hospital], how="diagonal")


def repeated(
    scene: AnyScene, start: Ints, offsets: Sequence[int], *, jitter: int, came: float
) -> tuple[Ints, Ints]:
    """Persons and days of what is planned at `offsets` after `start`, up to `jitter` days off, a share `came`."""
    chosen = where(start < p.NEVER)
    row, rank = spread(np.full(chosen.size, len(offsets)))
    person = chosen[row]
    day = start[person] + np.take(offsets, rank) + scene.rng.integers(-jitter, jitter + 1, person.size)
    kept = scene.rng.random(person.size) < came
    return person[kept], day[kept]


# --- consultations ----------------------------------------------------------------------------------------

Shares = tuple[tuple[int, ...], tuple[float, ...]]
SPECIALIST: Shares = (p.SPECIALIST_NATURES, p.SPECIALIST_NATURE_SHARES)
GENERALIST = ((p.GP_NATURES, p.GP_NATURE_SHARES), (p.GP_SPECIALTIES, p.GP_SPECIALTY_SHARES))
ONCOLOGIST: Shares = (p.ONCOLOGIST_SPECIALTIES, p.ONCOLOGIST_SHARES)


def visit(
    scene: AnyScene, person: Ints, day: Ints, activity: str | None, kinds: tuple[Shares, Shares]
) -> pl.DataFrame:
    """A consultation in town or in a private practice; `kinds`: natures and specialties, with their shares."""
    (natures, nature_shares), (specialties, specialty_shares) = kinds
    nature = pick(scene.rng, natures, person.size, nature_shares)
    return emit(person, day, activity=activity, code=nature.cast(pl.String), code_system="PRS_NAT", nature=nature,
                specialty=pick(scene.rng, specialties, person.size, specialty_shares))  # fmt: skip


def specialist_visit(
    scene: AnyScene, person: Ints, day: Ints, activity: str | None, specialties: Shares
) -> pl.DataFrame:
    """A specialist's consultation: for many patients of public centres at the hospital, as external care."""
    drawn = scene.rng.random(person.size) < p.HOSPITAL_VISIT_SHARE
    inside = scene.profile.public[person] & drawn
    town = visit(scene, person[~inside], day[~inside], activity, (SPECIALIST, specialties))
    at = person[inside]
    hospital = emit(at, day[inside], activity=activity, code="CS", code_system="NGAP", external=True,
                    facility=scene.profile.facility[at],
                    specialty=pick(scene.rng, specialties[0], at.size, specialties[1]))  # fmt: skip
    return pl.concat([town, hospital], how="diagonal")


def poisson_days(scene: AnyScene, per_year: Floats) -> tuple[Ints, Ints]:
    """Persons and days of events that come at a rate, from the lookback to the end of follow-up."""
    start = scene.dates.biopsy - p.LOOKBACK_DAYS
    duration = np.maximum(scene.dates.end - start, 0)
    person, _ = spread(scene.rng.poisson(per_year * duration / 365.25))
    return person, start[person] + (scene.rng.random(person.size) * (duration[person] + 1)).astype(np.int64)


def gp_visits(scene: AnyScene) -> pl.DataFrame:
    """General practitioner, less often for some."""
    poor = scene.people["gp_poor"].to_numpy()
    person, day = poisson_days(scene, np.where(poor, p.GP_VISITS_PER_YEAR[1], p.GP_VISITS_PER_YEAR[0]))
    return visit(scene, person, day, "gp_consultation", GENERALIST)


def emergencies(scene: AnyScene) -> pl.DataFrame:
    """Emergency visits without admission, more often in the frail."""
    frail = scene.people["frail"].to_numpy()
    person, day = poisson_days(scene, np.where(frail, p.EMERGENCIES_PER_YEAR[1], p.EMERGENCIES_PER_YEAR[0]))
    return emit(person, day, activity="emergency_visit", code=str(p.EMERGENCY), code_system="PRS_NAT",
                nature=p.EMERGENCY, facility=scene.profile.facility[person])  # fmt: skip


def before_treatment(scene: AnyScene) -> pl.DataFrame:
    """Surgeon and oncologist seen between the index and the first treatment."""
    day = first_days(scene, 120)
    surgeon = where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.85))
    oncologist = where((scene.dates.surgery == p.NEVER) | (scene.rng.random(scene.size) < 0.35))
    return pl.concat(
        [
            specialist_visit(scene, surgeon, day[surgeon], "surgery_consultation", scene.cancer.surgeons),
            specialist_visit(scene, oncologist, day[oncologist], "oncology_consultation", ONCOLOGIST),
        ],
        how="diagonal",
    )


def after_surgery(scene: AnyScene) -> pl.DataFrame:
    """Surgeon again two to three weeks after the operation."""
    person = where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.9))
    day = scene.dates.surgery[person] + scene.rng.integers(10, 25, person.size)
    return specialist_visit(scene, person, day, "surgery_consultation", scene.cancer.surgeons)


def oncology_follow_up(scene: AnyScene) -> pl.DataFrame:
    """Oncologist every six months for two years, then yearly (HAS 2014 asks for an examination at least so often)."""
    person, day = repeated(
        scene, scene.dates.first_treatment, (60, 180, 360, 540, 720, 1085, 1450), jitter=20, came=0.8
    )
    return specialist_visit(scene, person, day, "oncology_consultation", ONCOLOGIST)


# --- operations -------------------------------------------------------------------------------------------


def operation(
    scene: AnyScene, kind: str, person: Ints, day: Ints, *, activity: pl.Series | str | None,
    code: pl.Series | str, ghm: pl.Series | str, nights: tuple[int, int] = (1, 3),
) -> pl.DataFrame:  # fmt: skip
    """An operation in a stay that ends `nights` days later; private clinics also bill the act."""
    return emit(
        person, day, activity=activity, code=code, code_system="CCAM", specialty=4, ghm=ghm, hospital_act=True,
        nature=private_nature(scene, person, p.SURGICAL_ACT), facility=scene.profile.facility[person],
        stay=stay_key(kind, person), entry=day - scene.rng.integers(0, 2, person.size),
        exit=day + scene.rng.integers(nights[0], nights[1] + 1, person.size), dp=tumour(scene, person),
    )  # fmt: skip


def with_pathology(scene: AnyScene, operated: pl.DataFrame, codes: Sequence[str]) -> pl.DataFrame:
    """The operation, and for nine in ten its pathology: in the stay (public) or in town (private)."""
    examined = operated.filter(pl.Series(scene.rng.random(operated.height) < 0.9))
    later = examined["day"] + pl.Series(scene.rng.integers(0, 4, examined.height))
    public = pl.Series(scene.profile.public[examined["person"].to_numpy()])
    in_stay = ("stay", "entry", "exit", "ghm", "dp", "facility", "hospital_act")
    pathology = examined.with_columns(
        activity=pl.lit("pathology_exam"),
        code=pick(scene.rng, codes, examined.height),
        day=pl.when(public).then(pl.min_horizontal(later, "exit")).otherwise(later),
        nature=pl.when(~public).then(pl.lit(p.TECHNICAL_ACT, dtype=pl.Int64)),
        specialty=pl.when(~public).then(pl.lit(37, dtype=pl.Int64)),
        **{name: pl.when(public).then(pl.col(name)) for name in in_stay},
    )
    return pl.concat([operated, pathology])


def port_day(scene: AnyScene) -> Ints:
    """Day of an implantable port: one to three weeks before chemotherapy, after index and surgery."""
    chemo, dates = scene.dates.chemo_start, scene.dates
    earliest = np.maximum(dates.biopsy, np.where(dates.surgery < chemo, dates.surgery, 0)) + 1
    day: Ints = np.minimum(np.maximum(chemo - scene.rng.integers(5, 22, scene.size), earliest), chemo)
    return day


def port_placement(scene: AnyScene) -> pl.DataFrame:
    """Implantable port before chemotherapy, for most."""
    person = where((scene.dates.chemo_start < p.NEVER) & (scene.rng.random(scene.size) < p.PORT_SHARE))
    return port(scene, person, port_day(scene)[person])


def port(scene: AnyScene, person: Ints, day: Ints) -> pl.DataFrame:
    """A port placed in a day stay, whose principal diagnosis is Z45.2."""
    placed = operation(
        scene,
        "port",
        person,
        day,
        activity="port_placement",
        code="EBLA003",
        ghm=scene.cancer.hospital.port_ghm,
    )
    return placed.with_columns(dr=pl.col("dp"), dp=pl.lit("Z452"), entry=pl.col("day"), exit=pl.col("day"))


def rehabilitation(scene: AnyScene) -> pl.DataFrame:
    """A stay of rehabilitation for the cancer after the operation (SSR), more often in the frail."""
    frail = scene.people["frail"].to_numpy()
    share = np.where(frail, p.REHABILITATION_SHARE["frail"], p.REHABILITATION_SHARE["others"])
    person = where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < share))
    entry = scene.dates.surgery[person] + scene.rng.integers(8, 15, person.size)
    site = tumour(scene, person)
    return emit(person, entry, activity="hospital_stay", code=site, code_system="CIM10", field="ssr", dp=site,
                stay=stay_key("rehabilitation", person), entry=entry, facility=scene.profile.facility[person],
                exit=entry + scene.rng.integers(14, 36, person.size))  # fmt: skip


# --- chemotherapy, drugs, radiotherapy --------------------------------------------------------------------


def chemotherapy(scene: AnyScene) -> pl.DataFrame:
    """Sessions of the first line; weekly ones are reported three in one stay by every other centre."""
    dates, weekly = scene.dates, scene.cancer.weekly_regimen
    person, rank, day = session_days(scene)
    grouped = np.equal(dates.regimen[person], -1 if weekly is None else weekly)
    grouped = grouped & (rank >= 3) & (scene.profile.facility[person] % 2 == 0)
    stay = np.where(grouped, stay_key("chemo_group", person, rank // 3), stay_key("chemo", person, rank))
    full = (rank == 0) & (scene.rng.random(scene.size) < p.CHEMO_FULL_STAY_SHARE)[person]
    return chemo_sessions(scene, person, day, stay, full)


def session_days(scene: AnyScene) -> tuple[Ints, Ints, Ints]:
    """Person, rank and day of every session of the first line that is given."""
    dates = scene.dates
    chosen = where(dates.chemo_start < p.NEVER)
    table = _padded(scene.cancer.regimens)
    planned = (table >= 0).sum(axis=1)[dates.regimen[chosen]]
    row, rank = spread(np.minimum(planned, dates.sessions[chosen]))
    person = chosen[row]
    offset = table[dates.regimen[person], rank]
    return person, rank, dates.chemo_start[person] + offset + 7 * (dates.postponed[person] & (offset > 42))


def metastatic_chemotherapy(scene: AnyScene, offsets: Sequence[int] = p.PALLIATIVE_OFFSETS) -> pl.DataFrame:
    """A later line, before death."""
    chosen = where(scene.dates.metastatic_chemo < p.NEVER)
    row, rank = spread(np.full(chosen.size, len(offsets)))
    person = chosen[row]
    day = scene.dates.metastatic_chemo[person] + np.take(offsets, rank)
    return chemo_sessions(
        scene, person, day, stay_key("metastatic", person, rank), np.zeros(person.size, dtype=bool)
    )


def chemo_sessions(scene: AnyScene, person: Ints, day: Ints, stay: Ints, full: Bools) -> pl.DataFrame:
    """Séances 28Z07Z, or ordinary stays with Z51.1 where `full`."""
    return emit(
        person, day, activity="chemotherapy_session", code=np.where(full, "Z511", "28Z07Z"),
        code_system=np.where(full, "CIM10", "GHM"), ghm=np.where(full, "17M061", "28Z07Z"), dp="Z511",
        dr=tumour(scene, person), stay=stay, entry=day, exit=day + full, facility=scene.profile.facility[person],
    )  # fmt: skip


def given_in(
    scene: AnyScene, sessions: pl.DataFrame, ucd: Sequence[str], activity: str | None
) -> pl.DataFrame:
    """A drug beside the GHS given in these sessions; private centres also bill it (ER_UCD_F)."""
    person = sessions["person"].to_numpy()
    return sessions.with_columns(
        activity=pl.lit(activity, dtype=pl.String),
        code=pl.Series(list(ucd))[person % len(ucd)],
        code_system=pl.lit("UCD"),
        nature=private_nature(scene, person, p.HOSPITAL_DRUG).cast(pl.Int64),
    )


def tablets(person: Ints, day: Ints, cip13: Sequence[str]) -> pl.DataFrame:
    """A dispensing of an oral anticancer drug in a pharmacy."""
    return emit(person, day, activity="oral_anticancer_dispensing", code=pl.Series(list(cip13))[person % len(cip13)],
                code_system="CIP13", nature=p.PHARMACY, quantity=1)  # fmt: skip


def refills(scene: AnyScene, codes: pl.Series) -> pl.DataFrame:
    """Dispensings of the course's supplies in pharmacies; `codes` has a CIP13 for each patient."""
    parts = [emit(np.array([], dtype=np.int64), np.array([], dtype=np.int64))]
    for supply in scene.course.supplies:
        row, rank = np.nonzero(supply.refills.days < p.NEVER)
        person = supply.rows[row]
        dispensed = emit(
            person, supply.refills.days[row, rank], activity="endocrine_therapy_dispensing", code_system="CIP13",
            code=codes[person], nature=p.PHARMACY, quantity=supply.boxes[row],
        )  # fmt: skip
        parts.append(dispensed)
    return pl.concat(parts, how="diagonal")


def radiotherapy(scene: AnyScene) -> pl.DataFrame:
    """Planning and sessions: stays of public centres, acts of private ones."""
    dates = scene.dates
    chosen = where(dates.radiotherapy_start < p.NEVER)
    row, rank = spread(dates.fractions[chosen])
    person = chosen[row]
    day = working_day(dates.radiotherapy_start[person], rank)
    weekly = scene.profile.facility[person] % 2 == 0
    ordinal = np.where(weekly, 500 + (day - weekday(day)) // 7 % 500, rank)
    sessions = _radiotherapy_events(scene, person, day, "radiotherapy", ordinal)
    planning = _radiotherapy_events(
        scene, chosen, dates.planning[chosen], "planning", np.zeros(chosen.size, dtype=int)
    )
    return pl.concat([sessions, planning])


def _radiotherapy_events(scene: AnyScene, person: Ints, day: Ints, kind: str, ordinal: Ints) -> pl.DataFrame:
    public = pl.Series(scene.profile.public[person])
    acts, ghms = (
        (p.FRACTION_CODES, p.SESSION_GHM) if kind == "radiotherapy" else (p.PLANNING_CODES, p.PLANNING_GHM)
    )
    act, ghm = (
        pl.Series(acts)[person % len(acts)],
        pl.Series(ghms)[scene.profile.facility[person] % len(ghms)],
    )
    extra = pl.Series(p.FRACTION_SUPPLEMENTS)[person % len(p.FRACTION_SUPPLEMENTS)]
    events = emit(
        person, day, activity=f"{kind}_session" if kind == "radiotherapy" else "radiotherapy_planning", code=act,
        nature=private_nature(scene, person, p.TECHNICAL_ACT), specialty=76, facility=scene.profile.facility[person],
        stay=stay_key(kind, person, ordinal), entry=day, exit=day, ghm=ghm, dr=tumour(scene, person),
        dp="Z5101" if kind == "radiotherapy" else "Z5100",
    )  # fmt: skip
    in_stay = {
        name: pl.when(public).then(pl.col(name)) for name in ("stay", "entry", "exit", "ghm", "dp", "dr")
    }
    return events.with_columns(
        code=pl.when(public).then(ghm).otherwise(act),
        code_system=pl.when(public).then(pl.lit("GHM")).otherwise(pl.lit("CCAM")),
        supplement=pl.when(~public).then(extra if kind == "radiotherapy" else pl.lit(None, dtype=pl.String)),
        **in_stay,
    )


# --- hospital ---------------------------------------------------------------------------------------------


def cancer_stays(scene: AnyScene) -> pl.DataFrame:
    """Stays for the cancer with no listed act, for instance a complication."""
    frail = scene.people["frail"].to_numpy()
    person, day = poisson_days(scene, np.where(frail, p.STAYS_PER_YEAR[1], p.STAYS_PER_YEAR[0]))
    after = day > scene.dates.first_treatment[person] + 2
    site = tumour(scene, person[after])
    return _stays(scene, "hospital", person[after], day[after], activity="hospital_stay", code_system="CIM10",
                  code=site, dp=site, ghm=scene.cancer.hospital.medical_ghm, das="E119")  # fmt: skip


def other_stays(scene: AnyScene) -> pl.DataFrame:
    """Stays whose principal diagnosis is something else, the cancer being associated: no event of the list."""
    person, day = poisson_days(scene, np.full(scene.size, p.OTHER_STAYS_PER_YEAR))
    return _stays(scene, "other", person, day, dp=pick(scene.rng, ("D70", "I509", "J189", "K590"), person.size),
                  ghm="16M091", das=tumour(scene, person))  # fmt: skip


def palliative_care(scene: AnyScene) -> pl.DataFrame:
    """Palliative care begins in a hospital bed, or at home for one in four (HAD, mode of care 04)."""
    begins = scene.dates.palliative < p.NEVER
    at_home = scene.rng.random(scene.size) < p.HOME_PALLIATIVE_SHARE
    return pl.concat(
        [
            _palliative_stays(scene, where(begins & ~at_home)),
            _palliative_home(scene, where(begins & at_home)),
        ],
        how="diagonal",
    )


def _palliative_home(scene: AnyScene, person: Ints) -> pl.DataFrame:
    day = scene.dates.palliative[person]
    return emit(
        person, day, activity="palliative_care", code="04", code_system="PEC", field="had", entry=day,
        exit=np.maximum(scene.dates.death[person], day + 1), stay=stay_key("home", person), dp=tumour(scene, person),
        facility=scene.profile.facility[person],
    )  # fmt: skip


def _palliative_stays(scene: AnyScene, person: Ints) -> pl.DataFrame:
    """Z51.5 is the principal, the related or an associated diagnosis. Many stays end with death."""
    dates = scene.dates
    position = pick(scene.rng, ("dp", "dr", "das"), person.size, (0.7, 0.1, 0.2)).alias("position")
    dies_there = scene.rng.random(person.size) < 0.6
    leave = np.where(dies_there, dates.death[person], dates.palliative[person] + 6)
    stays = emit(
        person, dates.palliative[person], activity="palliative_care", code="Z515", code_system="CIM10", ghm="23Z02Z",
        facility=scene.profile.facility[person], stay=stay_key("palliative", person), entry=dates.palliative[person],
        exit=leave,
    )  # fmt: skip
    columns = stays.columns
    z515, site = pl.lit("Z515"), pl.col("site")
    at = pl.col("position")
    return stays.with_columns(position, site=tumour(scene, person)).select(
        *columns,
        dp=pl.when(at == "dp").then(z515).when(at == "dr").then(pl.lit("Z488")).otherwise(site),
        dr=pl.when(at == "dp").then(site).when(at == "dr").then(z515),
        das=pl.when(at == "dr").then(site).when(at == "das").then(z515),
    )


def terminal_stays(scene: AnyScene) -> pl.DataFrame:
    """Deaths in hospital outside palliative care: a stay for the cancer, or for something else (no event but death)."""
    dates = scene.dates
    chance = np.where(dates.palliative < p.NEVER, 0.0, 0.5)
    person = where((dates.death <= dates.end) & (scene.rng.random(scene.size) < chance))
    entry = np.maximum(dates.death[person] - scene.rng.integers(0, 8, person.size), dates.biopsy[person] + 1)
    cancer = dates.cancer_death[person]
    return _stays(
        scene, "terminal", person, entry, leave=dates.death[person],
        ghm=np.where(cancer, scene.cancer.hospital.terminal_ghm, "05M092"),
        activity=pl.Series(np.where(cancer, "hospital_stay", "")).replace("", None), code_system="CIM10",
        code=tumour(scene, person), dp=np.where(cancer, tumour(scene, person).to_numpy(), "I509"),
    )  # fmt: skip


def _stays(
    scene: AnyScene, kind: str, person: Ints, day: Ints, *, leave: Ints | None = None, **columns: Any
) -> pl.DataFrame:
    """Full stays of a few days."""
    _, rank = spread(np.bincount(person, minlength=scene.size))
    order = np.argsort(person, kind="stable")
    ordinal = np.empty_like(rank)
    ordinal[order] = rank
    exit_day = day + scene.rng.integers(1, 8, person.size) if leave is None else leave
    return emit(person, day, stay=stay_key(kind, person, ordinal), entry=day, exit=exit_day,
                facility=scene.profile.facility[person], **columns)  # fmt: skip


def _padded(offsets: Sequence[Sequence[int]]) -> Ints:
    width = max(map(len, offsets))
    return np.array([[*row, *([-1] * (width - len(row)))] for row in offsets])


UNPLANNED = (gp_visits, emergencies, cancer_stays, other_stays, palliative_care, terminal_stays)
"""Care that goes on after palliative care has begun."""
