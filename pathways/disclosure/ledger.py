"""What a study released before: no few patients may be computed from two selections, or from more.

Each release published the sizes of some sets of patients. The study knows who they are, so that the sets themselves
are compared, not their sizes. A new set is refused where

- it and another published set differ by 1 to 10 patients on either side (a filter moved by a day, a territory less);
- a sum or difference of any number of published sizes, with any factors, is the size of 1 to 10 patients: what remains
  of everybody after disjoint selections, for example. It is found, or shown not to be, by an integer linear program
  over the groups of patients whom no published set tells apart.

Not covered: what somebody knows from elsewhere, another study of the same patients, a study built again from other
data (it has another hash, and a ledger of its own).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space, qr
from scipy.optimize import Bounds, LinearConstraint, milp

from pathways.disclosure.policy import DisclosurePolicy

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
"""A set of patients: true for those in it, in the order of the study's patients."""

FACTOR_LIMIT = 64.0
"""Largest factor of a published size in a sum that is looked for."""

SECONDS = 5.0
"""Longest search for such a sum in one block; a selection for which it does not end is refused."""

TOLERANCE = 1e-9
"""Below it a number is zero: memberships are 0 and 1."""

INFEASIBLE = 2
"""Status of `scipy.optimize.milp` where nothing fits."""


REFUSAL = (
    "the selection and what this study released before would together tell of a few patients; "
    "widen the filters, or choose a selection that differs more"
)
"""Said without a number: how few they are is not told."""


def tells_of_few(new: Flags, published: Sequence[Flags], policy: DisclosurePolicy) -> bool:
    """Return whether the size of a set of patients, with those published, would give away a few.

    Parameters
    ----------
    new : array of bool
        The patients of the new set.
    published : sequence of arrays of bool
        The sets whose sizes are known already.
    policy : DisclosurePolicy
        Differences of 1 to ``threshold - 1`` patients are few.
    """
    if any(np.array_equal(new, other) for other in published):
        return False
    return few_apart(new, published, policy) or few_in_a_sum([*published, new], policy)


def few_apart(
    new: Flags, published: Sequence[Flags], policy: DisclosurePolicy, *, nested: bool = False
) -> bool:
    """Return whether a set differs from a published one by a few patients on either side.

    Parameters
    ----------
    new, published, policy
        As in `check_set`.
    nested : bool
        Only where one set holds the other, so that a plain difference of their sizes tells it.
    """
    for other in published:
        more, less = int(np.sum(new & ~other)), int(np.sum(other & ~new))
        few = [0 < count < policy.threshold for count in (more, less)]
        if any(few) and (not nested or min(more, less) == 0):
            return True
    return False


def few_in_a_sum(published: Sequence[Flags], policy: DisclosurePolicy) -> bool:
    """Return whether some factors make the published sizes add up to the size of a few patients.

    The factors of a patient's sets add up to 1 for these few patients, and to 0 for all others. Dealt into as many
    blocks as the threshold says, at least one block holds none of them: there the factors solve a homogeneous system,
    which leaves no choice where the block tells all sets apart. Only the choices left are searched.
    """
    if not published:
        return False
    groups, sizes = np.unique(np.column_stack(published), axis=0, return_counts=True)
    known = _independent_columns(groups.astype(np.float64))
    blocks = _dealt(sizes, policy.threshold)
    return any(_told_by(known, sizes, block, policy) for block in blocks)


def _independent_columns(matrix: Numbers) -> Numbers:
    """Drop the columns that follow from the others: their sizes tell nothing new."""
    triangle, order = qr(matrix, mode="r", pivoting=True)
    return matrix[:, order[: _rank(triangle)]]


def _rank(triangle: Numbers) -> int:
    diagonal = np.abs(np.diagonal(triangle))
    return int(np.sum(diagonal > TOLERANCE))


def _dealt(sizes: NDArray[np.int64], n_blocks: int) -> list[Flags]:
    """Deal the patients into blocks, one after the other; return the groups that each block holds somebody of."""
    first = np.cumsum(sizes) - sizes
    return [(block - first) % n_blocks < sizes for block in range(n_blocks)]


def _told_by(known: Numbers, sizes: NDArray[np.int64], block: Flags, policy: DisclosurePolicy) -> bool:
    """Return whether factors that give 0 in a block give 1 to a few patients outside it, and 0 to the others."""
    triangle: Numbers = np.asarray(np.linalg.qr(known[block], mode="r"))
    choices = null_space(triangle, rcond=TOLERANCE)
    reached = np.any(np.abs(known @ choices) > TOLERANCE, axis=1)
    return bool(reached.any()) and _found(triangle, known[reached], sizes[reached], policy)


def _found(zero: Numbers, reached: Numbers, sizes: NDArray[np.int64], policy: DisclosurePolicy) -> bool:
    """Search factors that give 0 in the rows of `zero` and, in those reached, 1 to a few patients, else 0."""
    n_sets, n_groups = zero.shape[1], len(sizes)
    rows = np.block([[zero, np.zeros((len(zero), n_groups))], [reached, -np.eye(n_groups)]])
    most = np.repeat([FACTOR_LIMIT, 1], [n_sets, n_groups])
    result = milp(
        np.zeros(n_sets + n_groups),
        integrality=np.repeat([0, 1], [n_sets, n_groups]),
        bounds=Bounds(np.repeat([-FACTOR_LIMIT, 0], [n_sets, n_groups]), most),
        constraints=[
            LinearConstraint(rows, 0, 0),
            LinearConstraint(np.concatenate([np.zeros(n_sets), sizes]), 1, policy.threshold - 1),
        ],
        options={"time_limit": SECONDS},
    )
    return bool(result.status != INFEASIBLE)
