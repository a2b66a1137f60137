"""What a user can get wrong: one sentence, its exit code, no traceback, nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from eventlogs.synthetic import TRAPS, synthesise
from pathways.cli import main
from pathways.definition.files import BUILT_IN
from pathways.steps import build
from pathways.study import Study


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bad") / "extract"
    one_file_a_table = [trap for trap in TRAPS if trap not in ("flux_month", "freshness")]
    synthesise(out, patients=200, seed=1, file_format="csv", quirks=one_file_a_table)
    return out


@pytest.fixture
def extract(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "extract"))


def edit(path: Path, change: Callable[[str], str], encoding: str = "utf-8") -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding=encoding)


def refused(extract: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Build, expect exit 3 and no trace of a study, and return the sentence."""
    study = extract.parent / "study"
    code = main(["build", str(extract), "-o", str(study), "--pathway", "breast_cancer", *options])
    said = " ".join(capsys.readouterr().err.split())
    assert code == 3, said
    assert "Traceback" not in said
    assert {path.name for path in extract.parent.iterdir()} <= {"extract"}
    return said


def test_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a folder; give the folder that holds the SNDS tables" in refused(
        tmp_path / "nothing", capsys
    )


def test_folder_without_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "extract").mkdir()
    assert "has no table IR_BEN_R, ER_PRS_F or NS_PRS_F, T_MCOaaB, T_MCOaaC" in refused(
        tmp_path / "extract", capsys
    )


