"""Registering a promoted version in its target, once for all decisions about it."""

from signalbox import promotion_check, promotion_manifest
from signalbox.aws import promotion_files, promotion_reception, promotion_versions
from signalbox.aws.promotion_context import Promotion
from signalbox.promotion_check import Container
from signalbox.receiving import ReceiveRequest, ReceiveStep


def registered(going: Promotion, app: str) -> str:
    """The version that this or an earlier decision has registered, else a new one.

    Raises ImageChanged, and leaves no version, when the image there is not the approved one.
    """
    if going.arn_there and promotion_versions.is_there(going.arn_there, going.session):
        _reopen(going, app)
        return going.arn_there
    wanted = going.source.approved
    uri, found = promotion_files.copy_artifact(going)
    artifact = promotion_check.artifact_metadata(found)
    request = promotion_manifest.registration_request(going.made, wanted, uri, artifact)
    arn = promotion_versions.register(request, going.step.decision, going.session)
    asked = ReceiveRequest(step=ReceiveStep.CHECK, model_package_arn=arn)
    received = promotion_reception.ask(asked, app, going.session)
    image = Container(going.made.images.inference, received.found_digest)
    promotion_check.check_image(wanted, image)
    return arn


def _reopen(going: Promotion, app: str) -> None:
    """Let the version wait again that an earlier decision has withdrawn; else it stays."""
    decision = going.step.decision
    asked = ReceiveRequest(
        step=ReceiveStep.REOPEN,
        model_package_arn=going.arn_there,
        reason=f"Approved once more: decision {decision}",
        decision=decision,
    )
    promotion_reception.ask(asked, app, going.session)
