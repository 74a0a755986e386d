"""The files that are dropped: their sizes, their names, and what they hold."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import random
import tempfile

# What a tool is stopped in the middle of: its throttled transfer takes some seconds.
SLOW_BYTES = 3 << 20
# A move that cannot be throttled has to be caught in time.
LARGE_BYTES = 192 << 20
SIZES = [0, 1, 511, 4096, 4097, 65536, 100_000, 1 << 20]
ENDINGS = ["csv", "pdf", "json", "xml", "tar.gz", "TXT"]


@dataclasses.dataclass
class Made:
    """What one tool drops."""

    sources: list
    slow: pathlib.Path
    # By the name in the inbox: the checksum.
    expected: dict
    bytes: int


def make(way, count, here, other):
    """The files of one tool, the same for the same number of files."""
    chance = random.Random(f"{way.key} {count}")
    folder = (other if way.from_elsewhere else here) / "sources" / way.key
    folder.mkdir(parents=True)
    sources, expected, total = [], {}, 0
    for nth in range(count):
        path = folder / f"{way.key}-{nth:04}.{ENDINGS[nth % len(ENDINGS)]}"
        # One in twenty is of some megabytes, and every size at the edge of something is there.
        size = chance.randrange(2 << 20, 5 << 20) if nth % 20 == 19 else SIZES[nth % len(SIZES)]
        expected[path.name] = write(path, chance, size)
        sources.append(path)
        total += size
    slow = folder / f"{way.key}-stopped.bin"
    if way.slow:
        size = LARGE_BYTES if way.from_elsewhere else SLOW_BYTES
        expected[slow.name] = write(slow, chance, size)
        total += size
    return Made(sources, slow, expected, total)


def write(path, chance, size):
    content = chance.randbytes(min(size, SLOW_BYTES))
    content += bytes(size - len(content))
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def sizes(inbox, name):
    """The sizes of the files whose names have this name in them: a tool may write to another name first."""
    found = []
    for entry in os.scandir(inbox):
        if name in entry.name:
            with contextlib.suppress(FileNotFoundError):
                found.append(entry.stat(follow_symlinks=False).st_size)
    return found


@contextlib.contextmanager
def elsewhere(here):
    """A folder on another file system, in memory."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(here).st_dev:
        raise RuntimeError("/dev/shm is to be another file system than the one for temporary files (see TMPDIR)")
    with tempfile.TemporaryDirectory(prefix="filedrop-tools-", dir="/dev/shm") as folder:
        yield folder
