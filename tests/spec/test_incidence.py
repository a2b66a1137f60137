"""Rules of honest delays: patients in, waits and curves out, one rule each.

A patient is a line ``events | death | exit | until``: events are ``name day`` in their order, days are counted since
the index date, which is day 0; the data end on day 100 unless the patient's own end earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import pytest

from eventlogs.errors import LogError
from eventlogs.log import EventLog
from pathways.mining.incidence import (
    DEATHS,
    INCIDENCE_COLUMNS,
    LEFT_OUT_COLUMNS,
    WAIT_COLUMNS,
    Waits,
    cumulative_incidence,
    edge_waits,
    index_waits,
    medians,
)

INDEX_DATE = datetime(2021, 3, 1)
END = 100


def on(day: int) -> datetime:
    return INDEX_DATE + timedelta(days=day)


def log_of(*lines: str, index: bool = True) -> EventLog:
    """Read one patient a line."""
    events, patients, horizons = [], [], [(None, "all", on(END))]
    for number, line in enumerate(lines):
        happened, death, left, until = ([part.strip() for part in line.split("|")] + [""] * 3)[:4]
        name = f"p{number}"
        words = [word.split() for word in happened.split(",") if word.strip()]
        events += [(name, activity, on(int(day))) for activity, day in words]
        day, reason = ([*left.split(), "scheme_exit"])[:2] if left else (None, None)
        patients.append(
            (
                name,
                on(0) if index else None,
                on(int(death)) if death else None,
                on(int(day)) if day else None,
                reason,
            )
        )
        horizons += [(name, "all", on(int(until)))] if until else []
    columns = dict.fromkeys(
        ("patient_id", "index_date", "death_date", "exit_date", "exit_reason"), pl.String()
    )
    dates = dict.fromkeys(("index_date", "death_date", "exit_date"), pl.Datetime("us"))
    frames = (
        pl.DataFrame(events, schema=["patient_id", "activity", "start"], orient="row"),
        pl.DataFrame(patients, schema=columns | dates, orient="row"),
        pl.DataFrame(horizons, schema=["patient_id", "source", "observed_until"], orient="row"),
    )
    return EventLog.create(*frames, keep_order=True)


def ended(waits: Waits, target: str) -> list[tuple[int, str, int]]:
    """Day, cause and number of the waits for a target."""
    return waits.counts.filter(target=target).select("day", "cause", "n").rows()


@dataclass(frozen=True)
class Rule:
    """Patients who wait for ``step`` after the index, and what ended the waits."""

    words: str
    patients: tuple[str, ...]
    waits: tuple[tuple[int, str, int], ...]
    left_out: tuple[tuple[str, int], ...] = ()


RULES = (
    Rule("The first step counts, and no later one.", ("step 5, step 9",), ((5, "step", 1),)),
    Rule("A step on the index date is a step on day 0.", ("step 0",), ((0, "step", 1),)),
    Rule(
        "Who had the step before the index no longer waits for a first one: left out.",
        ("step -3, step 4", "step 4"),
        ((4, "step", 1),),
        (("before", 1),),
    ),
    Rule("Death ends the wait: it competes.", ("step 7", "other 1 | 4"), ((4, "death", 1), (7, "step", 1))),
    Rule("A step on the day of death came before it.", ("step 4 | 4",), ((4, "step", 1),)),
    Rule(
        "A step after the death is an error of dating, and none.",
        ("step 5 | 4", "step 1"),
        ((1, "step", 1), (4, "death", 1)),
    ),
    Rule("Leaving the scheme ends the wait.", ("step 7", "|| 4"), ((4, "exit", 1), (7, "step", 1))),
    Rule("A step on the day of the exit came before it.", ("step 4 || 4",), ((4, "step", 1),)),
    Rule(
        "A death on the day of the exit came before it.",
        ("step 9", "| 4 | 4"),
        ((4, "death", 1), (9, "step", 1)),
    ),
    Rule(
        "An exit whose reason is death is a death.",
        ("step 9", "|| 4 death"),
        ((4, "death", 1), (9, "step", 1)),
    ),
    Rule(
        "An activity `death` is a death where no date of death is known.",
        ("step 9", "death 4"),
        ((4, "death", 1), (9, "step", 1)),
    ),
    Rule(
        "An activity after which nothing is expected is an exit.",
        ("step 9", "palliative 3, step 8"),
        ((3, "exit", 1), (9, "step", 1)),
    ),
    Rule(
        "Who has had no step when the data end is censored then.",
        ("step 9", "other 1"),
        ((9, "step", 1), (END, "censored", 1)),
    ),
    Rule(
        "The patient's own horizon comes first.",
        ("step 9", "other 1 ||| 30"),
        ((9, "step", 1), (30, "censored", 1)),
    ),
    Rule(
        "A step on the last day of the data counts.",
        ("step 100", "step 30 ||| 30"),
        ((30, "step", 1), (100, "step", 1)),
    ),
    Rule(
        "After the horizon nothing counts, neither step nor death.",
        ("step 31 ||| 30", "step 2", "| 31 || 30"),
        ((2, "step", 1), (30, "censored", 2)),
    ),
    Rule(
        "An exit on the day of the horizon is an exit.",
        ("step 9", "|| 30 | 30"),
        ((9, "step", 1), (30, "exit", 1)),
    ),
    Rule(
        "An index after the data end, or after a death, starts no clock.",
        ("step 9", "||| -1", "| -1"),
        ((9, "step", 1),),
        (("unobserved", 2),),
    ),
    Rule("Who has no event and an index date waits.", ("step 9", ""), ((9, "step", 1), (END, "censored", 1))),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.words)
def test_rule_of_waits_since_the_index(rule: Rule) -> None:
    waits = index_waits(log_of(*rule.patients), exits=("palliative",))
    assert tuple(ended(waits, "step")) == rule.waits
    assert tuple(waits.left_out.filter(target="step").select("reason", "n").rows()) == rule.left_out


def test_without_an_index_date_the_clock_starts_at_the_first_event() -> None:
    waits = index_waits(log_of("other 3, step 8", "", index=False))
    assert ended(waits, "step") == [(5, "step", 1)]
    assert waits.left_out.filter(target="step")["n"].to_list() == [1]


def test_earlier_steps_can_be_ignored() -> None:
    waits = index_waits(log_of("step -3, step 4", "step -2", "step 6"), before="ignore")
    assert ended(waits, "step") == [(4, "step", 1), (6, "step", 1), (END, "censored", 1)]


def test_an_exit_activity_is_a_step_where_it_is_waited_for() -> None:
    waits = index_waits(log_of("palliative 3, step 8", "other 1"), exits=("palliative",))
    assert ended(waits, "palliative") == [(3, "step", 1), (END, "censored", 1)]
    assert ended(waits, "step") == [(3, "exit", 1), (END, "censored", 1)]


def test_death_is_never_a_step_unless_it_is_no_death_here() -> None:
    log = log_of("death 4", "step 9")
    assert "death" not in index_waits(log).counts["target"]
    assert ended(index_waits(log, deaths=()), "death") == [(4, "step", 1), (END, "censored", 1)]
    assert DEATHS == ("death",)


def test_a_phase_begins_with_the_first_of_its_activities() -> None:
    waits = index_waits(log_of("b 8, a 9, other 10"), phases={"a": "P", "b": "P"})
    assert ended(waits, "P") == [(8, "step", 1)]
    assert waits.counts["target"].unique().sort().to_list() == ["P", "other"]


def test_a_log_without_a_horizon_ends_with_its_last_event() -> None:
    log = log_of("step 3", "other 8")
    bare = EventLog(log.events, log.patients, log.horizons.clear(), log.withdrawn)
    assert ended(index_waits(bare), "step") == [(3, "step", 1), (8, "censored", 1)]


EDGES = (
    (
        "The next event decides, and the first occurrence starts the clock.",
        ("a 1, b 4, a 5, c 6",),
        ((3, "b", "step", 1),),
    ),
    ("An activity may follow itself.", ("a 1, a 4",), ((3, "a", "step", 1),)),
    (
        "Events of one day follow each other on day 0, in the order of the log.",
        ("a 1, b 1", "b 2, a 2"),
        ((0, "b", "step", 1), (98, None, "censored", 1)),
    ),
    (
        "Next activities, death and exit compete.",
        ("a 0, b 5", "a 0, c 6", "a 0 | 7", "a 0 || 8"),
        ((5, "b", "step", 1), (6, "c", "step", 1), (7, None, "death", 1), (8, None, "exit", 1)),
    ),
    (
        "An activity `death` is no next event but the death itself.",
        ("a 0, death 7",),
        ((7, None, "death", 1),),
    ),
    ("Nothing after it: censored when the data end.", ("a 40",), ((60, None, "censored", 1),)),
    ("What follows after the horizon is not seen.", ("a 10, b 31 ||| 30",), ((20, None, "censored", 1),)),
    ("Who comes back after an exit had left first.", ("a 10, b 31 || 30",), ((20, None, "exit", 1),)),
    ("Days are counted from the activity, wherever the index is.", ("a -20, b -15",), ((5, "b", "step", 1),)),
)


@pytest.mark.parametrize(("words", "patients", "expected"), EDGES, ids=[rule[0] for rule in EDGES])
def test_rule_of_waits_for_the_next_event(words: str, patients: tuple[str, ...], expected: object) -> None:
    counts = edge_waits(log_of(*patients)).counts.filter(origin="a")
    assert tuple(counts.sort("day").select("day", "target", "cause", "n").rows()) == expected


def test_an_origin_after_the_horizon_starts_no_clock() -> None:
    waits = edge_waits(log_of("a 40, b 50 ||| 30"))
    assert waits.counts.is_empty()
    assert waits.left_out.select("origin", "reason", "n").rows() == [
        ("a", "unobserved", 1),
        ("b", "unobserved", 1),
    ]


def test_every_occurrence_can_start_a_clock() -> None:
    waits = edge_waits(log_of("a 1, b 4, a 5, c 6"), each="every")
    assert waits.unit == "events"
    assert waits.of(origin="a").counts.select("day", "target", "n").rows() == [(3, "b", 1), (1, "c", 1)]


def test_a_run_of_one_phase_is_one_stay_in_it() -> None:
    waits = edge_waits(log_of("a 1, b 4, c 9"), phases={"a": "P", "b": "P"})
    assert waits.of(origin="P").counts.select("day", "target", "n").rows() == [(8, "c", 1)]


def curve(*lines: str, cause: str = "step", at: list[int] | None = None) -> dict[int, float | None]:
    """Incidence by day of a cause among those who wait for a step."""
    told = cumulative_incidence(index_waits(log_of(*lines)).of(target="step"), at)
    shares = told.filter(cause=cause).select("day", pl.col("incidence").round(12))
    return dict(shares.rows())


def test_a_step_and_the_end_of_data_on_one_day_are_a_step_among_all_who_waited() -> None:
    assert curve("step 5", "||| 5", "step 9") == {5: round(1 / 3, 12), 9: 1.0}


def test_death_keeps_the_incidence_down_where_censoring_does_not() -> None:
    assert curve("step 9", "| 5")[9] == 0.5
    assert curve("step 9", "||| 5")[9] == 1.0
    assert curve("step 9", "|| 5")[9] == 0.5
    assert curve("step 9", "| 5", cause="death") == {5: 0.5, 9: 0.5}


def test_nothing_is_told_after_the_data_end_unless_all_is_over() -> None:
    assert curve("step 5", "||| 20", at=[0, 5, 19, 20, 21]) == {0: 0.0, 5: 0.5, 19: 0.5, 20: 0.5, 21: None}
    assert curve("step 5", "| 20", at=[4, 21]) == {4: 0.0, 21: 0.5}


def test_numbers_at_risk_are_those_who_wait_when_the_day_begins() -> None:
    waits = index_waits(log_of("step 5", "||| 5", "| 7", "step 9")).of(target="step")
    told = cumulative_incidence(waits, at=[0, 5, 6, 7, 8, 9, 10]).filter(cause="step")
    assert told["n_at_risk"].to_list() == [4, 4, 2, 2, 1, 1, 0]
    assert told["n"].to_list() == [0, 1, 0, 0, 0, 1, 0]
    assert told["n_censored"].to_list() == [0, 1, 0, 0, 0, 0, 0]


def test_the_median_counts_the_dead_and_the_naive_one_forgets_them() -> None:
    alive = [f"step {day}" for day in (2, 4, 6, 8)]
    row = medians(index_waits(log_of(*alive, "| 1", "| 3")).of(target="step")).row(0, named=True)
    assert (row["n"], row["n_step"], row["n_death"], row["n_exit"], row["n_censored"]) == (6, 4, 2, 0, 0)
    assert (row["median_days"], row["naive_median_days"]) == (6, 4)


def test_a_median_that_is_never_reached_is_null() -> None:
    row = medians(index_waits(log_of("step 2", "| 3", "| 4")).of(target="step")).row(0, named=True)
    assert (row["median_days"], row["naive_median_days"]) == (None, 2)


def test_strata_are_columns_of_the_patients() -> None:
    log = log_of("step 5", "step 7", "| 3")
    patients = log.patients.with_columns(sex=pl.Series(["1", "2", None]))
    strata = EventLog(log.events, patients, log.horizons, log.withdrawn)
    waits = index_waits(strata, by=["sex"])
    assert waits.counts.rows() == [
        ("1", "index", "step", 5, "step", 1),
        ("2", "index", "step", 7, "step", 1),
        (None, "index", "step", 3, "death", 1),
    ]
    told = cumulative_incidence(waits).filter(cause="step")
    assert told["incidence"].to_list() == [1, 1, 0]
    with pytest.raises(LogError, match="did you mean 'sex'"):
        edge_waits(log, by=["sexe"])


def test_a_part_of_a_risk_set_has_no_incidence() -> None:
    waits = edge_waits(log_of("a 1, b 4"))
    with pytest.raises(LogError, match="compete"):
        waits.of(target="b")
    with pytest.raises(LogError, match="no wait has the origin 'aa'"):
        waits.of(origin="aa")
    with pytest.raises(ValueError, match="between 0 and 1"):
        cumulative_incidence(waits, confidence=95)


def test_an_empty_log_gives_empty_tables_with_their_columns() -> None:
    columns = {"patient_id": pl.String, "activity": pl.String, "start": pl.Datetime("us")}
    empty = EventLog.create(pl.DataFrame(schema=columns))
    for waits in (index_waits(empty), edge_waits(empty), edge_waits(empty, phases={"a": "P"})):
        assert dict(waits.counts.schema) == {name: dtype() for name, dtype in WAIT_COLUMNS.items()}
        assert dict(waits.left_out.schema) == {name: dtype() for name, dtype in LEFT_OUT_COLUMNS.items()}
        assert cumulative_incidence(waits).columns == list(INCIDENCE_COLUMNS)
        assert waits.counts.is_empty() and medians(waits).is_empty()


def test_one_patient() -> None:
    row = cumulative_incidence(index_waits(log_of("step 5"))).row(0, named=True)
    assert (row["incidence"], row["std_error"], row["low"], row["high"], row["event_free"]) == (
        1,
        0,
        None,
        None,
        0,
    )


def test_the_repr_tells_nothing_of_a_patient() -> None:
    assert repr(edge_waits(log_of("a 1, b 4"))) == "Waits(by=(), competing=True, unit='patients')"
