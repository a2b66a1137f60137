"""The risk model: trained on what was known, tested on later patients, saved without pickle.

`train` makes a `RiskModel`; `RiskModel.save` and `load_model` carry it from the place of the data to the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import skops.io
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted
from threadpoolctl import threadpool_limits

from eventlogs.errors import InputError
from eventlogs.feeds import Feed
from eventlogs.feeds import feed as feed_named
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.risk import evaluation
from pathways.risk.breakdown import evaluate
from pathways.risk.card import card
from pathways.risk.features import CATEGORY, feature_names, labels, landmark_dates, landmark_table
from pathways.study import replacing

Learner = Literal["boosting", "logistic"]
Floats = NDArray[np.float64]

LEARNERS: tuple[Learner, ...] = ("boosting", "logistic")
UNKNOWN = "?"
TRAIN_SHARE = 0.7
MIN_TRAIN_POSITIVE, MIN_TEST_POSITIVE = 50, 11
SCHEMA = 1
TRUSTED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
)
"""The only types beyond skops' own that a model file may hold."""


class BreakdownRiskModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probability that a pending expectation breaks within the horizon: a scikit-learn classifier.

    Parameters
    ----------
    learner : {'boosting', 'logistic'}
        Gradient-boosted trees, or the logistic regression they are compared with. No class weights: they would spoil
        the calibration. The trees get no native categories.
    category : str
        Column that is replaced by the mean outcome of its values, cross-fitted, when it is present.
    random_state : int or None
        Seed.

    Attributes
    ----------
    classes_ : array, shape (2,)
    feature_names_in_ : array of str
    used_ : list of str
        Columns that vary in the training rows; the others are left out.
    pipeline_ : sklearn.pipeline.Pipeline
    """

    def __init__(
        self, learner: Learner = "boosting", category: str = CATEGORY, random_state: int | None = None
    ) -> None:
        self.learner = learner
        self.category = category
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> BreakdownRiskModel:  # noqa: N803
        """Learn from a table and its outcomes.

        Parameters
        ----------
        X : polars.DataFrame, pandas.DataFrame or array, shape (n, m)
            Numbers, NaN or null where unknown; the category is text. Rows of one patient stand together, so that the
            folds of the category's encoding hardly share a patient.
        y : array, shape (n,)
            Two classes.

        Raises
        ------
        ValueError
            Not two classes, or no column varies.
        """
        table, outcome = _table(X), np.asarray(y)
        check_classification_targets(outcome)
        self.classes_ = np.unique(outcome)
        if self.classes_.size != 2:
            raise ValueError(f"y has {self.classes_.size} class(es); two are needed")
        self.feature_names_in_ = np.array(table.columns, dtype=object)
        self.n_features_in_ = table.width
        self.used_ = [name for name in table.columns if table[name].drop_nulls().n_unique() > 1]
        if not self.used_:
            raise ValueError("no column of X varies; nothing can be learnt from it")
        self.pipeline_ = _pipeline(self.learner, self.used_, self.category, self.random_state)
        with threadpool_limits(limits=1, user_api="openmp"):
            self.pipeline_.fit(table.select(self.used_), outcome)
        return self

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return probabilities, shape (n, 2), in the order of ``classes_``.

        Raises
        ------
        ValueError
            A column of the training is missing.
        """
        check_is_fitted(self, "pipeline_")
        table = _table(X)
        if missing := [name for name in self.feature_names_in_ if name not in table.columns]:
            raise ValueError(f"X has no column '{missing[0]}' ({len(missing)} missing)")
        with threadpool_limits(limits=1, user_api="openmp"):
            return np.asarray(self.pipeline_.predict_proba(table.select(self.used_)), dtype=float)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the likelier class of each row."""
        likely: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likely


def _table(x: Any) -> pl.DataFrame:
    """Return X as a polars frame: text without nulls, numbers with null for NaN."""
    if isinstance(x, pl.DataFrame):
        frame = x
    elif hasattr(x, "columns"):
        frame = pl.from_pandas(x)
    else:
        array = check_array(x, ensure_all_finite="allow-nan", dtype=np.float64)
        frame = pl.DataFrame(array, schema=[f"x{position}" for position in range(array.shape[1])])
    return frame.with_columns(
        pl.col(pl.String).fill_null(UNKNOWN), pl.col(pl.Float64, pl.Float32).fill_nan(None)
    )


def _pipeline(learner: Learner, used: Sequence[str], category: str, seed: int | None) -> Pipeline:
    numbers = [name for name in used if name != category]
    encoder = TargetEncoder(target_type="binary", cv=KFold(5))
    if learner == "boosting":
        columns = _columns(used, category, encoder, "passthrough", numbers)
        return make_pipeline(columns, _boosting(seed))
    imputer = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    columns = _columns(used, category, encoder, imputer, numbers)
    return make_pipeline(columns, StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))


def _columns(
    used: Sequence[str], category: str, encoder: TargetEncoder, rest: Any, numbers: list[str]
) -> ColumnTransformer:
    encoded = [("category", encoder, [category])] if category in used else []
    return ColumnTransformer([*encoded, ("numbers", rest, numbers)])


def _boosting(seed: int | None) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=50,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )


@dataclass(frozen=True)
class RiskModel:
    """A trained model with all that is needed to use it elsewhere and to doubt it.

    Parameters
    ----------
    learners : mapping of str to BreakdownRiskModel
        ``boosting``, which gives the risk, and ``logistic`` beside it.
    features : tuple of str
        Columns, in order.
    medians : mapping of str to mapping of str to float or None
        Median of each numeric column in the training rows, by breakdown: what is usual for those who await that step.
    pathway_id, pathway_version, pathway_sha256 : str
        The definition it was trained with.
    metrics : polars.DataFrame
        `evaluation.METRIC_COLUMNS` with ``learner`` first, on the test patients.
    calibration : polars.DataFrame
        `evaluation.calibration_table` of ``boosting``.
    audit : polars.DataFrame
        `evaluation.AUDIT_COLUMNS` of ``boosting``.
    trained_on : mapping
        Counts, dates, prevalence, feed, seed, activities, synthetic or not.
    """

    learners: Mapping[Learner, BreakdownRiskModel] = field(repr=False)
    features: tuple[str, ...] = field(repr=False)
    medians: Mapping[str, Mapping[str, float | None]] = field(repr=False)
    pathway_id: str
    pathway_version: str
    pathway_sha256: str = field(repr=False)
    metrics: pl.DataFrame = field(repr=False)
    calibration: pl.DataFrame = field(repr=False)
    audit: pl.DataFrame = field(repr=False)
    trained_on: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Return pathway, version and the first signs of the definition's fingerprint."""
        return f"{self.pathway_id} {self.pathway_version} ({self.pathway_sha256[:8]})"

    def predict(self, table: pl.DataFrame, learner: Learner = "boosting") -> Floats:
        """Return the risk of each row of a table that has the model's `features`."""
        risk: Floats = self.learners[learner].predict_proba(table.select(self.features))[:, 1]
        return risk

    def metric(
        self, name: str, learner: Learner = "boosting", breakdown: str = evaluation.ALL
    ) -> dict[str, Any]:
        """Return one metric: ``value``, ``low``, ``high`` and counts."""
        return self.metrics.row(
            by_predicate=(pl.col("learner") == learner)
            & (pl.col("breakdown") == breakdown)
            & (pl.col("metric") == name),
            named=True,
        )

    @property
    def has_signal(self) -> bool:
        """Whether the interval of the area under the ROC curve lies above 0.5."""
        return evaluation.ALL not in self.without_signal

    @property
    def without_signal(self) -> list[str]:
        """Breakdowns (and ``all``) for which the interval of the area under the ROC curve holds 0.5."""
        areas = self.metrics.filter(pl.col("learner") == "boosting", pl.col("metric") == "auroc")
        return areas.filter((pl.col("low") <= 0.5).fill_null(True))["breakdown"].to_list()

    def summary(self) -> str:
        """Return two sentences: how well it ranks, and whether that is of use."""
        area, ratio = self.metric("auroc"), self.metric("observed_over_expected")
        weak = ", ".join(self.without_signal)
        signal = f" No usable signal (the interval holds 0.5) for: {weak}." if weak else ""
        synthetic = " Synthetic data." if self.trained_on["synthetic"] else ""
        return (
            f"{self.name}: AUROC {_said(area)}, observed/expected {_said(ratio)} on later patients."
            f"{signal}{synthetic}"
        )

    def save(self, folder: str | Path) -> Path:
        """Write ``*.skops``, ``model.json`` and ``card.md``; a model already there is replaced once all is written.

        Raises
        ------
        StudyError
            The folder can't be written.
        """
        with replacing(Path(folder)) as place:
            for name, learner in self.learners.items():
                skops.io.dump(learner.pipeline_, place / f"{name}.skops")
            content = json.dumps(self._document(place), ensure_ascii=False, indent=1, default=str)
            (place / "model.json").write_text(content, encoding="utf-8")
            (place / "card.md").write_text(card(self), encoding="utf-8")
        return Path(folder)

    def _document(self, place: Path) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "pathway": {
                "id": self.pathway_id,
                "version": self.pathway_version,
                "sha256": self.pathway_sha256,
            },
            "features": list(self.features),
            "medians": {name: dict(values) for name, values in self.medians.items()},
            "learners": {
                name: {
                    "sha256": _sha256(place / f"{name}.skops"),
                    "used": learner.used_,
                    **learner.get_params(),
                }
                for name, learner in self.learners.items()
            },
            "trained_on": dict(self.trained_on),
            "metrics": self.metrics.to_dicts(),
            "calibration": self.calibration.to_dicts(),
            "audit": self.audit.to_dicts(),
        }


