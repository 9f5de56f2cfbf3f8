"""Makes a job's folder appear as /opt/ml to that job's process and to no other.

On Linux a private mount namespace does it, so scripts with hard-coded `/opt/ml/...` paths run
unmodified and the host's /opt is never touched: the mounts live in the namespace and vanish with
its last process. Root takes a mount namespace alone, other users a user namespace with it.

A job or model with network isolation gets a network namespace in the same step.

# parity: elsewhere (macOS, or Linux without unprivileged namespaces) the literal text `/opt/ml` is
rewritten to the job's folder in its Python sources, arguments, environment and configuration files;
a path that a script puts together from pieces is not found. See docs/parity.md.

Runs in the child between fork and the script; standard library only, single-threaded.
"""

import contextlib
import ctypes
import os
import socket
import struct
import sys
import tempfile
from pathlib import Path

OPT_ML = "/opt/ml"
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_CONFIG_FOLDERS = ("config", "input/config")


def namespaces_work() -> bool:
    """Whether a private /opt/ml can be made here; tried once, in a process of its own."""
    if sys.platform != "linux" or os.environ.get("LOCALAWS_ROOT") == "rewritten":
        return False
    with tempfile.TemporaryDirectory(prefix="localaws-") as folder:
        root, scratch = Path(folder, "ml"), Path(folder, "opt")
        root.mkdir()
        scratch.mkdir()
        pid = os.fork()
        if pid == 0:
            _probe(str(root), str(scratch))
        return os.waitpid(pid, 0)[1] == 0


def _probe(root: str, scratch: str) -> None:
    try:
        enter(root, scratch)
        Path(OPT_ML, "probe").touch()
    except OSError:
        os._exit(1)
    os._exit(0)


def enter(root: str, scratch: str, *, has_network: bool = True) -> None:
    """Put this process where `root` is /opt/ml; `scratch` is an empty folder for the mount points.

    Without a network it has loopback of its own and nothing else. Raises OSError when the kernel
    refuses; the process may then be half-way and must end.
    """
    _unshare(_CLONE_NEWNS if has_network else _CLONE_NEWNS | _CLONE_NEWNET)
    if not has_network:
        _raise_loopback()
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    if os.path.isdir(OPT_ML):
        _bind(root, OPT_ML)
    else:
        _private_opt(root, scratch)


def _unshare(namespaces: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    if os.geteuid() == 0 and _libc().unshare(namespaces) == 0:
        return
    _checked(_libc().unshare(namespaces | _CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _raise_loopback() -> None:
    """A new network namespace has loopback, but down; programs that talk to themselves need it."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH22x", b"lo", _IFF_UP)
        # Not everybody who may make the namespace may raise it; most programs never notice.
        with contextlib.suppress(OSError):
            fcntl.ioctl(any_socket.fileno(), _SIOCSIFFLAGS, request)


def _private_opt(root: str, scratch: str) -> None:
    """Build a copy of /opt out of bind mounts, with `ml` added, and put it over /opt."""
    _mount("tmpfs", scratch, "tmpfs", 0, "mode=755")
    with os.scandir("/opt") as entries:
        for entry in entries:
            _mirror(entry, os.path.join(scratch, entry.name))
    own = os.path.join(scratch, "ml")
    os.mkdir(own)
    _bind(root, own)
    _bind(scratch, "/opt")


def _mirror(entry: "os.DirEntry[str]", target: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
        return
    if entry.is_dir():
        os.mkdir(target)
    else:
        Path(target).touch()
    _bind(entry.path, target)


def _bind(source: str, target: str) -> None:
    _mount(source, target, "", _MS_BIND | _MS_REC)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = _libc().mount(
        source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None
    )
    _checked(result, f"mount {source} on {target}")


def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mount.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
    ]
    return library


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that forked it ends."""
    if sys.platform == "linux":
        _libc().prctl(1, 9, 0, 0, 0)


def rewrite_text(text: str, root: str) -> str:
    """`text` with every literal /opt/ml turned into `root`."""
    return text.replace(OPT_ML, root)


def rewrite_configuration(root: str) -> None:
    """Rewrite the JSON files under /opt/ml that hold paths."""
    for folder in _CONFIG_FOLDERS:
        for path in Path(root, folder).glob("*.json"):
            path.write_text(rewrite_text(path.read_text("utf-8"), root), "utf-8")
