"""Code lists: one molecule by either vintage, one box named against its molecule, and what the traps count."""

from __future__ import annotations

import polars as pl
import pytest

from eventlogs.activities import CODE_COLUMNS, ActivityRules
from eventlogs.snds.codes import MISREAD, code_counts, code_lists, medicines, ucd7

KNOWN = medicines()
TAMOXIFEN = "3400932059324"


def rules(*codes: tuple[str, str, int | None, str]) -> ActivityRules:
    return ActivityRules(codes=pl.DataFrame(list(codes), schema=CODE_COLUMNS, orient="row"), derived={})


@pytest.mark.parametrize(("old", "current"), KNOWN.vintages.select("old", "current").rows())
def test_either_vintage_names_the_same_boxes_and_units(old: str, current: str) -> None:
    before, after = (code_lists(rules(("ATC", code, None, "drug")), KNOWN) for code in (old, current))
    for name in ("CIP13", "CIP7", "UCD", "ATC"):
        assert before[name].sort("code").equals(after[name].sort("code")), name
    assert set(after["ATC"]["code"]) == {old, current}
    assert set(after["UCD"]["atc"]) | set(after["CIP13"]["atc"]) <= {current}


def test_a_molecule_gives_its_boxes_by_both_numbers() -> None:
    lists = code_lists(rules(("ATC", "L02BA01", None, "drug")), KNOWN)
    box = lists["CIP13"].filter(pl.col("code") == TAMOXIFEN)
    assert box.rows() == [(TAMOXIFEN, "drug", "L02BA01", 30)]
    assert lists["CIP7"].height == lists["CIP13"].height == 39
    assert set(lists["CIP7"]["code"].str.len_chars()) == {7}


def test_a_box_named_alone_wins_over_its_molecule() -> None:
    named = rules(("ATC", "L02BA01", None, "molecule"), ("CIP13", TAMOXIFEN, None, "box"))
    boxes = dict(code_lists(named, KNOWN)["CIP13"].select("code", "activity").rows())
    assert boxes.pop(TAMOXIFEN) == "box"
    assert set(boxes.values()) == {"molecule"}


def test_an_unknown_box_or_unit_is_named_all_the_same() -> None:
    lists = code_lists(rules(("CIP13", "3400999999999", None, "a"), ("UCD", "9999999", None, "b")), KNOWN)
    assert lists["CIP13"].rows() == [("3400999999999", "a", None, 1)]
    assert lists["UCD"].rows() == [("9999999", "b", None, 1)]
    assert lists["CIP7"].is_empty()


def test_a_depot_supplies_the_days_that_it_acts_and_tablets_their_number() -> None:
    units = dict(
        KNOWN.boxes.filter(pl.col("atc").is_in(["L02AE03", "L02BB03"])).select("cip7", "units").rows()
    )
    assert (units["3293267"], units["3396381"], units["3391633"]) == (28, 84, 30)


@pytest.mark.parametrize("written", ["0000009220097", "9220097", " 9220097", "340089220097", "3400892200975"])
def test_a_ucd_is_the_same_however_written(written: str) -> None:
    assert pl.DataFrame({"code": [written]}).select(ucd7("code")).item() == "9220097"


def test_every_list_is_there_even_empty() -> None:
    lists = code_lists(rules(), KNOWN)
    assert {name for name, frame in lists.items() if not frame.is_empty()} == {"MISREAD"}
    assert set(lists["MISREAD"]["code"]) == set(MISREAD)
    assert all({"code", "activity"} <= set(frame.columns) for frame in lists.values())


def test_services_are_split_by_specialty() -> None:
    lists = code_lists(rules(("NGAP", "CS", 73, "seen"), ("NGAP", "ATU", None, "urgent")), KNOWN)
    assert lists["NGAP"].rows() == [("CS", 73, "seen")]
    assert lists["NGAP_ANY"].rows() == [("ATU", "urgent")]


def test_traps_of_code_lists_are_counted() -> None:
    counted = code_counts(
        rules(
            ("ATC", "L01XC03", None, "old"), ("ATC", "L01FF01", None, "new"), ("ATC", "L02BA01", None, "same"),
            ("CCAM", "QEF005", None, "typo"), ("CCAM", "YYYY600", None, "mammography"),
            ("CCAM", "ZBQJ001", None, "mri_scan"),
            ("CCAM", "QEFA005", None, "fine"),
        ),
        KNOWN,
    )  # fmt: skip
    assert counted == {"trap.atc_vintages": 2, "trap.code_typos": 1, "misread_codes": 1}
