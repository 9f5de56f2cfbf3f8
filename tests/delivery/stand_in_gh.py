"""Stands in for GitHub's client: `gh run list`, out of what the runner has seen.

Takes exactly the options that delivery/promotion_tags.py gives, and asks for the permission that
the real one needs.
"""

import argparse
import json
import os
import sys
from pathlib import Path


def main() -> int:
    """Print the runs as JSON, or fail as gh does without a token."""
    parser = argparse.ArgumentParser(prog="gh")
    parser.add_argument("command", choices=["run"])
    parser.add_argument("action", choices=["list"])
    for name in ("workflow", "json", "status", "commit"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    permissions = json.loads(os.environ.get("GH_TOKEN", "token:{}").removeprefix("token:"))
    if permissions.get("actions") != "read":
        sys.stderr.write("HTTP 403: Resource not accessible by integration\n")
        return 1
    file = Path(os.environ["STAND_IN_RUNS"])
    runs = json.loads(file.read_text()) if file.exists() else []
    found = [
        {given.json: run[given.json]}
        for run in runs
        if (run["workflow"], run["status"], run["commit"])
        == (given.workflow, given.status, given.commit)
    ]
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
