"""Every code of the built-in definitions against the code list and the value lists that were checked by hand."""

from __future__ import annotations

import polars as pl
import pytest

from eventlogs.snds.codes import MISREAD, medicines
from pathways.definition import Pathway, built_in, load
from tests.reference import reference

CANCER = {
    "breast_cancer": "breast",
    "colorectal_cancer": "colorectal",
    "lung_cancer": "lung",
    "prostate_cancer": "prostate",
}

THORACIC_MRI = {"ZBQJ001", "ZBQN001"}
ABDOMINAL_MRI = {"ZCQJ004", "ZCQJ005", "ZCQN001", "ZCQN002"}

LEFT_OUT = {
    "breast_cancer": THORACIC_MRI | ABDOMINAL_MRI,
    "colorectal_cancer": THORACIC_MRI,
    "lung_cancer": ABDOMINAL_MRI,
    "prostate_cancer": THORACIC_MRI,
}
"""Listed for any cancer, and not of this organ; medicines of any cancer are chosen by definition, not by list."""

NOT_BY_CODE = {"ZZNL016", "1193"}
"""An injected radioisotope, listed as brachytherapy and noted as a radiopharmaceutical; an expertise at a distance,
which two professionals have without the patient."""

ELSEWHERE = {
    ("DP", "Z511"), ("CIM10", "Z515"), ("PEC", "04"), ("PEC", "05"),
    ("ATC", "L01XX44"), ("ATC", "L01BC59"),
}  # fmt: skip
"""Codes whose place in the code list has no activity: session and palliative diagnoses, modes of home hospitalisation;
aflibercept and trifluridine-tipiracil, by their UCD."""


@pytest.fixture(scope="module")
def listed() -> pl.DataFrame:
    table = pl.read_csv(reference("snds", "oncology_event_codes.csv"), infer_schema=False)
    system = pl.col("code_system").replace({"PRS_NAT_REF": "PRS_NAT", "ATC_RENAMED": "ATC"})
    return table.with_columns(code_system=system)


def written(pathway: Pathway) -> set[tuple[str, str, str]]:
    return {
        (system, code, activity.id)
        for activity in pathway.activities.values()
        for system, codes in activity.codes.items()
        for code in codes
    }


def test_four_definitions_ship() -> None:
    assert built_in() == sorted(CANCER)


@pytest.mark.parametrize("name", built_in())
def test_every_code_is_listed_for_this_cancer_and_this_activity(name: str, listed: pl.DataFrame) -> None:
    own = listed.filter(pl.col("cancers").is_in([CANCER[name], "any"]), pl.col("activity").is_not_null())
    known = {
        (system, code): activity
        for system, code, activity in own.select("code_system", "code", "activity").rows()
    }
    for system, code, activity in written(load(name)):
        if system == "NGAP" or (system, code) in ELSEWHERE:
            continue
        assert (system, code) in known, f"{system} {code} of {activity} is not listed"
        same = known[system, code]
        medicine = system == "ATC" and {same, activity} <= {"oral_anticancer_dispensing", "targeted_therapy"}
        visit = same == "consultation" and activity.endswith("_consultation")
        assert same == activity or medicine or visit, f"{system} {code} is {same}, not {activity}"


@pytest.mark.parametrize("name", built_in())
def test_no_listed_code_is_missing(name: str, listed: pl.DataFrame) -> None:
    wanted = listed.filter(
        (pl.col("cancers") == CANCER[name])
        | ((pl.col("cancers") == "any") & (pl.col("code_system") != "ATC")),
        pl.col("activity").is_not_null(),
        ~pl.col("code").is_in([*LEFT_OUT[name], *NOT_BY_CODE]),
        ~((pl.col("cancers") == "any") & (pl.col("activity") == "tumour_marker")),
    )
    have = {(system, code) for system, code, _ in written(load(name))}
    missing = [row for row in wanted.select("code_system", "code").unique().rows() if row not in have]
    assert missing == []


def test_no_definition_takes_an_act_for_what_it_is_not() -> None:
    taken = {code: activities for code, (_, activities) in MISREAD.items()}
    for name in built_in():
        for system, code, activity in written(load(name)):
            assert system != "CCAM" or activity not in taken.get(code, ()), f"{code} is no {activity}"


@pytest.mark.parametrize("name", built_in())
def test_letters_of_external_care_are_those_of_the_services(name: str) -> None:
    """The same visit at hospital and in town: NGAP letters are the old names of the PRS_NAT (C2 has none there)."""
    names = pl.read_csv(reference("snds", "nomenclatures", "IR_NAT_V.csv"), separator=";", infer_schema=False)
    letters = dict(names.select("PRS_NAT", "PRS_NAT_CB2").drop_nulls().rows()) | {"1117": "C2"}
    for activity in load(name).activities.values():
        services, acts = activity.codes.get("PRS_NAT", ()), activity.codes.get("NGAP", ())
        assert {letters[code] for code in services} == set(acts), activity.id


def test_specialties_are_those_of_the_value_list() -> None:
    known = pl.read_csv(
        reference("snds", "nomenclatures", "IR_SPE_V.csv"),
        separator=";",
        infer_schema=False,
        encoding="utf8-lossy",
    )
    used = {
        str(code) for name in built_in() for a in load(name).activities.values() for code in a.specialties
    }
    assert used <= set(known["PFS_SPE_COD"])


def test_boxes_and_units_are_those_of_the_value_lists() -> None:
    boxes = pl.read_parquet(reference("snds", "nomenclatures", "IR_PHA_R.parquet")).select(
        pl.col("PHA_CIP_C13").alias("cip13"), pl.col("PHA_PRS_IDE").str.zfill(7).alias("cip7"),
        pl.col("PHA_ATC_C07").alias("written"), pl.col("PHA_CIP_UCD").alias("ucd7"),
    )  # fmt: skip
    own = medicines()
    written = pl.col("written").replace(own.vintages["old"], own.vintages["current"])
    wanted = boxes.filter(
        pl.col("written").str.contains("^L0[12]"), ~pl.col("written").is_in(["L01AA01", "L01BA01"])
    ).with_columns(atc=written)
    key = ["cip13", "cip7", "atc"]
    assert own.boxes.select(key).sort(key).equals(wanted.select(key).sort(key))
    by_box = wanted.filter(pl.col("ucd7").str.contains(r"^\d{7}$")).select("ucd7", "atc").unique()
    found = pl.read_csv(reference("snds", "oncology_ucd_candidates.csv"), infer_schema=False)
    assert by_box.join(own.units, on=["ucd7", "atc"], how="anti").is_empty()
    assert set(own.units["ucd7"]) == set(by_box["ucd7"]) | set(found["ucd7"])


def test_vintages_are_those_listed() -> None:
    table = pl.read_csv(reference("snds", "oncology_event_codes.csv"), infer_schema=False)
    renamed = table.filter(pl.col("code_system") == "ATC_RENAMED").select(
        pl.col("label").str.extract(r"old code (\w+)").alias("old"), pl.col("code").alias("current")
    )
    assert medicines().vintages.select("old", "current").sort("old").equals(renamed.sort("old"))
