"""A file system of its own, in a file."""

import pathlib
import shutil
import subprocess
import tempfile
import time

# The package that makes it, and the command.
KINDS = {
    "ext4": ("e2fsprogs", ["mkfs.ext4", "-q", "-F", "-O", "has_journal"]),
    "xfs": ("xfsprogs", ["mkfs.xfs", "-q", "-f"]),
    "btrfs": ("btrfs-progs", ["mkfs.btrfs", "-q", "-f"]),
}


def install(kind):
    package, make = KINDS[kind]
    if shutil.which(make[0]) is None:
        subprocess.run(["apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-yq", package], check=True, stdout=subprocess.DEVNULL)


class Mounted:
    """An empty file system of this kind, in a sparse image. Both go at the end, unless they are to be kept."""

    def __init__(self, kind, gigabytes):
        install(kind)
        self.here = pathlib.Path(tempfile.mkdtemp(prefix=f"filedrop-{kind}-"))
        self.point = self.here / "mounted"
        image = self.here / "image"
        with open(image, "wb") as file:
            file.truncate(gigabytes << 30)
        subprocess.run([*KINDS[kind][1], image], check=True)
        if kind == "ext4":
            features = subprocess.run(["dumpe2fs", "-h", image], check=True, capture_output=True, text=True).stdout
            if "has_journal" not in features:
                raise RuntimeError("mkfs.ext4 made no journal")
        self.point.mkdir()
        subprocess.run(["mount", "-o", "loop", image, self.point], check=True)

    def remove(self):
        # What a killed handler had started may not have ended yet.
        for _ in range(100):
            if subprocess.run(["umount", self.point], stderr=subprocess.DEVNULL).returncode == 0:
                return shutil.rmtree(self.here)
            time.sleep(0.1)
        raise RuntimeError(f"{self.point} cannot be unmounted: somebody uses it")
