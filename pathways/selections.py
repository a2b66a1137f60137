"""A part of a study's patients, released beside the study: what leaves, and what the study remembers of it.

The study keeps a ledger, ``ledger/<study>/<hash>-<threshold>/``: for each released selection its stack, the sets of
patients whose sizes were told (``sets.parquet``) and the tables before they were rounded. It is at patient level, and
never leaves. A study built again from the same data with the same definition has the same hash and keeps its ledger.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from eventlogs.errors import DefinitionError, DisclosureRefused, InputError, StudyError
from eventlogs.log import EventLog
from pathways.definition import Language
from pathways.disclosure import Origin, Released
from pathways.disclosure.ledger import REFUSAL, Flags, few_apart, tells_of_few
from pathways.disclosure.policy import DisclosurePolicy, check_enough
from pathways.disclosure.selections import Beside, protect_tables, release_attrition
from pathways.filters import FilterStack
from pathways.mining.codes import by_code
from pathways.mining.kernels import END
from pathways.mining.maps import phase_log
from pathways.mining.outcomes import outcomes
from pathways.releases import OF_SELECTIONS, Material, released
from pathways.study import Study, replacing, write_json

LANGUAGES: tuple[Language, ...] = ("fr", "en")

EVERYBODY: dict[Language, str] = {"fr": "tous les patients", "en": "all patients"}
"""What step 0 of the attrition is called."""

HIDDEN = "hidden"
"""Column of an entry's sets: the groups of a comparison of which nothing is told, together."""

REST = "?"
"""What a comparison calls that set."""

KINDS = {"nodes": "activity", "edges": "edge", "variants": "variant"}
"""What a comparison calls the rows of a table."""


@dataclass(frozen=True)
class Entry:
    """One released selection, or one group of a comparison, as the study remembers it.

    Parameters
    ----------
    key : str
        Hash of its stack and threshold of its policy.
    sets : polars.DataFrame
        ``patient_id``, and a boolean column for each set of patients whose size was told.
    tables : mapping of str to polars.DataFrame
        What was shown, before it was rounded.
    """

    key: str
    sets: pl.DataFrame = field(repr=False)
    tables: Mapping[str, pl.DataFrame] = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """What a selection releases, and what the study must remember before it does."""

    stack: FilterStack
    words: Mapping[Language, Sequence[str]]
    entry: Entry
    tables: tuple[Released, ...]


