"""Synthetic SNDS extracts with planted truth.

Nobody in them exists: people, centres, communes and pseudonyms are drawn from a seed. `cancers` has the numbers, the
course and the events of each cancer, `parameters` what they share; both say which number is
published and which is ours.

Simplifications that a reader should know: the first session of radiotherapy and the operation keep the day that was
drawn, so that the laws of delays stay exact, and may fall on a week-end; trastuzumab given alone is in a séance of its
own that is no chemotherapy (28Z17Z), so that radiotherapy counts from the chemotherapy; a biopsy at a public hospital
is billed in DCIR; a patient's surgery, chemotherapy and radiotherapy are in one centre; injections of
prostate cancer last three months and go on until care stops; everyone with lung or prostate cancer has a
bronchoscopy or a biopsy.

`TRAPS` names what can be planted, one by one; `quirks` says how. The truth is what a correct reader finds with the
default choices, and is written from the claims, without any reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from eventlogs.errors import InputError, did_you_mean

from .cancers import CANCERS
from .extract import Chunk, build_chunk, land_stream
from .network import NetworkLog, network_log
from .parameters import Calendar
from .people import Land, draw_land, hotspot_candidates, population
from .quirks import TRAPS
from .scene import Cancer
from .write import FileFormat, GrowingFiles, TableFolder, replacing

__all__ = ["CANCERS", "TRAPS", "synthesise", "synthesise_network"]

Progress = Callable[[int, int], None]
EXTRACT_TOML = """synthetic = true
seed = {seed}
[cutoff]            # data are complete until (care dates)
dcir = 2023-12-31
pmsi = 2023-12-31
"""
NETWORK_TOML = """synthetic = true
role = "network"
feed = "hospital_live"
seed = {seed}
[cutoff]
all = {as_of}
"""


def synthesise(
    out: Path,
    *,
    patients: int = 2000,
    seed: int = 7,
    cancer: str = "breast",
    file_format: FileFormat = "parquet",
    quirks: Literal["all", "none"] | Sequence[str] = "all",
    hotspots: int = 8,
    chunk_patients: int = 25_000,
    progress: Progress | None = None,
) -> None:
    """Write a synthetic SNDS-style extract with its truth.

    The same arguments give the same content. Index dates go from 2019 to 2022, follow-up ends on 2023-12-31.

    Parameters
    ----------
    out : Path
        Folder to create. An earlier synthetic extract there is replaced, once the new one is complete.
    patients : int
        Patients with the cancer; one in ten more beneficiaries have none (with `quirks`).
    seed : int
        0 or more.
    cancer : str
        One of `CANCERS`.
    file_format : {"parquet", "csv"}
        Parquet is typed; CSV has ``;``, UTF-8, and dates written dd/mm/YYYY.
    quirks : {"all", "none"} or sequence of str
        Traps of real extracts to plant: all, none, or the named ones (`TRAPS`).
    hotspots : int
        Départements where every breakdown is more frequent.
    chunk_patients : int
        Patients held in memory at once. With more patients than this, each table is a folder of files.
    progress : callable, optional
        Called after each chunk with patients done and patients in all.

    Raises
    ------
    InputError
        An argument can't be used, or `out` holds something else.
    """
    out = Path(out)
    _check(patients, seed, chunk_patients)
    _check_choice("cancer", cancer, tuple(CANCERS))
    _check_choice("file_format", file_format, get_args(FileFormat))
    planted = _planted(quirks)
    land = _land(seed, hotspots)
    chunks = _chunks(patients, chunk_patients, seed, planted)
    with replacing(out) as folder, GrowingFiles(folder / "truth") as truth:
        tables = TableFolder(folder, file_format, many_chunks=len(chunks) > 1)
        trap_counts = []
        for chunk in chunks:
            trap_counts.append(_write_chunk(chunk, land, CANCERS[cancer], tables, truth))
            if progress is not None:
                progress(chunk.start + chunk.patients, patients)
        truth.write("hotspots", land.territories.select("territory", "hotspot"))
        truth.write("traps", _traps(trap_counts, planted))
        _deprivation(land).write_csv(folder / "deprivation.csv", separator=";")
        (folder / "extract.toml").write_text(EXTRACT_TOML.format(seed=seed), encoding="utf-8")


def synthesise_network(
    out: Path,
    *,
    patients: int = 1500,
    seed: int = 11,
    as_of: date = date(2023, 9, 30),
    progress: Progress | None = None,
) -> None:
    """Write what an oncology network exports from its own hospital systems: a ready event log, with its truth.

    The clinical course is that of `synthesise`; the patients live in three neighbouring départements and go to four
    centres. Index dates cover the three years before `as_of`, so that many patients are on their way. Only what was
    known on `as_of` is written: hospital events one to three days after they end, care in town about a month later.

    Parameters
    ----------
    out : Path
        Folder to create: ``events.csv``, ``patients.csv``, ``extract.toml`` and ``truth/``.
    patients : int
        Patients of the network.
    seed : int
        0 or more.
    as_of : datetime.date
        Day of the export.
    progress : callable, optional
        Called at the end with patients done and patients in all.

    Raises
    ------
    InputError
        An argument can't be used, or `out` holds something else.
    """
    out = Path(out)
    _check(patients, seed, 1)
    with replacing(out) as folder, GrowingFiles(folder / "truth") as truth:
        _write_network(network_log(patients, seed, as_of), folder, truth)
        (folder / "extract.toml").write_text(NETWORK_TOML.format(seed=seed, as_of=as_of), encoding="utf-8")
    if progress is not None:
        progress(patients, patients)


def _write_network(log: NetworkLog, folder: Path, truth: GrowingFiles) -> None:
    log.events.write_csv(folder / "events.csv", separator=";")
    log.patients.write_csv(folder / "patients.csv", separator=";")
    for name, table in log.truth.items():
        truth.write(name, table)


def _write_chunk(
    chunk: Chunk, land: Land, cancer: Cancer[Any], tables: TableFolder, truth: GrowingFiles
) -> pl.DataFrame:
    """Write the tables and the truth of a chunk; return what each trap touched in it."""
    snds, planted = build_chunk(chunk, land, Calendar(), cancer)
    for name, table in snds.items():
        tables.write(name, table, chunk.number)
    traps = planted.pop("traps")
    for name, table in planted.items():
        truth.write(name, table)
    return traps


def _traps(counts: Sequence[pl.DataFrame], planted: frozenset[str]) -> pl.DataFrame:
    """`trap`, `switched` (asked for) and `planted` (rows, stays or patients; null where they can't be counted)."""
    total = pl.concat(counts).group_by("trap", maintain_order=True).agg(
        planted=pl.when(pl.col("planted").is_not_null().any()).then(pl.col("planted").sum())
    )  # fmt: skip
    return total.select("trap", pl.col("trap").is_in(list(planted)).alias("switched"), "planted")


def _planted(quirks: str | Sequence[str]) -> frozenset[str]:
    if isinstance(quirks, str):
        _check_choice("quirks", quirks, ("all", "none"))
        return frozenset(TRAPS if quirks == "all" else ())
    for trap in quirks:
        _check_choice("trap", trap, TRAPS)
    return frozenset(quirks)


def _chunks(patients: int, size: int, seed: int, planted: frozenset[str]) -> list[Chunk]:
    return [
        Chunk(number, start, min(size, patients - start), seed, planted)
        for number, start in enumerate(range(0, patients, size))
    ]


def _land(seed: int, hotspots: int) -> Land:
    most = hotspot_candidates(population()).size
    if not 0 <= hotspots <= most:
        raise InputError(f"hotspots is {hotspots}; give a number from 0 to {most}")
    return draw_land(land_stream(seed), hotspots)


def _deprivation(land: Land) -> pl.DataFrame:
    """Quintile of each commune where the index has a value."""
    return land.communes.filter(pl.col("quintile").is_not_null()).select("commune", "quintile")


def _check(patients: int, seed: int, chunk_patients: int) -> None:
    for name, value, least in (
        ("patients", patients, 1),
        ("seed", seed, 0),
        ("chunk_patients", chunk_patients, 1),
    ):
        if value < least:
            raise InputError(f"{name} is {value}; give {least} or more")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"unknown {name} '{value}'{did_you_mean(value, choices)}")
