"""The rupture contract as rules that a clinician can read and contest: events in, outcome per patient out.

Days count from 2020-01-01 (day 0). ``SPECS`` is plain data, so that the reference page is rendered from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from eventlogs.errors import LogError
from eventlogs.log import EventLog
from pathways.definition import BreakdownDefinition, Pathway, parse
from pathways.risk.breakdown import BreakdownResults, evaluate, pending

DAY_0 = datetime(2020, 1, 1)

LATE = BreakdownDefinition(
    id="late",
    kind="late_step",
    label={"fr": "Traitement tardif", "en": "Late treatment"},
    step={"fr": "Traitement", "en": "Treatment"},
    trigger=("biopsy",),
    restarts=("second_biopsy",),
    expected=("surgery", "chemotherapy"),
    exits=("palliative",),
    within_days=42,
    grace_days=7,
    evidence="operational",
    source="rule of the tests",
)
MISSED = BreakdownDefinition(
    id="missed",
    kind="missed_step",
    label={"fr": "Surveillance manquante", "en": "Missed surveillance"},
    step={"fr": "Mammographie", "en": "Mammography"},
    trigger=("surgery",),
    restarts=("chemotherapy",),
    expected=("mammography",),
    exits=("palliative",),
    from_days=180,
    within_days=365,
    grace_days=30,
    evidence="operational",
    source="rule of the tests",
)
GAP = BreakdownDefinition(
    id="gap",
    kind="interruption",
    label={"fr": "Interruption", "en": "Interruption"},
    step={"fr": "Renouvellement", "en": "Refill"},
    trigger=("dispensing",),
    expected=("dispensing", "switch"),
    exits=("palliative",),
    permissible_gap_days=90,
    supply_days=1,
    planned_days=400,
    evidence="operational",
    source="rule of the tests",
)


@dataclass(frozen=True)
class Spec:
    """One rule.

    ``events``: ``patient | activity | day [| quantity]`` a line, in the order of the log; the activity ``died`` is
    the death date of the patients table. ``outcome``: ``patient | status [| decided on day]`` a line, ``-`` for a
    patient whom the rule does not concern.
    """

    id: str
    definition: BreakdownDefinition
    rule: str
    events: str
    outcome: str
    observed_until: int = 1000
    left_on: dict[str, int] = field(default_factory=dict)
    source: str = "operational convention of care-pathways"


SPECS = [
    Spec(
        "late_kept",
        LATE,
        "A step on the trigger's day, on the due day, or on the last day of grace is in time.",
        """
        anna   | biopsy  | 0
        anna   | surgery | 0
        berthe | biopsy  | 0
        berthe | surgery | 42
        carole | biopsy  | 0
        carole | chemotherapy | 49
        """,
        """
        anna   | kept | 0
        berthe | kept | 42
        carole | kept | 49
        """,
    ),
    Spec(
        "late_broken",
        LATE,
        "One day after the deadline is late; late and never break on the same day, the deadline.",
        """
        anna   | biopsy  | 0
        anna   | surgery | 50
        berthe | biopsy  | 0
        """,
        """
        anna   | broken | 49
        berthe | broken | 49
        """,
    ),
    Spec(
        "first_trigger",
        LATE,
        "The first trigger opens the expectation; a second one moves nothing.",
        """
        anna | biopsy  | 0
        anna | biopsy  | 30
        anna | surgery | 60
        """,
        "anna | broken | 49",
    ),
    Spec(
        "step_before_trigger",
        LATE,
        "A trigger that follows the expected step opens nothing: a biopsy after surgery awaits no first treatment.",
        """
        anna   | surgery | 0
        anna   | biopsy  | 10
        berthe | surgery | 10
        berthe | biopsy  | 10
        """,
        """
        anna   | -
        berthe | -
        """,
    ),
    Spec(
        "tie_order",
        LATE,
        "Inside one day the log's explicit order decides: a step ranked after the trigger keeps it.",
        """
        anna   | biopsy  | 10
        anna   | surgery | 10
        """,
        "anna | kept | 10",
    ),
    Spec(
        "restart_in_time",
        LATE,
        "A restart up to the deadline opens the clock anew, from its own day.",
        """
        anna   | biopsy        | 0
        anna   | second_biopsy | 49
        anna   | surgery       | 98
        berthe | biopsy        | 0
        berthe | second_biopsy | 49
        berthe | second_biopsy | 90
        berthe | surgery       | 140
        """,
        """
        anna   | kept   | 98
        berthe | broken | 139
        """,
    ),
    Spec(
        "restart_too_late",
        LATE,
        "A restart after the deadline restarts nothing: the expectation is broken already.",
        """
        anna | biopsy        | 0
        anna | second_biopsy | 50
        anna | surgery       | 60
        """,
        "anna | broken | 49",
    ),
    Spec(
        "restart_after_step",
        LATE,
        "A restart after the step opens nothing anew.",
        """
        anna | biopsy        | 0
        anna | surgery       | 20
        anna | second_biopsy | 30
        """,
        "anna | kept | 20",
    ),
    Spec(
        "restart_alone",
        LATE,
        "A restart without a trigger opens nothing.",
        "anna | second_biopsy | 0",
        "anna | -",
    ),
    Spec(
        "exit_excuses",
        LATE,
        "Death or an exit up to the deadline excuses; afterwards it does not.",
        """
        anna   | biopsy     | 0
        anna   | palliative | 49
        berthe | biopsy     | 0
        berthe | died       | 20
        carole | biopsy     | 0
        carole | palliative | 50
        """,
        """
        anna   | excused | 49
        berthe | excused | 20
        carole | broken  | 49
        """,
    ),
    Spec(
        "exit_same_day",
        LATE,
        "On the day of the step, an exit ranked after it changes nothing; ranked before it, it excuses. "
        "Death comes last in its day.",
        """
        anna   | biopsy     | 0
        anna   | surgery    | 30
        anna   | palliative | 30
        berthe | biopsy     | 0
        berthe | palliative | 30
        berthe | surgery    | 30
        carole | biopsy     | 0
        carole | died       | 30
        carole | surgery    | 30
        """,
        """
        anna   | kept    | 30
        berthe | excused | 30
        carole | kept    | 30
        """,
    ),
    Spec(
        "exit_before_trigger",
        LATE,
        "From an exit on nothing is expected: a later trigger opens nothing.",
        """
        anna | palliative | 0
        anna | biopsy     | 10
        """,
        "anna | -",
    ),
    Spec(
        "exit_stops_restart",
        LATE,
        "From an exit on nothing is expected: a later restart opens nothing anew.",
        """
        anna | biopsy        | 0
        anna | palliative    | 10
        anna | second_biopsy | 20
        """,
        "anna | excused | 10",
    ),
    Spec(
        "silence",
        LATE,
        "Observed to the deadline, silence is a break; one day less and it can't be known yet.",
        """
        anna   | biopsy | 0
        berthe | biopsy | 1
        carole | biopsy | 1
        carole | surgery | 40
        """,
        """
        anna   | broken      | 49
        berthe | undecidable |
        carole | kept        | 40
        """,
        observed_until=49,
    ),
    Spec(
        "own_horizon",
        LATE,
        "A patient who leaves the scheme is observed until then, however far the sources reach.",
        """
        anna   | biopsy | 0
        berthe | biopsy | 0
        """,
        """
        anna   | undecidable |
        berthe | broken      | 49
        """,
        left_on={"anna": 30},
    ),
    Spec(
        "missed_from_days",
        MISSED,
        "A step before from_days does not count, on that day it does.",
        """
        anna   | surgery     | 0
        anna   | mammography | 179
        berthe | surgery     | 0
        berthe | mammography | 100
        berthe | mammography | 180
        """,
        """
        anna   | broken | 395
        berthe | kept   | 180
        """,
    ),
    Spec(
        "missed_edges",
        MISSED,
        "A step on the deadline is in time, the day after it is not.",
        """
        anna   | surgery     | 0
        anna   | mammography | 395
        berthe | surgery     | 0
        berthe | mammography | 396
        """,
        """
        anna   | kept   | 395
        berthe | broken | 395
        """,
    ),
    Spec(
        "missed_before_trigger",
        MISSED,
        "A step before the trigger neither keeps a missed step nor prevents it: diagnostic imaging is no surveillance.",
        """
        anna | mammography | 0
        anna | surgery     | 30
        """,
        "anna | broken | 425",
    ),
    Spec(
        "missed_restart",
        MISSED,
        "After a restart, from_days and the window count from the restart.",
        """
        anna   | surgery      | 0
        anna   | chemotherapy | 100
        anna   | mammography  | 200
        berthe | surgery      | 0
        berthe | chemotherapy | 100
        berthe | mammography  | 280
        """,
        """
        anna   | broken | 495
        berthe | kept   | 280
        """,
    ),
    Spec(
        "missed_early_step_and_restart",
        MISSED,
        "A step that came too early to count does not stop a later restart.",
        """
        anna | surgery      | 0
        anna | mammography  | 100
        anna | chemotherapy | 150
        anna | mammography  | 200
        """,
        "anna | broken | 545",
    ),
    Spec(
        "missed_excused",
        MISSED,
        "An exit excuses a missed step too, even before its window opens.",
        """
        anna   | surgery    | 0
        anna   | palliative | 50
        berthe | surgery    | 0
        berthe | died       | 395
        """,
        """
        anna   | excused | 50
        berthe | excused | 395
        """,
    ),
    Spec(
        "missed_undecidable",
        MISSED,
        "Before the deadline is observed a missed step can't be known.",
        "anna | surgery | 0",
        "anna | undecidable |",
        observed_until=394,
    ),
    Spec(
        "gap_kept",
        GAP,
        "A refill up to 90 days after the supply's end keeps the treatment; the next gap is still open.",
        """
        anna | dispensing | 0   | 30
        anna | dispensing | 120 | 30
        """,
        "anna | undecidable |",
        observed_until=200,
    ),
    Spec(
        "gap_broken",
        GAP,
        "One day more is an interruption, dated on the deadline; a restart afterwards does not mend it.",
        """
        anna   | dispensing | 0   | 30
        anna   | dispensing | 121 | 30
        berthe | dispensing | 0   | 30
        """,
        """
        anna   | broken | 120
        berthe | broken | 120
        """,
        source="a gap of 90 days or more without supply (Bosco-Lévy 2016)",
    ),
    Spec(
        "gap_switch",
        GAP,
        "A switch to another expected product is no interruption.",
        """
        anna | dispensing | 0   | 30
        anna | switch     | 100 | 300
        """,
        "anna | kept | 400",
    ),
    Spec(
        "gap_first_is_trigger",
        GAP,
        "Only a trigger opens the treatment.",
        "anna | switch | 0 | 30",
        "anna | -",
    ),
    Spec(
        "gap_longest_supply",
        GAP,
        "The longest supply so far counts: a short one does not shorten it, and overlapping days are not added.",
        """
        anna   | dispensing | 0   | 90
        anna   | dispensing | 10  | 10
        berthe | dispensing | 0   | 30
        berthe | dispensing | 0   | 30
        """,
        """
        anna   | broken | 180
        berthe | broken | 120
        """,
    ),
    Spec(
        "gap_planned_end",
        GAP,
        "After the planned duration nothing is expected: a deadline on or after it is kept by the plan.",
        """
        anna   | dispensing | 0   | 200
        anna   | dispensing | 280 | 30
        berthe | dispensing | 0   | 200
        berthe | dispensing | 270 | 30
        carole | dispensing | 0   | 200
        carole | dispensing | 279 | 30
        """,
        """
        anna   | kept   | 400
        berthe | broken | 390
        carole | broken | 399
        """,
    ),
    Spec(
        "gap_after_plan",
        GAP,
        "A supply on or after the planned end opens nothing.",
        """
        anna | dispensing | 0   | 200
        anna | dispensing | 250 | 150
        anna | dispensing | 400 | 30
        """,
        "anna | kept | 400",
    ),
    Spec(
        "gap_plan_not_reached",
        GAP,
        "A plan whose end is not observed yet decides nothing.",
        """
        anna | dispensing | 0   | 200
        anna | dispensing | 250 | 100
        """,
        "anna | undecidable |",
        observed_until=399,
    ),
    Spec(
        "gap_excused",
        GAP,
        "An exit during the gap excuses; supplies after it open nothing.",
        """
        anna   | dispensing | 0   | 30
        anna   | palliative | 120
        anna   | dispensing | 130 | 30
        berthe | dispensing | 0   | 30
        berthe | died       | 121
        """,
        """
        anna   | excused | 120
        berthe | broken  | 120
        """,
    ),
    Spec(
        "gap_any_episode",
        GAP,
        "One interruption among several refills breaks the patient's treatment, on the first break.",
        """
        anna | dispensing | 0   | 30
        anna | dispensing | 30  | 30
        anna | dispensing | 160 | 30
        anna | dispensing | 300 | 100
        """,
        "anna | broken | 150",
    ),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_rule(spec: Spec) -> None:
    results = evaluate(log_of(spec), pathway_of(spec.definition))
    assert outcome(results, spec) == expected(spec), spec.rule


def test_every_kind_meets_every_status() -> None:
    met = {(spec.definition.kind, row[1]) for spec in SPECS for row in lines(spec.outcome) if row[1] != "-"}
    statuses = ("kept", "broken", "excused", "undecidable")
    assert met == {
        (kind, status) for kind in ("late_step", "missed_step", "interruption") for status in statuses
    }


def test_ids_are_unique() -> None:
    assert len({spec.id for spec in SPECS}) == len(SPECS)


def test_a_window_counts_calendar_days() -> None:
    """A step at noon on the deadline's day is in time though the trigger was at 8 a.m."""
    events = pl.DataFrame(
        {
            "patient_id": ["anna", "anna"],
            "activity": ["biopsy", "surgery"],
            "start": [DAY_0 + timedelta(hours=8), DAY_0 + timedelta(days=49, hours=12)],
        }
    )
    results = evaluate(EventLog.create(events), pathway_of(LATE))
    assert results.frame["status"].to_list() == ["kept"]


