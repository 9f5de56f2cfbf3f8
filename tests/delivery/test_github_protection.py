"""Who gets into GitHub's environments: the committed bodies, and the commands that send them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from delivery import settings
from tests.cli.shell_commands import commands_of
from tests.contracts.repository import ROOT
from tests.delivery.test_workflows import WORKFLOWS
from tests.delivery.workflow_runner import triggers

FOLDER = ROOT / "delivery" / "github"
README = ROOT / "README.md"
BODIES: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.iterdir())
}
ENVIRONMENTS = tuple(settings.load().environments)


def calls(page: Path) -> list[list[str]]:
    """The words of each `gh api` on a page, in order."""
    return [[*c.words[2:]] for c in commands_of(page) if c.words[:2] == ("gh", "api")]


def policies(page: Path) -> dict[str, set[tuple[str, str]]]:
    """By environment, what a page's commands let in: (branch or tag, pattern)."""
    found: dict[str, set[tuple[str, str]]] = {}
    for words in calls(page):
        if environment := re.search(r"environments/(\w+)/deployment-branch-policies", str(words)):
            fields = dict(word.split("=", 1) for word in words if re.match(r"(name|type)=", word))
            allowed = (fields.get("type", "branch"), fields["name"])
            found.setdefault(environment[1], set()).add(allowed)
    return found


def started_by() -> dict[str, set[tuple[str, str]]]:
    """By environment, the branches and tags whose push deploys there."""
    tags = triggers(WORKFLOWS["promote.yml"])["push"]["tags"]
    branches = triggers(WORKFLOWS["deploy-dev.yml"])["push"]["branches"]
    promoted = {
        name: {("tag", tag) for tag in tags if tag.partition("/")[0] == name}
        for name in ("staging", "prod")
    }
    return {"dev": {("branch", branch) for branch in branches}, **promoted}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_lets_nothing_in_that_is_not_named(name: str) -> None:
    """Either all protected branches or named ones: GitHub takes no body with both or neither."""
    policy = BODIES[f"environment-{name}.json"]["deployment_branch_policy"]

    assert policy == {"protected_branches": False, "custom_branch_policies": True}


def test_prod_waits_for_a_reviewer_who_is_somebody_else() -> None:
    prod = BODIES["environment-prod.json"]

    assert prod["prevent_self_review"] is True
    assert [reviewer["type"] for reviewer in prod["reviewers"]] == ["User"]
    assert "reviewers" not in BODIES["environment-dev.json"]


def test_the_readme_protects_each_environment_before_the_first_push() -> None:
    shown = [" ".join(c.words) for c in commands_of(README) if c.words[0] in ("gh", "git", "make")]
    pushed = shown.index("git push origin main")
    made = [f"environments/{name} --input" in str(shown[:pushed]) for name in ENVIRONMENTS]

    assert made == [True, True, True]
    assert set(policies(README)) == set(ENVIRONMENTS)
    assert "ruleset-prod-tags.json" in str(shown[:pushed])
    assert "ruleset-main.json" in shown[pushed + 1]  # nothing may be pushed there afterwards


def test_what_is_let_in_is_what_starts_a_deployment() -> None:
    """README names what `make promote-tag` makes, docs/delivery.md the tags that are moved, too."""
    both = policies(README)
    for name, moved in policies(ROOT / "docs" / "delivery.md").items():
        both[name] = both[name] | moved

    assert both == started_by()


def test_tags_of_prod_and_the_default_branch_are_not_for_everybody() -> None:
    tags, main = BODIES["ruleset-prod-tags.json"], BODIES["ruleset-main.json"]

    assert (tags["target"], tags["enforcement"]) == ("tag", "active")
    included = set(tags["conditions"]["ref_name"]["include"])
    assert included == {f"refs/tags/{tag}" for _, tag in started_by()["prod"]}
    assert {rule["type"] for rule in tags["rules"]} == {"creation", "update", "deletion"}
    rules = {rule["type"]: rule.get("parameters") for rule in main["rules"]}
    assert rules["pull_request"]["required_approving_review_count"] == 1
    (required,) = rules["required_status_checks"]["required_status_checks"]
    assert required["context"] in WORKFLOWS["pull-request.yml"]["jobs"]
    assert main["bypass_actors"] == []


def test_every_committed_body_is_sent_by_a_command() -> None:
    named = {Path(w).name for words in calls(README) for w in words if "delivery/github/" in w}

    assert named == set(BODIES)
