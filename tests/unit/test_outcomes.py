"""What became of patients, one rule each; and maps by code that add up to maps by activity."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from eventlogs.log import EventLog
from pathways.mining.codes import by_code, code_of
from pathways.mining.kernels import END, START
from pathways.mining.maps import ProcessMap, process_maps
from pathways.mining.outcomes import DEAD, FOLLOWED, LOST, OUTCOMES, fold_death, one_end, outcomes

DAY_0, HORIZON = datetime(2020, 1, 1), datetime(2023, 12, 31)


def log_of(
    last_days: dict[str, int],
    patients: dict[str, dict[str, object]] | None = None,
    own: dict[str, datetime] | None = None,
    died: str = "",
) -> EventLog:
    rows = [
        (p, name, DAY_0 + timedelta(days=d))
        for p, last in last_days.items()
        for name, d in (("a", 0), ("b", last))
    ]
    rows += [(died, "death", DAY_0 + timedelta(days=last_days[died] + 1))] if died else []
    told = {"death_date": None, "exit_date": None, "exit_reason": None}
    frame = pl.DataFrame(
        [{"patient_id": p, **told, **(patients or {}).get(p, {})} for p in last_days],
        infer_schema_length=None,
    )
    until = pl.DataFrame(
        [(None, "dcir", HORIZON), *((p, "all", day) for p, day in (own or {}).items())],
        schema={"patient_id": pl.String, "source": pl.String, "observed_until": pl.Datetime("us")},
        orient="row",
    )
    events = pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row")
    return EventLog.create(events, frame, until)


def fates(log: EventLog, silence_days: int | None = None) -> dict[str, str]:
    return dict(outcomes(log, silence_days).rows())


def test_a_log_that_does_not_say_has_one_end():
    log = log_of({"p": 10, "q": 20})
    assert fates(log) == fates(log, 30) == {}
    flow = ProcessMap.from_log(log).flow()
    assert set(flow["target"]) == {"a", "b", END}


@pytest.mark.parametrize("reason", ["scheme_exit", "abroad"])
def test_who_left_the_scheme_or_the_country_is_lost(reason):
    log = log_of({"p": 10, "q": 20}, {"p": {"exit_reason": reason, "exit_date": DAY_0 + timedelta(days=30)}})
    assert fates(log) == {"p": LOST, "q": FOLLOWED}


def test_palliative_care_is_no_loss():
    log = log_of({"p": 10, "q": 20}, {"p": {"exit_reason": "palliative_care", "exit_date": DAY_0}})
    assert fates(log, 30) == {"p": FOLLOWED, "q": FOLLOWED}


def test_death_comes_before_a_loss():
    gone = {"exit_reason": "abroad", "exit_date": DAY_0, "death_date": DAY_0 + timedelta(days=90)}
    assert fates(log_of({"p": 10, "q": 20}, {"p": gone})) == {"p": DEAD, "q": FOLLOWED}


def test_death_told_by_an_event_alone_is_a_death():
    assert fates(log_of({"p": 10, "q": 20}, died="q")) == {"p": FOLLOWED, "q": DEAD}


def test_a_horizon_of_ones_own_before_the_log_s_is_a_loss():
    log = log_of({"p": 10, "q": 20}, own={"p": DAY_0 + timedelta(days=50), "q": HORIZON})
    assert fates(log) == {"p": LOST, "q": FOLLOWED}


def test_silence_is_a_loss_only_where_no_exit_is_stated():
    """1 460 days to the horizon: p's last event is 1 450 days before it, q's 60."""
    some_dead = log_of({"p": 10, "q": 1400, "r": 5}, died="r")
    assert fates(some_dead) == {"p": FOLLOWED, "q": FOLLOWED, "r": DEAD}
    assert fates(some_dead, 730) == {"p": LOST, "q": FOLLOWED, "r": DEAD}
    assert fates(some_dead, 1450) == {"p": FOLLOWED, "q": FOLLOWED, "r": DEAD}
    stated = {"r": {"exit_reason": "death", "exit_date": DAY_0, "death_date": DAY_0}}
    assert fates(log_of({"p": 10, "q": 1400, "r": 5}, stated), 730) == {
        "p": FOLLOWED,
        "q": FOLLOWED,
        "r": DEAD,
    }


def test_every_patient_reaches_one_outcome_and_the_end():
    log = log_of({"p": 10, "q": 20, "r": 30}, {"p": {"exit_reason": "abroad", "exit_date": DAY_0}}, died="r")
    one = ProcessMap.from_log(log)
    flow = {(s, t): n for s, t, n in one.flow().select("source", "target", "n_events").rows()}
    assert flow["b", LOST] == flow["b", FOLLOWED] == flow["death", DEAD] == 1
    assert [flow[name, END] for name in OUTCOMES] == [1, 1, 1]
    assert sum(n for (_, target), n in flow.items() if target == END) == flow[START, "a"] == 3
    assert set(OUTCOMES) < set(one.to_networkx())
    ends = {(s, t): n for s, t, n in one_end(one.flow()).rows() if t == END}
    assert ends == {("b", END): 2, ("death", END): 1}


def test_a_death_is_drawn_once():
    nodes = pl.DataFrame({"activity": ["a", "death", DEAD, LOST]})
    rows = [("a", "death"), ("death", DEAD), (DEAD, END), (LOST, END)]
    edges = pl.DataFrame(rows, schema=["source", "target"], orient="row")
    kept, drawn = fold_death(nodes, edges)
    assert kept["activity"].to_list() == ["a", "death", LOST]
    assert drawn.rows() == [("a", "death")]
    straight = pl.concat([edges, pl.DataFrame({"source": ["a"], "target": [DEAD]})])
    assert DEAD in fold_death(nodes, straight)[0]["activity"]


def test_codes_add_up_to_activities():
    events = pl.DataFrame(
        {
            "patient_id": ["p", "p", "p", "q", "q"],
            "activity": ["a", "b", "death", "a", "b"],
            "start": [DAY_0 + timedelta(days=d) for d in (0, 1, 2, 0, 1)],
            "code_system": ["CCAM", "CIP13", None, "CCAM", "CIP13"],
            "code": ["AAAA001", "34009", None, "AAAA002", "34010"],
        }
    )
    log = EventLog.create(events)
    molecules = pl.DataFrame(
        {"code_system": ["CIP13"] * 2, "code": ["34009", "34010"], "atc": ["L02BA01"] * 2}
    )
    fine, activity_of = by_code(log, molecules, most_codes=2)
    assert fine.events["activity"].to_list() == ["a/CCAM:AAAA001", "b/L02BA01", "death", "a/*", "b/L02BA01"]
    assert activity_of["a/*"] == activity_of["a/CCAM:AAAA001"] == "a"
    assert (code_of("a/*", "fr"), code_of("b/L02BA01", "en")) == ("(autres codes)", "L02BA01")
    maps = process_maps(log, None, molecules)
    named = pl.col("source", "target").replace(maps["code"].activity_of)
    summed = (
        maps["code"].flow().with_columns(named).group_by("source", "target").agg(pl.col("n_events").sum())
    )
    coarse = maps["activity"].flow().select("source", "target", "n_events")
    assert sorted(summed.rows()) == sorted(coarse.rows())
