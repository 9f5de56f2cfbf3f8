"""Sizes: memory of a running laptop, import time of the handlers, size of the layers."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def memory_mb(root: int) -> float:
    """Proportional set size of a process and everything that descends from it, in MB (Linux)."""
    total_kb = 0
    for pid in _family(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total_kb += next(int(x.split()[1]) for x in rollup.splitlines() if x.startswith("Pss:"))
    return total_kb / 1024


def idle_memory_mb() -> tuple[float, float]:
    """Memory of `signalbox up` with all its children: 5 s after it is ready, and 75 s later."""
    command = [sys.executable, "-m", "signalbox_cli.main", "up", "--port", "0", "--json"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as up:
        try:
            assert up.stdout is not None
            up.stdout.readline()
            time.sleep(5)
            ready = memory_mb(up.pid)
            time.sleep(75)
            return ready, memory_mb(up.pid)
        finally:
            up.terminate()


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found


def layer_folders() -> dict[str, Path]:
    """The built layers by logical id."""
    built = subprocess.run(
        [sys.executable, "-m", "localaws.build_layers"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.split(maxsplit=1) for line in built.stdout.splitlines() if line.strip())
    return {name: Path(folder) for name, folder in pairs}


def size_mb(folder: Path) -> float:
    """Bytes of all files below a folder, in MB."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def import_ms(handler: str, layers: list[Path], repeats: int = 7) -> float:
    """Median time to import a handler in a fresh Python, beyond that Python's own start, in ms."""
    path = os.pathsep.join([str(REPOSITORY / "functions"), *(str(x / "python") for x in layers)])
    variables = {
        "PYTHONPATH": path,
        "PATH": os.environ["PATH"],
        "POWERTOOLS_SERVICE_NAME": "bench",
        "AWS_REGION": "us-east-1",
    }
    full = _median_ms(f"import {handler}", variables, repeats)
    return full - _median_ms("pass", variables, repeats)


def _median_ms(code: str, variables: dict[str, str], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.monotonic()
        subprocess.run([sys.executable, "-S", "-c", code], env=variables, check=True)
        times.append((time.monotonic() - started) * 1000)
    return statistics.median(times)
