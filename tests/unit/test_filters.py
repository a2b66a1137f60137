"""Stacks as files, in words, and in their errors."""

from __future__ import annotations

import re
from datetime import date, datetime

import polars as pl
import pytest

from eventlogs.errors import DefinitionError
from eventlogs.log import EventLog
from pathways import definition
from pathways.filters import VERBS, FilterStack

STACK = FilterStack().with_activity("surgery").lives_in("92", "75").index_between(date(2020, 1, 1))

TOML = """\
[[filters]]
verb = "with_activity"
activities = ["surgery"]
match = "any"

[[filters]]
verb = "lives_in"
territories = ["75", "92"]

[[filters]]
verb = "index_between"
from_day = 2020-01-01
"""

REFUSED = {
    "[[filters]]\nverb = 'with_activty'\nactivities = ['a']": "[filters.1] has verb = 'with_activty'; did you mean",
    "[[filters]]\nactivities = ['a']": "[filters.1] has no key 'verb'",
    "[[filters]]\nverb = 'with_activity'\nactivitys = ['a']": "has no key 'activities'; did you mean 'activitys'?",
    "[[filters]]\nverb = 'lives_in'\nterritories = ['75']\nmath = 'all'": "has an unknown key 'math'",
    "[[filters]]\nverb = 'with_activity'\nactivities = []": "[filters.1] with_activity has activities = []",
    "[[filters]]\nverb = 'with_activity'\nactivities = ['a']\nmatch = 'al'": "has match = 'al'; did you mean 'all'?",
    "[[filters]]\nverb = 'lasts_between'": "lasts_between has neither least_days nor most_days",
    "[[filters]]\nverb = 'lasts_between'\nleast_days = 9\nmost_days = 3": "least_days = 9 after most_days = 3",
    "[[filters]]\nverb = 'lasts_between'\nleast_days = -1": "has least_days = -1",
    "[[filters]]\nverb = 'cut_to_days'\nto_days = 'x'": "has to_days = 'x'; give a whole number",
    "[[filters]]\nverb = 'index_between'\nto_day = 'x'": "has to_day = 'x'; it must be a date",
    "[[filters]]\nverb = 'reached_within'\nactivities = ['a']": "has no key 'days'",
    "[[filters]]\nverb = 'follows_within'\nfirst = 'a'\nthen = 'b'\nnegate = 1": "has negate = 1; it must be true",
    "[[filter]]\nverb = 'lives_in'": "has an unknown key 'filter'; did you mean 'filters'?",
    "filters = 'lives_in'": "write each under [[filters]]",
    "[[filters]": "is not valid TOML",
}


def test_a_stack_is_written_plainly() -> None:
    assert STACK.to_toml() == TOML
    assert FilterStack.from_toml(TOML) == STACK
    assert FilterStack.from_toml("") == FilterStack() == FilterStack.from_toml(FilterStack().to_toml())
    assert FilterStack.from_json(
        '{"filters": [{"verb": "index_between", "from_day": "2020-01-01"}]}'
    ).verbs == (STACK.verbs[2],)


def test_the_hash_is_kept_from_version_to_version() -> None:
    assert STACK.hash == "9c6781213882482d"


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_file_is_told_where_and_what(text: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(REFUSED[text])) as error:
        FilterStack.from_toml(text, "mine.toml")
    assert str(error.value).startswith("mine.toml")


def test_json_that_is_none() -> None:
    for text, said in {"{": "line 1", "[]": "no object"}.items():
        with pytest.raises(DefinitionError, match=said):
            FilterStack.from_json(text)


def test_a_stack_is_told_in_two_languages_with_labels() -> None:
    pathway = definition.load("breast_cancer")
    stack = FilterStack().with_activity("mastectomy").follows_within("mastectomy", "radiotherapy_session", 84)
    assert stack.say("fr", pathway)[0] == f"avec {pathway.name('mastectomy', 'fr')}"
    assert stack.say("en") == (
        "with mastectomy",
        "radiotherapy_session after mastectomy, within 84 days",
    )


def test_every_verb_has_a_fluent_form() -> None:
    assert {name for name in VERBS if not hasattr(FilterStack, name)} == set()


def log_of(rows: list[tuple[str, str, int]]) -> EventLog:
    events = pl.DataFrame(rows, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(datetime(2021, 1, 1)) + pl.duration(days="day")
    patients = pl.DataFrame({"patient_id": ["a", "b"], "index_date": [datetime(2021, 1, 1), None]})
    return EventLog.create(events.select("patient_id", "activity", start=start), patients)


def test_silence_after_a_cut_is_not_silence() -> None:
    log = log_of([("a", "x", 0), ("a", "y", 40), ("b", "x", 3)])
    cut = FilterStack().cut_to_period(to_day=date(2021, 1, 10)).apply(log).log
    assert cut.observed_until == datetime(2021, 1, 10) and cut.n_events == 2 and cut.n_patients == 2
    by_days = FilterStack().cut_to_days(0, 30).apply(log).log
    own = by_days.horizons.drop_nulls("patient_id").select("patient_id", "observed_until").rows()
    assert own == [("a", datetime(2021, 1, 31))] and by_days.events["patient_id"].to_list() == ["a"]


def test_a_selection_shows_no_patient() -> None:
    selection = FilterStack().with_activity("y").apply(log_of([("a", "x", 0), ("a", "y", 40), ("b", "x", 3)]))
    assert repr(selection) == "Selection(1 patients, 2 events, 1 verbs)"
    assert selection.attrition.rows() == [(1, "with_activity", "avec y", "with y", 2, 1, 1, 3, 2)]
