"""Asking a target's own function about a version that was registered there.

The deploy role may not approve or delete anything itself: the target decides by its own template.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from signalbox import naming, receiving
from signalbox.aws import failures
from signalbox.aws.promotion_target import TargetSession
from signalbox.errors import AwsCallFailed, PromotionRefused, TargetUnreachable
from signalbox.receiving import Received, ReceiveRequest


def ask(request: ReceiveRequest, app: str, session: TargetSession) -> Received:
    """How the version stands in the target after it has looked; safe to repeat.

    Raises PromotionRefused, TargetUnreachable, AwsCallFailed.
    """
    prefix = naming.prefix(app, session.target.environment)
    function = f"{prefix}-{receiving.FUNCTION}"
    answer = _invoke(function, request, session)
    said = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return Received.model_validate(said)
    message = f"{function} of {session.target.environment}: {said.get('errorMessage', said)}"
    if said.get("errorType") == PromotionRefused.__name__:
        raise PromotionRefused(message)
    raise AwsCallFailed(message)


def _invoke(function: str, request: ReceiveRequest, session: TargetSession) -> Any:
    payload = request.model_dump_json(by_alias=True)
    try:
        return session.functions.invoke(
            FunctionName=function, Qualifier=naming.LIVE, Payload=payload.encode()
        )
    except ClientError as error:
        if failures.code_of(error) != "ResourceNotFoundException":
            raise
        raise TargetUnreachable(
            f"{session.target.environment} has no function {function} with the alias "
            f"{naming.LIVE}; deploy this version of the template there"
        ) from error
