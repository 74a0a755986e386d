"""What was asked for, and what has to come of it. It follows from seeds alone, and nothing in it is read from the drop folder."""

import hashlib
import json
import random
import threading

TOPICS = ["orders.created", "orders.paid", "users.created", "users.left.eu", "stock"]
GROUPS = {"audit": [">"], "billing": ["orders.*", "stock"], "people": ["users.>"]}
ADDRESS = "answers"


def wants(group, topic):
    def fits(pattern):
        if pattern == ">":
            return True
        head, last = pattern.rsplit(".", 1) if "." in pattern else ("", pattern)
        if last in ("*", ">"):
            rest = topic[len(head) + 1 :] if topic.startswith(head + ".") else ""
            return bool(rest) and (last == ">" or "." not in rest)
        return topic == pattern

    return any(fits(pattern) for pattern in GROUPS[group])


def data(rng, name, may_be_bad=False):
    """A line of JSON that nothing else has."""
    value = {"n": name, "pad": "x" * (rng.randrange(200_000) if rng.random() < 0.03 else rng.randrange(200))}
    if rng.random() < 0.15:
        value["slow"] = True
    if may_be_bad and rng.random() < 0.1:
        value["bad"] = True
    return json.dumps(value, separators=(",", ":"))


def attachments(rng, folder):
    """Two files and their checksums, written to a folder. Their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: random.Random(rng.random()).randbytes(rng.randrange(60_000)) for name in ("a.bin", "b.bin")}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in made.items())
    made["sums"] = sums.encode()
    for name, content in made.items():
        folder.joinpath(name).write_bytes(content)
    return [folder / name for name in made]


class Book:
    """Written by many threads."""

    def __init__(self):
        self.lock = threading.Lock()
        # Of those that were acknowledged: id -> (data, whether files travel with it, whether an outcome is delivered).
        self.jobs = {}
        # Data of those whose producer was killed before it told: such a job may be there or not.
        self.unsure = set()
        # Id -> (topic, data, whether files travel with it); data -> topic.
        self.events = {}
        self.unsure_events = {}
        # Of files that were dropped or taken in: name -> content.
        self.files = {}
        self.wrong = []
        self.calls = 0

    def violation(self, what):
        with self.lock:
            self.wrong.append(what)
