"""Processing jobs are real processes of the user's script, with SageMaker's inputs and outputs."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.jobs import execution as job_execution
from localaws.jobs import folder as job_folder
from tests.localaws.processes import runs
from tests.localaws.sagemaker_world import (
    BUCKET,
    IMAGE,
    ROLE,
    World,
    comes_true,
    laptop,
    processing_input,
    processing_output,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        yield served


def test_inputs_arrive_and_outputs_are_stored_under_their_relative_names(world: World) -> None:
    world.put("data/a.csv", "1\n")
    world.put("data/deep/b.csv", "2\n")
    script = """
        from pathlib import Path
        source = Path("/opt/ml/processing/input/data")
        target = Path("/opt/ml/processing/output/all")
        for file in sorted(source.rglob("*.csv")):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text() * 2)
    """
    described = world.process(
        "copies",
        script,
        ProcessingInputs=[
            processing_input("code", f"s3://{BUCKET}/code/copies/", "input/code"),
            processing_input("data", f"s3://{BUCKET}/data/", "input/data"),
        ],
        ProcessingOutputConfig={
            "Outputs": [processing_output("all", f"s3://{BUCKET}/copies/", "output/all")]
        },
    )
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    assert world.keys("copies/") == ["copies/a.csv", "copies/deep/b.csv"]
    assert world.get("copies/deep/b.csv") == b"2\n2\n"


def test_arguments_environment_and_configuration_reach_the_script(world: World) -> None:
    script = """
        import json, os, sys
        config = json.load(open("/opt/ml/config/processingjobconfig.json"))
        print(json.dumps([sys.argv[1:], os.environ["COLOUR"], config["ProcessingJobName"]]))
    """
    world.process(
        "arguments",
        script,
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py", "--a"],
            "ContainerArguments": ["b c"],
        },
        Environment={"COLOUR": "blue"},
    )
    printed = json.loads(world.log("ProcessingJobs", "arguments/")[0])
    assert printed == [["--a", "b c"], "blue", "arguments"]


def test_nothing_of_the_hosts_environment_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    world.process("isolated", "import os; print(sorted(os.environ))")
    names = world.log("ProcessingJobs", "isolated/")[0]
    assert "SECRET_OF_THE_HOST" not in names
    assert "AWS_SESSION_TOKEN" in names


def test_exit_code_one_fails_with_the_last_error_line_and_stores_nothing(world: World) -> None:
    script = """
        open("/opt/ml/processing/output/half.csv", "w").write("half")
        raise ValueError("column 'age' is missing")
    """
    outputs = [processing_output("out", f"s3://{BUCKET}/half", "output")]
    described = world.process("exits-1", script, ProcessingOutputConfig={"Outputs": outputs})
    assert described["ProcessingJobStatus"] == "Failed"
    assert "ValueError: column 'age' is missing" in described["FailureReason"]
    assert described["FailureReason"].endswith("exit code: 1")
    assert world.keys("half") == []


def test_a_message_file_becomes_the_exit_message(world: World) -> None:
    described = world.process(
        "message", "open('/opt/ml/output/message', 'w').write('42 rows dropped')"
    )
    assert described["ExitMessage"] == "42 rows dropped"


def test_a_hundred_megabytes_of_print_neither_stall_nor_fill_memory(world: World) -> None:
    script = """
        line = "x" * 99
        for _ in range(1_000_000):
            print(line)
        print("the very last line")
    """
    described = world.process("chatty", script)
    assert described["ProcessingJobStatus"] == "Completed"
    seconds = described["ProcessingEndTime"] - described["ProcessingStartTime"]
    assert seconds.total_seconds() < 120
    streams = world.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix="chatty/"
    )["logStreams"]
    tail = world.logs.get_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs",
        logStreamName=streams[0]["logStreamName"],
        startFromHead=False,
        limit=300,
    )["events"]
    messages = [event["message"] for event in tail]
    assert messages[-1] == "the very last line"
    assert any("bytes were left out here" in message for message in messages)


def test_a_script_that_never_ends_is_stopped_at_its_limit(world: World) -> None:
    described = world.process(
        "endless",
        "import time\nwhile True: time.sleep(1)",
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert described["ProcessingJobStatus"] == "Stopped"
    assert "MaxRuntimeInSeconds" in described["FailureReason"]


def test_stop_ends_a_script_and_its_children_even_if_they_ignore_sigterm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_execution.LIMITS, "stop_grace_s", 0.2)
    script = """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("pids", os.getpid(), child.pid, flush=True)
        time.sleep(600)
    """
    world.start_processing("stubborn", script)
    assert world.log_comes("ProcessingJobs", "stubborn/", "pids")
    pids = world.log("ProcessingJobs", "stubborn/")[0].split()[1:]
    world.sagemaker.stop_processing_job(ProcessingJobName="stubborn")
    assert world.finished("Processing", "stubborn")["ProcessingJobStatus"] == "Stopped"
    assert comes_true(lambda: not any(runs(pid) for pid in pids))


def test_sigterm_lets_a_script_finish_its_work(world: World) -> None:
    script = """
        import signal, sys, time
        def stop(number, frame):
            print("saved", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        time.sleep(600)
    """
    world.start_processing("polite", script)
    assert world.log_comes("ProcessingJobs", "polite/", "ready")
    world.sagemaker.stop_processing_job(ProcessingJobName="polite")
    assert world.finished("Processing", "polite")["ProcessingJobStatus"] == "Stopped"
    assert world.log("ProcessingJobs", "polite/")[-1] == "saved"


def test_two_jobs_at_once_keep_to_themselves(world: World) -> None:
    script = """
        import sys, time
        from pathlib import Path
        own = Path("/opt/ml/processing/own.txt")
        assert not own.exists()
        own.write_text(sys.argv[1])
        time.sleep(0.3)
        print(own.read_text())
    """
    for name in ("left", "right"):
        entrypoint = ["python3", "/opt/ml/processing/input/code/run.py", name]
        world.start_processing(
            name,
            script,
            AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": entrypoint},
        )
    for name in ("left", "right"):
        described = world.finished("Processing", name)
        assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
        assert world.log("ProcessingJobs", f"{name}/") == [name]


def test_a_stopped_job_that_still_waited_never_runs(world: World) -> None:
    busy = [f"busy-{number}" for number in range(max(2, len(os.sched_getaffinity(0))))]
    for name in busy:
        world.start_processing(name, "import time; time.sleep(600)")
    world.start_processing("waits", "print('ran')")
    world.sagemaker.stop_processing_job(ProcessingJobName="waits")
    assert world.finished("Processing", "waits")["ProcessingJobStatus"] == "Stopped"
    for name in busy:
        world.sagemaker.stop_processing_job(ProcessingJobName=name)
        world.finished("Processing", name)
    with pytest.raises(AssertionError):
        assert world._log("ProcessingJobs", "waits/") == ["ran"]


def test_a_missing_input_fails_with_the_prefix(world: World) -> None:
    inputs = [processing_input("code", f"s3://{BUCKET}/no/such/", "input/code")]
    described = world.process("no-input", "pass", ProcessingInputs=inputs)
    assert described["ProcessingJobStatus"] == "Failed"
    assert f"s3://{BUCKET}/no/such/" in described["FailureReason"]


def test_a_role_without_s3_rights_fails_naming_role_and_action(world: World) -> None:
    role = world.role("blind", {"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    described = world.process("denied", "pass", RoleArn=role)
    assert described["ProcessingJobStatus"] == "Failed"
    reason = described["FailureReason"]
    assert "AccessDenied" in reason
    assert "role/blind" in reason or "assumed-role/blind" in reason
    assert "s3:ListBucket" in reason


def test_a_role_without_log_rights_loses_its_logs_and_still_completes(world: World) -> None:
    role = world.role("mute", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    described = world.process("mute", "print('unheard')", RoleArn=role)
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    assert world._log("ProcessingJobs", "mute/") == []


def test_a_shell_entrypoint_runs_too(world: World) -> None:
    described = world.process(
        "shell",
        "print('from python')",
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": [
                "/bin/sh",
                "-c",
                "python3 /opt/ml/processing/input/code/run.py; echo from shell; exit 3",
            ],
        },
    )
    assert world.log("ProcessingJobs", "shell/") == ["from python", "from shell"]
    assert described["FailureReason"].endswith("exit code: 3")


def test_each_change_of_a_job_is_told_to_eventbridge(world: World) -> None:
    world.process("eventful", "pass")
    kind = "SageMaker Processing Job State Change"
    told = [
        e["detail"]["ProcessingJobStatus"] for e in world.told(kind, ProcessingJobName="eventful")
    ]
    assert told == ["InProgress", "Completed"]
    event = world.told(kind, ProcessingJobName="eventful")[-1]
    assert event["source"] == "aws.sagemaker"
    assert event["resources"] == [event["detail"]["ProcessingJobArn"]]
    assert event["detail"]["RoleArn"] == ROLE


def test_nothing_of_a_finished_job_stays_on_disk(world: World) -> None:
    world.process("tidy", "pass")
    assert comes_true(lambda: not list((world.state_dir / "jobs").glob("*/tidy-*")))


def test_folders_of_a_process_that_was_killed_are_deleted_at_the_next_start(
    tmp_path: Path,
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, alive = tmp_path / str(ended.pid), tmp_path / str(os.getppid())
    for folder in (left, alive):
        (folder / "job").mkdir(parents=True)
    assert job_folder.own_place(tmp_path) == tmp_path / str(os.getpid())
    assert not left.exists()
    assert alive.exists()
