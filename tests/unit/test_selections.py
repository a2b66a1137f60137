"""Selections of a study under attack: what a reader could compute from all that was released of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from dashboards.results import read_results
from eventlogs.errors import DefinitionError, DisclosureRefused, InputError, StudyError
from pathways.cli import main
from pathways.disclosure.policy import POLICY, DisclosurePolicy, Released
from pathways.disclosure.selections import SHAPES, Beside, protect_tables
from pathways.exports import export
from pathways.filters import NO_FILTER, FilterStack
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.outcomes import DEAD, FOLLOWED, LOST
from pathways.releases import Material
from pathways.releases import released as everything
from pathways.selections import beside_groups, read_ledger, remember_groups
from pathways.steps import build, mine
from pathways.study import SelectedStudy, Study

ACTIVITIES = ("biopsy", "surgery", "chemo", "rays", "visit", "rare")
N_PATIENTS = 900

DEFINITION = """\
id = "t"
version = "1"
label = { fr = "T", en = "T" }
milestones = ["surgery", "chemo"]

[cohort]
index_activities = ["biopsy"]
source = "test"

[phases]
other = { fr = "Autre", en = "Other" }
surgery = { fr = "Chirurgie", en = "Surgery" }
chemo = { fr = "Chimio", en = "Chemo" }
""" + "".join(
    f'[activities.{name}]\nlabel = {{ fr = "{name} (fr)", en = "{name}" }}\nCCAM = ["AAAA00{i}"]\nsource = "test"\n'
    f'phase = "{name if name in ("surgery", "chemo") else "other"}"\n'
    for i, name in enumerate(ACTIVITIES)
)


def source(folder: Path) -> Path:
    """A simulated log: six activities, eight territories, rare steps everywhere."""
    rng = np.random.default_rng(5)
    chances = rng.dirichlet(np.full(len(ACTIVITIES), 0.6), size=len(ACTIVITIES))
    rows = []
    for patient in range(N_PATIENTS):
        activity, day = 0, int(rng.integers(0, 700))
        for _ in range(int(rng.integers(2, 9))):
            rows.append((f"p{patient:04d}", ACTIVITIES[activity], day))
            activity = int(rng.choice(len(ACTIVITIES), p=chances[activity]))
            day += int(rng.integers(0, 40))
    folder.mkdir()
    events = pl.DataFrame(rows, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(date(2019, 1, 1)).cast(pl.Datetime("us")) + pl.duration(days="day")
    events.select("patient_id", "activity", start=start).write_parquet(folder / "events.parquet")
    territory = rng.choice(8, N_PATIENTS, p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.08, 0.013, 0.007])
    patients = {
        "patient_id": [f"p{patient:04d}" for patient in range(N_PATIENTS)],
        "territory": [f"0{place}" for place in territory],
        "sex": rng.choice(["F", "M"], N_PATIENTS),
        "deprivation": rng.integers(1, 6, N_PATIENTS),
        "exit_reason": rng.choice(["death", "abroad", None], N_PATIENTS, p=[0.25, 0.1, 0.65]),
    }
    left = pl.when(pl.col("exit_reason").is_not_null()).then(pl.lit("2022-06-01"))
    died = pl.when(pl.col("exit_reason") == "death").then(pl.lit("2022-06-01"))
    told = pl.DataFrame(patients).with_columns(exit_date=left, death_date=died)
    told.write_parquet(folder / "patients.parquet")
    return folder


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selections")
    (folder / "t.toml").write_text(DEFINITION, encoding="utf-8")
    build(source(folder / "log"), folder / "study", pathway=folder / "t.toml", door="table")
    mine(folder / "study")
    return folder / "study"


@pytest.fixture
def study(mined: Path, tmp_path: Path) -> Path:
    """A fresh copy: nothing but the study itself was released."""
    return Path(shutil.copytree(mined, tmp_path / "study"))


F = FilterStack()


def ids(study: Path, stack: FilterStack) -> set[str]:
    opened = Study.open(study)
    return {*stack.apply(opened.log(), opened.pathway()).log.patients["patient_id"]}


def released(study: Path, stack: FilterStack) -> SelectedStudy:
    return mine(study, filters=stack).selection(stack.hash)


def territories(*numbers: int) -> FilterStack:
    return F.lives_in(*(f"0{number}" for number in numbers))


def test_a_selection_stands_beside_the_study(study: Path) -> None:
    before = {path.name: path.read_bytes() for path in (study / "released").iterdir()}
    stack = F.with_activity("surgery")
    opened = mine(study, filters=stack, name="operated")
    one = opened.selection(stack.hash)
    assert {path.name: path.read_bytes() for path in (study / "released").iterdir()} == before
    assert [found.hash for found in opened.selections()] == [stack.hash]
    assert (one.stack, one.name, one.words["fr"]) == (stack, "operated", ("avec surgery (fr)",))
    assert FilterStack.from_toml((one.path / "filters.toml").read_text(encoding="utf-8")) == stack
    assert {"attrition", "edges", "nodes", "summary", "variants"} <= {*one.released_names()}
    for name in one.released_names():
        meta = one.released(name).meta
        assert (meta["filter_hash"], meta["filters"]) == (stack.hash, ["avec surgery (fr)"])
        assert opened.released("nodes").meta["filter_hash"] == NO_FILTER
    assert (one.path / "released" / "model_activity.bpmn").is_file()
    assert opened.manifest["steps"][-1]["filter_hash"] == stack.hash


def test_the_same_selection_may_be_released_again(study: Path) -> None:
    stack = territories(0, 1).with_activity("surgery")
    first = released(study, stack)
    frames = {name: first.released(name).frame for name in first.released_names()}
    released(study, territories(2))
    again = released(study, stack)
    assert all(again.released(name).frame.equals(frame) for name, frame in frames.items())
    assert len(read_ledger(Study.open(study))) == 2


def test_a_filter_moved_by_a_day_is_refused(study: Path) -> None:
    log = Study.open(study).log()
    sizes = [F.lasts_between(0, day).apply(log).log.n_patients for day in range(40, 90)]
    moved = next(i for i, (n, more) in enumerate(pairwise(sizes)) if 0 < more - n < 11)
    released(study, F.lasts_between(0, 40 + moved))
    with pytest.raises(DisclosureRefused) as refusal:
        released(study, F.lasts_between(0, 41 + moved))
    assert not any(character.isdigit() for character in str(refusal.value))
    assert len(Study.open(study).selections()) == 1


def test_a_territory_less_is_refused(study: Path) -> None:
    assert 0 < len(ids(study, territories(7))) < 11
    released(study, territories(0, 1, 2, 6, 7))
    with pytest.raises(DisclosureRefused):
        released(study, territories(0, 1, 2, 6))
    with pytest.raises(DisclosureRefused, match="would together tell"):
        released(study, territories(0, 1, 2, 3, 4, 5, 6))


def test_disjoint_parts_that_leave_a_few_are_refused(study: Path) -> None:
    """Six parts of which no two differ by a few: only all together tell of the seven patients of the last."""
    assert len(ids(study, territories(6))) >= 11
    for number in (0, 1, 2, 3, 4, 5):
        released(study, territories(number))
    with pytest.raises(DisclosureRefused):
        released(study, territories(6))


def test_honest_selections_pass(study: Path) -> None:
    stacks = [
        *(territories(number) for number in range(4)),
        F.attribute_in("sex", "F"),
        F.attribute_in("sex", "M"),
        F.with_activity("surgery").attribute_in("deprivation", 1, 2),
        F.cut_to_days(0, 60),
        F.keep_activities("surgery", "chemo"),
    ]
    for stack in stacks:
        released(study, stack)
    assert len(Study.open(study).selections()) == len(stacks)


def test_too_few_patients(study: Path) -> None:
    with pytest.raises(DisclosureRefused, match="fewer than 11"):
        released(study, territories(7))


def test_nearly_all_of_a_node_is_refused(study: Path) -> None:
    """With surgery and not in a territory of three: beside the study's own count of surgery, that tells of three."""
    operated, small = ids(study, F.with_activity("surgery")), ids(study, territories(6, 7))
    assert 0 < len(operated & small) < 11
    with pytest.raises(DisclosureRefused):
        released(study, F.with_activity("surgery").lives_in("00", "01", "02", "03", "04", "05"))


