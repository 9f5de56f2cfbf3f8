"""What every test stands on: the example settings, and the same examples of properties.

The accounts and regions of delivery/environments/ are those of the organisation that has this
checkout; the tests, and all that they start, read a copy of the example ones.
`pytest --hypothesis-profile explore` looks for new counterexamples.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

from delivery.settings import FOLDER_VARIABLE

os.environ[FOLDER_VARIABLE] = str(Path(__file__).parent / "delivery" / "environments")

# The same verdict on every machine, and no time limit for each example.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("suite")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes by their length: what a compressor made names the second in which it did.

    The processes that share the tests out must all give them the same names.
    """
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
