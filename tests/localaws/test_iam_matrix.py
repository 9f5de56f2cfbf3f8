"""Who may do what, through real clients: each row is one rule of AWS's evaluation."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from tests.localaws.iam_roles import ACCOUNT, ME, Role, allow, deny, document, role, trust

BUCKET = "matrix-bucket"
OPEN, CLOSED = f"arn:aws:s3:::{BUCKET}/open/*", f"arn:aws:s3:::{BUCKET}/closed/*"
SM = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
STATES = f"arn:aws:states:us-east-1:{ACCOUNT}"
PASSED = f"arn:aws:iam::{ACCOUNT}:role/matrix-passed"
DEFINITION = '{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}'


@pytest.fixture(scope="module", autouse=True)
def things(laptop: Any) -> None:
    """What the rows act on."""
    s3 = developer_client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("open/a", "closed/a"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    developer_client("ssm").put_parameter(Name="/app/dev/one", Value="1", Type="String")
    developer_client("ssm").put_parameter(Name="/app/prod/one", Value="1", Type="String")
    developer_client("sns").create_topic(Name="matrix-topic")
    developer_client("sqs").create_queue(QueueName="matrix-queue")
    developer_client("sagemaker").create_model_package_group(ModelPackageGroupName="matrix")
    developer_client("iam").create_role(
        RoleName="matrix-passed",
        AssumeRolePolicyDocument=trust({"Service": "states.amazonaws.com"}),
    )


Call = Callable[[Role], Any]


def get(key: str) -> Call:
    return lambda r: r.client("s3").get_object(Bucket=BUCKET, Key=key)


def put(key: str, **more: Any) -> Call:
    return lambda r: r.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"y", **more)


def listing(prefix: str) -> Call:
    return lambda r: r.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)


def copy(source: str, target: str) -> Call:
    return lambda r: r.client("s3").copy_object(
        Bucket=BUCKET, Key=target, CopySource=f"{BUCKET}/{source}"
    )


def parameters(path: str) -> Call:
    return lambda r: r.client("ssm").get_parameters_by_path(Path=path)


def machine(r: Role) -> Any:
    return r.client("stepfunctions").create_state_machine(
        name=f"m-{r.name}", definition=DEFINITION, roleArn=PASSED
    )


def publish(r: Role) -> Any:
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:matrix-topic"
    return r.client("sns").publish(TopicArn=arn, Message="m")


def send(r: Role) -> Any:
    url = developer_client("sqs").get_queue_url(QueueName="matrix-queue")["QueueUrl"]
    return r.client("sqs").send_message(QueueUrl=url, MessageBody="m")


def tagged(r: Role) -> Any:
    return r.client("iam").create_role(
        RoleName=f"t-{r.name}",
        AssumeRolePolicyDocument=trust(ME),
        Tags=[{"Key": "team", "Value": "ml"}],
    )


def versions(r: Role) -> Any:
    return r.client("sagemaker").list_model_packages(ModelPackageGroupName="matrix")


CREATE = allow("states:CreateStateMachine")
PASS_TO_STATES = allow(
    "iam:PassRole",
    PASSED,
    Condition={"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
)
PASS_TO_LAMBDA = allow(
    "iam:PassRole",
    PASSED,
    Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
)
PREFIX = {"StringLike": {"s3:prefix": "open/*"}}
ROWS: list[tuple[str, list[dict[str, Any]], Call, bool]] = [
    ("nothing is allowed by default", [], get("open/a"), False),
    ("an allowed object", [allow("s3:GetObject", OPEN)], get("open/a"), True),
    ("another object", [allow("s3:GetObject", OPEN)], get("closed/a"), False),
    ("another action", [allow("s3:GetObject", OPEN)], put("open/b"), False),
    ("action names ignore case", [allow("S3:getobject", OPEN)], get("open/a"), True),
    (
        "resource names do not",
        [allow("s3:GetObject", OPEN.replace("open", "OPEN"))],
        get("open/a"),
        False,
    ),
    ("wildcard in an action", [allow("s3:Get*", OPEN)], get("open/a"), True),
    ("one-character wildcard", [allow("s3:GetObjec?", OPEN)], get("open/a"), True),
    ("bucket ARN is not its objects", [allow("s3:*", OPEN[:-7])], get("open/a"), False),
    (
        "an explicit deny wins",
        [allow("s3:*"), deny("s3:GetObject", OPEN)],
        get("open/a"),
        False,
    ),
    (
        "a deny for others does not matter",
        [allow("s3:*"), deny("s3:GetObject", CLOSED)],
        get("open/a"),
        True,
    ),
    (
        "a deny whose condition fails does not bind",
        [
            allow("s3:*"),
            deny("s3:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        ],
        get("open/a"),
        True,
    ),
    (
        "an allow whose condition fails does not open",
        [allow("s3:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
        get("open/a"),
        False,
    ),
    (
        "TLS-only denial leaves the loopback alone",
        [allow("s3:*"), deny("s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})],
        get("open/a"),
        True,
    ),
    (
        "listing is ListBucket on the bucket",
        [allow("s3:ListBucket", OPEN[:-7])],
        listing("x"),
        True,
    ),
    ("prefix within", [allow("s3:ListBucket", Condition=PREFIX)], listing("open/1"), True),
    ("prefix without", [allow("s3:ListBucket", Condition=PREFIX)], listing("closed/"), False),
    (
        "copy needs read and write",
        [allow("s3:GetObject", OPEN), allow("s3:PutObject", CLOSED)],
        copy("open/a", "closed/b"),
        True,
    ),
    ("copy without read", [allow("s3:PutObject", CLOSED)], copy("open/a", "closed/b"), False),
    (
        "conditional write demanded and given",
        [allow("s3:PutObject", Condition={"StringEquals": {"s3:if-none-match": "*"}})],
        put("open/new-1", IfNoneMatch="*"),
        True,
    ),
    (
        "conditional write demanded and missing",
        [allow("s3:PutObject", Condition={"StringEquals": {"s3:if-none-match": "*"}})],
        put("open/new-2"),
        False,
    ),
    (
        "NotAction allows the rest",
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        get("open/a"),
        True,
    ),
    (
        "NotAction withholds what it names",
        [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}],
        get("open/a"),
        False,
    ),
    (
        "NotResource withholds what it names",
        [{"Effect": "Allow", "Action": "s3:*", "NotResource": OPEN}],
        get("open/a"),
        False,
    ),
    (
        "a path of parameters",
        [allow("ssm:GetParametersByPath", f"arn:aws:ssm:*:{ACCOUNT}:parameter/app/dev*")],
        parameters("/app/dev"),
        True,
    ),
    (
        "another path of parameters",
        [allow("ssm:GetParametersByPath", f"arn:aws:ssm:*:{ACCOUNT}:parameter/app/dev*")],
        parameters("/app/prod"),
        False,
    ),
    ("a role must be passed", [CREATE], machine, False),
    ("a role is passed to the right service", [CREATE, PASS_TO_STATES], machine, True),
    ("a role is passed to another service", [CREATE, PASS_TO_LAMBDA], machine, False),
    (
        "publish to its topic",
        [allow("sns:Publish", f"arn:aws:sns:us-east-1:{ACCOUNT}:matrix-*")],
        publish,
        True,
    ),
    (
        "publish to another topic",
        [allow("sns:Publish", f"arn:aws:sns:*:{ACCOUNT}:other")],
        publish,
        False,
    ),
    (
        "send to its queue",
        [allow("sqs:SendMessage", f"arn:aws:sqs:*:{ACCOUNT}:matrix-queue")],
        send,
        True,
    ),
    (
        "send to another region's queue",
        [allow("sqs:SendMessage", f"arn:aws:sqs:eu-*:{ACCOUNT}:*")],
        send,
        False,
    ),
    (
        "a tag that is demanded",
        [allow("iam:CreateRole", Condition={"StringEquals": {"aws:RequestTag/team": "ml"}})],
        tagged,
        True,
    ),
    (
        "a tag key that is not listed",
        [
            allow(
                "iam:CreateRole", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}}
            )
        ],
        tagged,
        False,
    ),
    (
        "the principal's ARN is the role's, not the session's",
        [
            allow(
                "s3:GetObject",
                Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/role-*"}},
            )
        ],
        get("open/a"),
        True,
    ),
    (
        "versions of a group, with the group alone",
        [allow("sagemaker:ListModelPackages", f"{SM}:model-package-group/matrix")],
        versions,
        False,
    ),
    (
        "versions of a group, with the versions alone",
        [allow("sagemaker:ListModelPackages", f"{SM}:model-package/matrix/*")],
        versions,
        False,
    ),
    (
        "versions of a group",
        [
            allow("sagemaker:ListModelPackages", f"{SM}:model-package-group/matrix"),
            allow("sagemaker:ListModelPackages", f"{SM}:model-package/matrix/*"),
        ],
        versions,
        True,
    ),
]


@pytest.mark.parametrize(
    ("statements", "call", "allowed"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_matrix(statements: list[dict[str, Any]], call: Call, allowed: bool) -> None:
    holder = role(*statements)

    if allowed:
        call(holder)
        return
    with pytest.raises(ClientError) as denied:
        call(holder)

    error = denied.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError")
    assert f"assumed-role/{holder.name}/test is not authorized to perform: " in error["Message"]


def test_boundary_limits_what_identity_policies_allow() -> None:
    iam = developer_client("iam")
    boundary = iam.create_policy(
        PolicyName="matrix-boundary", PolicyDocument=document(allow("s3:GetObject", OPEN))
    )["Policy"]["Arn"]
    holder = role(allow("s3:*"), boundary=boundary)

    get("open/a")(holder)
    with pytest.raises(
        ClientError, match="because no permissions boundary allows the s3:GetObject"
    ):
        get("closed/a")(holder)


def test_session_policy_limits_the_session() -> None:
    holder = role(allow("s3:*"), session={"Policy": document(allow("s3:GetObject", OPEN))})

    get("open/a")(holder)
    with pytest.raises(ClientError, match="because no session policy allows the s3:PutObject"):
        put("open/z")(holder)


def test_managed_policy_counts_and_a_detached_one_does_not() -> None:
    iam = developer_client("iam")
    policy = iam.create_policy(
        PolicyName="matrix-managed", PolicyDocument=document(allow("s3:GetObject", OPEN))
    )["Policy"]["Arn"]
    holder = role()
    iam.attach_role_policy(RoleName=holder.name, PolicyArn=policy)

    get("open/a")(holder)

    iam.detach_role_policy(RoleName=holder.name, PolicyArn=policy)
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        get("open/a")(holder)


def test_aws_managed_policy_is_read_when_it_is_attached() -> None:
    holder = role()
    developer_client("iam").attach_role_policy(
        RoleName=holder.name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )

    get("open/a")(holder)
    with pytest.raises(ClientError, match="s3:PutObject"):
        put("open/z")(holder)


def test_bucket_policy_allows_a_role_without_identity_policy_and_denies_over_it() -> None:
    s3, reader, writer = developer_client("s3"), role(), role(allow("s3:*"))
    s3.create_bucket(Bucket="matrix-policy")
    s3.put_object(Bucket="matrix-policy", Key="k", Body=b"x")
    statements = [
        allow("s3:GetObject", "arn:aws:s3:::matrix-policy/*", Principal={"AWS": reader.arn}),
        deny("s3:PutObject", "arn:aws:s3:::matrix-policy/*", Principal="*"),
    ]
    s3.put_bucket_policy(Bucket="matrix-policy", Policy=document(*statements))

    reader.client("s3").get_object(Bucket="matrix-policy", Key="k")
    with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
        writer.client("s3").put_object(Bucket="matrix-policy", Key="k", Body=b"y")
    s3.delete_bucket_policy(Bucket="matrix-policy")


def test_account_root_in_a_bucket_policy_only_delegates() -> None:
    s3, holder = developer_client("s3"), role()
    s3.create_bucket(Bucket="matrix-root")
    s3.put_object(Bucket="matrix-root", Key="k", Body=b"x")
    statement = allow("s3:GetObject", "arn:aws:s3:::matrix-root/*", Principal=ME)
    s3.put_bucket_policy(Bucket="matrix-root", Policy=document(statement))

    with pytest.raises(ClientError, match="no identity-based policy allows the s3:GetObject"):
        holder.client("s3").get_object(Bucket="matrix-root", Key="k")


def test_missing_object_is_forbidden_to_those_who_may_not_list() -> None:
    blind, seeing = role(allow("s3:GetObject")), role(allow(["s3:GetObject", "s3:ListBucket"]))

    with pytest.raises(ClientError, match="s3:ListBucket"):
        get("open/none")(blind)
    with pytest.raises(ClientError, match="NoSuchKey"):
        get("open/none")(seeing)


def test_encrypted_bucket_asks_for_the_key_too() -> None:
    s3, kms = developer_client("s3"), developer_client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="matrix-kms")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket="matrix-kms",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    without = role(allow("s3:*"))
    writer = role(allow("s3:*"), allow("kms:GenerateDataKey", key, Condition=via))

    with pytest.raises(ClientError, match=f"kms:GenerateDataKey on resource: {key}"):
        without.client("s3").put_object(Bucket="matrix-kms", Key="k", Body=b"x")
    writer.client("s3").put_object(Bucket="matrix-kms", Key="k", Body=b"x")
    with pytest.raises(ClientError, match=f"kms:Decrypt on resource: {key}"):
        writer.client("s3").get_object(Bucket="matrix-kms", Key="k")


def test_key_policy_must_let_the_account_in() -> None:
    kms, owner = developer_client("kms"), role(allow("kms:*"))
    statement = allow("kms:*", Principal={"AWS": owner.arn})
    key = kms.create_key(Policy=document(statement))["KeyMetadata"]["KeyId"]

    owner.client("kms").describe_key(KeyId=key)
    with pytest.raises(ClientError, match="no resource-based policy allows the kms:DescribeKey"):
        role(allow("kms:*")).client("kms").describe_key(KeyId=key)


def test_cross_account_needs_both_sides() -> None:
    other = "222233334444"
    admin = developer_client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{other}:role/OrganizationAccountAccessRole", RoleSessionName="admin"
    )["Credentials"]
    there = Role("", "", admin)
    guest = role(
        allow("s3:GetObject"),
        iam=there.client("iam"),
        sts=there.client("sts"),
        trusted=trust({"AWS": f"arn:aws:iam::{other}:root"}),
    )
    s3 = developer_client("s3")
    s3.create_bucket(Bucket="matrix-shared")
    s3.put_object(Bucket="matrix-shared", Key="k", Body=b"x")

    with pytest.raises(ClientError, match="no resource-based policy allows"):
        guest.client("s3").get_object(Bucket="matrix-shared", Key="k")
    statement = allow(
        ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::matrix-shared/*", Principal={"AWS": other}
    )
    s3.put_bucket_policy(Bucket="matrix-shared", Policy=document(statement))
    assert guest.client("s3").get_object(Bucket="matrix-shared", Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="no identity-based policy allows the s3:PutObject"):
        guest.client("s3").put_object(Bucket="matrix-shared", Key="k", Body=b"x")


def test_removing_a_role_ends_its_sessions() -> None:
    holder = role(allow("s3:GetObject"))
    get("open/a")(holder)
    iam = developer_client("iam")
    iam.delete_role_policy(RoleName=holder.name, PolicyName="p")
    iam.delete_role(RoleName=holder.name)

    with pytest.raises(ClientError, match="AccessDenied"):
        get("open/a")(holder)


def test_denied_calls_name_action_and_resource_in_the_words_of_aws() -> None:
    with pytest.raises(ClientError) as denied:
        role().client("sagemaker").describe_training_job(TrainingJobName="j-1")

    error = denied.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].endswith(
        f"is not authorized to perform: sagemaker:DescribeTrainingJob on resource: "
        f"{SM}:training-job/j-1 because no identity-based policy allows the "
        "sagemaker:DescribeTrainingJob action"
    )


def test_policy_variables_stand_for_the_caller() -> None:
    home = f"arn:aws:s3:::{BUCKET}/" + "${aws:PrincipalTag/team}/*"
    trusted = document(
        {"Effect": "Allow", "Principal": ME, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    )
    holder = role(
        allow("s3:GetObject", home),
        trusted=trusted,
        session={"Tags": [{"Key": "team", "Value": "open"}]},
    )

    get("open/a")(holder)
    with pytest.raises(ClientError, match="AccessDenied"):
        get("closed/a")(holder)


def test_service_role_needs_the_trust_of_its_service(laptop: Any) -> None:
    from localaws.errors import AccessDeniedByLocalAws
    from localaws.iam import service as iam

    source = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    trusted = trust({"Service": "events.amazonaws.com"}, Condition=source)
    arn = developer_client("iam").create_role(
        RoleName="matrix-service", AssumeRolePolicyDocument=trusted
    )["Role"]["Arn"]
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"

    session = iam.assume_service_role(
        arn, "events.amazonaws.com", session_name="s", source_arn=rule
    )

    assert session.principal.arn.endswith(":assumed-role/matrix-service/s")
    with pytest.raises(
        AccessDeniedByLocalAws, match=r"User: states.amazonaws.com is not authorized"
    ):
        iam.assume_service_role(arn, "states.amazonaws.com", session_name="s")
    with pytest.raises(AccessDeniedByLocalAws, match="no resource-based policy"):
        iam.assume_service_role(
            arn, "events.amazonaws.com", session_name="s", source_account="999999999999"
        )


def test_topic_policy_lets_a_service_publish(laptop: Any) -> None:
    from localaws.errors import AccessDeniedByLocalAws
    from localaws.iam import service as iam

    sns = developer_client("sns")
    arn = sns.create_topic(Name="matrix-service-topic")["TopicArn"]
    with pytest.raises(AccessDeniedByLocalAws):
        iam.authorize_service("events.amazonaws.com", "sns:Publish", arn)

    statement = allow("sns:Publish", arn, Principal={"Service": "events.amazonaws.com"})
    sns.set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=document(statement)
    )

    iam.authorize_service("events.amazonaws.com", "sns:Publish", arn)


def test_decisions_are_recorded_as_json_lines(laptop: Any) -> None:
    import urllib.request

    holder = role(allow("s3:GetObject", OPEN))
    get("open/a")(holder)

    with urllib.request.urlopen(f"{laptop.url}/_localaws/decisions") as answer:
        lines = [json.loads(line) for line in answer.read().splitlines()]

    mine = [line for line in lines if line["role"] == holder.arn]
    assert [line["action"] for line in mine] == ["s3:GetObject"]
    assert mine[0]["allowed"] is True
    assert mine[0]["resource"] == f"arn:aws:s3:::{BUCKET}/open/a"
    assert mine[0]["matched"] == ["p#0"]


def test_function_policy_lets_a_rule_invoke(laptop: Any) -> None:
    import io
    import zipfile

    from localaws.errors import AccessDeniedByLocalAws
    from localaws.iam import service as iam

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("f.py", "def handler(event, context): return event")
    functions, runner = (
        developer_client("lambda"),
        role(trusted=trust({"Service": "lambda.amazonaws.com", **ME})),
    )
    arn = functions.create_function(
        FunctionName="matrix-function",
        Runtime="python3.13",
        Role=runner.arn,
        Handler="f.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/matrix"

    def ask(source: str) -> None:
        iam.authorize_service(
            "events.amazonaws.com", "lambda:InvokeFunction", arn, source_arn=source
        )

    with pytest.raises(AccessDeniedByLocalAws):
        ask(rule)
    functions.add_permission(
        FunctionName="matrix-function",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    ask(rule)
    with pytest.raises(AccessDeniedByLocalAws):
        ask(rule + "-other")


def test_tagging_a_session_takes_permission_of_its_own() -> None:
    with pytest.raises(ClientError, match="not authorized to perform: sts:TagSession"):
        role(session={"Tags": [{"Key": "team", "Value": "ml"}]})


def test_policies_of_aws_itself_can_be_read() -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

    assert developer_client("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_a_service_without_a_role_is_let_in_by_the_resource(laptop: Any) -> None:
    from localaws.clients import client_as_service

    sqs = developer_client("sqs")
    url = sqs.create_queue(QueueName="matrix-service")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:matrix-service"
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/matrix"
    events = client_as_service("events.amazonaws.com", "sqs", source_arn=rule)
    with pytest.raises(ClientError, match="because no resource-based policy allows"):
        events.send_message(QueueUrl=url, MessageBody="m")

    statement = allow(
        "sqs:SendMessage",
        queue,
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnEquals": {"aws:SourceArn": rule}},
    )
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})

    events.send_message(QueueUrl=url, MessageBody="m")
    other = client_as_service("events.amazonaws.com", "sqs", source_arn=rule + "2")
    with pytest.raises(ClientError, match="AccessDenied"):
        other.send_message(QueueUrl=url, MessageBody="m")


def test_an_action_nobody_used_is_found_and_its_removal_is_felt(laptop: Any) -> None:
    from localaws.iam import record as iam_record
    from localaws.iam import service as iam

    iam.forget_decisions()
    holder = role(allow(["s3:GetObject", "s3:DeleteObject"], OPEN, Sid="Objects"))
    get("open/a")(holder)
    policies = {holder.arn: iam.role_policies(ACCOUNT)[holder.arn]}

    spare = iam_record.unneeded(iam.decisions(), policies)
    used = [r for r, denied in iam_record.denials(iam.decisions(), policies).items() if denied]

    assert [removal.action for removal in spare] == ["s3:DeleteObject"]
    assert [removal.action for removal in used] == ["s3:GetObject"]
    edited = iam_record.without(policies[holder.arn]["p"], used[0])
    developer_client("iam").put_role_policy(
        RoleName=holder.name, PolicyName="p", PolicyDocument=json.dumps(edited)
    )
    with pytest.raises(ClientError, match="s3:GetObject on resource"):
        get("open/a")(holder)
