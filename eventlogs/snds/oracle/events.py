"""The events of the cohort in SQL, one a person, activity and day: the readers' core, for results that leave as counts.

What is done here is what the readers do with the same tables: claims are netted, stays filtered, sessions placed,
acts told twice merged, and the cohort entered. `READ` says which tables tell an event; others don't, which the
imported study says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.errors import DefinitionError
from eventlogs.snds.chaining import FICTITIOUS, RETURN_CODES, doubles
from eventlogs.snds.mco import ABORTION, MCO, METASTASES, PREPARATIONS, PROVIDER_SESSIONS
from eventlogs.snds.oracle.codes import begins, cohort_prefixes
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Section, Statement, union
from eventlogs.snds.oracle.tables import family
from eventlogs.snds.oracle.templates import sections
from eventlogs.snds.rows import LINE_KEY

READ = (
    "IR_BEN_R", "IR_BEN_R_ARC", "IR_IMB_R", "KI_CCI_R", "ER_PRS_F", "ER_CAM_F", "ER_PHA_F", "ER_UCD_F", "ER_BIO_F",
    "ER_TIP_F", "ER_ETE_F", "T_MCOaaB", "T_MCOaaC", "T_MCOaaA", "T_MCOaaD", "T_MCOaaUM",
)  # fmt: skip
"""Tables that tell something in an aggregate extraction."""

UCD7 = (
    "CASE WHEN TRIM(TO_CHAR(d.UCD_UCD_COD)) LIKE '34008___%' THEN SUBSTR(TRIM(TO_CHAR(d.UCD_UCD_COD)), 6, 7) "
    "ELSE SUBSTR(TRIM(TO_CHAR(d.UCD_UCD_COD)), -7) END"
)
"""The seven characters of a UCD written on 7, on 13 (zeros first), or as 34008, the 7 and perhaps a key."""

SWITCHES = (
    "fictitious_numbers",
    "double_facilities",
    "double_facilities_until",
    "death_order",
    "infer_regimens",
)
"""Switches that the counted events follow, or that change nothing in them; the others stand at their defaults."""

SYSTEMS = ("CCAM", "CIP13", "CIP7", "UCD", "NABM", "LPP", "PRS_NAT", "GHM", "DP", "CIM10")

ROWS_PER_INSERT = 200

MONTH_SPAN_DAYS = 27
"""Days over which the sessions of a stay dated by its month are placed, as the readers do."""

REAL_NUMBERS = ("00", "03", "04")
"""BEN_CDI_NIR of numbers that stand for a person."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""One a milestone, in the order of the definition."""


@dataclass(frozen=True)
class Detail:
    """A table joined to the lines on nine keys: its codes, its quantity, and which of its rows count."""

    table: str
    system: str
    code: str
    quantity: str
    condition: str = ""


DETAILS = (
    Detail(
        "ER_CAM_F",
        "CCAM",
        "SUBSTR(TRIM(d.CAM_PRS_IDE), 1, 7)",
        "l.PRS_ACT_QTE",
        "NVL(d.CAM_ACT_COD, '1') = '1'",
    ),
    Detail("ER_PHA_F", "CIP13", "TRIM(TO_CHAR(d.PHA_PRS_C13))", "d.PHA_ACT_QSN * a.UNITS"),
    Detail(
        "ER_PHA_F",
        "CIP7",
        "TRIM(TO_CHAR(d.PHA_PRS_IDE))",
        "d.PHA_ACT_QSN * a.UNITS",
        "NVL(LENGTH(TRIM(TO_CHAR(d.PHA_PRS_C13))), 0) <> 13",
    ),
    Detail("ER_UCD_F", "UCD", UCD7, "d.UCD_DLV_NBR"),
    Detail("ER_BIO_F", "NABM", "LTRIM(TRIM(TO_CHAR(d.BIO_PRS_IDE)), '0')", "d.BIO_ACT_QSN"),
    Detail("ER_TIP_F", "LPP", "LTRIM(TRIM(TO_CHAR(d.TIP_PRS_IDE)), '0')", "d.TIP_ACT_QSN"),
)


@dataclass(frozen=True)
class Words:
    """What the definition says of its activities.

    Parameters
    ----------
    phases : mapping of str to str
        Phase by activity.
    milestones : sequence of str
        Phases whose sequence is counted.
    """

    phases: Mapping[str, str]
    milestones: Sequence[str]

    def letter(self, activity: str) -> str | None:
        """Return the letter of an activity's milestone."""
        phase = self.phases[activity]
        return LETTERS[list(self.milestones).index(phase)] if phase in self.milestones else None


