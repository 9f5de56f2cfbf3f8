"""What in the settings is still the documentation's, and nobody's: not to be deployed to AWS.

A role that trusts the example repository would trust whoever owns that name on GitHub, and policies
that name the example accounts would let strangers in. The laptop has these accounts on purpose.
"""

from collections.abc import Iterator

from delivery.model import Settings

ACCOUNTS = ("123456789012", "210987654321", "345678901234", "567890123456", "678901234567")
OWNER = "example-org"


def remaining(settings: Settings) -> Iterator[str]:
    """File, key and value of everything that is left of the example; all parts, always.

    What is not deployed now is still named in the policies of what is.
    """
    if settings.repository.name.partition("/")[0].lower() == OWNER:
        yield f'shared.toml: [repository] name = "{settings.repository.name}"'
    places = {"operations": settings.operations, "data": settings.data}
    for name, place in places.items():
        if place.account in ACCOUNTS:
            yield f'shared.toml: [{name}] account = "{place.account}"'
    for environment in settings.environments.values():
        if environment.account in ACCOUNTS:
            yield f'{environment.name}.toml: account = "{environment.account}"'


def warning(settings: Settings) -> str:
    """What to tell whoever prints values of the example; empty when nothing is left of it."""
    left = list(remaining(settings))
    if not left:
        return ""
    return (
        "warning: these settings still have what is the documentation's and would let strangers "
        "in; `signalbox bootstrap` refuses to deploy them, and nobody else should:\n  "
        + "\n  ".join(left)
        + "\nPut your own accounts and repository there, then ask again\n"
    )
