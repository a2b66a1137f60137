"""Each quality check fails on a log that breaks it, and passes on the clean one; two builds are compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from eventlogs.abstraction import complete_origins
from eventlogs.checks import CHECKS
from eventlogs.checks.evidence import Counted
from eventlogs.log import EVENT_COLUMNS, PATIENT_COLUMNS, EventLog, conform
from eventlogs.quality import QualityReport, check_log, compare_quality
from pathways.cli import main
from pathways.steps import compare

N_PATIENTS, N_MONTHS = 120, 36
FIRST = datetime(2018, 1, 1)
COUNTS = {
    "lines_read": 1000,
    "rows_attached": 1000,
    "chained.2019": 400,
    "chaining_error.2019": 8,
    "chained.2020": 600,
    "chaining_error.2020": 6,
}


@dataclass(frozen=True)
class Parts:
    """What a log and its report are made of; a break replaces some of it."""

    events: pl.DataFrame
    patients: pl.DataFrame
    horizons: pl.DataFrame
    withdrawn: pl.DataFrame
    origins: pl.DataFrame | None = None
    counts: Mapping[str, int] | None = None
    activities: tuple[str, ...] = ("tablets", "session")
    today: date = date(2021, 6, 1)

    def log(self) -> EventLog:
        return EventLog.create(self.events, self.patients, self.horizons, withdrawn=self.withdrawn)

    def report(self) -> QualityReport:
        log = self.log()
        origins = complete_origins(log) if self.origins is None else self.origins
        return check_log(
            log, self.counts, origins=origins, absent=(), activities=self.activities, today=self.today
        )


@cache
def clean() -> Parts:
    """Return a cohort of 120 women: tablets and a session each month, for three years, in two hospitals."""
    person = pl.int_range(N_PATIENTS, eager=True).alias("person")
    month = pl.datetime_range(FIRST, datetime(2020, 12, 1), "1mo", eager=True).alias("month")
    assert month.len() == N_MONTHS
    grid = person.to_frame().join(month.to_frame(), how="cross")
    name = pl.concat_str(pl.lit("P"), pl.col("person").cast(pl.String).str.zfill(3))
    day = pl.duration(days=pl.col("person") % 14)
    city = grid.select(
        patient_id=name, activity=pl.lit("tablets"), start=pl.col("month") + day, source=pl.lit("ER_PHA_F"),
        code=pl.lit("3400930000001"), code_system=pl.lit("CIP13"), quantity=pl.lit(30),
        facility=pl.lit(None, pl.String), territory_of_care=pl.lit("75"), date_precision=pl.lit("day"),
        known_from=pl.col("month") + pl.duration(days=40),
    )  # fmt: skip
    hospital = grid.select(
        patient_id=name, activity=pl.lit("session"), start=pl.col("month") + day + pl.duration(days=7),
        source=pl.lit("T_MCOaaB"), code=pl.lit("28Z07Z"), code_system=pl.lit("GHM"), quantity=pl.lit(1),
        facility=pl.when(pl.col("person") % 2 == 0).then(pl.lit("75000000")).otherwise(pl.lit("2A000001")),
        territory_of_care=pl.lit("75"), date_precision=pl.lit("day"), known_from=pl.col("month") + pl.duration(days=60),
    )  # fmt: skip
    end = pl.when(pl.col("source") == "T_MCOaaB").then(pl.col("start"))
    patients = person.to_frame().select(
        patient_id=name, sex=pl.lit("F"), birth_year=1940 + pl.col("person") % 40, territory=pl.lit("29"),
        deprivation=1 + pl.col("person") % 5, index_date=FIRST + day, observed_from=pl.lit(FIRST),
        vital_status_known=pl.lit(True), network=pl.lit("N1"),
    )  # fmt: skip
    horizons = pl.DataFrame({"source": ["dcir", "pmsi"], "observed_until": [datetime(2020, 12, 31)] * 2})
    events = pl.concat([city, hospital]).with_columns(end=end)
    gone = events.head(3).with_columns(known_until=pl.col("known_from") + pl.duration(days=30))
    return Parts(
        conform(events, EVENT_COLUMNS, "events").drop("rank", "tied"),
        conform(patients, PATIENT_COLUMNS, "patients"),
        horizons,
        conform(gone, EVENT_COLUMNS, "events"),
        counts=COUNTS,
    )


Break = Callable[[Parts], Parts]


def events(wrong: pl.Expr | None = None, **values: Any) -> Break:
    """Break the events: of all, or of those `wrong`, these columns have these values."""
    return lambda parts: replace(parts, events=_changed(parts.events, wrong, values))


def patients(**values: Any) -> Break:
    """Break the patients: of one in ten these columns have these values."""
    some = pl.int_range(pl.len()) % 10 == 0
    return lambda parts: replace(parts, patients=_changed(parts.patients, some, values))


def _changed(frame: pl.DataFrame, wrong: pl.Expr | None, values: dict[str, Any]) -> pl.DataFrame:
    which = pl.lit(True) if wrong is None else wrong
    new = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in values.items()}
    return frame.with_columns(
        pl.when(which).then(value.cast(frame.schema[name])).otherwise(name).alias(name)
        for name, value in new.items()
    )


def without(gone: pl.Expr) -> Break:
    return lambda parts: replace(parts, events=parts.events.filter(~gone))


def counts(**values: int) -> Break:
    return lambda parts: replace(
        parts, counts={**COUNTS, **{k.replace("__", "."): n for k, n in values.items()}}
    )


CITY, HOSPITAL = pl.col("source") == "ER_PHA_F", pl.col("source") == "T_MCOaaB"
MOST = pl.col("patient_id").str.slice(-1) != "0"


def in_month(*months: str) -> pl.Expr:
    return pl.col("start").dt.strftime("%Y-%m").is_in(months)


def twice(parts: Parts) -> Parts:
    return replace(parts, events=pl.concat([parts.events, parts.events.head(100)]))


def horizons(**values: Any) -> Break:
    return lambda parts: replace(parts, horizons=pl.DataFrame(values))


BREAKS: dict[str, Break] = {
    "no_event": lambda parts: replace(parts, events=parts.events.clear(), withdrawn=parts.withdrawn.clear()),
    "activity_unknown": events(pl.int_range(pl.len()) == 0, activity="strange"),
    "code_shape": events(HOSPITAL, code="28Z7"),
    "code_without_system": events(HOSPITAL, code_system=None),
    "territory_valid": patients(territory="20"),
    "place_of_care_valid": events(CITY, territory_of_care="9A"),
    "sex_value": patients(sex="2"),
    "deprivation_value": patients(deprivation=6),
    "facility_form": events(HOSPITAL, facility="CHU"),
    "facility_two_forms": events(in_month("2018-03") & HOSPITAL, facility=pl.col("facility") + "1"),
    "unknown_person": counts(lines_unknown_person=11),
    "origin_missing": lambda parts: replace(parts, origins=complete_origins(parts.log()).head(-1)),
    "origin_stray": lambda parts: replace(
        parts, origins=complete_origins(parts.log()).with_columns(pl.col("rank") + pl.lit(1, pl.UInt32))
    ),
    "horizon_missing": horizons(source=["dcir"], observed_until=[datetime(2020, 12, 31)]),
    "horizon_order": horizons(
        patient_id=[None, None, "P001"],
        source=["dcir", "pmsi", "all"],
        observed_until=[datetime(2020, 12, 31), datetime(2020, 12, 31), datetime(2021, 1, 1)],
    ),
    "withdrawn_order": lambda parts: replace(
        parts, withdrawn=parts.withdrawn.with_columns(known_until=pl.col("known_from"))
    ),
    "chaining_error": counts(chaining_error__2019=21),
    "grouping_error": counts(trap__grouping_error=21),
    "row_without_date": counts(rows_without_date=11),
    "patient_without_event": without(pl.col("patient_id") == "P001"),
    "sex_missing": patients(sex=None),
    "birth_year_missing": patients(birth_year=None),
    "territory_missing": patients(territory=None),
    "deprivation_missing": patients(deprivation=None),
    "network_missing": patients(network=None),
    "index_missing": patients(index_date=None),
    "observation_missing": patients(observed_from=None),
    "vital_status_unknown": lambda parts: replace(
        parts, patients=parts.patients.with_columns(vital_status_known=pl.lit(False))
    ),
    "death_without_day_known": patients(death_date=datetime(2020, 12, 30)),
    "facility_missing": events(HOSPITAL, facility=None),
    "coarse_date": events(HOSPITAL, date_precision="month"),
    "right_edge": horizons(
        source=["dcir", "pmsi"], observed_until=[datetime(2020, 6, 30), datetime(2020, 12, 31)]
    ),
    "feed_lag": without(CITY & MOST & in_month("2020-12")),
    "month_empty": without(CITY & in_month("2019-07")),
    "source_silent": without(HOSPITAL),
    "duplicate": twice,
    "tied": events(HOSPITAL, start=pl.col("start") - pl.duration(days=7)),
    "crowded_day": events(pl.col("patient_id") < "P020", start=datetime(2018, 5, 5)),
    "age_range": patients(birth_year=1890),
    "minor": patients(birth_year=2005),
    "sex_activity": events(HOSPITAL, code="JGFA006", code_system="CCAM"),
    "quantity_positive": events(CITY, quantity=0),
    "long_event": events(HOSPITAL, end=pl.col("start") + pl.duration(days=366)),
    "before_birth": patients(birth_year=2019),
    "after_death": patients(death_date=datetime(2020, 6, 1), death_known_from=datetime(2020, 7, 1)),
    "after_exit": patients(
        exit_date=datetime(2020, 6, 1), exit_reason="abroad", exit_known_from=datetime(2020, 7, 1)
    ),
    "before_observation": patients(observed_from=datetime(2019, 1, 1)),
    "end_before_start": events(HOSPITAL, end=pl.col("start") - pl.duration(days=1)),
    "future_date": lambda parts: replace(parts, today=date(2020, 12, 1)),
    "index_in_period": patients(index_date=datetime(2021, 2, 1)),
    "death_order": patients(death_date=datetime(2020, 12, 31), death_known_from=datetime(2020, 12, 1)),
    "known_before_care": events(CITY, known_from=pl.col("start") - pl.duration(days=40)),
    "late_knowledge": events(CITY, known_from=pl.col("start") + pl.duration(days=900)),
    "facility_break": without(
        HOSPITAL
        & MOST
        & in_month("2018-06", "2018-10", "2019-02", "2019-06", "2019-10")
        & (pl.col("facility") < "3")
    ),
    "volume_break": without(CITY & MOST & in_month("2018-07", "2019-07")),
}
"""A log that breaks each check, by the check's name."""


