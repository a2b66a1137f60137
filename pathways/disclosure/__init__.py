"""The gate: what may leave, and how it is protected.

Every table of `STUDY/released/` is made here. The rule is *no count of 1 to 10 patients*, for what is shown and for
what can be computed from it:

- an edge, a node or a variant of fewer patients is absent; a number that would say it is null;
- hidden flows span at least `DisclosurePolicy.threshold` values under everything published: balance at each node,
  sums of activities over phases, totals (linear programs, see `pathways.disclosure.suppression`);
- where a published set of patients is part of another, the difference is a count too, and is protected;
- the parts of a total (statuses, territories, variants) protect each other;
- where a part of the patients is released beside all (`pathways.filters`), its counts are rounded, what differs little
  from another release is hidden (`pathways.disclosure.selections`), and a selection that would tell of a few together
  with what was released before is refused (`pathways.disclosure.ledger`);
- a curve of incidence is estimated from counts that were rounded down first, and from nothing else;
- a quantile is shown where at least the threshold of patients lies on each side, rounded to whole days; there is no
  minimum and no maximum.

The threshold of 11 is the rule of the French secure data access centre (CASD) for hospital data, taken for all
tables here. Not covered: what somebody knows from elsewhere, and counts of events that are no counts of patients.
"""

from __future__ import annotations

from pathways.disclosure.breakdowns import (
    BREAKDOWN_COLUMNS,
    TERRITORY_COLUMNS,
    release_breakdowns,
    release_territories,
)
from pathways.disclosure.clusters import release_clusters
from pathways.disclosure.conformance import (
    CONFORMANCE_COLUMNS,
    published_sets,
    release_conformance,
    withheld_statuses,
)
from pathways.disclosure.drift import release_drift
from pathways.disclosure.incidence import INCIDENCE_COLUMNS, Counted, release_incidence
from pathways.disclosure.maps import DELAY_COLUMNS, EDGE_COLUMNS, NODE_COLUMNS, release_delays, release_map
from pathways.disclosure.policy import POLICY, UNFILTERED, DisclosurePolicy, Origin, Released
from pathways.disclosure.replay import REPLAY_COLUMNS, release_replay
from pathways.disclosure.selections import ATTRITION_COLUMNS, release_attrition
from pathways.disclosure.summary import SUMMARY_COLUMNS, release_summary
from pathways.disclosure.variants import VARIANT_COLUMNS, release_milestones, release_variants

__all__ = [
    "ATTRITION_COLUMNS",
    "BREAKDOWN_COLUMNS",
    "CONFORMANCE_COLUMNS",
    "DELAY_COLUMNS",
    "EDGE_COLUMNS",
    "INCIDENCE_COLUMNS",
    "NODE_COLUMNS",
    "POLICY",
    "REPLAY_COLUMNS",
    "SUMMARY_COLUMNS",
    "TERRITORY_COLUMNS",
    "UNFILTERED",
    "VARIANT_COLUMNS",
    "Counted",
    "DisclosurePolicy",
    "Origin",
    "Released",
    "published_sets",
    "release_attrition",
    "release_breakdowns",
    "release_clusters",
    "release_conformance",
    "release_delays",
    "release_drift",
    "release_incidence",
    "release_map",
    "release_milestones",
    "release_replay",
    "release_summary",
    "release_territories",
    "release_variants",
    "withheld_statuses",
]
