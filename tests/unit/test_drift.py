"""Drift: planted changes are found and told apart, nothing is found where nothing changed, counts equal plain ones."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eventlogs.errors import DefinitionError, InputError, LogError
from eventlogs.log import EventLog
from pathways.definition import parse
from pathways.mining.drift import (
    CHANGE_COLUMNS,
    DISTANCE_COLUMNS,
    KNOWN_COLUMNS,
    MONTH_COLUMNS,
    Drift,
    Passages,
    drift,
    find_changes,
    known_changes,
    label_changes,
    monthly_activities,
    monthly_distance,
    monthly_steps,
)
from pathways.mining.drift.changes import change_points, deviance, dispersion
from pathways.mining.kernels import END

FIRST, MONTHS = date(2016, 1, 1), 60
HORIZON = datetime(2021, 6, 30)


def simulated(
    seed: int,
    *,
    n: int = 2400,
    change: date | None = None,
    shares: tuple[float, float] = (0.7, 0.35),
    swap: date | None = None,
    closes: date | None = None,
    lockdown: bool = False,
) -> EventLog:
    """Biopsy, surgery, then chemotherapy or radiotherapy, consultations between; synthetic.

    `change`: from then on, surgery leads to chemotherapy by the second share. `swap`: chemotherapy gets another code.
    `closes`: teleconsultations end. `lockdown`: half of the surgery of March to May 2020 is not done.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, datetime, str | None, str | None]] = []
    for i in range(n):
        index = datetime(2016, 1, 1) + timedelta(days=int(rng.integers(0, 1826)))
        name = f"p{i:05}"
        rows.append((name, "biopsy", index, "B1", "CCAM"))
        if rng.random() < 0.4:
            day = index + timedelta(days=int(rng.integers(1, 9)))
            if closes is None or day.date() < closes:
                rows.append((name, "tele", day, "1164", "PRS_NAT"))
        surgery = index + timedelta(days=int(rng.integers(10, 25)))
        if lockdown and datetime(2020, 3, 1) <= surgery < datetime(2020, 6, 1) and rng.random() < 0.5:
            continue
        rows.append((name, "surgery", surgery, "S1" if rng.random() < 0.5 else "S2", "CCAM"))
        late = change is not None and surgery.date() >= change
        after = surgery + timedelta(days=int(rng.integers(5, 30)))
        if rng.random() < (shares[1] if late else shares[0]):
            new = swap is not None and after.date() >= swap
            rows.append((name, "chemo", after, "C2" if new or rng.random() < 0.05 else "C1", "CCAM"))
        else:
            rows.append((name, "radio", after, "R1", "CCAM"))
    frame = pl.DataFrame(
        rows, schema=["patient_id", "activity", "start", "code", "code_system"], orient="row"
    )
    patients = frame.group_by("patient_id").agg(index_date=pl.col("start").min())
    horizons = pl.DataFrame({"patient_id": [None], "source": ["t"], "observed_until": [HORIZON]})
    return EventLog.create(frame, patients=patients, horizons=horizons)


def months_apart(one: date, other: date) -> int:
    return abs(12 * (one.year - other.year) + one.month - other.month)


@pytest.mark.parametrize(
    ("seed", "change"), [(0, date(2018, 9, 1)), (1, date(2018, 2, 15)), (2, date(2019, 6, 1))]
)
def test_planted_change_of_practice_is_found_in_its_month(seed: int, change: date) -> None:
    found = drift(simulated(seed, change=change)).changes
    steps = found.filter(kind="edge", source="surgery")
    assert set(steps["target"]) == {"chemo", "radio"}
    for row in steps.to_dicts():
        assert months_apart(row["month"], change) <= 1
        assert row["label"] == "practice" and row["reason"] is None and row["q_value"] <= 0.05
    chemo = steps.row(by_predicate=pl.col("target") == "chemo", named=True)
    assert chemo["share_before"] == pytest.approx(0.7, abs=0.05)
    assert chemo["share_after"] == pytest.approx(0.35, abs=0.05)
    activities = found.filter(kind="activity")
    assert {"chemo", "radio"} >= set(activities["target"]) and activities.height >= 1
    assert all(months_apart(month, change) <= 2 for month in activities["month"])


def test_where_nothing_changed_few_logs_show_a_change() -> None:
    """5 % of false discoveries: of 30 logs without any change, 5 or more with one are seen once in 60."""
    wrong = sum(not drift(simulated(seed, n=700)).changes.is_empty() for seed in range(100, 130))
    assert wrong <= 4


