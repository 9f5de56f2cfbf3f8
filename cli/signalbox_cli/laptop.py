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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from localaws.accounts import DELIVERY
from localaws.context import ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET, PORT, REGION
from signalbox_cli.errors import CommandError
from signalbox_cli.laptop_environments import ENVIRONMENTS, credentials
from signalbox_cli.target import STATE_FOLDER, UP_FILE, Target, app_here

DEFAULT_PORT = PORT
DEFAULT_TIME_SCALE = 60.0

_STOP_LIMIT_S = 10.0


@dataclass(frozen=True)
class LaptopOptions:
    """How to serve: port 0 takes any free one; waits pass `time_scale` times faster."""

    port: int = DEFAULT_PORT
    time_scale: float = DEFAULT_TIME_SCALE
    warm_ahead: bool = True
    """Start functions before they are called; many laptops beside each other do without it."""
    environments: tuple[str, ...] = ("dev",)
    """One stack each, in an account of its own; in the order of promotion."""
    delivery: bool = False
    """Give out the keys of all accounts, for `signalbox bootstrap` and the delivery pipeline."""
    app: str = field(default_factory=app_here)
    template: Path = Path("template.yaml")


@dataclass(frozen=True)
class Up:
    """A laptop AWS that serves, as written to `.signalbox/up.json`."""

    url: str
    pid: int
    region: str = REGION
    account: str = ACCOUNT_ID
    accessKeyId: str = DEVELOPER_KEY_ID
    secretAccessKey: str = DEVELOPER_SECRET
    environments: dict[str, dict[str, str]] = field(default_factory=lambda: credentials(("dev",)))
    """`account`, `accessKeyId` and `secretAccessKey` of each environment deployed on it."""

    def target(self, options: LaptopOptions, environment: str = "") -> Target:
        """An environment deployed on it, the first one unless named."""
        name = environment or options.environments[0]
        keys = self.environments[name]
        return Target(
            app=options.app,
            environment=name,
            region=self.region,
            endpoint_url=self.url,
            access_key_id=keys["accessKeyId"],
            secret_access_key=keys["secretAccessKey"],
        )

    def exports(self, environment: str = "") -> list[str]:
        """Shell lines that point any AWS client at it, in one environment's account."""
        keys = self.environments[environment or next(iter(self.environments))]
        return [
            f"export AWS_ENDPOINT_URL={self.url}",
            f"export AWS_ACCESS_KEY_ID={keys['accessKeyId']}",
            f"export AWS_SECRET_ACCESS_KEY={keys['secretAccessKey']}",
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
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_log_file())
        server = stack.enter_context(_child(_server_command(options), log))
        if not options.environments:
            yield _await_ready(server, options, log)
            return
        deployer = stack.enter_context(_child(_deployer_command(options), log))
        up = _await_ready(server, options, log)
        _deploy(deployer, up, report, log)
        yield up


@contextlib.contextmanager
def _log_file() -> Iterator[IO[str]]:
    """What the children write to their standard error, kept while they run."""
    STATE_FOLDER.mkdir(exist_ok=True)
    path = STATE_FOLDER / f"laptop-{os.getpid()}.log"
    try:
        with path.open("w+") as log:
            yield log
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def announced(up: Up) -> Iterator[None]:
    """Let `--local` find this laptop while it serves."""
    UP_FILE.write_text(json.dumps(asdict(up)))
    UP_FILE.chmod(0o600)
    try:
        yield
    finally:
        UP_FILE.unlink(missing_ok=True)


def _server_command(options: LaptopOptions) -> list[str]:
    command = [sys.executable, "-m", "localaws", "--port", str(options.port)]
    command += ["--state-dir", str(STATE_FOLDER), "--time-scale", str(options.time_scale)]
    return command if options.warm_ahead else [*command, "--no-warm-up"]


def _deployer_command(options: LaptopOptions) -> list[str]:
    command = [sys.executable, "-m", "signalbox_cli.deploy_laptop", str(options.template)]
    return [*command, "--app", options.app, "--environments", ",".join(options.environments)]


@contextlib.contextmanager
def _child(command: list[str], log: IO[str]) -> "Iterator[subprocess.Popen[str]]":
    # A session of its own: Ctrl-C reaches this command first, which then stops the child. The
    # child sees the end of its standard input when this command dies without doing so.
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
        env={**os.environ, "LOCALAWS_STOP_AT_STDIN_END": "1"},
    )
    try:
        yield child
    finally:
        _stop(child)


def _await_ready(server: "subprocess.Popen[str]", options: LaptopOptions, log: IO[str]) -> Up:
    assert server.stdout is not None  # noqa: S101 - it was opened with a pipe
    line = server.stdout.readline()
    if not line:
        raise CommandError(
            f"the laptop's AWS did not start on port {options.port}: {_last_words(server, log)}"
        )
    ready = json.loads(line)
    if not ready.get("ready"):
        raise CommandError(str(ready.get("error", line)))
    return Up(url=ready["url"], pid=server.pid, environments=credentials(_accounts(options)))


def _accounts(options: LaptopOptions) -> tuple[str, ...]:
    """The accounts to give out keys of, the environments first."""
    return (*ENVIRONMENTS, *DELIVERY) if options.delivery else options.environments


def _last_words(child: "subprocess.Popen[str]", log: IO[str]) -> str:
    """The last line a child logged, or its exit code."""
    child.wait(_STOP_LIMIT_S)
    log.seek(0)
    lines = log.read().strip().splitlines()
    return lines[-1] if lines else f"exit code {child.returncode}"


def _deploy(
    deployer: "subprocess.Popen[str]", up: Up, report: Callable[[str], None], log: IO[str]
) -> None:
    assert deployer.stdin is not None and deployer.stdout is not None  # noqa: S101, PT018
    with contextlib.suppress(BrokenPipeError):  # it has ended by itself: its last words say why
        deployer.stdin.write(json.dumps(asdict(up)) + "\n")
        deployer.stdin.flush()
    for line in deployer.stdout:
        event = json.loads(line)
        if "error" in event:
            raise CommandError(f"the template could not be deployed: {event['error']}")
        report(event["message"])
    if deployer.wait() != 0:
        raise CommandError(f"the template could not be deployed: {_last_words(deployer, log)}")


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
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C or SIGTERM."""
    while True:
        time.sleep(3600)
