"""One reader over one CSV file in a process of its own; prints rows, seconds and peak memory.

    python intake_reader.py check|pandas|pyarrow|polars FILE MANIFEST

`check` is data_intake's own; its process needs the function's layers and nothing else. The others
are libraries as one would use them: pandas reads it all, pyarrow and polars stream it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def check(file: str, manifest_file: str) -> int:
    """The whole check with its profile, duplicates included."""
    __import__("data_intake")  # the handler with all that it imports
    from signalbox import intake_check, intake_rules, manifest

    document = manifest.read_document(Path(manifest_file).read_bytes())
    workload = manifest.validate(document)
    expected = intake_rules.expectation(workload, intake_rules.Part.SOURCE)
    with open(file, "rb") as stream:
        report = intake_check.check(stream, expected, file=file)
    assert report.profile is not None, report.findings
    return report.profile.rows


def pandas(file: str, _: str) -> int:
    """`read_csv` and nothing else."""
    import pandas as pd

    return len(pd.read_csv(file))


def pyarrow(file: str, _: str) -> int:
    """The streaming reader, every column converted, rows counted."""
    from pyarrow import csv

    return sum(batch.num_rows for batch in csv.open_csv(file))


def polars(file: str, _: str) -> int:
    """The streaming engine: every column parsed, its smallest and largest value."""
    import polars as pl

    frame = pl.scan_csv(file)
    columns = frame.collect_schema().names()
    wanted = [pl.len(), *(pl.col(c).min().name.suffix("<") for c in columns),
              *(pl.col(c).max().name.suffix(">") for c in columns)]  # fmt: skip
    rows: int = frame.select(wanted).collect(engine="streaming")["len"][0]
    return rows


READERS: dict[str, Callable[[str, str], int]] = {
    "check": check,
    "pandas": pandas,
    "pyarrow": pyarrow,
    "polars": polars,
}


def peak_mb() -> float:
    """The most memory that this process has held (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    name, file, manifest_file = sys.argv[1:]
    started = time.monotonic()
    rows = READERS[name](file, manifest_file)
    seconds = time.monotonic() - started
    cpu_s = time.process_time()
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb()}))
