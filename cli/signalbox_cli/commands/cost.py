"""cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from signalbox import costs
from signalbox_cli import prices
from signalbox_cli.console import Output
from signalbox_cli.options import Session, with_session
from signalbox_cli.planning import plan
from signalbox_cli.prices import Item
from signalbox_cli.releasing import run_options

_RUNS_PER_MONTH = 4


@click.command("cost", short_help="What a run, an endpoint and an environment cost.")
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--run", "run", metavar="RUN", help="What this run has cost (run or execution id).")
@click.option(
    "--runs-per-month",
    type=click.IntRange(0, 100_000),
    help=f"How often the workload in FOLDER runs; otherwise {_RUNS_PER_MONTH}.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="As in `signalbox release`."
)
@with_session
def cost_command(
    session: Session,
    *,
    folder: Path | None,
    run: str | None,
    runs_per_month: int | None,
    settings: tuple[str, ...],
) -> None:
    """Estimate what things cost, by run and by month, in USD.

    With FOLDER, from its manifest and the templates alone, calling nothing: the most that a run can
    cost, the endpoint, and what an environment costs while nothing happens. With --run, what one
    run has cost. With neither, the environment: its runs of the last 30 days as they were, its
    endpoints as they serve now, what it stores.

    Prices are on-demand prices of one region and one day, both said with every estimate; free
    tiers, discounts, data transfer and logs are not in it.

    \b
    signalbox cost workloads/diabetes --set inference.mode=endpoint
    signalbox cost --run 261121-101500-a1b2c3 -e staging
    signalbox cost --json
    """
    if folder is not None and run is not None:
        raise click.UsageError("give FOLDER or --run, not both")
    if folder is not None:
        _of_folder(session, folder, run_options(None, settings), runs_per_month)
    elif run is not None:
        _of_run(session, run)
    else:
        _of_environment(session)


def _of_folder(
    session: Session, folder: Path, options: dict[str, Any], runs_per_month: int | None
) -> None:
    target = session.target
    planned = plan(folder, options, prefix=target.prefix, environment=target.environment)
    runs = _RUNS_PER_MONTH if runs_per_month is None else runs_per_month
    each = prices.at_most(planned)
    together = Item(
        f"runs of {planned.workload}", prices.total(each) * runs, f"at most, {runs} runs"
    )
    month = [together, *prices.hosting(planned), *_standing()]
    _say(session.output, f"One run of {planned.workload}, at most", each)
    _say(session.output, "A month, at most", month)
    _finish(session.output, {"workload": planned.workload, "perRun": each, "perMonth": month})


def _standing() -> list[Item]:
    """What the templates in this folder cost a month; none where there are none."""
    from signalbox_cli.doctor.offline import read_folder
    from signalbox_cli.errors import NotFoundError

    try:
        control_plane = read_folder(Path.cwd()).sheets[0]
    except NotFoundError:
        return []
    return prices.standing(control_plane.resources.values())


def _of_run(session: Session, name: str) -> None:
    from signalbox_cli import bills
    from signalbox_cli.runs import find_run

    bill = bills.of_run(session.target, find_run(session.target, name))
    _say(session.output, f"Run {bill.run.name} of {bill.run.workload}, so far", bill.items)
    _finish(session.output, {"run": bill.document()}, session)


def _of_environment(session: Session) -> None:
    from signalbox_cli import bills
    from signalbox_cli.doctor.patients import read_stack

    target = session.target
    target.wiring()
    found = bills.recent(target)
    stack = read_stack(target, target.prefix)
    ran = bills.by_workload(found)
    standing = [
        *bills.endpoints(target),
        bills.storage(target),
        *prices.standing(stack.resources.values()),
    ]
    _say(session.output, "Runs of the last 30 days", ran)
    _say(session.output, "A month as things stand", standing)
    parts = {"last30Days": ran, "perMonth": standing, "runs": [bill.document() for bill in found]}
    _finish(session.output, parts, session)


def _say(output: Output, heading: str, items: Sequence[Item]) -> None:
    output.say(f"[bold]{escape(heading)}[/bold]")
    rows = [(item.what, _usd(item.usd), item.how) for item in items]
    missing = "at least" if prices.unpriced(items) else "together"
    output.table(("", "USD", "how"), [*rows, (missing, _usd(prices.total(items)), "")])
    output.say("")


def _usd(amount: float | None) -> str:
    if amount is None:
        return "no price"
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.4f}"


def _finish(output: Output, parts: dict[str, Any], session: Session | None = None) -> None:
    if session is not None and session.target.endpoint_url:
        output.say("The laptop bills nothing: on AWS the same would cost this.")
    output.say(
        f"On-demand prices of {costs.PRICES_REGION}, {costs.PRICES_DATE}; without free tiers, "
        "discounts, data transfer and logs."
    )
    document = {name: _document(value) for name, value in parts.items()}
    output.result(
        {
            **document,
            "pricesOf": costs.PRICES_DATE,
            "region": costs.PRICES_REGION,
            "currency": "USD",
        }
    )


def _document(value: Any) -> Any:
    """Items with their sum, anything else as it is."""
    if not (isinstance(value, list) and all(isinstance(one, Item) for one in value)):
        return value
    return {
        "usd": round(prices.total(value), 6),
        "items": [item.document() for item in value],
        "notEstimated": prices.unpriced(value),
    }
