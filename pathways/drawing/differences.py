"""The map of a comparison of two groups: what one does more than the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from pathways.definition import Language
from pathways.disclosure import Released
from pathways.drawing.maps import draw, picture_of
from pathways.drawing.writing import number
from pathways.mining.groups import OTHERS

MOST_GREY = 12
"""Arrows of which the difference may be chance, drawn beside those that differ: the most frequent ones."""

TEXTS: dict[Language, dict[str, str]] = {
    "fr": {
        "title": "Écart entre « {group} » et « {other} » (part des patients, {group} − {other})",
        "sizes": "{group} : {n_a} patients ; {other} : {n_b} patients",
        "grey": "Gris : l'écart peut être dû au hasard (q ≥ 0,05) ; ce qui a trop peu de patients n'est pas dessiné",
    },
    "en": {
        "title": "Difference between “{group}” and “{other}” (share of patients, {group} − {other})",
        "sizes": "{group}: {n_a} patients; {other}: {n_b} patients",
        "grey": "Grey: the difference may be chance (q ≥ 0.05); what has too few patients is not drawn",
    },
}

OTHERS_SAID: dict[Language, str] = {"fr": "autres", "en": "others"}


def difference_map(
    contrast: Mapping[str, Released], study: Mapping[str, Released], language: Language = "fr"
) -> str:
    """Draw what differs between two groups as SVG, on the places of the study's own map.

    Parameters
    ----------
    contrast : mapping of str to Released
        ``contrast``, ``contrast_nodes``, ``contrast_edges``, from `pathways.disclosure.compare.release_contrast`.
    study : mapping of str to Released
        The study's ``nodes`` and ``edges``, with ``layout`` and ``summary`` where there are any.
    language : {'fr', 'en'}
        Of the words.

    Returns
    -------
    str
        SVG: arrows of a difference with q < 0.05 are blue (less) or orange (more) and as wide as it is; the most
        frequent of the others are grey; what could not be released is not drawn.
    """
    nodes = _told(study["nodes"].frame, contrast["contrast_nodes"].frame, ["activity"])
    edges = _told(study["edges"].frame, contrast["contrast_edges"].frame, ["source", "target"])
    drawn = _drawn(edges.filter(pl.col("told") & (pl.col("level") == "activity")))
    steps = pl.concat([drawn["source"], drawn["target"], nodes.filter("told")["activity"]]).implode()
    kept = nodes.filter((pl.col("level") != "activity") | pl.col("activity").is_in(steps))
    meta = contrast["contrast"].meta
    tables = {**study, "nodes": Released("nodes", kept, meta), "edges": Released("edges", edges, meta)}
    picture = replace(picture_of(tables, rank="delta"), edges=drawn, hidden_share=None, replay=None)
    words = _words(contrast["contrast"].frame, language)
    notes = (words["sizes"], words["grey"])
    return draw(picture, language=language, delta="delta", title=words["title"], notes=notes)


def _told(frame: pl.DataFrame, contrast: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Add what the contrast tells: ``delta``, and ``told`` where it tells anything."""
    told = contrast.select("level", *keys, "delta", told=pl.lit(True))
    joined = frame.join(told, on=["level", *keys], how="left", maintain_order="left")
    return joined.with_columns(pl.col("told").fill_null(False))


def _drawn(edges: pl.DataFrame) -> pl.DataFrame:
    sure = edges.filter(pl.col("delta").is_not_null())
    grey = edges.filter(pl.col("delta").is_null()).sort("n_events", descending=True, maintain_order=True)
    return pl.concat([sure, grey.head(MOST_GREY)])


def _words(rows: pl.DataFrame, language: Language) -> dict[str, str]:
    if rows.is_empty():
        return dict.fromkeys(TEXTS[language], "")
    row: dict[str, Any] = rows.row(0, named=True)
    sized = rows.select(pl.col("n_a", "n_b").max()).row(0, named=True)
    said = {name: number(count, language) for name, count in sized.items()}
    said |= {
        side: OTHERS_SAID[language] if row[side] == OTHERS else str(row[side]) for side in ("group", "other")
    }
    return {name: text.format(**said) for name, text in TEXTS[language].items()}
