"""What packages code, for which account, and which packages the delivery pipeline takes."""

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from delivery import bundle, package, settings
from delivery.package import PackageError
from localaws.deployer import template as templates
from tests.contracts.repository import ROOT

KEY = "arn:aws:kms:us-east-1:567890123456:alias/signalbox-delivery"
# As sam package 1.170.0 wrote it on 2026-11-21, but for digests and other properties.
BY_SAM = """\
Globals:
  Function:
    CodeUri: functions/
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: s3://artifacts/packages/1/05168a5b
      RetentionPolicy: Retain
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://artifacts/packages/1/fe394411
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri:
        Bucket: artifacts
        Key: packages/1/e86ea5d6
      Name: machine
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which nothing was built."""
    monkeypatch.chdir(tmp_path)


def test_the_laptop_s_packager_takes_the_template_as_it_is() -> None:
    command = package.command("bucket", "packages/1", "us-east-1", "laptop", key=KEY)

    assert command[1:] == [
        *("-m", "localaws.package", "--template-file", "template.yaml"),
        *("--s3-bucket", "bucket", "--s3-prefix", "packages/1", "--kms-key-id", KEY),
        *("--output-template-file", ".aws-sam/packaged.yaml"),
    ]


def test_sam_takes_what_was_built() -> None:
    for file in (package.BUILT, package.SAM):
        file.parent.mkdir(parents=True)
        file.touch()

    command = package.command("bucket", "packages/1", "eu-west-1", "", key=KEY)

    assert command[:5] == [
        ".tools/sam/bin/sam",
        "package",
        "--no-progressbar",
        "--region",
        "eu-west-1",
    ]
    assert command[5:7] == ["--template-file", ".aws-sam/build/template.yaml"]
    assert command[command.index("--kms-key-id") + 1] == KEY


def test_what_is_deployed_names_each_object_by_its_version() -> None:
    versions = {"packages/1/05168a5b": "null-not", "packages/1/fe394411": "3/L4kqtJl+p"}
    versions["packages/1/e86ea5d6"] = "0012"

    text = package.pinned(BY_SAM, lambda bucket, key: versions[key] if bucket else "")

    template = yaml.safe_load(text)
    properties = {n: r["Properties"] for n, r in template["Resources"].items()}
    code = {"Bucket": "artifacts", "Key": "packages/1/fe394411", "Version": "3/L4kqtJl+p"}
    layer = {"Bucket": "artifacts", "Key": "packages/1/05168a5b", "Version": "null-not"}
    machine = {"Bucket": "artifacts", "Key": "packages/1/e86ea5d6", "Version": "0012"}
    assert properties["Greeter"] == {"CodeUri": code}
    assert properties["Layer"] == {"ContentUri": layer, "RetentionPolicy": "Retain"}
    assert properties["Machine"] == {"DefinitionUri": machine, "Name": "machine"}
    assert template["Globals"] == {"Function": {"CodeUri": "functions/"}}


WITH_SETTINGS = (
    "Globals:\n  Function:\n    Environment:\n      Variables:\n        SETTINGS_DIGEST: none\n"
)


def digest_of(**parameters: str) -> str:
    written = yaml.safe_load(package.with_settings(WITH_SETTINGS, parameters))
    digest: str = written["Globals"]["Function"]["Environment"]["Variables"]["SETTINGS_DIGEST"]
    return digest


def test_a_parameter_with_another_value_makes_another_package() -> None:
    """Else SAM makes no version of a function, and its alias keeps the settings before."""
    given = {"TwoPersonRule": "true", "LogRetentionDays": "90"}

    assert digest_of(**given) == digest_of(**dict(reversed(given.items())))
    assert digest_of(**given) != digest_of(**given | {"TwoPersonRule": "false"})
    for name in ("Commit", "FunctionRollout"):  # no function hears of them
        assert digest_of(**given) == digest_of(**given, **{name: "other"})