NESTED = (
    territories(0, 1, 2, 3),
    territories(0, 1),
    territories(0),
    F.with_activity("chemo"),
    territories(0, 1).with_activity("chemo"),
    F.index_between(date(2019, 6, 1)),
    F.cut_to_days(0, 90),
    F.drop_activities("visit"),
)


def truth(study: Path, stack: FilterStack) -> dict[tuple[str, ...], set[str]]:
    """Who is in each node and on each edge of activities; a pathway that is cut has an end, and no outcome."""
    log = stack.apply(Study.open(study).log()).log
    events = log.events.sort("patient_id", "rank")
    reasons = dict(log.patients.select("patient_id", "exit_reason").rows())
    found: dict[tuple[str, ...], set[str]] = {}
    rows = events.select("patient_id", "activity").rows()
    for patient, own in groupby(rows, key=lambda row: row[0]):
        names = [name for _, name in own]
        ended = [] if stack.cuts_time else [{"death": DEAD, "abroad": LOST, None: FOLLOWED}[reasons[patient]]]
        for key in [*((name,) for name in [*names, *ended]), *pairwise([START, *names, *ended, END])]:
            found.setdefault(key, set()).add(patient)
    return found


def shown(tables: SelectedStudy | Study) -> set[tuple[str, ...]]:
    """Nodes and edges of activities whose patients are said."""
    nodes = tables.released("nodes").frame.filter(level="activity").drop_nulls("n_patients")
    edges = tables.released("edges").frame.filter(level="activity").drop_nulls("n_patients")
    return {*nodes.select("activity").rows(), *edges.select("source", "target").rows()}


