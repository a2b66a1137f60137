"""K1: the sources that are read.

Each source is a module of joins, filters and selections in the Narwhals subset that polars, DuckDB and PySpark share
(`rows` has what they have in common). A new source is one entry of `SOURCES`.
"""

from __future__ import annotations

from eventlogs.snds.beneficiaries import CERTIFICATES, ILLNESSES
from eventlogs.snds.dcir import CLAIMS, SIMPLIFIED_CLAIMS
from eventlogs.snds.external import VISITS
from eventlogs.snds.had import HOME_CARE
from eventlogs.snds.mco import STAYS
from eventlogs.snds.mco_drugs import DRUGS
from eventlogs.snds.rim import AMBULATORY_PSYCHIATRY, PSYCHIATRY
from eventlogs.snds.rows import Source
from eventlogs.snds.ssr import REHABILITATION

HOSPITALS = (STAYS, DRUGS, VISITS, REHABILITATION, HOME_CARE, PSYCHIATRY, AMBULATORY_PSYCHIATRY)

SOURCES: tuple[Source, ...] = (*HOSPITALS, ILLNESSES, CERTIFICATES, CLAIMS, SIMPLIFIED_CLAIMS)
"""In the order of reading: those that tell a diagnosis come before the claims."""
