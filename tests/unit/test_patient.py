"""K2 on rows written by hand: origins through every merge, the cohort, what ends an observation, regimens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from eventlogs.activities import CODE_COLUMNS, ActivityRules, CohortRules
from eventlogs.log import EventLog
from eventlogs.observation import observation_periods
from eventlogs.practice import Practice
from eventlogs.snds import cohort, patient, regimens
from eventlogs.snds.exits import own_horizons
from eventlogs.snds.merging import SOURCE_ORDER
from eventlogs.snds.rows import ROW
from eventlogs.snds.schema import tables

RULES = ActivityRules(
    codes=pl.DataFrame(schema=CODE_COLUMNS),
    derived={"death": "death"},
    cohort=CohortRules(diagnosis=("C50",), treatments=("surgery",), diagnostics=("biopsy",)),
)

DIAGNOSED = {"kind": "diagnosis", "source": "IR_IMB_R", "code": "C50", "date": date(2021, 1, 1)}

LINE = {"kind": "line", "source": "ER_CAM_F", "activity": "biopsy", "code": "QEHJ001", "code_system": "CCAM"}

ACT = {"kind": "act", "source": "T_MCOaaA", "activity": "biopsy", "code": "QEHJ001", "code_system": "CCAM",
       "table_year": "21", "establishment": "750000001"}  # fmt: skip


def claim(number: int, day: date, flux: date, quantity: int | None = 1, **more: Any) -> dict[str, Any]:
    return LINE | {"DCT_ORD_NUM": number, "date": day, "flux": flux, "quantity": quantity} | more


def rows(*given: Mapping[str, Any], diagnosed: bool = True) -> pl.DataFrame:
    opened = [DIAGNOSED] if diagnosed else []
    return pl.DataFrame([{"person": 0} | dict(row) for row in (*opened, *given)], schema=ROW)


def people(n: int = 1, **more: Any) -> pl.DataFrame:
    told = {
        "person": pl.Series(range(n), dtype=pl.Int64),
        "patient_id": [f"p{i}" for i in range(n)],
        "sex": "F",
        "birth_year": pl.lit(1960, dtype=pl.Int32),
        "territory": "75",
        "death_date": pl.lit(None, dtype=pl.Date),
        "deprivation": pl.lit(3, dtype=pl.Int8),
        "excluded": pl.lit(None, dtype=pl.String),
        "vital_status_known": True,
    } | more
    constant = {name: pl.lit(v) if isinstance(v, str | bool | date) else v for name, v in told.items()}
    return pl.DataFrame({"person": told["person"]}).with_columns(
        **{name: pl.Series(value) if isinstance(value, list) else value for name, value in constant.items()}
    )


def under(**cohort_rules: Any) -> ActivityRules:
    return replace(RULES, cohort=replace(RULES.cohort, **cohort_rules))


def origin_keys(built: patient.Built) -> dict[tuple[str, int], list[str]]:
    grouped = built.origins.group_by("patient_id", "rank", maintain_order=True).agg("key")
    return {(p, rank): keys for p, rank, keys in grouped.rows()}


MARCH, APRIL, JULY = date(2021, 3, 1), date(2021, 4, 1), date(2021, 7, 1)


class TestOrigins:
    def test_every_line_of_a_day_and_the_stay_that_repeats_them(self) -> None:
        stay = ACT | {"date": date(2021, 3, 4), "offset_days": 1, "stay": "7", "part": "2"}
        built = patient.build(
            rows(claim(1, date(2021, 3, 5), APRIL), claim(2, date(2021, 3, 5), APRIL), stay), people(), RULES
        )
        assert built.events.select("activity", "source").rows() == [("biopsy", "T_MCOaaA")]
        assert origin_keys(built) == {("p0", 0): ["2021-04-01|1", "2021-04-01|2", "21|750000001|7|2"]}

    def test_original_cancellation_and_new_line(self) -> None:
        lines = [claim(1, MARCH, APRIL), claim(2, MARCH, JULY, -1), claim(3, MARCH, JULY, 1)]
        built = patient.build(rows(*lines), people(), RULES)
        assert built.origins["quantity"].to_list() == [1, -1, 1]
        assert built.events["quantity"].to_list() == [1]

    def test_a_cancelled_line_is_the_origin_of_nothing(self) -> None:
        stay = ACT | {"date": MARCH, "stay": "7"}
        built = patient.build(rows(claim(1, MARCH, APRIL), claim(2, MARCH, JULY, -1), stay), people(), RULES)
        assert origin_keys(built) == {("p0", 0): ["21|750000001|7"]}

    def test_one_row_of_three_sessions_is_the_origin_of_three_events(self) -> None:
        sessions = ACT | {"kind": "session", "source": "T_MCOaaB", "activity": "chemo", "code": "28Z07Z", "stay": "7",
                          "date": MARCH, "until": date(2021, 3, 15), "quantity": 3}  # fmt: skip
        built = patient.build(rows(sessions), people(), RULES)
        assert origin_keys(built) == {("p0", rank): ["21|750000001|7"] for rank in range(3)}

    def test_every_teller_of_a_death(self) -> None:
        certified = {"kind": "death", "source": "KI_CCI_R", "code": "C509", "date": date(2021, 5, 6)}
        built = patient.build(
            rows(claim(1, MARCH, APRIL), certified), people(death_date=date(2021, 5, 5)), RULES
        )
        death = built.origins.filter(pl.col("rank") == 1)
        assert death.select("source", "key").rows() == [("IR_BEN_R", "p0"), ("KI_CCI_R", "p0")]
        assert built.events["start"].dt.date().to_list() == [MARCH, date(2021, 5, 6)]

    def test_a_teller_that_is_not_named_tells_no_death(self) -> None:
        certified = {"kind": "death", "source": "KI_CCI_R", "code": "C509", "date": date(2021, 5, 6)}
        rules = replace(RULES, practice=Practice(death_order=("causes",)))
        persons = people(2, death_date=date(2021, 5, 5))
        given = rows(
            claim(1, MARCH, APRIL), certified, claim(2, MARCH, APRIL, person=1), DIAGNOSED | {"person": 1}
        )
        built = patient.build(given, persons, rules)
        assert built.patients["death_date"].dt.date().to_list() == [date(2021, 5, 6), None]
        assert built.origins.filter(pl.col("source") == "IR_BEN_R").is_empty()

    def test_rows_outside_the_cohort_and_before_the_lookback_have_no_event(self) -> None:
        lines = [claim(1, MARCH, APRIL), claim(2, date(2019, 3, 1), date(2019, 4, 1), activity="scan")]
        other = claim(3, MARCH, APRIL, person=1)
        built = patient.build(
            rows(*lines, other), people(2), under(lookback_days=180, index_activities=("biopsy",))
        )
        assert origin_keys(built) == {("p0", 0): ["2021-04-01|1"]}

    def test_simplified_claims_are_named_by_their_single_key(self) -> None:
        line = claim(1, MARCH, APRIL, source="NS_CAM_F", DCT_ORD_NUM=None, CLE_DCI_JNT="K1", atc=None)
        assert patient.build(rows(line), people(), RULES).origins["key"].to_list() == ["K1"]


def test_quantities_of_drugs_are_added_and_acts_are_not() -> None:
    drug = ACT | {"source": "T_MCOaaMED", "code_system": "UCD", "activity": "drug", "code": "9435604",
                  "date": MARCH, "quantity": 2, "stay": "7"}  # fmt: skip
    act = ACT | {"date": MARCH, "quantity": 1, "stay": "7"}
    built = patient.build(rows(drug, drug | {"part": "2"}, act, act | {"stay": "8"}), people(), RULES)
    assert dict(built.events.select("activity", "quantity").rows()) == {"drug": 4, "biopsy": 1}


def test_the_precision_that_a_reader_tells_comes_first() -> None:
    week = ACT | {"kind": "visit", "source": "T_SSRaaB", "date": MARCH, "stay": "7", "precision": "week"}
    assert patient.build(rows(week), people(), RULES).events["date_precision"].to_list() == ["week"]


def test_a_stay_of_another_field_does_not_silence_a_bare_stay() -> None:
    bare = ACT | {
        "kind": "bare_stay",
        "source": "T_MCOaaB",
        "activity": "hospital_stay",
        "date": MARCH,
        "stay": "7",
    }
    visit = ACT | {"kind": "visit", "source": "T_MCOaaFMSTC", "date": MARCH, "stay": "7"}
    built = patient.build(rows(bare, visit), people(), RULES)
    assert sorted(built.events["activity"]) == ["biopsy", "hospital_stay"]


def test_sources_of_events_have_their_place() -> None:
    told = {name for name in tables() if name.startswith(("ER_", "NS_")) or "aa" in name}
    content = told - {name for name in told if name.endswith(("aaC", "ETE_F", "R3A", "R3AD"))}
    assert content <= set(SOURCE_ORDER)


ALD_LATE = DIAGNOSED | {"date": date(2021, 6, 1)}
STAY = {"kind": "diagnosis", "source": "T_MCOaaB", "code": "C50", "date": date(2021, 2, 1), "stay": "1"}
SURGERY = ACT | {"activity": "surgery", "date": date(2021, 4, 5), "stay": "2"}


class TestCohort:
    @pytest.mark.parametrize(
        ("strategies", "expected"),
        [
            (("biopsy_or_endoscopy",), MARCH),
            (("first_treatment",), date(2021, 4, 5)),
            (("ald",), date(2021, 6, 1)),
            (("first_stay",), date(2021, 2, 1)),
            (("ald", "first_treatment"), date(2021, 4, 5)),
            (("index_activities",), MARCH),
        ],
    )
    def test_index(self, strategies: tuple[Any, ...], expected: date) -> None:
        given = rows(ALD_LATE, STAY, SURGERY, claim(1, MARCH, APRIL), diagnosed=False)
        built = patient.build(given, people(), under(index=strategies))
        assert built.patients["index_date"].dt.date().to_list() == [expected]

    def test_attrition_follows_each_person_to_one_step(self) -> None:
        given = [
            {"person": n} | row
            for n in range(8)
            if n != 1
            for row in ((DIAGNOSED if n != 2 else {}), (claim(n, MARCH, APRIL) if n != 3 else {}))
            if row
        ]
        given.append({"person": 4} | DIAGNOSED | {"source": "T_MCOaaB", "date": date(2015, 1, 1)})
        persons = people(
            8,
            excluded=["fictitious_number", *[None] * 7],
            sex=["F"] * 5 + ["M"] + ["F"] * 2,
            birth_year=pl.Series([1960] * 6 + [2010, 1960], dtype=pl.Int32),
        )
        rules = under(sex="F", min_age=18, washout_days=730, index_activities=("biopsy",))
        built = patient.build(pl.DataFrame(given, schema=ROW), persons, rules)
        table = cohort.attrition(8, built.losses)
        assert table.select("step", "persons", "excluded").rows() == [
            ("referential", 8, 0),
            ("identity", 7, 1),
            ("diagnosed", 5, 2),
            ("index", 4, 1),
            ("incident", 3, 1),
            ("sex", 2, 1),
            ("age", 1, 1),
            ("period", 1, 0),
        ]
        assert built.patients["patient_id"].to_list() == ["p7"]

    def test_steps_add_over_buckets(self) -> None:
        given = pl.concat([rows(claim(1, MARCH, APRIL)), rows(diagnosed=False)], how="vertical")
        whole = patient.build(given, people(2), RULES).losses
        parts = [patient.build(given, people(2).filter(pl.col("person") == n), RULES).losses for n in (0, 1)]
        assert whole == {step: sum(part[step] for part in parts) for step in whole}


SEEN_UNTIL = date(2023, 12, 31)


def present(first: date, last: date, kind: str = "presence") -> dict[str, Any]:
    return {"kind": kind, "source": "ER_PRS_F", "date": first, "until": last}


def left(given: list[dict[str, Any]], exits: tuple[Any, ...], **who: Any) -> tuple[Any, ...]:
    built = patient.build(rows(*given), people(**who), under(exits=exits), SEEN_UNTIL)
    dated = built.patients.select(pl.col("exit_date", "exit_known_from").dt.date(), "exit_reason")
    return dated.row(0)


CARE = claim(1, MARCH, APRIL)

EVERY = ("death", "palliative_care", "scheme_exit", "abroad")


class TestExits:
    def test_silence_of_the_living_for_two_years(self) -> None:
        last = date(2021, 12, 30)
        assert left([CARE, present(MARCH, last)], EVERY)[0::2] == (last, "scheme_exit")
        assert left([CARE, present(MARCH, date(2022, 1, 1))], EVERY)[0] is None
        assert left([CARE], EVERY)[0] is None, "without rows of presence silence is unread"

    def test_a_stay_after_the_last_claim_is_care(self) -> None:
        stay = ACT | {"date": date(2022, 5, 1), "stay": "9"}
        assert left([CARE, present(MARCH, MARCH), stay], EVERY)[0] is None

    def test_the_dead_do_not_leave_the_scheme(self) -> None:
        died = date(2023, 6, 1)
        found = left([CARE, present(MARCH, MARCH)], EVERY, death_date=died)
        assert found[0::2] == (died, "death")

    def test_abroad_from_the_first_day_after_all_care_in_france(self) -> None:
        gone = present(date(2022, 2, 1), date(2023, 9, 1), "abroad")
        assert left([CARE, present(MARCH, date(2022, 1, 1)), gone], EVERY)[0::2] == (
            date(2022, 2, 1),
            "abroad",
        )

    def test_back_in_france(self) -> None:
        gone = present(date(2022, 2, 1), date(2022, 3, 1), "abroad")
        assert left([CARE, present(MARCH, date(2023, 5, 1)), gone], EVERY)[0] is None

    def test_residences_that_cross_leave_on_the_last_day(self) -> None:
        gone = present(date(2021, 6, 1), date(2023, 9, 1), "abroad")
        assert left([CARE, present(MARCH, date(2022, 1, 1)), gone], EVERY)[0] == date(2023, 9, 1)

    def test_an_exit_that_is_not_asked_for_is_none(self) -> None:
        assert left([CARE, present(MARCH, MARCH)], ("death",)) == (None, None, None)

    def test_observed_from_is_the_first_care_of_any_kind(self) -> None:
        built = patient.build(rows(CARE, present(date(2018, 5, 5), MARCH)), people(), RULES)
        assert built.patients["observed_from"].dt.date().to_list() == [date(2018, 5, 5)]

    def test_a_log_as_of_a_day_does_not_know_who_will_leave(self) -> None:
        given = rows(CARE, present(MARCH, date(2021, 5, 1)))
        built = patient.build(given, people(), under(exits=("scheme_exit",)), SEEN_UNTIL)
        everyone = pl.DataFrame(
            {"patient_id": [None], "source": ["dcir"], "observed_until": [SEEN_UNTIL]},
            schema_overrides={"patient_id": pl.String, "observed_until": pl.Datetime("us")},
        )
        own = own_horizons(built.patients)
        log = EventLog.create(built.events, built.patients, pl.concat([everyone, own]))
        assert log.observed_until == datetime(2023, 12, 31)
        assert observation_periods(log).select(pl.col("observed_until").dt.date(), "end_reason").rows() == [
            (date(2021, 5, 1), "scheme_exit")
        ]
        before = log.as_of(date(2022, 6, 1))
        assert before.patients.select("exit_date", "exit_reason").row(0) == (None, None)
        assert before.horizons.height == 1
        assert observation_periods(before)["end_reason"].to_list() == ["horizon"]
        assert log.as_of(SEEN_UNTIL).patients["exit_reason"].to_list() == ["scheme_exit"]


def test_vital_status_is_known_of_the_dead_and_deprivation_is_null_overseas() -> None:
    persons = people(death_date=date(2021, 5, 5), vital_status_known=False, territory="971")
    built = patient.build(rows(claim(1, MARCH, APRIL)), persons, RULES)
    assert built.patients.select("vital_status_known", "deprivation").row(0) == (True, None)
    alive = people(vital_status_known=False)
    assert (
        patient.build(rows(claim(1, MARCH, APRIL)), alive, RULES).patients["vital_status_known"].item()
        is False
    )


class TestRegimens:
    def sessions(self, *gaps: int) -> list[dict[str, Any]]:
        day, days = 0, [0]
        for gap in gaps:
            day += gap
            days.append(day)
        chemo = ACT | {
            "kind": "session",
            "source": "T_MCOaaB",
            "activity": "chemo",
            "code": "28Z07Z",
            "quantity": 1,
        }
        return [
            chemo | {"date": date.fromordinal(MARCH.toordinal() + n), "stay": str(n), "until": None}
            for n in days
        ]

    @pytest.mark.parametrize(
        ("gaps", "spacing", "regimen"),
        [
            ((7, 7, 8, 6), "WWWW", "weekly_paclitaxel"),
            ((14, 14, 14, 21, 7, 7, 7), "FFFTWWW", "anthracycline_then_paclitaxel"),
            ((21, 22, 21), "TTT", "anthracycline_or_docetaxel"),
            ((21, 21, 21, 7, 7), "TTTWW", "anthracycline_then_paclitaxel"),
            ((14, 14, 14), "FFF", None),
            ((30, 10), "XX", None),
            ((), "", None),
        ],
    )
    def test_spacing(self, gaps: tuple[int, ...], spacing: str, regimen: str | None) -> None:
        rules = replace(RULES, practice=Practice(infer_regimens=True))
        found = patient.build(rows(*self.sessions(*gaps)), people(), rules).regimens
        assert found.select("spacing", "regimen", "confidence").rows() == [(spacing, regimen, "low")]

    def test_a_long_gap_opens_a_course(self) -> None:
        rules = replace(RULES, practice=Practice(infer_regimens=True))
        found = patient.build(rows(*self.sessions(21, 21, 60, 7)), people(), rules).regimens
        assert found["n_sessions"].to_list() == [3, 2]

    def test_off_by_default(self) -> None:
        found = patient.build(rows(*self.sessions(7, 7, 7)), people(), RULES).regimens
        assert found.schema == regimens.REGIMEN_COLUMNS and found.is_empty()

    @pytest.mark.parametrize("code", ["28Z07Z", "28Z17Z", "Z511"])
    def test_sessions_are_told_by_their_group_or_diagnosis(self, code: str) -> None:
        told = [session | {"code": code} for session in self.sessions(7)]
        assert patient.build(rows(*told), people(), RULES).counts["trap.molecules_inside_ghs"] == 2

    def test_a_drug_of_the_stay_tells_the_molecule(self) -> None:
        stay = self.sessions(21)
        drug = ACT | {"source": "T_MCOaaMED", "activity": "drug", "code": "9435604", "code_system": "UCD",
                      "stay": "0", "date": date(2021, 3, 2), "quantity": 1}  # fmt: skip
        counts = patient.build(rows(*stay, drug), people(), RULES).counts
        assert counts["trap.molecules_inside_ghs"] == 1


@pytest.mark.parametrize(
    ("source", "known_from"),
    [
        ("IR_BEN_R", date(2021, 11, 4)),
        ("KI_CCI_R", date(2023, 5, 5)),
        ("T_MCOaaB", date(2022, 7, 1)),
    ],
)
def test_a_death_is_known_when_its_teller_comes(source: str, known_from: date) -> None:
    died = date(2021, 5, 5)
    told = [] if source == "IR_BEN_R" else [{"kind": "death", "source": source, "date": died}]
    persons = people(**({"death_date": died} if source == "IR_BEN_R" else {}))
    built = patient.build(rows(claim(1, MARCH, APRIL), *told), persons, RULES)
    assert built.patients["death_known_from"].dt.date().to_list() == [known_from]


def test_palliative_care_before_the_index_ends_nothing() -> None:
    early = ACT | {"activity": "palliative_care", "date": date(2021, 2, 1), "stay": "1"}
    rules = under(exits=("palliative_care",), index_activities=("biopsy",))
    built = patient.build(rows(early, claim(1, MARCH, APRIL)), people(), rules)
    assert built.patients["exit_date"].null_count() == 1


def test_care_abroad_before_the_index_ends_nothing() -> None:
    gone = present(date(2020, 1, 1), date(2020, 2, 1), "abroad")
    assert left([CARE, gone], ("abroad",))[0] is None


def test_causes_of_death_are_no_horizon_of_care() -> None:
    built = patient.build(rows(claim(1, MARCH, APRIL)), people(), RULES)
    horizons = pl.DataFrame(
        {"source": ["dcir", "causes"], "observed_until": [date(2023, 6, 1), date(2020, 12, 31)]}
    )
    assert EventLog.create(built.events, built.patients, horizons).observed_until == datetime(2023, 6, 1)