def test_no_cell_of_two_nested_releases_differs_by_a_few(study: Path) -> None:
    """The attack: subtract each number of a selection from the same number of whatever holds it."""
    opened = Study.open(study)
    made = [(truth(study, F), shown(opened), ids(study, F))]
    for stack in NESTED:
        made.append((truth(study, stack), shown(released(study, stack)), ids(study, stack)))
    compared = 0
    for place, (who, said, members) in enumerate(made):
        for other_who, other_said, other_members in made[:place]:
            if members <= other_members or other_members <= members:
                for key in said & other_said & who.keys() & other_who.keys():
                    compared += 1
                    assert not 0 < abs(len(who[key]) - len(other_who[key])) < 11, key
    assert compared > 60


class Joint:
    """All flows of activities that fit the study's own map and those of some selections, as a linear program.

    A selection's flow is at most the study's; what enters an activity leaves it, in each; a published count of a
    selection may be any that rounds to it. Where the selections are disjoint and make up everybody, they add up.
    """

    def __init__(self, study: Path, stacks: Sequence[FilterStack], *, whole: bool = False) -> None:
        opened = Study.open(study)
        self.flows = [flows(study, stack) for stack in (F, *stacks)]
        self.place = {key: i for i, key in enumerate(self.flows[0])}
        self.width = len(self.place) * len(self.flows)
        self.low, self.high = np.zeros(self.width), np.full(self.width, np.inf)
        self.equal: list[tuple[np.ndarray, float]] = [(self.starts(0), opened.log().n_patients)]
        self.least: list[tuple[np.ndarray, float]] = []
        for part, tables in enumerate([opened, *(opened.selection(stack.hash) for stack in stacks)]):
            self.read(part, tables)
        if whole:
            parts = range(1, len(self.flows))
            self.equal += [
                (self.form(((0, key), 1), *(((i, key), -1) for i in parts)), 0) for key in self.place
            ]

    def form(self, *terms: tuple[tuple[int, tuple[str, ...]], float]) -> np.ndarray:
        row = np.zeros(self.width)
        for (part, key), factor in terms:
            row[part * len(self.place) + self.place[key]] += factor
        return row

    def starts(self, part: int) -> np.ndarray:
        return self.form(*(((part, key), 1) for key in self.place if key[0] == START))

    def read(self, part: int, tables: Study | SelectedStudy) -> None:
        edges = tables.released("edges").frame.filter(
            pl.col("level") == "activity", pl.col("source") != ELSEWHERE
        )
        for source, target, n in edges.select("source", "target", "n_events").rows():
            cell = part * len(self.place) + self.place[source, target]
            self.low[cell], self.high[cell] = (max(n - 5, 11), n + 5) if part else (n, n)
        for name in (*ACTIVITIES, DEAD, LOST, FOLLOWED):
            into = [((part, key), 1.0) for key in self.place if key[1] == name]
            self.equal.append(
                (self.form(*into, *(((part, key), -1.0) for key in self.place if key[0] == name)), 0)
            )
        if part:
            n = tables.released("summary").frame["n_patients"].item()
            self.least += [(self.starts(part), n + 5), (-self.starts(part), 5 - n)]
            self.least += [(self.form(((part, key), 1), ((0, key), -1)), 0) for key in self.place]

    def span(self, row: np.ndarray) -> float:
        """How far apart the least and the greatest value are that fit."""
        rows, limits = (np.array(part) for part in zip(*self.least, strict=True))
        sums, totals = (np.array(part) for part in zip(*self.equal, strict=True))
        ends = [
            linprog(
                sign * row, rows, limits, sums, totals, np.column_stack([self.low, self.high]), method="highs"
            ).fun
            for sign in (1, -1)
        ]
        return float("inf") if None in ends else -sum(ends)


