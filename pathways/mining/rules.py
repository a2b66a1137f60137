"""How a rule of the reference pathway is decided: moments of all patients compared at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.log import TIME, EventLog
from pathways.definition import Condition, Excuse, Pathway, ReferenceRule
from pathways.followup import horizons
from pathways.mining.kernels.sequences import DAY_US
from pathways.mining.timeline import NEVER, Flags, Moments, Timeline, days

STATUSES = ("satisfied", "violated", "not_applicable", "undecidable")
SATISFIED, VIOLATED, NOT_APPLICABLE, UNDECIDABLE = range(4)

CONFORMANCE_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String(),
    "rule": pl.String(),
    "status": pl.String(),
    "excused_by": pl.String(),
    "anchor_date": TIME,
    "due_date": TIME,
    "decided_date": TIME,
    "days_late": pl.Int64(),
}
"""One row a patient and rule. ``due_date``: end of the window. ``decided_date``: from when on the status holds,
whatever comes later. ``days_late``: days from the end of the window to the step that came after it; null when it never
did."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """What every rule is decided from: moments of the events, and one day or moment a patient of the log."""

    pathway: Pathway
    line: Timeline
    patient_id: pl.Series
    index: Moments
    death: Moments
    seen_from: Moments
    observed: Moments
    unseen: frozenset[str]

    @classmethod
    def of(cls, log: EventLog, pathway: Pathway, unseen: frozenset[str] = frozenset()) -> Facts:
        """Encode what the rules of `pathway` name; `unseen` are activities that no source of the log tells."""
        words = (word for rule in pathway.reference for named in rule.words().values() for word in named)
        line = Timeline.of(log, pathway.activities_of(words))
        until = days(horizons(log)["observed_until"])
        return cls(
            pathway=pathway,
            line=line,
            patient_id=log.patients["patient_id"],
            index=days(log.patients["index_date"]),
            death=line.end(days(log.patients["death_date"])),
            seen_from=_seen_from(log, pathway.cohort.lookback_days),
            observed=np.where(until == NEVER, -NEVER, until),
            unseen=unseen,
        )

    def first(self, words: Iterable[str], since: Moments, patient: Rows) -> Moments:
        """Return the first event of these activities or phases after a moment, one a patient."""
        return self.line.first(self.pathway.activities_of(words), since, patient)

    def blind_to(self, rule: ReferenceRule) -> bool:
        """Say that silence decides nothing of a rule, since no source tells a step of it."""
        keys = ("steps", "options", "applies_if.having", "applies_if.lacking")
        named = rule.words()
        return not self.unseen.isdisjoint(self.pathway.activities_of(w for key in keys for w in named[key]))


def _seen_from(log: EventLog, lookback_days: int | None) -> Moments:
    """Return the day from which the log tells a patient's care; the past of all where nothing says it."""
    begins, index = days(log.patients["observed_from"]), days(log.patients["index_date"])
    begins = np.where(begins == NEVER, -NEVER, begins)
    if lookback_days is None:
        return begins
    return np.where(index == NEVER, begins, np.maximum(begins, index - lookback_days))


@dataclass(frozen=True)
class _Opened:
    """The patients in whom a rule has its anchor before any exit: their rows, and one value each."""

    patient: Rows
    anchor: Moments
    day: Moments
    exit: Moments
    exited_by: NDArray[np.int64]
    seen_from: Moments
    observed: Moments


@dataclass(frozen=True)
class _Verdict:
    """What the window says, one value a patient; undecidable where no flag is set. ``decided`` is a day."""

    satisfied: Flags
    violated: Flags
    exited: Flags
    due: Moments
    decided: Moments
    late: Moments


@dataclass(frozen=True)
class _Concerned:
    """Whom the condition of a rule keeps and excludes; unknown where no flag is set. ``known`` is a day."""

    kept: Flags
    excluded: Flags
    known: Moments


