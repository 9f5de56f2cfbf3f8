"""Takes one build through its phases, on a thread of its own.

CodeBuild user guide, "Build phase transitions" and "phases/*/on-failure" (read 2026-11-21): a
failed INSTALL or PRE_BUILD ends the build; after BUILD, failed or not, POST_BUILD and
UPLOAD_ARTIFACTS follow. `on-failure: CONTINUE` goes on to the next phase, `ABORT` to none. A build
in which any phase has failed has failed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from localaws import clock
from localaws.codebuild import buildspec as codebuild_buildspec
from localaws.codebuild import events as codebuild_events
from localaws.codebuild import variables as codebuild_variables
from localaws.codebuild.artifacts import NothingMatched
from localaws.codebuild.buildspec import (
    PHASES,
    Buildspec,
    BuildspecInvalid,
    BuildspecUnsupported,
    OnFailure,
    Output,
)
from localaws.codebuild.folder import Folder, SourceFailed
from localaws.codebuild.log import BuildLog, BuildStream, courier_of
from localaws.codebuild.model import Build, Phase, S3Object, Status
from localaws.codebuild.settings import is_inline
from localaws.codebuild.shell import Interrupted, Shell
from localaws.codebuild.variables import VariableMissing, Variables
from localaws.errors import AccessDeniedByLocalAws, LocalAwsError

_log = logging.getLogger("localaws.codebuild")
_CHECKOUT = Path(__file__).resolve().parents[2]
_EXPECTED = (
    SourceFailed,
    BuildspecInvalid,
    BuildspecUnsupported,
    VariableMissing,
    NothingMatched,
    ClientError,
    BotoCoreError,
    LocalAwsError,
)
_CODES: dict[type[BaseException], str] = {
    BuildspecInvalid: "YAML_FILE_ERROR",
    BuildspecUnsupported: "UnsupportedByLocalAws",
    VariableMissing: "Decrypted Variables Error",
    AccessDeniedByLocalAws: "ACCESS_DENIED",
}


@dataclass(frozen=True)
class Site:
    """Where builds run."""

    url: str
    """Of the laptop's AWS, for the commands."""
    folder: Path
    caches: Path
    packages: Path
    """Where layers are built and stay: a function uses its layers in place, after the build."""


class PhaseFailed(Exception):
    """A command of the phase has failed."""

    def __init__(self, command: str, exit_code: int) -> None:
        self.command = command
        self.exit_code = exit_code
        shown = command.strip()
        super().__init__(
            f"Error while executing command: {shown[:500]}. Reason: exit status {exit_code}"
        )


