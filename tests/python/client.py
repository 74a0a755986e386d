"""What the tests have Python do, with clients/python/filedrop.py. Not for anybody else."""

import json
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))
import filedrop


def say(**told):
    print(json.dumps(told), flush=True)


def told(outcome):
    data = outcome.data.decode("latin-1")
    say(id=outcome.job_id, outcome=outcome.disposition, data=data, problem=outcome.problem, again=outcome.again,
        attempt=outcome.attributes["attempt"], flow=outcome.attributes["correlationid"],
        files={path.name: path.read_text() for path in outcome.files})


def submit(drop):
    """A job for each line of stdin: the arguments of `submit`. `text` and `hex` are data that is not JSON."""
    for line in sys.stdin:
        job = json.loads(line)
        data = job.pop("text") if "text" in job else bytes.fromhex(job.pop("hex")) if "hex" in job else job.pop("data", None)
        try:
            say(id=drop.submit(job.pop("type", "test"), data, **job))
        except filedrop.Uncertain as e:
            say(uncertain=e.id)


def publish(drop):
    """An event for each line of stdin: the arguments of `publish`."""
    for line in sys.stdin:
        event = json.loads(line)
        say(id=drop.publish(event.pop("topic"), event.pop("data", None), **event))


def refuse(drop):
    """Each line has to be refused."""
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if "at" in job:
                filedrop.DropFolder(drop.path / job["at"]).submit("test")
            if "topic" in job:
                drop.publish(**job)
            if "group" in job:
                drop.subscribe(job["group"], *job["topics"])
            if "init" in job:
                filedrop.DropFolder.init(drop.path / job["init"])
            if "open" in job:
                filedrop.DropFolder(drop.path / job["open"])
            if "timeout" in job:
                drop.call("test", timeout=job["timeout"])
            drop.submit(job.pop("type", "test"), job.pop("data", None), **job)
            say(refused=None)
        except (filedrop.Invalid, filedrop.NotADropFolder) as e:
            say(refused=str(e))


def subscribe(drop, group, *topics):
    drop.subscribe(group, *topics)


def wait_for_event(drop, id):
    try:
        drop.wait(id)
    except filedrop.Invalid as e:
        say(refused=str(e))


def wait(drop, *ids):
    for id in ids:
        told(drop.wait(id, timeout=60))


def late(drop, id):
    try:
        drop.wait(id, timeout=0.1)
    except filedrop.TimedOut as e:
        say(late=e.id)


def call(drop, text):
    told(drop.call("test", text, timeout=60))


def work(drop, *options):
    """Says which job it has, and what `handler` makes of it."""
    how = dict(option.partition("=")[::2] for option in options)

    def handler(job):
        say(handling=job.id, attempt=job.attempt, data=job.data.decode("latin-1"), flow=job.correlation_id,
            files={path.name: path.read_text() for path in job.files})
        if how.get("handler") == "hang":
            time.sleep(3600)
        while how.get("handler") == "wait" and not os.path.exists("go"):
            time.sleep(0.01)
        if how.get("handler") == "fail":
            raise RuntimeError("not today")
        if how.get("handler") == "reject":
            raise filedrop.Rejected("never")
        if how.get("handler") == "submit":
            drop.submit("child", None, priority=9) if job.type == "test" else None
        return job.data.upper()

    numbers = {name: float(how[name]) for name in ("lease", "backoff") if name in how}
    most = int(how.get("max_attempts", 5))
    done = drop.work(handler, drain="stay" not in how, poll=0.02, max_attempts=most, **numbers)
    say(succeeded=done.succeeded, failed=done.failed, invalid=done.invalid, expired=done.expired, postponed=done.postponed)


def collect(drop, address, how="all"):
    if how == "handler":
        failed = []

        def handler(outcome):
            if not failed:
                failed.append(outcome.job_id)
                raise RuntimeError("not now")
        try:
            for outcome in drop.collect(address, handler):
                told(outcome)
        except filedrop.FiledropError as e:
            say(left=str(e))
        return
    for outcome in drop.collect(address):
        told(outcome)
        if how == "break":
            break


def at_call(nth, act):
    """Does something before the nth call of the system that changes a file or makes it durable."""
    left = [nth]

    def counting(call):
        def wrapped(*args, **named):
            left[0] -= 1
            if left[0] == 0:
                act()
            return call(*args, **named)
        return wrapped

    for name in ("rename", "link", "unlink", "mkdir", "rmdir", "fsync"):
        setattr(os, name, counting(getattr(os, name)))


def pause():
    say(paused=True)
    while not os.path.exists("go"):
        time.sleep(0.01)


def trace(drop):
    """Says on stderr what is done to which files: each name below a room is `*`, and unlinks, which need no order, are left out."""
    def shown(path):
        path = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else str(path)
        parts = pathlib.Path(path).relative_to(os.path.realpath(drop)).parts
        return "/".join([*parts[:1], *("*" for _ in parts[1:])]) or "."

    def telling(name, call):
        def wrapped(*args, **named):
            paths = [shown(path) for path in args[:1 if name in ("fsync", "mkdir", "rmdir") else 2]]
            answer = call(*args, **named)
            print(name, *paths, file=sys.stderr)
            return answer
        return wrapped

    for name in ("rename", "link", "mkdir", "rmdir", "fsync"):
        setattr(os, name, telling(name, getattr(os, name)))


def main():
    if "TRACE" in os.environ:
        trace(sys.argv[2])
    if "CRASH_AT" in os.environ:
        at_call(int(os.environ["CRASH_AT"]), lambda: os._exit(99))  # as SIGKILL does
    if "PAUSE_AT" in os.environ:
        at_call(int(os.environ["PAUSE_AT"]), pause)
    what, path, *rest = sys.argv[1:]
    globals()[what](filedrop.DropFolder(path), *rest)


main()