def test_the_clean_log_passes_every_check_and_each_has_something_to_look_at() -> None:
    report = clean().report()
    assert [check.id for check in report.failed] == []
    idle = {check.id for check in report.checks if check.state == "nothing"}
    assert idle == {"death_without_day_known", "death_order", "sex_activity"}


def test_there_are_more_than_thirty_checks_and_a_break_of_each() -> None:
    judged = {rule.id for rule in CHECKS if rule.threshold is not None}
    assert len(judged) > 30
    assert judged == set(BREAKS)
    assert len({rule.id for rule in CHECKS}) == len(CHECKS)
    assert {rule.category for rule in CHECKS} == {"conformance", "completeness", "plausibility"}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_log_fails_the_check(name: str) -> None:
    failed = BREAKS[name](clean()).report().failed
    assert name in {check.id for check in failed}


@pytest.mark.parametrize("name", ["no_event", "origin_stray", "before_birth"])
def test_some_checks_are_fatal(name: str) -> None:
    assert name in {check.id for check in BREAKS[name](clean()).report().fatal}


def found(report: QualityReport, name: str) -> dict[str, tuple[int, int]]:
    return {check.stratum: (check.found, check.out_of) for check in report.checks if check.id == name}


def test_chaining_errors_are_told_by_year() -> None:
    assert found(clean().report(), "chaining_error") == {"2019": (8, 400), "2020": (6, 600)}
    assert found(replace(clean(), counts={}).report(), "chaining_error") == {"": (0, 0)}


