"""How good a risk is: discrimination, calibration, the list itself, each with its interval, overall and by breakdown.

Intervals resample whole patients: the rows of one patient at several landmarks are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALL = "all"
METRIC_COLUMNS: dict[str, pl.DataType] = {
    "breakdown": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n_rows": pl.Int64(),
    "n_patients": pl.Int64(),
    "n_positive": pl.Int64(),
}
AUDIT_COLUMNS: dict[str, pl.DataType] = {
    "attribute": pl.String(),
    "group": pl.String(),
    "n_patients": pl.Int64(),
    "n_rows": pl.Int64(),
    "observed": pl.Float64(),
    "expected": pl.Float64(),
    "observed_over_expected": pl.Float64(),
    "auroc": pl.Float64(),
    "recall_on_list": pl.Float64(),
    "precision_on_list": pl.Float64(),
}
THRESHOLD = 11
"""Fewer patients than this, or fewer who broke or who did not, are not described: tables leave with the model."""
AGE_BANDS = (50, 65, 75)
"""Lower bounds of the age bands of the audit, after the first."""


@dataclass(frozen=True)
class Scored:
    """Scores and what became of them, sorted once so that each resampling is a few sums.

    Parameters
    ----------
    risk : array of float, shape (n,)
        Probabilities.
    broken : array of float, shape (n,)
        0 or 1.
    listed : array of bool, shape (n,)
        Whether the row is on the list of its landmark.
    order : array of int, shape (n,)
        Rows by falling risk.
    groups : array of int
        Where each distinct risk starts in `order`.
    """

    risk: Floats
    broken: Floats
    listed: NDArray[np.bool_]
    order: NDArray[np.intp]
    groups: NDArray[np.intp]

    @classmethod
    def of(cls, risk: Floats, broken: Floats, listed: NDArray[np.bool_]) -> Scored:
        """Sort `risk`."""
        order = np.argsort(-risk, kind="stable")
        falling = risk[order]
        groups = (
            np.flatnonzero(np.r_[True, falling[1:] != falling[:-1]]) if risk.size else np.empty(0, np.intp)
        )
        return cls(risk, broken, listed, order, groups)

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> Scored:
        """Take ``risk``, ``broken`` and ``listed`` from a frame."""
        return cls.of(frame["risk"].to_numpy(), frame["broken"].to_numpy(), frame["listed"].to_numpy())

    def by_risk(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return the weight of broken and of unbroken rows at each distinct risk, highest first."""
        falling, broken = weight[self.order], self.broken[self.order]
        return np.add.reduceat(falling * broken, self.groups), np.add.reduceat(
            falling * (1 - broken), self.groups
        )


def auroc(scored: Scored, weight: Floats) -> float:
    """Return the area under the ROC curve; a tie counts half. NaN with one class only."""
    positive, negative = scored.by_risk(weight)
    above = np.cumsum(positive) - positive
    return _ratio(float(np.sum(negative * (above + positive / 2))), positive.sum() * negative.sum())


def auprc(scored: Scored, weight: Floats) -> float:
    """Return average precision: the step-wise area under the precision-recall curve."""
    positive, negative = scored.by_risk(weight)
    hits, seen = np.cumsum(positive), np.cumsum(positive + negative)
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return _ratio(float(np.sum(positive * precision)), positive.sum())


def brier(scored: Scored, weight: Floats) -> float:
    """Return the mean squared error of the probability."""
    return _ratio(float(np.sum(weight * (scored.risk - scored.broken) ** 2)), weight.sum())


def observed_over_expected(scored: Scored, weight: Floats) -> float:
    """Return the number of breakdowns over the sum of the risks; 1 is right on average."""
    return _ratio(float(np.sum(weight * scored.broken)), float(np.sum(weight * scored.risk)))


def calibration_intercept(scored: Scored, weight: Floats) -> float:
    """Return calibration-in-the-large: the shift of the log-odds that would make the average right; 0 is right."""
    return _recalibrate(scored, weight, with_slope=False)[0]


def calibration_slope(scored: Scored, weight: Floats) -> float:
    """Return the slope of the outcome on the log-odds of the risk; below 1 the risks are too extreme."""
    return _recalibrate(scored, weight, with_slope=True)[1]


def precision_on_list(scored: Scored, weight: Floats) -> float:
    """Return the share of listed rows that broke."""
    return _ratio(
        float(np.sum(weight * scored.listed * scored.broken)), float(np.sum(weight * scored.listed))
    )


def recall_on_list(scored: Scored, weight: Floats) -> float:
    """Return the share of broken rows that were listed."""
    return _ratio(
        float(np.sum(weight * scored.listed * scored.broken)), float(np.sum(weight * scored.broken))
    )


METRICS: Mapping[str, Callable[[Scored, Floats], float]] = {
    "auroc": auroc,
    "auprc": auprc,
    "brier": brier,
    "observed_over_expected": observed_over_expected,
    "calibration_intercept": calibration_intercept,
    "calibration_slope": calibration_slope,
    "precision_on_list": precision_on_list,
    "recall_on_list": recall_on_list,
}


