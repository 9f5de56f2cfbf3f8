"""data_intake: good data opens its gate, bad data is moved away and people are told, once each."""

import gzip
import json

import pytest

from functions import record_outcome
from signalbox.aws import clients
from signalbox.aws import intake as data
from signalbox.errors import EventError
from signalbox.intake import Arrival
from signalbox.intake_rules import Part
from signalbox.machine_requests import OutcomeReport
from tests.functions.intake_world import BAD, BUCKET, GOOD, OTHER_GOOD, waiting_run


@pytest.fixture
def run(world, workload, author):
    """A run that waits for training data."""
    author["data"] |= {"columns": {"age": "number"}, "label": "target"}
    return waiting_run(world, workload, author)


def test_good_data_opens_the_gate_and_says_with_what(run):
    outcome = run.upload("data.csv", GOOD)

    assert outcome == "accepted, gate made"
    (approval,) = run.approvals
    assert approval["result"] == {
        "status": "Approved",
        "summary": "Opened by Signalbox: data.csv, 40 rows, checked and accepted.",
    }
    (entry,) = run.history()
    assert (entry["phase"], entry["status"]) == ("source-data", "accepted")
    assert (entry["detail"]["file"], entry["detail"]["rows"]) == ("data.csv", 40)
    assert entry["detail"]["digest"].startswith("sha256:")
    assert run.published == []


def test_the_profile_of_good_data_is_kept(run):
    run.upload("data.csv", GOOD)

    profile = run.profiles()["source/data.csv"]
    assert profile["rows"] == 40
    age = profile["columns"]["age"]
    # 20..59: the quantiles of 40 consecutive numbers, interpolated linearly.
    assert (age["type"], age["missing"], age["min"], age["max"]) == ("number", 0, 20, 59)
    assert age["quantiles"]["0.5"] == 39.5
    assert age["distinct"] == 40
    assert sum(age["histogram"]["counts"]) == 40


def test_bad_data_is_moved_with_its_findings_and_people_are_told(run):
    outcome = run.upload("data.csv", BAD)

    assert outcome == "quarantined"
    assert run.approvals == []
    (entry,) = run.history()
    assert entry["status"] == "quarantined"
    place = f"quarantine/{run.run_id}/source/{entry['detail']['versionId']}/data.csv"
    assert run.keys("quarantine/") == [place, f"{place}.findings.json"]
    assert run.keys(f"runs/{run.run_id}/source/") == []
    assert run.world.s3.get_object(Bucket=BUCKET, Key=place)["Body"].read() == BAD
    stored = run.world.s3.get_object(Bucket=BUCKET, Key=f"{place}.findings.json")["Body"].read()
    (finding,) = json.loads(stored)["findings"]
    assert (finding["row"], finding["column"], finding["value"]) == (3, "age", "old")
    (message,) = run.told()
    assert run.run_id in message["subject"]
    assert 'row 3, column "age": "old" is no number' in message["sections"][0]["lines"][0]
    (published,) = run.published
    assert published["MessageAttributes.entry.1.Value.StringValue"] == "quarantined"


def test_the_profiles_of_many_wide_files_stay_readable(run):
    """What is longer than 5 MB nobody here reads: the next upload would fail, and the report."""
    column = {"type": "number", "histogram": {"counts": [100_000] * 20}}
    profile = {"rows": 7, "columns": {f"column {n}": column for n in range(9_000)}}
    for number in range(4):
        arrived = Arrival(BUCKET, run.run_id, Part.SOURCE, f"{number}.csv", "v", 1, f"{number:04}")
        data.keep_profile(arrived, profile)

    kept = run.profiles()

    assert [kept[f"source/{number}.csv"]["rows"] for number in range(4)] == [7] * 4
    assert "columns" in kept["source/0.csv"]
    assert "columns" not in kept["source/3.csv"]


def test_a_large_refused_file_is_copied_in_parts(run, monkeypatch):
    """In one request S3 takes longer than the client waits; here with parts of 5 MiB."""
    monkeypatch.setattr(data, "COPY_PART_BYTES", 5 * 1024**2)
    calls: list[str] = []
    for name in ("CopyObject", "UploadPartCopy"):
        clients.s3().meta.events.register(
            f"before-call.s3.{name}", lambda model, **_: calls.append(model.name)
        )
    bad = GOOD + b"30,1.5\n" * 1_600_000 + b"old,3\n"

    assert run.upload("data.csv", bad) == "quarantined"

    (place, _) = run.keys("quarantine/")
    assert run.world.s3.get_object(Bucket=BUCKET, Key=place)["Body"].read() == bad
    assert calls == ["UploadPartCopy"] * 3


