"""A small simulated cohort whose hidden frailty makes people late, stop their treatment and miss their surveillance.

Synthetic: nobody in it exists. Emergency visits show the frailty, so that a model can find it.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np
import polars as pl

from eventlogs.log import EventLog
from pathways.definition import Pathway, parse
from pathways.risk.model import RiskModel, train

DEFINITION = """
id = "simulated"
version = "1"
label = { fr = "Simulé", en = "Simulated" }
within_day = ["consultation", "emergency_visit", "biopsy", "surgery", "mammography", "dispensing", "palliative"]
[phases]
care = { fr = "Soins", en = "Care" }
surgery = { fr = "Chirurgie", en = "Surgery" }
drug = { fr = "Médicament", en = "Drug" }
[activities.consultation]
label = { fr = "Consultation", en = "Consultation" }
phase = "care"
CCAM = ["AAAA001"]
source = "simulated"
[activities.emergency_visit]
label = { fr = "Passage aux urgences", en = "Emergency visit" }
phase = "care"
CCAM = ["AAAA002"]
source = "simulated"
[activities.biopsy]
label = { fr = "Biopsie", en = "Biopsy" }
phase = "care"
CCAM = ["AAAA003"]
source = "simulated"
[activities.surgery]
label = { fr = "Chirurgie", en = "Surgery" }
phase = "surgery"
CCAM = ["AAAA004"]
source = "simulated"
[activities.mammography]
label = { fr = "Mammographie", en = "Mammography" }
phase = "care"
CCAM = ["AAAA005"]
source = "simulated"
[activities.dispensing]
label = { fr = "Délivrance", en = "Dispensing" }
phase = "drug"
CCAM = ["AAAA006"]
source = "simulated"
[activities.palliative]
label = { fr = "Soins palliatifs", en = "Palliative care" }
phase = "care"
CCAM = ["AAAA007"]
source = "simulated"
[breakdowns.late]
kind = "late_step"
label = { fr = "Chirurgie tardive", en = "Late surgery" }
step = { fr = "Chirurgie", en = "Surgery" }
trigger = ["biopsy"]
expected = ["surgery"]
within_days = 90
grace_days = 0
exits = ["palliative"]
evidence = "operational"
source = "simulated"
[breakdowns.lapse]
kind = "missed_step"
label = { fr = "Surveillance manquante", en = "Missed surveillance" }
step = { fr = "IRM de contrôle", en = "Control imaging" }
trigger = ["surgery"]
expected = ["mammography"]
from_days = 180
within_days = 365
grace_days = 60
exits = ["palliative"]
evidence = "operational"
source = "simulated"
[breakdowns.gap]
kind = "interruption"
label = { fr = "Interruption", en = "Interruption" }
step = { fr = "Renouvellement", en = "Refill" }
trigger = ["dispensing"]
expected = ["dispensing"]
permissible_gap_days = 60
supply_days = 1
planned_days = 1826
exits = ["palliative"]
evidence = "operational"
source = "simulated"
[risk]
horizon_days = 120
landmark_every_days = 60
capacity = 10
source = "simulated"
"""

DAY_0 = np.datetime64("2018-01-01", "us")
LAST_DAY = 1800
SOURCES = {"dispensing": "ER_PHA_F", "consultation": "ER_PRS_F", "mammography": "ER_CAM_F"}


def pathway() -> Pathway:
    """Return the definition of the simulated cohort."""
    return parse(DEFINITION, "simulated.toml")


def cohort(patients: int = 500, seed: int = 0, *, signal: float = 1.0, snds: bool = True) -> EventLog:
    """Return the log of a cohort.

    Parameters
    ----------
    signal : float
        0: what happens does not depend on the frailty that the emergency visits show.
    snds : bool
        Sources are named after SNDS tables; else ``hospital``, and everything is known the next day.
    """
    rng = np.random.default_rng(seed)
    index = rng.integers(0, 1200, patients)
    frailty = rng.normal(size=patients)
    parts = _parts(rng, index, frailty, signal * frailty)
    events = pl.concat(
        pl.DataFrame({"person": who, "day": day.astype(np.int64), "activity": [activity] * len(who)})
        for activity, who, day in parts
    ).filter(pl.col("day") <= LAST_DAY)
    deaths = np.where(rng.random(patients) < 0.05, index + rng.integers(100, 900, patients), LAST_DAY + 1)
    alive = events.join(pl.DataFrame({"person": np.arange(patients), "death": deaths}), on="person")
    horizon = pl.DataFrame({"patient_id": [None], "source": ["all"], "observed_until": [_moment(LAST_DAY)]})
    return EventLog.create(
        _events(alive.filter(pl.col("day") <= pl.col("death")), rng, snds),
        _people(rng, index, frailty, deaths),
        horizon,
        within_day=pathway().within_day,
    )


def _parts(
    rng: np.random.Generator, index: np.ndarray, frailty: np.ndarray, effect: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    everyone = np.arange(index.size)
    surgery = index + np.ceil(np.exp(4.0 + 0.5 * effect + 0.4 * rng.normal(size=index.size))).astype(int)
    visits = np.repeat(everyone, rng.poisson(np.exp(1 + 0.8 * frailty)))
    talks = np.repeat(everyone, 8)
    refills = np.minimum(rng.geometric(1 / (1 + np.exp(3.0 - 1.2 * effect))), 40)
    drug = np.repeat(everyone, refills)
    month = np.arange(drug.size) - np.repeat(np.cumsum(refills) - refills, refills)
    control = everyone[rng.random(index.size) > 1 / (1 + np.exp(1.0 - 1.2 * effect))]
    return [
        ("biopsy", everyone, index),
        ("surgery", everyone, surgery),
        ("emergency_visit", visits, index[visits] + rng.integers(-150, 700, visits.size)),
        ("consultation", talks, index[talks] + rng.integers(-100, 900, talks.size)),
        ("dispensing", drug, surgery[drug] + 30 + 30 * month + rng.integers(0, 5, drug.size)),
        ("mammography", control, surgery[control] + rng.integers(200, 420, control.size)),
    ]


def _events(rows: pl.DataFrame, rng: np.random.Generator, snds: bool) -> pl.DataFrame:
    lag = rng.integers(20, 60, rows.height) if snds else np.ones(rows.height, dtype=int)
    start = DAY_0 + rows["day"].to_numpy().astype("timedelta64[D]")
    source = pl.col("activity").replace_strict(SOURCES, default="T_MCOaaB") if snds else pl.lit("hospital")
    return rows.select(
        patient_id=_name(pl.col("person")),
        activity="activity",
        start=pl.Series(start),
        known_from=pl.Series(start + lag.astype("timedelta64[D]")),
        source=source,
        facility=pl.Series(rng.integers(0, 3, rows.height)).cast(pl.String),
        territory_of_care=pl.Series(rng.choice(["29", "35"], rows.height)),
        quantity=pl.lit(30),
    )


def _people(
    rng: np.random.Generator, index: np.ndarray, frailty: np.ndarray, deaths: np.ndarray
) -> pl.DataFrame:
    died = pl.Series(deaths <= LAST_DAY)
    day = pl.Series(DAY_0 + deaths.astype("timedelta64[D]"))
    return pl.DataFrame(
        {
            "patient_id": pl.Series(np.arange(index.size)),
            "sex": rng.choice(["F", "M"], index.size),
            "birth_year": rng.integers(1930, 1980, index.size),
            "territory": rng.choice(["29", "35", "56"], index.size),
            "deprivation": np.clip(np.round(3 + frailty), 1, 5).astype(int),
            "index_date": DAY_0 + index.astype("timedelta64[D]"),
            "death_date": day,
            "death_known_from": day,
        }
    ).with_columns(
        _name(pl.col("patient_id")).alias("patient_id"),
        *(pl.when(died).then(name).alias(name) for name in ("death_date", "death_known_from")),
    )


def _name(person: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("S"), person.cast(pl.String).str.zfill(5))


def _moment(day: int) -> datetime:
    moment = (DAY_0 + np.timedelta64(day, "D")).astype(datetime)
    assert isinstance(moment, datetime)
    return moment


@lru_cache
def trained() -> RiskModel:
    """Return a model trained on the simulated cohort, once a session."""
    return train(cohort(), pathway(), synthetic=True, n_resamples=50)
