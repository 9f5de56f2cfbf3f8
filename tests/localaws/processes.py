"""Whether processes of the laptop are still there."""

import os
from pathlib import Path


def runs(pid: int | str) -> bool:
    """Whether a process is there; one that has ended but that nobody has waited for is not."""
    try:
        os.kill(int(pid), 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # just gone, or no Linux
        return not Path("/proc/self").exists()
