"""A simulation decides as a request would be decided, and leaves nothing behind."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from localaws.iam.live import RECORDER
from tests.localaws.iam_roles import ACCOUNT, allow, deny, document, role

BUCKET = "arn:aws:s3:::some-bucket"


def decisions(arn: str, actions: list[str], resources: list[str], **more: Any) -> dict[str, str]:
    answer = developer_client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=actions, ResourceArns=resources, **more
    )
    return {
        f"{one['EvalActionName']} {one['EvalResourceName']}": one["EvalDecision"]
        for one in answer["EvaluationResults"]
    }


def test_allowed_denied_and_not_mentioned(laptop: Any) -> None:
    del laptop
    holder = role(allow("s3:GetObject", f"{BUCKET}/*"), deny("s3:GetObject", f"{BUCKET}/secret"))

    found = decisions(
        holder.arn, ["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/a", f"{BUCKET}/secret"]
    )

    assert found == {
        f"s3:GetObject {BUCKET}/a": "allowed",
        f"s3:GetObject {BUCKET}/secret": "explicitDeny",
        f"s3:PutObject {BUCKET}/a": "implicitDeny",
        f"s3:PutObject {BUCKET}/secret": "implicitDeny",
    }


def test_conditions_see_the_keys_of_the_request_only(laptop: Any) -> None:
    del laptop
    condition = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    holder = role(allow("kms:Decrypt", "*", Condition=condition))
    entry = {
        "ContextKeyName": "kms:ViaService",
        "ContextKeyType": "string",
        "ContextKeyValues": ["s3.us-east-1.amazonaws.com"],
    }

    assert decisions(holder.arn, ["kms:Decrypt"], ["*"]) == {"kms:Decrypt *": "implicitDeny"}
    assert decisions(holder.arn, ["kms:Decrypt"], ["*"], ContextEntries=[entry]) == {
        "kms:Decrypt *": "allowed"
    }


def test_a_boundary_limits_what_the_policies_allow(laptop: Any) -> None:
    del laptop
    iam = developer_client("iam")
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document(allow("s3:GetObject")))
    holder = role(allow("s3:*"), boundary=limit["Policy"]["Arn"])

    answer = iam.simulate_principal_policy(
        PolicySourceArn=holder.arn, ActionNames=["s3:PutObject", "s3:GetObject"]
    )

    shown = {
        one["EvalActionName"]: (
            one["EvalDecision"],
            one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"],
        )
        for one in answer["EvaluationResults"]
    }
    assert shown == {"s3:PutObject": ("implicitDeny", False), "s3:GetObject": ("allowed", True)}


def test_simulating_takes_a_permission_and_leaves_no_decision_of_the_simulated(laptop: Any) -> None:
    del laptop
    simulated = role(allow("s3:GetObject"))
    looker = role(allow("iam:SimulatePrincipalPolicy", simulated.arn))
    question = {"PolicySourceArn": simulated.arn, "ActionNames": ["s3:GetObject"]}

    looker.client("iam").simulate_principal_policy(**question)
    with pytest.raises(ClientError, match="iam:SimulatePrincipalPolicy"):
        simulated.client("iam").simulate_principal_policy(**question)

    assert not [r for r in RECORDER.all() if r.action == "s3:GetObject"]


def test_nobody_is_simulated_who_does_not_exist(laptop: Any) -> None:
    del laptop
    with pytest.raises(ClientError, match="NoSuchEntity"):
        decisions(f"arn:aws:iam::{ACCOUNT}:role/nobody", ["s3:GetObject"], ["*"])
    with pytest.raises(ClientError, match="InvalidInput"):
        decisions(f"arn:aws:sns:us-east-1:{ACCOUNT}:topic", ["s3:GetObject"], ["*"])
