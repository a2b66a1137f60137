"""Fake studies, once a session: one as from SNDS, one as of a network with a risk list."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.results import Results, read_results
from pathways.study import Study
from tests.app import fake_study


@pytest.fixture(scope="session")
def study_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_study.build(tmp_path_factory.mktemp("snds") / "study")


@pytest.fixture(scope="session")
def network_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_study.build(tmp_path_factory.mktemp("network") / "study", role="network")


@pytest.fixture(scope="session")
def results(study_path: Path) -> Results:
    return read_results(Study.open(study_path))
