"""A real event log that no one here wrote: Sepsis Cases, from the command to a risk list."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pathways.cli import main
from pathways.mining.maps import ProcessMap
from pathways.mining.pm4py_door import to_pm4py
from pathways.study import Study
from tests.reference import reference

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = reference("logs", "sepsis", "SEPSIS.xes.gz")
    out = tmp_path_factory.mktemp("sepsis") / "study"
    command = ["build", str(source), "--from", "xes", "-o", str(out), "--pathway", str(HERE / "sepsis.toml")]
    assert main(command) == 0
    return out


def test_counts_are_those_of_the_document(study: Path) -> None:
    log = Study.open(study).log()
    process_map = ProcessMap.from_log(log)
    assert (log.n_patients, log.n_events, len(log.activities)) == (1050, 15214, 16)
    assert process_map.variants.height == 846
    assert "NA" in log.patients["patient_id"].to_list()


def test_map_equals_that_of_pm4py_reading_the_file_itself(study: Path) -> None:
    import pm4py
    from pm4py.objects.log.importer.xes.importer import Variants, apply

    path = str(reference("logs", "sepsis", "SEPSIS.xes.gz"))
    log = Study.open(study).log()
    process_map = ProcessMap.from_log(log)
    document = apply(path, variant=Variants.ITERPARSE, parameters={"show_progress_bar": False})
    follows, starts, ends = pm4py.discover_dfg(document)
    ours = {(s, t): n for s, t, n in process_map.edges.select("source", "target", "n_events").rows()}
    assert ours == dict(follows)
    assert dict(process_map.starts.select("activity", "n_patients").rows()) == starts
    assert dict(process_map.ends.select("activity", "n_patients").rows()) == ends
    theirs = Counter(tuple(event["concept:name"] for event in trace) for trace in document)
    assert (
        Counter({tuple(v): n for v, n in process_map.variants.select("variant", "n_patients").rows()})
        == theirs
    )
    assert len(to_pm4py(log)) == 15214


def test_mined_without_a_definition(tmp_path: Path) -> None:
    source = reference("logs", "sepsis", "SEPSIS.xes.gz")
    assert main(["build", str(source), "--from", "xes", "-o", str(tmp_path / "study")]) == 0
    assert main(["mine", str(tmp_path / "study")]) == 0
    assert Study.open(tmp_path / "study").released_names() == [
        "cluster_traits",
        "clusters",
        "drift",
        "drift_changes",
        "drift_distance",
        "edge_delays",
        "edges",
        "incidence",
        "layout",
        "nodes",
        "replay",
        "summary",
        "variants",
    ]


def test_trained_and_scored_with_a_small_definition(study: Path, tmp_path: Path) -> None:
    assert main(["mine", str(study)]) == 0
    assert main(["train", str(study)]) == 0
    last = Study.open(study).log().observed_until
    assert last is not None
    at = date(2015, 1, 20).isoformat()
    out = tmp_path / "list.csv"
    assert (
        main(
            [
                "score",
                str(study),
                "--model",
                str(study / "model"),
                "--at",
                at,
                "--capacity",
                "10",
                "-o",
                str(out),
            ]
        )
        == 0
    )
    rows = pl.read_csv(out.read_bytes().removeprefix(b"\xef\xbb\xbf"), separator=";")
    assert 0 < rows.height <= 10
    assert rows.columns[:6] == ["rank", "patient_id", "risk", "expected_step", "due_date", "days_overdue"]
