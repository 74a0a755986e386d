"""What must hold when all is at rest, read from the files and not by the library."""

import collections
import hashlib
import json
import os

import book as words


class Folder:
    """A drop folder at rest: outcomes by job, archived jobs by id."""

    def __init__(self, path, violation):
        self.path, self.violation = path, violation
        self.outcomes, self.jobs = {}, {}
        for name in in_days(path / "outcomes"):
            if not name.name.endswith(".outcome.json"):
                continue
            outcome = envelope(name)
            id_ = name.name[: -len(".outcome.json")]
            if id_ in self.outcomes or outcome["causationid"] != id_:
                violation(f"{name}: a second outcome, or that of another job")
            self.outcomes[id_] = (name, outcome)
        for name in in_days(path / "done"):
            id_ = name.name.split(".")[2]
            if not name.name.endswith(".job.json"):
                continue
            if id_ in self.jobs:
                violation(f"{name}: archived twice")
            self.jobs[id_] = envelope(name)
        if set(self.outcomes) != set(self.jobs):
            odd = sorted(set(self.outcomes) ^ set(self.jobs))
            violation(f"{path}: outcomes and archived jobs are not the same: {odd[:5]} ({len(odd)})")
        for room in ("inbox", "delayed", "claimed", "dead", "invalid"):
            left = sorted(os.listdir(path / room))
            if left:
                violation(f"{path}: left in {room}: {left[:5]} ({len(left)})")

    def check(self, id_, data, files):
        """The outcome of a job gives back what it was given."""
        if id_ not in self.outcomes:
            return self.violation(f"{self.path}: {id_} was acknowledged, and has no outcome")
        _, outcome = self.outcomes[id_]
        if outcome["outcome"] != "succeeded" or given(outcome) != parsed(data):
            return self.violation(f"{self.path}: the outcome of {id_} is {str(outcome)[:300]}")
        if files:
            for what in (self.jobs.get(id_, {}), outcome):
                self.whole(id_, what.get("filesref"))

    def takeovers(self):
        """How many claims were taken from the absent, of jobs that are decided: each makes another attempt, and nothing else does here."""
        return sum(outcome["attempt"] - 1 for _, outcome in self.outcomes.values())

    def whole(self, id_, reference):
        folder = self.path / (reference or "payload/missing")
        try:
            sums = dict(reversed(line.split("  ")) for line in (folder / "sums").read_text().splitlines())
            same = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sums} == sums
        except (OSError, ValueError) as why:
            same = why
        if same is not True or len(sums) != 2:
            self.violation(f"{self.path}: files of {id_} in {reference} are not whole: {same}")


def in_days(room):
    return [path for day in sorted(room.iterdir()) for path in sorted(day.iterdir())]


def envelope(path):
    return json.loads(path.read_bytes())


def parsed(data):
    try:
        return json.loads(data)
    except ValueError:
        return data


def given(outcome):
    return outcome.get("data")


def audit(place, book):
    """Violations go into the book. Figures about what was found."""
    figures = {}
    main = Folder(place.drop, book.violation)
    redriven = collections.Counter(
        job["causationid"] for id_, job in main.jobs.items() if job.get("causationid") in main.jobs
    )
    bad = expected_jobs(main, book, redriven)
    unsure(main, book, bad, redriven)
    files(main, book)
    figures["redriven"] = len(bad)
    figures["redriven twice"] = sum(times > 1 for times in redriven.values())
    if set(redriven) != bad or figures["redriven twice"]:
        book.violation(f"redriven: {len(redriven)} of {len(bad)} dead letters, {figures['redriven twice']} twice")
    figures["outcomes"] = len(main.outcomes)
    figures["events"], groups = events(place, book)
    figures["event copies"] = sum(len(folder.jobs) for folder in groups)
    figures["takeovers"] = sum(folder.takeovers() for folder in (main, *groups))
    figures.update(handled(place.log, main, book))
    for group in words.GROUPS:
        repeated = handled(place.below / f"handled.{group}", None, book)
        figures["handled again, events"] = figures.get("handled again, events", 0) + repeated["handled again"]
    figures.update(collected(place, main, book))
    at_rest(place, book)
    return figures


def expected_jobs(main, book, redriven):
    """Acknowledged ones. The ids of those that were to become dead letters."""
    bad = set()
    for id_, (data, has_files, _) in book.jobs.items():
        if '"bad"' not in data:
            main.check(id_, data, has_files)
        elif id_ in main.outcomes and main.outcomes[id_][1]["outcome"] == "failed":
            bad.add(id_)
        else:
            book.violation(f"{id_} was to be rejected: {main.outcomes.get(id_)}")
    # A redriven one gives back what the dead one was given.
    for id_, job in main.jobs.items():
        if job.get("causationid") in redriven:
            main.check(id_, json.dumps(given(main.jobs[job["causationid"]])), "filesref" in job)
    return bad


def unsure(main, book, bad, redriven):
    """Jobs that nobody acknowledged were asked for, and are there once."""
    asked = {json.loads(data)["n"]: data for data in book.unsure}
    seen = collections.Counter()
    for id_, job in main.jobs.items():
        if id_ in book.jobs or job.get("causationid") in redriven or job.get("subject") in book.files:
            continue
        name = (given(job) or {}).get("n")
        seen[name] += 1
        if name not in asked:
            book.violation(f"{id_}: a job that nobody asked for: {str(job)[:200]}")
        elif '"bad"' in asked[name]:
            bad.add(id_)
        else:
            main.check(id_, asked[name], False)
    if twice := [name for name, times in seen.items() if times > 1]:
        book.violation(f"jobs that are there twice: {twice[:5]}")


