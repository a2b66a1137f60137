"""Territories: standardisation by hand, limits against known values, hotspots by simulation."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from eventlogs.errors import LogError
from pathways.mining.funnels import between_units
from pathways.mining.territories import (
    ANY,
    UNKNOWN,
    byar_limits,
    deviates,
    shrunk_ratios,
    territory_rates,
)

SEEDS = range(20)
TERRITORIES, HOTSPOTS = 101, 8


def patients_of(*rows: tuple[str, str | None, int | None, int | None]) -> pl.DataFrame:
    """``patient_id, territory, age at index, deprivation``."""
    frame = pl.DataFrame(rows, schema=["patient_id", "territory", "age", "deprivation"], orient="row")
    return frame.select(
        "patient_id",
        "territory",
        "deprivation",
        birth_year=2020 - pl.col("age"),
        index_date=pl.lit(datetime(2020, 6, 1)),
    )


def results_of(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["patient_id", "breakdown", "status"], orient="row")


def test_expected_counts_come_from_the_strata():
    """Old patients break in 3 of 4, young in 1 of 4, whatever the territory."""
    people = [("o1", "01", 85, 1), ("o2", "01", 85, 1), ("o3", "01", 81, 1), ("o4", "02", 82, 1)]
    people += [("y1", "01", 40, 1), ("y2", "02", 40, 1), ("y3", "02", 41, 1), ("y4", "02", 49, 1)]
    broken = {"o1", "o2", "o4", "y1"}
    results = [(p[0], "late", "broken" if p[0] in broken else "kept") for p in people]
    rates = territory_rates(results_of(*results), patients_of(*people)).filter(breakdown="late")
    assert rates["territory"].to_list() == ["01", "02"]
    assert rates["n_evaluable"].to_list() == [4, 4]
    assert rates["n_broken"].to_list() == [3, 1]
    assert rates["expected"].to_list() == pytest.approx([3 * 0.75 + 0.25, 0.75 + 3 * 0.25])
    assert rates["ratio"].to_list() == pytest.approx([3 / 2.5, 1 / 1.5])


def test_an_unknown_age_or_quintile_is_a_stratum_of_its_own():
    people = [("p", "01", None, None), ("q", "02", None, None), ("r", "01", 60, 3), ("s", "02", 60, None)]
    results = [("p", "late", "broken"), ("q", "late", "kept"), ("r", "late", "kept"), ("s", "late", "kept")]
    rates = territory_rates(results_of(*results), patients_of(*people)).filter(breakdown="late")
    assert rates["expected"].to_list() == pytest.approx([0.5, 0.5])


def test_only_decided_expectations_count_and_any_pools_them():
    people = [(name, "01", 60, 1) for name in "pqrs"]
    results = [
        ("p", "late", "broken"), ("p", "gap", "kept"),
        ("q", "late", "kept"), ("q", "gap", "undecidable"),
        ("r", "late", "excused"), ("r", "gap", "broken"),
        ("s", "late", "undecidable"), ("s", "gap", "excused"),
    ]  # fmt: skip
    rates = territory_rates(results_of(*results), patients_of(*people))
    counts = {row["breakdown"]: (row["n_evaluable"], row["n_broken"]) for row in rates.to_dicts()}
    assert counts == {"late": (2, 1), "gap": (2, 1), ANY: (3, 2)}


def test_patients_without_a_territory_are_counted_apart():
    rates = territory_rates(results_of(("p", "late", "broken")), patients_of(("p", None, 60, 1)))
    assert rates.select("breakdown", "territory", "n_broken").rows() == [
        ("any", UNKNOWN, 1),
        ("late", UNKNOWN, 1),
    ]


def test_an_unknown_status_is_refused():
    with pytest.raises(LogError, match="did you mean 'broken'"):
        territory_rates(results_of(("p", "late", "brokn")), patients_of(("p", "01", 60, 1)))


def test_byar_limits_are_near_the_exact_poisson_limits():
    observed = np.array([0, 1, 2, 5, 11, 40, 300], dtype=float)
    low, high = byar_limits(observed)
    exact_low = np.where(observed > 0, chi2.ppf(0.025, 2 * np.maximum(observed, 1)) / 2, 0)
    exact_high = chi2.ppf(0.975, 2 * (observed + 1)) / 2
    assert np.abs(low - exact_low).max() < 0.15
    assert np.abs(high - exact_high).max() < 0.15


def test_ratios_shrink_towards_the_mean_and_more_where_fewer_are_expected():
    observed, expected = np.array([4.0, 40, 80, 60, 5, 30]), np.array([2.0, 20, 40, 70, 20, 67])
    shrunk = shrunk_ratios(observed, expected)
    mean = observed.sum() / expected.sum()
    assert (np.abs(shrunk - mean) < np.abs(observed / expected - mean)).all()
    assert shrunk[0] < shrunk[1] < shrunk[2] < 2
    assert shrunk_ratios(np.array([10.0, 10]), np.array([10.0, 10])).tolist() == [1, 1]


def test_deviates_are_standard_normal_on_average():
    rng = np.random.default_rng(5)
    n = np.full(20_000, 60.0)
    scores = deviates(n, rng.binomial(60, 0.2, len(n)).astype(float), n * 0.2)
    assert scores.mean() == pytest.approx(0, abs=0.03)
    assert scores.std() == pytest.approx(1, abs=0.03)


def test_a_spread_between_territories_is_estimated_and_hotspots_do_not_inflate_it():
    rng = np.random.default_rng(6)
    n = rng.integers(100, 400, 400)
    ratio = np.exp(rng.normal(0, 0.15, 400))
    ratio[:20] *= 2
    observed = rng.binomial(n, np.clip(0.25 * ratio, 0, 1)).astype(float)
    found = between_units(observed, n * 0.25, n * 0.25 * 0.75)
    assert found**0.5 == pytest.approx(0.15, abs=0.05)
    assert between_units(observed[:5], n[:5] * 0.25, n[:5] * 0.25 * 0.75) == 0


def simulated(seed: int, *, rate: float, spread: float, hotspots: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who is a hotspot (odds × 2.5, 100 to 300 patients) and who is flagged."""
    rng = np.random.default_rng(seed)
    n = np.clip(rng.lognormal(np.log(150), 0.8, TERRITORIES).astype(int), 12, 3000)
    hot = np.zeros(TERRITORIES, dtype=bool)
    hot[rng.choice(np.flatnonzero((n >= 100) & (n <= 300)), hotspots, replace=False)] = True
    place = np.repeat(np.arange(TERRITORIES), n)
    age, deprivation = rng.normal(62, 13, len(place)).astype(int), rng.integers(1, 6, len(place))
    shift = rng.normal(0, spread, TERRITORIES) + hot * np.log(2.5)
    logit = np.log(rate / (1 - rate)) + 0.01 * (age - 62) + 0.1 * (deprivation - 3) + shift[place]
    broken = rng.random(len(place)) < 1 / (1 + np.exp(-logit))
    ids = pl.Series(np.arange(len(place))).cast(pl.String)
    results = pl.DataFrame({"patient_id": ids, "broken": broken}).select(
        "patient_id",
        breakdown=pl.lit("late"),
        status=pl.when("broken").then(pl.lit("broken")).otherwise(pl.lit("kept")),
    )
    people = pl.DataFrame(
        {"patient_id": ids, "territory": place, "birth_year": 2020 - age, "deprivation": deprivation}
    ).with_columns(pl.col("territory").cast(pl.String).str.zfill(3), index_date=pl.lit(datetime(2020, 6, 1)))
    rates = territory_rates(results, people).filter(breakdown="late").sort("territory")
    return hot, rates["hotspot"].to_numpy()


