"""From an extract folder to event files: identity, slices for K1, K2 on each bucket, what was dropped and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.engine import Local, Progress, Slice, silent
from eventlogs.errors import ExtractError
from eventlogs.snds import attach, cohort, dcir, identity, patient, schema
from eventlogs.snds.codes import code_counts, code_lists, medicines
from eventlogs.snds.exits import own_horizons
from eventlogs.snds.extract import Extract
from eventlogs.snds.horizons import horizons
from eventlogs.snds.rows import ROW, Source

LINES_PER_SLICE = 3_000_000
"""Lines of claims attached at once: bounds the memory of K1."""

PERSONS_PER_BUCKET = 25_000
"""Persons whose rows K2 holds at once."""

WORLDS = {world.table("PRS"): world for world in (dcir.DCIR, dcir.DCIRS)}
"""Tables of claims, read by flux months rather than years."""

PARTS = ("events", "withdrawn", "origins", "patients", "regimens")
"""What K2 leaves of a bucket."""

GATHERED = ("patients", "regimens")
"""Of these, what becomes one file."""


@dataclass(frozen=True)
class Report:
    """What a build did: rows in and out with the reason of each drop, and what was absent, unknown or not read.

    ``unknown_tables`` look like SNDS tables and are not used; ``unread_columns`` counts, table by table, the columns
    that are there and not used; ``unreadable_values`` counts, column by column, what was read as empty;
    ``superseded_tables`` are cumulative files that a fuller one replaces.
    """

    counts: Mapping[str, int]
    absent_columns: tuple[str, ...]
    absent_tables: tuple[str, ...]
    synthetic: bool
    cutoff: Mapping[str, date]
    unknown_tables: tuple[str, ...] = ()
    unread_columns: Mapping[str, int] = field(default_factory=dict)
    unreadable_values: Mapping[str, int] = field(default_factory=dict)
    superseded_tables: tuple[str, ...] = ()


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
    found = extract.check()
    pairs = identity.registry(extract, rules.practice)
    gathered = identity.persons(pairs, rules.practice)
    links = identity.link(pairs, gathered)
    world = WORLDS[extract.claims]
    aged = identity.with_age_of_lines(gathered, links, extract.scan(extract.claims), world.person)
    people = _with_deprivation(aged, folder)
    observed = horizons(extract)
    counts = _Build(extract, rules, people, links, out, work, _until(observed, "dcir")).run(progress)
    patients = pl.read_parquet(out / "patients.parquet", glob=False)
    pl.concat([observed, own_horizons(patients)]).write_parquet(out / "horizons.parquet")
    return Report(
        counts={**counts, **identity.counts(people), "trap.freshness": extract.superseded_rows()},
        absent_columns=found.absent,
        absent_tables=_absent_tables(extract, world),
        synthetic=extract.synthetic,
        cutoff={row["source"]: row["observed_until"].date() for row in observed.to_dicts()},
        unknown_tables=extract.unknown,
        unread_columns=extract.unread_columns(),
        unreadable_values=found.unreadable,
        superseded_tables=tuple(sorted(f"{name} {period}" for name, period in extract.superseded)),
    )


def _absent_tables(extract: Extract, world: dcir.World) -> tuple[str, ...]:
    """Return the tables that the readers know and the extract lacks, those of the other world of claims aside."""
    others = tuple(f"{other.prefix}_" for other in WORLDS.values() if other is not world)
    return tuple(name for name in schema.tables() if not extract.has(name) and not name.startswith(others))


@dataclass
class _Build:
    """One build under way: the tables that K1 asks for, by name, and the pieces that K2 leaves."""

    extract: Extract
    rules: ActivityRules
    people: pl.DataFrame
    links: identity.Links
    out: Path
    work: Path
    seen_until: date

    def run(self, progress: Progress) -> dict[str, int]:
        known = medicines()
        self.codes = code_lists(self.rules, known)
        counts, losses = self._counted(), Counter[str]()
        counts.update(code_counts(self.rules, known))
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
        self, year: str | None, months: list[date | None] | None, links: identity.Links, name: str
    ) -> nw.LazyFrame[Any]:
        if name.startswith("codes."):
            frame = self.codes[name.removeprefix("codes.")].lazy()
        elif name in links.tables():
            frame = links.tables()[name].lazy()
        elif name.startswith(("ER_", "NS_")):
            frame = self.extract.scan(name) if months is None else self._of_months(name, months)
        else:
            frame = self.extract.scan(name, year)
        return nw.from_native(frame)

    def _of_months(self, name: str, months: list[date | None]) -> pl.LazyFrame:
        """Return the lines of these flux months; affinée tables of DCIRS, joined on one key, may not tell theirs."""
        flux = pl.col("FLX_DIS_DTD")
        stated = flux.is_in([month for month in months if month is not None])
        open_ = None in months or (name.startswith("NS_") and name not in WORLDS)
        return self.extract.scan(name).filter(stated | flux.is_null() if open_ else stated)

    def _slices(self) -> Iterator[Slice]:
        for source in attach.SOURCES:
            if source.anchor not in WORLDS:
                yield from (self._slice(source, year) for year in self.extract.years(source.anchor))
            elif source.anchor == self.extract.claims:
                yield from self._claims(source)

    def _slice(self, source: Source, year: str) -> Slice:
        tables = partial(self._table, year, None, self.links)
        return Slice(f"{source.name} {year}".rstrip(), partial(source.rows, tables, self.rules, year))

    def _claims(self, source: Source) -> Iterator[Slice]:
        for months in self._months:
            stated = [month for month in months if month is not None]
            name = f"{source.name} {stated[0]:%Y-%m} to {stated[-1]:%Y-%m}" if stated else source.name
            yield Slice(name, partial(self._claim_rows, source, months))

    def _claim_rows(self, source: Source, months: list[date | None]) -> nw.LazyFrame[Any]:
        return source.rows(partial(self._table, None, months, self._entrants), self.rules, "")

    @cached_property
    def _entrants(self) -> identity.Links:
        """Links of the persons who have a diagnosis of the cohort: only their claims need be attached.

        Read once the hospital slices are scattered, which is why these come first.
        """
        if not self.rules.cohort.diagnosis:
            return self.links
        scattered = sorted((self.work / "rows").rglob("*.parquet"))
        diagnosed = [
            pl.read_parquet(path, columns=["person", "kind", "source"], glob=False)
            .filter(cohort.of_cohort(self.rules.cohort))
            .select("person")
            for path in scattered
        ]
        return self.links.of(pl.concat([self.people.head(0).select("person"), *diagnosed]).unique())

    @cached_property
    def _months(self) -> list[list[date | None]]:
        """Runs of flux months that hold about `LINES_PER_SLICE` lines; lines without a flux come with the first."""
        sizes = (
            self.extract.scan(self.extract.claims)
            .group_by("FLX_DIS_DTD")
            .len()
            .sort("FLX_DIS_DTD", nulls_last=False)
            .collect()
        )
        number = (sizes["len"].cum_sum() - 1) // LINES_PER_SLICE
        parts = sizes.with_columns(number.alias("slice")).partition_by("slice", maintain_order=True)
        return [part["FLX_DIS_DTD"].to_list() for part in parts]

    def _counted(self) -> Counter[str]:
        """Count, source by source, what K1 reads and what each trap touches; claims by runs of flux months."""
        counts: Counter[str] = Counter()
        for source in attach.SOURCES:
            if source.anchor == self.extract.claims:
                for months in self._months:
                    counts.update(self._counted_claims(source, months))
            elif source.anchor not in WORLDS:
                for year in self.extract.years(source.anchor):
                    tables = partial(self._table, year, None, self.links)
                    counts.update(_one_row(source.counts(tables, self.rules, year)))
        return counts

    def _counted_claims(self, source: Source, months: list[date | None]) -> Counter[str]:
        tables = partial(self._table, None, months, self.links)
        counts = Counter(_one_row(source.counts(tables, self.rules, "")))
        counts.update(_one_row(dcir.unknown_persons(tables, WORLDS[source.anchor])))
        return counts

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


def _until(horizons: pl.DataFrame, source: str) -> date:
    day: date = horizons.filter(pl.col("source") == source)["observed_until"].dt.date().item()
    return day
