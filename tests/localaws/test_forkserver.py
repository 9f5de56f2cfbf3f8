"""Children of the fork server start clean, end with their parent and are told apart from it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localaws.forkserver import server as forkserver
from localaws.forkserver.child_spec import ChildSpec
from localaws.forkserver.server import Child
from localaws.jobs import child as job_child
from tests.localaws.processes import runs
from tests.localaws.sagemaker_world import comes_true

Run = Callable[..., Child]


def spec_for(folder: Path, script: str, *arguments: str, name: str = "script.py") -> ChildSpec:
    """A child that runs the script out of /opt/ml/code."""
    root, scratch = folder / "ml", folder / "opt"
    (root / "code").mkdir(parents=True, exist_ok=True)
    scratch.mkdir(exist_ok=True)
    (root / "code" / name).write_text(textwrap.dedent(script))
    return ChildSpec(
        program="run",
        environment={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "OWN": "1"},
        root=str(root),
        scratch=str(scratch),
        cwd="/opt/ml/code",
        argv=["python3", name, *arguments],
        threads=1,
    )


def output_of(child: Child) -> str:
    """Everything the child printed; it must have ended."""
    pieces = []
    while True:
        try:
            piece = os.read(child.output_fd, 1 << 16)
        except BlockingIOError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run a script to its end."""
    children: list[Child] = []

    def run_script(script: str, *arguments: str) -> Child:
        child = forkserver.spawn(spec_for(tmp_path, script, *arguments))
        children.append(child)
        assert child.wait(120) is not None
        return child

    yield run_script
    for child in children:
        child.close()


def test_a_script_finds_the_stack_imported_already(run: Run) -> None:
    child = run("import sys; print('sklearn.ensemble' in sys.modules, 'moto' in sys.modules)")
    assert output_of(child) == "True False\n"


def test_the_parent_has_one_thread_so_that_a_fork_is_safe(run: Run) -> None:
    run("pass")
    pid = forkserver.process_id()
    assert len(os.listdir(f"/proc/{pid}/task")) == 1


def test_arguments_environment_folder_and_main_are_the_scripts_own(run: Run) -> None:
    child = run(
        """
        import json, os, sys
        environment = {k: v for k, v in os.environ.items() if k != "PATH"}
        print(json.dumps([sys.argv, environment, os.getcwd(), __name__, sys.path[0]]))
        """,
        "--a",
    )
    argv, environment, folder, name, path = json.loads(output_of(child))
    assert argv == ["script.py", "--a"]
    assert environment == {"OWN": "1"}
    assert (folder, name, path) == ("/opt/ml/code", "__main__", "/opt/ml/code")


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('words')", 1),
        ("1 / 0", 1),
        ("os._exit(9)", 9),
        ("os.kill(os.getpid(), 11)", -11),
    ],
)
def test_exit_codes_are_those_of_an_interpreter(run: Run, ending: str, code: int) -> None:
    assert run(f"import os, sys\n{ending}").exit_code == code


def test_exit_functions_run_and_output_is_flushed(run: Run) -> None:
    child = run(
        """
        import atexit, sys, threading, time
        atexit.register(lambda: print("exit function"))
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        sys.stdout.write("no newline ")
        """
    )
    assert output_of(child) == "no newline thread\nexit function\n"


def test_no_file_of_the_parent_is_open_in_a_child(run: Run) -> None:
    child = run(
        """
        import os
        print([os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(os.listdir("/proc/self/fd"))
               if os.path.exists(f"/proc/self/fd/{fd}") and int(fd) > 2])
        """
    )
    assert output_of(child) == "[]\n"


