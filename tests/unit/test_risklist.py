"""The list and its reasons."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eventlogs.errors import InputError
from eventlogs.log import EventLog
from pathways.risk.explain import drops, lower_first, pathway_reasons
from pathways.risk.features import describe, features, rows_at
from pathways.risk.risklist import LIST_COLUMNS, RiskList, score

from .simulated import cohort, pathway, trained

AT = date(2020, 9, 1)


def network() -> EventLog:
    return cohort(200, seed=21, snds=False)


def scored(**options: object) -> RiskList:
    chosen: dict[str, object] = {"at": AT, "capacity": 8, **options}
    return score(network(), trained(), pathway(), **chosen)  # type: ignore[arg-type]


def test_a_list_is_short_ranked_and_one_row_a_patient() -> None:
    frame = scored().frame
    assert dict(frame.schema) == LIST_COLUMNS
    assert frame["rank"].to_list() == list(range(1, 9))
    assert frame["patient_id"].n_unique() == 8
    assert frame["risk"].to_list() == sorted(frame["risk"], reverse=True)
    assert frame["scored_at"].unique().to_list() == [AT] and frame["model"].unique().to_list() == [
        trained().name
    ]


def test_a_longer_list_begins_with_the_shorter_and_keeps_the_highest_risk_of_each() -> None:
    longer = scored(capacity=1000).frame
    assert longer.head(8).equals(scored().frame)
    known = network().as_of(AT)
    rows = rows_at(known, pathway(), AT)
    risks = rows.with_columns(risk=pl.Series(trained().predict(features(known, rows, pathway()))))
    highest = risks.group_by("patient_id").agg(pl.col("risk").max())
    assert longer.select("patient_id", "risk").sort("patient_id").equals(highest.sort("patient_id"))
    assert rows.height > highest.height


def test_days_overdue_and_due_date_agree() -> None:
    frame = scored(capacity=1000).frame
    late = (pl.lit(AT) - pl.col("due_date")).dt.total_days().clip(0)
    assert frame.select((late == pl.col("days_overdue")).all()).item()
    assert frame["days_overdue"].max() > 0  # type: ignore[operator]


def test_only_what_was_known_then_counts() -> None:
    log = network()
    cut = datetime(2020, 9, 2)
    past = EventLog.create(
        log.events.filter(pl.col("start") < cut), log.patients, log.horizons, within_day=log.within_day
    )
    whole = score(log, trained(), pathway(), at=AT, capacity=20)
    assert score(past, trained(), pathway(), at=AT, capacity=20).frame.equals(whole.frame)


def test_the_first_reason_is_the_pathway_s() -> None:
    rows = pl.DataFrame(
        {
            "breakdown": ["late", "gap", "gap", "lapse"],
            "opened_by": ["biopsy", "dispensing", "dispensing", "surgery"],
            "opened": [datetime(2020, 1, 1)] * 4,
            "due": [
                datetime(2020, 3, 31),
                datetime(2020, 1, 31),
                datetime(2020, 4, 18),
                datetime(2020, 12, 31),
            ],
            "landmark": [datetime(2020, 4, 8)] * 4,
        }
    )
    assert pathway_reasons(rows, pathway(), "fr") == [
        "Biopsie il y a 98 jours, pas de chirurgie (étape attendue sous 90 jours)",
        "Délivrance il y a 98 jours, couverture finie depuis 68 jours, pas de renouvellement",
        "Délivrance il y a 98 jours, couverture finie dans 10 jours, pas de renouvellement",
        "Chirurgie il y a 98 jours, pas d'IRM de contrôle (étape attendue sous 365 jours)",
    ]
    assert pathway_reasons(rows, pathway(), "en")[1] == (
        "Dispensing 98 days ago, supply ended 68 days ago, no refill yet"
    )


def test_an_acronym_keeps_its_capitals() -> None:
    assert (lower_first("IRM mammaire"), lower_first("Chirurgie"), lower_first("")) == (
        "IRM mammaire",
        "chirurgie",
        "",
    )


def test_other_reasons_are_the_features_that_raise_the_risk_most() -> None:
    frame = scored(capacity=100, language="en").frame
    said = frame.filter(pl.col("reason_2") != "")["reason_2"].to_list()
    assert len(said) > 20 and all("(usually " in reason for reason in said)
    assert any("Emergency visits" in reason for reason in said)
    assert not any("expectation" in reason.lower() or "Territory" in reason for reason in said)


def test_a_drop_is_the_fall_of_the_log_odds_when_the_median_is_put_in() -> None:
    known = network().as_of(AT)
    rows = rows_at(known, pathway(), AT).filter(breakdown="late").head(5)
    table = rows.hstack(features(known, rows, pathway()))
    item = next(item for item in describe(pathway()) if item.id == "n_emergency_180d")
    usual = table.with_columns(pl.lit(trained().medians["late"][item.id]).alias(item.id))
    before, after = (trained().predict(frame) for frame in (table, usual))
    by_hand = np.log(before / (1 - before)) - np.log(after / (1 - after))
    assert np.allclose(drops(trained(), table, [item])[item.id], by_hand)


def test_a_network_s_list_can_be_acted_on_and_an_snds_list_cannot() -> None:
    assert scored().actionable and "une personne décide" in scored().limits
    log = cohort(200, seed=21)
    retrospective = score(log, trained(), pathway(), at=AT, capacity=5, language="en")
    assert not retrospective.actionable and "stays in the study" in retrospective.limits
    assert not scored(feed="pmsi_monthly").actionable


def test_limits_say_what_is_absent_synthetic_or_without_signal() -> None:
    log = network()
    without = EventLog.create(
        log.events.filter(pl.col("activity") != "mammography"),
        log.patients,
        log.horizons,
        within_day=log.within_day,
    )
    weak = replace(trained(), metrics=trained().metrics.with_columns(low=pl.lit(0.4)))
    limits = score(without, weak, pathway(), at=AT, capacity=5, language="en").limits
    assert "this log lacks: mammography" in limits and "synthetic" in limits and "No usable signal" in limits


def test_a_log_without_sex_territory_or_facility_is_scored() -> None:
    log = network()
    bare = EventLog.create(
        log.events.select("patient_id", "activity", "start", "quantity"), horizons=log.horizons,
        within_day=log.within_day)  # fmt: skip
    assert score(bare, trained(), pathway(), at=AT, capacity=5).frame.height == 5


def test_nothing_pending_gives_an_empty_list() -> None:
    frame = scored(at=date(2017, 1, 1)).frame
    assert frame.is_empty() and dict(frame.schema) == LIST_COLUMNS


def test_a_model_that_does_not_fit_is_refused() -> None:
    log, model = network(), trained()
    cases = [
        (log, replace(model, pathway_id="lung"), "trained for the pathway 'lung'"),
        (log, replace(model, pathway_sha256="0" * 64), "another text of 'simulated'"),
        (log, replace(model, features=model.features[1:]), "first 'days_since_opened'"),
        (
            log.with_activities({name: name.upper() for name in log.activities}),
            model,
            "none of the activities",
        ),
    ]
    for one, other, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            score(one, other, pathway(), at=AT, capacity=5)


def test_a_stale_log_an_unknown_feed_and_no_capacity_are_refused() -> None:
    with pytest.raises(InputError, match="more than 31 days"):
        scored(at=date(2024, 1, 1))
    with pytest.raises(InputError, match="there is no feed"):
        scored(feed="fax")
    with pytest.raises(InputError, match="the capacity is 0"):
        scored(capacity=0)


def test_csv_opens_in_a_french_spreadsheet(tmp_path: Path) -> None:
    path = scored().write(tmp_path / "list.csv")
    text = path.read_bytes()
    assert text.startswith("\ufeffrank;patient_id;risk".encode())
    assert pl.read_csv(path, separator=";").columns == list(LIST_COLUMNS)
    assert [file.name for file in tmp_path.iterdir()] == ["list.csv"]


def test_xlsx_has_the_list_and_its_limits(tmp_path: Path) -> None:
    path = scored().write(tmp_path / "list.xlsx", "xlsx")
    with zipfile.ZipFile(path) as book:
        assert b'name="limits"' in book.read("xl/workbook.xml")
        assert "une personne décide" in book.read("xl/sharedStrings.xml").decode()


def test_a_failed_write_leaves_the_old_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="can't be written as 'pdf'"):
        scored().write(path, "pdf")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="choose another place"):
        scored().write(tmp_path / "nowhere" / "list.csv")
    assert path.read_text() == "old"


def test_a_repr_holds_no_patient() -> None:
    made = scored()
    assert "S0" not in repr(made) + made._repr_html_()
