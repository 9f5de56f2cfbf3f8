"""Templates as a request to CloudFormation may carry them, before there is a bucket for them.

python -m signalbox_cli.template_bodies delivery/account.yaml > account.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from localaws.deployer import template
from localaws.deployer.errors import TemplateInvalid
from signalbox_cli.errors import CommandError

LIMIT = 51_200
"""Bytes of a TemplateBody (CloudFormation User Guide, "Understand CloudFormation quotas", read
2026-11)."""


def body_of(path: Path) -> str:
    """A template as written, or as JSON without comments if it is too long for that.

    Raises CommandError when it is too long even so, and TemplateInvalid when it is no template.
    """
    text = path.read_text(encoding="utf-8")
    if len(text.encode()) > LIMIT:
        text = json.dumps(template.parse(text, str(path)), separators=(",", ":"))
    size = len(text.encode())
    if size > LIMIT:
        raise CommandError(
            f"{path} has {size} bytes even without comments, at most {LIMIT} may be sent: "
            "split the template"
        )
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what may be sent to standard output; exit status 1 with one line when nothing may."""
    chosen = _parser().parse_args(arguments)
    try:
        sys.stdout.write(body_of(chosen.template))
    except (OSError, CommandError, TemplateInvalid) as fault:
        print(f"{chosen.template}: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalbox_cli.template_bodies")
    parser.add_argument("template", type=Path, help="a template, such as delivery/account.yaml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
