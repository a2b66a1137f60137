"""Claims -> SNDS tables with their true names, keys and types."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.claims import Claims
from eventlogs.synthetic.people import facility_codes
from eventlogs.synthetic.tables.beneficiaries import beneficiary_tables, cause_tables
from eventlogs.synthetic.tables.dcir import claim_tables
from eventlogs.synthetic.tables.external import visit_tables
from eventlogs.synthetic.tables.mco import stay_tables
from eventlogs.synthetic.tables.other_fields import other_stay_tables
from eventlogs.synthetic.tables.shared import JOIN_KEY, RETURN_CODES, Setting, as_date, table_years

__all__ = ["JOIN_KEY", "RETURN_CODES", "as_date", "snds_tables", "table_years"]


def snds_tables(
    claims: Claims, people: pl.DataFrame, territories: pl.DataFrame, calendar: p.Calendar, chunk: int
) -> dict[str, pl.DataFrame]:
    """All tables of one chunk, by SNDS name."""
    setting = Setting(people, facility_codes(territories), calendar, chunk)
    return {
        **beneficiary_tables(people),
        **cause_tables(people),
        **claim_tables(claims.lines, setting),
        **stay_tables(claims, setting),
        **visit_tables(claims.visits, setting),
        **other_stay_tables(claims.stays, setting),
    }
