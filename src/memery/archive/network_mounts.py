"""Detection of network file systems."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NETWORK_FILE_SYSTEMS = frozenset(
    [
        *("9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"),
        *("fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    ]
)


def is_on_network(folder: Path) -> bool:
    """Whether a folder is on a network file system.

    SQLite's write-ahead log needs shared memory, which network file systems do not provide.
    """
    if sys.platform == "win32":
        return str(folder).startswith("\\\\")
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:  # not available on macOS: assume a local file system
        return False
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    # Compare devices, not paths: one path may have several mounts, and paths are escaped.
    for fields in map(bytes.split, mounts):
        if fields[2] == number:
            kind = fields[fields.index(b"-") + 1]
            return kind.decode("ascii", "replace") in _NETWORK_FILE_SYSTEMS
    return False
