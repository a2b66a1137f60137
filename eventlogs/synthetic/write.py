"""Extracts on disk: written beside their place, then renamed, so that none is ever half there."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import polars as pl

from eventlogs.errors import InputError

ROW_GROUP = 100_000
FileFormat = Literal["parquet", "csv"]


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give a temporary sibling of `out` to write in, and put it in the place of `out` at the end.

    Raises
    ------
    InputError
        `out` holds something else than an earlier synthetic extract.
    """
    _refuse_foreign(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        _swap(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(partial: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(out: Path) -> None:
    if out.is_dir() and (not any(out.iterdir()) or is_synthetic(out)):
        return
    if out.exists():
        raise InputError(
            f"{out} already exists and is not a synthetic extract; give the path of a new folder, or remove it first"
        )


def is_synthetic(folder: Path) -> bool:
    """Whether `folder` is an earlier synthetic extract, by its extract.toml."""
    described = folder / "extract.toml"
    try:
        return tomllib.loads(described.read_text(encoding="utf-8")).get("synthetic") is True
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


class TableFolder:
    """Tables written chunk by chunk: one file each, or one folder each with a file for every chunk."""

    def __init__(self, folder: Path, file_format: FileFormat, *, many_chunks: bool) -> None:
        self._folder = folder
        self._format = file_format
        self._many = many_chunks

    def write(self, name: str, table: pl.DataFrame, chunk: int) -> None:
        """Write the rows of one chunk."""
        if self._format == "csv":
            self._append_csv(name, table)
        else:
            table.write_parquet(self._parquet_path(name, chunk), row_group_size=ROW_GROUP, compression="zstd")

    def _parquet_path(self, name: str, chunk: int) -> Path:
        if not self._many:
            return self._folder / f"{name}.parquet"
        (self._folder / name).mkdir(exist_ok=True)
        return self._folder / name / f"part-{chunk:04d}.parquet"

    def _append_csv(self, name: str, table: pl.DataFrame) -> None:
        path = self._folder / f"{name}.csv"
        with path.open("ab") as file:
            table.write_csv(file, separator=";", date_format="%d/%m/%Y", include_header=file.tell() == 0)


class GrowingFiles:
    """Single Parquet files, assembled at the end from the tables of each chunk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / ".parts"
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._parts.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._assemble()
        shutil.rmtree(self._parts)

    def write(self, name: str, table: pl.DataFrame) -> None:
        """Append `table` to the file `name`."""
        number = self._counts.get(name, 0)
        table.write_parquet(self._parts / f"{name}-{number:04d}.parquet")
        self._counts[name] = number + 1

    def _assemble(self) -> None:
        for name, count in self._counts.items():
            parts = [self._parts / f"{name}-{number:04d}.parquet" for number in range(count)]
            pl.scan_parquet(parts).sink_parquet(self._folder / f"{name}.parquet", compression="zstd")
