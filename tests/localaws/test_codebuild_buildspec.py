"""What a buildspec may say, which files an artifact holds, and what is refused of a source."""

import os
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from localaws.codebuild import artifacts, buildspec
from localaws.codebuild.buildspec import BuildspecInvalid, BuildspecUnsupported, OnFailure, Output
from localaws.codebuild.shell import Interrupted, Interruption, Shell
from tests.localaws.sagemaker_world import comes_true

FULL = """
version: 0.2
env:
  shell: bash
  variables: {STAGE: dev, FLAG: yes}
  parameter-store: {KEY: /app/key}
  secrets-manager: {PASSWORD: "db:password"}
  exported-variables: [VERSION]
phases:
  install:
    runtime-versions: {python: 3.13}
  pre_build:
    on-failure: CONTINUE
    commands: [make check]
  build:
    on-failure: ABORT
    commands:
      - make build
      - |
        if true; then
          echo two lines
        fi
    finally:
      - echo done
artifacts:
  files: [packaged.yaml]
  base-directory: .aws-sam
  discard-paths: yes
  exclude-paths: ["**/*.pyc"]
  secondary-artifacts:
    Evidence:
      files: ["**/*"]
      base-directory: evidence
cache:
  paths: [".venv/**/*"]
"""


def test_reads_every_part():
    spec = buildspec.read(FULL)

    assert spec.shell == "bash"
    assert spec.variables == {"STAGE": "dev", "FLAG": "true"}
    assert spec.parameters == {"KEY": "/app/key"}
    assert spec.secrets == {"PASSWORD": "db:password"}
    assert spec.exported == ("VERSION",)
    assert spec.phases["install"].runtimes == {"python": "3.13"}
    assert spec.phases["pre_build"].on_failure is OnFailure.CONTINUE
    assert spec.phases["build"].on_failure is OnFailure.ABORT
    assert spec.phases["build"].commands[1] == "if true; then\n  echo two lines\nfi\n"
    assert spec.phases["build"].afterwards == ("echo done",)
    assert spec.output == Output(("packaged.yaml",), ".aws-sam", ("**/*.pyc",), discard_paths=True)
    assert spec.outputs == {"Evidence": Output(("**/*",), "evidence")}
    assert spec.cache_paths == (".venv/**/*",)


BUILD = "version: 0.2\nphases: {build: {commands: [a]}}\n"
INVALID = [
    ("not YAML", "version: [", "no YAML"),
    ("a list", "- a", "must be a mapping"),
    ("old version", "version: 0.1\nphases: {build: {commands: [a]}}", "write version: 0.2"),
    ("no phases", "version: 0.2", "no phases"),
    ("unknown key", BUILD + "artefacts: {files: [a]}", "/artefacts is not known"),
    ("unknown phase", "version: 0.2\nphases: {test: {commands: [a]}}", "/phases/test"),
    ("unquoted colon", "version: 0.2\nphases: {build: {commands: [{echo a: b}]}}", "quotes"),
    ("no commands", "version: 0.2\nphases: {build: {finally: [a]}}", "no commands"),
    ("rule", "version: 0.2\nphases: {build: {commands: [a], on-failure: STOP}}", "ABORT or"),
    ("own variable", BUILD + "env: {variables: {CODEBUILD_X: 1}}", "CodeBuild's own"),
    ("no files", BUILD + "artifacts: {base-directory: out}", "no files"),
    ("flag", BUILD + "artifacts: {files: [a], discard-paths: maybe}", "yes or no"),
]


@pytest.mark.parametrize(("name", "text", "reason"), INVALID, ids=[case[0] for case in INVALID])
def test_refuses_what_is_no_buildspec(name: str, text: str, reason: str):
    with pytest.raises(BuildspecInvalid, match=reason):
        buildspec.read(text)


