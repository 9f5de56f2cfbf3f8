"""The laptop's AWS as child processes of the command: serve, deploy the template, stop.

Nothing heavy is imported here: while `signalbox up` waits it should weigh next to nothing.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from signalbox_cli.errors import CommandError
from signalbox_cli.target import STATE_FOLDER, UP_FILE, Target

DEFAULT_PORT = 4700
DEFAULT_TIME_SCALE = 60.0
REGION = "us-east-1"
ACCOUNT = "123456789012"
ACCESS_KEY_ID = "AKIALAPTOPDEVELOPER0"
# Opens the AWS of this one laptop, on loopback, and nothing else.
SECRET_ACCESS_KEY = "laptop-developer-secret"  # noqa: S105

_STOP_LIMIT_S = 10.0


@dataclass(frozen=True)
class LaptopOptions:
    """How to serve: port 0 takes any free one; waits pass `time_scale` times faster."""

    port: int = DEFAULT_PORT
    time_scale: float = DEFAULT_TIME_SCALE
    environment: str = "dev"
    app: str = "signalbox"
    template: Path = Path("template.yaml")


@dataclass(frozen=True)
class Up:
    """A laptop AWS that serves, as written to `.signalbox/up.json`."""

    url: str
    pid: int
    region: str = REGION
    account: str = ACCOUNT
    accessKeyId: str = ACCESS_KEY_ID
    secretAccessKey: str = SECRET_ACCESS_KEY

    def target(self, options: LaptopOptions) -> Target:
        """The environment deployed on it."""
        return Target(
            app=options.app,
            environment=options.environment,
            region=self.region,
            endpoint_url=self.url,
            access_key_id=self.accessKeyId,
            secret_access_key=self.secretAccessKey,
        )

    def exports(self) -> list[str]:
        """Shell lines that point any AWS client at it."""
        return [
            f"export AWS_ENDPOINT_URL={self.url}",
            f"export AWS_ACCESS_KEY_ID={self.accessKeyId}",
            f"export AWS_SECRET_ACCESS_KEY={self.secretAccessKey}",
            f"export AWS_DEFAULT_REGION={self.region}",
        ]


@contextlib.contextmanager
def serving(options: LaptopOptions, report: Callable[[str], None]) -> Iterator[Up]:
    """Serve with the template deployed; everything is stopped at the end, whatever ends it."""
    if not options.template.is_file():
        raise CommandError(
            f"{options.template.resolve()} does not exist; run the command in the folder that "
            "holds Signalbox's template.yaml"
        )
    STATE_FOLDER.mkdir(exist_ok=True)
    log = (STATE_FOLDER / "laptop.log").open("w")
    server = _spawn_server(options, log)
    deployer = _spawn_deployer(options, log)
    try:
        up = _await_ready(server, options)
        _deploy(deployer, up, report)
        UP_FILE.write_text(json.dumps(asdict(up)))
        yield up
    finally:
        UP_FILE.unlink(missing_ok=True)
        _stop(deployer)
        _stop(server)
        log.close()


def _spawn_server(options: LaptopOptions, log: IO[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "localaws", "--port", str(options.port)]
    command += ["--state-dir", str(STATE_FOLDER), "--time-scale", str(options.time_scale)]
    return _spawn(command, log)


def _spawn_deployer(options: LaptopOptions, log: IO[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "signalbox_cli.deploy_laptop", str(options.template)]
    command += ["--app", options.app, "--environment", options.environment]
    return _spawn(command, log)


def _spawn(command: list[str], log: IO[str]) -> "subprocess.Popen[str]":
    # A session of its own: Ctrl-C reaches this command first, which then stops the child. The
    # child sees the end of its standard input when this command dies without doing so.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
        env={**os.environ, "LOCALAWS_STOP_AT_STDIN_END": "1"},
    )


def _await_ready(server: "subprocess.Popen[str]", options: LaptopOptions) -> Up:
    assert server.stdout is not None  # noqa: S101 - it was opened with a pipe
    line = server.stdout.readline()
    if not line:
        raise CommandError(_why_it_ended(server, options))
    ready = json.loads(line)
    if not ready.get("ready"):
        raise CommandError(str(ready.get("error", line)))
    return Up(url=ready["url"], pid=server.pid)


def _why_it_ended(server: "subprocess.Popen[str]", options: LaptopOptions) -> str:
    server.wait(_STOP_LIMIT_S)
    lines = (STATE_FOLDER / "laptop.log").read_text().strip().splitlines()
    last = lines[-1] if lines else f"exit code {server.returncode}"
    return f"the laptop's AWS did not start on port {options.port}: {last}"


def _deploy(deployer: "subprocess.Popen[str]", up: Up, report: Callable[[str], None]) -> None:
    assert deployer.stdin is not None and deployer.stdout is not None  # noqa: S101, PT018
    deployer.stdin.write(json.dumps(asdict(up)) + "\n")
    deployer.stdin.flush()
    for line in deployer.stdout:
        event = json.loads(line)
        if "error" in event:
            raise CommandError(f"the template could not be deployed: {event['error']}")
        report(event["message"])
    if deployer.wait() != 0:
        raise CommandError(
            f"deploying the template ended with exit code {deployer.returncode}; see "
            f"{STATE_FOLDER / 'laptop.log'}"
        )


def _stop(child: "subprocess.Popen[str]") -> None:
    """Ask the child to end, then end it with everything it started."""
    if child.poll() is None:
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_STOP_LIMIT_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(_STOP_LIMIT_S)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C or SIGTERM."""
    while True:
        time.sleep(3600)
