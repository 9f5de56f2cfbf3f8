"""delivery/project.yaml and product.yaml: what CreateProject is asked, what a push does."""

import io
import json
import os
import re
import subprocess
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from moto import mock_aws

from delivery import projects, settings
from delivery.toml_reading import SettingsError
from localaws.deployer import template as templates
from localaws.deployer.resources.catalogue import CATALOGUE
from signalbox.naming import WORKLOAD_NAME_PATTERN
from tests.contracts import repository

ROOT = repository.ROOT
PROJECT = templates.read(ROOT / "delivery" / "project.yaml")
PRODUCT = templates.read(ROOT / "delivery" / "product.yaml")
DEV = settings.load().environments["dev"]
ROLE = "arn:aws:iam::123456789012:role/signalbox-dev-project-launch-us-east-1"
WORKLOAD = ROOT / "workloads" / "diabetes"
COMMIT = "9c1e0f7a" * 5


def test_the_request_is_one_that_create_project_takes() -> None:
    model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    shape = model.operation_model("CreateProject").input_shape

    report = ParamValidator().validate(projects.request(DEV, "churn", ROLE), shape)

    assert report.generate_report() == ""


def test_it_gives_every_parameter_that_sagemaker_does_not() -> None:
    (provider,) = projects.request(DEV, "churn", ROLE)["TemplateProviders"]
    given = {p["Key"] for p in provider["CfnTemplateProvider"]["Parameters"]}
    declared = PROJECT["Parameters"]

    needed = {name for name, parameter in declared.items() if "Default" not in parameter}

    assert needed - given == {"SageMakerProjectName", "SageMakerProjectId"}
    assert given <= set(declared)


def test_templates_and_seeds_are_uploaded_where_the_template_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    bucket = "signalbox-dev-source-123456789012-us-east-1"
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=bucket)

        told = projects.publish(DEV, WORKLOAD, s3)

        stored = {o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]}
        tags = s3.get_object_tagging(Bucket=bucket, Key="projects/project.yaml")["TagSet"]
    assert stored == {"projects/build.zip", "projects/deploy.zip", "projects/project.yaml"}
    assert (
        told["TemplateUrl"] == f"https://{bucket}.s3.us-east-1.amazonaws.com/projects/project.yaml"
    )
    assert {"Key": "sagemaker:studio-visibility", "Value": "true"} in tags
    for kind in ("Build", "Deploy"):
        code = PROJECT["Resources"][f"{kind}Repository"]["Properties"]["Code"]["S3"]
        assert code["Key"] == {"Fn::Sub": f"${{SeedPrefix}}/{kind.lower()}.zip"}


def test_equal_folders_are_equal_seeds() -> None:
    first, second = projects.seeds(WORKLOAD), projects.seeds(WORKLOAD)

    assert projects.version(first) == projects.version(second)
    with zipfile.ZipFile(io.BytesIO(first["build.zip"])) as packed:
        assert {"manifest.json", "train.py", "inference.py"} <= set(packed.namelist())


def test_a_folder_without_a_manifest_is_no_seed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no manifest\.json"):
        projects.seeds(tmp_path)


# ------------------------------------------------------------------------------------ what is made


def test_a_project_makes_no_role_and_no_policy() -> None:
    types = {resource["Type"] for resource in PROJECT["Resources"].values()}
    launch = PRODUCT["Resources"]["LaunchRole"]["Properties"]["Policies"]

    assert not [name for name in types if name.startswith("AWS::IAM::")]
    held = {
        a for p in launch for s in p["PolicyDocument"]["Statement"] for a in _listed(s["Action"])
    }
    assert {action for action in held if action.startswith("iam:")} == {"iam:PassRole"}


def test_the_boundary_of_the_environment_does_not_fit_the_roles_of_projects() -> None:
    """As docs/delivery.md and the parameter's description say: each role would be refused."""
    account = templates.read(ROOT / "delivery" / "account.yaml")
    boundary = repository.resources("AWS::IAM::ManagedPolicy", account)["Boundary"]
    bounded = {
        action
        for statement in repository.statements_of(boundary["PolicyDocument"], "Boundary")
        for action in statement.actions
    }

    left_out: dict[str, set[str]] = {}
    for statement in repository.role_statements(PRODUCT):
        left_out.setdefault(statement.owner, set()).update(set(statement.actions) - bounded)

    assert all(left_out.values()), left_out
    assert {"codecommit:GitPull", "codebuild:StartBuild", "kms:CreateKey"} <= set().union(
        *left_out.values()
    )


def test_all_that_can_be_tagged_says_of_which_project_it_is() -> None:
    tagged = (
        "AWS::KMS::Key",
        "AWS::CodeCommit::Repository",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::SQS::Queue",
    )
    for name, resource in PROJECT["Resources"].items():
        if resource["Type"] in tagged:
            keys = {tag["Key"] for tag in resource["Properties"]["Tags"]}
            assert keys == {"sagemaker:project-name", "sagemaker:project-id"}, name


@pytest.mark.parametrize("kind", ["release", "approve", "events"])
def test_the_roles_of_builds_are_those_of_the_product(kind: str) -> None:
    name = f"${{AppName}}-${{EnvironmentName}}-project-{kind}-${{AWS::Region}}"
    role = PRODUCT["Resources"][f"{kind.capitalize()}Role"]["Properties"]

    assert role["RoleName"] == {"Fn::Sub": name}
    assert f"role/{name}" in json.dumps(PROJECT["Resources"])