UNSUPPORTED = [
    (BUILD + "reports: {all: {files: [a]}}", "/reports"),
    (BUILD + "batch: {fast-fail: true}", "/batch"),
    (BUILD + "run-as: ann", "/run-as"),
    (BUILD + "proxy: {logs: yes}", "/proxy"),
    (BUILD + "env: {shell: powershell.exe}", "/env/shell powershell.exe"),
    (BUILD + "env: {git-credential-helper: yes}", "/env/git-credential-helper"),
    (BUILD + "cache: {key: k, paths: [a]}", "/cache/key"),
    (BUILD + "artifacts: {files: [a], enable-symlinks: yes}", "/artifacts/enable-symlinks"),
    ("version: 0.2\nphases: {build: {commands: [a], run-as: ann}}", "/phases/build/run-as"),
    ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY-2}}", "RETRY-2"),
    ("version: 0.2\nphases: {install: {runtime-versions: {java: 21}}}", "runtime-versions/java"),
]


@pytest.mark.parametrize(("text", "where"), UNSUPPORTED, ids=[case[1] for case in UNSUPPORTED])
def test_names_what_the_laptop_does_not_do(text: str, where: str):
    with pytest.raises(BuildspecUnsupported, match=where):
        buildspec.read(text)


TREE = ["a.txt", "dist/b.txt", "dist/deep/c.txt", "dist/deep/d.pyc", ".hidden/e.txt", "dist-2/f"]
CHOSEN = [
    # CodeBuild user guide, buildspec reference, artifacts/files
    (Output(("**/*",)), TREE),
    (Output(("a.txt",)), ["a.txt"]),
    (Output(("./a.txt",)), ["a.txt"]),
    (Output(("dist/*",)), ["dist/b.txt"]),
    (Output(("dist/**/*",)), ["dist/b.txt", "dist/deep/c.txt", "dist/deep/d.pyc"]),
    (Output(("**/*.txt",), exclude=("dist/**/*",)), ["a.txt", ".hidden/e.txt"]),
    (Output(("**/*",), "dist"), ["b.txt", "deep/c.txt", "deep/d.pyc"]),
    (Output(("*",), "dist-*"), ["f"]),
    (Output(("**/*",), "dist/deep", exclude=("*.pyc",)), ["c.txt"]),
    (Output(("**/c.txt",), discard_paths=True), ["c.txt"]),
]


@pytest.mark.parametrize(("output", "names"), CHOSEN, ids=[str(case[0].files) for case in CHOSEN])
def test_chooses_the_files_of_an_artifact(tmp_path: Path, output: Output, names: list[str]):
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    outside = tmp_path.parent / f"{tmp_path.name}-cache"
    outside.mkdir()
    (outside / "huge.txt").write_text("of a linked cache")
    (tmp_path / ".venv").symlink_to(outside)

    found = artifacts.chosen(tmp_path, output)

    assert sorted(name for _, name in found) == sorted(names)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output(("b.txt",)), "no matching artifact paths found: b.txt"),
        (Output(("*",), "out"), "no matching base directory path found for out"),
    ],
)
def test_an_artifact_of_nothing_is_an_error(tmp_path: Path, output: Output, reason: str):
    (tmp_path / "a.txt").write_text("a")

    with pytest.raises(artifacts.NothingMatched, match=reason):
        artifacts.chosen(tmp_path, output)


def test_unpacks_modes_and_times(tmp_path: Path):
    archive = tmp_path / "source.zip"
    member = zipfile.ZipInfo("bin/run.sh", date_time=(2026, 3, 1, 12, 30, 0))
    member.external_attr = (stat.S_IFREG | 0o755) << 16
    with zipfile.ZipFile(archive, "w") as source:
        source.writestr(member, "#!/bin/sh\n")

    artifacts.unpack(archive, tmp_path / "src")

    found = (tmp_path / "src/bin/run.sh").stat()
    assert stat.S_IMODE(found.st_mode) == 0o755
    assert found.st_mtime == time.mktime((2026, 3, 1, 12, 30, 0, 0, 0, -1))


def zip_with(path: Path, name: str, mode: int = stat.S_IFREG | 0o644) -> Path:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as source:
        source.writestr(member, "/etc/passwd")
    return path


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("../escaped", stat.S_IFREG, "outside its folder"),
        ("/absolute", stat.S_IFREG, "outside its folder"),
        ("link", stat.S_IFLNK, "a link"),
    ],
)
def test_a_source_cannot_leave_its_folder(tmp_path: Path, name: str, mode: int, reason: str):
    archive = zip_with(tmp_path / "source.zip", name, mode | 0o644)

    with pytest.raises(artifacts.ArchiveRefused, match=reason):
        artifacts.unpack(archive, tmp_path / "src")