def test_a_fact_is_known_with_its_row_and_a_break_when_silence_can_be_read() -> None:
    """Never before the opening was known: carole's biopsy arrived after her deadline."""
    events = pl.DataFrame(
        {
            "patient_id": ["anna", "anna", "berthe", "carole"],
            "activity": ["biopsy", "surgery", "biopsy", "biopsy"],
            "start": [day(0), day(10), day(0), day(0)],
            "known_from": [day(5), day(40), day(5), day(100)],
        }
    )
    log = EventLog.create(events, horizons=horizon(1000))
    frame = evaluate(log, pathway_of(LATE), silence_lag_days=30).frame
    assert frame["known_from"].to_list() == [day(40), day(79), day(100)]


def test_the_same_numbers_for_any_row_order() -> None:
    spec = next(spec for spec in SPECS if spec.id == "gap_any_episode")
    log = log_of(spec)
    shuffled = EventLog.create(log.events.sample(fraction=1.0, shuffle=True, seed=1), horizons=log.horizons)
    assert evaluate(shuffled, pathway_of(GAP)).episodes.equals(evaluate(log, pathway_of(GAP)).episodes)


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (0, [("anna", 42, 49, 0)]),
        (45, [("anna", 42, 49, 3)]),
        (49, [("anna", 42, 49, 7)]),
        (50, []),
    ],
)
def test_pending_until_the_deadline(at: int, found: list[tuple[str, int, int, int]]) -> None:
    log = log_from("anna | biopsy | 0\nanna | surgery | 60\nberthe | biopsy | 0\nberthe | surgery | 0")
    frame = pending(log.as_of(day(at)), pathway_of(LATE), day(at))
    assert [(row[0], number(row[4]), number(row[5]), row[6]) for row in frame.rows()] == found


