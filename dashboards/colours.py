"""The classes of the territory map and the statuses of breakdowns; phases have theirs in `pathways.drawing`."""

from __future__ import annotations

# Five steps of cividis, dark to light (Nuñez, Anderton, Renslow, PLOS ONE 2018): few to many ruptures.
CIVIDIS = ("#00224e", "#434e6c", "#7d7c78", "#bcaf6f", "#fee838")
STATUSES = {"kept": "#44aa99", "broken": "#cc6677", "excused": "#88ccee", "undecidable": "#bbbbbb"}
