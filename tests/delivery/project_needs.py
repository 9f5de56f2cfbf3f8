"""What the roles of delivery/product.yaml are asked: by builds, rules, handlers, the catalogue.

The laptop makes neither repositories nor products, so nothing there records these requests. They
are read from what causes them: the commands of the builds in project.yaml, the targets of its
rules, and the handlers of its resource types as the CloudFormation registry's schemas have them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml  # type: ignore[import-untyped]
from botocore.loaders import Loader

from localaws.deployer import template as templates
from localaws.deployer.template import Surroundings
from signalbox_cli.doctor.patients import Resource, worked_out
from tests.contracts import repository
from tests.delivery.test_account import NOT_NEEDED, asked

ACCOUNT, REGION, PREFIX = "123456789012", "us-east-1", "signalbox-dev"
BUCKET = f"{PREFIX}-source-{ACCOUNT}-{REGION}"
OWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
ENVIRONMENTS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/99999999-2222-3333-4444-555555555555"
GIVEN = {
    "SourceBucketName": BUCKET,
    "KmsKeyArn": ENVIRONMENTS_KEY,
    "TemplateUrl": "https://x/y.yaml",
    "TemplateVersion": "1",
    "StudioRoleArn": f"arn:aws:iam::{ACCOUNT}:role/studio",
    "SageMakerProjectName": "churn",
    "SageMakerProjectId": "p-1",
}


@dataclass(frozen=True)
class Need:
    """One request of one role, and where it comes from."""

    role: str
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    why: str = ""


def stack(name: str, **physical: str) -> dict[str, Resource]:
    """The resources of a template with their values."""
    document = templates.read(repository.ROOT / "delivery" / f"{name}.yaml")
    given = {k: v for k, v in GIVEN.items() if k in document["Parameters"]}
    return worked_out(document, given, physical, Surroundings(name, ACCOUNT, REGION))


def arn(service: str, rest: str) -> str:
    """An ARN of the account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


ROLES = {
    f"{kind}Role": f"{PREFIX}-project-{word}-{REGION}"
    for kind, word in (
        ("Release", "release"),
        ("Approve", "approve"),
        ("Events", "events"),
        ("Launch", "launch"),
    )
}
PRODUCT = stack("product", **ROLES)
RULES = [arn("events", f"rule/{PREFIX}-project-churn-{one}") for one in ("release", "approve")]
PROJECT = stack(
    "project",
    Key=OWN_KEY.rpartition("/")[2],
    WorkloadPushedRule=RULES[0],
    ApprovalPushedRule=RULES[1],
    UndeliveredPushes=f"https://sqs/{ACCOUNT}/{PREFIX}-project-churn-undelivered",
)
ASSUMED = {f"arn:aws:iam::{ACCOUNT}:role/{name}": kind for kind, name in ROLES.items()}


def by(service: str, **more: str) -> dict[str, tuple[str, ...]]:
    """The context of a request that a service makes for a role."""
    return {"kms:viaservice": (f"{service}.{REGION}.amazonaws.com",)}


def _action(service: str, command: str) -> str:
    """IAM's name of what the AWS CLI calls: `s3api put-object` is s3:PutObject."""
    service = {"s3api": "s3"}.get(service, service)
    operations = Loader().load_service_model(service, "service-2")["operations"]
    wanted = command.replace("-", "")
    (name,) = (one for one in operations if one.lower() == wanted)
    return f"{service}:{name}"


REACHED = {
    "s3:PutObject": f"arn:aws:s3:::{BUCKET}/workloads/churn.zip",
    "codepipeline:StartPipelineExecution": arn("codepipeline", f"{PREFIX}-workflow"),
    "sagemaker:UpdateModelPackage": arn("sagemaker", f"model-package/{PREFIX}-churn/3"),
}
"""On what each command of a build acts; a command that is not here fails the test."""


def builds() -> Iterator[Need]:
    """CodeBuild's own requests under a project's service role, and those of its commands.

    CodeBuild User Guide, "Allow CodeBuild to interact with other AWS services": a source in
    CodeCommit and logs; the log group is of the template, so none is made.
    """
    for name, repository_name in (("Release", "build"), ("Approve", "deploy")):
        project = PROJECT[f"{name}Project"].properties
        role = ASSUMED[project["ServiceRole"]]
        group = PROJECT[f"{name}LogGroup"].text("LogGroupName")
        own = arn("codecommit", f"{PREFIX}-churn-{repository_name}")
        yield Need(role, "codecommit:GitPull", own, why="its source")
        yield Need(role, "kms:Decrypt", OWN_KEY, by("codecommit"), "its source is encrypted")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield Need(role, action, arn("logs", f"log-group:{group}:log-stream:1"), why="its log")
        commands = "\n".join(
            yaml.safe_load(project["Source"]["BuildSpec"])["phases"]["build"]["commands"]
        )
        for service, command in re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)", commands):
            action = _action(service, command)
            yield Need(role, action, REACHED[action], why=f"aws {service} {command}")
            if action == "s3:PutObject":
                yield Need(role, "kms:GenerateDataKey", ENVIRONMENTS_KEY, by("s3"), "SSE-KMS")


