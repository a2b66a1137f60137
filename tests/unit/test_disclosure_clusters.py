"""Released clusters under attack: the listed sequences, the counts of steps and the rule of clusters are known."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from eventlogs.log import EventLog
from pathways import definition
from pathways.definition import Pathway
from pathways.disclosure import Released, release_map, release_milestones, release_variants
from pathways.disclosure.clusters import CLUSTER_COLUMNS, TRAIT_COLUMNS, release_clusters
from pathways.mining.cluster import Clustering, clusters
from pathways.mining.kernels import variants
from pathways.mining.maps import collapsed_variants, milestone_log, process_maps
from tests.unit.test_disclosure import random_log

LEAST = 10
"""Least width of the interval of a hidden number."""


def pathway_of(n_activities: int, milestones: str) -> Pathway:
    phases = "\n".join(f'P{i} = {{ fr = "Phase {i}", en = "Stage {i}" }}' for i in range(n_activities))
    activities = "\n".join(
        f'[activities.a{i:02d}]\nlabel = {{ fr = "Acte {i}", en = "Act {i}" }}\nphase = "P{i}"\n'
        f'CCAM = ["AAAA{i:03d}"]\nsource = "test"'
        for i in range(n_activities)
    )
    head = f'id = "t"\nversion = "1"\nlabel = {{ fr = "T", en = "T" }}\n{milestones}\n'
    return definition.parse(f"{head}[phases]\n{phases}\n{activities}\n", "t.toml")


def study(seed: int, n_patients: int, milestones: bool = True) -> tuple[EventLog, Pathway]:
    named = 'milestones = ["P0", "P1", "P2", "P3"]' if milestones else ""
    return random_log(seed, n_patients, 6, 0.6), pathway_of(6, named)


def released(log: EventLog, pathway: Pathway) -> tuple[Clustering, dict[str, Released]]:
    maps = process_maps(log, pathway)
    nodes, edges = release_map(maps, pathway=pathway)
    if pathway.milestones:
        sequences = variants(milestone_log(log, pathway))
        listed = release_milestones(sequences, nodes, maps["activity"].n_patients)
    else:
        listed = release_variants(collapsed_variants(log, pathway), nodes, edges, pathway=pathway)
    found = clusters(log, pathway, n_bootstrap=2)
    tables = release_clusters(found, nodes, edges, listed, pathway=pathway)
    return found, {table.name: table for table in (nodes, edges, listed, *tables)}


def renumbered(found: Clustering, tables: dict[str, Released], name: str) -> pl.DataFrame:
    """A released table with the cluster of the log that each number stands for, known by its quality."""
    quality = [pl.col(column).round(2) for column in ("silhouette", "jaccard")]
    key = ["silhouette", "jaccard"]
    real = found.clusters.select(*quality, true="cluster").unique(key, keep="none")
    numbers = (
        tables["clusters"].frame.select("cluster", *quality).join(real, on=key).select("cluster", "true")
    )
    return tables[name].frame.join(numbers, on="cluster").with_columns(cluster="true").drop("true")


def unlisted(found: Clustering, listed: pl.DataFrame) -> pl.DataFrame:
    """Sequences with the patients that no listed variant tells."""
    told = listed.filter(pl.col("level") == found.level, pl.col("variant").list.len() > 0).select(
        pl.col("variant").alias("sequence"), told="n_patients"
    )
    return found.sequences.join(told, on="sequence", how="left").with_columns(
        rest=pl.col("n_patients") - pl.col("told").fill_null(0)
    )


def interval(found: Clustering, tables: dict[str, Released], cluster: int) -> tuple[float, float]:
    """What the attacker can say of the unlisted patients of a cluster.

    They know each cluster's rest where its count is shown, all rests together, the patients of each step, and even in
    which clusters all unlisted patients have a step, or none.
    """
    rests = unlisted(found, tables["variants"].frame)
    sizes = dict(found.clusters.select("cluster", "n_patients").rows())
    counted = renumbered(found, tables, "clusters").drop_nulls("n_patients")
    shown = dict(counted.select("cluster", "n_patients").rows())
    assert all(sizes[cluster] == n for cluster, n in shown.items())
    names = [
        name
        for name in tables["nodes"].frame.filter(level="phase").drop_nulls("n_patients")["activity"]
        if name in {step for sequence in rests["sequence"] for step in sequence}
    ]
    ids = sorted(sizes)
    k, wide = len(ids), len(ids) * (1 + len(names))
    rest = {c: int(rests.filter(cluster=c)["rest"].sum()) for c in ids}
    rows, sums = [np.r_[np.ones(k), np.zeros(wide - k)]], [sum(rest.values())]
    bounds: list[tuple[float, float]] = [
        (rest[c], rest[c]) if c in shown else (0, sum(rest.values())) for c in ids
    ]
    inside = []
    for place, name in enumerate(names):
        column = k * (1 + place)
        having = {
            c: int(rests.filter(pl.col("sequence").list.contains(name), pl.col("cluster") == c)["rest"].sum())
            for c in ids
        }
        row = np.zeros(wide)
        row[column : column + k] = 1
        rows.append(row)
        sums.append(sum(having.values()))
        for i, c in enumerate(ids):
            link = np.zeros(wide)
            link[column + i], link[i] = 1, -1
            if having[c] == rest[c]:
                rows.append(link)
                sums.append(0)
            inside.append(link)
            bounds.append((0, 0 if having[c] == 0 else sum(rest.values())))
    aim = np.zeros(wide)
    aim[ids.index(cluster)] = 1
    ends = [
        linprog(way * aim, A_ub=np.array(inside), b_ub=np.zeros(len(inside)), A_eq=np.array(rows), b_eq=sums,
                bounds=bounds).fun
        for way in (1, -1)
    ]  # fmt: skip
    return ends[0], -ends[1]


@pytest.mark.parametrize("seed", range(12))
def test_no_attack_on_generated_clusters_succeeds(seed: int) -> None:
    log, pathway = study(seed, (60, 200, 700)[seed % 3], milestones=seed % 4 != 3)
    found, tables = released(log, pathway)
    rests = unlisted(found, tables["variants"].frame)
    for cluster in found.clusters["cluster"].to_list():
        rest = int(rests.filter(cluster=cluster)["rest"].sum())
        if 0 < rest < 11:
            low, high = interval(found, tables, cluster)
            assert high - low >= LEAST, (cluster, rest, low, high)


@pytest.mark.parametrize("seed", range(8))
def test_no_small_count_is_shown(seed: int) -> None:
    log, pathway = study(seed, 300)
    found, tables = released(log, pathway)
    shown = tables["clusters"].frame
    assert shown["n_patients"].drop_nulls().min() is None or shown["n_patients"].drop_nulls().min() >= 11
    assert found.clusters.height - shown["n_patients"].count() != 1
    assert shown["cluster"].to_list() == list(range(1, shown.height + 1))
    counted = shown["n_patients"].to_list()
    assert counted == sorted(counted, key=lambda n: (n is None, -(n or 0)))
    counts = found.sequences.with_columns(word=pl.col("sequence").list.join(">"))
    for sequence in shown["sequence"].drop_nulls().to_list():
        assert counts.filter(word=">".join(sequence))["n_patients"].item() >= 11


def told_limits(
    found: Clustering, tables: dict[str, Released], step: str
) -> tuple[dict[int, float], dict[int, float]]:
    """What listed sequences say of who has a step, or a pair; each phase has one activity here."""
    low = dict.fromkeys(found.clusters["cluster"].to_list(), 0.0)
    high = {c: float(n) for c, n in found.clusters.select("cluster", "n_patients").rows()}
    for sequence, n, rest, cluster in (
        unlisted(found, tables["variants"].frame).select("sequence", "n_patients", "rest", "cluster").rows()
    ):
        has = step in [*sequence, *map(" → ".join, pairwise(sequence))]
        if has:
            low[cluster] += n - rest
        elif "→" in step or step in ("P0", "P1", "P2", "P3"):
            high[cluster] -= n - rest
    return low, high


@pytest.mark.parametrize("seed", range(8))
def test_rounded_shares_span_the_threshold(seed: int) -> None:
    log, pathway = study(seed, 900)
    found, tables = released(log, pathway)
    sizes = dict(found.clusters.select("cluster", "n_patients").rows())
    n = sum(sizes.values())
    for (kind, trait), rows in renumbered(found, tables, "cluster_traits").group_by("kind", "trait"):
        true = found.traits.filter(kind=kind, trait=trait)
        total = true.filter(cluster=1).select(pl.col("n_with") + pl.col("n_with_elsewhere")).item()
        step = trait if kind != "activity" else f"P{int(trait[1:])}"
        low, high = told_limits(found, tables, step)
        for row in rows.to_dicts():
            c = row["cluster"]
            inside = [(row["percent"] + way * 5) / 100 * sizes[c] for way in (-1, 1)]
            outside = [total - (row["percent_elsewhere"] + way * 5) / 100 * (n - sizes[c]) for way in (1, -1)]
            low[c] = max(low[c], inside[0], outside[0])
            high[c] = min(high[c], inside[1], outside[1])
        for c in rows["cluster"].to_list():
            others = [other for other in sizes if other != c]
            least = max(low[c], total - sum(high[other] for other in others))
            most = min(high[c], total - sum(low[other] for other in others))
            count = true.filter(cluster=c)["n_with"].item()
            assert count >= 11 and least <= count <= most and most - least >= 11


def test_the_attack_of_these_tests_beats_plain_thresholds() -> None:
    """Counts of all clusters of 11 or more would tell small rests: the tests above would notice."""
    beaten = 0
    for seed in range(4):
        log, pathway = study(seed, 700)
        found, tables = released(log, pathway)
        plain = found.clusters.filter(pl.col("n_patients") >= 11)
        tables["clusters"] = Released("clusters", plain, {})
        rests = unlisted(found, tables["variants"].frame)
        for cluster in plain["cluster"].to_list():
            if 0 < int(rests.filter(cluster=cluster)["rest"].sum()) < 11:
                low, high = interval(found, tables, cluster)
                beaten += high - low < LEAST
    assert beaten


def test_columns_names_and_meta() -> None:
    rows = [
        (f"p{i}", activity, datetime(2021, 1, 1) + timedelta(days=day))
        for i in range(90)
        for day, activity in enumerate(["a00", "a01"] if i < 50 else ["a02", "a03"])
    ]
    log = EventLog.create(pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"))
    _, tables = released(log, pathway_of(4, 'milestones = ["P0", "P1", "P2", "P3"]'))
    table = tables["clusters"]
    assert dict(table.frame.schema) == CLUSTER_COLUMNS
    assert dict(tables["cluster_traits"].frame.schema) == TRAIT_COLUMNS
    assert table.frame["n_patients"].to_list() == [50, 40]
    assert table.frame["name_en"].to_list() == ["Stage 0 → Stage 1", "Stage 2 → Stage 3"]
    assert table.frame["sequence"].to_list() == [["P0", "P1"], ["P2", "P3"]]
    assert table.meta["threshold"] == 11 and table.meta["suppressed"] == 0