def flows(study: Path, stack: FilterStack) -> dict[tuple[str, ...], set[str]]:
    return {key: who for key, who in truth(study, stack).items() if len(key) == 2}


@pytest.mark.parametrize(
    ("stacks", "whole"),
    [
        ((territories(0, 1, 2, 3), territories(0, 1), territories(0), F.with_activity("chemo")), False),
        ((F.attribute_in("sex", "F"), F.attribute_in("sex", "M")), True),
        ((F.attribute_in("deprivation", 1, 2, 3), F.attribute_in("deprivation", 4, 5)), True),
    ],
    ids=["nested", "sexes", "deprivation"],
)
def test_all_maps_together_tell_of_no_few(study: Path, stacks: Sequence[FilterStack], whole: bool) -> None:
    """The attack: solve all maps at once for each flow of few patients: the study's, a selection's, the rest's."""
    for stack in stacks:
        released(study, stack)
    joint = Joint(study, stacks, whole=whole)
    attacked = 0
    for key in joint.place:
        everybody = joint.flows[0][key]
        for part, chosen in enumerate(joint.flows):
            who = chosen.get(key, set())
            for members, factors in ((who, (0, 1)), (everybody - who, (1, -1))):
                if 0 < len(members) < 11:
                    attacked += 1
                    assert joint.span(joint.form(((0, key), factors[0]), ((part, key), factors[1]))) > 9.99, (
                        key
                    )
    assert attacked > 20


def test_every_count_is_rounded(study: Path) -> None:
    for stack in (NESTED[1], NESTED[-1]):
        one = released(study, stack)
        for name in SHAPES.keys() & {*one.released_names()}:
            table = one.released(name)
            for column in SHAPES[name].counts:
                assert (table.frame[column].drop_nulls() % 11 == 0).all()
            assert not isinstance(table.meta["denominator"], int) or table.meta["denominator"] % 11 == 0


def test_what_the_study_hides_stays_hidden(study: Path) -> None:
    opened = Study.open(study)
    whole = opened.released("edges").frame.select("level", "source", "target")
    nodes = opened.released("nodes").frame.drop_nulls("n_patients").select("level", "activity")
    for stack in NESTED[1:4]:
        one = released(study, stack)
        assert one.released("edges").frame.join(whole, on=whole.columns, how="anti").is_empty()
        said = one.released("nodes").frame.drop_nulls("n_patients")
        assert said.join(nodes, on=nodes.columns, how="anti").is_empty()


def test_the_order_of_rows_compares_nothing_hidden(study: Path) -> None:
    whole = Study.open(study).released("nodes").frame.select("level", "activity").rows()
    nodes = (
        released(study, F.with_activity("rare")).released("nodes").frame.select("level", "activity").rows()
    )
    assert nodes == [row for row in whole if row in nodes]


def test_conformance_is_told_in_rounded_numbers_only(study: Path) -> None:
    rules = pl.DataFrame(
        {
            "rule": ["a", "b"],
            "n_patients": [100, 100],
            "n_violated": [31, 52],
            "words_fr": ["31 patients", "52"],
        }
    )
    names = [*SHAPES["conformance"].counts, *SHAPES["conformance"].unsaid]
    empty = [pl.lit(None, dtype=pl.Int64).alias(name) for name in names if name not in rules.columns]
    table = Released(
        "conformance", rules.with_columns(empty), {"denominator": 100, "suppressed": 0, "rounded": ""}
    )
    whole = {"conformance": rules.with_columns(*empty, n_violated=pl.Series([60, 55]))}
    _, (said,) = protect_tables([table], Beside(whole, []), POLICY)
    assert said.frame.select("rule", "n_patients", "n_violated", "words_fr").rows() == [
        ("a", 99, 33, None),
        ("b", 99, None, None),
    ]
    assert (
        said.meta["suppressed"] == 1
        and protect_tables([table], Beside(whole, [], True, True), POLICY)[1] == []
    )