def test_the_edge_is_held_against_what_is_usual_so_long_after_the_index() -> None:
    """A cohort closed to newcomers has fewer events at its end, and no feed lag for that."""
    late = pl.col("start") < pl.col("index_date") + pl.duration(days=200)
    index = FIRST + pl.duration(days=7 * pl.int_range(pl.len()))
    people = clean().patients.with_columns(index_date=index)
    short = (
        clean()
        .events.join(people.select("patient_id", "index_date"), on="patient_id")
        .filter(late, pl.col("start") >= pl.col("index_date"))
    )
    closed = replace(clean(), events=short.drop("index_date"), patients=people)
    months = short.filter(HOSPITAL).group_by(pl.col("start").dt.truncate("1mo")).len().sort("start")["len"]
    assert months[-1] < months.max() / 2  # type: ignore[operator]
    assert [check.id for check in closed.report().failed if check.id == "feed_lag"] == []


def test_covid_months_are_marked_apart_and_fail_nothing() -> None:
    lockdown = without(MOST & in_month("2020-03", "2020-04", "2020-05"))(clean()).report()
    assert found(lockdown, "covid_break") == {"hospital": (6, 6)}
    assert {check.id for check in lockdown.failed} <= {"month_empty"}
    assert found(clean().report(), "covid_break") == {"hospital": (0, 6)}


