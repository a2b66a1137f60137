"""Exports: a log comes back as it was, patient-level files stay out of ``released/``, tables carry their meta."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs import meds, xes
from eventlogs.errors import DisclosureRefused, InputError, LogError
from eventlogs.log import RESERVED, EventLog
from pathways import steps
from pathways.cli import main
from pathways.exports import EXPORTS, export
from pathways.mining.kernels import directly_follows
from pathways.mining.maps import ProcessMap
from pathways.mining.pm4py_door import (
    Step,
    discover,
    discover_heuristics,
    discover_released,
    load_model,
    reference_model,
)
from pathways.study import Study
from tests.contract.test_maps import log_of


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mined study (synthetic): 105 patients do a, b and c in a few orders; one alone begins with z."""
    folder = tmp_path_factory.mktemp("exports")
    orders = {"ab": 40, "ba": 20, "abc": 30, "b": 15, "za": 1}
    rows = (
        (f"{word}{i:02}", name, 9 * day)
        for word, n in orders.items()
        for i in range(n)
        for day, name in enumerate(word)
    )
    log = log_of(*rows)
    xes.write(log, folder / "log.xes")
    steps.build(folder / "log.xes", folder / "study", door="xes")
    steps.mine(folder / "study")
    return folder / "study"


TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(i) for i in range(32) if i not in (9, 10, 13)]
    ),
    min_size=1,
    max_size=6,
)
NAMES = TEXT.filter(lambda name: name not in RESERVED and not name.startswith("■"))
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2038, 1, 1))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(TEXT, NAMES, TIMES, st.none() | TEXT, st.none() | st.integers(-9, 9)),
        min_size=1,
        max_size=12,
    )
)
def test_any_log_written_as_xes_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    path = tmp_path_factory.mktemp("xes") / "log.xes"
    names = ["patient_id", "activity", "start", "facility", "quantity"]
    kinds = [pl.String, pl.String, pl.Datetime("us"), pl.String, pl.Int64]
    log = EventLog.create(
        pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row").with_columns(
            source=pl.lit("mco")
        )
    )
    xes.write(log, path)
    assert xes.read(path).events.equals(log.events)
    assert xes.read(path).horizons.equals(log.horizons)


def test_a_log_that_names_no_source_keeps_its_horizon(tmp_path: Path) -> None:
    log = log_of(("p", "a", 0), ("p", "b", 7))
    xes.write(log, tmp_path / "log.xes")
    assert (
        xes.read(tmp_path / "log.xes").horizons.rows()
        == log.horizons.rows()
        == [(None, None, datetime(2020, 1, 8))]
    )


