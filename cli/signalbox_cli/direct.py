"""Calls a model archive through its inference script, with no service in between.

Usage: python -m signalbox_cli.direct MODEL.tar.gz INFERENCE.py ROWS.csv; predictions on stdout.
Used to check that what is served is what was registered. Imports whatever the script imports.
"""

import importlib.util
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType


def _load(script: Path) -> ModuleType:
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location("inference", script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(archive: str, script: str, rows: str) -> None:
    """Unpack, load, predict, print."""
    module = _load(Path(script))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        model = module.model_fn(folder)
    given = module.input_fn(Path(rows).read_text(), "text/csv")
    answer = module.output_fn(module.predict_fn(given, model), "text/csv")
    body = answer[0] if isinstance(answer, tuple) else answer
    sys.stdout.write(body if isinstance(body, str) else body.decode())


if __name__ == "__main__":
    main(*sys.argv[1:4])