def test_patients_overseas_are_a_stratum_and_not_missing() -> None:
    report = patients(territory="972", deprivation=None)(clean()).report()
    assert found(report, "deprivation_overseas") == {"": (12, 120)}
    assert found(report, "deprivation_missing") == {"": (0, 108)}
    assert report.failed == ()


def test_each_trap_that_was_counted_has_its_line() -> None:
    traps = [
        Counted("majoration", "supplements are no acts", "lines", "source", "lines_read"),
        Counted("double_facility", "told twice", "stays", "source", "chained"),
        Counted("code_typos", "codes that do not exist", "codes", "source"),
        Counted("covid", "not counted by this build", "events", "source", "events"),
    ]
    numbers = {"lines_read": 200, "trap.majoration": 8, "trap.double_facility": 3, "trap.code_typos": 2}
    report = check_log(clean().log(), COUNTS | numbers, traps=traps)
    lines = {check.id: check for check in report.checks if check.id.startswith("trap.")}
    assert {name: (line.found, line.out_of) for name, line in lines.items()} == {
        "trap.majoration": (8, 200),
        "trap.double_facility": (3, 1000),
        "trap.code_typos": (2, 0),
    }
    assert {line.state for line in lines.values()} == {"count"}


def test_two_builds_are_compared() -> None:
    old = patients(sex="2")(patients(territory="20")(clean())).report()
    new = patients(deprivation=6)(patients(territory="20")(clean())).report()
    change = compare_quality(old, new)
    assert [check.id for check in change.new] == ["deprivation_value"]
    assert [check.id for check in change.resolved] == ["sex_value"]
    assert [check.id for check in change.persisting] == ["territory_valid"]
    assert change.frame().select("change", "id").rows() == [
        ("new", "deprivation_value"), ("resolved", "sex_value"), ("persisting", "territory_valid"),
    ]  # fmt: skip
    assert compare_quality(new, new).frame()["change"].to_list() == ["persisting"] * 2
    assert compare_quality(clean().report(), clean().report()).frame().is_empty()


def test_a_report_is_a_frame_and_plain_data() -> None:
    report = clean().report()
    assert report.frame().height == len(report.checks)
    assert json.loads(json.dumps(report.to_dict()))["fatal"] == []


def ready_log(folder: Path, birth_year: int) -> str:
    folder.mkdir()
    (folder / "events.csv").write_text("patient_id,activity,start\na,visit,2020-01-01\na,visit,2020-02-01\n")
    (folder / "patients.csv").write_text(f"patient_id,birth_year\na,{birth_year}\n")
    return str(folder)


def test_the_command_prints_compares_and_exits_with_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pathways.cli.console", Console(width=220, highlight=False, markup=False))
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    for study, year in ((good, 1950), (bad, 2050)):
        assert main(["build", ready_log(tmp_path / f"log{year}", year), "--from", "table", "-o", study]) == 0
    assert main(["check", good]) == 0
    assert main(["check", bad, "--against", good]) == 4
    said = capsys.readouterr()
    assert "before_birth" in said.err and "look at the source" in said.err
    printed = " ".join(said.out.split())
    assert "new FATAL events before the year of birth 2 of 2 events (100.00%) 0.1%" in printed
    assert "[plausibility]" in printed and "[completeness]" in printed
    assert json.loads((tmp_path / "bad" / "quality.json").read_text())["fatal"] == ["before_birth"]
    assert {check.id for check in compare(good, bad).resolved} >= {"before_birth"}
