"""Why somebody is on the list, in words, French or English.

The first reason is the pathway's: what happened, how long ago, what has not come and by when it was expected. The
others are the model's: the features whose replacement by their training median (that of the rows which await the same
step) lowers the predicted log-odds most, one at a time. They say what the model leans on for this person, not what
causes a breakdown, and interactions are not shared out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pathways.definition import BreakdownDefinition, Language, Pathway
from pathways.risk.features import CATEGORY, Feature, describe, phases, recency_of
from pathways.risk.model import RiskModel

Floats = NDArray[np.float64]

LEAST_LOG_ODDS = 0.05
"""A feature that moves the log-odds by less is no reason."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "step": "{by} il y a {days} jours, {no} (étape attendue sous {within} jours)",
        "gap_ahead": "{by} il y a {days} jours, couverture finie dans {left} jours, {no}",
        "gap_behind": "{by} il y a {days} jours, couverture finie depuis {left} jours, {no}",
        "model": "{label} : {value} (d'habitude {median})",
        "yes": "oui",
        "no": "non",
    },
    "en": {
        "step": "{by} {days} days ago, no {step} yet (step expected within {within} days)",
        "gap_ahead": "{by} {days} days ago, supply ends in {left} days, no {step} yet",
        "gap_behind": "{by} {days} days ago, supply ended {left} days ago, no {step} yet",
        "model": "{label}: {value} (usually {median})",
        "yes": "yes",
        "no": "no",
    },
}


def pathway_reasons(rows: pl.DataFrame, pathway: Pathway, language: Language = "fr") -> list[str]:
    """Return the first reason of each row of `rows` (landmark rows), from its own expectation."""
    columns = ["breakdown", "opened", "opened_by", "due", "landmark"]
    return [
        _pathway_reason(pathway.breakdowns[breakdown], pathway.name(by, language), days, left, language)
        for breakdown, by, days, left in rows.select(columns)
        .select(
            "breakdown",
            "opened_by",
            (pl.col("landmark") - pl.col("opened")).dt.total_days(),
            (pl.col("due") - pl.col("landmark")).dt.total_days().alias("left"),
        )
        .iter_rows()
    ]


def _pathway_reason(item: BreakdownDefinition, by: str, days: int, left: int, language: Language) -> str:
    kind = "step" if item.kind != "interruption" else "gap_ahead" if left >= 0 else "gap_behind"
    step = lower_first(item.step[language])
    words = {"by": by, "days": days, "left": abs(left), "within": item.within_days, "step": step}
    return WORDS[language][kind].format(**words, no=f"pas {_of(step)}")


def lower_first(words: str) -> str:
    """Return `words` with a small first letter, unless the first word is an acronym."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def _of(words: str) -> str:
    return f"d'{words}" if words[:1].lower() in "aeiouyéèêâîôh" else f"de {words}"


def drops(model: RiskModel, table: pl.DataFrame, features: Iterable[Feature]) -> dict[str, Floats]:
    """Return how much the log-odds of each row falls when one feature takes its training median.

    Parameters
    ----------
    table : polars.DataFrame
        ``breakdown`` and the model's features, one row a patient; a list, not a population.
    features : iterable of Feature
        Those to try.

    Returns
    -------
    dict of str to array of float
        By feature; negative where the replacement raises the risk.
    """
    here = _log_odds(model.predict(table))
    return {
        item.id: here - _log_odds(model.predict(table.with_columns(_median(model, item.id))))
        for item in features
    }


def _median(model: RiskModel, name: str) -> pl.Expr:
    """Return the training median of the row's breakdown; null for a breakdown that no training row had."""
    medians = {breakdown: values[name] for breakdown, values in model.medians.items()}
    return pl.col("breakdown").replace_strict(medians, default=None, return_dtype=pl.Float64).alias(name)


def _log_odds(risk: Floats) -> Floats:
    safe = np.clip(risk, 1e-9, 1 - 1e-9)
    odds: Floats = np.log(safe / (1 - safe))
    return odds


def model_reasons(
    model: RiskModel, table: pl.DataFrame, pathway: Pathway, language: Language = "fr", number: int = 2
) -> list[list[str]]:
    """Return up to `number` reasons a row, strongest first; empty texts where the model leans on nothing else.

    Left out: what the first reason says already (the expectation, and the time since the phase that opened it), and
    the territory, which has no median.
    """
    tried = [item for item in describe(pathway) if item.about != "expectation" and item.id != CATEGORY]
    if table.is_empty():
        return []
    by_feature = drops(model, table, tried)
    falls = np.column_stack([by_feature[item.id] for item in tried])
    falls[_said_already(table, tried, pathway)] = 0
    strongest = np.argsort(-falls, axis=1, kind="stable")[:, :number]
    usual = table.select(_median(model, item.id) for item in tried)

    def reason(row: int, place: int) -> str:
        item = tried[place]
        values = (table[item.id][row], usual[item.id][row])
        return _model_reason(item, *values, language) if falls[row, place] >= LEAST_LOG_ODDS else ""

    return [[reason(row, place) for place in places] for row, places in enumerate(strongest.tolist())]


def _said_already(table: pl.DataFrame, tried: list[Feature], pathway: Pathway) -> NDArray[np.bool_]:
    """Return, by row and feature, whether it is the time since the phase that opened the row's expectation."""
    groups = phases(pathway)
    openings = np.array([recency_of(groups.get(by, by)) for by in table["opened_by"]])
    same: NDArray[np.bool_] = openings[:, None] == np.array([item.id for item in tried])[None, :]
    return same


def _model_reason(item: Feature, value: float | None, usual: float | None, language: Language) -> str:
    said = {"value": _said(item, value, language), "median": _said(item, usual, language)}
    return WORDS[language]["model"].format(label=item.label[language], **said)


def _said(item: Feature, value: float | None, language: Language) -> str:
    if value is None:
        return item.missing[language]
    if item.unit == "flag":
        return WORDS[language]["yes" if value > 0.5 else "no"]
    return f"{100 * value:.0f} %" if item.unit == "share" else f"{value:.0f}"
