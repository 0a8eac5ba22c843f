"""Starts a worker: gives up root, then becomes bubblewrap (level A) or the template interpreter (level B).

Run by the supervisor in a fresh interpreter with one JSON argument. As root it first binds the folders that the
sandbox needs to a place that an unprivileged user can reach (root's home usually is not one), in a mount
namespace of its own. The worker starts with an empty environment, as bubblewrap's first process keeps it readable.
"""

import ctypes
import json
import os
import sys

CLONE_NEWNS, MS_RDONLY, MS_NOSUID, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 1, 2, 4096, 16384, 1 << 18


def bind_reachable(folders: dict[str, str]) -> None:
    """Bind each folder of {where it is: where it shall be reachable} below a private tmpfs."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result: int, what: str) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

    root = os.path.dirname(next(iter(folders.values())))
    check(libc.unshare(CLONE_NEWNS), "unshare of mounts")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    check(libc.mount(b"none", root.encode(), b"tmpfs", MS_NOSUID, b"mode=755,size=1m"), f"tmpfs on {root}")
    for source, target in folders.items():
        os.mkdir(target, 0o755)
        check(libc.mount(source.encode(), target.encode(), None, MS_BIND | MS_REC, None), f"bind of {source}")


def main() -> None:
    plan = json.loads(sys.argv[1])
    os.chdir("/")
    os.umask(0o022)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")  # when memory runs out, the sandbox goes first
    except OSError:
        pass
    if plan["bind"]:
        bind_reachable(plan["bind"])
    if plan["uid"] is not None:
        os.setgroups([])
        os.setresgid(plan["uid"], plan["uid"], plan["uid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    os.execve(plan["argv"][0], plan["argv"], {})


if __name__ == "__main__":
    main()