def test_a_push_that_cannot_be_delivered_is_kept() -> None:
    policy = PROJECT["Resources"]["UndeliveredPushesPolicy"]["Properties"]["PolicyDocument"]
    rules = {n: r for n, r in PROJECT["Resources"].items() if r["Type"] == "AWS::Events::Rule"}

    (statement,) = policy["Statement"]
    heard = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert sorted(one["Fn::GetAtt"][0] for one in heard) == sorted(rules)
    for rule in rules.values():
        (target,) = rule["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["UndeliveredPushes", "Arn"]}}


def test_what_people_have_worked_on_outlives_the_project() -> None:
    kept = ("BuildRepository", "DeployRepository", "ModelGroup")

    assert {PROJECT["Resources"][name]["DeletionPolicy"] for name in kept} == {"Retain"}


def test_the_names_of_projects_are_names_of_workloads() -> None:
    pattern = PROJECT["Parameters"]["SageMakerProjectName"]["AllowedPattern"]

    assert pattern == WORKLOAD_NAME_PATTERN


# --------------------------------------------------------------------------------- what a push does


def build(kind: str, folder: Path, **variables: str) -> tuple[int, list[list[str]]]:
    """Run the commands of a build as CodeBuild does; the exit status and the calls of aws."""
    calls, tools = folder.parent / "calls.jsonl", folder.parent / "bin"
    calls.touch()
    tools.mkdir()
    aws = tools / "aws"
    aws.write_text(
        "#!/bin/sh\n"
        'python3 -I -c "import json, sys; print(json.dumps(sys.argv[1:]))" "$@" >> "$CALLS"\n'
        'if [ "$1" = s3api ]; then echo v1; fi\n'
    )
    aws.chmod(0o755)
    source = PROJECT["Resources"][f"{kind}Project"]["Properties"]["Source"]["BuildSpec"]
    commands = yaml.safe_load(source)["phases"]["build"]["commands"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(commands)],
        cwd=folder,
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT,
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in calls.read_text().splitlines()]


def checked_out(tmp_path: Path, files: dict[str, str]) -> Path:
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_a_push_of_the_workload_releases_exactly_it(tmp_path: Path) -> None:
    files = {"manifest.json": '{"name": "diabetes"}', "json.py": "raise SystemExit(3)"}
    out = tmp_path / "workload.zip"

    status, calls = build(
        "Release",
        checked_out(tmp_path, files),
        PROJECT="churn",
        SOURCE_BUCKET="source",
        PIPELINE="signalbox-dev-workflow",
        OUT=str(out),
    )

    assert status == 0
    assert [call[:2] for call in calls] == [
        ["s3api", "put-object"],
        ["codepipeline", "start-pipeline-execution"],
    ]
    assert "actionName=Source,revisionType=S3_OBJECT_VERSION_ID,revisionValue=v1" in calls[1]
    assert f"churn-{COMMIT}" in calls[1]
    with zipfile.ZipFile(out) as packed:
        assert set(packed.namelist()) == {"manifest.json", "json.py"}
        assert json.loads(packed.read("manifest.json"))["name"] == "churn"


@pytest.mark.parametrize(
    ("document", "approved"),
    [
        ('{"version": 3, "reason": "better on\\nthe new $(id) rows"}', True),
        ('{"version": 0, "reason": "nothing yet"}', False),
    ],
)
def test_a_push_of_an_approval_approves_exactly_that_version(
    tmp_path: Path, document: str, approved: bool
) -> None:
    folder = checked_out(tmp_path, {"approved.json": document})

    status, calls = build("Approve", folder, GROUP="arn:aws:sagemaker:r:1:model-package/g")

    said = ["sagemaker", "update-model-package", "--model-package-arn"]
    arn, reason = "arn:aws:sagemaker:r:1:model-package/g/3", "better on the new $(id) rows"
    expected = [
        *said,
        arn,
        *("--model-approval-status", "Approved"),
        *("--approval-description", f"{reason} (commit {COMMIT})"),
    ]
    assert (status, calls) == (0, [expected] if approved else [])


def test_an_approval_that_cannot_be_read_fails_the_build(tmp_path: Path) -> None:
    folder = checked_out(tmp_path, {"approved.json": '{"version": "latest", "reason": ""}'})

    status, calls = build("Approve", folder, GROUP="g")

    assert (status != 0, calls) == (True, [])


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("name", ["project", "product", "network"])
def test_what_the_laptop_does_not_deploy_is_refused_by_name_and_listed(name: str) -> None:
    file = f"delivery/{name}.yaml"
    document = templates.read(ROOT / file)
    missing = {r["Type"] for r in document["Resources"].values()} - set(CATALOGUE)
    table = (
        (ROOT / "docs" / "parity.md").read_text().partition("that the laptop does not deploy")[2]
    )
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{file}`")]

    listed = re.findall(r"`(AWS::[\w:*]+)`", row)

    assert missing
    assert {t for t in missing if not any(fnmatch(t, pattern) for pattern in listed)} == set()
