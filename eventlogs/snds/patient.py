"""K2: all rows of whole patients → events. Netting, dates, sessions, duplicates, cohort.

A polars kernel on the rows that K1 attached; it knows no engine and no table. Each step is a pure function
of frames, so that each rule can be contested alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.log import EVENT_COLUMNS, PATIENT_COLUMNS, TIME, conform, in_order

SOURCE_ORDER = (
    "T_MCOaaA",
    "T_MCOaaB",
    "T_MCOaaD",
    "T_MCOaaUM",
    "ER_UCD_F",
    "ER_CAM_F",
    "ER_PHA_F",
    "ER_PRS_F",
)
"""Which source tells of an act seen in several: the stay before the claim."""

PMSI_KNOWN_MONTH = 7
"""Yearly PMSI arrives about June of the next year: known from 1 July (reference feed: annual)."""

DEATH_KNOWN_AFTER_DAYS = 183
"""IR_BEN_R does not say when a death was recorded: taken as six months, by when 98 to 99 % of care has arrived."""

WEEK_DAYS, MONTH_SPAN_DAYS = 7, 27
"""Sessions that share more than a week are dated to the month; 27 days after its first, a month is not over."""

DRAFT = ["person", "activity", "start", "source", "code"]


@dataclass(frozen=True)
class Built:
    """What K2 makes of a bucket of patients: canonical frames, and how many rows each reason took away."""

    events: pl.DataFrame
    withdrawn: pl.DataFrame
    patients: pl.DataFrame
    counts: Mapping[str, int]


def build(rows: pl.DataFrame, people: pl.DataFrame, rules: ActivityRules) -> Built:
    """Turn the rows of whole patients into events and patients.

    Parameters
    ----------
    rows : polars.DataFrame
        Columns of `rows.ROW`: every row of each person in it.
    people : polars.DataFrame
        Columns of `identity.persons`, and ``deprivation``.
    rules : ActivityRules
        Of the definition.

    Returns
    -------
    Built
        ``counts`` has rows read, what each rule removed, and events kept.
    """
    dated, undated = with_start(rows)
    netted = net(dated.filter(pl.col("kind") == "line"))
    found = pl.concat(
        [
            standing(netted),
            hospital_events(dated, bare=rules.derived.get("stay_without_other_event") is not None),
            deaths(dated, people, rules.derived.get("death")),
        ]
    )
    events = one_a_day(found)
    members = cohort(dated, events, people, rules)
    kept = within_cohort(events, members, rules.cohort.lookback_days)
    gone = within_cohort(superseded(netted), members, rules.cohort.lookback_days)
    return Built(
        events=in_order(_canonical(kept), rules.within_day),
        withdrawn=in_order(_canonical(gone), rules.within_day),
        patients=_patients(members),
        counts={
            "rows_attached": rows.height,
            "rows_without_date": undated,
            "lines_netted": dated.filter(pl.col("kind") == "line").height - standing(netted).height,
            "duplicates_merged": found.height - events.height,
            "events_outside_cohort": events.height - kept.height,
            "persons_diagnosed": dated.filter(pl.col("kind") == "diagnosis")["person"].n_unique(),
            "persons_with_index": _anchors(events, rules)["person"].n_unique(),
            "events": kept.height,
            "patients": members.height,
        },
    )


def with_start(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Give each row its ``start`` and ``date_precision``; return also how many rows have no date at all.

    An act inside a stay is dated entry + ENT_DAT_DEL. A stay without dates (before 2009) is dated by its month
    of discharge. A row without any date can be no event; a diagnosis or a cancellation stays.
    """
    exact = pl.col("date") + pl.duration(days=pl.col("offset_days").fill_null(0))
    in_year = pl.when(pl.col("month").is_between(1, 12)).then("month")
    month = pl.date(pl.col("year"), in_year, 1)
    dated = rows.with_columns(
        start=pl.coalesce(exact, month),
        date_precision=pl.when(exact.is_not_null()).then(pl.lit("day")).otherwise(pl.lit("month")),
    )
    needed = pl.col("start").is_not_null() | (pl.col("kind") == "diagnosis")
    return dated.filter(needed), dated.filter(~needed).height


