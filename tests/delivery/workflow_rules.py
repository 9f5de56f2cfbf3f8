"""What a workflow that anybody can start must not be able to do; values in, complaints out.

Rules: GitHub documentation, "Secure use reference" (read 2026-11-21). A pull request's author
chooses what its workflow's steps run, so such a workflow gets nothing that could be taken away.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.delivery.workflow_runner import triggers

# Each can be started by who may only propose or comment; the last ones run with the full token.
OPEN_TO_ANYBODY = frozenset(
    {
        *("pull_request", "pull_request_target", "pull_request_review", "issue_comment"),
        *("pull_request_review_comment", "issues", "discussion", "fork", "workflow_run"),
    }
)
WITH_FULL_TOKEN = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
_AWS = re.compile(r"role-to-assume|configure-aws-credentials|AWS_[A-Z_]*(KEY|TOKEN|ROLE)|\barn:aws")
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def complaints(workflows: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """What is wrong with the workflows of a folder, by file name."""
    return [
        f"{name}: {complaint}"
        for name, workflow in workflows.items()
        for complaint in (*_always(workflow), *_open(workflow, workflows))
    ]


def _always(workflow: Mapping[Any, Any]) -> Iterator[str]:
    if workflow.get("permissions") != {"contents": "read"}:
        yield "its permissions are not `contents: read`; a job asks for what it needs beyond"
    for job_name, job in workflow["jobs"].items():
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"{job_name} has no timeout-minutes"
        for step in job.get("steps", []):
            yield from (f"{job_name}: {complaint}" for complaint in _step(step))
        if "uses" in job and not str(job["uses"]).startswith("./.github/workflows/"):
            yield f"{job_name} calls a workflow of somebody else"
        if "secrets" in job:
            yield f"{job_name} hands secrets on"


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    uses = str(step.get("uses", ""))
    if uses and not _PINNED.fullmatch(uses):
        yield f"{uses} is not pinned by a full commit"
    is_checkout = uses.startswith("actions/checkout@")
    if is_checkout and step.get("with", {}).get("persist-credentials") is not False:
        yield "a checkout leaves its token in the workspace"
    if "${{" in str(step.get("run", "")):
        yield "a run step holds an expression, whose value becomes part of the script"


def _open(workflow: Mapping[Any, Any], workflows: Mapping[str, Mapping[Any, Any]]) -> Iterator[str]:
    started_by = OPEN_TO_ANYBODY & triggers(workflow).keys()
    if not started_by:
        return
    for event in sorted(started_by & WITH_FULL_TOKEN):
        yield f"{event} runs with the repository's own token and secrets"
    yield from _reach(workflow, workflows)


def _reach(
    workflow: Mapping[Any, Any], workflows: Mapping[str, Mapping[Any, Any]]
) -> Iterator[str]:
    """What an open workflow, and what it calls, could take hold of."""
    for job_name, job in workflow["jobs"].items():
        granted = job.get("permissions", workflow.get("permissions"))
        if not isinstance(granted, Mapping) or "write" in granted.values():
            yield f"{job_name} may write ({granted}); id-token: write is a way to AWS"
        if "environment" in job:
            yield f"{job_name} runs in an environment, whose role trusts it"
        if "runs-on" in job and "self-hosted" in str(job["runs-on"]):
            yield f"{job_name} runs on a machine that stays"
        text = str(job)
        if _AWS.search(text):
            yield f"{job_name} speaks of AWS: {_AWS.search(text)[0]}"  # type: ignore[index]
        if "secrets." in text or "secrets" in job:
            yield f"{job_name} reads a secret"
        called = str(job.get("uses", "")).rpartition("/")[2]
        if called in workflows:
            yield from (f"{job_name} calls {called}: {c}" for c in _reach(workflows[called], {}))
