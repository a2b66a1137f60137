"""Code lists → activities: what a definition asks of the tables, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import polars as pl

from eventlogs.practice import Practice

CODE_SYSTEMS = ("CCAM", "GHM", "DP", "CIM10", "ATC", "CIP13", "UCD", "PRS_NAT", "NABM", "LPP", "PEC", "NGAP")
"""What a code list may be written in.

``DP``: principal diagnosis of a stay; ``CIM10``: diagnosis in any position of a stay; ``PRS_NAT``: nature of
service, with the specialties that perform it; ``NGAP``: act of external hospital care (ACT_COD);
``NABM``: biology; ``LPP``: devices; ``PEC``: main or associated mode of care at home (HAD). ``ATC``, of either
vintage, is translated to ``CIP13``, ``CIP7`` and ``UCD`` by the medicines tables.
"""

CODE_SHAPES = {
    "CCAM": r"[A-Z]{4}\d{3}",
    "GHM": r"\d{2}[A-Z]\d{2}[0-9A-Z]",
    "DP": r"[A-Z]\d{2}\d{0,3}",
    "CIM10": r"[A-Z]\d{2}\d{0,3}",
    "ATC": r"[A-Z]\d{2}[A-Z]{2}\d{2}",
    "CIP13": r"\d{13}",
    "UCD": r"\d{7}|\d{13}",
    "PRS_NAT": r"\d{4}",
    "NABM": r"\d{4}",
    "LPP": r"\d{7}",
    "PEC": r"\d{2}",
    "NGAP": r"[A-Z][A-Z0-9]{0,4}",
}
"""What a code of each system looks like (regular expressions, whole code); CIM-10 without its dot."""

PREFIX_SYSTEMS = ("DP", "CIM10")
"""Systems whose codes are prefixes."""

DERIVED = ("death", "stay_without_other_event")
"""Activities that no code names: they are derived from several tables."""

CODE_COLUMNS = {
    "code_system": pl.String,
    "code": pl.String,
    "specialty": pl.Int32,
    "activity": pl.String,
}


PALLIATIVE = "palliative_care"
"""Activity whose first event is the exit of that name."""

IndexStrategy = Literal["index_activities", "first_treatment", "biopsy_or_endoscopy", "ald", "first_stay"]
"""Which event is the index: the first of the named activities, of those with role ``treatment``, of those with role
``diagnostic``; the beginning of the ALD; the entry of the first stay for the disease."""

Exit = Literal["death", "palliative_care", "scheme_exit", "abroad"]
"""Why a patient leaves observation."""


@dataclass(frozen=True)
class CohortRules:
    """Who enters, when, and why they leave.

    Parameters
    ----------
    diagnosis : tuple of str
        CIM-10 prefixes of the cohort; empty: no diagnosis is asked for.
    diagnosis_in : tuple of {'stay', 'ald'}
        Where a diagnosis counts.
    index : tuple of IndexStrategy
        The earliest of these is the index date.
    index_activities : tuple of str
        For the strategy of that name; empty: any event.
    near_diagnosis_days : int or None
        An event earlier than this before the first diagnosis (stay or ALD) can't be the index: the negative
        colonoscopy of three years ago found nothing. None: any event can.
    treatments, diagnostics : tuple of str
        Activities with that role in the definition.
    lookback_days : int or None
        Events earlier than this before the index are left out; None keeps all.
    washout_days : int or None
        A person diagnosed, or treated, more than this before the index is a prevalent case and does not enter.
    min_age, max_age : int or None
        Age at index in years, from the year of birth; a person without one enters.
    sex : str or None
        ``M`` or ``F``: only these enter.
    index_from, index_until : datetime.date or None
        Only persons whose index lies in this period enter, both days included.
    exits : tuple of Exit
        What ends the observation.
    silence_days : int
        A living person without reimbursed care of any kind for this long before the horizon has left the scheme
        (a proxy: claims don't say so), on the day of the last care.
    """

    diagnosis: tuple[str, ...] = ()
    diagnosis_in: tuple[Literal["stay", "ald"], ...] = ("stay", "ald")
    index: tuple[IndexStrategy, ...] = ("index_activities",)
    index_activities: tuple[str, ...] = ()
    near_diagnosis_days: int | None = None
    treatments: tuple[str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    lookback_days: int | None = None
    washout_days: int | None = None
    min_age: int | None = None
    max_age: int | None = None
    sex: str | None = None
    index_from: date | None = None
    index_until: date | None = None
    exits: tuple[Exit, ...] = ("death",)
    silence_days: int = 730


EraKind = Literal["course", "cycle", "stay", "supply"]
"""How events are merged into an era: see `EraRule`."""


@dataclass(frozen=True)
class EraRule:
    """How events of some activities are merged into one: a course, a cycle, a merged stay, an exposure.

    Parameters
    ----------
    id : str
        Name of the era (``radiotherapy_course``).
    activities : tuple of str
        What is merged.
    kind : {'course', 'cycle', 'stay', 'supply'}
        *course*: events not more than ``gap_days`` apart. *cycle*: events less than ``gap_days`` after the first of
        the cycle. *stay*: stays that begin at most ``gap_days`` after the end of the one before. *supply*: dispensings
        whose supply (``quantity`` × ``days_per_unit``) ends at most ``gap_days`` before the next.
    gap_days : int
        The permissible gap.
    days_per_unit : float or None
        For supplies: days that one unit lasts.
    source : str
        Where the gap comes from.
    """

    id: str
    activities: tuple[str, ...]
    kind: EraKind
    gap_days: int
    days_per_unit: float | None = None
    source: str = ""


Attribution = Literal[
    "last_treating_facility", "first_treating_facility", "most_frequent_facility", "territory"
]
"""Which facility or place says the network of a patient."""


@dataclass(frozen=True)
class NetworkRule:
    """How a patient is attributed to a network of care.

    Parameters
    ----------
    by : Attribution
        The facility of the last or the first event, the facility with the most events, or the territory of residence.
    activities : tuple of str
        Events whose facility counts.
    table : str
        Name of the table ``facility;network`` (FINESS, 8 or 9 digits) or ``territory;network``.
    source : str
        Why this rule.
    """

    by: Attribution
    activities: tuple[str, ...]
    table: str = "networks.csv"
    source: str = ""


@dataclass(frozen=True)
class ActivityRules:
    """What the build needs to know of a pathway definition.

    Parameters
    ----------
    codes : polars.DataFrame
        ``code_system`` (one of `CODE_SYSTEMS`), ``code``, ``specialty`` (null: any), ``activity``.
    derived : mapping of str to str
        Rule (one of `DERIVED`) → activity.
    cohort : CohortRules
        Who enters, when, and why they leave.
    within_day : tuple of str
        Order of activities inside a day.
    eras : tuple of EraRule
        How events are merged at a coarser level.
    practice : Practice
        Choices where practice differs.
    """

    codes: pl.DataFrame = field(repr=False)
    derived: dict[str, str]
    cohort: CohortRules = CohortRules()
    within_day: tuple[str, ...] = ()
    eras: tuple[EraRule, ...] = ()
    practice: Practice = field(default_factory=Practice)

    def of_system(self, *systems: str) -> pl.DataFrame:
        """Return the codes of these systems: ``code``, ``specialty``, ``activity``."""
        return self.codes.filter(pl.col("code_system").is_in(systems)).drop("code_system")
