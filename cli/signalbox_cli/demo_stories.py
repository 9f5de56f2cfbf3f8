"""What the story of a promotion is made of: its models, and single steps that print themselves."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

from rich.markup import escape

from signalbox_cli import aws_cli
from signalbox_cli.console import Output
from signalbox_cli.demo import differing_rows
from signalbox_cli.documents import promotion_record, serving_record
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.models import describe, versions
from signalbox_cli.packaging import pack
from signalbox_cli.predicting import predict
from signalbox_cli.progress import Feed, follow, raise_for_outcome
from signalbox_cli.promoting import target_entry
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.target import Target

WORKLOAD = "diabetes"
_PREFIX = "datasets/demo-promotion/source"
# Nothing here is about time, so a busy machine must not fire the other alarm: it is off.
_ALARMS = {"maxErrorRate": 0.01, "maxLatencyMs": None}
# A fault that reviews miss: a missing value is no longer taken for one. The evaluation reads no
# CSV text, and the probe's rows are whole.
_TOLERANT = 'return float(field) if field.strip() else float("nan")'
_FAULTY = "return float(field)"

STANDING: dict[str, Any] = {
    "data": {"source": _PREFIX},
    "inference": {"mode": "endpoint", "alarms": _ALARMS},
    "approvals": {"uploadSourceData": "automatic", "approveModel": "manual"},
}
WORSE = {**STANDING, "train": {"hyperparameters": {"alpha": 500}}}
FORCED = {
    **WORSE,
    "evaluate": {"gates": [], "champion": [], "slices": []},
    "inference": {
        "mode": "endpoint",
        "alarms": _ALARMS,
        "rollout": {
            "strategy": "canary",
            "percent": 25,
            "waitSeconds": 2400,
            "bakeSeconds": 600,
        },
    },
}


def packed(folder: Path) -> bytes:
    """The workload as it is."""
    return pack(folder)


def packed_with_fault(folder: Path) -> bytes:
    """The same with an inference.py that fails at a row with a missing value."""
    script = (folder / "inference.py").read_text()
    if _TOLERANT not in script:
        raise CommandError(
            f"{folder / 'inference.py'} is not the script that this story makes faulty: it does "
            f"not have the line `{_TOLERANT}`"
        )
    with tempfile.TemporaryDirectory() as temporary:
        copied = copytree(folder, Path(temporary) / folder.name)
        (copied / "inference.py").write_text(script.replace(_TOLERANT, _FAULTY))
        return pack(copied)


class Story:
    """Steps over the targets of several environments; the first one is where models are made."""

    def __init__(self, targets: dict[str, Target], output: Output, patience_s: float) -> None:
        self._targets = targets
        self._patience_s = patience_s
        self._home = next(iter(targets.values()))
        self._output = output

    def heading(self, text: str) -> None:
        """What comes next."""
        self._output.note(f"\n[bold underline]{text}[/bold underline]")

    def account(self, environment: str) -> str:
        """The account of an environment, as it says itself."""
        return str(self._targets[environment].client("sts").get_caller_identity()["Account"])

    def endpoint(self, environment: str) -> str:
        """The endpoint's name, which stays for ever."""
        return f"{self._targets[environment].prefix}-{WORKLOAD}"

    def endpoint_exists(self, environment: str) -> bool:
        """Whether anything serves there."""
        listed = self._targets[environment].client("sagemaker").list_endpoints()["Endpoints"]
        return self.endpoint(environment) in [one["EndpointName"] for one in listed]

    def version_count(self, environment: str) -> int:
        """How many versions of the workload the registry has."""
        return len(list(versions(self._targets[environment], WORKLOAD)))

    def put_standing_data(self, source: Path) -> None:
        """The data of every run."""
        self._home.client("s3").upload_file(
            str(source), self._home.wiring().workflow_bucket, f"{_PREFIX}/source.csv"
        )

    # ------------------------------------------------------------------------------------ runs

    def release_to_gate(self, archive: bytes, options: dict[str, Any]) -> tuple[RunView, str]:
        """A run that waits for a decision on its model, and the version's ARN."""
        self._feed = Feed(self._home)
        run = follow(
            self._home,
            self._released(archive, options),
            self._output,
            stop_at_gate="ApproveModel",
            feed=self._feed,
        )
        raise_for_outcome(run)
        history = read_manifest(self._home, run)["history"]
        return run, next(str(e["arn"]) for e in history if e["status"] == "registered")

    def release_to_end(self, archive: bytes, options: dict[str, Any]) -> RunView:
        """A run that has ended, well or not."""
        return follow(self._home, self._released(archive, options), self._output)

    def _released(self, archive: bytes, options: dict[str, Any]) -> str:
        key = f"workloads/{WORKLOAD}.zip"
        return release_archive(self._home, archive, key=key, options=options).execution_id

    def to_end(self, run: RunView) -> None:
        """Follow a run from its gate to its end; raises when that is not a good one."""
        ended = follow(self._home, run.execution_id, self._output, feed=self._feed)
        raise_for_outcome(ended)

    def unmet(self, run: RunView) -> list[str]:
        """What the verdict on a refused run says against it."""
        history = read_manifest(self._home, run)["history"]
        refused = [e["detail"] for e in history if e["status"] == "refused"]
        verdict = refused[-1].get("verdict", refused[-1]) if refused else {}
        return [str(reason) for reason in verdict.get("unmet") or verdict.get("reasons") or []]

    # ------------------------------------------------------------------------------- promotion

    def approve(self, environment: str, arn: str, reason: str) -> None:
        """A person approves in the registry of an environment, with the stock AWS CLI."""
        call = (
            *("sagemaker", "update-model-package", "--model-package-arn", arn),
            *("--model-approval-status", "Approved", "--approval-description", reason),
        )
        account = self.account(environment)
        self._output.note(f"    a person in {environment} (account {account}) approves:")
        self._output.note(escape(f"    $ {aws_cli.shown(call)}"))
        aws_cli.call(self._targets[environment], *call)

    def await_promoted(self, arn: str, environment: str) -> str:
        """The ARN under which the version serves in an environment, once it does."""
        found = self._await_status(arn, environment, "promoted")
        serves = self.serves(environment)
        if serves != found:
            raise RunFailed(f"{environment} serves {serves} and not {found}")
        self._output.say(f"[green]✓[/green] {environment} serves {found}")
        return found

    def await_waiting(self, arn: str, environment: str) -> str:
        """The ARN of the version that waits for a person in an environment."""
        found = self._await_status(arn, environment, "waiting")
        approval = describe(self._targets[environment], found).approval
        if approval != "PendingManualApproval":
            raise RunFailed(f"{found} is {approval} although nobody has decided in {environment}")
        self._output.say(f"  {environment} waits for its gate: {found} is {approval}")
        return found

    def _await_status(self, arn: str, environment: str, status: str) -> str:
        found: dict[str, Any] = {}

        def has_come() -> bool:
            found.update(target_entry(self._home, arn, environment))
            return found.get("status") == status or self._ending(arn) not in ("", "RUNNING")

        self._await(has_come, f"{environment} to be {status}")
        if found.get("status") != status:
            raise RunFailed(
                f"{environment} is {found.get('status')} and not {status}: {found.get('cause')}"
            )
        return str(found["modelPackageArn"])

    def _ending(self, arn: str) -> str:
        execution = (promotion_record(self._home, arn) or {}).get("execution")
        if not execution:
            return ""
        states = self._home.client("stepfunctions")
        return str(states.describe_execution(executionArn=execution)["status"])

    def await_promotion_end(self, arn: str, status: str) -> dict[str, Any]:
        """The promotion's execution once it has ended; raises RunFailed for another ending."""
        self._await(lambda: self._ending(arn) not in ("", "RUNNING"), "the promotion to end")
        execution = (promotion_record(self._home, arn) or {})["execution"]
        ended: dict[str, Any] = self._home.client("stepfunctions").describe_execution(
            executionArn=execution
        )
        if ended["status"] != status:
            cause = ended.get("cause") or "no cause given"
            raise RunFailed(f"the promotion of {arn} ended as {ended['status']}: {cause}")
        return ended

    def _await(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._patience_s
        while not is_so():
            if time.monotonic() > deadline:
                raise RunFailed(f"waited {self._patience_s:.0f} s for {what}, in vain")
            time.sleep(self._home.poll_s)

    # --------------------------------------------------------------------------------- serving

    def serves(self, environment: str) -> str:
        """The ARN of the version that serves, by the serving record and by the endpoint itself."""
        from signalbox import serving

        target, endpoint = self._targets[environment], self.endpoint(environment)
        now = serving.serving(serving_record(target, endpoint))
        described = target.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        if now is None or described["EndpointConfigName"] != now.endpoint_config:
            raise RunFailed(f"{endpoint} and its serving record differ: {described}, {now}")
        return now.model_package_arn

    def answers_beside_evaluation(
        self, arn: str, environment: str, folder: Path
    ) -> tuple[int, list[int]]:
        """How many rows the evaluation wrote down, and which an endpoint answers otherwise."""
        bucket, _, key = (
            describe(self._home, arn).evaluation_uri.removeprefix("s3://").partition("/")
        )
        beside, s3 = key.rpartition("/")[0], self._home.client("s3")
        rows, expected = folder / "probe-rows.csv", folder / "probe-predictions.csv"
        for name, file in (("rows", rows), ("predictions", expected)):
            s3.download_file(bucket, f"{beside}/probe/{name}.csv", str(file))
        answers = predict(
            self._targets[environment], self.endpoint(environment), rows, content_type="text/csv"
        )
        lines = expected.read_text().splitlines()
        return len(lines), differing_rows(lines, answers)

    def rolled_back(self, arn: str, entry: dict[str, Any], served_before: str) -> dict[str, Any]:
        """What prod says of the version that was taken back there.

        Raises RunFailed unless execution, history, registry and serving record all say so.
        """
        target = self._targets["prod"]
        version, last = describe(target, arn), self._last_word(target, entry["runId"])
        ended = target.client("stepfunctions").describe_execution(executionArn=entry["execution"])
        found = {
            "status": last["status"],
            "cause": str(last["detail"].get("cause", "")),
            "execution": f"{ended['status']}: {ended.get('error')}",
            "stage": version.stage,
            "mark": version.metadata.get("rolled_back", ""),
            "serves": self.serves("prod"),
        }
        expected = {
            "status": "rolled-back",
            "execution": "FAILED: EndpointRolledBack",
            "stage": "prod RolledBack",
            "serves": served_before,
        }
        other = {name: found[name] for name in expected if found[name] != expected[name]}
        if other or not found["mark"]:
            raise RunFailed(f"prod does not say rolled back: {found}")
        return found

    def _last_word(self, target: Target, run_id: str) -> dict[str, Any]:
        """The newest entry of a run's history on its inference."""
        body = target.client("s3").get_object(
            Bucket=target.wiring().workflow_bucket, Key=f"runs/{run_id}/manifest.json"
        )["Body"]
        history = json.loads(body.read())["history"]
        last: dict[str, Any] = [e for e in history if e["phase"] == "inference"][-1]
        return last
