"""The parent of all workers: imports what students import, once, then forks one worker per submission.

It runs inside the sandbox that `hyplearn.grading.isolation` sets up, and is asked through a socket for workers, each
with two sockets of its own: one for the worker's messages, one (the leash) on which the supervisor tells how the
worker ended. When the grader lets go of the leash, or is itself killed, the worker is killed with all its processes.

A fork alone would share /tmp and the process table with the next student. So every worker gets fresh namespaces (user,
mount, process, network, IPC), an empty /tmp, no /proc, limits on memory, threads, file size and processor time, and a
system call filter that refuses new processes, networks, mounts and the like. Only system calls are made here, by
ctypes: Python 3.11 has no `os.unshare`.

    python -m hyplearn.grading.zygote FD SETTINGS    SETTINGS: JSON {"namespaces": bool, "preload": [module, ...],
                                                     "installation": [folder, ...]}
"""

import ctypes
import errno
import gc
import importlib
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys

from hyplearn.grading import worker

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_THREAD = 0x00010000
NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USERS, NEW_PIDS, NEW_NET = (
    *(0x00020000, 0x04000000, 0x08000000),
    *(0x10000000, 0x20000000, 0x40000000),
)
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
INNER_ID = 1000


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    for module in settings["preload"]:
        importlib.import_module(module)
    worker.warm_up()
    shell = worker.make_shell()
    worker.warm_up_figures(shell)
    gc.collect()
    gc.freeze()  # what is there now is never garbage: no worker copies its pages to look for some
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are reaped by the kernel
    control.send(b"ready")
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 65536, 2)
        if not order:
            return
        if os.fork() == 0:
            control.close()
            _supervise(json.loads(order), settings, shell, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _supervise(order: dict, settings: dict, shell, data: int, leash: int) -> None:
    """Sets up the surroundings, forks the worker into them, and tells on the leash how it ended. Does not return."""
    namespaces = settings["namespaces"]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        _set_limits(order)
        if namespaces:
            _enter_namespaces(order, settings["installation"])
        pid = os.fork()
    except OSError as error:
        os.write(leash, _failure(error))
        os._exit(1)
    if pid == 0:
        _become_worker(namespaces, shell, data, leash)
    os.close(data)
    poll = select.poll()
    poll.register(leash, select.POLLIN | select.POLLHUP)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            os.write(leash, json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode())
            os._exit(0)
        if poll.poll(20):  # milliseconds; the leash is let go
            # With namespaces the worker is process 1 of its own, and the kernel ends all others with it.
            (os.kill if namespaces else os.killpg)(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # its threads count against the next worker's limit until it is gone
            os._exit(0)


def _become_worker(namespaces: bool, shell, data: int, leash: int) -> None:
    try:
        os.setsid()
        if LINUX:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if namespaces:
            _drop_capabilities()
            _filter_system_calls()
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.flush() if stream.writable() else None
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
    except OSError as error:
        os.write(leash, _failure(error))
        os._exit(1)
    os.close(leash)
    try:
        worker.serve(socket.socket(fileno=data), shell)
    finally:
        os._exit(0)


def _failure(error: OSError) -> bytes:
    return json.dumps({"setup": f"{error.strerror} ({error.filename})"}).encode()


def _set_limits(order: dict) -> None:
    # The zygote's own size (torch maps much) does not count against the student.
    size = 0
    if LINUX:
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, size + order["memory"])
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, order["file_size"])
    _limit(resource.RLIMIT_NOFILE, 256)
    _limit(resource.RLIMIT_CPU, order["seconds"])
    if order["uid"] or os.getuid() != 0:  # it does not bind root, and an unprivileged user's own processes count
        _limit(resource.RLIMIT_NPROC, order["threads"])


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _enter_namespaces(order: dict, installation: list[str]) -> None:
    if order["uid"]:  # the grader is root: a real uid of the worker's own, so that the limit on threads counts it alone
        os.setgroups([])
        os.setresgid(*[order["uid"]] * 3)
        os.setresuid(*[order["uid"]] * 3)
        _call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # a change of uid makes /proc/self unwritable
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", NEW_USERS | NEW_MOUNTS | NEW_PIDS | NEW_IPC | NEW_NET | NEW_UTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{INNER_ID} {uid} 1"), ("gid_map", f"{INNER_ID} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
    size = f"size={order['disk']},nr_inodes=4096"
    # Python itself may be installed below /tmp (a course that was cloned there): it is bound again into the empty one.
    covered = [(folder, os.open(folder, os.O_PATH)) for folder in installation if folder.startswith("/tmp/")]
    _mount_empty("/tmp", f"{size},mode=700")
    for folder, descriptor in covered:
        os.makedirs(folder, exist_ok=True)
        _call("mount", f"/proc/self/fd/{descriptor}".encode(), folder.encode(), None, MS_BIND | MS_REC, None)
        os.close(descriptor)
    _mount_empty("/dev/shm", f"{size},mode=700")
    # The outer /proc shows the processes of other workers, and a fresh one is refused here (bubblewrap's is partly
    # covered, and the kernel lets nobody uncover it): none at all.
    _mount_empty("/proc", "size=4k,mode=500")
    os.chdir("/tmp")


def _mount_empty(path: str, options: str) -> None:
    _call("mount", b"tmpfs", path.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())


def _call(name: str, *arguments) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _drop_capabilities() -> None:
    # linux/capability.h: version 3 (0x20080522), this process; two words each of effective, permitted, inheritable.
    header, empty = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _call("capset", header, empty)


# The numbers of the system calls that a worker does not need, and that are doors: new processes, networks, mounts,
# namespaces, other processes' memory, kernel interfaces with a history of holes, memory that no limit counts.
_DENIED = {
    "x86_64": {
        **{"fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "socket": 41, "ptrace": 101, "shmget": 29},
        **{"process_vm_readv": 310, "process_vm_writev": 311, "mount": 165, "umount2": 166, "pivot_root": 155},
        **{"chroot": 161, "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323},
        **{"add_key": 248, "request_key": 249, "keyctl": 250, "io_uring_setup": 425, "memfd_create": 319},
        **{"memfd_secret": 447, "fsopen": 430, "open_tree": 428, "move_mount": 429, "mount_setattr": 442},
    },
    "aarch64": {
        **{"execve": 221, "execveat": 281, "socket": 198, "ptrace": 117, "shmget": 194, "process_vm_readv": 270},
        **{"process_vm_writev": 271, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97},
        **{"setns": 268, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "add_key": 217, "request_key": 218},
        **{"keyctl": 219, "io_uring_setup": 425, "memfd_create": 279, "memfd_secret": 447, "fsopen": 430},
        **{"open_tree": 428, "move_mount": 429, "mount_setattr": 442},
    },
}
_ARCHITECTURE = {"x86_64": (0xC000003E, 56), "aarch64": (0xC00000B7, 220)}  # linux/audit.h, number of clone
_CLONE3 = 435


def _filter_system_calls() -> None:
    """Seccomp: the denied calls fail with EPERM, clone too unless it makes a thread; nothing on other processors."""
    machine = platform.machine()
    if machine not in _DENIED:
        return
    architecture, clone = _ARCHITECTURE[machine]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: ld [k], jeq, jge, jset, ret
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    program = [
        (load, 0, 0, 4),  # the architecture: another one's calls have other numbers
        (equal, 1, 0, architecture),
        (give, 0, 0, refuse),
        (load, 0, 0, 0),  # the number of the call
        (at_least, 0, 1, 0x40000000),  # the x32 variants of x86_64's calls
        (give, 0, 0, refuse),
        (equal, 0, 1, _CLONE3),  # its flags lie in memory, which a filter cannot read: glibc then falls back to clone
        (give, 0, 0, 0x00050000 | errno.ENOSYS),
        (equal, 0, 4, clone),
        (load, 0, 0, 16),  # its first argument, the flags
        (any_bit, 0, 1, CLONE_THREAD),
        (give, 0, 0, allow),
        (give, 0, 0, refuse),
    ]
    for number in sorted(_DENIED[machine].values()):
        program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    program.append((give, 0, 0, allow))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    description = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    _call("prctl", PR_SET_SECCOMP, 2, description, 0, 0)


if __name__ == "__main__":
    main()
