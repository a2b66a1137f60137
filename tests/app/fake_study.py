"""A made-up study folder: released tables as the contract says, from a small simulated cohort. No real data."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import polars as pl

from pathways.definition import Pathway, load

THRESHOLD = 11
METROPOLE = [f"{n:02d}" for n in range(1, 96) if n != 20] + ["2A", "2B"]
DEPARTMENTS = [*METROPOLE, "971", "972", "973", "974", "976"]
TINY = {"48", "23", "90", "976", "2A"}
HOT = {"59": 0.44, "974": 0.46, "13": 0.40}

# (activity, probability, mean days since the step before)
STEPS = [
    ("gp_consultation", 0.55, 12),
    ("screening_mammography", 0.45, 9),
    ("mammography", 0.62, 8),
    ("breast_ultrasound", 0.7, 4),
    ("breast_mri", 0.3, 9),
    ("breast_biopsy", 0.97, 8),
    ("pathology_exam", 0.85, 3),
    ("surgery_consultation", 0.75, 9),
    ("oncology_consultation", 0.25, 8),
    ("breast_conserving_surgery", 0.68, 21),
    ("mastectomy", 0.27, 18),
    ("axillary_surgery", 0.35, 1),
    ("minor_breast_excision", 0.06, 14),
    ("hospital_stay", 0.2, 9),
    ("oncology_consultation", 0.7, 17),
    ("port_placement", 0.38, 9),
    ("chemotherapy_session", 0.42, 12),
    ("targeted_therapy", 0.13, 25),
    ("emergency_visit", 0.16, 20),
    ("gp_consultation", 0.3, 18),
    ("radiotherapy_planning", 0.72, 24),
    ("radiotherapy_session", 0.7, 15),
    ("endocrine_therapy_dispensing", 0.75, 22),
    ("gp_consultation", 0.25, 40),
    ("mammography", 0.62, 180),
    ("breast_ultrasound", 0.2, 3),
    ("breast_reconstruction", 0.09, 220),
    ("hospital_stay", 0.1, 60),
    ("palliative_care", 0.04, 120),
    ("death", 0.04, 60),
]
TYPICAL = [
    [1, 3, 5, 6, 7, 9, 20, 21, 22],
    [2, 3, 5, 6, 7, 9, 20, 21, 22, 24],
    [1, 5, 6, 7, 10, 11, 22],
    [2, 3, 5, 6, 9, 14, 15, 16, 20, 21],
    [1, 3, 4, 5, 6, 7, 9, 14, 20, 21, 22, 24],
    [2, 5, 6, 7, 10],
]
MILESTONES = ("surgery", "chemotherapy", "radiotherapy", "endocrine_therapy", "reconstruction")
REPEATS = {
    "chemotherapy_session": (6, 21),
    "radiotherapy_session": (4, 2),
    "endocrine_therapy_dispensing": (5, 30),
}


def build(folder: Path, *, role: str = "snds", synthetic: bool = True, patients: int = 2500) -> Path:
    """Write a study folder and return it."""
    pathway = load("breast_cancer")
    events = _events(random.Random(3), patients)
    (folder / "released").mkdir(parents=True)
    (folder / "lists").mkdir()
    for name, frame in _tables(events, pathway, synthetic).items():
        frame.write_parquet(folder / "released" / f"{name}.parquet")
        meta = {
            "numerator": "patients",
            "denominator": str(patients),
            "threshold": THRESHOLD,
            "filters": [],
            "study": "3f9c2ab17d40",
            "suppressed": 7,
            "rounded": "durées au jour",
        }
        (folder / "released" / f"{name}.json").write_text(json.dumps(meta), encoding="utf-8")
    manifest = {
        "schema": 1,
        "study": "3f9c2ab17d40",
        "role": role,
        "feed": "snds_annual" if role == "snds" else "hospital_live",
        "synthetic": synthetic,
        "created": "2026-11-20T10:00:00",
        "sources": ["DCIR", "PMSI"],
        "pathway": {"id": pathway.id, "version": pathway.version, "label": dict(pathway.label)},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    pl.DataFrame({"patient_id": ["SECRET"]}).write_parquet(folder / "patients.parquet")
    pl.DataFrame({"patient_id": ["SECRET"]}).write_parquet(folder / "horizons.parquet")
    (folder / "events").mkdir()
    pl.DataFrame({"patient_id": ["SECRET"]}).write_parquet(folder / "events" / "part-0.parquet")
    if role != "snds":
        _write_list(folder / "lists" / "list_2026-11-02.csv")
    return folder


def _events(rng: random.Random, patients: int) -> pl.DataFrame:
    rows: list[tuple[int, str, float]] = []
    for patient in range(patients):
        day = -25.0
        ends = False
        typical = rng.choices(TYPICAL, weights=[9, 7, 5, 4, 3, 2])[0] if rng.random() < 0.4 else None
        for position, (activity, probability, gap) in enumerate(STEPS):
            if ends or (rng.random() > probability if typical is None else position not in typical):
                continue
            day += max(0.0, round(rng.gammavariate(2.0, gap / 2.0)))
            rows.append((patient, activity, day))
            for _ in range(rng.randint(0, REPEATS.get(activity, (0, 0))[0])):
                day += max(1.0, round(rng.gauss(REPEATS[activity][1], 3)))
                rows.append((patient, activity, day))
            ends = activity == "death"
    return pl.DataFrame(rows, schema=["patient", "activity", "day"], orient="row")


def _with_neighbours(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(
        pl.col("activity").shift(-1).over("patient").fill_null("■").alias("target"),
        (pl.col("day").shift(-1) - pl.col("day")).over("patient").alias("days"),
    ).rename({"activity": "source"})


def _level(events: pl.DataFrame, level: str, phase_of: dict[str, str]) -> pl.DataFrame:
    if level == "activity":
        return events
    renamed = events.with_columns(pl.col("activity").replace(phase_of))
    changed = pl.col("activity") != pl.col("activity").shift(1).over("patient")
    return renamed.filter(changed.fill_null(True))


def _edges(events: pl.DataFrame) -> pl.DataFrame:
    starts = events.group_by("patient", maintain_order=True).agg(pl.col("activity").first().alias("target"))
    starts = starts.with_columns(pl.lit("▶").alias("source"), pl.lit(None, pl.Float64).alias("days"))
    return pl.concat(
        [
            _with_neighbours(events).select("patient", "source", "target", "days"),
            starts.select("patient", "source", "target", "days"),
        ]
    )


def _edge_table(events: pl.DataFrame, level: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    each = _edges(events)
    table = each.group_by("source", "target").agg(
        pl.len().cast(pl.Int64).alias("n_events"),
        pl.col("patient").n_unique().cast(pl.Int64).alias("n_patients"),
        (pl.col("days") == 0).mean().fill_null(0.0).alias("tied_share"),
        pl.col("days").median().round().alias("median_days"),
        pl.col("days").quantile(0.9).round().alias("p90_days"),
    )
    shown = table.filter(pl.col("n_patients") >= THRESHOLD).with_columns(
        pl.when(pl.col("n_patients") >= 22).then("median_days"),
        pl.when(pl.col("n_patients") >= 110).then("p90_days"),
    )
    hidden = int(table["n_events"].sum() - shown["n_events"].sum())
    pooled = pl.DataFrame({"source": ["*"], "target": ["*"], "n_events": [hidden]})
    out = pl.concat([shown.sort("n_events", descending=True), pooled], how="diagonal")
    delays = each.join(shown.select("source", "target"), on=["source", "target"]).drop_nulls("days")
    columns = ["level", "source", "target", "n_events", "n_patients", "tied_share", "median_days", "p90_days"]
    return out.with_columns(pl.lit(level).alias("level")).select(columns), _delay_table(delays, level)


def _delay_table(delays: pl.DataFrame, level: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for (source, target), group in delays.group_by(["source", "target"], maintain_order=True):
        rows += _bins(level, str(source), str(target), sorted(group["days"].to_list()))
    schema = {
        "level": pl.String,
        "source": pl.String,
        "target": pl.String,
        "day_from": pl.Int64,
        "day_to": pl.Int64,
        "n_events": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema)


def _bins(level: str, source: str, target: str, days: list[float]) -> list[dict[str, Any]]:
    if len(days) < 22:
        return []
    rows: list[dict[str, Any]] = []
    start, count = 0, 0
    width = max(1, int(days[int(len(days) * 0.95)]) // 18)
    edge = width
    for day in days:
        while day >= edge:
            if count >= THRESHOLD:
                rows.append({"day_from": start, "day_to": edge - 1, "n_events": count})
                start, count = edge, 0
            edge += width
        count += 1
    if count >= THRESHOLD or not rows:
        rows.append({"day_from": start, "day_to": None, "n_events": count})
    else:
        rows[-1] |= {"day_to": None, "n_events": rows[-1]["n_events"] + count}
    return [{"level": level, "source": source, "target": target, **row} for row in rows]


def _node_table(events: pl.DataFrame, level: str, pathway: Pathway) -> pl.DataFrame:
    phases = list(pathway.phases)
    phase_of = pathway.phase_of() | {phase: phase for phase in phases}
    return (
        events.group_by("activity")
        .agg(
            pl.col("patient").n_unique().cast(pl.Int64).alias("n_patients"),
            pl.col("day").median().round().alias("median_day"),
        )
        .filter(pl.col("n_patients") >= THRESHOLD)
        .with_columns(
            pl.lit(level).alias("level"),
            pl.col("activity").replace(phase_of).alias("phase"),
            pl.col("activity").map_elements(pathway.name, pl.String).alias("label_fr"),
            pl.col("activity").map_elements(lambda a: pathway.name(a, "en"), pl.String).alias("label_en"),
        )
        .with_columns(
            pl.col("phase").map_elements(phases.index, pl.Int64).alias("order"),
        )
        .select("level", "activity", "phase", "label_fr", "label_en", "n_patients", "median_day", "order")
        .sort("order", "activity")
    )


def _variant_table(events: pl.DataFrame, phase_of: dict[str, str]) -> pl.DataFrame:
    events = events.with_columns(pl.col("activity").replace(phase_of))
    events = events.filter(pl.col("activity").is_in(MILESTONES))
    changed = pl.col("activity") != pl.col("activity").shift(1).over("patient")
    cases = (
        events.filter(changed.fill_null(True))
        .group_by("patient", maintain_order=True)
        .agg(pl.col("activity").alias("variant"), (pl.col("day").max() - pl.col("day").min()).alias("days"))
    )
    counted = (
        cases.group_by("variant")
        .agg(
            pl.len().cast(pl.Int64).alias("n_patients"), pl.col("days").median().round().alias("median_days")
        )
        .sort("n_patients", "median_days", descending=True)
    )
    shown = counted.filter(pl.col("n_patients") >= THRESHOLD).head(15).with_row_index("rank", 1)
    rest = cases.height - int(shown["n_patients"].sum())
    pooled = pl.DataFrame(
        {"rank": [None], "variant": [[]], "n_patients": [rest], "median_days": [None]},
        schema={
            "rank": pl.Int64,
            "variant": pl.List(pl.String),
            "n_patients": pl.Int64,
            "median_days": pl.Float64,
        },
    )
    both = pl.concat([shown.with_columns(pl.col("rank").cast(pl.Int64)), pooled])
    return both.with_columns(
        pl.lit("milestone").alias("level"), (pl.col("n_patients") / cases.height).alias("share")
    ).select("level", "rank", "variant", "n_patients", "share", "median_days")


def _breakdown_table(pathway: Pathway) -> pl.DataFrame:
    counts = {
        "late_start": (2410, 1530, 702, 61, 117),
        "radiotherapy_missed": (1640, 1232, 214, 48, 146),
        "endocrine_interruption": (1803, 1003, 391, 92, 317),
        "surveillance_lapse": (2203, 902, 377, 120, 804),
    }
    rows = [
        {
            "breakdown": item.id,
            "label_fr": item.label["fr"],
            "label_en": item.label["en"],
            "kind": item.kind,
            **dict(
                zip(("n_patients", "kept", "broken", "excused", "undecidable"), counts[item.id], strict=True)
            ),
            "within_days": item.within_days,
            "grace_days": item.grace_days,
            "evidence": item.evidence,
            "source": item.source,
        }
        for item in pathway.breakdowns.values()
    ]
    return pl.DataFrame(rows)


NUMBERS = [
    *("n_evaluable", "n_broken", "rate", "expected", "ratio", "ratio_low", "ratio_high"),
    *("shrunk_ratio", "funnel_low", "funnel_high"),
]


def _territory_table(breakdowns: list[str]) -> pl.DataFrame:
    rng = random.Random(5)
    rows = []
    for breakdown in ["any", *breakdowns]:
        base = 0.22 + 0.06 * rng.random()
        for code in DEPARTMENTS:
            rows.append(_territory(rng, breakdown, code, base))
    return pl.DataFrame(rows, infer_schema_length=None)


def _territory(rng: random.Random, breakdown: str, code: str, base: float) -> dict[str, Any]:
    n = 15 if code in TINY else int(rng.lognormvariate(4.6, 0.6)) + 60
    broken = sum(rng.random() < HOT.get(code, base) for _ in range(n))
    row: dict[str, Any] = {"breakdown": breakdown, "territory": code}
    if min(broken, n - broken) < THRESHOLD:
        return row | dict.fromkeys(NUMBERS) | {"hotspot": False, "suppressed": True}
    expected = n * base
    ratio = broken / expected
    sd = (base * (1 - base) / n) ** 0.5
    return row | {
        "n_evaluable": n,
        "n_broken": broken,
        "rate": broken / n,
        "expected": expected,
        "ratio": ratio,
        "ratio_low": ratio * (1 - 1.96 / broken**0.5 * 0.85),
        "ratio_high": ratio * (1 + 1.96 / broken**0.5 * 0.95),
        "shrunk_ratio": (broken + 30) / (expected + 30),
        "funnel_low": max(0.0, base - 1.96 * sd),
        "funnel_high": base + 1.96 * sd,
        "hotspot": code in HOT,
        "suppressed": False,
    }


def _tables(events: pl.DataFrame, pathway: Pathway, synthetic: bool) -> dict[str, pl.DataFrame]:
    nodes, edges, delays = [], [], []
    for level in ("activity", "phase"):
        renamed = _level(events, level, pathway.phase_of())
        nodes.append(_node_table(renamed, level, pathway))
        some_edges, some_delays = _edge_table(renamed, level)
        edges.append(some_edges)
        delays.append(some_delays)
    breakdowns = _breakdown_table(pathway)
    summary = pl.DataFrame(
        {
            "n_patients": [events["patient"].n_unique()],
            "n_events": [events.height],
            "n_activities": [events["activity"].n_unique()],
            "first_day": [dt.date(2019, 1, 3)],
            "last_day": [dt.date(2023, 12, 29)],
            "source": ["SNDS (DCIR, PMSI)"],
            "synthetic": [synthetic],
            "cutoff": [dt.date(2023, 12, 31)],
            "pathway_id": [pathway.id],
            "pathway_version": [pathway.version],
            "pathway_label_fr": [pathway.label["fr"]],
            "pathway_label_en": [pathway.label["en"]],
        }
    )
    return {
        "nodes": pl.concat(nodes),
        "edges": pl.concat(edges),
        "edge_delays": pl.concat(delays),
        "variants": _variant_table(events, pathway.phase_of()),
        "breakdowns": breakdowns,
        "territories": _territory_table(breakdowns["breakdown"].to_list()),
        "summary": summary,
    }


def _write_list(path: Path) -> None:
    rng = random.Random(11)
    steps = ["Radiothérapie", "Renouvellement d'hormonothérapie", "Mammographie de surveillance"]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(
            [
                "rank",
                "patient_id",
                "risk",
                "expected_step",
                "due_date",
                "days_overdue",
                "reason_1",
                "reason_2",
                "reason_3",
                "model",
                "scored_at",
            ]
        )
        for rank in range(1, 26):
            overdue = rng.randint(-40, 60)
            writer.writerow(
                [
                    rank,
                    f"P{rng.randint(10_000, 99_999)}",
                    round(0.83 - rank * 0.021, 3),
                    rng.choice(steps),
                    dt.date(2026, 11, 2) - dt.timedelta(days=overdue),
                    overdue,
                    "Chirurgie conservatrice il y a 98 jours, pas de radiothérapie ; attendue sous 84 jours",
                    "Aucune consultation d'oncologie depuis 61 jours",
                    "Deux changements d'établissement en 180 jours",
                    "breast_cancer-2026.1",
                    "2026-11-02",
                ]
            )
