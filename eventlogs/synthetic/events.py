"""Milestones -> true events, each with what a claim would hold: code, centre, stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from .course import Milestones, Profile
from .endocrine import Refills
from .people import Bools, Floats, Ints

EVENT_SCHEMA: dict[str, type[pl.DataType]] = {
    "person": pl.Int64,
    "activity": pl.String,
    "day": pl.Int64,
    "code": pl.String,
    "code_system": pl.String,
    "facility": pl.Int64,
    "quantity": pl.Int64,
    "nature": pl.Int64,
    "specialty": pl.Int64,
    "supplement": pl.String,
    "lost": pl.String,
    "hospital_act": pl.Boolean,
    "stay": pl.Int64,
    "entry": pl.Int64,
    "exit": pl.Int64,
    "ghm": pl.String,
    "dp": pl.String,
    "dr": pl.String,
    "das": pl.String,
    "external": pl.Boolean,
    "field": pl.String,
}
"""Columns of a true event.

`nature` is set where ER_PRS_F has a line, `stay` where PMSI has a stay, `hospital_act` where the stay codes the act; an
event with none of these that is not `external` is `lost` to the tables, and says why. A null `activity` is care that is
not on the list.

`external` is true for care given at `facility` outside any stay of a public hospital: external-care tables report it,
by its `code_system` (NGAP with `specialty`, CCAM, NABM, UCD), and DCIR has no line of it. `field` says which PMSI the
stay belongs to: ``mco`` (null means this too), ``had``, ``ssr`` or ``rip``. `code_system` is one of:

=========  ===============================================================================================
CCAM       an act; in the stay where `hospital_act`
GHM        a séance
CIM10      the principal or any diagnosis of the stay names the event
PRS_NAT    a service known by its nature and specialty
CIP13      a dispensing in a pharmacy; `quantity` is in boxes
UCD        a hospital drug, 13 characters: with a `stay`, given in it (MED of a public centre, FH of a private one);
           with a `nature`, a line of ER_UCD_F; both for a private stay
NABM       biology: ER_BIO_F, or external care
LPP        a device: ER_TIP_F
NGAP       an act of external care (ACT_COD)
PEC        main mode of care of a home hospitalisation
=========  ===============================================================================================
"""

STAY_KINDS = (
    "surgery", "axilla", "port", "chemo", "chemo_group", "metastatic", "planning", "radiotherapy", "reconstruction",
    "hospital", "other", "palliative", "terminal", "bystander", "bystander_chemo",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What event makers read."""

    rng: np.random.Generator
    people: pl.DataFrame
    profile: Profile
    dates: Milestones
    refills: Refills
    refill_rows: Ints
    refill_boxes: Ints

    @property
    def size(self) -> int:
        """Number of patients."""
        return self.people.height


def emit(person: Ints, day: Ints, **columns: Any) -> pl.DataFrame:
    """Events of `person` on `day`; other columns may be one value or one for each event."""
    base = pl.DataFrame({"person": person, "day": day}, schema={"person": pl.Int64, "day": pl.Int64})
    values = [
        (value if isinstance(value, pl.Series) else pl.Series(value)).alias(name).cast(EVENT_SCHEMA[name])
        if isinstance(value, (pl.Series, np.ndarray))
        else pl.lit(value, dtype=EVENT_SCHEMA[name]).alias(name)
        for name, value in columns.items()
    ]
    return base.with_columns(values)


def pick(
    rng: np.random.Generator, values: Sequence[Any], size: int, shares: Sequence[float] | None = None
) -> pl.Series:
    """Draw `size` values."""
    return pl.Series(list(values))[rng.choice(len(values), size, p=shares)]


def stay_key(kind: str, person: Ints, ordinal: Ints | int = 0) -> Ints:
    """A number for each stay, different for every kind, person and ordinal (below 1024)."""
    return np.int64(STAY_KINDS.index(kind)) * 2**40 + person * 2**10 + ordinal