def test_a_good_file_after_a_bad_one_opens_the_gate(run):
    run.upload("data.csv", BAD)

    assert run.upload("data.csv", GOOD) == "accepted, gate made"
    assert len(run.approvals) == 1


def test_a_bad_file_beside_a_good_one_does_not_shut_it_out(run):
    """Whichever is decided last: the bad one has left, all that remains is accepted."""
    bad, good = run.put("b.csv", BAD), run.put("a.csv", GOOD)

    assert run.deliver(good) == "accepted, gate left as it is"
    assert run.deliver(bad) == "quarantined"
    assert len(run.approvals) == 1


def test_the_same_event_again_changes_nothing(run):
    good, bad = run.put("a.csv", GOOD), run.put("b.csv", BAD)
    for event in (good, bad):
        run.deliver(event)
    before = run.world.manifest(run.run_id)

    assert run.deliver(good) == "accepted, gate left as it is"
    assert run.deliver(bad) == "quarantined, told before"
    assert run.world.manifest(run.run_id) == before
    assert len(run.approvals) == len(run.told()) == 1


def test_data_before_its_gate_opens_it_when_it_begins_to_wait(run):
    run.gate_waits(is_there=False)

    assert run.upload("data.csv", GOOD) == "accepted, gate left as it is"
    run.gate_waits()
    assert run.notify() == "opening made"
    assert "40 rows" in run.approvals[0]["result"]["summary"]


def test_an_accepted_file_that_was_overwritten_since_opens_nothing(run):
    run.gate_waits(is_there=False)
    run.upload("data.csv", GOOD)
    newer = run.put("data.csv", BAD)
    run.gate_waits()

    assert run.notify() == "ours to send"
    run.deliver(newer)
    assert len(run.approvals) == 1, "the accepted version is current again"


def test_versions_that_come_in_the_wrong_order_are_each_judged_for_themselves(run):
    older, newer = run.put("data.csv", BAD), run.put("data.csv", OTHER_GOOD)

    assert run.deliver(newer) == "accepted, gate made"
    assert run.deliver(older) == "quarantined"
    assert run.profiles()["source/data.csv"]["rows"] == 25


def test_an_older_profile_does_not_replace_a_newer_one(run):
    older, newer = run.put("data.csv", GOOD), run.put("data.csv", OTHER_GOOD)
    run.deliver(newer)
    run.deliver(older)

    assert run.profiles()["source/data.csv"]["rows"] == 25


def test_a_manual_gate_stays_with_people(world, workload, author):
    author["approvals"] = {"uploadSourceData": "manual"}
    run = waiting_run(world, workload, author)

    assert run.upload("data.csv", GOOD) == "accepted, gate left as it is"
    assert run.approvals == []
    assert run.notify() == "ours to send"


def test_data_into_a_run_that_has_moved_on_is_judged_and_opens_nothing(run):
    run.world.pipeline.gate_status = "Succeeded"

    assert run.upload("data.csv", GOOD) == "accepted, gate left as it is"
    assert run.upload("more.csv", BAD) == "quarantined"
    assert run.approvals == []


def test_a_data_set_of_several_files_opens_with_the_last(world, workload, author):
    author["data"] |= {"files": 2, "checks": {"minRows": 60}}
    run = waiting_run(world, workload, author)

    assert run.upload("a.csv", GOOD) == "accepted, gate left as it is"
    assert run.upload("b.csv", OTHER_GOOD) == "accepted, gate made"
    assert "a.csv, b.csv, 65 rows" in run.approvals[0]["result"]["summary"]


@pytest.fixture
def short_run(world, workload, author):
    """A run that wants two files of 66 rows together; two good ones of 65 are there."""
    author["data"] |= {"files": 2, "checks": {"minRows": 66}}
    run = waiting_run(world, workload, author)
    run.short = [run.put("a.csv", GOOD), run.put("b.csv", OTHER_GOOD)]
    for event in run.short:
        run.deliver(event)
    return run


def test_several_files_with_too_few_rows_together_open_nothing_and_people_are_told(short_run):
    for event in short_run.short:
        short_run.deliver(event)

    assert short_run.approvals == []
    (message,) = short_run.told("incomplete")
    assert "65 rows together. Its manifest asks for 66 or more" in message["summary"][0]


def test_a_file_more_completes_rows_that_were_too_few(short_run):
    assert short_run.upload("c.csv", OTHER_GOOD) == "accepted, gate made"
    assert len(short_run.told("incomplete")) == 1


def test_files_that_are_still_too_few_are_told_of_anew(short_run):
    short_run.upload(
        "b.csv", b"age,target\n" + b"".join(b"%d,2\n" % i for i in range(5)) + b"9,1\n"
    )

    assert [
        m["summary"][0].split(" rows together")[0].split()[-1] for m in short_run.told("incomplete")
    ] == ["65", "46"]


