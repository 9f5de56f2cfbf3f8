"""What a promotion may not do in its target, each as one call under the deploy role."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from tests.scenarios.conftest import Laptop


@dataclass(frozen=True)
class Intruder:
    """The deploy role of a target, entered from the account that promotes, and what is there."""

    home: Laptop
    there: Laptop
    session: boto3.Session
    native_run: str
    native_version: str
    promoted_run: str
    promoted_version: str
    unapproved: Mapping[str, str]
    """Bucket, key and version of a model file at home that nobody approved."""

    def client(self, service: str) -> Any:
        """A client under the deploy role."""
        return self.session.client(service, region_name="us-east-1", endpoint_url=self.there.up.url)

    @property
    def bucket(self) -> str:
        """The target's workflow bucket."""
        return self.there.target.wiring().workflow_bucket

    @property
    def prefix(self) -> str:
        """The beginning of the target's names."""
        return self.there.target.prefix

    def arn(self, service: str, rest: str) -> str:
        """An ARN of the target."""
        account = self.promoted_version.split(":")[4]
        return f"arn:aws:{service}:us-east-1:{account}:{rest}"

    def native(self, name: str) -> dict[str, str]:
        """Bucket and key of a file of a run of the target's own."""
        return {"Bucket": self.bucket, "Key": f"runs/{self.native_run}/{name}"}

    def promoted(self, name: str) -> dict[str, str]:
        """The same of the promoted run."""
        return {"Bucket": self.bucket, "Key": f"runs/{self.promoted_run}/{name}"}


def enter(home: Laptop, there: Laptop) -> boto3.Session:
    """A session of the target's deploy role, as promote_version comes by it.

    Only Lambda may take on promote_version's role; an administrator at home lets themselves in.
    """
    iam, sts = home.target.client("iam"), home.target.client("sts")
    name = f"{home.target.prefix}-promote-version-us-east-1"
    role = iam.get_role(RoleName=name)["Role"]
    trust = role["AssumeRolePolicyDocument"]
    me = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    me["Principal"] = {"AWS": sts.get_caller_identity()["Arn"]}  # type: ignore[assignment]
    opened = {**trust, "Statement": [*trust["Statement"], me]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(opened))
    at_home = _assumed(sts, role["Arn"])
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    second = at_home.client("sts", region_name="us-east-1", endpoint_url=home.up.url)
    return _assumed(second, deploy_role(there))


def deploy_role(there: Laptop) -> str:
    """The ARN of a target's deploy role."""
    account = there.target.client("sts").get_caller_identity()["Account"]
    return f"arn:aws:iam::{account}:role/{there.target.prefix}-deploy-us-east-1"


