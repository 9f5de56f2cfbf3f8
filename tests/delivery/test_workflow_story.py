"""The workflows, step by step, against the laptop's five accounts: from a push to prod.

What stands in for GitHub is said in workflow_runner.py. One story in the order of its tests: the
accounts take long to fill. A test alone fails where it takes what the ones before it have deployed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from delivery import settings
from localaws.iam.record import denials
from tests.delivery.workflow_runner import ROOT, Event, Run
from tests.delivery.workflow_stand_ins import prefix, token
from tests.delivery.workflow_world import World, world
from tests.scenarios import iam_evidence

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
READS = "return check_width(parse_csv(text))"
MISREADS = "return check_width(parse_csv(text)) * 1.5"
SCRIPT = "workloads/diabetes/inference.py"
HEADER = "age,sex,bmi,blood_pressure,s1,s2,s3,s4,s5,s6,progression"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


def steps(run: Run, outcome: str) -> list[str]:
    """What ran and ended so, without the actions that stand-ins take the place of."""
    return [step.name for step in run.steps if step.kind == "run" and step.outcome == outcome]


def test_what_is_merged_goes_to_dev_and_nowhere_else(here: World) -> None:
    run = here.only(Event("push", "refs/heads/main", here.repository.first))

    assert run.is_success, run.log
    assert (run.workflow, steps(run, "failure")) == ("deploy-dev.yml", [])
    stack = here.stack("dev")
    assert stack is not None
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["RoleARN"] == settings.load().role_arn("dev", "cloudformation")
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]}["environment"] == "dev"
    assert (here.stack("staging"), here.stack("prod")) == (None, None)


def test_a_person_cannot_deploy_by_hand_after_a_ci(here: World, tmp_path: Path) -> None:
    """`sam deploy` names no role, so CloudFormation takes the CI's, which reads no bucket of sam's.

    docs/delivery.md, "By hand and by a CI".
    """
    cloudformation = here.accounts.client("cloudformation", "dev")
    request = by_hand(here, "dev", tmp_path)
    made = cloudformation.create_change_set(
        StackName="signalbox-dev", ChangeSetName="by-hand", ChangeSetType="UPDATE", **request
    )

    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    waiter = cloudformation.get_waiter("stack_update_complete")
    pause = {"Delay": 1, "MaxAttempts": 120}
    with pytest.raises(WaiterError):
        waiter.wait(StackName="signalbox-dev", WaiterConfig=pause)

    stack = here.stack("dev")
    assert stack is not None
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["RoleARN"] == settings.load().role_arn("dev", "cloudformation")
    events = cloudformation.describe_stack_events(StackName="signalbox-dev")["StackEvents"]
    reasons = [e.get("ResourceStatusReason", "") for e in events]
    assert any("AccessDenied" in r and "s3:GetObject" in r for r in reasons), reasons
    run = here.only(Event("push", "refs/heads/main", here.repository.first))
    assert run.is_success, run.log
    assert "signalbox-dev: nothing changes" in run.log


def by_hand(here: World, environment: str, folder: Path) -> dict[str, Any]:
    """What `sam deploy` asks for, with code and template in a bucket as sam makes one."""
    bucket, keys = "aws-sam-cli-managed-default-samclisourcebucket-1a2b", here.accounts.up
    s3 = here.accounts.client("s3", environment)
    s3.create_bucket(Bucket=bucket)
    packaged, developer = folder / "packaged.yaml", keys.environments[environment]
    subprocess.run(
        [
            *(sys.executable, "-m", "localaws.package", "--template-file", "template.yaml"),
            *("--s3-bucket", bucket, "--s3-prefix", f"signalbox-{environment}"),
            *("--output-template-file", str(packaged)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            **here.accounts.variables(),
            "AWS_DEFAULT_REGION": keys.region,
            "AWS_ACCESS_KEY_ID": developer["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": developer["secretAccessKey"],
        },
        check=True,
    )
    s3.put_object(Bucket=bucket, Key="template", Body=packaged.read_bytes())
    given = settings.load().environments[environment].parameters
    return {
        "TemplateURL": f"{keys.url}/{bucket}/template",
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }


def test_a_pull_request_is_checked_and_no_role_takes_its_token(here: World) -> None:
    runs = here.runner.trigger(here.repository.pull_request(7, here.repository.first))

    assert [run.workflow for run in runs] == ["pull-request.yml"]
    assert runs[0].is_success, runs[0].log
    subjects = [f"{prefix()}:{what}" for what in ("pull_request", "ref:refs/heads/main")]
    for other in ("repo:somebody/else", prefix(immutable=False)):
        subjects += [f"{other}:environment:{name}" for name in ("dev", "staging", "prod")]
    for environment in ("dev", "staging", "prod"):
        sts = here.accounts.client("sts", environment)
        for role in here.accounts.client("iam", environment).list_roles()["Roles"]:
            for sub in subjects:
                with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
                    sts.assume_role_with_web_identity(
                        RoleArn=role["Arn"], RoleSessionName="pr", WebIdentityToken=token(sub)
                    )


def test_a_role_of_one_environment_takes_no_job_of_another(here: World) -> None:
    sts = here.accounts.client("sts", "prod")
    arn, sub = settings.load().role_arn("prod", "github"), f"{prefix()}:environment:"

    with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
        sts.assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="job", WebIdentityToken=token(sub + "staging")
        )
    sts.assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="job", WebIdentityToken=token(sub + "prod")
    )


def test_a_commit_that_is_not_merged_promotes_nothing(here: World) -> None:
    repository = here.repository
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.change("README.md", "# Signalbox", "# Signalbox, mine")
    unmerged = repository.commit("not reviewed")
    repository.git("checkout", "--quiet", "main")

    run = here.only(repository.tag("staging", unmerged))

    assert run.results == {"allowed": "failure", "staging": "skipped", "prod": "skipped"}
    assert f"{unmerged[:12]} is not on main: what was not reviewed" in run.log
    assert here.stack("staging") is None
    repository.git("tag", "--delete", "staging")


def test_a_broken_workload_stops_before_prod(here: World) -> None:
    """The model server misreads its rows, which the evaluation does not notice."""
    here.repository.change(SCRIPT, READS, MISREADS)
    broken = here.repository.commit("read rows otherwise")

    staging = here.only(here.repository.tag("staging/261121-083005-broken", broken))
    prod = here.only(here.repository.tag("prod/261121-090000-broken", broken))

    assert staging.results["staging"] == "failure"
    assert staging.outcome("Deploy") == staging.outcome("Train a workload") == "success"
    assert steps(staging, "failure") == [
        "A real endpoint and a real batch, compared with the evaluation"
    ]
    kept = here.runner.folder / "artifacts" / "acceptance-staging" / "acceptance.json"
    evidence = json.loads(kept.read_text())
    endpoint, batch = evidence["checks"]
    assert (evidence["commit"], evidence["passed"]) == (broken, False)
    assert "row 1 of the probe: the endpoint answered" in endpoint["fault"]
    assert (batch["rows"], batch["differing"]) == (50, 50)
    assert batch["examples"][0].startswith("row 1: ")
    left = here.accounts.client("sagemaker", "staging").list_endpoints()["Endpoints"]
    assert {one["EndpointStatus"] for one in left} <= {"Deleting"}
    assert prod.results == {"allowed": "failure", "staging": "skipped", "prod": "skipped"}
    assert f"{broken[:12]} has not been accepted in staging" in prod.log
    assert here.stack("prod") is None


def test_the_fixed_commit_reaches_prod_by_its_tags(here: World) -> None:
    """The stack of staging is there from the broken commit: only the workload has changed since."""
    here.repository.change(SCRIPT, MISREADS, READS)
    fixed = here.repository.commit("read rows as they are")

    staging = here.only(here.repository.tag("staging/261121-093005-fixed", fixed))
    prod = here.only(here.repository.tag("prod/261121-100000-fixed", fixed))

    assert staging.is_success, staging.log
    assert "signalbox-staging: nothing changes" in staging.log
    assert "The acceptance passed in staging: diabetes-acceptance" in staging.log
    assert prod.is_success, prod.log
    assert prod.results["staging"] == "skipped"
    assert prod.outcome("Train a workload") == "skipped"
    stack = here.stack("prod")
    assert stack is not None
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_data_that_is_refused_is_no_run_that_others_wait_for(here: World, tmp_path: Path) -> None:
    """As the acceptance role, which may stop its own run for this alone."""
    rows = tmp_path / "source.csv"
    rows.write_text(f"{HEADER}\n" + "59,2,32.1,oh,157,93.2,38,4,4.8,87,151\n" * 3)
    command = ("signalbox", "acceptance", "train", "workloads/diabetes", "-e", "staging")

    done = here.as_workflow("staging", "acceptance", *command, "--data", str(rows))

    assert done.returncode == 1
    assert "the data was refused" in done.stderr
    pipelines = here.accounts.client("codepipeline", "staging")
    newest = pipelines.list_pipeline_executions(pipelineName="signalbox-staging-workflow")
    assert newest["pipelineExecutionSummaries"][0]["status"] == "Stopped"


CLEAN_UP = """
import os, sys
from signalbox_cli import acceptance_cleanup
from signalbox_cli.target import Target
target = Target(environment="staging", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
acceptance_cleanup.stop(target, sys.argv[1])
"""


def test_cleaning_up_after_a_run_that_has_ended_changes_nothing(here: World) -> None:
    """As the acceptance role, which may stop a machine of a trial that was interrupted."""
    pipelines = here.accounts.client("codepipeline", "staging")
    runs = pipelines.list_pipeline_executions(pipelineName="signalbox-staging-workflow")
    (ended, *_) = (
        one["pipelineExecutionId"]
        for one in runs["pipelineExecutionSummaries"]
        if one["status"] == "Succeeded"
    )

    done = here.as_workflow("staging", "acceptance", sys.executable, "-c", CLEAN_UP, ended)

    assert done.returncode == 0, done.stderr
    machines = here.accounts.client("stepfunctions", "staging")
    stopped = [
        execution["executionArn"]
        for machine in machines.list_state_machines()["stateMachines"]
        for execution in machines.list_executions(
            stateMachineArn=machine["stateMachineArn"], statusFilter="ABORTED"
        )["executions"]
    ]
    assert stopped == []


def test_the_roles_of_workflow_and_acceptance_have_nothing_to_spare(here: World) -> None:
    """Whatever is taken from them, something that this file has done is refused."""
    roles = here.role_policies("staging", "github", "acceptance")
    records = here.decisions()

    unused = [removal for removal, denied in denials(records, roles).items() if not denied]
    wide = [
        narrowing.describe()
        for role, documents in roles.items()
        for name, document in documents.items()
        for narrowing in iam_evidence.narrowings(role, name, document)
        if not iam_evidence.is_needed(narrowing, records, roles)
    ]

    assert len(roles) == 2
    assert (unused, wide) == ([], [])


def test_every_command_of_the_workflows_was_executed(here: World) -> None:
    """Of each `run:` step at least once, whatever an earlier test of this file asked for."""
    done = {
        step.name for run in here.runner.runs for step in run.steps if step.outcome == "success"
    }

    assert done >= {
        "Regions of the environment, from delivery/environments",
        "Account and role, from delivery/environments",
        "Package",
        "What changes",
        "Deploy",
        "Train a workload",
        "A real endpoint and a real batch, compared with the evaluation",
        "The evidence on the run's page",
        "Only what was reviewed, and to prod only what staging has accepted",
        "Which environment",
    }
    assert Path(here.runner.folder / "artifacts" / "acceptance-staging").is_dir()
