#!/usr/bin/env python3
"""consumer.py DROP: handle every ready job of a drop folder, then leave. P.. and R.. are the rows of PROTOCOL.md.

It needs no code for its own death: any error but the handler's ends it, its lock goes with it, and another consumer
recovers its room (P13). That, and the sweep (P16), it leaves to others. DROP must be on a local file system.
"""
import base64, fcntl, functools, hashlib, json, os, pathlib, re, secrets, socket, sys, time, uuid


def handle(job):
    """Your work: from the parsed envelope to a text. An exception fails the job. May run twice for one job."""
    return hashlib.sha256(json.dumps(job.get("data")).encode()).hexdigest()


LIMIT, ADDRESS = 16 << 20, "[a-z0-9_-]{1,64}"
JOB = re.compile(rf"([0-9]\.([0-9]{{13}})\.({ADDRESS}))\.([1-9][0-9]*)\.job\.json")


# ---- the table, from top to bottom ----

def main(drop):
    os.chdir(drop)                                               # from here on, paths are those of PROTOCOL.md
    if json.loads(pathlib.Path("filedrop.json").read_bytes())["protocol"] != 0:
        sys.exit("not protocol 0: keep out")
    # No beats: the lock tells at once when we die, so the lease may be long. Who runs for longer than a third of it
    # must beat (P5), or a job may be given to another too; even then only one outcome counts.
    presence = {"host": socket.gethostname(), "pid": os.getpid(), "lease_ms": 3600000, "lock": True, "beat": 1}
    path, room = draft(json.dumps(presence).encode()), f"claimed/example-{nonce()}"
    lock = os.open(path, os.O_RDWR)                              # P4: a presence (no child inherits its descriptor),
    fcntl.flock(lock, fcntl.LOCK_EX)                             #     locked before anybody sees it,
    os.rename(path, f"{room}.presence")
    os.mkdir(room)                                               #     and a room,
    flush("claimed")                                             #     durable before the first claim
    while names := ready():
        for name in names:
            settle(name, room)
    flush(room)                                                  # P17: what has left the room stays out of it
    os.rmdir(room)
    os.unlink(f"{room}.presence")


def ready():
    with os.scandir("inbox") as files:
        return sorted(f.name for f in files if JOB.fullmatch(f.name) and f.is_file(follow_symlinks=False))


