"""Comparisons: published and hand-worked examples, scipy, a naive count, coverage and false discoveries simulated."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, hypergeom, median_test, quantile_test

from eventlogs.errors import LogError
from eventlogs.log import EventLog
from pathways.mining.compare import (
    DIFFERENCE_COLUMNS,
    FUNNEL_COLUMNS,
    HETEROGENEITY_COLUMNS,
    Comparison,
    compare,
)
from pathways.mining.groups import OTHERS, Groups, by_column, by_facility, by_period, by_sets
from pathways.mining.inference import (
    ClusterSums,
    combine,
    difference_of_ratios,
    difference_of_shares,
    heterogeneity,
    median_ranks,
    p_of_interval,
    p_of_shares,
    q_values,
    standardised_shares,
)
from pathways.mining.kernels import END, START

INDEX = datetime(2020, 6, 1)


def cohort(seed: int, n: int, *, late: float = 0.0, more: float = 0.0, facilities: int = 5) -> EventLog:
    """Synthetic patients: visit, then surgery or drug, then control; in group B later by `late` and `more` drug.

    ``territory`` holds the group, A or B; age, sex and deprivation are alike in both.
    """
    rng = np.random.default_rng(seed)
    rows, people = [], []
    for i in range(n):
        name, b = f"p{i:05d}", i % 2 == 1
        drug = rng.random() < 0.4 + more * b
        first = INDEX + timedelta(days=int(rng.integers(0, 10)))
        second = first + timedelta(days=int(rng.gamma(4, 10) + late * b))
        place = f"{rng.integers(0, facilities):08d}"
        steps = [("visit", first), ("drug" if drug else "surgery", second)]
        steps += (
            [("control", second + timedelta(days=int(rng.integers(20, 90))))] if rng.random() < 0.7 else []
        )
        rows += [(name, activity, start, place) for activity, start in steps]
        sex, birth = ("F", "M")[rng.integers(2)], int(rng.integers(1935, 1985))
        people.append((name, "AB"[b], sex, birth, int(rng.integers(1, 6)), INDEX))
    events = pl.DataFrame(rows, schema=["patient_id", "activity", "start", "facility"], orient="row")
    columns = ["patient_id", "territory", "sex", "birth_year", "deprivation", "index_date"]
    return EventLog.create(events, pl.DataFrame(people, schema=columns, orient="row"))


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("counts", "limits"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ],
)
def test_intervals_of_shares_are_those_that_newcombe_published(counts, limits):
    """Newcombe, Statistics in Medicine 17, 1998, 873, method 10."""
    found = difference_of_shares(*(ints(count) for count in counts))
    assert (found.low[0], found.high[0]) == pytest.approx(limits, abs=6e-5)


def test_p_values_of_shares_and_of_many_groups_are_pearsons():
    rng = np.random.default_rng(1)
    n = rng.integers(100, 400, (20, 4))
    k = rng.binomial(n, 0.3)
    two = difference_of_shares(k[:, 0], n[:, 0], k[:, 1], n[:, 1])
    many = heterogeneity(k.astype(float), n.astype(float))
    for row in range(20):
        table = np.array([k[row], n[row] - k[row]])
        assert two.p[row] == pytest.approx(chi2_contingency(table[:, :2], correction=False).pvalue)
        assert many[row] == pytest.approx(chi2_contingency(table, correction=False).pvalue)


def test_a_small_p_value_of_few_patients_is_fishers():
    """15 of 50 against 211 of 1945: Pearson's tail is 15 times too short."""
    k_a, n_a, k_b, n_b = ints(15, 30, 150), ints(50, 50, 500), ints(211, 800, 211), ints(1945, 1945, 1945)
    pearson = [
        chi2_contingency(
            np.array([[k_a[i], k_b[i]], [n_a[i] - k_a[i], n_b[i] - k_b[i]]]), correction=False
        ).pvalue
        for i in range(3)
    ]
    found = p_of_shares(k_a, n_a, k_b, n_b)
    tail = hypergeom.sf(14, 1995, 226, 50) - hypergeom.pmf(15, 1995, 226, 50) / 2
    assert found[0] == pytest.approx(2 * tail) and found[0] > 5 * pearson[0]
    assert found[2] == pytest.approx(pearson[2])


@pytest.mark.parametrize("n", [6, 7, 11, 30, 101, 1000])
def test_limits_of_a_median_are_scipys(n):
    values = np.sort(np.random.default_rng(n).normal(size=n))
    low, high = median_ranks(ints(n))
    exact = quantile_test(values, p=0.5).confidence_interval(0.95)
    assert (values[low[0]], values[high[0]]) == (exact.low, exact.high)


