"""Released drift under attack: monthly counts are parts of published nodes and edges, and of each other."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from eventlogs.log import EventLog
from pathways.disclosure import Released, release_map
from pathways.disclosure.drift import CHANGE_COLUMNS, DISTANCE_COLUMNS, MONTH_COLUMNS, release_drift
from pathways.mining.drift import Drift, drift
from pathways.mining.kernels import ELSEWHERE, END
from pathways.mining.maps import process_maps
from tests.unit.test_drift import simulated


def released(log: EventLog) -> tuple[Drift, dict[str, Released]]:
    nodes, edges = release_map(process_maps(log, None))
    found = drift(log)
    return found, {table.name: table for table in (nodes, edges, *release_drift(found, nodes, edges))}


def rests(months: pl.DataFrame, nodes: pl.DataFrame, edges: pl.DataFrame) -> list[int]:
    """What is left of each published count when the monthly counts inside it are taken off."""
    node = dict(nodes.drop_nulls("n_patients").select("activity", "n_patients").rows())
    edge = {
        (s, t): (n, k) for s, t, n, k in edges.select("source", "target", "n_patients", "n_events").rows()
    }
    steps = months.filter(kind="edge")
    left = []
    for (source, target), rows in steps.group_by("source", "target"):
        n, of = rows["n_patients"].sum(), rows["n_of"].sum()
        left += [
            node[name] - count for name, count in ((source, n), (source, of), (target, n)) if name in node
        ]
        left += [whole - n for whole in edge.get((source, target), ()) if whole is not None]
    return left


@pytest.mark.parametrize("seed", range(12))
def test_no_attack_on_monthly_counts_succeeds(seed: int) -> None:
    change = date(2018, 9, 1) if seed % 2 else None
    found, tables = released(simulated(seed, n=(300, 900, 2400)[seed % 3], change=change))
    months = tables["drift"].frame
    assert not any(0 < rest < 11 for rest in rests(months, tables["nodes"].frame, tables["edges"].frame))
    steps = months.filter(kind="edge")
    assert steps["n_patients"].min() is None or steps["n_patients"].min() >= 11
    assert steps.filter(pl.col("n_of") - pl.col("n_patients") < 11).is_empty()
    by_month = steps.group_by("source", "month_from", "month_to").agg(
        pl.col("n_patients").sum(), pl.col("n_of").n_unique().alias("one"), of=pl.col("n_of").first()
    )
    assert by_month.filter((pl.col("n_patients") != pl.col("of")) | (pl.col("one") > 1)).is_empty()
    true = found.months.filter(kind="edge").group_by("source", "target").agg(pl.col("n_patients").sum())
    assert (
        steps.filter(pl.col("target") != ELSEWHERE).join(true, on=["source", "target"], how="anti").is_empty()
    )
    assert months.filter(kind="activity")["n_patients"].count() == 0


@pytest.mark.parametrize("what", ["node", "edge"])
def test_months_that_leave_a_few_of_a_published_count_are_not_all_shown(what: str) -> None:
    """Five patients more than all months together: as many as only the first month would hide."""
    found, tables = released(simulated(1, n=2400))
    nodes, edges, months = (tables[name].frame for name in ("nodes", "edges", "drift"))
    step = months.filter(kind="edge", source="surgery", target="chemo")
    n, of = step["n_patients"].sum(), step["n_of"].sum()
    tight = {
        "nodes": pl.when((pl.col("activity") == "surgery") & (what == "node")).then(of + 5),
        "edges": pl.when((pl.col("target") == "chemo") & (what == "edge")).then(n + 5),
    }
    nodes, edges = (
        frame.with_columns(n_patients=tight[name].otherwise("n_patients"))
        for name, frame in (("nodes", nodes), ("edges", edges))
    )
    assert any(0 < rest < 11 for rest in rests(months, nodes, edges))
    again, _, _ = release_drift(
        found, Released("nodes", nodes, tables["nodes"].meta), Released("edges", edges, {})
    )
    assert not any(0 < rest < 11 for rest in rests(again.frame, nodes, edges))
    kept = again.frame.filter(kind="edge", source="surgery", target="chemo")
    assert 0 < kept.height < step.height


def test_months_do_not_tell_of_the_few_whom_a_hidden_node_leaves() -> None:
    """The count of a node is hidden beside all patients: its months must not add up to nearly all either."""
    found, tables = released(simulated(1, n=2400))
    step = tables["drift"].frame.filter(kind="edge", source="surgery", target="chemo")
    hidden = tables["nodes"].frame.with_columns(n_patients=pl.lit(None, pl.Int64))
    nodes = Released("nodes", hidden, {"denominator": step["n_of"].sum() + 5})
    again, _, _ = release_drift(found, nodes, tables["edges"])
    kept = again.frame.filter(kind="edge", source="surgery", target="chemo")
    assert 0 < kept.height < step.height
    assert step["n_of"].sum() + 5 - kept["n_of"].sum() >= 11


def test_merged_months_add_up_and_follow_each_other() -> None:
    found, tables = released(simulated(1, n=2400))
    rows = tables["drift"].frame.filter(kind="edge", source="surgery", target="chemo")
    assert rows.height > 10
    assert (rows["month_from"][1:] > rows["month_to"][:-1]).all()
    raw = found.months.filter(kind="edge", source="surgery", target="chemo")
    for row in rows.to_dicts():
        inside = raw.filter(pl.col("month").is_between(row["month_from"], row["month_to"]))
        assert (row["n_patients"], row["n_of"]) == (inside["n_patients"].sum(), inside["n_of"].sum())


@pytest.mark.parametrize("seed", range(4))
def test_changes_are_told_with_rounded_shares_that_span_the_threshold(seed: int) -> None:
    found, tables = released(simulated(seed, change=date(2018, 9, 1)))
    changes = tables["drift_changes"].frame
    row = changes.row(by_predicate=(pl.col("kind") == "edge") & (pl.col("target") == "chemo"), named=True)
    assert row["direction"] == "down" and row["cause"] == "practice"
    assert row["label_en"] == "surgery → chemo" and row["month"] == date(2018, 9, 1)
    told = changes.drop_nulls("percent_before").join(
        found.changes, on=["kind", "source", "target", "month"], how="left"
    )
    assert told.height and set(told["kind"]) == {"edge"}
    for one in told.to_dicts():
        total, limits = one["n_before"] + one["n_after"], []
        for side in ("before", "after"):
            low, high = ((one[f"percent_{side}"] + way * 2.5) / 100 * one[f"of_{side}"] for way in (-1, 1))
            limits.append((max(low, 0), min(high, one[f"of_{side}"])))
            assert limits[-1][0] <= one[f"n_{side}"] <= limits[-1][1]
        (low, high), (low_other, high_other) = limits
        assert min(high, total - low_other) - max(low, total - high_other) >= 11


def test_few_patients_leave_nothing_of_a_month_and_columns_are_the_contract() -> None:
    _, tables = released(simulated(0, n=60))
    assert tables["drift"].frame.filter(kind="edge").is_empty()
    assert dict(tables["drift"].frame.schema) == MONTH_COLUMNS
    assert dict(tables["drift_changes"].frame.schema) == CHANGE_COLUMNS
    assert dict(tables["drift_distance"].frame.schema) == DISTANCE_COLUMNS
    assert tables["drift"].meta["threshold"] == 11
    empty = simulated(0, n=60)
    nothing = Drift("activity", *(frame.clear() for frame in drift_tables(empty)))
    nodes, edges = release_map(process_maps(empty, None))
    assert all(table.frame.is_empty() for table in release_drift(nothing, nodes, edges))
    assert END not in tables["drift_changes"].frame["label_en"].to_list()


def drift_tables(log: EventLog) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    found = drift(log)
    return found.months, found.changes, found.distance
