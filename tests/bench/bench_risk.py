"""The risk model's AUROC beside the truth's own, on the same later patients of a synthetic extract.

    python tests/bench/bench_risk.py [--patients 20000] [--seed 7]

The truth's score is the probability that the planted mechanism fires within the horizon, given that it has not at the
landmark (``tests/oracle.py``), net of death. All data are synthetic; generator and features share an author,
so the fraction reached is an upper bound for real data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import polars as pl
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[2]))

from eventlogs.feeds import feed
from eventlogs.log import EventLog
from eventlogs.synthetic import synthesise
from pathways.definition import Pathway
from pathways.risk.breakdown import evaluate
from pathways.risk.features import landmark_dates
from pathways.risk.model import RiskModel, labelled_rows, split
from pathways.steps import build, train
from tests import oracle

MEDICINE, REFILL = "endocrine_therapy_dispensing", "endocrine_interruption"


def test_rows(log: EventLog, pathway: Pathway) -> pl.DataFrame:
    """Return the landmark rows of the patients kept for the test."""
    rows = labelled_rows(log, pathway, landmark_dates(log, pathway), feed("hospital_live"))
    later = split(log, pathway).filter(part="test").select("patient_id")
    return rows.join(later, on="patient_id", how="semi", maintain_order="left")


def with_truth(rows: pl.DataFrame, log: EventLog, truth: pl.DataFrame, pathway: Pathway) -> pl.DataFrame:
    """Add ``oracle``: the true probability that the row's breakdown occurs within the horizon."""
    joined = rows.join(truth, on=["patient_id", "breakdown"], how="inner", maintain_order="left")
    elapsed = joined.select(
        (pl.col("landmark").dt.date() - pl.col("at_risk_from")).dt.total_days()
    ).to_series()
    missed = oracle.missed_step(
        joined["mu"].fill_null(0), joined["sigma"].fill_null(1), joined["p_never"].fill_null(0),
        elapsed_days=elapsed, within_days=joined["within_days"].fill_null(0), horizon_days=pathway.risk.horizon_days,
    )  # fmt: skip
    scored = joined.with_columns(oracle=pl.Series(missed))
    refills, others = scored.filter(breakdown=REFILL), scored.filter(pl.col("breakdown") != REFILL)
    return pl.concat([others, _refills(refills, log, pathway)]).filter(pl.col("oracle").is_not_nan())


def _refills(rows: pl.DataFrame, log: EventLog, pathway: Pathway) -> pl.DataFrame:
    """The truth knows the refills that the feed has not brought yet: the last one at the landmark, of the whole log."""
    episodes = evaluate(log, pathway).episodes.filter(breakdown=REFILL).select("patient_id", "opened", "due")
    supplied = log.events.filter(pl.col("activity") == MEDICINE).select(
        "patient_id",
        opened="start",
        months=pl.col("quantity").cum_sum().over("patient_id") - pl.col("quantity"),
    )
    last = episodes.join(supplied, on=["patient_id", "opened"]).sort("opened")
    ready = (
        rows.drop("opened", "due")
        .sort("landmark")
        .join_asof(last, left_on="landmark", right_on="opened", by="patient_id", check_sortedness=False)
        .with_columns(
            overdue=(pl.col("landmark") - pl.col("due")).dt.total_days().clip(upper_bound=oracle.GAP_DAYS - 1)
        )
    )
    probability = oracle.interruption(
        ready["monthly_hazard"], ready["monthly_hazard_later"], ready["supply_days"], overdue_days=ready["overdue"],
        months_supplied=ready["months"] // 30, horizon_days=pathway.risk.horizon_days,
    )  # fmt: skip
    return ready.with_columns(oracle=pl.Series(probability)).select(rows.columns)


def compare(rows: pl.DataFrame, model: RiskModel) -> pl.DataFrame:
    """Return AUROC of the two learners and of the truth, by breakdown and over all."""
    scored = rows.with_columns(
        boosting=pl.Series(model.predict(rows)), logistic=pl.Series(model.predict(rows, "logistic"))
    )
    parts = {
        "all": scored,
        **{key[0]: part for key, part in scored.group_by("breakdown", maintain_order=True)},
    }
    columns = ("boosting", "logistic", "oracle")
    table = [
        {"breakdown": name, "rows": part.height, "broken": int(part["broken"].sum())}
        | {column: roc_auc_score(part["broken"], part[column]) for column in columns}
        for name, part in parts.items()
    ]
    lift = (pl.col("boosting") - 0.5) / (pl.col("oracle") - 0.5)
    return pl.DataFrame(table).with_columns(pl.col(*columns).round(3), share_of_lift=lift.round(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        extract, study = Path(folder) / "extract", Path(folder) / "study"
        synthesise(extract, patients=args.patients, seed=args.seed)
        built = build(extract, study, pathway="breast_cancer")
        log, pathway, model = built.log(), built.needed_pathway(), train(study)
        truth = pl.read_parquet(extract / "truth" / "risk.parquet")
        rows = with_truth(test_rows(log, pathway), log, truth, pathway)
        with pl.Config(tbl_cols=10, tbl_width_chars=120, float_precision=3):
            print(compare(rows, model))


if __name__ == "__main__":
    main()
