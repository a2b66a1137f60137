"""What is published about the four cancers, beside what the generator makes: ``python -m tests.acceptance.published``.

Each row names one number of a paper, and how to find it in the simulated events of `PATIENTS` patients whose follow-up
ends years later, so that nothing is cut by the end of the extract. Deaths and delays are read off events and the truth
of the course, never off the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.cancers import CANCERS
from eventlogs.synthetic.extract import Chunk, Drawn, draw_patients, land_stream
from eventlogs.synthetic.people import draw_land

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "synthetic.md"
PATIENTS, SEED = 10_000, 7
FOLLOWED = replace(p.Calendar(), end=p.Calendar().last_index + 5 * 365)
Days = NDArray[np.float64]
Names = tuple[str, ...]
Among = pl.Expr | bool


@dataclass(frozen=True)
class Simulated:
    """Patients of one cancer, with what the rows ask of them."""

    name: str
    drawn: Drawn = field(repr=False)

    @cached_property
    def people(self) -> pl.DataFrame:
        """`person`, `subtype`, `stage`, `age`, `sex`, `lived` (days from index to death), `of_cancer`."""
        course = self.drawn.course
        return self.drawn.people.select("age", "sex").with_columns(
            person=pl.int_range(pl.len(), dtype=pl.Int64),
            subtype=pl.Series(CANCERS[self.name].subtypes)[course.profile.subtype],
            stage=pl.Series(course.profile.stage),
            changes=pl.Series(course.profile.changes_facility),
            lived=pl.Series(course.dates.death - course.dates.biopsy),
            of_cancer=pl.Series(course.dates.cancer_death),
        )

    def first(self, *activities: str) -> pl.DataFrame:
        """First day of any of the activities, by person."""
        events = self.drawn.events.filter(pl.col("activity").is_in(activities))
        return events.group_by("person").agg(pl.col("day").min())

    def delays(
        self,
        start: Names,
        step: Names,
        among: Among = True,
        without: tuple[str, ...] = (),
    ) -> Days:
        """Days from the first `start` to the first `step` after it, of persons without any of `without` before."""
        pairs = (
            self.first(*start)
            .join(self.first(*step), on="person", suffix="_step")
            .join(self.people, on="person")
        )
        barred = self.first(*without).rename({"day": "barred"})
        kept = pairs.join(barred, on="person", how="left").filter(
            among,
            pl.col("day_step") >= pl.col("day"),
            pl.col("barred").fill_null(p.NEVER) > pl.col("day_step"),
        )
        return (kept["day_step"] - kept["day"]).cast(pl.Float64).to_numpy()

    def share(self, *activities: str, among: Among = True) -> float:
        """Share of persons with any of the activities."""
        asked = self.people.filter(among)
        return asked.join(self.first(*activities), on="person", how="semi").height / asked.height

    def mean(self, what: pl.Expr, among: Among = True) -> float:
        """Mean of an expression over persons."""
        return float(self.people.filter(among).select(what.cast(pl.Float64).mean()).item())


def simulate(name: str, patients: int = PATIENTS) -> Simulated:
    """Draw patients of one cancer."""
    chunk = Chunk(0, 0, patients, SEED, quirks=frozenset())
    return Simulated(name, draw_patients(chunk, draw_land(land_stream(SEED), 8), FOLLOWED, CANCERS[name]))


Value = Callable[[Simulated], tuple[float, ...]]


@dataclass(frozen=True)
class Published:
    """One published number or quartiles, and how far the generated ones may be from them.

    `unit` is days (median, or first quartile, median and third quartile; `mean` if it says so) or a share in percent.
    """

    cancer: str
    what: str
    published: tuple[float, ...]
    tolerance: tuple[float, ...]
    value: Value
    source: str
    unit: str = "days"

    def generated(self, simulated: Simulated) -> tuple[float, ...]:
        """Return the same numbers from simulated patients."""
        return self.value(simulated)

    def holds(self, generated: tuple[float, ...]) -> bool:
        """Whether every number is within its tolerance."""
        pairs = zip(generated, self.published, self.tolerance, strict=True)
        return all(abs(found - wanted) <= allowed for found, wanted, allowed in pairs)


def quartiles(start: Names, step: Names, among: Among = True, without: Names = ()) -> Value:
    """First quartile, median and third quartile of the delay from the first of one kind to the first of another."""
    return lambda s: tuple(np.quantile(s.delays(start, step, among, without), (0.25, 0.5, 0.75)))


def median(start: Names, step: Names, among: Among = True, without: Names = ()) -> Value:
    """Median of such a delay."""
    return lambda s: (float(np.median(s.delays(start, step, among, without))),)


def average(start: Names, step: Names, among: Among = True, without: Names = ()) -> Value:
    """Mean of such a delay."""
    return lambda s: (float(np.mean(s.delays(start, step, among, without))),)


def above(days: int, start: Names, step: Names, among: Among = True) -> Value:
    """Percentage of such delays above `days`."""
    return lambda s: (100 * float(np.mean(s.delays(start, step, among) > days)),)


def having(*activities: str, among: Among = True) -> Value:
    """Percentage of persons with any of the activities."""
    return lambda s: (100 * s.share(*activities, among=among),)


def mean_of(what: pl.Expr, among: Among = True) -> Value:
    """Percentage of persons of whom `what` is true."""
    return lambda s: (100 * s.mean(what, among),)


def none_of(*activities: str, among: Among = True) -> Value:
    """Percentage of persons with none of the activities."""
    return lambda s: (100 - 100 * s.share(*activities, among=among),)


def among_operated(operation: str, what: pl.Expr) -> Value:
    """Percentage of the operated of whom `what` is true."""
    return lambda s: (
        100 * float(s.people.join(s.first(operation), on="person", how="semi").select(what.mean()).item()),
    )


def net_survival_5_years(s: Simulated) -> tuple[float, ...]:
    """Percentage that has not died of the cancer in five years, as if there were no other cause (product-limit)."""
    lived = s.people.select("lived", "of_cancer").sort("lived")
    at_risk = lived.height - np.arange(lived.height)
    steps = np.where(lived["of_cancer"], 1 - 1 / at_risk, 1.0)[lived["lived"].to_numpy() <= 1826]
    return (100 * float(np.prod(steps)),)


def stopped(months: int) -> Value:
    """Percentage of the supplies stopped at the end of so many months, from the hazards of the mechanism."""

    def value(s: Simulated) -> tuple[float, ...]:
        first = s.drawn.course.supplies[0].monthly_hazard
        later = first * p.LATER_HAZARD_RATIO
        return (
            100 * float((1 - (1 - first) ** min(months, 12) * (1 - later) ** max(months - 12, 0)).mean()),
        )

    return value


def persons(name: str, value: str) -> pl.Expr:
    """Persons of whom `name` is `value`."""
    return pl.col(name) == value


BREAST_SURGERY = ("breast_conserving_surgery", "mastectomy")
BREAST_TREATMENT = (*BREAST_SURGERY, "chemotherapy_session", "endocrine_therapy_dispensing")
MAMMOGRAPHY = ("mammography", "screening_mammography")
DIED = pl.col("lived")
COLON, RECTUM = persons("subtype", "colon"), persons("subtype", "rectum")
SCOPE, CHEMO, RADIO = ("colonoscopy",), ("chemotherapy_session",), ("radiotherapy_session",)
COLECTOMY, RESECTION = ("colectomy",), ("rectal_resection",)
LUNG_SCOPE, LUNG_SURGERY = ("bronchoscopy",), ("lung_resection",)
LUNG_TREATMENT = (
    "lung_resection",
    "chemotherapy_session",
    "radiotherapy_session",
    "oral_anticancer_dispensing",
)
NON_SMALL = persons("subtype", "non_small_cell")
PROSTATE_TREATMENT = (
    "radical_prostatectomy", "radiotherapy_session", "brachytherapy", "endocrine_therapy_dispensing",
)  # fmt: skip


ADJUVANT_WITHIN_DAYS = 180
"""Chemotherapy later than this after surgery is not adjuvant."""


def adjuvant(s: Simulated) -> Days:
    """Days from surgery to adjuvant chemotherapy of colon cancers of stage II or III."""
    days = s.delays(COLECTOMY, CHEMO, COLON & pl.col("stage").is_in([1, 2]))
    return days[days <= ADJUVANT_WITHIN_DAYS]


def adjuvant_share(s: Simulated) -> tuple[float, ...]:
    """Percentage of operated colon cancers of stage II or III that have adjuvant chemotherapy."""
    operated = s.first(*COLECTOMY).join(s.people.filter(COLON & pl.col("stage").is_in([1, 2])), on="person")
    return (100 * adjuvant(s).size / operated.height,)


def emergencies(s: Simulated) -> tuple[float, ...]:
    """Percentage of colon cancers operated with no colonoscopy before."""
    operated = s.first(*COLECTOMY).join(s.people.filter(COLON), on="person")
    before = operated.join(s.first(*SCOPE), on="person", how="left", suffix="_scope")
    late = before.filter(pl.col("day_scope").fill_null(p.NEVER) > pl.col("day"))
    return (100 * late.height / s.people.filter(COLON).height,)


KUDJAWU = "Kudjawu, colon n=15,694 and rectum n=6,623"
KUDJAWU_LUNG = "Kudjawu 2016, n=14,596"
KBP = "KBP-2020, n=8,999"
FRESH = "FRESH, Dumas 2022, n=235,368"
NET = "5-year net survival, patients of 2005-2010"
METASTATIC = pl.col("stage") == 3

ROWS = (
    Published("breast", "age", (60,), (1,), lambda s: (s.mean(pl.col("age")),), FRESH, "mean or median, years"),
    Published("breast", "luminal", (80.2,), (1.5,), mean_of(persons("subtype", "luminal")), FRESH, "%"),
    Published("breast", "first imaging → biopsy (8.1 without, 6.3 with chemotherapy)", (7.2,), (1.2,),
              average(MAMMOGRAPHY, ("breast_biopsy",)), "VICAN2 (INCa 2014)", "mean days"),
    Published("breast", "biopsy → first treatment", (31,), (2,), median(("breast_biopsy",), BREAST_TREATMENT),
              "Ayrault-Piault 2016, n=973"),
    Published("breast", "biopsy → first treatment > 42 days", (33,), (3,),
              above(42, ("breast_biopsy",), BREAST_TREATMENT), "regional cohort 2015, n=505", "%"),
    Published("breast", "first imaging → first treatment", (44,), (6,), median(MAMMOGRAPHY, BREAST_TREATMENT),
              "Ayrault-Piault 2016, n=973"),
    Published("breast", "biopsy and treatment in different centres", (48,), (2,), mean_of(pl.col("changes")),
              "regional cohort 2015, n=505", "%"),
    Published("breast", "surgery → radiotherapy, no chemotherapy", (52.7,), (4,),
              average(BREAST_SURGERY, RADIO, without=CHEMO), "VICAN2 (INCa 2014)", "mean days"),
    Published("breast", "endocrine therapy begun", (70.4,), (3,), having("endocrine_therapy_dispensing"), FRESH, "%"),
    Published("breast", "endocrine therapy stopped at 1 year (12 to 14)", (13,), (1.5,), stopped(12),
              "meta-regression", "%"),
    Published("breast", "endocrine therapy stopped at 5 years", (31,), (3,), stopped(60), "Bosco-Lévy 2016", "%"),
    Published("breast", "net survival", (87,), (2.5,), net_survival_5_years, NET, "%"),
    Published("colorectal", "women", (44.9,), (1.5,), mean_of(pl.col("sex") == 2), "incidence 2023, cancer.fr", "%"),
    Published("colorectal", "rectum", (29.7,), (1.5,), mean_of(RECTUM), KUDJAWU, "%"),
    Published("colorectal", "colon: found in an emergency", (13,), (1.5,), emergencies,
              "detection of colon cancer", "%"),
    Published("colorectal", "colon: colonoscopy → surgery", (14, 22, 34), (2, 2, 3),
              quartiles(SCOPE, COLECTOMY, among=COLON), KUDJAWU),
    Published("colorectal", "colon: colonoscopy → chemotherapy, no surgery", (21, 36, 59), (4, 4, 7),
              quartiles(SCOPE, CHEMO, among=COLON, without=COLECTOMY), KUDJAWU),
    Published("colorectal", "colon: surgery → adjuvant chemotherapy", (48,), (3,),
              lambda s: (float(np.median(adjuvant(s))),),
              "Capsec 2018, n=404"),
    Published("colorectal", "colon: surgery → adjuvant chemotherapy > 42 days", (60,), (5,),
              lambda s: (100 * float(np.mean(adjuvant(s) > 42)),), "Capsec 2018, n=404", "%"),
    Published("colorectal", "colon, stage II or III: chemotherapy after surgery", (45,), (4,), adjuvant_share,
              "Capsec 2018, n=404", "%"),
    Published("colorectal", "metastatic colon: no anticancer treatment", (34.5,), (4,),
              none_of("colectomy", "chemotherapy_session", among=COLON & METASTATIC), "registries", "%"),
    Published("colorectal", "rectum: colonoscopy → surgery, all", (34, 97, 141), (6, 12, 9),
              quartiles(SCOPE, RESECTION, among=RECTUM), KUDJAWU),
    Published("colorectal", "rectum: colonoscopy → surgery as first treatment", (46,), (5,),
              median(SCOPE, RESECTION, among=RECTUM, without=RADIO), KUDJAWU),
    Published("colorectal", "rectum: colonoscopy → chemotherapy, no other treatment", (27, 40, 59), (5, 5, 8),
              quartiles(SCOPE, CHEMO, among=RECTUM, without=(*RESECTION, *RADIO)), KUDJAWU),
    Published("colorectal", "rectum: colonoscopy → radiotherapy", (39, 53, 78), (4, 4, 6),
              quartiles(SCOPE, RADIO, among=RECTUM), KUDJAWU),
    Published("colorectal", "net survival", (63,), (3,), net_survival_5_years, NET, "%"),
    Published("lung", "women", (34.6,), (1.5,), mean_of(pl.col("sex") == 2), KBP, "%"),
    Published("lung", "non-small-cell: metastatic", (57.6,), (2,), mean_of(METASTATIC, NON_SMALL), KBP, "%"),
    Published("lung", "first imaging → first treatment", (33, 49, 73), (4, 4, 6),
              quartiles(("ct_scan",), LUNG_TREATMENT), "Rivière 2022, n=685"),
    Published("lung", "bronchoscopy → first treatment", (22, 34, 50), (2, 2, 4), quartiles(LUNG_SCOPE, LUNG_TREATMENT),
              KUDJAWU_LUNG),
    Published("lung", "bronchoscopy → surgery", (26, 44, 82), (3, 4, 8), quartiles(LUNG_SCOPE, LUNG_SURGERY),
              KUDJAWU_LUNG),
    Published("lung", "bronchoscopy → chemotherapy, no surgery before", (22, 33, 49), (3, 3, 4),
              quartiles(LUNG_SCOPE, CHEMO, without=LUNG_SURGERY), KUDJAWU_LUNG),
    Published("lung", "bronchoscopy → radiotherapy", (46, 88, 162), (7, 10, 14), quartiles(LUNG_SCOPE, RADIO),
              KUDJAWU_LUNG),
    Published("lung", "dead at 3 months: localised", (3.0,), (1.5,),
              mean_of(DIED <= 91, NON_SMALL & (pl.col("stage") < 2)), KBP, "%"),
    Published("lung", "dead at 3 months: locally advanced", (9.6,), (2,),
              mean_of(DIED <= 91, NON_SMALL & (pl.col("stage") == 2)), KBP, "%"),
    Published("lung", "dead at 3 months: metastatic", (29.2,), (2,), mean_of(DIED <= 91, NON_SMALL & METASTATIC),
              KBP, "%"),
    Published("lung", "dead at 3 months: small-cell", (24.8,), (3,), mean_of(DIED <= 91, ~NON_SMALL), KBP, "%"),
    Published("lung", "dead at 1 year", (48,), (3,), mean_of(DIED <= 365), "Rivière 2022, n=685", "%"),
    Published("lung", "dead at 1 year, resected", (12,), (3,), among_operated("lung_resection", DIED <= 365),
              "Rivière 2022, n=685", "%"),
    Published("lung", "net survival", (17,), (8,), net_survival_5_years, NET, "%"),
    Published("prostate", "metastatic", (8,), (1,), mean_of(METASTATIC), "later centres", "%"),
    Published("prostate", "biopsy → prostatectomy", (86, 108, 141), (4, 4, 6),
              quartiles(("prostate_biopsy",), ("radical_prostatectomy",)), "Meunier 2018, one centre"),
    *(Published("prostate", f"treated by {name}", (share,), (2,), having(activity), "2009, n=43,460", "%")
      for name, activity, share in (
          ("prostatectomy", "radical_prostatectomy", 38), ("endocrine therapy", "endocrine_therapy_dispensing", 36),
          ("radiotherapy", "radiotherapy_session", 29))),
    Published("prostate", "treated by brachytherapy", (3,), (0.7,), having("brachytherapy"), "2009, n=43,460", "%"),
    Published("prostate", "treated by none of these", (20,), (2,), none_of(*PROSTATE_TREATMENT), "2009, n=43,460", "%"),
    Published("prostate", "dead at 2 years", (8.4,), (1,), mean_of(DIED <= 730), "2009, n=43,460", "%"),
    Published("prostate", "net survival", (94,), (2.5,), net_survival_5_years, NET, "%"),
)  # fmt: skip
"""In the order of the page."""

HEAD = """# The synthetic patients beside published numbers