def event_sections(
    rules: ActivityRules,
    lists: Mapping[str, pl.DataFrame],
    words: Words,
    extracted: Iterable[str],
    portal: Portal,
) -> tuple[Section, ...]:
    """Return the sections that make the table EVENTS of the tables that the extraction made.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition.
    lists : mapping of str to polars.DataFrame
        The code lists that K1 joins, with their activities.
    words : Words
        Phases and milestones.
    extracted : iterable of str
        Families that the extraction made.
    portal : Portal
        Years and names.

    Raises
    ------
    DefinitionError
        More milestones than letters.
    """
    if len(words.milestones) > len(LETTERS):
        raise DefinitionError(
            f"the definition has {len(words.milestones)} milestones; name {len(LETTERS)} or fewer"
        )
    there = set(extracted) & set(READ)
    values = {
        **_persons(portal),
        **_claims(there, portal),
        **_stays(rules, there, portal),
        **_cohort(rules, there, portal),
    }
    return (_meanings(rules, lists, words, portal), *sections("events.sql", values))


def _meanings(
    rules: ActivityRules, lists: Mapping[str, pl.DataFrame], words: Words, portal: Portal
) -> Section:
    made = Statement(
        f"CREATE TABLE {portal.own('ACTIVITIES')} (\n"
        "  CODE_SYSTEM VARCHAR2(10), CODE VARCHAR2(20), SPECIALTY INTEGER, UNITS INTEGER, ACTIVITY VARCHAR2(60)\n)"
    )
    selects = [
        f"SELECT '{system}' AS CODE_SYSTEM, '{_stripped(code, system)}' AS CODE, {_number(specialty)} AS SPECIALTY, "
        f"{_number(units)} AS UNITS, '{activity}' AS ACTIVITY FROM DUAL"
        for system in SYSTEMS
        for code, specialty, units, activity in _codes(lists, system)
    ]
    filled = [
        Statement(
            f"INSERT INTO {portal.own('ACTIVITIES')}\n{union(selects[at : at + ROWS_PER_INSERT], every=True)}"
        )
        for at in range(0, len(selects), ROWS_PER_INSERT)
    ]
    placed = [_word(rules, words, activity) for activity in words.phases]
    ordered = Statement(
        f"CREATE TABLE {portal.own('WORDS')} AS\n{union(placed, every=True)}",
        "Phase of each activity, its place inside a day, and the letter of its milestone.",
    )
    return Section("8. Activities", "What each code of the definition means.", (made, *filled, ordered))


def _codes(lists: Mapping[str, pl.DataFrame], system: str) -> Iterator[tuple[str, int | None, int, str]]:
    for name in (system, f"{system}_ANY"):
        for row in lists[name].sort("code", "activity").to_dicts() if name in lists else ():
            yield row["code"], row.get("specialty"), row.get("units") or 1, row["activity"]


def _stripped(code: str, system: str) -> str:
    return code.lstrip("0") if system in ("NABM", "LPP") else code


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def _word(rules: ActivityRules, words: Words, activity: str) -> str:
    order = list(rules.within_day)
    place = order.index(activity) if activity in order else len(order)
    letter = words.letter(activity)
    told = f"'{letter}'" if letter else "NULL"
    return (
        f"SELECT '{activity}' AS ACTIVITY, '{words.phases[activity]}' AS PHASE, {place} AS PLACE, "
        f"CAST({told} AS VARCHAR2(1)) AS LETTER FROM DUAL"
    )


def quoted(values: Iterable[str]) -> str:
    """Return texts as a list of SQL."""
    return ", ".join(f"'{value}'" for value in values)


def _persons(portal: Portal) -> dict[str, object]:
    has_kind = "BEN_CDI_NIR" in family("IR_BEN_R").columns
    real = f"CASE WHEN LPAD(NVL(b.BEN_CDI_NIR, '00'), 2, '0') IN ({quoted(REAL_NUMBERS)}) THEN 1 ELSE 0 END"
    return {
        "own": f"{portal.space}.{portal.prefix}",
        "fictitious": quoted(FICTITIOUS),
        "rounds": portal.rounds,
        "label_rounds": "\n;\n\n".join(_label_round(number, portal) for number in range(1, portal.rounds + 1))
        + "\n;",
        "number_column": ", b.BEN_CDI_NIR" if has_kind else "",
        "real_number": real if has_kind else "1",
    }