def read_stack(path: str | Path) -> FilterStack:
    """Read a stack from a file, TOML or JSON by its suffix.

    Raises
    ------
    DefinitionError
        It can't be read, holds no filter, or is not valid; names file, verb, key and the nearest word.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file} can't be read; give a TOML or a JSON file of filters") from error
    stack = (FilterStack.from_json if file.suffix == ".json" else FilterStack.from_toml)(text, file.name)
    if not stack.verbs:
        raise DefinitionError(f"{file} holds no filter; write one under [[filters]], or mine the whole study")
    return stack


def prepare(study: Study, stack: FilterStack, policy: DisclosurePolicy) -> Prepared:
    """Select, compare with all that the study released before, and make the tables.

    Parameters
    ----------
    study : Study
        Mined: its own tables count as released.
    stack : FilterStack
        One verb or more.
    policy : DisclosurePolicy
        How small a number may be.

    Raises
    ------
    DefinitionError
        A filter names what the log does not have.
    StudyError
        The study was not mined, or its ledger is damaged.
    DisclosureRefused
        Too few patients, or the selection and earlier releases would together tell of a few.
    """
    if not stack.verbs:
        raise InputError("the stack holds no filter; mine the whole study instead")
    if not study.released_names():
        raise StudyError(f"{study.path} was not mined; first: pathways mine {study.path}")
    whole = {name: study.released(name).frame for name in study.released_names()}
    entries, material = read_ledger(study), Material.of(study, policy)
    log, pathway = material.log, material.pathway
    logs = stack.logs(log, pathway)
    check_enough(logs[-1].events["patient_id"].n_unique(), policy)
    told = _told(log, logs, entries, _key(stack, policy), policy)
    check_nodes(material, whole["nodes"], [told["patients"], told["with_events"]])
    words = {language: stack.say(language, pathway) for language in LANGUAGES}
    origin = Origin(material.origin.study, words["fr"], stack.hash)
    others = [*_nested(log, told["patients"], entries), *_territories(log, told["patients"], whole)]
    shown, leaving = protect_tables(
        released(_of_selection(material, logs[-1], origin, stack), OF_SELECTIONS),
        Beside(whole, others, stack.cuts_events, stack.cuts_activities),
        policy,
    )
    attrition = release_attrition(_attrition(stack, words, told), policy=policy, origin=origin)
    sets = pl.DataFrame({"patient_id": log.patients["patient_id"], **told})
    return Prepared(stack, words, Entry(_key(stack, policy), sets, shown), (*leaving, attrition))


def _of_selection(material: Material, chosen: EventLog, origin: Origin, stack: FilterStack) -> Material:
    """Return the material of a selection: what became of its patients is what the whole log says, not a cut one."""
    ends = _ends(material).join(chosen.patients, on="patient_id", how="semi")
    found = ends.clear() if stack.cuts_time else ends
    return replace(material, log=chosen, origin=origin, molecules=None, found=found)


def _key(stack: FilterStack, policy: DisclosurePolicy) -> str:
    return f"{stack.hash}-{policy.threshold}"


def _told(
    log: EventLog, logs: Sequence[EventLog], entries: Sequence[Entry], key: str, policy: DisclosurePolicy
) -> dict[str, Flags]:
    """Return the sets of patients whose sizes are told: the selection, and each step before it that may be.

    What the same stack told before is told again.
    """
    everybody = np.ones(log.n_patients, dtype=np.bool_)
    published = [
        everybody,
        among(log, log.events),
        *chain(*(flags_of(log, entry).values() for entry in entries)),
    ]
    before = next((flags_of(log, entry) for entry in entries if entry.key == key), {})
    told: dict[str, Flags] = {}
    last = {"patients": logs[-1].patients, "with_events": logs[-1].events}
    steps = {f"step_{place}": left.patients for place, left in enumerate(logs[:-1], start=1)}
    for name, frame in (last | steps).items():
        flags = among(log, frame)
        if name not in before and tells_of_few(flags, published, policy):
            if name in last:
                raise DisclosureRefused(REFUSAL)
            continue
        told[name] = flags
        published.append(flags)
    return told


def _published(log: EventLog, entries: Sequence[Entry]) -> list[Flags]:
    """Return the sets whose sizes are known: everybody, everybody with events, and those of the ledger."""
    everybody = np.ones(log.n_patients, dtype=np.bool_)
    return [everybody, among(log, log.events), *chain(*(flags_of(log, entry).values() for entry in entries))]


def among(log: EventLog, frame: pl.DataFrame) -> Flags:
    """Return which patients of the log a frame tells of."""
    flags: Flags = log.patients["patient_id"].is_in(frame["patient_id"].unique().implode()).to_numpy()
    return flags


def flags_of(log: EventLog, entry: Entry) -> dict[str, Flags]:
    """Return the sets of an entry in the order of the log's patients."""
    ordered = log.patients.select("patient_id").join(
        entry.sets, on="patient_id", how="left", maintain_order="left"
    )
    if ordered.height != entry.sets.height or any(count for count in ordered.null_count().row(0)):
        raise StudyError(
            f"the ledger has {entry.key} of other patients; build the study again from its source"
        )
    return {name: ordered[name].to_numpy() for name in entry.sets.columns if name != "patient_id"}


def check_nodes(material: Material, nodes: pl.DataFrame, chosen: Sequence[Flags]) -> None:
    """Refuse a selection that holds, or is, nearly all patients of a node of the study's own map."""
    levels, ends = _levels(material), _ends(material)
    for level, name in nodes.drop_nulls("n_patients").select("level", "activity").rows():
        members = (
            ends.filter(outcome=name) if name.startswith(END) else levels[level].events.filter(activity=name)
        )
        node = among(material.log, members)
        if any(few_apart(one, [node], material.policy, nested=True) for one in chosen):
            raise DisclosureRefused(REFUSAL)


