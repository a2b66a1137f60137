"""How each SNDS table reaches the person, and which of its columns hold codes: what the SQL knows beside the schema.

The columns come from ``tables/*.toml``: a table that the readers learn is extracted as soon as its key is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eventlogs.snds import schema
from eventlogs.snds.rows import LINE_KEY

LINES, PAIR = "ER_PRS_F", ("BEN_NIR_PSA", "BEN_RNG_GEM")

STAY_KEYS: Mapping[str, tuple[str, ...]] = {
    "T_MCOaaC": ("ETA_NUM", "RSA_NUM"),
    "T_MCOaaCSTC": ("ETA_NUM", "SEQ_NUM"),
    "T_SSRaaC": ("ETA_NUM", "RHA_NUM"),
    "T_HADaaC": ("ETA_NUM_EPMSI", "RHAD_NUM"),
    "T_RIPaaC": ("ETA_NUM_EPMSI", "RIP_NUM"),
}
"""Chaining tables of the PMSI (they hold NIR_ANO_17), with the key of what they chain."""

CODES: Mapping[str, tuple[str, int]] = {
    "CAM_PRS_IDE": ("CCAM", 7), "CDC_ACT": ("CCAM", 7), "CCAM_COD": ("CCAM", 7), "CCAM_ACT": ("CCAM", 7),
    "PHA_PRS_C13": ("CIP13", 13), "PHA_PRS_IDE": ("CIP7", 7),
    "UCD_UCD_COD": ("UCD", -7), "COD_UCD": ("UCD", -7), "UCD_COD": ("UCD", -7),
    "BIO_PRS_IDE": ("NABM", 0), "NABM_COD": ("NABM", 0),
    "TIP_PRS_IDE": ("LPP", 0), "LPP_COD": ("LPP", 0),
    "ACT_COD": ("NGAP", 0),
}  # fmt: skip
"""Columns that hold a code: its system, and how much of it is compared (first 7, last 7; 0: all, leading zeros off)."""

ASSOCIATED = ("ASS_DGN", "DGN_ASS", "DGN_COD")
"""Diagnoses that come one a row, in tables of their own."""


@dataclass(frozen=True)
class Family:
    """A table that the readers know, and how it is joined to the persons of the cohort."""

    name: str
    columns: tuple[str, ...]

    @property
    def is_lines(self) -> bool:
        """ER_PRS_F and the tables that join it on nine keys."""
        return self.name.startswith("ER_") and set(LINE_KEY) <= set(self.columns)

    @property
    def chain(self) -> str | None:
        """The chaining table that leads to the person, for tables of the PMSI."""
        for name, key in STAY_KEYS.items():
            if name[:5] == self.name[:5] and set(key) <= set(self.columns):
                return name
        return None

    @property
    def is_referential(self) -> bool:
        """Tables of beneficiaries, illnesses and causes of death: by pseudonym, by BEN_IDT_ANO, or by DCD_IDT_ENC."""
        return self.name[:3] in ("IR_", "KI_")

    def columns_of(self, year: int) -> list[str]:
        """Return the columns that the table of a year has."""
        table = schema.tables()[self.name]
        return [name for name in self.columns if table.expects(name, str(year))]

    def of_year(self, year: int) -> str:
        """Return the table's name in a year: ``T_MCOaaB`` → ``T_MCO18B``."""
        return self.name.replace("aa", f"{year % 100:02}", 1)

    @property
    def code_columns(self) -> dict[str, tuple[str, int]]:
        """Columns that hold a code by which rows are chosen; ACT_COD is an act of the NGAP in external care only."""
        known = [name for name in self.columns if name in CODES]
        return {name: CODES[name] for name in known if name != "ACT_COD" or self.name.endswith("STC")}

    @property
    def associated(self) -> str | None:
        """The column of a table of associated diagnoses."""
        found = [name for name in self.columns if name in ASSOCIATED]
        return found[0] if len(found) == 1 and not self.principal else None

    @property
    def principal(self) -> list[str]:
        """Columns of principal and related diagnoses."""
        return [
            name
            for name in self.columns
            if name in schema.DIAGNOSES and name not in (*ASSOCIATED, "MED_MTF_COD")
        ]


def families() -> Iterator[Family]:
    """Yield every table of the schema."""
    for name, table in schema.tables().items():
        yield Family(name, tuple(table.columns))


def family(name: str) -> Family:
    """Return one table of the schema."""
    return Family(name, tuple(schema.tables()[name].columns))
