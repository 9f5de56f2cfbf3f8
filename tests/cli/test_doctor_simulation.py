"""What IAM is asked: every grant of a role, in few requests, and nothing that was not granted."""

from typing import Any

import pytest

from signalbox_cli.doctor.patients import Patient, Resource, Stack
from signalbox_cli.doctor.simulation import Question, denials, joined, questions
from signalbox_cli.target import Target

ROLE = "arn:aws:iam::123456789012:role/r"


def role(*statements: dict[str, Any], **more: Any) -> Resource:
    policies = [{"PolicyName": "p", "PolicyDocument": {"Statement": list(statements)}}]
    return Resource("Role", "AWS::IAM::Role", "r", {"Policies": policies, **more})


def patient(*resources: Resource, **clients: Any) -> Patient:
    stack = Stack("s", "CREATE_COMPLETE", "", {}, {one.logical_id: one for one in resources})
    return Patient(Target(_memo=clients), (stack,))


def asked(*statements: dict[str, Any]) -> list[Question]:
    one = role(*statements)
    return list(questions(patient(one), one, ROLE))


def allow(action: Any, resource: Any, **condition: Any) -> dict[str, Any]:
    more = {"Condition": condition} if condition else {}
    return {"Sid": "S", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_patterns_become_resources_that_fit_them() -> None:
    (question,) = asked(allow("s3:GetObject", ["arn:aws:s3:::b/runs/*/x?", "*"]))

    assert question.resources == ("arn:aws:s3:::b/runs/x/xx", "*")


def test_denials_and_wildcard_actions_are_not_asked() -> None:
    denial = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}

    assert asked(denial, allow("s3:*", "*")) == []


@pytest.mark.parametrize(
    ("condition", "entry"),
    [
        (
            {"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com", "other"]}},
            ("kms:ViaService", "string", ["s3.us-east-1.amazonaws.com"]),
        ),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:a:b:c:*"}},
            ("aws:SourceArn", "string", ["arn:aws:a:b:c:x"]),
        ),
        ({"Bool": {"aws:SecureTransport": "true"}}, ("aws:SecureTransport", "boolean", ["true"])),
        (
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}},
            ("aws:TagKeys", "stringList", ["a", "b"]),
        ),
    ],
)
def test_conditions_are_fulfilled(condition: dict[str, Any], entry: tuple[Any, ...]) -> None:
    (question,) = asked(allow("kms:Decrypt", "*", **condition))

    (given,) = question.context
    assert tuple(given.values()) == entry


def test_conditions_that_absence_fulfils_give_no_key() -> None:
    condition = {"StringNotEquals": {"a:b": "c"}, "Null": {"d:e": "true"}}

    (question,) = asked(allow("kms:Decrypt", "*", **condition))

    assert question.context == ()


def test_managed_policies_of_the_stack_are_asked_as_well() -> None:
    document = {"Statement": [allow("sqs:SendMessage", "*")]}
    policy = Resource("P", "AWS::IAM::ManagedPolicy", "arn:p", {"PolicyDocument": document})
    holder = role(ManagedPolicyArns=["arn:p", "arn:aws:iam::aws:policy/Other"])

    found = list(questions(patient(policy, holder), holder, ROLE))

    assert [one.actions for one in found] == [("sqs:SendMessage",)]


def question(sid: str, actions: int, resources: int, key: str = "") -> Question:
    context = ({"ContextKeyName": key},) if key else ()
    names = tuple(f"s3:{sid}{number}" for number in range(actions))
    return Question(ROLE, sid, names, tuple(f"{sid}{n}" for n in range(resources)), context)


def test_few_requests_and_none_with_more_answers_than_a_page() -> None:
    every = [
        question("A", 2, 3),
        question("B", 2, 3),
        question("C", 1, 1, "a:b"),
        question("D", 9, 9),
    ]

    together = joined(every)

    # 4 x 6 answers for A and B; D would make it 13 x 15
    assert [[one.sid for one in one_request] for one_request in together] == [
        ["A", "B"],
        ["C"],
        ["D"],
    ]


class Simulator:
    """IAM that denies one action everywhere, also where nobody asked for it."""

    def get_paginator(self, _operation: str) -> "Simulator":
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "implicitDeny"
                if action == "s3:A0" or resource == "B0"
                else "allowed",
                "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
            }
            for action in request["ActionNames"]
            for resource in request["ResourceArns"]
        ]
        return [{"EvaluationResults": results}]


def test_only_what_was_granted_counts_of_the_answers() -> None:
    """A0 on B0 is denied, and so is B0 on A0: nobody granted either."""
    found = denials(patient(iam=Simulator()), [question("A", 1, 1), question("B", 1, 1)])

    assert [(one.sid, one.action, one.resource) for one in found] == [
        ("A", "s3:A0", "A0"),
        ("B", "s3:B0", "B0"),
    ]
    assert not found[0].within_organisation
    assert found[0].within_boundary
