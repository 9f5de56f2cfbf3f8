"""Two accounts for the functions of a promotion: an approved version at home, an empty target."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from functions import promote_version, receive_version
from signalbox import promotion
from signalbox.aws import clients, promotion_target
from signalbox.errors import SignalboxError
from signalbox.promotion import PromotionTarget
from tests.functions import gate_stories as stories
from tests.functions.conftest import WORKFLOW, FakeMachines, World
from tests.functions.gate_stories import GROUP, RUN

STAGING, PROD = "210987654321", "345678901234"
REGION = "us-east-1"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2"
DIGEST = f"sha256:{'a' * 64}"
MODEL_KEY = f"runs/{RUN}/training/job-1/output/model.tar.gz"
MODEL = b"a model" * 1000
EVALUATION = f"runs/{RUN}/evaluation/1/"
MACHINE = f"arn:aws:states:{REGION}:123456789012:execution:signalbox-dev-promotion"


def target_of(environment: str, account: str, approval: str, kind: str = "artifact") -> Any:
    """One stop of the path, as the template's parameter has it."""
    return {
        "environment": environment,
        "account": account,
        "region": REGION,
        "deployRoleArn": f"arn:aws:iam::{account}:role/signalbox-{environment}-deploy-{REGION}",
        "approval": approval,
        "kind": kind,
    }


@dataclass
class There:
    """A target as a test looks at it; `digests` are what its registry finds for an image."""

    target: dict[str, Any]
    machines: FakeMachines
    pipeline_starts: list[dict[str, Any]] = field(default_factory=list)
    digest: str = DIGEST
    deleted: set[str] = field(default_factory=set)
    asks: bool = False
    """Whether its template has a person asked."""

    @property
    def environment(self) -> str:
        """Its name."""
        return str(self.target["environment"])

    @property
    def session(self) -> promotion_target.TargetSession:
        """The session that the function itself uses."""
        return promotion_target.enter(PromotionTarget.model_validate(self.target))

    @property
    def bucket(self) -> str:
        """Where its runs lie."""
        return f"signalbox-{self.environment}-workflow-{self.target['account']}-{REGION}"

    @property
    def inference(self) -> str:
        """The prefix of its inference executions' ARNs."""
        account = self.target["account"]
        name = f"signalbox-{self.environment}-inference"
        return f"arn:aws:states:{REGION}:{account}:execution:{name}"

    def versions(self) -> list[dict[str, Any]]:
        """Every version in the group, oldest first."""
        sagemaker = self.session.sagemaker
        found = sagemaker.list_model_packages(
            ModelPackageGroupName=f"signalbox-{self.environment}-diabetes",
            SortOrder="Ascending",
        )["ModelPackageSummaryList"]
        return [
            dict(sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]))
            for one in found
            if one["ModelPackageArn"] not in self.deleted
        ]

    def receive(self, request: dict[str, Any]) -> dict[str, Any]:
        """What this target's function receive_version answers, in its own account."""
        asks = "manual" if self.asks else "none"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PROMOTION_APPROVAL", asks)
            patch.setenv("WORKFLOW_BUCKET", self.bucket)
            machine = self.inference.replace(":execution:", ":stateMachine:")
            patch.setenv("INFERENCE_MACHINE_ARN", machine)
            for name in ("s3", "sagemaker", "stepfunctions"):
                patch.setattr(clients, name, partial(getattr, self.session, name))
            receive_version._settings.cache_clear()
            try:
                return {"said": receive_version.handler(request, None)}
            except SignalboxError as error:
                raised = {"errorType": type(error).__name__, "errorMessage": str(error)}
                return {"said": raised, "FunctionError": "Unhandled"}
            finally:
                receive_version._settings.cache_clear()

    def decide(self, status: str) -> None:
        """A person decides on the newest version, in the target's registry."""
        arn = self.versions()[-1]["ModelPackageArn"]
        self.session.sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription="by the owner"
        )

    def manifest(self, run_id: str) -> dict[str, Any]:
        """The manifest of a promoted run."""
        found = self.session.s3.get_object(Bucket=self.bucket, Key=f"runs/{run_id}/manifest.json")
        document: dict[str, Any] = json.loads(found["Body"].read())
        return document

    def end(self, status: str, error: str = "", cause: str = "") -> None:
        """Let the newest execution of the inference machine end."""
        self.machines.end(list(self.machines.ended)[-1], status, error, cause)


