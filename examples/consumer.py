#!/usr/bin/env python3
"""consumer.py DROP: handle what is ready in a drop folder, then leave. P… are the rows of PROTOCOL.md.

Choosy, as a consumer may be: jobs that are invalid or want their outcome delivered, and the rooms of the dead, are left to
others. Any error but the handler's ends it; its lock goes with it, and others recover what it had claimed (P13).
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


def link(source, target):  # links do not replace: what is there already counts
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    flush(os.path.dirname(target))


def day_in(room, ms):  # R6: the job's day, never today
    day = time.strftime(f"{room}/%Y-%m-%d", time.gmtime(int(ms) // 1000))
    os.makedirs(day, exist_ok=True)
    flush(room)
    return day


def outcome(job, attempt):
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/example", "type": "filedrop.outcome",
             "causationid": job["id"], "correlationid": job.get("correlationid", job["id"]), "attempt": attempt}
    try:
        return {**event, "outcome": "succeeded", "datacontenttype": "application/json", "data": handle(job)}
    except Exception as error:
        problem = {"type": "urn:filedrop:problem:handler", "title": "the handler failed", "detail": repr(error)}
        return {**event, "outcome": "failed", "datacontenttype": "application/problem+json", "data": problem}


def plain(path, id):  # a job that is this program's to take
    try:
        if not os.path.isfile(path) or os.path.islink(path):
            return False
        job = json.load(open(path))
        strings = all(value and isinstance(value, str) for name, value in job.items() if name != "data")
        members = {"source", "type"} <= set(job) and not {"replyto", "data_base64"} & set(job)
        return (job["specversion"], job["id"]) == ("1.0", id) and strings and members
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def settle(name, room):
    priority, ms, id, attempt = name.split(".")[:4]
    claim, slot = f"{room}/{name}", f"{day_in('outcomes', ms)}/{id}.outcome.json"
    try:
        os.rename(f"inbox/{name}", claim)  # P6: mine, if it is in my room
        job = json.load(open(claim))
    except FileNotFoundError:
        return
    if not os.path.exists(slot):  # P7: no outcome yet
        path = draft(outcome(job, int(attempt)))
        link(path, slot)  # P10: from here on there is one, mine or another's
        os.unlink(path)
    flush(os.path.dirname(slot))
    final, grave = json.load(open(slot)), None  # P11: archive as the slot says
    if final["outcome"] == "failed":
        grave = "invalid" if final["data"]["type"].endswith(":invalid") else "dead"
        link(slot, f"{grave}/{priority}.{ms}.{id}.reason.json")
    archived = f"{grave or day_in('done', ms)}/{priority}.{ms}.{id}.job.json"
    os.rename(claim, archived)
    if os.path.exists(claim):  # R4: two names of one file, so rename did nothing
        flush(os.path.dirname(archived))
        os.unlink(claim)


os.chdir(sys.argv[1])
assert json.load(open("filedrop.json"))["protocol"] == 0
room = f"claimed/example-{secrets.token_hex(8)}"
# No beats: its lock tells when it dies. Only if it is stopped for an hour, or runs for longer, others take its claims.
presence = draft({"host": os.uname().nodename, "pid": os.getpid(), "lease_ms": 3600000, "lock": True, "beat": 1})
lock = open(presence, "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
os.rename(presence, f"{room}.presence")  # P4: locked before anybody sees it
os.mkdir(room)
flush("claimed")
for name in sorted(os.listdir("inbox")):
    if name.endswith(".job.json") and len(name.split(".")) == 6 and plain(f"inbox/{name}", name.split(".")[2]):
        settle(name, room)
flush(room)  # P17
os.rmdir(room)
os.unlink(f"{room}.presence")