def test_a_new_code_is_no_change_of_practice() -> None:
    found = drift(simulated(3, swap=date(2018, 9, 1))).changes
    assert set(found["kind"]) == {"code"}
    assert set(found["target"]) == {"CCAM:C1", "CCAM:C2"}
    assert set(found["label"]) == {"coding"} and set(found["reason"]) == {"code_swap"}
    assert all(months_apart(month, date(2018, 9, 1)) <= 1 for month in found["month"])


def test_phases_know_the_codes_of_their_activities() -> None:
    names = ("biopsy", "tele", "surgery", "chemo", "radio")
    phases = {
        name: "before" if name in names[:2] else "treatment" if name == "surgery" else name for name in names
    }
    words = "\n".join(
        f'{phase} = {{ fr = "{phase}", en = "{phase}" }}' for phase in sorted(set(phases.values()))
    )
    activities = "\n".join(
        f'[activities.{name}]\nlabel = {{ fr = "{name}", en = "{name}" }}\nphase = "{phase}"\n'
        f'CCAM = ["AAAA00{place}"]\nsource = "test"'
        for place, (name, phase) in enumerate(phases.items())
    )
    head = 'id = "t"\nversion = "1"\nlabel = { fr = "T", en = "T" }\n'
    pathway = parse(f"{head}[phases]\n{words}\n{activities}\n", "t.toml")
    log = simulated(3, swap=date(2018, 9, 1), change=date(2018, 9, 1))
    found = drift(log, pathway, level="phase").changes
    steps = found.filter(kind="edge", source="treatment")
    assert set(steps["target"]) == {"chemo", "radio"} and "before" not in found["source"]
    assert set(steps.filter(target="chemo")["reason"]) == {"code_swap"}
    assert set(found.filter(kind="code")["label"]) == {"coding"}


def test_a_code_that_closed_is_told_by_the_dated_list() -> None:
    found = drift(simulated(4, closes=date(2018, 9, 14))).changes
    tele = found.filter(kind="activity", target="tele")
    assert tele.height == 1 and months_apart(tele["month"][0], date(2018, 9, 1)) <= 1
    touched = found.filter((pl.col("target") == "tele") | (pl.col("source") == "tele"))
    assert set(touched["label"]) == {"coding"} and set(touched["reason"]) == {"teleconsultation_2018"}
    without = drift(simulated(4, closes=date(2018, 9, 14)), known=known_changes().clear()).changes
    assert set(without["label"]) == {"practice"}


def test_the_first_lockdown_is_told() -> None:
    found = drift(simulated(5, n=6000, lockdown=True)).changes.filter(kind="activity", target="surgery")
    assert set(found["label"]) == {"covid"} and found["month"].min() == date(2020, 3, 1)


def test_any_row_order_gives_the_same() -> None:
    log = simulated(6, n=900, change=date(2018, 9, 1))
    columns = ["patient_id", "activity", "start", "code", "code_system"]
    shuffled = EventLog.create(
        log.events.select(columns).sample(fraction=1, shuffle=True, seed=3),
        patients=log.patients,
        horizons=log.horizons,
    )
    one, other = drift(log, seed=1), drift(shuffled, seed=1)
    for name in ("months", "changes", "distance"):
        assert getattr(one, name).equals(getattr(other, name)), name


def naive_steps(log: EventLog, within_days: int, step_days: int) -> Counter[tuple[str, str, tuple[int, int]]]:
    """Where patients went from their first passage in the window, by month; months unlimited."""
    own = dict(log.horizons.drop_nulls("patient_id").select("patient_id", "observed_until").rows())
    index = dict(log.patients.select("patient_id", "index_date").rows())
    traces = defaultdict(list)
    for patient, activity, start in log.events.select("patient_id", "activity", "start").rows():
        traces[patient].append((activity, start))
    counts: Counter[tuple[str, str, tuple[int, int]]] = Counter()
    for patient, trace in traces.items():
        seen: set[str] = set()
        for (activity, start), following in pairwise([*trace, (None, None)]):
            low = index[patient] - timedelta(days=90)
            high = index[patient] + timedelta(days=within_days)
            if activity in seen or not low <= start < high:
                continue
            seen.add(activity)
            due = start + timedelta(days=step_days)
            came = following[0] is not None and following[1] <= due
            if came or due <= min(own.get(patient, HORIZON), HORIZON):
                counts[activity, following[0] if came else END, (start.year, start.month)] += 1
    return counts


