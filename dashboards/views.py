"""Released tables and the state of a page -> what the page says. Pure: no Dash, no IO, no words of a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import polars as pl

from dashboards.results import Results
from eventlogs.abstraction import LEVELS, Level
from pathways.drawing import Facts, Picture, count_steps, replay_at
from pathways.mining.incidence import INDEX
from pathways.mining.kernels import ELSEWHERE, END
from pathways.mining.readable import SLIDER_STEP, drawn, opening

Measure = Literal["n_patients", "n_events", "median_days", "p90_days"]
TerritoryMeasure = Literal["shrunk_ratio", "rate"]

POOLED = ELSEWHERE
FREQUENT_FIRST = ["n_events", "source", "target"]
HIDDEN_KEY = f"{POOLED}→{POOLED}"
ARROW = "→"

STEP_PERCENT = round(100 * SLIDER_STEP)
LONGEST_DELAYS = 5
VARIANTS_SHOWN = 10
LONGEST_SINCE_INDEX, LONGEST_SINCE_STEP = 720, 180

RATIO_BOUNDS = (0.8, 0.95, 1.05, 1.25)
RATE_BOUNDS = (0.1, 0.2, 0.3, 0.4)
ANY = "any"
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class MapState:
    """What the process map is asked to show; the page's URL holds it."""

    level: Level = "activity"
    measure: Measure = "n_patients"
    activities: int = 100
    paths: int = 100
    selected: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str], opening: MapState) -> Self:
        """Read the state from a URL's query; whatever it does not say, or says wrongly, is as at the opening."""
        return cls(
            level=_choice(query.get("level"), LEVELS, opening.level),
            measure=_choice(query.get("measure"), get_args(Measure), opening.measure),
            activities=_percent(query.get("activities"), opening.activities),
            paths=_percent(query.get("paths"), opening.paths),
            selected=query.get("selected", opening.selected),
        )


@dataclass(frozen=True)
class BreakdownState:
    """What the page of breakdowns is asked to show."""

    breakdown: str = ANY
    measure: TerritoryMeasure = "shrunk_ratio"
    territory: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str], results: Results) -> Self:
        """Read the state from a URL's query; an unknown breakdown gives the first one."""
        known = breakdown_ids(results)
        return cls(
            breakdown=_choice(query.get("breakdown"), known, known[0] if known else ANY),
            measure=_choice(query.get("measure"), get_args(TerritoryMeasure), "shrunk_ratio"),
            territory=query.get("territory", ""),
        )


@dataclass(frozen=True)
class MapView:
    """The part of the map that is drawn, and what is left out.

    Attributes
    ----------
    nodes, edges : polars.DataFrame
        As released, only the rows drawn; START and END are in no row of ``nodes``.
    hidden_by_sliders, hidden_by_threshold : int or None
        Passages (events) that are left out; None where the released table does not say.
    n_events : int
        Passages of the whole level that may be said: drawn and hidden.
    n_nodes, n_edges : int
        Released steps and passages of the level.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    hidden_by_sliders: int
    hidden_by_threshold: int | None
    n_nodes: int
    n_edges: int

    @property
    def n_events(self) -> int:
        return self.shown + self.hidden

    @property
    def shown(self) -> int:
        return int(self.edges["n_events"].sum())

    @property
    def hidden(self) -> int:
        return self.hidden_by_sliders + (self.hidden_by_threshold or 0)

    def draws(self, key: str) -> bool:
        """Say whether a step or a passage is on the map."""
        source, arrow, target = key.partition(ARROW)
        if not arrow:
            return key in self.nodes["activity"]
        return not self.edges.filter(source=source, target=target).is_empty()

    @property
    def shown_share(self) -> float | None:
        return self.shown / self.n_events if self.n_events else None


@dataclass(frozen=True)
class EdgeView:
    """One passage: its row, its two steps, and the distribution of its delay."""

    edge: Mapping[str, Any]
    delays: pl.DataFrame


@dataclass(frozen=True)
class IncidenceView:
    """Who has had a step by each day, since the index or an activity.

    ``curve`` has ``day``, ``n_at_risk``, the shares ``step``, ``other``, ``waiting``, ``exit``, ``death``, which add
    up to 1, and ``low``, ``high`` of ``step``; ``since_index`` says where the clock started.
    """

    curve: pl.DataFrame
    since_index: bool

    @property
    def last_day(self) -> int:
        """Last day told."""
        return int(self.curve["day"].to_list()[-1])

    def at(self, day: int) -> Mapping[str, Any]:
        """Return the last row that is not after a day."""
        return self.curve.filter(pl.col("day") <= day).row(-1, named=True)


@dataclass(frozen=True)
class NodeView:
    """One step: its row, and where patients come from and go to, most frequent first."""

    node: Mapping[str, Any]
    share: float | None
    before: pl.DataFrame
    after: pl.DataFrame


@dataclass(frozen=True)
class VariantsView:
    """The commonest pathways, those released but not listed, and the rarest, pooled in one row.

    ``level`` says whose names and colours the steps have; ``n_patients`` is None where the pooled row is hidden.
    """

    level: Level
    variants: pl.DataFrame
    others: pl.DataFrame
    rest: Mapping[str, Any] | None
    n_patients: int | None


@dataclass(frozen=True)
class BreakdownView:
    """One breakdown: its row (None for *any*), and its territories with their class on the map."""

    row: Mapping[str, Any] | None
    territories: pl.DataFrame
    bounds: tuple[float, ...]
    n_suppressed: int


def opening_state(results: Results, level: Level = "activity") -> MapState:
    """Return sliders that give a map of a dozen steps, whatever the study's size."""
    activities, paths = opening(_of_level(results.nodes, level), _of_level(results.edges, level))
    return MapState(level=level, activities=round(100 * activities), paths=round(100 * paths))