def judge(rule: ReferenceRule, facts: Facts) -> pl.DataFrame:
    """Decide a rule for every patient of the log.

    Returns
    -------
    polars.DataFrame
        `CONFORMANCE_COLUMNS`, in the order of the log's patients.
    """
    opened = _opened(rule, facts)
    verdict = _DECIDE[rule.kind](rule, facts, opened)
    concerned = _concerned(rule.applies_if, facts, opened)
    status = np.select(
        [concerned.excluded, ~concerned.kept, verdict.exited, verdict.satisfied, verdict.violated],
        [NOT_APPLICABLE, UNDECIDABLE, NOT_APPLICABLE, SATISFIED, VIOLATED],
        UNDECIDABLE,
    )
    excuse = np.select(
        [~concerned.kept, verdict.exited, verdict.violated],
        [-1, len(rule.excused_by) + opened.exited_by, _excused(rule, facts, opened)],
        -1,
    )
    decided = np.where(concerned.excluded, concerned.known, np.maximum(verdict.decided, concerned.known))
    numbers = {
        "anchor_date": opened.day,
        "due_date": verdict.due,
        "decided_date": np.where(status == UNDECIDABLE, NEVER, decided),
        "days_late": np.where(status == VIOLATED, verdict.late, NEVER),
    }
    concerns = _spread({"status": status, "excuse": excuse, **numbers}, opened.patient, facts.line.n_patients)
    return _table(rule, facts.patient_id, concerns)


def _opened(rule: ReferenceRule, facts: Facts) -> _Opened:
    line, everybody = facts.line, np.arange(facts.line.n_patients)
    past = np.full(len(everybody), line.past)
    anchor = facts.first(rule.anchor, past, everybody) if rule.anchor else line.beginning(facts.index)
    exits = np.stack([*(facts.first([word], past, everybody) for word in rule.exits), facts.death])
    gone = exits.min(axis=0)
    patient = np.flatnonzero((anchor != NEVER) & (gone >= anchor))
    blind = facts.blind_to(rule)
    opened = _Opened(
        patient=patient,
        anchor=anchor[patient],
        day=line.day_of(anchor[patient]),
        exit=gone[patient],
        exited_by=exits.argmin(axis=0)[patient],
        seen_from=np.full(len(patient), NEVER) if blind else facts.seen_from[patient],
        observed=np.full(len(patient), -NEVER) if blind else facts.observed[patient],
    )
    return _restarted(rule, facts, opened) if rule.restarts else opened


def _restarted(rule: ReferenceRule, facts: Facts, opened: _Opened) -> _Opened:
    """Move each anchor to the last restart of a chain: each in time after the one before, no step or exit between."""
    line = facts.line
    rows = line.rows(facts.pathway.activities_of(rule.restarts))
    place = np.full(line.n_patients, -1)
    place[opened.patient] = np.arange(len(opened.patient))
    rows = rows[place[line.patient[rows]] >= 0]
    at, moment = place[line.patient[rows]], line.moments(rows)
    later = moment > opened.anchor[at]
    at, moment = at[later], moment[later]
    new = np.append(True, at[1:] != at[:-1])[: len(at)]
    before = np.where(new, opened.anchor[at], np.roll(moment, 1))
    clock = replace(opened, patient=opened.patient[at], anchor=before, day=line.day_of(before))
    step = facts.first(rule.steps, _since(rule, line, clock), clock.patient) < moment
    lapse = moment > line.end(clock.day + (rule.within_days or 0))
    chained = _before_any(step | lapse | (opened.exit[at] < moment), new)
    anchor = opened.anchor.copy()
    anchor[at[chained]] = moment[chained]
    return replace(opened, anchor=anchor, day=line.day_of(anchor))


def _before_any(stop: Flags, new: Flags) -> Flags:
    """Return the rows before the first stop of their group; groups begin where `new`."""
    stops = np.cumsum(stop)
    before: Rows = (stops - stop)[new]
    return np.asarray(stops == before[np.cumsum(new) - 1])


