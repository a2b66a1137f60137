"""The code lists that K1 joins, with the medicines: a molecule by its ATC, whatever its box, unit or vintage.

Three small tables ship with the package. ``medicines.csv`` (boxes: CIP13, CIP7, ATC, units) and ``ucd.csv`` (units of
hospital dispensing: UCD, ATC, units) name every molecule of L01 and L02 but cyclophosphamide (L01AA01) and methotrexate
(L01BA01), mostly given for other diseases; source: IR_PHA_R of 2017, and UCD found by brand in NU_UCD_R of 2019.
Recalled, not verified: the ATC of trifluridine-tipiracil, and what ``units`` says of depot injections and fixed doses.
``atc_vintages.csv`` says which class became which in 2021 (recalled).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import polars as pl

from eventlogs.activities import CODE_SHAPES, ActivityRules

TABLES = files("eventlogs.snds")

MISREAD = {
    "YYYY600": ("archiving of a digital image, a supplement", ("mammography", "screening_mammography")),
    "ZBQJ001": ("MRI of the thorax", ("breast_mri",)),
    "ZBQN001": ("MRI of the thorax", ("breast_mri",)),
    "FCFA021": ("excision of a limb node for diagnosis", ("axillary_surgery",)),
    "JGFA014": ("palliative resection of the prostate by the urethra", ("radical_prostatectomy",)),
    "JGFA015": ("resection of a benign prostate by the urethra", ("radical_prostatectomy",)),
    "JGFE023": ("resection of a benign prostate by the urethra", ("radical_prostatectomy",)),
    "JGFE365": ("resection of a benign prostate by the urethra, laser", ("radical_prostatectomy",)),
}
"""CCAM acts that published lists misread: what their label says (catalogue of 2025), and what they are taken for."""


@dataclass(frozen=True)
class Medicines:
    """The medicines tables, all in the current vintage of the ATC.

    Parameters
    ----------
    boxes : polars.DataFrame
        ``cip13``, ``cip7``, ``atc``, ``units``: tablets in a box; where the dose is fixed and not one a day
        (abiraterone, enzalutamide, flutamide, nilutamide 50 mg), days that the box lasts; for a depot injection, days
        that it acts.
    units : polars.DataFrame
        ``ucd7``, ``atc``, ``units``: 1 for a tablet or a vial, the days that it acts for a depot injection.
    vintages : polars.DataFrame
        ``old``, ``current``: ATC before and after 2021, ``molecule``.
    """

    boxes: pl.DataFrame = field(repr=False)
    units: pl.DataFrame = field(repr=False)
    vintages: pl.DataFrame = field(repr=False)


def medicines() -> Medicines:
    """Return the medicines tables that ship with the package."""
    vintages = _read("atc_vintages.csv")
    return Medicines(
        boxes=_read("medicines.csv").with_columns(_current("atc", vintages), pl.col("units").cast(pl.Int64)),
        units=_read("ucd.csv").with_columns(_current("atc", vintages), pl.col("units").cast(pl.Int64)),
        vintages=vintages,
    )


def _read(name: str) -> pl.DataFrame:
    return pl.read_csv((TABLES / name).read_bytes(), separator=";", infer_schema=False)


def _current(column: str, vintages: pl.DataFrame) -> pl.Expr:
    """Return an ATC in the current vintage; one that was not renamed stays."""
    return pl.col(column).replace(vintages["old"], vintages["current"])


def ucd7(column: str) -> pl.Expr:
    """Return the seven characters of a UCD written on 7, on 13 (zeros first), or as 34008, 7 and perhaps a key."""
    code = pl.col(column).str.strip_chars()
    return (
        pl.when(code.str.starts_with("34008") & (code.str.len_chars() > 7))
        .then(code.str.slice(5, 7))
        .otherwise(code.str.tail(7))
    )


def code_lists(rules: ActivityRules, medicines: Medicines) -> dict[str, pl.DataFrame]:
    """Return the code lists as tables that K1 joins, by name; always all of them, maybe empty.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition. Its ATC may be of either vintage.
    medicines : Medicines
        What the ATC are translated with.

    Returns
    -------
    dict of str to polars.DataFrame
        ``CCAM``, ``GHM``, ``DP``, ``CIM10``, ``NABM``, ``LPP``, ``PEC``, ``PRS_NAT_ANY``, ``NGAP_ANY``, ``diagnosis``,
        ``ATC`` (both vintages), ``MISREAD`` (`MISREAD`): ``code``, ``activity``. ``UCD`` (7 characters), ``CIP13``,
        ``CIP7``: also ``atc`` (current) and ``units``. ``PRS_NAT``, ``NGAP``: also ``specialty``.
    """
    plain = ("CCAM", "GHM", "DP", "CIM10", "NABM", "LPP", "PEC")
    return {
        **{name: rules.of_system(name).select("code", "activity") for name in plain},
        **_medicine_lists(rules, medicines),
        **_service_lists(rules, "PRS_NAT"),
        **_service_lists(rules, "NGAP"),
        "ATC": _both_vintages(rules.of_system("ATC").select("code", "activity"), medicines.vintages),
        "diagnosis": _table(list(rules.cohort.diagnosis)),
        "MISREAD": _table(_mistakable(rules)),
    }


def _both_vintages(named: pl.DataFrame, vintages: pl.DataFrame) -> pl.DataFrame:
    current = named.with_columns(_current("code", vintages))
    old = current.join(vintages, left_on="code", right_on="current").select(
        pl.col("old").alias("code"), "activity"
    )
    return pl.concat([current, old]).unique("code", keep="first", maintain_order=True)


def _mistakable(rules: ActivityRules) -> list[str]:
    """Return the acts that can be misread, but those that the definition rightly has among its own."""
    own = rules.of_system("CCAM").select("code", "activity").rows()
    return [
        act
        for act, (_, taken_for) in MISREAD.items()
        if all(a in taken_for for code, a in own if code == act)
    ]


def _table(codes: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"code": codes, "activity": [None] * len(codes)}, schema={"code": pl.String, "activity": pl.String}
    )


def _service_lists(rules: ActivityRules, system: str) -> dict[str, pl.DataFrame]:
    services = rules.of_system(system)
    by_specialty = services.filter(pl.col("specialty").is_not_null())
    return {
        system: by_specialty.select("code", pl.col("specialty").cast(pl.Int64), "activity"),
        f"{system}_ANY": services.filter(pl.col("specialty").is_null()).select("code", "activity"),
    }


def _medicine_lists(rules: ActivityRules, medicines: Medicines) -> dict[str, pl.DataFrame]:
    """Return boxes and units by code: those named one by one, then those of a molecule that is named."""
    molecules = rules.of_system("ATC").select(
        _current("code", medicines.vintages).alias("atc"), pl.col("activity").alias("by_atc")
    )
    boxes, units = rules.of_system("CIP13"), rules.of_system("UCD").with_columns(ucd7("code"))
    by_cip13 = _named(medicines.boxes.rename({"cip13": "code"}), boxes, molecules)
    columns = ["code", "activity", "atc", "units"]
    return {
        "CIP13": by_cip13.select(columns),
        "CIP7": by_cip13.filter(pl.col("cip7").is_not_null()).select(
            pl.col("cip7").alias("code"), *columns[1:]
        ),
        "UCD": _named(medicines.units.rename({"ucd7": "code"}), units, molecules).select(columns),
    }


def _named(table: pl.DataFrame, one_by_one: pl.DataFrame, molecules: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `table` that are named, and what is named and not in it (one unit, molecule unknown)."""
    explicit = one_by_one.select("code", "activity").unique("code", keep="first", maintain_order=True)
    known = table.join(explicit, on="code", how="full", coalesce=True).join(
        molecules.unique("atc", keep="first", maintain_order=True), on="atc", how="left"
    )
    return (
        known.with_columns(pl.coalesce("activity", "by_atc").alias("activity"), pl.col("units").fill_null(1))
        .filter(pl.col("activity").is_not_null())
        .sort("code")
    )


