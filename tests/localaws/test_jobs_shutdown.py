"""Stopping the laptop leaves neither a process nor a folder of jobs and endpoints behind."""

from pathlib import Path

from tests.localaws.processes import runs
from tests.localaws.sagemaker_world import comes_true, laptop

ENDLESS = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
SERVES = """
    import os
    print("pid", os.getpid(), flush=True)
    def model_fn(model_dir): return None
"""


def test_nothing_runs_on_when_the_laptop_stops(tmp_path: Path) -> None:
    with laptop(tmp_path) as world:
        world.start_processing("left-running", ENDLESS)
        world.model("left", {"code/inference.py": SERVES})
        world.config("left", "left")
        world.endpoint("left", "left")
        assert world.log_comes("ProcessingJobs", "left-running/", "pid")
        assert world.log_comes("Endpoints/left", "AllTraffic/", "pid")
        lines = world.log("ProcessingJobs", "left-running/") + world.log("Endpoints/left", "All")
        pids = [line.split()[1] for line in lines]
        assert len(pids) == 2
        assert all(runs(pid) for pid in pids)
    assert comes_true(lambda: not any(runs(pid) for pid in pids))
    assert not list(tmp_path.glob("*/*/left*"))
