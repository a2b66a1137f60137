"""Comparisons of a study: the command, what it writes, and what the study's ledger lets follow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from eventlogs.errors import DisclosureRefused, InputError, StudyError
from pathways.cli import main
from pathways.contrasts import Question
from pathways.disclosure.compare import key_of
from pathways.filters import FilterStack
from pathways.selections import read_ledger
from pathways.steps import build, contrast, mine
from pathways.study import Study
from tests.unit.test_selections import DEFINITION, source

F = FilterStack()


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contrasts")
    (folder / "t.toml").write_text(DEFINITION, encoding="utf-8")
    build(source(folder / "log"), folder / "study", pathway=folder / "t.toml", door="table")
    mine(folder / "study")
    return folder / "study"


@pytest.fixture
def study(mined: Path, tmp_path: Path) -> Path:
    """A fresh copy: nothing but the study itself was released."""
    return Path(shutil.copytree(mined, tmp_path / "study"))


def shown(tables: list) -> dict[tuple[str, ...], int]:
    rows = tables[0].frame.filter(measure="share")
    return {(row["group"], *key_of(row)): row["k_a"] for row in rows.iter_rows(named=True)}


def test_the_command_writes_tables_and_a_map_of_two_groups(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in (study / "released").iterdir()}
    assert main(["contrast", str(study), "--by", "sex", "--language", "en"]) == 0
    place = study / "contrasts" / "sex"
    names = {path.name for path in (place / "released").glob("*.parquet")}
    assert names == {"contrast.parquet", "contrast_nodes.parquet", "contrast_edges.parquet"}
    svg = (place / "map.svg").read_text(encoding="utf-8")
    assert "Difference between “F” and “M”" in svg and "p0001" not in svg
    assert (place / "map.png").read_bytes().startswith(b"\x89PNG")
    meta = json.loads((place / "released" / "contrast.json").read_text(encoding="utf-8"))
    assert meta["filters"] == ["sex: F / M"] and meta["threshold"] == 11
    assert "released differences are significant" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (study / "released").iterdir()} == before
    assert Study.open(study).manifest["steps"][-1]["contrast"] == "sex"


def test_many_groups_have_a_funnel_and_no_map(study: Path) -> None:
    tables, place = contrast(study, by="territory")
    assert [one.name for one in tables] == ["contrast", "funnel"]
    assert not (place / "map.svg").exists()
    frame = tables[1].frame
    assert (
        frame.height > 10
        and frame.select(pl.min_horizontal("k", pl.col("n") - pl.col("k"))).min().item() >= 11
    )
    assert {"06", "07"}.isdisjoint(tables[0].frame["group"])


def test_the_same_comparison_may_be_released_again(study: Path) -> None:
    first, _ = contrast(study, by="deprivation")
    contrast(study, by="sex")
    again, _ = contrast(study, by="deprivation")
    assert all(one.frame.equals(other.frame) for one, other in zip(first, again, strict=True))


def test_a_group_against_all_others_shows_nothing_that_all_groups_hid(study: Path) -> None:
    """What hides one group protects another: it stays hidden when it is asked for alone."""
    many = shown(contrast(study, by="territory")[0])
    assert not any(key[0] == "05" for key in many)
    for question in ({"group": "05"}, {"group": "06"}):
        with pytest.raises(DisclosureRefused):
            contrast(study, by="territory", **question)
    with pytest.raises(DisclosureRefused):
        contrast(study, a=F.lives_in("04", "05"), b=F.lives_in("00", "01"))
    told = {key[1:] for key in many if key[0] == "04"}
    alone = {key[1:] for key in shown(contrast(study, by="territory", group="04")[0])}
    assert {key for key in alone if key[0] == "activity"} <= told and any(key[0] == "edge" for key in alone)


def test_all_groups_after_one_of_them_protect_what_is_left(study: Path) -> None:
    """The count of one territory is known: it can't serve to hide that of another."""
    alone = shown(contrast(study, by="territory", group="05")[0])
    counts = counts_of(study)
    many = shown(contrast(study, by="territory")[0])
    for activity in {key[2] for key in many if key[1] == "activity"}:
        told = {group for group, *key in [*many, *alone] if key == ["activity", activity]}
        left = {group: n for (group, name), n in counts.items() if name == activity and group not in told}
        assert not left or (len(left) > 1 and sum(left.values()) >= 11), activity


def counts_of(study: Path) -> dict[tuple[str, str], int]:
    log = Study.open(study).log()
    pairs = log.events.select("patient_id", "activity").unique().join(log.patients, on="patient_id")
    counted = pairs.group_by("territory", "activity").len()
    return {(territory, activity): n for territory, activity, n in counted.rows()}


def test_sets_of_filters_are_compared_and_known_to_selections(study: Path, tmp_path: Path) -> None:
    a, b = F.lives_in("00"), F.lives_in("01", "02")
    for name, stack in (("a", a), ("b", b)):
        (tmp_path / f"{name}.toml").write_text(stack.to_toml(), encoding="utf-8")
    tables, place = contrast(study, a=tmp_path / "a.toml", b=b)
    assert place.name == f"filters-{a.hash}-{b.hash}"
    assert tables[0].frame["group"].unique().to_list() == ["A"]
    assert len(read_ledger(Study.open(study))) == 2
    log = Study.open(study).log()
    few = log.patients.filter(territory="00")["patient_id"].len()
    assert tables[0].frame["n_a"].max() == few
    with pytest.raises(DisclosureRefused):
        contrast(study, a=F.lives_in("00", "07"), b=b)


def test_too_small_a_group_is_refused_and_nothing_is_left(study: Path) -> None:
    with pytest.raises(DisclosureRefused):
        contrast(study, by="territory", group="07")
    assert read_ledger(Study.open(study)) == []
    assert not (study / "contrasts").exists() or not list((study / "contrasts").glob("[!.]*"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "give what to compare by"),
        ({"by": "sex", "a": F.lives_in("00")}, "give what to compare by"),
        ({"a": F.lives_in("00"), "b": F.keep_activities("chemo")}, "take out the filters that cut events"),
        ({"by": "teritory"}, "did you mean 'territory'"),
        ({"by": "period:2020"}, "write period:2020-01-31"),
        ({"by": "facility:frist"}, "did you mean 'first'"),
        ({"by": "territory", "group": "99"}, "no group '99'"),
    ],
)
def test_questions_that_can_not_be_answered_say_why(study: Path, asked: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        contrast(study, **asked)


def test_a_study_that_was_not_mined_is_refused(study: Path) -> None:
    shutil.rmtree(study / "released")
    with pytest.raises(StudyError, match="first: pathways mine"):
        contrast(study, by="sex")


def test_names_of_folders() -> None:
    assert Question(by="period:2020-01-31").name == "period-2020-01-31"
    assert Question(by="territory", group="2A").name == "territory-2A"
    assert Question(by="facility:most").name == "facility-most"
