"""``pathways serve STUDY``: the app on this machine. Added to the command by an entry point."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import webbrowser
from threading import Timer

from eventlogs.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECONDS_BEFORE_BROWSER = 0.8


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve`` to the ``pathways`` command."""
    text = "open a mined study in the browser: the map, the breakdowns, the territories"
    command = commands.add_parser("serve", help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument("study", help="a study folder that 'pathways mine' has filled")
    command.add_argument("--port", type=int, default=8050, help="default: 8050")
    command.add_argument("--host", default="127.0.0.1", help="this machine only (there are no accounts)")
    command.add_argument(
        "--risk-list", action="store_true", help="also open the risk list (a network's own study only)"
    )
    command.add_argument("--no-browser", action="store_true", help="don't open the browser")
    command.set_defaults(run=serve)


def serve(args: argparse.Namespace) -> int:
    """Check the address and the study, then serve until interrupted.

    Raises
    ------
    InputError
        The host is not this machine, or the port is taken.
    StudyError
        There is no study there, or it has not been mined.
    """
    check_address(args.host, args.port)
    from dashboards.app import create_app, run

    app = create_app(args.study, risk_list=args.risk_list)
    address = f"http://{args.host}:{args.port}/"
    print(f"{args.study}: {address} (Ctrl+C to stop)", flush=True)
    if not args.no_browser and has_screen():
        Timer(SECONDS_BEFORE_BROWSER, webbrowser.open, [address]).start()
    run(app, args.host, args.port)
    return 0


def check_address(host: str, port: int) -> None:
    """Refuse an address that is not this machine's, or a port that is taken.

    Raises
    ------
    InputError
        Says which, and what to do.
    """
    if host not in LOOPBACK:
        raise InputError(
            f"--host {host} would open the app to other machines, and it has no accounts yet; "
            "leave it at 127.0.0.1 and use an SSH tunnel"
        )
    if not 0 < port < 65536:
        raise InputError(f"--port {port} is no port; give a number from 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"port {port} can't be used ({error.strerror}); stop the other program or give another: "
                f"--port {port + 1}"
            ) from error


def has_screen() -> bool:
    """Say whether a browser can be opened: on Linux, only where there is a display."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