def _label_round(number: int, portal: Portal) -> str:
    def smallest(column: str) -> str:
        return f"CASE WHEN l.{column} IS NULL THEN l.PERSON ELSE MIN(l.PERSON) OVER (PARTITION BY l.{column}) END"

    return (
        f"CREATE TABLE {portal.own(f'LABEL_{number}')} AS\n"
        "SELECT l.BEN_NIR_PSA, l.BEN_RNG_GEM, l.BEN_NIR_ANO, l.BEN_IDT_ANO,\n"
        "       LEAST(\n"
        "         MIN(l.PERSON) OVER (PARTITION BY l.BEN_NIR_PSA, l.BEN_RNG_GEM),\n"
        f"         {smallest('BEN_NIR_ANO')},\n"
        f"         {smallest('BEN_IDT_ANO')}\n"
        "       ) AS PERSON\n"
        f"  FROM {portal.own(f'LABEL_{number - 1}')} l"
    )


def _claims(there: set[str], portal: Portal) -> dict[str, object]:
    details = (_detail(one, portal) for one in DETAILS if one.table in there)
    return {
        "same_line": " AND ".join(f"e.{key} = p.{key}" for key in LINE_KEY),
        "details": "\n;\n\n".join(details) + "\n;",
    }


def _detail(one: Detail, portal: Portal) -> str:
    same = " AND ".join(f"l.{key} = d.{key}" for key in LINE_KEY)
    condition = f"\n WHERE {one.condition}" if one.condition else ""
    return (
        f"INSERT INTO {portal.own('CODED_LINES')} (PERSON, ACTIVITY, SOURCE_TABLE, CODE, CARE_DAY, QUANTITY)\n"
        f"SELECT l.PERSON, a.ACTIVITY, '{one.table}', a.CODE, l.CARE_DAY, NVL({one.quantity}, 1)\n"
        f"  FROM {portal.own(one.table)} d\n"
        f"  JOIN {portal.own('KEPT_LINES')} l\n    ON {same}\n"
        f"  JOIN {portal.own('ACTIVITIES')} a ON a.CODE_SYSTEM = '{one.system}' AND a.CODE = {one.code}{condition}"
    )


def _stays(rules: ActivityRules, there: set[str], portal: Portal) -> dict[str, object]:
    digits = " UNION ALL ".join(f"SELECT {n} AS N FROM DUAL" for n in range(10))
    return {
        "stays": union((_stay(year, rules, portal) for year in portal.years), every=True),
        "diagnoses": union(_diagnoses(there, portal), every=True),
        "acts": union((_acts(year, portal) for year in portal.years), every=True),
        "digits": digits,
        "bare_stays": _bare_stays(rules, portal),
        "deaths": _deaths(rules, there, portal),
    }


def _bare(column: str) -> str:
    return f"TRANSLATE({column}, 'A.+* ', 'A')"


def _read_day(column: str) -> str:
    return f"CASE WHEN LENGTH(TRIM({column})) = 8 THEN TO_DATE({column}, 'DDMMYYYY') END"


