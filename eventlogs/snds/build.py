"""From an extract folder to event files: identity, slices for K1, K2 on each bucket, what was dropped and why."""

from __future__ import annotations

import json
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.engine import Local, Progress, Slice, silent
from eventlogs.errors import ExtractError
from eventlogs.log import HORIZON_COLUMNS, conform
from eventlogs.snds import attach, cohort, identity, patient
from eventlogs.snds.codes import code_counts, code_lists, medicines
from eventlogs.snds.exits import own_horizons
from eventlogs.snds.extract import Extract
from eventlogs.snds.rows import ROW, Source

LINES_PER_SLICE = 3_000_000
"""Lines of claims attached at once: bounds the memory of K1."""

PERSONS_PER_BUCKET = 25_000
"""Persons whose rows K2 holds at once."""

CLAIMS = ("ER_PRS_F", "NS_PRS_F")
"""Tables of claims, read by flux months rather than years."""

FEED_LAG_MONTHS = 6
"""Months of flux after which 98 to 99 % of care has arrived (SNDS documentation): sets an unstated horizon of DCIR."""

PARTS = ("events", "withdrawn", "origins", "patients", "regimens")
"""What K2 leaves of a bucket."""

GATHERED = ("patients", "regimens")
"""Of these, what becomes one file."""


@dataclass(frozen=True)
class Report:
    """What a build did: rows in and out with the reason of each drop, and what was absent."""

    counts: Mapping[str, int]
    absent_columns: tuple[str, ...]
    absent_tables: tuple[str, ...]
    synthetic: bool
    cutoff: Mapping[str, date]


def build(folder: Path, rules: ActivityRules, out: Path, work: Path, progress: Progress = silent) -> Report:
    """Read an extract and write the tables of a study into `out`.

    They are ``events/``, ``origins/`` and ``withdrawn/`` (a part for each bucket of patients), ``patients.parquet``,
    ``horizons.parquet``, ``attrition.json``, and ``regimens.parquet`` where the definition infers them.

    Parameters
    ----------
    folder : pathlib.Path
        The extract.
    rules : ActivityRules
        Of the definition.
    out : pathlib.Path
        An existing folder.
    work : pathlib.Path
        An existing folder for intermediate rows; the caller removes it.
    progress : callable
        Told of each step.

    Raises
    ------
    ExtractError
        Something is missing or can't be read; one sentence.
    """
    extract = Extract.open(folder, work)
    absent = extract.check()
    pairs = identity.registry(extract)
    people = _with_deprivation(_complete(identity.persons(pairs)), folder)
    links = identity.pair_to_person(pairs, people)
    horizons = _horizons(extract)
    counts = _Build(extract, rules, people, links, out, work, _until(horizons, "dcir")).run(progress)
    patients = pl.read_parquet(out / "patients.parquet", glob=False)
    pl.concat([horizons, own_horizons(patients)]).write_parquet(out / "horizons.parquet")
    return Report(
        counts=counts,
        absent_columns=tuple(absent),
        absent_tables=tuple(name for name in attach_tables() if not extract.has(name)),
        synthetic=extract.synthetic,
        cutoff={row["source"]: row["observed_until"].date() for row in horizons.to_dicts()},
    )


def attach_tables() -> list[str]:
    """Return the families that the build reads."""
    from eventlogs.snds.schema import tables

    return list(tables())