def train(
    log: EventLog,
    pathway: Pathway,
    *,
    feed: str = "hospital_live",
    seed: int = 0,
    synthetic: bool | None = None,
    n_resamples: int = 200,
) -> RiskModel:
    """Learn the risk of breakdown from a log, as the feed of the model's future user would have shown it.

    Landmarks follow the calendar; at each, the features see what was known then through `feed`, the labels see the
    whole log. Patients are split by index date: the earliest 70 % train, then a gap, the latest test; nobody is on
    both sides.

    Parameters
    ----------
    log : EventLog
        The whole log.
    pathway : Pathway
        Its breakdowns and risk settings.
    feed : str
        Name of a feed of the place where the model will run.
    seed : int
        Seed of the learner and of the intervals.
    synthetic : bool, optional
        Whether the data are synthetic; the card says so, or that it was not stated.
    n_resamples : int
        Resamplings of patients for the intervals.

    Raises
    ------
    InputError
        No such feed; or too few rows or breakdowns to learn from or to test on.
    """
    dates = landmark_dates(log, pathway)
    parts = _split_rows(labelled_rows(log, pathway, dates, feed_named(feed)), split(log, pathway))
    _check_enough(parts)
    features = feature_names(pathway)
    learners = {name: _fitted(name, parts["train"], features, seed) for name in LEARNERS}
    settings = {"feed": feed, "seed": seed, "synthetic": synthetic}
    return RiskModel(
        learners=learners,
        features=features,
        medians=_medians(parts["train"], features),
        pathway_id=pathway.id,
        pathway_version=pathway.version,
        pathway_sha256=pathway.sha256,
        trained_on=_trained_on(log, pathway, parts, dates, settings),
        **_tested(learners, parts["test"], log.patients, _Test(pathway.risk.capacity, n_resamples, seed)),
    )