def _stay(year: int, rules: ActivityRules, portal: Portal) -> str:
    """Return the stays of a year that count, dated by their entry, else by the month of discharge."""
    b, c = family("T_MCOaaB"), family("T_MCOaaC")
    codes = [f"NVL(c.{name}, '0') = '0'" for name in RETURN_CODES if name in c.columns_of(year)]
    month = (
        f"CASE WHEN b.SOR_MOI IS NOT NULL THEN TO_DATE(TO_CHAR(NVL(b.SOR_ANN, {year})) || '-' || "
        "LPAD(TRIM(TO_CHAR(b.SOR_MOI)), 2, '0') || '-01', 'YYYY-MM-DD') END"
    )
    entry, leave = _read_day("c.ENT_DAT"), _read_day("c.SOR_DAT")
    single = f"b.GRG_GHM IN ({quoted(PREPARATIONS)}) OR NVL(b.NBR_SEA, 0) < 1"
    kept = f"b.GRG_GHM IS NULL OR SUBSTR(b.GRG_GHM, 1, 5) IN ({quoted(PROVIDER_SESSIONS)})"
    single_report = _reports_once(year, rules)
    return (
        f"SELECT '{year}' AS AA, b.ETA_NUM, b.RSA_NUM, k.PERSON, b.GRG_GHM AS GHM, b.SOR_MOD,\n"
        f"       NVL({entry},\n           {month}) AS ENTRY,\n"
        f"       {leave} AS DISCHARGE,\n"
        f"       CASE WHEN c.ENT_DAT IS NULL THEN 1 ELSE 0 END AS BY_MONTH,\n"
        f"       CASE WHEN c.ENT_DAT IS NULL THEN {MONTH_SPAN_DAYS} ELSE NVL({leave} - {entry}, 0) END AS SPAN_DAYS,\n"
        f"       CASE WHEN {single} THEN 1 ELSE b.NBR_SEA END AS N_SESSIONS,\n"
        f"       {_bare('b.DGN_PAL')} AS DGN_PAL, {_bare('b.DGN_REL')} AS DGN_REL\n"
        f"  FROM {portal.own(b.of_year(year))} b\n"
        f"  JOIN {portal.own(c.of_year(year))} c ON c.ETA_NUM = b.ETA_NUM AND c.RSA_NUM = b.RSA_NUM\n"
        f"  JOIN {portal.own('CHAIN')} k ON k.BEN_NIR_PSA = c.NIR_ANO_17\n"
        f" WHERE {' AND '.join(codes)}\n"
        f"   AND c.NIR_ANO_17 NOT IN ({quoted(FICTITIOUS)})\n"
        f"   AND NVL(b.GRG_GHM, '-') NOT LIKE '90%' AND NVL(b.GRG_GHM, '-') <> '{ABORTION}'\n"
        f"   AND (NVL(b.SEJ_TYP, '-') <> 'B' OR {kept}){single_report}"
    )


def _reports_once(year: int, rules: ActivityRules) -> str:
    """Return the condition that leaves out the hospitals that report under two numbers, in the years when they did."""
    practice = rules.practice
    if practice.double_facilities == "keep" or year > practice.double_facilities_until:
        return ""
    sites = doubles(practice.double_facilities, MCO.doubled)
    return f"\n   AND b.ETA_NUM NOT IN ({quoted(sites)})"


POSITION = "s.AA, s.ETA_NUM, s.RSA_NUM, s.PERSON, s.ENTRY AS CARE_DAY, s.GHM"
"""What a diagnosis has of its stay."""


def _diagnoses(there: set[str], portal: Portal) -> Iterator[str]:
    for column, principal in (("DGN_PAL", 1), ("DGN_REL", 0)):
        yield (
            f"SELECT {POSITION}, s.{column} AS DIAGNOSIS, {principal} AS IS_PRINCIPAL, 1 AS IS_RELATED\n"
            f"  FROM {portal.own('STAYS')} s\n WHERE s.{column} IS NOT NULL"
        )
    spread = f"CASE WHEN {begins('s.DGN_PAL', METASTASES)} THEN 1 ELSE 0 END"
    columns = (("T_MCOaaUM", "DGN_PAL", "1"), ("T_MCOaaUM", "DGN_REL", "1"), ("T_MCOaaD", "ASS_DGN", spread))
    for year in portal.years:
        yield from (_diagnosis(*found, year, portal) for found in columns if found[0] in there)


def _diagnosis(name: str, column: str, related: str, year: int, portal: Portal) -> str:
    return (
        f"SELECT {POSITION}, {_bare(f'd.{column}')} AS DIAGNOSIS, 0 AS IS_PRINCIPAL, {related} AS IS_RELATED\n"
        f"  FROM {portal.own(family(name).of_year(year))} d\n"
        f"  JOIN {portal.own('STAYS')} s ON s.AA = '{year}' AND s.ETA_NUM = d.ETA_NUM AND s.RSA_NUM = d.RSA_NUM\n"
        f" WHERE d.{column} IS NOT NULL"
    )


def _acts(year: int, portal: Portal) -> str:
    return (
        "SELECT s.AA, s.ETA_NUM, s.RSA_NUM, s.PERSON, a.ACTIVITY,\n"
        "       s.ENTRY + CASE WHEN s.BY_MONTH = 1 THEN 0 ELSE CAST(NVL(d.ENT_DAT_DEL, 0) AS INTEGER) END AS CARE_DAY\n"
        f"  FROM {portal.own(family('T_MCOaaA').of_year(year))} d\n"
        f"  JOIN {portal.own('STAYS')} s ON s.AA = '{year}' AND s.ETA_NUM = d.ETA_NUM AND s.RSA_NUM = d.RSA_NUM\n"
        f"  JOIN {portal.own('ACTIVITIES')} a ON a.CODE_SYSTEM = 'CCAM' AND a.CODE = SUBSTR(TRIM(d.CDC_ACT), 1, 7)\n"
        " WHERE NVL(d.ACV_ACT, '1') = '1'"
    )


