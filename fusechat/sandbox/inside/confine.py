"""Confines the calling process for good: resource limits, no new privileges, Landlock, seccomp (x86-64).

Landlock and seccomp are called by number through ctypes, so nothing needs to be installed for them.
"""

import ctypes
import os
import platform
import resource
import struct
from typing import Any

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT, SYS_CAPSET, SYS_CLONE = 444, 445, 446, 126, 56
CLONE_NEWPID, CLONE_NEW_ANY = 0x20000000, 0x7E020080
EPERM, ENOSYS = 1, 38

# Landlock's rights by ABI: 13 for files at first, then refer, truncate, (4: TCP), ioctl on devices.
READ_RIGHTS = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read directory
FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15

SYSCALLS = {
    "socket": 41, "connect": 42, "bind": 49, "kill": 62, "clone": 56, "shmget": 29, "shmat": 30, "semget": 64,
    "msgget": 68, "ptrace": 101, "syslog": 103, "sched_setparam": 142, "sched_setscheduler": 144, "chmod": 90,
    "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132, "setpriority": 141, "pivot_root": 155,
    "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "init_module": 175,
    "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "sched_setaffinity": 203, "clock_settime": 227,
    "tgkill": 234, "utimes": 235, "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "ioprio_set": 251, "fchownat": 260, "futimesat": 261, "fchmodat": 268, "unshare": 272,
    "utimensat": 280, "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "sched_setattr": 314, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_send_signal": 424,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "process_mrelease": 448, "fchmodat2": 452, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "migrate_pages": 256, "move_pages": 279, "personality": 135, "setpgid": 109,
}  # fmt: skip
ALWAYS_REFUSED = [
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "process_madvise",
    "process_mrelease",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "quotactl",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "shmget",
    "shmat",
    "semget",
    "msgget",
    "mq_open",
    "migrate_pages",
    "move_pages",
]
# Without namespaces of its own a process shares network, users and priorities with everybody else.
REFUSED_WITHOUT_NAMESPACES = ["socket", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "ioprio_set", "sched_setattr"]
OWN_PROCESS_ONLY = ["kill", "tkill", "tgkill"]
FIRST_ARGUMENT_ZERO = ["prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler"]
# Quietly do nothing: Landlock does not guard a file's mode, owner, times and attributes.
PRETENDED = [
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
]

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def prctl(option: int, *args: Any) -> None:
    padded = [ctypes.c_ulong(arg) if isinstance(arg, int) else arg for arg in (*args, 0, 0, 0, 0)[:4]]
    checked(libc.prctl(option, *padded), f"prctl {option}")


def fork_in_pid_namespace() -> int:
    """fork(), the child being the first process of a new PID namespace. For single-threaded callers only."""
    return checked(libc.syscall(SYS_CLONE, CLONE_NEWPID | 17, 0, 0, 0, 0), "clone")


def drop_capabilities() -> None:
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    header = struct.pack("=Ii", 0x20080522, 0)
    checked(libc.syscall(SYS_CAPSET, header, bytes(24)), "capset")


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where it has none."""
    return max(0, libc.syscall(SYS_LANDLOCK_CREATE, None, 0, 1))


def restrict_files(readable: list[str], writable: list[str], connect: bool) -> None:
    """Landlock: files under `readable` may be read and run, those under `writable` changed, nothing else."""
    abi = landlock_abi()
    handled = (
        (1 << 13) - 1
        | (1 << 13 if abi >= 2 else 0)
        | (1 << 14 if abi >= 3 else 0)
        | (1 << 15 if abi >= 5 else 0)
    )
    network = 3 if abi >= 4 and not connect else 0
    scoped = 3 if abi >= 6 else 0
    attributes = struct.pack("=QQQ", handled, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = checked(
        libc.syscall(SYS_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset"
    )
    for paths, rights in ((readable, READ_RIGHTS), (writable, handled)):
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            allowed = rights & handled if os.path.isdir(path) else rights & handled & FILE_RIGHTS
            rule = struct.pack("=Qi", allowed, descriptor)
            checked(libc.syscall(SYS_LANDLOCK_ADD, ruleset, 1, rule, 0), "landlock_add_rule")
            os.close(descriptor)
    checked(libc.syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def seccomp_program(namespaces: bool, own_pid: int) -> bytes:
    """A filter for x86-64: refuses what no answer needs; other architectures' calls kill the process."""
    rules: list[tuple[int, int, int, int]] = []

    def statement(code: int, value: int, yes: int = 0, no: int = 0) -> None:
        rules.append((code, yes, no, value))

    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, error = 0x80000000, 0x7FFF0000, 0x00050000
    statement(load, 4)
    statement(equal, 0xC000003E, 1, 0)
    statement(give, kill)
    statement(load, 0)
    statement(at_least, 0x40000000, 0, 1)  # the x32 calls
    statement(give, kill)

    def refuse(name: str, outcome: int) -> None:
        statement(equal, SYSCALLS[name], 0, 1)
        statement(give, outcome)

    for name in ALWAYS_REFUSED + ([] if namespaces else REFUSED_WITHOUT_NAMESPACES):
        refuse(name, error | EPERM)
    refuse("clone3", error | ENOSYS)  # its flags lie in memory; the C library falls back to clone
    for name in PRETENDED if not namespaces else []:
        refuse(name, error)
    statement(equal, SYSCALLS["clone"], 0, 4)
    statement(load, 16)
    statement(any_bit, CLONE_NEW_ANY, 0, 1)
    statement(give, error | EPERM)
    statement(give, allow)
    for name in FIRST_ARGUMENT_ZERO + ([] if namespaces else OWN_PROCESS_ONLY):
        wanted = own_pid if name in OWN_PROCESS_ONLY else 0
        statement(equal, SYSCALLS[name], 0, 4)
        statement(load, 16)
        statement(equal, wanted, 1, 0)
        statement(give, error | EPERM)
        statement(give, allow)
    if not namespaces:
        statement(equal, SYSCALLS["setpriority"], 0, 4)
        statement(load, 24)
        statement(equal, 0, 1, 0)
        statement(give, error | EPERM)
        statement(give, allow)
    statement(give, allow)
    return b"".join(struct.pack("=HBBI", *rule) for rule in rules)


def filter_system_calls(namespaces: bool) -> None:
    if platform.machine() != "x86_64":
        raise OSError("the system call filter is written for x86-64 only")
    program = seccomp_program(namespaces, os.getpid())
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(header))


def set_limits(limits: dict[str, Any], cpu_s: int) -> None:
    """Resource limits of one process of a case; the hard limits too, so they cannot be raised again."""
    memory, files = limits["memory_mb"] << 20, limits["file_mb"] << 20
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, files, files),
        (resource.RLIMIT_NOFILE, limits["descriptors"], limits["descriptors"]),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_STACK, 64 << 20, 64 << 20),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_NPROC, limits["processes"], limits["processes"]),
    ):
        _, most = resource.getrlimit(kind)
        cap = hard if most == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(kind, (min(soft, cap), cap))


def close_descriptors(keep: set[int]) -> None:
    """Close everything but standard input, output, error and `keep`."""
    last = 2
    for descriptor in sorted(number for number in keep if number > 2):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 4096)
