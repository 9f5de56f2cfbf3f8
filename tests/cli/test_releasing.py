"""What a release changes for one run, and what exactly it packs."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from signalbox_cli.errors import CommandError
from signalbox_cli.packaging import pack, workload_name
from signalbox_cli.releasing import parse_settings, run_options


@pytest.mark.parametrize(
    ("setting", "patch"),
    [
        ("inference.mode=endpoint", {"inference": {"mode": "endpoint"}}),
        ("train.maxRuntimeSeconds=300", {"train": {"maxRuntimeSeconds": 300}}),
        ("train.image=null", {"train": {"image": None}}),
        ('train.hyperparameters.name="7"', {"train": {"hyperparameters": {"name": "7"}}}),
        ("data.label=a=b", {"data": {"label": "a=b"}}),
        ("data.label=", {"data": {"label": ""}}),
    ],
)
def test_a_setting_is_a_merge_patch(setting: str, patch: dict[str, object]) -> None:
    assert parse_settings((setting,)) == patch


@pytest.mark.parametrize("setting", ["mode", "=x", "a..b=1", ".a=1"])
def test_a_setting_that_names_nothing_is_refused(setting: str) -> None:
    with pytest.raises(CommandError, match="is not NAME=VALUE"):
        parse_settings((setting,))


def test_a_value_cannot_have_parts() -> None:
    with pytest.raises(CommandError, match=r"--set train gives|train a value"):
        parse_settings(("train=1", "train.script=x.py"))


def test_settings_come_on_top_of_options_key_by_key() -> None:
    """A shallow merge would lose alpha; RFC 7386 applied to a patch would lose the null."""
    options = '{"train": {"hyperparameters": {"alpha": 1, "beta": 2}, "image": null}}'

    merged = run_options(options, ("train.hyperparameters.beta=3", "train.script=null"))

    assert merged == {
        "train": {"hyperparameters": {"alpha": 1, "beta": 3}, "image": None, "script": None}
    }


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_options_are_a_json_object(text: str) -> None:
    with pytest.raises(CommandError, match="--options"):
        run_options(text, ())


def folder_of(path: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path


FILES = {"manifest.json": '{"name": "tea"}', "train.py": "x = 1", "lib/a.py": ""}


def test_equal_folders_give_equal_bytes(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "first", FILES)
    second = folder_of(tmp_path / "second", dict(reversed(FILES.items())))
    os.utime(second / "train.py", (0, 1_000_000_000))

    assert pack(first) == pack(second)


def test_a_changed_file_gives_other_bytes(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "first", FILES)
    second = folder_of(tmp_path / "second", {**FILES, "train.py": "x = 2"})

    assert pack(first) != pack(second)


def test_caches_hidden_files_and_links_stay_out(tmp_path: Path) -> None:
    clutter = {"__pycache__/a.pyc": "", ".git/config": "", "lib/.secret": "", "b.pyc": ""}
    folder = folder_of(tmp_path / "w", {**FILES, **clutter})
    (folder / "link.py").symlink_to(folder / "train.py")

    names = zipfile.ZipFile(io.BytesIO(pack(folder))).namelist()

    assert sorted(names) == sorted(FILES)


def test_a_folder_without_a_manifest_is_no_workload(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"has no manifest\.json"):
        pack(tmp_path)


def test_a_workload_is_called_what_its_manifest_says(tmp_path: Path) -> None:
    assert workload_name(folder_of(tmp_path / "coffee", FILES)) == "tea"
    (tmp_path / "coffee" / "manifest.json").write_text(json.dumps([]))
    assert workload_name(tmp_path / "coffee") == "coffee"