def _bare_stays(rules: ActivityRules, portal: Portal) -> str:
    """Return full stays for the disease that tell nothing else, as one more part of the union."""
    activity = rules.derived.get("stay_without_other_event")
    if activity is None:
        return ""
    return (
        f"\nUNION\nSELECT d.PERSON, '{activity}', d.CARE_DAY\n  FROM {portal.own('DIAGNOSES')} d\n"
        f" WHERE d.IS_RELATED = 1 AND ({begins('d.DIAGNOSIS', cohort_prefixes(rules))})\n"
        "   AND NVL(d.GHM, '-') NOT LIKE '28%' AND d.CARE_DAY IS NOT NULL\n"
        f"   AND NOT EXISTS (SELECT 1 FROM {portal.own('HOSPITAL')} h\n"
        "                    WHERE h.AA = d.AA AND h.ETA_NUM = d.ETA_NUM AND h.RSA_NUM = d.RSA_NUM)"
    )


def _deaths(rules: ActivityRules, there: set[str], portal: Portal) -> str:
    """Return one death a person, as one more part of the union: the first teller in the order of the definition."""
    activity = rules.derived.get("death")
    if activity is None:
        return ""
    tellers = {
        "causes": (
            f"SELECT l.PERSON, c.BEN_DCD_DTE AS DEATH_DAY FROM {portal.own('KI_CCI_R')} c "
            f"JOIN {portal.own(f'LABEL_{portal.rounds}')} l ON l.BEN_IDT_ANO = c.BEN_IDT_ANO"
        ),
        "beneficiaries": f"SELECT p.PERSON, p.DEATH_DAY FROM {portal.own('PEOPLE')} p WHERE p.DEATH_DAY IS NOT NULL",
        "stays": f"SELECT s.PERSON, s.DISCHARGE AS DEATH_DAY FROM {portal.own('STAYS')} s WHERE s.SOR_MOD = '9'",
    }
    asked = [name for name in rules.practice.death_order if name != "causes" or "KI_CCI_R" in there]
    told = "\n        UNION ALL ".join(
        f"SELECT t.PERSON, t.DEATH_DAY, {place} AS PLACE FROM ({tellers[name]}) t"
        for place, name in enumerate(asked)
    )
    return (
        f"\nUNION\nSELECT x.PERSON, '{activity}', x.DEATH_DAY\n  FROM (\n"
        "        SELECT y.PERSON, y.DEATH_DAY,\n"
        "               ROW_NUMBER() OVER (PARTITION BY y.PERSON ORDER BY y.PLACE, y.DEATH_DAY) AS N\n"
        f"          FROM (\n        {told}\n               ) y\n"
        "         WHERE y.DEATH_DAY IS NOT NULL\n       ) x\n WHERE x.N = 1"
    )


def _cohort(rules: ActivityRules, there: set[str], portal: Portal) -> dict[str, object]:
    cohort = rules.cohort
    lookback = (
        "" if cohort.lookback_days is None else f"\n WHERE f.CARE_DAY >= m.INDEX_DAY - {cohort.lookback_days}"
    )
    return {
        "opened": _opened(rules, portal),
        "index_days": _index_days(rules, portal),
        "near_diagnosis": _near_diagnosis(rules, portal),
        "diagnosis_in": quoted(cohort.diagnosis_in),
        "conditions": "".join(f"\n   AND {condition}" for condition in _conditions(rules, portal)),
        "lookback": lookback,
    }