def labelled_rows(log: EventLog, pathway: Pathway, dates: Sequence[datetime], feed: Feed) -> pl.DataFrame:
    """Return the landmark rows with features and ``broken`` (0 or 1), sorted by patient; undecidable ones left out."""
    table = landmark_table(log, pathway, dates, feed)
    outcome = labels(evaluate(log, pathway), table, pathway.risk.horizon_days)
    known = table.with_columns(broken=outcome).drop_nulls("broken")
    return known.sort("patient_id", "landmark", "breakdown")


def _medians(rows: pl.DataFrame, features: Sequence[str]) -> dict[str, dict[str, float | None]]:
    numbers = [name for name in features if name != CATEGORY]
    table = rows.group_by("breakdown").agg(pl.col(numbers).median()).sort("breakdown")
    return {row.pop("breakdown"): row for row in table.to_dicts()}


@dataclass(frozen=True)
class _Test:
    """How the learners are tested: capacity of a list, resamplings, seed."""

    capacity: int
    n_resamples: int
    seed: int


def _tested(
    learners: Mapping[Learner, BreakdownRiskModel], test: pl.DataFrame, people: pl.DataFrame, how: _Test
) -> dict[str, pl.DataFrame]:
    broken = test["broken"].to_numpy().astype(float)
    risks = {
        name: model.predict_proba(test.select(*model.feature_names_in_))[:, 1]
        for name, model in learners.items()
    }
    metrics = [
        evaluation.measure(
            test, risk, broken, capacity=how.capacity, n_resamples=how.n_resamples, seed=how.seed
        ).select(pl.lit(name).alias("learner"), pl.all())
        for name, risk in risks.items()
    ]
    return {
        "metrics": evaluation.shareable(pl.concat(metrics)),
        "calibration": evaluation.calibration_table(test, risks["boosting"], broken),
        "audit": evaluation.audit(test, risks["boosting"], broken, people, capacity=how.capacity),
    }


def split(log: EventLog, pathway: Pathway) -> pl.DataFrame:
    """Split patients by index date: ``patient_id``, ``part`` (``train`` or ``test``); those of the gap are absent.

    The gap is one landmark step, or a tenth of the whole period where that is shorter. A patient without index date
    enters by the first event.
    """
    firsts = log.events.group_by("patient_id").agg(first=pl.col("start").min())
    index = (
        log.patients.select("patient_id", "index_date")
        .join(firsts, on="patient_id", how="left", maintain_order="left")
        .select("patient_id", index=pl.coalesce("index_date", "first"))
        .drop_nulls()
    )
    cut = index.select(pl.col("index").quantile(TRAIN_SHARE, "lower")).item()
    step = pl.duration(days=pathway.risk.landmark_every_days)
    gap = pl.min_horizontal(step, (pl.col("index").max() - pl.col("index").min()) / 10)
    return index.select(
        "patient_id",
        part=pl.when(pl.col("index") <= cut)
        .then(pl.lit("train"))
        .when(pl.col("index") > cut + gap)
        .then(pl.lit("test")),
    ).drop_nulls()


