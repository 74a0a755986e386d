"""The record of a disk's writes, as qemu's blklogwrites makes it, and the disks that a power cut could have left.

The format is that of Linux' dm-log-writes: a block with the superblock; then, for each write, a block that says where it went, and its
data. A disk may keep writes to itself until it is asked to flush. So at any moment it holds all that was written before the last flush, and
of what came after it any part, in blocks of 4 KiB.

Entries are in the order in which they were done: qemu notes each one then, and tells the guest only after that. So a write that was
done while a flush was under way counts as flushed, which is more than a disk promises; no file system relies on it. And what was under way at
a moment is not on its disk at all, as if the disk had lost it.
"""

import collections
import os
import struct

MAGIC = 0x6A736677736872
SECTOR = 512
# What a disk writes wholly or not at all.
ATOM = 4096
FLUSH = 1
# As many requests may be under way when the machine is killed (queue-size); they may be in the record in part.
UNDER_WAY = 64

# `at` and `end` are places in the record; the data begin at `data`.
Entry = collections.namedtuple("Entry", "offset size flags at data end")


def read(path):
    """All entries that are wholly there."""
    entries = []
    with open(path, "rb") as file:
        head = file.read(28)
        if not head:
            # The power went before anything was written.
            return entries
        magic, version, _, sector = struct.unpack("<QQQI", head.ljust(28, b"\0"))
        if (magic, version, sector) != (MAGIC, 1, SECTOR):
            raise RuntimeError(f"{path} is no record of writes")
        length = os.fstat(file.fileno()).st_size
        at = SECTOR
        while at + SECTOR <= length:
            file.seek(at)
            where, count, flags, _ = struct.unpack("<QQQQ", file.read(32))
            end = at + SECTOR * (1 + count)
            if end > length or (count, flags) == (0, 0):
                break
            if flags not in (0, FLUSH):
                raise RuntimeError(f"{path} has an entry with the flags {flags} at {at}: the disk does not offer such")
            entries.append(Entry(where * SECTOR, count * SECTOR, flags, at, at + SECTOR, end))
            at = end
    return entries[:-UNDER_WAY]


class Rebuilder:
    """Disks that a cut could have left, one after the other, each later in the record than the one before."""

    def __init__(self, base, record, lots, ignored_flushes=0):
        """`base` is what the disk held when the record began; it is changed. With `ignored_flushes` the disk only said of the last ones
        that it had done them."""
        self._base, self._record, self._lots, self._ignored = base, record, lots, ignored_flushes
        self.entries = read(record)
        self._kept = 0

    def moments(self, count):
        """Numbers of entries, ascending: the power goes when this one has been done."""
        writes = [number for number, entry in enumerate(self.entries) if entry.size]
        return sorted(self._lots.choices(writes, k=count)) if writes else []

    def rebuild(self, moment, copy):
        """Makes the disk of such a moment, by `copy()`, which copies what is safe. How many writes were lost, wholly or in part."""
        flushes = [number for number in range(self._kept, moment) if self.entries[number].flags & FLUSH]
        safe = flushes[-1 - self._ignored] if len(flushes) > self._ignored else self._kept
        with open(self._record, "rb") as record:
            with open(self._base, "r+b") as base:
                for entry in self.entries[self._kept : safe]:
                    write(base, entry.offset, data(record, entry))
            self._kept = safe
            lost = 0
            # Now nearly all arrived, now nearly nothing.
            luck = self._lots.random()
            with open(copy(), "r+b") as disk:
                for entry in self.entries[safe : moment + 1]:
                    kept = data(record, entry)
                    if self._lots.random() < luck:
                        write(disk, entry.offset, kept)
                        continue
                    lost += 1
                    arrives = self._lots.choice([0, self._lots.random()])
                    for start, end in blocks(entry):
                        if self._lots.random() < arrives:
                            write(disk, entry.offset + start, kept[start:end])
        return lost


def blocks(entry):
    """Where the blocks begin and end, in its data, that a disk writes wholly or not at all."""
    start = 0
    while start < entry.size:
        end = min(entry.size, start + ATOM - (entry.offset + start) % ATOM)
        yield start, end
        start = end


def data(record, entry):
    record.seek(entry.data)
    return record.read(entry.size)


def write(disk, offset, kept):
    disk.seek(offset)
    disk.write(kept)
