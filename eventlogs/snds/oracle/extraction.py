"""The SQL of an extraction: persons first, then the rows of these persons that the definition needs.

The tables that it leaves have the columns and the meaning of the SNDS tables they come from, so that `build` reads
them and applies every rule itself: nothing is netted, filtered by status or merged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.snds.oracle import codes, persons
from eventlogs.snds.oracle.persons import PSEUDONYMS, ROUND
from eventlogs.snds.oracle.portal import FluxMonth, Portal, day_of
from eventlogs.snds.oracle.script import Script, Section, Statement, union
from eventlogs.snds.oracle.tables import LINES, STAY_KEYS, Family, families, family
from eventlogs.snds.rows import LINE_KEY

Lists = Mapping[str, pl.DataFrame]


def extraction(
    rules: ActivityRules, lists: Lists, portal: Portal, header: str = "", footer: str = ""
) -> Script:
    """Return the script that extracts what a definition needs.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition; its cohort asks for a diagnosis.
    lists : mapping of str to polars.DataFrame
        The code lists that K1 joins (`eventlogs.snds.codes.code_lists`): a column ``code`` each.
    portal : Portal
        Years, archived years, names.
    header, footer : str
        Comment at the beginning and at the end.

    Raises
    ------
    DefinitionError
        The definition asks for no diagnosis.
    InputError
        A name would be too long.
    """
    chosen = [one for one in families() if _is_needed(one, lists)]
    systems = sorted({system for one in chosen for system, _ in one.code_columns.values()})
    results = tuple(_results(chosen, portal))
    sections = (
        codes.code_section(lists, systems, portal),
        persons.seed_section(rules, portal),
        persons.person_section(portal),
        _referentials(chosen, rules, portal),
        _claims(chosen, portal),
        _stays(chosen, rules, portal),
        _control(results, portal),
    )
    return Script(header, sections, results, footer)


def _is_needed(one: Family, lists: Lists) -> bool:
    """A table whose codes the definition does not name adds nothing; a table that can't be chained has no person."""
    named = [codes.codes_of(lists, system) for system, _ in one.code_columns.values()]
    reached = one.is_lines or one.is_referential or one.chain is not None
    return reached and (any(named) or not named)


def _results(chosen: list[Family], portal: Portal) -> Iterator[tuple[str, str]]:
    for one in chosen:
        names = [one.name] if one.chain is None else [one.of_year(year) for year in portal.years]
        yield from ((portal.own(name), name) for name in names)


def _columns(one: Family, alias: str, year: int) -> str:
    """Return the columns to select, a few on each line."""
    names = [f"{alias}.{name}" for name in one.columns_of(year)]
    lines = [", ".join(names[start : start + 6]) for start in range(0, len(names), 6)]
    return ",\n       ".join(lines)


def _referentials(chosen: list[Family], rules: ActivityRules, portal: Portal) -> Section:
    wanted = [one for one in chosen if one.is_referential]
    return Section(
        "4. Beneficiaries, long-term illnesses, causes of death",
        "Every row of these persons; of long-term illnesses, only those of the cohort.",
        tuple(Statement(_referential(one, rules, portal)) for one in wanted),
    )


def _referential(one: Family, rules: ActivityRules, portal: Portal) -> str:
    if "BEN_NIR_PSA" in one.columns:
        condition = f"b.BEN_NIR_PSA IN (SELECT p.BEN_NIR_PSA FROM {portal.own(PSEUDONYMS)} p)"
    elif "BEN_IDT_ANO" not in one.columns:
        condition = f"b.DCD_IDT_ENC IN (SELECT c.DCD_IDT_ENC FROM {portal.own('KI_CCI_R')} c)"
    else:
        last = portal.own(ROUND.format(portal.rounds))
        condition = f"b.BEN_IDT_ANO IN (SELECT r.BEN_IDT_ANO FROM {last} r WHERE r.BEN_IDT_ANO IS NOT NULL)"
    if "MED_MTF_COD" in one.columns:
        condition += f"\n   AND ({codes.begins('b.MED_MTF_COD', codes.cohort_prefixes(rules))})"
    return (
        f"CREATE TABLE {portal.own(one.name)} AS\n"
        f"SELECT {_columns(one, 'b', portal.last_year)}\n  FROM {one.name} b\n WHERE {condition}"
    )


def _claims(chosen: list[Family], portal: Portal) -> Section:
    details = [one for one in chosen if one.is_lines and one.name != LINES]
    return Section(
        "5. Claims, one flux month after the other",
        "FLX_DIS_DTD is the month of arrival, by which the tables are stored: one month a statement. Of the persons' "
        "lines, all are kept, since the first and the last care, the silence and the residence are read from them; of "
        "the tables joined on nine keys, only the rows whose code is in the lists, and the facility of each line.",
        (*_empty(details, portal), *_months(details, portal)),
    )


def _empty(details: list[Family], portal: Portal) -> Iterator[Statement]:
    for one in (family(LINES), *details):
        yield Statement(
            f"CREATE TABLE {portal.own(one.name)} AS\n"
            f"SELECT {_columns(one, 'd', portal.last_year)}\n  FROM {one.name} d\n WHERE 1 = 0",
            f"{one.name}, empty, with its columns.",
        )


