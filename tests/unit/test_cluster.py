"""Clusters of pathways: distances, medoids, silhouettes, names against plain references; planted groups come back."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from eventlogs.errors import DefinitionError, LogError
from eventlogs.log import EventLog
from pathways.definition import parse
from pathways.mining.cluster import (
    CLUSTER_COLUMNS,
    SEQUENCE_COLUMNS,
    TRAIT_COLUMNS,
    adjusted_rand,
    best_jaccard,
    bootstrap_stability,
    clusters,
    k_medoids,
    sequence_distances,
    silhouettes,
    traits,
)
from tests.unit.simulated import DEFINITION

DAY_0 = datetime(2021, 3, 1)
words = st.lists(st.text("abcd", max_size=8), min_size=1, max_size=6)


def log_of(sequences: dict[str, list[str]]) -> EventLog:
    rows = [
        (patient, activity, DAY_0 + timedelta(days=10 * place))
        for patient, sequence in sequences.items()
        for place, activity in enumerate(sequence)
    ]
    return EventLog.create(pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"))


def planted(seed: int = 0, n: int = 60) -> tuple[EventLog, dict[str, int]]:
    """Three ways through care, each with steps lost now and then."""
    rng = random.Random(seed)
    ways = [list(way) for way in ("abcdabcdab", "efgefgefge", "hijkhijkhi")]
    people: dict[str, list[str]] = {}
    truth: dict[str, int] = {}
    for place in range(n):
        group = place % 3
        sequence = [step for step in ways[group] if rng.random() > 0.2] or ways[group]
        people[f"p{place:03}"], truth[f"p{place:03}"] = sequence, group
    return log_of(people), truth


def naive_distance(one: str, other: str) -> float:
    """Optimal matching by dynamic programming: insert or delete 1, substitute 2; normalised (Yujian and Bo 2007)."""
    table = [[i + j if i == 0 or j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (0 if a == b else 2)
            )
    edits = table[-1][-1]
    return 2 * edits / (len(one) + len(other) + edits) if edits else 0.0


@given(words, words)
@settings(max_examples=80, deadline=None)
def test_distances_equal_dynamic_programming(one: list[str], other: list[str]) -> None:
    expected = [[naive_distance(a, b) for b in other] for a in one]
    assert sequence_distances(one, other) == pytest.approx(np.array(expected))


@given(st.lists(st.text("abc", max_size=5), min_size=3, max_size=3))
@settings(max_examples=100, deadline=None)
def test_distance_is_a_metric(three: list[str]) -> None:
    matrix = sequence_distances(three, three)
    assert (matrix == matrix.T).all() and (matrix >= 0).all() and (matrix <= 1).all()
    assert matrix[0, 2] <= matrix[0, 1] + matrix[1, 2] + 1e-12


def problem(seed: int, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 30, (n, 2)).astype(float)
    return np.abs(points[:, None] - points[None]).sum(-1), rng.integers(1, 9, n).astype(float)


def naive_pam(distance: np.ndarray, weights: np.ndarray, k: int) -> float:
    """Build, then the best swap until none helps (Kaufman and Rousseeuw); the cost."""

    def cost(medoids: list[int]) -> float:
        return float((weights * distance[:, medoids].min(1)).sum())

    medoids: list[int] = []
    while len(medoids) < k:
        medoids.append(min(set(range(len(weights))) - set(medoids), key=lambda m: cost([*medoids, m])))
    while True:
        swaps = [
            [*(m for m in medoids if m != out), into]
            for out in medoids
            for into in set(range(len(weights))) - set(medoids)
        ]
        best = min(swaps, key=cost)
        if cost(best) >= cost(medoids):
            return cost(medoids)
        medoids = best


@pytest.mark.parametrize("seed", range(25))
def test_medoids_cost_no_more_than_naive_pam(seed: int) -> None:
    distance, weights = problem(seed)
    for k in (2, 3, 4):
        found = k_medoids(distance, weights, k)
        assert len(set(found)) == k
        cost = (weights * distance[:, found].min(1)).sum()
        assert cost <= naive_pam(distance, weights, k) + 1e-9
        best = min((weights * distance[:, list(m)].min(1)).sum() for m in combinations(range(12), k))
        assert cost <= 1.1 * best


def test_weights_equal_repetition() -> None:
    distance, weights = problem(3)
    again = np.repeat(np.arange(12), weights.astype(int))
    repeated = distance[np.ix_(again, again)]
    weighted, plain = (
        k_medoids(distance, weights, 3),
        again[k_medoids(repeated, np.ones(len(again)), 3)],
    )
    assert sorted(weighted) == sorted(plain)
    labels = distance[:, weighted].argmin(1)
    expected = silhouette_samples(repeated, labels[again], metric="precomputed")
    assert silhouettes(distance, weights, labels)[again] == pytest.approx(expected)


def test_rand_and_jaccard() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    table = np.bincount(one * 3 + other, minlength=9).reshape(3, 3).astype(float)
    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other))
    expected = [
        max(np.sum((one == i) & (other == j)) / np.sum((one == i) | (other == j)) for j in range(3))
        for i in range(3)
    ]
    assert best_jaccard(table) == pytest.approx(expected)


def test_planted_groups_come_back() -> None:
    log, truth = planted()
    found = clusters(log, None)
    labels = dict(found.frame.rows())
    assert found.clusters.height == 3 and found.level == "activity"
    assert adjusted_rand_score(list(truth.values()), [labels[p] for p in truth]) == 1
    assert found.clusters["stable"].all() and found.rand_index > 0.9
    assert found.quality.sort("silhouette")["k"].last() == 3
    assert set(found.clusters["name_en"].str.head(1)) <= set("abcdefghijk")
    assert dict(found.clusters.schema) == CLUSTER_COLUMNS
    assert found.clusters["n_patients"].sum() == found.sequences["n_patients"].sum() == 60


def test_any_row_order_and_the_same_seed_give_the_same() -> None:
    log, _ = planted(1)
    shuffled = EventLog.create(
        log.events.sample(fraction=1, shuffle=True, seed=5).select("patient_id", "activity", "start")
    )
    one, other = clusters(log, None, k=4, seed=2), clusters(shuffled, None, k=4, seed=2)
    for name in ("clusters", "traits", "quality", "sequences", "frame"):
        assert getattr(one, name).equals(getattr(other, name)), name
    assert one.rand_index == other.rand_index


def test_bootstrap_follows_its_seed() -> None:
    distance, weights = problem(4)
    medoids = k_medoids(distance, weights, 3)
    first, again, other = (bootstrap_stability(distance, weights, medoids, 10, seed) for seed in (0, 0, 1))
    assert (first.jaccard == again.jaccard).all() and first.rand_index == again.rand_index
    assert (first.jaccard != other.jaccard).any()


def test_noise_is_not_stable() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((60, 60)) + 1
    distance = np.triu(noise, 1) + np.triu(noise, 1).T
    weights = np.ones(60)
    medoids = k_medoids(distance, weights, 5)
    assert (bootstrap_stability(distance, weights, medoids, 20).jaccard < 0.75).all()


def test_capped_matrix_still_finds_the_groups() -> None:
    log, truth = planted(2, n=120)
    found = clusters(log, None, k=3, cap=8, n_bootstrap=5)
    labels = dict(found.frame.rows())
    assert found.frame.height == 120 and found.sequences.height > 8
    assert adjusted_rand_score(list(truth.values()), [labels[p] for p in truth]) > 0.9


def test_traits_by_hand() -> None:
    presence = pl.DataFrame(
        [("p1", "step", "a"), ("p2", "step", "a"), ("p3", "step", "a"), ("p4", "step", "b")],
        schema=["patient_id", "kind", "trait"],
        orient="row",
    )
    members = pl.DataFrame({"patient_id": ["p1", "p2", "p3", "p4", "p5"], "cluster": [1, 1, 2, 2, 2]})
    row = traits(presence, members).row(
        by_predicate=(pl.col("cluster") == 1) & (pl.col("trait") == "a"), named=True
    )
    assert [row[name] for name in ("n_with", "n_patients", "n_with_elsewhere", "n_elsewhere")] == [2, 2, 1, 3]
    assert row["ratio"] == pytest.approx(3)
    error = 1.959964 * math.sqrt(1 / 2 - 1 / 2 + 1 / 1 - 1 / 3)
    assert row["ratio_low"] == pytest.approx(3 * math.exp(-error), rel=1e-5)
    assert row["ratio_high"] == pytest.approx(3 * math.exp(error), rel=1e-5)


def test_levels_and_patients_without_a_step() -> None:
    pathway = parse(
        DEFINITION.replace("within_day", 'milestones = ["surgery", "drug"]\nwithin_day', 1), "x.toml"
    )
    log = log_of(
        {f"s{i}": ["biopsy", "surgery", "dispensing"] for i in range(8)}
        | {f"n{i}": ["consultation"] for i in range(5)}
    )
    found = clusters(log, pathway, k=2, n_bootstrap=3)
    assert found.level == "milestone"
    assert found.clusters["medoid"].to_list() == [["surgery", "drug"], []]
    assert found.clusters["n_patients"].to_list() == [8, 5]
    assert found.clusters["name_fr"].to_list() == ["Chirurgie → Médicament", "Aucune étape"]
    assert clusters(log, pathway, k=1, level="phase").level == "phase"


def test_refusals_and_nobody() -> None:
    log, _ = planted()
    with pytest.raises(LogError, match="give k between"):
        clusters(log, None, k=1000)
    with pytest.raises(LogError, match="no level 'phases'"):
        clusters(log, None, level="phases")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="needs a definition with phases"):
        clusters(log, None, level="phase")
    nobody = clusters(EventLog.create(log.events.clear().select("patient_id", "activity", "start")), None)
    assert dict(nobody.clusters.schema) == CLUSTER_COLUMNS and nobody.clusters.is_empty()
    assert dict(nobody.traits.schema) == TRAIT_COLUMNS
    assert dict(nobody.sequences.schema) == SEQUENCE_COLUMNS


def test_one_pathway_for_all_is_one_cluster_and_shows_no_patient() -> None:
    found = clusters(log_of({f"p{i}": ["a", "b"] for i in range(4)}), None, n_bootstrap=2)
    assert found.clusters["cluster"].to_list() == [1] and found.clusters["name_fr"].to_list() == ["a → b"]
    assert "p0" not in repr(found) + found._repr_html_()
