"""Rows of claims that no built-in definition names, or that give no event: devices, presence, residence abroad."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import CODE_COLUMNS, ActivityRules
from eventlogs.snds import schema
from eventlogs.snds.codes import code_lists, medicines
from eventlogs.snds.dcir import SIMPLIFIED_CLAIMS

RULES = ActivityRules(
    codes=pl.DataFrame([("LPP", "2489213", None, "stoma_device")], schema=CODE_COLUMNS, orient="row"),
    derived={},
)

DAYS = ((1, date(2021, 3, 1), "075"), (2, date(2021, 5, 1), None), (3, date(2021, 9, 1), "991"),
        (4, date(2021, 8, 1), "992"), (5, None, "075"))  # fmt: skip

GIVEN: dict[str, list[dict[str, Any]]] = {
    "idents": [{"BEN_IDT_ANO": "A", "person": 7}],
    "NS_PRS_F": [
        {
            "BEN_IDT_ANO": "A",
            "CLE_DCI_JNT": line,
            "EXE_SOI_DTD": day,
            "BEN_RES_DPT": home,
            "DPN_QLF": 71 if line == 2 else 0,
        }
        for line, day, home in DAYS
    ],
    "NS_TIP_F": [{"CLE_DCI_JNT": 1, "TIP_PRS_IDE": "2489213", "TIP_ACT_QSN": 2}],
}
"""One person: care in France, one line of it for information, then abroad; a device on the first line."""


def read(name: str) -> nw.LazyFrame[Any]:
    """Return a table of `GIVEN`, a code list, or an empty table."""
    if name.startswith("codes."):
        return nw.from_native(code_lists(RULES, medicines())[name.removeprefix("codes.")].lazy())
    if name == "idents":
        return nw.from_native(pl.DataFrame(GIVEN[name]).lazy())
    types = {column: schema.DTYPES[kind] for column, kind in schema.tables()[name].columns.items()}
    return nw.from_native(pl.DataFrame(GIVEN.get(name, []), schema=types).lazy())


def test_presence_abroad_and_devices() -> None:
    rows = SIMPLIFIED_CLAIMS.rows(read, RULES, "").collect("polars").to_native()
    shown = (
        rows.select("person", "kind", "code", "quantity", "date", "until", "CLE_DCI_JNT").sort("kind").rows()
    )
    assert shown == [
        (7, "abroad", None, None, date(2021, 8, 1), date(2021, 9, 1), None),
        (7, "line", "2489213", 2, date(2021, 3, 1), None, "1"),
        (7, "presence", None, None, date(2021, 3, 1), date(2021, 5, 1), None),
    ]
