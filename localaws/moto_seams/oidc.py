"""The part of `moto_seams` that belongs to identity providers: their list of audiences changes.

moto makes OIDC providers and lacks AddClientIDToOpenIDConnectProvider and its counterpart. What is
used of moto is tested by `test_an_identity_provider_is_made_changed_and_deleted`.
"""

from collections.abc import Callable
from typing import Any

from localaws.moto_seams import patches as moto_patches

Change = Callable[[list[str], str], None]


def install() -> None:
    """Serve the two operations."""
    from moto.iam.responses import IamResponse

    for name, change in (("add", _add), ("remove", _remove)):
        direction = "to" if name == "add" else "from"
        operation = f"{name}_client_id_{direction}_open_id_connect_provider"
        moto_patches.add(IamResponse, operation, _operation(change))


def _operation(change: Change) -> Callable[[Any], Any]:
    def serve(self: Any) -> Any:
        from moto.core.responses import EmptyResult

        arn = self._get_param("OpenIDConnectProviderArn")
        provider = self.backend.get_open_id_connect_provider(arn)
        change(provider.client_id_list, self._get_param("ClientID"))
        return EmptyResult()

    return serve


def _add(audiences: list[str], audience: str) -> None:
    if audience not in audiences:
        audiences.append(audience)


def _remove(audiences: list[str], audience: str) -> None:
    if audience in audiences:
        audiences.remove(audience)
