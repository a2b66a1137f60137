"""Each table of a definition, read into its object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from eventlogs.activities import (
    CODE_SYSTEMS,
    DERIVED,
    Attribution,
    CohortRules,
    EraKind,
    EraRule,
    Exit,
    IndexStrategy,
    NetworkRule,
)
from eventlogs.practice import DEATH_SOURCES, Practice
from pathways.definition.objects import (
    Activity,
    BreakdownDefinition,
    Era,
    Kind,
    Language,
    RiskSettings,
    Role,
)
from pathways.definition.reading import Table
from pathways.definition.reference import Condition, Evidence, Excuse, ReferenceRule, RuleKind


def labels(table: Table, key: str) -> dict[str, str]:
    """Return ``{fr, en}``."""
    table.asked.add(key)
    given = table.sub(key)
    found = {language: given.text(language) for language in get_args(Language)}
    given.done()
    return found


def activity(table: Table, name: str, phases: Mapping[str, Any]) -> Activity:
    """Read ``[activities.name]``."""
    derived = table.choice("derived", DERIVED) if "derived" in table.content else None
    role = table.choice("role", get_args(Role)) if "role" in table.content else None
    made = Activity(
        id=name,
        label=labels(table, "label"),
        phase=table.choice("phase", phases),
        codes={system: table.words(system) for system in CODE_SYSTEMS if system in table.content},
        specialties=tuple(int(word) for word in table.words("specialties", ())),
        derived=derived,
        source=table.text("source"),
        role=cast("Role | None", role),
    )
    table.done()
    if not made.codes and not derived:
        raise table.fail(f"has no code list; give one of {', '.join(CODE_SYSTEMS)} or derived")
    if made.specialties and not {"PRS_NAT", "NGAP"} & made.codes.keys():
        raise table.fail(
            "has specialties, which PRS_NAT and NGAP only have; take them away or add such a list"
        )
    return made


def cohort(table: Table, activities: Mapping[str, Activity]) -> CohortRules:
    """Read ``[cohort]``; treatments and diagnostics come from the roles of the activities."""
    roles = {
        role: tuple(name for name, item in activities.items() if item.role == role) for role in get_args(Role)
    }
    if not table.content:
        return CohortRules(treatments=roles["treatment"], diagnostics=roles["diagnostic"])
    table.text("source")
    sex = table.choice("sex", ("M", "F")) if "sex" in table.content else None
    rules = CohortRules(
        diagnosis=table.words("diagnosis", ()),
        diagnosis_in=_literals(table, "diagnosis_in", Literal["stay", "ald"], ("stay", "ald")),
        index=_literals(table, "index", IndexStrategy, ("index_activities",)),
        index_activities=table.words("index_activities", ()),
        near_diagnosis_days=table.count_or_none("near_diagnosis_days"),
        treatments=roles["treatment"],
        diagnostics=roles["diagnostic"],
        lookback_days=table.count_or_none("lookback_days"),
        washout_days=table.count_or_none("washout_days"),
        min_age=table.count_or_none("min_age"),
        max_age=table.count_or_none("max_age"),
        sex=sex,
        index_from=table.day_or_none("index_from"),
        index_until=table.day_or_none("index_until"),
        exits=_literals(table, "exits", Exit, ("death",)),
        silence_days=table.count("silence_days", CohortRules().silence_days),
    )
    table.done()
    _check_cohort(table, rules)
    return rules


def _literals(table: Table, key: str, allowed: Any, default: tuple[str, ...]) -> Any:
    return table.choices(key, get_args(allowed), default)


def _check_cohort(table: Table, rules: CohortRules) -> None:
    if not rules.index:
        raise table.fail("has index = []; name at least one strategy")
    for strategy, role, found in (
        ("first_treatment", "treatment", rules.treatments),
        ("biopsy_or_endoscopy", "diagnostic", rules.diagnostics),
    ):
        if strategy in rules.index and not found:
            raise table.fail(f"has index = [… '{strategy}' …], and no activity has role = \"{role}\"")
    if None not in (rules.min_age, rules.max_age) and cast(int, rules.min_age) > cast(int, rules.max_age):
        raise table.fail(f"has min_age = {rules.min_age} above max_age = {rules.max_age}")
    if rules.index_from and rules.index_until and rules.index_from > rules.index_until:
        raise table.fail(f"has index_from = {rules.index_from} after index_until = {rules.index_until}")


def era(table: Table, name: str) -> Era:
    """Read ``[eras.name]``."""
    kind = cast(EraKind, table.choice("kind", get_args(EraKind)))
    made = Era(
        label=labels(table, "label"),
        rule=EraRule(
            id=name,
            activities=table.words("activities"),
            kind=kind,
            gap_days=table.count("gap_days"),
            days_per_unit=table.number("days_per_unit") if kind == "supply" else None,
            source=table.text("source"),
        ),
    )
    table.done()
    return made


def practice(table: Table) -> Practice:
    """Read ``[snds]``: the switches where practice differs, each checked against its values."""
    if not table.content:
        return Practice()
    table.text("source")
    hints = get_type_hints(Practice)
    known = {item.name for item in fields(Practice)}
    given = {name: _switch(table, name, hints[name]) for name in table.names() if name in known}
    table.done(known)
    return Practice(**given)


def _switch(table: Table, name: str, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return table.choice(name, get_args(hint))
    if hint is bool:
        return table.flag(name)
    return table.count(name) if hint is int else table.choices(name, DEATH_SOURCES)


def network(table: Table, treatments: tuple[str, ...]) -> NetworkRule | None:
    """Read ``[network]``; without ``activities``, the facilities are those of the treatments."""
    if not table.content:
        return None
    rule = NetworkRule(
        by=cast(Attribution, table.choice("by", get_args(Attribution))),
        activities=table.words("activities", treatments),
        table=table.text("table", "networks.csv"),
        source=table.text("source"),
    )
    table.done()
    return rule


def breakdown(table: Table, name: str) -> BreakdownDefinition:
    """Read ``[breakdowns.name]``."""
    kind = cast(Kind, table.choice("kind", get_args(Kind)))
    interruption = kind == "interruption"
    definition = BreakdownDefinition(
        id=name,
        kind=kind,
        label=labels(table, "label"),
        step=labels(table, "step"),
        trigger=table.words("trigger"),
        expected=table.words("expected"),
        exits=table.words("exits"),
        evidence=table.text("evidence"),
        source=table.text("source"),
        restarts=() if interruption else table.words("restarts", ()),
        from_days=table.count("from_days", 0) if kind == "missed_step" else 0,
        within_days=0 if interruption else table.count("within_days"),
        grace_days=0 if interruption else table.count("grace_days"),
        permissible_gap_days=table.count("permissible_gap_days") if interruption else None,
        supply_days=table.count("supply_days") if interruption else None,
        planned_days=table.count("planned_days") if interruption else None,
    )
    table.done()
    if not interruption and definition.from_days >= definition.within_days:
        raise table.fail("opens its window after it closes it; from_days must be less than within_days")
    return definition


ANCHORED = ("response", "precedence")
"""Kinds of rules that must name their anchor: the index is none for them."""


def reference_rule(table: Table, name: str) -> ReferenceRule:
    """Read ``[reference.name]``."""
    kind = cast(RuleKind, table.choice("kind", get_args(RuleKind)))
    backwards = kind in ("existence", "precedence")
    rule = ReferenceRule(
        id=name,
        kind=kind,
        label=labels(table, "label"),
        violation=labels(table, "violation"),
        anchor=table.words("anchor", ... if kind in ANCHORED else ()),
        steps=() if kind == "alternatives" else table.words("steps"),
        options=table.word_lists("options") if kind == "alternatives" else (),
        restarts=table.words("restarts", ()) if kind == "response" else (),
        lookback_days=table.count("lookback_days", ... if kind == "precedence" else 0) if backwards else 0,
        from_days=0 if kind == "precedence" else table.count("from_days", 0),
        within_days=_window_end(table, kind),
        exits=table.words("exits"),
        applies_if=condition(table.sub("applies_if")) if "applies_if" in table.content else None,
        excused_by=excuses(table.sub("excused_by")),
        evidence=table.choice("evidence", get_args(Evidence)),
        source=table.text("source"),
    )
    table.done(("applies_if", "excused_by"))
    _check_rule(table, rule)
    return rule


def _window_end(table: Table, kind: RuleKind) -> int | None:
    if kind == "precedence":
        return 0
    return table.count_or_none("within_days") if kind == "absence" else table.count("within_days")


def _check_rule(table: Table, rule: ReferenceRule) -> None:
    if rule.kind in ANCHORED and not rule.anchor:
        raise table.fail("has anchor = []; name at least one activity or phase")
    if not rule.steps and (not rule.options or () in rule.options):
        raise table.fail(f"has an empty {'options' if rule.kind == 'alternatives' else 'steps'}; name a step")
    if rule.within_days is not None and rule.from_days > rule.within_days:
        raise table.fail("opens its window after it closes it; from_days must not be more than within_days")
    if rule.from_days and rule.lookback_days:
        raise table.fail(
            "has from_days and lookback_days; a window opens after the anchor or before it: keep one"
        )
    _check_excuses(table, rule)


def _check_excuses(table: Table, rule: ReferenceRule) -> None:
    for excuse in rule.excused_by.values():
        if excuse.id in ("death", *rule.exits):
            raise table.fail(f"has excused_by.{excuse.id}, the name of an exit; give the excuse another one")
        end = rule.within_days if excuse.within_days is None else excuse.within_days
        if end is not None and excuse.from_days > end:
            raise table.fail(
                f"has excused_by.{excuse.id}, whose window opens after it closes; mend from_days"
            )


def condition(table: Table) -> Condition:
    """Read ``[reference.name.applies_if]``."""
    made = Condition(
        having=table.words("having", ()),
        lacking=table.words("lacking", ()),
        lookback_days=table.count_or_none("lookback_days"),
        within_days=table.count_or_none("within_days"),
    )
    table.done(("having", "lacking", "lookback_days", "within_days"))
    if not made.having and not made.lacking:
        raise table.fail("says nothing; give having or lacking")
    return made


def excuses(table: Table) -> dict[str, Excuse]:
    """Read ``[reference.name.excused_by]``, one table an excuse."""
    return {name: _excuse(table.sub(name), name) for name in table.names()}


def _excuse(table: Table, name: str) -> Excuse:
    made = Excuse(
        id=name,
        label=labels(table, "label"),
        steps=table.words("steps"),
        source=table.text("source"),
        lookback_days=table.count("lookback_days", 0),
        from_days=table.count("from_days", 0),
        within_days=table.count_or_none("within_days"),
    )
    table.done(("within_days",))
    return made


def risk(table: Table) -> RiskSettings:
    """Read ``[risk]``."""
    if not table.content:
        return RiskSettings()
    settings = RiskSettings(
        horizon_days=table.count("horizon_days"),
        landmark_every_days=table.count("landmark_every_days"),
        capacity=table.count("capacity"),
        source=table.text("source"),
    )
    table.done()
    return settings
