"""The one place from which SageMaker on the laptop speaks to EventBridge."""

import importlib.util
import logging

from localaws.sagemaker.store import Document, Place

SOURCE = "aws.sagemaker"
_log = logging.getLogger("localaws.sagemaker")


def emit(detail_type: str, detail: Document, *, arn: str, place: Place) -> None:
    """Put one event of SageMaker's on the default bus of the place."""
    if importlib.util.find_spec("localaws.events.service") is None:
        _log.debug("no events module: %s of %s is not told", detail_type, arn)
        return
    events = importlib.import_module("localaws.events.service")
    events.emit(
        SOURCE,
        detail_type,
        detail,
        resources=[arn],
        account=place.account,
        region=place.region,
    )
