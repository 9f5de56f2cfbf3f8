"""What comes into a function from outside: its environment and its event."""

import json
from pathlib import Path

import pytest

from signalbox import events, settings
from signalbox.errors import EventError, SettingsError

EVENTS = Path(__file__).parents[2] / "events"


def test_every_missing_variable_is_named():
    with pytest.raises(SettingsError) as raised:
        settings.load(settings.PlatformSettings, {"APP_NAME": "signalbox"})

    assert "WORKFLOW_BUCKET: not set" in str(raised.value)
    assert "KMS_KEY_ARN: not set" in str(raised.value)
    assert "APP_NAME" not in str(raised.value)


def test_an_empty_variable_is_as_bad_as_a_missing_one():
    with pytest.raises(SettingsError, match="WORKFLOW_BUCKET: String should have at least 1"):
        settings.load(settings.RunSettings, {"WORKFLOW_BUCKET": ""})


def test_a_job_event_gives_what_the_functions_use():
    event = json.loads((EVENTS / "create_schema.json").read_text())

    job = events.read(events.PipelineJob, events.job_in(event))

    assert job.execution_id == "f4f5a1de-2c0f-4a57-9d2b-6d1a5f0c7b11"
    assert job.input_name == "WorkloadArchive"
    assert job.output.key == "signalbox-dev-workfl/ResolvedMa/Yw2xExB"


def test_fields_that_aws_adds_are_ignored():
    event = json.loads((EVENTS / "approval_notifier.json").read_text())
    event["detail"]["invented-tomorrow"] = {"a": 1}

    assert events.read(events.ActionStateChanged, event).asks_a_person


@pytest.mark.parametrize("version", [1, 1.0, "1"])
def test_the_version_of_an_event_may_be_a_number_or_a_text(version):
    event = json.loads((EVENTS / "approval_notifier.json").read_text())
    event["detail"]["version"] = version

    assert events.read(events.ActionStateChanged, event).detail.version == str(version)


@pytest.mark.parametrize("event", [None, [], {}, {"CodePipeline.job": 1}, {"Records": []}])
def test_what_is_no_job_is_refused(event):
    with pytest.raises(EventError, match=r"CodePipeline\.job"):
        events.job_id_of(event)


def test_a_message_about_an_event_shows_none_of_its_values():
    with pytest.raises(EventError) as raised:
        events.read(events.PipelineJob, {"id": 5, "data": {"artifactCredentials": "SECRET"}})

    assert "/id" in str(raised.value)
    assert "SECRET" not in str(raised.value)


def test_events_in_the_repository_hold_no_real_credentials():
    for path in EVENTS.glob("*.json"):
        found = path.read_text()
        assert "secretAccessKey" not in found or "EXAMPLE" in found
