"""``pathways serve``: what it refuses, and in which words."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import pytest

from dashboards.command import check_address, register, serve
from eventlogs.errors import InputError, StudyError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    return parser.parse_args(["serve", *words])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_defaults_are_this_machine_without_patients() -> None:
    args = arguments("study")
    assert (args.host, args.port, args.risk_list, args.no_browser) == ("127.0.0.1", 8050, False, False)
    assert args.run is serve


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_other_machines_are_refused(host: str) -> None:
    with pytest.raises(InputError, match="no accounts yet"):
        check_address(host, 8050)


def test_a_port_in_use_is_refused_with_the_next_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port + 1}"):
            serve(arguments("nowhere", "--port", str(port)))


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InputError, match="1 to 65535"):
        check_address("127.0.0.1", port)


def test_a_study_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is not a study"):
        serve(arguments(str(tmp_path / "nothing"), "--port", str(free_port()), "--no-browser"))
