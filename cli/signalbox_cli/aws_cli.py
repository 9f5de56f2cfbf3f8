"""The stock AWS CLI, pointed at one environment: the way of a person who has nothing of ours."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target

_LIMIT_S = 120.0


def find_aws() -> str:
    """The path of `aws`, beside this Python or on the PATH; raises CommandError when none is."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("aws", path=beside) or shutil.which("aws")
    if found is None:
        raise CommandError(
            f"the AWS CLI was not found in {beside} nor on the PATH; this story decides with it. "
            "`make demo-promotion` installs it beside the command"
        )
    return found


def shown(arguments: tuple[str, ...]) -> str:
    """A call as a person types it."""
    return shlex.join(("aws", *arguments))


def call(target: Target, *arguments: str) -> str:
    """What one call printed; raises CommandError with its complaint."""
    done = subprocess.run(
        [find_aws(), *arguments],
        env=_environment(target),
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"`{shown(arguments)}` failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _environment(target: Target) -> dict[str, str]:
    """The variables of `signalbox env`, and none of the caller's that lead to another AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    chosen = {
        "AWS_ENDPOINT_URL": target.endpoint_url,
        "AWS_ACCESS_KEY_ID": target.access_key_id,
        "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    return {**kept, **{name: value for name, value in chosen.items() if value is not None}}