def _since(rule: ReferenceRule, line: Timeline, opened: _Opened) -> Moments:
    """Return when the window opens: after the anchor itself in a response or an absence, else on a day."""
    if rule.kind in ("response", "absence") and not rule.from_days:
        return opened.anchor
    return line.beginning(opened.day + rule.from_days - rule.lookback_days)


def _expected(rule: ReferenceRule, facts: Facts, opened: _Opened) -> _Verdict:
    """Decide a step that is expected in the window: existence, response, alternatives."""
    line, due = facts.line, opened.day + (rule.within_days or 0)
    done, end = _done(rule, facts, opened), line.end(due)
    satisfied = (done <= end) & (done < opened.exit)
    exited = ~satisfied & (opened.exit <= end)
    told = (rule.lookback_days == 0) | (opened.day - rule.lookback_days >= opened.seen_from)
    late = (done > end) & (done < opened.exit)
    decided = np.select(
        [satisfied, exited], [np.maximum(line.day_of(done), opened.day), line.day_of(opened.exit)], due
    )
    return _Verdict(
        satisfied=satisfied,
        violated=~satisfied & ~exited & (due <= opened.observed) & told,
        exited=exited,
        due=due,
        decided=decided,
        late=np.where(late, line.day_of(done) - due, NEVER),
    )


def _done(rule: ReferenceRule, facts: Facts, opened: _Opened) -> Moments:
    """Return when the step came first since the window opened, or when a whole option had."""
    since = _since(rule, facts.line, opened)
    if rule.kind != "alternatives":
        return facts.first(rule.steps, since, opened.patient)
    whole = [
        reduce(np.maximum, (facts.first([word], since, opened.patient) for word in option))
        for option in rule.options
    ]
    return reduce(np.minimum, whole)


def _preceded(rule: ReferenceRule, facts: Facts, opened: _Opened) -> _Verdict:
    """Decide a step that is expected before the anchor."""
    satisfied = facts.first(rule.steps, _since(rule, facts.line, opened), opened.patient) < opened.anchor
    told = opened.day - rule.lookback_days >= opened.seen_from
    return _Verdict(
        satisfied=satisfied,
        violated=~satisfied & told,
        exited=np.zeros(len(opened.patient), dtype=np.bool_),
        due=opened.day,
        decided=opened.day,
        late=np.full(len(opened.patient), NEVER),
    )


def _absent(rule: ReferenceRule, facts: Facts, opened: _Opened) -> _Verdict:
    """Decide a step that must not come; without ``within_days``, as far as the patient was followed."""
    line, left = facts.line, facts.line.day_of(opened.exit)
    forever = np.full(len(opened.patient), NEVER)
    due = forever if rule.within_days is None else opened.day + rule.within_days
    done, end = facts.first(rule.steps, _since(rule, line, opened), opened.patient), line.end(due)
    violated = (done != NEVER) & (done <= end) & (done < opened.exit)
    exited = ~violated & (opened.exit <= end) & (due != NEVER)
    closes = np.where(due == NEVER, np.minimum(left, opened.observed), due)
    return _Verdict(
        satisfied=~violated & ~exited & (closes <= opened.observed) & (opened.observed != -NEVER),
        violated=violated,
        exited=exited,
        due=due,
        decided=np.select([violated, exited], [line.day_of(done), left], closes),
        late=forever,
    )


_DECIDE: dict[str, Callable[[ReferenceRule, Facts, _Opened], _Verdict]] = {
    "existence": _expected,
    "response": _expected,
    "alternatives": _expected,
    "precedence": _preceded,
    "absence": _absent,
}


