"""inbox."""

import click

from signalbox_cli.console import Output
from signalbox_cli.errors import NotFoundError
from signalbox_cli.inbox import FOLDER, letters
from signalbox_cli.options import json_option


@click.command("inbox", short_help="What the laptop's people were told.")
@click.argument("number", required=False, type=click.IntRange(min=1))
@click.option("-n", "--limit", default=20, show_default=True, help="How many to list.")
@click.option("--text", "whole", is_flag=True, help="Print the messages, not only their subjects.")
@json_option
def inbox_command(*, number: int | None, limit: int, whole: bool, as_json: bool) -> None:
    """What the laptop's people were told; with a NUMBER, that message.

    Those of the laptop that is up in this folder, or of the last one: the next `signalbox up`
    begins empty. On AWS the messages are e-mails, and every run keeps them under its messages/
    prefix.
    """
    output = Output(as_json=as_json)
    found = list(enumerate(letters(), start=1))
    chosen = [one for one in found if one[0] == number] if number else found[-limit:]
    if number and not chosen:
        raise NotFoundError(f"message {number} is not in {FOLDER}; there are {len(found)}")
    output.result(
        [
            {"number": n, "subject": one.subject, "path": str(one.path), "text": one.text}
            for n, one in chosen
        ]
    )
    if number or whole:
        for _, one in chosen:
            if not as_json:
                click.echo(one.text)
        return
    output.table(("no", "subject", "file"), [(str(n), m.subject, m.path.name) for n, m in chosen])
    if not found:
        output.say(f"No messages yet in {FOLDER}: `signalbox up` fills it")