def spread(counts: Ints) -> tuple[Ints, Ints]:
    """Row and rank of each item when row i has counts[i] items."""
    rows = np.repeat(np.arange(counts.size), counts)
    return rows, np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)


def weekday(day: Ints) -> Ints:
    """0 for Monday."""
    return (day + 3) % 7


def working_day(start: Ints, rank: Ints) -> Ints:
    """Day of the `rank`-th session of a course, Monday to Friday; the first is on `start`, whatever its day."""
    position = np.minimum(weekday(start), 4) + rank
    return np.where(rank == 0, start, start - weekday(start) + 7 * (position // 5) + position % 5)


def until(events: pl.DataFrame, limit: Ints) -> pl.DataFrame:
    """Keep the events that happen on or before each person's `limit`."""
    return events.filter(events["day"].to_numpy() <= limit[events["person"].to_numpy()])


def true_events(scene: Scene) -> pl.DataFrame:
    """All events of the patients, in the columns of `EVENT_SCHEMA`; stays are clipped at death."""
    dates = scene.dates
    planned = _gather(scene, PLANNED_CARE)
    other = _gather(scene, OTHER_CARE)
    kept = pl.concat([until(planned, np.minimum(dates.leaves, dates.end)), until(other, dates.end)])
    death = pl.Series(dates.death)[kept["person"]]
    return kept.with_columns(exit=pl.min_horizontal("exit", death))


def _gather(scene: Scene, makers: Sequence[Callable[[Scene], pl.DataFrame]]) -> pl.DataFrame:
    empty = pl.DataFrame(schema=EVENT_SCHEMA)
    return pl.concat([empty, *(maker(scene) for maker in makers)], how="diagonal")


def _where(mask: Bools) -> Ints:
    return np.flatnonzero(mask)


def _tumour(scene: Scene, person: Ints) -> pl.Series:
    """Site code of each person's tumour, the same in all stays."""
    return pl.Series(p.TUMOUR_CODES)[person % len(p.TUMOUR_CODES)]


def _private_nature(scene: Scene, person: Ints, nature: int) -> pl.Series:
    """`nature` for patients of private centres, null for the others."""
    return pl.Series(np.where(scene.profile.public[person], 0, nature)).replace(0, None)


# --- imaging, biopsy, consultations -----------------------------------------------------------------------


def first_imaging(scene: Scene) -> pl.DataFrame:
    """Screening or diagnostic mammography, often with ultrasound."""
    person = np.arange(scene.size)
    before = np.ceil(scene.rng.lognormal(*p.IMAGING_TO_BIOPSY, scene.size)).astype(np.int64)
    day = scene.dates.biopsy - np.minimum(before, p.LOOKBACK_DAYS)
    mammography = emit(
        person,
        day,
        activity=np.where(scene.profile.screened, "screening_mammography", "mammography"),
        code=np.where(scene.profile.screened, "QEQK004", "QEQK001"),
        code_system="CCAM",
        nature=p.IMAGING_ACT,
        specialty=6,
        supplement=pl.Series(
            np.where(scene.rng.random(scene.size) < 0.3, p.ARCHIVING_SUPPLEMENT, "")
        ).replace("", None),
    )
    some = _where(scene.rng.random(scene.size) < 0.7)
    later = day + (scene.rng.random(scene.size) * (scene.dates.biopsy - day)).astype(np.int64)
    return pl.concat([mammography, _ultrasound(some, later[some])], how="diagonal")


def _ultrasound(person: Ints, day: Ints) -> pl.DataFrame:
    return emit(person, day, activity="breast_ultrasound", code="QEQM001", code_system="CCAM",
                nature=p.ULTRASOUND_ACT, specialty=6)  # fmt: skip


def biopsy(scene: Scene) -> pl.DataFrame:
    """The biopsy, which is the index event."""
    person = np.arange(scene.size)
    code = pick(scene.rng, p.BIOPSY_CODES, scene.size)
    return emit(person, scene.dates.biopsy, activity="breast_biopsy", code=code, code_system="CCAM",
                nature=p.TECHNICAL_ACT, specialty=6, facility=scene.profile.biopsy_facility)  # fmt: skip


def mri(scene: Scene) -> pl.DataFrame:
    """MRI between biopsy and first treatment, for some."""
    gap = scene.dates.first_treatment - scene.dates.biopsy
    person = _where((scene.rng.random(scene.size) < 0.45) & (gap > 2))
    day = scene.dates.biopsy + 1 + (scene.rng.random(scene.size) * np.minimum(gap - 1, 20)).astype(np.int64)
    return emit(person, day[person], activity="breast_mri", code=pick(scene.rng, ("QEQJ001", "QEQN001"), person.size),
                code_system="CCAM", nature=p.IMAGING_ACT, specialty=6)  # fmt: skip


def surveillance(scene: Scene) -> pl.DataFrame:
    """Yearly mammography after surgery; later years are missed as in `Mechanisms.lapse` on average."""
    first = scene.dates.surveillance
    person, year = spread(np.where(first < p.NEVER, 4, 0))
    day = first[person] + 368 * year + np.where(year > 0, scene.rng.integers(-20, 40, person.size), 0)
    came = (year == 0) | (scene.rng.random(person.size) < 0.74)
    with_ultrasound = came & (scene.rng.random(person.size) < 0.5)
    mammography = emit(person[came], day[came], activity="mammography", code="QEQK001", code_system="CCAM",
                       nature=p.IMAGING_ACT, specialty=6)  # fmt: skip
    return pl.concat(
        [mammography, _ultrasound(person[with_ultrasound], day[with_ultrasound])], how="diagonal"
    )


def _visit(scene: Scene, person: Ints, day: Ints, activity: str) -> pl.DataFrame:
    """A consultation in town or in a private practice."""
    natures, specialties = VISITS[activity]
    nature = pick(scene.rng, natures[0], person.size, natures[1])
    return emit(person, day, activity=activity, code=nature.cast(pl.String), code_system="PRS_NAT", nature=nature,
                specialty=pick(scene.rng, specialties[0], person.size, specialties[1]))  # fmt: skip


VISITS: dict[str, Any] = {
    "gp_consultation": (
        (p.GP_NATURES, p.GP_NATURE_SHARES),
        (p.GP_SPECIALTIES, p.GP_SPECIALTY_SHARES),
    ),
    "oncology_consultation": (
        (p.SPECIALIST_NATURES, p.SPECIALIST_NATURE_SHARES),
        (p.ONCOLOGIST_SPECIALTIES, p.ONCOLOGIST_SHARES),
    ),
    "surgery_consultation": (
        (p.SPECIALIST_NATURES, p.SPECIALIST_NATURE_SHARES),
        (p.SURGEON_SPECIALTIES, p.SURGEON_SHARES),
    ),
}


def _poisson_days(scene: Scene, per_year: Floats) -> tuple[Ints, Ints]:
    """Persons and days of events that come at a rate, from the lookback to the end of follow-up."""
    start = scene.dates.biopsy - p.LOOKBACK_DAYS
    duration = np.maximum(scene.dates.end - start, 0)
    person, _ = spread(scene.rng.poisson(per_year * duration / 365.25))
    return person, start[person] + (scene.rng.random(person.size) * (duration[person] + 1)).astype(np.int64)


def gp_visits(scene: Scene) -> pl.DataFrame:
    """General practitioner, less often for some."""
    poor = scene.people["gp_poor"].to_numpy()
    person, day = _poisson_days(scene, np.where(poor, p.GP_VISITS_PER_YEAR[1], p.GP_VISITS_PER_YEAR[0]))
    return _visit(scene, person, day, "gp_consultation")


def emergencies(scene: Scene) -> pl.DataFrame:
    """Emergency visits without admission, more often in the frail."""
    frail = scene.people["frail"].to_numpy()
    person, day = _poisson_days(scene, np.where(frail, p.EMERGENCIES_PER_YEAR[1], p.EMERGENCIES_PER_YEAR[0]))
    return emit(person, day, activity="emergency_visit", code=str(p.EMERGENCY), code_system="PRS_NAT",
                nature=p.EMERGENCY, facility=scene.profile.facility[person])  # fmt: skip


def before_treatment(scene: Scene) -> pl.DataFrame:
    """Surgeon and oncologist seen between biopsy and first treatment."""
    gap = scene.dates.first_treatment - scene.dates.biopsy
    day = scene.dates.biopsy + (scene.rng.random(scene.size) * gap).astype(np.int64)
    surgeon = _where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.85))
    oncologist = _where((scene.dates.surgery == p.NEVER) | (scene.rng.random(scene.size) < 0.35))
    return pl.concat(
        [
            _visit(scene, surgeon, day[surgeon], "surgery_consultation"),
            _visit(scene, oncologist, day[oncologist], "oncology_consultation"),
        ]
    )