def test_pending_names_what_opened_it_last() -> None:
    log = log_from("anna | biopsy | 0\nanna | second_biopsy | 20")
    frame = pending(log.as_of(day(30)), pathway_of(LATE), day(30))
    assert frame.select("opened_by", "opened").row(0) == ("second_biopsy", day(20))


def test_pending_leaves_out_planned_ends_exits_and_planned_events() -> None:
    log = log_from("anna | dispensing | 0 | 390\nberthe | dispensing | 0 | 30\nberthe | palliative | 5")
    assert pending(log.as_of(day(400)), pathway_of(GAP), day(400)).is_empty()
    booked = pl.DataFrame(
        {
            "patient_id": ["anna"] * 2,
            "activity": ["biopsy", "surgery"],
            "start": [day(0), day(20)],
            "known_from": [day(0), day(1)],
        }
    )
    assert pending(EventLog.create(booked).as_of(day(5)), pathway_of(LATE), day(5)).height == 1


def test_an_empty_log_gives_empty_frames_and_a_full_summary() -> None:
    log = log_from("anna | consultation | 0")
    results = evaluate(log, pathway_of(LATE))
    assert results.frame.is_empty() and results.summary().row(0) == ("late", 0, 0, 0, 0, 0)
    assert pending(log, pathway_of(LATE), day(0)).is_empty()