def test_an_interval_tells_its_p_value():
    """An interval that touches 0 says 0.05; Altman and Bland's example, 0.034 to 0.39 about 0.21, says 0.02."""
    estimate, low, high = (
        np.array([2.0, -2, 0, 0.21]),
        np.array([0.0, -4, -1, 0.034]),
        np.array([4.0, 0, 1, 0.386]),
    )
    assert p_of_interval(estimate, low, high) == pytest.approx([0.05, 0.05, 1, 0.019], abs=1e-3)


def test_q_values_are_benjamini_and_hochbergs():
    p = np.array([0.01, 0.04, 0.03, 0.5, 0.002])
    ranked = sorted(p)
    by_hand = {each: min(ranked[j] * 5 / (j + 1) for j in range(i, 5)) for i, each in enumerate(ranked)}
    assert q_values(p).tolist() == pytest.approx([by_hand[each] for each in p])
    assert len(q_values(np.array([]))) == 0


def test_direct_standardisation_by_hand():
    """Young 400 and old 250 pooled: A has 0.1 and 0.3, B 0.1 and 0.5; crude, B looks better than A."""
    k_a, n_a = np.array([[10.0, 60]]), np.array([100.0, 200])
    k_b, n_b = np.array([[30.0, 25]]), np.array([300.0, 50])
    found = standardised_shares(k_a, n_a, k_b, n_b)
    young, old = 400 / 650, 250 / 650
    assert found.a[0] == pytest.approx(young * 0.1 + old * 0.3)
    assert found.b[0] == pytest.approx(young * 0.1 + old * 0.5)
    assert k_a.sum() / 300 > k_b.sum() / 350 and found.a[0] < found.b[0]
    strata = [
        (young, 10, 100, 70 / 300),
        (old, 60, 200, 70 / 300),
        (young, 30, 300, 55 / 350),
        (old, 25, 50, 55 / 350),
    ]
    padded = [(weight, (k + crude) / (n + 1), n) for weight, k, n, crude in strata]
    scaled = [(weight, p * (1 - p) * (n + 1) ** 2 / (n * n + n + 1), n) for weight, p, n in padded]
    variance = sum(weight**2 * spread / n for weight, spread, n in scaled)
    assert (found.high - found.low)[0] / 2 == pytest.approx(1.959964 * variance**0.5)
    assert found.covered[0] == 1


def test_a_stratum_that_one_group_has_not_is_left_out_of_both():
    found = standardised_shares(
        np.array([[10.0, 60, 9]]),
        np.array([100.0, 200, 10]),
        np.array([[30.0, 25, 0]]),
        np.array([300.0, 50, 0]),
    )
    assert found.a[0] == pytest.approx((400 * 0.1 + 250 * 0.3) / 650)
    assert found.covered[0] == pytest.approx(650 / 660)


