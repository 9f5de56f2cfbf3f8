"""The processes that functions run in: how they are told apart, and how they end."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localaws.lambdas import service as lambdas
from localaws.lambdas.nursery import Nurseries
from tests.localaws.lambda_world import Laptop, laptop_for_functions
from tests.localaws.sagemaker_world import comes_true


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


def test_temporary_files_go_with_their_process(laptop: Laptop) -> None:
    name = laptop.make("scratch")
    path = Path(laptop.call(name, "write_temporary"))
    assert path.exists()

    lambdas.retire_idle()

    assert not path.exists()


def test_what_forks_functions_ends_when_nobody_asks_and_is_made_again() -> None:
    nurseries = Nurseries()
    try:
        first = nurseries.of([])
        nurseries.retire_idle(60.0)
        assert nurseries.process_ids() == [first.pid]

        nurseries.retire_idle(0.0)

        assert nurseries.process_ids() == []
        assert not first.alive
        assert nurseries.of([]).alive
    finally:
        nurseries.close()


def test_the_processes_of_a_function_are_told_apart_by_whether_they_answer(laptop: Laptop) -> None:
    laptop.make("told")
    laptop.call("told", "about")
    laptop.call("told", "about")
    (arn,) = [one for one in lambdas.processes() if one.endswith(":told")]

    def those(state: str) -> list[int]:
        return lambdas.processes().get(arn, {}).get(state, [])

    waits, works = those("idle"), those("busy")
    os.kill(waits[0], signal.SIGKILL)
    assert comes_true(lambda: waits[0] not in those("idle"))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(laptop.call, "told", "sleep", seconds=1.0)
        assert comes_true(lambda: those("busy") != works)
        works = those("busy")

    assert works == [answer.result()]


def test_a_stopped_laptop_leaves_no_process(tmp_path: Path, laptop: Laptop) -> None:
    """The module's own server is replaced: this must be the file's last test."""
    laptop.make("left")
    laptop.call("left", "about")
    pids = lambdas.process_ids()
    assert pids

    lambdas.shutdown()

    assert comes_true(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