@pytest.mark.parametrize("spread", [0.0, 0.1], ids=["all alike", "mild over-dispersion"])
@pytest.mark.parametrize("rate", [0.15, 0.3])
def test_few_territories_are_flagged_where_none_is_a_hotspot(rate, spread):
    shares = [simulated(seed, rate=rate, spread=spread, hotspots=0)[1].mean() for seed in SEEDS]
    assert np.mean(shares) < 0.03
    assert np.mean(np.array(shares) <= 0.05) >= 0.8


@pytest.mark.parametrize("spread", [0.0, 0.1], ids=["all alike", "mild over-dispersion"])
@pytest.mark.parametrize("rate", [0.15, 0.3])
def test_most_hotspots_are_found(rate, spread):
    runs = [simulated(seed, rate=rate, spread=spread, hotspots=HOTSPOTS) for seed in SEEDS]
    recall = np.mean([flagged[hot].mean() for hot, flagged in runs])
    precision = np.mean([hot[flagged].mean() for hot, flagged in runs])
    assert recall > 0.9
    assert precision > 0.85


def test_funnels_narrow_as_patients_grow():
    rng = np.random.default_rng(2)
    people, results = [], []
    for territory in range(30):
        for i in range(20 * (territory + 1)):
            name = f"{territory}-{i}"
            people.append((name, f"{territory:02d}", 60, 1))
            results.append((name, "late", "broken" if rng.random() < 0.3 else "kept"))
    rates = territory_rates(results_of(*results), patients_of(*people)).filter(breakdown="late")
    width = rates["funnel_high"] - rates["funnel_low"]
    assert width.is_sorted(descending=True)
    inside = (rates["rate"] >= rates["funnel_low"]) & (rates["rate"] <= rates["funnel_high"])
    assert inside.mean() > 0.85