def measure(
    rows: pl.DataFrame, risk: Floats, broken: Floats, *, capacity: int, n_resamples: int = 200, seed: int = 0
) -> pl.DataFrame:
    """Return every metric, overall and by breakdown, with 95 % intervals (`METRIC_COLUMNS`).

    Parameters
    ----------
    rows : polars.DataFrame
        ``patient_id``, ``breakdown``, ``landmark``.
    risk, broken : array of float, shape (n,)
        Probability, and 0 or 1.
    capacity : int
        Patients on the list of one landmark. The lists stay as they are while patients are resampled.
    n_resamples, seed : int
        Patients are drawn with replacement that many times; percentiles 2.5 and 97.5.
    """
    whole = _together(rows, risk, broken, capacity)
    parts = {ALL: whole} | {
        name: whole.filter(pl.col("breakdown") == name) for name in whole["breakdown"].unique().sort()
    }
    tables = [_measure_part(name, part, n_resamples, seed) for name, part in parts.items() if part.height]
    return pl.concat([pl.DataFrame(schema=METRIC_COLUMNS), *tables])


def _together(rows: pl.DataFrame, risk: Floats, broken: Floats, capacity: int) -> pl.DataFrame:
    return rows.select("patient_id", "breakdown", "landmark").with_columns(
        risk=pl.Series(risk), broken=pl.Series(broken), listed=pl.Series(on_list(rows, risk, capacity))
    )


def on_list(rows: pl.DataFrame, risk: Floats, capacity: int) -> NDArray[np.bool_]:
    """Return which rows are listed: of each patient the highest risk, of each landmark the `capacity` highest."""
    ranked = (
        rows.select("patient_id", "breakdown", "landmark")
        .with_row_index("row")
        .with_columns(risk=pl.Series(risk))
        .sort("landmark", "risk", "patient_id", "breakdown", descending=[False, True, False, False])
        .unique(["landmark", "patient_id"], keep="first", maintain_order=True)
        .filter(pl.int_range(pl.len()).over("landmark") < capacity)
    )
    listed = np.zeros(rows.height, dtype=bool)
    listed[ranked["row"].to_numpy()] = True
    return listed


def shareable(metrics: pl.DataFrame) -> pl.DataFrame:
    """Return the metrics that may leave with a model: no breakdown with a count under `THRESHOLD`.

    Where one is left out the counts of the others go too, else subtraction from the whole would give it back.
    """
    unbroken = pl.col("n_rows") - pl.col("n_positive")
    enough = pl.min_horizontal("n_patients", "n_positive", unbroken) >= THRESHOLD
    kept = metrics.filter(enough | (pl.col("breakdown") == ALL))
    if kept.height == metrics.height:
        return kept
    whole = pl.col("breakdown") == ALL
    return kept.with_columns(
        pl.when(whole).then(name).alias(name) for name in ("n_rows", "n_patients", "n_positive")
    )


def calibration_table(rows: pl.DataFrame, risk: Floats, broken: Floats) -> pl.DataFrame:
    """Return equal groups by risk: ``group``, ``n_rows``, ``n_patients``, ``expected``, ``observed``.

    Ten groups, or fewer: as many as leave `THRESHOLD` patients who broke and as many who did not in each; none when
    not even the whole does.
    """
    whole = rows.select("patient_id").with_columns(risk=pl.Series(risk), broken=pl.Series(broken))
    tables = (_calibration_groups(whole, groups) for groups in range(10, 0, -1))
    least = pl.min_horizontal("patients_broken", "patients_unbroken") >= THRESHOLD
    safe = (table for table in tables if table.select(least.all()).item())
    columns = ("group", "n_rows", "n_patients", "expected", "observed")
    return next(safe, _calibration_groups(whole.clear(), 1)).select(columns)


