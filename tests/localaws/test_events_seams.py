"""Each private name of moto that events use is where it was."""

import inspect

from moto.codepipeline.responses import CodePipelineResponse
from moto.events.models import EventPattern, Rule
from moto.events.responses import EventsHandler
from moto.s3 import models as s3_models
from moto.s3 import notifications
from moto.s3.models import S3Backend

from localaws.moto_seams import pipelines as moto_seams_pipelines
from localaws.pipelines import service as pipelines
from localaws.server import LaptopServer


def test_rules_have_what_delivery_reads():
    rule = Rule(
        "n", "123456789012", "us-east-1", None, '{"source": ["a"]}', None, None, "default", None
    )

    assert rule.arn == "arn:aws:events:us-east-1:123456789012:rule/n"
    assert (rule.state, rule.targets, rule.scheduled_expression) == ("ENABLED", [], None)
    assert (rule.account_id, rule.region_name, rule.event_bus_name) == (
        "123456789012",
        "us-east-1",
        "default",
    )
    assert isinstance(rule.event_pattern, EventPattern)
    assert rule.event_pattern.dump() == '{"source": ["a"]}'


def test_operations_of_events_exist_under_the_names_that_are_replaced(laptop: LaptopServer):
    for name in ("put_events", "put_rule", "put_targets", "enable_rule", "test_event_pattern"):
        assert callable(getattr(EventsHandler, name))
    assert list(inspect.signature(Rule.send_to_targets).parameters)[:2] == ["self", "event"]


def test_s3_sends_its_notifications_through_the_module_that_is_replaced():
    source = inspect.getsource(s3_models)

    assert s3_models.notifications is notifications
    assert "notifications.send_event(" in source
    assert (
        notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT.value == "s3:ObjectCreated:Put"
    )
    assert callable(notifications._send_event_bridge_message)
    assert callable(S3Backend.delete_object)


def test_pipelines_operations_dispatch_by_moto_s_names():
    assert moto_seams_pipelines.method_name("GetPipelineState") == "get_pipeline_state"
    assert hasattr(CodePipelineResponse, "dispatch")
    assert len(pipelines.OPERATIONS) == 22