def levels(results: Results) -> list[Level]:
    """Return the levels that the study has, from the finest to the coarsest."""
    known = set(results.nodes["level"])
    return [level for level in LEVELS if level in known]


def level_of(query: Mapping[str, str], results: Results) -> Level:
    """Return the level that a URL's query asks for; activities where it asks for none, or for one that is not there."""
    return _choice(query.get("level"), levels(results), "activity")  # type: ignore[no-any-return]


def map_view(results: Results, state: MapState) -> MapView:
    """Choose the steps and passages to draw.

    The sliders keep a share of the steps (those of most patients) and of the passages between them (those of most
    events); each step keeps at least its commonest way in and way out. At most 150 passages are drawn.
    """
    nodes, edges = _of_level(results.nodes, state.level), _of_level(results.edges, state.level)
    released, pooled = _flow(edges), edges.filter(pl.col("source") == POOLED)["n_events"]
    kept, shown = drawn(nodes, edges, activities_share=state.activities / 100, paths_share=state.paths / 100)
    return MapView(
        nodes=kept,
        edges=shown,
        hidden_by_sliders=int(released["n_events"].sum()) - int(shown["n_events"].sum()),
        hidden_by_threshold=pooled.item() if pooled.len() else 0,
        n_nodes=count_steps(nodes),
        n_edges=released.height,
    )


def phases_in_order(results: Results, level: Level) -> list[str]:
    """Return the phases of a level from left to right, as their lanes stand on the map."""
    lanes = _of_level(results.layout, level).select("activity", "lane", "x")
    placed = _of_level(results.nodes, level).join(lanes, on="activity", how="left")
    return placed.group_by("phase").agg(pl.col("lane").min()).sort("lane", "phase")["phase"].to_list()


def replay(results: Results, state: MapState) -> Mapping[str, Any] | None:
    """Return what the map tells of whole pathways, or None where the study does not say."""
    return replay_at(results.replay, state.level, state.activities / 100, state.paths / 100)


def picture(results: Results, view: MapView, state: MapState) -> Picture:
    """Return what the map shows as a picture to draw."""
    level = state.level
    named = _of_level(results.nodes, "phase").filter(~pl.col("activity").str.starts_with(END))
    phases = named.select("phase", fr="label_fr", en="label_en")
    summary = results.summary
    return Picture(
        level=level,
        nodes=view.nodes,
        edges=view.edges,
        layout=_of_level(results.layout, level),
        every=_flow(_of_level(results.edges, level)),
        n_nodes=view.n_nodes,
        hidden_share=None
        if view.hidden_by_threshold is None or view.shown_share is None
        else 1 - view.shown_share,
        phase_labels={phase: {"fr": fr, "en": en} for phase, fr, en in phases.rows()},
        facts=Facts(
            title={"fr": str(summary["pathway_label_fr"]), "en": str(summary["pathway_label_en"])},
            n_patients=summary["n_patients"],
            filters=results.filters,
            study=results.study,
            threshold=results.threshold,
            cutoff=summary["cutoff"],
            synthetic=bool(summary["synthetic"]),
        ),
        replay=replay(results, state),
    )