Nobody in a synthetic extract exists. This page is rendered from a test ({patients} simulated patients for each cancer,
seed {seed}), so it can't differ from what the generator does; the test fails when a number leaves its tolerance. Delays
are medians, quartiles (first, median, third) or means as the unit says. Published numbers were read as abstracts or
excerpts: check the paper before you quote one. The tolerance is ours: about sampling error, more where several
published numbers contradict one another or where the generator's own simplifications show.

Every other number of the generator is a choice of ours, named as such beside it in
`eventlogs/synthetic/parameters.py` and `eventlogs/synthetic/cancers/`.
"""


def line(row: Published, generated: tuple[float, ...]) -> str:
    """Return one row of the table."""
    shown = (
        " · ".join(f"{number:.3g}" for number in numbers)
        for numbers in (row.published, generated, row.tolerance)
    )
    published, found, tolerance = shown
    return f"| {row.what} | {row.unit} | {published} | {found} | ± {tolerance} | {row.source} |"


def page() -> str:
    """Return the page, with one table for each cancer."""
    parts = [HEAD.format(patients=f"{PATIENTS:,}", seed=SEED)]
    for name in CANCERS:
        simulated = simulate(name)
        rows = [line(row, row.generated(simulated)) for row in ROWS if row.cancer == name]
        parts += [f"## {name.capitalize()}\n", "| What | Unit | Published | Generated | Tolerance | Source |"]
        parts += ["| --- | --- | --- | --- | --- | --- |", *rows, ""]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
