"""What an acceptance found, as files: JSON for the next step, a page for people, shell variables.

`acceptance.json` is written by `train` and completed by `infer`, which may run in another job of a
CI: the file is what goes from one to the other.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from signalbox_cli.errors import CommandError

FILE, PAGE, VARIABLES = "acceptance.json", "acceptance.md", "acceptance.env"
_SHOWN_ROWS = 5
# CodePipeline: a value of a configuration has at most 1,000 characters, a summary 512.
_SUMMARY_LIMIT = 500


@dataclass(frozen=True)
class Check:
    """Predictions of one kind beside those of the evaluation.

    `rows` were asked for, `differing` were answered otherwise; `largest_difference` of those that
    agree is relative where the prediction is above 1. `fault` says why there were no answers.
    """

    name: str
    rows: int = 0
    differing: int = 0
    largest_difference: float = 0.0
    examples: tuple[str, ...] = ()
    fault: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether every row was answered as it should be."""
        return not self.fault and not self.differing and self.rows > 0

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        if self.fault:
            return f"{self.name}: {self.fault}"
        if self.differing:
            return f"{self.name}: {self.differing} of {self.rows} rows are answered otherwise"
        return (
            f"{self.name}: {self.rows} rows as the evaluation predicted them "
            f"(largest difference {self.largest_difference:.3g})"
        )

    def document(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "name": self.name,
            "passed": self.is_passed,
            "rows": self.rows,
            "differing": self.differing,
            "largestDifference": self.largest_difference,
            "examples": list(self.examples),
            "fault": self.fault or None,
        }


@dataclass(frozen=True)
class Evidence:
    """An acceptance so far; `checks` is empty until predictions were compared."""

    environment: str
    workload: str
    commit: str
    run_id: str
    execution_id: str
    model_package_arn: str
    link: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def is_passed(self) -> bool:
        """Whether everything was compared and nothing differs."""
        return bool(self.checks) and all(check.is_passed for check in self.checks)

    @property
    def summary(self) -> str:
        """One line for an approval's message."""
        found = "; ".join(check.headline for check in self.checks) or "trained, not yet compared"
        word = ("passed" if self.is_passed else "FAILED") if self.checks else "trained"
        line = f"{word} in {self.environment}: {self.workload}, commit {self.commit or 'unknown'}"
        return " ".join(f"{line}, run {self.run_id}. {found}".split())[:_SUMMARY_LIMIT]

    def with_checks(self, checks: Sequence[Check]) -> "Evidence":
        """The same with what was compared."""
        return replace(self, checks=tuple(checks))

    def document(self) -> dict[str, Any]:
        """The evidence as JSON."""
        return {
            "schemaVersion": "1",
            "environment": self.environment,
            "workload": self.workload,
            "commit": self.commit,
            "runId": self.run_id,
            "executionId": self.execution_id,
            "modelPackageArn": self.model_package_arn,
            "link": self.link,
            "metrics": self.metrics,
            "reasons": list(self.reasons),
            "passed": self.is_passed if self.checks else None,
            "checks": [check.document() for check in self.checks],
        }


def write(evidence: Evidence, folder: Path) -> None:
    """The three files, whole or not at all each."""
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / FILE, json.dumps(evidence.document(), indent=2) + "\n")
    _put(folder / PAGE, page(evidence))
    _put(folder / VARIABLES, variables(evidence))


def _put(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def read(folder: Path, environment: str) -> Evidence:
    """What `train` left; raises CommandError when there is nothing, or of another environment."""
    file = folder / FILE
    if not file.is_file():
        raise CommandError(
            f"{file} does not exist; `signalbox acceptance train FOLDER` writes it, and a CI has "
            "to carry it to this step (--output says where it lies)"
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        evidence = Evidence(
            environment=str(found["environment"]),
            workload=str(found["workload"]),
            commit=str(found["commit"]),
            run_id=str(found["runId"]),
            execution_id=str(found["executionId"]),
            model_package_arn=str(found["modelPackageArn"]),
            link=str(found["link"]),
            metrics=dict(found["metrics"]),
            reasons=tuple(found["reasons"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{file} is not what `signalbox acceptance train` writes ({error}); run it again"
        ) from None
    if evidence.environment != environment:
        raise CommandError(
            f"{file} is of environment {evidence.environment}, not {environment}; choose that one "
            "with --environment, or another folder with --output"
        )
    return evidence


def page(evidence: Evidence) -> str:
    """The evidence for people, in Markdown."""
    word = ("passed" if evidence.is_passed else "FAILED") if evidence.checks else "trained"
    lines = [
        f"# Acceptance in {evidence.environment}: {word}",
        "",
        f"- workload `{evidence.workload}`, commit `{evidence.commit or 'unknown'}`",
        f"- run `{evidence.run_id}`, model version `{evidence.model_package_arn}`",
        f"- [the run's files]({evidence.link})",
        "",
        "| metric | value |",
        "| --- | --- |",
        *(f"| `{name}` | {value:.6g} |" for name, value in evidence.metrics.items()),
        "",
        "The verdict:",
        "",
        *(f"- {reason}" for reason in evidence.reasons),
        "",
    ]
    for check in evidence.checks:
        lines += [f"- {'✓' if check.is_passed else '✗'} {check.headline}"]
        lines += [f"  - {example}" for example in check.examples[:_SHOWN_ROWS]]
    return "\n".join([*lines, ""])


def variables(evidence: Evidence) -> str:
    """Shell lines that a build step sources to hand the result on."""
    named = {"ACCEPTANCE_SUMMARY": evidence.summary, "ACCEPTANCE_LINK": evidence.link}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in named.items())
