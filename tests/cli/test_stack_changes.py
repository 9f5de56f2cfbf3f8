"""A stack of the account set-up is brought to its template, or nothing is left behind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import clients
from localaws.accounts import BY_ENVIRONMENT
from localaws.context import REGION
from localaws.server import Config, LaptopServer
from signalbox_cli import template_bodies
from signalbox_cli.errors import CommandError
from signalbox_cli.stack_changes import Wanted, prepare
from signalbox_cli.target import Target
from signalbox_cli.template_bodies import body_of
from tests.cli.conftest import ROOT


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[LaptopServer]:
    with LaptopServer(Config(port=0, state_dir=tmp_path / "state")) as server:
        yield server


class Interrupted:
    """CloudFormation, and Ctrl-C while one of its answers is awaited."""

    def __init__(self, service: Any, operation: str) -> None:
        self.service, self.operation = service, operation

    def __getattr__(self, name: str) -> Any:
        def interrupt(**arguments: Any) -> Any:
            self.operation = ""
            getattr(self.service, name)(**arguments)
            raise KeyboardInterrupt

        return interrupt if name == self.operation else getattr(self.service, name)


@pytest.mark.parametrize("operation", ["create_change_set", "describe_change_set"])
def test_an_interruption_while_planning_leaves_nothing(
    tmp_path: Path, laptop: LaptopServer, operation: str
) -> None:
    dev = BY_ENVIRONMENT["dev"]
    keys = {"access_key_id": dev.access_key_id, "secret_access_key": dev.secret_access_key}
    target = Target(region=REGION, endpoint_url=laptop.url, **keys)
    target._memo["cloudformation"] = Interrupted(target.client("cloudformation"), operation)
    template = tmp_path / "topic.yaml"
    template.write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}\n")
    wanted = Wanted("signalbox-data", template, {}, (), {})

    with pytest.raises(KeyboardInterrupt):
        prepare(target, wanted)

    left = clients.developer_client("cloudformation").describe_stacks()["Stacks"]
    assert left == []


def test_a_long_template_travels_without_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    body = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"
    path.write_text(body + "# a comment\n" * 6000)

    assert json.loads(body_of(path)) == {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    for template in ("account.yaml", "pipeline.yaml"):
        assert len(body_of(ROOT / "delivery" / template).encode()) <= 51_200


def test_a_template_that_is_too_long_without_comments_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(f"Description: {'x' * 60_000}\nResources: {{A: {{Type: AWS::SNS::Topic}}}}\n")

    with pytest.raises(CommandError, match="bytes even without comments, at most 51200"):
        body_of(path)


def test_what_is_sent_can_be_written_for_the_aws_cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/delivery.md has it, for who sets an account up without bootstrap."""
    short, none = tmp_path / "short.yaml", tmp_path / "none.yaml"
    short.write_text("Resources: {A: {Type: AWS::SNS::Topic}} # a topic\n")

    assert template_bodies.main([str(short)]) == 0
    assert capsys.readouterr().out == short.read_text()
    assert template_bodies.main([str(none)]) == 1
    assert "none.yaml" in capsys.readouterr().err