def _calibration_groups(whole: pl.DataFrame, groups: int) -> pl.DataFrame:
    place = pl.col("risk").rank("ordinal").cast(pl.Int64) - 1
    return (
        whole.with_columns(group=place * groups // pl.len().cast(pl.Int64) + 1)
        .group_by("group")
        .agg(
            n_rows=pl.len().cast(pl.Int64),
            n_patients=_patients(),
            patients_broken=_patients(pl.col("broken") == 1),
            patients_unbroken=_patients(pl.col("broken") == 0),
            expected=pl.col("risk").mean(),
            observed=pl.col("broken").mean(),
        )
        .sort("group")
    )


def _patients(which: pl.Expr | None = None) -> pl.Expr:
    patient = pl.col("patient_id") if which is None else pl.col("patient_id").filter(which)
    return patient.n_unique().cast(pl.Int64)


def audit(
    rows: pl.DataFrame,
    risk: Floats,
    broken: Floats,
    people: pl.DataFrame,
    *,
    capacity: int,
) -> pl.DataFrame:
    """Return how the risk treats groups of people (`AUDIT_COLUMNS`): by deprivation, age band and sex.

    Base rates differ between groups, so equal recall is not the aim: the ratio of observed to expected should be near
    1 in each, and the precision of the list alike.

    Parameters
    ----------
    people : polars.DataFrame
        ``patient_id``, ``deprivation``, ``birth_year``, ``sex``: they serve this table, not the model.
    capacity : int
        Patients on the list of one landmark.

    Notes
    -----
    An attribute is left out as a whole when one of its groups has a count under `THRESHOLD`: the group alone could be
    found again by subtraction.
    """
    whole = (
        _together(rows, risk, broken, capacity)
        .join(people, on="patient_id", how="left", maintain_order="left")
        .with_columns(
            deprivation=pl.col("deprivation").cast(pl.String),
            age=_age_band(pl.col("landmark").dt.year() - pl.col("birth_year")),
        )
    )
    groups = [
        _audit_group(attribute, part)
        for attribute in ("deprivation", "age", "sex")
        for part in _parts(whole.drop_nulls(attribute), attribute)
    ]
    return pl.DataFrame(groups, schema=AUDIT_COLUMNS, orient="row").sort("attribute", "group")


def _parts(whole: pl.DataFrame, attribute: str) -> list[pl.DataFrame]:
    """Return one frame a group, none at all when one of them is too small to be described."""
    broken = pl.col("broken") == 1
    counts = whole.group_by(attribute).agg(broken=_patients(broken), unbroken=_patients(~broken))
    safe = counts.select(pl.min_horizontal("broken", "unbroken").min() >= THRESHOLD).item()
    return whole.partition_by(attribute, maintain_order=True) if safe else []


def _age_band(age: pl.Expr) -> pl.Expr:
    band: pl.Expr = pl.when(age >= 0).then(pl.lit(f"< {AGE_BANDS[0]}"))
    for low, above in pairwise((*AGE_BANDS, None)):
        label = f"≥ {low}" if above is None else f"{low}–{above - 1}"
        band = pl.when(age >= low).then(pl.lit(label)).otherwise(band)
    return band


def _audit_group(attribute: str, part: pl.DataFrame) -> tuple[Any, ...]:
    scored = Scored.of_frame(part)
    ones = np.ones(part.height)
    ratios = (observed_over_expected, auroc, recall_on_list, precision_on_list)
    return (
        attribute,
        part[attribute][0],
        part["patient_id"].n_unique(),
        part.height,
        part["broken"].mean(),
        part["risk"].mean(),
        *(_or_null(metric(scored, ones)) for metric in ratios),
    )


def _measure_part(name: str, part: pl.DataFrame, n_resamples: int, seed: int) -> pl.DataFrame:
    scored = Scored.of_frame(part)
    patient = part["patient_id"].rank("dense").to_numpy().astype(np.intp) - 1
    n_patients = int(patient.max()) + 1
    draws = _draws(n_patients, n_resamples, seed)
    weights = [draw[patient] for draw in draws]
    counts = {"n_rows": part.height, "n_patients": n_patients, "n_positive": int(part["broken"].sum())}
    lines = [
        {"breakdown": name, "metric": label, **_interval(metric, scored, weights), **counts}
        for label, metric in METRICS.items()
    ]
    return pl.DataFrame(lines, schema=METRIC_COLUMNS)


def _draws(n_patients: int, n_resamples: int, seed: int) -> list[Floats]:
    """Return how often each patient is drawn in each resampling."""
    rng = np.random.default_rng(seed)
    return [
        np.bincount(rng.integers(0, n_patients, n_patients), minlength=n_patients).astype(float)
        for _ in range(n_resamples)
    ]


def _interval(
    metric: Callable[[Scored, Floats], float], scored: Scored, weights: list[Floats]
) -> dict[str, float | None]:
    value = metric(scored, np.ones(scored.risk.size))
    drawn = np.array([metric(scored, weight) for weight in weights])
    finite = drawn[np.isfinite(drawn)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite.size else (np.nan, np.nan)
    return {"value": _or_null(value), "low": _or_null(low), "high": _or_null(high)}


def _recalibrate(scored: Scored, weight: Floats, *, with_slope: bool) -> tuple[float, float]:
    """Fit logit(outcome) = intercept + slope · logit(risk) by Newton steps; the slope is 1 unless asked for."""
    risk = np.clip(scored.risk, 1e-6, 1 - 1e-6)
    odds = np.log(risk / (1 - risk))
    intercept, slope = 0.0, 1.0
    for _ in range(12):
        fitted = 1 / (1 + np.exp(-np.clip(intercept + slope * odds, -30, 30)))
        error, spread = weight * (scored.broken - fitted), weight * fitted * (1 - fitted)
        a, b, c = spread.sum(), (spread * odds).sum(), (spread * odds**2).sum()
        determinant = a * c - b * b if with_slope else a
        if not determinant > 1e-9:
            return np.nan, np.nan
        if with_slope:
            first, second = error.sum(), (error * odds).sum()
            intercept += float((c * first - b * second) / determinant)
            slope += float((a * second - b * first) / determinant)
        else:
            intercept += float(error.sum() / a)
    return intercept, slope


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else np.nan


def _or_null(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
