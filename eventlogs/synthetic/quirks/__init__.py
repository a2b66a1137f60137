"""The traps of real extracts, planted on purpose; each can be switched.

`TRAPS` names them all. Some are properties of the data that nothing plants or takes away (`NATURAL`): they are there
whatever is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from eventlogs.synthetic.claims import Claims
from eventlogs.synthetic.quirks import care, drugs, lines, people, stays, written
from eventlogs.synthetic.quirks.draw import People, Rng

TRAPS = (
    "policy_holder", "shared_pseudonym", "fictitious_number", "renewed_pseudonyms", "chaining_error",
    "double_facility", "grouping_error", "special_stay", "provider_stay", "sessions_kept", "grouped_sessions",
    "private_radiotherapy", "drugs_told_twice", "ucd_forms", "molecules_inside_ghs", "information_line", "public_leak",
    "majoration", "regularisation", "flux_month", "freshness", "null_date", "month_only", "ald_versions",
    "ald_is_no_diagnosis", "without_ald", "session_coding", "metastasis_first", "death_sources", "geography",
    "deprivation_overseas", "cip_lengths", "atc_vintages", "misread_acts", "code_typos", "covid", "facility_numbers",
    "unchained_psychiatry", "age_coding",
)  # fmt: skip
"""Names of the traps, in the order of the reference page."""

NATURAL: Mapping[str, str] = {
    "sessions_kept": "every séance of the extract is a stay of GHM 28",
    "molecules_inside_ghs": "sessions of generic molecules have no UCD",
    "without_ald": "8 % of patients have no ALD",
    "deprivation_overseas": "overseas communes have no quintile",
    "atc_vintages": "tables hold CIP and UCD, whose class is a matter of code lists",
    "code_typos": "a matter of code lists",
}
"""Traps that are properties of the data or of code lists: their switch changes nothing, and why."""

PEOPLE: tuple[tuple[str, Callable[[People, Rng, int], People]], ...] = (
    ("renewed_pseudonyms", people.missing_nir),
    ("policy_holder", people.identity_change),
    ("shared_pseudonym", people.twins),
)

CLAIMS: tuple[tuple[str, Callable[[Claims, Rng], Claims]], ...] = (
    ("private_radiotherapy", lines.repeated_fractions),
    ("cip_lengths", lines.short_codes),
    ("drugs_told_twice", drugs.drugs_told_twice),
    ("ucd_forms", drugs.ucd_forms),
    ("information_line", lines.information_lines),
    ("majoration", lines.majorations),
    ("majoration", lines.complementary_lines),
    ("majoration", lines.lines_without_base),
    ("misread_acts", lines.misread_acts),
    ("null_date", lines.blank_dates),
    ("regularisation", lines.cancelled_lines),
    ("public_leak", lines.fides),
    ("regularisation", lines.regularisations),
    ("facility_numbers", lines.full_numbers),
    ("chaining_error", stays.chaining_errors),
    ("month_only", stays.month_only),
    ("metastasis_first", stays.metastasis_first),
    ("double_facility", stays.double_facilities),
    ("grouping_error", stays.grouping_errors),
    ("special_stay", stays.abortions_and_automatic_stays),
    ("provider_stay", stays.provider_stays),
    ("session_coding", stays.untidy_diagnoses),
    ("session_coding", stays.unit_diagnoses),
    ("grouped_sessions", stays.counted_plannings),
)
"""In the order of planting: chaining errors come before the copies of stays, which keep them."""

ABSENT: tuple[tuple[str, Callable[[Claims], Claims]], ...] = (
    ("drugs_told_twice", drugs.told_once),
    ("misread_acts", lines.without_archiving),
)
"""What is taken away where a trap is not asked for."""

TABLES: tuple[tuple[str, Callable[[written.Tables, Rng], written.Tables]], ...] = (
    ("null_date", written.null_dates),
    ("geography", written.overseas_codes),
    ("age_coding", written.age_codes),
    ("unchained_psychiatry", written.unchained_psychiatry),
    ("freshness", written.provisional_file),
    ("flux_month", written.archived_years),
)
"""In the order of writing."""

Stream = Callable[[str], Rng]
"""Gives the random generator of a trap: each has its own, so that a switch changes nothing of the others."""


def in_people(people_: People, planted: frozenset[str], stream: Stream, seed: int) -> People:
    """Plant the traps of identity."""
    for trap, quirk in PEOPLE:
        people_ = quirk(people_, stream(trap), seed) if trap in planted else people_
    return people_


def in_care(events: pl.DataFrame, planted: frozenset[str], stream: Stream) -> pl.DataFrame:
    """Plant the traps of what happened."""
    return care.covid(events, stream("covid")) if "covid" in planted else events


def in_claims(claims: Claims, planted: frozenset[str], stream: Stream) -> Claims:
    """Plant the traps of lines, stays, drugs and external care."""
    for trap, without in ABSENT:
        claims = claims if trap in planted else without(claims)
    streams = {trap: stream(trap) for trap, _ in CLAIMS}
    for trap, quirk in CLAIMS:
        claims = quirk(claims, streams[trap]) if trap in planted else claims
    return claims


def in_tables(tables: written.Tables, planted: frozenset[str], stream: Stream) -> written.Tables:
    """Plant the traps of writing."""
    for trap, quirk in TABLES:
        tables = quirk(tables, stream(trap)) if trap in planted else tables
    return tables
