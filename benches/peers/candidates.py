"""Who is measured, what each calls durable, and how it does each work: as scenes, each of which is a list of players."""

import contextlib
import functools
import sqlite3
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


class Folder(Candidate):
    """We, and the floor."""

    kinds = ("round-trip", "submit", "submit-and-handle", "drain", "pick-up", "process")

    def __init__(self, side, paths):
        self.side, self.paths = side, paths

    def player(self, role, work, jobs, at, *, who=0, at_a_time=1, durability=None, counts=False):
        words = [role, at_a_time, self.side, at / "drop", durability or work.durability, who, jobs]
        return Player([self.paths["hot"], "play", *words], counts)

    def scenes(self, work, jobs, at, run):
        player = functools.partial(self.player, work=work, at=at)
        consumer = functools.partial(player, "consumer", at_a_time=THREADS[work.durability], jobs=jobs, counts=True)
        fill = [player("producer", jobs=jobs, durability="os")]
        if work.kind == "round-trip":
            return [[player("responder", jobs=jobs), player("caller", jobs=jobs, counts=True)]]
        if work.kind == "submit":
            each = jobs // work.producers
            return [[player("producer", jobs=each, who=who, counts=True) for who in range(work.producers)]]
        if work.kind == "submit-and-handle":
            return [[consumer(), player("producer", jobs=jobs, at_a_time=AT_A_TIME[work.kind])]]
        if work.kind == "drain":
            return [fill, [consumer()]]
        if work.kind == "pick-up":
            return [[player("picker", jobs=jobs, counts=True), player("poker", jobs=jobs)]]
        return [fill, [Player(self.process_a_job(at, jobs), True)]]


class Floor(Folder):
    name, version = "floor", "bare system calls"
    durable = {
        "os": "written, linked and renamed; nothing is flushed",
        "flush": "the file flushed, linked, its folder flushed; outcomes likewise",
    }

    def process_a_job(self, at, jobs):
        return [self.paths["peers"], "spawn", jobs, 2]


class Ours(Folder):
    name = "filedrop"
    durable = {
        "os": "`--durability os`: survives the death of programs; a power cut may undo the last seconds",
        "flush": "`--durability flush`, the default: survives a power cut, from submission to outcome",
    }

    def __init__(self, paths):
        super().__init__("ours", paths)
        self.version = install.version([paths["consumer"], "--version"])

    def process_a_job(self, at, jobs, *options, handler=("/bin/true",)):
        run = ["run", at / "drop", "--durability", "os", "--drain", "--concurrency", 2, *options]
        return [PLAYERS / "timed", self.paths["consumer"], "--quiet", *run, "--", *handler]


class Worker(Ours):
    """The same, with processes that stay."""

    name = "filedrop --worker"
    kinds = ("process",)
    # So much quicker that a start would be all that is seen.
    share = 10

    def __init__(self, paths):
        super().__init__(paths)
        self.durable = {"os": Ours.durable["os"]}
        self.version = "examples/worker.py"

    def process_a_job(self, at, jobs):
        handler = (sys.executable, install.ROOT / "examples/worker.py")
        return super().process_a_job(at, jobs, "--worker", handler=handler)