def settle(name, room):
    base, ms, id, attempt = JOB.fullmatch(name).groups()
    day = time.strftime("%Y-%m-%d", time.gmtime(int(ms) // 1000))
    claim, outcomes, staged = f"{room}/{name}", folder(f"outcomes/{day}"), None
    slot = f"{outcomes}/{id}.outcome.json"

    move(f"inbox/{name}", claim)                                 # P6: claim,
    try:
        job, wrong = read(claim, id), None
    except FileNotFoundError:
        return                                                   #     and look: not there, not mine
    except (PermissionError, ValueError, TypeError, RecursionError) as e:
        job, wrong = {}, e

    if not inode(slot):                                          # P7: there is no outcome yet
        outcome = answer(job, wrong, id, int(attempt))
        if "replyto" in job:
            staged = f"{room}/{base}.{attempt}.{nonce()}.outcome.json"
            publish(outcome, staged)                             # P9: stage
            flush(room)
            link(staged, slot)                                   # P10: decide. Ours or another's, the slot counts
        else:
            publish(outcome, slot)                               # P10: the same, straight from the draft
    flush(outcomes)                                              # P7, P10: before anything follows from it

    if staged:                                                   # P12: deliver, if ours is the one that counts
        inbox = address(job["replyto"]) + "/inbox"
        if inode(staged) == inode(slot):
            move(staged, f"{inbox}/{base}.1.outcome.json")
        pathlib.Path(staged).unlink(missing_ok=True)
        flush(inbox)
        flush(room)

    final = json.loads(pathlib.Path(slot).read_bytes())          # P11: archive, by what the slot says
    if final["outcome"] == "succeeded":
        place = folder(f"done/{day}")
    else:
        place = "invalid" if final["data"]["type"] == "urn:filedrop:problem:invalid" else "dead"
        link(slot, f"{place}/{base}.reason.json")
        flush(place)
    move(claim, f"{place}/{base}.job.json")


# ---- the envelopes ----

def read(claim, id):
    """A job without its null attributes. ValueError, TypeError: it is invalid."""
    with open(claim, "rb") as f:
        text, sizes = f.read(LIMIT + 1), []
    job = json.loads(text.decode(), parse_constant=int,          # int("NaN") is a ValueError; the last size is the top's
                     object_pairs_hook=lambda pairs: sizes.append(len(pairs)) or dict(pairs))
    if len(text) > LIMIT or not isinstance(job, dict) or len(job) != sizes[-1]:
        raise ValueError("not one object of at most 16 MiB with every member once")
    job = {k: v for k, v in job.items() if v is not None or k == "data"}
    if (job.get("specversion") != "1.0" or job.get("id") != id
            or not all(isinstance(job.get(k), str) and job[k] for k in ("source", "type"))
            or any(isinstance(v, (dict, list)) for k, v in job.items() if k != "data")
            or not re.fullmatch(ADDRESS, job.get("replyto", "-")) or {"data", "data_base64"} <= job.keys()):
        raise ValueError("not an envelope as PROTOCOL.md asks, or not the id of the file's name")
    base64.b64decode(job.get("data_base64", ""), validate=True)
    return job


def answer(job, wrong, id, attempt):
    def outcome(result, kind, data):
        return json.dumps({"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/consumer.py",
                           "type": "filedrop.outcome", "causationid": id, "correlationid": job.get("correlationid", id),
                           **{k: job[k] for k in ("replyto", "subject", "traceparent") if k in job},
                           "outcome": result, "attempt": attempt, "datacontenttype": kind, "data": data}).encode()

    def failed(what, why):
        return outcome("failed", "application/problem+json", {
            "type": f"urn:filedrop:problem:{what}", "title": f"failed: {what}", "detail": str(why)[:4096]})
    if wrong:
        return failed("invalid", wrong)
    try:
        good = outcome("succeeded", "text/plain; charset=utf-8", handle(job))
        return good if len(good) <= LIMIT else failed("output", "more than 16 MiB")
    except Exception as e:
        return failed("handler", repr(e))


# ---- files: flush before you tell, look before you believe ----

def nonce():
    return secrets.token_hex(8)


def inode(path):                                                 # in one file system, the number says which file it is
    return os.lstat(path).st_ino if os.path.lexists(path) else None


def flush(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def draft(data):                                                 # P2
    path = f"tmp/{nonce()}"
    with open(path, "xb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    return path


def publish(data, new):
    path = draft(data)
    link(path, new)
    os.unlink(path)


def link(old, new):                                              # R2: afterwards `new` is there, this file or the first
    try:
        os.link(old, new)
    except OSError:
        if not inode(new):                                       # R3: look
            raise


def move(old, new):
    try:
        os.rename(old, new)
    except OSError:
        if inode(old) and inode(old) != inode(new):              # R3: neither gone nor there
            raise
    if inode(old) and inode(old) == inode(new):                  # R4: two names of one file, and rename did nothing
        flush(os.path.dirname(new))
        os.unlink(old)


@functools.lru_cache(None)
def folder(path):                                                # R6, once in our lifetime
    os.makedirs(path, exist_ok=True)
    flush(os.path.dirname(path))
    return path


@functools.lru_cache(None)
def address(name):                                               # P1, for a Return Address
    drop = f"replies/{name}"
    for part in "tmp", "inbox", "delayed", "claimed", "outcomes", "done", "dead", "invalid":
        os.makedirs(f"{drop}/{part}", exist_ok=True)
    flush(drop)
    flush("replies")
    publish(b'{"protocol":0}\n', f"{drop}/filedrop.json")
    flush(drop)
    return drop


if __name__ == "__main__":
    main(*sys.argv[1:])
