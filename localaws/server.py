"""Starts and stops the laptop's AWS: one process, one port on loopback, everything installed.

`LaptopServer` is the only way in: it installs each part before the first request is taken.
"""

import errno
import importlib
import importlib.util
import os
import socket
import threading
from types import ModuleType, TracebackType
from typing import Any, Self

from localaws import clients, clock, faults, service_descriptions, wire
from localaws.accounts import ACCOUNTS
from localaws.context import Config, Context
from localaws.errors import PortInUseError
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams import server as moto_seams

MODULES = (
    "localaws.iam.service",
    "localaws.lambdas.service",
    "localaws.lambdas.queues",
    "localaws.inbox",
    "localaws.events.service",
    "localaws.events.schedules",
    "localaws.monitoring.percentiles",
    "localaws.machines.service",
    "localaws.sagemaker.api",
    "localaws.endpoints.service",
    "localaws.codebuild.service",
    "localaws.codedeploy.service",
    "localaws.pipelines.service",
    "localaws.cloudformation.service",
    "localaws.service_quotas",
    "localaws.connections",
    "localaws.container_registry",
)
"""Parts in the order they are installed; they are shut down in the reverse order."""

_OWN = {
    *("applicationautoscaling", "cloudformation", "codebuild", "codedeploy"),
    *("codestarconnections", "ecr", "servicequotas"),
}
"""Backends of which nothing is left to moto."""

__all__ = ["MODULES", "Config", "LaptopServer"]


_running: list["LaptopServer"] = []


class LaptopServer:
    """The laptop's AWS; `with LaptopServer(Config(port=0)) as laptop: ... laptop.url`."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.url = ""
        self.context: Context | None = None
        self._modules: list[ModuleType] = []
        self._http: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Serve from now on; raises PortInUseError when the port is taken.

        One server per process: the stores it serves are the process's own.
        """
        if _running:
            raise RuntimeError(f"this process serves a laptop's AWS already, at {_running[0].url}")
        clock.set_time_scale(self.config.time_scale)
        self._http = _bind(self.config)
        _running.append(self)
        try:
            self._install(self._http.bind_addr[1])
        except BaseException:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._http.serve, name="localaws-http", daemon=True)
        self._thread.start()
        return self

    def _install(self, port: int) -> None:
        self.url = f"http://localhost:{port}"
        moto_patches.put(os.environ, "MOTO_PORT", str(port))
        service_descriptions.keep_lean()
        moto_seams.stub_batch()
        moto_seams.stub_ec2()
        moto_seams.configure_moto()
        from localaws.gateway import Gateway

        about = {"url": self.url, "pid": os.getpid(), "account": self.config.account}
        accounts = {account.environment: account.id for account in ACCOUNTS}
        gateway = Gateway({**about, "accounts": accounts, "region": self.config.region})
        self._http.wsgi_app = gateway
        self.context = Context(self.config, self.url, gateway)
        faults.clear()
        moto_seams.forget_everything(sorted({s.backend for s in wire.SERVICES.values()} - _OWN))
        clients.install(self.context)
        for name in MODULES:
            self._install_module(name, self.context)

    def _install_module(self, name: str, context: Context) -> None:
        if importlib.util.find_spec(name) is None:
            return
        module = importlib.import_module(name)
        self._modules.append(module)
        module.install(context)

    def stop(self) -> None:
        """Stop serving, then every part in reverse order; nothing it started stays behind."""
        if self in _running:
            _running.remove(self)
        modules, self._modules = self._modules, []
        for module in reversed(modules):
            shutdown = getattr(module, "shutdown", None)
            if shutdown is not None:
                shutdown()
        if self._http is not None:
            self._http.stop()
        if self._thread is not None:
            self._thread.join(timeout=5)
        clients.shutdown()
        moto_patches.restore()
        self._http = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _bind(config: Config) -> Any:
    from cheroot.wsgi import Server

    from localaws.http_connection import Connection

    _refuse_a_taken_port(config.port)
    http = Server(
        ("127.0.0.1", config.port),
        None,
        numthreads=config.threads,
        server_name="localhost",
        request_queue_size=256,
        shutdown_timeout=1,
    )
    http.ConnectionClass = Connection
    # Worker threads inherit "daemon" from the thread that starts them; as daemons they cannot keep
    # a process alive whose main thread died of an error before it could stop the server.
    failures: list[BaseException] = []
    starter = threading.Thread(target=_prepare, args=(http, failures), daemon=True)
    starter.start()
    starter.join()
    if failures:
        raise PortInUseError(config.port) from failures[0]
    return http


def _prepare(http: Any, failures: list[BaseException]) -> None:
    try:
        http.prepare()
    except OSError as error:
        failures.append(error)


def _refuse_a_taken_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(port) from error
            raise
