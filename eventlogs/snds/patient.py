"""K2: all rows of whole patients → events, origins, patients, and what each rule touched.

A polars kernel on the rows that K1 attached; it knows no engine and no table. Each step is a pure function of frames,
in a module of its own, so that each rule can be contested alone: `dating`, `netting`, `hospital`, `deaths`,
`merging`, `cohort`, `exits`, `origins`, `regimens`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.log import EVENT_COLUMNS, PATIENT_COLUMNS, TIME, conform, in_order
from eventlogs.snds import cohort, dating, deaths, exits, hospital, merging, netting, regimens
from eventlogs.snds.origins import origins
from eventlogs.snds.rows import ROW
from eventlogs.strata import in_covid_months, is_overseas


@dataclass(frozen=True)
class Built:
    """What K2 makes of a bucket of patients.

    Parameters
    ----------
    events, withdrawn : polars.DataFrame
        `log.EVENT_COLUMNS`; what stands, and what was visible until a later flux took it back.
    origins : polars.DataFrame
        `log.ORIGIN_COLUMNS` of the events. Withdrawn events list none: they are no part of the log.
    patients : polars.DataFrame
        `log.PATIENT_COLUMNS`.
    regimens : polars.DataFrame
        `regimens.REGIMEN_COLUMNS`; empty unless the definition asks for them.
    losses : mapping of str to int
        Persons that each step of the cohort took away.
    counts : mapping of str to int
        Rows read, what each rule removed or touched, and events kept.
    """

    events: pl.DataFrame
    withdrawn: pl.DataFrame
    origins: pl.DataFrame
    patients: pl.DataFrame
    regimens: pl.DataFrame
    losses: Mapping[str, int]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Found:
    """Events before the cohort, merged to one a day, and the rows that tell each."""

    rows: pl.DataFrame
    lines: pl.DataFrame
    netted: pl.DataFrame
    deaths: pl.DataFrame
    events: pl.DataFrame
    parts: tuple[pl.DataFrame, ...]
    counts: Mapping[str, int]


def build(
    rows: pl.DataFrame, people: pl.DataFrame, rules: ActivityRules, seen_until: date | None = None
) -> Built:
    """Turn the rows of whole patients into events, origins and patients.

    Parameters
    ----------
    rows : polars.DataFrame
        Columns of `rows.ROW`: every row of each person in it.
    people : polars.DataFrame
        Columns of `identity.persons`, and ``deprivation``: every person of the bucket, those without rows too.
        ``observed_from``, where a source states it, comes before the first care.
    rules : ActivityRules
        Of the definition.
    seen_until : datetime.date, optional
        Until when claims are complete; without it nobody is taken to have left the scheme.
    """
    found = _found(rows, people, rules)
    screened = cohort.screened(people, found.rows, found.events, rules.cohort)
    members = screened.filter(pl.col("left_at").is_null())
    kept = within_cohort(found.events, members, rules.cohort.lookback_days)
    withdrawn = until_told(netting.superseded(found.netted), found.events)
    gone = within_cohort(withdrawn, members, rules.cohort.lookback_days)
    followed = _followed(members, kept, found, rules, seen_until)
    events = in_order(_canonical(kept), rules.within_day)
    sessions = regimens.sessions(kept, found.rows)
    return Built(
        events=events.drop("event"),
        withdrawn=in_order(_canonical(gone), rules.within_day).drop("event"),
        origins=origins(found.rows, found.parts, events),
        patients=_patients(followed),
        regimens=regimens.infer(sessions.filter(rules.practice.infer_regimens)),
        losses=cohort.losses(screened),
        counts={
            "rows_attached": rows.height,
            **found.counts,
            **_counts(found, kept, followed, sessions, rules),
            "events_outside_cohort": found.events.height - kept.height,
            "events": kept.height,
            "patients": members.height,
        },
    )


def _found(rows: pl.DataFrame, people: pl.DataFrame, rules: ActivityRules) -> _Found:
    """Date the rows, net the lines, and merge what is told of one activity on one day."""
    as_told, undated = dating.with_start(pl.concat([rows.select(list(ROW)), deaths.registered(people)]))
    dated, told_twice = dating.on_one_day(as_told)
    death = rules.derived.get("death")
    activities = pl.Enum(pl.concat([dated["activity"], pl.Series([death])]).drop_nulls().unique().sort())
    positive_only = rules.practice.regularisations == "positive_lines"
    lines = dating.with_event(dated.filter(pl.col("kind") == "line"), activities)
    counted = netting.counted(lines, positive_only=positive_only)
    netted = netting.net(counted, positive_only=positive_only)
    stands = netting.standing(netted)
    told = hospital.told(dated, expanded=rules.practice.grouped_sessions == "expanded")
    stays = dating.with_event(told, activities)
    believed = deaths.told(dated).filter(pl.col("teller").is_in(list(rules.practice.death_order)))
    dead = deaths.deaths(believed, rules.practice.death_order)
    died = dating.with_event(deaths.as_found(dead if death else dead.clear(), death or ""), activities)
    found = pl.concat([stands, hospital.hospital_events(stays), died.select(netting.FOUND)])
    return _Found(
        rows=dated,
        lines=lines,
        netted=netted,
        deaths=dead,
        events=merging.one_a_day(found),
        parts=(netting.origins(counted, stands), stays, believed.join(died, on="person")),
        counts={
            "rows_without_date": undated,
            "acts_told_on_two_days": told_twice,
            **dating.touched(rows),
            "lines_netted": lines.height - stands.height,
            **merging.touched(found),
            **netting.touched(lines),
            **hospital.touched(dated),
        },
    )


def _followed(
    members: pl.DataFrame, events: pl.DataFrame, found: _Found, rules: ActivityRules, seen_until: date | None
) -> pl.DataFrame:
    """Add to the members their death, since when they are observed, and what ended it."""
    died = found.deaths.select("person", died_on="start", death_known_from="known_from")
    stated = [name for name in ("observed_from",) if name in members.columns]
    known = (
        members.join(exits.care(found.rows), on="person", how="left")
        .join(died, on="person", how="left")
        .with_columns(
            death_date="died_on",
            observed_from=pl.coalesce(*stated, "first_care", "index_date"),
        )
    )
    left = exits.exits(known, found.rows, events, rules.cohort, seen_until)
    return known.join(left, on="person", how="left").sort("person")


def until_told(withdrawn: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Hide what was withdrawn once another source or code tells the same event: it would be seen twice on its day."""
    seen = events.select("event", seen_from=pl.coalesce("known_from", "start"))
    until = withdrawn.join(seen, on="event", how="left", maintain_order="left").with_columns(
        known_until=pl.min_horizontal("known_until", "seen_from")
    )
    return until.filter(pl.coalesce("known_from", "start") < pl.col("known_until")).drop("seen_from")


