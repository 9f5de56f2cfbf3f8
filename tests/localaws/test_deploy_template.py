"""A template is refused, with every reason, before anything is made."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from localaws.deployer import graph, packaging, template
from localaws.deployer.blueprint import Blueprint, DeployRequest, draw
from localaws.deployer.errors import TemplateInvalid
from localaws.deployer.template import Surroundings

HERE = Surroundings("stack-1", "123456789012", "us-east-1")


def written(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def drawn(folder: Path, text: str, **parameters: str) -> Blueprint:
    path = written(folder, text)
    return draw(DeployRequest(path, "stack-1", parameters, build_dir=folder / "build"), HERE)


def problems_of(folder: Path, text: str, **parameters: str) -> list[str]:
    with pytest.raises(TemplateInvalid) as caught:
        drawn(folder, text, **parameters)
    return [str(problem) for problem in caught.value.problems]


TOPIC = """
    Resources:
      Topic:
        Type: AWS::SNS::Topic
"""


def test_short_forms_and_dates_are_read_as_cloudformation_reads_them(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        Resources:
          Role:
            Type: AWS::IAM::Role
            Properties:
              Description: !Sub ["${A}", {A: !Ref AWS::Region}]
              Version: 2012-10-17
              Arn: !GetAtt Other.Arn.Deep
        """,
    )

    properties = template.read(path)["Resources"]["Role"]["Properties"]

    assert properties == {
        "Description": {"Fn::Sub": ["${A}", {"A": {"Ref": "AWS::Region"}}]},
        "Version": "2012-10-17",
        "Arn": {"Fn::GetAtt": ["Other", "Arn.Deep"]},
    }


