"""Where the SQL runs: which years, whose space, which years are archived, and how raw and own tables are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from eventlogs.errors import InputError

IDENTIFIER_LENGTH = 30
"""Longest name in Oracle before 12.2, and still the rule of many portals."""

FIRST_YEAR, LAST_YEAR = 2006, 2099
"""Years of an SNDS table name."""

MAX_FLUX_MONTHS = 27
"""After this many months of flux nothing more arrives (SNDS documentation)."""

NAME = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class FluxMonth:
    """One month of arrival, and the suffix of the tables that hold it (``""``: the current ones)."""

    day: date
    archive: str

    @property
    def words(self) -> str:
        """The month, and the tables it is read from, in words."""
        where = f"archived tables _{self.archive}" if self.archive else "current tables"
        return f"{self.day:%Y-%m} ({where})"


@dataclass(frozen=True)
class Portal:
    """What a script is written for.

    Parameters
    ----------
    first_year, last_year : int
        Years of care, both included.
    archived : tuple of int
        Years whose claims are in yearly tables (``ER_PRS_F_2018``).
    space : str
        Oracle schema in which the user may write.
    prefix : str
        Of every table that the script makes, up to 8 letters.
    flux_months : int
        Months of arrival read after the last year of care, 0 to 27. With 6, 98 to 99 % of care has arrived
        (SNDS documentation).
    rounds : int
        How often the pseudonyms linked to those known are looked for.

    Raises
    ------
    InputError
        A year, a name or a number can't be.
    """

    first_year: int
    last_year: int
    archived: tuple[int, ...] = ()
    space: str = "ORAUSER"
    prefix: str = "CP_"
    flux_months: int = 6
    rounds: int = 4

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.first_year <= self.last_year <= LAST_YEAR:
            raise InputError(
                f"{self.first_year}-{self.last_year} is no period; give years from {FIRST_YEAR} on, as 2018-2023"
            )
        if not NAME.fullmatch(self.space) or len(self.space) > IDENTIFIER_LENGTH:
            raise InputError(f"'{self.space}' is no Oracle schema; give capital letters, digits and _")
        if not NAME.fullmatch(self.prefix) or len(self.prefix) > 8:
            raise InputError(
                f"'{self.prefix}' is no table prefix; give up to 8 capital letters, digits and _"
            )
        if not 0 <= self.flux_months <= MAX_FLUX_MONTHS:
            raise InputError(f"{self.flux_months} months of flux; give 0 to {MAX_FLUX_MONTHS}, usually 6")
        if self.rounds < 1:
            raise InputError(f"{self.rounds} rounds of pseudonyms; give 1 or more, usually 4")

    @property
    def years(self) -> range:
        """Years of care."""
        return range(self.first_year, self.last_year + 1)

    def own(self, name: str) -> str:
        """Return the full name of a table of the user's space."""
        table = f"{self.prefix}{name}"
        if len(table) > IDENTIFIER_LENGTH:
            raise InputError(f"{table} is longer than {IDENTIFIER_LENGTH} characters; give a shorter prefix")
        return f"{self.space}.{table}"

    def flux(self) -> Iterator[FluxMonth]:
        """Yield the months of arrival to read.

        An archived table of year Y holds the months of Y, and, under 1 January of Y + 1, lines of its December:
        that month is read from both tables (the reader of the second leaves out lines that it shares with the first).
        """
        last = (self.last_year + 1) * 12 + self.flux_months - 1
        for number in range(self.first_year * 12, last + 1):
            day = date(number // 12, number % 12 + 1, 1)
            if day.month == 1 and day.year - 1 in self.archived and day.year > self.first_year:
                yield FluxMonth(day, str(day.year - 1))
            yield FluxMonth(day, str(day.year) if day.year in self.archived else "")


def day_of(day: date) -> str:
    """Return a date as Oracle writes it."""
    return f"TO_DATE('{day:%Y-%m-%d}', 'YYYY-MM-DD')"
