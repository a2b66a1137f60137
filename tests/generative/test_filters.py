"""Filters of generated logs: each verb equals a plain loop, and the laws of stacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eventlogs.errors import DefinitionError
from eventlogs.log import EventLog
from pathways import definition
from pathways.filters import ATTRITION_COLUMNS, NO_FILTER, VERBS, FilterStack, Verb
from pathways.filters.verbs import (
    AgedBetween,
    AttributeIn,
    CaredIn,
    CountsBetween,
    CutToDays,
    CutToPeriod,
    DropActivities,
    EndsWith,
    FollowsWithin,
    IndexBetween,
    KeepActivities,
    LastsBetween,
    LivesIn,
    PatientVerb,
    ReachedWithin,
    StartsWith,
    TreatedAt,
    VariantIs,
    WithActivity,
    WithoutActivity,
)

DAY_0 = datetime(2021, 3, 1)
ACTIVITIES = ("biopsy", "surgery", "chemo", "radiotherapy")
PHASES = {"biopsy": "diagnosis", "surgery": "treatment", "chemo": "treatment", "radiotherapy": "rays"}
IDS = ("NA", "null", "p1", "p10", "p2", "é 3")
TERRITORIES, FACILITIES, SEXES = ("75", "2A", "971"), ("h1", "h 2"), ("F", "M")
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PATHWAY = definition.parse(
    'id = "t"\nversion = "1"\nlabel = { fr = "T", en = "T" }\nmilestones = ["treatment", "rays"]\n[phases]\n'
    + "".join(
        f'{phase} = {{ fr = "{phase} (fr)", en = "{phase}" }}\n'
        for phase in ("diagnosis", "treatment", "rays")
    )
    + "".join(
        f'[activities.{name}]\nlabel = {{ fr = "{name} (fr)", en = "{name}" }}\nphase = "{phase}"\n'
        f'CCAM = ["AAAA00{i}"]\nsource = "test"\n'
        for i, (name, phase) in enumerate(PHASES.items())
    ),
    "t.toml",
)


@dataclass(frozen=True)
class Event:
    activity: str
    start: datetime
    facility: str | None
    territory_of_care: str | None


@dataclass(frozen=True)
class Person:
    patient_id: str
    attributes: dict[str, Any]
    events: tuple[Event, ...] = ()


def some(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


moments = st.builds(
    lambda day, minute: DAY_0 + timedelta(days=day, minutes=minute),
    st.integers(-3, 12), st.sampled_from([0, 0, 0, 5, 700]),
)  # fmt: skip
events = st.builds(Event, st.sampled_from(ACTIVITIES), moments, some(FACILITIES), some(TERRITORIES))
attributes = st.fixed_dictionaries(
    {
        "sex": some(SEXES),
        "birth_year": some((1940, 1960, 1980)),
        "territory": some(TERRITORIES),
        "deprivation": some((1, 5)),
        "index_date": some((DAY_0, DAY_0 + timedelta(days=2, hours=7), datetime(2020, 12, 31))),
        "exit_reason": some(("death", "abroad")),
        "network": some(("n1",)),
    }
)
people = st.dictionaries(
    st.sampled_from(IDS), st.tuples(attributes, st.lists(events, max_size=8)), min_size=1, max_size=len(IDS)
)


def log_of(people: dict[str, tuple[dict[str, Any], list[Event]]]) -> EventLog:
    rows = [{"patient_id": who} | vars(event) for who, (_, events) in people.items() for event in events]
    schema = {
        "patient_id": pl.String,
        "activity": pl.String,
        "start": pl.Datetime("us"),
        "facility": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema | {"territory_of_care": pl.String})
    patients = pl.DataFrame(
        [{"patient_id": who} | said for who, (said, _) in people.items()], infer_schema_length=None
    )
    horizons = pl.DataFrame(
        {"patient_id": [None], "source": [None], "observed_until": [datetime(2022, 1, 1)]}
    )
    return EventLog.create(frame, patients, horizons, within_day=("biopsy", "chemo"))


logs = people.map(log_of)


def persons(log: EventLog) -> list[Person]:
    """The log as plain objects."""
    events = log.events.sort("patient_id", "rank").to_dicts()
    by_patient = {
        who: tuple(Event(e["activity"], e["start"], e["facility"], e["territory_of_care"]) for e in group)
        for who, group in groupby(events, key=lambda e: e["patient_id"])
    }
    return [
        Person(one["patient_id"], one, by_patient.get(one["patient_id"], ()))
        for one in log.patients.to_dicts()
    ]


def between(value: Any, least: Any, most: Any) -> bool:
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


def since_index(one: Person, event: Event) -> int | None:
    index = one.attributes["index_date"]
    return None if index is None else (event.start.date() - index.date()).days


def follows(one: Person, verb: FollowsWithin) -> bool:
    for place, event in enumerate(one.events):
        earlier = one.events[max(place - 1, 0) : place] if verb.directly else one.events[:place]
        before = [e.start for e in earlier if e.activity in verb.first]
        in_time = before and (verb.days is None or event.start - before[-1] <= timedelta(days=verb.days))
        if event.activity in verb.then and in_time:
            return True
    return False


def steps_of(one: Person, level: str) -> list[str]:
    names = [event.activity for event in one.events]
    if level == "milestone":
        names = [name for name in names if PHASES[name] in PATHWAY.milestones]
    if level in ("phase", "milestone"):
        names = [PHASES[name] for name in names]
    return names if level == "activity" else [name for name, _ in groupby(names)]


def age(one: Person) -> int | None:
    index, born = one.attributes["index_date"], one.attributes["birth_year"]
    return None if index is None or born is None else index.year - born


def attribute_word(one: Person, name: str) -> str:
    index = one.attributes["index_date"]
    value = (index and index.year) if name == "index_year" else one.attributes[name]
    return "unknown" if value is None else str(value)


def n_of(one: Person, activities: tuple[str, ...] | None) -> int:
    return sum(activities is None or event.activity in activities for event in one.events)


NAIVE: dict[type[Verb], Callable[[Any, Person], bool]] = {
    WithActivity: lambda v, p: (any if v.match == "any" else all)(
        a in {e.activity for e in p.events} for a in v.activities
    ),
    WithoutActivity: lambda v, p: all(e.activity not in v.activities for e in p.events),
    StartsWith: lambda v, p: bool(p.events) and p.events[0].activity in v.activities,
    EndsWith: lambda v, p: bool(p.events) and p.events[-1].activity in v.activities,
    FollowsWithin: lambda v, p: follows(p, v) != v.negate,
    ReachedWithin: lambda v, p: (
        any(e.activity in v.activities and between(since_index(p, e), 0, v.days) for e in p.events)
        != v.negate
    ),
    IndexBetween: lambda v, p: between(
        p.attributes["index_date"] and p.attributes["index_date"].date(), v.from_day, v.to_day
    ),
    LivesIn: lambda v, p: p.attributes["territory"] in v.territories,
    CaredIn: lambda v, p: any(e.territory_of_care in v.territories for e in p.events),
    TreatedAt: lambda v, p: any(
        e.facility in v.facilities and (v.activities is None or e.activity in v.activities) for e in p.events
    ),
    VariantIs: lambda v, p: steps_of(p, v.level) == list(v.steps),
    LastsBetween: lambda v, p: (
        bool(p.events)
        and between(
            p.events[-1].start - p.events[0].start,
            *(None if n is None else timedelta(days=n) for n in (v.least_days, v.most_days)),
        )
    ),
    CountsBetween: lambda v, p: between(n_of(p, v.activities), v.least, v.most),
    AgedBetween: lambda v, p: between(age(p), v.least_years, v.most_years),
    AttributeIn: lambda v, p: attribute_word(p, v.attribute) in v.values,
}
NAIVE_EVENTS: dict[type[Verb], Callable[[Any, Person, Event], bool]] = {
    KeepActivities: lambda v, p, e: e.activity in v.activities,
    DropActivities: lambda v, p, e: e.activity not in v.activities,
    CutToPeriod: lambda v, p, e: between(e.start.date(), v.from_day, v.to_day),
    CutToDays: lambda v, p, e: between(since_index(p, e), v.from_days, v.to_days),
}


def naive(verb: Verb, people: list[Person]) -> list[Person]:
    if type(verb) in NAIVE:
        return [one for one in people if NAIVE[type(verb)](verb, one)]
    keep = NAIVE_EVENTS[type(verb)]
    return [replace(one, events=tuple(e for e in one.events if keep(verb, one, e))) for one in people]


sets = st.lists(st.sampled_from(ACTIVITIES), min_size=1, max_size=3).map(tuple)
days, flags = st.one_of(st.none(), st.integers(0, 9)), st.booleans()
dates = some((date(2021, 3, 1), date(2021, 3, 3), date(2021, 3, 8), date(2020, 12, 31)))


def ranges(kind: type[Verb], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Verbs with two bounds in order, at least one given."""

    def ordered(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        return pair if None in pair else (min(pair), max(pair))

    pairs = st.tuples(values, values).filter(lambda pair: pair != (None, None)).map(ordered)
    return pairs.map(lambda pair: kind(*pair))


def words(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple)


variant = st.one_of(
    st.builds(VariantIs, st.lists(st.sampled_from(ACTIVITIES), min_size=1, max_size=3).map(tuple),
              st.sampled_from(["activity", "collapsed"])),
    st.builds(VariantIs, st.lists(st.sampled_from(["treatment", "rays"]), min_size=1, max_size=2).map(tuple),
              st.sampled_from(["phase", "milestone"])),
)  # fmt: skip
given_attribute = st.one_of(
    st.builds(AttributeIn, st.just("sex"), words(("F", "M", "unknown"))),
    st.builds(AttributeIn, st.just("deprivation"), words(("1", "5", "unknown"))),
    st.builds(AttributeIn, st.just("exit_reason"), words(("death", "abroad", "unknown"))),
    st.builds(AttributeIn, st.just("index_year"), words(("2020", "2021", "unknown"))),
)
patient_verbs: dict[str, st.SearchStrategy[Any]] = {
    "with_activity": st.builds(WithActivity, sets, st.sampled_from(["any", "all"])),
    "without_activity": st.builds(WithoutActivity, sets),
    "starts_with": st.builds(StartsWith, sets),
    "ends_with": st.builds(EndsWith, sets),
    "follows_within": st.builds(FollowsWithin, sets, sets, days, flags, flags),
    "reached_within": st.builds(ReachedWithin, sets, st.integers(0, 9), flags),
    "index_between": ranges(IndexBetween, dates),
    "lives_in": st.builds(LivesIn, words(TERRITORIES)),
    "cared_in": st.builds(CaredIn, words(TERRITORIES)),
    "treated_at": st.builds(TreatedAt, words(FACILITIES), st.one_of(st.none(), sets)),
    "variant_is": variant,
    "lasts_between": ranges(LastsBetween, days),
    "counts_between": st.one_of(
        ranges(CountsBetween, days), st.builds(CountsBetween, st.just(1), days.filter(bool), sets)
    ),
    "aged_between": ranges(AgedBetween, some((40, 61, 81))),
    "attribute_in": given_attribute,
}
event_verbs: dict[str, st.SearchStrategy[Any]] = {
    "keep_activities": st.builds(KeepActivities, sets),
    "drop_activities": st.builds(DropActivities, sets),
    "cut_to_period": ranges(CutToPeriod, dates),
    "cut_to_days": ranges(CutToDays, st.one_of(st.none(), st.integers(-3, 9))),
}
verbs = {**patient_verbs, **event_verbs}
any_verb = st.one_of(*verbs.values())
stacks = st.lists(any_verb, max_size=4).map(lambda found: FilterStack(tuple(found)))


def content(log: EventLog) -> tuple[list[Any], ...]:
    """What a log holds, as plain values."""
    horizons = log.horizons.sort(pl.all())
    return (log.events.rows(), log.patients.rows(), horizons.rows(), log.withdrawn.rows())


def apply(stack: FilterStack, log: EventLog) -> Any:
    """Apply a stack to a generated log, which may lack some of the words."""
    return stack.apply(log, PATHWAY, among=EVERYTHING)


EVERYTHING = log_of(
    {
        f"p{sex}{place}{level}{year}{reason}": (
            {"sex": sex, "territory": place, "deprivation": level, "exit_reason": reason, "network": "n1",
             "index_date": year},
            [Event("chemo", DAY_0, FACILITIES[0], place), Event("chemo", DAY_0, FACILITIES[1], place)],
        )
        for sex, place, level, year, reason in zip(
            ("F", "M", None), TERRITORIES, (1, 5, None), (DAY_0, datetime(2020, 1, 1), None), ("death", "abroad", None),
            strict=True,
        )
    }
)  # fmt: skip


def test_every_verb_is_generated() -> None:
    assert {*verbs} == {*VERBS}
    assert {*NAIVE, *NAIVE_EVENTS} == {*VERBS.values()}


@pytest.mark.parametrize("name", verbs)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_each_verb_equals_a_plain_loop(name: str, data: st.DataObject) -> None:
    log, verb = data.draw(logs), data.draw(verbs[name])
    found, expected = persons(verb.apply(log, PATHWAY)), naive(verb, persons(log))
    assert [(one.patient_id, one.events) for one in found] == [
        (one.patient_id, one.events) for one in expected
    ]


@quick
@given(log=logs, first=stacks, second=stacks)
def test_a_stack_is_its_parts_one_after_the_other(
    log: EventLog, first: FilterStack, second: FilterStack
) -> None:
    whole, part = apply(first + second, log), apply(first, log)
    rest = apply(second, part.log)
    assert content(whole.log) == content(rest.log)
    moved = rest.attrition.with_columns(pl.col("step") + len(first))
    assert whole.attrition.rows() == pl.concat([part.attrition, moved]).rows()


@quick
@given(log=logs, found=st.lists(st.one_of(*patient_verbs.values()), max_size=3), data=st.data())
def test_patient_verbs_commute(log: EventLog, found: list[Verb], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(found))
    one, other = apply(FilterStack(tuple(found)), log), apply(FilterStack(tuple(shuffled)), log)
    assert content(one.log) == content(other.log)


@quick
@given(log=logs, stack=stacks)
def test_the_attrition_adds_up(log: EventLog, stack: FilterStack) -> None:
    selection = apply(stack, log)
    rows = selection.attrition.to_dicts()
    assert selection.attrition.schema == ATTRITION_COLUMNS
    assert [row["verb"] for row in rows] == [verb.verb for verb in stack.verbs]
    assert log.n_patients - sum(row["patients_excluded"] for row in rows) == selection.log.n_patients
    for before, after in pairwise(rows):
        assert (before["patients_after"], before["events_after"]) == (
            after["patients_before"],
            after["events_before"],
        )
    for row, verb in zip(rows, stack.verbs, strict=True):
        assert row["patients_before"] - row["patients_excluded"] == row["patients_after"]
        assert row["events_after"] <= row["events_before"]
        assert isinstance(verb, PatientVerb) or row["patients_excluded"] == 0


@quick
@given(stack=stacks)
def test_a_stack_comes_back_from_its_file(stack: FilterStack) -> None:
    for again in (
        FilterStack.from_toml(stack.to_toml()),
        FilterStack.from_json(stack.to_json()),
        FilterStack.from_dict(stack.to_dict()),
    ):
        assert again == stack and again.hash == stack.hash and hash(again) == hash(stack)


@quick
@given(one=stacks, other=stacks)
def test_hashes_are_equal_where_stacks_are(one: FilterStack, other: FilterStack) -> None:
    assert (one == other) == (one.hash == other.hash)
    assert len(one.hash) == 16 and int(one.hash, 16) >= 0


@quick
@given(word=st.text(min_size=1))
def test_any_text_survives_the_file(word: str) -> None:
    assume(word.encode(errors="ignore").decode() == word)
    stack = FilterStack().treated_at(word).variant_is(word, word)
    assert FilterStack.from_toml(stack.to_toml()) == stack == FilterStack.from_json(stack.to_json())


def test_the_hash_is_the_same_in_another_process() -> None:
    stack = FilterStack().with_activity("surgery", "chemo").index_between(date(2020, 1, 1)).lives_in("75")
    code = (
        "from datetime import date; from pathways.filters import FilterStack; print(FilterStack()"
        ".with_activity('chemo', 'surgery').index_between(date(2020, 1, 1)).lives_in('75').hash)"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        assert run.stdout.strip() == stack.hash
    assert FilterStack().hash == NO_FILTER


@quick
@given(log=logs)
def test_no_filter_keeps_everything(log: EventLog) -> None:
    selection = FilterStack().apply(log)
    assert content(selection.log) == content(log) and selection.attrition.height == 0


def test_unknown_words_name_the_nearest() -> None:
    cases = {
        "did you mean 'chemo'": FilterStack().with_activity("chem"),
        "did you mean '971'": FilterStack().lives_in("972"),
        "known: h 2, h1": FilterStack().treated_at("h3"),
        "did you mean 'death'": FilterStack().attribute_in("exit_reason", "deaths"),
        "did you mean 'treatment'": FilterStack().variant_is("treatmant", level="phase"),
    }
    for expected, stack in cases.items():
        with pytest.raises(DefinitionError, match=expected):
            stack.apply(EVERYTHING, PATHWAY)
