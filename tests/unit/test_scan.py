"""Scans of files: what is refused, in words; what is imported; types that are read."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eventlogs.errors import LogError
from eventlogs.log import EventLog
from pathways.mining.kernels import EventScan, case_durations, directly_follows, variants
from pathways.mining.kernels.packing import Dense
from pathways.mining.kernels.tallies import Delays, Tally

DAY_0 = datetime(2021, 3, 1)


def events() -> pl.DataFrame:
    starts = [DAY_0 + timedelta(days=day) for day in (0, 2, 5, 1)]
    return pl.DataFrame(
        {"patient_id": ["p", "p", "p", "q"], "activity": ["a", "b", "a", "b"], "start": starts}
    )


def file_of(folder: Path, frame: pl.DataFrame) -> Path:
    path = folder / "events.parquet"
    frame.write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (events().rename({"start": "begin"}), "has no column 'start'"),
        (events().with_columns(pl.col("start").cast(pl.String)), "give dates or times without a time zone"),
        (events().with_columns(pl.col("start").dt.replace_time_zone("UTC")), "without a time zone"),
        (
            events().with_columns(activity=pl.lit(1.5)),
            "column 'activity' is of type double; give text or integers",
        ),
    ],
)
def test_a_file_that_can_t_be_used_is_refused_when_it_is_opened(tmp_path, frame, words):
    with pytest.raises(LogError, match=words):
        EventScan.open(file_of(tmp_path, frame))


def test_an_empty_folder_and_what_is_no_parquet_are_refused(tmp_path):
    with pytest.raises(LogError, match="holds no Parquet file; give one or more"):
        EventScan.open(tmp_path)
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(LogError, match="can't be read as Parquet"):
        EventScan.open(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["patient_id", "activity", "start"])
def test_events_without_a_value_are_refused(tmp_path, name):
    hollow = events().with_columns(pl.when(pl.int_range(pl.len()) > 0).then(name).alias(name))
    with pytest.raises(LogError, match=f"1 of 4 events have no '{name}'; drop or mend those rows"):
        case_durations(EventScan.open(file_of(tmp_path, hollow)))


def test_sorted_files_begin_with_a_whole_patient(tmp_path):
    late = EventLog.create(events()).events[1:]
    with pytest.raises(LogError, match="the first event has a rank above 0"):
        directly_follows(EventScan.open(file_of(tmp_path, late), is_sorted=True))


def test_an_unknown_stratum_names_the_nearest(tmp_path):
    scan = EventScan.open(file_of(tmp_path, events().with_columns(site=pl.lit("x"))))
    with pytest.raises(LogError, match="has no column 'sit'; did you mean 'site'"):
        directly_follows(scan, by="sit")


def test_no_rows_give_empty_tables(tmp_path):
    scan = EventScan.open(file_of(tmp_path, events().head(0)))
    assert directly_follows(scan).schema == directly_follows(EventLog.create(events())).schema
    assert [directly_follows(scan).height, variants(scan).height, case_durations(scan).height] == [0, 0, 0]


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("ms"), pl.Datetime("ns"), pl.Datetime("us")])
@pytest.mark.parametrize("text", [pl.String, pl.Categorical])
def test_dates_times_and_categories_are_read(tmp_path, kind, text):
    frame = events().with_columns(pl.col("start").cast(kind), pl.col("patient_id", "activity").cast(text))
    scan = EventScan.open(file_of(tmp_path, frame))
    assert directly_follows(scan).equals(directly_follows(EventLog.create(events())))


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(-5, 10**15, pl.Int64), (-100, 100, pl.Int8), (7, 200, pl.UInt8)]
)
def test_integers_near_and_far_apart_are_activities_too(tmp_path, low, high, kind):
    names = {"a": low, "b": high}
    frame = events().with_columns(pl.col("activity").replace_strict(names, return_dtype=kind))
    expected = events().with_columns(pl.col("activity").replace_strict(names).cast(pl.String))
    assert directly_follows(EventScan.open(file_of(tmp_path, frame))).equals(
        directly_follows(EventLog.create(expected))
    )


def test_a_scan_shows_no_patient(tmp_path):
    assert repr(EventScan.open(file_of(tmp_path, events()))) == "EventScan(1 files, 4 events, unsorted)"


def test_kernels_import_neither_pandas_nor_pm4py(tmp_path):
    path = file_of(tmp_path, events())
    code = (
        "import sys; from pathways.mining import kernels as k\n"
        f"scan = k.EventScan.open({str(path)!r})\n"
        "k.directly_follows(scan), k.variants(scan), k.case_durations(scan)\n"
        "print([name for name in ('pandas', 'pm4py', 'sklearn', 'pyarrow.compute') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_words_keep_their_codes_as_more_arrive():
    rng = np.random.default_rng(0)
    table, seen = Dense(), {}
    for _ in range(6):
        words = rng.integers(0, 3000, 2000).astype(np.uint64) << np.uint64(40)
        codes, new = table.codes(words)
        assert [
            seen.setdefault(int(word), int(code)) for word, code in zip(words, codes, strict=True)
        ] == list(codes)
        assert list(codes[new]) == list(range(table.n_words - len(new), table.n_words))
    assert sorted(seen.values()) == list(range(len(seen)))


@pytest.mark.parametrize("n_cells", [100, 1 << 40])
def test_a_tally_of_few_or_of_many_cells_counts_alike(n_cells):
    rng = np.random.default_rng(1)
    tally, weighed, whole = Tally(n_cells), Tally(n_cells), []
    for _ in range(5):
        cells = rng.integers(0, 100, 80_000)
        tally.add(cells)
        weighed.add(cells, cells)
        whole.append(cells)
    expected, times = np.unique(np.concatenate(whole), return_counts=True)
    assert np.array_equal(tally.counts(), [expected, times])
    present = expected * times > 0
    cells, sums = weighed.counts()
    assert dict(zip(cells, sums, strict=True)) | {0: 0} == dict(
        zip(expected, expected * times, strict=True)
    ) | {0: 0}
    assert present.sum() == 99


def test_many_delays_that_are_no_whole_days_are_kept_exactly():
    delays = Delays(2)
    for _ in range(3):
        delays.add(np.array([0, 1, 1]), np.array([1, 3 * 86_400_000_000, -5]))
    assert delays.distribution().rows() == [(0, 1, 3), (1, -5, 3), (1, 3 * 86_400_000_000, 3)]
