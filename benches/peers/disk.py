"""Where everybody keeps their files: ext4 with a journal on a loop device, without the page cache of what is below it."""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import install

# Enough for the largest backlog: two files a job, and the logs of servers.
MEGABYTES = 4096
# So many looks in a row, a second apart, must agree.
CALM = 4
MOST_SECONDS_TO_SETTLE = 30


class Disk:
    """A folder, and what is known of its file system."""

    def __init__(self, at, words):
        self.at, self.words = at, words


@contextlib.contextmanager
def disk(chosen):
    """`chosen` is a folder to work in, or None. Nothing is left of it, and nothing stays mounted."""
    if chosen is None and os.getuid() == 0 and install.find("mkfs.ext4") and install.find("losetup"):
        try:
            with made() as found:
                yield found
            return
        except Unmountable as why:
            print(f"no file system of our own: {why}", file=sys.stderr)
    below = chosen or install.TARGET / "peers"
    with tempfile.TemporaryDirectory(prefix="filedrop-peers-", dir=below) as at:
        os.chmod(at, 0o755)
        yield Disk(pathlib.Path(at), described(at))


class Unmountable(Exception):
    pass


@contextlib.contextmanager
def made():
    with contextlib.ExitStack() as stack:
        here = pathlib.Path(tempfile.mkdtemp(prefix="filedrop-peers-"))
        stack.callback(shutil.rmtree, here, ignore_errors=True)
        here.chmod(0o755)
        # The image beside the build: a temporary folder may be in memory, where there is no direct I/O.
        image = install.TARGET / "peers" / f"{here.name}.img"
        stack.callback(image.unlink, missing_ok=True)
        # Written once: the first write to a hole would change the file system below, too.
        run("dd", "if=/dev/zero", f"of={image}", "bs=4M", f"count={MEGABYTES // 4}", "oflag=direct", "conv=fsync", "status=none")
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-i", "8192", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        direct = True
        try:
            device = run("losetup", "--find", "--show", "--direct-io=on", image)
        except Unmountable:
            direct, device = False, run("losetup", "--find", "--show", image)
        stack.callback(subprocess.run, [install.find("losetup"), "--detach", device], check=False)
        mounted = here / "mounted"
        mounted.mkdir()
        run("mount", "-t", "ext4", "-o", "noatime", device, mounted)
        stack.callback(subprocess.run, ["umount", "--lazy", mounted], check=False)
        settle(mounted)
        words = f"ext4 with a journal, noatime, on a loop device {'with' if direct else 'WITHOUT'} direct I/O"
        yield Disk(mounted, words)


def settle(at):
    """Waits until flushes cost the same for a while. What was just written, the disk below, or the host of a virtual machine, may
    still be busy with, and whoever is measured first would pay for it."""
    deadline = time.monotonic() + MOST_SECONDS_TO_SETTLE
    medians = []
    with (at / "settle").open("wb", buffering=0) as file:
        while time.monotonic() < deadline:
            times = []
            for _ in range(50):
                begin = time.monotonic()
                file.write(bytes(4096))
                os.fsync(file.fileno())
                times.append(time.monotonic() - begin)
            medians.append(statistics.median(times))
            if len(medians) >= CALM and max(medians[-CALM:]) < 1.3 * min(medians[-CALM:]):
                break
            time.sleep(1)
    (at / "settle").unlink()
    print(f"a flush takes {medians[-1] * 1e6:.0f} µs", file=sys.stderr)


def run(program, *words):
    command = [install.find(program) or program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unmountable(f"{program}: {done.stderr.strip()}")
    return done.stdout.strip()


def described(at):
    """The file system that a folder is on."""
    if not shutil.which("findmnt"):
        return "a file system that nobody named"
    found = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", at], capture_output=True, text=True, check=False)
    fs, _, source = found.stdout.strip().partition(" ")
    if fs != "ext4":
        return fs
    journal = list(pathlib.Path("/proc/fs/jbd2").glob(f"{pathlib.Path(source.strip()).name}-*"))
    return f"ext4 {'with' if journal else 'WITHOUT'} a journal"
