"""What is around the resources: the stack, its wiring, images, quotas, other environments."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor import simulation
from signalbox_cli.doctor.findings import REDEPLOY, Finding, NothingToLookAt, error_code
from signalbox_cli.doctor.patients import Patient, Resource
from signalbox_cli.planning import plan

_SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
_USAGE = {
    "preprocess": "processing job",
    "evaluate": "processing job",
    "train": "training job",
    "transform": "transform job",
}


def stacks(patient: Patient) -> Iterator[Finding]:
    """CloudFormation is done with each stack, and its last change was not taken back."""
    for stack in patient.stacks:
        if stack.status not in _SETTLED:
            reason = f": {stack.reason}" if stack.reason else ""
            yield Finding(
                stack.name,
                f"the stack is {stack.status}{reason}",
                f"aws cloudformation describe-stack-events --stack-name {stack.name} says what "
                "failed first",
            )


def wiring(patient: Patient) -> Iterator[Finding]:
    """The parameters by which commands and CI find everything hold what the stack made."""
    wanted = {one.text("Name"): one for one in patient.of_type("AWS::SSM::Parameter")}
    client, found, names = patient.client("ssm"), {}, list(wanted)
    for start in range(0, len(names), 10):  # GetParameters takes at most ten names
        for one in client.get_parameters(Names=names[start : start + 10])["Parameters"]:
            found[one["Name"]] = one["Value"]
    for name, parameter in wanted.items():
        value = parameter.properties.get("Value")
        if name not in found:
            yield Finding(name, "the parameter does not exist", REDEPLOY)
        elif not is_pending(value) and found[name] != str(value):
            yield Finding(name, f"the parameter is {found[name]!r}, not {value!r}", REDEPLOY)


def image(patient: Patient) -> Iterator[Finding]:
    """The built-in image is in a registry of this region and can be pulled."""
    uris = sorted(
        {
            one.text("Value")
            for one in patient.of_type("AWS::SSM::Parameter")
            if one.text("Name").endswith("/image-uri")
        }
    )
    if not uris:
        raise NothingToLookAt("no stack here names an image")
    region = patient.client("ecr").meta.region_name
    for uri in uris:
        yield from _image(patient, uri, region)


def _image(patient: Patient, uri: str, region: str) -> Iterator[Finding]:
    host, _, path = uri.partition("/")
    repository, _, tag = path.rpartition(":")
    if f".{region}." not in host:
        yield Finding(uri, f"the image is of another region than {region}", REDEPLOY)
        return
    remedy = "choose a tag that exists with the parameter SklearnImageTag, and deploy again"
    try:
        answer = patient.client("ecr").batch_get_image(
            registryId=host.partition(".")[0],
            repositoryName=repository,
            imageIds=[{"imageTag": tag}],
        )
    except ClientError as fault:
        if error_code(fault) != "RepositoryNotFoundException":
            raise
        yield Finding(uri, "the registry of this region has no such repository", remedy)
        return
    if not answer["images"]:
        reasons = [one.get("failureReason", "") for one in answer["failures"]]
        yield Finding(uri, f"the image is not there: {', '.join(reasons)}", remedy)


def quotas(patient: Patient) -> Iterator[Finding]:
    """The account may use at once the instances that one run of each workload asks for."""
    wanted = dict(patient.quotas)
    for folder in patient.workloads:
        for name, count in _needed(patient, folder).items():
            wanted[name] = max(wanted.get(name, 0.0), count)
    if not wanted:
        raise NothingToLookAt("no workload is named: give --workload FOLDER")
    found = _applied_quotas(patient)
    for name, count in sorted(wanted.items()):
        value, code = found.get(name, (0.0, ""))
        if value < count:
            ask = (
                "aws service-quotas request-service-quota-increase --service-code sagemaker "
                f"--quota-code {code} --desired-value {count:g}"
            )
            remedy = ask if code else "choose an instance type that SageMaker has in this region"
            yield Finding(name, f"the quota is {value:g}, and {count:g} are needed", remedy)


def _needed(patient: Patient, folder: Any) -> dict[str, float]:
    """Instances of one run of a workload, by the name of their quota."""
    target = patient.target
    planned = plan(folder, {}, prefix=target.prefix, environment=target.environment)
    needed: dict[str, float] = {}
    for job in planned.jobs:
        name = f"{job.instance} for {_USAGE[job.step]} usage"
        needed[name] = max(needed.get(name, 0.0), float(job.count))
    hosting = planned.hosting
    if hosting is not None and hosting.instance:
        needed[f"{hosting.instance} for endpoint usage"] = float(hosting.count_in_update)
    return needed


def _applied_quotas(patient: Patient) -> Mapping[str, tuple[float, str]]:
    pages = patient.client("service-quotas").get_paginator("list_service_quotas")
    return {
        one["QuotaName"]: (float(one["Value"]), one["QuotaCode"])
        for page in pages.paginate(ServiceCode="sagemaker")
        for one in page["Quotas"]
    }


def promotion(patient: Patient) -> Iterator[Finding]:
    """Promotion may enter each environment of its path, and these may read what is promoted."""
    path = json.loads(patient.parameter("PromotionPath") or "[]")
    if not path:
        raise NothingToLookAt("nothing is promoted from here")
    readers = [one.strip() for one in patient.parameter("PromotionTargetAccounts").split(",")]
    role = _promoting_role(patient)
    for step in path:
        if step["account"] not in readers:
            yield Finding(
                step["environment"],
                f"account {step['account']} is on the promotion path but may not read what is "
                "promoted",
                "add it to the parameter PromotionTargetAccounts and deploy again",
            )
        if role is not None:
            yield from _entry(patient, role, step)


def _promoting_role(patient: Patient) -> Resource | None:
    """The role whose own policies let it assume others."""
    for role in patient.of_type("AWS::IAM::Role"):
        if "sts:AssumeRole" in json.dumps(role.properties.get("Policies", []), default=str):
            return role
    return None


def _entry(patient: Patient, role: Resource, step: Mapping[str, str]) -> Iterator[Finding]:
    account = patient.client("sts").get_caller_identity()["Account"]
    asked = simulation.Question(
        role_arn=f"arn:aws:iam::{account}:role/{role.name}",
        sid="EnterTheTargets",
        actions=("sts:AssumeRole",),
        resources=(step["deployRoleArn"],),
        context=(
            {
                "ContextKeyName": "aws:ResourceAccount",
                "ContextKeyType": "string",
                "ContextKeyValues": [step["deployRoleArn"].split(":")[4]],
            },
        ),
    )
    if simulation.denials(patient, [asked]):
        yield Finding(
            step["environment"],
            f"{role.name} may not assume {step['deployRoleArn']}",
            "correct deployRoleArn in the parameter PromotionPath, or PromotionTargetAccounts",
        )