def files(main, book):
    """Each file is one job."""
    jobs = collections.defaultdict(list)
    for id_, job in main.jobs.items():
        if job.get("subject") in book.files:
            jobs[job["subject"]].append(id_)
    for name, content in book.files.items():
        if len(jobs[name]) != 1:
            book.violation(f"{name} became {len(jobs[name])} jobs: {jobs[name]}")
        for id_ in jobs[name]:
            main.check(id_, content, False)


def events(place, book):
    """Each group has each event that it wants once, and of those that nobody acknowledged all groups or none have it."""
    groups = {name: Folder(place.drop / "subscribers" / name, book.violation) for name in words.GROUPS}
    asked = {json.loads(data)["n"]: (topic, data) for data, topic in book.unsure_events.items()}
    extra = {}
    for name, folder in groups.items():
        for id_, (topic, data, has_files) in book.events.items():
            if words.wants(name, topic):
                folder.check(id_, data, has_files)
            elif id_ in folder.jobs:
                book.violation(f"{name} got {topic}")
        seen = collections.Counter()
        for id_, job in folder.jobs.items():
            if id_ not in book.events:
                key = (given(job) or {}).get("n")
                seen[key] += 1
                if key not in asked:
                    book.violation(f"{name} got an event that nobody published: {id_}")
                else:
                    folder.check(id_, asked[key][1], False)
                    extra[key] = asked[key][0]
        if any(times > 1 for times in seen.values()):
            book.violation(f"{name} got an event twice")
    for key, topic in extra.items():
        for name, folder in groups.items():
            has = sum((given(job) or {}).get("n") == key for job in folder.jobs.values())
            if has != words.wants(name, topic):
                book.violation(f"{key} is published, and {name} has it {has} times")
    return len(book.events) + len(extra), groups.values()


def handled(log, folder, book):
    """An attempt ran once at most: its number is what a handler can fence with."""
    attempts = collections.Counter(line.rstrip() for line in log.read_text().splitlines())
    if twice := [line for line, times in attempts.items() if times > 1]:
        book.violation(f"attempts that ran twice: {twice[:5]} ({len(twice)})")
    jobs = collections.Counter(line.split()[1] for line in attempts)
    if folder is not None and set(jobs) != set(folder.jobs):
        odd = sorted(set(jobs) ^ set(folder.jobs))
        book.violation(f"handled and archived are not the same: {odd[:5]} ({len(odd)})")
    return {"handler runs": sum(attempts.values()), "handled again": sum(times > 1 for times in jobs.values())}


def collected(place, main, book):
    """Each outcome that was asked for is settled once, and is the one in the slot; it was handed over at least once."""
    settled = {}
    address = place.drop / "replies" / words.ADDRESS
    for path in in_days(address / "done"):
        id_ = path.name.split(".")[2]
        if id_ in settled:
            book.violation(f"{path}: settled twice")
        settled[id_] = path
        if id_ not in main.outcomes or path.stat().st_ino != main.outcomes[id_][0].stat().st_ino:
            book.violation(f"{path}: not the outcome that counts")
    asked = {id_ for id_, job in main.jobs.items() if "replyto" in job}
    if missing := {id_ for id_, (_, _, reply) in book.jobs.items() if reply} - asked:
        book.violation(f"jobs that lost their Return Address: {sorted(missing)[:5]}")
    if set(settled) != asked:
        odd = sorted(set(settled) ^ asked)
        book.violation(f"outcomes that were asked for and settled are not the same: {odd[:5]} ({len(odd)})")
    for room in ("inbox", "delayed", "claimed"):
        if left := os.listdir(address / room):
            book.violation(f"left in {room} of the address: {left[:5]}")
    told = collections.Counter(line.split()[0] for line in place.collected.read_text().splitlines())
    for printed in place.below.glob("printed.*"):
        # A line that was torn by a kill is not handed over.
        lines = printed.read_bytes().split(b"\n")[:-1]
        told.update(json.loads(line)["causationid"] for line in lines)
    if not set(settled) <= set(told):
        book.violation(f"settled, and handed to nobody: {sorted(set(settled) - set(told))[:5]}")
    return {"collected": len(settled), "handed over again": sum(told.values()) - len(told)}


def at_rest(place, book):
    status = json.loads(place.run("filedrop", "status", "--json", place.drop))
    left = {room: n for room, n in status["rooms"].items() if n and room not in ("outcomes", "done", "tmp")}
    waits = any(address["waiting"] for address in status.get("replies", {}).values())
    if left or waits or status["consumers"] or status["arriving"] or status["unrecognised"]:
        book.violation(f"`filedrop status` is not empty: {status}")
    for room in (place.drop / "outbox" / "inbox").iterdir():
        if (room / "event.json").exists():
            book.violation(f"{room} is published, and was not forgotten")
    for complaints in place.complaints.iterdir():
        for line in complaints.read_text(errors="replace").splitlines():
            if "panicked" in line:
                book.violation(f"{complaints.name}: {line}")