def rules() -> Iterator[Need]:
    """EventBridge's requests under the role of a target."""
    for name in ("WorkloadPushedRule", "ApprovalPushedRule"):
        for target in PROJECT[name].properties["Targets"]:
            project = PROJECT[f"{target['Id'].capitalize()}Project"].text("Name")
            yield Need(
                ASSUMED[target["RoleArn"]],
                "codebuild:StartBuild",
                arn("codebuild", f"project/{project}"),
            )


# What project.yaml never does of what the handlers ask for, beside what template.yaml never does.
NEVER = {
    "AWS::CodeCommit::Repository": {
        "codecommit:UpdateRepositoryName": "another name is another one"
    },
    "AWS::KMS::Key": {
        "kms:DisableKey": "Enabled is never set",
        "kms:EnableKey": "Enabled is never set",
        "kms:DisableKeyRotation": "EnableKeyRotation is always true",
    },
    "AWS::SageMaker::ModelPackageGroup": {
        "sagemaker:DeleteModelPackageGroupPolicy": "ModelPackageGroupPolicy is never set",
        "sagemaker:PutModelPackageGroupPolicy": "ModelPackageGroupPolicy is never set",
    },
}
# CodeBuild's type is of before the registry and says nothing. CodeBuild API, "Operations".
OF_BUILD_PROJECTS = frozenset(
    f"codebuild:{verb}"
    for verb in ("BatchGetProjects", "CreateProject", "DeleteProject", "UpdateProject")
)
ANYWHERE = (
    *("codecommit:ListRepositories", "kms:CreateKey", "kms:ListAliases"),
    *("logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
)
"""Actions that are decided on no resource (Service Authorization Reference)."""


def handlers() -> Iterator[Need]:
    """CloudFormation's requests under LaunchRole, from a project's creation to its deletion."""
    for name, resource in PROJECT.items():
        kind = resource.type_name
        actions = OF_BUILD_PROJECTS if kind == "AWS::CodeBuild::Project" else asked(kind)
        for action in sorted(actions - set(NEVER.get(kind, {})) - set(NOT_NEEDED.get(kind, {}))):
            for where, context in _reached(action, resource):
                yield Need("LaunchRole", action, where, context, f"{name} ({kind})")


def _reached(action: str, resource: Resource) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    if action in ANYWHERE:
        yield "*", {}
    elif action == "iam:PassRole":
        for target in resource.properties["Targets"]:
            yield target["RoleArn"], {"iam:passedtoservice": ("events.amazonaws.com",)}
    elif action.startswith("s3:"):
        yield f"arn:aws:s3:::{BUCKET}/{resource.properties['Code']['S3']['Key']}", {}
    else:
        yield _arn_of(resource), {}
        if resource.type_name == "AWS::KMS::Alias":
            yield OWN_KEY, {}  # decided on the alias and on its key


def _arn_of(resource: Resource) -> str:
    text = resource.text
    return {
        "AWS::CodeBuild::Project": lambda: arn("codebuild", f"project/{text('Name')}"),
        "AWS::CodeCommit::Repository": lambda: arn("codecommit", text("RepositoryName")),
        "AWS::Events::Rule": lambda: arn("events", f"rule/{text('Name')}"),
        "AWS::KMS::Alias": lambda: arn("kms", text("AliasName")),
        "AWS::KMS::Key": lambda: OWN_KEY,
        "AWS::Logs::LogGroup": lambda: arn("logs", f"log-group:{text('LogGroupName')}:log-stream:"),
        "AWS::SQS::Queue": lambda: arn("sqs", text("QueueName")),
        "AWS::SQS::QueuePolicy": lambda: arn("sqs", f"{PREFIX}-project-churn-undelivered"),
        "AWS::SageMaker::ModelPackageGroup": lambda: arn(
            "sagemaker", f"model-package-group/{text('ModelPackageGroupName')}"
        ),
    }[resource.type_name]()


def launching() -> Iterator[Need]:
    """What no handler asks for: the catalogue's own calls, roles and keys that are handed on."""
    # Service Catalog Administrator Guide, "Launch constraints": at least these, and the template.
    for verb in (
        *("CreateStack", "DeleteStack", "DescribeStackEvents", "DescribeStacks"),
        *("GetTemplateSummary", "SetStackPolicy", "UpdateStack", "ValidateTemplate"),
    ):
        made = arn("cloudformation", f"stack/SC-{ACCOUNT}-pp-1/1")
        yield Need("LaunchRole", f"cloudformation:{verb}", made, why="Service Catalog")
    template = f"arn:aws:s3:::{BUCKET}/projects/project.yaml"
    yield Need("LaunchRole", "s3:GetObject", template, why="the template")
    yield Need("LaunchRole", "kms:Decrypt", ENVIRONMENTS_KEY, by("s3"), "template and seeds")
    for name in ("ReleaseProject", "ApproveProject"):
        role = PROJECT[name].text("ServiceRole")
        passed = {"iam:passedtoservice": ("codebuild.amazonaws.com",)}
        yield Need("LaunchRole", "iam:PassRole", role, passed, f"ServiceRole of {name}")
    # CodeCommit User Guide, "AWS KMS and encryption for CodeCommit repositories".
    for verb in ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"):
        yield Need("LaunchRole", f"kms:{verb}", OWN_KEY, by("codecommit"), "seeds of a repository")


NEEDS = (*builds(), *rules(), *handlers(), *launching())
