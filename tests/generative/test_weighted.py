"""What the miners read, counted from weighted variants: equal to the plain reading, case by case."""

from __future__ import annotations

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pathways.mining.pm4py_door.weighted import (
    events_of,
    occurrences,
    pairs,
    prefixes,
    returns,
    terminals,
    weights_of,
)

CASES = st.lists(st.text("abc", min_size=1, max_size=7), min_size=1, max_size=20)


def variants_of(cases: list[str]) -> pl.DataFrame:
    counted = Counter(cases)
    return pl.DataFrame({"variant": [list(word) for word in counted], "n_patients": list(counted.values())})


@given(CASES, st.integers(1, 3))
def test_pairs_are_those_of_every_case(cases: list[str], window: int) -> None:
    plain = Counter(pair for word in cases for pair in zip(word, word[window:], strict=False))
    assert pairs(events_of(variants_of(cases)), window) == plain


@given(CASES)
def test_returns_are_those_of_every_case(cases: list[str]) -> None:
    triples = (triple for word in cases for triple in zip(word, word[1:], word[2:], strict=False))
    plain = Counter(triple for triple in triples if triple[0] == triple[2] != triple[1])
    assert returns(events_of(variants_of(cases))) == plain


@given(CASES)
def test_events_and_ends_are_those_of_every_case(cases: list[str]) -> None:
    variants = variants_of(cases)
    assert occurrences(events_of(variants)) == Counter("".join(cases))
    assert terminals(variants, 0) == Counter(word[0] for word in cases)
    assert terminals(variants, -1) == Counter(word[-1] for word in cases)


@given(CASES)
def test_prefixes_are_those_of_every_case(cases: list[str]) -> None:
    plain: dict[tuple[str, ...], Counter[str]] = {}
    for word in cases:
        for place, activity in enumerate(word):
            plain.setdefault(tuple(word[:place]), Counter())[activity] += 1
    assert prefixes(weights_of(variants_of(cases))) == plain
