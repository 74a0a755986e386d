"""File systems in files: made, copied and mounted on this machine."""

import contextlib
import pathlib
import subprocess

MEGABYTES = 320
MAKE = {
    # Blocks as large as what a disk writes at once: no file system expects of a disk that half of one arrives.
    "ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-s", "size=4096"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}


def make(fs, disk):
    with disk.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    subprocess.run([*MAKE[fs], disk], check=True, capture_output=True)


def copy(disk, to):
    """Holes stay holes. It is a new file: of one that was mounted before, the kernel may still know what was in it."""
    pathlib.Path(to).unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", disk, to], check=True)
    return to


@contextlib.contextmanager
def mounted(fs, disk, at):
    """Mounts it until the end of the block: the kernel recovers what it finds. Raises what mount said, if it does not."""
    options = "loop,noatime,nouuid" if fs == "xfs" else "loop,noatime"
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", fs, "-o", options, disk, at], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmountable(done.stderr.strip())
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)
        if fs == "btrfs":
            # It would not take an older state of the same file system for what it is.
            subprocess.run(["btrfs", "device", "scan", "--forget"], check=False, capture_output=True)


class Unmountable(Exception):
    """The file system did not survive."""
