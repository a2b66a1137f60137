"""Conformance equals a naive checker, patient by patient, and what is decided stays decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs.log import EventLog
from pathways.definition import Condition, Excuse, Pathway, ReferencePathway, ReferenceRule, parse
from pathways.followup import until
from pathways.mining.conformance import check_conformance

DAY_0 = datetime(2020, 1, 1)
LABEL = {"fr": "", "en": ""}
ACTIVITIES = ("anchor", "step", "other_step", "restart", "around", "leaves")
LAST_DAY = 60

Event = tuple[int, int, str]
"""Day, place inside the day, activity."""

small = st.integers(0, 12)
maybe = st.none() | small
words = st.lists(st.sampled_from(ACTIVITIES), min_size=1, max_size=2, unique=True).map(tuple)


@st.composite
def conditions(draw: Any) -> Condition:
    having, lacking = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    return Condition(
        having=draw(words) if having else (),
        lacking=draw(words) if lacking else (),
        lookback_days=draw(maybe),
        within_days=draw(maybe),
    )


@st.composite
def excuses(draw: Any, name: str) -> Excuse:
    return Excuse(name, LABEL, draw(words), "test", draw(small), 0, draw(maybe))


@st.composite
def rules(draw: Any) -> ReferenceRule:
    kind = draw(st.sampled_from(["existence", "response", "precedence", "absence", "alternatives"]))
    from_days = draw(st.integers(0, 6)) if kind not in ("precedence", "existence") else 0
    forever = kind == "absence" and draw(st.booleans())
    needs_anchor = kind in ("response", "precedence") or draw(st.booleans())
    return ReferenceRule(
        id="rule",
        kind=kind,
        label=LABEL,
        violation=LABEL,
        exits=draw(st.sampled_from([(), ("leaves",), ("leaves", "around")])),
        evidence="none",
        source="test",
        anchor=draw(words) if needs_anchor else (),
        steps=() if kind == "alternatives" else draw(words),
        options=tuple(draw(st.lists(words, min_size=1, max_size=2))) if kind == "alternatives" else (),
        restarts=draw(st.just(()) | words) if kind == "response" else (),
        lookback_days=draw(small) if kind in ("existence", "precedence") else 0,
        from_days=from_days,
        within_days=None if forever else 0 if kind == "precedence" else from_days + draw(small),
        applies_if=draw(st.none() | conditions()),
        excused_by=draw(st.sampled_from([{}, {"one": draw(excuses("one")), "two": draw(excuses("two"))}])),
    )


@st.composite
def histories(draw: Any) -> dict[str, Any]:
    """One patient: events in the order of the log, and dates as days or None."""
    days = sorted(draw(st.lists(st.integers(0, LAST_DAY), max_size=9)))
    return {
        "events": [(day, place, draw(st.sampled_from(ACTIVITIES))) for place, day in enumerate(days)],
        "index": draw(st.none() | st.integers(0, LAST_DAY)),
        "death": draw(st.none() | st.integers(0, LAST_DAY)),
        "seen_from": draw(st.none() | st.integers(0, 30)),
        "left": draw(st.none() | st.none() | st.integers(0, LAST_DAY)),
    }


cohorts = st.lists(histories(), min_size=1, max_size=6)
horizons = st.none() | st.integers(0, LAST_DAY + 15)


def day(number: int | None) -> datetime | None:
    return None if number is None else DAY_0 + timedelta(days=number)


TIME = pl.Datetime("us")
EVENTS = {"patient_id": pl.String, "activity": pl.String, "start": TIME}
HORIZONS = {"patient_id": pl.String, "source": pl.String, "observed_until": TIME}


def log_of(people: list[dict[str, Any]], horizon: int | None) -> EventLog:
    events = [(str(p), name, day(at)) for p, person in enumerate(people) for at, _, name in person["events"]]
    dates = {"index_date": "index", "death_date": "death", "observed_from": "seen_from"}
    patients = {name: [day(person[key]) for person in people] for name, key in dates.items()}
    left = [(str(p), "all", day(person["left"])) for p, person in enumerate(people)]
    stated = [row for row in [(None, "all", day(horizon)), *left] if row[2] is not None]
    ids = [str(p) for p in range(len(people))]
    return EventLog.create(
        pl.DataFrame(events, schema=EVENTS, orient="row"),
        pl.DataFrame({"patient_id": ids, **patients}, schema_overrides=dict.fromkeys(dates, TIME)),
        pl.DataFrame(stated, schema=HORIZONS, orient="row"),
        keep_order=True,
    )


def pathway_of(rule: ReferenceRule) -> Pathway:
    bare = parse('id = "rules"\nversion = "1"\nlabel = { fr = "Règles", en = "Rules" }', "rules.toml")
    return replace(bare, reference=ReferencePathway({rule.id: rule}))


# ---- the naive checker: one patient, one rule, plain loops


def first(events: list[Event], words: tuple[str, ...], after: tuple[float, float]) -> Event | None:
    return next((e for e in events if e[2] in words and (e[0], e[1]) > after), None)


def start_of(number: float) -> tuple[float, float]:
    return (number, -1)


def naive(person: dict[str, Any], rule: ReferenceRule, horizon: int | None) -> dict[str, Any]:
    events: list[Event] = person["events"]
    anchor = anchor_of(person, rule)
    gone = exit_of(person, rule)
    if anchor is None or (gone is not None and gone[:2] < anchor):
        return {"status": "not_applicable"}
    anchor = restarted(events, rule, anchor, gone)
    seen = min((d for d in (horizon, person["left"]) if d is not None), default=-1e9)
    found = verdict(person, rule, anchor, gone, seen)
    status, known = concerned(events, rule, anchor, gone, seen)
    found = {"anchor": anchor[0], **found}
    if status == "unknown":
        return {**found, "status": "undecidable", "decided": None, "late": None}
    if status == "excluded":
        return {**found, "status": "not_applicable", "decided": known, "late": None}
    if found["status"] == "exited":
        decided = max(known, found["decided"])
        return {**found, "status": "not_applicable", "excuse": gone[2], "decided": decided, "late": None}
    if found["status"] == "violated":
        found["excuse"] = excuse_of(events, rule, anchor[0])
    decided = None if found["status"] == "undecidable" else max(known, found["decided"])
    return {**found, "decided": decided, "late": found.get("late") if found["status"] == "violated" else None}


def anchor_of(person: dict[str, Any], rule: ReferenceRule) -> tuple[float, float] | None:
    if not rule.anchor:
        return None if person["index"] is None else start_of(person["index"])
    event = first(person["events"], rule.anchor, start_of(-1e9))
    return None if event is None else event[:2]


def exit_of(person: dict[str, Any], rule: ReferenceRule) -> tuple[float, float, str] | None:
    exits = [e for e in person["events"] if e[2] in rule.exits]
    died = [] if person["death"] is None else [(person["death"], 1e9, "death")]
    return min([*exits, *died], default=None)


def opens(rule: ReferenceRule, anchor: tuple[float, float]) -> tuple[float, float]:
    if rule.kind in ("response", "absence") and rule.from_days == 0:
        return anchor
    return start_of(anchor[0] + rule.from_days - rule.lookback_days)


def restarted(events: list[Event], rule: ReferenceRule, anchor: Any, gone: Any) -> Any:
    for event in events:
        if event[2] not in rule.restarts or event[:2] <= anchor:
            continue
        step = first(events, rule.steps, opens(rule, anchor))
        stopped = (step and step[:2] < event[:2]) or (gone and gone[:2] < event[:2])
        if stopped or event[0] > anchor[0] + rule.within_days:
            break
        anchor = event[:2]
    return anchor


def completed(events: list[Event], rule: ReferenceRule, since: Any) -> tuple[float, float] | None:
    if rule.kind != "alternatives":
        step = first(events, rule.steps, since)
        return None if step is None else step[:2]
    options = [[first(events, (word,), since) for word in option] for option in rule.options]
    return min((max(e[:2] for e in option) for option in options if None not in option), default=None)


def verdict(
    person: dict[str, Any], rule: ReferenceRule, anchor: Any, gone: Any, seen: float
) -> dict[str, Any]:
    done = completed(person["events"], rule, opens(rule, anchor))
    told = person["seen_from"] is None or anchor[0] - rule.lookback_days >= person["seen_from"]
    if rule.kind == "precedence":
        status = "satisfied" if done and done < anchor else "violated" if told else "undecidable"
        return {"status": status, "due": anchor[0], "decided": anchor[0]}
    counts = done if done and not (gone and gone[:2] < done) and done != (gone and gone[:2]) else None
    if rule.kind == "absence":
        return forbidden(rule, anchor, gone, seen, counts)
    due = anchor[0] + rule.within_days
    if counts and counts[0] <= due:
        return {"status": "satisfied", "due": due, "decided": max(counts[0], anchor[0])}
    if gone and gone[0] <= due:
        return {"status": "exited", "due": due, "decided": gone[0]}
    if due <= seen and (told or not rule.lookback_days):
        return {"status": "violated", "due": due, "decided": due, "late": counts[0] - due if counts else None}
    return {"status": "undecidable", "due": due}


def forbidden(rule: ReferenceRule, anchor: Any, gone: Any, seen: float, done: Any) -> dict[str, Any]:
    due = None if rule.within_days is None else anchor[0] + rule.within_days
    if done and (due is None or done[0] <= due):
        return {"status": "violated", "due": due, "decided": done[0]}
    if due is None:
        ends = min(seen, gone[0]) if gone else seen
        return {"status": "satisfied" if seen > -1e9 else "undecidable", "due": None, "decided": ends}
    if gone and gone[0] <= due:
        return {"status": "exited", "due": due, "decided": gone[0]}
    return {"status": "satisfied" if due <= seen else "undecidable", "due": due, "decided": due}


def concerned(
    events: list[Event], rule: ReferenceRule, anchor: Any, gone: Any, seen: float
) -> tuple[str, float]:
    """Return kept, excluded or unknown, and since which day that is known."""
    condition = rule.applies_if
    if condition is None:
        return "kept", -1e9
    since = start_of(-1e9 if condition.lookback_days is None else anchor[0] - condition.lookback_days)
    end, over, closed = anchor, True, anchor[0]
    if condition.within_days is not None:
        closes = anchor[0] + condition.within_days
        left = gone is not None and gone[0] <= closes
        end, over, closed = (
            (gone[:2] if left else (closes, 1e9)),
            closes <= seen or left,
            gone[0] if left else closes,
        )
    facts = []
    for named, wanted in ((condition.having, True), (condition.lacking, False)):
        event = first(events, named, since) if named else None
        was_seen = event is not None and event[:2] < end
        if named and (was_seen or over):
            facts.append((was_seen == wanted, event[0] if was_seen else closed))
        elif named:
            facts.append((None, None))
    if any(fit is False for fit, _ in facts):
        return "excluded", max(anchor[0], min(at for fit, at in facts if fit is False))
    if any(fit is None for fit, _ in facts):
        return "unknown", 0
    return "kept", max(anchor[0], *(at for _, at in facts))


def excuse_of(events: list[Event], rule: ReferenceRule, anchor_day: float) -> str | None:
    for excuse in rule.excused_by.values():
        within = rule.within_days if excuse.within_days is None else excuse.within_days
        last = 1e9 if within is None else anchor_day + within
        opens_on = anchor_day + excuse.from_days - excuse.lookback_days
        if any(e[2] in excuse.steps and opens_on <= e[0] <= last for e in events):
            return excuse.id
    return None


KEYS = {"anchor": "anchor_date", "due": "due_date", "decided": "decided_date"}


def checked(log: EventLog, rule: ReferenceRule) -> list[dict[str, Any]]:
    rows = check_conformance(log, pathway_of(rule)).frame.to_dicts()
    return [
        {
            "status": row["status"],
            "excuse": row["excused_by"],
            "late": row["days_late"],
            **{key: (row[name] - DAY_0).days if row[name] else None for key, name in KEYS.items()},
        }
        for row in rows
    ]


@settings(max_examples=150, deadline=None)
@given(cohorts, rules(), horizons)
def test_equal_to_a_naive_checker(
    people: list[dict[str, Any]], rule: ReferenceRule, horizon: int | None
) -> None:
    blank = dict.fromkeys(("status", "excuse", "late", *KEYS))
    expected = [{**blank, **naive(person, rule, horizon)} for person in people]
    assert checked(log_of(people, horizon), rule) == expected


@settings(max_examples=60, deadline=None)
@given(cohorts, rules(), horizons, st.integers(0, LAST_DAY + 15))
def test_what_is_decided_stays(
    people: list[dict[str, Any]], rule: ReferenceRule, horizon: int | None, cut: int
) -> None:
    """What comes after a decision does not change it: only an excuse may still come, and an absence without an end."""
    log = log_of(people, horizon)
    moment = day(cut)
    assert moment is not None
    short = until(log, moment)
    ends = short.horizons.with_columns(observed_until=pl.min_horizontal("observed_until", pl.lit(moment)))
    early = checked(EventLog(short.events, short.patients, ends, short.withdrawn), rule)
    forever = rule.kind == "absence" and rule.within_days is None
    for then, now in zip(early, checked(log, rule), strict=True):
        still_open = forever and "satisfied" in (then["status"], now["status"])
        if then["decided"] is not None and then["decided"] <= cut and not still_open:
            assert (now["status"], now["decided"]) == (then["status"], then["decided"])
            assert now["excuse"] == then["excuse"] or then["status"] == "violated"
        if now["decided"] is not None and now["decided"] <= cut and not still_open:
            assert then["status"] == now["status"]


@settings(max_examples=30, deadline=None)
@given(cohorts, rules(), horizons, st.randoms())
def test_row_order_changes_nothing(
    people: list[dict[str, Any]], rule: ReferenceRule, horizon: int | None, random: Any
) -> None:
    log = log_of(people, horizon)
    order = list(range(log.n_events))
    random.shuffle(order)
    sorted_log = EventLog.create(log.events, log.patients, log.horizons, within_day=ACTIVITIES)
    shuffled = EventLog.create(log.events[order], log.patients, log.horizons, within_day=ACTIVITIES)
    assert checked(shuffled, rule) == checked(sorted_log, rule)


@settings(max_examples=20, deadline=None)
@given(cohorts, rules(), horizons)
def test_patients_do_not_touch_each_other(
    people: list[dict[str, Any]], rule: ReferenceRule, horizon: int | None
) -> None:
    alone = [row for person in people for row in checked(log_of([person], horizon), rule)]
    assert checked(log_of(people, horizon), rule) == alone
