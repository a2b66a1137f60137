"""What the readers know of the PMSI, and its arithmetic."""

from __future__ import annotations

from datetime import date, timedelta

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlogs.snds import schema
from eventlogs.snds.chaining import DOUBLES, doubles
from eventlogs.snds.mco import PROVIDER_SESSIONS
from eventlogs.snds.ssr import monday_offset


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("T_MCO21B", ("T_MCOaaB", "21")),
        ("t_mco21_03fmstc", ("T_MCOaaFMSTC", "21_03")),
        ("T_MCOaaMEDATU", ("T_MCOaaMEDATU", "")),
        ("T_SSR19CCAM", ("T_SSRaaCCAM", "19")),
        ("T_HAD21B", ("T_HADaaB", "21")),
        ("T_RIPaa_nnRSA", ("T_RIPaaRSA", "")),
        ("T_RIP21R3A", ("T_RIPaaR3A", "21")),
        ("T_MCO21VALO", None),
        ("T_XYZ21B", None),
    ],
)
def test_tables_of_every_field_are_known_by_name(name: str, family: tuple[str, str] | None) -> None:
    assert schema.family(name) == family


def test_double_facilities_are_those_of_the_lists() -> None:
    table = pl.read_csv(DOUBLES.read_bytes(), separator=";", schema_overrides={"finess": pl.String})
    assert (table.height, table["cnam"].sum(), table["finess"].n_unique()) == (166, 46, 166)
    assert table["finess"].str.contains(r"^\d{9}$").all()
    assert all(has_control_digit(finess) for finess in table["finess"])
    assert set(table["group"]) == {"AP-HP", "HCL", "AP-HM"}
    assert len(doubles("drees", ("AP-HP", "AP-HM"))) == 166 - (table["group"] == "HCL").sum()


def has_control_digit(number: str) -> bool:
    """Tell whether the last digit is the Luhn key of the others, as in every FINESS number."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [2 * digit - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0


@given(entry=st.dates(date(2009, 1, 1), date(2030, 12, 31)), week=st.integers(0, 60))
def test_a_week_is_dated_by_its_monday(entry: date, week: int) -> None:
    monday = entry - timedelta(days=entry.weekday()) + timedelta(weeks=week)
    for days in {(monday - entry).days, max((monday - entry).days, 0)}:
        frame = nw.from_native(pl.LazyFrame({"entry": [entry]}))
        offset = frame.select(monday_offset(nw.lit(days)).alias("days")).collect("polars").to_native().item()
        assert entry + timedelta(days=offset) == monday


def test_sessions_of_a_provider_are_dialysis_chemotherapy_and_radiotherapy() -> None:
    assert {"28Z07", "28Z10", "28Z17", "28Z25"} <= set(PROVIDER_SESSIONS)
    assert not {"28Z14", "28Z15", "28Z16"} & set(PROVIDER_SESSIONS)
