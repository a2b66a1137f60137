"""Conformance to the reference pathway as rules that a clinician can read and contest: events in, statuses out.

Days count from 2020-01-01 (day 0). ``SPECS`` is plain data, so that the reference page is rendered from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from eventlogs.errors import DefinitionError, LogError
from eventlogs.log import EventLog
from pathways.definition import Pathway, parse
from pathways.mining.conformance import ConformanceResult, check_conformance

DAY_0 = datetime(2020, 1, 1)

DEFINITION = """
id = "rules"
version = "1"
label = { fr = "Règles", en = "Rules" }

[phases]
diagnosis = { fr = "Diagnostic", en = "Diagnosis" }
local = { fr = "Traitement local", en = "Local treatment" }
other = { fr = "Autre", en = "Other" }
"""

PHASES = {
    "biopsy": "diagnosis", "imaging": "diagnosis", "surgery": "local", "radiotherapy": "local",
    "mastectomy": "local", "chemotherapy": "other", "emergency": "other", "palliative": "other",
}  # fmt: skip
"""Phase of each activity of the examples."""

RULES = {
    "existence": """
kind = "existence"
steps = ["imaging"]
lookback_days = 30
within_days = 20
exits = ["palliative"]
""",
    "existence_later": """
kind = "existence"
anchor = ["surgery"]
steps = ["imaging"]
from_days = 10
within_days = 20
exits = ["palliative"]
""",
    "response": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
within_days = 84
exits = ["palliative"]
""",
    "response_later": """
kind = "response"
anchor = ["surgery"]
steps = ["imaging"]
from_days = 180
within_days = 365
exits = ["palliative"]
""",
    "response_restarted": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
restarts = ["chemotherapy"]
within_days = 84
exits = ["palliative"]
""",
    "precedence": """
kind = "precedence"
anchor = ["surgery"]
steps = ["biopsy"]
lookback_days = 90
exits = ["palliative"]
""",
    "absence": """
kind = "absence"
anchor = ["surgery"]
steps = ["emergency"]
within_days = 30
exits = ["palliative"]
""",
    "absence_later": """
kind = "absence"
anchor = ["surgery"]
steps = ["emergency"]
from_days = 10
within_days = 30
exits = ["palliative"]
""",
    "absence_forever": """
kind = "absence"
steps = ["emergency"]
exits = ["palliative"]
""",
    "alternatives": """
kind = "alternatives"
anchor = ["biopsy"]
options = [["surgery", "radiotherapy"], ["mastectomy"]]
within_days = 100
exits = ["palliative"]
""",
    "excused": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
within_days = 84
exits = ["palliative"]
[reference.excused.excused_by.completed]
label = { fr = "Mastectomie de complément", en = "Completion mastectomy" }
steps = ["mastectomy"]
source = "rule of the tests"
[reference.excused.excused_by.second_line]
label = { fr = "Autre ligne", en = "Another line" }
steps = ["chemotherapy"]
from_days = 10
within_days = 100
source = "rule of the tests"
""",
    "excused_before": """
kind = "precedence"
anchor = ["surgery"]
steps = ["biopsy"]
lookback_days = 90
exits = []
[reference.excused_before.excused_by.emergency_surgery]
label = { fr = "Chirurgie en urgence", en = "Emergency surgery" }
steps = ["emergency"]
lookback_days = 7
source = "rule of the tests"
""",
    "having": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
within_days = 84
exits = ["palliative"]
[reference.having.applies_if]
having = ["biopsy"]
""",
    "having_after": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
within_days = 84
exits = ["palliative"]
[reference.having_after.applies_if]
having = ["chemotherapy"]
lookback_days = 20
within_days = 40
""",
    "lacking": """
kind = "response"
anchor = ["surgery"]
steps = ["radiotherapy"]
within_days = 30
exits = ["palliative"]
[reference.lacking.applies_if]
lacking = ["chemotherapy"]
lookback_days = 0
within_days = 40
""",
    "phases": """
kind = "response"
anchor = ["diagnosis"]
steps = ["local"]
within_days = 42
exits = ["palliative"]
""",
}
"""Rules of the examples, as a definition writes them; labels, evidence and source are left out."""


