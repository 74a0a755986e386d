"""The table: what is measured, and how much of it."""

import collections

# `time` is in microseconds, less is better; `rate` is jobs a second, more is better. `jobs` is for all producers together.
Work = collections.namedtuple("Work", "key kind unit durability producers jobs quick title")

WORKS = [
    Work("round-trip-os", "round-trip", "time", "os", 1, 1000, 200, "round trip, not flushed, p50"),
    Work("round-trip-flush", "round-trip", "time", "flush", 1, 300, 60, "round trip, flushed, p50"),
    Work("submit-flush-1", "submit", "rate", "flush", 1, 1500, 300, "flushed submit, 1 producer"),
    Work("submit-flush-8", "submit", "rate", "flush", 8, 4000, 800, "flushed submit, 8 producers"),
    Work("submit-flush-32", "submit", "rate", "flush", 32, 6400, 1280, "flushed submit, 32 producers"),
    Work("submit-and-handle-flush", "submit-and-handle", "rate", "flush", 1, 3000, 500, "submit and handle, flushed"),
    Work("submit-and-handle-os", "submit-and-handle", "rate", "os", 1, 10000, 2000, "submit and handle, not flushed"),
    Work("drain-os-1000", "drain", "time", "os", 1, 1000, 500, "drain of {jobs} waiting, not flushed, a job"),
    Work("drain-os-100000", "drain", "time", "os", 1, 100_000, 5000, "drain of {jobs} waiting, not flushed, a job"),
    Work("pick-up-os", "pick-up", "time", "os", 1, 100, 40, "pick-up after 20 ms of idling, not flushed, p50"),
    Work("process-os", "process", "rate", "os", 1, 1000, 200, "a process a job, not flushed"),
]

# So many jobs at a time are submitted, by everybody, and taken by those who can take more than one: in a transaction, or without
# waiting between them.
AT_A_TIME = {"submit": 1, "round-trip": 1, "pick-up": 1, "submit-and-handle": 32, "drain": 100}
# Our consumer's threads: where each waits for the disk, the kernel makes one commit of what waits together.
THREADS = {"flush": 16, "os": 2}


def figure(work, jobs, nanoseconds):
    """What the players took, in the unit of the table."""
    if work.kind in ("round-trip", "pick-up"):
        return nanoseconds / 1000
    if work.unit == "time":
        return nanoseconds / 1000 / jobs
    return jobs / (nanoseconds / 1e9)


def better(work, one, than):
    """How many times as good `one` is: above 1, it is better."""
    return than / one if work.unit == "time" else one / than
