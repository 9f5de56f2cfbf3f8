"""No object is deployed because its name is right: its content is what this build has made."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from delivery import package, package_contents
from delivery.package import PackageError
from tests.delivery.test_package import BY_SAM

# As sam build 1.170.0 wrote what BY_SAM was made of, but for the names of folders.
BUILT = """\
Globals:
  Function:
    CodeUri: functions/
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: Layer
      RetentionPolicy: Retain
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Greeter
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: ../machine.asl.json
      Name: machine
"""
FILES = {"greet.py": b"def handler(event, context): ...\n", "lib/help.py": b"X = 1\n"}
DEFINITION = b'{"StartAt": "Greet"}'
KEYS = {"Layer": "packages/1/05168a5b", "Greeter": "packages/1/fe394411"}
MACHINE = "packages/1/e86ea5d6"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What sam build leaves: a folder for each function and layer, and the template."""
    for folder in KEYS:
        for name, content in FILES.items():
            path = tmp_path / "build" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (tmp_path / "machine.asl.json").write_bytes(DEFINITION)
    template = tmp_path / "build" / "template.yaml"
    template.write_text(BUILT)
    return template


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The artifact bucket, with what sam package has put there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="artifacts")
        enabled = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration=enabled)
        for key in KEYS.values():
            client.put_object(Bucket="artifacts", Key=key, Body=zipped(FILES))
        client.put_object(Bucket="artifacts", Key=MACHINE, Body=DEFINITION)
        yield client


def zipped(files: dict[str, bytes]) -> bytes:
    """As sam zips a folder: samcli/lib/package/utils.py, make_zip_with_permissions (1.170)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100755 << 16
            archive.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_what_this_build_has_made_is_deployed_by_its_version(s3: Any, built: Path) -> None:
    text = package.pinned(BY_SAM, package.compared(s3, BY_SAM, built))

    for key in (*KEYS.values(), MACHINE):
        version = s3.head_object(Bucket="artifacts", Key=key)["VersionId"]
        assert f'Key: "{key}"\n' in text
        assert f'Version: "{version}"' in text


def test_the_pairs_are_found_in_what_sam_writes() -> None:
    assert package_contents.sources(BUILT, BY_SAM) == {
        ("artifacts", KEYS["Layer"]): ("Layer",),
        ("artifacts", KEYS["Greeter"]): ("Greeter",),
        ("artifacts", MACHINE): ("../machine.asl.json",),
    }


def twice(files: dict[str, bytes]) -> bytes:
    """A name that is there twice: which one counts is the reader's choice."""
    return zipped({"grEEt.py": b"evil()\n"} | files).replace(b"grEEt.py", b"greet.py")


def renamed(files: dict[str, bytes]) -> bytes:
    """Another name before the content than in the directory at the end."""
    return zipped(files).replace(b"greet.py", b"evil_.py", 1)


PLANTED: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "changed": (lambda files: zipped(files | {"greet.py": b"evil()\n"}), "greet.py is another"),
    "more": (lambda files: zipped(files | {"boto3.py": b"evil()\n"}), "boto3.py is in it and not"),
    "less": (lambda _: zipped({"greet.py": FILES["greet.py"]}), "lib/help.py is missing"),
    "twice": (twice, "a name is there twice"),
    "renamed": (renamed, "it is no archive of a package"),
    "before": (lambda files: b"#!evil\n" + zipped(files), "lies elsewhere"),
    "after": (lambda files: zipped(files) + b"\0", "it is no archive of a package"),
    "nothing": (lambda _: b"", "it is no archive of a package"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_under_the_digest_is_not_deployed(s3: Any, built: Path, name: str) -> None:
    make, said = PLANTED[name]
    s3.put_object(Bucket="artifacts", Key=KEYS["Greeter"], Body=make(FILES))

    with pytest.raises(PackageError, match="is not what this build has made") as refused:
        package.pinned(BY_SAM, package.compared(s3, BY_SAM, built))

    assert said in str(refused.value)
    assert f"s3://artifacts/{KEYS['Greeter']} (version " in str(refused.value)
    assert "nothing is to be deployed" in str(refused.value)


def test_a_definition_that_was_planted_is_not_deployed(s3: Any, built: Path) -> None:
    s3.put_object(Bucket="artifacts", Key=MACHINE, Body=DEFINITION.replace(b"Greet", b"Steal"))

    with pytest.raises(PackageError, match=r"it is not machine\.asl\.json"):
        package.pinned(BY_SAM, package.compared(s3, BY_SAM, built))


def test_templates_that_do_not_belong_together_are_not_compared(s3: Any, built: Path) -> None:
    built.write_text(BUILT.replace("      CodeUri: Greeter\n", ""))

    with pytest.raises(PackageError, match="3 addresses of code became 4"):
        package.compared(s3, BY_SAM, built)