@dataclass(frozen=True)
class Spec:
    """One rule.

    ``events``: ``patient | activity | day`` a line, in the order of the log; ``index``, ``died`` and ``seen from`` are
    dates of the patients table. ``outcome``: ``patient | status | decided on day | days late | excused by`` a line.
    """

    id: str
    rule: str
    words: str
    events: str
    outcome: str
    observed_until: int = 1000
    left_on: dict[str, int] = field(default_factory=dict)


SPECS = [
    Spec(
        "existence_window",
        "existence",
        "Existence: the step on either side of the anchor, here the index date; both ends of the window count, and "
        "so does any order inside a day.",
        """
        anna   | imaging | -30
        anna   | index   | 0
        berthe | index   | 0
        berthe | imaging | 20
        carole | imaging | -31
        carole | index   | 0
        carole | imaging | 21
        """,
        """
        anna   | satisfied | 0 | |
        berthe | satisfied | 20 | |
        carole | violated | 20 | 1 |
        """,
    ),
    Spec(
        "existence_from_days",
        "existence_later",
        "Existence: a step before from_days does not count.",
        """
        anna   | surgery | 0
        anna   | imaging | 9
        berthe | surgery | 0
        berthe | imaging | 10
        carole | imaging | 0
        carole | surgery | 0
        """,
        """
        anna   | violated | 20 | |
        berthe | satisfied | 10 | |
        carole | violated | 20 | |
        """,
    ),
    Spec(
        "past_not_seen",
        "existence",
        "Where the log does not reach the beginning of the look-back, a step that was not seen may have come before: "
        "silence is undecidable, and a step that was seen still counts.",
        """
        anna   | seen from | -30
        anna   | index     | 0
        berthe | seen from | -29
        berthe | index     | 0
        carole | seen from | -29
        carole | imaging   | -5
        carole | index     | 0
        """,
        """
        anna   | violated | 20 | |
        berthe | undecidable | | |
        carole | satisfied | 0 | |
        """,
    ),
    Spec(
        "no_anchor",
        "response",
        "Without the anchor a rule does not apply; nor from an exit on.",
        """
        anna   | biopsy     | 0
        berthe | palliative | 0
        berthe | surgery    | 10
        carole | surgery    | 10
        carole | palliative | 10
        """,
        """
        anna   | not_applicable | | |
        berthe | not_applicable | | |
        carole | not_applicable | 10 | | palliative
        """,
    ),
    Spec(
        "response_window",
        "response",
        "Response: a step after the anchor; on the last day it is in time, a day later it is a violation of one day.",
        """
        anna   | surgery      | 0
        anna   | radiotherapy | 84
        berthe | surgery      | 0
        berthe | radiotherapy | 85
        carole | surgery      | 0
        """,
        """
        anna   | satisfied | 84 | |
        berthe | violated | 84 | 1 |
        carole | violated | 84 | |
        """,
    ),
    Spec(
        "response_order",
        "response",
        "Response: inside the anchor's day the log's order decides; a step before the anchor is none.",
        """
        anna   | surgery      | 0
        anna   | radiotherapy | 0
        berthe | radiotherapy | 0
        berthe | surgery      | 0
        """,
        """
        anna   | satisfied | 0 | |
        berthe | violated | 84 | |
        """,
    ),
    Spec(
        "first_anchor",
        "response",
        "The first anchor counts; a later one moves nothing.",
        """
        anna | surgery      | 0
        anna | surgery      | 50
        anna | radiotherapy | 100
        """,
        "anna | violated | 84 | 16 |",
    ),
    Spec(
        "response_from_days",
        "response_later",
        "Response: a step before from_days does not count, on that day it does.",
        """
        anna   | surgery | 0
        anna   | imaging | 179
        berthe | surgery | 0
        berthe | imaging | 180
        """,
        """
        anna   | violated | 365 | |
        berthe | satisfied | 180 | |
        """,
    ),
    Spec(
        "restarts",
        "response_restarted",
        "A restart in time moves the anchor, and so does each next one; a restart after the window, after the step "
        "or after an exit moves nothing.",
        """
        anna   | surgery      | 0
        anna   | chemotherapy | 84
        anna   | chemotherapy | 168
        anna   | radiotherapy | 252
        berthe | surgery      | 0
        berthe | chemotherapy | 85
        berthe | radiotherapy | 90
        carole | surgery      | 0
        carole | radiotherapy | 10
        carole | chemotherapy | 20
        diane  | surgery      | 0
        diane  | palliative   | 5
        diane  | chemotherapy | 20
        """,
        """
        anna   | satisfied | 252 | |
        berthe | violated | 84 | 6 |
        carole | satisfied | 10 | |
        diane  | not_applicable | 5 | | palliative
        """,
    ),
    Spec(
        "exits",
        "response",
        "An exit, or death, up to the last day ends the rule before it is decided; afterwards it changes nothing, "
        "but a step after it is no late step. Death comes last in its day.",
        """
        anna   | surgery      | 0
        anna   | palliative   | 84
        berthe | surgery      | 0
        berthe | died         | 20
        carole | surgery      | 0
        carole | palliative   | 85
        carole | radiotherapy | 90
        diane  | surgery      | 0
        diane  | died         | 30
        diane  | radiotherapy | 30
        emma   | surgery      | 0
        emma   | palliative   | 10
        emma   | radiotherapy | 20
        """,
        """
        anna   | not_applicable | 84 | | palliative
        berthe | not_applicable | 20 | | death
        carole | violated | 84 | |
        diane  | satisfied | 30 | |
        emma   | not_applicable | 10 | | palliative
        """,
    ),
    Spec(
        "silence",
        "response",
        "Observed to the last day, silence is a violation; a day less and it can't be known yet.",
        """
        anna   | surgery      | 0
        berthe | surgery      | 1
        carole | surgery      | 1
        carole | radiotherapy | 60
        """,
        """
        anna   | violated | 84 | |
        berthe | undecidable | | |
        carole | satisfied | 60 | |
        """,
        observed_until=84,
    ),
    Spec(
        "own_horizon",
        "response",
        "A patient who leaves the scheme is observed until then, however far the sources reach.",
        """
        anna   | surgery | 0
        berthe | surgery | 0
        """,
        """
        anna   | undecidable | | |
        berthe | violated | 84 | |
        """,
        left_on={"anna": 30},
    ),
    Spec(
        "precedence",
        "precedence",
        "Precedence: a step before the anchor, not farther than the look-back; inside the day the log's order decides.",
        """
        anna   | biopsy  | -90
        anna   | surgery | 0
        berthe | biopsy  | -91
        berthe | surgery | 0
        carole | surgery | 0
        carole | biopsy  | 0
        diane  | biopsy  | 0
        diane  | surgery | 0
        """,
        """
        anna   | satisfied | 0 | |
        berthe | violated | 0 | |
        carole | violated | 0 | |
        diane  | satisfied | 0 | |
        """,
    ),
    Spec(
        "precedence_past",
        "precedence",
        "Precedence: where the log does not reach the whole look-back, silence is undecidable.",
        """
        anna   | seen from | -90
        anna   | surgery   | 0
        berthe | seen from | -89
        berthe | surgery   | 0
        """,
        """
        anna   | violated | 0 | |
        berthe | undecidable | | |
        """,
    ),
    Spec(
        "absence",
        "absence",
        "Absence: what comes after the anchor, up to the last day, violates on its day; its absence is known when "
        "the window is over, observed.",
        """
        anna   | surgery   | 0
        anna   | emergency | 30
        berthe | surgery   | 0
        berthe | emergency | 31
        carole | emergency | 0
        carole | surgery   | 0
        diane  | surgery   | 11
        emma   | surgery   | 11
        emma   | emergency | 20
        """,
        """
        anna   | violated | 30 | |
        berthe | satisfied | 30 | |
        carole | satisfied | 30 | |
        diane  | undecidable | | |
        emma   | violated | 20 | |
        """,
        observed_until=40,
    ),
    Spec(
        "absence_from_days",
        "absence_later",
        "Absence: what comes before from_days does not count.",
        """
        anna   | surgery   | 0
        anna   | emergency | 9
        berthe | surgery   | 0
        berthe | emergency | 10
        """,
        """
        anna   | satisfied | 30 | |
        berthe | violated | 10 | |
        """,
    ),
    Spec(
        "absence_exit",
        "absence",
        "Absence: an exit before the window is over ends the rule; what comes after it does not count.",
        """
        anna   | surgery    | 0
        anna   | died       | 20
        berthe | surgery    | 0
        berthe | palliative | 10
        berthe | emergency  | 20
        """,
        """
        anna   | not_applicable | 20 | | death
        berthe | not_applicable | 10 | | palliative
        """,
    ),
    Spec(
        "absence_forever",
        "absence_forever",
        "Absence without within_days: never, as far as the patient was followed, to an exit or the horizon. The only "
        "status that more data may change.",
        """
        anna   | index      | 0
        anna   | emergency  | 900
        berthe | index      | 0
        carole | index      | 0
        carole | palliative | 50
        carole | emergency  | 60
        """,
        """
        anna   | violated | 900 | |
        berthe | satisfied | 1000 | |
        carole | satisfied | 50 | |
        """,
    ),
    Spec(
        "alternatives",
        "alternatives",
        "Alternatives: in an option each step must come in the window, in any order; one option is enough, and the "
        "first that is complete counts.",
        """
        anna   | biopsy       | 0
        anna   | surgery      | 20
        anna   | radiotherapy | 90
        berthe | biopsy       | 0
        berthe | surgery      | 20
        berthe | mastectomy   | 100
        carole | biopsy       | 0
        carole | surgery      | 20
        carole | radiotherapy | 110
        diane  | biopsy       | 0
        diane  | surgery      | 20
        """,
        """
        anna   | satisfied | 90 | |
        berthe | satisfied | 100 | |
        carole | violated | 100 | 10 |
        diane  | violated | 100 | |
        """,
    ),
    Spec(
        "excuses",
        "excused",
        "A violation is excused by what its rule declares, in the excuse's own window; the first declared counts. "
        "Who conforms needs no excuse.",
        """
        anna   | surgery      | 0
        anna   | mastectomy   | 84
        berthe | surgery      | 0
        berthe | mastectomy   | 85
        carole | surgery      | 0
        carole | chemotherapy | 100
        diane  | surgery      | 0
        diane  | chemotherapy | 9
        emma   | surgery      | 0
        emma   | chemotherapy | 20
        emma   | mastectomy   | 30
        emma   | radiotherapy | 90
        flora  | surgery      | 0
        flora  | mastectomy   | 30
        flora  | radiotherapy | 60
        gina   | surgery      | 0
        gina   | palliative   | 10
        """,
        """
        anna   | violated | 84 | | completed
        berthe | violated | 84 | |
        carole | violated | 84 | | second_line
        diane  | violated | 84 | |
        emma   | violated | 84 | 6 | completed
        flora  | satisfied | 60 | |
        gina   | not_applicable | 10 | | palliative
        """,
    ),
    Spec(
        "excuse_before",
        "excused_before",
        "An excuse may lie before the anchor.",
        """
        anna   | emergency | -7
        anna   | surgery   | 0
        berthe | emergency | -8
        berthe | surgery   | 0
        """,
        """
        anna   | violated | 0 | | emergency_surgery
        berthe | violated | 0 | |
        """,
    ),
    Spec(
        "applies_if_having",
        "having",
        "applies_if having: only patients with it before the anchor, in the log's order.",
        """
        anna   | biopsy       | -300
        anna   | surgery      | 0
        berthe | surgery      | 0
        berthe | biopsy       | 0
        berthe | radiotherapy | 10
        carole | biopsy       | 0
        carole | surgery      | 0
        carole | radiotherapy | 10
        diane  | surgery      | 0
        diane  | radiotherapy | 90
        """,
        """
        anna   | violated | 84 | |
        berthe | not_applicable | 0 | |
        carole | satisfied | 10 | |
        diane  | not_applicable | 0 | |
        """,
    ),
    Spec(
        "applies_if_later",
        "having_after",
        "applies_if having with within_days: a step that comes first waits for what makes the rule apply, and a "
        "window that is not over, or was left by an exit, is treated as any other.",
        """
        anna   | surgery      | 0
        anna   | radiotherapy | 10
        anna   | chemotherapy | 40
        berthe | surgery      | 0
        berthe | radiotherapy | 10
        berthe | chemotherapy | 41
        carole | surgery      | 70
        carole | radiotherapy | 80
        diane  | surgery      | 0
        diane  | died         | 15
        emma   | chemotherapy | -20
        emma   | surgery      | 0
        emma   | radiotherapy | 10
        """,
        """
        anna   | satisfied | 40 | |
        berthe | not_applicable | 40 | |
        carole | undecidable | | |
        diane  | not_applicable | 15 | |
        emma   | satisfied | 10 | |
        """,
        observed_until=100,
        left_on={"diane": 20},
    ),
    Spec(
        "applies_if_lacking",
        "lacking",
        "applies_if lacking: only patients without it in the condition's window, which must be over.",
        """
        anna   | surgery      | 0
        anna   | radiotherapy | 10
        berthe | surgery      | 0
        berthe | chemotherapy | 40
        carole | surgery      | 65
        diane  | surgery      | 0
        diane  | died         | 5
        emma   | chemotherapy | -1
        emma   | surgery      | 0
        """,
        """
        anna   | satisfied | 40 | |
        berthe | not_applicable | 40 | |
        carole | undecidable | | |
        diane  | not_applicable | 5 | | death
        emma   | violated | 40 | |
        """,
        observed_until=100,
    ),
    Spec(
        "phases_are_words",
        "phases",
        "A phase stands for all its activities.",
        """
        anna   | imaging      | 0
        anna   | radiotherapy | 42
        berthe | biopsy       | 0
        """,
        """
        anna   | satisfied | 42 | |
        berthe | violated | 42 | |
        """,
    ),
]


