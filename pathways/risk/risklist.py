"""The list: few patients, ranked, each with the missing step, the days overdue and the reasons. A person decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from eventlogs.errors import InputError, did_you_mean
from eventlogs.feeds import Feed, feed_of
from eventlogs.feeds import feed as feed_named
from eventlogs.log import EventLog
from pathways.definition import Language, Pathway
from pathways.risk.explain import model_reasons, pathway_reasons
from pathways.risk.features import feature_names, features, rows_at
from pathways.risk.model import RiskModel

ListFormat = Literal["csv", "xlsx"]

LIST_COLUMNS: dict[str, pl.DataType] = {
    "rank": pl.Int64(),
    "patient_id": pl.String(),
    "risk": pl.Float64(),
    "expected_step": pl.String(),
    "due_date": pl.Date(),
    "days_overdue": pl.Int64(),
    "reason_1": pl.String(),
    "reason_2": pl.String(),
    "reason_3": pl.String(),
    "model": pl.String(),
    "scored_at": pl.Date(),
}
"""Columns of a list; one row a patient, for the breakdown of highest risk."""

STALE_DAYS = 31
"""A list dated longer than this after the last observation would call people whose care has merely not arrived."""

LIMITS: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "proposal": "Proposition : une personne décide, rien n'est envoyé.",
        "observed": "Données observées jusqu'au {until}, connues au {at}.",
        "retrospective": "Liste rétrospective : {feed}. Elle reste dans l'étude.",
        "actionable": "Source : {feed}.",
        "weak": "Pas de signal utilisable (l'intervalle de l'AUROC contient 0,5) pour : {weak}.",
        "absent": "Activités connues du modèle et absentes d'ici : {names}.",
        "synthetic": "Modèle entraîné sur des données synthétiques.",
    },
    "en": {
        "proposal": "A proposal: a person decides, nothing is sent.",
        "observed": "Data observed until {until}, as known on {at}.",
        "retrospective": "Retrospective list: {feed}. It stays in the study.",
        "actionable": "Source: {feed}.",
        "weak": "No usable signal (the interval of the AUROC holds 0.5) for: {weak}.",
        "absent": "Activities that the model knows and this log lacks: {names}.",
        "synthetic": "Model trained on synthetic data.",
    },
}


@dataclass(frozen=True)
class RiskList:
    """A proposal for a team.

    Parameters
    ----------
    frame : polars.DataFrame
        `LIST_COLUMNS`.
    limits : str
        What must be known before it is used, in its language.
    actionable : bool
        Whether the feed lets somebody act on it; else it is retrospective and stays in the study.
    """

    frame: pl.DataFrame = field(repr=False)
    limits: str
    actionable: bool

    def write(self, path: str | Path, file_format: ListFormat = "csv") -> Path:
        """Write the list; a file already there is replaced once the new one is whole.

        Parameters
        ----------
        path : path
            The file.
        file_format : {'csv', 'xlsx'}
            CSV with ``;`` and UTF-8 with a byte order mark, as French spreadsheets open it; or a workbook whose second
            sheet says the limits.

        Raises
        ------
        InputError
            Another format, or the folder can't be written.
        """
        if file_format not in _WRITERS:
            raise InputError(
                f"a list can't be written as '{file_format}'{did_you_mean(file_format, _WRITERS)}"
            )
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
        try:
            _WRITERS[file_format](self, partial)
            partial.replace(target)
        except OSError as error:
            raise InputError(f"{target} can't be written ({error.strerror}); choose another place") from error
        finally:
            partial.unlink(missing_ok=True)
        return target

    def __repr__(self) -> str:
        use = "actionable" if self.actionable else "retrospective"
        return f"RiskList({self.frame.height} patients, {use})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p><p>{self.limits}</p>"


def _write_csv(risks: RiskList, path: Path) -> None:
    risks.frame.with_columns(pl.col("risk").round(4)).write_csv(path, separator=";", include_bom=True)


def _write_xlsx(risks: RiskList, path: Path) -> None:
    from xlsxwriter import Workbook

    with Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        risks.frame.write_excel(book, worksheet="list", autofit=True)
        book.add_worksheet("limits").write_column(0, 0, risks.limits.splitlines())


_WRITERS: Mapping[ListFormat, Callable[[RiskList, Path], None]] = {"csv": _write_csv, "xlsx": _write_xlsx}


def score(
    log: EventLog,
    model: RiskModel,
    pathway: Pathway,
    *,
    at: date | datetime,
    capacity: int,
    language: Language = "fr",
    feed: str | None = None,
) -> RiskList:
    """Rank the patients whose expected step is pending at a date, no more than the team can call.

    Parameters
    ----------
    log : EventLog
        The network's log; it is read as it was known at `at`.
    model : RiskModel
        From `train` or `load_model`.
    pathway : Pathway
        The definition the model was trained with.
    at : date or datetime
        The landmark.
    capacity : int
        Patients at most.
    language : {'fr', 'en'}
        Of steps and reasons.
    feed : str, optional
        Where the log comes from; default: ``snds_annual`` when its sources are SNDS tables, else ``hospital_live``.

    Raises
    ------
    InputError
        The model doesn't fit the definition or the log, the date lies too far after the last observation, or the
        capacity is less than 1.
    """
    _check_capacity(capacity)
    _check_model(model, pathway)
    _check_log(log, pathway, at)
    profile = feed_of(log) if feed is None else feed_named(feed)
    known = log.as_of(at, profile)
    rows = rows_at(known, pathway, at)
    chosen = _highest(rows.hstack(features(known, rows, pathway)), model, capacity)
    return RiskList(
        frame=_frame(chosen, model, pathway, language),
        limits="\n".join(_limits(log, model, profile, at, language)),
        actionable=bool(profile.actionable),
    )


def _check_capacity(capacity: int) -> None:
    if capacity < 1:
        raise InputError(
            f"the capacity is {capacity}; give the number of patients the team can call, 1 or more"
        )


def _check_model(model: RiskModel, pathway: Pathway) -> None:
    if model.pathway_id != pathway.id:
        raise InputError(
            f"the model was trained for the pathway '{model.pathway_id}' and this is '{pathway.id}'; "
            "score with the definition it was trained with"
        )
    if model.pathway_sha256 != pathway.sha256:
        raise InputError(
            f"the model was trained with another text of '{pathway.id}' (fingerprint {model.pathway_sha256[:8]}, here "
            f"{pathway.sha256[:8]}); use that definition or train again"
        )
    names = feature_names(pathway)
    if strange := sorted(set(model.features) ^ set(names)):
        raise InputError(
            f"the model and this version differ in {len(strange)} features, first '{strange[0]}'; train again"
        )


def _check_log(log: EventLog, pathway: Pathway, at: date | datetime) -> None:
    here = set(log.activities)
    triggers = {word for item in pathway.breakdowns.values() for word in item.trigger}
    if not here & triggers:
        raise InputError(
            f"the log has none of the activities that open an expectation in '{pathway.id}' "
            f"({', '.join(sorted(triggers))}); map its activities to these names"
        )
    until = log.observed_until
    if until is not None and (_date(at) - until.date()).days > STALE_DAYS:
        raise InputError(
            f"the log is observed until {until.date()} and the list is for {_date(at)}, more than {STALE_DAYS} days "
            "later; choose an earlier date or export the log again"
        )


def _highest(table: pl.DataFrame, model: RiskModel, capacity: int) -> pl.DataFrame:
    """Return, for the patients of highest risk, their row of highest risk; ties by patient, so the list is the same."""
    risk = pl.Series(model.predict(table)) if table.height else pl.Series([], dtype=pl.Float64)
    return (
        table.with_columns(risk=risk)
        .sort("risk", "patient_id", "breakdown", descending=[True, False, False])
        .unique("patient_id", keep="first", maintain_order=True)
        .head(capacity)
    )


def _frame(chosen: pl.DataFrame, model: RiskModel, pathway: Pathway, language: Language) -> pl.DataFrame:
    steps = {name: item.step[language] for name, item in pathway.breakdowns.items()}
    others = model_reasons(model, chosen, pathway, language)
    return chosen.with_columns(
        rank=pl.int_range(1, pl.len() + 1),
        expected_step=pl.col("breakdown").replace(steps),
        due_date="due",
        reason_1=pl.Series(pathway_reasons(chosen, pathway, language), dtype=pl.String),
        reason_2=pl.Series([reasons[0] for reasons in others], dtype=pl.String),
        reason_3=pl.Series([reasons[1] for reasons in others], dtype=pl.String),
        model=pl.lit(model.name),
        scored_at="landmark",
    ).select(pl.col(name).cast(dtype) for name, dtype in LIST_COLUMNS.items())


def _limits(
    log: EventLog, model: RiskModel, profile: Feed, at: date | datetime, language: Language
) -> list[str]:
    words = LIMITS[language]
    until = log.observed_until
    absent = sorted(set(model.trained_on["activities"]) - set(log.activities))
    said = {
        "proposal": True,
        "observed": until is not None,
        "actionable": bool(profile.actionable),
        "retrospective": not profile.actionable,
        "weak": bool(model.without_signal),
        "absent": bool(absent),
        "synthetic": bool(model.trained_on["synthetic"]),
    }
    values = {
        "until": until.date() if until else "",
        "at": _date(at),
        "feed": profile.label[language],
        "weak": ", ".join(model.without_signal),
        "names": ", ".join(absent),
    }
    return [words[key].format(**values) for key, holds in said.items() if holds]


def _date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
