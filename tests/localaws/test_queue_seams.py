"""The private names of moto that queues, mail and secrets stand on; the seams go by these."""

import inspect

from moto.awslambda.models import EventSourceMapping, LambdaBackend
from moto.secretsmanager.models import FakeSecret
from moto.sns.models import Subscription
from moto.sqs.models import Queue

from localaws.lambdas.queues import failures_in


def test_a_mapping_is_made_changed_and_deleted_by_the_backend() -> None:
    for name in ("create", "update", "delete"):
        assert callable(getattr(LambdaBackend, f"{name}_event_source_mapping"))
    source = inspect.getsource(EventSourceMapping.__init__)
    for name in ("uuid", "function_arn", "enabled", "function_response_types", "batch_size"):
        assert f"self.{name}" in source


def test_a_queue_adds_messages_in_one_place_and_keeps_its_mappings() -> None:
    assert "lambda_event_source_mappings" in inspect.getsource(Queue.__init__)
    assert list(inspect.signature(Queue.add_message).parameters) == ["self", "message"]


def test_a_subscription_publishes_with_its_filter_and_the_protocol_s_text() -> None:
    assert hasattr(Subscription, "_parse_message_structure")
    assert "_filter_policy_matcher" in inspect.getsource(Subscription.__init__)
    assert {"message", "message_id"} <= set(inspect.signature(Subscription.publish).parameters)


def test_a_secret_knows_its_key() -> None:
    assert "kms_key_id" in inspect.signature(FakeSecret.__init__).parameters


def test_a_report_that_names_a_stranger_brings_all_messages_again() -> None:
    """Lambda Developer Guide, "Implementing partial batch responses": an unknown id fails all."""
    report = b'{"batchItemFailures": [{"itemIdentifier": "stranger"}]}'

    assert failures_in(report, {"a", "b"}) == {"a", "b"}
