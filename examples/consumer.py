#!/usr/bin/env python3
"""consumer.py DROP: handle what is ready in a drop folder, then leave. P… are the rows of PROTOCOL.md.

It is choosy, as a consumer may be: it takes plain jobs only. And it needs no code for trouble: whatever surprises it ends it,
its lock goes with it, and other consumers finish what it leaves (P13).
"""
import fcntl, hashlib, json, os, secrets, sys, time, uuid


def handle(job):  # your work: it may run twice for a job; an exception is a failed outcome
    return hashlib.sha256(json.dumps(job["data"]).encode()).hexdigest()


def flush(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def draft(content):  # P2: complete and flushed; nobody reads tmp/
    path = f"tmp/{secrets.token_hex(8)}"
    with open(path, "x") as file:
        json.dump(content, file)
    flush(path)
    return path


def day(room, ms):  # R6: the job's day, never today
    path = time.strftime(f"{room}/%Y-%m-%d", time.gmtime(int(ms) // 1000))
    os.makedirs(path, exist_ok=True)
    flush(room)
    return path


def plain(path, id):  # the job, if it is one that this program understands: stricter than the protocol
    try:
        job = json.load(open(path)) if os.path.isfile(path) and not os.path.islink(path) else {}
        strings = all(value and isinstance(value, str) for name, value in job.items() if name != "data")
        beyond = {"replyto", "data_base64", "dataref", "filesref", "expirytime"}
        known = {"source", "type", "data"} <= set(job) and not beyond & set(job)
        return job if strings and known and (job["specversion"], job["id"]) == ("1.0", id) else None
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return None


if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    print(f"usage: {sys.argv[0]} DROP", file=sys.stderr)
    sys.exit(2)
os.chdir(sys.argv[1])
room = f"claimed/example-{secrets.token_hex(8)}"
# No beats: the lock tells when it dies. Only if it is stopped for an hour, or works for longer, others take its claim.
presence = draft({"host": os.uname().nodename, "pid": os.getpid(), "lease_ms": 3600000, "lock": True, "beat": 1})
lock = open(presence, "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
os.rename(presence, f"{room}.presence")  # P4: locked before anybody sees it
os.mkdir(room)
flush("claimed")
for name in sorted(os.listdir("inbox")):
    priority, ms, id, attempt, *kind = name.split(".") + [""] * 4
    if kind[:2] != ["job", "json"] or not plain(f"inbox/{name}", id):
        continue
    try:
        os.rename(f"inbox/{name}", f"{room}/{name}")  # P6: mine, if it is in my room
    except FileNotFoundError:
        continue
    job, slot = json.load(open(f"{room}/{name}")), f"{day('outcomes', ms)}/{id}.outcome.json"
    if os.path.exists(slot):
        sys.exit(f"{id} is decided already, others will archive it")  # P7
    outcome = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/example", "type": "filedrop.outcome",
               "causationid": id, "correlationid": job.get("correlationid", id), "attempt": int(attempt)}
    try:
        outcome.update(outcome="succeeded", datacontenttype="application/json", data=handle(job))
    except Exception as error:
        problem = {"type": "urn:filedrop:problem:handler", "title": "the handler failed", "detail": repr(error)}
        outcome.update(outcome="failed", datacontenttype="application/problem+json", data=problem)
    path = draft(outcome)
    os.link(path, slot)  # P10: a link does not replace: if another decided meanwhile, this ends here
    flush(os.path.dirname(slot))
    os.unlink(path)
    archive = day("done", ms) if outcome["outcome"] == "succeeded" else "dead"
    if archive == "dead":
        os.link(slot, f"dead/{priority}.{ms}.{id}.reason.json")
        flush("dead")
    os.rename(f"{room}/{name}", f"{archive}/{priority}.{ms}.{id}.job.json")  # P11
flush(room)  # P17
os.rmdir(room)
os.unlink(f"{room}.presence")