def arrive(world: World, workload: dict[str, str], author: dict[str, Any], mode: str) -> str:
    """A run at home whose version was registered with everything that was approved; pending."""
    stories.release(world, workload, {**author, "inference": {"mode": mode}})
    put = world.s3.put_object
    model = put(Bucket=WORKFLOW, Key=MODEL_KEY, Body=MODEL)
    put(Bucket=WORKFLOW, Key=f"{EVALUATION}evaluation.json", Body=b"{}")
    put(Bucket=WORKFLOW, Key=f"{EVALUATION}probe/rows.csv", Body=b"1,2\n")
    put(Bucket=WORKFLOW, Key=f"runs/{RUN}/report/index.html", Body=b"<html>")
    keep_what_is_not_named(world.sagemaker)
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return version(world, metadata(world, model["VersionId"], model["ETag"].strip('"')))


def metadata(world: World, version_id: str, etag: str) -> dict[str, str]:
    """What the training machine writes beside a version."""
    return {
        "run_id": RUN,
        "workload": "diabetes",
        "attempt": "1",
        "code_digest": world.manifest(RUN)["run"]["codeDigest"],
        "evaluation_uri": f"s3://{WORKFLOW}/{EVALUATION}evaluation.json",
        "artifact_version": version_id,
        "artifact_etag": etag,
        "artifact_bytes": str(len(MODEL)),
    }