@pytest.mark.parametrize(
    ("rule", "given", "message"),
    [
        ("{Type: String}", None, "has no value and no default"),
        ("{Type: String, AllowedValues: [a, b]}", "c", "not one of a, b"),
        ("{Type: String, AllowedPattern: '^[a-z]+$'}", "A1", "must match"),
        ("{Type: String, MaxLength: 2}", "abc", "must lie between"),
        ("{Type: Number, MinValue: 5}", "4", "must lie between"),
        ("{Type: Number}", "four", "not a number"),
        ("{Type: AWS::EC2::VPC::Id}", "vpc-1", "is not supported"),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_refused(
    tmp_path: Path, rule: str, given: str | None, message: str
) -> None:
    text = f"Parameters:\n  P: {rule}\nResources:\n  T: {{Type: AWS::SNS::Topic}}\n"
    values = {} if given is None else {"P": given}

    found = problems_of(tmp_path, text, **values)

    assert message in found[0]
    assert "[/Parameters/P]" in found[0]


def test_an_undeclared_parameter_is_refused(tmp_path: Path) -> None:
    assert "parameter Nmae is not declared" in problems_of(tmp_path, TOPIC, Nmae="x")[0]


def test_every_unsupported_type_is_listed_with_its_pointer(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        Resources:
          Table: {Type: AWS::DynamoDB::Table}
          Topic: {Type: AWS::SNS::Topic}
          Vpc: {Type: AWS::EC2::VPC}
        """,
    )

    assert [line.split(":")[0] for line in found] == [
        "Table (AWS",
        "Vpc (AWS",
    ]
    assert "[/Resources/Vpc/Type]" in found[1]


@pytest.mark.parametrize(
    ("properties", "message", "pointer"),
    [
        ("{TopicNmae: x}", "property TopicNmae is not supported; did you mean TopicName?", ""),
        ("{FifoTopic: maybe}", "must be true or false", "/FifoTopic"),
        ("{TopicName: [x]}", "must be a text", "/TopicName"),
        ("{Tags: [{Key: a}]}", "required property Value is missing", "/Tags/0"),
        ("{Tags: {a: b}}", "must be a list", "/Tags"),
    ],
)
def test_a_wrong_property_is_named_with_its_pointer(
    tmp_path: Path, properties: str, message: str, pointer: str
) -> None:
    text = f"Resources:\n  Topic: {{Type: AWS::SNS::Topic, Properties: {properties}}}\n"

    found = problems_of(tmp_path, text)

    assert message in found[0]
    assert f"[/Resources/Topic/Properties{pointer}" in found[0]


def test_problems_of_several_resources_come_together(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        Resources:
          A: {Type: AWS::SNS::Topic, Properties: {Nope: 1}}
          B: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Nowhere}}
          C: {Type: AWS::SSM::Parameter, Properties: {Type: SecureString, Value: x}}
        """,
    )

    assert len(found) == 3


def test_scalars_take_the_type_of_their_property(tmp_path: Path) -> None:
    blueprint = drawn(
        tmp_path,
        """
        Resources:
          Queue:
            Type: AWS::SQS::Queue
            Properties: {QueueName: 5, DelaySeconds: "7", FifoQueue: "false"}
        """,
    )

    properties = blueprint.properties("Queue", blueprint.scope)

    assert properties == {"QueueName": "5", "DelaySeconds": 7, "FifoQueue": False}


def test_a_rule_of_the_template_refuses_parameters(tmp_path: Path) -> None:
    text = """
        Parameters: {Kind: {Type: String, Default: S3}, Url: {Type: String, Default: ""}}
        Rules:
          GitNeedsUrl:
            RuleCondition: !Equals [!Ref Kind, Git]
            Assertions:
              - Assert: !Not [!Equals [!Ref Url, ""]]
                AssertDescription: Git needs Url.
        Resources: {T: {Type: AWS::SNS::Topic}}
    """

    drawn(tmp_path, text)
    drawn(tmp_path, text, Kind="Git", Url="x")
    assert "Git needs Url." in problems_of(tmp_path, text, Kind="Git")[0]


LIST_RULE = """
    Parameters: {{Accounts: {{Type: CommaDelimitedList, Default: ""}}}}
    Rules:
      Some:
        Assertions: [{{Assert: {assertion}, AssertDescription: none}}]
    Resources: {{T: {{Type: AWS::SNS::Topic}}}}
"""


@pytest.mark.parametrize(
    ("assertion", "holding", "failing"),
    [
        ('!Not [!Contains [!Ref Accounts, ""]]', "1,2", ""),
        ('!Not [!EachMemberEquals [!Ref Accounts, ""]]', "1,2", ""),
        ('!EachMemberIn [!Ref Accounts, ["1", "2"]]', "2,1", "1,3"),
        ('!Or [!Contains [!Ref Accounts, "1"], !Contains [!Ref Accounts, "2"]]', "2", "3"),
        ('!And [!Contains [!Ref Accounts, "1"], !Contains [!Ref Accounts, "2"]]', "1,2", "1"),
    ],
)
def test_rules_have_functions_for_lists(
    tmp_path: Path, assertion: str, holding: str, failing: str
) -> None:
    """What each means: CloudFormation User Guide, "Rule functions"; an empty list is one ""."""
    text = LIST_RULE.format(assertion=assertion)

    drawn(tmp_path, text, Accounts=holding)
    assert "none" in problems_of(tmp_path, text, Accounts=failing)[0]


@pytest.mark.parametrize(
    ("assertion", "said"),
    [
        ('!Not [!Equals [!Join ["", !Ref Accounts], ""]]', "Fn::Join is not allowed in Rules"),
        ('!Equals [!Select [0, !Ref Accounts], "1"]', "Fn::Select is not allowed in Rules"),
        ("!Condition Any", "Condition is not allowed in Rules"),
        ('!Contains [!RefAll "AWS::EC2::VPC::Id", "1"]', "Fn::RefAll is not supported by the"),
    ],
)
def test_no_other_function_stands_in_a_rule(tmp_path: Path, assertion: str, said: str) -> None:
    """They are refused whatever the parameters are, as a template is validated before them."""
    text = LIST_RULE.format(assertion=assertion)

    assert said in problems_of(tmp_path, text, Accounts="1")[0]


def test_a_circle_is_named(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        Resources:
          A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref B}}
          B: {Type: AWS::SNS::Topic, DependsOn: A}
        """,
    )

    assert "circular dependency" in found[0]
    assert "A → B" in found[0] or "B → A" in found[0]


def test_resources_follow_what_they_need_and_absent_ones_do_not_count(tmp_path: Path) -> None:
    blueprint = drawn(
        tmp_path,
        """
        Conditions: {Never: !Equals [a, b]}
        Resources:
          A: {Type: AWS::SNS::Topic, DependsOn: [B, Gone], Properties: {DisplayName: !Ref C}}
          B: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "${C.TopicName}"}}
          C: {Type: AWS::SNS::Topic}
          Gone: {Type: AWS::SNS::Topic, Condition: Never}
        """,
    )

    assert blueprint.order == ("C", "B", "A")
    assert graph.order(blueprint.needs) == blueprint.order


SERVERLESS = """
    Transform: AWS::Serverless-2016-10-31
    Globals: {Function: {CodeUri: code, Runtime: python3.13}}
    Resources:
      Layer:
        Type: AWS::Serverless::LayerVersion
        Metadata: {BuildMethod: python3.13}
        Properties: {ContentUri: layer}
      First:
        Type: AWS::Serverless::Function
        Properties:
          Handler: app.handler
          Role: arn:aws:iam::123456789012:role/r
          Layers: [!Ref Layer]
      Second:
        Type: AWS::Serverless::Function
        Properties: {Handler: app.handler, Role: arn:aws:iam::123456789012:role/r}
