"""Finding and ending all descendants of a process where no PID namespace does it."""

import os
import signal


def children_of(pid: int) -> list[int]:
    """Living and dead children of all threads of a process; raises FileNotFoundError where the kernel tells none."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """All living descendants of a process; zombies do not count, but their children do."""
    if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        return descendants_by_parents(pid)
    found, todo = [], [pid]
    while todo:
        try:
            children = children_of(todo.pop())
        except OSError:
            continue  # it ended meanwhile
        todo += children
        found += [child for child in children if is_alive(child)]
    return found


def descendants_by_parents(pid: int) -> list[int]:
    """The same from the parents in /proc, for kernels that list no children."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            todo.append(child)
            if is_alive(child):
                found.append(child)
    return found


def kill_descendants(pid: int, rounds: int = 1000) -> bool:
    """Kill until none is left alive. Nothing is reaped meanwhile: zombies fill a fork bomb's places."""
    for _ in range(rounds):
        living = descendants(pid)
        if not living:
            return True
        for descendant in living:
            try:
                os.kill(descendant, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
    return False
