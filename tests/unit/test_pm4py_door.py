"""The door to pm4py: its frames, and models that equal those it finds from events."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from xml.etree import ElementTree

import polars as pl
import pytest

from eventlogs.errors import DisclosureRefused, LogError
from pathways.disclosure import release_map
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap
from pathways.mining.pm4py_door import discover, discover_released, to_pm4py
from tests.contract.test_maps import log_of
from tests.unit.test_disclosure import random_log

LOGS = {
    "ties": log_of(
        *(
            (f"p{i}", name, day)
            for i in range(9)
            for name, day in (("a", 0), ("b", i % 2), ("c", 1), ("a", i))
        )
    ),
    "chain": random_log(1, 120, 5, 0.5),
    "wide": random_log(2, 200, 8, 0.2),
    "one event": log_of(("p", "a", 0)),
}


@pytest.fixture(params=LOGS, ids=str)
def log(request):
    return LOGS[request.param]


def test_the_frame_has_pm4py_names_in_rank_order():
    log = log_of(("NA", "b", 3), ("NA", "a", 0), ("x", "c", 1))
    frame = to_pm4py(log)
    assert frame["case:concept:name"].tolist() == ["NA", "NA", "x"]
    assert frame["concept:name"].tolist() == ["a", "b", "c"]
    assert str(frame["time:timestamp"].dt.tz) == "UTC"
    assert frame["rank"].tolist() == [0, 1, 0]
    frame["concept:name"] = "changed"
    assert log.activities == ["a", "b", "c"]


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_model_of_the_variants_is_that_of_the_events(log, noise):
    import pm4py

    theirs = pm4py.discover_process_tree_inductive(to_pm4py(log), noise_threshold=noise)
    assert str(discover(ProcessMap.from_log(log), noise=noise)) == str(theirs)


def test_the_model_of_the_edges_is_that_of_the_directly_follows_graph(log):
    import pm4py

    theirs = pm4py.discover_process_tree_inductive(pm4py.discover_dfg_typed(to_pm4py(log)))
    assert str(discover_released(ProcessMap.from_log(log).flow())) == str(theirs)


def test_the_model_of_released_edges_names_only_what_they_show():
    log = random_log(7, 400, 6, 0.5)
    nodes, edges = release_map({"activity": ProcessMap.from_log(log)})
    model = discover_released(edges.frame, level="activity")
    _, initial, final = model.petri_net()
    net = model.petri_net()[0]
    assert {t.label for t in net.transitions} - {None} <= set(nodes.frame["activity"])
    assert len(initial) == len(final) == 1


def test_edges_without_a_start_or_an_end_give_no_model():
    edges = ProcessMap.from_log(LOGS["chain"]).flow()
    for hidden in (pl.col("source") != START, pl.col("target") != END):
        with pytest.raises(DisclosureRefused, match="no first or no last activity"):
            discover_released(edges.filter(hidden))
    rest = pl.DataFrame({"source": [ELSEWHERE], "target": [ELSEWHERE], "n_events": [400]})
    assert str(discover_released(pl.concat([edges, rest], how="diagonal"))) == str(discover_released(edges))


def test_models_are_written_whole_and_read_back(tmp_path):
    import pm4py

    model = discover(ProcessMap.from_log(LOGS["wide"]))
    model.write_bpmn(tmp_path / "m.bpmn")
    model.write_pnml(tmp_path / "m.pnml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bpmn", "m.pnml"]
    net, _, _ = pm4py.read_pnml(str(tmp_path / "m.pnml"))
    labels = {t.label for t in model.petri_net()[0].transitions}
    assert {t.label for t in net.transitions} == labels
    diagram = pm4py.read_bpmn(str(tmp_path / "m.bpmn"))
    assert labels - {None} <= {node.get_name() for node in diagram.get_nodes()}


def test_a_written_diagram_is_laid_out_without_overlap(tmp_path):
    discover(ProcessMap.from_log(LOGS["wide"])).write_bpmn(tmp_path / "m.bpmn")
    boxes = [
        tuple(float(box.get(side)) for side in ("x", "y", "width", "height"))
        for box in ElementTree.parse(tmp_path / "m.bpmn").iterfind(".//{*}Bounds")
    ]
    assert len(boxes) > 10
    for i, (x, y, width, height) in enumerate(boxes):
        for x2, y2, _, _ in boxes[i + 1 :]:
            assert not (x <= x2 < x + width and y <= y2 < y + height)


def test_wrong_use_is_refused_in_a_sentence(tmp_path):
    one = ProcessMap.from_log(LOGS["chain"])
    with pytest.raises(LogError, match=r"noise = 2 is not a share"):
        discover(one, noise=2)
    with pytest.raises(LogError, match="the map has no patient"):
        discover(ProcessMap.from_log(log_of(("p", "a", 0)).as_of(datetime(1999, 1, 1))))
    with pytest.raises(LogError, match=r"does not end in \.bpmn"):
        discover(one).write_bpmn(tmp_path / "m.txt")


def test_counting_imports_no_pm4py_and_discovering_prints_no_banner():
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from tests.contract.test_maps import log_of\n"
        "from pathways.mining.maps import ProcessMap\n"
        "from pathways.mining.pm4py_door import discover\n"
        "one = ProcessMap.from_log(log_of(('p', 'a', 0), ('p', 'b', 1)))\n"
        "assert 'pm4py' not in sys.modules\n"
        "print(discover(one))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "->( 'a', 'b' )\n"
