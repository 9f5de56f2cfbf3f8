"""The doctor reads templates where there is no AWS: each fault in one is found, and only it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from localaws.deployer import template
from signalbox_cli.doctor.findings import examine
from signalbox_cli.doctor.offline import CHECKS, read_folder
from tests.cli.conftest import ROOT, Answer
from tests.contracts.repository import SETTINGS

Run = Callable[..., Answer]
SOUND = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Size: {Type: Number}
  Part: {Type: String, AllowedValues: [operations, data]}
Resources:
  Key:
    Type: AWS::KMS::Key
    Properties: {KeyPolicy: {Statement: []}}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption: {ServerSideEncryptionConfiguration: []}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true}
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 30, KmsKeyId: !GetAtt Key.Arn}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: []}
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - {Sid: Read, Effect: Allow, Action: s3:GetObject, Resource: !GetAtt Bucket.Arn}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Role: !GetAtt Role.Arn
      LoggingConfig: {LogGroup: !Ref Group}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Targets: [{Id: f, Arn: !GetAtt Function.Arn, DeadLetterConfig: {Arn: "arn:aws:sqs:r:1:q"}}]
"""


def found_in(folder: Path, text: str) -> dict[str, list[str]]:
    (folder / "template.yaml").write_text(text)
    results = examine(CHECKS, read_folder(folder))
    return {r.check: [f.what for f in r.findings] for r in results if r.findings}


def test_a_sound_template_is_well(tmp_path: Path) -> None:
    assert found_in(tmp_path, SOUND) == {}


@pytest.mark.parametrize(
    ("before", "after", "check", "said"),
    [
        ("!Ref Group", "!Ref Grupp", "expands", "'Grupp', which is no parameter and no resource"),
        ("Action: s3:GetObject", "Action: s3:*", "wildcards", "statement Read grants s3:*"),
        ("Action: s3:GetObject", "NotAction: s3:GetObject", "wildcards", "all but some actions"),
        ("RetentionInDays: 30, ", "", "log-retention", "its logs are kept for ever"),
        (
            "LoggingConfig: {LogGroup: !Ref Group}",
            "Timeout: 3",
            "log-retention",
            "that Lambda makes",
        ),
        ("BucketEncryption", "Other", "encryption", "what it holds is not encrypted"),
        ("PublicAccessBlockConfiguration", "Other", "encryption", "public access is not blocked"),
        (', DeadLetterConfig: {Arn: "arn:aws:sqs:r:1:q"}', "", "dead-ends", "lost without a word"),
        ("python3.13", "python3.8", "runtimes", "runtime python3.8 is outdated"),
    ],
)
def test_finds_a_fault_of_a_template_and_only_it(
    tmp_path: Path, before: str, after: str, check: str, said: str
) -> None:
    assert SOUND.count(before) == 1

    found = found_in(tmp_path, SOUND.replace(before, after))

    assert list(found) == [check]
    assert said in found[check][0]


def test_a_role_with_too_much_text_is_found_before_iam_refuses_it(tmp_path: Path) -> None:
    long = SOUND.replace("Resource: !GetAtt Bucket.Arn", f"Resource: {'x' * 11_000}")

    found = found_in(tmp_path, long)

    assert list(found) == ["limits"]
    assert "all inline policies together has 11" in found["limits"][0]
    assert "at most 10240 are allowed" in found["limits"][0]


def test_the_project_s_own_templates_are_well(
    signalbox: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    answer = signalbox("doctor", "--offline", "--json")

    assert answer.code == 0, answer.stdout
    results = json.loads(answer.stdout)
    assert {r["check"] for r in results if r["status"] != "ok"} == {"network"}
    assert "no environment puts jobs into subnets" in str(results)
    assert len(results) == len(CHECKS)


def test_without_a_template_it_says_where_to_go(signalbox: Run) -> None:
    answer = signalbox("doctor", "--offline")

    assert answer.code == 1
    assert "holds neither template.yaml nor delivery/*.yaml" in answer.stderr


def test_a_check_that_is_not_there_is_named_with_those_that_are(signalbox: Run) -> None:
    answer = signalbox("doctor", "--offline", "--only", "wildcard")

    assert answer.code == 2
    assert "no check 'wildcard'" in answer.stderr
    assert "wildcards" in answer.stderr


def test_faults_are_told_with_what_to_do_and_the_exit_code_is_1(
    signalbox: Run, tmp_path: Path
) -> None:
    (tmp_path / "template.yaml").write_text(SOUND.replace("RetentionInDays: 30, ", ""))

    answer = signalbox("doctor", "--offline", "--only", "log-retention")

    assert answer.code == 1
    assert "template.yaml Group: its logs are kept for ever" in answer.stdout
    assert "→ give it RetentionInDays" in answer.stdout
    assert answer.stderr.strip().endswith("signalbox: 1 fault")


def test_settings_that_cannot_be_read_are_named_with_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "delivery" / "environments"
    shutil.copytree(SETTINGS, folder)
    text = (folder / "prod.toml").read_text()
    (folder / "prod.toml").write_text(text.replace('account = "345678901234"', 'account = "3456"'))

    found = found_in(tmp_path, SOUND)

    assert list(found) == ["settings"]
    assert "prod.toml: account" in found["settings"][0]


def test_it_says_of_subnets_that_only_the_account_can_tell(
    signalbox: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "delivery" / "environments"
    shutil.copytree(SETTINGS, folder)
    with (folder / "prod.toml").open("a", encoding="utf-8") as file:
        file.write('[network.us-east-1]\nsubnets = ["subnet-1a2b3c4d"]\n')
        file.write('security_groups = ["sg-1a2b3c4d"]\n')
    (tmp_path / "template.yaml").write_text(SOUND)
    monkeypatch.chdir(tmp_path)

    answer = signalbox("doctor", "--offline", "--only", "network")

    assert answer.code == 0
    assert "only an account can tell whether" in answer.stdout
    assert "`signalbox doctor -e prod --only network`" in " ".join(answer.stdout.split())


def test_every_part_of_a_template_is_expanded(tmp_path: Path) -> None:
    """account.yaml makes other resources for each part: a fault in any is found, and told once."""
    shutil.copytree(SETTINGS, tmp_path / "delivery" / "environments")
    document = template.read(ROOT / "delivery" / "account.yaml")
    role = document["Resources"]["DeliveryRole"]["Properties"]
    role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"] = "s3:*"
    (tmp_path / "delivery" / "account.yaml").write_text(json.dumps(document))

    (result,) = [r for r in examine(CHECKS, read_folder(tmp_path)) if r.findings]

    assert result.check == "wildcards"
    assert [finding.subject for finding in result.findings] == [
        "delivery/account.yaml DeliveryRole"
    ]