def after_surgery(scene: Scene) -> pl.DataFrame:
    """Surgeon again two to three weeks after the operation."""
    person = _where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.9))
    return _visit(scene, person, scene.dates.surgery[person] + scene.rng.integers(10, 25, person.size),
                  "surgery_consultation")  # fmt: skip


def oncology_follow_up(scene: Scene) -> pl.DataFrame:
    """Oncologist every six months for two years, then yearly (HAS 2014 asks for an examination at least so often)."""
    offsets = np.array([60, 180, 360, 540, 720, 1085, 1450])
    person, rank = spread(np.full(scene.size, offsets.size))
    day = scene.dates.first_treatment[person] + offsets[rank] + scene.rng.integers(-20, 21, person.size)
    came = scene.rng.random(person.size) < 0.8
    return _visit(scene, person[came], day[came], "oncology_consultation")


# --- surgery ----------------------------------------------------------------------------------------------


def surgery(scene: Scene) -> pl.DataFrame:
    """Breast surgery: in PMSI, and beside it in ER_CAM_F where the clinic is private."""
    person = _where(scene.dates.surgery < p.NEVER)
    day, conserving = scene.dates.surgery[person], scene.dates.conserving[person]
    code = np.where(
        conserving,
        pick(scene.rng, p.CONSERVING_CODES, person.size).to_numpy(),
        pick(scene.rng, p.MASTECTOMY_CODES, person.size).to_numpy(),
    )
    entry = day - scene.rng.choice(3, person.size, p=(0.55, 0.40, 0.05))
    leave = day + np.where(
        conserving, scene.rng.integers(0, 3, person.size), scene.rng.integers(1, 6, person.size)
    )
    stay: dict[str, Any] = {
        "stay": stay_key("surgery", person), "entry": entry, "exit": leave, "dp": _tumour(scene, person),
        "ghm": np.where(conserving, "09C051", "09C041"), "facility": scene.profile.facility[person],
        "hospital_act": True,
    }  # fmt: skip
    operation = emit(
        person, day, activity=np.where(conserving, "breast_conserving_surgery", "mastectomy"), code=code,
        code_system="CCAM", nature=_private_nature(scene, person, p.SURGICAL_ACT), specialty=4, **stay,
    )  # fmt: skip
    return pl.concat([operation, _with_surgery(scene, operation)], how="diagonal")