def _months(details: list[Family], portal: Portal) -> Iterator[Statement]:
    for month in portal.flux():
        yield Statement(_lines(month, portal), f"Flux month {month.words}: the persons' lines.")
        for one in details:
            yield Statement(_detail(one, month, portal), f"Flux month {month.words}: {one.name}.")


def _lines(month: FluxMonth, portal: Portal) -> str:
    lines = family(LINES)
    return (
        f"INSERT INTO {portal.own(LINES)}\n"
        f"SELECT {_columns(lines, 'd', portal.last_year)}\n"
        f"  FROM {_dated(LINES, month)} d\n"
        f"  JOIN {portal.own(PSEUDONYMS)} p ON p.BEN_NIR_PSA = d.BEN_NIR_PSA\n"
        f" WHERE d.FLX_DIS_DTD = {day_of(month.day)}\n"
        f"   AND d.EXE_SOI_DTD >= TO_DATE('{portal.first_year}-01-01', 'YYYY-MM-DD')\n"
        f"   AND d.EXE_SOI_DTD < TO_DATE('{portal.last_year + 1}-01-01', 'YYYY-MM-DD')"
        f"{_not_again(LINES, month, portal)}"
    )


def _dated(name: str, month: FluxMonth) -> str:
    return f"{name}_{month.archive}" if month.archive else name


def _not_again(name: str, month: FluxMonth, portal: Portal) -> str:
    """Return the condition that leaves out lines of January that the archive of the year before gave already."""
    if month.day.month != 1 or month.day.year - 1 not in portal.archived:
        return ""
    if month.day.year == portal.first_year or month.archive == str(month.day.year - 1):
        return ""
    same = " AND ".join(f"x.{key} = d.{key}" for key in LINE_KEY)
    return f"\n   AND NOT EXISTS (SELECT 1 FROM {portal.own(name)} x WHERE {same})"


def _detail(one: Family, month: FluxMonth, portal: Portal) -> str:
    on = "\n   AND ".join(f"p.{key} = d.{key}" for key in LINE_KEY)
    coded = f"\n   AND {codes.is_coded(one, 'd', portal)}" if one.code_columns else ""
    return (
        f"INSERT INTO {portal.own(one.name)}\n"
        f"SELECT {_columns(one, 'd', portal.last_year)}\n"
        f"  FROM {_dated(one.name, month)} d\n"
        f"  JOIN {portal.own(LINES)} p\n    ON {on}\n"
        f" WHERE d.FLX_DIS_DTD = {day_of(month.day)}{coded}"
        f"{_not_again(one.name, month, portal)}"
    )


def _stays(chosen: list[Family], rules: ActivityRules, portal: Portal) -> Section:
    hospital = [one for one in chosen if one.chain is not None]
    chains = [one for one in hospital if one.name in STAY_KEYS]
    others = [one for one in hospital if one.name not in STAY_KEYS]
    statements = [
        Statement(_chained(one, year, portal) if one in chains else _joined(one, year, rules, portal), "")
        for year in portal.years
        for one in (*chains, *others)
    ]
    return Section(
        "6. Hospital, one year of discharge after the other",
        "First the chaining tables of these persons, then what belongs to the stays and visits found: all of them for "
        "stays and units, only the acts, medicines and associated diagnoses of the lists. Return codes, double "
        "facilities, grouping errors and stays given for another hospital are left to the reader.",
        tuple(statements),
    )


def _chained(one: Family, year: int, portal: Portal) -> str:
    table = one.of_year(year)
    return (
        f"CREATE TABLE {portal.own(table)} AS\n"
        f"SELECT {_columns(one, 'd', year)}\n  FROM {table} d\n"
        f" WHERE d.NIR_ANO_17 IN (SELECT p.BEN_NIR_PSA FROM {portal.own(PSEUDONYMS)} p)"
    )


def _joined(one: Family, year: int, rules: ActivityRules, portal: Portal) -> str:
    table, chain = one.of_year(year), str(one.chain)
    same = " AND ".join(f"c.{key} = d.{key}" for key in STAY_KEYS[chain])
    wanted = f"EXISTS (SELECT 1 FROM {portal.own(family(chain).of_year(year))} c WHERE {same})"
    if one.code_columns:
        wanted += f"\n   AND {codes.is_coded(one, 'd', portal)}"
    if one.associated:
        wanted += f"\n   AND ({codes.begins(f'd.{one.associated}', codes.needed_prefixes(rules))})"
    return (
        f"CREATE TABLE {portal.own(table)} AS\n"
        f"SELECT {_columns(one, 'd', year)}\n  FROM {table} d\n WHERE {wanted}"
    )


def _control(results: tuple[tuple[str, str], ...], portal: Portal) -> Section:
    last = portal.own(ROUND.format(portal.rounds))
    more = (
        f"SELECT COUNT(*) AS LINKED_BUT_LEFT_OUT\n  FROM (\n{persons.next_round(last)}\nMINUS\n"
        f"SELECT r.BEN_NIR_PSA, r.BEN_NIR_ANO, r.BEN_IDT_ANO FROM {last} r)"
    )
    sizes = [f"SELECT '{name}' AS RESULT_TABLE, COUNT(*) AS N_ROWS FROM {table}" for table, name in results]
    return Section(
        "7. Controls",
        "Look at both before exporting. These counts are for you: they do not leave the environment.",
        (
            Statement(more, "Must be 0; else write the script again with more --rounds."),
            Statement(union(sizes, every=True), "Rows of each table to export."),
        ),
    )
