"""endpoints, traffic, rollback."""

import itertools
import json
import sys
import time

import click
from rich.markup import escape

from signalbox_cli import rolling_back, traffic
from signalbox_cli.options import Session, with_session
from signalbox_cli.rolling_back import Done, Way
from signalbox_cli.served import EndpointView, endpoints, find_endpoint, read_endpoint
from signalbox_cli.traffic import VariantTraffic

_ALARM_STYLE = {"ALARM": "red", "OK": "green"}


@click.command("endpoints", short_help="What serves: version, fleet, alarms.")
@with_session
def endpoints_command(session: Session) -> None:
    """Every endpoint: its status, the model version it serves, its variants, and its alarms.

    \b
    signalbox endpoints --local
    signalbox endpoints -e prod --json
    """
    found = list(endpoints(session.target))
    session.output.result([one.document() for one in found])
    session.output.table(
        ("endpoint", "status", "version", "variants", "alarms", "config"),
        [_row(one) for one in found],
    )
    for one in (one for one in found if one.rollout or one.reason):
        session.output.say(escape(f"{one.name}: {one.rollout or one.reason}"))
    if not found:
        session.output.say(
            f"Nothing serves in {session.target.describe()}: release a workload with "
            "`--set inference.mode=endpoint`"
        )


def _row(one: EndpointView) -> tuple[str, ...]:
    variants = ", ".join(
        f"{v.name}{' (shadow)' if v.is_shadow else ''} {v.weight:g}"
        + (f" on {v.instances}" if v.instances else " serverless")
        for v in one.variants
    )
    alarms = ", ".join(
        f"[{_ALARM_STYLE.get(a.state, 'dim')}]"
        f"{escape(a.name.removeprefix(f'{one.name}-'))} {a.state}[/]"
        for a in one.alarms
    )
    return (one.name, one.status, one.version, variants or "-", alarms or "none", one.config)


@click.command("traffic", short_help="Requests, errors, latency of an endpoint.")
@click.argument("endpoint", required=False)
@click.option(
    "--minutes",
    type=click.IntRange(1, 180),
    default=15,
    show_default=True,
    help="How far to look back.",
)
@click.option("-w", "--watch", is_flag=True, help="Look again and again until Ctrl-C.")
@click.option(
    "--looks",
    type=click.IntRange(min=1),
    help="With --watch: end after so many looks.",
)
@with_session
def traffic_command(
    session: Session, endpoint: str | None, minutes: int, watch: bool, looks: int | None
) -> None:
    """Requests a second, errors and the model's latency by variant, as CloudWatch counted them.

    ENDPOINT is a workload or an endpoint's name; it may be left out where there is one. Metrics
    come a minute or two late. With --json and --watch, each look is one line.

    \b
    signalbox traffic diabetes --local
    signalbox traffic diabetes --watch -e prod
    """
    name = find_endpoint(session.target, endpoint)
    for look in itertools.count(1):
        live = read_endpoint(session.target, name)
        names = [variant.name for variant in live.variants]
        found = traffic.read_traffic(session.target, name, names, minutes=minutes)
        _show(session, live, found, one_line=watch)
        if not watch or look == looks:
            return
        time.sleep(session.target.poll_s * 10)


def _show(
    session: Session, live: EndpointView, found: list[VariantTraffic], *, one_line: bool
) -> None:
    document = {"endpoint": live.name, "variants": [one.document() for one in found]}
    if session.output.as_json and one_line:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
        return
    session.output.result(document)
    if one_line and session.output.text.is_terminal:
        session.output.text.clear()
    session.output.say(f"{live.name} {live.status} {escape(live.rollout)}".rstrip())
    for line in traffic.picture(found):
        session.output.say(escape(line))
    session.output.table(
        ("variant", "requests/s", "errors 5xx", "4xx", "p50 ms", "p99 ms"),
        [_traffic_row(one) for one in found],
    )


def _traffic_row(one: VariantTraffic) -> tuple[str, ...]:
    style = "red" if one.faults else "green"
    return (
        one.variant,
        f"{one.per_second:.2f}",
        f"[{style}]{one.faults:.0f} ({one.error_share:.2%})[/]",
        f"{one.refusals:.0f}",
        _ms(one.p50_ms, one.average_ms, "mean"),
        _ms(one.p99_ms, one.longest_ms, "longest"),
    )


def _ms(percentile: float | None, instead: float | None, word: str) -> str:
    if percentile is not None:
        return f"{percentile:.2f}"
    return f"{word} {instead:.2f}" if instead is not None else "-"


@click.command("rollback", short_help="Return an endpoint to the last good version.")
@click.argument("workload")
@click.option("--to", "to", type=click.IntRange(min=1), help="A version that served before.")
@click.option("--reason", required=True, help="Why; kept in registry and serving record.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@with_session
def rollback_command(
    session: Session, workload: str, to: int | None, reason: str, dry_run: bool
) -> None:
    """Return the endpoint of WORKLOAD to the version that served well before this one.

    The version that serves is marked as rolled back first, so that no event deploys it again; then
    the endpoint is updated in place and waited for, and the record says who did it and why. Ctrl-C
    is safe at any moment: the same command goes on where it stopped, and does nothing when nothing
    is left to do. While another version rolls out it refuses and changes nothing. Exit code 4: the
    endpoint did not come to serve the earlier version.

    \b
    signalbox rollback diabetes --reason "predictions drift since Monday" --local
    signalbox rollback diabetes --to 2 --reason "3 and 4 share the fault" -e prod
    """
    way = rolling_back.find_way(session.target, workload, to)
    if isinstance(way, Done):
        session.output.result({"endpoint": way.endpoint, "done": True, "changed": False})
        session.output.say(
            f"{way.endpoint} serves version {way.serves.version}; nothing is left to take back. "
            "To go further back, name a version with --to"
        )
        return
    words = f"version {way.failed.version} back to version {way.back_to.version}"
    if dry_run:
        session.output.result(way.document(is_done=False))
        session.output.say(f"Would take {way.endpoint} from {words}")
        return
    _roll_back(session, way, reason)
    session.output.result({**way.document(is_done=True), "changed": True})
    session.output.say(f"Took {way.endpoint} from {words}")


def _roll_back(session: Session, way: Way, reason: str) -> None:
    try:
        rolling_back.roll_back(
            session.target, way, reason, lambda line: session.output.note(escape(line))
        )
    except KeyboardInterrupt:
        session.output.note("Interrupted; the same command goes on where this one stopped")
        raise
