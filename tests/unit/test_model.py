"""The classifier, its training and test, its measures, its file and its card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer

from eventlogs.errors import InputError
from eventlogs.feeds import FEEDS
from eventlogs.log import EventLog
from pathways.risk import evaluation
from pathways.risk.card import card
from pathways.risk.evaluation import METRICS, Scored, audit, calibration_table, measure, on_list, shareable
from pathways.risk.features import feature_names, landmark_dates
from pathways.risk.model import BreakdownRiskModel, RiskModel, labelled_rows, load_model, train

from .simulated import cohort, pathway, trained


def table(n: int = 400, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Return numbers with gaps, a category, and an outcome that depends on both."""
    rng = np.random.default_rng(seed)
    place = rng.choice(["29", "35", None], n)
    size = rng.normal(size=n)
    chance = 1 / (1 + np.exp(-(size + (place == "29"))))
    frame = pl.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.2, np.nan, size),
            "empty": np.full(n, np.nan),
            "territory": list(place),
        }
    )
    return frame, (rng.random(n) < chance).astype(int)


@pytest.mark.parametrize("learner", ["boosting", "logistic"])
def test_it_is_a_scikit_learn_classifier(learner: Any) -> None:
    x, y = table()
    model = BreakdownRiskModel(learner, random_state=3)
    with pytest.raises(NotFittedError):
        model.predict_proba(x)
    assert clone(model).get_params() == model.get_params() == {
        "learner": learner, "category": "territory", "random_state": 3}  # fmt: skip
    proba = model.fit(x, y).predict_proba(x)
    assert np.allclose(proba.sum(axis=1), 1) and roc_auc_score(y, proba[:, 1]) > 0.7
    assert model.used_ == ["size", "territory"] and set(model.predict(x)) == {0, 1}
    assert np.array_equal(clone(model).fit(x, y).predict_proba(x), proba)
    assert cross_val_score(model, x.select("size").to_numpy(), y, scoring="roc_auc", cv=3).mean() > 0.6


def test_frames_of_any_kind_give_the_same_risks() -> None:
    x, y = table()
    model = BreakdownRiskModel(random_state=0).fit(x, y)
    assert np.array_equal(model.predict_proba(x.to_pandas()), model.predict_proba(x))
    assert np.array_equal(model.predict_proba(x.select("territory", "size", "empty")), model.predict_proba(x))


def test_a_missing_column_one_class_and_nothing_to_learn_are_said() -> None:
    x, y = table()
    model = BreakdownRiskModel().fit(x, y)
    with pytest.raises(ValueError, match="no column 'size'"):
        model.predict_proba(x.drop("size"))
    with pytest.raises(ValueError, match="1 class"):
        model.fit(x, np.zeros(x.height))
    with pytest.raises(ValueError, match="no column of X varies"):
        model.fit(x.select("empty"), y)


def test_an_unseen_territory_gets_the_average() -> None:
    x, y = table()
    model = BreakdownRiskModel(random_state=0).fit(x, y)
    elsewhere = x.head(1).with_columns(territory=pl.lit("974"))
    assert 0 < model.predict_proba(elsewhere)[0, 1] < 1


def test_training_finds_the_planted_signal_on_later_patients() -> None:
    model = trained()
    area = model.metric("auroc")
    assert area["low"] > 0.65 and area["low"] <= area["value"] <= area["high"]
    assert 0.8 < model.metric("observed_over_expected")["value"] < 1.25
    assert model.has_signal and model.metric("auroc", "logistic")["value"] > 0.65
    assert "Synthetic data" in model.summary()


def test_training_is_deterministic() -> None:
    again = train(cohort(), pathway(), synthetic=True, n_resamples=50)
    assert again.metrics.equals(trained().metrics) and again.medians == trained().medians


def test_too_little_is_refused() -> None:
    with pytest.raises(InputError, match="the train part has"):
        train(cohort(20), pathway())
    events = pl.DataFrame({"patient_id": ["anna"], "activity": ["biopsy"], "start": [datetime(2020, 1, 1)]})
    with pytest.raises(InputError, match="the train part has 0 rows"):
        train(EventLog.create(events), pathway())


