"""Who is measured, and what each calls durable."""

import sqlite3
import sys

import install
import servers
from parts import Celery, Floor, Loop, Ours, Served, Server, Shell, Stored, Worker

SERVERS = [
    Server(
        "Redis", "redis", ["redis-server"], "--version", servers.redis,
        os="append-only file, `appendfsync everysec`: written before the answer, flushed each second",
        flush="`appendfsync always`: flushed before the answer, once for all who wait",
    ),
    Server(
        "beanstalkd", "beanstalkd", ["beanstalkd"], "-v", servers.beanstalkd,
        os="`-b dir -F`: written before the answer, never flushed",
        flush="`-b dir -f0`: each record flushed before the answer",
    ),
    Server(
        "NATS JetStream", "nats", ["nats-server"], "--version", servers.nats,
        os="file storage: written before the answer, flushed each two minutes",
        flush="`sync_interval: always`: flushed before the answer",
    ),
    Server(
        "PostgreSQL", "postgres", ["postgres", "initdb"], "--version", servers.postgres,
        os="`synchronous_commit off`: in the server's memory; written and flushed within 0.6 s, so its crash may lose it, too",
        flush="`synchronous_commit on`: the log flushed before the answer",
    ),
]
SHELL = {
    "nq": Shell(
        "nq", "Debian's", 'export NQDIR="$2/nq"; for ((n = 0; n < $1; n++)); do nq -q /bin/true; done; nq -w',
        os="a file for a job's output; nothing is flushed",
    ),
    "xargs": Shell("xargs -P2", "GNU", 'seq "$1" | xargs -P2 -n1 /bin/true', os="nothing is kept"),
}


def all_there_are(paths, trouble):
    """Those that could be installed. Of the others, `trouble` is told."""

    def there(name, *programs):
        missing = [program for program in programs if not install.find(program)]
        for program in missing:
            trouble(name, f"{program} is not installed, and could not be")
        return not missing

    def library(name):
        interpreter = install.python(name.lower())
        if not interpreter:
            trouble(name, "pip could not install it")
        return interpreter

    floor = Floor(paths)
    found = [floor, Ours(paths), Worker(paths)]
    found += [Served(server, paths) for server in SERVERS if there(server.name, *server.programs)]
    found.append(Stored(
        "SQLite", sqlite3.sqlite_version, sys.executable,
        os="WAL, `synchronous OFF`: written, never flushed",
        flush="WAL, `synchronous FULL`: the log flushed at each commit",
    ))
    if python := library("dirq"):
        version = install.version([python, "-c", "import dirq; print(dirq.VERSION)"])
        found.append(Stored("dirq", version, python, os="QueueSimple: written and linked, nothing is flushed; there are no outcomes"))
    if python := library("Celery"):
        found.append(Celery(python))
    if there("inotifywait loop", "inotifywait"):
        found.append(Loop(floor))
    found += [shell for program, shell in SHELL.items() if there(shell.name, program)]
    return found