def test_what_leaves_a_map_is_pooled(study: Path) -> None:
    """Rows that leave are still part of the flow that is not shown."""
    one = released(study, territories(0, 1, 2, 3))
    edges = one.released("edges").frame.filter(level="activity")
    rest = edges.filter(source=ELSEWHERE)["n_events"].item()
    log = territories(0, 1, 2, 3).apply(Study.open(study).log()).log
    flow = log.n_events + 2 * log.events["patient_id"].n_unique()
    assert rest is None or abs(edges["n_events"].sum() - flow) <= 6 * edges.height


def test_the_attrition_tells_of_no_few(study: Path) -> None:
    stack = territories(0, 1, 2, 3, 4, 5, 6).with_activity("surgery").attribute_in("sex", "F")
    table = released(study, stack).released("attrition").frame
    assert table["verb"].to_list() == ["", "lives_in", "with_activity", "attribute_in"]
    assert table["n_patients"].null_count() == 1 and table.row(1, named=True)["n_patients"] is None
    assert table["words_en"].to_list()[:2] == ["all patients", "lives in 00, 01, 02, 03, 04, 05, 06"]
    left = table["n_patients"].drop_nulls().to_list()
    assert left == sorted(left, reverse=True) and all(count % 11 == 0 for count in left)
    assert table["n_excluded"].drop_nulls().to_list() == [a - b for a, b in pairwise(left)]


def test_a_log_without_activities_decides_no_expectation(study: Path) -> None:
    assert "breakdowns" not in released(study, F.drop_activities("visit")).released_names()


def test_a_table_that_nobody_described_does_not_leave(study: Path) -> None:
    names = {*released(study, territories(0)).released_names()}
    assert names <= {*SHAPES, "attrition"}


def by_territory(study: Path, *numbers: int) -> dict[str, pl.DataFrame]:
    patients = Study.open(study).log().patients
    return {f"0{number}": patients.filter(territory=f"0{number}").select("patient_id") for number in numbers}


def test_groups_of_a_comparison_are_remembered_too(study: Path) -> None:
    opened, groups = Study.open(study), by_territory(study, 0, 1)
    log = opened.log()
    exact = truth(study, territories(0))
    rows = [
        {"level": "activity", "activity": key[0], "n_patients": len(exact[key])}
        for key in exact
        if len(key) == 1
    ]
    nodes = {"00": {"nodes": pl.DataFrame(rows)}}
    remember_groups(opened, log, groups, nodes, of="territory 00, 01", policy=POLICY)
    remember_groups(opened, log, groups, nodes, of="territory 00, 01", policy=POLICY)
    assert len(read_ledger(opened)) == 2
    few = groups["00"].head(groups["00"].height - 4)
    with pytest.raises(DisclosureRefused):
        remember_groups(opened, log, {"few": few}, {}, of="x", policy=POLICY)
    assert released(study, territories(0)).released("summary").frame["n_patients"].item() % 11 == 0


def test_comparisons_know_what_was_released(study: Path) -> None:
    stack = territories(0, 1).with_activity("chemo")
    one, exact = released(study, stack), truth(study, stack)
    opened = Study.open(study)
    beside = beside_groups(
        opened, opened.log(), by_territory(study, 0) | {"both": stack.apply(opened.log()).log.patients}
    )
    assert set(beside["group"]) == {"both"}
    known = beside.drop_nulls("k").select("key", "k")
    told = {tuple(key.split("\t")): k for key, k in known.rows() if key != "all"}
    assert {key[1:] for key in told if key[0] != "variant"} == shown(one)
    assert all(len(exact[key[1:]]) == k for key, k in told.items() if key[0] != "variant")
    assert beside.filter(key="all")["k"].to_list() == [len(ids(study, stack))] * 2


def test_building_again_forgets_nothing(mined: Path, tmp_path: Path) -> None:
    folder = mined.parent
    again = tmp_path / "study"
    shutil.copytree(mined, again)
    released(again, territories(0, 1, 2, 6, 7))
    build(folder / "log", again, pathway=folder / "t.toml", door="table")
    mine(again)
    assert Study.open(again).selections() == []
    with pytest.raises(DisclosureRefused):
        released(again, territories(0, 1, 2, 6))


def test_a_damaged_ledger_stops_everything(study: Path) -> None:
    released(study, territories(0))
    sets = next((study / "ledger").rglob("sets.parquet"))
    sets.write_bytes(b"x")
    with pytest.raises(StudyError, match="damaged"):
        released(study, territories(1))


