"""Properties of the evaluator that hold for all policies, and of records decided again."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.iam.decide import Policies, Verdict, decide
from localaws.iam.policy import Caller, Document, Policy, Request, compile_policy
from localaws.iam.record import Record, denials, from_json, re_decide, removals, unneeded, without

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
CALLER = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", ACCOUNT, "session", ROLE)

actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*", "*", "sns:Publish"])
asked_actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "sns:Publish"])
resources = st.sampled_from(
    ["*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/x", "arn:aws:s3:::b/*", "arn:aws:s3:::?/x"]
)
asked_resources = st.sampled_from(["arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::b/x"])
regions = st.sampled_from(["us-east-1", "eu-west-1"])
conditions = st.one_of(
    st.just({}), regions.map(lambda r: {"StringEquals": {"aws:RequestedRegion": r}})
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None) -> dict[str, Any]:
    return {
        "Effect": effect or draw(st.sampled_from(["Allow", "Deny"])),
        "Action": draw(st.lists(actions, min_size=1, max_size=3, unique=True)),
        "Resource": draw(st.lists(resources, min_size=1, max_size=2, unique=True)),
        "Condition": draw(conditions),
    }


documents = st.lists(statements(), max_size=5).map(lambda s: {"Statement": s})


@st.composite
def requests(draw: st.DrawFn) -> Request:
    region = draw(regions)
    return Request(
        CALLER, draw(asked_actions), draw(asked_resources), {"aws:requestedregion": (region,)}
    )


def allowed(document: Document, request: Request, resource: Policy | None = None) -> bool:
    policies = Policies(identity=(compile_policy("p", document),), resource=resource)
    return decide(request, policies, resource_account=ACCOUNT).allowed


@given(documents, requests())
def test_an_explicit_deny_always_wins(document: dict[str, Any], request: Request) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": request.action, "Resource": request.resource}

    assert not allowed({"Statement": [*document["Statement"], everything, deny]}, request)


@given(documents, requests(), st.data())
def test_removing_an_allow_statement_never_opens(
    document: dict[str, Any], request: Request, data: st.DataObject
) -> None:
    allows = [i for i, s in enumerate(document["Statement"]) if s["Effect"] == "Allow"]
    if not allows:
        return
    gone = data.draw(st.sampled_from(allows))
    fewer = [s for i, s in enumerate(document["Statement"]) if i != gone]

    assert not (allowed({"Statement": fewer}, request) and not allowed(document, request))


@given(documents, requests(), statements(effect="Allow"))
def test_adding_an_allow_statement_never_closes(
    document: dict[str, Any], request: Request, more: dict[str, Any]
) -> None:
    before = allowed(document, request)

    assert allowed({"Statement": [*document["Statement"], more]}, request) or not before


@given(documents, requests(), st.randoms())
def test_the_order_of_statements_does_not_matter(
    document: dict[str, Any], request: Request, random: Any
) -> None:
    shuffled = list(document["Statement"])
    random.shuffle(shuffled)

    assert allowed({"Statement": shuffled}, request) == allowed(document, request)


@given(documents, requests())
def test_case_matters_in_resources_and_not_in_actions(
    document: dict[str, Any], request: Request
) -> None:
    shouted = replace(request, action=request.action.upper())
    elsewhere = replace(request, resource=request.resource.replace("/x", "/X"))
    exact = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a/x"}

    assert allowed(document, shouted) == allowed(document, request)
    assert not allowed({"Statement": [exact]}, replace(elsewhere, resource="arn:aws:s3:::a/X"))


@given(documents, documents, requests())
def test_a_boundary_never_allows_by_itself(
    document: dict[str, Any], boundary: dict[str, Any], request: Request
) -> None:
    bounded = Policies(
        identity=(compile_policy("p", document),), boundary=compile_policy("b", boundary)
    )

    decided = decide(request, bounded, resource_account=ACCOUNT)

    assert decided.allowed == (allowed(document, request) and allowed(boundary, request))


@given(documents, requests())
def test_another_accounts_resource_needs_its_own_policy(
    document: dict[str, Any], request: Request
) -> None:
    policies = Policies(identity=(compile_policy("p", document),))

    assert not decide(request, policies, resource_account="999999999999").allowed


def record_of(request: Request, document: Document) -> Record:
    policies = Policies(identity=(compile_policy("p", document),))
    decided = decide(request, policies, resource_account=ACCOUNT)
    return Record(
        principal=CALLER.arn,
        kind=CALLER.kind,
        account=ACCOUNT,
        role=ROLE,
        action=request.action,
        resource=request.resource,
        context=request.context,
        allowed=decided.allowed,
        reason=decided.reason,
        matched=decided.matched,
        operation="s3:Any",
        same_account=True,
        resource_policy_required=False,
        resource_verdict=Verdict(),
    )


@given(documents, st.lists(requests(), max_size=6))
@settings(max_examples=60)
def test_deciding_again_agrees_with_the_policies_as_they_were(
    document: dict[str, Any], asked: list[Request]
) -> None:
    records = [from_json(json.dumps(record_of(r, document).as_json())) for r in asked]

    for record in records:
        assert re_decide(record, [compile_policy("p", document)]).allowed == record.allowed


@given(documents, st.lists(requests(), max_size=6))
@settings(max_examples=60)
def test_removals_are_decided_as_if_the_document_had_been_edited(
    document: dict[str, Any], asked: list[Request]
) -> None:
    records = [record_of(request, document) for request in asked]
    found = denials(records, {ROLE: {"p": document}})

    for removal in removals({ROLE: {"p": document}}):
        edited = without(document, removal)
        expected = {
            (r.action, r.resource, r.context["aws:requestedregion"])
            for r, request in zip(records, asked, strict=True)
            if r.allowed and not allowed(edited, request)
        }
        assert {
            (r.action, r.resource, r.context["aws:requestedregion"]) for r in found[removal]
        } == expected


def test_an_action_that_nothing_needed_is_listed() -> None:
    document = {
        "Statement": [
            {
                "Sid": "Objects",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": "*",
            }
        ]
    }
    request = Request(CALLER, "s3:GetObject", "arn:aws:s3:::a/x", {})

    spare = unneeded([record_of(request, document)], {ROLE: {"p": document}})

    assert [removal.describe() for removal in spare] == [
        "s3:PutObject of statement p#Objects of role r"
    ]


def test_thousands_of_records_and_hundreds_of_removals_take_a_moment() -> None:
    import time

    statements_made = [
        {"Effect": "Allow", "Action": [f"s3:Do{i}", f"s3:Do{i}b"], "Resource": "*"}
        for i in range(150)
    ]
    document = {"Statement": statements_made}
    asked = [Request(CALLER, f"s3:Do{i % 150}", f"arn:aws:s3:::a/{i}", {}) for i in range(3000)]
    records = [record_of(request, document) for request in asked]
    started = time.process_time()

    found = denials(records, {ROLE: {"p": document}})

    assert len(found) == 300
    assert time.process_time() - started < 5
