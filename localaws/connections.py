"""Connections to Git hosts: made PENDING, as on AWS, until a person has logged in at the host.

There is no host to log in to from a laptop: `complete` stands in for the console's window. Served
under the older name of the API, codestar-connections, which AWS keeps for the same connections.

parity: the API codeconnections speaks CBOR to today's clients, which the laptop does not read.
"""

import threading
import uuid

from localaws.context import Context
from localaws.sagemaker.api import mount
from localaws.sagemaker.store import Document, Place
from localaws.small_services import application
from localaws.wire import AwsError


class _Connections:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[str, Document] = {}


_connections = _Connections()


def install(context: Context) -> None:
    """Serve the API from here, starting without a connection."""
    with _connections.lock:
        _connections.known.clear()
    operations = {
        "CreateConnection": _create,
        "GetConnection": _get,
        "ListConnections": _list,
        "DeleteConnection": _delete,
    }
    mount(context, "codestarconnections", application("codestar-connections", operations))


def complete(arn: str) -> None:
    """What a person does in the console: from now on the connection can be used."""
    with _connections.lock:
        _found(arn)["ConnectionStatus"] = "AVAILABLE"


def _found(arn: str) -> Document:
    connection = _connections.known.get(arn)
    if connection is None:
        raise AwsError("ResourceNotFoundException", f"Connection {arn} was not found")
    return connection


def _create(place: Place, request: Document) -> Document:
    number = uuid.uuid4()
    prefix = f"arn:aws:codestar-connections:{place.region}:{place.account}"
    arn = f"{prefix}:connection/{number}"
    with _connections.lock:
        _connections.known[arn] = {
            "ConnectionName": request["ConnectionName"],
            "ConnectionArn": arn,
            "ProviderType": request.get("ProviderType", "GitHub"),
            "OwnerAccountId": place.account,
            "ConnectionStatus": "PENDING",
        }
    return {"ConnectionArn": arn, "Tags": request.get("Tags", [])}


def _get(_place: Place, request: Document) -> Document:
    with _connections.lock:
        return {"Connection": dict(_found(request["ConnectionArn"]))}


def _list(place: Place, _request: Document) -> Document:
    with _connections.lock:
        every = [dict(one) for one in _connections.known.values()]
    return {"Connections": [one for one in every if one["OwnerAccountId"] == place.account]}


def _delete(_place: Place, request: Document) -> Document:
    with _connections.lock:
        _found(request["ConnectionArn"])
        del _connections.known[request["ConnectionArn"]]
    return {}
