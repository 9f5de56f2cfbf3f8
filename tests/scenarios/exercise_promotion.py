"""Every way a promotion can go from dev to staging, once each on a laptop that has both."""

import json
from collections.abc import Mapping
from typing import Any

from signalbox import promotion
from signalbox.naming import LIVE
from tests.scenarios import promotion_stories as three
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop


def put_path(dev: Laptop, *targets: Mapping[str, str]) -> None:
    """Let dev's promotion path go to these targets from now on."""
    dev.target.client("ssm").put_parameter(
        Name=f"/{dev.target.app}/{dev.target.environment}/promotion-path",
        Value=json.dumps(targets),
        Overwrite=True,
    )


def path_of(dev: Laptop) -> list[dict[str, str]]:
    """The path as the laptop was deployed with it."""
    name = f"/{dev.target.app}/{dev.target.environment}/promotion-path"
    found = dev.target.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    targets: list[dict[str, str]] = json.loads(found)
    return targets


def walk(dev: Laptop, target: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """A version that comes to serve, and one that everything happens to."""
    put_path(dev, target)
    arn = _version(dev, {**options, "inference": {**options["inference"], "mode": "endpoint"}})
    three.decide(dev, arn, "Approved")
    three.await_status(dev, arn, "staging", "promoted")
    _record_again(dev, arn, target)
    _everything_happens(dev, target, {**options, "inference": {"mode": "none"}})
    put_path(dev)


def _version(dev: Laptop, options: Mapping[str, Any]) -> str:
    manual = {**options["approvals"], "approveModel": "manual"}
    return three.release(dev, {**options, "approvals": manual})[1]


def _record_again(dev: Laptop, arn: str, target: Mapping[str, str]) -> None:
    """A step that is done twice finds that people were told."""
    request = {
        "step": "record",
        "execution": three.record(dev, arn)["execution"],
        "modelPackageArn": arn,
        "decision": 1,
        "target": target,
    }
    answer = dev.target.client("lambda").invoke(
        FunctionName=f"{dev.target.prefix}-promote-version",
        Qualifier=LIVE,
        Payload=json.dumps(request).encode(),
    )
    assert "FunctionError" not in answer, answer["Payload"].read()


def _everything_happens(dev: Laptop, target: Mapping[str, str], options: Mapping[str, Any]) -> None:
    arn = _version(dev, options)
    container = dev.target.client("sagemaker").describe_model_package(ModelPackageName=arn)[
        "InferenceSpecification"
    ]["Containers"][0]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    s3 = dev.target.client("s3")
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    assert _approve(dev, arn, 1)["error"] == "ArtifactChanged"
    s3.delete_object(Bucket=bucket, Key=key, VersionId=marker)
    three.point_image(dev, container["Image"], f"sha256:{'b' * 64}")
    assert _approve(dev, arn, 2)["error"] == "ImageChanged"
    three.point_image(dev, container["Image"], "")
    put_path(dev, {**target, "kind": "code"})
    assert _approve(dev, arn, 3, "Rejected")["status"] == "SUCCEEDED"
    put_path(dev, {**target, "approval": "manual"})
    three.decide(dev, arn, "Approved")
    three.await_status(dev, arn, "staging", "waiting")
    three.decide(dev, arn, "Rejected")
    assert three.await_promotion_end(dev, arn, 5)["status"] == "ABORTED"
    three.await_status(dev, arn, "staging", "withdrawn")
    three.decide(dev, arn, "Approved")
    three.await_status(dev, arn, "staging", "waiting")
    three.decide(dev, arn, "Rejected")
    three.await_status(dev, arn, "staging", "withdrawn")


def _approve(dev: Laptop, arn: str, decision: int, then: str = "") -> Any:
    """The end of the promotion of one more approval."""
    three.decide(dev, arn, "Approved")
    ended = three.await_promotion_end(dev, arn, decision)
    if then:
        three.decide(dev, arn, then)
        stories.await_true(
            lambda: three.record(dev, arn)["decision"] == decision + 1,
            f"{promotion.record_key(arn)} at decision {decision + 1}",
        )
    return ended
