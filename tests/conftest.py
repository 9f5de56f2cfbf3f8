"""Property tests give the same verdict on every machine: the same examples, and no time limit each.

`pytest --hypothesis-profile explore` looks for new counterexamples.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("suite")
