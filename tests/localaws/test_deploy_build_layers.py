"""Layers are built once per content, without tests, ready to be imported without compiling."""

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localaws import build_layers
from localaws.build_layers import BuildFailed, LayerSource, build, install


def source(folder: Path, *, wrapped: bool = True) -> LayerSource:
    for name, text in {
        "own/__init__.py": "A = 1\n",
        "own/tests/test_own.py": "",
        "own/__pycache__/old.pyc": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return LayerSource(folder, wrapped)


def test_a_layer_holds_the_code_without_tests_and_with_compiled_files(tmp_path: Path) -> None:
    built = build(source(tmp_path / "layer"), tmp_path / "build")

    files = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    tag = sys.implementation.cache_tag
    assert files == {"python/own/__init__.py", f"python/own/__pycache__/__init__.{tag}.pyc"}


def test_compiled_files_are_never_checked_against_their_sources(tmp_path: Path) -> None:
    built = build(source(tmp_path / "layer"), tmp_path / "build")
    compiled = next(built.rglob("*.pyc"))

    # PEP 552: bit 0 = hash based, bit 1 = check the source; 1 is "unchecked hash".
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 1


def test_the_same_content_is_built_once_and_changed_content_again(tmp_path: Path) -> None:
    layer = source(tmp_path / "layer")
    first = build(layer, tmp_path / "build")
    marker = first / "marker"
    marker.touch()

    assert build(layer, tmp_path / "build") == first
    assert marker.exists()
    (tmp_path / "layer" / "own" / "__init__.py").write_text("A = 2\n")
    assert build(layer, tmp_path / "build") != first


def test_a_layer_without_a_python_build_method_keeps_its_shape(tmp_path: Path) -> None:
    built = build(source(tmp_path / "layer", wrapped=False), tmp_path / "build")

    assert (built / "own" / "__init__.py").exists()
    assert not build_layers.is_wrapped("makefile")
    assert not build_layers.is_wrapped(None)
    assert build_layers.is_wrapped("python3.13")


def test_locked_requirements_come_from_the_running_environment_when_it_has_them(
    tmp_path: Path,
) -> None:
    version = importlib.metadata.version("six")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"six=={version} \\\n    --hash=sha256:0\n")

    install(requirements, tmp_path / "target")

    assert (tmp_path / "target" / "six.py").exists()
    assert (tmp_path / "target" / f"six-{version}.dist-info" / "METADATA").exists()


def test_what_the_environment_has_in_another_version_is_left_to_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("six==0.0.1 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(BuildFailed, match=r"requirements\.txt failed"):
        install(requirements, tmp_path / "target")


def test_the_command_builds_every_layer_of_a_template(tmp_path: Path) -> None:
    source(tmp_path / "layer")
    (tmp_path / "template.yaml").write_text(
        "Resources:\n"
        "  Shared:\n"
        "    Type: AWS::Serverless::LayerVersion\n"
        "    Metadata: {BuildMethod: python3.13}\n"
        "    Properties: {ContentUri: layer}\n"
    )
    command = [sys.executable, "-m", "localaws.build_layers"]
    options = ["--template", str(tmp_path / "template.yaml"), "--build-dir", str(tmp_path / "b")]

    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)

    logical_id, folder = done.stdout.split()
    assert logical_id == "Shared"
    assert (Path(folder) / "python" / "own" / "__init__.py").exists()
