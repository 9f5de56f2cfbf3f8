"""What happens in a child between the fork and the end of its program.

The child is a fork of a process that has the scientific stack loaded. Everything a program can see
of that is reset first: session, signals, standard streams, open files, environment, folder,
arguments, random seeds, thread pools. Python scripts then run right here; anything else (a
shell, `python3 -O`, a script whose folder hides a preloaded module) replaces the process.

Must not import moto, boto3 or anything heavy at module level.
"""

import atexit
import importlib
import importlib.machinery
import os
import random
import resource
import runpy
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

from localaws import container
from localaws.forkserver.child_spec import ChildSpec
from localaws.models import toolkit as model_toolkit

_FIRST_PASSED_FD = 3
_pools: list[Any] = []


def remember_thread_pools() -> None:
    """Find the loaded thread pools once, in the parent, so that a child limits them at no cost."""
    if "threadpoolctl" in sys.modules:
        _pools.append(sys.modules["threadpoolctl"].ThreadpoolController())


def run(spec: ChildSpec, output_fd: int, fds: list[int], *, namespaces: bool) -> NoReturn:
    """Become the program of `spec`; never returns."""
    exit_code = 1
    try:
        _reset_process(output_fd, fds)
        spec = _enter_root(spec, namespaces=namespaces)
        _reset_interpreter(spec)
        exit_code = _run_program(spec, len(fds))
    except BaseException:  # noqa: BLE001 - the edge of a process: report and end with a code
        traceback.print_exc()
    _end(exit_code)


def _reset_process(output_fd: int, fds: list[int]) -> None:
    os.setsid()
    container.die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _place_descriptors([os.open(os.devnull, os.O_RDONLY), output_fd, output_fd, *fds])


def _place_descriptors(wanted: list[int]) -> None:
    """Make the wanted descriptors 0, 1, 2, ... and close every other one."""
    # Linux closes a range in one call; elsewhere each number costs one.
    most = 1 << 20 if sys.platform == "linux" else 1 << 12
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], most)
    base = max(64, *wanted) + 1
    moved = [_duplicate_above(fd, base) for fd in wanted]
    for target, source in enumerate(moved):
        os.dup2(source, target, inheritable=target < _FIRST_PASSED_FD)
    os.closerange(len(wanted), limit)


def _duplicate_above(fd: int, base: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD, base)


def _enter_root(spec: ChildSpec, *, namespaces: bool) -> ChildSpec:
    if namespaces:
        container.enter(spec.root, spec.scratch, has_network=spec.has_network)
        # Entering a user namespace may have cleared it.
        container.die_with_parent()
        return spec
    container.rewrite_configuration(spec.root)
    _rewrite_imports(spec.root)
    return _rewritten(spec)


def _rewritten(spec: ChildSpec) -> ChildSpec:
    text = container.rewrite_text(spec.to_json().decode(), spec.root)
    return ChildSpec.from_json(text.encode())


