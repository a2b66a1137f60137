"""The model card: what the model was made of, how good it is, for whom, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from eventlogs.feeds import FEEDS
from pathways.risk import evaluation

if TYPE_CHECKING:
    from pathways.risk.model import RiskModel

LIMITS = (
    "A breakdown is an operational definition of the pathway file, not an official threshold, and not a cause.",
    "A list proposes; a person decides. Nothing is sent by itself, and no care is refused on this score.",
    "Patients are split by index date; the calendar of training landmarks overlaps that of the test.",
    "Rows are expectations that can break within the horizon, as known at the landmark; nobody who has broken already.",
    "Intervals resample patients; a change of coding, feed or care is not covered: recalibrate on your own log.",
    "Windows not fully observed are excluded; there is no weighting for leaving the scheme.",
    "Deprivation is no feature. The territory of residence is: look at the audit before use.",
)


def card(model: RiskModel) -> str:
    """Return the model card in Markdown."""
    parts = (
        f"# Model card: {model.name}",
        _data_notice(model),
        _signal(model),
        f"## Purpose\n\n{_purpose(model)}",
        f"## Data\n\n{_data(model)}",
        f"## Performance on later patients\n\n{_performance(model)}",
        f"## Calibration (boosting, equal groups by risk)\n\n{_calibration(model)}",
        f"## Audit by group (boosting)\n\n{_audit(model)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _data_notice(model: RiskModel) -> str:
    return {
        True: "**Synthetic data: nobody in it exists. The figures say nothing about real patients.**",
        False: "Real data, as stated by whoever trained it.",
        None: "Whether the data are real or synthetic was not stated.",
    }[model.trained_on["synthetic"]]


def _signal(model: RiskModel) -> str:
    if not model.has_signal:
        return "**No usable signal: the interval of the AUROC holds 0.5. Don't use this model.**"
    weak = ", ".join(model.without_signal)
    return f"**No usable signal for: {weak}: the interval of the AUROC holds 0.5.**" if weak else ""


def _purpose(model: RiskModel) -> str:
    told = model.trained_on
    return (
        f"Probability that an expected step, pending at a date, breaks within {told['horizon_days']} days; used to "
        f"rank a list of at most {told['capacity']} patients that a care team reads. Trained for the feed "
        f"`{told['feed']}`: {FEEDS[told['feed']].label['en']}."
    )


def _data(model: RiskModel) -> str:
    told = model.trained_on
    first, last = told["landmarks"]
    rows = [
        (part, said["n_patients"], said["n_rows"], _share(said["prevalence"]), " to ".join(said["landmarks"]))
        for part, said in (("train", told["train"]), ("test", told["test"]))
    ]
    return (
        f"{told['n_landmarks']} landmarks from {first} to {last}, every {told['landmark_every_days']} days; "
        f"{len(model.features)} features; definition {model.pathway_id} {model.pathway_version}, "
        f"SHA-256 `{model.pathway_sha256}`; seed {told['seed']}.\n\n"
        + _markdown(("part", "patients", "rows", "break", "landmarks"), rows)
    )


def _performance(model: RiskModel) -> str:
    rows = [
        (
            row["learner"],
            row["breakdown"],
            row["metric"],
            *(_number(row[key]) for key in ("value", "low", "high")),
        )
        for row in model.metrics.to_dicts()
    ]
    return (
        "95 % intervals from resampled patients. The list holds at most "
        f"{model.trained_on['capacity']} patients a landmark. Breakdowns with fewer than "
        f"{evaluation.THRESHOLD} patients or breaks are left out.\n\n"
        + _markdown(("learner", "breakdown", "metric", "value", "low", "high"), rows)
    )


def _calibration(model: RiskModel) -> str:
    rows = [
        (row["group"], _share(row["expected"]), _share(row["observed"]))
        for row in model.calibration.to_dicts()
    ]
    return _markdown(("group", "expected", "observed"), rows)


def _audit(model: RiskModel) -> str:
    columns = (
        "observed",
        "expected",
        "observed_over_expected",
        "auroc",
        "recall_on_list",
        "precision_on_list",
    )
    rows = [
        (row["attribute"], row["group"], row["n_patients"], *(_number(row[name]) for name in columns))
        for row in model.audit.to_dicts()
    ]
    return (
        "Base rates differ between groups; observed over expected should be near 1 in each. An attribute with a group "
        f"of fewer than {evaluation.THRESHOLD} patients who broke, or did not, is left out.\n\n"
        + _markdown(("attribute", "group", "patients", *columns), rows)
    )


def _markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