"""


def serverless(folder: Path, code: str = "def handler(event, context): return 1\n") -> Blueprint:
    for name, text in {"code/app.py": code, "layer/shared.py": "A = 1\n"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return drawn(folder, SERVERLESS)


def test_serverless_types_are_expanded_with_code_packaged_once(tmp_path: Path) -> None:
    blueprint = serverless(tmp_path)

    types = sorted(resource["Type"] for resource in blueprint.resources.values())
    assert types == [*["AWS::Lambda::Function"] * 2, "AWS::Lambda::LayerVersion"]
    assert len(blueprint.artifacts) == 2


def test_the_same_content_is_the_same_artifact_and_changed_content_another(tmp_path: Path) -> None:
    first = serverless(tmp_path)
    again = serverless(tmp_path)
    changed = serverless(tmp_path, "def handler(event, context): return 2\n")

    assert first.artifacts == again.artifacts
    assert first.resources == again.resources
    assert first.artifacts[1].key != changed.artifacts[1].key


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    found = problems_of(tmp_path, SERVERLESS)

    assert "which does not exist" in found[0]
    assert "[/Resources/" in found[0]


def test_caches_and_tests_stay_out_of_a_package(tmp_path: Path) -> None:
    for name in ("app.py", "__pycache__/app.pyc", "tests/test_app.py", "deep/part.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")

    assert [path.as_posix() for path in packaging.files_of(tmp_path)] == ["app.py", "deep/part.py"]


def test_a_serverless_mistake_is_told_as_a_problem(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        Transform: AWS::Serverless-2016-10-31
        Resources:
          F: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler, CodeUrl: x}}
        """,
    )

    assert any("CodeUrl" in line for line in found), found


def test_unknown_sections_and_attributes_are_refused(tmp_path: Path) -> None:
    assert (
        "section Resorces"
        in problems_of(tmp_path, "Resorces: {}\nResources: {T: {Type: AWS::SNS::Topic}}\n")[0]
    )
    found = problems_of(tmp_path, "Resources: {T: {Type: AWS::SNS::Topic, UpdatePolicy: {}}}\n")
    assert "attribute UpdatePolicy is not supported" in found[0]


def test_a_value_that_is_no_template_is_refused(tmp_path: Path) -> None:
    bad: dict[str, Any] = {"a: [": "is not YAML", "just: text": "has no Resources"}
    for text, message in bad.items():
        assert message in problems_of(tmp_path, text)[0]
