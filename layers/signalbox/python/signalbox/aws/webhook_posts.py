"""HTTP to the webhook, and the secret that says where it is."""

import time

from signalbox.aws import clients
from signalbox.errors import WebhookError
from signalbox.webhooks import Request, WebhookSecret, read_secret

# To connect, and between two bytes of the answer; a queue waits behind a slow receiver.
TIMEOUTS_S = (3.05, 10.0)
# A rotated secret is in use after this time without a deployment.
SECRET_LIFE_S = 300.0
_SHOWN = 200

_kept: dict[str, tuple[float, WebhookSecret]] = {}


def secret(arn: str) -> WebhookSecret:
    """The webhook's secret, read again every five minutes; raises WebhookSecretError."""
    known = _kept.get(arn)
    if known is None or time.monotonic() - known[0] > SECRET_LIFE_S:
        text = clients.secretsmanager().get_secret_value(SecretId=arn)["SecretString"]
        known = _kept[arn] = (time.monotonic(), read_secret(text, arn.rpartition(":")[2]))
    return known[1]


def forget() -> None:
    """Read the secret anew at its next use."""
    _kept.clear()


def post(request: Request) -> None:
    """Post; raises WebhookError unless the receiver answers 2xx in time.

    Redirects are not followed: the signed message goes to the address of the secret only.
    """
    import requests  # takes 80 ms to import, and only this function needs it
    from urllib3.exceptions import HTTPError

    try:
        with requests.post(
            request.url,
            data=request.body,
            headers=request.headers,
            timeout=TIMEOUTS_S,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if not 200 <= answer.status_code < 300:
                # What comes at once: an answer that drips in would outlast the function.
                said = answer.raw.read1(_SHOWN, decode_content=True).decode("utf-8", "replace")
                raise WebhookError(f"the webhook answered {answer.status_code}: {said}")
    except (requests.RequestException, HTTPError) as error:
        # The text of a requests error may hold the URL, and for Slack the URL is the secret.
        raise WebhookError(f"the webhook did not answer: {type(error).__name__}") from None
