"""Sums of published sizes, on generated sets: equal to trying every group of few patients."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathways.disclosure.ledger import Flags, few_apart, few_in_a_sum, tells_of_few
from pathways.disclosure.policy import POLICY, DisclosurePolicy

quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

sizes = st.sampled_from([1, 2, 5, 10, 11, 12, 40])


@st.composite
def published(draw: st.DrawFn) -> list[Flags]:
    """Sets of patients, as groups of patients that no set tells apart."""
    n_sets = draw(st.integers(1, 5))
    groups = draw(st.lists(st.lists(st.booleans(), min_size=n_sets, max_size=n_sets), min_size=1, max_size=9))
    counts = draw(st.lists(sizes, min_size=len(groups), max_size=len(groups)))
    members = np.repeat(np.array(groups, dtype=np.bool_), counts, axis=0)
    return [members[:, place] for place in range(n_sets)]


def naive_few_in_a_sum(sets: list[Flags], policy: DisclosurePolicy) -> bool:
    """Try every union of groups of few patients: is it a sum of the sets, with any factors?"""
    groups, counts = np.unique(np.column_stack(sets), axis=0, return_counts=True)
    known = groups.astype(np.float64)
    few = [int(place) for place in np.flatnonzero(counts < policy.threshold)]
    for many in range(1, len(few) + 1):
        for some in combinations(few, many):
            if counts[list(some)].sum() < policy.threshold:
                target = np.zeros((len(counts), 1))
                target[list(some)] = 1
                if np.linalg.matrix_rank(np.hstack([known, target])) == np.linalg.matrix_rank(known):
                    return True
    return False


@quick
@given(sets=published())
def test_a_sum_is_found_where_there_is_one(sets: list[Flags]) -> None:
    assert few_in_a_sum(sets, POLICY) == naive_few_in_a_sum(sets, POLICY)


@quick
@given(sets=published())
def test_what_was_told_may_be_told_again(sets: list[Flags]) -> None:
    assert not tells_of_few(sets[0], sets, POLICY)


@quick
@given(sets=published())
def test_two_sets_that_differ_by_few(sets: list[Flags]) -> None:
    members = [set(np.flatnonzero(one).tolist()) for one in sets]
    first, others = members[0], members[1:]
    few = [0 < n < 11 for other in others for n in (len(first - other), len(other - first))]
    assert few_apart(sets[0], sets[1:], POLICY) == any(few)
    nested = [0 < len(first ^ other) < 11 for other in others if first <= other or other <= first]
    assert few_apart(sets[0], sets[1:], POLICY, nested=True) == any(nested)


@pytest.mark.parametrize("remainder", [0, 4, 10, 11])
def test_what_remains_of_everybody(remainder: int) -> None:
    place = np.repeat(np.arange(8), [30] * 7 + [remainder])
    everybody = np.ones(len(place), dtype=np.bool_)
    parts = [place == i for i in range(7)]
    assert few_in_a_sum([everybody, *parts], POLICY) == (0 < remainder < 11)
    assert not few_in_a_sum([everybody, *parts[:-1]], POLICY)


def test_factors_other_than_one() -> None:
    """Three sets that meet two by two: half of what they add up to is everybody but a few."""
    pairs = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=np.bool_)
    members = np.repeat(pairs, [20, 20, 20, 6], axis=0)
    sets = [members[:, place] for place in range(3)]
    assert few_in_a_sum([np.ones(66, dtype=np.bool_), *sets], POLICY)
    assert not few_in_a_sum(sets, POLICY)


def test_a_higher_threshold_refuses_more() -> None:
    sets = [np.ones(60, dtype=np.bool_), np.arange(60) < 45]
    assert not few_in_a_sum(sets, POLICY) and few_in_a_sum(sets, DisclosurePolicy(threshold=20))


def test_many_sets_that_cut_each_other() -> None:
    """Thirty sets leave hardly two patients alike, and the answer still comes at once."""
    rng = np.random.default_rng(0)
    sets = [np.ones(5000, dtype=np.bool_), *(rng.random(5000) < rng.uniform(0.1, 0.6) for _ in range(30))]
    assert not few_in_a_sum(sets, POLICY)
    hidden = sets[3].copy()
    hidden[np.flatnonzero(hidden)[:4]] = False
    assert few_in_a_sum([*sets, hidden], POLICY)