def covers(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def test_intervals_of_shares_and_of_standardised_shares_cover_95_of_100():
    rng, runs = np.random.default_rng(3), 4000
    k_a, k_b = rng.binomial(60, 0.3, runs), rng.binomial(150, 0.15, runs)
    crude = difference_of_shares(k_a, np.full(runs, 60), k_b, np.full(runs, 150))
    assert covers(crude.low, crude.high, 0.15) == pytest.approx(0.95, abs=0.012)
    n_a, n_b = np.array([40, 60, 8, 3, 90.0]), np.array([30, 10, 30, 2, 200.0])
    p_a, p_b = np.array([0.1, 0.3, 0.5, 0.2, 0.05]), np.array([0.05, 0.2, 0.4, 0.2, 0.05])
    drawn = [rng.binomial(n.astype(int), p, (runs, 5)).astype(float) for n, p in ((n_a, p_a), (n_b, p_b))]
    found = standardised_shares(drawn[0], n_a, drawn[1], n_b)
    weights = (n_a + n_b) / (n_a + n_b).sum()
    assert covers(found.low, found.high, float(weights @ (p_a - p_b))) == pytest.approx(0.95, abs=0.015)


def test_intervals_of_medians_cover_at_least_95_of_100_with_days_that_tie():
    rng, runs = np.random.default_rng(4), 1500
    a, b = (np.sort(np.floor(rng.gamma(4, 10, (runs, n)) + late), axis=1) for n, late in ((60, 7), (140, 0)))
    sides = []
    for values in (a, b):
        low, high = median_ranks(ints(values.shape[1]))
        sides += [np.median(values, axis=1), (values[:, low[0]], values[:, high[0]])]
    low, high = combine(*sides)
    assert 0.94 < covers(low, high, 7) < 0.995
    assert (low > 0).mean() > 0.4


def test_intervals_of_exit_shares_cover_95_of_100_where_patients_differ():
    """Patients repeat a step 1 to 9 times with a leaning of their own: events taken as independent would cover less."""
    rng, runs = np.random.default_rng(5), 1500
    sides = []
    for n in (80, 200):
        x = rng.integers(1, 10, (runs, n)).astype(float)
        y = rng.binomial(x.astype(int), rng.beta(2, 4, (runs, n))).astype(float)
        moments = (y, x, y * y, x * y, x * x)
        sides.append(ClusterSums(np.full(runs, float(n)), *(each.sum(axis=1) for each in moments)))
    found = difference_of_ratios(*sides)
    assert covers(found.low, found.high, 0) == pytest.approx(0.95, abs=0.02)


def test_a_small_group_where_all_do_the_same_is_not_certain():
    a = ClusterSums(*(np.array([value]) for value in (23.0, 23, 23, 23, 23, 23)))
    b = ClusterSums(*(np.array([value]) for value in (500.0, 385, 500, 385, 385, 500)))
    assert 0.001 < difference_of_ratios(a, b).p[0] < 0.05


def test_the_planted_difference_is_ranked_first_in_each_unit():
    log = cohort(7, 600, late=15, more=0.25)
    found = compare(log, by_column(log, "territory")).differences.filter("significant")
    share, days = found.filter(unit="share", rank=1), found.filter(unit="days", rank=1)
    assert {share["activity"].item(), share["target"].item()} & {"drug", "surgery"}
    assert abs(share["standardised"].item()) == pytest.approx(0.25, abs=0.1)
    assert days["standardised"].item() == pytest.approx(-15, abs=6)
    assert found["group"].unique().to_list() == ["A"] and found["other"].unique().to_list() == ["B"]


def test_few_false_discoveries_where_groups_are_labels_shuffled():
    """Under no difference at all, any discovery is false: at q < 0.05 in at most 5 of 100 comparisons, on average."""
    log, rng = cohort(8, 400), np.random.default_rng(8)
    ids = log.patients["patient_id"]
    runs = []
    for _ in range(60):
        labels = pl.Series("group", rng.permutation(np.repeat(["A", "B"], len(ids) // 2)))
        found = compare(log, Groups(pl.DataFrame({"patient_id": ids, "group": labels}), "shuffled"))
        runs.append(bool(found.differences["significant"].any()))
    assert np.mean(runs) <= 0.10


def test_few_false_discoveries_among_many_small_groups():
    log = cohort(9, 900, facilities=30)
    found = compare(log, by_facility(log, ["surgery", "drug"]))
    assert found.differences["group"].n_unique() > 20
    assert not found.differences["significant"].any()
    assert found.heterogeneity.height > 0 and found.heterogeneity["q"].min() > 0.01


def test_a_difference_that_age_explains_vanishes_when_standardised():
    """Old patients have the drug in 8 of 10, young in 2 of 10, in both groups; A is older."""
    rng, rows, people = np.random.default_rng(10), [], []
    for i in range(1200):
        a = i < 600
        old = rng.random() < (0.7 if a else 0.3)
        rows.append((f"p{i}", "visit", INDEX))
        if rng.random() < (0.8 if old else 0.2):
            rows.append((f"p{i}", "drug", INDEX + timedelta(days=5)))
        people.append((f"p{i}", "AB"[not a], 1935 if old else 1975, INDEX))
    log = EventLog.create(
        pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"),
        pl.DataFrame(people, schema=["patient_id", "territory", "birth_year", "index_date"], orient="row"),
    )
    row = (
        compare(log, by_column(log, "territory"))
        .differences.filter(activity="drug", measure="share")
        .row(0, named=True)
    )
    assert row["difference"] > 0.18 and row["significant"]
    assert row["standardised_low"] < 0 < row["standardised_high"] and abs(row["standardised"]) < 0.07


def test_nothing_is_standardised_on_what_the_groups_are():
    log = cohort(11, 300)
    by_sex = compare(log, by_column(log, "sex"))
    assert by_sex.differences.filter(measure="share")["covered"].drop_nulls().min() > 0.8
    with pytest.raises(LogError, match="did you mean 'sex'"):
        compare(log, by_column(log, "territory"), standard=("sexe",))


def test_under_the_minimum_nothing_is_said():
    log = cohort(12, 60)
    groups = by_column(log, "territory")
    wide = compare(log, groups, minimum=11).differences
    assert wide.select(pl.min_horizontal("n_a", "n_b")).min().item() >= 11
    assert wide.filter(unit="share").select(pl.col("k_a") + pl.col("k_b")).min().item() >= 11
    with pytest.raises(LogError, match="two are needed"):
        compare(log, groups, minimum=31)
    assert not compare(log, groups, minimum=30).differences.is_empty()


def test_a_set_that_holds_the_other_is_told() -> None:
    log = EventLog.create(
        pl.DataFrame({"patient_id": ["p", "q"], "activity": "a", "start": datetime(2020, 1, 1)})
    )
    with pytest.raises(LogError, match="every patient of A is in B too"):
        by_sets(log, ["p"], ["p", "q"])
    with pytest.raises(LogError, match="every patient of B is in A too"):
        by_sets(log, ["p", "q"], ["p"])


def test_who_is_in_both_sets_or_in_neither_is_left_out_and_counted():
    log = cohort(13, 40)
    ids = log.patients["patient_id"].to_list()
    groups = by_sets(log, ids[:20], ids[15:30], ("first", "second"))
    assert (groups.n_both, groups.n_neither) == (5, 10)
    assert groups.of["group"].value_counts().sort("group").rows() == [("first", 15), ("second", 10)]
    found = compare(log, groups, minimum=5)
    assert (found.n_both, found.n_neither) == (5, 10)
    assert found.differences["n_a"].max() == 15


def test_groups_by_period_facility_column_and_against_the_others():
    log = cohort(14, 200)
    assert by_period(log, date(2020, 6, 2)).names == ["< 2020-06-02"]
    assert by_period(log, date(2020, 6, 1)).names == ["≥ 2020-06-01"]
    assert set(by_column(log, "age_band").names) <= {"<50", "50-59", "60-69", "70-79", "80+"}
    assert by_column(log, "index_year").names == ["2020"]
    assert by_facility(log, ["surgery", "drug"]).n_neither == 0
    pair = by_column(log, "deprivation").against_others("3", log)
    assert pair.names == ["3", OTHERS] and pair.of.height == 200
    with pytest.raises(LogError, match="did you mean 'territory'"):
        by_column(log, "teritory")
    with pytest.raises(LogError, match="no group '9'"):
        by_column(log, "deprivation").against_others("9", log)
    with pytest.raises(LogError, match="no patient has a group"):
        by_column(log, "network")


def test_only_a_facility_far_from_the_others_is_outside_the_outer_funnel():
    log = cohort(15, 1500, facilities=20)
    far = pl.col("facility") == "00000003"
    events = log.events.with_columns(
        activity=pl.when(far & (pl.col("activity") == "drug")).then(pl.lit("surgery")).otherwise("activity")
    )
    log = EventLog.create(events.drop("rank", "tied"), log.patients)
    funnel = compare(log, by_facility(log, ["surgery", "drug"])).funnel.filter(activity="surgery")
    assert funnel.filter(outside="99.8")["group"].to_list() == ["00000003"]
    assert funnel["group"].n_unique() == 20
    assert (funnel["high_998"] >= funnel["high_95"]).all() and (funnel["low_998"] <= funnel["low_95"]).all()


def test_a_difference_map_is_of_two_groups_and_holds_no_patient():
    log = cohort(16, 300, more=0.3)
    found = compare(log, by_column(log, "territory"))
    nodes, edges = found.nodes(), found.edges()
    assert nodes.columns == ["activity", "delta", "significant"]
    assert edges.columns == ["source", "target", "delta", "significant"]
    assert nodes.filter(activity="drug")["delta"].item() == pytest.approx(-0.3, abs=0.12)
    assert "p00" not in repr(found) and repr(found).startswith("Comparison(territory: 2 groups")
    with pytest.raises(LogError, match="two groups"):
        compare(log, by_column(log, "deprivation")).nodes()


def test_empty_differences_keep_their_columns():
    log = cohort(17, 40)
    lonely = log.keep_activities(["control"])
    found = compare(lonely, by_column(lonely, "territory"), minimum=10)
    assert found.differences.columns == list(DIFFERENCE_COLUMNS)
    assert found.heterogeneity.columns == list(HETEROGENEITY_COLUMNS) and found.heterogeneity.is_empty()
    assert found.funnel.columns == list(FUNNEL_COLUMNS) and found.funnel.is_empty()


def test_medians_of_many_groups_are_compared_by_moods_test():
    log = cohort(18, 400)
    found = compare(log, by_column(log, "deprivation")).heterogeneity
    row = found.filter(kind="case").row(0, named=True)
    spans = log.events.group_by("patient_id").agg(
        days=(pl.col("start").max() - pl.col("start").min()).dt.total_days()
    )
    with_group = spans.join(log.patients, on="patient_id")
    samples = [with_group.filter(deprivation=each)["days"].to_numpy() for each in range(1, 6)]
    assert row["p"] == pytest.approx(median_test(*samples, ties="below", correction=False).pvalue)


steps_of_patients = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 5)), min_size=1, max_size=6),
    ),
    min_size=12,
    max_size=40,
)