def test_steps_equal_a_plain_count() -> None:
    log = simulated(7, n=600)
    left = pl.DataFrame(
        {"patient_id": ["p00010", "p00020"], "source": ["t", "t"],
         "observed_until": [log.patients["index_date"][10], log.patients["index_date"][20]]}
    )  # fmt: skip
    log = EventLog.create(
        log.events.select("patient_id", "activity", "start"),
        patients=log.patients,
        horizons=pl.concat([log.horizons, left], how="diagonal_relaxed"),
    )
    table = monthly_steps(Passages.of(log, 60), step_days=20)
    naive = naive_steps(log, 60, 20)
    assert table["month"].n_unique() > 40
    for source, target, month, n, of in table.select(
        "source", "target", "month", "n_patients", "n_of"
    ).rows():
        when = (month.year, month.month)
        assert n == naive[source, target, when]
        assert of == sum(count for (s, _, m), count in naive.items() if s == source and m == when)
    assert dict(table.schema) == MONTH_COLUMNS


def test_activities_at_risk_equal_a_plain_count() -> None:
    log = simulated(8, n=300)
    table = monthly_activities(Passages.of(log, 100)).filter(target="surgery")
    index = dict(log.patients.select("patient_id", "index_date").rows())
    firsts = dict(
        log.events.filter(activity="surgery").group_by("patient_id").agg(pl.col("start").min()).rows()
    )

    def number(day: datetime) -> int:
        return 12 * day.year + day.month

    for month, n, of in table.select("month", "n_patients", "n_of").rows():
        here = 12 * month.year + month.month
        at_risk = [
            p
            for p, day in index.items()
            if number(day - timedelta(days=90)) <= here <= number(day + timedelta(days=100, microseconds=-1))
            and (p not in firsts or here <= number(firsts[p]))
        ]
        assert of == len(at_risk)
        assert n == sum(p in firsts and number(firsts[p]) == here for p in at_risk)
    assert table["expected"].sum() == pytest.approx(table["n_patients"].sum())


def test_the_right_edge_waits_for_the_feed() -> None:
    log = simulated(9, n=600)
    known = log.horizons.with_columns(observed_until=pl.lit(datetime(2019, 8, 20)).cast(pl.Datetime("us")))
    early = EventLog(log.events, log.patients, known, log.withdrawn, log.within_day)
    assert monthly_steps(Passages.of(early, 60), step_days=30)["month"].max() == date(2019, 6, 1)
    assert monthly_activities(Passages.of(early, 60))["month"].max() == date(2019, 7, 1)


def naive_cut(signal: np.ndarray, penalty: float, poisson: bool) -> float:
    """The least penalised cost of any segmentation, by dynamic programming."""
    scale = dispersion(signal, poisson)

    def cost(a: int, b: int) -> float:
        observed, trials = signal[a:b].sum(axis=0)
        return float(deviance(observed, trials, poisson)) / scale

    best = {0: 0.0}
    for end in range(3, len(signal) + 1):
        options = [best[a] + cost(a, end) + penalty for a in best if end - a >= 3]
        if options:
            best[end] = min(options)
    return best[len(signal)]


@pytest.mark.parametrize("seed", range(6))
def test_change_points_have_the_least_penalised_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trials = rng.integers(20, 60, 24)
    rates = np.repeat(rng.choice([0.2, 0.5, 0.7], 3), 8)
    signal = np.column_stack([rng.binomial(trials, rates), trials]).astype(float)
    bounds = [0, *change_points(signal), 24]
    sums = [signal[a:b].sum(axis=0) for a, b in pairwise(bounds)]
    penalty = 3 * math.log(24)
    cost = sum(float(deviance(*part, False)) / dispersion(signal, False) + penalty for part in sums)
    assert cost == pytest.approx(naive_cut(signal, penalty, False))


def test_dispersion_beyond_chance_is_not_a_change() -> None:
    rng = np.random.default_rng(0)
    trials = np.full(60, 400)
    noisy = np.column_stack([rng.binomial(trials, rng.beta(20, 20, 60)), trials]).astype(float)
    assert dispersion(noisy, False) > 3
    assert change_points(noisy) == []


def test_distance_by_hand_and_after_a_change() -> None:
    rows = [("edge", "a", target, date(2020, m, 1), n, 10, 0.0, 0.0)
            for m, pair in ((1, (10, 0)), (2, (0, 10))) for target, n in zip("bc", pair, strict=True)]  # fmt: skip
    table = monthly_distance(pl.DataFrame(rows, schema=MONTH_COLUMNS, orient="row"))
    half = (math.log2(1 / 0.75) + 0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25)) / 2
    assert table["distance"].to_list() == pytest.approx([math.sqrt(half)] * 2)
    assert (table["distance"] > table["chance_95"]).all()
    assert dict(table.schema) == DISTANCE_COLUMNS
    calm = drift(simulated(10, n=900)).distance
    assert (calm["distance"] > calm["chance_95"]).mean() < 0.2


