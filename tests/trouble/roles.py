"""The programs, each started again and again by a thread of its own until it is told to end."""

import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time

import book

LEASE_SECONDS = 0.5
LEASE = f"{int(LEASE_SECONDS * 1000)}ms"
KILLED = -signal.SIGKILL
# As many as consumers may have before them.
BACKLOG = 200


class Place:
    """Where it all happens, and with which programs."""

    def __init__(self, below, programs, seed):
        self.below, self.programs, self.seed = below, programs, seed
        self.drop = below / "drop"
        self.partner = below / "partner"
        self.log = below / "handled"
        self.collected = below / "collected"
        self.complaints = below / "complaints"
        # Nothing is started any more.
        self.over = threading.Event()
        self.complaints.mkdir()
        self.partner.mkdir()
        for log in (self.log, self.collected):
            log.touch()
        self.run("filedrop", "init", "-q", self.drop)
        for group, patterns in book.GROUPS.items():
            self.run("filedrop", "topics", "-q", self.drop, "add", group, *patterns)

    def command(self, program, *arguments):
        return [str(self.programs / program), *map(str, arguments)]

    def run(self, program, *arguments):
        return subprocess.run(
            self.command(program, *arguments), check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
        ).stdout

    def backlog(self):
        """Jobs that are ready. What publishers that were killed left in the outbox is not: it stays there for a day."""
        return len(os.listdir(self.drop / "inbox"))


class Role(threading.Thread):
    """A process that is started anew whenever it ended. `turn` is what a child class does once."""

    # What a kill counts as, and what the programs may exit with besides.
    kind = ""
    exits = ()
    # Others judge it by its lease.
    leased = False

    def __init__(self, place, book_, nth):
        super().__init__(name=f"{self.kind}-{nth}", daemon=True)
        self.place, self.book, self.nth = place, book_, nth
        self.rng = random.Random(f"{place.seed} {self.name}")
        self.ending = threading.Event()
        self.process = None
        self.turns = 0
        self.counts = collections.Counter()

    def run(self):
        try:
            while not self.ending.is_set():
                self.turn()
                self.turns += 1
        except Exception as why:
            self.book.violation(f"{self.name}: the campaign itself failed: {why!r}")
            raise

    def spawn(self, program, *arguments, stdout=subprocess.DEVNULL):
        """Runs it to its end. Its exit status and what it printed."""
        if self.place.over.is_set():
            sys.exit()
        with open(self.place.complaints / self.name, "ab") as stderr:
            process = subprocess.Popen(
                self.place.command(program, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "NO_COLOR": "1", "RUST_LOG": "", "RUST_BACKTRACE": "1"},
            )
        self.process = process
        if self.ending.is_set() and self.is_endless():
            process.terminate()
        printed, _ = process.communicate()
        if process.returncode not in (0, KILLED, *self.exits):
            self.book.violation(f"{self.name}: exit status {process.returncode}; see its complaints")
            # Not again and again at full speed.
            time.sleep(0.5)
        return process.returncode, printed

    def is_endless(self):
        return False

    def end(self):
        """One that works off something comes to its end by itself."""
        self.ending.set()
        if self.is_endless():
            self.signal(signal.SIGTERM)

    def signal(self, number):
        """Whether there was a process to send it to."""
        process = self.process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def hold_back(self):
        while self.place.backlog() > BACKLOG and not self.ending.is_set():
            time.sleep(0.05)

    def files(self, name):
        """Files for a job to take with it, now and then."""
        if self.rng.random() > 0.25:
            return []
        return ["--attach", *book.attachments(self.rng, self.place.below / "sent" / self.name)]

    def until_told(self, *arguments):
        """Starts a producer again until it is not killed."""
        while True:
            status, printed = self.spawn(*arguments, stdout=subprocess.PIPE)
            if status == 0:
                return printed.decode()
            self.counts["repeated"] += 1


class Batch(Role):
    kind = "batch"

    def turn(self):
        self.hold_back()
        lines = [book.data(self.rng, f"{self.name}-{self.turns}-{nth}", True) for nth in range(12)]
        batch = self.place.below / f"{self.name}.ndjson"
        batch.write_text("\n".join(lines))
        _, printed = self.spawn(
            "producer", "submit", "-q", self.place.drop, "--type", "work", "--batch", batch, stdout=subprocess.PIPE
        )
        # The last line may be torn.
        ids = printed.decode().split("\n")[:-1]
        with self.book.lock:
            self.book.jobs.update((id_, (line, False, False)) for id_, line in zip(ids, lines))
            self.book.unsure.update(lines[len(ids) :])


class Submit(Role):
    kind = "submit"

    def turn(self):
        self.hold_back()
        id_, data = f"{self.name}-{self.turns}", book.data(self.rng, f"{self.name}-{self.turns}", True)
        files = self.files(id_)
        reply = self.rng.random() < 0.5
        options = ["--reply-to", book.ADDRESS] if reply else []
        options += self.rng.choice([[], [], ["--delay", "300ms"], ["--priority", "2"]])
        data_file = self.place.below / f"{self.name}.data"
        data_file.write_text(data)
        printed = self.until_told(
            "producer", "submit", "-q", self.place.drop, "--type", "work", "--id", id_, "--file", data_file,
            *options, *files,
        )  # fmt: skip
        if printed != f"{id_}\n":
            self.book.violation(f"submit of {id_} printed {printed!r}")
        with self.book.lock:
            self.book.jobs[id_] = (data, bool(files), reply)