@given(steps_of_patients)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_equal_to_a_naive_count(patients):
    """Plain Python, one patient at a time: counts, shares, exits and medians of everything that is said."""
    rows, people = [], []
    for i, (group, steps) in enumerate(patients):
        day = INDEX
        for activity, gap in steps:
            day += timedelta(days=gap + 1)
            rows.append((f"p{i:03d}", activity, day))
        people.append((f"p{i:03d}", group, INDEX))
    log = EventLog.create(
        pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"),
        pl.DataFrame(people, schema=["patient_id", "territory", "index_date"], orient="row"),
    )
    if len({group for group, _ in patients}) < 2 or min(sum(g == x for g, _ in patients) for x in "AB") < 2:
        return
    found = compare(log, by_column(log, "territory"), minimum=2)
    for row in found.counts.iter_rows(named=True):
        assert (row["n"], row["k"]) == naive(
            [steps for each, steps in patients if each == row["group"]], row
        )[:2]
    for row in found.differences.iter_rows(named=True):
        for group, side in (("A", "a"), ("B", "b")):
            mine = [steps for each, steps in patients if each == group]
            n, k, value = naive(mine, row)
            assert (row[f"n_{side}"], row[f"k_{side}"]) == (n, k), row
            assert row[f"value_{side}"] == pytest.approx(value), row
    assert no_share_is_missing(found, [steps for _, steps in patients])


