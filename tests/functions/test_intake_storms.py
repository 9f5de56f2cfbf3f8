"""Event storms: uploads and gates told 1 to 5 times, late and shuffled, always end the same."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functions.intake_world import BAD, BUCKET, GOOD, OTHER_GOOD, Uploads, waiting_run

# What people upload, in this order: a bad file replaced by a good one, one overwritten, two beside.
STORY = (
    ("data.csv", BAD),
    ("data.csv", GOOD),
    ("more.csv", OTHER_GOOD),
    ("more.csv", GOOD),
    ("stray.csv", b""),
)
GATE = len(STORY)  # the event that tells that the gate waits


@st.composite
def schedules(draw: st.DrawFn) -> list[int]:
    """Every event 1 to 5 times in any order, uploads and their events interleaved."""
    times = [draw(st.integers(1, 5)) for _ in range(GATE + 1)]
    return draw(st.permutations([event for event, n in enumerate(times) for _ in range(n)]))


def end_state(uploads: Uploads) -> dict[str, Any]:
    """Everything that is left when the storm is over, without times and orders."""
    labels = uploads.labels
    history = {
        (labels[e["detail"]["versionId"]], e["status"], tuple(e["detail"].get("findings", ())))
        for e in uploads.history()
    }
    profiles = {
        name: (labels[p.pop("versionId")], p["rows"], sorted(p["columns"]))
        for name, p in uploads.profiles().items()
    }
    here = uploads.keys(f"runs/{uploads.run_id}/source/")
    moved = [key.split("/")[-1] for key in uploads.keys("quarantine/")]
    told = sorted(message["sections"][0]["lines"] for message in uploads.told())
    return {
        "history": history,
        "entries": len(uploads.history()),
        "profiles": profiles,
        "source": here,
        "quarantine": sorted(moved),
        "messages": told,
        "approvals": len(uploads.approvals),
    }


def weather(uploads: Uploads, events: list[dict[str, Any]], schedule: list[int]) -> None:
    for event in schedule:
        if event == GATE:
            uploads.notify()
        else:
            uploads.deliver(events[event])


def begin_again(uploads: Uploads, manifest: bytes) -> None:
    """The run as it was before anything was uploaded."""
    s3 = uploads.world.s3
    listed = s3.list_object_versions(Bucket=BUCKET)
    for found in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
        if "/code/" not in found["Key"]:
            s3.delete_object(Bucket=BUCKET, Key=found["Key"], VersionId=found["VersionId"])
    s3.put_object(Bucket=BUCKET, Key=f"runs/{uploads.run_id}/manifest.json", Body=manifest)
    uploads.world.pipeline.answers.clear()
    uploads.published.clear()
    uploads.gate_waits()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_schedule_of_deliveries_ends_in_the_same_state(world, workload, author):
    author["data"] |= {"columns": {"age": "number"}, "label": "target"}
    uploads = waiting_run(world, workload, author)
    key = f"runs/{uploads.run_id}/manifest.json"
    manifest = world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    ends = []

    @settings(
        max_examples=200, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(schedules())
    def storm(schedule: list[int]) -> None:
        begin_again(uploads, manifest)
        events = [uploads.put(name, content) for name, content in STORY]
        versions = [event["detail"]["object"]["version-id"] for event in events]
        uploads.labels = {version: number for number, version in enumerate(versions)}
        weather(uploads, events, schedule)
        ends.append(end_state(uploads))

    storm()

    assert len(ends) >= 200
    assert all(end == ends[0] for end in ends)
    assert ends[0]["source"] == [
        k for k in ends[0]["source"] if k.endswith(("data.csv", "more.csv"))
    ]
    assert ends[0]["entries"] == len(STORY)
    assert ends[0]["approvals"] == 1
    assert len(ends[0]["messages"]) == 2