def test_rows_are_not_missed_in_a_run_that_trains_already(short_run):
    report = short_run.world.event("record_outcome") | {
        "runId": short_run.run_id,
        "manifestUri": f"s3://{BUCKET}/runs/{short_run.run_id}/manifest.json",
    }
    record_outcome.record(OutcomeReport.model_validate(report))

    short_run.upload("b.csv", GOOD[:200])

    assert len(short_run.told("incomplete")) == 1


def test_rows_to_predict_carry_no_header_and_no_label(run):
    run.gate_waits("UploadInferenceData")

    assert run.upload("labelled.csv", b"30,1.5\n", "inference") == "quarantined"
    assert run.upload("header.csv", b"age\n30\n", "inference") == "quarantined"
    assert run.upload("rows.csv", b"30\n30\n", "inference") == "accepted, gate made"
    assert [e["phase"] for e in run.history()] == ["inference-data"] * 3


def test_a_gzip_file_that_was_cut_off_is_refused(run):
    run.upload("data.csv.gz", gzip.compress(GOOD * 50, mtime=0)[:-20])

    assert "gzip" in run.history()[0]["detail"]["findings"][0]


@pytest.mark.parametrize("key", ["runs/x/source/", "runs/x/preprocess/1/source/y.csv", "a/b.csv"])
def test_what_is_no_data_of_a_run_is_left_alone(run, key):
    event = run.put("data.csv", GOOD)
    event["detail"]["object"]["key"] = key

    assert run.deliver(event) == "not data of a run"


def test_data_of_a_run_that_nobody_knows_is_left_alone(run):
    event = run.put("data.csv", GOOD)
    event["detail"]["object"]["key"] = "runs/unknown/source/data.csv"

    assert run.deliver(event).startswith("gone: s3://")


def test_a_version_that_was_deleted_before_its_event_is_left_alone(run):
    event = run.put("data.csv", GOOD)
    version = event["detail"]["object"]["version-id"]
    run.world.s3.delete_object(
        Bucket=BUCKET, Key=event["detail"]["object"]["key"], VersionId=version
    )

    assert run.deliver(event).startswith("gone: s3://")
    assert run.history() == []


def crash_once(client, operation):
    """The next call of an operation ends the process."""
    crashes = []

    def crash(**_: object) -> None:
        if not crashes:
            crashes.append(operation)
            raise KeyboardInterrupt

    client.meta.events.register(f"before-parameter-build.{operation}", crash)


def test_a_delivery_that_died_between_claim_and_publication_is_made_good_by_its_retry(run):
    """Another delivery clears up meanwhile, and leaves the telling to the one that claimed it."""
    bad = run.put("data.csv", BAD)
    crash_once(clients.sns(), "sns.Publish")
    with pytest.raises(KeyboardInterrupt):
        run.deliver(bad, "r-1")

    assert run.deliver(bad, "r-2") == "quarantined, being told by another delivery"
    assert run.keys(f"runs/{run.run_id}/source/") == []
    assert run.told() == []
    assert run.deliver(bad, "r-1") == "quarantined"
    assert len(run.told()) == 1


def test_a_delivery_that_died_before_it_removed_the_file_is_made_good_without_a_second_message(run):
    bad = run.put("data.csv", BAD)
    crash_once(run.world.s3, "s3.DeleteObject")
    with pytest.raises(KeyboardInterrupt):
        run.deliver(bad, "r-1")

    assert run.deliver(bad, "r-1") == "quarantined, told before"
    assert run.keys(f"runs/{run.run_id}/source/") == []
    assert len(run.told()) == 1


def test_a_large_object_is_read_in_ranges(run):
    asked = []
    run.world.s3.meta.events.register(
        "before-call.s3.GetObject",
        lambda params, **_: asked.append((params["url_path"], params["headers"].get("Range"))),
    )
    large = GOOD + b"".join(b"%d.125,%d\n" % (i, i) for i in range(600_000))

    assert run.upload("data.csv", large) == "accepted, gate made"
    ranges = [span for path, span in asked if "manifest.json" not in path]
    assert len(large) > data.RANGE_BYTES
    assert ranges[0] == f"bytes=0-{data.RANGE_BYTES - 1}"
    assert ranges[1].startswith(f"bytes={data.RANGE_BYTES}-")


def test_an_event_without_a_version_is_refused_by_name(run):
    event = run.put("data.csv", GOOD)
    del event["detail"]["object"]["version-id"]

    with pytest.raises(EventError, match="version-id: Field required"):
        run.deliver(event)
