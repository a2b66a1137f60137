"""The ``pathways`` command: each subcommand is a thin call to one public function.

Exit codes: 0 done · 1 our fault (frames of the error in a log file) · 2 usage · 3 the input can't be used, said in one
sentence · 4 a check failed · 5 refused by the disclosure policy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from eventlogs.engine import Progress as Report
from eventlogs.errors import CarePathwaysError, CheckFailed, InputError

if TYPE_CHECKING:
    from eventlogs.quality import Check

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

console = Console(highlight=False, markup=False)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

PATHWAY_HELP = (
    "a built-in definition (breast_cancer, colorectal_cancer, lung_cancer, prostate_cancer) or a TOML file"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed) or 0)
    except CarePathwaysError as error:
        errors.print(f"pathways {parsed.command}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("pathways: interrupted; nothing half-written was left")
        return 130
    except Exception as error:
        errors.print(f"pathways {parsed.command}: an error of this program ({type(error).__name__}); "
                     f"its frames, without any data, are in {_frames_file(error)}")  # fmt: skip
        return 1


def _frames_file(error: Exception) -> Path:
    """Write where the error came from, without its message: a message can quote a value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    with tempfile.NamedTemporaryFile("w", prefix="care-pathways-", suffix=".log", delete=False) as file:
        file.write(f"care-pathways {version('care-pathways')}\n{type(error).__name__}\n{frames}")
    return Path(file.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pathways",
        description="French claims data (SNDS) into care pathways, and where they break.",
        epilog="First time? `pathways demo` does everything on synthetic data. "
        "Then: build, check, mine, train, score, serve. `pathways COMMAND --help` explains one.",
    )
    parser.add_argument("--version", action="version", version=f"care-pathways {version('care-pathways')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for register in (_synth, _extract_sql, _build, _check, _mine, _contrast, _export, _train, _score, _demo):
        register(commands)
    for entry in sorted(entry_points(group="care_pathways.commands"), key=lambda entry: entry.name):
        entry.load()(commands)
    return parser


def _command(commands: Commands, name: str, words: str, epilog: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words, epilog=epilog)
    return parser


def _synth(commands: Commands) -> None:
    parser = _command(
        commands,
        "synth",
        "Write a synthetic SNDS extract (or a network's own log), with its planted truth beside it.",
        "Example: pathways synth extract --patients 2000 --seed 7",
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write")
    parser.add_argument("--cancer", help="which cancer (default: breast)")
    parser.add_argument("--patients", type=_positive, default=2000, help="how many patients (default: 2000)")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same data (default: 7)")
    parser.add_argument("--format", choices=("parquet", "csv"), help="of the extract (default: parquet)")
    parser.add_argument("--quirks", metavar="all|none|ID,ID", help="traps of the SNDS planted (default: all)")
    parser.add_argument("--network", action="store_true", help="a cancer network's own event log instead")
    parser.set_defaults(run=_run_synth)


def _run_synth(args: argparse.Namespace) -> None:
    from eventlogs.synthetic import synthesise, synthesise_network

    asked = {"cancer": args.cancer, "file_format": args.format, "quirks": _quirks(args.quirks)}
    options = {name: value for name, value in asked.items() if value is not None}
    if args.network and options:
        raise InputError("--cancer, --format and --quirks are of an extract; leave them out with --network")
    with _progress() as report:

        def tell(done: int, total: int) -> None:
            report("synthesise", done, total)

        make = synthesise_network if args.network else synthesise
        make(args.out, patients=args.patients, seed=args.seed, progress=tell, **options)
    console.print(f"Synthetic data of {args.patients} patients: {args.out}")


def _quirks(text: str | None) -> str | list[str] | None:
    """Return all, none, or the traps of a list."""
    return text if text in (None, "all", "none") else [trap.strip() for trap in text.split(",")]


def _extract_sql(commands: Commands) -> None:
    parser = _command(
        commands,
        "extract-sql",
        "Write the Oracle SQL that extracts what a definition needs, where Python can't be brought to the data. "
        "For authorised SNDS environments only.",
        "Example: pathways extract-sql --pathway breast_cancer --years 2018-2023 -o breast.sql",
    )
    parser.add_argument("--pathway", metavar="NAME|FILE", required=True, help=PATHWAY_HELP)
    parser.add_argument("--years", metavar="2018-2023", required=True, help="years of care")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, help="file to write (default: the screen)")
    parser.add_argument("--archived", metavar="2018-2019", default="", help="years in tables ER_PRS_F_20aa")
    parser.add_argument("--space", default="ORAUSER", help="schema that may be written (default: ORAUSER)")
    parser.add_argument("--prefix", default="CP_", help="of the tables that the script makes (default: CP_)")
    parser.add_argument(
        "--flux-months", type=int, default=6, help="months of arrival after the last year (default: 6)"
    )
    parser.add_argument("--rounds", type=int, default=4, help="of linked pseudonyms (default: 4)")
    parser.add_argument(
        "--aggregate",
        action="store_true",
        help="leave only anonymous tables to export (11 patients or more): build them with --from aggregate",
    )
    parser.set_defaults(run=_run_extract_sql)


def _run_extract_sql(args: argparse.Namespace) -> None:
    from pathways.extract_sql import extract_sql

    names = ("out", "archived", "space", "prefix", "flux_months", "rounds", "aggregate")
    script = extract_sql(args.pathway, args.years, **{name: getattr(args, name) for name in names})
    if args.out is None:
        print(script)
    else:
        n_statements = sum(1 for _ in script.statements)
        console.print(f"{n_statements} statements, {len(script.results)} tables to export: {args.out}")


def _build(commands: Commands) -> None:
    parser = _command(
        commands,
        "build",
        "Turn an SNDS extract, an XES file or a table into a study: the event log and its checks.",
        "Examples: pathways build extract -o study --pathway breast_cancer · "
        "pathways build log.xes.gz --from xes -o study · "
        "pathways build log.csv --from table -o study --columns patient_id=case start=time",
    )
    parser.add_argument("source", metavar="SOURCE", type=Path, help="extract folder, XES file, or table")
    parser.add_argument(
        "-o", "--out", metavar="STUDY", type=Path, required=True, help="study folder to write"
    )
    parser.add_argument("--pathway", metavar="NAME|FILE", help=f"{PATHWAY_HELP}; optional for a ready log")
    parser.add_argument(
        "--from",
        dest="door",
        choices=("snds", "aggregate", "omop", "meds", "xes", "table"),
        default="snds",
        help="default: snds",
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        type=_pair,
        default=[],
        metavar="OURS=THEIRS",
        help="column mapping of a ready log",
    )
    parser.set_defaults(run=_run_build)


def _run_build(args: argparse.Namespace) -> None:
    from pathways.steps import build

    with _progress() as report:
        study = build(
            args.source,
            args.out,
            pathway=args.pathway,
            door=args.door,
            columns=dict(args.columns),
            progress=report,
        )
    console.print(_built(study.manifest["counts"], args.out))


def _built(counts: Mapping[str, int], out: Path) -> str:
    """Say what was built and, when nobody entered, where they were lost."""
    made = f"{counts['patients']:,} patients, {counts['events']:,} events: {out}"
    if counts["events"]:
        return made
    return (
        f"{made}\nNobody entered the cohort: of {counts.get('persons', 0):,} persons in IR_BEN_R, "
        f"{counts.get('persons_diagnosed', 0):,} have a diagnosis of the definition (stays or ALD) and "
        f"{counts.get('persons_with_index', 0):,} an index event; check the years, the tables and the definition."
    )


def _check(commands: Commands) -> None:
    parser = _command(
        commands,
        "check",
        "Print the quality checks of a study; exit 4 where a fatal one fails.",
        "Example: pathways check study --against study-of-last-year",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder")
    parser.add_argument(
        "--against", metavar="OTHER", type=Path, help="an older build: say what is new, resolved, persisting"
    )
    parser.set_defaults(run=_run_check)


def _run_check(args: argparse.Namespace) -> None:
    from eventlogs.quality import compare_quality
    from pathways.steps import check, quality_of
    from pathways.study import Study

    older = None if args.against is None else quality_of(Study.open(args.against))
    report = check(args.study)
    console.print(_checks_table(f"Quality of {args.study}", [("", check) for check in report.checks]))
    if older is not None:
        compared = compare_quality(older, report)
        parts = {"new": compared.new, "resolved": compared.resolved, "persisting": compared.persisting}
        changes = [(change, check) for change, checks in parts.items() for check in checks]
        console.print(_checks_table(f"{args.study} against {args.against}", changes, "change"))
    console.print(
        f"{len(report.checks)} checks, {len(report.failed)} failed, in {args.study / 'quality.json'}"
    )
    if report.fatal:
        names = ", ".join(check.id for check in report.fatal)
        raise CheckFailed(f"{args.study} fails {names}; look at the source before using this study")


def _checks_table(title: str, rows: Sequence[tuple[str, Check]], first: str = "") -> Table:
    table = Table(first, "", "check", "found", "allowed", title=title, box=None, title_justify="left")
    category = ""
    for change, check in rows:
        section = "traps of the source" if check.id.startswith("trap.") else check.category
        if section != category and not first:
            table.add_row("", "", f"[{section}]", "", "", style="bold")
        category = section
        words = f"{check.words} ({check.stratum})" if check.stratum else check.words
        table.add_row(change, STATES[check.state], words, _found(check), _allowed(check))
    return table


STATES = {"fatal": "FATAL", "warning": "warning", "note": "note", "ok": "ok", "count": "", "nothing": "-"}
"""How a check's state is printed."""


def _found(check: Check) -> str:
    if not check.out_of:
        return f"{check.found:,} {check.unit}" if check.threshold is None else "none to look at"
    return f"{check.found:,} of {check.out_of:,} {check.unit} ({check.share:.2%})"


def _allowed(check: Check) -> str:
    return "" if check.threshold is None else f"{check.threshold:.1%}"


def _mine(commands: Commands) -> None:
    parser = _command(
        commands,
        "mine",
        "Map the pathways, count breakdowns, and release what may leave (11 patients or more).",
        "Example: pathways mine study --filters women.toml --name women",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder")
    parser.add_argument(
        "--ties",
        choices=("order", "sets"),
        default="order",
        help="events of one day: in the definition's order, or as one step, their set (default: order)",
    )
    parser.add_argument(
        "--filters", metavar="FILE", type=Path, help="TOML or JSON: which patients, beside all (mined first)"
    )
    parser.add_argument("--name", default="", help="what to call the selection")
    parser.set_defaults(run=_run_mine)


def _run_mine(args: argparse.Namespace) -> None:
    from pathways.selections import read_stack
    from pathways.steps import mine

    if args.name and args.filters is None:
        raise InputError("--name is of a selection; give its filters with --filters")
    stack = None if args.filters is None else read_stack(args.filters)
    with _progress() as report:
        study = mine(args.study, filters=stack, name=args.name, ties=args.ties, progress=report)
    made = study if stack is None else study.selection(stack.hash)
    console.print(f"Released: {', '.join(made.released_names())} in {made.path / 'released'}")


def _contrast(commands: Commands) -> None:
    parser = _command(
        commands,
        "contrast",
        "Compare groups of patients: ranked differences, a difference map of two groups, a funnel of more.",
        "Examples: pathways contrast study --by period:2020-01-01 · "
        "pathways contrast study --by territory --group 75 · pathways contrast study --a a.toml --b b.toml",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder, mined")
    parser.add_argument(
        "--by",
        default="",
        help="territory, deprivation, sex, age_band, index_year, network, period:YYYY-MM-DD, facility (of the first "
        "treatment), facility:last or facility:most",
    )
    parser.add_argument("--group", metavar="NAME", default="", help="only this group, against all others")
    parser.add_argument("--a", metavar="FILE", type=Path, help="filters of the patients of A (TOML or JSON)")
    parser.add_argument("--b", metavar="FILE", type=Path, help="filters of the patients of B")
    parser.add_argument(
        "--language", choices=("fr", "en"), default="fr", help="of the difference map (default: fr)"
    )
    parser.set_defaults(run=_run_contrast)


def _run_contrast(args: argparse.Namespace) -> None:
    from pathways.steps import contrast

    asked = {name: getattr(args, name) for name in ("by", "group", "a", "b", "language")}
    with _progress() as report:
        tables, place = contrast(args.study, **asked, progress=report)
    rows = tables[0].frame
    found = int(rows["significant"].sum())
    console.print(f"{found} of {rows.height} released differences are significant (q < 0.05): {place}")


def _export(commands: Commands) -> None:
    parser = _command(
        commands,
        "export",
        "Write one thing of a study to a file, and what it is beside it (JSON).",
        "Released: edges, nodes, variants … (.csv, .parquet), map (.svg, .png, .graphml), model (.bpmn, .pnml). "
        "Patient-level, refused in any folder 'released': events, trace (.xes, .xes.gz, .csv, .parquet), durations, "
        "sequences, alignments (.csv, .parquet). Example: pathways export study --what edges -o edges.csv",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder")
    parser.add_argument(
        "--what", metavar="NAME", required=True, help="a released table, or one of the list below"
    )
    parser.add_argument(
        "-o", "--out", metavar="FILE", type=Path, required=True, help="its suffix chooses the form"
    )
    parser.add_argument(
        "--level", choices=("code", "activity", "phase"), default="activity", help="default: activity"
    )
    parser.add_argument("--patient", metavar="ID", help="whose trace")
    parser.add_argument("--selection", metavar="HASH", help="of a released selection of patients, not of all")
    parser.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="of alignments: .pnml or .bpmn (default: the definition's milestones)",
    )
    parser.add_argument("--language", choices=("fr", "en"), default="fr", help="of a drawn map (default: fr)")
    parser.add_argument(
        "--measure",
        choices=("n_patients", "n_events", "median_days", "p90_days"),
        default="n_patients",
        help="what a drawn map's arrows show (default: n_patients)",
    )
    for what in ("activities", "paths"):
        parser.add_argument(
            f"--{what}-share",
            type=_share,
            metavar="SHARE",
            help=f"of the most frequent {what} that a drawn map keeps, 0 to 1 (default: as the app opens)",
        )
    parser.set_defaults(run=_run_export)


def _run_export(args: argparse.Namespace) -> None:
    from pathways.exports import EXPORTS, export

    names = (
        "level",
        "patient",
        "model",
        "language",
        "measure",
        "activities_share",
        "paths_share",
        "selection",
    )
    path = export(args.study, args.what, args.out, **{name: getattr(args, name) for name in names})
    patient_level = args.what in EXPORTS and EXPORTS[args.what].patient_level
    notice = "Patient-level: keep it where the study may be. " if patient_level else ""
    console.print(f"{notice}{args.what}: {path}, and what it is: {path.name}.json")


def _train(commands: Commands) -> None:
    parser = _command(commands, "train", "Learn the risk of breakdown: model, evaluation, model card.")
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder")
    parser.add_argument(
        "--feed",
        default="hospital_live",
        help="feed of the place where the model will be used (default: hospital_live)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.set_defaults(run=_run_train)


def _run_train(args: argparse.Namespace) -> None:
    from pathways.steps import train

    with _progress() as report:
        model = train(args.study, feed=args.feed, seed=args.seed, progress=report)
    console.print(f"{model.summary()}\nModel and card: {args.study / 'model'}")


def _score(commands: Commands) -> None:
    parser = _command(
        commands,
        "score",
        "Write a risk list at a date, no longer than the team's capacity.",
        "A list from an SNDS study is retrospective and stays in the study.",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder")
    parser.add_argument("--model", metavar="DIR", type=Path, required=True, help="folder that train wrote")
    parser.add_argument(
        "--at", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD", help="date of the list"
    )
    parser.add_argument("--capacity", type=_positive, default=50, help="patients on the list (default: 50)")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="where to write (default: in the study)"
    )
    parser.add_argument("--format", choices=("csv", "xlsx"), default="csv", help="default: csv")
    parser.add_argument(
        "--language", choices=("fr", "en"), default="fr", help="language of the reasons (default: fr)"
    )
    parser.set_defaults(run=_run_score)


def _run_score(args: argparse.Namespace) -> None:
    from pathways.steps import score

    result, path = score(
        args.study,
        model=args.model,
        at=args.at,
        capacity=args.capacity,
        out=args.out,
        file_format=args.format or ("xlsx" if args.out and args.out.suffix == ".xlsx" else "csv"),
        language=args.language,
    )
    console.print(f"{result.frame.height} patients: {path}\n{result.limits}")


def _demo(commands: Commands) -> None:
    parser = _command(
        commands,
        "demo",
        "Do everything once on synthetic data, then open the app.",
        "All data are synthetic: an SNDS extract, and a cancer network's own log for the risk list.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="FOLDER", help="default: demo")
    parser.add_argument("--patients", type=_positive, default=20_000, help="of the extract (default: 20000)")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same data (default: 7)")
    parser.add_argument("--port", type=int, default=8050, help="of the app (default: 8050)")
    parser.add_argument("--no-serve", action="store_true", help="end after the summary")
    parser.set_defaults(run=_run_demo)


def _run_demo(args: argparse.Namespace) -> int:
    from pathways.demo import run

    with _progress() as report:
        demo = run(args.out, patients=args.patients, seed=args.seed, progress=report)
    table = Table(
        "made (synthetic data)", "where", "seconds", "peak MB", title="care-pathways demo", box=None
    )
    for line in demo.lines:
        table.add_row(line.what, str(line.where), f"{line.seconds:.1f}", f"{line.peak_memory_mb:,}")
    table.add_row("in all", "", f"{sum(line.seconds for line in demo.lines):.1f}", "")
    console.print(table)
    console.print(demo.study, demo.model.summary(), sep="\n")
    console.print(f"The risk list in the app: pathways serve {demo.network.path} --risk-list")
    return 0 if args.no_serve else main(["serve", str(demo.study.path), "--port", str(args.port)])


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not a share from 0 to 1")
    return value


def _pair(text: str) -> tuple[str, str]:
    ours, mark, theirs = text.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError(f"'{text}' is not OURS=THEIRS")
    return ours, theirs


@contextmanager
def _progress() -> Iterator[Report]:
    """Show one bar a step."""
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn(),
        console=errors,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def report(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    with bars:
        yield report


if __name__ == "__main__":
    sys.exit(main())