def test_other_words_for_the_same_function_make_another_package() -> None:
    """Else its version has another name, Lambda publishes nothing new, and the update fails."""
    greeter = "Resources:\n  Greeter:\n    Type: AWS::Serverless::Function\n    Description: {}\n"
    queue = "  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {{DelaySeconds: {}}}\n"
    before, after, beside = (
        package.with_settings(WITH_SETTINGS + greeter.format(text) + queue.format(delay), {})
        for text, delay in (("a", 1), ("!Sub a", 1), ("a", 2))
    )

    digests = [text.partition("SETTINGS_DIGEST: ")[2][:17] for text in (before, after, beside)]
    assert digests[0] == digests[2] != digests[1]
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert len(package.function_parts(text)) == 1 + 14 + 3


def test_a_template_that_keeps_no_digest_is_not_packaged() -> None:
    with pytest.raises(PackageError, match="has 0 lines `SETTINGS_DIGEST: none`"):
        package.with_settings(BY_SAM, {})
    assert package.with_settings((ROOT / "template.yaml").read_text(encoding="utf-8"), {})


def test_the_key_of_packages_is_named_as_the_account_set_up_names_it() -> None:
    found = settings.load()
    document = templates.read(ROOT / "delivery" / "account.yaml")
    alias = document["Resources"]["StoreKeyAlias"]["Properties"]["AliasName"]

    assert alias["Fn::If"][2] == {"Fn::Sub": "alias/${AppName}-delivery"}
    assert found.artifact_key_alias_in("us-east-1") == KEY


def test_sam_knows_every_option_that_it_is_given() -> None:
    sam = ROOT / package.SAM
    if not sam.exists():
        pytest.skip("aws-sam-cli is not installed; `make build` does it")
    for file in (package.BUILT, package.SAM):
        file.parent.mkdir(parents=True)
        file.touch()
    given = package.command("bucket", "packages/1", "eu-west-1", "sam", key=KEY)

    told = subprocess.run(
        [sam, "package", "--help"],
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert [word for word in given if word.startswith("--") and word not in told] == []


@pytest.mark.parametrize(
    ("packager", "said"),
    [
        ("sam", r"build/template.yaml does not exist: `make build` makes it"),
        ("", r"On the laptop's AWS set SIGNALBOX_PACKAGER=laptop"),
        ("docker", r"SIGNALBOX_PACKAGER is 'docker'; it is \"sam\""),
    ],
)
def test_what_cannot_package_says_what_to_do(packager: str, said: str) -> None:
    with pytest.raises(PackageError, match=said):
        package.command("bucket", "packages/1", "us-east-1", packager, key=KEY)


def test_an_environment_is_packaged_for_its_own_regions_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = package.main(["prod", "--region", "eu-west-1"])

    assert code == 1
    assert capsys.readouterr().err == "package: prod is not in eu-west-1, only in us-east-1\n"


def test_a_bundle_has_a_folder_for_each_region_of_staging_and_prod() -> None:
    """The names are those that delivery/pipeline.yaml takes its templates from."""
    found = settings.load()
    prod = dataclasses.replace(found.environments["prod"], regions=("us-east-1", "eu-west-1"))
    wide = dataclasses.replace(found, environments={**found.environments, "prod": prod})

    assert [(e, r, str(f)) for e, r, f in bundle.places(wide)] == [
        ("staging", "us-east-1", ".aws-sam/delivery/staging"),
        ("prod", "us-east-1", ".aws-sam/delivery/prod"),
        ("prod", "eu-west-1", ".aws-sam/delivery/prod-eu-west-1"),
    ]
    pipeline = (Path(bundle.__file__).parent / "pipeline.yaml").read_text(encoding="utf-8")
    for template in ("staging/", "prod/", "prod-${ProdSecondRegion}/"):
        assert f"Packages::{template}packaged.yaml" in pipeline
        assert f"Packages::{template}template-configuration.json" in pipeline