def _reset_interpreter(spec: ChildSpec) -> None:
    os.environ.clear()
    os.environ.update(spec.environment)
    os.makedirs(spec.cwd, exist_ok=True)
    os.chdir(spec.cwd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stdout = _stream(1)
    sys.stderr = _stream(2)
    sys.dont_write_bytecode = True
    model_toolkit.install()
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    _set_threads("openmp", spec.threads)
    # A second thread of OpenBLAS costs 25 ms, half of a small job: only if the author asks.
    _set_threads("blas", int(spec.environment.get("OPENBLAS_NUM_THREADS", 1)))


def _set_threads(interface: str, count: int) -> None:
    """Set the threads of loaded libraries, for which a variable comes too late."""
    for pool in _pools:
        for library in pool.select(user_api=interface).lib_controllers:
            if library.num_threads != count:
                library.set_num_threads(count)


def _stream(fd: int) -> IO[str]:
    """Line by line, so that the last line printed can be followed."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _run_program(spec: ChildSpec, passed: int) -> int:
    fds = list(range(_FIRST_PASSED_FD, _FIRST_PASSED_FD + passed))
    if spec.program == "run":
        return _exit_code_of(lambda: _run_command(spec))
    module = importlib.import_module(f"localaws.models.{spec.program}")
    return _exit_code_of(lambda: module.run(spec.task, fds))


def _exit_code_of(program: Callable[[], None]) -> int:
    """Run it as an interpreter would: exit codes, messages and tracebacks included."""
    try:
        program()
    except SystemExit as end:
        return _code_of(end)
    except BaseException:  # noqa: BLE001 - the edge of a process: report and end with a code
        traceback.print_exc()
        return 1
    return 0


def _code_of(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _run_command(spec: ChildSpec) -> None:
    """Run a Python script or module in this process, everything else in its place."""
    script = python_script(spec.argv)
    if script is None or hidden_modules(_script_folder(script, spec.cwd)):
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        os.execvpe(spec.argv[0], spec.argv, os.environ)  # noqa: S606 - a job is its command
    sys.argv = list(script)
    if script[0] == "-m":
        _run_module(script, spec.cwd)
    else:
        _run_script(script[0])


def _script_folder(script: list[str], cwd: str) -> str:
    return cwd if script[0] == "-m" else os.path.dirname(os.path.join(cwd, script[0]))


def python_script(argv: list[str]) -> list[str] | None:
    """`[script, *arguments]` or `["-m", module, *arguments]` when argv starts plain Python."""
    name = os.path.basename(argv[0])
    if not name.startswith("python") or len(argv) < 2:
        return None
    rest = argv[2:] if argv[1] == "-u" else argv[1:]
    if not rest or (rest[0].startswith("-") and (rest[0] != "-m" or len(rest) < 2)):
        return None
    return rest


def hidden_modules(folder: str) -> set[str]:
    """Modules in the script's folder that bear the name of one already loaded here.

    A fresh interpreter would import the folder's own; this process would not.
    """
    loaded = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    try:
        return {entry.split(".")[0] for entry in os.listdir(folder) if _is_module(entry)} & loaded
    except OSError:
        return set()


def _is_module(entry: str) -> bool:
    return entry.endswith(".py") or "." not in entry


def _run_module(script: list[str], cwd: str) -> None:
    sys.path.insert(0, cwd)
    sys.argv = script[1:]
    runpy.run_module(script[1], run_name="__main__", alter_sys=True)


def _run_script(path: str) -> None:
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    if not os.path.exists(path):
        raise SystemExit(f"can't open file {path!r}: no such file")
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    source = importlib.machinery.SourceFileLoader("__main__", path).get_data(path)
    exec(compile(_rewriting(source), path, "exec"), main.__dict__)  # noqa: S102 - a job is its script


_rewritten_root: list[str] = []


def container_path(path: str) -> str:
    """Where a path below /opt/ml is for this process."""
    for root in _rewritten_root:
        path = container.rewrite_text(path, root)
    return path


def _rewriting(source: bytes) -> bytes:
    for root in _rewritten_root:
        source = source.replace(container.OPT_ML.encode(), root.encode())
    return source


class _RewritingLoader(importlib.machinery.SourceFileLoader):
    """Loads a job's own modules with /opt/ml rewritten."""

    def get_data(self, path: str) -> bytes:
        """The file's bytes, rewritten."""
        return _rewriting(super().get_data(path))


def _rewrite_imports(root: str) -> None:
    _rewritten_root.append(root)
    finder = importlib.machinery.FileFinder.path_hook((_RewritingLoader, [".py"]))

    def only_the_jobs_own(path: str) -> Any:
        if not Path(path).resolve().is_relative_to(Path(root).resolve()):
            raise ImportError(path)
        return finder(path)

    sys.path_hooks.insert(0, only_the_jobs_own)


def _end(exit_code: int) -> NoReturn:
    """Leave as an interpreter does: threads joined, exit functions run, output flushed."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(exit_code)
