"""stores.py sqlite|dirq PART PATH os|flush JOBS AT-A-TIME: a player with a library as its queue."""

import sqlite3
import sys
import time

PAYLOAD = '{"order":4711,"text":"%s"}' % ("x" * (1024 - 24))
# How soon a consumer that found nothing looks again: neither of them can wait.
PAUSE_SECONDS = 0.001


class Sqlite:
    """A claim is a transaction, and its settlement is one."""

    def __init__(self, path, durability):
        self._db = sqlite3.connect(path, timeout=100, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'flush' else 'OFF'}")

    def prepare(self):
        self._db.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, claimed INTEGER NOT NULL DEFAULT 0, data TEXT NOT NULL)")
        self._db.execute("CREATE INDEX ready ON jobs (id) WHERE NOT claimed")
        self._db.execute("CREATE TABLE outcomes (id INTEGER PRIMARY KEY, data TEXT NOT NULL)")

    def submit(self, count):
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO jobs (data) VALUES (?)", [(PAYLOAD,)] * count)
        self._db.execute("COMMIT")

    def handle(self, most):
        self._db.execute("BEGIN IMMEDIATE")
        found = self._db.execute("SELECT id, data FROM jobs WHERE NOT claimed ORDER BY id LIMIT ?", (most,)).fetchall()
        ids = [(row[0],) for row in found]
        self._db.executemany("UPDATE jobs SET claimed = 1 WHERE id = ?", ids)
        self._db.execute("COMMIT")
        if found:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO outcomes (id, data) VALUES (?, ?)", found)
            self._db.executemany("DELETE FROM jobs WHERE id = ?", ids)
            self._db.execute("COMMIT")
        return len(found)


class Dirq:
    """It keeps no outcomes."""

    def __init__(self, path, durability):
        from dirq.QueueSimple import QueueSimple

        self._queue = QueueSimple(path)
        self._names = iter(())

    def prepare(self):
        pass

    def submit(self, count):
        for _ in range(count):
            self._queue.add(PAYLOAD)

    def handle(self, most):
        name = next(self._names, None)
        if name is None:
            self._names = iter(list(self._queue.names()))
            name = next(self._names, None)
        if name is None or not self._queue.lock(name):
            return 0
        self._queue.get(name)
        self._queue.remove(name)
        return 1


def main():
    kind, part, path, durability, jobs, at_a_time = sys.argv[1:]
    store = (Sqlite if kind == "sqlite" else Dirq)(path, durability)
    left, at_a_time = int(jobs), int(at_a_time)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.perf_counter_ns()
    if part == "prepare":
        store.prepare()
    elif part in ("producer", "feeder"):
        while left > 0:
            store.submit(min(at_a_time, left))
            left -= at_a_time
    else:
        while left > 0:
            handled = store.handle(min(at_a_time, left))
            left -= handled
            if not handled:
                time.sleep(PAUSE_SECONDS)
    print(time.perf_counter_ns() - begin)


main()