class Run:
    """One build under way."""

    def __init__(self, build: Build, where: Site) -> None:
        self._build = build
        self._site = where
        self._folder = Folder(build, where.folder / build.uuid)
        self._stream = BuildStream(courier_of(build), build.log_group, build.log_stream)
        self._log = BuildLog(self._stream)
        self._buildspec = Buildspec()
        self._shell: Shell | None = None

    def run(self) -> None:
        """All phases, whatever happens in them; the build is over when this returns."""
        self._note("SUBMITTED")
        codebuild_events.state_changed(self._build)
        self._note("QUEUED")
        try:
            self._go_through()
        except Interrupted as error:
            if error.reason == "closing":
                return
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the build must end
            self._defect(self._build.phases[-1], error)
        finally:
            self._leave()
        self._finish()

    def _defect(self, phase: Phase, error: Exception) -> None:
        _log.exception("build %s failed in %s", self._build.id, phase.kind)
        self._end(phase, Status.FAILED, "CLIENT_ERROR", f"{type(error).__name__}: {error}")

    def _go_through(self) -> None:
        if not self._phase("PROVISIONING", self._provision):
            return
        if not self._phase("DOWNLOAD_SOURCE", self._prepare):
            return
        for name in PHASES:
            spec = self._buildspec.phases.get(name)
            worked = self._phase(name.upper(), partial(self._commands, name))
            rule = spec.on_failure if spec else None
            if not worked and not _goes_on(name, rule):
                return
        self._phase("UPLOAD_ARTIFACTS", self._upload)

    def _phase(self, kind: str, work: Callable[[], None]) -> bool:
        """Do the work of a phase; whether it worked. Raises Interrupted."""
        phase = Phase(kind)
        self._build.phases.append(phase)
        self._say(f"Entering phase {kind}")
        try:
            self._build.interruption.check()
            work()
        except (PhaseFailed, *_EXPECTED) as error:
            self._end(phase, Status.FAILED, *_told(error))
        except Interrupted as error:
            self._interrupted(phase, error.reason)
            raise
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the build must not hang
            self._defect(phase, error)
        else:
            self._end(phase, Status.SUCCEEDED)
        if phase.status is not Status.SUCCEEDED and self._shell is not None:
            self._shell.export("CODEBUILD_BUILD_SUCCEEDING", "0")
        return phase.status is Status.SUCCEEDED

    def _interrupted(self, phase: Phase, reason: str) -> None:
        if reason == "stopped":
            self._end(phase, Status.STOPPED)
        elif reason == "timed out":
            self._end(phase, Status.TIMED_OUT, "BUILD_TIMED_OUT", "Build has timed out. ")

    def _end(self, phase: Phase, status: Status, code: str = "", message: str = "") -> None:
        phase.ended, phase.status, phase.code, phase.message = clock.now(), status, code, message
        self._say(f"Phase complete: {phase.kind} State: {status.value}")
        self._say(f"Phase context status code: {code} Message: {message}")
        codebuild_events.phase_changed(self._build, phase)

    def _note(self, kind: str) -> None:
        now = clock.now()
        phase = Phase(kind, now, now, Status.SUCCEEDED)
        self._build.phases.append(phase)
        codebuild_events.phase_changed(self._build, phase)

    def _say(self, text: str) -> None:
        self._log.say(text)
        self._log.flush()

    def _provision(self) -> None:
        """The role is assumed and the log made: what fails here fails before anything is run."""
        if not self._build.log_group:
            self._stream.silence()
            codebuild_variables.credentials(self._build)
            return
        try:
            self._stream.open()
        except ClientError as error:
            self._stream.silence()
            raise AccessDeniedByLocalAws(
                self._build.role_arn,
                "logs:CreateLogStream",
                self._build.arn,
                f"because the service role may not make the build's log: {error}",
            ) from error

    def _prepare(self) -> None:
        self._folder.make()
        self._folder.download()
        self._buildspec = self._read_buildspec()
        own = codebuild_variables.own(self._build, self._buildspec)
        self._log.secrets += own.secrets
        self._folder.provide_caches(self._buildspec, self._caches())
        self._shell = self._open_shell(own)

    def _caches(self) -> Path:
        return self._site.caches / self._build.place.account / self._build.project

    def _read_buildspec(self) -> Buildspec:
        given = str(self._build.settings["source"].get("buildspec") or "buildspec.yml")
        if is_inline(given):
            return codebuild_buildspec.read(given)
        if given.startswith("arn:"):
            raise BuildspecUnsupported(f"a buildspec in S3 ({given})")
        path = (self._folder.source / given).resolve()
        if self._folder.source.resolve() not in path.parents or not path.is_file():
            raise BuildspecInvalid(f"stat {given}: no such file in the source")
        return codebuild_buildspec.read(path.read_text())

    def _open_shell(self, own: Variables) -> Shell:
        environment = codebuild_variables.platform(self._build, self._site.url, self._folder.home)
        environment |= {
            "CODEBUILD_SRC_DIR": str(self._folder.source),
            "SIGNALBOX_BUILD_DIR": str(self._site.packages),
            # Its environments save each build minutes of installing (tools/make_environment.sh).
            "SIGNALBOX_CHECKOUT": str(_CHECKOUT),
        }
        for name, folder in self._folder.others.items():
            environment[f"CODEBUILD_SRC_DIR_{name}"] = str(folder)
        keys = codebuild_variables.credentials(self._build)
        self._log.secrets += (keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"])
        return Shell(
            self._buildspec.shell,
            self._folder.source,
            {**environment, **own.values, **keys},
            self._build.interruption,
            output=self._printed,
        )

    def _printed(self, piece: bytes) -> None:
        self._log.feed(piece)
        self._log.flush()

    def _commands(self, name: str) -> None:
        phase = self._buildspec.phases.get(name)
        if phase is None:
            return
        for runtime, version in phase.runtimes.items():
            self._say(f"{runtime} {version} was asked for; this machine's own {runtime} is used")
        failure: PhaseFailed | None = None
        for command in phase.commands:
            failure = self._command(command)
            if failure is not None:
                break
        for command in phase.afterwards:
            last = self._command(command)
            failure = failure or last
        if failure is not None:
            raise failure

    def _command(self, command: str) -> PhaseFailed | None:
        if self._shell is None:
            raise RuntimeError("a command before the shell is open")
        self._say(f"Running command {command.strip()}")
        code = self._shell.run(command)
        if code == 0:
            return None
        self._say(f"Command did not exit successfully {command.strip()} exit status {code}")
        return PhaseFailed(command, code)

    def _upload(self) -> None:
        build, spec = self._build, self._buildspec
        self._export()
        artifacts = build.settings["artifacts"]
        if build.handover is not None:
            places = build.handover.outputs
            build.stored += self._folder.upload(_outputs(spec, list(places)), places)
        elif artifacts["type"] == "S3":
            self._upload_to_s3(_outputs(spec, [""])[""])

    def _upload_to_s3(self, output: Output) -> None:
        place = _place(self._build)
        if self._build.settings["artifacts"].get("packaging") == "ZIP":
            self._build.stored += self._folder.upload({"": output}, {"": place})
        else:
            self._build.stored.append(self._folder.upload_files(output, place))

    def _export(self) -> None:
        if self._shell is None or not self._buildspec.exported:
            return
        found = self._shell.variables()
        names = self._buildspec.exported
        self._build.exported = {name: found[name] for name in names if name in found}

    def _leave(self) -> None:
        if self._shell is not None:
            self._shell.close()
        self._folder.remove()

    def _finish(self) -> None:
        build = self._build
        self._note("FINALIZING")
        statuses = [phase.status for phase in build.failed_phases()]
        ends = (Status.STOPPED, Status.TIMED_OUT, Status.FAILED)
        self._log.close()
        build.phases.append(Phase("COMPLETED"))
        build.status = next((end for end in ends if end in statuses), Status.SUCCEEDED)
        # Last of all: who sees the end must see how it came.
        build.ended = clock.now()
        codebuild_events.state_changed(build)
        build.finished.set()


def _goes_on(name: str, rule: OnFailure | None) -> bool:
    """Whether a phase follows one that has failed."""
    if rule is not None:
        return rule is OnFailure.CONTINUE
    return name in ("build", "post_build")


def _told(error: BaseException) -> tuple[str, str]:
    if isinstance(error, PhaseFailed):
        return "COMMAND_EXECUTION_ERROR", str(error)
    return _CODES.get(type(error), "CLIENT_ERROR"), str(error)


def _outputs(spec: Buildspec, names: list[str]) -> dict[str, Output]:
    """What is packed for each artifact; a single one may be the buildspec's primary."""
    found = dict(spec.outputs)
    if len(names) == 1 and names[0] not in found and spec.output is not None:
        found[names[0]] = spec.output
    for name in names:
        if name not in found:
            what = f"artifact {name}" if len(names) > 1 else "primary artifact"
            raise NothingMatched(f"no definition for {what} in buildspec")
    return found


def _place(build: Build) -> S3Object:
    """Where an artifact of type S3 goes: path, build id and name, as the project says."""
    artifacts = build.settings["artifacts"]
    parts = [str(artifacts.get("path") or "").strip("/")]
    parts += [build.uuid] if artifacts.get("namespaceType") == "BUILD_ID" else []
    parts += [str(artifacts.get("name") or build.project)]
    return S3Object(str(artifacts["location"]), "/".join(part for part in parts if part))
