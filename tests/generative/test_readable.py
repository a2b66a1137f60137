"""Maps inside a budget: what they explain equals a naive replay, and what is released of it gives nobody away."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations, groupby, pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogs.log import EventLog
from pathways.disclosure import release_map, release_replay, release_variants
from pathways.drawing import replay_at, replay_sentence
from pathways.mining.kernels import ELSEWHERE, END, START, variants
from pathways.mining.maps import ProcessMap, collapsed_variants, process_maps
from pathways.mining.readable import MOST_EDGES, Replay, drawn, drawn_sets, within_budget

NAMES = ("a", "b", "c", "d", "e", "death")
walks = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), st.integers(1, 30)),
    min_size=1,
    max_size=9,
)
quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Walks = list[tuple[list[str], int]]


def log_of(walks: Walks) -> EventLog:
    rows = [
        (f"{i}-{j}", name, datetime(2020, 1, 1) + timedelta(days=day))
        for i, (walk, n) in enumerate(walks)
        for j in range(n)
        for day, name in enumerate(walk)
    ]
    return EventLog.create(pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"))


def naive(walks: Walks, acts: set[str], moves: set[tuple[str, str]]) -> tuple[int, int]:
    told = [(walk, n) for walk, n in walks if set(walk) - {"death"} <= acts]
    replayed = [n for walk, n in told if {(a, b) for a, b in pairwise(walk) if a != b} <= moves]
    return sum(n for _, n in told), sum(replayed)


@quick
@given(
    walks, st.sets(st.sampled_from(NAMES)), st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)))
)
def test_replay_equals_a_naive_replay(walks, acts, moves):
    for frame in (variants(log_of(walks)), variants(log_of(walks), collapse=True)):
        told, replayed = Replay.of(frame).counts([(acts, moves), (set(NAMES), moves)])
        assert (told[0], replayed[0]) == naive(walks, acts, moves)
        assert (told[1], replayed[1]) == naive(walks, set(NAMES), moves)


@quick
@given(walks, st.integers(1, 6), st.integers(0, 12))
def test_a_budget_is_kept_and_hides_no_flow_unsaid(walks, n_activities, n_edges):
    one = ProcessMap.from_log(log_of(walks))
    found = within_budget(one, n_activities, n_edges)
    acts = set(found.map.nodes["activity"])
    flow = found.map.edges.filter(pl.col("source") != ELSEWHERE)
    moves = set(flow.filter(pl.col("source") != pl.col("target")).select("source", "target").rows())
    assert len(acts - {"death"}) <= n_activities and len(moves) <= n_edges
    assert found.map.edges["n_events"].sum() == one.edges["n_events"].sum()
    told, replayed = naive(walks, acts, moves)
    total = sum(n for _, n in walks)
    assert (found.told_share, found.replayed_share) == (told / total, replayed / total)


@quick
@given(walks, st.integers(1, 5))
def test_the_greedy_choice_of_activities_is_near_the_best(walks, n_activities):
    names = sorted({name for walk, _ in walks for name in walk} - {"death"})
    tried = combinations(names, min(n_activities, len(names)))
    best = max((naive(walks, set(acts), set())[0] for acts in tried), default=0)
    found = within_budget(ProcessMap.from_log(log_of(walks)), n_activities, 0)
    total = sum(n for _, n in walks)
    assert found.told_share <= best / total + 1e-12
    if n_activities >= len(names) - 1:
        assert found.told_share == pytest.approx(best / total)


def test_a_budget_says_itself():
    walks = [(["a", "b"], 83), (["a", "c", "b"], 17)]
    found = within_budget(ProcessMap.from_log(log_of(walks)), 2, 5)
    assert found.sentence("en") == "2 steps explain 83% of pathways; 1 passages replay 83%"
    assert found.sentence().startswith("2 étapes expliquent 83 % des parcours")
    with pytest.raises(ValueError, match="a budget of 0 activities"):
        within_budget(found.map, 0, 3)


def test_sliders_draw_what_is_counted():
    one = ProcessMap.from_log(log_of([(["a", "b", "c"], 50), (["a", "c"], 30), (["d"], 20)]))
    for (a, p), (acts, moves) in drawn_sets(one.nodes, one.flow(), (5, 50, 75, 100)).items():
        nodes, edges = drawn(one.nodes, one.flow(), activities_share=a / 100, paths_share=p / 100)
        assert (acts, moves) == (set(nodes["activity"]), set(edges.select("source", "target").rows()))
    nodes, edges = drawn(one.nodes, one.flow(), activities_share=0.75, paths_share=1.0)
    assert set(nodes["activity"]) == {"a", "b", "c"}
    assert ELSEWHERE not in edges["source"] and edges.height <= MOST_EDGES


def tables(log: EventLog):
    maps = process_maps(log, None)
    nodes, edges = release_map(maps)
    listed = release_variants(collapsed_variants(log, None), nodes, edges)
    return nodes.frame, edges.frame, listed.frame, release_replay(maps, nodes, edges, listed).frame


crowds = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.integers(1, 90)),
    min_size=2,
    max_size=8,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowds)
def test_a_released_share_leaves_enough_values(crowds):
    """The attacker knows the other tables: nodes and passages that are not drawn, and the variants listed."""
    log = log_of(crowds)
    total = log.n_patients
    if total < 11:
        return
    nodes, edges, listed, replay = tables(log)
    n_names = len({name for walk, _ in crowds for name in walk})
    for row in replay.filter(pl.col("activities") % 25 == 0, pl.col("paths") % 20 == 0).to_dicts():
        shares = {"activities_share": row["activities"] / 100, "paths_share": row["paths"] / 100}
        kept, flow = drawn(nodes, edges, **shares)
        acts, moves = set(kept["activity"]), set(flow.select("source", "target").rows())
        told, replayed = naive(crowds, acts, moves)
        assert row["grain"] * total >= 11 or row["grain"] == 1
        for share, count, passages in (
            (row["told_share"], told, None),
            (row["replayed_share"], replayed, moves),
        ):
            if share is None:
                continue
            assert share <= count / total + 1e-9 and (share < 1) == (count < total)
            low, high = known_bounds(nodes, edges, listed, (acts, passages, n_names), total)
            assert low <= count <= high
            least = max(low, share * total)
            most = min(high, (share + row["grain"]) * total - 1e-6)
            if low < high and share < 1:
                assert int(most) - least >= 9.999, (low, high, share)


def known_bounds(nodes, edges, listed, kept, total) -> tuple[int, int]:
    acts, moves, n_names = kept
    words = [(w, n) for w, n in listed.select("variant", "n_patients").rows() if w]
    inside = {
        tuple(w): set(w) <= acts and (moves is None or {(a, b) for a, b in pairwise(w) if a != b} <= moves)
        for w, _ in words
    }
    low = sum(n for w, n in words if inside[tuple(w)])
    high = total - sum(n for w, n in words if not inside[tuple(w)])
    gone = [n for name, n in nodes.select("activity", "n_patients").rows() if name not in acts]
    hidden = 0
    if moves is not None:
        flow = edges.filter(pl.col("source") != pl.col("target"), pl.col("source") != START)
        rows = flow.select("source", "target", "n_patients").rows()
        gone += [n for s, t, n in rows if t[0] != END and s != ELSEWHERE and (s, t) not in moves]
        hidden = edges.filter(source=ELSEWHERE)["n_events"].item()
    counts = [n for n in gone if n is not None]
    if hidden == 0 and len(counts) == len(gone) and nodes.height == n_names:
        low = max(low, total - sum(counts))
    return low, total - max([total - high, *counts])


def test_the_sentence_of_a_released_map():
    crowds = [(["a", "b"], 300), (["a", "c", "b"], 160), (["d", "a"], 40)]
    nodes, edges, _, replay = tables(log_of(crowds))
    assert replay.height == 400 and nodes.height == 4 and edges.height > 4
    row = replay_at(replay, "activity", 1.0, 1.0)
    assert row is not None and row["told_share"] == row["replayed_share"] == 1.0
    assert replay_sentence(row, "en") == (
        "4 steps explain 100% of pathways (all that was done is among them); "
        "the 8 passages drawn replay 100% from end to end"
    )
    row = replay_at(replay, "activity", 0.75, 1.0)
    assert row is not None and row["told_share"] == 0.9
    assert replay_at(replay, "phase", 1.0, 1.0) is None
    few = {**row, "told_share": 0.0, "replayed_share": None, "grain": 0.02}
    assert replay_sentence(few, "fr").startswith("3 étapes expliquent moins de 2\u00a0% des parcours")


def test_runs_are_written_once():
    assert [k for k, _ in groupby("aab")] == ["a", "b"]
    told, replayed = Replay.of(variants(log_of([(["a", "a", "b"], 12)]))).counts([({"a", "b"}, {("a", "b")})])
    assert (told[0], replayed[0]) == (12, 12)
