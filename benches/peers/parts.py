"""How each kind of candidate plays its parts: a work as scenes, each of which is a list of players."""

import collections
import contextlib
import functools
import sys

import install
import servers
from scene import Player
from work import AT_A_TIME, THREADS

PLAYERS = install.HERE / "players"


class Candidate:
    name = version = None
    # For each durability what an acknowledgement means. One that is not there, it cannot.
    durable = {}
    # The kinds of work that it is tried with.
    kinds = ()
    # It does so large a part of the jobs: who is slow would take all the time, and who is very quick none.
    share = 1

    def can(self, work):
        return work.kind in self.kinds and work.durability in self.durable

    def scenes(self, work, jobs, at, run):
        """The scenes of a work in an empty folder `at`; `run` is a name that no other run has."""
        raise NotImplementedError


def conversation(work, jobs, player):
    """The scenes of a work that processes do who submit, and others who handle. `player` makes who plays a part with so many jobs. A
    feeder submits what a consumer handles."""
    if work.kind == "submit":
        return [[player("producer", jobs // work.producers, counts=True, who=who) for who in range(work.producers)]]
    return {
        "round-trip": [[player("responder", jobs), player("caller", jobs, counts=True)]],
        "submit-and-handle": [[player("consumer", jobs, counts=True), player("feeder", jobs)]],
        "drain": [[player("feeder", jobs)], [player("consumer", jobs, counts=True)]],
        "pick-up": [[player("picker", jobs, counts=True), player("poker", jobs)]],
    }[work.kind]


class Folder(Candidate):
    """We, and the floor."""

    kinds = ("round-trip", "submit", "submit-and-handle", "drain", "pick-up", "process")
    # What benches/hot calls whose steps they are.
    steps = None

    def __init__(self, paths):
        self.paths = paths

    def player(self, work, at, part, jobs, *, counts=False, who=0):
        at_a_time = THREADS[work.durability] if part == "consumer" else AT_A_TIME[work.kind] if part == "feeder" else 1
        part = "producer" if part == "feeder" else part
        words = ["play", part, at_a_time, self.steps, at / "drop", work.durability, who, jobs]
        return Player([self.paths["hot"], *words], counts)

    def scenes(self, work, jobs, at, run):
        if work.kind == "process":
            return self.process_a_job(work, jobs, at)
        return conversation(work, jobs, functools.partial(self.player, work, at))

    def process_a_job(self, work, jobs, at):
        raise NotImplementedError


class Floor(Folder):
    name, version, steps = "floor", "bare system calls", "floor"
    durable = {
        "os": "written, linked and renamed; nothing is flushed",
        "flush": "the file flushed, linked, its folder flushed; outcomes likewise",
    }

    def process_a_job(self, work, jobs, at):
        return [[Player([self.paths["hot"], "handle", self.steps, "/bin/true", jobs, at], True)]]


class Ours(Folder):
    name, steps = "filedrop", "ours"
    durable = {
        "os": "`--durability os`: survives the death of programs; a power cut may undo the last seconds",
        "flush": "`--durability flush`, the default: survives a power cut, from submission to outcome",
    }
    # How its consumer has a process a job.
    options, handler = [], ["/bin/true"]

    def __init__(self, paths):
        super().__init__(paths)
        self.version = install.version([paths["consumer"], "--version"])

    def process_a_job(self, work, jobs, at):
        run = ["run", at / "drop", "--durability", "os", "--drain", "--concurrency", 2, *self.options, "--", *self.handler]
        consumer = Player([PLAYERS / "timed", self.paths["consumer"], "--quiet", *run], True)
        return [[self.player(work, at, "producer", jobs)], [consumer]]


class Worker(Ours):
    """The same, with processes that stay."""

    name = "filedrop --worker"
    kinds = ("process",)
    durable = {"os": Ours.durable["os"]}
    # So much quicker that a start would be all that is seen.
    share = 10
    options, handler = ["--worker"], [sys.executable, install.ROOT / "examples/worker.py"]

    def __init__(self, paths):
        super().__init__(paths)
        self.version = "examples/worker.py"


# `client`: what ours is called. `programs` must be there; the first of them says its version when it is asked so. `serve` starts it.
# `os` and `flush`: what an acknowledgement means.
Server = collections.namedtuple("Server", "name client programs asked serve os flush")


class Served(Candidate):
    """A server, by a client of a few lines (benches/peers/main.rs)."""

    kinds = ("round-trip", "submit", "submit-and-handle", "drain", "pick-up")

    def __init__(self, server, paths):
        self.name, self._server, self._paths, self._addresses = server.name, server, paths, {}
        self.version = install.version([install.find(server.programs[0]), server.asked])
        self.durable = {"os": server.os, "flush": server.flush}

    @contextlib.contextmanager
    def served(self, disk, trouble):
        """Its servers run until the end of the block. What cannot be started, `trouble` is told, and goes on without it."""
        with contextlib.ExitStack() as stack:
            for durability in ("os", "flush"):
                try:
                    self._addresses[durability] = stack.enter_context(self._server.serve(disk, durability))
                except (servers.Failed, OSError) as why:
                    del self.durable[durability]
                    trouble(f"{self.name}, {durability}", str(why))
            yield

    def scenes(self, work, jobs, at, run):
        durable = "durable" if work.durability == "flush" else "os"

        def player(part, jobs, *, counts=False, who=0):
            words = [self._server.client, part, self._addresses[work.durability], run, durable, jobs, AT_A_TIME[work.kind]]
            return Player([self._paths["peers"], "play", *words], counts)

        return [[player("prepare", 0)], *conversation(work, jobs, player), [player("forget", 0)]]


class Stored(Candidate):
    """A library of Python's: benches/peers/players/stores.py."""

    kinds = ("submit", "submit-and-handle", "drain")

    def __init__(self, name, version, python, **durable):
        self.name, self.version, self.durable, self._python = name, version, durable, python

    def scenes(self, work, jobs, at, run):
        def player(part, jobs, *, counts=False, who=0):
            words = [self.name.lower(), part, at / "store", work.durability, jobs, AT_A_TIME[work.kind]]
            return Player([self._python, PLAYERS / "stores.py", *words], counts)

        return [[player("prepare", 0)], *conversation(work, jobs, player)]


class Celery(Candidate):
    name = "Celery"
    kinds = ("round-trip",)
    durable = {"os": "file-system transport and results in files: written; nothing is flushed. Its worker looks once a second"}
    # A second each.
    share = 1 / 200

    def __init__(self, python):
        self._python = python
        self.version = install.version([python, "-m", "celery", "--version"])

    def scenes(self, work, jobs, at, run):
        player = [self._python, PLAYERS / "celery_call.py"]
        return [[Player([*player, "responder", at], stays=True), Player([*player, "caller", at, jobs], counts=True)]]


class Loop(Candidate):
    """A shell loop behind inotifywait; the files come from the floor's producer."""

    name = "inotifywait loop"
    kinds = ("pick-up", "process")
    durable = {"os": "renamed; nothing is flushed, there are no outcomes"}
    share = 0.3

    def __init__(self, floor):
        self._floor = floor
        self.version = install.version(["inotifywait", "--help"])

    def scenes(self, work, jobs, at, run):
        loop = [PLAYERS / "inotifywait-loop", work.kind, at / "drop", jobs]
        # The floor's player makes the folders as it starts.
        make = [self._floor.player(work, at, "producer", 0)]
        part = "poker" if work.kind == "pick-up" else "producer"
        return [make, [Player(loop, True), self._floor.player(work, at, part, jobs)]]


class Shell(Candidate):
    """A line of shell, which is given how many jobs, and a folder."""

    kinds = ("process",)
    share = 0.3

    def __init__(self, name, version, line, **durable):
        self.name, self.version, self.durable, self._line = name, version, durable, line

    def scenes(self, work, jobs, at, run):
        return [[Player([PLAYERS / "timed", "bash", "-c", self._line, "bash", jobs, at], True)]]
