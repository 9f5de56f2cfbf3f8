"""Messages about a promotion: it waits for somebody, it arrived, it ended on the way.

Rules only: imports no AWS client, reads no clock.
"""

import shlex
from dataclasses import dataclass

from signalbox import console_links, evidence
from signalbox.machine_requests import TaskFailure
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.messages import Command, Kind, Link, Message, Section, section, subject
from signalbox.promotion import PromotionTarget, group_and_version
from signalbox.promotion_requests import APPROVAL_PACE, longest_wait_s


@dataclass(frozen=True)
class Telling:
    """A promotion and one of its targets; `manifest` is that of the run that made the model.

    `region` is that of the environment at home; `arn_there` is empty until the version is
    registered in the target, `target` None until the promotion has come as far as one.
    """

    manifest: ResolvedManifest
    region: str
    arn: str
    execution: str
    target: PromotionTarget | None = None
    arn_there: str = ""

    @property
    def name(self) -> str:
        """The version in a sentence."""
        return f"Version {group_and_version(self.arn)[1]} of {self.manifest.workload.name}"

    @property
    def there(self) -> PromotionTarget:
        """The target of a message that has one."""
        if self.target is None:
            raise ValueError("this message is about a target")
        return self.target

    @property
    def key(self) -> str:
        """What tells the messages of one promotion and target from others."""
        where = self.target.environment if self.target else "nowhere"
        return f"{where}-{self.execution.rpartition(':')[2]}"


def waits(given: Telling) -> Message:
    """Somebody is asked to decide in the target's registry."""
    there = given.there.environment
    days = longest_wait_s(APPROVAL_PACE) // 86400
    return _message(
        given,
        (Kind.DECISION, f"promotion-waits-{given.key}", f"waits for approval in {there}"),
        [
            f"{given.name} was approved in {given.manifest.run.environment} and is registered in "
            f"{there} (account {given.there.account}). Model file, code and image are what was "
            f"approved. It is put to use in {there} when it is approved there, too; rejecting "
            "ends its promotion, and what serves there stays as it is.",
            f"Decide within {days} days. Without a decision the promotion ends then.",
        ],
        # The verdict alone: its reasons have the numbers, those of the champion too.
        sections=evidence.judged(given.manifest, "registered", None)[:1],
        commands=[_decide(given, "Approved"), _decide(given, "Rejected")],
    )


def _decide(given: Telling, status: str) -> Command:
    verb = {"Approved": "Approve", "Rejected": "Reject"}[status]
    there = given.there
    return Command(
        purpose=f"{verb} with the AWS command line, with credentials of account {there.account}",
        line=(
            f"aws sagemaker update-model-package --model-package-arn {given.arn_there} "
            f"--model-approval-status {status} --approval-description WHY --region {there.region}"
        ),
    )


def promoted(given: Telling) -> Message:
    """The version has arrived in a target."""
    there, mode = given.there.environment, given.manifest.workload.inference.mode
    use = (
        f"The workload's mode is {mode}: it is registered and approved there, and nothing serves it"
        if mode in ("batch", "none")
        else f"It serves there ({mode})"
    )
    return _message(
        given,
        (Kind.SUCCEEDED, f"promoted-{given.key}", f"promoted to {there}"),
        [f"{given.name} was promoted from {given.manifest.run.environment} to {there}. {use}."],
        sections=section("The version there", [given.arn_there] if given.arn_there else []),
        commands=[_describe(given)],
    )


def _describe(given: Telling) -> Command:
    there = given.there
    return Command(
        purpose=f"See it in {there.environment}, with credentials of account {there.account}",
        line=(
            f"aws sagemaker describe-model-package --model-package-name {given.arn_there} "
            f"--region {there.region}"
        ),
    )


def released(given: Telling, pipeline_execution: str) -> Message:
    """The target's pipeline was started on the same code."""
    there = given.there.environment
    return _message(
        given,
        (Kind.SUCCEEDED, f"released-{given.key}", f"code released in {there}"),
        [
            f"The code of {given.name[0].lower()}{given.name[1:]} was released in {there} "
            f"(account {given.there.account}), which trains with its own data and decides at "
            f"its own gates. Pipeline execution {pipeline_execution}.",
        ],
    )


# Endings after which trying again changes nothing.
_TITLES = {"PromotionWithdrawn": "was withdrawn before", "EndpointRolledBack": "was rolled back in"}


def ended(given: Telling, failure: TaskFailure) -> Message:
    """A promotion came to its end before its target."""
    there = given.target.environment if given.target else "any target"
    withdrawn = failure.error == "PromotionWithdrawn"
    title = _TITLES.get(failure.error, "was not promoted to")
    said = failure.cause.splitlines()[0] if failure.cause else failure.error
    return _message(
        given,
        (
            Kind.REFUSED if withdrawn else Kind.FAILED,
            f"promotion-ended-{given.key}",
            f"{title} {there}",
        ),
        [
            f"{given.name} {title} {there}: {said}",
            _left_behind(failure),
        ],
        sections=section(
            "What ended it", [f"Error    {failure.error}", f"Cause    {failure.cause}"]
        ),
        commands=[] if failure.error in _TITLES else [_again(given)],
    )


def _left_behind(failure: TaskFailure) -> str:
    if failure.error == "EndpointRolledBack":
        return (
            "What served there before serves on. Unless there was only no room for it, the version "
            "there is marked with rolled_back, and nothing deploys it again: release a better one, "
            "or take the mark off."
        )
    if failure.error.startswith("Deployment"):
        return "The inference machine of the target says in its own ending what serves there now."
    return "Nothing that serves was changed by its promotion."


def _again(given: Telling) -> Command:
    reason = shlex.quote("promote again")
    return Command(
        purpose="Try again, once the cause is out of the way: approve the version once more",
        line=(
            f"aws sagemaker update-model-package --model-package-arn {given.arn} "
            f"--model-approval-status Approved --approval-description {reason} "
            f"--region {given.region}"
        ),
    )


def _message(
    given: Telling,
    heading: tuple[Kind, str, str],
    summary: list[str],
    *,
    sections: list[Section] | None = None,
    commands: list[Command] | None = None,
) -> Message:
    kind, key, title = heading
    run = given.manifest.run
    name, version = given.manifest.workload.name, group_and_version(given.arn)[1]
    return Message(
        kind=kind,
        key=key,
        run_id=run.id,
        workload=name,
        environment=run.environment,
        subject=subject(f"[{run.environment}] {name} version {version} {title}"),
        summary=summary,
        sections=[*evidence.about(given.manifest), *(sections or [])],
        commands=commands or [],
        links=_links(given),
    )


def _links(given: Telling) -> list[Link]:
    return [
        console_links.machine_execution(given.region, given.execution),
        console_links.s3_folder(
            given.region,
            "Report and everything else of the run",
            given.manifest.locations.run,
        ),
    ]