def test_specs_have_unique_names_and_every_rule_is_shown() -> None:
    assert len({spec.id for spec in SPECS}) == len(SPECS)
    assert {spec.rule for spec in SPECS} == RULES.keys()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_spec(spec: Spec) -> None:
    found = rows_of(check_conformance(log_of(spec), pathway_of(spec.rule)))
    assert found == expected(spec)


def test_no_horizon_decides_no_silence() -> None:
    log = log_of(SPECS[4])
    open_ended = EventLog.create(log.events, log.patients, log.horizons.clear(), keep_order=True)
    statuses = {patient: row[0] for patient, row in rows_of(check(open_ended, "response")).items()}
    assert statuses == {"anna": "satisfied", "berthe": "undecidable", "carole": "undecidable"}
    never = log_of(spec_of("absence_forever"))
    unseen = EventLog.create(never.events, never.patients, never.horizons.clear(), keep_order=True)
    assert check(unseen, "absence_forever").frame["status"].to_list() == ["violated", *["undecidable"] * 2]


def test_a_restart_after_an_exit_moves_neither_the_anchor_nor_the_due_date() -> None:
    row = (
        check(log_of(spec_of("restarts")), "response_restarted")
        .frame.filter(patient_id="diane")
        .row(0, named=True)
    )
    assert (row["anchor_date"], row["due_date"]) == (day(0), day(84))