def test_patients_come_back_and_ties_keep_their_order(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "patient_id": ["NA", "NA", "x"],
            "activity": ["b", "a", "c"],
            "start": [datetime(2020, 1, 1)] * 3,
            "source": ["mco"] * 3,
        }
    )
    people = pl.DataFrame(
        {
            "patient_id": ["NA", "x", "y"],
            "sex": ["F", None, "M"],
            "deprivation": [5, 1, None],
            "death_date": [None, datetime(2021, 5, 2), None],
            "vital_status_known": [True, False, None],
        }
    )
    until = pl.DataFrame(
        {
            "patient_id": [None, None, "x"],
            "source": ["mco", "dcir & co", "mco"],
            "observed_until": [datetime(2023, 1, 1), datetime(2022, 6, 1), datetime(2021, 6, 1)],
        }
    )
    log = EventLog.create(frame, people, until, keep_order=True)
    for name in ("log.xes", "log.xes.gz"):
        xes.write(log, tmp_path / name)
        again = xes.read(tmp_path / name)
        assert again.events.equals(log.events)
        assert again.events["activity"].to_list() == ["b", "a", "c"]
        assert again.patients.equals(log.patients)
        assert again.horizons.equals(log.horizons)
        assert again.observed_until == datetime(2022, 6, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.xes", "log.xes.gz"]
    with pytest.raises(LogError, match=r"does not end in \.xes"):
        xes.write(log, tmp_path / "log.txt")


@pytest.mark.filterwarnings("ignore")
def test_pm4py_reads_what_is_written(tmp_path: Path) -> None:
    import pm4py

    log = log_of(("p & q", 'a "quoted" <b>', 0), ("p & q", "a", 0), ("NA", "é", 2))
    xes.write(log, tmp_path / "log.xes.gz")
    document = pm4py.read_xes(
        str(tmp_path / "log.xes.gz"), variant="iterparse", return_legacy_log_object=True
    )
    read = [
        (trace.attributes["concept:name"], e["concept:name"], e["time:timestamp"].replace(tzinfo=None))
        for trace in document
        for e in trace
    ]
    assert read == log.events.select("patient_id", "activity", "start").rows()
    assert str(document[0][0]["time:timestamp"].tzinfo) == "UTC"
    assert "patient-level" in document.attributes["care:notice"]


@pytest.mark.parametrize("suffix", [".xes", ".xes.gz", ".csv", ".parquet"])
def test_the_log_is_exported_whole(study: Path, tmp_path: Path, suffix: str) -> None:
    path = export(study, "events", tmp_path / f"log{suffix}")
    log = Study.open(study).log()
    if "xes" in suffix:
        assert xes.read(path).events.equals(log.events)
    else:
        read = pl.read_csv(path) if suffix == ".csv" else pl.read_parquet(path)
        assert read.select("patient_id", "activity").equals(log.events.select("patient_id", "activity"))
    about = json.loads((tmp_path / f"log{suffix}.json").read_text(encoding="utf-8"))
    assert about["patient_level"] and "never enters" in about["notice"]
    assert (about["n_patients"], about["study"]) == (106, Study.open(study).manifest["study"])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_trace_is_one_patient(study: Path, tmp_path: Path) -> None:
    one = pl.read_csv(export(study, "trace", tmp_path / "one.csv", patient="za00"))
    assert one["activity"].to_list() == ["z", "a"]
    with pytest.raises(InputError, match="no patient of that name") as refused:
        export(study, "trace", tmp_path / "z.csv", patient="zz")
    assert "zz" not in str(refused.value)
    with pytest.raises(InputError, match="--patient"):
        export(study, "trace", tmp_path / "z.csv")


def test_durations_sequences_and_alignments_are_of_everybody(study: Path, tmp_path: Path) -> None:
    log = Study.open(study).log()
    assert pl.read_parquet(export(study, "durations", tmp_path / "d.parquet")).equals(directly_follows(log))
    sequences = pl.read_csv(export(study, "sequences", tmp_path / "s.csv"))
    assert dict(sequences.select("variant", "n_patients").rows())["z > a"] == 1
    reference_model([Step(("a",)), Step(("b",))]).write_pnml(tmp_path / "m.pnml")
    found = pl.read_csv(export(study, "alignments", tmp_path / "a.csv", model=tmp_path / "m.pnml"))
    told = {word: rest for word, *rest in found.select("variant", "cost", "log_moves", "model_moves").rows()}
    assert (told["a > b"], told["z > a"]) == ([0, "", ""], [2, "z", "b"])
    about = json.loads((tmp_path / "a.csv.json").read_text(encoding="utf-8"))
    assert (about["model"], about["n_unaligned_patients"], about["fitting_share"]) == ("m.pnml", 0, 40 / 106)


@pytest.mark.parametrize("what", [name for name, one in EXPORTS.items() if one.patient_level])
def test_patient_level_files_never_enter_released(study: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "link").symlink_to(study / "released")
    inside = study / "released" / "deep"
    inside.mkdir(exist_ok=True)
    before = sorted(study.rglob("*"))
    for folder in (study / "released", tmp_path / "link", inside, study / "released" / ".." / "released"):
        with pytest.raises(DisclosureRefused, match="patient-level"):
            export(study, what, folder / "x.csv", patient="za00")
        assert main(["export", str(study), "--what", what, "-o", str(folder / "x.csv")]) == 5
    assert sorted(study.rglob("*")) == before
    shutil.rmtree(inside)


def test_no_writer_of_patients_writes_into_released(tmp_path: Path) -> None:
    released = tmp_path / "study" / "released"
    released.mkdir(parents=True)
    log = log_of(("p", "a", 0), ("p", "b", 1))
    one = ProcessMap.from_log(log)
    writers = (
        lambda: xes.write(log, released / "log.xes"),
        lambda: meds.write(log, released / "meds"),
        lambda: discover(one).write_bpmn(released / "m.bpmn"),
        lambda: discover_heuristics(one).write_pnml(released / "m.pnml"),
    )
    for write in writers:
        with pytest.raises(DisclosureRefused, match="patient-level"):
            write()
    assert not list(released.iterdir())
    discover_released(one.flow()).write_pnml(released / "m.pnml")


def test_released_tables_carry_what_they_are(study: Path, tmp_path: Path) -> None:
    opened = Study.open(study)
    for name in opened.released_names():
        table = opened.released(name)
        read = pl.read_parquet(export(study, name, tmp_path / f"{name}.parquet"))
        assert read.equals(table.frame)
        about = json.loads((tmp_path / f"{name}.parquet.json").read_text(encoding="utf-8"))
        assert about["patient_level"] is False
        assert {"numerator", "denominator", "threshold", "filters", "study"} <= set(about)
        export(study, name, tmp_path / f"{name}.csv")
    assert ",z," not in (tmp_path / "edges.csv").read_text(encoding="utf-8")


def test_the_released_map_and_model_hold_only_what_is_released(study: Path, tmp_path: Path) -> None:
    graph = nx.read_graphml(export(study, "map", tmp_path / "map.graphml"))
    edges = Study.open(study).released("edges").frame
    assert set(graph.edges) == set(edges.select("source", "target").rows())
    assert graph.edges["a", "b"]["n_patients"] == 70
    drawn = export(study, "map", tmp_path / "map.svg", language="en", measure="median_days").read_text(
        encoding="utf-8"
    )
    assert drawn.startswith("<svg") and ">z<" not in drawn
    fewer = export(study, "map", tmp_path / "few.svg", language="en", activities_share=0.4).read_text(
        encoding="utf-8"
    )
    assert len(fewer) < len(drawn)
    assert export(study, "map", tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    for name in ("m.bpmn", "m.pnml"):
        assert load_model(export(study, "model", tmp_path / name)).activities == ["a", "b", "c"]
        assert json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["threshold"] == 11


def test_wrong_words_are_told(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no 'event' to export; did you mean 'events'"):
        export(study, "event", tmp_path / "x.csv")
    with pytest.raises(InputError, match=r"x\.txt is no form of events; end it in \.xes or"):
        export(study, "events", tmp_path / "x.txt")
    with pytest.raises(InputError, match="is not a folder; make it first"):
        export(study, "events", tmp_path / "no" / "x.csv")
    with pytest.raises(InputError, match="without a pathway definition"):
        export(study, "alignments", tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())
    reference_model([Step(("other",))]).write_pnml(tmp_path / "other.pnml")
    with pytest.raises(
        InputError, match=r"other names no activity of the log at this level; .*\(a, b, c …\)"
    ):
        export(study, "alignments", tmp_path / "x.csv", model=tmp_path / "other.pnml")


def test_an_option_that_changes_nothing_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'edges' is the same whatever --level says"):
        export(study, "edges", tmp_path / "edges.csv", level="phase")
    with pytest.raises(InputError, match="--paths-share"):
        export(study, "model", tmp_path / "model.bpmn", paths_share=0.5)


def test_the_command_says_what_it_wrote(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(study), "--what", "events", "-o", str(tmp_path / "e.xes.gz")]) == 0
    assert "Patient-level" in capsys.readouterr().out
    assert main(["export", str(study), "--what", "edges", "-o", str(tmp_path / "e.csv")]) == 0
    assert "Patient-level" not in capsys.readouterr().out