def net(lines: pl.DataFrame) -> pl.DataFrame:
    """Net regularisations: lines of one person, source, code and day are summed as their fluxes arrive.

    A cancellation repeats the line with a negative quantity, in a later flux and with other keys. Filtering on
    a positive quantity would keep the cancelled originals. A line without a quantity counts for one.

    Returns
    -------
    polars.DataFrame
        Draft events, one row a state: ``quantity`` as it stood from the month of flux ``known_from`` until
        ``known_until`` (null: it still stands). The facility is that of the last line with a positive quantity.
    """
    arrived = (
        lines.with_columns(pl.col("quantity").fill_null(1))
        .group_by(*DRAFT, "flux")
        .agg(
            pl.col("quantity").sum(),
            pl.col("code_system", "date_precision").min(),
            facility=pl.col("facility").filter(pl.col("quantity") > 0).max(),
        )
        .sort(*DRAFT, "flux", nulls_last=True)
    )
    alone, several = _by_repetition(arrived)
    states = several.with_columns(
        pl.col("quantity").cum_sum().over(DRAFT), pl.col("facility").forward_fill().over(DRAFT)
    ).filter(pl.col("quantity").ne_missing(pl.col("quantity").shift()).over(DRAFT))
    stated = states.with_columns(known_until=pl.col("flux").shift(-1).over(DRAFT))
    return (
        pl.concat([alone.with_columns(known_until=pl.lit(None, dtype=pl.Date)), stated])
        .with_columns(end=pl.lit(None, dtype=pl.Date))
        .select(
            *DRAFT, "code_system", "date_precision", "facility", "quantity", pl.col("flux").alias("known_from"),
            "known_until", "end",
        )
    )  # fmt: skip