class Call(Role):
    kind = "call"

    def turn(self):
        id_, data = f"{self.name}-{self.turns}", book.data(self.rng, f"{self.name}-{self.turns}")
        data_file = self.place.below / f"{self.name}.data"
        data_file.write_text(data)
        printed = self.until_told(
            "producer", "call", "-q", self.place.drop, "--type", "work", "--id", id_, "--file", data_file,
        )  # fmt: skip
        if printed != data:
            self.book.violation(f"call {id_} was answered {printed[:200]!r}")
        with self.book.lock:
            self.book.jobs[id_] = (data, False, False)
            self.book.calls += 1


class Publish(Role):
    kind = "publish"

    def turn(self):
        self.hold_back()
        topic = self.rng.choice(book.TOPICS)
        start = ["producer", "publish", "-q", self.place.drop, "--topic", topic]
        if self.rng.random() < 0.5:
            id_, data = f"{self.name}-{self.turns}", book.data(self.rng, f"{self.name}-{self.turns}")
            files = self.files(id_)
            data_file = self.place.below / f"{self.name}.data"
            data_file.write_text(data)
            self.until_told(*start, "--id", id_, "--file", data_file, *files)
            with self.book.lock:
                self.book.events[id_] = (topic, data, bool(files))
            return
        lines = [book.data(self.rng, f"{self.name}-{self.turns}-{nth}") for nth in range(5)]
        batch = self.place.below / f"{self.name}.ndjson"
        batch.write_text("\n".join(lines))
        _, printed = self.spawn(*start, "--batch", batch, stdout=subprocess.PIPE)
        ids = printed.decode().split("\n")[:-1]
        with self.book.lock:
            self.book.events.update((id_, (topic, line, False)) for id_, line in zip(ids, lines))
            self.book.unsure_events.update((line, topic) for line in lines[len(ids) :])


class Partner(Role):
    """Drops files, into a folder of its own or into the inbox. It is no program of ours, and nobody kills it."""

    kind = "partner"

    def turn(self):
        self.hold_back()
        where, name = self.rng.choice([(self.place.partner, "taken"), (self.place.drop / "inbox", "bare")])
        name = f"{name}-{self.turns}.txt"
        content = f"{name} {'y' * self.rng.randrange(3000)}"
        draft = self.place.below / "draft"
        draft.write_text(content)
        with self.book.lock:
            self.book.files[name] = content
        os.rename(draft, where / name)
        self.ending.wait(self.rng.random() * 0.4)


class Endless(Role):
    leased = True

    def is_endless(self):
        return True


class Intake(Endless):
    kind = "intake"
    # It is, but by one of half a minute.
    leased = False

    def turn(self):
        self.spawn(
            "producer", "intake", "-q", self.place.drop, "--from", self.place.partner, "--quiet-period", "300ms",
            "--type", "taken",
        )  # fmt: skip


# What makes an attempt end is never the number of those before it.
CONSUMES = ["--lease", LEASE, "--max-attempts", "100000", "--backoff", "50ms", "--quiet-period", "300ms"]


class Consume(Endless):
    kind = "consume"

    def turn(self):
        handler = [HANDLER, self.place.log]
        self.spawn("consumer", "run", "-q", self.place.drop, *CONSUMES, "--concurrency", "4", "--", *handler)


class Subscribe(Endless):
    kind = "subscribe"

    def turn(self):
        group = list(book.GROUPS)[self.nth % len(book.GROUPS)]
        handler = [HANDLER, self.place.below / f"handled.{group}"]
        self.spawn(
            "consumer", "subscribe", "-q", self.place.drop, "--as", group, *CONSUMES, "--concurrency", "2", "--",
            *handler,
        )  # fmt: skip


class Collect(Endless):
    """One prints, the other has a command."""

    kind = "collect"

    def turn(self):
        start = ["producer", "collect", "-q", self.place.drop, "--as", book.ADDRESS, "--follow", "--lease", LEASE]
        if self.nth % 2 == 0:
            with open(self.place.below / f"printed.{self.nth}.{self.turns}", "wb") as out:
                self.spawn(*start, stdout=out)
        else:
            self.spawn(*start, "--", COLLECT, self.place.collected)


class Gc(Role):
    kind = "gc"

    def turn(self):
        self.spawn("filedrop", "gc", "-q", self.place.drop)
        self.ending.wait(0.3)


class Redrive(Role):
    kind = "redrive"
    # A letter that another is redriving, or that is gone, is told by 1.
    exits = (1,)

    def turn(self):
        self.spawn("filedrop", "dead", "redrive", "-q", self.place.drop, "--all")
        self.ending.wait(0.3)


HERE = os.path.dirname(os.path.abspath(__file__))
HANDLER, COLLECT = f"{HERE}/handler", f"{HERE}/collect"
# How many there are of each.
CAST = [(Batch, 2), (Submit, 3), (Call, 2), (Publish, 2), (Intake, 1), (Consume, 3), (Subscribe, 4), (Collect, 2)]
CAST += [(Gc, 1), (Redrive, 2)]