def _opened(rules: ActivityRules, portal: Portal) -> str:
    prefixes = cohort_prefixes(rules)
    return (
        "SELECT d.PERSON, d.CARE_DAY, 'stay' AS SOURCE_KIND\n"
        f"  FROM {portal.own('DIAGNOSES')} d\n WHERE {begins('d.DIAGNOSIS', prefixes)}\n"
        "UNION ALL\n"
        "SELECT k.PERSON, CASE WHEN i.IMB_ALD_DTD > TO_DATE('1700-01-01', 'YYYY-MM-DD') THEN i.IMB_ALD_DTD END, 'ald'\n"
        f"  FROM {portal.own('IR_IMB_R')} i\n"
        f"  JOIN {portal.own('LINKS')} k ON k.BEN_NIR_PSA = i.BEN_NIR_PSA AND k.BEN_RNG_GEM = i.BEN_RNG_GEM\n"
        f" WHERE i.IMB_ETM_NAT IN (41, 43, 45) AND NVL(i.MED_NCL_IDT, 'CIM10') = 'CIM10'\n"
        f"   AND ({begins('i.MED_MTF_COD', prefixes)})"
    )


def _index_days(rules: ActivityRules, portal: Portal) -> str:
    cohort = rules.cohort
    words = {
        "index_activities": cohort.index_activities,
        "first_treatment": cohort.treatments,
        "biopsy_or_endoscopy": cohort.diagnostics,
    }
    kinds = {"ald": "ald", "first_stay": "stay"}
    selects = [
        f"SELECT o.PERSON, o.CARE_DAY FROM {portal.own('OPENED')} o WHERE o.SOURCE_KIND = '{kinds[name]}'"
        if name in kinds
        else _among(words[name], name, portal)
        for name in cohort.index
    ]
    return union((f"        {select}" for select in selects), every=True)


def _near_diagnosis(rules: ActivityRules, portal: Portal) -> str:
    """Return the condition that leaves out days long before the first diagnosis, where the definition asks."""
    days = rules.cohort.near_diagnosis_days
    if days is None:
        return ""
    return (
        "\n  LEFT JOIN (SELECT o.PERSON, MIN(o.CARE_DAY) AS FIRST_DAY\n"
        f"               FROM {portal.own('OPENED')} o GROUP BY o.PERSON) g\n"
        f"    ON g.PERSON = x.PERSON\n WHERE g.FIRST_DAY IS NULL OR x.CARE_DAY >= g.FIRST_DAY - {days}"
    )


def _among(activities: Sequence[str], strategy: str, portal: Portal) -> str:
    chosen = f" WHERE f.ACTIVITY IN ({quoted(activities)})"
    every = strategy == "index_activities" and not activities
    return f"SELECT f.PERSON, f.CARE_DAY FROM {portal.own('FOUND')} f{'' if every else chosen}"


def _conditions(rules: ActivityRules, portal: Portal) -> Iterator[str]:
    """Yield what else a person must satisfy, with the index in ``i`` and the person in ``p``."""
    cohort = rules.cohort
    if rules.practice.fictitious_numbers == "leave_out":
        yield "p.REAL_NUMBER = 1"
    if cohort.washout_days is not None:
        yield (
            f"NOT EXISTS (SELECT 1 FROM ({_earlier(cohort.treatments, portal)}) e\n"
            f"                    WHERE e.PERSON = i.PERSON AND e.CARE_DAY < i.INDEX_DAY - {cohort.washout_days})"
        )
    if cohort.sex is not None:
        yield f"p.SEX_CODE = {1 if cohort.sex == 'M' else 2}"
    age = "EXTRACT(YEAR FROM i.INDEX_DAY) - p.BIRTH_YEAR"
    if cohort.min_age is not None:
        yield f"(p.BIRTH_YEAR IS NULL OR {age} >= {cohort.min_age})"
    if cohort.max_age is not None:
        yield f"(p.BIRTH_YEAR IS NULL OR {age} <= {cohort.max_age})"
    if cohort.index_from is not None:
        yield f"i.INDEX_DAY >= TO_DATE('{cohort.index_from:%Y-%m-%d}', 'YYYY-MM-DD')"
    if cohort.index_until is not None:
        yield f"i.INDEX_DAY <= TO_DATE('{cohort.index_until:%Y-%m-%d}', 'YYYY-MM-DD')"


def _earlier(treatments: Sequence[str], portal: Portal) -> str:
    """Return diagnoses and treatments: who has one long before the index is a prevalent case."""
    opened = f"SELECT o.PERSON, o.CARE_DAY FROM {portal.own('OPENED')} o"
    if not treatments:
        return opened
    treated = (
        f"SELECT f.PERSON, f.CARE_DAY FROM {portal.own('FOUND')} f WHERE f.ACTIVITY IN ({quoted(treatments)})"
    )
    return f"{opened} UNION ALL {treated}"