def _by_repetition(arrived: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split sorted lines into those of one flux only (nearly all) and those that a later flux touched."""
    as_before = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in DRAFT)
    again = arrived.select(as_before.alias("again"))["again"]
    repeated = again | again.shift(-1, fill_value=False)
    return arrived.filter(~repeated), arrived.filter(repeated)


def standing(netted: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that still stand."""
    return netted.filter(pl.col("quantity") > 0, pl.col("known_until").is_null())


def superseded(netted: pl.DataFrame) -> pl.DataFrame:
    """Return the states that were visible until a later flux corrected or cancelled them."""
    return netted.filter(pl.col("quantity") > 0, pl.col("known_until").is_not_null())


def hospital_events(rows: pl.DataFrame, *, bare: bool) -> pl.DataFrame:
    """Return the draft events of stays: acts, sessions one by one, diagnoses, and stays that gave nothing else."""
    told = rows.filter(pl.col("kind").is_in(["act", "session", "stay", "visit"]))
    stay_key = ["person", "establishment", "stay", "year"]
    silent = rows.filter(pl.col("kind") == "bare_stay").join(told, on=stay_key, how="anti", nulls_equal=True)
    parts = [expand_sessions(told), *([silent] if bare else [])]
    known = pl.date(
        pl.coalesce("year", pl.col("until").dt.year(), pl.col("start").dt.year()) + 1, PMSI_KNOWN_MONTH, 1
    )
    return pl.concat(parts).select(
        *DRAFT, "code_system", "date_precision", "facility", "quantity",
        known_from=known,
        known_until=pl.lit(None, dtype=pl.Date),
        end=pl.when(pl.col("kind").is_in(["stay", "bare_stay"])).then("until"),
    )  # fmt: skip


def expand_sessions(rows: pl.DataFrame) -> pl.DataFrame:
    """Write a row of n sessions as n rows, evenly spaced from entry to discharge.

    One session keeps its day; several share a stay of up to a week (precision ``week``) or more (``month``), those of
    a stay dated by its month only share that month. A day holds one session of an activity at most.
    """
    several = (pl.col("kind") == "session") & (pl.col("quantity") > 1)
    many = rows.filter(several)
    stay = (pl.col("until") - pl.col("start")).dt.total_days().fill_null(0)
    span = pl.when(pl.col("date_precision") == "month").then(MONTH_SPAN_DAYS).otherwise(stay)
    spread = many.with_columns(
        step=pl.int_ranges(0, "quantity"), span=span, gaps=pl.col("quantity") - 1
    ).explode("step", empty_as_null=True)
    placed = spread.with_columns(
        start=pl.col("start") + pl.duration(days=(pl.col("step") * pl.col("span")) // pl.col("gaps")),
        date_precision=pl.when(pl.col("span") <= WEEK_DAYS).then(pl.lit("week")).otherwise(pl.lit("month")),
        quantity=pl.lit(1, dtype=pl.Int64),
    )
    return pl.concat([rows.filter(~several), placed.select(rows.columns)])


def deaths(rows: pl.DataFrame, people: pl.DataFrame, activity: str | None) -> pl.DataFrame:
    """Return one death a person: IR_BEN_R before the discharge mode of a stay."""
    told = people.filter(pl.col("death_date").is_not_null()).select(
        "person",
        start="death_date",
        source=pl.lit("IR_BEN_R"),
        known_from=pl.col("death_date") + pl.duration(days=DEATH_KNOWN_AFTER_DAYS),
        place=pl.lit(0),
    )
    seen = rows.filter(pl.col("kind") == "death").select(
        "person",
        "start",
        "source",
        known_from=pl.date(pl.col("start").dt.year() + 1, PMSI_KNOWN_MONTH, 1),
        place=pl.lit(1),
    )
    first = (
        pl.concat([told, seen])
        .sort("person", "place", "start")
        .group_by("person", maintain_order=True)
        .agg(pl.col("start", "source").first(), pl.col("known_from").min())
    )
    return first.filter(activity is not None).select(
        "person",
        pl.lit(activity, dtype=pl.String).alias("activity"),
        "start",
        "source",
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("code", "code_system")),
        pl.lit("day").alias("date_precision"),
        pl.lit(None, dtype=pl.String).alias("facility"),
        pl.lit(1, dtype=pl.Int64).alias("quantity"),
        "known_from",
        *(pl.lit(None, dtype=pl.Date).alias(name) for name in ("known_until", "end")),
    )


def one_a_day(found: pl.DataFrame) -> pl.DataFrame:
    """Keep one event a person, activity and day.

    The same act told by a stay and by a claim is one act; several claim lines of one radiotherapy fraction are
    one fraction. The stay's row is kept before the claim's (`SOURCE_ORDER`), then the first code; quantities of
    the kept source are added; the event is known from the first time any source told it.
    """
    place = {source: position for position, source in enumerate(SOURCE_ORDER)}
    preferred = pl.col("source").replace_strict(place, default=len(place), return_dtype=pl.Int32)
    settle = ["code", "date_precision", "facility", "end", "quantity", "known_from"]
    kept_source = pl.col("source") == pl.col("source").first()
    return (
        found.sort("person", "activity", "start", preferred, *settle, nulls_last=True)
        .group_by("person", "activity", "start", maintain_order=True)
        .agg(
            pl.col(
                "code", "code_system", "date_precision", "facility", "end", "known_until", "source"
            ).first(),
            quantity=pl.when(pl.col("source").first().str.starts_with("ER_"))
            .then(pl.col("quantity").filter(kept_source).sum())
            .otherwise(pl.col("quantity").first()),
            known_from=pl.col("known_from").min(),
        )
        .select(found.columns)
    )


def cohort(
    rows: pl.DataFrame, events: pl.DataFrame, people: pl.DataFrame, rules: ActivityRules
) -> pl.DataFrame:
    """Return the persons who enter, with ``index_date``, ``observed_from`` and ``death_known_from``.

    They have a diagnosis of the cohort (where the definition asks for one) and an index event; the first of
    its index activities is their index date. ``observed_from`` is the first care seen.
    """
    diagnosed = rows.filter(pl.col("kind") == "diagnosis").select("person").unique()
    anchors = (
        events.filter(pl.col("activity").is_in(rules.cohort.index_activities))
        if rules.cohort.index_activities
        else events
    )
    index = anchors.group_by("person").agg(index_date=pl.col("start").min())
    care = rows.filter(pl.col("kind") != "diagnosis")
    seen = care.group_by("person").agg(observed_from=pl.col("start").min())
    died = events.filter(pl.col("activity") == rules.derived.get("death", "")).select(
        "person", died_on="start", death_known_from="known_from"
    )
    entered = people.join(index, on="person").join(seen, on="person").join(died, on="person", how="left")
    entered = entered.with_columns(death_date=pl.coalesce("died_on", "death_date")).sort("person")
    return entered.join(diagnosed, on="person", how="semi") if rules.cohort.diagnosis else entered


def _anchors(events: pl.DataFrame, rules: ActivityRules) -> pl.DataFrame:
    return (
        events.filter(pl.col("activity").is_in(rules.cohort.index_activities))
        if rules.cohort.index_activities
        else events
    )


def within_cohort(events: pl.DataFrame, members: pl.DataFrame, lookback_days: int | None) -> pl.DataFrame:
    """Keep the events of members, from `lookback_days` before their index on; add ``patient_id``."""
    joined = events.join(members.select("person", "patient_id", "index_date"), on="person")
    if lookback_days is None:
        return joined
    return joined.filter(pl.col("start") >= pl.col("index_date") - pl.duration(days=lookback_days))


def place_of_facility(facility: pl.Expr) -> pl.Expr:
    """Return the département of a FINESS number: its first two characters, overseas 97 and one more digit.

    The overseas form (9701… for 971) is recalled, not verified.
    """
    overseas = pl.concat_str(pl.lit("97"), facility.str.slice(2).str.strip_chars_start("0").str.head(1))
    return pl.when(facility.str.starts_with("97")).then(overseas).otherwise(facility.str.head(2))


def _canonical(events: pl.DataFrame) -> pl.DataFrame:
    chosen = events.select(
        "patient_id", "activity", "start", "end", "source", "code", "code_system", "facility", "quantity",
        "date_precision", "known_until",
        territory_of_care=place_of_facility(pl.col("facility")),
        known_from=pl.coalesce("known_from", "start"),
    )  # fmt: skip
    return conform(chosen, EVENT_COLUMNS, "events")


def _patients(members: pl.DataFrame) -> pl.DataFrame:
    columns = [name for name in PATIENT_COLUMNS if name in members.columns]
    chosen = members.select(
        pl.col(name).cast(TIME) if name.endswith(("_date", "_from")) else name for name in columns
    )
    return conform(chosen, PATIENT_COLUMNS, "patients").sort("patient_id")