def test_a_log_without_sex_territory_or_index_date_can_be_learnt() -> None:
    log = cohort(300)
    bare = EventLog.create(
        log.events, log.patients.select("patient_id"), log.horizons, within_day=log.within_day
    )
    model = train(bare, pathway(), n_resamples=10)
    assert model.trained_on["synthetic"] is None and "not stated" in card(model)


def test_a_saved_model_comes_back_bit_for_bit(tmp_path: Path) -> None:
    model = trained()
    log = cohort(50, seed=9)
    rows = labelled_rows(log, pathway(), landmark_dates(log, pathway()), FEEDS["hospital_live"])
    back = load_model(model.save(tmp_path / "model"))
    for learner in ("boosting", "logistic"):
        assert np.array_equal(back.predict(rows, learner), model.predict(rows, learner))  # type: ignore[arg-type]
    assert back.metrics.equals(model.metrics) and back.audit.equals(model.audit)
    assert back.calibration.equals(model.calibration)
    assert (back.name, back.medians, back.features) == (model.name, model.medians, model.features)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "boosting.skops", "card.md", "logistic.skops", "model.json"]  # fmt: skip


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    folder = trained().save(tmp_path / "model")
    (folder / "logistic.skops").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"not the file that model\.json describes"):
        load_model(folder)
    with pytest.raises(InputError, match=r"no readable model\.json"):
        load_model(tmp_path / "nowhere")


def test_a_type_that_is_not_trusted_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    folder = trained().save(tmp_path / "model")
    skops.io.dump(FunctionTransformer(Path.exists), folder / "boosting.skops")
    edit(
        folder,
        lambda document: document["learners"]["boosting"].update(sha256=sha256(folder / "boosting.skops")),
    )
    with pytest.raises(InputError, match="which no model of ours does"):
        load_model(folder)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    folder = trained().save(tmp_path / "model")
    edit(folder, lambda document: document.update(schema=99))
    with pytest.raises(InputError, match="schema 99"):
        load_model(folder)


def edit(folder: Path, change: Any) -> None:
    document = json.loads((folder / "model.json").read_text())
    change(document)
    (folder / "model.json").write_text(json.dumps(document))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_card_says_what_must_be_known() -> None:
    text = card(trained())
    assert "Synthetic data" in text and "operational definition" in text and "No usable signal" not in text
    assert all(f"| boosting | all | {metric} |" in text for metric in METRICS)
    assert pathway().sha256 in text


def test_no_signal_is_said_plainly() -> None:
    model = with_low_area(0.49)
    assert not model.has_signal
    assert "No usable signal" in card(model) and "No usable signal" in model.summary()


def with_low_area(low: float) -> RiskModel:
    here = pl.col("metric") == "auroc"
    metrics = trained().metrics.with_columns(low=pl.when(here).then(low).otherwise("low"))
    return replace(trained(), metrics=metrics)


