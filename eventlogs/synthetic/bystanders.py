"""Beneficiaries without the cancer, who look a little like patients: a benign biopsy, or another cancer."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from . import parameters as p
from .events import EVENT_SCHEMA, emit, pick, spread, stay_key
from .people import Ints
from .scene import Cancer, Lookalike

KINDS, KIND_SHARES = ("benign", "other_cancer"), (0.6, 0.4)


def bystander_events(
    rng: np.random.Generator, people: pl.DataFrame, first_row: int, end: int, cancer: Cancer[Any]
) -> pl.DataFrame:
    """Listed acts of people who must not enter the cohort; none of their stays or ALD names its site."""
    like = cancer.lookalike
    row = np.arange(people.height)
    person, index = row + first_row, people["index_day"].to_numpy()
    benign = (people["kind"] == "benign").to_numpy()
    facility = people["territory_number"].to_numpy() * p.FACILITY_SLOTS + rng.integers(
        0, p.FACILITY_SLOTS, row.size
    )
    parts = [
        _imaging_and_biopsy(rng, like, person[benign], index[benign], facility[benign]),
        _benign_surgery(rng, like, person[benign], index[benign], facility[benign]),
        _other_cancer(like, person[~benign], index[~benign], facility[~benign]),
        _gp_visits(rng, person, index, end),
    ]
    events = pl.concat([pl.DataFrame(schema=EVENT_SCHEMA), *parts], how="diagonal")
    return events.filter(pl.col("day") <= end)


def _imaging_and_biopsy(
    rng: np.random.Generator, like: Lookalike, person: Ints, index: Ints, facility: Ints
) -> pl.DataFrame:
    imaging = emit(person, index - rng.integers(3, 30, person.size), activity=like.imaging[0],
                   code=like.imaging[1], code_system="CCAM", nature=p.IMAGING_ACT, specialty=6)  # fmt: skip
    biopsy = emit(person, index, activity=like.biopsy[0], code=pick(rng, like.biopsy[1], person.size),
                  code_system="CCAM", nature=p.TECHNICAL_ACT, specialty=6, facility=facility)  # fmt: skip
    return pl.concat([imaging, biopsy], how="diagonal")


def _benign_surgery(
    rng: np.random.Generator, like: Lookalike, person: Ints, index: Ints, facility: Ints
) -> pl.DataFrame:
    some = rng.random(person.size) < 0.3
    day = index[some] + rng.integers(15, 90, int(some.sum()))
    activity, code, dp, ghm = like.operation
    return emit(person[some], day, activity=activity, code=code, code_system="CCAM", dp=dp, ghm=ghm,
                facility=facility[some], hospital_act=True, stay=stay_key("bystander", person[some]), entry=day,
                exit=day + 1)  # fmt: skip


def _other_cancer(like: Lookalike, person: Ints, index: Ints, facility: Ints) -> pl.DataFrame:
    """A stay and six chemotherapy sessions for another cancer."""
    site: dict[str, Any] = {"facility": facility, "activity": None, "code": None}
    stay = emit(person, index, dp=like.other_cancer, ghm="06C041", stay=stay_key("bystander", person),
                entry=index, exit=index + 8, **site)  # fmt: skip
    row, rank = spread(np.full(person.size, 6))
    day = index[row] + 40 + 14 * rank
    sessions = emit(person[row], day, activity="chemotherapy_session", code="28Z07Z", code_system="GHM", ghm="28Z07Z",
                    dp="Z511", dr=like.other_cancer, facility=facility[row],
                    stay=stay_key("bystander_chemo", person[row], rank), entry=day, exit=day)  # fmt: skip
    return pl.concat([stay, sessions], how="diagonal")


def _gp_visits(rng: np.random.Generator, person: Ints, index: Ints, end: int) -> pl.DataFrame:
    row, _ = spread(rng.poisson(6, person.size))
    day = index[row] + (rng.random(row.size) * np.maximum(end - index[row], 0)).astype(np.int64)
    nature = pick(rng, p.GP_NATURES, row.size, p.GP_NATURE_SHARES)
    return emit(person[row], day, activity="gp_consultation", code=nature.cast(pl.String), code_system="PRS_NAT",
                nature=nature, specialty=1)  # fmt: skip
