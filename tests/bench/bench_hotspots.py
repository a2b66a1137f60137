"""How well planted hotspots are found: recall of the first k territories, and what is flagged where none is planted.

    python tests/bench/bench_hotspots.py [--seeds 20] [--patients 20000] [--hotspots 8]

All data are synthetic. Territories are ranked by the shrunken standardised ratio of the released table.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import polars as pl

from eventlogs.synthetic import synthesise
from pathways.disclosure import release_breakdowns, release_territories
from pathways.mining.territories import territory_rates
from pathways.risk.breakdown import evaluate
from pathways.steps import build

BREAKDOWN = "any"


def territories(patients: int, seed: int, hotspots: int) -> pl.DataFrame:
    """Return the released territories of one synthetic extract, with what was planted."""
    with tempfile.TemporaryDirectory() as folder:
        extract = Path(folder) / "extract"
        synthesise(extract, patients=patients, seed=seed, hotspots=hotspots)
        study = build(extract, Path(folder) / "study", pathway="breast_cancer")
        log, pathway = study.log(), study.needed_pathway()
        results = evaluate(log, pathway)
        breakdowns = release_breakdowns(results.summary(), pathway)
        released = release_territories(territory_rates(results.frame, log.patients), breakdowns).frame
        planted = pl.read_parquet(extract / "truth" / "hotspots.parquet").rename({"hotspot": "planted"})
    return released.filter(breakdown=BREAKDOWN).join(planted, on="territory", how="left")


def recall_of_first(table: pl.DataFrame, k: int) -> float:
    """Return the share of planted territories among the first k by shrunken ratio."""
    first = table.filter(~pl.col("suppressed")).sort("shrunk_ratio", descending=True).head(k)
    return float(first["planted"].sum()) / k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--hotspots", type=int, default=8)
    args = parser.parse_args()
    recalls, flagged, false_alarms = [], [], []
    for seed in range(1, args.seeds + 1):
        planted = territories(args.patients, seed, args.hotspots)
        none = territories(args.patients, seed, 0)
        recalls.append(recall_of_first(planted, args.hotspots))
        flagged.append(float(planted.filter("planted")["hotspot"].fill_null(False).mean() or 0))
        false_alarms.append(float(none["hotspot"].fill_null(False).sum()) / none.height)
        print(
            f"seed {seed}: recall of the first {args.hotspots} {recalls[-1]:.3f}, flagged of planted "
            f"{flagged[-1]:.3f}, flagged where none is planted {false_alarms[-1]:.3f}",
            flush=True,
        )
    for name, values in (
        (f"recall of the first {args.hotspots}", recalls),
        ("share of planted flagged", flagged),
        ("share flagged where none is planted", false_alarms),
    ):
        column = pl.Series(values)
        print(f"{name}: mean {column.mean():.3f}, min {column.min():.3f}, max {column.max():.3f}")


if __name__ == "__main__":
    main()
