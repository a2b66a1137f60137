"""Clusters of pathways: which ways through care there are, how sure they are, and what each is rich in.

Rules
-----
- *Unit*: the distinct sequence of milestones (of phases or activities where none are defined), runs written once,
  weighted by its patients. A patient without any such step has the empty sequence. What patients do after the end
  of their follow-up is not known: a short follow-up looks like a short pathway.
- *Distance*: optimal matching with an insertion or deletion for 1 and a substitution for 2 (the longest common
  subsequence then decides), normalised to 0 to 1 by Yujian and Bo, *A normalized Levenshtein distance metric*, IEEE
  PAMI 29(6), 2007: ``2 d / (len a + len b + d)``. Constant costs, since costs from transition rates change with each
  selection of patients, so that two studies could not be compared.
- *Clusters*: k-medoids (FasterPAM: Schubert and Rousseeuw, Information Systems 101, 2021). A medoid is a sequence
  that patients really had. ``k`` is the number of `K_RANGE` with the highest mean silhouette over patients (Rousseeuw,
  J. Comput. Appl. Math. 20, 1987), unless given.
- *Stability*: patients are drawn anew with replacement, clustered anew, and everybody goes to the nearest new medoid.
  The mean Jaccard index of each cluster with its best match says whether it is there again (Hennig, *Cluster-wise
  assessment of cluster stability*, Computational Statistics & Data Analysis 52, 2007); the adjusted Rand index
  (Hubert and Arabie, J. Classification 2, 1985) says it of all together.
- *Names*: what is more frequent in a cluster than in all others together, by ratio of shares with 95 % limits (Katz,
  Biometrics 34, 1978) and a one-sided hypergeometric test, Benjamini and Hochberg over all clusters and traits. The
  clusters were made from the same sequences: this describes them, it proves nothing.

Libraries: ``rapidfuzz`` (distances) and ``kmedoids`` are small compiled wheels without dependencies. TanaT 0.10
(MIT, Inria) covers more metrics and draws, but has no weights for sequences shared by many patients, so that its
matrix grows with the square of the patients, and it brings numba, llvmlite and matplotlib (over 240 MB): it serves as
the peer in the bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import kmedoids
import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from scipy.stats import false_discovery_control, hypergeom, norm

from eventlogs.errors import DefinitionError, LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Language, Pathway
from pathways.mining.kernels import case_durations
from pathways.mining.maps import milestone_log, phase_log

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]
ClusterLevel = Literal["milestone", "phase", "activity"]

K_RANGE = range(2, 9)
"""Numbers of clusters that are tried: more than 8 names can't be kept in mind. An operational choice."""

SEQUENCES_CAP = 1500
"""Most distinct sequences in the matrix of distances; see `clusters` for what becomes of the others."""

N_BOOTSTRAP = 30
"""Samples of the bootstrap. An operational choice: the error of a mean Jaccard index is then a few hundredths."""

N_STARTS = 3
"""Random starts of k-medoids beside the greedy one; the cheapest result is kept."""

STABLE_JACCARD = 0.75
"""Mean Jaccard index from which a cluster is called stable. Operational, after Hennig (2007)."""

FALSE_DISCOVERIES = 0.05
"""Share of false discoveries among the traits of names."""

NAME_TRAITS = 2
"""Traits in a name."""

ARROW = " → "

CLUSTER_COLUMNS: dict[str, Any] = {
    "cluster": pl.Int64,
    "name_fr": pl.String,
    "name_en": pl.String,
    "medoid": pl.List(pl.String),
    "n_patients": pl.Int64,
    "share": pl.Float64,
    "n_sequences": pl.Int64,
    "silhouette": pl.Float64,
    "jaccard": pl.Float64,
    "stable": pl.Boolean,
    "median_days": pl.Float64,
}
"""Columns of `Clustering.clusters`: ``median_days`` from the first to the last event of any kind."""

