"""Runs in the training container of an isolated environment, never in a function: the author's
script, and then its code beside the model.

A model server without a network can fetch nothing, so the model's archive brings the inference
script. This file travels in the run's source archive; it imports the standard library only.
"""

import os
import runpy
import shutil
import sys
from pathlib import Path

SCRIPT_VARIABLE = "SIGNALBOX_TRAIN_SCRIPT"
"""Environment variable that names the author's script, relative to this file's folder."""


def main() -> None:
    """Run the script as the program that it is; only after it ended well its code is kept."""
    here = Path(__file__).parent
    script = here / os.environ[SCRIPT_VARIABLE]
    sys.argv[0] = str(script)
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    keep_code(here, Path(os.environ["SM_MODEL_DIR"]) / "code")


def keep_code(source: Path, target: Path) -> None:
    """Copy the code; a `code` folder that the script made itself stays as it is."""
    if not target.exists():
        own = Path(__file__).name
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", own))


if __name__ == "__main__":
    main()
