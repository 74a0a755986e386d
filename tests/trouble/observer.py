#!/usr/bin/env python3
"""Reads all that is visible in a drop folder, again and again, and remembers what it saw.

    observer.py DROP        until its standard input is closed; then prints a JSON object with what it saw

Its grammar of names is PROTOCOL.md's, written down again here: nothing of it is the library's.
"""

import hashlib
import json
import os
import random
import re
import select
import sys
import time

ID, MS, NONCE, N = r"([a-z0-9_-]{1,64})", r"\d{13}", r"[0-9a-f]{16}", r"[1-9]\d*"
JOB = rf"\d\.{MS}\.{ID}\.{N}\.job\.json"
ARCHIVED = rf"\d\.{MS}\.{ID}\.job\.json"
REASON = rf"\d\.{MS}\.{ID}\.reason\.json"
DELIVERED = rf"\d\.{MS}\.{ID}\.{N}\.outcome\.json"
# What the campaign drops into the inbox.
STRANGE = r"(bare)-\d+\.txt"


def names(**kinds):
    return {kind: re.compile(pattern) for kind, pattern in kinds.items()}


# Room: the names in it, by what the file is.
INBOX = names(job=JOB, delivered=DELIVERED, strange=STRANGE)
DELAYED = names(job=rf"{MS}\.{JOB}", delivered=rf"{MS}\.{DELIVERED}")
CLAIMS = names(job=JOB, delivered=DELIVERED, staged=rf"\d\.{MS}\.{ID}\.{N}\.{NONCE}\.outcome\.json")
DONE = names(job=ARCHIVED, delivered=rf"\d\.{MS}\.{ID}\.outcome\.json")
GRAVE = names(job=ARCHIVED, slot=REASON)
OUTCOMES = names(slot=rf"{ID}\.outcome\.json", record=rf"{ID}\.{N}\.attempt\.json")
IDS = names(job=ID, draft=rf"{ID}\.{NONCE}(\.event)?")
# Rooms where a name stays.
LASTING = re.compile(r"/(outcomes|done|ids)/[^/]+/[^/]+$")
EVENT_FOLDER = re.compile(rf"\d\.{MS}\.{ID}\.{NONCE}\.event")
ROOM_FOLDER = re.compile(rf"{ID}-{NONCE}")
# Folders of files that are being admitted.
BARE = re.compile(rf"{ID}\.{NONCE}\.(bare|copy|spent)")


class Observer:
    def __init__(self, drop):
        self.drop = drop
        self.known = {}  # path -> inode, of names that were read and will stay
        self.jobs = {}  # (folder, id) -> inode: a job is one file, under whatever name
        self.slots = {}  # (folder, id) -> (path, inode, digest)
        self.passes = self.parsed = 0
        self.wrong = []
        self.rng = random.Random(0)

    def violation(self, what):
        if what not in self.wrong:
            self.wrong.append(what)

    def look(self):
        self.folder(self.drop, "")
        self.slots_stay()
        self.passes += 1

    def folder(self, path, called):
        """A drop folder, and those that are nested in it."""
        self.room(path, called, "inbox", INBOX, outbox=called.endswith("outbox"))
        self.room(path, called, "delayed", DELAYED)
        for entry in entries(f"{path}/claimed"):
            if entry.name.endswith(".presence"):
                continue
            if not ROOM_FOLDER.fullmatch(entry.name):
                self.violation(f"{called}/claimed/{entry.name}: no name of the protocol's")
            self.room(path, called, f"claimed/{entry.name}", CLAIMS)
        for room, kinds in (("outcomes", OUTCOMES), ("done", DONE)):
            for day in entries(f"{path}/{room}"):
                self.room(path, called, f"{room}/{day.name}", kinds)
        for room in ("dead", "invalid"):
            self.room(path, called, room, GRAVE)
        for shelf in entries(f"{path}/ids"):
            self.room(path, called, f"ids/{shelf.name}", IDS)
        if os.path.isdir(f"{path}/outbox"):
            self.folder(f"{path}/outbox", f"{called}/outbox")
        for many in ("replies", "subscribers"):
            for one in entries(f"{path}/{many}"):
                self.folder(one.path, f"{called}/{many}/{one.name}")

    def room(self, path, called, room, kinds, outbox=False):
        for entry in entries(f"{path}/{room}"):
            if outbox and (event := EVENT_FOLDER.fullmatch(entry.name)):
                self.event(entry.path, called, event.group(1))
                continue
            # Most are old acquaintances.
            if self.known.get(entry.path) == entry.inode():
                continue
            found = ((kind, pattern.fullmatch(entry.name)) for kind, pattern in kinds.items())
            kind, id_ = next(((kind, name.group(1)) for kind, name in found if name), (None, None))
            if kind is None:
                if not (room.startswith("claimed/") and BARE.fullmatch(entry.name)):
                    self.violation(f"{called}/{room}/{entry.name}: no name of the protocol's")
                continue
            if kind != "strange":
                self.read(entry, called, f"{called}/{room}/{entry.name}", kind, id_)

    def event(self, path, called, id_):
        """What is in the folder of an event counts once it is published."""
        if os.path.exists(f"{path}/event.json"):
            for entry in entries(path):
                if entry.name.endswith(".json"):
                    self.read(entry, called, f"{called}: {entry.path}", "job", id_)

    def read(self, entry, called, shown, kind, id_):
        try:
            with open(entry.path, "rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                content = file.read()
        except FileNotFoundError:
            return
        self.parsed += 1
        try:
            envelope = json.loads(content)
        except ValueError as why:
            return self.violation(f"{shown}: half written? {len(content)} bytes: {why}")
        about = envelope.get("causationid") if kind in ("slot", "staged", "delivered") else envelope.get("id")
        if envelope.get("specversion") != "1.0" or (kind != "record" and kind != "draft" and about != id_):
            self.violation(f"{shown}: no envelope of {id_}")
        if LASTING.search(entry.path):
            self.known[entry.path] = inode
        if kind == "job" and self.jobs.setdefault((called, id_), inode) != inode:
            self.violation(f"{shown}: a second file for one job")
        if kind == "slot":
            digest = hashlib.sha256(content).digest()
            first = self.slots.setdefault((called, id_), (entry.path, inode, digest))
            if first[1:] != (inode, digest):
                self.violation(f"{shown}: a second outcome")

    def slots_stay(self):
        """Bytes of some that were seen before, by chance; `room` has seen whether inodes stay."""
        for key in self.rng.sample(sorted(self.slots), min(200, len(self.slots))):
            self.stays(key)

    def all_stay(self):
        for key in self.slots:
            self.stays(key)

    def stays(self, key):
        path, inode, digest = self.slots[key]
        if "/outcomes/" not in path:
            return
        try:
            with open(path, "rb") as file:
                same = (os.fstat(file.fileno()).st_ino, hashlib.sha256(file.read()).digest()) == (inode, digest)
        except FileNotFoundError:
            same = False
        if not same:
            self.violation(f"{path}: an outcome that was seen is gone, or changed")


def entries(folder):
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def main():
    observer = Observer(sys.argv[1])
    over = False
    while not over:
        # What is closed before a pass begins is followed by a whole one.
        over = bool(select.select([sys.stdin], [], [], 0)[0])
        began = time.monotonic()
        observer.look()
        # A third of a core at most, so that the programs have something left.
        select.select([sys.stdin], [], [], 2 * (time.monotonic() - began))
    observer.all_stay()
    report = {"passes": observer.passes, "parsed": observer.parsed, "slots": len(observer.slots)}
    print(json.dumps({**report, "violations": observer.wrong}))


if __name__ == "__main__":
    main()