def test_missing_quantities_are_said_not_guessed() -> None:
    with pytest.raises(LogError, match="1 of 1 supplies have no quantity"):
        evaluate(log_from("anna | dispensing | 0"), pathway_of(GAP))


def test_a_unit_of_several_days_is_one_dispensing() -> None:
    boxes = replace(GAP, supply_days=30)
    frame = evaluate(log_from("anna | dispensing | 0"), pathway_of(boxes)).frame
    assert frame["deadline"].to_list() == [day(120)]


def test_a_repr_holds_no_patient() -> None:
    results = evaluate(log_of(SPECS[0]), pathway_of(LATE))
    assert "anna" not in repr(results) + results._repr_html_()


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def day(number_of_days: int) -> datetime:
    return DAY_0 + timedelta(days=number_of_days)


def number(moment: datetime) -> int:
    return (moment - DAY_0).days


def horizon(days: int) -> pl.DataFrame:
    return pl.DataFrame({"patient_id": [None], "source": ["all"], "observed_until": [day(days)]})


def log_from(text: str, observed_until: int = 1000, left_on: dict[str, int] | None = None) -> EventLog:
    rows = [(*row, None)[:4] for row in lines(text)]
    events = [
        (patient, activity, day(int(at)), int(quantity) if quantity else None)
        for patient, activity, at, quantity in rows
        if activity != "died"
    ]
    deaths = {row[0]: day(int(row[2])) for row in rows if row[1] == "died"}
    names = sorted({row[0] for row in rows})
    patients = {"patient_id": names, "death_date": [deaths.get(name) for name in names]}
    own = [
        pl.DataFrame({"patient_id": [name], "source": ["all"], "observed_until": [day(left)]})
        for name, left in (left_on or {}).items()
    ]
    return EventLog.create(
        pl.DataFrame(events, schema=["patient_id", "activity", "start", "quantity"], orient="row"),
        pl.DataFrame(patients, schema={"patient_id": pl.String, "death_date": pl.Datetime("us")}),
        pl.concat([horizon(observed_until).cast({"patient_id": pl.String}), *own]),
        keep_order=True,
    )


def log_of(spec: Spec) -> EventLog:
    return log_from(spec.events, spec.observed_until, spec.left_on)


def pathway_of(definition: BreakdownDefinition) -> Pathway:
    bare = parse('id = "rules"\nversion = "1"\nlabel = { fr = "Règles", en = "Rules" }', "rules.toml")
    return replace(bare, breakdowns={definition.id: definition})


def outcome(results: BreakdownResults, spec: Spec) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {
        row["patient_id"]: (row["status"], number(row["decided_on"]) if row["decided_on"] else None)
        for row in results.frame.to_dicts()
    }
    return {row[0]: found.get(row[0], ("-", None)) for row in lines(spec.outcome)}


def expected(spec: Spec) -> dict[str, tuple[Any, ...]]:
    rows = [(*row, "")[:3] for row in lines(spec.outcome)]
    return {patient: (status, int(on) if on else None) for patient, status, on in rows}
