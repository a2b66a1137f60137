"""What pictures say: numbers and dates as French and English write them, the few words of a map, widths of text."""

from __future__ import annotations

import datetime as dt
import math
import textwrap

from pathways.definition.objects import Language

NARROW_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"
MISSING = "–"

TEXTS: dict[Language, dict[str, str]] = {
    "fr": {
        "day": "j",
        "start": "Début",
        "end": "Fin",
        "hidden_count": "effectif masqué",
        "hidden_flow": "flux masqué {share}",
        "hidden_flow_unsaid": "flux masqué",
        "legend_width": "Épaisseur des flèches : {measure}, de {low} à {high}",
        "legend_difference": "Écart : bleu moins, orange plus ; en points de pourcentage, de {low} à {high}",
        "legend_hidden": "Tirets : passages qui ne sont pas dessinés (écartés ou sous le seuil)",
        "legend_tie": "≈ : la moitié ou plus des passages reposent sur un ex æquo (ordre dans la journée)",
        "n_patients": "patients",
        "n_events": "passages",
        "median_days": "délai médian (jours)",
        "p90_days": "délai p90 (jours)",
        "patients": "{n} patients",
        "filters": "filtres : {filters}",
        "no_filter": "sans filtre",
        "study": "étude {study}",
        "threshold": "aucun effectif sous {threshold}",
        "cutoff": "données jusqu'au {day}",
        "synthetic": "DONNÉES SYNTHÉTIQUES",
        "drawn": "{nodes} étapes sur {all_nodes}, {edges} passages sur {all_edges}",
        "told": "{steps} étapes expliquent {share} des parcours (tous leurs actes y sont)",
        "replayed": " ; les {paths} passages dessinés en rejouent {share} en entier",
        "less_than": "moins de {share}",
        "map": "Carte des parcours",
        "unreleased": "effectifs non protégés : ne pas diffuser",
    },
    "en": {
        "day": "d",
        "start": "Start",
        "end": "End",
        "hidden_count": "count hidden",
        "hidden_flow": "hidden flow {share}",
        "hidden_flow_unsaid": "hidden flow",
        "legend_width": "Width of arrows: {measure}, from {low} to {high}",
        "legend_difference": "Difference: blue less, orange more; in percentage points, from {low} to {high}",
        "legend_hidden": "Dashes: steps that are not drawn (left out, or below the threshold)",
        "legend_tie": "≈: half of the steps or more rest on a tie (order inside a day)",
        "n_patients": "patients",
        "n_events": "steps",
        "median_days": "median delay (days)",
        "p90_days": "p90 delay (days)",
        "patients": "{n} patients",
        "filters": "filters: {filters}",
        "no_filter": "no filter",
        "study": "study {study}",
        "threshold": "no count below {threshold}",
        "cutoff": "data until {day}",
        "synthetic": "SYNTHETIC DATA",
        "drawn": "{nodes} steps of {all_nodes}, {edges} paths of {all_edges}",
        "told": "{steps} steps explain {share} of pathways (all that was done is among them)",
        "replayed": "; the {paths} passages drawn replay {share} from end to end",
        "less_than": "less than {share}",
        "map": "Map of pathways",
        "unreleased": "counts are not protected: do not pass on",
    },
}
"""Words by language and key; braces are filled by `say`."""

NARROW, WIDE = frozenset("iljtfrI.,:;'|!()[] "), frozenset("mwMW%@—…")


def say(language: Language, key: str, **values: str) -> str:
    """Return a text, its braces filled."""
    return TEXTS[language][key].format(**values)


def number(value: float | None, language: Language, digits: int = 0) -> str:
    """Write a number: ``12 345,6`` in French, ``12,345.6`` in English; a dash for nothing."""
    if value is None:
        return MISSING
    written = f"{value:,.{digits}f}"
    if language == "en":
        return written
    return written.replace(",", NARROW_SPACE).replace(".", ",")


def percent(share: float | None, language: Language, digits: int = 0) -> str:
    """Write a share of one as a percentage."""
    if share is None:
        return MISSING
    gap = NO_BREAK_SPACE if language == "fr" else ""
    return f"{number(100 * share, language, digits)}{gap}%"


def days(value: float | None, language: Language) -> str:
    """Write a delay in days, with its unit."""
    return MISSING if value is None else f"{number(value, language)}{NO_BREAK_SPACE}{TEXTS[language]['day']}"


def points(share: float | None, language: Language) -> str:
    """Write a difference of shares in percentage points, with its sign: ``+3,2`` or ``−0.4``."""
    if share is None:
        return MISSING
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return f"{sign}{number(abs(100 * share), language, 1)}"


def date(day: dt.date | None, language: Language) -> str:
    """Write a date: ``31/12/2023`` in French, ``2023-12-31`` in English."""
    if day is None:
        return MISSING
    return day.strftime("%d/%m/%Y" if language == "fr" else "%Y-%m-%d")


def width_of(words: str, size: float) -> float:
    """Return what a line of text is at most wide, in points, in the widest of the usual fonts (DejaVu Sans)."""
    ems = (0.4 if c in NARROW else 0.98 if c in WIDE else 0.74 if c.isupper() else 0.64 for c in words)
    return size * sum(ems)


def lines_of(label: str, characters: int = 14, longest_word: int = 18) -> tuple[str, ...]:
    """Break a label into short lines between words; a word too long for any box is cut with a hyphen."""
    cut = " ".join(piece for word in label.split() for piece in _cut(word, longest_word))
    return tuple(textwrap.wrap(cut, characters, break_long_words=False, break_on_hyphens=False)) or (MISSING,)


def _cut(word: str, longest: int) -> list[str]:
    if len(word) <= longest:
        return [word]
    half = math.ceil(len(word) / 2)
    return [f"{word[:half]}-", *_cut(word[half:], longest)]
