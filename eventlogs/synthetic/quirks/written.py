"""Traps of writing: the same content in tables, under other names or other forms."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic.quirks.draw import Rng, drawn
from eventlogs.synthetic.tables.shared import NULL_DATE

Tables = dict[str, pl.DataFrame]

ARCHIVED = range(2015, 2020)
CLAIM_TABLES = ("ER_PRS_F", "ER_CAM_F", "ER_PHA_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F", "ER_TIP_F")
PROVISIONAL_YEAR, PROVISIONAL_MONTH = 23, 6
PROVISIONAL_PARTS = ("B", "C", "A", "D", "UM")
SWAPPED_SHARE = 0.05
OVERSEAS = {"971": "9A", "972": "9B", "973": "9C", "974": "9D", "976": "9F"}
AGE_SHARE, NO_AGE, MONTHS_FROM = 0.02, 9999, 1000
UNCHAINED_SHARE = 0.05


def archived_years(tables: Tables, rng: Rng) -> Tables:
    """Older fluxes in yearly tables: ER_PRS_F_2019 ends with the flux of 1 January 2020, which holds December."""
    kept = dict(tables)
    of_archive = pl.col("FLX_DIS_DTD").dt.offset_by("-1mo").dt.year()
    for name in CLAIM_TABLES:
        table, year = tables[name], tables[name].select(of_archive).to_series()
        kept[name] = table.filter(year >= ARCHIVED.stop)
        kept |= {f"{name}_{archived}": table.filter(year == archived) for archived in ARCHIVED}
    return kept


def provisional_file(tables: Tables, rng: Rng) -> Tables:
    """The cumulative file of January to June beside that of the whole year: other numbers, a few wrong pseudonyms."""
    stem = f"T_MCO{PROVISIONAL_YEAR}"
    key = ["ETA_NUM", "RSA_NUM"]
    early = tables[f"{stem}B"].filter(pl.col("SOR_MOI").cast(pl.Int64) <= PROVISIONAL_MONTH).select(key)
    renumbered = ("9" + pl.col("RSA_NUM").str.slice(1)).alias("RSA_NUM")
    parts = {
        part: tables[f"{stem}{part}"]
        .join(early, on=key, how="semi", maintain_order="left")
        .with_columns(renumbered)
        for part in PROVISIONAL_PARTS
    }
    named = parts["C"]["NIR_ANO_17"]
    swapped = pl.when(drawn(rng, named.len(), SWAPPED_SHARE)).then(named.reverse()).otherwise("NIR_ANO_17")
    parts["C"] = parts["C"].with_columns(NIR_ANO_17=swapped)
    return tables | {f"{stem}_{PROVISIONAL_MONTH:02}{part}": table for part, table in parts.items()}


def null_dates(tables: Tables, rng: Rng) -> Tables:
    """Living persons are dead on 01/01/1600, in 160001."""
    nothing = pl.lit(NULL_DATE).str.to_date()
    return tables | {
        name: tables[name].with_columns(
            pl.col("BEN_DCD_DTE").fill_null(nothing),
            *(
                [pl.col("BEN_DCD_AME").fill_null(pl.lit("160001"))]
                if "BEN_DCD_AME" in tables[name].columns
                else []
            ),
        )
        for name in ("IR_BEN_R", "IR_BEN_R_ARC", "IR_IBA_R")
    }


def overseas_codes(tables: Tables, rng: Rng) -> Tables:
    """Overseas residents of the PMSI: 9A to 9F and the end of the commune."""
    department = pl.col("BDI_COD").str.head(3).replace_strict(OVERSEAS, default=None, return_dtype=pl.String)
    return tables | {
        name: table.with_columns(
            BDI_COD=pl.coalesce(department + pl.col("BDI_COD").str.slice(2), "BDI_COD"),
            BDI_DEP=pl.coalesce(department, "BDI_DEP"),
        )
        for name, table in tables.items()
        if name.startswith("T_MCO") and {"BDI_COD", "BDI_DEP"} <= set(table.columns)
    }


def age_codes(tables: Tables, rng: Rng) -> Tables:
    """BEN_AMA_COD 9999, or in months above 1000."""
    lines = tables["ER_PRS_F"]
    code = pl.Series(rng.choice([NO_AGE, MONTHS_FROM + 7], lines.height))
    odd = drawn(rng, lines.height, AGE_SHARE)
    aged = lines.with_columns(BEN_AMA_COD=pl.when(odd).then(code).otherwise("BEN_AMA_COD").cast(pl.Int16))
    return tables | {"ER_PRS_F": aged}


def unchained_psychiatry(tables: Tables, rng: Rng) -> Tables:
    """Ambulatory psychiatry, which has no person: its acts can't be anybody's."""
    rows = []
    for name in [name for name in tables if name.startswith("T_MCO") and name.endswith("B")]:
        stays = tables[name]
        seen = stays.filter(drawn(rng, stays.height, UNCHAINED_SHARE))
        rows.append((name[5:7], seen))
    return tables | {
        f"T_RIP{year}R3A": seen.select(
            ETA_NUM_EPMSI="ETA_NUM", IPP_IRR_CRY="RSA_NUM", SEJ_IDT=pl.col("RSA_NUM").str.tail(5),
            DGN_PAL="DGN_PAL", RAL_ACT_MOI="SOR_MOI", RAL_ACT_ANN="SOR_ANN", ACT_NAT=pl.lit("E"),
        )
        for year, seen in rows
    }  # fmt: skip