def _with_surgery(scene: Scene, operation: pl.DataFrame) -> pl.DataFrame:
    """Axillary dissection in the same stay, for some; pathology in the stay (public) or in town (private)."""
    axilla = operation.filter(pl.Series(scene.rng.random(operation.height) < 0.2)).with_columns(
        activity=pl.lit("axillary_surgery"), code=pl.lit("FCFA029")
    )
    examined = operation.filter(pl.Series(scene.rng.random(operation.height) < 0.9))
    later = examined["day"] + pl.Series(scene.rng.integers(0, 4, examined.height))
    public = pl.Series(scene.profile.public[examined["person"].to_numpy()])
    pathology = examined.with_columns(
        activity=pl.lit("pathology_exam"),
        code=pick(scene.rng, p.PATHOLOGY_CODES, examined.height),
        day=pl.when(public).then(pl.min_horizontal(later, "exit")).otherwise(later),
        nature=pl.when(~public).then(pl.lit(p.TECHNICAL_ACT, dtype=pl.Int64)),
        specialty=pl.when(~public).then(pl.lit(37, dtype=pl.Int64)),
    )
    in_town = {
        name: pl.when(public).then(pl.col(name))
        for name in ("stay", "entry", "exit", "ghm", "dp", "facility", "hospital_act")
    }
    return pl.concat([axilla, pathology.with_columns(**in_town)])