def test_a_source_that_is_no_zip_is_refused(tmp_path: Path):
    (tmp_path / "source.zip").write_text("text")

    with pytest.raises(artifacts.ArchiveRefused, match="no zip"):
        artifacts.unpack(tmp_path / "source.zip", tmp_path / "src")


class Terminal:
    """A shell in a folder of its own, with what it prints."""

    def __init__(self, program: str, folder: Path, limit_s: float = 60.0) -> None:
        (folder / "src").mkdir()
        self.printed = b""
        self.interruption = Interruption(limit_s, threading.Event())
        environment = {"PATH": os.environ["PATH"]}
        self.shell = Shell(
            program, folder / "src", environment, self.interruption, output=self._take
        )

    def _take(self, piece: bytes) -> None:
        self.printed += piece

    def lines(self) -> list[str]:
        return self.printed.decode().splitlines()


@pytest.mark.parametrize("program", ["sh", "bash"])
def test_commands_share_one_shell(tmp_path: Path, program: str):
    terminal = Terminal(program, tmp_path)
    run = terminal.shell.run

    codes = [
        run("mkdir deep; cd deep; local_only=5; export PASSED='a b'"),
        run('echo "$local_only $PASSED $(basename "$PWD")"'),
        run("false"),
        run("exit 7"),
        run('echo "[$local_only] $PASSED $(basename "$PWD")"'),
        run("if then"),
        run("set -e; false; echo not reached"),
        run("cat"),
        run("kill -9 $$"),
        run("echo still here"),
    ]
    terminal.shell.close()

    assert codes == [0, 0, 1, 7, 0, 2, 1, 0, 137, 0]
    lines = [line for line in terminal.lines() if "yntax" not in line and "`if" not in line]
    assert lines == ["5 a b deep", "[] a b deep", "still here"]


def test_what_is_exported_is_known_in_the_end(tmp_path: Path):
    terminal = Terminal("sh", tmp_path)

    terminal.shell.run('export VERSION="it\'s 1"; hidden=2')
    terminal.shell.export("SET_BY_US", "x'y")
    found = terminal.shell.variables()
    terminal.shell.close()

    assert (found["VERSION"], found["SET_BY_US"]) == ("it's 1", "x'y")
    assert "hidden" not in found


def running(mark: Path) -> bool:
    """Whether the process that wrote its id to `mark` is there and no zombie."""
    try:
        state = Path(f"/proc/{mark.read_text().strip()}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(mark: Path) -> bool:
    return comes_true(lambda: not running(mark))


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@needs_proc
def test_a_stopped_build_leaves_no_process(tmp_path: Path):
    terminal, mark = Terminal("sh", tmp_path), tmp_path / "pid"
    terminal.shell.run(f"sleep 1000 & echo $! > {mark}")
    threading.Timer(0.2, terminal.interruption.stop.set).start()

    with pytest.raises(Interrupted, match="stopped"):
        terminal.shell.run("sleep 1000")
    terminal.shell.close()

    assert wait_until_gone(mark)


def test_a_build_ends_at_its_limit(tmp_path: Path):
    terminal = Terminal("sh", tmp_path, limit_s=0.1)

    with pytest.raises(Interrupted, match="timed out"):
        terminal.shell.run("sleep 1000")
    terminal.shell.close()


_DIES = """
import os, sys, threading
from pathlib import Path
from localaws.codebuild.shell import Interruption, Shell
folder = Path(sys.argv[1])
limits = Interruption(60, threading.Event())
shell = Shell("sh", folder, {"PATH": os.environ["PATH"]}, limits, output=lambda piece: None)
shell.run(f"echo $$ > {folder}/pid")
threading.Timer(0.2, os._exit, (9,)).start()
shell.run("sleep 1000")
"""


@needs_proc
def test_a_build_ends_with_the_server_however_that_ends(tmp_path: Path):
    died = subprocess.run(
        [sys.executable, "-c", _DIES, str(tmp_path)], check=False, cwd=Path(__file__).parents[2]
    )

    assert died.returncode == 9
    assert wait_until_gone(tmp_path / "pid")
