"""The synthetic extract: determinism, integrity, published proportions, planted truth, safe writing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eventlogs.errors import InputError
from eventlogs.synthetic import parameters, synthesise, synthesise_network
from eventlogs.synthetic.cancers import breast
from eventlogs.synthetic.endocrine import draw_refills
from eventlogs.synthetic.events import working_day
from eventlogs.synthetic.people import pseudonyms
from eventlogs.synthetic.tables.shared import JOIN_KEY, RETURN_CODES, VISIT_RETURN_CODES
from tests import oracle
from tests.reference import reference

AFFINED = ("ER_CAM_F", "ER_PHA_F", "ER_ETE_F", "ER_UCD_F")
STAY_KEY = ["ETA_NUM", "RSA_NUM"]
PATIENTS = 4000
PLAIN_TRAPS = [
    "policy_holder", "shared_pseudonym", "renewed_pseudonyms", "chaining_error", "grouping_error", "provider_stay",
    "grouped_sessions", "private_radiotherapy", "majoration", "regularisation", "public_leak", "flux_month",
    "null_date", "ald_versions", "ald_is_no_diagnosis", "session_coding", "geography", "misread_acts", "covid",
    "facility_numbers", "age_coding",
]  # fmt: skip
"""Traps that `PlainReader` knows: a second reader, so that the first is not judged by itself."""


def table(folder: Path, name: str) -> pl.DataFrame:
    """A table of an extract, in one file or in a folder, with its archives."""
    paths = [*sorted(folder.glob(f"{name}_20*")), *folder.glob(f"{name}.parquet"), *folder.glob(name)]
    return pl.concat([pl.read_parquet(path if path.is_file() else path / "*.parquet") for path in paths])


def years(folder: Path) -> list[int]:
    """Years that have stays."""
    return sorted({int(path.name[5:7]) for path in folder.glob("T_MCO[0-9][0-9]B*")})


def stay_table(folder: Path, part: str) -> pl.DataFrame:
    """One PMSI table over all years, with its year."""
    parts = [table(folder, f"T_MCO{year}{part}").with_columns(year=pl.lit(year)) for year in years(folder)]
    return pl.concat(parts)


def contents(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every Parquet table under a folder."""
    for file in sorted(folder.rglob("*.parquet")):
        yield str(file.relative_to(folder)), pl.read_parquet(file)


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "all"
    synthesise(out, patients=PATIENTS, seed=7)
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "plain"
    synthesise(out, patients=PATIENTS, seed=7, quirks=PLAIN_TRAPS)
    return out


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "none"
    synthesise(out, patients=PATIENTS, seed=7, quirks="none")
    return out


def truth(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "truth" / f"{name}.parquet")


# --- determinism and integrity ----------------------------------------------------------------------------


