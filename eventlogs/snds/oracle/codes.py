"""The definition's code lists as a table of the user's space, and conditions on columns that hold codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.errors import DefinitionError
from eventlogs.snds.mco import METASTASES
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Section, Statement, union
from eventlogs.snds.oracle.tables import Family

CODES_TABLE = "CODES"

ROWS_PER_INSERT = 200
"""Oracle parses long chains of UNION ALL slowly."""


def codes_of(lists: Mapping[str, pl.DataFrame], system: str) -> list[str]:
    """Return the codes of a system, whatever performs them."""
    frames = [frame for name, frame in lists.items() if name.removesuffix("_ANY") == system]
    return sorted({code for frame in frames for code in frame["code"].to_list()})


def cohort_prefixes(rules: ActivityRules) -> tuple[str, ...]:
    """Return the CIM-10 prefixes that open the cohort.

    Raises
    ------
    DefinitionError
        There are none: everybody would have to be extracted.
    """
    if not rules.cohort.diagnosis:
        raise DefinitionError(
            "the definition asks for no diagnosis, so its SQL would extract everybody; "
            "give [cohort] diagnosis, a list of CIM-10 prefixes"
        )
    return rules.cohort.diagnosis


def needed_prefixes(rules: ActivityRules) -> tuple[str, ...]:
    """Return the CIM-10 prefixes that the reader looks for in associated diagnoses."""
    wanted = [*cohort_prefixes(rules), *METASTASES]
    for system in ("CIM10", "DP"):
        wanted += rules.of_system(system)["code"].to_list()
    return tuple(sorted(set(wanted)))


def code_section(lists: Mapping[str, pl.DataFrame], systems: Iterable[str], portal: Portal) -> Section:
    """Write the code lists into one table: CODE_SYSTEM, CODE."""
    pairs = [(system, compared(code, system)) for system in systems for code in codes_of(lists, system)]
    selects = [f"SELECT '{system}' AS CODE_SYSTEM, '{code}' AS CODE FROM DUAL" for system, code in pairs]
    table = portal.own(CODES_TABLE)
    made = f"CREATE TABLE {table} (CODE_SYSTEM VARCHAR2(10), CODE VARCHAR2(20))"
    filled = [
        Statement(f"INSERT INTO {table} (CODE_SYSTEM, CODE)\n{union(part, every=True)}")
        for part in (
            selects[start : start + ROWS_PER_INSERT] for start in range(0, len(selects), ROWS_PER_INSERT)
        )
    ]
    return Section(
        "1. Code lists",
        "The codes of the definition, as the tables of the SNDS are compared with them.",
        (Statement(made), *filled),
    )


def compared(code: str, system: str) -> str:
    """Return a code as it is compared: the last 7 of a UCD, no leading zeros in biology and devices."""
    if system == "UCD":
        return code[-7:]
    return code.lstrip("0") if system in ("NABM", "LPP") else code


def is_coded(family: Family, alias: str, portal: Portal) -> str:
    """Return the condition that a row's code is in the lists; several code columns: one of them."""
    conditions = [
        f"{shaped} IN (SELECT k.CODE FROM {portal.own(CODES_TABLE)} k WHERE k.CODE_SYSTEM = '{system}')"
        for column, (system, size) in family.code_columns.items()
        for shaped in _shapes(f"{alias}.{column}", system, size)
    ]
    return conditions[0] if len(conditions) == 1 else "(" + "\n       OR ".join(conditions) + ")"


def _shapes(column: str, system: str, size: int) -> list[str]:
    """Return what of a column is compared; a UCD may be written as 34008, its seven characters and a key."""
    text = f"TRIM(TO_CHAR({column}))"
    if size == 0:
        return [f"LTRIM({text}, '0')"]
    whole = f"SUBSTR({text}, 1, {size})" if size > 0 else f"SUBSTR({text}, {size})"
    return [whole, f"SUBSTR({text}, 6, 7)"] if system == "UCD" else [whole]


def begins(column: str, prefixes: Iterable[str]) -> str:
    """Return the condition that a diagnosis, its dots, signs and blanks off, begins with one of the prefixes."""
    bare = f"TRANSLATE({column}, 'A.+* ', 'A')"
    return " OR ".join(f"{bare} LIKE '{prefix}%'" for prefix in prefixes)
