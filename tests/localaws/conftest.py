"""The laptop's AWS for tests: one server in this process, on a free port, that skips waits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig

from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET
from localaws.server import Config, LaptopServer

Developer = Callable[[str], Any]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    """A running laptop, new for each file of tests; waits pass 100,000 times faster than on AWS."""
    state_dir: Path = tmp_path_factory.mktemp("laptop")
    with LaptopServer(Config(port=0, state_dir=state_dir, time_scale=100_000.0)) as server:
        yield server


@pytest.fixture(scope="module")
def developer(laptop: LaptopServer) -> Developer:
    """Clients of the user `developer`, called as `developer("s3")`; they stay in this process."""
    return clients.developer_client


@pytest.fixture(scope="module")
def remote(laptop: LaptopServer) -> Callable[..., Any]:
    """Ordinary clients that go through the socket: `remote("s3", key_id=..., secret=...)`."""

    def make(
        service: str,
        *,
        key_id: str = DEVELOPER_KEY_ID,
        secret: str = DEVELOPER_SECRET,
        token: str | None = None,
        region: str = "us-east-1",
        attempts: int = 1,
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=laptop.url,
            region_name=region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=BotoConfig(retries={"total_max_attempts": attempts}),
        )

    return make
