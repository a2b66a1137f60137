"""Who is a person and where they live: the attributes that no event shows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from eventlogs.practice import Practice
from eventlogs.snds import identity
from eventlogs.snds.extract import Extract
from eventlogs.snds.geography import commune, territory

RESIDENCES = """
075 | 101 | 01C751000 | 75   | 75101
001 | 053 | 01C011000 | 01   | 01053
001 | 053 | 01M751617 | 75   |
02A | 004 |           | 2A   | 2A004
201 | 004 |           | 2A   | 2A004
209 | 033 | 01C202000 | 2B   | 2B033
020 | 033 |           |      |
097 | 411 | 01C974000 | 974  | 97411
971 | 105 | 02A971000 | 971  | 97105
974 | 011 | 03A000000 | 974  | 97411
000 |     | 01C311000 | 31   |
099 | 999 | 01C971000 | 971  |
099 | 999 | 02A311000 |      |
991 | 000 | 01C751000 |      |
    |     |           |      |
"""
"""BEN_RES_DPT, BEN_RES_COM, ORG_AFF_BEN, then the département and the commune."""


@pytest.mark.parametrize("line", RESIDENCES.strip().splitlines())
def test_residence(line: str) -> None:
    dpt, com, org, *expected = (cell.strip() or None for cell in line.split("|"))
    columns = {"BEN_RES_DPT": dpt, "BEN_RES_COM": com, "ORG_AFF_BEN": org}
    frame = pl.DataFrame(
        {name: [value] for name, value in columns.items()}, schema=dict.fromkeys(columns, pl.String)
    )
    assert frame.select(territory().alias("t"), commune().alias("c")).row(0) == tuple(expected)


def extract_of(folder: Path, work: Path, **tables: list[dict[str, Any]]) -> Extract:
    for name in ("IR_BEN_R", "ER_PRS_F", "T_MCO21B", "T_MCO21C"):
        rows = tables.pop(name, [{"BEN_NIR_PSA": "nobody", "BEN_RNG_GEM": 1}])
        pl.DataFrame(rows).write_csv(folder / f"{name}.csv")
    for name, rows in tables.items():
        pl.DataFrame(rows).write_csv(folder / f"{name}.csv")
    return Extract.open(folder, work)


def people_of(extract: Extract, practice: Practice | None = None) -> pl.DataFrame:
    chosen = practice or Practice()
    return identity.persons(identity.registry(extract, chosen), chosen)


def test_attributes_come_from_the_current_row_then_iba_then_the_archive(tmp_path: Path) -> None:
    extract = extract_of(
        tmp_path,
        tmp_path,
        IR_BEN_R=[{"BEN_NIR_PSA": "a", "BEN_RNG_GEM": 1, "BEN_IDT_ANO": "P", "BEN_SEX_COD": None}],
        IR_IBA_R=[{"BEN_IDT_ANO": "P", "BEN_SEX_COD": 2, "BEN_NAI_ANN": None}],
        IR_BEN_R_ARC=[
            {"BEN_NIR_PSA": "b", "BEN_RNG_GEM": 1, "BEN_IDT_ANO": "P", "BEN_SEX_COD": 1, "BEN_NAI_ANN": 1950}
        ],
    )
    shown = people_of(extract).select("patient_id", "sex", "birth_year", "n_pseudonyms")
    assert shown.rows() == [("P", "F", 1950, 2)]


def test_the_earliest_death_stands_and_says_that_the_vital_status_is_known(tmp_path: Path) -> None:
    rows = [
        {"BEN_NIR_PSA": "a", "BEN_IDT_ANO": "P", "BEN_DCD_DTE": "2021-06-05", "BEN_DCD_AME": "202106"},
        {"BEN_NIR_PSA": "b", "BEN_IDT_ANO": "P", "BEN_DCD_DTE": "1600-01-01", "BEN_DCD_AME": "202105"},
        {"BEN_NIR_PSA": "c", "BEN_IDT_ANO": "Q", "BEN_DCD_DTE": "1600-01-01", "BEN_DCD_AME": "160001"},
    ]
    common = {"BEN_RNG_GEM": 1, "ORG_AFF_BEN": "01M751506"}
    people = people_of(extract_of(tmp_path, tmp_path, IR_BEN_R=[row | common for row in rows]))
    shown = people.select("patient_id", "death_date", "vital_status_known")
    assert shown.rows() == [("P", date(2021, 5, 31), True), ("Q", None, False)]


def test_names_do_not_depend_on_the_order_of_rows_and_hold_for_one_extraction(tmp_path: Path) -> None:
    rows = [{"BEN_NIR_PSA": name, "BEN_RNG_GEM": 1} for name in ("secret1", "secret2", "secret3")]
    names = []
    for number, (content, extraction) in enumerate(
        [(rows, "A"), (rows[::-1], "A"), (rows, "B"), (rows, None)]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        if extraction:
            (folder / "extract.toml").write_text(f'extraction = "{extraction}"\n')
        names.append(people_of(extract_of(folder, folder, IR_BEN_R=content))["patient_id"].to_list())
    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2]) and not set(names[0]) & set(names[3])
    assert all(len(name) == 17 and "secret" not in name for found in names for name in found)


def test_age_of_lines_gives_the_birth_year(tmp_path: Path) -> None:
    persons = [("years", None), ("months", None), ("none", None), ("stated", 1950)]
    extract = extract_of(
        tmp_path,
        tmp_path,
        IR_BEN_R=[
            {"BEN_NIR_PSA": name, "BEN_RNG_GEM": 1, "BEN_IDT_ANO": name, "BEN_NAI_ANN": born}
            for name, born in persons
        ],
    )
    practice = Practice()
    pairs = identity.registry(extract, practice)
    people = identity.persons(pairs, practice)
    ages = [
        ("years", date(2021, 3, 1), 60),
        ("years", date(2021, 11, 1), 61),
        ("months", date(2021, 3, 1), 1014),
        ("none", date(2021, 3, 1), 9999),
        ("stated", date(2021, 3, 1), 10),
    ]
    claims = pl.DataFrame(
        [(name, 1, day, age) for name, day, age in ages],
        schema=["BEN_NIR_PSA", "BEN_RNG_GEM", "EXE_SOI_DTD", "BEN_AMA_COD"],
        orient="row",
    ).lazy()
    links = identity.link(pairs, people)
    told = identity.with_age_of_lines(people, links, claims, tuple(identity.PAIR))
    shown = told.select("patient_id", "birth_year", "age_from_lines").rows()
    assert shown == [
        ("months", 2020, True),
        ("none", None, False),
        ("stated", 1950, False),
        ("years", 1960, True),
    ]