def test_empty_table(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(extract / "ER_PRS_F.csv", lambda text: text.split("\n", 1)[0] + "\n")
    assert "ER_PRS_F has no row" in refused(extract, capsys)


def test_file_without_a_byte(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (extract / "ER_PRS_F.csv").write_bytes(b"")
    assert "ER_PRS_F.csv can't be read as CSV: it is empty, truncated or damaged" in refused(extract, capsys)


def test_wrong_column(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(extract / "ER_PRS_F.csv", lambda text: text.replace("EXE_SOI_DTD", "DATE_SOINS", 1))
    assert "ER_PRS_F.csv has no column EXE_SOI_DTD, which ER_PRS_F needs" in refused(extract, capsys)


def test_renamed_column_is_read(extract: Path, tmp_path: Path) -> None:
    edit(extract / "ER_PRS_F.csv", lambda text: text.replace("EXE_SOI_DTD", "DATE_SOINS", 1))
    edit(extract / "extract.toml", lambda text: text + '\n[columns]\nEXE_SOI_DTD = "DATE_SOINS"\n')
    assert build(extract, tmp_path / "study", pathway="breast_cancer").log().n_events > 1000


def test_unreadable_date(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.read_csv(extract / "ER_PRS_F.csv", separator=";", infer_schema=False)
    day = pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("12 mars 2021")).otherwise("EXE_SOI_DTD")
    frame.with_columns(EXE_SOI_DTD=day).write_csv(extract / "ER_PRS_F.csv", separator=";")
    said = refused(extract, capsys)
    assert "ER_PRS_F.csv has 1 values of EXE_SOI_DTD that are no date (shaped like '99 aaaa 9999')" in said
    assert "mars" not in said


def test_latin1_is_read(extract: Path, tmp_path: Path) -> None:
    first = build(extract, tmp_path / "one", pathway="breast_cancer").log()
    edit(extract / "ER_PRS_F.csv", _with_accent, encoding="latin-1")
    with pytest.raises(UnicodeDecodeError):
        (extract / "ER_PRS_F.csv").read_text(encoding="utf-8")
    assert build(extract, tmp_path / "two", pathway="breast_cancer").log().events.equals(first.events)


def _with_accent(text: str) -> str:
    head, *rows = text.splitlines()
    return "\n".join([f"{head};LIBELLE", *(f"{row};hôpital privé" for row in rows)]) + "\n"


def test_truncated_parquet(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.read_csv(extract / "ER_PRS_F.csv", separator=";", infer_schema=False)
    (extract / "ER_PRS_F.csv").unlink()
    frame.write_parquet(extract / "ER_PRS_F.parquet")
    content = (extract / "ER_PRS_F.parquet").read_bytes()
    (extract / "ER_PRS_F.parquet").write_bytes(content[: len(content) // 2])
    assert "ER_PRS_F.parquet can't be read as Parquet" in refused(extract, capsys)


def test_table_given_twice(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (extract / "copy").mkdir()
    (extract / "copy" / "ER_PRS_F.csv").write_text("BEN_NIR_PSA\nx\n")
    assert "ER_PRS_F is there twice with different content" in refused(extract, capsys)


def test_flux_month_in_two_tables(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(extract / "ER_PRS_F.csv", extract / "ER_PRS_F_2021.csv")
    assert "is both in ER_PRS_F_2021 and in ER_PRS_F; keep one of the two" in refused(extract, capsys)


def test_flux_month_in_two_affined_tables(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(extract / "ER_CAM_F.csv", extract / "ER_CAM_F_2021.csv")
    assert "is both in ER_CAM_F_2021 and in ER_CAM_F; keep one of the two" in refused(extract, capsys)


def test_both_worlds_of_claims(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (extract / "NS_PRS_F.csv").write_text("CLE_DCI_JNT\n1\n")
    said = refused(extract, capsys)
    assert "has both ER_PRS_F and NS_PRS_F, which tell the same care and would count twice" in said


def test_no_world_of_claims(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (extract / "ER_PRS_F.csv").unlink()
    assert "has no table ER_PRS_F or NS_PRS_F; found ER_BIO_F" in refused(extract, capsys)


def test_what_is_not_used_is_said_and_stops_nothing(extract: Path, tmp_path: Path) -> None:
    (extract / "ER_TRS_F.csv").write_text("A\n1\n")
    (extract / "ER_PRS_F_202107.csv").write_text("A\n1\n")
    (extract / "notes.csv").write_text("A\n1\n")
    for name in ("IR_IBA_R", "KI_CCI_R"):
        (extract / f"{name}.csv").unlink()
    shutil.copy(extract / "T_MCO21B.csv", extract / "T_MCO21_03B.csv")
    shutil.copy(extract / "T_MCO21C.csv", extract / "T_MCO21_03C.csv")
    edit(extract / "ER_PRS_F.csv", lambda text: text.replace("\n", ";X\n"))
    edit(extract / "IR_IMB_R.csv", lambda text: text.replace("INS_DTE", "AUTRE", 1))
    ald = pl.read_csv(extract / "IR_IMB_R.csv", separator=";", infer_schema=False)
    ald.with_columns(IMB_ALD_DTD=pl.lit("bientôt")).write_csv(extract / "IR_IMB_R.csv", separator=";")
    manifest = build(extract, tmp_path / "study", pathway="breast_cancer").manifest
    unused = manifest["unused"]
    assert unused["unknown_tables"] == ["ER_PRS_F_202107", "ER_TRS_F"]
    assert unused["superseded_tables"] == ["T_MCOaaB 21_03", "T_MCOaaC 21_03"]
    assert unused["unread_columns"]["ER_PRS_F"] >= 1
    assert unused["unreadable_values"] == {"IR_IMB_R.IMB_ALD_DTD": ald.height}
    assert {"IR_IMB_R.INS_DTE", "IR_IBA_R", "KI_CCI_R"} <= set(manifest["absent"])
    assert not [name for name in manifest["absent"] if name.startswith("NS_")]


def test_stays_without_chaining_table(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (extract / "T_MCO21C.csv").unlink()
    assert "T_MCO21B has no T_MCO21C beside it" in refused(extract, capsys)


def test_misspelt_key_in_a_definition(extract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = extract / "mine.toml"
    mine.write_text(
        (BUILT_IN / "breast_cancer.toml").read_text().replace("within_days = 42", "within_day = 42")
    )
    said = refused(extract, capsys, "--pathway", str(mine))
    assert "mine.toml: [breakdowns.late_start] has no key 'within_days'; did you mean 'within_day'?" in said


def test_a_folder_that_is_no_study_is_left_alone(
    extract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    assert main(["build", str(extract), "-o", str(mine), "--pathway", "breast_cancer"]) == 3
    assert "holds files and is no study" in " ".join(capsys.readouterr().err.split())
    assert main(["build", str(extract), "-o", str(extract), "--pathway", "breast_cancer"]) == 3
    assert "is or holds the source" in " ".join(capsys.readouterr().err.split())
    assert (mine / "notes.txt").read_text() == "keep me"
    assert (extract / "ER_PRS_F.csv").is_file()


def test_a_list_never_lands_among_the_study_s_own_files(
    extract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    build(extract, study, pathway="breast_cancer")
    command = ["score", str(study), "--model", str(study / "model"), "--at", "2022-01-01", "-o"]
    for name in ("released/list.csv", "patients.parquet"):
        assert main([*command, str(study / name)]) == 3
        assert "is among the study's own files" in " ".join(capsys.readouterr().err.split())
    assert main([*command, str(tmp_path / "list.csv")]) == 5
    assert "stays in the study" in " ".join(capsys.readouterr().err.split())


def test_a_place_with_square_brackets(extract: Path, tmp_path: Path) -> None:
    place = tmp_path / "x [2023]" / "st[b]udy"
    assert build(extract, place, pathway="breast_cancer").log().n_events > 1000


def test_a_ready_log_taken_for_an_extract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.xes.gz").write_bytes(b"")
    assert main(["build", str(tmp_path / "log.xes.gz"), "-o", str(tmp_path / "study")]) == 3
    assert "for a ready event log add --from xes" in " ".join(capsys.readouterr().err.split())


def test_a_definition_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_text("patient_id;activity;start\n1;lunch;2021-01-01\n")
    command = ["build", str(tmp_path / "log.csv"), "--from", "table", "-o", str(tmp_path / "study")]
    assert main([*command, "--pathway", "breast_cancer"]) == 3
    assert "none of the activities that open a breakdown of 'breast_cancer'" in " ".join(
        capsys.readouterr().err.split()
    )


def test_half_a_study(extract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study"
    build(extract, study, pathway="breast_cancer")
    (study / "patients.parquet").unlink()
    assert main(["mine", str(study)]) == 3
    assert "lacks patients.parquet, so it is no whole study; build it again" in " ".join(
        capsys.readouterr().err.split()
    )


def test_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 3
    assert "is not a study; make one with: pathways build" in " ".join(capsys.readouterr().err.split())


def test_options_of_an_extract_are_not_ignored_for_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", str(tmp_path / "n"), "--network", "--format", "csv"]) == 3
    assert "leave them out with --network" in " ".join(capsys.readouterr().err.split())


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["build"])
    assert stopped.value.code == 2
    assert "SOURCE" in capsys.readouterr().err


def test_our_own_fault_leaves_frames_and_no_data(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = str(12344 + 1)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("pathways.steps.build", fails)
    assert main(["build", str(extract), "-o", str(tmp_path / "study")]) == 1
    said = capsys.readouterr().err
    log = Path("".join(said.split()).rpartition("arein")[2])
    assert secret not in said + log.read_text()
    assert "RuntimeError" in log.read_text()
    log.unlink()


def test_killed_build_leaves_the_former_study(extract: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    before = build(extract, study, pathway="breast_cancer").log().events
    command = [
        sys.executable,
        "-m",
        "pathways.cli",
        "build",
        str(extract),
        "-o",
        str(study),
        "--pathway",
        "breast_cancer",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _wait_for(lambda: any(tmp_path.glob(".study.partial-*")))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert Study.open(study).log().events.equals(before)
    build(extract, study, pathway="breast_cancer")
    assert not list(tmp_path.glob(".study.*"))


def test_kill_between_the_two_renames_is_mended(extract: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    build(extract, study, pathway="breast_cancer")
    study.rename(tmp_path / ".study.old")
    assert Study.open(study).manifest["counts"]["patients"] > 0


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the build did not start"
        time.sleep(0.01)