def _split_rows(rows: pl.DataFrame, parts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    joined = rows.join(parts, on="patient_id", how="inner", maintain_order="left")
    return {part: joined.filter(pl.col("part") == part).drop("part") for part in ("train", "test")}


def _check_enough(parts: Mapping[str, pl.DataFrame]) -> None:
    needed = {"train": MIN_TRAIN_POSITIVE, "test": MIN_TEST_POSITIVE}
    for part, least in needed.items():
        rows, broken = parts[part].height, int(parts[part]["broken"].sum())
        if broken < least or rows - broken < least:
            raise InputError(
                f"the {part} part has {rows} rows of which {broken} break, and at least {least} of each outcome are "
                "needed; give a longer log, more patients, or shorter landmark steps"
            )


def _fitted(name: Learner, rows: pl.DataFrame, features: Sequence[str], seed: int) -> BreakdownRiskModel:
    return BreakdownRiskModel(name, random_state=seed).fit(rows.select(features), rows["broken"].to_numpy())


def _trained_on(
    log: EventLog,
    pathway: Pathway,
    parts: Mapping[str, pl.DataFrame],
    dates: Sequence[datetime],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        **settings,
        "horizon_days": pathway.risk.horizon_days,
        "landmark_every_days": pathway.risk.landmark_every_days,
        "capacity": pathway.risk.capacity,
        "landmarks": [_day(dates[0]), _day(dates[-1])],
        "n_landmarks": len(dates),
        "activities": log.activities,
        **{
            part: {
                "n_rows": rows.height,
                "n_patients": rows["patient_id"].n_unique(),
                "prevalence": rows["broken"].mean(),
                "landmarks": [_day(rows["landmark"].min()), _day(rows["landmark"].max())],
            }
            for part, rows in parts.items()
        },
    }


def load_model(folder: str | Path) -> RiskModel:
    """Read a model that `RiskModel.save` wrote.

    Only plain scikit-learn types are read: a file that holds anything else is refused before it is opened.

    Raises
    ------
    InputError
        The folder holds no model, one of another schema, a changed file or a type that is not trusted.
    """
    place = Path(folder)
    document = _read_document(place)
    trusted = {name: _read_learner(place, name, document) for name in LEARNERS}
    metrics = {"learner": pl.String(), **evaluation.METRIC_COLUMNS}
    return RiskModel(
        learners=trusted,
        features=tuple(document["features"]),
        medians=document["medians"],
        pathway_id=document["pathway"]["id"],
        pathway_version=document["pathway"]["version"],
        pathway_sha256=document["pathway"]["sha256"],
        metrics=pl.DataFrame(document["metrics"], schema=metrics),
        calibration=pl.DataFrame(document["calibration"]),
        audit=pl.DataFrame(document["audit"], schema=evaluation.AUDIT_COLUMNS),
        trained_on=document["trained_on"],
    )


def _read_document(place: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((place / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{place} holds no readable model.json; give the folder that training wrote"
        ) from error
    if document.get("schema") != SCHEMA:
        raise InputError(
            f"{place} holds a model of schema {document.get('schema')}, not {SCHEMA}; train it again"
        )
    return document


def _read_learner(place: Path, name: Learner, document: Mapping[str, Any]) -> BreakdownRiskModel:
    file, stated = place / f"{name}.skops", document["learners"][name]
    if not file.is_file() or _sha256(file) != stated["sha256"]:
        raise InputError(
            f"{file} is missing or not the file that model.json describes; copy the whole folder again"
        )
    if strange := sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED)):
        raise InputError(f"{file} holds '{strange[0]}', which no model of ours does; don't use this file")
    model = BreakdownRiskModel(stated["learner"], stated["category"], stated["random_state"])
    model.pipeline_ = skops.io.load(file, trusted=list(TRUSTED))
    model.used_ = stated["used"]
    model.classes_ = model.pipeline_.classes_
    model.feature_names_in_ = np.array(document["features"], dtype=object)
    model.n_features_in_ = len(document["features"])
    return model


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _day(moment: Any) -> str:
    return moment.date().isoformat() if isinstance(moment, datetime) else date.isoformat(moment)


def _said(metric: Mapping[str, Any]) -> str:
    value, low, high = (metric[key] for key in ("value", "low", "high"))
    return "not computable" if value is None else f"{value:.2f} ({low:.2f} to {high:.2f})"
