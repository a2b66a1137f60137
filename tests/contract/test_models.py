"""Models and their checks from weighted variants: pm4py's own results from the events."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import polars as pl
import pytest

from eventlogs import xes
from eventlogs.errors import InputError, LogError, ModelError
from eventlogs.log import EventLog
from pathways import definition
from pathways.mining.maps import ProcessMap, milestone_log
from pathways.mining.pm4py_door import (
    ALIGNMENT_COLUMNS,
    DEPENDENCY_COLUMNS,
    DEVIATION_COLUMNS,
    REPLAY_COLUMNS,
    ProcessModel,
    Step,
    align,
    discover,
    discover_heuristics,
    load_model,
    milestone_model,
    precision,
    reference_model,
    replay,
    shortest_run,
    to_pm4py,
)
from tests.contract.test_maps import log_of
from tests.reference import reference
from tests.unit.test_disclosure import random_log

LOGS = {
    "long": random_log(1, 120, 5, 0.5),
    "short": random_log(2, 60, 7, 0.2),
    "returns": log_of(
        *(
            (f"p{i}", name, day)
            for i, word in enumerate(["abac", "abababc", "acbb", "abcabc", "aabac"] * 3)
            for day, name in enumerate(word)
        )
    ),
}
matrices = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
needs_r4pm = pytest.mark.skipif(
    find_spec("r4pm") is None, reason="r4pm is not installed: extra 'fast' or 'bench'"
)


@pytest.fixture(scope="module")
def sepsis() -> EventLog:
    return xes.read(reference("logs", "sepsis", "SEPSIS.xes.gz"))


@pytest.fixture(params=LOGS, ids=str)
def log(request: pytest.FixtureRequest) -> EventLog:
    return LOGS[request.param]


def checked(log: EventLog) -> tuple[ProcessMap, ProcessModel]:
    """A map, and a model that does not fit it wholly."""
    one = ProcessMap.from_log(log)
    return one, discover(one, noise=0.4)


def schema(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: kind() if isinstance(kind, type) else kind for name, kind in columns.items()}


def same_net(ours: ProcessModel, theirs: tuple[Any, Any, Any]) -> bool:
    return _places(ours.petri_net()[0]) == _places(theirs[0])


def _places(net: Any) -> list[tuple[list[str], list[str]]]:
    sides = (
        (
            sorted(str(arc.source.label) for arc in place.in_arcs),
            sorted(str(arc.target.label) for arc in place.out_arcs),
        )
        for place in net.places
    )
    return sorted(sides)


def test_heuristics_from_variants_is_that_from_events(log: EventLog) -> None:
    import pm4py

    ours = discover_heuristics(ProcessMap.from_log(log), dependency=0.4)
    theirs = pm4py.discover_heuristics_net(to_pm4py(log), dependency_threshold=0.4)
    assert ours.heuristics_net.dependency_matrix == theirs.dependency_matrix
    assert same_net(ours, pm4py.discover_petri_net_heuristics(to_pm4py(log), dependency_threshold=0.4))


def test_heuristics_of_sepsis_from_variants_is_that_from_events(sepsis: EventLog) -> None:
    import pm4py

    ours = discover_heuristics(ProcessMap.from_log(sepsis))
    assert (
        ours.heuristics_net.dependency_matrix
        == pm4py.discover_heuristics_net(to_pm4py(sepsis)).dependency_matrix
    )
    assert same_net(ours, pm4py.discover_petri_net_heuristics(to_pm4py(sepsis)))
    shown = ours.dependencies()
    assert shown.schema == schema(DEPENDENCY_COLUMNS)
    registered = shown.row(
        by_predicate=(pl.col("source") == "ER Registration") & (pl.col("target") == "ER Triage")
    )
    assert registered[3] == ours.heuristics_net.dependency_matrix["ER Registration"]["ER Triage"]


def test_the_inductive_tree_of_sepsis_from_variants_is_that_from_events(sepsis: EventLog) -> None:
    import pm4py

    theirs = pm4py.discover_process_tree_inductive(to_pm4py(sepsis), noise_threshold=0.2)
    assert str(discover(ProcessMap.from_log(sepsis), noise=0.2)) == str(theirs)


def test_a_loop_of_two_needs_the_returns() -> None:
    loop = discover_heuristics(ProcessMap.from_log(LOGS["returns"])).dependencies()
    assert {("a", "b"), ("b", "a")} <= set(loop.select("source", "target").rows())


@matrices
def test_alignments_of_the_variants_are_those_of_the_events(log: EventLog) -> None:
    import pm4py

    one, model = checked(log)
    ours = align(one, model)
    theirs = pm4py.conformance_diagnostics_alignments(
        to_pm4py(log), *model.petri_net(), show_progress_bar=False
    )
    words = to_pm4py(log).groupby("case:concept:name")["concept:name"].agg(tuple)
    moves = {
        word: (result["cost"] // 10_000, result["fitness"])
        for word, result in zip(words, theirs, strict=True)
    }
    assert {tuple(word): (cost, fitness) for word, _, cost, fitness, *_ in ours.frame.rows()} == moves
    assert ours.frame["cost"].max() > 0
    mean = sum(result["fitness"] for result in theirs) / len(theirs)
    assert ours.average_fitness == pytest.approx(mean, abs=1e-12)
    assert ours.average_fitness_bounds == pytest.approx((mean, mean), abs=1e-12)
    worst = sum(result["bwc"] // 10_000 for result in theirs)
    assert ours.log_fitness == pytest.approx(1 - sum(r["cost"] // 10_000 for r in theirs) / worst, abs=1e-12)
    assert ours.fitting_share == sum(result["fitness"] == 1 for result in theirs) / len(theirs)


def test_an_alignment_tells_the_sequence_and_what_deviates(log: EventLog) -> None:
    one, model = checked(log)
    ours = align(one, model)
    assert ours.frame.schema == schema(ALIGNMENT_COLUMNS)
    for row in ours.frame.to_dicts():
        assert [move["activity"] for move in row["moves"] if move["kind"] != "model"] == row["variant"]
        assert row["cost"] == len(row["log_moves"]) + len(row["model_moves"])
        assert set(row["model_moves"]) <= set(model.activities)
    told = ours.deviations()
    assert told.schema == schema(DEVIATION_COLUMNS)
    weighted = (ours.frame["cost"] * ours.frame["n_patients"]).sum()
    assert told["n_moves"].sum() == weighted
    assert (told["n_patients"] <= told["n_moves"]).all()


@needs_r4pm
def test_both_engines_find_the_same_costs(log: EventLog) -> None:
    one, model = checked(log)
    first, second = (align(one, model, engine=engine) for engine in ("pm4py", "r4pm"))
    assert first.frame.select("variant", "cost", "fitness").equals(
        second.frame.select("variant", "cost", "fitness")
    )
    for row in second.frame.to_dicts():
        assert [move["activity"] for move in row["moves"] if move["kind"] != "model"] == row["variant"]
        assert set(row["model_moves"]) <= set(model.activities)


@needs_r4pm
def test_both_engines_find_the_same_costs_on_sepsis(sepsis: EventLog) -> None:
    one = ProcessMap.from_log(sepsis)
    model = discover(one, noise=0.2)
    first, second = (align(one, model, engine=engine).frame["cost"] for engine in ("pm4py", "r4pm"))
    assert first.equals(second)


def test_what_the_budget_does_not_allow_is_named() -> None:
    one, model = checked(LOGS["long"])
    none = align(one, model, seconds=0.0)
    assert none.unaligned.equals(one.variants.select("variant", "n_patients"))
    assert none.n_unaligned_patients == none.n_patients == 120
    assert none.average_fitness is none.log_fitness is none.fitting_share is None
    assert none.average_fitness_bounds == (0, 1)
    assert none.deviations().is_empty()
    assert repr(none) == f"Alignments({one.variants.height} variants, 120 patients, 120 patients not aligned)"
    some = align(one, model).frame.with_columns(
        pl.when(pl.col("n_patients") > 1).then(pl.col(name)).alias(name)
        for name in ("cost", "fitness", "moves")
    )
    partly = type(none)(some, none.shortest_run)
    low, high = partly.average_fitness_bounds
    assert low < align(one, model).average_fitness < high


def test_rows_of_one_sequence_are_counted_together_and_rows_of_none_left_out() -> None:
    rows = {"variant": [["a", "b"], ["b"], ["a", "b"], []], "n_patients": [3, 1, 4, 50]}
    model = reference_model([Step(("a",)), Step(("b",))])
    found = align(pl.DataFrame(rows), model).frame.select("variant", "n_patients", "cost")
    assert found.rows() == [(["a", "b"], 7, 0), (["b"], 1, 1)]


@needs_r4pm
def test_r4pm_tries_again_what_its_part_of_the_time_was_not_enough_for() -> None:
    one, model = checked(LOGS["long"])
    whole = align(one, model, engine="r4pm")
    short = align(one, model, engine="r4pm", seconds=0.05 * one.variants.height, seconds_per_variant=60.0)
    assert short.frame.select("variant", "cost").equals(whole.frame.select("variant", "cost"))


@needs_r4pm
def test_r4pm_stops_at_its_budget() -> None:
    one, model = checked(LOGS["long"])
    assert align(one, model, engine="r4pm", seconds_per_variant=0.00005).n_unaligned_patients > 0


def test_token_replay_of_the_variants_is_that_of_the_events(log: EventLog) -> None:
    from pm4py.algo.evaluation.replay_fitness.variants import token_replay

    one, model = checked(log)
    ours = replay(one, model)
    assert ours.frame.schema == schema(REPLAY_COLUMNS)
    theirs = token_replay.apply(to_pm4py(log), *model.petri_net(), parameters={"show_progress_bar": False})
    assert ours.average_fitness == pytest.approx(theirs["average_trace_fitness"], abs=1e-12)
    assert ours.log_fitness == pytest.approx(theirs["log_fitness"], abs=1e-12)
    assert 100 * ours.fitting_share == pytest.approx(theirs["perc_fit_traces"])


def test_precision_of_the_variants_is_that_of_the_events(log: EventLog) -> None:
    from pm4py.algo.evaluation.precision.variants import etconformance_token

    one, model = checked(log)
    theirs = etconformance_token.apply(
        to_pm4py(log), *model.petri_net(), parameters={"show_progress_bar": False}
    )
    assert precision(one, model).value == pytest.approx(theirs, abs=1e-12)


@matrices
def test_precision_by_alignments_is_that_of_the_events() -> None:
    from pm4py.algo.evaluation.precision.variants import align_etconformance

    one, model = checked(LOGS["short"])
    options = {"show_progress_bar": False, "multiprocessing": False}
    theirs = align_etconformance.apply(to_pm4py(LOGS["short"]), *model.petri_net(), parameters=options)
    assert precision(one, model, method="alignments").value == pytest.approx(theirs, abs=1e-12)


def test_precision_says_how_much_it_compared() -> None:
    one = ProcessMap.from_log(LOGS["short"])
    exact = reference_model([Step((activity,)) for activity in ("a00", "a01")])
    assert precision(one, exact).compared_share < 1
    assert precision(one, discover(one, noise=0.0)).compared_share == 1


def test_a_comma_in_a_name_splits_no_activity() -> None:
    log = log_of(("p", "CT, chest", 0), ("p", "surgery", 1), ("p", "death", 2))
    one = ProcessMap.from_log(log)
    model = reference_model([Step((name,)) for name in ("CT, chest", "surgery", "death")])
    assert precision(one, model).value == precision(one, model).compared_share == 1
    assert replay(one, model).fitting_share == align(one, model).fitting_share == 1


def test_a_reference_of_steps_allows_what_it_says() -> None:
    model = reference_model(
        [Step(("a", "b")), Step(("c",), optional=True), Step(("d",), repeats=True), Step(("e",), True, True)],
        name="reference",
    )
    words = {"ad": 0, "bcd": 0, "addd": 0, "adeee": 0, "abd": 1, "d": 1, "acc": 2, "da": 2}
    variants = pl.DataFrame({"variant": [list(word) for word in words], "n_patients": [1] * len(words)})
    found = align(variants, model).frame
    assert dict(zip(words, found["cost"], strict=True)) == words
    assert found.row(5, named=True)["model_moves"] in (["a"], ["b"])
    assert model.activities == ["a", "b", "c", "d", "e"]


def test_the_shortest_run_of_a_tree_is_that_of_its_net(log: EventLog) -> None:
    one = ProcessMap.from_log(log)
    for noise in (0.0, 0.4):
        model = discover(one, noise=noise)
        assert shortest_run(model) == shortest_run(ProcessModel(net=model.petri_net()))


def test_milestones_in_order_are_a_model() -> None:
    pathway = definition.load("breast_cancer")
    model = milestone_model(pathway)
    assert set(model.activities) == set(pathway.milestones)
    first, second = (
        next(a.id for a in pathway.activities.values() if a.phase == p) for p in pathway.milestones[:2]
    )
    log = log_of(("p", first, 0), ("p", second, 1), ("q", second, 0), ("q", first, 1))
    found = align(ProcessMap.from_log(milestone_log(log, pathway)), model)
    assert dict(zip(found.frame["variant"].list.first(), found.frame["cost"], strict=True)) == {
        pathway.milestones[0]: 0,
        pathway.milestones[1]: 1,
    }


@pytest.mark.parametrize("suffix", [".pnml", ".bpmn"])
def test_a_written_model_is_read_back_with_its_behaviour(tmp_path, log: EventLog, suffix: str) -> None:
    one, model = checked(log)
    path = tmp_path / f"m{suffix}"
    model.write_pnml(path) if suffix == ".pnml" else model.write_bpmn(path)
    again = load_model(path)
    assert again.activities == model.activities
    assert align(one, again).frame["cost"].equals(align(one, model).frame["cost"])
    again.write_pnml(tmp_path / "again.pnml")
    assert load_model(tmp_path / "again.pnml").activities == model.activities


PNML = '<pnml><net id="n"><page id="p">{}</page></net></pnml>'
WORD = '<place id="a"><initialMarking><text>one</text></initialMarking></place>'
STUCK = (
    '<place id="a"><initialMarking><text>1</text></initialMarking></place><place id="b"/><place id="c"/>'
    '<transition id="t"><name><text>x</text></name></transition>'
    '<transition id="u"><name><text>y</text></name></transition>'
    '<arc id="1" source="a" target="t"/><arc id="2" source="t" target="b"/><arc id="3" source="b" target="u"/>'
    '<arc id="5" source="a" target="u"/><arc id="4" source="u" target="c"/>'
)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.txt", "", "is no model that can be read"),
        ("none.pnml", None, "is not a file"),
        ("m.pnml", "", "is not whole XML"),
        ("m.pnml", "<pnml><net", "is not whole XML"),
        ("m.bpmn", "<pnml/>", "begins with <pnml>, not <definitions>"),
        ("m.pnml", PNML.format(""), "has no start or no end"),
        (
            "m.pnml",
            PNML.format(WORD),
            "ValueError",
        ),
        ("m.pnml", PNML.format(STUCK), "can't be run from its start to its end"),
    ],
)
def test_a_model_that_is_no_use_is_refused_in_a_sentence(
    tmp_path, name: str, text: str | None, words: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=words) as refused:
        load_model(path)
    assert "\n" not in str(refused.value)


def test_an_engine_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathways.mining.pm4py_door.alignments.find_spec", lambda name: None)
    one, model = checked(LOGS["short"])
    with pytest.raises(InputError, match=r"not installed; add it: pip install care-pathways\[fast\]"):
        align(one, model, engine="r4pm")


def test_wrong_words_and_empty_input_are_refused() -> None:
    one, model = checked(LOGS["short"])
    with pytest.raises(InputError, match=r"no engine 'r4p'; did you mean 'r4pm'"):
        align(one, model, engine="r4p")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no method 'token'"):
        precision(one, model, method="token")  # type: ignore[arg-type]
    for work in (align, replay, precision):
        with pytest.raises(LogError, match="no patient"):
            work(one.variants.clear(), model)
    with pytest.raises(LogError, match="dependency = 2 is not a share"):
        discover_heuristics(one, dependency=2)
    with pytest.raises(ModelError, match="needs steps"):
        reference_model([])