def axillary_completion(scene: Scene) -> pl.DataFrame:
    """A second operation on the axilla three to five weeks later, for a few."""
    person = _where((scene.dates.surgery < p.NEVER) & (scene.rng.random(scene.size) < 0.04))
    day = scene.dates.surgery[person] + scene.rng.integers(20, 36, person.size)
    return _operation(scene, "axilla", person, day, activity="axillary_surgery", code="FCFA029", ghm="09C101")


def reconstruction(scene: Scene) -> pl.DataFrame:
    """Reconstruction one to two years after mastectomy, before 70."""
    eligible = (
        (scene.dates.surgery < p.NEVER) & ~scene.dates.conserving & (scene.people["age"].to_numpy() < 70)
    )
    person = _where(eligible & (scene.rng.random(scene.size) < p.RECONSTRUCTION_SHARE))
    day = scene.dates.surgery[person] + scene.rng.integers(365, 731, person.size)
    code = pick(scene.rng, p.RECONSTRUCTION_CODES, person.size)
    operation = _operation(
        scene, "reconstruction", person, day, activity="breast_reconstruction", code=code, ghm="09C141"
    )
    return operation.with_columns(dr=pl.col("dp"), dp=pl.lit("Z421"))


def port_placement(scene: Scene) -> pl.DataFrame:
    """Implantable port one to three weeks before chemotherapy, after the biopsy."""
    chemo = scene.dates.chemo_start
    person = _where((chemo < p.NEVER) & (scene.rng.random(scene.size) < p.PORT_SHARE))
    earliest = (
        np.maximum(scene.dates.biopsy, np.where(scene.dates.surgery < chemo, scene.dates.surgery, 0)) + 1
    )
    day = np.minimum(np.maximum(chemo - scene.rng.integers(5, 22, scene.size), earliest), chemo)
    operation = _operation(
        scene, "port", person, day[person], activity="port_placement", code="EBLA003", ghm="09K02J"
    )
    return operation.with_columns(dr=pl.col("dp"), dp=pl.lit("Z452"), entry=pl.col("day"), exit=pl.col("day"))


def _operation(
    scene: Scene, kind: str, person: Ints, day: Ints, *, activity: str, code: pl.Series | str, ghm: str
) -> pl.DataFrame:
    """An operation in a stay of a few days; private clinics also bill the act."""
    return emit(
        person, day, activity=activity, code=code, code_system="CCAM", specialty=4, ghm=ghm, hospital_act=True,
        nature=_private_nature(scene, person, p.SURGICAL_ACT), facility=scene.profile.facility[person],
        stay=stay_key(kind, person), entry=day - scene.rng.integers(0, 2, person.size),
        exit=day + scene.rng.integers(1, 4, person.size), dp=_tumour(scene, person),
    )  # fmt: skip


# --- chemotherapy, targeted therapy, radiotherapy ---------------------------------------------------------