def scores(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rounded risks (so that some tie) and outcomes that are less extreme than they say."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 1.5, n)
    return np.round(1 / (1 + np.exp(-odds)), 2).clip(0.01, 0.99), (
        rng.random(n) < 1 / (1 + np.exp(-0.5 * odds))
    ) * 1.0


def test_measures_equal_those_of_scikit_learn() -> None:
    risk, broken = scores()
    weight = np.random.default_rng(1).integers(0, 4, risk.size).astype(float)
    scored = Scored.of(risk, broken, np.zeros(risk.size, dtype=bool))
    assert evaluation.auroc(scored, weight) == pytest.approx(
        roc_auc_score(broken, risk, sample_weight=weight)
    )
    assert evaluation.auprc(scored, weight) == pytest.approx(
        average_precision_score(broken, risk, sample_weight=weight)
    )
    assert evaluation.brier(scored, weight) == pytest.approx(
        brier_score_loss(broken, risk, sample_weight=weight)
    )
    assert evaluation.observed_over_expected(scored, weight) == pytest.approx(
        (weight * broken).sum() / (weight * risk).sum()
    )


def test_the_calibration_slope_is_that_of_an_unpenalised_regression() -> None:
    risk, broken = scores()
    scored = Scored.of(risk, broken, np.zeros(risk.size, dtype=bool))
    odds = np.log(risk / (1 - risk))[:, None]
    regression = LogisticRegression(C=np.inf, tol=1e-10).fit(odds, broken)
    assert evaluation.calibration_slope(scored, np.ones(risk.size)) == pytest.approx(
        regression.coef_[0, 0], abs=1e-4
    )
    assert evaluation.calibration_slope(scored, np.ones(risk.size)) < 0.9


def test_the_calibration_intercept_makes_the_average_right() -> None:
    risk, broken = scores()
    shift = evaluation.calibration_intercept(
        Scored.of(risk, broken, np.zeros(risk.size, dtype=bool)), np.ones(risk.size)
    )
    odds = np.log(risk / (1 - risk)) + shift
    assert (1 / (1 + np.exp(-odds))).mean() == pytest.approx(broken.mean(), abs=1e-6)


def rows_of(n: int, patients: int, landmarks: int = 2) -> pl.DataFrame:
    number = pl.int_range(n)
    day = pl.datetime(2020, 1, 1) + pl.duration(days=number % landmarks)
    return pl.select(
        patient_id=pl.format("P{}", (number * 11) % patients), breakdown=pl.lit("late"), landmark=day
    )


def test_intervals_hold_the_value_and_widen_with_fewer_patients() -> None:
    risk, broken = scores()
    many, few = (measure(rows_of(500, patients), risk, broken, capacity=5) for patients in (500, 40))
    for frame in (many, few):
        area = frame.row(
            by_predicate=(pl.col("metric") == "auroc") & (pl.col("breakdown") == "all"), named=True
        )
        assert area["low"] < area["value"] < area["high"]
    assert few["n_patients"].unique().to_list() == [40]


def test_the_list_takes_each_patient_once_and_no_more_than_the_capacity() -> None:
    rows = rows_of(40, 7, landmarks=2)
    risk = np.linspace(0, 1, 40)
    listed = rows.with_columns(risk=pl.Series(risk)).filter(pl.Series(on_list(rows, risk, 3)))
    assert listed.group_by("landmark").len()["len"].to_list() == [3, 3]
    assert listed.select("patient_id", "landmark").n_unique() == listed.height
    assert risk.max() in listed["risk"].to_list()


def test_one_class_gives_no_area_and_no_error() -> None:
    frame = measure(rows_of(20, 20), np.full(20, 0.1), np.zeros(20), capacity=5, n_resamples=5)
    assert frame.filter(metric="auroc")["value"].to_list() == [None, None]


def test_calibration_groups_hide_small_counts() -> None:
    risk, broken = scores()
    calibrated = calibration_table(rows_of(500, 500), risk, broken)
    broke = (calibrated["observed"] * calibrated["n_rows"]).round()
    assert 1 < calibrated.height < 10
    assert broke.min() >= 11 and (calibrated["n_rows"] - broke).min() >= 11  # type: ignore[operator]
    assert calibration_table(rows_of(20, 20), risk[:20], np.zeros(20)).is_empty()


def test_small_breakdowns_and_small_groups_do_not_leave() -> None:
    risk, broken = scores()
    rare = pl.int_range(pl.len()) < 12
    rows = rows_of(500, 500).with_columns(breakdown=pl.when(rare).then(pl.lit("rare")).otherwise("breakdown"))
    kept = shareable(measure(rows, risk, broken, capacity=5, n_resamples=5))
    assert set(kept["breakdown"]) == {"all", "late"}
    assert kept.filter(breakdown="late")["n_rows"].null_count() == len(METRICS)
    people = rows.select("patient_id").with_row_index().select(
        "patient_id", sex=pl.when(pl.col("index") < 5).then(pl.lit("M")).otherwise(pl.lit("F")),
        birth_year=pl.lit(1960), deprivation=pl.lit(None, pl.Int8))  # fmt: skip
    assert set(audit(rows, risk, broken, people, capacity=5)["attribute"]) == {"age"}


def test_features_are_those_of_the_definition() -> None:
    assert trained().features == feature_names(pathway())
    assert set(trained().medians) == set(pathway().breakdowns)