def version(world: World, described: dict[str, str]) -> str:
    """A version in the registry at home."""
    arn: str = world.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties=described,
        InferenceSpecification={
            "Containers": [
                {
                    "Image": IMAGE,
                    "ImageDigest": DIGEST,
                    "ModelDataUrl": f"s3://{WORKFLOW}/{MODEL_KEY}",
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    return arn


def decide(world: World, arn: str, status: str, **more: str) -> None:
    """A person decides at home; `more` is added to the version's metadata."""
    world.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription="good",
        CustomerMetadataProperties=more,
    )


def keep_what_is_not_named(sagemaker: Any) -> None:
    """An update changes what it names; moto's forgets the rest, so it is named here."""

    def fill(params: dict[str, Any], **_: object) -> None:
        known = sagemaker.describe_model_package(ModelPackageName=params["ModelPackageArn"])
        for name in ("ModelApprovalStatus", "ApprovalDescription", "CustomerMetadataProperties"):
            given = params.get(name)
            if isinstance(given, dict):
                params[name] = {**known.get(name, {}), **given}
            elif given is None and name in known:
                params[name] = known[name]

    sagemaker.meta.events.register("before-parameter-build.sagemaker.UpdateModelPackage", fill)


def put_path(*targets: dict[str, Any]) -> None:
    """The promotion path of the environment at home."""
    clients.ssm().put_parameter(
        Name="/signalbox/dev/promotion-path", Value=json.dumps(targets), Overwrite=True
    )


def deploy_target(target: dict[str, Any]) -> There:
    """An environment in another account, as its template would have left it."""
    there = There(target, FakeMachines(), asks=target["approval"] == "manual")
    session, environment, account = there.session, there.environment, target["account"]
    for part in ("workflow", "source"):
        bucket = f"signalbox-{environment}-{part}-{account}-{REGION}"
        session.s3.create_bucket(Bucket=bucket)
        session.s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    for name, value in _wiring(environment, account).items():
        _ssm(session).put_parameter(
            Name=f"/signalbox/{environment}/{name}", Value=value, Type="String"
        )
    there.machines.attach(session.stepfunctions)
    _note_digests(there, session.sagemaker)
    keep_what_is_not_named(session.sagemaker)
    session.codepipeline.meta.events.register_first("before-call.codepipeline", _starts(there))
    session.functions.meta.events.register_first("before-call.lambda.Invoke", _receives(there))
    return there


def _receives(there: There) -> Callable[..., Any]:
    def answer(params: dict[str, Any], **_: object) -> Any:
        assert f"/functions/signalbox-{there.environment}-receive-version/" in params["url_path"]
        given = there.receive(json.loads(params["body"]))
        payload = io.BytesIO(json.dumps(given.pop("said")).encode())
        return SimpleNamespace(status_code=200), {**given, "Payload": payload}

    return answer


def _ssm(session: promotion_target.TargetSession) -> Any:
    return session._client("ssm")


def _wiring(environment: str, account: str) -> dict[str, str]:
    name = f"signalbox-{environment}"
    return {
        "workflow-bucket": f"{name}-workflow-{account}-{REGION}",
        "source-bucket": f"{name}-source-{account}-{REGION}",
        "kms-key-arn": f"arn:aws:kms:{REGION}:{account}:key/1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
        "job-role-arn": f"arn:aws:iam::{account}:role/{name}-job",
        "hosting-role-arn": f"arn:aws:iam::{account}:role/{name}-hosting",
        "image-uri": IMAGE,
        "pipeline-name": f"{name}-workflow",
        "inference-state-machine-arn": (
            f"arn:aws:states:{REGION}:{account}:stateMachine:{name}-inference"
        ),
    }


def _note_digests(there: There, sagemaker: Any) -> None:
    """What SageMaker does and moto does not: image digests, client tokens, deleted versions."""

    tokens: dict[str, Any] = {}
    asked: list[str] = []

    def note(params: dict[str, Any], **_: object) -> None:
        params.pop("ModelLifeCycle")
        asked.append(params["ClientToken"])
        for container in params["InferenceSpecification"]["Containers"]:
            container["ImageDigest"] = there.digest

    def known(**_: object) -> Any:
        found = tokens.get(asked[-1])
        return found and (SimpleNamespace(status_code=200), dict(found))

    def keep(parsed: dict[str, Any], **_: object) -> None:
        if "ModelPackageArn" in parsed:
            tokens[asked[-1]] = dict(parsed)

    def delete(params: dict[str, Any], **_: object) -> Any:
        tokens.clear()
        there.deleted.add(json.loads(params["body"])["ModelPackageName"])
        return SimpleNamespace(status_code=200), {}

    sagemaker.meta.events.register("before-parameter-build.sagemaker.CreateModelPackage", note)
    sagemaker.meta.events.register_first("before-call.sagemaker.CreateModelPackage", known)
    sagemaker.meta.events.register_first("after-call.sagemaker.CreateModelPackage", keep)
    sagemaker.meta.events.register_first("before-call.sagemaker.DeleteModelPackage", delete)


def _starts(there: There) -> Callable[..., Any]:
    def answer(model: Any, params: dict[str, Any], **_: object) -> Any:
        there.pipeline_starts.append(json.loads(params["body"]))
        token = there.pipeline_starts[-1]["clientRequestToken"]
        return SimpleNamespace(status_code=200), {"pipelineExecutionId": f"execution-of-{token}"}

    return answer


def step(name: str, arn: str, there: There, *, execution: str = "", **more: Any) -> dict[str, Any]:
    """Ask the function for one step, as the promotion machine does."""
    decision = more.pop("decision", None) or record(arn)["decision"]
    request = {
        "step": name,
        "execution": execution or f"{MACHINE}:{promotion.execution_name(arn, decision)}",
        "modelPackageArn": arn,
        "decision": decision,
        "target": there.target,
        **more,
    }
    answer: dict[str, Any] = promote_version.handler(request, None)
    return answer


def plan(arn: str, execution: str = "", **given: Any) -> dict[str, Any]:
    """Ask the function which targets there are."""
    request = {
        "step": "plan",
        "execution": execution or f"{MACHINE}:by-hand",
        "input": {"modelPackageArn": arn, **given},
    }
    answer: dict[str, Any] = promote_version.handler(request, None)
    return answer


def record(arn: str) -> dict[str, Any]:
    """The record of a version's promotion."""
    found = clients.s3().get_object(Bucket=WORKFLOW, Key=promotion.record_key(arn))
    document: dict[str, Any] = json.loads(found["Body"].read())
    return document


def take_over(arn: str, there: There, **more: Any) -> None:
    """Every step of one target in the machine's order, with success in the target."""
    for name in ("verify", "copy", "register"):
        step(name, arn, there, **more)
    if there.target["approval"] == "none":
        step("approve", arn, there, **more)
    else:
        step("ask", arn, there, **more)
        there.decide("Approved")
    if step("deploy", arn, there, **more)["status"] == "pending":
        there.end("SUCCEEDED")
        assert step("watch", arn, there, **more)["status"] == "succeeded"
    step("record", arn, there, **more)
