"""Where the archive of a folder lies."""

import subprocess
import sys

MOUNT = 'mount -t tmpfs none "$1" && mkdir "$1/photos" && exec "$2" -c "$3" "$1"'
FIND = """
import sys
from pathlib import Path
from memery import archive
from memery.archive import network_mounts
for kinds in ({"tmpfs"}, {"nfs"}):
    network_mounts._NETWORK_FILE_SYSTEMS = kinds
    for folder in (Path(sys.argv[1]), Path(sys.argv[1], "photos")):
        print(archive.find_archive(folder).folder.is_relative_to(folder))
"""


def test_keeps_the_archive_of_a_network_file_system_in_the_cache(tmp_path, mount_namespace):
    mount = tmp_path / "two words\nand a line"
    mount.mkdir()
    command = [*mount_namespace, "sh", "-c", MOUNT, "sh", mount, sys.executable, FIND]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["False", "False", "True", "True"], done.stderr