def test_the_ledger_stays_at_home(study: Path) -> None:
    one = released(study, territories(0))
    for path in (*one.path.rglob("*.json"), *one.path.rglob("*.toml")):
        assert "p0001" not in path.read_text(encoding="utf-8")
    columns = {column for path in one.path.rglob("*.parquet") for column in pl.read_parquet(path).columns}
    assert "patient_id" not in columns


def test_another_threshold(study: Path) -> None:
    stack = territories(0)
    mine(study, filters=stack, policy=DisclosurePolicy(threshold=20))
    table = Study.open(study).selection(stack.hash).released("nodes")
    assert table.meta["threshold"] == 20 and (table.frame["n_patients"].drop_nulls() % 20 == 0).all()


def test_errors_say_what_to_do(study: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has no selection"):
        Study.open(study).selection("0123456789abcdef")
    with pytest.raises(InputError, match="no filter"):
        mine(study, filters=F)
    with pytest.raises(DefinitionError, match="did you mean 'surgery'"):
        mine(study, filters=F.with_activity("surgry"))
    with pytest.raises(DefinitionError, match="can't be read"):
        mine(study, filters=tmp_path / "absent.toml")
    released(study, territories(0))
    (study / "selections" / territories(0).hash / "selection.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StudyError, match="damaged"):
        Study.open(study).selections()
    shutil.rmtree(study / "released")
    with pytest.raises(StudyError, match="was not mined"):
        mine(study, filters=territories(0))


def test_a_selection_is_exported_with_its_hash(study: Path, tmp_path: Path) -> None:
    stack = territories(0, 1, 2)
    one = released(study, stack)
    for what, file in {"edges": "edges.csv", "map": "map.svg", "model": "model.bpmn"}.items():
        export(study, what, tmp_path / file, selection=stack.hash)
        said = json.loads((tmp_path / f"{file}.json").read_text(encoding="utf-8"))
        assert said["filter_hash"] == stack.hash and said["filters"] == ["réside dans 00, 01, 02"]
    assert f"[{stack.hash}]" in (tmp_path / "map.svg").read_text(encoding="utf-8")
    edges = pl.read_csv(tmp_path / "edges.csv")
    assert edges["n_events"].to_list() == one.released("edges").frame["n_events"].to_list()
    with pytest.raises(InputError, match="of the whole study"):
        export(study, "events", tmp_path / "events.csv", selection=stack.hash)
    assert (
        main(["export", str(study), "--what", "map", "-o", str(tmp_path / "m.svg"), "--selection", "0"]) == 3
    )


def test_outcomes_are_those_of_the_whole_log(study: Path) -> None:
    """Nobody who did not leave is lost, though many fell silent; a pathway that is cut ends without an outcome."""
    alive = F.attribute_in("exit_reason", "unknown").with_activity("visit")
    for stack, expected in ((alive, {DEAD, LOST, FOLLOWED}), (F.cut_to_days(0, 60), set())):
        nodes = released(study, stack).released("nodes").frame.filter(level="activity")
        ends = nodes.filter(pl.col("activity").str.starts_with(END))
        assert {*ends["activity"]} == expected
        assert not ends.filter(activity=LOST)["n_patients"].sum()


def test_a_selection_can_be_shown_as_a_study(study: Path) -> None:
    one = released(study, F.with_activity("surgery"))
    results = read_results(one)
    assert results.summary["n_patients"] % 11 == 0 and results.territories.is_empty()


def test_the_command(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "filters.toml"
    file.write_text(territories(0, 1, 2, 6, 7).to_toml(), encoding="utf-8")
    assert main(["mine", str(study), "--filters", str(file), "--name", "north"]) == 0
    assert "attrition" in capsys.readouterr().out
    as_json = tmp_path / "filters.json"
    as_json.write_text(territories(0, 1, 2, 6).to_json(), encoding="utf-8")
    assert main(["mine", str(study), "--filters", str(as_json)]) == 5
    assert main(["mine", str(study), "--name", "x"]) == 3
    file.write_text("", encoding="utf-8")
    assert main(["mine", str(study), "--filters", str(file)]) == 3
    selection = json.loads(next((study / "selections").rglob("selection.json")).read_text(encoding="utf-8"))
    assert selection["name"] == "north" and selection["threshold"] == 11


def test_patients_without_events_stop_nothing(mined: Path) -> None:
    material = Material.of(Study.open(mined))
    some = F.keep_activities("surgery", "chemo").apply(material.log, material.pathway).log
    assert some.n_patients > some.events["patient_id"].n_unique()
    names = {table.name for table in everything(replace(material, log=some))}
    assert {"incidence", "nodes", "summary"} <= names
