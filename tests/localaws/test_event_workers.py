"""The threads behind events and pipelines: nothing is lost, nothing runs twice."""

import threading

from localaws.events.workers import Timers, Workers


def test_every_job_runs_once_on_few_threads():
    workers, names, lock, done = Workers(3, "test"), set(), threading.Lock(), []

    def job() -> None:
        with lock:
            names.add(threading.current_thread().name)
            done.append(1)

    for _ in range(500):
        workers.submit(job)

    assert workers.drain(60)
    assert len(done) == 500
    assert len(names) <= 3
    workers.stop()


def test_a_job_that_fails_does_not_end_its_thread():
    workers, done = Workers(1, "test"), threading.Event()

    def broken() -> None:
        raise ValueError("on purpose")

    workers.submit(broken)
    workers.submit(done.set)

    assert done.wait(60)
    workers.stop()


def test_a_job_may_submit_another_and_drain_waits_for_both():
    workers, done = Workers(1, "test"), []

    workers.submit(lambda: workers.submit(lambda: done.append(1)))

    assert workers.drain(60)
    assert done == [1]
    workers.stop()


def test_nothing_runs_after_stop():
    workers, done = Workers(1, "test"), []
    workers.stop()

    workers.submit(lambda: done.append(1))

    assert workers.drain(1)
    assert done == []


def test_timers_fire_in_order_of_their_time_and_not_when_cancelled():
    timers, fired, last = Timers("test"), [], threading.Event()
    timers.after(1.0, lambda: (fired.append("late"), last.set()))
    timers.after(0.01, lambda: fired.append("early"))
    timers.after(0.5, lambda: fired.append("cancelled")).cancel()

    assert last.wait(60)
    assert fired == ["early", "late"]
    timers.stop()


def test_cancelled_timers_do_not_pile_up():
    timers = Timers("test")

    for _ in range(1000):
        timers.after(3600, lambda: None).cancel()

    assert len(timers._heap) < 200
    timers.stop()
