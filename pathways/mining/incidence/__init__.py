"""Honest delays: how many have had a step by a day, when deaths, exits and the end of the data are counted.

The mean of those who had a step says nothing of those who still wait or died waiting. Here each patient is counted
once with the first thing that ended the wait, in a table small enough to be asked again and again (`Waits`): *step*,
*death*, *exit* (left the scheme or the country, or met an activity after which nothing is expected), else *censored*
when the data end. `cumulative_incidence` reads the Aalen-Johansen estimate from that table.

Rules
-----
Days are calendar days since the clock started; the day of the start is day 0. On one day a step comes before a death,
a death before an exit, an exit before the end of the data. What happened after the end of the data (`observed_until`,
or the patient's own horizon) is not counted; a log that states no horizon ends on the day of its last event.
Death is ``death_date``, else the first event of an activity of `deaths`; such events are never steps. A patient whose
deaths are not reported (``vital_status_known`` false) counts as waiting until the data end.

References
----------
Aalen and Johansen, *An empirical transition matrix for non-homogeneous Markov chains based on censored observations*,
Scandinavian Journal of Statistics 5, 1978. Variance by the delta method: Dinse and Larson, *A note on semi-Markov
models for partially censored data*, Biometrika 73, 1986, equation 6.
"""

from __future__ import annotations

from pathways.mining.incidence.estimate import (
    INCIDENCE_COLUMNS,
    MEDIAN_COLUMNS,
    cumulative_incidence,
    medians,
)
from pathways.mining.incidence.waits import (
    CAUSES,
    DEATHS,
    INDEX,
    LEFT_OUT_COLUMNS,
    WAIT_COLUMNS,
    Waits,
    edge_waits,
    index_waits,
)

__all__ = [
    "CAUSES",
    "DEATHS",
    "INCIDENCE_COLUMNS",
    "INDEX",
    "LEFT_OUT_COLUMNS",
    "MEDIAN_COLUMNS",
    "WAIT_COLUMNS",
    "Waits",
    "cumulative_incidence",
    "edge_waits",
    "index_waits",
    "medians",
]