def _concerned(condition: Condition | None, facts: Facts, opened: _Opened) -> _Concerned:
    """Decide whom a condition keeps: nobody is kept or excluded for what can still be seen in its window."""
    line, n = facts.line, len(opened.patient)
    everybody, nobody = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    if condition is None:
        return _Concerned(everybody, nobody, np.full(n, -NEVER))
    end, over, closed = opened.anchor, everybody, opened.day
    if condition.within_days is not None:
        closes = opened.day + condition.within_days
        end = np.minimum(line.end(closes), opened.exit)
        over = (closes <= opened.observed) | (opened.exit <= line.end(closes))
        closed = np.minimum(closes, line.day_of(opened.exit))
    seen = [_seen(words, condition, facts, opened, end) for words in (condition.having, condition.lacking)]
    known = [np.where(moment < end, line.day_of(moment), closed) for moment in seen]
    had, lacked = seen[0] < end, (seen[1] >= end) & over
    kept = (had if condition.having else everybody) & (lacked if condition.lacking else everybody)
    unfit = [~had & over if condition.having else nobody, seen[1] < end if condition.lacking else nobody]
    told = [np.where(flag, day, NEVER) for flag, day in zip(unfit, known, strict=True)]
    asked = [day for day, words in zip(known, (condition.having, condition.lacking), strict=True) if words]
    day = np.where(unfit[0] | unfit[1], np.minimum(*told), reduce(np.maximum, asked))
    return _Concerned(kept, unfit[0] | unfit[1], np.maximum(day, opened.day))


def _seen(words: Sequence[str], condition: Condition, facts: Facts, opened: _Opened, end: Moments) -> Moments:
    """Return when one of these activities was first seen in the window of a condition."""
    if condition.lookback_days is None:
        since = np.full(len(opened.patient), facts.line.past)
    else:
        since = facts.line.beginning(opened.day - condition.lookback_days)
    return facts.first(words, since, opened.patient)


def _excused(rule: ReferenceRule, facts: Facts, opened: _Opened) -> NDArray[np.int64]:
    """Return the place of the first excuse, in the order of the definition, that holds; -1 where none does."""
    holds = [_holds(excuse, rule, facts, opened) for excuse in rule.excused_by.values()]
    return np.select(holds, range(len(holds)), -1) if holds else np.full(len(opened.patient), -1)


def _holds(excuse: Excuse, rule: ReferenceRule, facts: Facts, opened: _Opened) -> Flags:
    within = rule.within_days if excuse.within_days is None else excuse.within_days
    since = facts.line.beginning(opened.day + excuse.from_days - excuse.lookback_days)
    seen = facts.first(excuse.steps, since, opened.patient)
    end = np.full(len(since), NEVER) if within is None else facts.line.end(opened.day + within)
    return np.asarray((seen <= end) & (seen != NEVER))


_ELSE = {"status": NOT_APPLICABLE, "excuse": -1}
"""What holds of patients without the anchor; `NEVER` for dates and days."""


def _spread(values: dict[str, Moments], patient: Rows, n_patients: int) -> dict[str, Moments]:
    """Write the values of the patients concerned among all patients of the log."""
    whole = {name: np.full(n_patients, _ELSE.get(name, NEVER)) for name in values}
    for name, array in values.items():
        whole[name][patient] = array
    return whole


def _table(rule: ReferenceRule, patient_id: pl.Series, values: dict[str, Moments]) -> pl.DataFrame:
    names = pl.Series([*rule.excused_by, *rule.exits, "death"], dtype=pl.String)
    numbers = {name: pl.Series(array).replace(NEVER, None) for name, array in values.items()}
    return pl.DataFrame(
        {
            "patient_id": patient_id,
            "rule": pl.repeat(rule.id, len(patient_id), eager=True),
            "status": pl.Series(STATUSES).gather(values["status"]),
            "excused_by": names.gather(numbers["excuse"].replace(-1, None)),
            **{name: _date(numbers[name]) for name in ("anchor_date", "due_date", "decided_date")},
            "days_late": numbers["days_late"],
        },
        schema=CONFORMANCE_COLUMNS,
    )


def _date(day: pl.Series) -> pl.Series:
    return (day * DAY_US).cast(TIME)
