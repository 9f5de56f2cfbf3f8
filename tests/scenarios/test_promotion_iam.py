"""A deploy role promotes, and does nothing else: every other call is refused by IAM.

The role's own session, entered from the account that promotes; what it is refused is there, so that
nothing but a policy stands in the way.
"""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from signalbox.naming import LIVE
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView
from tests.scenarios import promotion_doors, stories
from tests.scenarios import promotion_stories as three
from tests.scenarios.conftest import REPOSITORY, Laptop
from tests.scenarios.promotion_doors import EVERYWHERE, MANUAL, Intruder
from tests.scenarios.promotion_stories import Environments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@pytest.fixture(scope="module")
def all_three() -> Iterator[Environments]:
    """dev, staging and prod of one laptop."""
    with three.three_environments() as served:
        yield served


@pytest.fixture(scope="module")
def intruders(
    all_three: Environments, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Intruder]:
    """A version that serves in staging and waits in prod, each of which has a run of its own."""
    each = (all_three.dev, all_three.staging, all_three.prod)
    for served in each:
        three.put_sample(served, tmp_path_factory.mktemp("diabetes"))
    dev = all_three.dev
    _, arn = three.release(dev)
    native = {one.target.environment: _native(one) for one in each[1:]}
    three.decide(dev, arn, "Approved")
    three.await_status(dev, arn, "staging", "promoted")
    three.await_status(dev, arn, "prod", "waiting")
    _, pending = three.release(dev)
    found = three.record(dev, arn)["targets"]
    return {
        one.target.environment: Intruder(
            home=dev,
            there=one,
            session=promotion_doors.enter(dev, one),
            native_run=native[one.target.environment][0].run_id,
            native_version=native[one.target.environment][1],
            promoted_run=found[one.target.environment]["runId"],
            promoted_version=found[one.target.environment]["modelPackageArn"],
            unapproved=_model_file(dev, pending),
        )
        for one in each[1:]
    }


def _native(served: Laptop) -> tuple[RunView, str]:
    """A run of the target's own that waits at its model gate, and its version.

    In prod only a manifest may open gates by itself.
    """
    folder = REPOSITORY / "workloads" / "diabetes"
    files = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    manifest = {**json.loads(files["manifest.json"]), "approvals": three.STANDING["approvals"]}
    packed = stories.archive({**files, "manifest.json": json.dumps(manifest)})
    options = {name: three.STANDING[name] for name in ("data", "inference")}
    key = "workloads/story.zip"
    started = release_archive(served.target, packed, key=key, options=options)
    run = stories.await_stage(served, started.execution_id, "ApproveModel")
    return run, stories.version_of(served, run)


def _model_file(served: Laptop, arn: str) -> dict[str, str]:
    described = served.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
    (container,) = described["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    version = described["CustomerMetadataProperties"]["artifact_version"]
    return {"Bucket": bucket, "Key": key, "VersionId": version}


CASES = [
    *[("staging", name) for name in EVERYWHERE],
    *[("prod", name) for name in (*EVERYWHERE, *MANUAL)],
]


@pytest.mark.parametrize(("environment", "name"), CASES)
def test_a_promotion_may_not(intruders: dict[str, Intruder], environment: str, name: str) -> None:
    attempt = (EVERYWHERE | MANUAL)[name]

    with pytest.raises(ClientError) as refused:
        attempt(intruders[environment])

    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


def test_it_reads_and_writes_its_own_run(intruders: dict[str, Intruder]) -> None:
    """The refusals above are about whose run it is, not about a role that can do nothing."""
    by = intruders["staging"]

    found = by.client("s3").get_object(**by.promoted("manifest.json"))

    assert json.loads(found["Body"].read())["run"]["promotedFrom"].endswith("/1")
    assert by.native_run[14] != by.promoted_run[14] == "p"


def test_where_a_person_is_asked_the_target_s_own_function_does_not_approve(
    intruders: dict[str, Intruder],
) -> None:
    by = intruders["prod"]
    asked = {"step": "approve", "modelPackageArn": by.promoted_version, "reason": "let me in"}

    answer = by.client("lambda").invoke(
        FunctionName=f"{by.prefix}-receive-version",
        Qualifier=LIVE,
        Payload=json.dumps(asked).encode(),
    )

    assert json.loads(answer["Payload"].read())["approval"] == "PendingManualApproval"
    assert _approval(by.there, by.promoted_version) == "PendingManualApproval"


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_native_version_is_not_approved_by_way_of_the_function(
    intruders: dict[str, Intruder], environment: str
) -> None:
    by = intruders[environment]
    asked = {"step": "approve", "modelPackageArn": by.native_version}

    answer = by.client("lambda").invoke(
        FunctionName=f"{by.prefix}-receive-version",
        Qualifier=LIVE,
        Payload=json.dumps(asked).encode(),
    )

    assert json.loads(answer["Payload"].read())["errorType"] == "PromotionRefused"
    assert _approval(by.there, by.native_version) == "PendingManualApproval"


def _approval(served: Laptop, arn: str) -> str:
    found = served.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
    return str(found["ModelApprovalStatus"])


def test_one_target_is_no_way_into_another(intruders: dict[str, Intruder]) -> None:
    staging, prod = intruders["staging"], intruders["prod"]
    elsewhere = [
        lambda: staging.client("s3").get_object(**prod.promoted("manifest.json")),
        lambda: staging.client("sts").assume_role(
            RoleArn=promotion_doors.deploy_role(prod.there), RoleSessionName="further"
        ),
        lambda: staging.client("sagemaker").describe_model_package(
            ModelPackageName=prod.promoted_version
        ),
    ]

    for attempt in elsewhere:
        with pytest.raises(ClientError) as refused:
            attempt()
        assert refused.value.response["Error"]["Code"] in DENIED, refused.value


def test_nobody_at_home_but_the_promotion_comes_in(all_three: Environments) -> None:
    """Not even an administrator of the account that promotes."""
    sts = all_three.dev.target.client("sts")

    with pytest.raises(ClientError) as refused:
        sts.assume_role(
            RoleArn=promotion_doors.deploy_role(all_three.staging), RoleSessionName="admin"
        )

    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_the_promotion_goes_on_to_its_end(
    all_three: Environments, intruders: dict[str, Intruder]
) -> None:
    dev, waiting = all_three.dev, intruders["prod"]
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{dev.target.prefix}-diabetes/1"

    three.decide(all_three.prod, waiting.promoted_version, "Approved")

    three.await_status(dev, arn, "prod", "promoted")
    assert three.await_promotion_end(dev, arn, 1)["status"] == "SUCCEEDED"