def edge_view(results: Results, level: Level, key: str) -> EdgeView | None:
    """Return a passage by its key ``source→target``, or None where no such passage was released."""
    source, _, target = key.partition(ARROW)
    here = (pl.col("source") == source) & (pl.col("target") == target)
    found = _flow(_of_level(results.edges, level)).filter(here)
    if found.is_empty():
        return None
    delays = _of_level(results.edge_delays, level).filter(here).sort("day_from")
    return EdgeView(found.row(0, named=True), delays)


def node_view(results: Results, level: Level, key: str) -> NodeView | None:
    """Return a step by its activity, or None where no such step was released."""
    found = _of_level(results.nodes, level).filter(pl.col("activity") == key)
    if found.is_empty():
        return None
    edges = _flow(_of_level(results.edges, level))
    return NodeView(
        node=found.row(0, named=True),
        share=share_of(found["n_patients"].item(), results.summary["n_patients"]),
        before=_with_share(edges.filter(pl.col("target") == key)),
        after=_with_share(edges.filter(pl.col("source") == key)),
    )


def incidence_view(results: Results, level: Level, origin: str, target: str) -> IncidenceView | None:
    """Return the curves of a step since an activity or the index (``index``), or None where none were released."""
    told = _of_level(results.incidence, level).filter(origin=origin, target=target)
    if told.is_empty():
        return None
    share = pl.col("incidence")
    causes = [share.filter(cause=cause).sum().alias(cause) for cause in ("step", "other", "exit", "death")]
    limits = [pl.col(name).filter(cause="step").first() for name in ("low", "high")]
    curve = told.group_by("day").agg(pl.col("n_at_risk").first(), *causes, *limits).sort("day")
    waiting = (1 - pl.sum_horizontal("step", "other", "exit", "death")).clip(0, 1)
    since_index = origin == INDEX
    longest = LONGEST_SINCE_INDEX if since_index else LONGEST_SINCE_STEP
    return IncidenceView(curve.with_columns(waiting=waiting).filter(pl.col("day") <= longest), since_index)


def share_of(part: int | None, whole: int | None) -> float | None:
    """Return a share of one, or None where either is hidden or the whole is nothing."""
    return part / whole if part is not None and whole else None


def longest_delays(view: MapView) -> pl.DataFrame:
    """Return the passages drawn between two different steps that take longest, by median delay."""
    between = view.edges.filter((pl.col("source") != pl.col("target")) & pl.col("median_days").is_not_null())
    return between.sort(["median_days", "n_events"], descending=True).head(LONGEST_DELAYS)


def variants_view(results: Results) -> VariantsView:
    """Return the commonest pathways, those not listed here, and the rarer ones that are only released pooled.

    Variants are sequences of milestones where the definition names some, else of activities.
    """
    named = results.variants.filter(pl.col("rank").is_not_null()).sort("rank")
    pooled = results.variants.filter(pl.col("rank").is_null())
    everyone = results.variants["n_patients"]
    return VariantsView(
        level="phase" if (results.variants["level"] == "milestone").any() else "activity",
        variants=named.head(VARIANTS_SHOWN),
        others=named.tail(-VARIANTS_SHOWN),
        rest=pooled.row(0, named=True) if pooled.height else None,
        n_patients=None if everyone.null_count() else int(everyone.sum()),
    )


def breakdown_ids(results: Results) -> list[str]:
    """Return the breakdowns that can be chosen: *any* first, where the territories know it."""
    defined = results.breakdowns["breakdown"].to_list()
    return [ANY, *defined] if (results.territories["breakdown"] == ANY).any() else defined


def n_hotspots(results: Results, breakdown: str) -> int:
    """Count the territories flagged as hotspots of a breakdown."""
    rows = results.territories.filter(pl.col("breakdown") == breakdown)
    return int(rows["hotspot"].fill_null(False).sum())


