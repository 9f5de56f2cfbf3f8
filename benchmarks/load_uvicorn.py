"""Uvicorn with some workers that answer at once: `python -m benchmarks.load_uvicorn PORT WORKERS`.

`uvicorn --workers 2` makes its socket without naming TCP, so asyncio leaves Nagle's algorithm on
and every answer waits 40 ms for an acknowledgement; that would be no fair rival.
"""

import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess


def main(port: int, workers: int) -> None:
    """Serve until terminated."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            "benchmarks.load_servers:asgi", workers=workers, access_log=False, log_level="error"
        )
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
        else:
            Multiprocess(config, [listening]).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
