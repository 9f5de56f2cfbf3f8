"""`python -m localaws`: serve the laptop's AWS until told to stop.

Prints one line of JSON when it is ready, so that a parent process can wait for it.
"""

import argparse
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from localaws import memory
from localaws.context import PORT, Config
from localaws.errors import PortInUseError
from localaws.server import LaptopServer

PORT_TAKEN = 3
"""Exit status when the port is in use."""


STOP_AT_STDIN_END = "LOCALAWS_STOP_AT_STDIN_END"
"""Set to 1 by a parent that holds the other end of standard input: its death ends the server."""


def _stop_at_stdin_end(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


def parse(arguments: Sequence[str] | None = None) -> Config:
    """The configuration that command-line arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m localaws", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="0 takes any free port")
    parser.add_argument("--state-dir", type=Path, default=Path(".signalbox"))
    parser.add_argument(
        "--time-scale", type=float, default=60.0, help="AWS seconds of waiting per real second"
    )
    parser.add_argument(
        "--no-warm-up", action="store_true", help="start each function when it is first called"
    )
    chosen = parser.parse_args(arguments)
    return Config(
        port=chosen.port,
        state_dir=chosen.state_dir,
        time_scale=chosen.time_scale,
        warm_ahead=not chosen.no_warm_up,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; answers the exit status."""
    memory.return_freed_memory()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if os.environ.get(STOP_AT_STDIN_END) == "1":
        threading.Thread(target=_stop_at_stdin_end, args=(stop,), daemon=True).start()
    try:
        server = _start(parse(arguments))
    except PortInUseError as error:
        sys.stderr.write(f"{error}\n")
        return PORT_TAKEN
    with_pid = {"ready": True, "url": server.url, "pid": os.getpid()}
    sys.stdout.write(json.dumps(with_pid) + "\n")
    sys.stdout.flush()
    try:
        stop.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    finally:
        server.stop()
    return 0


def _start(config: Config) -> LaptopServer:
    """Started with the collector off (it costs a tenth of start-up), then what is there is kept."""
    gc.disable()
    try:
        return LaptopServer(config).start()
    finally:
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
