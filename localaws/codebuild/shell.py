"""One shell that runs a build's commands one after the other, as CodeBuild's version 0.2 does.

Folder and variables carry over from command to command and from phase to phase. A command that ends
the shell (`exit 1`, a syntax error) is over with that code, and the next one finds a new shell in
the same folder with the same exported variables. All processes of a build end with the server,
however that ends: a watcher in each group waits for a pipe that only the server holds open.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event

from localaws import clock

_PIECE_BYTES = 1 << 16
_POLL_S = 0.05
_GRACE_S = 2.0
_CODES, _COMMANDS, _ALIVE = "codes", "commands", "alive"

# 3: commands to run, one path a line. 4: their exit codes. The watcher's 5: see the docstring.
_DRIVER = r"""
codebuild_state=$1
( read -r _ <"$codebuild_state/alive"; kill -KILL 0 ) >/dev/null 2>&1 &
exec 3<"$codebuild_state/commands" 4>"$codebuild_state/codes"
codebuild_keep() {
  export -p >"$codebuild_state/variables.new" 4>&-
  mv "$codebuild_state/variables.new" "$codebuild_state/variables" 3<&- 4>&-
  pwd >"$codebuild_state/folder"
}
trap 'codebuild_code=$?; codebuild_keep; exit $codebuild_code' EXIT
if [ -f "$codebuild_state/variables" ]; then
  . "$codebuild_state/variables"
  cd "$(cat "$codebuild_state/folder")"
fi
while IFS= read -r codebuild_step <&3; do
  . "$codebuild_step" </dev/null 3<&- 4>&-
  codebuild_code=$?
  codebuild_keep
  echo "$codebuild_code" >&4
done
"""
_SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


class Interrupted(Exception):
    """The build was ended from outside: `reason` is `stopped`, `timed out` or `closing`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Interruption:
    """Says when a build must end before its time."""

    def __init__(self, limit_s: float, closing: Event) -> None:
        self.stop = Event()
        self._closing = closing
        self._deadline = clock.Deadline(limit_s)

    def check(self) -> None:
        """Raise Interrupted when it is time."""
        if self._closing.is_set():
            raise Interrupted("closing")
        if self.stop.is_set():
            raise Interrupted("stopped")
        if self._deadline.passed():
            raise Interrupted("timed out")


class Shell:
    """The shell of one build, working in `folder`; `output` takes what its commands print."""

    def __init__(
        self,
        program: str,
        folder: Path,
        environment: Mapping[str, str],
        interruption: Interruption,
        *,
        output: Callable[[bytes], None],
    ) -> None:
        self._program = program
        self._folder = folder
        self._environment = dict(environment)
        self._interruption = interruption
        self._output = output
        self._state = Path(tempfile.mkdtemp(prefix="shell-", dir=folder.parent))
        (self._state / "driver").write_text(_DRIVER)
        self._pipes = {name: self._pipe(name) for name in (_CODES, _COMMANDS, _ALIVE)}
        self._printed, self._prints = os.pipe()
        os.set_blocking(self._printed, False)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: list[subprocess.Popen[bytes]] = []

    def _pipe(self, name: str) -> int:
        os.mkfifo(self._state / name)
        # Open at both ends here, so that neither side waits for the other to open it.
        return os.open(self._state / name, os.O_RDWR | os.O_NONBLOCK)

    def run(self, command: str) -> int:
        """The exit code of a command; raises Interrupted when the build must end."""
        self._interruption.check()
        process = self._process or self._start()
        step = self._state / "step"
        step.write_text(command + "\n")
        os.write(self._pipes[_COMMANDS], f"{step}\n".encode())
        while (code := self._code(process)) is None:
            self._interruption.check()
        self._take_output()
        return code

    def export(self, name: str, value: str) -> None:
        """Set a variable for the commands that follow."""
        self._environment[name] = value
        if (self._state / "variables").exists():
            quoted = "'" + value.replace("'", "'\\''") + "'"
            self.run(f"export {name}={quoted}")

    def variables(self) -> dict[str, str]:
        """The exported variables as the last command left them."""
        kept = self._state / "variables"
        if not kept.exists():
            return dict(self._environment)
        script = f'. "{kept}"; exec "{sys.executable}" -I -c "{_SHOW}"'
        told = subprocess.run([self._program, "-c", script], capture_output=True, check=False)
        found: dict[str, str] = json.loads(told.stdout or b"{}")
        return found

    def close(self) -> None:
        """End the shell and everything that it has started."""
        processes = [*self._ended, *([self._process] if self._process else [])]
        self._process, self._ended = None, []
        for process in processes:
            _signal_group(process.pid, signal.SIGTERM)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_GRACE_S)
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        for end in (*self._pipes.values(), self._printed, self._prints):
            os.close(end)
        self._pipes = {}

    def _start(self) -> "subprocess.Popen[bytes]":
        self._process = subprocess.Popen(
            [self._program, str(self._state / "driver"), str(self._state)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._prints,
            stderr=self._prints,
            start_new_session=True,
        )
        return self._process

    def _code(self, process: "subprocess.Popen[bytes]") -> int | None:
        """The exit code, when it is there; waits a moment for it."""
        select.select([self._printed, self._pipes[_CODES]], [], [], _POLL_S)
        self._take_output()
        with suppress(BlockingIOError):
            return int(os.read(self._pipes[_CODES], _PIECE_BYTES))
        if process.poll() is None:
            return None
        # The command ended the shell; what it left in the background goes on until the end.
        self._ended.append(process)
        self._process = None
        return 128 - process.returncode if process.returncode < 0 else process.returncode

    def _take_output(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._printed, _PIECE_BYTES):
                self._output(piece)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