def test_a_window_after_the_anchor_needs_no_past() -> None:
    log = log_from("anna | surgery | 0\nanna | seen from | 5")
    assert rows_of(check(log, "response")) == {"anna": ("violated", 84, None, None)}


def test_what_no_source_tells_decides_nothing_by_its_silence() -> None:
    log = log_of(SPECS[4])
    blind = check_conformance(log, pathway_of("response"), unseen=["radiotherapy"])
    assert [row[0] for row in rows_of(blind).values()] == ["satisfied", "undecidable", "undecidable"]
    before = check_conformance(log, pathway_of("precedence"), unseen=["biopsy"])
    assert set(before.frame["status"]) == {"undecidable"}


def test_the_log_is_not_read_before_the_look_back_of_the_cohort() -> None:
    text = DEFINITION + '\n[cohort]\nlookback_days = 60\nsource = "rule of the tests"\n'
    log = log_from("anna | index | 0\nanna | surgery | 29\nberthe | index | 0\nberthe | surgery | 30")
    rows = rows_of(check_conformance(log, pathway_of("precedence", text)))
    assert rows == {"anna": ("undecidable", None, None, None), "berthe": ("violated", 30, None, None)}


def test_an_empty_log_and_no_rule_give_empty_tables() -> None:
    empty = EventLog.create(log_of(SPECS[4]).events.clear())
    result = check(empty, "response")
    assert result.frame.is_empty() and result.summary()["n_patients"].to_list() == [0]
    assert result.by_month().is_empty() and result.by_patient().is_empty() and result.score() is None
    none = check_conformance(log_of(SPECS[4]), parse(DEFINITION, "rules.toml"))
    assert none.frame.is_empty() and none.summary().is_empty() and none.violations().is_empty()