def _assumed(sts: Any, arn: str) -> boto3.Session:
    given = sts.assume_role(RoleArn=arn, RoleSessionName="intruder")["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


Attempt = Callable[[Intruder], Any]


def _s3(operation: str, **more: Any) -> Callable[[str], Attempt]:
    def on(name: str) -> Attempt:
        def attempt(by: Intruder) -> Any:
            return getattr(by.client("s3"), operation)(**by.native(name), **more)

        return attempt

    return on


FILES: dict[str, Attempt] = {
    "read the manifest of a native run": _s3("get_object")("manifest.json"),
    "read the code of a native run": _s3("get_object")("code/scripts/train.py"),
    "read what is not there": _s3("get_object")("code/none.py"),
    "overwrite the manifest of a native run": _s3("put_object", Body=b"{}")("manifest.json"),
    "overwrite the code of a native run": _s3("put_object", Body=b"")("code/scripts/train.py"),
    "write where no run is": lambda by: by.client("s3").put_object(
        Bucket=by.bucket, Key="datasets/evil.csv", Body=b""
    ),
    "write predictions into a promoted run": lambda by: by.client("s3").put_object(
        **by.promoted("inference/rows.csv"), Body=b""
    ),
    "pass a native run off as a promoted one": lambda by: by.client("s3").put_object(
        Bucket=by.bucket, Key=f"runs/{by.native_run}/code/-p00000/manifest.json", Body=b""
    ),
    "delete a native manifest": _s3("delete_object")("manifest.json"),
    "delete a promoted manifest": lambda by: by.client("s3").delete_object(
        **by.promoted("manifest.json")
    ),
    "list the bucket": lambda by: by.client("s3").list_objects_v2(Bucket=by.bucket),
    "list the versions": lambda by: by.client("s3").list_object_versions(Bucket=by.bucket),
    "list a promoted run": lambda by: by.client("s3").list_objects_v2(
        Bucket=by.bucket, Prefix=f"runs/{by.promoted_run}/"
    ),
    "open the bucket": lambda by: by.client("s3").delete_bucket_policy(Bucket=by.bucket),
    "read the serving record": lambda by: by.client("s3").get_object(
        Bucket=by.bucket, Key=f"endpoints/{by.prefix}-diabetes.json"
    ),
}

MODELS: dict[str, Attempt] = {
    "approve a native version": lambda by: by.client("sagemaker").update_model_package(
        ModelPackageArn=by.native_version, ModelApprovalStatus="Approved"
    ),
    "reject a native version": lambda by: by.client("sagemaker").update_model_package(
        ModelPackageArn=by.native_version, ModelApprovalStatus="Rejected"
    ),
    "approve the promoted version": lambda by: by.client("sagemaker").update_model_package(
        ModelPackageArn=by.promoted_version, ModelApprovalStatus="Approved"
    ),
    "mark the promoted version": lambda by: by.client("sagemaker").update_model_package(
        ModelPackageArn=by.promoted_version, CustomerMetadataProperties={"rolled_back": "no"}
    ),
    "delete a native version": lambda by: by.client("sagemaker").delete_model_package(
        ModelPackageName=by.native_version
    ),
    "delete the promoted version": lambda by: by.client("sagemaker").delete_model_package(
        ModelPackageName=by.promoted_version
    ),
    "register an approved version": lambda by: by.client("sagemaker").create_model_package(
        ModelPackageGroupName=f"{by.prefix}-diabetes", ModelApprovalStatus="Approved"
    ),
    "register a version and say nothing": lambda by: by.client("sagemaker").create_model_package(
        ModelPackageGroupName=f"{by.prefix}-diabetes"
    ),
    "list the versions of a group": lambda by: by.client("sagemaker").list_model_packages(
        ModelPackageGroupName=f"{by.prefix}-diabetes"
    ),
    "open a group": lambda by: by.client("sagemaker").put_model_package_group_policy(
        ModelPackageGroupName=f"{by.prefix}-diabetes", ResourcePolicy="{}"
    ),
    "make a group of another environment": lambda by: by.client(
        "sagemaker"
    ).create_model_package_group(ModelPackageGroupName="signalbox-other-diabetes"),
    "make a model": lambda by: by.client("sagemaker").create_model(
        ModelName="evil", ExecutionRoleArn=deploy_role(by.there)
    ),
    "look at the endpoint": lambda by: by.client("sagemaker").describe_endpoint(
        EndpointName=f"{by.prefix}-diabetes"
    ),
    "update the endpoint": lambda by: by.client("sagemaker").update_endpoint(
        EndpointName=f"{by.prefix}-diabetes", EndpointConfigName="evil"
    ),
    "delete the endpoint": lambda by: by.client("sagemaker").delete_endpoint(
        EndpointName=f"{by.prefix}-diabetes"
    ),
    "ask the endpoint": lambda by: by.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{by.prefix}-diabetes", Body=b"1"
    ),
}

