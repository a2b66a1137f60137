"""Colours of the phases of the built-in pathways."""

from __future__ import annotations

import pytest

from pathways.definition import built_in, load
from pathways.drawing.colours import phase_colours


@pytest.mark.parametrize("name", built_in())
def test_phases_of_a_pathway_differ_in_colour(name: str) -> None:
    colours = phase_colours(list(load(name).phases))
    assert len(set(colours.values())) == len(colours)