@dataclass
class _Build:
    """One build under way: the tables that K1 asks for, by name, and the pieces that K2 leaves."""

    extract: Extract
    rules: ActivityRules
    people: pl.DataFrame
    links: pl.DataFrame
    out: Path
    work: Path
    seen_until: date

    def run(self, progress: Progress) -> dict[str, int]:
        known = medicines()
        self.codes = code_lists(self.rules, known)
        counts, losses = self._dropped() + Counter(code_counts(self.rules, known)), Counter[str]()
        engine = Local(self.work / "rows", self.people.height, -(-self.people.height // PERSONS_PER_BUCKET))

        def k2(rows: pl.DataFrame, bucket: int) -> None:
            built = self._built(rows, engine.bucket_of(self.people, bucket))
            self._write(built, bucket)
            counts.update(built.counts)
            losses.update(built.losses)

        engine.run(list(self._slices()), k2, progress)
        self._gather("patients")
        if self.rules.practice.infer_regimens:
            self._gather("regimens")
        self._write_attrition(losses)
        return {"persons": self.people.height, **counts}

    def _table(
        self, year: str | None, months: list[date] | None, links: pl.DataFrame, name: str
    ) -> nw.LazyFrame[Any]:
        if name.startswith("codes."):
            frame = self.codes[name.removeprefix("codes.")].lazy()
        elif name == "pairs":
            frame = links.lazy()
        elif name == "pseudonyms":
            frame = identity.pseudonym_to_person(links).lazy()
        elif name.startswith(("ER_", "NS_")) and months is not None:
            frame = self.extract.scan(name).filter(pl.col("FLX_DIS_DTD").is_in(months))
        else:
            frame = self.extract.scan(name, year)
        return nw.from_native(frame)

    def _slices(self) -> Iterator[Slice]:
        for source in attach.SOURCES:
            if source.anchor not in CLAIMS:
                yield from (self._slice(source, year) for year in self.extract.years(source.anchor))
            elif self.extract.has(source.anchor):
                yield from self._claims(source)

    def _slice(self, source: Source, year: str) -> Slice:
        tables = partial(self._table, year, None, self.links)
        return Slice(f"{source.name} {year}".rstrip(), partial(source.rows, tables, self.rules, year))

    def _claims(self, source: Source) -> Iterator[Slice]:
        for months in self._months(source.anchor):
            name = f"{source.name} {months[0]:%Y-%m} to {months[-1]:%Y-%m}"
            yield Slice(name, partial(self._claim_rows, source, months))

    def _claim_rows(self, source: Source, months: list[date]) -> nw.LazyFrame[Any]:
        return source.rows(partial(self._table, None, months, self._entrants), self.rules, "")

    @cached_property
    def _entrants(self) -> pl.DataFrame:
        """Links of the persons who have a diagnosis of the cohort: only their claims need be attached.

        Read once the hospital slices are scattered, which is why these come first.
        """
        scattered = list((self.work / "rows").rglob("*.parquet"))
        if not self.rules.cohort.diagnosis or not scattered:
            return self.links.filter(not self.rules.cohort.diagnosis)
        diagnosed = (
            pl.scan_parquet(scattered, glob=False)
            .filter(cohort.of_cohort(self.rules.cohort))
            .select("person")
            .unique()
        )
        return self.links.join(diagnosed.collect(), on="person", how="semi")

    def _months(self, anchor: str) -> Iterator[list[date]]:
        """Yield runs of flux months that hold about `LINES_PER_SLICE` lines."""
        sizes = (
            self.extract.scan(anchor)
            .group_by("FLX_DIS_DTD")
            .len()
            .filter(pl.col("FLX_DIS_DTD").is_not_null())
            .sort("FLX_DIS_DTD")
            .collect()
        )
        number = (sizes["len"].cum_sum() - 1) // LINES_PER_SLICE
        for part in sizes.with_columns(number.alias("slice")).partition_by("slice", maintain_order=True):
            yield part["FLX_DIS_DTD"].to_list()

    def _dropped(self) -> Counter[str]:
        """Count, source by source, what K1 read and what its filters leave out."""
        counts: Counter[str] = Counter()
        for source in attach.SOURCES:
            years = self.extract.years(source.anchor)
            for year in years[:1] if source.anchor in CLAIMS else years:
                tables = partial(self._table, None if source.anchor in CLAIMS else year, None, self.links)
                counts.update(_one_row(source.counts(tables, self.rules, year)))
        t = partial(self._table, None, None, self.links)
        unknown = t("ER_PRS_F").join(t("pairs"), on=identity.PAIR, how="anti")
        return counts + Counter(_one_row(unknown.select(nw.len().alias("lines_unknown_person"))))

    def _built(self, rows: pl.DataFrame, people: pl.DataFrame) -> patient.Built:
        attached = rows if rows.width else pl.DataFrame(schema=ROW)
        return patient.build(attached, people, self.rules, self.seen_until)

    def _write(self, built: patient.Built, bucket: int) -> None:
        for name in PARTS:
            folder = (self.work if name in GATHERED else self.out) / name
            folder.mkdir(exist_ok=True)
            getattr(built, name).write_parquet(folder / f"part-{bucket:05}.parquet")

    def _gather(self, name: str) -> None:
        parts = sorted((self.work / name).glob("*.parquet"))
        whole = pl.concat([pl.read_parquet(part, glob=False) for part in parts])
        whole.write_parquet(self.out / f"{name}.parquet")

    def _write_attrition(self, losses: Mapping[str, int]) -> None:
        steps = cohort.attrition(self.people.height, losses).to_dicts()
        (self.out / "attrition.json").write_text(json.dumps(steps, indent=1), encoding="utf-8")


def _one_row(frame: nw.LazyFrame[Any]) -> dict[str, int]:
    return {
        name: int(value or 0) for name, value in frame.collect("polars").to_native().to_dicts()[0].items()
    }


def _complete(people: pl.DataFrame) -> pl.DataFrame:
    """Add what the referential did not say: nobody is excluded, every vital status is known."""
    said = {"excluded": pl.lit(None, dtype=pl.String), "vital_status_known": pl.lit(True)}
    return people.with_columns(
        value.alias(name) for name, value in said.items() if name not in people.columns
    )


def _with_deprivation(people: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Join ``deprivation.csv`` (commune; quintile) where the extract has one: the index has no table in the SNDS."""
    path = folder / "deprivation.csv"
    if not path.is_file():
        return people.with_columns(deprivation=pl.lit(None, dtype=pl.Int8))
    try:
        table = pl.read_csv(path, separator=";", schema_overrides={"commune": pl.String, "quintile": pl.Int8})
        quintiles = table.select("commune", deprivation="quintile").unique(
            "commune", keep="first", maintain_order=True
        )
    except pl.exceptions.PolarsError as error:
        raise ExtractError(
            f"{path.name} can't be read; write two columns, commune;quintile (1 to 5)"
        ) from error
    return people.join(quintiles, on="commune", how="left", maintain_order="left")


def _horizons(extract: Extract) -> pl.DataFrame:
    """Return until when each source is complete: as stated, else from the last flux month and the last PMSI year."""
    rows = {
        "patient_id": None,
        "source": ["dcir", "pmsi"],
        "observed_until": [_dcir_horizon(extract), _pmsi_horizon(extract)],
    }
    return conform(pl.DataFrame(rows), HORIZON_COLUMNS, "horizons")


def _until(horizons: pl.DataFrame, source: str) -> date:
    day: date = horizons.filter(pl.col("source") == source)["observed_until"].dt.date().item()
    return day


def _dcir_horizon(extract: Extract) -> date:
    if stated := extract.cutoff("dcir"):
        return stated
    last = extract.scan("ER_PRS_F").select(
        pl.col("FLX_DIS_DTD").max().dt.month_start().dt.offset_by(f"-{FEED_LAG_MONTHS}mo")
    )
    return _day(last, "ER_PRS_F has no FLX_DIS_DTD at all; give [cutoff] dcir in extract.toml")


def _pmsi_horizon(extract: Extract) -> date:
    if stated := extract.cutoff("pmsi"):
        return stated
    if ends := [_end_of(period) for period in extract.years("T_MCOaaB") if period]:
        return max(ends)
    last = extract.scan("T_MCOaaC").select(pl.col("SOR_DAT").max())
    return _day(last, "T_MCOaaC has no SOR_DAT at all; give [cutoff] pmsi in extract.toml")


def _end_of(period: str) -> date:
    """Return the last day of ``21`` (a year) or ``21_03`` (January to March, cumulative)."""
    year, _, month = period.partition("_")
    return date(2000 + int(year), int(month or 12), monthrange(2000 + int(year), int(month or 12))[1])


def _day(frame: pl.LazyFrame, otherwise: str) -> date:
    value = frame.collect().item()
    if not isinstance(value, date):
        raise ExtractError(otherwise)
    return value