def breakdown_view(results: Results, state: BreakdownState, names: pl.DataFrame) -> BreakdownView:
    """Return one breakdown and its territories.

    Parameters
    ----------
    names : polars.DataFrame
        ``territory``, ``name``, ``region``: every territory of the map.

    Returns
    -------
    BreakdownView
        ``territories`` has one row for each territory of the map, those without a released row as suppressed, with
        ``rate_low`` and ``rate_high`` (95 %, Wilson) and ``shade`` (place of the value among the class bounds).
    """
    rows = results.territories.filter(pl.col("breakdown") == state.breakdown)
    bounds = RATIO_BOUNDS if state.measure == "shrunk_ratio" else RATE_BOUNDS
    territories = (
        names.join(rows, on="territory", how="full", coalesce=True)
        .with_columns(pl.col("suppressed").fill_null(True), pl.col("hotspot").fill_null(False))
        .with_columns(pl.col("name").fill_null(pl.col("territory")), shade_of(state.measure, bounds))
        .with_columns(*wilson("n_broken", "n_evaluable"))
        .sort(["shrunk_ratio", "ratio", "territory"], descending=[True, True, False], nulls_last=True)
    )
    chosen = results.breakdowns.filter(pl.col("breakdown") == state.breakdown)
    return BreakdownView(
        row=chosen.row(0, named=True) if chosen.height else None,
        territories=territories,
        bounds=bounds,
        n_suppressed=int(territories["suppressed"].sum()),
    )


def shade_of(measure: str, bounds: tuple[float, ...]) -> pl.Expr:
    """Return the class of a value: 0 below the first bound, up to the number of bounds; null where suppressed."""
    place = pl.sum_horizontal([(pl.col(measure) >= bound).cast(pl.Int64) for bound in bounds])
    return pl.when(pl.col(measure).is_not_null()).then(place).alias("shade")


def wilson(broken: str, evaluable: str) -> tuple[pl.Expr, pl.Expr]:
    """Return the 95 % limits of a proportion (Wilson 1927, J Am Stat Assoc 22:209-212)."""
    n, share = pl.col(evaluable), pl.col(broken) / pl.col(evaluable)
    centre = share + Z_95**2 / (2 * n)
    spread = Z_95 * (share * (1 - share) / n + Z_95**2 / (4 * n**2)).sqrt()
    scale = 1 + Z_95**2 / n
    return ((centre - spread) / scale).alias("rate_low"), ((centre + spread) / scale).alias("rate_high")


def status_shares(row: Mapping[str, Any]) -> list[tuple[str, int | None, float | None]]:
    """Return (status, patients, share) of a breakdown's row, in the order drawn; None where suppressed."""
    total = row["n_patients"]
    return [
        (status, row[status], share_of(row[status], total))
        for status in ("broken", "kept", "excused", "undecidable")
    ]


def broken_share(row: Mapping[str, Any]) -> float | None:
    """Return the share of broken among the evaluable (kept or broken), or None where either is suppressed."""
    if row["broken"] is None or row["kept"] is None:
        return None
    return share_of(row["broken"], row["broken"] + row["kept"])


def with_provenance(frame: pl.DataFrame, results: Results, filters: str) -> pl.DataFrame:
    """Add to a table that leaves the screen what it counts, among whom, its threshold, filter and study."""
    return frame.with_columns(
        pl.lit(results.summary["n_patients"]).alias("denominator"),
        pl.lit(results.threshold).alias("threshold"),
        pl.lit(filters).alias("filters"),
        pl.lit(results.study).alias("study"),
    )


def to_csv(frame: pl.DataFrame) -> str:
    """Return CSV as a French spreadsheet opens it: ``;`` and a byte-order mark."""
    return "\ufeff" + frame.write_csv(separator=";", decimal_comma=True)


def _of_level(frame: pl.DataFrame, level: str) -> pl.DataFrame:
    return frame.filter(pl.col("level") == level)


def _flow(edges: pl.DataFrame) -> pl.DataFrame:
    """Return the passages of a map: neither the pooled row, nor those from an outcome to the end."""
    return edges.filter(pl.col("source") != POOLED, ~pl.col("source").str.starts_with(END))


def _with_share(edges: pl.DataFrame) -> pl.DataFrame:
    shares = edges.with_columns((pl.col("n_events") / pl.col("n_events").sum()).alias("share"))
    return shares.sort(FREQUENT_FIRST, descending=[True, False, False])


def _choice(value: str | None, choices: Any, default: Any) -> Any:
    return value if value in choices else default


def _percent(value: str | None, default: int) -> int:
    if value is None or not value.isascii() or not value.isdigit():
        return default
    return min(100, max(STEP_PERCENT, round(int(value) / STEP_PERCENT) * STEP_PERCENT))
