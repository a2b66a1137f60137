"""How a map looks. Colours are variables that a page may set (light and dark); a file of its own has the defaults."""

from __future__ import annotations

import re

FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'

MAP_STYLE = f"""
.process-map text {{ font-family: var(--font, {FONTS}); fill: var(--ink, #1d2733); }}
.process-map .lane {{ fill: var(--lane, #f4f6f8); }}
.process-map .lane-label {{ font-size: 13px; text-anchor: middle; fill: var(--ink-soft, #4a5666); }}
.process-map .card {{ fill: var(--paper, #ffffff); stroke-width: 1.4; }}
.process-map .inner {{ fill: none; stroke-width: 1; }}
.process-map .step-label {{ font-size: 15.5px; font-weight: 500; text-anchor: middle; }}
.process-map .step-count {{ font-size: 13px; text-anchor: middle; fill: var(--ink-soft, #4a5666); }}
.process-map .line {{ fill: none; stroke: var(--edge, #8092a8); stroke-linecap: butt; }}
.process-map .head {{ fill: var(--edge, #8092a8); stroke: none; }}
.process-map .delay .line {{ stroke: var(--edge-delay, #c98a5b); }}
.process-map .delay .head {{ fill: var(--edge-delay, #c98a5b); }}
.process-map .less .line {{ stroke: var(--less, #2166ac); }}
.process-map .less .head {{ fill: var(--less, #2166ac); }}
.process-map .more .line {{ stroke: var(--more, #b35806); }}
.process-map .more .head {{ fill: var(--more, #b35806); }}
.process-map .less-text {{ fill: var(--less, #2166ac); }}
.process-map .more-text {{ fill: var(--more, #b35806); }}
.process-map .hidden .line {{ stroke: var(--ink-soft, #4a5666); stroke-dasharray: 6 5; }}
.process-map .hidden .head {{ fill: var(--ink-soft, #4a5666); }}
.process-map .reach {{ fill: none; stroke: transparent; stroke-width: 16; pointer-events: stroke; }}
.process-map .edge-label {{ font-size: 13px; text-anchor: middle; }}
.process-map .pill {{ fill: var(--surface, #ffffff); opacity: .88; }}
.process-map .label.hidden .edge-label {{ font-style: italic; }}
.process-map .terminal {{ fill: var(--ink, #1d2733); }}
.process-map .end-label {{ font-size: 14px; font-weight: 600; text-anchor: middle; fill: var(--paper, #ffffff); }}
.process-map .title {{ font-size: 22px; font-weight: 600; }}
.process-map .fact {{ font-size: 14px; fill: var(--ink-soft, #4a5666); }}
.process-map .warning {{ font-size: 14px; font-weight: 600; fill: var(--more, #b35806); }}
"""


def plain(style: str) -> str:
    """Return a style with its variables replaced by their defaults, for renderers that know no variable."""
    return re.sub(r"var\(--[\w-]+, (.*?)\)(?=[;\s])", r"\1", style)
