"""Sequences of milestones: counted once a patient, and released without giving a small group away."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from eventlogs.log import EventLog
from pathways.definition import load
from pathways.disclosure import Released, release_milestones
from pathways.mining.kernels import node_counts, variants
from pathways.mining.maps import milestone_log, phase_log

PATHWAY = load("breast_cancer")
DAY = datetime(2021, 1, 1)

SURGERY, RADIOTHERAPY, CHEMOTHERAPY = (
    "breast_conserving_surgery",
    "radiotherapy_session",
    "chemotherapy_session",
)
CONSULTATION = "gp_consultation"


def log_of(groups: dict[tuple[str, ...], int]) -> EventLog:
    """Return a log with so many patients of each sequence, an event a day."""
    rows = [
        (f"{group}-{patient}", activity, DAY + timedelta(days=day))
        for group, (sequence, n) in enumerate(groups.items())
        for patient in range(n)
        for day, activity in enumerate(sequence)
    ]
    return EventLog.create(pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row"))


def released(groups: dict[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    log = log_of(groups)
    counted = node_counts(phase_log(log, PATHWAY)).select(
        pl.lit("phase").alias("level"), "activity", "n_patients"
    )
    counted = counted.filter(pl.col("n_patients") >= 11)
    table = release_milestones(
        variants(milestone_log(log, PATHWAY)), Released("nodes", counted), log.n_patients
    ).frame
    return {tuple(sequence): n for sequence, n in table.select("variant", "n_patients").rows()}


def test_only_milestones_tell_a_sequence() -> None:
    sequence = (CONSULTATION, SURGERY, CONSULTATION, RADIOTHERAPY, RADIOTHERAPY, CONSULTATION)
    counted = variants(milestone_log(log_of({sequence: 3}), PATHWAY))
    assert counted.select("variant", "n_patients").rows() == [(["surgery", "radiotherapy"], 3)]


def test_rare_sequences_are_pooled() -> None:
    """Listing surgery alone too would leave the 6 who had chemotherapy first as what remains of surgery."""
    shown = released(
        {(SURGERY, RADIOTHERAPY): 40, (SURGERY,): 30, (CHEMOTHERAPY, SURGERY): 6, (CHEMOTHERAPY,): 8}
    )
    assert shown == {("surgery", "radiotherapy"): 40, (): 44}


def test_what_remains_of_a_phase_is_nobody_or_enough() -> None:
    groups = {
        (SURGERY, RADIOTHERAPY): 40,
        (SURGERY,): 30,
        (CHEMOTHERAPY, RADIOTHERAPY): 5,
        (CHEMOTHERAPY,): 20,
    }
    shown = released(groups)
    irradiated = 45
    listed = sum(n for sequence, n in shown.items() if "radiotherapy" in sequence)
    assert irradiated - listed not in range(1, 11)
    assert all(n >= 11 for n in shown.values())


def test_patients_without_a_milestone_are_pooled_not_counted() -> None:
    shown = released({(SURGERY, RADIOTHERAPY): 40, (SURGERY,): 30, (CONSULTATION,): 4})
    assert sum(shown.values()) == 74
    assert all(n >= 11 for n in shown.values())
