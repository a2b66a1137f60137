"""DCIRS and DCIR tell the same care: the same persons, written in either, give the same log."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from eventlogs.snds.rows import LINE_KEY
from eventlogs.synthetic import TRAPS, synthesise
from eventlogs.synthetic.quirks import NATURAL
from pathways.steps import build

PAIR = ["BEN_NIR_PSA", "BEN_RNG_GEM"]

RENAMED = {"PHA_ACT_QSN": "PHA_ACT_QSC"}


@pytest.fixture(scope="module")
def dcir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "dcir"
    told = [
        trap for trap in TRAPS if trap not in {*NATURAL, "flux_month"}
    ]  # archives would need their own tables
    synthesise(out, patients=500, seed=11, quirks=told)
    return out


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{name}.parquet")


def in_dcirs(dcir: Path, out: Path) -> Path:
    """Rewrite an extract of DCIR as one of DCIRS: one key, persons by BEN_IDT_ANO, complements gone."""
    shutil.copytree(dcir, out, ignore=shutil.ignore_patterns("ER_*"))
    lines = numbered_lines(dcir)
    lines.drop(*LINE_KEY[2:5], *PAIR).write_parquet(out / "NS_PRS_F.parquet")
    for path in dcir.glob("ER_*.parquet"):
        if path.stem not in ("ER_PRS_F", "ER_ETE_F"):
            joined = pl.read_parquet(path).join(lines.select(*LINE_KEY, "CLE_DCI_JNT"), on=LINE_KEY)
            simplified = joined.rename(RENAMED, strict=False).drop(
                name for name in LINE_KEY if name != "FLX_DIS_DTD"
            )
            simplified.write_parquet(out / f"NS{path.stem[2:]}.parquet")
    return out


def numbered_lines(dcir: Path) -> pl.DataFrame:
    known = [table(dcir, name).select(*PAIR, "BEN_IDT_ANO") for name in ("IR_BEN_R", "IR_BEN_R_ARC")]
    persons = pl.concat(known).drop_nulls().unique(PAIR, keep="first", maintain_order=True)
    rows = table(dcir, "ER_ETE_F").with_columns(own=pl.col("ETE_IND_TAA").eq(1).fill_null(False).not_())
    places = rows.group_by(LINE_KEY).agg(
        ETB_EXE_FIN=pl.coalesce(pl.col("ETB_EXE_FIN").filter("own").min(), pl.col("ETB_EXE_FIN").min()),
        ETE_IND_TAA=(~pl.col("own")).all().cast(pl.Int64),
    )
    acts = table(dcir, "ER_PRS_F").filter(
        pl.col("CPL_MAJ_TOP").fill_null(0) < 2,
        pl.col("CPL_AFF_COD").ne_missing(16),
        pl.col("BSE_PRS_NAT").ne_missing(0),
    )
    information = pl.when(pl.col("PRS_DPN_QLP") == 71).then(71).otherwise("DPN_QLF").alias("DPN_QLF")
    return (
        acts.with_columns(information)
        .join(persons, on=PAIR, how="left")
        .join(places, on=LINE_KEY, how="left")
        .with_row_index("CLE_DCI_JNT")
        .drop("CPL_MAJ_TOP", "CPL_AFF_COD", "BSE_PRS_NAT", "PRS_DPN_QLP")
    )


def test_the_same_care_in_dcir_and_in_dcirs_is_the_same_log(dcir: Path, tmp_path: Path) -> None:
    of_dcir = build(dcir, tmp_path / "one", pathway="breast_cancer").log()
    of_dcirs = build(in_dcirs(dcir, tmp_path / "dcirs"), tmp_path / "two", pathway="breast_cancer").log()
    shown = ["patient_id", "activity", "start", "quantity", "facility", "known_from", "code"]
    assert of_dcir.n_events > 10_000
    assert of_dcirs.events.select(shown).equals(of_dcir.events.select(shown))
    assert of_dcirs.patients.equals(of_dcir.patients)