def _ends(material: Material) -> pl.DataFrame:
    """Return what became of each patient with events, as the study's own map tells it."""
    silence_days = None if material.pathway is None else material.pathway.cohort.silence_days
    return outcomes(material.log, silence_days).join(material.log.events, on="patient_id", how="semi")


def _levels(material: Material) -> dict[str, EventLog]:
    """Return the log at each level that the study's own map may have."""
    log, pathway, molecules = material.log, material.pathway, material.molecules
    phases = {} if pathway is None else {"phase": phase_log(log, pathway)}
    codes = {} if molecules is None else {"code": by_code(log, molecules)[0]}
    return {"activity": log, **phases, **codes}


def _nested(log: EventLog, chosen: Flags, entries: Sequence[Entry]) -> list[Mapping[str, pl.DataFrame]]:
    """Return the tables of the entries whose patients contain, or are contained in, those chosen."""
    sets = [(flags_of(log, entry)["patients"], entry.tables) for entry in entries]
    return [tables for other, tables in sets if _is_nested(chosen, other)]


def _territories(
    log: EventLog, chosen: Flags, whole: Mapping[str, pl.DataFrame]
) -> list[Mapping[str, pl.DataFrame]]:
    """Return the study's breakdowns of the territory that holds the chosen, and of all territories that they hold."""
    if "territories" not in whole:
        return []
    lives = log.patients.with_columns(chosen=pl.Series(chosen)).group_by("territory")
    shares = lives.agg(some=pl.col("chosen").any(), all=pl.col("chosen").all())
    holding = shares.filter("some")["territory"]
    groups = [holding.to_list() if holding.len() == 1 else [], shares.filter("all")["territory"].to_list()]
    return [{"breakdowns": _breakdowns_of(whole["territories"], group)} for group in groups]