def test_summary_counts_excused_apart() -> None:
    row = check(log_of(spec_of("excuses")), "excused").summary().row(0, named=True)
    counts = {name: row[name] for name in row if name.startswith("n_")}
    assert counts == {
        "n_patients": 7, "n_applicable": 7, "n_satisfied": 1, "n_violated": 2, "n_excused": 4,
        "n_undecidable": 0, "n_not_applicable": 0, "n_late": 0,
    }  # fmt: skip
    assert row["share_conforming"] == pytest.approx(1 / 3) and row["median_days_late"] is None


def test_violations_are_told_in_words_and_ranked() -> None:
    result = check(log_of(spec_of("response_window")), "response")
    assert result.violations("fr").row(0, named=True) == {
        "rule": "response",
        "words": "Écart response dans les 84 jours : 2 patients, dont 1 plus tard (1 jour perdu en médiane)",
        "n_violated": 2, "n_late": 1, "median_days_late": 1.0, "days_lost": 1,
    }  # fmt: skip
    before = check(log_of(spec_of("precedence")), "precedence").violations("en")["words"].to_list()
    assert before == [
        "Breach response".replace("response", "precedence") + " in the 90 days before: 2 patients"
    ]


def test_ranks_by_patients_or_by_days() -> None:
    text = "anna | surgery | 0\nberthe | surgery | 0\nberthe | imaging | 700"
    both = "\n".join(rule_text(rule) for rule in ("response", "response_later"))
    result = check_conformance(log_from(text), parse(definition(both), "rules.toml"))
    assert result.violations(by="n_violated")["rule"].to_list() == ["response", "response_later"]
    assert result.violations(by="days_lost")["rule"].to_list() == ["response_later", "response"]