class Served(Candidate):
    """A server, by a client of a few lines (benches/peers/main.rs)."""

    kinds = ("round-trip", "submit", "submit-and-handle", "drain", "pick-up")

    def __init__(self, name, version, serve, durable, paths):
        self.name, self.version, self.durable = name, version, durable
        self._serve, self._paths, self._addresses = serve, paths, {}

    @contextlib.contextmanager
    def served(self, disk, trouble):
        """Its servers run until the end of the block. What cannot be started, `trouble` is told, and goes on without it."""
        with contextlib.ExitStack() as stack:
            for durability in ("os", "flush"):
                try:
                    self._addresses[durability] = stack.enter_context(self._serve(disk, durability))
                except (servers.Failed, OSError) as why:
                    self.durable = {known: words for known, words in self.durable.items() if known != durability}
                    trouble(f"{self.name}, {durability}", str(why))
            yield

    def scenes(self, work, jobs, at, run):
        peer = self.name.split()[0].lower().removesuffix("ql")
        durable = "durable" if work.durability == "flush" else "os"

        def player(role, count=jobs, counts=False):
            words = [peer, role, self._addresses[work.durability], run, durable, count, AT_A_TIME[work.kind]]
            return Player([self._paths["peers"], "play", *words], counts)

        main = {
            "round-trip": [[player("responder"), player("caller", counts=True)]],
            "submit": [[player("producer", jobs // work.producers, True) for _ in range(work.producers)]],
            "submit-and-handle": [[player("consumer", counts=True), player("feeder")]],
            "drain": [[player("feeder")], [player("consumer", counts=True)]],
            "pick-up": [[player("picker", counts=True), player("poker")]],
        }[work.kind]
        return [[player("prepare")], *main, [player("forget")]]


class Stored(Candidate):
    """A library of Python's: benches/peers/players/stores.py."""

    kinds = ("submit", "submit-and-handle", "drain")

    def __init__(self, name, version, python, durable):
        self.name, self.version, self.durable, self._python = name, version, durable, python

    def scenes(self, work, jobs, at, run):
        def player(role, count=jobs, counts=False):
            words = [self.name.lower(), role, at / "store", work.durability, count, AT_A_TIME[work.kind]]
            return Player([self._python, PLAYERS / "stores.py", *words], counts)

        if work.kind == "submit":
            main = [[player("producer", jobs // work.producers, True) for _ in range(work.producers)]]
        elif work.kind == "drain":
            main = [[player("producer")], [player("consumer", counts=True)]]
        else:
            main = [[player("consumer", counts=True), player("producer")]]
        return [[player("prepare")], *main]


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
        role = "poker" if work.kind == "pick-up" else "producer"
        loop = [PLAYERS / "inotifywait-loop", work.kind, at / "drop", jobs]
        # The floor's player makes the folders as it starts.
        make = [self._floor.player("producer", work, 0, at)]
        return [make, [Player(loop, True), self._floor.player(role, work, jobs, at)]]


class Shell(Candidate):
    """A line of shell."""

    kinds = ("process",)
    share = 0.3

    def __init__(self, name, version, durable, line):
        self.name, self.version, self.durable, self._line = name, version, {"os": durable}, line

    def scenes(self, work, jobs, at, run):
        return [[Player([PLAYERS / "timed", "bash", "-c", self._line, "bash", str(jobs), str(at)], True)]]


def all_there_are(paths, trouble):
    """Those that could be installed. Of the others, `trouble` is told."""
    floor = Floor("floor", paths)
    found = [floor, Ours(paths), Worker(paths)]

    def wants(name, *programs):
        missing = [program for program in programs if not install.find(program)]
        for program in missing:
            trouble(name, f"{program} is not installed, and could not be")
        return not missing

    if wants("Redis", "redis-server"):
        version = install.version([install.find("redis-server"), "--version"])
        found.append(Served("Redis", version, servers.redis, {
            "os": "append-only file, `appendfsync everysec`: written before the answer, flushed each second",
            "flush": "`appendfsync always`: flushed before the answer, once for all who wait",
        }, paths))
    if wants("beanstalkd", "beanstalkd"):
        version = install.version([install.find("beanstalkd"), "-v"])
        found.append(Served("beanstalkd", version, servers.beanstalkd, {
            "os": "`-b dir -F`: written before the answer, never flushed",
            "flush": "`-b dir -f0`: each record flushed before the answer",
        }, paths))
    if wants("NATS JetStream", "nats-server"):
        version = install.version([install.find("nats-server"), "--version"])
        found.append(Served("NATS JetStream", version, servers.nats, {
            "os": "file storage: written before the answer, flushed each two minutes",
            "flush": "`sync_interval: always`: flushed before the answer",
        }, paths))
    if wants("PostgreSQL", "postgres", "initdb"):
        version = install.version([install.find("postgres"), "--version"])
        found.append(Served("PostgreSQL", version, servers.postgres, {
            "os": "`synchronous_commit off`: in the server's memory; written and flushed within 0.6 s, so its crash may lose it, too",
            "flush": "`synchronous_commit on`: the log flushed before the answer",
        }, paths))
    found.append(Stored("SQLite", sqlite3.sqlite_version, sys.executable, {
        "os": "WAL, `synchronous OFF`: written, never flushed",
        "flush": "WAL, `synchronous FULL`: the log flushed at each commit",
    }))
    dirq, celery = install.python("dirq", "dirq"), install.python("celery", "celery")
    if dirq:
        said = install.version([dirq, "-c", "import dirq; print(dirq.VERSION)"])
        found.append(Stored("dirq", said, dirq, {"os": "QueueSimple: written and linked, nothing is flushed; there are no outcomes"}))
    else:
        trouble("dirq", "pip could not install it")
    if celery:
        found.append(Celery(celery))
    else:
        trouble("Celery", "pip could not install it")
    if wants("inotifywait loop", "inotifywait"):
        found.append(Loop(floor))
    if wants("nq", "nq"):
        line = 'export NQDIR="$2/nq"; for ((n = 0; n < $1; n++)); do nq -q /bin/true; done; nq -w'
        found.append(Shell("nq", "Debian's", "a file for a job's output; nothing is flushed", line))
    if wants("xargs -P2", "xargs"):
        found.append(Shell("xargs -P2", "GNU", "nothing is kept", 'seq "$1" | xargs -P2 -n1 /bin/true'))
    return found