def code_counts(rules: ActivityRules, medicines: Medicines) -> dict[str, int]:
    """Count the codes that the traps of code lists touch.

    Returns
    -------
    dict of str to int
        ``trap.atc_vintages``: ATC of the definition that have another vintage. ``trap.code_typos``: codes without the
        shape of their system. ``misread_codes``: acts that the definition takes for what they are not (`MISREAD`).
    """
    codes = rules.codes.select("code_system", "code").unique()
    atc = codes.filter(pl.col("code_system") == "ATC")["code"]
    renamed = pl.concat([medicines.vintages["old"], medicines.vintages["current"]])
    shaped = [
        codes.filter(pl.col("code_system") == system)["code"].str.contains(rf"^(?:{shape})$")
        for system, shape in CODE_SHAPES.items()
    ]
    return {
        "trap.atc_vintages": int(atc.is_in(renamed.implode()).sum()),
        "trap.code_typos": sum(int((~fits).sum()) for fits in shaped),
        "misread_codes": _misread(rules.of_system("CCAM")),
    }


def _misread(acts: pl.DataFrame) -> int:
    wrong = [(code, activity) for code, (_, taken_for) in MISREAD.items() for activity in taken_for]
    pairs = pl.DataFrame(wrong, schema=["code", "activity"], orient="row")
    return acts.join(pairs, on=["code", "activity"], how="semi").height