TRAIT_COLUMNS: dict[str, Any] = {
    "cluster": pl.Int64,
    "kind": pl.String,
    "trait": pl.String,
    "n_with": pl.Int64,
    "n_patients": pl.Int64,
    "n_with_elsewhere": pl.Int64,
    "n_elsewhere": pl.Int64,
    "ratio": pl.Float64,
    "ratio_low": pl.Float64,
    "ratio_high": pl.Float64,
    "q_value": pl.Float64,
    "over_represented": pl.Boolean,
}
"""Columns of `Clustering.traits`. ``kind``: ``step`` (of the sequences), ``order`` (a step right after another,
``a → b``), ``activity``. ``ratio``: share inside over share elsewhere."""

SEQUENCE_COLUMNS: dict[str, Any] = {
    "sequence": pl.List(pl.String),
    "n_patients": pl.Int64,
    "cluster": pl.Int64,
    "distance": pl.Float64,
}
"""Columns of `Clustering.sequences`: ``distance`` (0 to 1) to the medoid."""


@dataclass(frozen=True)
class Clustering:
    """Clusters of pathways.

    Parameters
    ----------
    level : {'milestone', 'phase', 'activity'}
        What the sequences are made of.
    clusters : polars.DataFrame
        `CLUSTER_COLUMNS`, the largest first; ``cluster`` counts from 1.
    traits : polars.DataFrame
        `TRAIT_COLUMNS`, one row a cluster and trait.
    quality : polars.DataFrame
        ``k``, ``silhouette`` (mean over patients): the numbers of clusters that were tried.
    sequences : polars.DataFrame
        `SEQUENCE_COLUMNS`, every distinct sequence.
    frame : polars.DataFrame
        ``patient_id``, ``cluster``: patient-level, it stays.
    rand_index : float
        Mean adjusted Rand index over the bootstrap, up to 1.

    Notes
    -----
    Counts here may be small: clusters leave through `pathways.disclosure` only.
    """

    level: ClusterLevel
    clusters: pl.DataFrame = field(repr=False)
    traits: pl.DataFrame = field(repr=False)
    quality: pl.DataFrame = field(repr=False)
    sequences: pl.DataFrame = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    rand_index: float

    def __repr__(self) -> str:
        return (
            f"Clustering({self.clusters.height} clusters of {self.frame.height} patients by {self.level}, "
            f"{self.clusters['stable'].sum()} stable)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.clusters._repr_html_()}"


@dataclass(frozen=True)
class _Words:
    """Sequences as text of one letter a step: ``words`` by patient, and distinct with their ``weights``."""

    names: list[str]
    patients: pl.DataFrame
    distinct: list[str]
    weights: Numbers

    def spell(self, words: Sequence[str]) -> pl.Series:
        """Return each word as the list of its steps."""
        letters = np.array([ord(letter) - FIRST_LETTER for letter in "".join(words)], dtype=np.int64)
        rows = np.repeat(np.arange(len(words)), [len(word) for word in words])
        steps = pl.DataFrame({"row": rows, "step": pl.Series(self.names, dtype=pl.String)[letters]})
        lists = steps.group_by("row", maintain_order=True).agg("step")
        every = pl.DataFrame({"row": np.arange(len(words))}).join(lists, on="row", how="left")
        return every.sort("row")["step"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


FIRST_LETTER = 0xE000
"""First code point of Unicode's private use area: one letter a step."""

N_LETTERS = 6400
"""Code points of that area."""


def clusters(
    log: EventLog,
    pathway: Pathway | None,
    k: int | None = None,
    seed: int = 0,
    *,
    level: ClusterLevel | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    cap: int = SEQUENCES_CAP,
) -> Clustering:
    """Group patients by their sequence of steps.

    Parameters
    ----------
    log : EventLog
        Any log; patients without an event are left out.
    pathway : Pathway or None
        Gives milestones, phases and labels.
    k : int, optional
        Number of clusters; default: the one of `K_RANGE` with the highest silhouette.
    seed : int
        Of the bootstrap, of random starts and of the sample; the same seed gives the same clusters for any row order.
    level : {'milestone', 'phase', 'activity'}, optional
        What sequences are made of; default: the first of these that the definition has.
    n_bootstrap : int
        Samples of the bootstrap; 0 leaves the stability null.
    cap : int
        With more distinct sequences, the matrix holds the most frequent (half of the cap) and a random sample of the
        rest, each standing for as many patients as were left out in proportion; every other sequence then goes to
        the nearest medoid, and silhouettes are those of the matrix.

    Returns
    -------
    Clustering
        Clusters, what they are rich in, and who is in which.

    Raises
    ------
    LogError
        `k` is not between 1 and the number of distinct sequences, there is no such level, or the log is too varied.
    DefinitionError
        The definition lacks the level asked for.

    Examples
    --------
    >>> clusters(study.log(), study.pathway()).clusters  # doctest: +SKIP
    """
    chosen = _level(pathway, level)
    steps = _steps_log(log, pathway, chosen)
    words = _words(log, steps)
    if not words.distinct:
        return _nobody(chosen)
    if k is not None and not 1 <= k <= len(words.distinct):
        raise LogError(
            f"{k} clusters of {len(words.distinct)} distinct sequences can't be made; "
            f"give k between 1 and {len(words.distinct)}"
        )
    rng = np.random.default_rng(seed)
    rows, weights = _in_matrix(words.weights, cap, rng)
    inside = [words.distinct[row] for row in rows]
    matrix = sequence_distances(inside, inside)
    tried = [k] if k is not None else [n for n in K_RANGE if n <= len(inside)] or [1]
    found = {n: k_medoids(matrix, weights, n, seed) for n in tried}
    widths = {n: silhouettes(matrix, weights, _nearest(matrix[:, m])) for n, m in found.items()}
    quality = {n: float(np.average(width, weights=weights)) for n, width in widths.items()}
    best = max(quality, key=lambda n: (round(quality[n], 12), -n))
    medoids = _by_size(matrix, weights, found[best])
    return _described(
        log=log,
        steps=steps,
        pathway=pathway,
        level=chosen,
        words=words,
        medoids=[inside[m] for m in medoids],
        quality=pl.DataFrame(
            {"k": list(quality), "silhouette": list(quality.values())}, schema=QUALITY_COLUMNS
        ),
        widths=_mean_by(_nearest(matrix[:, medoids]), widths[best], weights, best),
        stability=bootstrap_stability(matrix, weights, medoids, n_bootstrap, seed),
    )


QUALITY_COLUMNS: dict[str, Any] = {"k": pl.Int64, "silhouette": pl.Float64}
_FRAME_COLUMNS: dict[str, Any] = {"patient_id": pl.String, "cluster": pl.Int64}


def _nobody(level: ClusterLevel) -> Clustering:
    return Clustering(
        level=level,
        clusters=pl.DataFrame(schema=CLUSTER_COLUMNS),
        traits=pl.DataFrame(schema=TRAIT_COLUMNS),
        quality=pl.DataFrame(schema=QUALITY_COLUMNS),
        sequences=pl.DataFrame(schema=SEQUENCE_COLUMNS),
        frame=pl.DataFrame(schema=_FRAME_COLUMNS),
        rand_index=float("nan"),
    )


def _level(pathway: Pathway | None, asked: ClusterLevel | None) -> ClusterLevel:
    has = {
        "milestone": pathway is not None and bool(pathway.milestones),
        "phase": pathway is not None and bool(pathway.phases),
        "activity": True,
    }
    if asked is not None and asked not in has:
        raise LogError(f"there is no level '{asked}'{did_you_mean(asked, has)}")
    if asked is not None and not has[asked]:
        raise DefinitionError(
            f"the level '{asked}' needs a definition with {asked}s; give one, or another level"
        )
    levels: tuple[ClusterLevel, ...] = get_args(ClusterLevel)
    return asked if asked is not None else next(level for level in levels if has[level])


def _steps_log(log: EventLog, pathway: Pathway | None, level: ClusterLevel) -> EventLog:
    if pathway is None or level == "activity":
        return log.collapse_repeats()
    return milestone_log(log, pathway) if level == "milestone" else phase_log(log, pathway)


def _words(log: EventLog, steps: EventLog) -> _Words:
    """Write each patient's sequence as a word; patients with events and no step have the empty one."""
    names = steps.activities
    if len(names) > N_LETTERS:
        raise LogError(f"the log has {len(names)} activities, clusters take {N_LETTERS} at most; merge some")
    letters = {name: chr(FIRST_LETTER + place) for place, name in enumerate(names)}
    letter = pl.col("activity").replace_strict(letters, return_dtype=pl.String)
    written = steps.events.group_by("patient_id").agg(word=letter.sort_by("rank").str.join(""))
    people = log.events.select(pl.col("patient_id").unique().sort())
    patients = people.join(written, on="patient_id", how="left", maintain_order="left").with_columns(
        pl.col("word").fill_null("")
    )
    counts = patients.group_by("word").len().sort("len", "word", descending=[True, False])
    return _Words(names, patients, counts["word"].to_list(), counts["len"].cast(pl.Float64).to_numpy())


def _in_matrix(
    weights: Numbers, cap: int, rng: np.random.Generator
) -> tuple[NDArray[np.integer[Any]], Numbers]:
    """Return which of the sequences, most frequent first, enter the matrix, and the patients each stands for."""
    if len(weights) <= cap:
        return np.arange(len(weights)), weights
    n_sure = cap // 2
    drawn = np.sort(rng.choice(np.arange(n_sure, len(weights)), cap - n_sure, replace=False))
    scaled = weights[drawn] * (weights[n_sure:].sum() / weights[drawn].sum())
    return np.append(np.arange(n_sure), drawn), np.append(weights[:n_sure], scaled)


def sequence_distances(one: Sequence[str], other: Sequence[str]) -> Numbers:
    """Return the normalised optimal matching distance of each sequence of `one` to each of `other`.

    Parameters
    ----------
    one, other : sequence of str
        Sequences as words, one letter a step.

    Returns
    -------
    array of shape (len(one), len(other))
        0 (equal) to 1 (nothing in common); see the module for the rule.
    """
    if not len(one) or not len(other):
        return np.zeros((len(one), len(other)))
    edits = cdist(one, other, scorer=Indel.distance, workers=1).astype(np.float64)
    lengths = np.add.outer([len(word) for word in one], [len(word) for word in other])
    scaled: Numbers = np.divide(2 * edits, lengths + edits, out=np.zeros_like(edits), where=edits > 0)
    return scaled


def k_medoids(distance: Numbers, weights: Numbers, k: int, seed: int = 0, n_starts: int = N_STARTS) -> Labels:
    """Return the places of `k` medoids with the least weighted sum of distances that was found.

    Parameters
    ----------
    distance : array of shape (n, n)
        Distances.
    weights : array of length n
        What each row counts for, above 0.
    k : int
        Number of medoids, 1 to n.
    seed : int
        Of the random starts and of the order of swaps.
    n_starts : int
        Random starts beside the greedy one.

    Notes
    -----
    The library takes no weights; rows times their weight are the same problem, since a row is always summed over its
    nearest medoid and never compared with its column.
    """
    weighted = np.ascontiguousarray(distance * weights[:, None])
    starts = [("build", seed), *(("random", seed + 1 + place) for place in range(n_starts))]
    found = [kmedoids.fasterpam(weighted, k, init=how, random_state=state, n_cpu=1) for how, state in starts]
    costs = [round(float(weighted[:, result.medoids].min(axis=1).sum()), 9) for result in found]
    return np.sort(np.asarray(found[int(np.argmin(costs))].medoids, dtype=np.int64))


def _nearest(to_medoids: Numbers) -> Labels:
    """Return the nearest medoid of each row; of equally near ones the first."""
    nearest: Labels = np.round(to_medoids, 12).argmin(axis=1)
    return nearest


def _by_size(distance: Numbers, weights: Numbers, medoids: Labels) -> Labels:
    """Sort medoids by the patients near them, then by their place (the most frequent sequences come first)."""
    sizes = np.bincount(_nearest(distance[:, medoids]), weights, minlength=len(medoids))
    return medoids[np.lexsort((medoids, -sizes))]


def silhouettes(distance: Numbers, weights: Numbers, labels: Labels) -> Numbers:
    """Return the silhouette width of each row, as if each stood there as often as it weighs.

    Parameters
    ----------
    distance : array of shape (n, n)
        Distances.
    weights : array of length n
        Patients of each row.
    labels : array of int
        Cluster of each row: 0, 1, ...

    Returns
    -------
    array of length n
        -1 to 1; 0 for the only patient of a cluster, and where there is one cluster.
    """
    k, rows = int(labels.max(initial=0)) + 1, np.arange(len(labels))
    member = np.zeros((len(labels), k))
    member[rows, labels] = weights
    sums, sizes = distance @ member, member.sum(axis=0)
    own = np.divide(sums[rows, labels], sizes[labels] - 1, out=np.zeros(len(rows)), where=sizes[labels] > 1)
    others = np.divide(sums, sizes, out=np.full_like(sums, np.inf), where=sizes > 0)
    others[rows, labels] = np.inf
    other = others.min(axis=1)
    widest = np.maximum(own, other)
    real = (sizes[labels] > 1) & np.isfinite(other) & (widest > 0)
    widths: Numbers = np.divide(other - own, widest, out=np.zeros(len(rows)), where=real)
    return widths


def _mean_by(labels: Labels, values: Numbers, weights: Numbers, k: int) -> Numbers:
    means: Numbers = np.bincount(labels, values * weights, k) / np.bincount(labels, weights, k)
    return means


@dataclass(frozen=True)
class Stability:
    """Mean Jaccard index of each cluster, mean adjusted Rand index; nan without a bootstrap."""

    jaccard: Numbers
    rand_index: float


def bootstrap_stability(
    distance: Numbers, weights: Numbers, medoids: Labels, n_bootstrap: int, seed: int = 0
) -> Stability:
    """Draw patients anew, cluster them anew, and compare.

    Parameters
    ----------
    distance : array of shape (n, n)
        Distances between distinct sequences.
    weights : array of length n
        Patients of each.
    medoids : array of int
        The medoids found with everybody.
    n_bootstrap : int
        Samples.
    seed : int
        Of the samples.

    Returns
    -------
    Stability
        Of the clusters of `medoids`, in their order.
    """
    k, labels = len(medoids), _nearest(distance[:, medoids])
    if n_bootstrap == 0:
        return Stability(np.full(k, np.nan), float("nan"))
    rng = np.random.default_rng((seed, 1))
    jaccard, rand = np.zeros((n_bootstrap, k)), np.zeros(n_bootstrap)
    for sample in range(n_bootstrap):
        drawn = rng.multinomial(round(weights.sum()), weights / weights.sum())
        present = np.flatnonzero(drawn)
        inside, counts = distance[np.ix_(present, present)], drawn[present].astype(np.float64)
        again = k_medoids(inside, counts, min(k, len(present)), seed, n_starts=0)
        table = _contingency(labels, _nearest(distance[:, present[again]]), weights, k)
        jaccard[sample], rand[sample] = best_jaccard(table), adjusted_rand(table)
    return Stability(jaccard.mean(axis=0), float(rand.mean()))


def _contingency(one: Labels, other: Labels, weights: Numbers, k: int) -> Numbers:
    cells = np.bincount(one * k + other, weights, minlength=k * k)
    return cells.reshape(k, k).astype(np.float64)


def best_jaccard(table: Numbers) -> Numbers:
    """Return, for each row of a contingency table, the highest Jaccard index with a column."""
    unions = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    best: Numbers = np.divide(table, unions, out=np.zeros_like(table), where=unions > 0).max(axis=1)
    return best


def adjusted_rand(table: Numbers) -> float:
    """Return the adjusted Rand index of two partitions from their contingency table (Hubert and Arabie 1985)."""
    n = table.sum()
    both, rows, columns = (
        float((counts * (counts - 1)).sum() / 2) for counts in (table, table.sum(axis=1), table.sum(axis=0))
    )
    expected = rows * columns / max(n * (n - 1) / 2, 1)
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _described(
    *,
    log: EventLog,
    steps: EventLog,
    pathway: Pathway | None,
    level: ClusterLevel,
    words: _Words,
    medoids: list[str],
    quality: pl.DataFrame,
    widths: Numbers,
    stability: Stability,
) -> Clustering:
    sequences = _assigned(words, medoids)
    frame = words.patients.join(sequences.select("word", "cluster"), on="word", maintain_order="left")
    members = frame.select(*_FRAME_COLUMNS)
    found = traits(_presence(log, steps), members)
    counts = frame.join(case_durations(log), on="patient_id", how="left").group_by("cluster").agg(
        n_patients=pl.len(), n_sequences=pl.col("word").n_unique(), median_days=pl.col("days").median()
    )  # fmt: skip
    told = pl.DataFrame(
        {
            "cluster": np.arange(len(medoids)) + 1,
            "medoid": words.spell(medoids),
            "silhouette": widths,
            "jaccard": stability.jaccard,
        }
    ).with_columns(pl.col("jaccard").fill_nan(None))
    table = told.join(counts, on="cluster").with_columns(
        share=pl.col("n_patients") / pl.col("n_patients").sum(), stable=pl.col("jaccard") >= STABLE_JACCARD
    )
    named = table.sort("cluster").with_columns(*cluster_names(table.sort("cluster"), found, pathway))
    return Clustering(
        level=level,
        clusters=_conform(named, CLUSTER_COLUMNS),
        traits=found,
        quality=quality,
        sequences=_conform(sequences, SEQUENCE_COLUMNS),
        frame=members,
        rand_index=stability.rand_index,
    )


def _conform(frame: pl.DataFrame, columns: dict[str, Any]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())


def _assigned(words: _Words, medoids: list[str]) -> pl.DataFrame:
    """Give every distinct sequence to its nearest medoid."""
    distance = sequence_distances(words.distinct, medoids)
    label = _nearest(distance)
    return pl.DataFrame(
        {
            "word": words.distinct,
            "sequence": words.spell(words.distinct),
            "n_patients": words.weights,
            "cluster": label + 1,
            "distance": distance[np.arange(len(label)), label],
        }
    )


def _presence(log: EventLog, steps: EventLog) -> pl.DataFrame:
    """Return ``patient_id``, ``kind``, ``trait``: which steps, orders of steps and activities each patient has."""
    step = steps.events.select("patient_id", pl.lit("step").alias("kind"), trait="activity")
    following = pl.col("activity").shift(-1).over("patient_id", order_by="rank")
    order = steps.events.select(
        "patient_id", pl.lit("order").alias("kind"), trait=pl.col("activity") + ARROW + following
    )
    activity = log.events.select("patient_id", pl.lit("activity").alias("kind"), trait="activity")
    return pl.concat([step, order.drop_nulls("trait"), activity]).unique()


def traits(presence: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Compare how frequent each trait is inside each cluster and elsewhere.

    Parameters
    ----------
    presence : polars.DataFrame
        ``patient_id``, ``kind``, ``trait``, without repeats.
    members : polars.DataFrame
        ``patient_id``, ``cluster``.

    Returns
    -------
    polars.DataFrame
        `TRAIT_COLUMNS`, by cluster, then by the difference of the shares, the largest first. Where a count is 0, a
        half is added to the four counts of the ratio.
    """
    sizes = members.group_by("cluster").agg(n_patients=pl.len().cast(pl.Int64))
    have = presence.join(members, on="patient_id").group_by("cluster", "kind", "trait").agg(n_with=pl.len())
    every = sizes.join(have.select("kind", "trait").unique(), how="cross")
    counts = every.join(have, on=["cluster", "kind", "trait"], how="left").with_columns(
        pl.col("n_with").fill_null(0).cast(pl.Int64)
    )
    elsewhere = counts.with_columns(
        n_with_elsewhere=pl.col("n_with").sum().over("kind", "trait") - pl.col("n_with"),
        n_elsewhere=pl.col("n_patients").sum().over("kind", "trait") - pl.col("n_patients"),
    ).sort("cluster", "kind", "trait")
    if elsewhere.is_empty():
        return pl.DataFrame(schema=TRAIT_COLUMNS)
    compared = elsewhere.with_columns(**_compared(elsewhere))
    found = (pl.col("q_value") <= FALSE_DISCOVERIES) & (pl.col("ratio") > 1)
    gain = pl.col("n_with") / pl.col("n_patients") - pl.col("n_with_elsewhere") / pl.col("n_elsewhere")
    ranked = compared.with_columns(over_represented=found, gain=gain.fill_nan(0).round(12)).sort(
        "cluster", "gain", "kind", "trait", descending=[False, True, False, False]
    )
    return _conform(ranked, TRAIT_COLUMNS)


def _compared(counts: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the ratio of shares with its limits, and the q-value of the one-sided test."""
    a, n, b, m = (
        counts[name].to_numpy().astype(np.float64)
        for name in ("n_with", "n_patients", "n_with_elsewhere", "n_elsewhere")
    )
    half = np.where((a == 0) | (b == 0), 0.5, 0.0)
    a_, n_, b_, m_ = a + half, n + 2 * half, b + half, np.maximum(m + 2 * half, 1)
    log_ratio = np.log(a_ / n_) - np.log(b_ / m_)
    error = np.sqrt(np.maximum(1 / a_ - 1 / n_ + 1 / b_ - 1 / m_, 0)) * norm.ppf(0.975)
    p = hypergeom.sf(a - 1, n + m, a + b, n)
    return {
        "ratio": pl.Series(np.exp(log_ratio)),
        "ratio_low": pl.Series(np.exp(log_ratio - error)),
        "ratio_high": pl.Series(np.exp(log_ratio + error)),
        "q_value": pl.Series(false_discovery_control(np.clip(p, 0, 1))),
    }


NO_STEP: dict[Language, str] = {"fr": "Aucune étape", "en": "No step"}
NUMBERED: dict[Language, str] = {"fr": "Groupe", "en": "Group"}


def cluster_names(table: pl.DataFrame, found: pl.DataFrame, pathway: Pathway | None) -> list[pl.Series]:
    """Name clusters by what is over-represented in them, else by their sequence.

    Parameters
    ----------
    table : polars.DataFrame
        ``cluster``, ``medoid`` (a sequence; null: the name is the number).
    found : polars.DataFrame
        `TRAIT_COLUMNS`.
    pathway : Pathway or None
        Gives labels.

    Returns
    -------
    list of polars.Series
        ``name_fr``, ``name_en``: one name a row of `table`, all different.
    """
    languages: tuple[Language, ...] = ("fr", "en")
    rows = table.select("cluster", "medoid").rows()
    telling = [_telling(found.filter(pl.col("cluster") == number)) for number, _ in rows]
    return [
        pl.Series(
            f"name_{language}",
            _unique(
                [
                    _label(said, language, pathway) or _by_sequence(number, medoid, language, pathway)
                    for (number, medoid), said in zip(rows, telling, strict=True)
                ]
            ),
            dtype=pl.String,
        )
        for language in languages
    ]


def _by_sequence(
    number: int, medoid: Sequence[str] | None, language: Language, pathway: Pathway | None
) -> str:
    if medoid is None:
        return f"{NUMBERED[language]} {number}"
    return _label([ARROW.join(medoid)], language, pathway) or NO_STEP[language]


def _telling(found: pl.DataFrame) -> list[str]:
    """Return the traits of a name: the most over-represented orders and steps, without those another contains."""
    chosen: list[str] = []
    for trait in found.filter(pl.col("over_represented"), pl.col("kind") != "activity")["trait"]:
        words = set(trait.split(ARROW))
        if not any(words & set(other.split(ARROW)) for other in chosen):
            chosen.append(trait)
    return chosen[:NAME_TRAITS]


def _label(chosen: Sequence[str], language: Language, pathway: Pathway | None) -> str:
    parts = [
        ARROW.join(word if pathway is None else pathway.name(word, language) for word in trait.split(ARROW))
        for trait in chosen
    ]
    return ", ".join(parts)


def _unique(names: Sequence[str]) -> list[str]:
    """Number the second and later clusters of one name."""
    seen = [names[: place + 1].count(name) for place, name in enumerate(names)]
    return [name if n == 1 else f"{name} ({n})" for name, n in zip(names, seen, strict=True)]