def test_labels_by_rule() -> None:
    events = pl.DataFrame(
        [("p", "x", datetime(2020, 1, 1), "AB12", "CCAM", "ER_CAM_F"),
         ("p", "y", datetime(2020, 1, 2), None, None, "T_MCO")],
        schema=["patient_id", "activity", "start", "code", "code_system", "source"], orient="row",
    )  # fmt: skip
    log = EventLog.create(events)
    known = pl.DataFrame(
        [
            {"id": "k1", "label": "coding", "month": date(2018, 1, 1), "months_around": 1, "codes": ["AB"],
             "code_systems": ["CCAM"], "sources": [], "fr": "", "en": "", "source": "t"},
            {"id": "k2", "label": "feed", "month": date(2018, 1, 1), "months_around": 0, "codes": [],
             "code_systems": [], "sources": ["T_MCO"], "fr": "", "en": "", "source": "t"},
        ],
        schema=KNOWN_COLUMNS,
    )  # fmt: skip
    rows = [
        ("activity", "", "x", date(2018, 2, 1)),
        ("activity", "", "x", date(2018, 3, 1)),
        ("edge", "y", END, date(2018, 1, 1)),
        ("edge", "y", "x", date(2018, 1, 1)),
        ("activity", "", "y", date(2018, 2, 1)),
        ("activity", "", "y", date(2020, 6, 1)),
    ]
    changes = pl.DataFrame(
        [dict(zip(("kind", "source", "target", "month"), row, strict=True)) for row in rows]
    )
    whole = changes.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in CHANGE_COLUMNS.items()
        if name not in changes.columns
    ).select(*CHANGE_COLUMNS)
    labelled = label_changes(whole, log, known)
    assert labelled["label"].to_list() == ["coding", "practice", "feed", "coding", "practice", "covid"]
    assert labelled["reason"].to_list() == ["k1", None, "k2", "k1", None, "first_lockdown"]
    phases = label_changes(whole.with_columns(target=pl.lit("P")).head(1), log, known, {"x": "P", "y": "P"})
    assert phases["label"].to_list() == ["coding"]


def test_the_list_of_the_package_and_of_others(tmp_path: Path) -> None:
    built_in = known_changes()
    assert dict(built_in.schema) == KNOWN_COLUMNS and built_in.height >= 10
    assert built_in["source"].str.len_chars().min() > 0 and built_in["id"].is_unique().all()
    own = tmp_path / "own.toml"
    text = (
        '[[change]]\nid = "a"\nlabel = "coding"\nmonth = 2020-01-01\nmonths_around = 1\n'
        'fr = "x"\nen = "x"\nsource = "t"\n'
    )
    own.write_text(text, encoding="utf-8")
    assert known_changes(own)["id"].to_list() == ["a"]
    for wrong, message in (
        (text.replace('fr = "x"\n', ""), "lacks the key 'fr'"),
        (text + "more = 1\n", "has an unknown key 'more'"),
        (text.replace('"coding"', '"practice"'), "give coding or feed"),
        ("[[", "can't be read"),
    ):
        own.write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            known_changes(own)


def test_refusals_and_nobody() -> None:
    log = simulated(0, n=30)
    with pytest.raises(LogError, match="no level 'phases'"):
        drift(log, level="phases")  # type: ignore[arg-type]
    with pytest.raises(LogError, match="step_days = 0"):
        drift(log, step_days=0)
    with pytest.raises(DefinitionError, match="needs a definition"):
        drift(log, level="phase")
    nobody = drift(EventLog.create(log.events.clear().select("patient_id", "activity", "start")))
    short = drift(
        EventLog.create(
            log.events.filter(pl.col("patient_id") == "p00001").select("patient_id", "activity", "start")
        )
    )
    for empty in (nobody, short):
        assert isinstance(empty, Drift) and empty.changes.is_empty() and empty.months.is_empty()
        assert dict(empty.changes.schema) == CHANGE_COLUMNS and dict(empty.months.schema) == MONTH_COLUMNS
        assert "p00001" not in repr(empty) + empty._repr_html_()
    assert find_changes(nobody.months).is_empty()