def within_cohort(events: pl.DataFrame, members: pl.DataFrame, lookback_days: int | None) -> pl.DataFrame:
    """Keep the events of members, from `lookback_days` before their index on; add ``patient_id``."""
    joined = events.join(members.select("person", "patient_id", "index_date"), on="person")
    if lookback_days is None:
        return joined
    return joined.filter(pl.col("start") >= pl.col("index_date") - pl.duration(days=lookback_days))


def _counts(
    found: _Found, kept: pl.DataFrame, patients: pl.DataFrame, sessions: pl.DataFrame, rules: ActivityRules
) -> dict[str, int]:
    told = deaths.disagreeing(deaths.told(found.rows))
    return {
        "trap.death_sources": told.join(patients, on="person", how="semi").height,
        "trap.deprivation_overseas": patients.filter(is_overseas()).height,
        "trap.covid": kept.filter(in_covid_months()).height,
        "trap.molecules_inside_ghs": sessions.filter(~pl.col("molecule")).height,
        **cohort.touched(patients),
    }


def place_of_facility(facility: pl.Expr) -> pl.Expr:
    """Return the département of a FINESS number: its first two characters, overseas 97 and one more digit.

    The overseas form (9701… for 971) is recalled, not verified.
    """
    overseas = pl.concat_str(pl.lit("97"), facility.str.slice(2).str.strip_chars_start("0").str.head(1))
    return pl.when(facility.str.starts_with("97")).then(overseas).otherwise(facility.str.head(2))


def _canonical(events: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical columns, and ``event``."""
    chosen = events.select(
        "patient_id", "activity", "start", "end", "source", "code", "code_system", "facility", "quantity",
        "date_precision", "known_until",
        territory_of_care=place_of_facility(pl.col("facility")),
        known_from=pl.coalesce("known_from", "start"),
    )  # fmt: skip
    return conform(chosen, EVENT_COLUMNS, "events").with_columns(events["event"])


def _patients(members: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical columns; FDep has no value overseas, and a told death makes the vital status known."""
    told = members.with_columns(
        deprivation=pl.when(~is_overseas()).then("deprivation"),
        vital_status_known=pl.col("vital_status_known") | pl.col("death_date").is_not_null(),
    )
    columns = [name for name in PATIENT_COLUMNS if name in told.columns]
    chosen = told.select(
        pl.col(name).cast(TIME) if name.endswith(("_date", "_from")) else name for name in columns
    )
    return conform(chosen, PATIENT_COLUMNS, "patients").sort("patient_id")