def test_same_seed_same_content_other_seed_other_content(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        synthesise(tmp_path / name, patients=300, seed=seed)
    first, again, other = (dict(contents(tmp_path / name)) for name in "abc")
    assert first.keys() == again.keys() == other.keys()
    assert all(first[name].equals(again[name]) for name in first)
    assert not first["ER_PRS_F.parquet"].equals(other["ER_PRS_F.parquet"])


def test_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        synthesise(tmp_path / name, patients=100, seed=5, file_format="csv")
    files = sorted(path.name for path in (tmp_path / "a").glob("*.csv"))
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_nine_keys_identify_a_line_and_fewer_do_not(extract: Path) -> None:
    lines = table(extract, "ER_PRS_F")
    assert lines.select(JOIN_KEY).is_unique().all()
    assert lines.select("DCT_ORD_NUM", "PRS_ORD_NUM").is_unique().mean() < 0.9


@pytest.mark.parametrize("name", AFFINED)
def test_every_affined_row_has_its_line(extract: Path, name: str) -> None:
    rows = table(extract, name)
    assert rows.height > 0
    assert rows.join(table(extract, "ER_PRS_F"), on=list(JOIN_KEY), how="anti").is_empty()


def test_some_lines_have_several_affined_rows(extract: Path) -> None:
    assert not table(extract, "ER_CAM_F").select(JOIN_KEY).is_unique().all()


@pytest.mark.parametrize("part", ["C", "A", "D", "UM"])
def test_every_pmsi_row_has_its_stay(extract: Path, part: str) -> None:
    stays = stay_table(extract, "B")
    assert stays.select("year", *STAY_KEY).is_unique().all()
    assert stay_table(extract, part).join(stays, on=["year", *STAY_KEY], how="anti").is_empty()


def test_each_stay_is_chained_once_and_belongs_to_its_year_of_discharge(extract: Path) -> None:
    chained = stay_table(extract, "C")
    assert chained.height == stay_table(extract, "B").height
    discharged = chained["SOR_DAT"].str.to_date("%d%m%Y")
    assert (discharged.dt.year() == 2000 + chained["year"]).all()
    assert (chained["EXE_SOI_DTF"] == discharged).all()


def test_every_line_and_stay_belongs_to_a_beneficiary(extract: Path) -> None:
    known = pl.concat([table(extract, "IR_BEN_R"), table(extract, "IR_BEN_R_ARC")])
    assert known.select("BEN_NIR_PSA", "BEN_RNG_GEM").is_unique().all()
    lines = table(extract, "ER_PRS_F")
    assert lines.join(known, on=["BEN_NIR_PSA", "BEN_RNG_GEM"], how="anti").is_empty()
    named = stay_table(extract, "C").filter(pl.col("NIR_ANO_17") != "x" * 17)
    assert named.join(known, left_on="NIR_ANO_17", right_on="BEN_NIR_PSA", how="anti").is_empty()


def test_flux_follows_care_and_stays_in_the_extract(extract: Path) -> None:
    lines = table(extract, "ER_PRS_F").filter(pl.col("EXE_SOI_DTD") > date(1601, 1, 1))
    assert (lines["FLX_DIS_DTD"] > lines["EXE_SOI_DTD"]).all()
    assert lines["FLX_DIS_DTD"].max() == date(2024, 6, 1)
    assert (lines["FLX_DIS_DTD"].dt.day() == 1).all()
    assert lines["FLX_DIS_DTD"].is_sorted()


def test_communes_read_as_the_territory_of_truth(extract: Path) -> None:
    people = table(extract, "IR_BEN_R").unique("BEN_IDT_ANO")
    commune = pl.col("BEN_RES_DPT").str.slice(1) + pl.col("BEN_RES_COM")
    territory = (
        pl.when(pl.col("BEN_RES_DPT") == "097")
        .then(commune.str.slice(0, 3))
        .otherwise(commune.str.slice(0, 2))
    )
    read = people.select(patient_id="BEN_IDT_ANO", read=territory, commune=commune)
    joined = truth(extract, "patients").join(read, on="patient_id")
    assert (joined["territory"] == joined["read"]).all()
    index = pl.read_csv(extract / "deprivation.csv", separator=";", schema_overrides={"commune": pl.String})
    quintiles = joined.join(index, on="commune", how="left")
    assert quintiles["quintile"].eq_missing(quintiles["deprivation"].cast(pl.Int64)).all()
    assert quintiles.filter(pl.col("territory").str.len_chars() == 3)["quintile"].null_count() > 0


def test_column_names_are_those_of_the_schema(extract: Path, snds_schema: pl.DataFrame) -> None:
    for path in sorted(extract.glob("*.parquet")):
        family = re.sub(r"^(T_[A-Z]{3})\d\d(_\d\d)?", r"\1aa", path.stem)
        variables = snds_schema.filter(pl.col("table") == re.sub(r"_(20\d\d|ARC)$", "", family))["variable"]
        assert set(pl.read_parquet(path).columns) <= set(variables), path.stem


@pytest.fixture
def snds_schema() -> pl.DataFrame:
    return pl.read_csv(reference("snds", "snds_schema_long.csv"), infer_schema=False)


# --- quirks -----------------------------------------------------------------------------------------------


def test_quirks_are_planted(extract: Path) -> None:
    lines, stays, chained = table(extract, "ER_PRS_F"), stay_table(extract, "B"), stay_table(extract, "C")
    assert (lines["PRS_ACT_QTE"] < 0).any()
    assert (lines["DPN_QLF"] == 71).any()
    assert (lines["PRS_DPN_QLP"] == 71).any()
    assert (lines["CPL_MAJ_TOP"] == 2).any()
    assert (lines["CPL_AFF_COD"] == 16).any()
    assert (lines["BSE_PRS_NAT"] == 0).any()
    assert lines["EXE_SOI_DTD"].null_count() > 0
    assert (lines["EXE_SOI_DTD"] == date(1600, 1, 1)).any()
    assert (table(extract, "ER_ETE_F")["ETE_IND_TAA"] == 1).any()
    assert stays["GRG_GHM"].str.starts_with("90").any()
    assert set(stays["SEJ_TYP"].drop_nulls()) == {"A", "B"}
    assert stays["DGN_PAL"].str.contains(r"\.").any()
    assert stays["NBR_SEA"].max() == 5
    assert (chained["NIR_ANO_17"] == "x" * 17).any()
    assert chained.filter(pl.any_horizontal(pl.col(RETURN_CODES) != "0")).height > 0
    assert table(extract, "IR_BEN_R_ARC").height > 0
    assert table(extract, "IR_BEN_R")["BEN_NIR_ANO"].null_count() > 0
    assert not table(extract, "IR_BEN_R")["BEN_NIR_PSA"].is_unique().all()
    assert (table(extract, "IR_IMB_R")["IMB_ALD_DTF"] == date(2099, 12, 31)).any()


def test_clean_tables_have_none(clean: Path) -> None:
    lines, stays, chained = table(clean, "ER_PRS_F"), stay_table(clean, "B"), stay_table(clean, "C")
    assert (lines["PRS_ACT_QTE"] > 0).all()
    assert lines["DPN_QLF"].null_count() == lines["PRS_DPN_QLP"].null_count() == lines.height
    assert (lines["CPL_MAJ_TOP"] == 0).all()
    assert (lines["BSE_PRS_NAT"] == lines["PRS_NAT_REF"]).all()
    assert lines["EXE_SOI_DTD"].min() > date(2000, 1, 1)
    assert (table(clean, "ER_ETE_F")["ETE_IND_TAA"] == 0).all()
    assert stays["SEJ_TYP"].null_count() == stays.height
    assert chained.filter(pl.any_horizontal(pl.col(RETURN_CODES) != "0")).is_empty()
    assert table(clean, "IR_BEN_R").height == PATIENTS
    assert table(clean, "IR_BEN_R_ARC").is_empty()


def test_quirks_change_neither_the_course_nor_its_mechanisms(plain: Path, clean: Path) -> None:
    planted, simple = truth(plain, "patients"), truth(clean, "patients")
    columns = ["territory", "age", "stage", "subtype", "index_date", "death_date"]
    missing = (
        simple.height
        - planted.select(columns)
        .join(simple.select(columns), on=columns, how="semi", nulls_equal=True)
        .height
    )
    assert missing <= 10
    assert set(truth(clean, "events")["why"].drop_nulls()) <= {"discharge_after_extract"}


def test_reasons_for_hidden_events(extract: Path) -> None:
    events = truth(extract, "events")
    assert events.filter("observable")["why"].null_count() == events.filter("observable").height
    assert set(events.filter(~pl.col("observable"))["why"]) >= {
        "chaining_error", "flux_after_extract", "twin_pseudonym",
    }  # fmt: skip
    hidden_stays = events.filter(pl.col("why") == "chaining_error").height
    in_stays = events.filter(
        pl.col("activity").is_in(["chemotherapy_session", "radiotherapy_session"])
    ).height
    assert 0.002 < hidden_stays / in_stays < 0.03


# --- a plain reader finds the truth -----------------------------------------------------------------------


def test_a_plain_reader_finds_exactly_the_observable_events(plain: Path) -> None:
    expected = truth(plain, "events").filter("observable")
    found = PlainReader(plain).cohort_events()
    key = ["patient_id", "activity", "start"]
    assert expected.join(found, on=key, how="anti").is_empty()
    assert found.join(expected, on=key, how="anti").is_empty()
    boxes = expected.filter(pl.col("activity") == "endocrine_therapy_dispensing").join(found, on=key)
    assert (boxes["quantity"] == boxes["quantity_right"]).all()


def test_the_same_holds_without_quirks(clean: Path) -> None:
    expected = truth(clean, "events").filter("observable").select("patient_id", "activity", "start")
    found = PlainReader(clean).cohort_events().select("patient_id", "activity", "start")
    assert expected.sort(pl.all()).equals(found.sort(pl.all()))


CCAM = {
    "QEQK004": "screening_mammography", "QEQK001": "mammography", "QEQM001": "breast_ultrasound",
    "FCFA029": "axillary_surgery", "EBLA003": "port_placement", "QEQJ001": "breast_mri", "QEQN001": "breast_mri",
    **dict.fromkeys(breast.BIOPSY_CODES, "breast_biopsy"),
    **dict.fromkeys(breast.CONSERVING_CODES, "breast_conserving_surgery"),
    **dict.fromkeys(breast.MASTECTOMY_CODES, "mastectomy"),
    **dict.fromkeys(breast.PATHOLOGY_CODES, "pathology_exam"),
    **dict.fromkeys(breast.RECONSTRUCTION_CODES, "breast_reconstruction"),
    **dict.fromkeys(parameters.PLANNING_CODES, "radiotherapy_planning"),
    **dict.fromkeys((*parameters.FRACTION_CODES, *parameters.FRACTION_SUPPLEMENTS), "radiotherapy_session"),
}  # fmt: skip
GHM = {
    "28Z07Z": "chemotherapy_session",
    **dict.fromkeys(parameters.SESSION_GHM, "radiotherapy_session"),
    **dict.fromkeys(parameters.PLANNING_GHM, "radiotherapy_planning"),
}
SPECIALTY = {
    1: "gp_consultation", 22: "gp_consultation", 23: "gp_consultation", 73: "oncology_consultation",
    74: "oncology_consultation", 76: "oncology_consultation", 4: "surgery_consultation", 49: "surgery_consultation",
}  # fmt: skip
CONSULTATIONS = (1109, 1110, 1111, 1112, 1117, 1157, 1191, 1192, 1209, 1211, 1105)
ANCHORS = (
    "breast_biopsy", "breast_conserving_surgery", "mastectomy", "chemotherapy_session", "radiotherapy_session",
    "endocrine_therapy_dispensing", "targeted_therapy",
)  # fmt: skip
REAL = pl.date(1601, 1, 1)


class PlainReader:
    """The rules of the documentation, written down once more with no regard for speed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people = pl.concat([table(folder, "IR_BEN_R"), table(folder, "IR_BEN_R_ARC")])
        self.lines = self._lines()
        self.stays = self._stays()
        self.palliative = self._palliative()
        self.acts = self._acts()

    def _lines(self) -> pl.DataFrame:
        """Lines that count, with their person."""
        placed = table(self.folder, "ER_ETE_F").select(*JOIN_KEY, "ETE_IND_TAA")
        return (
            table(self.folder, "ER_PRS_F")
            .join(placed, on=list(JOIN_KEY), how="left")
            .filter(
                pl.col("ETE_IND_TAA").fill_null(0) != 1, pl.col("DPN_QLF").fill_null(0) != 71,
                pl.col("PRS_DPN_QLP").fill_null(0) != 71, pl.col("CPL_MAJ_TOP") < 2, pl.col("CPL_AFF_COD") != 16,
                pl.col("BSE_PRS_NAT") != 0, pl.col("EXE_SOI_DTD") > REAL,
            )
            .join(self.people.select("BEN_NIR_PSA", "BEN_RNG_GEM", "BEN_IDT_ANO"), on=["BEN_NIR_PSA", "BEN_RNG_GEM"])
            .rename({"BEN_IDT_ANO": "patient_id", "EXE_SOI_DTD": "start"})
        )  # fmt: skip

    def _owners(self) -> pl.DataFrame:
        """Persons who are alone under their pseudonym."""
        alone = (
            self.people.group_by("BEN_NIR_PSA")
            .agg(pl.col("BEN_IDT_ANO").unique())
            .filter(pl.col("BEN_IDT_ANO").list.len() == 1)
        )
        return alone.select(NIR_ANO_17="BEN_NIR_PSA", patient_id=pl.col("BEN_IDT_ANO").list.first())

    def _stays(self) -> pl.DataFrame:
        """Stays that count, with their person and dates."""
        chained = (
            stay_table(self.folder, "C")
            .filter(pl.all_horizontal(pl.col(RETURN_CODES) == "0"))
            .join(self._owners(), on="NIR_ANO_17")
        )
        dated = chained.select(
            "year", *STAY_KEY, "patient_id",
            entry=pl.col("ENT_DAT").str.to_date("%d%m%Y"), leave=pl.col("SOR_DAT").str.to_date("%d%m%Y"),
        )  # fmt: skip
        stays = (
            stay_table(self.folder, "B")
            .join(dated, on=["year", *STAY_KEY])
            .with_columns(_tidy("DGN_PAL"), _tidy("DGN_REL"))
        )
        seance = pl.col("GRG_GHM").str.starts_with("28")
        return stays.filter(
            ~pl.col("GRG_GHM").str.starts_with("90"), seance | (pl.col("SEJ_TYP").fill_null("A") != "B")
        ).with_columns(seance=seance)

    def _palliative(self) -> pl.DataFrame:
        associated = stay_table(self.folder, "D").select("year", *STAY_KEY, code="ASS_DGN")
        units = stay_table(self.folder, "UM").select("year", *STAY_KEY, code="DGN_PAL")
        own = [self.stays.select("year", *STAY_KEY, code=name) for name in ("DGN_PAL", "DGN_REL")]
        coded = pl.concat([associated, units, *own]).filter(_tidy("code") == "Z515")
        return self.stays.join(coded, on=["year", *STAY_KEY], how="semi")

    def _acts(self) -> pl.DataFrame:
        acts = stay_table(self.folder, "A").filter(pl.col("ACV_ACT") == "1")
        dated = acts.join(self.stays.select("year", *STAY_KEY, "patient_id", "entry"), on=["year", *STAY_KEY])
        return dated.with_columns(
            activity=pl.col("CDC_ACT").replace_strict(CCAM, default=None),
            start=pl.col("entry") + pl.duration(days="ENT_DAT_DEL"),
        )

    def events(self) -> pl.DataFrame:
        """Events of everybody."""
        parts = [
            *self._billed(), self.acts, self._sessions(), self._full_stay_events(), self._deaths(),
            self.palliative.select("patient_id", activity=pl.lit("palliative_care"), start="entry"),
            self._drugs_in_stays(), *self._external_care(), *self._home_and_rehabilitation(),
        ]  # fmt: skip
        columns = ["patient_id", "activity", "start"]
        every = pl.concat(
            [part.select(*columns, *(["quantity"] if "quantity" in part.columns else [])) for part in parts],
            how="diagonal",
        )
        return every.filter(pl.col("activity").is_not_null()).group_by(columns).agg(pl.col("quantity").sum())

    def _billed(self) -> list[pl.DataFrame]:
        acts = (
            table(self.folder, "ER_CAM_F")
            .filter(pl.col("CAM_ACT_COD") == "1")
            .join(self.lines, on=list(JOIN_KEY))
        )
        acts = acts.with_columns(activity=pl.col("CAM_PRS_IDE").replace_strict(CCAM, default=None))
        boxes = table(self.folder, "ER_PHA_F").join(self.lines, on=list(JOIN_KEY))
        hormones = [int(code) for code in (*breast.TAMOXIFEN_CIP13, *breast.AROMATASE_INHIBITOR_CIP13)]
        boxes = boxes.filter(pl.col("PHA_PRS_C13").is_in(hormones)).with_columns(
            activity=pl.lit("endocrine_therapy_dispensing")
        )
        drugs = (
            table(self.folder, "ER_UCD_F")
            .join(self.lines, on=list(JOIN_KEY))
            .with_columns(activity=pl.lit("targeted_therapy"))
        )
        visits = self.lines.filter(pl.col("PRS_NAT_REF").is_in(CONSULTATIONS)).with_columns(
            activity=pl.col("PSE_SPE_COD").replace_strict(SPECIALTY, default=None)
        )
        urgent = self.lines.filter(pl.col("PRS_NAT_REF") == 2238).with_columns(
            activity=pl.lit("emergency_visit")
        )
        biology = table(self.folder, "ER_BIO_F").join(self.lines, on=list(JOIN_KEY))
        biology = biology.filter(pl.col("BIO_PRS_IDE") == 7321).with_columns(activity=pl.lit("tumour_marker"))
        return [
            _net(biology, "BIO_PRS_IDE", "BIO_ACT_QSN"),
            _net(acts, "CAM_PRS_IDE", "PRS_ACT_QTE"), _net(boxes, "PHA_PRS_C13", "PHA_ACT_QSN"),
            _net(drugs, "UCD_UCD_COD", "UCD_DLV_NBR"), _net(visits, "PRS_NAT_REF", "PRS_ACT_QTE"),
            _net(urgent, "PRS_NAT_REF", "PRS_ACT_QTE"),
        ]  # fmt: skip

    def _drugs_in_stays(self) -> pl.DataFrame:
        given = stay_table(self.folder, "MED").filter(pl.col("ADM_NBR") > 0)
        dated = given.join(
            self.stays.select("year", *STAY_KEY, "patient_id", "entry"), on=["year", *STAY_KEY]
        )
        return dated.with_columns(
            activity=pl.lit("targeted_therapy"), start=pl.col("entry") + pl.duration(days="DELAI")
        )

    def _external_care(self) -> list[pl.DataFrame]:
        key = ["year", "ETA_NUM", "SEQ_NUM"]
        sequences = (
            stay_table(self.folder, "CSTC")
            .filter(pl.all_horizontal(pl.col(VISIT_RETURN_CODES) == "0"))
            .join(self._owners(), on="NIR_ANO_17")
        )
        day = pl.col("EXE_SOI_DTD") + pl.duration(days="DEL_DAT_ENT")
        biology, visits = (
            stay_table(self.folder, part).join(sequences, on=key).with_columns(start=day)
            for part in ("FLSTC", "FCSTC")
        )
        specialty = pl.col("EXE_SPE").cast(pl.Int64).replace_strict(SPECIALTY, default=None)
        return [
            biology.with_columns(activity=pl.lit("tumour_marker")),
            visits.with_columns(activity=specialty),
        ]

    def _home_and_rehabilitation(self) -> list[pl.DataFrame]:
        """Palliative care at home by its mode of care; rehabilitation for the cancer, from a Monday."""
        home = self._other_stays("HAD", ["ETA_NUM_EPMSI", "RHAD_NUM"]).filter(pl.col("PEC_PAL") == "04")
        again = self._other_stays("SSR", ["ETA_NUM", "RHA_NUM"]).filter(_says_c50("MOR_PRP"))
        return [
            home.with_columns(activity=pl.lit("palliative_care"), start="EXE_SOI_DTD"),
            again.with_columns(
                activity=pl.lit("hospital_stay"), start=pl.col("EXE_SOI_DTD").dt.truncate("1w")
            ),
        ]

    def _other_stays(self, field: str, key: list[str]) -> pl.DataFrame:
        def every(part: str) -> pl.DataFrame:
            tables = [
                table(self.folder, f"T_{field}{year}{part}").with_columns(year=pl.lit(year))
                for year in years(self.folder)
            ]
            return pl.concat(tables)

        chained = every("C").filter(pl.all_horizontal(pl.col(RETURN_CODES) == "0"))
        owned = chained.join(self._owners(), on="NIR_ANO_17").select(
            "year", *key, "patient_id", "EXE_SOI_DTD"
        )
        return every("B").join(owned, on=["year", *key])

    def _sessions(self) -> pl.DataFrame:
        named = self.stays.filter("seance").with_columns(
            activity=pl.col("GRG_GHM").replace_strict(GHM, default=None)
        )
        count = pl.when(pl.col("activity") == "radiotherapy_planning").then(1).otherwise(pl.col("NBR_SEA"))
        ranked = (
            named.with_columns(count=count)
            .with_columns(rank=pl.int_ranges(0, "count"))
            .explode("rank", empty_as_null=True)
        )
        step = (pl.col("leave") - pl.col("entry")).dt.total_days() / (pl.col("count") - 1)
        days = pl.when(pl.col("count") > 1).then((pl.col("rank") * step).round()).otherwise(0).cast(pl.Int64)
        return ranked.with_columns(start=pl.col("entry") + pl.duration(days=days))

    def _full_stay_events(self) -> pl.DataFrame:
        full = self.stays.filter(~pl.col("seance"))
        chemo = full.filter(pl.col("DGN_PAL") == "Z511").with_columns(activity=pl.lit("chemotherapy_session"))
        key = ["year", *STAY_KEY]
        other = full.filter(_says_c50("DGN_PAL", "DGN_REL") & (pl.col("DGN_PAL") != "Z511")).join(
            self.palliative, on=key, how="anti"
        )
        listed = self.acts.filter(pl.col("activity").is_not_null())
        plain = other.join(listed, on=key, how="anti").with_columns(activity=pl.lit("hospital_stay"))
        return pl.concat([chemo, plain]).rename({"entry": "start"})

    def _deaths(self) -> pl.DataFrame:
        recorded = self.people.filter(pl.col("BEN_DCD_DTE") > REAL).select(
            patient_id="BEN_IDT_ANO", start="BEN_DCD_DTE"
        )
        in_stay = self.stays.filter(pl.col("SOR_MOD") == "9").select("patient_id", start="leave")
        return (
            pl.concat([recorded, in_stay])
            .unique("patient_id", keep="first", maintain_order=True)
            .with_columns(activity=pl.lit("death"))
        )

    def cohort_events(self) -> pl.DataFrame:
        """Events of the cohort, from 180 days before the index."""
        status = table(self.folder, "IR_IMB_R").filter(pl.col("MED_MTF_COD").str.starts_with("C50"))
        ill = status.join(self.people, on=["BEN_NIR_PSA", "BEN_RNG_GEM"]).select(patient_id="BEN_IDT_ANO")
        associated = stay_table(self.folder, "D").filter(pl.col("ASS_DGN").str.starts_with("C50"))
        stays = [
            self.stays.filter(_says_c50("DGN_PAL", "DGN_REL")),
            self.stays.join(associated, on=["year", *STAY_KEY], how="semi"),
        ]
        stays += [
            self._other_stays("HAD", ["ETA_NUM_EPMSI", "RHAD_NUM"]).filter(_says_c50("DGN_PAL")),
            self._other_stays("SSR", ["ETA_NUM", "RHA_NUM"]).filter(_says_c50("MOR_PRP")),
        ]
        diagnosed = pl.concat([ill, *(part.select("patient_id") for part in stays)]).unique()
        events = self.events().join(diagnosed, on="patient_id", how="semi")
        index = (
            events.filter(pl.col("activity").is_in(ANCHORS))
            .group_by("patient_id")
            .agg(index=pl.col("start").min())
        )
        return events.join(index, on="patient_id").filter(
            pl.col("start") >= pl.col("index") - pl.duration(days=180)
        )


def _tidy(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all(r"[.+ ]", "")


def _says_c50(*names: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(names).str.starts_with("C50").fill_null(False))


def _net(lines: pl.DataFrame, code: str, quantity: str) -> pl.DataFrame:
    """Sum quantities of a business key and keep what remains."""
    key = ["patient_id", "activity", "start", code, "PSE_SPE_COD"]
    return (
        lines.group_by(key).agg(quantity=pl.col(quantity).sum().cast(pl.Int64)).filter(pl.col("quantity") > 0)
    )


# --- published proportions --------------------------------------------------------------------------------


def share_with(folder: Path, *activities: str) -> float:
    events, patients = truth(folder, "events"), truth(folder, "patients")
    return events.filter(pl.col("activity").is_in(activities))["patient_id"].n_unique() / patients.height


@pytest.mark.parametrize(
    ("activity", "published", "tolerance"),
    [
        ("breast_conserving_surgery", 0.70, 0.05),
        ("radiotherapy_session", 0.80, 0.05),
        ("endocrine_therapy_dispensing", 0.704, 0.03),
        ("chemotherapy_session", 0.45, 0.04),
        ("breast_mri", 0.45, 0.03),
    ],
)
def test_shares_of_patients(extract: Path, activity: str, published: float, tolerance: float) -> None:
    assert share_with(extract, activity) == pytest.approx(published, abs=tolerance)


def test_people(extract: Path) -> None:
    patients = truth(extract, "patients")
    assert patients["age"].median() == pytest.approx(60, abs=1)
    shares = patients["subtype"].value_counts(normalize=True)
    found = dict(zip(shares["subtype"], shares["proportion"], strict=True))
    for subtype, published in zip(breast.SUBTYPES, breast.SUBTYPE_SHARES, strict=True):
        assert found[subtype] == pytest.approx(published, abs=0.02)
    assert patients["changes_facility"].mean() == pytest.approx(0.48, abs=0.025)
    assert patients["index_date"].min() >= date(2017, 1, 1)
    assert 0.005 < (patients["index_date"] < date(2019, 1, 1)).mean() < 0.04
    assert patients["index_date"].max() <= date(2022, 12, 31)


def first_day(events: pl.DataFrame, *activities: str) -> pl.DataFrame:
    return (
        events.filter(pl.col("activity").is_in(activities))
        .group_by("patient_id")
        .agg(day=pl.col("start").min())
    )


def test_delays(extract: Path) -> None:
    events = truth(extract, "events")
    surgery = first_day(events, "breast_conserving_surgery", "mastectomy")
    chemo = first_day(events, "chemotherapy_session").rename({"day": "chemo"})
    sessions = first_day(events, "radiotherapy_session").rename({"day": "radiotherapy"})
    joined = surgery.join(sessions, on="patient_id").join(chemo, on="patient_id", how="left")
    delays = joined.with_columns(days=(pl.col("radiotherapy") - pl.col("day")).dt.total_days())
    without = delays.filter(pl.col("chemo").is_null())
    after = delays.filter((pl.col("chemo") - pl.col("day")).dt.total_days().is_between(1, 150))
    assert without["days"].mean() == pytest.approx(52.7, abs=4)
    assert after["days"].mean() == pytest.approx(172.6, abs=8)


@pytest.mark.parametrize(
    ("breakdown", "expected", "tolerance"),
    [("late_start", 0.33, 0.03), ("radiotherapy_missed", 0.065, 0.02), ("surveillance_lapse", 0.25, 0.04)],
)
def test_planted_breakdowns(extract: Path, breakdown: str, expected: float, tolerance: float) -> None:
    rows = truth(extract, "breakdowns").filter(pl.col("breakdown") == breakdown)
    assert rows["planted"].mean() == pytest.approx(expected, abs=tolerance)
    assert rows.filter("planted")["date"].null_count() == 0


def test_endocrine_hazards_give_the_published_persistence(extract: Path) -> None:
    rows = truth(extract, "risk").filter(pl.col("breakdown") == "endocrine_interruption")
    first, later = rows["monthly_hazard"], rows["monthly_hazard_later"]
    assert (1 - (1 - first) ** 12).mean() == pytest.approx(0.13, abs=0.015)
    assert (1 - (1 - first) ** 12 * (1 - later) ** 48).mean() == pytest.approx(0.31, abs=0.03)


def test_hotspots_break_more_often(extract: Path) -> None:
    rows = truth(extract, "breakdowns").join(
        truth(extract, "patients").select("patient_id", "hotspot"), on="patient_id"
    )
    shares = (
        rows.group_by("breakdown", "hotspot")
        .agg(pl.col("planted").mean())
        .pivot("hotspot", index="breakdown", values="planted")
    )
    late = shares.filter(pl.col("breakdown").is_in(["late_start", "surveillance_lapse"]))
    assert (late["true"] > late["false"] + 0.05).all()
    assert truth(extract, "hotspots")["hotspot"].sum() == 8


def test_events_lie_between_lookback_and_end(extract: Path) -> None:
    dated = truth(extract, "events").join(truth(extract, "patients"), on="patient_id")
    assert ((dated["index_date"] - dated["start"]).dt.total_days() <= 180).all()
    assert dated["start"].max() <= date(2023, 12, 31)
    after_death = dated.filter(pl.col("start") > pl.col("death_date"), pl.col("activity") != "death")
    assert after_death.is_empty()
    assert 45 < dated.height / PATIENTS < 60


# --- the oracle -------------------------------------------------------------------------------------------


def test_the_oracle_knows_the_law_of_lateness() -> None:
    assert oracle.LATENESS == parameters.LATENESS
    assert parameters.INTERRUPTION_DAYS == oracle.GAP_DAYS
    assert oracle.lateness_law().sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("breakdown", "elapsed", "step"),
    [
        ("late_start", 20, ANCHORS[1:]),
        ("radiotherapy_missed", 30, ("radiotherapy_planning",)),
        ("surveillance_lapse", 380, ("mammography",)),
    ],
)
def test_the_oracle_is_calibrated_for_missed_steps(
    clean: Path, breakdown: str, elapsed: int, step: tuple[str, ...]
) -> None:
    """Among those with no step yet, as many break as the oracle says, in the lower and the upper half of risk."""
    rows = truth(clean, "risk").join(truth(clean, "breakdowns"), on=["patient_id", "breakdown"])
    due = pl.col("at_risk_from") + pl.duration(days="within_days")
    rows = rows.filter(
        (pl.col("breakdown") == breakdown) & pl.col("planted").is_not_null() & (due <= date(2023, 12, 31))
    )
    came = truth(clean, "events").filter(pl.col("activity").is_in(step)).join(rows, on="patient_id")
    days = (pl.col("start") - pl.col("at_risk_from")).dt.total_days()
    early = came.filter(days.is_between(1, elapsed))
    waiting = rows.join(early, on="patient_id", how="anti")
    risk = oracle.missed_step(
        waiting["mu"].to_numpy(), waiting["sigma"].to_numpy(), waiting["p_never"].to_numpy(),
        elapsed_days=elapsed, within_days=waiting["within_days"].to_numpy(), horizon_days=365,
    )  # fmt: skip
    planted = waiting["planted"].to_numpy()
    for half in (risk <= np.median(risk), risk > np.median(risk)):
        error = 3.5 * np.sqrt((risk[half] * (1 - risk[half])).sum()) / half.sum()
        assert planted[half].mean() == pytest.approx(risk[half].mean(), abs=error)


def test_windows_outside_the_horizon() -> None:
    def risk(elapsed: float) -> float:
        answer = oracle.missed_step(
            [3.4], [0.6], [0.1], elapsed_days=[elapsed], within_days=[42], horizon_days=30
        )
        return float(answer[0])

    assert risk(5) == 0
    assert 0 < risk(12) < risk(30) < 1
    assert np.isnan(risk(42))


@pytest.mark.parametrize(("boxes", "landmark"), [(1, 200), (1, 400), (3, 250)])
def test_the_oracle_is_calibrated_for_interruptions(boxes: int, landmark: int) -> None:
    size, horizon = 15_000, 180
    hazard = np.random.default_rng(1).uniform(0.005, 0.03, size)
    refills = draw_refills(
        np.random.default_rng(2), np.zeros(size, dtype=np.int64), hazard, np.full(size, boxes)
    )
    past = np.where(refills.days <= landmark, refills.days, -1)
    last, rank = past.max(axis=1), past.argmax(axis=1)
    overdue = landmark - (last + 30 * boxes)
    free = refills.interrupted > landmark
    risk = oracle.interruption(
        hazard[free], hazard[free] * parameters.LATER_HAZARD_RATIO, np.full(free.sum(), 30 * boxes),
        overdue_days=overdue[free], months_supplied=rank[free] * boxes, horizon_days=horizon,
    )  # fmt: skip
    broken = refills.interrupted[free] <= landmark + horizon
    for part in (overdue[free] <= 0, (overdue[free] > 0) & (overdue[free] <= 20), overdue[free] > 20):
        error = 4 * np.sqrt((risk[part] * (1 - risk[part])).sum() + 0.25) / part.sum()
        assert broken[part].mean() == pytest.approx(risk[part].mean(), abs=error)


# --- files ------------------------------------------------------------------------------------------------


def test_chunks_are_folders_of_files_with_small_row_groups(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    synthesise(
        tmp_path / "x", patients=1200, seed=2, chunk_patients=500, quirks=PLAIN_TRAPS,
        progress=lambda n, of: done.append((n, of)),
    )  # fmt: skip
    assert done == [(500, 1200), (1000, 1200), (1200, 1200)]
    assert sorted(file.name for file in (tmp_path / "x" / "ER_PRS_F").iterdir()) == [
        f"part-000{n}.parquet" for n in range(3)
    ]
    lines = table(tmp_path / "x", "ER_PRS_F")
    assert lines.select(JOIN_KEY).is_unique().all()
    assert stay_table(tmp_path / "x", "B").select("year", *STAY_KEY).is_unique().all()
    found = PlainReader(tmp_path / "x").cohort_events().select("patient_id", "activity", "start")
    expected = truth(tmp_path / "x", "events").filter("observable").select("patient_id", "activity", "start")
    assert found.sort(pl.all()).equals(expected.sort(pl.all()))
    assert truth(tmp_path / "x", "patients").height == pytest.approx(1200, abs=10)
    assert {path.name for path in (tmp_path / "x" / "truth").iterdir()} == {
        f"{name}.parquet" for name in ("events", "patients", "risk", "breakdowns", "hotspots", "traps")
    }


def test_csv_says_the_same_as_parquet(tmp_path: Path) -> None:
    synthesise(tmp_path / "csv", patients=200, seed=9, file_format="csv", chunk_patients=120)
    synthesise(tmp_path / "parquet", patients=200, seed=9, chunk_patients=120)
    for name in ("ER_PRS_F", "ER_PHA_F", "IR_BEN_R", "T_MCO20C"):
        typed = table(tmp_path / "parquet", name)
        files = [*sorted((tmp_path / "csv").glob(f"{name}_20*")), tmp_path / "csv" / f"{name}.csv"]
        text = pl.concat([pl.read_csv(file, separator=";", infer_schema=False) for file in files])
        dates = [column for column, dtype in typed.schema.items() if dtype == pl.Date]
        read = text.with_columns(pl.col(dates).str.to_date("%d/%m/%Y")).cast(dict(typed.schema))  # type: ignore[arg-type]
        assert read.equals(typed), name


def test_extract_describes_itself(extract: Path) -> None:
    described = tomllib.loads((extract / "extract.toml").read_text(encoding="utf-8"))
    assert described == {
        "synthetic": True,
        "seed": 7,
        "cutoff": {"dcir": date(2023, 12, 31), "pmsi": date(2023, 12, 31)},
    }


def test_a_stopped_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "x", patients=300, chunk_patients=100, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_run_leaves_the_earlier_extract(tmp_path: Path) -> None:
    synthesise(tmp_path / "x", patients=50, seed=1)

    def stop(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "x", patients=50, seed=2, progress=stop)
    assert "seed = 1" in (tmp_path / "x" / "extract.toml").read_text(encoding="utf-8")
    synthesise(tmp_path / "x", patients=50, seed=2)
    assert "seed = 2" in (tmp_path / "x" / "extract.toml").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_other_folders_are_refused_and_empty_ones_used(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not a synthetic extract"):
        synthesise(tmp_path, patients=10)
    (tmp_path / "empty").mkdir()
    synthesise(tmp_path / "empty", patients=10)
    assert (tmp_path / "empty" / "extract.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cancer": "brest"}, "unknown cancer 'brest'; did you mean 'breast'"),
        ({"patients": 0}, "patients is 0; give 1 or more"),
        ({"seed": -1}, "seed is -1"),
        ({"hotspots": 500}, "hotspots is 500; give a number from 0 to"),
        ({"file_format": "xlsx"}, "unknown file_format 'xlsx'"),
        ({"quirks": "some"}, "unknown quirks 'some'"),
        ({"quirks": ["grouping_errors"]}, "unknown trap 'grouping_errors'; did you mean 'grouping_error'"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesise(tmp_path / "x", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_tiny_extracts_and_no_hotspot(tmp_path: Path) -> None:
    synthesise(tmp_path / "x", patients=1, hotspots=0)
    assert not truth(tmp_path / "x", "hotspots")["hotspot"].any()


# --- the network ------------------------------------------------------------------------------------------


def test_network_writes_what_was_known(tmp_path: Path) -> None:
    as_of = date(2023, 6, 30)
    synthesise_network(tmp_path / "net", patients=400, as_of=as_of)
    events = pl.read_csv(
        tmp_path / "net" / "events.csv", separator=";", try_parse_dates=True, infer_schema_length=None
    )
    patients = pl.read_csv(tmp_path / "net" / "patients.csv", separator=";")
    assert events["known_from"].max() <= as_of
    assert (events["known_from"] > events["start"]).all()
    assert events["facility"].drop_nulls().n_unique() == 4
    assert patients["territory"].n_unique() == 3
    assert set(events["patient_id"]) == set(patients["patient_id"])
    described = tomllib.loads((tmp_path / "net" / "extract.toml").read_text(encoding="utf-8"))
    assert described["feed"] == "hospital_live"
    assert described["cutoff"] == {"all": as_of}
    expected = truth(tmp_path / "net", "events")
    assert expected.filter("observable").height == events.height
    assert set(expected.filter(~pl.col("observable"))["why"]) == {"not_known_yet"}


def test_network_has_patients_on_their_way(tmp_path: Path) -> None:
    synthesise_network(tmp_path / "net", patients=400)
    rows = truth(tmp_path / "net", "breakdowns").filter(pl.col("breakdown") == "surveillance_lapse")
    assert rows["planted"].null_count() > 100


# --- small pure functions ---------------------------------------------------------------------------------


def test_pseudonyms_are_distinct_and_17_characters_long() -> None:
    names = pseudonyms("P", 7, np.arange(50_000))
    assert names.is_unique().all()
    assert (names.str.len_chars() == 17).all()


def test_sessions_fall_on_working_days_after_the_first() -> None:
    friday = parameters.day_number(date(2021, 1, 1))
    days = working_day(np.full(7, friday), np.arange(7))
    assert (days - friday).tolist() == [0, 3, 4, 5, 6, 7, 10]
    saturday = working_day(np.full(3, friday + 1), np.arange(3))
    assert (saturday - friday).tolist() == [1, 3, 4]
