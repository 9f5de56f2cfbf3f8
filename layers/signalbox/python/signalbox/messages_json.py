"""A message as JSON for a webhook: Slack, Microsoft Teams, or anything that takes a POST.

Sources: Slack, "Incoming webhooks" and "Reference: blocks" (a text block holds 3,000 characters,
a message 50 blocks); Microsoft, "Create incoming webhooks with Workflows", "Microsoft Teams
connector: known issues" (a message holds about 28 KB; what is longer fails after the webhook was
answered) and Adaptive Cards 1.4; read 2026-11-21. Rules only: imports no AWS client.
"""

import json
from enum import StrEnum

from signalbox.json_documents import JsonObject
from signalbox.messages import Message, fitted
from signalbox.messages_text import to_text

_SLACK_TEXT_LIMIT = 2900
_SLACK_BLOCKS = 45
# Below 28 KB: Teams counts what it makes of the card.
_TEAMS_LIMIT_BYTES = 20_000


class WebhookKind(StrEnum):
    """Who listens behind the webhook."""

    SLACK = "slack"
    TEAMS = "teams"
    GENERIC = "generic"


def to_body(message: Message, kind: WebhookKind) -> JsonObject:
    """What is posted."""
    renderers = {
        WebhookKind.SLACK: _slack,
        WebhookKind.TEAMS: _teams,
        WebhookKind.GENERIC: _generic,
    }
    return renderers[kind](message)


def _generic(message: Message) -> JsonObject:
    document: JsonObject = message.model_dump(mode="json")
    return {**document, "text": to_text(message)}


def _slack(message: Message) -> JsonObject:
    texts = [_escaped("\n".join(message.summary))]
    texts += [
        f"*{_escaped(part.title)}*\n" + "\n".join(_escaped(line) for line in part.lines)
        for part in message.sections
    ]
    texts += [
        f"*{_escaped(command.purpose)}*\n```{_escaped(command.line)}```"
        for command in message.commands
    ]
    texts += [" · ".join(f"<{link.url}|{_escaped(link.text)}>" for link in message.links)]
    header: JsonObject = {
        "type": "header",
        "text": {"type": "plain_text", "text": message.subject[:150]},
    }
    blocks = [header, *(_mrkdwn(text) for text in texts if text)][:_SLACK_BLOCKS]
    return {"text": message.subject, "blocks": list(blocks)}


def _mrkdwn(text: str) -> JsonObject:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SLACK_TEXT_LIMIT]}}


def _escaped(text: str) -> str:
    """Slack's three control characters, so that a reason cannot ping a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> JsonObject:
    return _card(fitted(message, _fits_teams))


def _fits_teams(message: Message) -> bool:
    return len(json.dumps(_card(message), ensure_ascii=False).encode()) <= _TEAMS_LIMIT_BYTES


def _card(message: Message) -> JsonObject:
    body = [_block(message.subject, weight="Bolder", size="Medium")]
    body += [_block(paragraph) for paragraph in message.summary]
    for part in message.sections:
        body += [_block(part.title, weight="Bolder"), *(_block(line) for line in part.lines)]
    for command in message.commands:
        body += [
            _block(command.purpose, weight="Bolder"),
            _block(command.line, fontType="Monospace"),
        ]
    card: JsonObject = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": list(body),
        "actions": [
            {"type": "Action.OpenUrl", "title": link.text, "url": link.url}
            for link in message.links
        ],
    }
    attachment: JsonObject = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **look: str) -> JsonObject:
    return {"type": "TextBlock", "text": text or " ", "wrap": True, **look}
