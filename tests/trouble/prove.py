"""Damages a folder that is at rest, one thing at a time, and demands that the audit, or the observer, sees it."""

import contextlib
import copy
import json
import os

import audit
import book as words
import observer


@contextlib.contextmanager
def gone(path):
    # Beside the drop folder nobody looks.
    beside = next(parent for parent in path.parents if (parent / "drop").is_dir())
    aside = beside / f"aside.{path.name}"
    os.rename(path, aside)
    try:
        yield
    finally:
        os.replace(aside, path)


@contextlib.contextmanager
def instead(path, content):
    """Another file of this name."""
    with gone(path):
        path.write_bytes(content)
        yield


@contextlib.contextmanager
def extra(path, content):
    path.write_bytes(content)
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def both(*damages):
    with contextlib.ExitStack() as stack:
        for damage in damages:
            stack.enter_context(damage)
        yield


def audited(place, book):
    """Name of a damage, and the damage; of those that the audit has to see."""
    drop, day = place.drop, "[0-9]*"
    id_ = next(id_ for id_, (data, files, _) in book.jobs.items() if files and '"bad"' not in data)
    slot = next(drop.glob(f"outcomes/{day}/{id_}.outcome.json"))
    done = next(drop.glob(f"done/{day}/*.{id_}.job.json"))
    outcome = json.loads(slot.read_bytes())
    job = json.loads(done.read_bytes())
    yield "an outcome is lost", gone(slot)
    yield "an archived job is lost", gone(done)
    yield "a job is lost", both(gone(slot), gone(done))
    yield "an outcome says something else", instead(slot, json.dumps({**outcome, "data": "else"}).encode())
    yield "an outcome says that the job failed", instead(slot, json.dumps({**outcome, "outcome": "failed"}).encode())
    yield "a job is archived twice", extra(done.with_name(f"9{done.name[1:]}"), done.read_bytes())
    for whose, envelope in (("a job", job), ("an outcome", outcome)):
        file = drop / envelope["filesref"] / "a.bin"
        yield f"a file of {whose} is shorter", instead(file, file.read_bytes()[:-1])
        yield f"a file of {whose} is lost", gone(file)
    yield "a job is still ready", extra(drop / "inbox" / f"{done.name[:-9]}.1.job.json", done.read_bytes())
    settled = next(drop.glob(f"replies/{words.ADDRESS}/done/{day}/*"))
    yield "an outcome is not settled", gone(settled)
    yield "what is settled is another file", instead(settled, settled.read_bytes())
    log = place.log.read_bytes()
    yield "an attempt ran twice", instead(place.log, log + log.split(b"\n")[0] + b"\n")
    event = next(id_ for id_, (topic, _, _) in book.events.items() if words.wants("audit", topic))
    group = drop / "subscribers" / "audit"
    event_slot = next(group.glob(f"outcomes/{day}/{event}.outcome.json"))
    event_done = next(group.glob(f"done/{day}/*.{event}.job.json"))
    yield "a group did not get an event", both(gone(event_slot), gone(event_done))
    # A job of its own, that is an event of the group's again.
    other = event_done.with_name(event_done.name.replace(event, "again"))
    again = json.dumps({**json.loads(event_done.read_bytes()), "id": "again"}).encode()
    outcome = json.dumps({**json.loads(event_slot.read_bytes()), "causationid": "again"}).encode()
    other_slot = event_slot.with_name("again.outcome.json")
    yield "a group got an event twice", both(extra(other, again), extra(other_slot, outcome))


def observed(place):
    """Of those that the observer has to see, which saw the folder before."""
    slot = next(place.drop.glob("outcomes/*/*.outcome.json"))
    done = next(place.drop.glob("done/*/*.job.json"))
    inbox = place.drop / "inbox"
    name = f"{done.name[: -len('.job.json')]}.1.job.json"
    yield "an outcome is another file with the same bytes", instead(slot, slot.read_bytes())
    yield "an outcome is gone", gone(slot)
    yield "a job is half written", extra(inbox / "5.1700000000000.half.1.job.json", done.read_bytes()[:-9])
    yield "a job is a second file", extra(inbox / name, done.read_bytes())
    yield "a name is nobody's", extra(inbox / "draft", b"{}")


def prove(place, book):
    """Damages that nobody saw, and how many there were."""
    unseen, count = [], 0
    for what, damage in audited(place, book):
        count += 1
        trial = copy.copy(book)
        trial.wrong = []
        with damage:
            audit.audit(place, trial)
        if not trial.wrong:
            unseen.append(what)
    for what, damage in observed(place):
        count += 1
        eye = observer.Observer(str(place.drop))
        eye.look()
        with damage:
            eye.look()
            eye.all_stay()
        if not eye.wrong:
            unseen.append(what)
    return unseen, count