def test_opt_ml_is_private_and_the_rest_of_opt_stays(run: Run, tmp_path: Path) -> None:
    before = sorted(os.listdir("/opt"))
    child = run("import os; print(sorted(os.listdir('/opt'))); open('/opt/ml/x', 'w').write('1')")
    assert child.exit_code == 0
    assert output_of(child) == f"{sorted({*before, 'ml'})}\n"
    assert (tmp_path / "ml" / "x").read_text() == "1"
    assert sorted(os.listdir("/opt")) == before
    assert list((tmp_path / "opt").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_classes_of_the_script_can_be_pickled(run: Run) -> None:
    child = run(
        """
        import pickle
        class Scaler:
            factor = 3
        print(pickle.loads(pickle.dumps(Scaler())).factor)
        """
    )
    assert output_of(child) == "3\n"


def test_parallel_work_of_scikit_learn_runs_in_a_child(run: Run) -> None:
    child = run(
        """
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
        x = np.random.default_rng(0).normal(size=(2000, 5))
        y = x.sum(axis=1)
        HistGradientBoostingRegressor(max_iter=5).fit(x, y)
        RandomForestRegressor(n_estimators=4, n_jobs=2).fit(x, y)
        print("done")
        """
    )
    assert output_of(child) == "done\n"


def test_another_interpreter_option_starts_a_fresh_process(tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "import sys; print('numpy' in sys.modules)")
    fresh = ChildSpec(**{**vars(spec), "argv": ["python3", "-O", "script.py"]})
    child = forkserver.spawn(fresh)
    assert child.wait(120) == 0
    assert output_of(child) == "False\n"
    child.close()


def test_giving_a_child_up_kills_its_whole_group(tmp_path: Path) -> None:
    child = forkserver.spawn(
        spec_for(
            tmp_path,
            """
            import subprocess, sys, time
            other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            print(other.pid, flush=True)
            time.sleep(600)
            """,
        )
    )
    seen: list[str] = []
    assert comes_true(lambda: seen.append(output_of(child)) or "\n" in "".join(seen))
    child.poll()
    pids = [str(child.pid), "".join(seen).strip()]
    child.close()
    assert comes_true(lambda: not any(runs(pid) for pid in pids))


def test_no_child_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    """`kill -9` of the process that started the fork server."""
    spec = spec_for(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    program = f"""
import os, sys, time
os.environ["LOCALAWS_PRELOAD"] = "0"
from localaws.forkserver import server as forkserver
from localaws.forkserver.child_spec import ChildSpec
child = forkserver.spawn(ChildSpec.from_json({spec.to_json()!r}))
while True:
    try:
        print(os.read(child.output_fd, 100).decode().strip(), forkserver.process_id(), flush=True)
        time.sleep(600)
    except BlockingIOError:
        time.sleep(0.01)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pids = server.stdout.readline().split()
        assert len(pids) == 2
        assert all(runs(pid) for pid in pids)
        server.send_signal(signal.SIGKILL)
    assert comes_true(lambda: not any(runs(pid) for pid in pids))


def test_a_server_that_was_asked_nothing_ends_in_the_middle_of_its_imports() -> None:
    server = forkserver.ForkServer(preload=True)

    server.stop()

    assert server.process.returncode == -signal.SIGKILL


def test_without_namespaces_literal_paths_are_rewritten(tmp_path: Path) -> None:
    """The way of macOS, taken here by choice."""
    script = """
        import os, helper
        with open("/opt/ml/model/m.txt", "w") as file:
            file.write(helper.PLACE + os.environ["WHERE"])
    """
    spec = spec_for(tmp_path, script)
    (tmp_path / "ml" / "code" / "helper.py").write_text("PLACE = '/opt/ml/helper '")
    (tmp_path / "ml" / "model").mkdir()
    environment = {**spec.environment, "WHERE": "/opt/ml/env"}
    text = ChildSpec(**{**vars(spec), "environment": environment}).to_json().decode()
    program = f"""
from localaws.forkserver import server as forkserver
from localaws.forkserver.child_spec import ChildSpec
child = forkserver.spawn(ChildSpec.from_json({text.encode()!r}))
print(child.wait(120))
"""
    plain = {**os.environ, "LOCALAWS_ROOT": "rewritten", "LOCALAWS_PRELOAD": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=plain, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
    root = tmp_path / "ml"
    assert (root / "model" / "m.txt").read_text() == f"{root}/helper {root}/env"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python3", "a.py", "--x"], ["a.py", "--x"]),
        (["/usr/bin/python3.11", "-u", "a.py"], ["a.py"]),
        (["python3", "-m", "pkg.mod", "1"], ["-m", "pkg.mod", "1"]),
        (["python3", "-c", "print()"], None),
        (["python3", "-O", "a.py"], None),
        (["python3"], None),
        (["bash", "a.sh"], None),
    ],
)
def test_only_plain_python_runs_inside_the_child(
    argv: list[str], expected: list[str] | None
) -> None:
    assert job_child.python_script(argv) == expected


def test_a_fork_server_at_rest_ends_and_comes_back(run: Run) -> None:
    child = run("print('hello')")
    child.wait(120)
    used = forkserver.process_id()
    forkserver.retire_idle()
    assert forkserver.process_id() == used  # the child was not given up yet
    child.close()

    forkserver.retire_idle(longest_idle_s=3600)
    assert forkserver.process_id() == used
    forkserver.retire_idle()
    assert forkserver.process_id() is None

    again = run("print('again')")
    assert again.wait(120) == 0
    assert forkserver.process_id() not in (None, used)