def _breakdowns_of(territories: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return the released breakdowns of some territories together."""
    counts = territories.filter(pl.col("territory").is_in(names)).drop_nulls("n_evaluable")
    summed = counts.group_by("breakdown").agg(broken=pl.sum("n_broken"), evaluable=pl.sum("n_evaluable"))
    unsaid = {name: pl.lit(None, dtype=pl.Int64) for name in ("n_patients", "excused", "undecidable")}
    return summed.with_columns(kept=pl.col("evaluable") - pl.col("broken"), **unsaid)


def _attrition(
    stack: FilterStack, words: Mapping[Language, Sequence[str]], told: Mapping[str, Flags]
) -> pl.DataFrame:
    """Return the steps of a selection, with the patients left after those that may be told."""
    last = len(stack)
    sets = [told.get("patients" if step == last else f"step_{step}") for step in range(1, last + 1)]
    counts = [len(told["patients"]), *(None if one is None else int(one.sum()) for one in sets)]
    said = {f"words_{language}": [EVERYBODY[language], *words[language]] for language in LANGUAGES}
    verbs = ["", *(verb.verb for verb in stack.verbs)]
    return pl.DataFrame({"step": range(last + 1), "verb": verbs, **said, "n_patients": counts})


def read_ledger(study: Study) -> list[Entry]:
    """Read what a study remembers of its released selections.

    Raises
    ------
    StudyError
        An entry is damaged.
    """
    return [_entry(folder) for folder in sorted(_ledger(study).glob("[!.]*"))]


def _ledger(study: Study) -> Path:
    return study.path / "ledger" / str(study.manifest["study"])


def _entry(folder: Path) -> Entry:
    try:
        tables = {
            path.stem: pl.read_parquet(path, glob=False) for path in (folder / "tables").glob("*.parquet")
        }
        return Entry(folder.name, pl.read_parquet(folder / "sets.parquet", glob=False), tables)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StudyError(
            f"{folder} of the ledger is damaged, so that nothing more may be released; restore it, or build again"
        ) from error


def remember(study: Study, entry: Entry, filters: str) -> None:
    """Write a release into the ledger, before it leaves.

    Parameters
    ----------
    study : Study
        Whose ledger.
    entry : Entry
        What to remember.
    filters : str
        Who it is of, as TOML.
    """
    with replacing(_ledger(study) / entry.key) as folder:
        (folder / "tables").mkdir()
        entry.sets.write_parquet(folder / "sets.parquet")
        for name, frame in entry.tables.items():
            frame.write_parquet(folder / "tables" / f"{name}.parquet")
        (folder / "filters.toml").write_text(filters, encoding="utf-8")
        write_json(folder / "entry.json", {"at": _now(), "patients": int(entry.sets["patients"].sum())})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def beside_groups(
    study: Study, log: EventLog, groups: Mapping[str, pl.DataFrame], *, of: str = ""
) -> pl.DataFrame:
    """Return what earlier releases tell of sets of patients that contain a group, or are contained in it.

    Parameters
    ----------
    study : Study
        Gives the ledger.
    log : EventLog
        All patients of the study.
    groups : mapping of str to polars.DataFrame
        ``patient_id`` of the patients of each group.
    of : str
        Names the comparison of these groups: what it told before is left out.

    Returns
    -------
    polars.DataFrame
        ``group``, ``key`` (``all``, or a kind and its words with tabs between: ``activity``, ``edge``, ``variant`` of
        milestones), ``k``: patients, exact and so not to be shown, null where it was hidden; ``n``: patients of the
        other set; ``same``: it is the group itself.

    Raises
    ------
    StudyError
        The ledger is damaged.
    """
    own = {group_key(of, name) for name in groups}
    entries = [(entry, flags_of(log, entry)) for entry in read_ledger(study)]
    others = [(entry, sets) for entry, sets in entries if entry.key.rpartition("-")[0] not in own]
    frames = [
        _told_by(entry, sets).select(
            pl.lit(name).alias("group"), "key", "k", *_against(flags, sets["patients"])
        )
        for name, flags in ((name, among(log, members)) for name, members in groups.items())
        for entry, sets in others
        if _is_nested(flags, sets["patients"])
    ]
    schema = {"group": pl.String, "key": pl.String, "k": pl.Int64, "n": pl.Int64, "same": pl.Boolean}
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def group_key(of: str, name: str) -> str:
    """Return sixteen hexadecimal digits that name a group of a comparison."""
    return hashlib.sha256(f"{of}/{name}".encode()).hexdigest()[:16]


def _against(group: Flags, other: Flags) -> tuple[pl.Expr, pl.Expr]:
    size, same = pl.lit(int(other.sum()), dtype=pl.Int64), pl.lit(bool(np.array_equal(group, other)))
    return size.alias("n"), same.alias("same")


def _is_nested(one: Flags, other: Flags) -> bool:
    return not (one & ~other).any() or not (other & ~one).any()


def _told_by(entry: Entry, sets: Mapping[str, Flags]) -> pl.DataFrame:
    """Return the patients by measure that an entry tells: ``key``, ``k``, null where it was hidden."""
    everybody = [int(sets[name].sum()) for name in ("patients", "with_events")]
    frames = [pl.DataFrame({"key": "all", "k": everybody}, schema={"key": pl.String, "k": pl.Int64})]
    words = {"nodes": ["activity"], "edges": ["source", "target"]}
    for table, columns in words.items():
        if table in entry.tables:
            counted = entry.tables[table].filter(level="activity")
            key = pl.concat_str(pl.lit(KINDS[table]), *columns, separator="\t")
            frames.append(counted.select(key.alias("key"), k="n_patients"))
    if "variants" in entry.tables:
        counted = entry.tables["variants"].filter(level="milestone")
        listed = counted.filter(pl.col("variant").list.len() > 0)
        key = pl.concat_str(pl.lit(KINDS["variants"]), pl.col("variant").list.join("\t"), separator="\t")
        frames.append(listed.select(key.alias("key"), k="n_patients"))
    return pl.concat(frames)


def remember_groups(
    study: Study,
    log: EventLog,
    groups: Mapping[str, pl.DataFrame],
    tables: Mapping[str, Mapping[str, pl.DataFrame]],
    *,
    of: str,
    policy: DisclosurePolicy,
    rest: str = "",
) -> None:
    """Compare the groups of a comparison with what the study released, and write them into the ledger.

    Call it within `one_at_a_time`, before the comparison is released.

    Parameters
    ----------
    study : Study
        Gives the ledger.
    log : EventLog
        All patients of the study.
    groups : mapping of str to polars.DataFrame
        ``patient_id`` of the patients of each group; their sizes are told.
    tables : mapping of str to mapping of str to polars.DataFrame
        By group: what is told of it, in the form of the released ``nodes``, ``edges``, ``variants`` (the columns of
        `pathways.disclosure.selections.SHAPES`; a count that is not told is null).
    of : str
        Names the comparison: the same text for the same groups.
    policy : DisclosurePolicy
        Of the comparison.
    rest : str
        Names the group of which nothing is told, if there is one: it must not be told apart later (`tells_apart`).

    Raises
    ------
    DisclosureRefused
        The sizes of the groups, with those released before, would tell of a few patients.
    StudyError
        The ledger is damaged.
    """
    entries, members = read_ledger(study), {name: among(log, frame) for name, frame in groups.items()}
    keys = {name: f"{group_key(of, name)}-{policy.threshold}" for name in groups}
    published = _published(log, entries)
    known = {entry.key for entry in entries}
    for name, flags in members.items():
        if keys[name] not in known and tells_of_few(flags, published, policy):
            raise DisclosureRefused(REFUSAL)
        published.append(flags)
    for name, flags in members.items():
        sets = {
            "patient_id": log.patients["patient_id"],
            "patients": flags,
            "with_events": flags & among(log, log.events),
            **({HIDDEN: flags} if name == rest else {}),
        }
        remember(
            study, Entry(keys[name], pl.DataFrame(sets), tables.get(name, {})), f"# group of {of}: {name}\n"
        )


def tells_apart(study: Study, log: EventLog, groups: Mapping[str, pl.DataFrame], *, of: str) -> list[str]:
    """Return the groups that would tell the hidden ones of an earlier comparison apart.

    They hold some of its hidden patients and not all, and beside them nobody or whole groups that are told: the hidden
    ones could be had by subtraction.

    Parameters
    ----------
    study, log, groups
        As in `beside_groups`.
    of : str
        Names the comparison of these groups: what it left in the ledger is not looked at.
    """
    own = {group_key(of, name) for name in (*groups, REST)}
    entries = [entry for entry in read_ledger(study) if entry.key.rpartition("-")[0] not in own]
    told = [flags_of(log, entry) for entry in entries]
    hidden = [sets[HIDDEN] for sets in told if HIDDEN in sets]
    known = [sets["patients"] for sets in told if HIDDEN not in sets]
    members = {name: among(log, frame) for name, frame in groups.items()}
    return [name for name, flags in members.items() if any(_splits(flags, rest, known) for rest in hidden)]


def _splits(group: Flags, rest: Flags, known: Sequence[Flags]) -> bool:
    inside, beside = group & rest, group & ~rest
    if not inside.any() or np.array_equal(inside, rest):
        return False
    whole = [flags for flags in known if not (flags & rest).any() and not (flags & ~beside).any()]
    return bool(np.array_equal(np.any([*whole, np.zeros_like(group)], axis=0), beside))


def describe(folder: Path, prepared: Prepared, name: str, policy: DisclosurePolicy) -> None:
    """Write beside the released tables which selection they are of."""
    (folder / "filters.toml").write_text(prepared.stack.to_toml(), encoding="utf-8")
    said = {
        "hash": prepared.stack.hash,
        "name": name,
        "threshold": policy.threshold,
        "at": _now(),
        **{f"words_{language}": list(prepared.words[language]) for language in LANGUAGES},
    }
    write_json(folder / "selection.json", said)


@contextmanager
def one_at_a_time(study: Study) -> Iterator[None]:
    """Let one process at a time compare a selection with the ledger and write to it."""
    folder = _ledger(study)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