def test_per_patient_month_and_column() -> None:
    result = check(log_of(spec_of("excuses")), "excused")
    people = {row[0]: row[1:] for row in result.by_patient().rows()}
    assert (
        people["anna"] == (0, 0, 1, None)
        and people["berthe"] == (1, 1, 0, 0.0)
        and people["flora"] == (1, 0, 0, 1.0)
    )
    assert result.by_month().select("month", "n_patients").rows() == [(DAY_0.date(), 7)]
    assert result.by_column("sex").select("sex", "n_violated").rows() == [(None, 2)]
    with pytest.raises(LogError, match="did you mean 'territory'"):
        result.by_column("teritory")


def test_score_weighs_grades_only_when_asked() -> None:
    result = check(log_of(spec_of("excuses")), "excused")
    assert result.score() == pytest.approx(1 / 3) == result.score({"operational": 0.2})
    assert result.score({"guideline": 1}) is None


def test_a_repr_holds_no_patient() -> None:
    result = check(log_of(spec_of("excuses")), "excused")
    assert "anna" not in repr(result) + result._repr_html_()


@pytest.mark.parametrize(
    ("rule", "old", "new", "words"),
    [
        ("response", "within_days", "within_day", "has no key 'within_days'; did you mean 'within_day'"),
        ("response", '"surgery"', '"surgry"', "response.anchor names an unknown activity or phase 'surgry'"),
        ("response", 'anchor = ["surgery"]', "anchor = []", "has anchor = \\[\\]; name at least one"),
        ("response", 'anchor = ["surgery"]', "", "has no key 'anchor'"),
        ("response", 'steps = ["radiotherapy"]', "steps = []", "has an empty steps"),
        ("response", '"response"', '"respond"', "has kind = 'respond'; did you mean 'response'"),
        ("response", "operational", "operative", "has evidence = 'operative'; did you mean 'operational'"),
        ("response", "exits", "lookback_days = 3\nexits", "unknown key 'lookback_days'"),
        ("response_later", "from_days = 180", "from_days = 366", "opens its window after it closes it"),
        ("existence", "lookback_days", "from_days = 2\nlookback_days", "keep one"),
        ("precedence", "lookback_days = 90", "within_days = 90", "has no key 'lookback_days'"),
        ("alternatives", '[["surgery", "radiotherapy"], ["mastectomy"]]', '["surgery"]', "a list of lists of words"),
        ("alternatives", '["mastectomy"]', "[]", "has an empty options"),
        ("having", 'having = ["biopsy"]', "", "says nothing; give having or lacking"),
        ("having", "having =", "with =", r"applies_if\] has an unknown key 'with'"),
        ("excused", 'steps = ["mast', 'step = ["mast', r"excused_by.completed\] has no key 'steps'; did you"),
        ("excused", "from_days = 10", "from_days = 101", "whose window opens after it closes"),
        ("excused", "excused_by.completed", "excused_by.palliative", "the name of an exit"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(rule: str, old: str, new: str, words: str) -> None:
    text = rule_text(rule)
    assert old in text
    with pytest.raises(DefinitionError, match=words):
        parse(definition(text.replace(old, new)), "rules.toml")


def test_an_extending_definition_changes_one_number(tmp_path: Any) -> None:
    (tmp_path / "base.toml").write_text(definition(rule_text("response")), encoding="utf-8")
    own = 'extends = "base.toml"\nid = "own"\n[reference.response]\nwithin_days = 90\n'
    rule = parse(own, "own.toml", tmp_path).reference["response"]
    assert (rule.within_days, rule.steps) == (90, ("radiotherapy",))


def rule_text(rule: str) -> str:
    """Return ``[reference.rule]`` with its labels, evidence and source."""
    head, *excuses = RULES[rule].strip().split("\n[", 1)
    said = (
        f'label = {{ fr = "Règle {rule}", en = "Rule {rule}" }}\n'
        f'violation = {{ fr = "Écart {rule}", en = "Breach {rule}" }}\n'
        'evidence = "operational"\nsource = "rule of the tests"\n'
    )
    return "\n".join([f"[reference.{rule}]", head, said, *(f"[{excuse}" for excuse in excuses)]) + "\n"


def definition(rules: str, head: str = DEFINITION) -> str:
    activities = [
        f'[activities.{name}]\nlabel = {{ fr = "{name}", en = "{name}" }}\nphase = "{phase}"\nNABM = ["{code}"]\n'
        'source = "rule of the tests"'
        for code, (name, phase) in enumerate(PHASES.items(), start=1000)
    ]
    return "\n".join([head, *activities, rules])


def pathway_of(rule: str, head: str = DEFINITION) -> Pathway:
    return parse(definition(rule_text(rule), head), "rules.toml")


def check(log: EventLog, rule: str) -> ConformanceResult:
    return check_conformance(log, pathway_of(rule))


def spec_of(name: str) -> Spec:
    return next(spec for spec in SPECS if spec.id == name)


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def day(number_of_days: int) -> datetime:
    return DAY_0 + timedelta(days=number_of_days)


DATES = {"index": "index_date", "died": "death_date", "seen from": "observed_from"}


def log_from(text: str, observed_until: int = 1000, left_on: dict[str, int] | None = None) -> EventLog:
    rows = lines(text)
    events = [(patient, activity, day(int(at))) for patient, activity, at in rows if activity not in DATES]
    names = sorted({row[0] for row in rows})
    told = {(patient, DATES[what]): day(int(at)) for patient, what, at in rows if what in DATES}
    dates = {name: [told.get((patient, name)) for patient in names] for name in DATES.values()}
    until = {None: observed_until, **(left_on or {})}
    horizons = {
        "patient_id": list(until),
        "source": ["all"] * len(until),
        "observed_until": [*map(day, until.values())],
    }
    return EventLog.create(
        pl.DataFrame(events, schema=["patient_id", "activity", "start"], orient="row"),
        pl.DataFrame(
            {"patient_id": names, **dates}, schema_overrides=dict.fromkeys(dates, pl.Datetime("us"))
        ),
        pl.DataFrame(horizons, schema_overrides={"patient_id": pl.String}),
        keep_order=True,
    )


def log_of(spec: Spec) -> EventLog:
    return log_from(spec.events, spec.observed_until, spec.left_on)


def rows_of(result: ConformanceResult) -> dict[str, tuple[Any, ...]]:
    """Return status, day decided, days late and excuse by patient."""
    return {
        row["patient_id"]: (
            row["status"],
            (row["decided_date"] - DAY_0).days if row["decided_date"] else None,
            row["days_late"],
            row["excused_by"],
        )
        for row in result.frame.to_dicts()
    }


def expected(spec: Spec) -> dict[str, tuple[Any, ...]]:
    rows = [(*row, "", "", "")[:5] for row in lines(spec.outcome)]
    return {
        patient: (status, int(on) if on else None, int(late) if late else None, excuse or None)
        for patient, status, on, late, excuse in rows
    }
