"""The system calls that programs in the sandbox may not make, as a filter for the kernel (seccomp, classic BPF).

The walls are namespaces and a user without rights; the filter keeps programs away from what leads around them: new
namespaces, mounts, other processes' memory, kernel rings, memory that no process is charged for, and socket families
that a network namespace does not hold back (vsock reaches the host of a virtual machine).
Numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

import platform
import struct

from harness.errors import ConfigError

__all__ = ["MACHINES", "filter_for"]

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWNS."""
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET and AF_INET6: the namespace has no network, and its loopback ends in it."""
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

# mount API of 5.2, io_uring, clone3 aside, memfd_secret: the same numbers everywhere
_ALIKE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 447)
_CLONE3 = 435

MACHINES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        56,
        41,
        (
            # ptrace process_vm_readv process_vm_writev mount umount2 pivot_root chroot unshare setns
            *(101, 310, 311, 165, 166, 155, 161, 272, 308),
            # bpf perf_event_open keyctl add_key request_key userfaultfd kexec_load kexec_file_load
            *(321, 298, 250, 248, 249, 323, 246, 320),
            # init_module finit_module delete_module open_by_handle_at name_to_handle_at quotactl reboot swapon/off acct
            *(175, 313, 176, 304, 303, 179, 169, 167, 168, 163),
            # settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname iopl ioperm
            *(164, 227, 159, 305, 170, 171, 172, 173),
            # shmget msgget semget memfd_create kcmp personality syslog vhangup move/migrate_pages mbind set_mempolicy
            *(29, 68, 64, 319, 312, 135, 103, 153, 279, 256, 237, 238),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        198,
        (
            *(117, 270, 271, 40, 39, 41, 51, 97, 268),
            *(280, 241, 219, 217, 218, 282, 104, 294),
            *(105, 273, 106, 265, 264, 60, 142, 224, 225, 89),
            *(170, 112, 171, 266, 161, 162),
            *(194, 186, 190, 279, 272, 92, 116, 58, 239, 238, 235, 237),
        ),
    ),
}
"""By machine: AUDIT_ARCH value, number of clone, number of socket, numbers refused."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16


def filter_for(machine: str | None = None) -> bytes:
    """The filter as the kernel takes it, 8 bytes an instruction. Raises ConfigError for a machine it does not know."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        raise ConfigError(f"the bubblewrap sandbox is made for {' and '.join(MACHINES)}; this machine is {machine}")
    arch, clone, socket, refused = MACHINES[machine]
    code = [(_LOAD, 0, 0, _ARCH), (_JUMP_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    # Numbers with this bit are those of the x32 ABI: the same calls by other numbers.
    code += [(_JUMP_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    code += [(_JUMP_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]  # its flags are in memory, not to be seen
    for number in (*refused, *_ALIKE):
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    code += [(_JUMP_EQUAL, 0, 4, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    code += [(_JUMP_BITS, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _ERRNO | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    code += [(_JUMP_EQUAL, 0, 5, socket), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    code += [(_JUMP_EQUAL, len(_FAMILIES) - number, 0, family) for number, family in enumerate(_FAMILIES)]
    code += [(_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *one) for one in code)
