"""A run brought to a gate, the events that tell of it, and what became of it."""

import json
from typing import Any

from functions import approval_notifier, create_schema, promotion_handler, record_outcome
from signalbox.aws import clients

RUN = "261121-093005-2867b0"
GROUP = "signalbox-dev-diabetes"
ADA = "arn:aws:sts::123456789012:assumed-role/Reviewer/ada"
VERDICT = {
    "accepted": True,
    "reasons": ["regression_metrics.rmse.value is 54.1, as asked: at most 65"],
    "metrics": {"regression_metrics.rmse.value": 54.1},
    "champion": None,
    "evaluationUri": "s3://b/evaluation.json",
}


def release(world: Any, workload: dict[str, str], author: dict[str, Any]) -> None:
    """A run whose manifest is in place."""
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)
    world.pipeline.answers.clear()


def register(world: Any) -> str:
    """A model version of the run, pending; its ARN."""
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    arn: str = world.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"run_id": RUN},
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://b/m.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    report_registered(world, arn, VERDICT, execution="train-1")
    return arn


def report_registered(world: Any, arn: str, verdict: dict[str, Any], /, *, execution: str) -> None:
    """The training machine tells what it registered, and the verdict."""
    report = world.event("record_outcome") | {
        "status": "registered",
        "execution": execution,
        "detail": {"modelPackageArn": arn, "verdict": verdict},
    }
    record_outcome.handler(report, None)


def at_model_gate(world: Any, workload: dict[str, str], author: dict[str, Any]) -> str:
    """A run that waits at ApproveModel; the ARN of its version."""
    release(world, workload, author)
    world.pipeline.gate = "ApproveModel"
    return register(world)


def gate_event(world: Any, state: str, /, **detail: Any) -> dict[str, Any]:
    """The event of the gate's action."""
    event: dict[str, Any] = world.event("approval_notifier")
    gate = world.pipeline.gate
    event["detail"] |= {"stage": gate, "action": gate, "state": state} | detail
    return event


def execution_event(world: Any, level: str, state: str) -> dict[str, Any]:
    """The event of the pipeline or of its stage."""
    event: dict[str, Any] = world.event("approval_notifier")
    event["detail-type"] = f"CodePipeline {level} Execution State Change"
    event["detail"] = {
        "pipeline": "signalbox-dev-workflow",
        "execution-id": event["detail"]["execution-id"],
        "state": state,
    }
    return event


def version_event(world: Any, arn: str, status: str) -> dict[str, Any]:
    """The event of a decision in the registry."""
    event: dict[str, Any] = world.event("promotion_handler")
    event["detail"] |= {"ModelPackageArn": arn, "ModelApprovalStatus": status}
    return event


def decide_at_gate(world: Any, status: str, reason: str) -> None:
    """A person decides at the pipeline."""
    clients.codepipeline().put_approval_result(
        pipelineName="signalbox-dev-workflow",
        stageName=world.pipeline.gate,
        actionName=world.pipeline.gate,
        token=world.pipeline.token,
        result={"status": status, "summary": reason},
    )


def decide_in_registry(world: Any, arn: str, status: str, reason: str) -> None:
    """A person decides at the registry."""
    world.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription=reason,
        CustomerMetadataProperties={"run_id": RUN},  # moto forgets it in an update without it
    )


def changed_by(world: Any, who: str) -> None:
    """SageMaker tells who changed versions last, which moto does not."""
    told = {"IamIdentity": {"Arn": who, "PrincipalId": "AROAEXAMPLE:session"}}
    world.sagemaker.meta.events.register_last(
        "after-call.sagemaker.DescribeModelPackage",
        lambda parsed, **_: parsed.update(LastModifiedBy=told),
    )


def released_by(world: Any, who: str) -> None:
    """The run to come is started by a person."""
    world.pipeline.trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": who}


def version_of(world: Any, arn: str) -> tuple[str, str]:
    """Status and description of a version."""
    found = world.sagemaker.describe_model_package(ModelPackageName=arn)
    return found["ModelApprovalStatus"], found.get("ApprovalDescription", "")


def deliver(event: dict[str, Any]) -> str:
    """Give an event to the function that its rule would wake."""
    handlers = {"aws.sagemaker": promotion_handler.handler}
    outcome: str = handlers.get(event["source"], approval_notifier.handler)(event, None)["outcome"]
    return outcome
