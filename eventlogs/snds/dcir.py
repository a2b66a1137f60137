"""K1 of DCIR and of DCIRS: the lines that count, what their affinée tables add, and when a person had care at all.

Both worlds are read by the same functions; a `World` says how they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds import schema
from eventlogs.snds.geography import ABROAD
from eventlogs.snds.rows import (
    LINE_KEY,
    UCD_CHARACTERS,
    Source,
    Tables,
    as_rows,
    beside,
    count_where,
    misread,
    ucd7,
    wrong_key,
)


@dataclass(frozen=True)
class World:
    """How a set of claim tables is joined and named.

    Parameters
    ----------
    name : str
        For messages.
    prefix : str
        Of the tables: ``ER`` or ``NS``.
    key : tuple of str
        Columns that join a line to its affinée tables.
    person : tuple of str
        Columns that name the person on a line.
    link : str
        Table that gives the person: ``pairs`` or ``idents``.
    quantities : mapping of str to str
        Affinée table (``CAM`` …) → its quantity; the line's own (PRS_ACT_QTE) where it is empty.
    """

    name: str
    prefix: str
    key: tuple[str, ...]
    person: tuple[str, ...]
    link: str
    quantities: Mapping[str, str]

    def table(self, part: str) -> str:
        """Return the name of a table: ``PRS`` → ``ER_PRS_F``."""
        return f"{self.prefix}_{part}_F"


QUANTITIES = {"BIO": "BIO_ACT_QSN", "TIP": "TIP_ACT_QSN", "UCD": "UCD_DLV_NBR"}

DCIR = World(
    "DCIR",
    "ER",
    tuple(LINE_KEY),
    ("BEN_NIR_PSA", "BEN_RNG_GEM"),
    "pairs",
    {**QUANTITIES, "PHA": "PHA_ACT_QSN"},
)

DCIRS = World(
    "DCIRS",
    "NS",
    ("CLE_DCI_JNT",),
    ("BEN_IDT_ANO",),
    "idents",
    {**QUANTITIES, "PHA": "PHA_ACT_QSC", "CAM": "CAM_ACT_QSN"},
)

SYSTEMS = {"PRS": "PRS_NAT", "CAM": "CCAM", "BIO": "NABM", "TIP": "LPP", "UCD": "UCD"}
"""Code system of each table; that of medicines depends on the length of the code."""

MEDICINES = ("PHA", "UCD")

BESIDE_THE_STAY = ("3320", "3336")
"""PRS_NAT_REF of drugs paid beside a private stay: PH8, and PHX under temporary authorisation (IR_NAT_V)."""

HANDED_OUT = ("3317", "3318", "3319", "3351", "3352", "3353", "3354", "3356", "3357")
"""PRS_NAT_REF of drugs that a hospital hands out: PHH, PHS, PHQ, PHU, PHM, PHP, PHI, PHD, PHT (IR_NAT_V)."""

LATE_MONTHS = 6
"""Months of flux after which 98 to 99 % of care has arrived (SNDS documentation)."""

CIP13_CHARACTERS, NABM_CHARACTERS = 13, 4


def _is_not(column: str, *values: int) -> nw.Expr:
    return ~nw.col(column).is_in(values) | nw.col(column).is_null()


MARKS: dict[str, dict[str, nw.Expr]] = {
    "information_line": {"DPN_QLF": _is_not("DPN_QLF", 71, 72), "PRS_DPN_QLP": _is_not("PRS_DPN_QLP", 71)},
    "majoration": {
        "CPL_MAJ_TOP": (nw.col("CPL_MAJ_TOP") < 2) | nw.col("CPL_MAJ_TOP").is_null(),
        "CPL_AFF_COD": _is_not("CPL_AFF_COD", 16),
        "BSE_PRS_NAT": _is_not("BSE_PRS_NAT", 0),
    },
}
"""By trap and column, what a line must satisfy to be kept; an empty value satisfies."""


def line_filters(world: World) -> dict[str, nw.Expr]:
    """Return, by trap, what a line must satisfy to be kept, from the marks that its world has."""
    there = schema.tables()[world.table("PRS")].columns
    kept = {
        trap: [keep for column, keep in marks.items() if column in there] for trap, marks in MARKS.items()
    }
    return {trap: nw.all_horizontal(*keeps, ignore_nulls=False) for trap, keeps in kept.items() if keeps}


def known_lines(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """Return every line of a known person, whatever its status."""
    return t(world.table("PRS")).join(t(world.link), on=list(world.person), how="inner")


def claim_rows(t: Tables, rules: ActivityRules, year: str = "", *, world: World) -> nw.LazyFrame[Any]:
    """Return the lines that the definition's code lists name, and each person's first and last care.

    The code lists are joined first: the facility is looked up for the few lines that are left.
    """
    every = known_lines(t, world)
    kept = every.filter(*line_filters(world).values())
    found = [
        _lines_with(kept, world, "CAM", _acts(t, world)),
        _lines_with(kept, world, "PHA", _medicines(t, world)),
        _lines_with(kept, world, "BIO", _biology(t, world)),
        _lines_with(kept, world, "TIP", _coded(t, world, "TIP", "TIP_PRS_IDE", "LPP")),
        _units(kept, t, world, rules.practice),
        *_services(kept, t, world),
    ]
    placed = _with_facility(nw.concat(found), t, world, rules.practice)
    return nw.concat([_line_rows(placed, world), *_presence(every, world)])


def _codes(t: Tables, name: str) -> nw.LazyFrame[Any]:
    """Return a code list as ``code``, ``activity``, ``atc`` and ``units``; a list without molecules has none, and 1."""
    codes = t(f"codes.{name}")
    there = codes.collect_schema().names()
    return codes.select(
        "code",
        "activity",
        (nw.col("atc") if "atc" in there else nw.lit(None)).cast(nw.String).alias("atc"),
        (nw.col("units") if "units" in there else nw.lit(1)).cast(nw.Int64).alias("units"),
    )


def _coded(t: Tables, world: World, part: str, column: str, codes: str) -> nw.LazyFrame[Any]:
    return _by_code(t(world.table(part)), nw.col(column), _codes(t, codes))


def _by_code(frame: nw.LazyFrame[Any], code: nw.Expr, codes: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return frame.with_columns(code.alias("code")).join(codes, on="code", how="inner")


def _acts(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """Acts of activity 1: the others repeat the act for anaesthesia and assistance."""
    first = (nw.col("CAM_ACT_COD") == "1") | nw.col("CAM_ACT_COD").is_null()
    return _by_code(t(world.table("CAM")).filter(first), nw.col("CAM_PRS_IDE"), _codes(t, "CCAM"))


def _is_cip13() -> nw.Expr:
    return (nw.col("PHA_PRS_C13").str.len_chars() == CIP13_CHARACTERS) & ~nw.col("PHA_PRS_C13").is_null()


def _medicines(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """Boxes by CIP13, and by the CIP7 of 2006 and 2007 where the line has no CIP13; their quantity is in tablets."""
    code = nw.when(_is_cip13()).then(nw.col("PHA_PRS_C13")).otherwise(nw.col("PHA_PRS_IDE"))
    codes = nw.concat([_codes(t, "CIP13"), _codes(t, "CIP7")])
    return _by_code(t(world.table("PHA")), code, codes)


def _biology(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """A NABM code is a number of up to four digits."""
    return _by_code(
        t(world.table("BIO")), nw.col("BIO_PRS_IDE").str.zfill(NABM_CHARACTERS), _codes(t, "NABM")
    )


def _units(kept: nw.LazyFrame[Any], t: Tables, world: World, practice: Practice) -> nw.LazyFrame[Any]:
    found = _by_code(t(world.table("UCD")), ucd7(nw.col("UCD_UCD_COD")), _codes(t, "UCD"))
    return _lines_with(kept, world, "UCD", found, _told_by_pmsi(practice))


def _told_by_pmsi(practice: Practice) -> list[nw.Expr]:
    """Return what tells a drug that is left to the PMSI: UCD_TOP_UCD, else the nature of service."""
    mark, nature = nw.col("UCD_TOP_UCD"), nw.col("PRS_NAT_REF")
    beside_stay = (mark == 1) | (mark.is_null() & nature.is_in(BESIDE_THE_STAY))
    handed_out = (mark == 0) | (mark.is_null() & nature.is_in(HANDED_OUT))
    choices = ((practice.private_drugs, beside_stay), (practice.retrocession, handed_out))
    return [told for source, told in choices if source == "pmsi"]


def _lines_with(
    kept: nw.LazyFrame[Any],
    world: World,
    part: str,
    detail: nw.LazyFrame[Any],
    told_elsewhere: Sequence[nw.Expr] = (),
) -> nw.LazyFrame[Any]:
    """Join an affinée table, already reduced to the codes of the definition, to the lines that count."""
    own = world.quantities.get(part)
    mark = ["UCD_TOP_UCD"] if told_elsewhere else []
    columns = [
        *world.key,
        "code",
        "activity",
        "atc",
        *(["units"] if part in MEDICINES else []),
        *([own] if own else []),
        *mark,
    ]
    lines = kept.join(detail.select(columns), on=list(world.key), how="inner")
    lines = lines.filter(~_any(told_elsewhere)) if told_elsewhere else lines
    return _found(lines, world, part, _quantity(part, own))


def _any(flags: Sequence[nw.Expr]) -> nw.Expr:
    return nw.any_horizontal(*(flag.fill_null(False) for flag in flags), ignore_nulls=False)


def _quantity(part: str, own: str | None) -> nw.Expr:
    """Return how many: tablets of a medicine or days that it lasts, the affinée table's own number, else the line's."""
    if part in MEDICINES:
        return nw.col(str(own)) * nw.coalesce(nw.col("units"), nw.lit(1))
    if own is None:
        return nw.col("PRS_ACT_QTE")
    return nw.coalesce(nw.col(own), nw.col("PRS_ACT_QTE")) if part == "CAM" else nw.col(own)


def _services(kept: nw.LazyFrame[Any], t: Tables, world: World) -> list[nw.LazyFrame[Any]]:
    """Consultations and the like: the nature of service, performed by a given specialty or by any."""
    lines = kept.with_columns(nw.col("PRS_NAT_REF").alias("code"), nw.lit(None, nw.String).alias("atc"))
    by_specialty = lines.join(
        t("codes.PRS_NAT"), left_on=["code", "PSE_SPE_COD"], right_on=["code", "specialty"], how="inner"
    )
    by_any = lines.join(t("codes.PRS_NAT_ANY"), on="code", how="inner")
    return [_found(rows, world, "PRS", nw.col("PRS_ACT_QTE")) for rows in (by_specialty, by_any)]


def _found(lines: nw.LazyFrame[Any], world: World, part: str, quantity: nw.Expr) -> nw.LazyFrame[Any]:
    place = [] if world is DCIR else ["ETB_EXE_FIN", "ETE_IND_TAA"]
    key = list(dict.fromkeys([*world.key, "FLX_DIS_DTD"]))
    return lines.select(
        "person",
        "activity",
        "code",
        "atc",
        "EXE_SOI_DTD",
        *key,
        *place,
        (_cip() if part == "PHA" else nw.lit(SYSTEMS[part])).alias("code_system"),
        quantity.alias("quantity"),
        nw.lit(world.table(part)).alias("source"),
    )


def _cip() -> nw.Expr:
    is_long = nw.col("code").str.len_chars() == CIP13_CHARACTERS
    return nw.when(is_long).then(nw.lit("CIP13")).otherwise(nw.lit("CIP7"))


def _with_facility(
    found: nw.LazyFrame[Any], t: Tables, world: World, practice: Practice
) -> nw.LazyFrame[Any]:
    """Give each line its facility, and leave to the PMSI the public stays that leak into the claims.

    A line may have several rows of establishment: it leaks when ETE_IND_TAA is 1 in every one of them, as the published
    filter on the joined rows has it; its facility is the first by number of those that are not 1, else of all.
    """
    if world is DCIR:
        placed = found.join(_places(t, world), on=list(world.key), how="left")
    else:
        leaks = nw.when(nw.col("ETE_IND_TAA") == 1).then(nw.lit(1)).otherwise(nw.lit(0))
        placed = found.with_columns(leaks.alias("leaks"), nw.col("ETB_EXE_FIN").alias("facility"))
    if practice.public_leaks == "keep":
        return placed
    return placed.filter((nw.col("leaks") == 0) | nw.col("leaks").is_null())


def _places(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """Return one row a line: ``leaks`` (1 or 0), ``facility``."""
    leaks = nw.col("ETE_IND_TAA") == 1
    rows = t(world.table("ETE")).with_columns(
        nw.when(leaks).then(nw.lit(1)).otherwise(nw.lit(0)).alias("leaks"),
        nw.when(leaks).then(nw.lit(None, nw.String)).otherwise(nw.col("ETB_EXE_FIN")).alias("own"),
    )
    lines = rows.group_by(list(world.key)).agg(
        nw.col("leaks").min(), nw.col("own").min(), nw.col("ETB_EXE_FIN").min().alias("any")
    )
    return lines.select(*world.key, "leaks", nw.coalesce(nw.col("own"), nw.col("any")).alias("facility"))


def _line_rows(lines: nw.LazyFrame[Any], world: World) -> nw.LazyFrame[Any]:
    return as_rows(
        lines,
        kind=nw.lit("line"),
        date=nw.col("EXE_SOI_DTD"),
        flux=nw.col("FLX_DIS_DTD"),
        **{
            name: nw.col(name)
            for name in ("source", "activity", "code", "code_system", "atc", "quantity", "facility")
        },
        **{name: nw.col(name) for name in world.key if name != "FLX_DIS_DTD"},
    )


def _presence(every: nw.LazyFrame[Any], world: World) -> list[nw.LazyFrame[Any]]:
    """Return each person's first and last care as a resident of France (or of nowhere stated), and as one of abroad.

    A line of any status is a sign of life, lines for information too.
    """
    abroad = nw.col("BEN_RES_DPT").is_in(ABROAD) & ~nw.col("BEN_RES_DPT").is_null()
    return [_span(every.filter(~abroad), "presence", world), _span(every.filter(abroad), "abroad", world)]


def _span(lines: nw.LazyFrame[Any], kind: str, world: World) -> nw.LazyFrame[Any]:
    span = (
        lines.filter(~nw.col("EXE_SOI_DTD").is_null())
        .group_by("person")
        .agg(nw.col("EXE_SOI_DTD").min().alias("first"), nw.col("EXE_SOI_DTD").max().alias("last"))
    )
    return as_rows(
        span,
        kind=nw.lit(kind),
        source=nw.lit(world.table("PRS")),
        date=nw.col("first"),
        until=nw.col("last"),
    )


def counted(t: Tables, rules: ActivityRules, year: str = "", *, world: World) -> nw.LazyFrame[Any]:
    """Count what is read and what each trap touches, whatever the switches."""
    parts = [
        _counted_lines(t, world),
        _counted_medicines(t, world),
        _counted_units(t, world, rules.practice),
        misread(t, world.table("CAM"), "CAM_PRS_IDE"),
    ]
    return beside([*parts, _counted_places(t, world)] if world is DCIR else parts)


def _months(column: str) -> nw.Expr:
    return nw.col(column).dt.year().cast(nw.Int64) * 12 + nw.col(column).dt.month().cast(nw.Int64)


def _counted_lines(t: Tables, world: World) -> nw.LazyFrame[Any]:
    late = _months("FLX_DIS_DTD") - _months("EXE_SOI_DTD") > LATE_MONTHS
    leaks = {} if world is DCIR else {"trap.public_leak": nw.col("ETE_IND_TAA") == 1}
    return t(world.table("PRS")).select(
        nw.len().alias("lines_read"),
        count_where(nw.col("FLX_DIS_DTD").is_null(), "lines_without_flux"),
        count_where(nw.col("EXE_SOI_DTD").is_null(), "trap.null_date"),
        count_where(late, "trap.flux_month"),
        *(count_where(~keep, f"trap.{trap}") for trap, keep in line_filters(world).items()),
        *(count_where(leak, name) for name, leak in leaks.items()),
    )


def _counted_medicines(t: Tables, world: World) -> nw.LazyFrame[Any]:
    short = ~_is_cip13() & ~nw.col("PHA_PRS_IDE").is_null()
    return t(world.table("PHA")).select(count_where(short, "trap.cip_lengths"))


def _counted_units(t: Tables, world: World, practice: Practice) -> nw.LazyFrame[Any]:
    """Count UCD not written on seven characters, and the rows that are left to the PMSI."""
    long = nw.col("UCD_UCD_COD").str.len_chars() != UCD_CHARACTERS
    written = t(world.table("UCD")).select(count_where(long, "trap.ucd_forms"))
    left = _told_by_pmsi(practice)
    if not left:
        return written
    lines = t(world.table("PRS")).select(*world.key, "PRS_NAT_REF")
    told = (
        t(world.table("UCD")).select(*world.key, "UCD_TOP_UCD").join(lines, on=list(world.key), how="inner")
    )
    return beside([written, told.select(count_where(_any(left), "trap.drugs_told_twice"))])


def _counted_places(t: Tables, world: World) -> nw.LazyFrame[Any]:
    leaking = _places(t, world).select(count_where(nw.col("leaks") == 1, "trap.public_leak"))
    wrong = t(world.table("ETE")).select(count_where(wrong_key("ETB_EXE_FIN"), "facilities_wrong_key"))
    return beside([leaking, wrong])


def unknown_persons(t: Tables, world: World) -> nw.LazyFrame[Any]:
    """Count the lines of persons that no referential knows."""
    unknown = t(world.table("PRS")).join(t(world.link), on=list(world.person), how="anti")
    return unknown.select(nw.len().alias("lines_unknown_person"))


CLAIMS, SIMPLIFIED_CLAIMS = (
    Source(world.name, world.table("PRS"), partial(claim_rows, world=world), partial(counted, world=world))
    for world in (DCIR, DCIRS)
)