def naive(patients, row):
    names = [[activity for activity, _ in steps] for steps in patients]
    if row["kind"] == "case":
        days = [sum(gap + 1 for _, gap in steps[1:]) for steps in patients]
        return len(days), len(days), median(days)
    if row["kind"] == "variant":
        written = [[a for i, a in enumerate(each) if i == 0 or each[i - 1] != a] for each in names]
        k = sum(each == row["variant"] for each in written)
        return len(names), k, k / len(names)
    if row["kind"] == "activity" and row["measure"] == "median_day":
        firsts = [
            sum(gap + 1 for _, gap in steps[: each.index(row["activity"]) + 1])
            for steps, each in zip(patients, names, strict=True)
            if row["activity"] in each
        ]
        return len(firsts), len(firsts), median(firsts)
    if row["kind"] == "activity":
        k = sum(row["activity"] in each for each in names)
        return len(names), k, k / len(names)
    return naive_edge(patients, names, row)


def naive_edge(patients, names, row):
    edge = (row["source"], row["target"])
    if row["measure"] == "share":
        names = [[START, *each, END] for each in names]
    taken = [[i for i, pair in enumerate(pairwise(each)) if pair == edge] for each in names]
    k = sum(bool(each) for each in taken)
    if row["measure"] == "share":
        return len(names), k, k / len(names)
    if row["measure"] == "median_delay":
        delays = [steps[each[0] + 1][1] + 1 for steps, each in zip(patients, taken, strict=True) if each]
        return k, k, median(delays)
    left = [sum(a == row["source"] for a in each[:-1]) for each in names]
    return sum(x > 0 for x in left), k, sum(map(len, taken)) / sum(left)


def no_share_is_missing(found: Comparison, patients) -> bool:
    """Every activity of at least two patients, with expected counts of 5, is there."""
    said = set(found.differences.filter(kind="activity", measure="share")["activity"])
    n = found.groups["n_patients"].min()
    for activity in "xyz":
        share = np.mean([activity in [name for name, _ in steps] for steps in patients])
        if n * min(share, 1 - share) >= 5 and activity not in said:
            return False
    return True