ENVIRONMENT: dict[str, Attempt] = {
    "read every parameter": lambda by: by.client("ssm").get_parameters_by_path(
        Path=f"/{by.there.target.app}/{by.there.target.environment}"
    ),
    "read a parameter that it has no use for": lambda by: by.client("ssm").get_parameters(
        Names=[f"/{by.there.target.app}/{by.there.target.environment}/notification-topic-arn"]
    ),
    "change a parameter": lambda by: by.client("ssm").put_parameter(
        Name=f"/{by.there.target.app}/{by.there.target.environment}/promotion-path",
        Value="[]",
        Overwrite=True,
    ),
    "use the key itself": lambda by: by.client("kms").generate_data_key(
        KeyId=f"alias/{by.prefix}", KeySpec="AES_256"
    ),
    "call another function": lambda by: by.client("lambda").invoke(
        FunctionName=f"{by.prefix}-update-schema", Payload=b"{}"
    ),
    "call the function past its alias": lambda by: by.client("lambda").invoke(
        FunctionName=f"{by.prefix}-receive-version", Payload=b"{}"
    ),
    "change the function that decides": lambda by: by.client(
        "lambda"
    ).update_function_configuration(
        FunctionName=f"{by.prefix}-receive-version",
        Environment={"Variables": {"PROMOTION_APPROVAL": "none"}},
    ),
    "start the training machine": lambda by: by.client("stepfunctions").start_execution(
        stateMachineArn=by.arn("states", f"stateMachine:{by.prefix}-training"), input="{}"
    ),
    "start the inference machine": lambda by: by.client("stepfunctions").start_execution(
        stateMachineArn=by.arn("states", f"stateMachine:{by.prefix}-inference"), input="{}"
    ),
    "start a promotion from there": lambda by: by.client("stepfunctions").start_execution(
        stateMachineArn=by.arn("states", f"stateMachine:{by.prefix}-promotion"), input="{}"
    ),
    "stop an execution": lambda by: by.client("stepfunctions").stop_execution(
        executionArn=by.arn("states", f"execution:{by.prefix}-inference:any")
    ),
    "list the executions": lambda by: by.client("stepfunctions").list_executions(
        stateMachineArn=by.arn("states", f"stateMachine:{by.prefix}-inference")
    ),
    "open a gate": lambda by: by.client("codepipeline").put_approval_result(
        pipelineName=f"{by.prefix}-workflow",
        stageName="ApproveModel",
        actionName="ApproveModel",
        result={"summary": "", "status": "Approved"},
        token="11111111-1111-1111-1111-111111111111",
    ),
    "tell people": lambda by: by.client("sns").publish(
        TopicArn=by.arn("sns", f"{by.prefix}-notifications"), Message="evil"
    ),
    "give itself more": lambda by: by.client("iam").put_role_policy(
        RoleName=deploy_role(by.there).rpartition("/")[2], PolicyName="more", PolicyDocument="{}"
    ),
    "become another role": lambda by: by.client("sts").assume_role(
        RoleArn=f"{deploy_role(by.there).rpartition('/')[0]}/{by.prefix}-job-us-east-1",
        RoleSessionName="evil",
    ),
}

HOME: dict[str, Attempt] = {
    "read a model at home that nobody approved": lambda by: by.client("s3").get_object(
        Bucket=by.unapproved["Bucket"],
        Key=by.unapproved["Key"],
        VersionId=by.unapproved["VersionId"],
    ),
    "copy a model from home that nobody approved": lambda by: by.client("s3").copy_object(
        **by.promoted("training/evil.tar.gz"), CopySource=dict(by.unapproved)
    ),
    "tag a model at home": lambda by: by.client("s3").put_object_tagging(
        **by.unapproved,
        Tagging={"TagSet": [{"Key": "signalbox-promotion", "Value": "approved"}]},
    ),
    "list what is at home": lambda by: by.client("s3").list_objects_v2(
        Bucket=by.unapproved["Bucket"]
    ),
    "read data at home": lambda by: by.client("s3").get_object(
        Bucket=by.unapproved["Bucket"], Key="datasets/story/source/data.csv"
    ),
    "look at a version at home": lambda by: by.client("sagemaker").describe_model_package(
        ModelPackageName=f"arn:aws:sagemaker:us-east-1:123456789012:"
        f"model-package/{by.home.target.prefix}-diabetes/1"
    ),
}

# Only where a person is asked: there the target takes no code either.
MANUAL: dict[str, Attempt] = {
    "put code into the source bucket": lambda by: by.client("s3").put_object(
        Bucket=by.there.target.wiring().source_bucket, Key="promoted/evil.zip", Body=b""
    ),
    "start the pipeline": lambda by: by.client("codepipeline").start_pipeline_execution(
        name=f"{by.prefix}-workflow"
    ),
}
EVERYWHERE = {**FILES, **MODELS, **ENVIRONMENT, **HOME}
