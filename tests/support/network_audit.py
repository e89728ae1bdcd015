"""Kill a child process, threads and native code included, the moment it tries to reach a network.

A seccomp filter needs no rights, no namespaces and no other program. It lets a process listen and
answer, since answers go out on connections that others opened, and kills it (SIGSYS) when it
connects anywhere (a name service counts), opens a datagram socket, or sends to an address.
"""

import ctypes
import platform
import socket
import struct

_COMMON = {
    "socket": 198,
    "connect": 203,
    "sendto": 206,
    "sendmsg": 211,
    "sendmmsg": 269,
    "io_uring_setup": 425,
}
"""Numbers of system calls on processors that Linux supports since 2012 or later."""
_X86_64 = {
    "socket": 41,
    "connect": 42,
    "sendto": 44,
    "sendmsg": 46,
    "sendmmsg": 307,
    "io_uring_setup": 425,
}
ARCHITECTURES = {
    "x86_64": (0xC000003E, _X86_64),
    "aarch64": (0xC00000B7, _COMMON),
    "riscv64": (0xC00000F3, _COMMON),
}
"""What the kernel calls each (linux/audit.h), and its numbers; all of them little-endian."""

# linux/seccomp.h, linux/prctl.h, linux/bpf_common.h
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
_NUMBER, _ARCHITECTURE = 0, 4
"""Offsets in struct seccomp_data."""
_X32 = 0x40000000
_TYPE_MASK, _FASTOPEN = 0xF, 0x20000000


_LIBC = ctypes.CDLL(None, use_errno=True)
"""Loaded before any fork: another thread may be loading something then."""


def forbid_network():
    """Install the filter in this process, for good; meant for `subprocess`'s `preexec_fn`."""
    program = _program()
    code = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.addressof(code))
    for option, *values in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header), 0, 0),
    ):
        if _LIBC.prctl(option, *map(ctypes.c_ulong, values)) != 0:
            raise OSError(ctypes.get_errno(), "this kernel takes no seccomp filter")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _program():
    """The filter, as the kernel's virtual machine (classic BPF) reads it."""
    architecture, numbers = ARCHITECTURES[platform.machine()]
    kill, allow = [_statement(_RETURN, _KILL_PROCESS)], [_statement(_RETURN, _ALLOW)]
    code = [
        _statement(_LOAD, _ARCHITECTURE),
        _jump(_EQUAL, architecture, 1, 0),
        *kill,
        _statement(_LOAD, _NUMBER),
        _jump(_AT_LEAST, _X32, 0, 1),
        *kill,
    ]
    for name in ("connect", "sendmmsg", "io_uring_setup"):
        code += _when(numbers[name], kill)
    datagram = [_statement(_LOAD, _argument(0))]
    datagram += [_jump(_EQUAL, socket.AF_INET, 2, 0), _jump(_EQUAL, socket.AF_INET6, 1, 0), *allow]
    datagram += [_statement(_LOAD, _argument(1)), _statement(_AND, _TYPE_MASK)]
    datagram += [_jump(_EQUAL, socket.SOCK_STREAM, 0, 1), *allow, *kill]
    code += _when(numbers["socket"], datagram)
    addressed = []
    for half in (0, 4):
        addressed += [_statement(_LOAD, _argument(4) + half), _jump(_EQUAL, 0, 1, 0), *kill]
    code += _when(numbers["sendto"], [*addressed, *allow])
    opening = [_statement(_LOAD, _argument(2)), _jump(_ANY_BIT, _FASTOPEN, 0, 1), *kill, *allow]
    code += _when(numbers["sendmsg"], opening)
    return b"".join([*code, *allow])


def _when(number, code):
    """Code for one system call; it ends in a return."""
    return [_jump(_EQUAL, number, 0, len(code)), *code]


def _argument(place):
    """Offset of the lower half of an argument."""
    return 16 + 8 * place


def _statement(code, value):
    return struct.pack("HBBI", code, 0, 0, value)


def _jump(code, value, then, otherwise):
    return struct.pack("HBBI", code, then, otherwise, value)
