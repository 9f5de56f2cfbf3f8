"""Jobs whose start nobody confirmed: AWS may have made them, and two must not run and be paid."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contracts.machine_harness import Answer, Ending, TaskError, run
from tests.contracts.machine_inputs import CHAMPION_ARN, RUN_ID, obliging_aws, resolved_manifest
from tests.contracts.test_statemachines_training import faults, outcomes

LOST = TaskError("SageMaker.AmazonSageMakerException", "Error Code: InternalFailure")
TAKEN = TaskError("SageMaker.ResourceInUseException", "a job with this name already exists")
ALGORITHM = TaskError("States.TaskFailed", '{"FailureReason":"AlgorithmError: exit code 1"}')
NOT_FOUND = TaskError("SageMaker.ResourceNotFoundException", "Requested resource not found")
APPROVED = {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION_ARN}]}
# As they are named in their jobs' names.
STEPS = ("preprocess", "train", "evaluate", "champion", "transform")


@dataclass
class Jobs:
    """SageMaker's jobs, of which those of one step do not answer as often as `failures` says."""

    step: str
    failures: list[TaskError]
    are_made: bool = True
    running: set[str] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def answers(self) -> dict[str, Answer]:
        """For the calls of every kind of job."""
        made = {}
        for kind in ("Processing", "Training", "Transform"):
            create = obliging_aws()[f"sagemaker:create{kind}Job.sync"]
            made[f"create{kind}Job"] = self._creating(f"{kind}JobName", create)
            made[f"stop{kind}Job"] = self._stopping(f"{kind}JobName")
        return made

    def _creating(self, key: str, create: Answer) -> Answer:
        def answer(parameters: dict[str, Any]) -> Any:
            name = parameters[key]
            if f"-{self.step}-" not in name:
                return create(parameters)
            self.names.append(name.rpartition(f"{RUN_ID}-")[2])
            assert not self.running, "a second job beside the first"
            if self.failures:
                self.running |= {name} if self.are_made else set()
                raise self.failures.pop(0)
            return create(parameters)

        return answer

    def _stopping(self, key: str) -> Answer:
        def answer(parameters: dict[str, Any]) -> Any:
            self.stopped.append(parameters[key].rpartition(f"{RUN_ID}-")[2])
            if parameters[key] not in self.running:
                raise NOT_FOUND
            self.running.remove(parameters[key])
            return {}

        return answer


def go(jobs: Jobs) -> Ending:
    """The machine that has the step, with a champion to compare with."""
    machine = "inference" if jobs.step == "transform" else "training"
    aws = obliging_aws(**jobs.answers(), listModelPackages=lambda _: APPROVED)
    ending = run(machine, resolved_manifest(), aws)
    assert faults(ending.calls) == []
    return ending


@pytest.mark.parametrize("failure", [LOST, TAKEN])
@pytest.mark.parametrize("step", STEPS)
def test_a_job_whose_answer_was_lost_is_stopped_and_started_anew(
    step: str, failure: TaskError
) -> None:
    jobs = Jobs(step, [failure])
    ending = go(jobs)

    assert ending.status == "SUCCEEDED", ending.cause
    assert (jobs.names, jobs.stopped, jobs.running) == (["1-0", "1-1"], ["1-0"], set())


@pytest.mark.parametrize("step", STEPS)
def test_a_job_that_was_never_made_is_started_anew(step: str) -> None:
    jobs = Jobs(step, [LOST, LOST], are_made=False)
    ending = go(jobs)

    assert ending.status == "SUCCEEDED", ending.cause
    assert jobs.names == ["1-0", "1-1", "1-2"]


@pytest.mark.parametrize("step", ["preprocess", "train", "evaluate", "transform"])
def test_a_service_that_stays_down_ends_the_run_and_leaves_no_job(step: str) -> None:
    jobs = Jobs(step, [LOST] * 9)
    ending = go(jobs)

    assert (ending.error, ending.cause) == (LOST.error, LOST.cause)
    assert len(jobs.names) == len(jobs.stopped) == 5
    assert jobs.running == set()
    assert outcomes(ending)[-1]["status"] == "failed"


def test_without_the_champion_s_job_a_run_goes_on() -> None:
    jobs = Jobs("champion", [LOST] * 9)
    ending = go(jobs)

    assert ending.status == "SUCCEEDED", ending.cause
    assert jobs.running == set()


@pytest.mark.parametrize("step", ["train", "transform"])
def test_a_job_that_ran_and_failed_is_neither_stopped_nor_repeated(step: str) -> None:
    jobs = Jobs(step, [ALGORITHM], are_made=False)
    ending = go(jobs)

    assert ending.cause == ALGORITHM.cause
    assert (jobs.names, jobs.stopped) == (["1-0"], [])