def chemotherapy(scene: Scene) -> pl.DataFrame:
    """Sessions of the first line; weekly ones are reported three in one stay by every other centre."""
    dates = scene.dates
    chosen = _where(dates.chemo_start < p.NEVER)
    table = _padded(p.REGIMEN_OFFSETS)
    row, rank = spread((table >= 0).sum(axis=1)[dates.regimen[chosen]])
    person = chosen[row]
    offset = table[dates.regimen[person], rank]
    day = dates.chemo_start[person] + offset + 7 * (dates.postponed[person] & (offset > 42))
    grouped = (dates.regimen[person] == 1) & (rank >= 3) & (scene.profile.facility[person] % 2 == 0)
    stay = np.where(grouped, stay_key("chemo_group", person, rank // 3), stay_key("chemo", person, rank))
    full = (rank == 0) & (scene.rng.random(scene.size) < p.CHEMO_FULL_STAY_SHARE)[person]
    return _chemo_sessions(scene, person, day, stay, full)


def metastatic_chemotherapy(scene: Scene) -> pl.DataFrame:
    """A later line, before death."""
    chosen = _where(scene.dates.metastatic_chemo < p.NEVER)
    row, rank = spread(np.full(chosen.size, len(p.PALLIATIVE_OFFSETS)))
    person = chosen[row]
    day = scene.dates.metastatic_chemo[person] + np.take(p.PALLIATIVE_OFFSETS, rank)
    return _chemo_sessions(
        scene, person, day, stay_key("metastatic", person, rank), np.zeros(person.size, dtype=bool)
    )


def _chemo_sessions(scene: Scene, person: Ints, day: Ints, stay: Ints, full: Bools) -> pl.DataFrame:
    return emit(
        person, day, activity="chemotherapy_session", code=np.where(full, "Z511", "28Z07Z"),
        code_system=np.where(full, "CIM10", "GHM"), ghm=np.where(full, "17M061", "28Z07Z"), dp="Z511",
        dr=_tumour(scene, person), stay=stay, entry=day, exit=day + full, facility=scene.profile.facility[person],
    )  # fmt: skip


def trastuzumab(scene: Scene) -> pl.DataFrame:
    """One infusion every 21 days for a year; these tables see it in private centres only."""
    chosen = _where(scene.profile.her2 & (scene.dates.chemo_start < p.NEVER))
    row, rank = spread(np.full(chosen.size, p.TRASTUZUMAB_INFUSIONS))
    person = chosen[row]
    public = scene.profile.public[person]
    return emit(
        person, scene.dates.chemo_start[person] + 21 * rank, activity="targeted_therapy", code_system="UCD",
        code=pl.Series(p.TRASTUZUMAB_UCD)[person % len(p.TRASTUZUMAB_UCD)],
        nature=_private_nature(scene, person, p.HOSPITAL_DRUG), facility=scene.profile.facility[person],
        lost=pl.Series(np.where(public, "public_infusion", "")).replace("", None),
    )  # fmt: skip


def radiotherapy(scene: Scene) -> pl.DataFrame:
    """Planning and sessions: stays of public centres, acts of private ones."""
    dates = scene.dates
    chosen = _where(dates.radiotherapy_start < p.NEVER)
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


def _radiotherapy_events(scene: Scene, person: Ints, day: Ints, kind: str, ordinal: Ints) -> pl.DataFrame:
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
        nature=_private_nature(scene, person, p.TECHNICAL_ACT), specialty=76, facility=scene.profile.facility[person],
        stay=stay_key(kind, person, ordinal), entry=day, exit=day, ghm=ghm, dr=_tumour(scene, person),
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


def endocrine(scene: Scene) -> pl.DataFrame:
    """Dispensings in pharmacies."""
    refills = scene.refills
    row, rank = np.nonzero(refills.days < p.NEVER)
    person = scene.refill_rows[row]
    inhibitor = pl.Series(p.AROMATASE_INHIBITOR_CIP13)[person % len(p.AROMATASE_INHIBITOR_CIP13)]
    tamoxifen = pl.Series(p.TAMOXIFEN_CIP13)[person % len(p.TAMOXIFEN_CIP13)]
    return emit(
        person, refills.days[row, rank], activity="endocrine_therapy_dispensing", nature=p.PHARMACY,
        code_system="CIP13",
        code=np.where(scene.profile.tamoxifen[person], tamoxifen.to_numpy(), inhibitor.to_numpy()),
        quantity=scene.refill_boxes[row],
    )  # fmt: skip


# --- hospital ---------------------------------------------------------------------------------------------


def cancer_stays(scene: Scene) -> pl.DataFrame:
    """Stays for the cancer with no listed act, for instance a complication."""
    frail = scene.people["frail"].to_numpy()
    person, day = _poisson_days(scene, np.where(frail, p.STAYS_PER_YEAR[1], p.STAYS_PER_YEAR[0]))
    after = day > scene.dates.first_treatment[person] + 2
    tumour = _tumour(scene, person[after])
    return _stays(scene, "hospital", person[after], day[after], activity="hospital_stay", code_system="CIM10",
                  code=tumour, dp=tumour, ghm="09M102", das="E119")  # fmt: skip


def other_stays(scene: Scene) -> pl.DataFrame:
    """Stays whose principal diagnosis is something else, the cancer being associated: no event of the list."""
    person, day = _poisson_days(scene, np.full(scene.size, p.OTHER_STAYS_PER_YEAR))
    return _stays(scene, "other", person, day, dp=pick(scene.rng, ("D70", "I509", "J189", "K590"), person.size),
                  ghm="16M091", das=_tumour(scene, person))  # fmt: skip


def palliative_care(scene: Scene) -> pl.DataFrame:
    """Palliative stays; Z51.5 is the principal, the related or an associated diagnosis. Many end with death."""
    dates = scene.dates
    person = _where(dates.palliative < p.NEVER)
    position = pick(scene.rng, ("dp", "dr", "das"), person.size, (0.7, 0.1, 0.2)).alias("position")
    dies_there = scene.rng.random(person.size) < 0.6
    leave = np.where(dies_there, dates.death[person], dates.palliative[person] + 6)
    stays = emit(
        person, dates.palliative[person], activity="palliative_care", code="Z515", code_system="CIM10", ghm="23Z02Z",
        facility=scene.profile.facility[person], stay=stay_key("palliative", person), entry=dates.palliative[person],
        exit=leave,
    )  # fmt: skip
    columns = stays.columns
    z515, tumour = pl.lit("Z515"), pl.col("tumour")
    at = pl.col("position")
    return stays.with_columns(position, tumour=_tumour(scene, person)).select(
        *columns,
        dp=pl.when(at == "dp").then(z515).when(at == "dr").then(pl.lit("Z488")).otherwise(tumour),
        dr=pl.when(at == "dp").then(tumour).when(at == "dr").then(z515),
        das=pl.when(at == "dr").then(tumour).when(at == "das").then(z515),
    )


def terminal_stays(scene: Scene) -> pl.DataFrame:
    """Deaths in hospital outside palliative care: a stay for the cancer, or for something else (no event but death)."""
    dates = scene.dates
    chance = np.where(dates.palliative < p.NEVER, 0.0, 0.5)
    person = _where((dates.death <= dates.end) & (scene.rng.random(scene.size) < chance))
    entry = np.maximum(dates.death[person] - scene.rng.integers(0, 8, person.size), dates.biopsy[person] + 1)
    cancer = dates.cancer_death[person]
    return _stays(
        scene, "terminal", person, entry, leave=dates.death[person], ghm=np.where(cancer, "09M103", "05M092"),
        activity=pl.Series(np.where(cancer, "hospital_stay", "")).replace("", None), code_system="CIM10",
        code=_tumour(scene, person), dp=np.where(cancer, _tumour(scene, person).to_numpy(), "I509"),
    )  # fmt: skip


def _stays(
    scene: Scene, kind: str, person: Ints, day: Ints, *, leave: Ints | None = None, **columns: Any
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


PLANNED_CARE: tuple[Callable[[Scene], pl.DataFrame], ...] = (
    first_imaging, biopsy, mri, before_treatment, surgery, axillary_completion, after_surgery, port_placement,
    chemotherapy, trastuzumab, radiotherapy, endocrine, surveillance, oncology_follow_up, reconstruction,
    metastatic_chemotherapy,
)  # fmt: skip
"""Care that stops with palliative care."""

OTHER_CARE: tuple[Callable[[Scene], pl.DataFrame], ...] = (
    gp_visits, emergencies, cancer_stays, other_stays, palliative_care, terminal_stays,
)  # fmt: skip
