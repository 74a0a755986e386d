"""filedrop.py: programs that talk through files in a shared folder. One file, Python 3.9 or newer, nothing to install.

    from filedrop import DropFolder

    drop = DropFolder("/srv/drop")                       # made by `filedrop init`, or by DropFolder.init
    id = drop.submit("order", {"item": "ball"})          # durable when this returns
    outcome = drop.wait(id, timeout=60)                  # by anyone, as often as they like
    print(outcome.check().json())                        # check() raises JobFailed unless it succeeded
    drop.call("order", {"item": "ball"}, timeout=60)     # both at once

    def handle(job):                                     # may run twice: after a crash, with a higher job.attempt
        return {"price": 3 * len(job.json()["item"])}    # raise: it is tried again later; raise Rejected: it is not
    drop.work(handle)                                    # one job at a time; start as many such programs as you like

    drop.submit("order", {"item": "bat"}, reply_to="billing")
    for outcome in drop.collect("billing"):              # each outcome is taken by one of all who collect there
        print(outcome.job_id, outcome.json())            # settled when the loop asks for the next one

    drop.subscribe("audit", "orders.*")                  # from now on, also while nobody works on them
    drop.publish("orders.created", {"item": "bat"})      # each group that subscribed to it gets it as a job of its own
    DropFolder("/srv/drop/subscribers/audit").work(handle)

    stop = threading.Event()                             # a worker that ends well, on SIGTERM: after the job in its hand
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    drop.work(handle, stop=stop)

Data is `bytes` (JSON, text or neither: that is found out), `str` (text), None (nothing), or anything else that is JSON;
`Data(content, content_type)` says what it is. A time is seconds from now, a timedelta, or a datetime with a time zone.

It follows PROTOCOL.md; P… are its rows and R… its rules. It polls. It works beside the Rust programs, and leaves to them what
anyone may do: bare files (P28, P29), what people put back (P22), redriving (P21), sweeping and retention (P16, P26). In a folder
that a group shares, run it with umask 007. What the system refuses is an OSError.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import dataclasses
import datetime
import errno
import fcntl
import functools
import heapq
import json
import logging
import math
import os
import random
import re
import secrets
import shutil
import socket
import stat
import threading
import time
import traceback
import urllib.parse
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

__all__ = ["DropFolder", "Job", "Outcome", "Data", "Summary", "Rejected", "FiledropError", "NotADropFolder", "Invalid",
           "Uncertain", "TimedOut", "JobFailed"]

MAX_FILE_BYTES = 16 << 20
MAX_DATA_DEPTH = 128
MAX_ATTEMPT = 2**32 - 1
DEFAULT_LEASE = 30.0
ROOMS = ("tmp", "inbox", "delayed", "claimed", "outcomes", "done", "dead", "invalid")
OUTER_ROOMS = ("ids", "payload", "replies", "outbox", "subscribers")
PROBLEM = "urn:filedrop:problem:"
TITLES = {"invalid": "the job could not be read", "handler": "the handler failed", "output": "the handler wrote too much",
          "rejected": "the handler rejected the job", "abandoned": "its attempts are used up", "expired": "the job expired",
          "gone": "the result is not there any more"}
GONE = "somebody removed what travelled with the outcome before it was collected"

When = Union[int, float, datetime.timedelta, datetime.datetime]
PathLike = Union[str, "os.PathLike[str]"]
Ident = Optional[Tuple[int, int]]
log = logging.getLogger("filedrop")


class FiledropError(Exception):
    """Anything that filedrop has to say."""


class NotADropFolder(FiledropError):
    """There is no drop folder here, or one of another version of the protocol."""


class Invalid(FiledropError, ValueError):
    """An argument, or what lies in the folder, is not what it has to be."""


class _TooLarge(Invalid):
    pass


class Uncertain(FiledropError):
    """The job `id` may or may not have been submitted. To submit it again with this id is safe."""

    id = ""


class TimedOut(FiledropError, TimeoutError):
    """There is no outcome of the job `id` yet. `wait` finds it later."""

    id = ""


class JobFailed(FiledropError):
    """The job failed, or expired: `outcome.problem` says why."""

    outcome: Outcome


class Rejected(Exception):
    """Raised by a handler: this job will never succeed, so there is no further attempt."""


# Envelopes: JSON by the letter. The text of `data` is kept as it stands, and a member that stands twice is an error.

class Data(NamedTuple):
    """Data whose content type is known. A `str` is encoded as UTF-8."""

    content: Union[bytes, str]
    content_type: str


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_JSON = json.JSONDecoder(parse_int=lambda text: int(text) if len(text) < 20 else float(text), parse_constant=_no_constant)
_SPACE = re.compile(r"[ \t\n\r]*")


def _skip(text: str, at: int, mark: str = "") -> int:
    """Where what comes after the space at `at` begins; with a `mark`, that has to be at `at`."""
    if text[at:at + 1] != mark and mark:
        raise ValueError(f"not a JSON object: {mark!r} expected at character {at}")
    return _SPACE.match(text, at + len(mark)).end()  # type: ignore[union-attr]


def _members(text: str) -> Dict[str, Tuple[Any, str]]:
    """The members of one JSON object, each as its value and as its text."""
    found: Dict[str, Tuple[Any, str]] = {}
    at = _skip(text, _skip(text, 0), "{")
    while text[at:at + 1] != "}":
        _skip(text, at, '"')
        name, at = _JSON.raw_decode(text, at)
        name.encode()  # half a surrogate pair is no text
        start = _skip(text, _skip(text, at), ":")
        value, end = _JSON.raw_decode(text, start)
        if name in found:
            raise ValueError(f"member {name!r} stands twice")
        found[name] = (value, text[start:end])
        at = _skip(text, end)
        if text[at:at + 1] != "}":
            at = _skip(text, at, ",")
            _skip(text, at, '"')
    if _skip(text, at, "}") != len(text):
        raise ValueError("more than one JSON value")
    return found


def _is_json_type(content_type: Any) -> bool:
    essence = content_type.split(";")[0].strip().lower() if isinstance(content_type, str) else "application/json"
    return essence.endswith(("/json", "+json"))


def _decode(content: bytes) -> Tuple[Dict[str, Any], bytes]:
    """The attributes of an envelope, and its data. ValueError if it is none."""
    members = _members(content.decode())
    data, encoded = members.pop("data", None), members.pop("data_base64", (None, ""))[0]
    attributes = {name: value for name, (value, _) in members.items() if value is not None}
    for name, value in attributes.items():
        if isinstance(value, (dict, list)) or isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"attribute {name!r} is no string, number or boolean")
        str(value).encode()
    for name in ("specversion", "id", "source", "type"):
        if not attributes.get(name) or not isinstance(attributes[name], str):
            raise ValueError(f"attribute {name!r} is missing or empty")
    if attributes["specversion"] != "1.0":
        raise ValueError("specversion is not 1.0")
    if encoded is not None:
        plain = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else b"?"
        if data is not None or base64.b64encode(plain).decode() != encoded:
            raise ValueError("both data and data_base64" if data else "data_base64 is not base64")
        return attributes, plain
    value, text = data or (None, "")
    if isinstance(value, str) and not _is_json_type(attributes.get("datacontenttype")):
        try:
            return attributes, value.encode()
        except UnicodeEncodeError:
            pass  # as it stands
    return attributes, text.encode()


def _encode(attributes: Mapping[str, Any], data: Any) -> bytes:
    """An envelope, on one line. Invalid if it cannot be one."""
    try:
        content, kind = data if isinstance(data, Data) else (data, None)
        if isinstance(content, str):
            kind, content = kind or "text/plain; charset=utf-8", content.encode()
        elif content is not None and not isinstance(content, (bytes, bytearray, memoryview)):
            kind, content = "application/json", json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
        kind, member = ("", "") if content is None else _data_member(kind, bytes(content))
        kept = {name: value for name, value in {**attributes, "datacontenttype": kind or None}.items() if value is not None}
        envelope = (json.dumps(kept, ensure_ascii=False, allow_nan=False)[:-1] + member + "}").encode()
    except (TypeError, ValueError, RecursionError) as e:
        raise Invalid(f"this does not go into an envelope: {e}") from e
    if len(envelope) > MAX_FILE_BYTES:
        raise _TooLarge(f"an envelope of {len(envelope)} bytes; at most {MAX_FILE_BYTES} are taken: attach a file instead")
    return envelope


def _data_member(kind: Optional[str], content: bytes) -> Tuple[str, str]:
    """The content type, and a member from which readers get exactly these bytes."""
    as_bytes = f', "data_base64": "{base64.b64encode(content).decode()}"'
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return kind or "application/octet-stream", as_bytes
    try:
        is_json = _is_json_type(kind) and _skip(text, _JSON.raw_decode(text, _skip(text, 0))[1]) == len(text)
    except (ValueError, RecursionError):
        is_json = False
    if not is_json and (kind is None or not _is_json_type(kind)):
        return kind or "text/plain; charset=utf-8", ', "data": ' + json.dumps(text, ensure_ascii=False)
    depth = deepest = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
        deepest = max(deepest, depth)
    as_it_is = is_json and text == text.strip(" \t") and not re.search("[\r\n]", text) and deepest <= MAX_DATA_DEPTH
    return kind or "application/json", ', "data": ' + text if as_it_is else as_bytes


# Words: ids, names, times, references.

_ID = re.compile(r"[a-z0-9_-]{1,64}")
_NAME = re.compile(r"([0-9])\.([0-9]{13})\.([a-z0-9_-]{1,64})\.([1-9][0-9]{0,9})\.(?:([0-9a-f]{16})\.)?(job|outcome)\.json")
_EVENT = re.compile(r"([0-9])\.([0-9]{13})\.([a-z0-9_-]{1,64})\.[0-9a-f]{16}\.event")
_DELIVERY = re.compile(r"(?:([0-9]{13})\.)?([a-z0-9_-]{1,64})\.job\.json")
_ROOM = re.compile(r"[a-z0-9_-]{1,64}-[0-9a-f]{16}")
_CHECK = re.compile(r"payload/[a-z0-9_-]{1,64}\.[0-9a-f]{16}(/|\.data)")
_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRACE = re.compile(r"(?!ff|00-.{53})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_TIME = re.compile(r"([0-9-]{10})[Tt ]([0-9]{2}:[0-9]{2}:)([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})")


class _Name(NamedTuple):
    """`<priority>.<submitted-ms>.<id>.<attempt>.<kind>.json`, and, before the kind, the nonce of a staged outcome."""

    priority: str
    submitted: str
    id: str
    attempt: int
    kind: str
    nonce: Optional[str] = None

    @staticmethod
    def parse(text: str) -> Optional[_Name]:
        match = _NAME.fullmatch(text)
        if not match or int(match[4]) > MAX_ATTEMPT or match[5] and match[6] == "job":
            return None
        return _Name(match[1], match[2], match[3], int(match[4]), match[6], match[5])

    def __str__(self) -> str:
        return f"{self.stem}.{self.attempt}.{self.nonce + '.' if self.nonce else ''}{self.kind}.json"

    @property
    def stem(self) -> str:
        return f"{self.priority}.{self.submitted}.{self.id}"

    @property
    def day(self) -> str:
        return _rfc3339(int(self.submitted))[:10]

    @property
    def archived(self) -> str:
        return f"{self.stem}.{self.kind}.json"

    def next(self) -> _Name:
        return self._replace(attempt=min(self.attempt + 1, MAX_ATTEMPT))


def _now() -> int:
    return min(time.time_ns() // 1_000_000, 10**13 - 1)


def _mint(ms: int) -> str:
    """A UUIDv7 of this millisecond."""
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def _minted_at(id: str) -> Optional[int]:
    match = _UUID7.fullmatch(id)
    ms = int(match[1] + match[2], 16) if match else 10**13
    return ms if ms < 10**13 else None


def _rfc3339(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


def _millis(text: Any) -> int:
    """Reads RFC 3339. ValueError if it is none, or later than 13 digits tell."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a time (as 2026-11-23T06:00:00Z, RFC 3339)")
    day, minute, second, fraction, zone = match.groups()
    moment = f"{day}T{minute}{'59' if second == '60' else second}{'+00:00' if zone in 'Zz' else zone}"
    return _checked(int(datetime.datetime.fromisoformat(moment).timestamp()) * 1000 + int((f"{fraction or ''}000")[:3]))


def _checked(ms: int) -> int:
    if not 0 <= ms < 10**13:
        raise Invalid("a time before 1970 or after 2286-11-20")
    return ms


def _when(when: When, now: int) -> int:
    if isinstance(when, datetime.datetime):
        if when.tzinfo is None:
            raise Invalid(f"{when} has no time zone")
        return _checked(int(when.timestamp() * 1000))
    seconds = when.total_seconds() if isinstance(when, datetime.timedelta) else when
    if not _is_number(seconds):
        raise Invalid(f"a time is seconds from now, a timedelta or a datetime, not {when!r}")
    if not 0 <= seconds < 10**10:
        raise Invalid(f"{when!r} seconds from now is no time to come")
    return _checked(now + int(seconds * 1000))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _patience(timeout: Any) -> None:
    if timeout is not None and not _is_number(timeout):
        raise Invalid(f"a timeout is a number of seconds, or None for ever, not {timeout!r}")


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _id(id: Any, what: str) -> str:
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise Invalid(f"{what} has to be 1 to 64 of a-z 0-9 _ -, not {id!r}")
    return id


def _topic(text: Any, wild: bool = False) -> str:
    """A topic, or, if it may be `wild`, a pattern of topics."""
    tokens = text.split(".") if isinstance(text, str) and len(text) <= 255 else [""]
    for nth, token in enumerate(tokens):
        if not (re.fullmatch("[A-Za-z0-9_-]+", token) or wild and (token == "*" or token == ">" and nth + 1 == len(tokens))):
            raise Invalid(f"{text!r} is no topic: 1 to 255 bytes, tokens of A-Z a-z 0-9 _ - with dots between them")
    return str(text)


def _matches(pattern: str, topic: str) -> bool:
    wanted, tokens = pattern.split("."), topic.split(".")
    if wanted[-1] == ">":
        wanted[-1:] = ["*"] * max(1, len(tokens) - len(wanted) + 1)
    return len(wanted) == len(tokens) and all(want in ("*", token) for want, token in zip(wanted, tokens))


def _refers(attributes: Mapping[str, Any], name: str) -> Optional[str]:
    """Where a reference leads, below the drop folder. ValueError if it leads elsewhere."""
    ref, folder = attributes.get(name), attributes.get("filesref")
    if ref is None:
        return None
    match = _CHECK.fullmatch(str(ref))
    if match and (match[1] == "/") == (name == "filesref"):
        return str(ref)
    part = str(ref)[len(str(folder)):] if name == "dataref" and folder and str(ref).startswith(str(folder)) else ""
    file = urllib.parse.unquote_to_bytes(part)
    if file in (b"", b".", b"..") or b"/" in file or b"\0" in file or urllib.parse.quote(file, safe="") != part:
        raise ValueError(f"{name} is no reference below payload/")
    return str(_refers(attributes, "filesref")) + os.fsdecode(file)


class _Message:
    """What a job and an outcome have in common: `attributes` (those of CloudEvents, and all others), and data."""

    def __init__(self, root: str, content: bytes) -> None:
        self.attributes, self._data = _decode(content)
        self._root = root

    def _payload(self, ref: str) -> Path:
        path = Path(self._root, ref)
        if Path(os.path.realpath(path)) != Path(os.path.realpath(self._root), ref):
            raise Invalid(f"{path} leads out of the drop folder")
        return path

    @property
    def type(self) -> str:
        """The event type."""
        return str(self.attributes["type"])

    @property
    def data(self) -> bytes:
        """The data, byte for byte; read from `payload/` if it is not in the envelope."""
        ref = _refers(self.attributes, "dataref")
        return self._payload(ref).read_bytes() if ref else self._data

    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)

    @property
    def files(self) -> List[Path]:
        """The files that travel with it."""
        ref = _refers(self.attributes, "filesref")
        found = self._payload(ref).rglob("*") if ref else []
        return sorted(path for path in found if path.is_file() and not path.is_symlink())


class Job(_Message):
    """A job, as its handler sees it: `id`, `attempt` (from 1: the fencing token), `type`, `data`, `attributes` …"""

    def __init__(self, root: str, name: _Name, content: bytes) -> None:
        super().__init__(root, content)
        self.id, self.attempt = name.id, name.attempt
        if self.attributes["id"] != name.id:
            raise ValueError("the id in the envelope is not the one in the file's name")
        if "replyto" in self.attributes:
            _id(self.attributes["replyto"], "replyto")
        for time_ in ("notbefore", "expirytime"):
            if time_ in self.attributes:
                _millis(self.attributes[time_])
        for ref in ("filesref", "dataref"):
            _refers(self.attributes, ref)

    @property
    def correlation_id(self) -> str:
        """The Correlation Identifier: that of the flow that the job belongs to, else its own id."""
        flow = self.attributes.get("correlationid")
        return flow if isinstance(flow, str) else self.id


class Outcome(_Message):
    """The one outcome of a job. `again`: another collector may have been handed it before."""

    def __init__(self, root: str, content: bytes, again: bool = False) -> None:
        super().__init__(root, content)
        self.again = again
        if self.attributes.get("outcome") not in ("succeeded", "failed", "expired"):
            raise ValueError("not an outcome: no outcome")
        _id(self.attributes.get("causationid"), "the causationid of an outcome")

    @property
    def job_id(self) -> str:
        """The id of the job that it answers."""
        return str(self.attributes["causationid"])

    @property
    def disposition(self) -> str:
        """`succeeded`, `failed` or `expired`."""
        return str(self.attributes["outcome"])

    @property
    def problem(self) -> Dict[str, Any]:
        """Why it failed or expired: `type`, `title`, `detail` … (RFC 9457). Empty, if it succeeded."""
        try:
            problem = {} if self.disposition == "succeeded" else self.json()
        except ValueError:
            problem = None
        return problem if isinstance(problem, dict) else {"detail": self._data.decode(errors="replace")}

    def _or_gone(self) -> Outcome:
        """Itself; if somebody removed what travels with it, that it failed so."""
        refs = [ref for ref in (_refers(self.attributes, name) for name in ("dataref", "filesref")) if ref]
        if any(_look(os.path.join(self._root, ref)) is None for ref in refs):
            log.warning("the result of %s is gone", self.job_id)
            for name in ("dataref", "filesref", "datacontenttype"):
                self.attributes.pop(name, None)
            self.attributes.update(outcome="failed", datacontenttype="application/problem+json")
            self._data = json.dumps({"type": PROBLEM + "gone", "title": TITLES["gone"], "detail": GONE}).encode()
        return self

    def check(self) -> Outcome:
        """Itself. JobFailed if the job did not succeed."""
        if self.disposition == "succeeded":
            return self
        title, detail = self.problem.get("title"), self.problem.get("detail")
        error = JobFailed(f"job {self.job_id} {self.disposition}: {title}: {detail}")
        error.outcome = self
        raise error


_handling: contextvars.ContextVar[Optional[Job]] = contextvars.ContextVar("filedrop_handling", default=None)


def _flow() -> Tuple[Optional[str], Optional[str], Optional[str]]:
    """What is submitted here belongs to (`correlationid`, `causationid`, `traceparent`): a handler's job, ours or a command's."""
    job = _handling.get()
    if job:
        trace = job.attributes.get("traceparent")
        return job.correlation_id, job.id, trace if isinstance(trace, str) else None
    found: List[Optional[str]] = []
    looks = {"FILEDROP_CORRELATION_ID": "[^\\x00-\\x1f]{1,1024}", "FILEDROP_ID": _ID.pattern,
             "TRACEPARENT": _TRACE.pattern}
    for name, pattern in looks.items():
        value = os.environ.get(name) or None
        if value and not re.fullmatch(pattern, value):
            log.warning("ignoring $%s: %r", name, value)
            value = None
        found.append(value)
    return found[0] or found[1], found[1], found[2]


# Files, as R1 to R6 want them.

class _Unreadable(Exception):
    """Nobody can read it; no machine's trouble of today."""


class _Elsewhere(Exception):
    """A job came from another drop folder than the one that is here now; it is left to that one."""


def _look(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _ident(at: Union[str, int]) -> Ident:
    meta = os.fstat(at) if isinstance(at, int) else _look(at)
    return (meta.st_dev, meta.st_ino) if meta else None


def _flush(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        meta = os.fstat(fd)
        if stat.S_ISDIR(meta.st_mode) and _is_btrfs(path, meta.st_dev):
            # A flush of another's that has not come to its end counts there for ours, unless something has changed since.
            try:
                os.utime(fd)
            except OSError:
                os.sync()
            else:
                os.fsync(fd)
    finally:
        os.close(fd)


def _flush_if_there(path: str) -> None:
    try:
        _flush(path)
    except FileNotFoundError:
        pass


def _remove(path: str, unlink: Callable[[str], None] = os.unlink) -> None:
    try:
        unlink(path)
    except OSError:
        if _look(path):
            raise


def _names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as e:
        why = {errno.EACCES: "the consumer has no permission to read it", errno.ELOOP: "it is a link", errno.ENXIO: "a socket"}
        # Only the way to it may be closed: that condemns no job. `_look` says so.
        if e.errno in why and _look(path):
            raise _Unreadable(why[e.errno]) from e
        raise
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _Unreadable("it is not a regular file")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _Unreadable(f"it is larger than {MAX_FILE_BYTES} bytes")
    return content


def _lock(fd: int, path: str) -> bool:
    """Locks an open file, unless another holds it, or it is no longer the one at its path."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _ident(fd) == _ident(path)


def _link(source: str, ident: Ident, to: str) -> bool:
    """Links a file to a name that another may have given to its own (R2). Whether it is this file's (R3)."""
    try:
        os.link(source, to, follow_symlinks=False)
    except OSError:
        if _look(to) is None:
            raise
    return _ident(to) == ident


def _link_or_copy(source: str, to: str) -> None:
    """A file that travels. Not every user may link what is another's."""
    try:
        os.link(source, to, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError:
        shutil.copyfile(source, to, follow_symlinks=False)
        _flush(to)


def _move(source: str, to: str) -> None:
    """Renames a file to a name that only it can own, and sees to it that the old name is gone (R3, R4)."""
    failure = OSError(errno.EINTR, "a rename did nothing", source)
    try:
        os.rename(source, to)
    except OSError as e:
        failure = e
    left = _ident(source)
    if left and _ident(to) == left:
        _flush(os.path.dirname(to))
        _remove(source)
    elif left:
        raise failure


def _kind(path: str) -> str:
    """The file system that it is on, as the kernel calls it; empty if it does not tell."""
    real, best, kind = os.path.realpath(path), "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                left, _, right = line.partition(" - ")
                point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), left.split(" ")[4])
                inside = real == point or real.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):  # of two at one place the later one hides the other
                    best, kind = point, right.split(" ")[0]
    except (OSError, IndexError):
        return ""
    return kind


_btrfs: Dict[int, bool] = {}


def _is_btrfs(path: str, device: int) -> bool:
    if device not in _btrfs:
        _btrfs[device] = _kind(path) == "btrfs"
    return _btrfs[device]


def _is_local(path: str) -> bool:
    """Whether one kernel has the file system to itself, so that locks count. In doubt it does not."""
    return _kind(path) in {"ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "zfs", "f2fs", "tmpfs", "ramfs", "overlay",
                           "jfs", "reiserfs", "nilfs2"}


class _Folder:
    """The files of one drop folder, or of that of a Return Address, and what the rows of the protocol do to them."""

    def __init__(self, root: str, outer: Optional[_Folder] = None) -> None:
        self.root, self.outer, self.local = root, outer or self, _is_local(root)
        self.marker: Dict[str, Any] = outer.marker if outer else {"protocol": 0}
        self._durable: Dict[str, Ident] = {}
        self._nested: Dict[str, _Folder] = {}

    def path(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    def make(self, rooms: Iterable[str]) -> None:
        """P1."""
        self.ensure_dir(self.root)
        for room in rooms:
            os.makedirs(self.path(room), exist_ok=True)
        _flush(self.root)
        self.publish(json.dumps(self.marker).encode(), self.path("filedrop.json"), shared=True)
        _flush(self.root)

    def reply(self, address: str) -> _Folder:
        """The drop folder of a Return Address, durable (R6)."""
        return self.nested(os.path.join("replies", address))

    def nested(self, path: str) -> _Folder:
        if path not in self._nested:
            self._nested[path] = _Folder(self.path(path), self)
        folder = self._nested[path]
        if _look(folder.path("filedrop.json")) is None:
            folder.make(ROOMS)
        folder.ensure_dir(folder.root)
        folder.ensure_dir(folder.path("inbox"))
        return folder

    def publish(self, content: bytes, to: str, shared: bool = False) -> bool:
        """P2, and its first name. If that is `shared`, another file may have it: then that one stays, and the answer is False.
        A draft whose flush failed is worthless (R1). The folder is not flushed."""
        for _ in range(3):
            draft = self.path("tmp", secrets.token_hex(16))
            with open(draft, "xb", buffering=0) as file:
                try:
                    rest = memoryview(content)
                    while rest:
                        rest = rest[file.write(rest):]
                    os.fsync(file.fileno())
                    (os.link if shared else os.rename)(draft, to)
                    return True
                except OSError:
                    there = _look(draft)  # first: swept away after its links are counted, it would look published
                    links = os.fstat(file.fileno()).st_nlink
                    if shared and _look(to):
                        return _ident(to) == _ident(file.fileno())
                    if links and (shared or there):
                        raise
                    if links:
                        return True  # it was published all the same, and may have moved on
                finally:
                    _remove(draft)
        raise OSError(errno.ENOENT, "a draft was swept away again and again", to)

    def ensure_dir(self, path: str) -> None:
        """R6, once in this process's lifetime."""
        if path not in self._durable:
            try:
                os.mkdir(path)
            except FileExistsError:
                pass
            there = _ident(path)
            _flush(os.path.dirname(os.path.abspath(path)))
            self._durable[path] = there

    def inside(self, folder: str, step: Callable[[], Any]) -> Any:
        """A step that puts a file into a folder which others may remove (P26) and make again meanwhile."""
        self.ensure_dir(folder)
        answer, failed = None, False
        try:
            answer = step()
        except OSError:
            if _ident(folder) == self._durable[folder]:
                raise
            failed = True
        if _ident(folder) != self._durable[folder] and (failed or _look(folder)):
            del self._durable[folder]
            self.ensure_dir(folder)
        return step() if failed else answer

    def has_cargo(self, ref: str) -> bool:
        """Whether what travels with a job is there: a sweep that has it in hand must give it back (P26)."""
        path, payload = self.path(ref.rstrip("/")), self.path("payload")
        if _look(path) is None:
            aside = re.compile(re.escape(os.path.basename(path)) + r"\.[0-9a-f]{16}\.orphan")
            for orphan in filter(aside.fullmatch, _names(payload)):
                self._bring_back(os.path.join(payload, orphan), path, ref.endswith("/"))
                _flush(payload)
        return _look(path) is not None

    def _bring_back(self, orphan: str, path: str, is_folder: bool) -> None:
        """Replaces nothing but an empty folder."""
        try:
            if is_folder:
                os.rename(orphan, path)
            else:
                os.link(orphan, path, follow_symlinks=False)
                _remove(orphan)
        except OSError:
            if _look(orphan) and not _look(path):  # else another did it
                raise

    def demand_cargo(self, attributes: Mapping[str, Any]) -> None:
        """What travels with a job that is there must be there, too. A file in `filesref` is, if that is."""
        for ref in (attributes.get("filesref"), attributes.get("dataref")):
            if isinstance(ref, str) and _CHECK.fullmatch(ref) and not self.has_cargo(ref):
                raise OSError(errno.ENOENT, "what travels with the job is not there any more", self.path(ref))

    def demand_origin(self, claim: str, origin: Ident) -> None:
        """Of a claim that is gone, and with it its room, the job may be of another drop folder, in whose place this one was put."""
        now = _ident(self.path("outcomes"))
        if _look(claim) is None and origin and now and now != origin:
            raise _Elsewhere(f"another drop folder is here than the one that this job came from: {claim}")

    def slot(self, name: _Name) -> str:
        return self.path("outcomes", name.day, f"{name.id}.outcome.json")

    def is_settled(self, name: _Name) -> bool:
        """P7: a job by its slot, a delivered outcome by the archive. If it is, then durably (R5)."""
        verdict = self.slot(name) if name.kind == "job" else self.path("done", name.day, name.archived)
        settled = _look(verdict) is not None
        if settled:
            _flush(os.path.dirname(verdict))
        return settled

    def outcome(self, path: str) -> Optional[Outcome]:
        """None if there is none, or none that can be read."""
        try:
            return Outcome(self.outer.root, _read(path))
        except FileNotFoundError:
            return None
        except (_Unreadable, ValueError, RecursionError) as e:
            log.warning("%s is no outcome; somebody else wrote it: %s", path, e)
            return None

    def take(self, room: str, name: _Name) -> Union[bytes, _Unreadable, None]:
        """P6, P7. What the rename answers is not asked: it is in the room or it is not. None: it is not ours to handle."""
        path, failure = os.path.join(room, str(name)), None
        try:
            os.rename(self.path("inbox", str(name)), path)
        except OSError as e:
            failure = e
        content: Union[bytes, _Unreadable]
        try:
            content = _read(path)
        except _Unreadable as e:
            content = e
        except FileNotFoundError:
            if failure and failure.errno != errno.ENOENT:
                raise failure from None
            return None
        if not self.is_settled(name):
            return content
        self.archive(room, name)
        return None

    def hand_back(self, room: str, name: _Name) -> None:
        """P8. Not if its outcome is staged: that is decided as soon as somebody comes by (P13)."""
        staged = (_Name.parse(other) for other in _names(room))
        if any(other and other.nonce and other.id == name.id for other in staged):
            raise OSError(errno.EBUSY, "the outcome of this job is staged", room)
        self.move_from(room, name, self.path("inbox"), str(name))

    def move_from(self, room: str, name: _Name, folder: str, to: str) -> None:
        _move(os.path.join(room, str(name)), os.path.join(folder, to))
        _flush(folder)
        _flush_if_there(room)

    def postpone(self, room: str, name: _Name, due: int, record: Dict[str, Any]) -> None:
        """P25, P18. The record is for people: that it is not written keeps the job from nothing."""
        day, content = self.path("outcomes", name.day), json.dumps(record, ensure_ascii=False).encode(errors="replace")
        try:
            path = os.path.join(day, f"{name.id}.{name.attempt}.attempt.json")
            self.inside(day, lambda: self.publish(content, path, shared=True))
        except OSError as e:
            log.warning("an attempt at %s is not recorded: %s", name.id, e)
        self.move_from(room, name, self.path("delayed"), f"{due:013}.{name.next()}")

    def promote(self) -> None:
        """P19."""
        for text in _names(self.path("delayed")):
            due, _, name = text.partition(".")
            if re.fullmatch("[0-9]{13}", due) and _Name.parse(name) and int(due) <= _now():
                _move(self.path("delayed", text), self.path("inbox", name))

    def archive(self, room: str, name: _Name) -> None:
        """P11, as the outcome in the slot says, whoever's it is."""
        claim, slot = os.path.join(room, str(name)), self.slot(name)
        if name.kind == "outcome":
            return _remove(claim)
        outcome, there = self.outcome(slot), _ident(slot)
        if outcome and outcome.disposition == "succeeded":
            day = self.path("done", name.day)
            self.inside(day, lambda: _move(claim, os.path.join(day, name.archived)))
            return
        is_invalid = outcome and outcome.problem.get("type") == PROBLEM + "invalid"
        grave = self.path("invalid" if is_invalid else "dead")
        if there:
            _link(slot, there, os.path.join(grave, f"{name.stem}.reason.json"))
            _flush(grave)
        return _move(claim, os.path.join(grave, name.archived))

    def decide(self, name: _Name, link: Callable[[], bool]) -> bool:
        """P10. Whether it is this outcome that counts; either way the slot is durable."""
        counts = bool(self.inside(self.path("outcomes", name.day), link))
        _flush(self.path("outcomes", name.day))
        return counts

    def help_on(self, room: str, staged: _Name, address: Any) -> bool:
        """P10, P12 with a staged outcome, ours or that of the absent. Whether it is the one that counts."""
        path, name = os.path.join(room, str(staged)), staged._replace(kind="job", nonce=None)
        ident = _ident(path)
        if ident is None:
            return self.is_in_slot(name, staged)
        counts = self.decide(name, lambda: _link(path, ident, self.slot(name)))
        if counts and isinstance(address, str) and _ID.fullmatch(address):
            self.move_from(room, staged, self.reply(address).path("inbox"), f"{name.stem}.1.outcome.json")
        else:
            _remove(path)
        return counts

    def is_in_slot(self, name: _Name, staged: _Name) -> bool:
        """Whether the slot has the outcome that was staged so: its nonce is the end of its id."""
        outcome = self.outcome(self.slot(name))
        ours = outcome is not None and outcome.attributes["id"].replace("-", "")[-16:] == staged.nonce
        return ours and self.is_settled(name)

    def settle(self, room: str, stage: str, name: _Name, content: bytes, id: str, address: Any) -> bool:
        """P9 to P12, as often as it takes. `stage` is `room`, or the next one if that is gone. Whether it counts."""
        staged = name._replace(kind="outcome", nonce=id.replace("-", "")[-16:])
        path = os.path.join(stage, str(staged))
        if self.is_in_slot(name, staged) and _look(path) is None:
            counts = True
            if address is not None:
                _flush(self.reply(address).path("inbox"))
        elif address is None:
            counts = self.decide(name, lambda: self.publish(content, self.slot(name), shared=True))
        else:
            if _look(path) is None:
                self.publish(content, path)
            _flush(stage)
            counts = self.help_on(stage, staged, address)
        self.archive(room, name)
        return counts

    def collected(self, room: str, name: _Name) -> None:
        """P15."""
        claim, day = os.path.join(room, str(name)), self.path("done", name.day)
        ident = _ident(claim)
        if ident:
            self.inside(day, lambda: _link(claim, ident, os.path.join(day, name.archived)))
            _flush(day)
            _remove(claim)
        _flush_if_there(room)

    def recover(self, own: str, vigil: Dict[str, Tuple[bytes, float, bool]]) -> bool:
        """P13 for every absent consumer. Whether there are some whose silence alone can tell, and has not yet."""
        rooms = {name[:-9] if name.endswith(".presence") else name for name in _names(self.path("claimed"))}
        rooms = {self.path("claimed", room) for room in rooms if _ROOM.fullmatch(room)}
        unjudged = False
        for gone in set(vigil) - rooms:
            del vigil[gone]
        for room in rooms - {own}:
            lock: Optional[int] = None
            try:
                absent, certain, lock = self._judge(room, vigil)
                unjudged |= not certain
                if absent:
                    self._clear(room, lock is not None)
            except OSError as e:  # one room that cannot be cleared keeps none of the others from it
                log.warning("%s cannot be recovered yet: %s", room, e)
            finally:
                if lock is not None:
                    os.close(lock)
        return unjudged

    def _judge(self, room: str, vigil: Dict[str, Tuple[bytes, float, bool]]) -> Tuple[bool, bool, Optional[int]]:
        """Whether a consumer is absent, whether that is certain by now, and its lock, if that was free."""
        now = time.monotonic()  # before the read: the lease must have run out when it was still unchanged
        content, lease, lock, held = b"", DEFAULT_LEASE, False, False
        fd: Optional[int] = None
        try:
            fd = os.open(room + ".presence", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            content = os.read(fd, 64 << 10)
            said = json.loads(content.rstrip(b"\0"))  # a power cut may have left it longer than what it says
            lease, lock = int(said["lease_ms"]) / 1000, said["lock"] is True
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            pass  # what cannot be read says nothing
        try:
            if fd is not None and lock and self.local:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _ident(room + ".presence") != _ident(fd):
                        return False, True, None
                    lock_fd, fd = fd, None
                    return True, True, lock_fd
                except BlockingIOError:
                    held = True
        finally:
            if fd is not None:
                os.close(fd)
        seen = vigil.get(room)
        if seen is None or seen[0] != content:
            vigil[room] = seen = (content, now, seen is not None)
        absent = now - seen[1] >= lease
        return absent, absent or held or seen[2], None

    def _clear(self, room: str, locked: bool) -> None:
        """P13, P17: what the absent left, by anyone, as often as anyone likes. Staged outcomes first."""
        left = [(text, _Name.parse(text)) for text in _names(room)]
        _flush_if_there(room)  # its consumer may have been stopped before it flushed what it staged (R5)
        strange = False
        claims: List[_Name] = []
        for text, name in left:
            meta = _look(os.path.join(room, text))
            outcome = self.outcome(os.path.join(room, text)) if name and name.nonce else None
            if outcome and name:
                self.help_on(room, name, outcome.attributes.get("replyto"))
            elif name and not name.nonce and meta and stat.S_ISREG(meta.st_mode):
                claims.append(name)
            else:
                strange |= meta is not None  # a bare file that is half taken, or what people put there
        for name in claims:
            if self.is_settled(name):
                self.archive(room, name)
            else:
                _move(os.path.join(room, str(name)), self.path("inbox", str(name.next())))
                log.info("%s was left in %s, whose consumer is absent; it is ready again", name.id, room)
        if claims:
            _flush(self.path("inbox"))
        _flush_if_there(room)
        presence = room + ".presence"
        try:
            locks = not locked and json.loads(_read(presence).rstrip(b"\0")).get("lock") is True
        except (FileNotFoundError, ValueError, AttributeError, RecursionError):
            locks = False
        except _Unreadable:
            locks = True
        if strange or locks or _names(room):
            return  # a consumer that is stopped, lock in hand, keeps its room
        _remove(room, os.rmdir)
        _remove(presence)

    # P20: a given id. Its entry is a link to the job's own file, and the draft beside it the one name that is renamed.

    def find(self, id: str, in_day: Optional[str] = None) -> List[str]:
        """Every folder that has a job or slot of this id, in the order in which a job goes through them."""
        folders = [self.path(room) for room in ("inbox", "delayed")]
        folders += [self.path("claimed", room) for room in _names(self.path("claimed")) if _ROOM.fullmatch(room)]
        folders += [self.path(room, day) for room in ("outcomes", "done") for day in _names(self.path(room))]
        folders += [self.path(room) for room in ("dead", "invalid")]
        job = re.compile(r"([0-9]{13}\.)?[0-9]\.[0-9]{13}\." + re.escape(id) + r"(\.[0-9]+)?\.job\.json")
        slot = f"{id}.outcome.json"
        outbox = self.path("outbox", "inbox")
        events = [(os.path.join(outbox, name), _EVENT.fullmatch(name)) for name in _names(outbox)]
        folders += [self.path("outbox", "done", day) for day in _names(self.path("outbox", "done"))]
        found = [folder for folder in folders if any(name == slot or job.fullmatch(name) for name in _names(folder))]
        found += [event for event, match in events if match and match[3] == id and _look(os.path.join(event, "event.json"))]
        return found

    def vouch_for(self, id: str) -> bool:
        """Whether there is a job or a slot of this id; either is durable then."""
        places, ms = self.find(id), _minted_at(id)
        for folder in places:
            _flush_if_there(folder)
        if not places and ms is not None:  # a slot that was kept long enough must not come back
            _flush_if_there(self.path("outcomes", _rfc3339(ms)[:10]))
            _flush(self.path("outcomes"))
        return bool(places)

    def place(self, name: _Name, due: Optional[int], group: str = "") -> str:
        root = self.path("subscribers", group) if group else self.root
        return os.path.join(root, *(("inbox", str(name)) if due is None else ("delayed", f"{due:013}.{name}")))

    def publish_draft(self, draft: str, name: _Name, due: Optional[int], attributes: Mapping[str, Any], event: bool) -> bool:
        """The one name of a draft that is ever renamed: to the inbox, or, of an event, to `event.json`. Durable, if it was ours."""
        to = self.place(name, due) if not event else os.path.join(self.stage_event(draft, name, due, attributes), "event.json")
        try:
            os.rename(draft, to)
        except OSError:
            if event and _look(to) is None:
                shutil.rmtree(os.path.dirname(to), ignore_errors=True)
            if _look(draft):
                raise
        ours = _look(draft) is None and _look(to) is not None
        if ours:
            _flush(os.path.dirname(to))
        return ours

    def submit_given(self, name: _Name, content: bytes, due: Optional[int], event: bool) -> None:
        shelf = self.path("ids", (name.id * 2)[-2:])
        stamp = f"{name.id}.{secrets.token_hex(8)}{'.event' if event else ''}"
        entry, draft = os.path.join(shelf, name.id), os.path.join(shelf, stamp)
        self.ensure_dir(shelf)
        for _ in range(3):
            if _look(entry) is None:
                self.publish(content, draft)
                ours = _link(draft, _ident(draft), entry)
                _flush(shelf)
                if ours and not (_minted_at(name.id) is not None and self.vouch_for(name.id)):
                    attributes = _decode(content)[0]
                    if self.publish_draft(draft, name, due, attributes, event):
                        if not event:
                            self.demand_cargo(attributes)
                        return
                _remove(draft)  # there is a job already; or another gave the id too, and has published this very draft
            if self._settle_given(name.id, shelf, entry):
                return
        raise OSError(errno.ENOENT, "the entry of this id was removed again and again", entry)

    def _settle_given(self, id: str, shelf: str, entry: str) -> bool:
        """The id is taken: sees to it that its job is there, durably. False: there is none, and the entry is gone."""
        _flush(shelf)
        try:
            with open(entry, "rb") as file:
                ident, attributes = _ident(file.fileno()), _decode(file.read())[0]
        except FileNotFoundError:
            return False
        ms, priority = _minted_at(id), attributes.get("priority")
        submitted = _millis(attributes.get("time", "1970-01-01T00:00:00Z")) if ms is None else ms
        digit = str(priority) if _whole(priority, 0, 9) else "5"
        due = _millis(attributes["notbefore"]) if "notbefore" in attributes else None
        name = _Name(digit, f"{submitted:013}", id, 1, "job")
        for text in _names(shelf):
            draft, match = os.path.join(shelf, text), re.fullmatch(re.escape(id) + r"\.[0-9a-f]{16}(\.event)?", text)
            if match and _ident(draft) == ident:
                if ms is not None and self.vouch_for(id):  # a job without an entry may have this id, too
                    _remove(draft)
                    return True
                if not match[1]:
                    self.demand_cargo(attributes)
                self.publish_draft(draft, name, due, attributes, match[1] is not None)
        if any(self.vouch_for(id) for _ in range(3)):
            if _look(self.place(name, due)):  # who submitted it may have died before it looked
                self.demand_cargo(attributes)
            return True
        return self._take_out(entry, ident)

    def _take_out(self, entry: str, ident: Ident) -> bool:
        """Removes an entry that nothing else is linked to. Always False, unless it cannot be removed."""
        try:
            with open(entry, "rb") as file:
                if not self.local:
                    raise OSError(errno.ENOLCK, "a void entry, where locks do not count; `filedrop gc` removes it", entry)
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                meta = _look(entry)
                if meta and _ident(entry) == ident == _ident(file.fileno()):
                    if meta.st_nlink > 1:
                        raise OSError(errno.EBUSY, "the job of this id is somewhere, and moved each time that we looked", entry)
                    _remove(entry)
        except FileNotFoundError:
            pass
        return False

    # P35 to P37: events.

    def stage_event(self, draft: str, name: _Name, due: Optional[int], attributes: Mapping[str, Any]) -> str:
        """The folder of an event, in which it is decided, durably, who gets it. The rename of the draft to `event.json` there
        publishes it."""
        outbox = self.nested("outbox")
        folder = outbox.path("inbox", f"{name.stem}.{secrets.token_hex(8)}.event")
        os.mkdir(folder)
        try:
            _flush(outbox.path("inbox"))
            for group in sorted(_names(self.path("subscribers"))):
                if _ID.fullmatch(group) and any(_matches(topic, attributes["topic"]) for topic in self.topics(group)):
                    self._bring_files(self.path("subscribers", group), attributes)
                    prefix = "" if due is None else f"{due:013}."
                    _link(draft, _ident(draft), os.path.join(folder, f"{prefix}{group}.job.json"))
            _flush(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def topics(self, group: str) -> List[str]:
        """What a group subscribed to. OSError, if nobody can tell: then nothing is published past it."""
        path = self.path("subscribers", group, "subscription.json")
        try:
            return [_topic(topic, wild=True) for topic in json.loads(_read(path))["topics"]]
        except FileNotFoundError:
            return []
        except (_Unreadable, ValueError, KeyError, TypeError, RecursionError) as e:
            raise OSError(errno.EINVAL, f"no subscription ({e})", path) from e

    def _bring_files(self, group: str, attributes: Mapping[str, Any]) -> None:
        """What travels with an event lies in the group's own `payload/` too."""
        ref = _refers(attributes, "filesref")
        if ref is None or not os.path.isdir(group):
            return
        place = os.path.join(group, ref[:-1])
        shutil.copytree(self.path(ref[:-1]), place, copy_function=_link_or_copy, dirs_exist_ok=True)
        for folder, _, _ in os.walk(place, topdown=False):
            _flush(folder)
        _flush(os.path.dirname(place))

    def publish_event(self, name: _Name, content: bytes, due: Optional[int]) -> None:
        """P35, of an id that was minted."""
        draft = self.path("tmp", secrets.token_hex(16))
        self.publish(content, draft)
        try:
            self.publish_draft(draft, name, due, _decode(content)[0], event=True)
        finally:
            _remove(draft)

    def exchange(self) -> _Folder:
        """The drop folder whose events are helped on: this one, or that in which it is a group."""
        above, place = os.path.split(os.path.dirname(self.root))
        is_group = place == "subscribers" and _look(os.path.join(above, "filedrop.json")) is not None
        return _Folder(above) if is_group else self

    def is_event(self, id: str) -> bool:
        """Whether an event with this id was published, and is kept."""
        for name in _names(self.path("outbox", "inbox")):
            match = _EVENT.fullmatch(name)
            if match and match[3] == id and _look(self.path("outbox", "inbox", name, "event.json")):
                return True
        done = self.path("outbox", "done")
        return any(name.endswith(f".{id}.job.json") for day in _names(done) for name in _names(os.path.join(done, day)))

    def subscribe(self, group: str, topics: List[str]) -> List[str]:
        """P33, P34. Returns what the group asks for then."""
        folder = _Folder(self.path("subscribers", group), None)
        folder.marker.update(self.marker)
        path = folder.path("subscription.json")
        self.nested("outbox")
        if _look(folder.path("filedrop.json")) is None:
            folder.make(ROOMS + OUTER_ROOMS)
        self.ensure_dir(self.path("subscribers"))
        self.ensure_dir(folder.root)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.ExitStack() as stack:
                try:
                    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    held = -1
                if held >= 0:
                    stack.callback(os.close, held)
                    if self.local and not _lock(held, path):
                        time.sleep(0.005)
                        continue
                before = self.topics(group)
                now = sorted({*before, *topics})
                content = json.dumps({"topics": now}).encode()
                if held >= 0 and now != before:
                    folder.publish(content, path)
                elif held < 0 and not folder.publish(content, path, shared=True):
                    continue
                _flush(folder.root)
                return now
        raise OSError(errno.EBUSY, "somebody else is changing what this group asks for", path)

    def fan_out(self) -> None:
        """P36, P37, of all events that are published. What keeps one here keeps no other."""
        inbox = self.path("outbox", "inbox")
        for text in sorted(_names(inbox)):
            match = _EVENT.fullmatch(text)
            try:
                if match:
                    self._deliver(os.path.join(inbox, text), _Name(match[1], match[2], match[3], 1, "job"))
            except OSError as e:
                log.warning("an event is not delivered to all yet: %s: %s", text, e)

    def _deliver(self, folder: str, name: _Name) -> None:
        published = os.path.join(folder, "event.json")
        if _look(published) is None:
            return
        _flush_if_there(folder)  # R5
        for text in _names(folder):
            match = _DELIVERY.fullmatch(text)
            if match:
                to = self.place(name, int(match[1]) if match[1] else None, group=match[2])
                try:
                    _move(os.path.join(folder, text), to)
                except OSError:
                    if _look(os.path.dirname(to)):
                        raise
                    _remove(os.path.join(folder, text))  # somebody removed the group with all that it had
        _flush_if_there(folder)
        outbox = self.nested("outbox")
        day = outbox.path("done", name.day)
        outbox.inside(day, lambda: _move(published, os.path.join(day, name.archived)))
        _remove(folder, os.rmdir)


# Who takes what is ready.

_presences: Set[int] = set()


def _let_go() -> None:
    """A child that was forked must not hold its parent's locks."""
    for fd in _presences:
        os.close(fd)
    _presences.clear()


os.register_at_fork(after_in_child=_let_go)


class _Seat:
    """A consumer's room and presence, and the thread that says that it lives."""

    def __init__(self, folder: _Folder, name: Optional[str], lease: float) -> None:
        host = re.sub("[^a-z0-9_-]", "-", socket.gethostname().split(".")[0].lower())[:40] or "host"
        self.name = _id(name or f"{host}-{os.getpid()}", "a consumer's name")
        if not 0.05 <= lease <= 86400 * 365:
            raise Invalid(f"a lease has to be 0.05 s to a year, not {lease!r} s")
        self.folder, self.lease, self.beats, self.heard, self.pid = folder, lease, 0, time.monotonic(), os.getpid()
        self.fds: Dict[str, int] = {}
        self.origins: Dict[str, Tuple[int, Ident]] = {}
        self.room = self.register()
        self.over = threading.Event()
        self.pulse = threading.Thread(target=self.beat, name="filedrop-pulse", daemon=True)
        self.pulse.start()

    def says(self) -> bytes:
        self.beats += 1
        said = {"host": socket.gethostname(), "pid": os.getpid(), "lease_ms": int(self.lease * 1000),
                "lock": self.folder.local, "beat": self.beats}
        return json.dumps(said).encode()

    def register(self) -> str:
        """P4: locked before anybody sees it."""
        room = self.folder.path("claimed", f"{self.name}-{secrets.token_hex(8)}")
        draft = self.folder.path("tmp", secrets.token_hex(16))
        # Held open: else the next folder may get its number.
        outcomes = os.open(self.folder.path("outcomes"), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except BaseException:
            os.close(outcomes)
            raise
        _presences.add(fd)
        try:
            os.pwrite(fd, self.says(), 0)
            if self.folder.local:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # After a power cut an empty one would say nothing of a lock.
            os.fsync(fd)
            _move(draft, room + ".presence")
            os.mkdir(room)
            _flush(self.folder.path("claimed"))
        except BaseException:
            _presences.discard(fd)
            os.close(fd)
            os.close(outcomes)
            _remove(draft)
            raise
        self.fds[room], self.origins[room] = fd, (outcomes, _ident(outcomes))
        return room

    def beat(self) -> None:
        """P5, until it is over. Who was taken for dead registers anew, for new claims."""
        while not self.over.wait(min(self.lease / 5, 60.0)):
            try:
                if not self.is_housed():
                    log.warning("taken for dead; registering anew")
                    self.room = self.register()
                self.heard = time.monotonic()
            except OSError as e:
                log.warning("cannot say that it lives: %s", e)

    def is_housed(self) -> bool:
        fd = self.fds[self.room]
        try:
            os.pwrite(fd, self.says(), 0)
            return _ident(self.room + ".presence") == _ident(fd) and _look(self.room) is not None
        except OSError as e:
            if e.errno != errno.ESTALE:  # NFS: another machine removed it
                raise
            return False

    def leave(self) -> None:
        """P17. What is left in a room is for others, who see that the lock is free. A forked child has nothing to leave."""
        if os.getpid() != self.pid:
            return
        self.over.set()
        self.pulse.join()
        for room, fd in self.fds.items():
            try:
                _flush_if_there(room)
                if not _names(room):
                    _remove(room, os.rmdir)
                    _remove(room + ".presence")
            except OSError as e:
                log.warning("cannot give back the room: %s", e)
            _presences.discard(fd)
            os.close(fd)
            os.close(self.origins[room][0])


class _Desk:
    """Takes what is ready in a folder, one after the other, and does again later what did not work."""

    def __init__(self, folder: _Folder, kind: str, follow: bool, tries: float, name: Optional[str], lease: float,
                 poll: float, stop: Optional[threading.Event]) -> None:
        self.folder, self.kind, self.follow, self.tries, self.poll = folder, kind, follow, tries, poll
        self.stop = stop or threading.Event()
        self.later: List[Tuple[float, int, Callable[[], None]]] = []
        self.aside: Dict[str, float] = {}
        self.lost: List[Exception] = []
        self.seat = _Seat(folder, name, lease)

    def do(self, step: Callable[[], None], tried: int = 0) -> None:
        """A step that may fail: then again later, unless it was tried often enough."""
        try:
            step()
        except _Elsewhere as e:
            log.warning("left: %s", e)
            self.lost.append(e)
        except Exception as e:
            log.warning("not done yet: %s: %s", type(e).__name__, e)
            if tried + 1 >= self.tries:
                self.lost.append(e)
            else:
                self.later.append((time.monotonic() + min(0.1 * 2 ** min(tried, 9), 30.0), tried + 1, step))

    def taken(self) -> Generator[Tuple[str, _Name, Union[bytes, _Unreadable]], None, None]:
        """Claims, with their rooms, until nothing is left or it is told to stop."""
        vigil: Dict[str, Tuple[bytes, float, bool]] = {}
        exchange = self.folder.exchange()
        try:
            while not self.stop.is_set():
                now, later, self.later = time.monotonic(), self.later, []
                for due, tried, step in later:
                    if due <= now:
                        self.do(step, tried)
                    else:
                        self.later.append((due, tried, step))
                unjudged = self.folder.recover(self.seat.room, vigil)
                if self.kind == "job":
                    exchange.fan_out()
                    self.folder.promote()
                busy = False
                for name in self.window():
                    # What is more urgent, and what the absent left, is not to wait for the end of the window.
                    if self.stop.is_set() or len(self.later) >= 64 or time.monotonic() > now + 1.0:
                        busy = True
                        break
                    if time.monotonic() > self.seat.heard + self.seat.lease:
                        break  # others may take it for dead
                    room = self.seat.room
                    content = self.claim(room, name)
                    busy |= str(name) not in self.aside
                    if content is not None:
                        yield room, name, content
                if not busy:
                    if not (self.follow or unjudged or self.later):
                        return
                    self.stop.wait(self.poll)
        finally:
            self.seat.leave()

    def window(self) -> List[_Name]:
        """The first names, in byte order: by priority, then by time."""
        now = time.monotonic()
        self.aside = {text: until for text, until in self.aside.items() if until > now}
        with os.scandir(self.folder.path("inbox")) as entries:
            regular = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
            parsed = (_Name.parse(text) for text in regular if text not in self.aside)
            ready = (name for name in parsed if name and name.kind == self.kind and not name.nonce)
            return heapq.nsmallest(200, ready, key=str)

    def claim(self, room: str, name: _Name) -> Union[bytes, _Unreadable, None]:
        try:
            return self.folder.take(room, name)
        except OSError as e:  # no fault of the job's
            self.put_aside(room, name, e)
            return None

    def put_aside(self, room: str, name: _Name, why: Exception) -> None:
        """Back it goes (P8), and others first."""
        log.warning("%s is handed back: %s", name.id, why)
        self.aside[str(name)] = time.monotonic() + 30.0
        self.do(lambda: self.folder.hand_back(room, name))


@dataclasses.dataclass
class Summary:
    """What a worker did, in jobs. `left`: whose outcome the folder did not take; others handle them again."""

    succeeded: int = 0
    failed: int = 0
    invalid: int = 0
    expired: int = 0
    postponed: int = 0
    left: int = 0


class _Worker:
    def __init__(self, desk: _Desk, handler: Callable[[Job], Any], max_attempts: int, backoff: float, longest: float) -> None:
        self.desk, self.handler, self.done = desk, handler, Summary()
        self.max_attempts, self.backoff, self.longest = max_attempts, backoff, longest

    def run(self) -> Summary:
        with contextlib.closing(self.desk.taken()) as taken:
            for room, name, content in taken:
                try:
                    if isinstance(content, _Unreadable):
                        raise ValueError(content)
                    job = Job(self.desk.folder.root, name, content)
                except RecursionError as e:
                    self.desk.put_aside(room, name, FiledropError(f"its data is nested too deep for this program: {e}"))
                except ValueError as e:
                    self.settle(room, name, None, "invalid", str(e))
                else:
                    self.attempt(room, name, job)
        self.done.left = len(self.desk.lost) + len(self.desk.later)
        return self.done

    def attempt(self, room: str, name: _Name, job: Job) -> None:
        began, asked = _now(), job.attributes.get("maxattempts")
        most = int(asked or 1) if _whole(asked, 1, MAX_ATTEMPT) else self.max_attempts
        expiry = _millis(job.attributes["expirytime"]) if "expirytime" in job.attributes else 10**13
        if expiry <= began:  # P27
            return self.settle(room, name, job, "expired", f"it was to be handled before {_rfc3339(expiry)}")
        if job.attempt > most:
            return self.settle(room, name, job, "abandoned", f"this is attempt {job.attempt}, and at most {most} are made")
        what, detail, last_words = "handler", "", ""
        try:
            self.desk.folder.demand_cargo(job.attributes)
        except OSError as e:
            log.warning("%s: %s", name.id, e)  # its handler will miss it
        token = _handling.set(job)
        try:
            data = self.handler(job)
            _encode({}, data)
            return self.settle(room, name, job, None, data)
        except (Rejected, _TooLarge) as e:
            what, detail = "rejected" if isinstance(e, Rejected) else "output", str(e)
        except Exception as e:
            detail, last_words = f"{type(e).__name__}: {e}"[:4096], traceback.format_exc()[-4096:]
        except BaseException as e:
            if os.getpid() == self.desk.seat.pid:  # else a child that the handler forked ends
                self.desk.put_aside(room, name, FiledropError(f"the worker ends ({type(e).__name__})"))
            raise
        finally:
            _handling.reset(token)
        problem = {"type": PROBLEM + what, "title": TITLES[what], "detail": detail}
        record = {"attempt": job.attempt, "consumer": self.desk.seat.name, "began": _rfc3339(began),
                  "ended": _rfc3339(_now()), "problem": {**problem, "stderr": last_words}}
        due = _now() + int(1000 * random.uniform(0, min(self.longest, self.backoff * 2 ** min(job.attempt - 1, 31))))
        if what != "handler" or job.attempt >= most or expiry <= due:
            return self.settle(room, name, job, what, detail, last_words, {**record, "problem": problem})
        record["next"] = _rfc3339(due)

        def step() -> None:
            self.demand_origin(room, name)
            self.desk.folder.postpone(room, name, due, record)
            self.done.postponed += 1
        self.desk.do(step)

    def demand_origin(self, room: str, name: _Name) -> None:
        self.desk.folder.demand_origin(os.path.join(room, str(name)), self.desk.seat.origins[room][1])

    def settle(self, room: str, name: _Name, job: Optional[Job], what: Optional[str], data: Any, last_words: str = "",
               record: Optional[Dict[str, Any]] = None) -> None:
        """`what` is the kind of problem, and then `data` its detail."""
        folder, id = self.desk.folder, _mint(_now())
        how = "succeeded" if what is None else "expired" if what == "expired" else "failed"
        attributes: Dict[str, Any] = {
            "specversion": "1.0", "id": id, "source": f"//{self.desk.seat.name}/filedrop.py", "type": "filedrop.outcome",
            "time": _rfc3339(_now()), "causationid": name.id, "correlationid": job.correlation_id if job else name.id,
            "outcome": how, "attempt": name.attempt}
        passed_on = job.attributes if job else {}
        for key in ("replyto", "subject", "traceparent"):
            attributes[key] = passed_on[key] if isinstance(passed_on.get(key), str) else None
        if what is not None:
            detail, last_words = (text.encode(errors="replace").decode() for text in (data, last_words))
            problem = {"type": PROBLEM + what, "title": TITLES[what], "detail": detail, "stderr": last_words}
            records = [*self.records(name), *([record] if record else [])]
            problem = {key: value for key, value in {**problem, "attempts": records}.items() if value}
            data = Data(json.dumps(problem, ensure_ascii=True), "application/problem+json")
        try:
            content = _encode(attributes, data)
        except Invalid as e:  # only its size can be wrong
            return self.settle(room, name, job, "output", str(e))
        counter = "invalid" if what == "invalid" else how
        address = attributes.get("replyto")

        def step() -> None:
            self.demand_origin(room, name)
            folder.settle(room, room if _look(room) else self.desk.seat.room, name, content, id, address)
            setattr(self.done, counter, getattr(self.done, counter) + 1)
        self.desk.do(step)

    def records(self, name: _Name) -> List[Any]:
        """The attempts before, for people."""
        found = []
        for nth in range(max(1, name.attempt - 32), name.attempt):
            try:
                path = self.desk.folder.path("outcomes", name.day, f"{name.id}.{nth}.attempt.json")
                found.append(json.loads(_read(path)))
            except (OSError, _Unreadable, ValueError, RecursionError):
                pass
        return found


class DropFolder:
    """A folder through which programs talk. NotADropFolder if there is none at `path`."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(os.path.abspath(path))
        self._folder = _Folder(str(self.path))
        try:
            marker = json.loads(_read(self._folder.path("filedrop.json")))
            protocol = marker["protocol"]
        except (OSError, _Unreadable, ValueError, KeyError, TypeError) as e:
            above, place = os.path.split(os.path.dirname(os.path.abspath(path)))
            how = f"DropFolder({above!r}).subscribe({self.path.name!r}, TOPIC), or `filedrop topics {above} add " \
                  f"{self.path.name} TOPIC`, makes it a group" if place == "subscribers" else "make one with `filedrop init`"
            raise NotADropFolder(f"{path} is not a drop folder ({how}): {e}") from e
        if protocol != 0 or isinstance(protocol, bool):
            raise NotADropFolder(f"{path} speaks protocol {protocol!r}, this program only 0")
        self._folder.marker.update({name: marker[name] for name in ("keep_seconds",) if name in marker})

    @classmethod
    def init(cls, path: PathLike) -> DropFolder:
        """Makes a drop folder in a folder that is there, or opens the one that there is."""
        root = os.path.abspath(path)
        if not os.path.exists(os.path.join(root, "filedrop.json")):
            above, place = os.path.split(os.path.dirname(root))
            if place in ("subscribers", "replies") and os.path.exists(os.path.join(above, "filedrop.json")):
                raise Invalid(f"{path} is a drop folder's own place: a group is made by `subscribe`, an address by `collect`")
            _Folder(root).make(ROOMS + OUTER_ROOMS)
        return cls(path)

    def submit(self, type: str, data: Any = None, *, id: Optional[str] = None, reply_to: Optional[str] = None,
               priority: int = 5, delay: Optional[When] = None, expires: Optional[When] = None,
               max_attempts: Optional[int] = None, subject: Optional[str] = None, source: Optional[str] = None,
               correlation_id: Optional[str] = None, causation_id: Optional[str] = None, trace_parent: Optional[str] = None,
               attach: Union[PathLike, Iterable[PathLike]] = (), attributes: Optional[Mapping[str, Any]] = None,
               _event: Optional[str] = None) -> str:
        """Submits a job, and returns its id when it is durable (P3).

        With an `id` of your own (P20) it can be submitted again by whoever is not sure: it is one job. `priority` is 0 (first)
        to 9. It is not handled before `delay`, nor after `expires`. `attach`: files of which a copy travels with it.
        `attributes`: further ones of the envelope. A job that is submitted by a handler belongs to the flow of the job that is
        handled. Raises Invalid; Uncertain, if it may be there nevertheless; OSError, if it is not.
        """
        above, place = os.path.split(os.path.dirname(self._folder.root))
        if place == "replies" and _look(os.path.join(above, "filedrop.json")):
            raise Invalid(f"{self.path} is a Return Address: no worker takes jobs from it; submit to {above}")
        if trace_parent is not None and not (isinstance(trace_parent, str) and _TRACE.fullmatch(trace_parent)):
            raise Invalid(f"{trace_parent!r} is no trace context; it has to look like "
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        now = _now()
        given = None if id is None else _id(id, "an id")
        id = given or _mint(now)
        submitted = _minted_at(id) or now
        due = None if delay is None else _when(delay, now)
        due = due if due is not None and due > now else None
        expiry = None if expires is None else _when(expires, now)
        if expiry is not None and expiry <= (due or now):
            raise Invalid(f"the job would expire ({_rfc3339(expiry)}) before it could be handled ({_rfc3339(due or now)})")
        if not _whole(priority, 0, 9) or max_attempts is not None and not _whole(max_attempts, 1, 2**31 - 1):
            raise Invalid(f"a priority is 0 to 9, and max_attempts at least 1; not {priority!r} and {max_attempts!r}")
        flow, cause, trace = _flow()
        source = f"//{re.sub('[^A-Za-z0-9._-]', '-', socket.gethostname())}/filedrop.py" if source is None else source
        envelope: Dict[str, Any] = {
            "specversion": "1.0", "id": id, "source": source, "type": type, "time": _rfc3339(submitted), "subject": subject,
            "replyto": None if reply_to is None else _id(reply_to, "reply_to"), "priority": None if priority == 5 else priority,
            "notbefore": due and _rfc3339(due), "expirytime": expiry and _rfc3339(expiry), "maxattempts": max_attempts,
            "correlationid": correlation_id or flow, "causationid": causation_id or cause,
            "traceparent": trace_parent or trace}
        if _event is not None:
            envelope["topic"] = _event
        for name, value in (attributes or {}).items():
            taken = name in envelope or name in ("data", "datacontenttype", "filesref", "dataref")
            if taken or not re.fullmatch("[a-z0-9]{1,64}", name):
                raise Invalid(f"{name!r} cannot be a further attribute: it has another way, or is not of a-z 0-9")
            envelope[name] = value
        attached = [attach] if isinstance(attach, (str, os.PathLike)) else attach
        files = [Path(file) for file in attached]
        if files:
            envelope["filesref"] = f"payload/{id}.{secrets.token_hex(8)}/"
        name_ = _Name(str(priority), f"{submitted:013}", id, 1, "job")
        try:
            content = _encode(envelope, data)
            Job(self._folder.root, name_, content)  # nobody is to find it invalid
        except ValueError as e:
            raise Invalid(f"this is no job: {e}") from e
        if files:
            self._attach(self._folder.path(envelope["filesref"][:-1]), files)
        place = self._folder.place(name_, due)
        if given is None and _event is None:
            self._folder.publish(content, place)
        try:
            if given is not None:
                self._folder.submit_given(name_, content, due, _event is not None)
            elif _event is not None:
                self._folder.publish_event(name_, content, due)
            else:
                _flush(os.path.dirname(place))
                self._folder.demand_cargo(envelope)
        except OSError as e:
            error = Uncertain(f"{id} may or may not have been submitted; submit it again with this id ({e})")
            error.id = id
            raise error from e
        return id

    def publish(self, topic: str, data: Any = None, *, type: Optional[str] = None, **job: Any) -> str:
        """Publishes an event (P35), and returns its id when it is durable: each group that subscribed to its topic before gets it
        as a job of its own, once, whether it is up or not. Its `type` is the topic, if nothing else is said. The rest is as with
        `submit`, also that the same `id` is one event."""
        if "reply_to" in job:
            raise Invalid("an event has no reply_to: it has an outcome in each group that got it")
        id = self.submit(topic if type is None else type, data, _event=_topic(topic), **job)
        try:
            self._folder.fan_out()
        except OSError as e:
            log.warning("%s is published; others deliver it: %s", id, e)
        return id

    def subscribe(self, group: str, *topics: str) -> None:
        """Has a group get the events of these topics, too, from now on (P33, P34). In a topic `*` stands for one token, and `>`, at
        the end, for one or more. `DropFolder(path / "subscribers" / group).work(handler)` handles them."""
        _id(group, "the name of a group")
        if not topics:
            raise Invalid("a group subscribes to one topic at least")
        self._folder.subscribe(group, [_topic(topic, wild=True) for topic in topics])

    def _attach(self, folder: str, files: List[Path]) -> None:
        """P23. Nobody refers to it before the job is there; if that never is, retention removes it (P26)."""
        if len({file.name for file in files}) < len(files):
            raise Invalid("two files of one name cannot travel with one job")
        os.mkdir(folder)
        for file in files:
            with open(file, "rb") as source, open(os.path.join(folder, file.name), "xb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
        _flush(folder)
        _flush(os.path.dirname(folder))

    def outcome(self, id: str) -> Optional[Outcome]:
        """The outcome of a job, if there is one by now (P14): it is durable when it is told."""
        ms, days = _minted_at(_id(id, "an id")), _names(self._folder.path("outcomes"))
        for day in [] if ms is None else [_rfc3339(ms)[:10]]:
            days = [day, *(other for other in days if other != day)]
        for day in days:
            slot = self._folder.path("outcomes", day, f"{id}.outcome.json")
            try:
                is_there = _look(slot)
            except NotADirectoryError:
                continue
            if is_there:
                outcome = self._folder.outcome(slot)
                if outcome is None and _look(slot):
                    raise Invalid(f"{slot} is no outcome")
                _flush_if_there(os.path.dirname(slot))
                return outcome
        return None

    def wait(self, id: str, timeout: Optional[float] = None) -> Outcome:
        """The outcome of a job, also if it failed, when it is there. TimedOut after so many seconds: then wait again. Invalid, if
        the id is that of an event."""
        _patience(timeout)
        start, pause, looked = time.monotonic(), 0.01, False
        while True:
            outcome = self.outcome(id)
            if outcome:
                return outcome
            if not looked and time.monotonic() - start >= (1 if timeout is None else min(1, timeout)):
                looked = True
                if self._folder.is_event(id):
                    raise Invalid(f"{id} is an event; each group that got it has an outcome of its own: wait for it in "
                                  f"{self.path}/subscribers/GROUP")
            left = pause if timeout is None else timeout - (time.monotonic() - start)
            if left <= 0:
                error = TimedOut(f"no outcome of {id} after {timeout} s; it is not lost: wait for it again")
                error.id = id
                raise error
            time.sleep(min(left, pause))
            pause = min(pause * 1.5, 0.25)

    def call(self, type: str, data: Any = None, *, timeout: Optional[float] = None, **job: Any) -> Outcome:
        """Submits a job, and waits for its outcome. TimedOut.id, with which `wait` finds it later, if that takes too long.
        Give it an `id` of your own if your program may be killed meanwhile: with that, `wait` finds the outcome, too."""
        _patience(timeout)
        return self.wait(self.submit(type, data, **job), timeout)

    def work(self, handler: Callable[[Job], Any], *, drain: bool = False, stop: Optional[threading.Event] = None,
             max_attempts: int = 5, backoff: float = 10.0, longest_backoff: float = 3600.0, name: Optional[str] = None,
             lease: float = DEFAULT_LEASE, poll: float = 0.5) -> Summary:
        """Handles jobs, one at a time, until nothing is ready (`drain`), or until `stop` is set, looked for every `poll` seconds.

        What the handler returns is the outcome's data. If it raises, there is another attempt after a random pause of at most
        `backoff` · 2^(attempt − 1) seconds, up to `max_attempts`; none after Rejected. Killed, it loses nothing: others take the
        job over, at once on a local file system, after `lease` seconds of silence elsewhere. So its handler must not keep Python's
        other threads from running for that long. KeyboardInterrupt and SystemExit hand the job back.
        """
        desk = _Desk(self._folder, "job", not drain, 5 if drain else math.inf, name, lease, poll, stop)
        return _Worker(desk, handler, max_attempts, backoff, longest_backoff).run()

    def collect(self, address: str, handler: Optional[Callable[[Outcome], Any]] = None, *, follow: bool = False,
                stop: Optional[threading.Event] = None, name: Optional[str] = None, lease: float = DEFAULT_LEASE,
                poll: float = 0.5) -> Iterator[Outcome]:
        """Outcomes that were delivered to a Return Address, until none is left, or, to `follow`, until `stop` is set (P15).

        Each is settled when the loop asks for the next one; left by `break` or an exception, it goes to the next collector, with
        `again` set. With a `handler`, each is settled, and then yielded, once that has returned; if it raises, that outcome is
        handed to it again later, or, without `follow`, left there, and FiledropError ends the loop after all others. What
        travels with an outcome is kept until it is collected; if somebody removed it all the same, the outcome is `failed`,
        with a problem of type urn:filedrop:problem:gone.
        """
        reply = self._folder.reply(_id(address, "an address"))
        desk = _Desk(reply, "outcome", follow, math.inf if follow else 1, name, lease, poll, stop)
        done: List[Outcome] = []

        def hand_over(room: str, name: _Name, outcome: Outcome, handed: List[bool]) -> None:
            if handler and not handed:
                handler(outcome)
                handed.append(True)
            reply.collected(room, name)
            done.append(outcome)

        with contextlib.closing(desk.taken()) as taken:
            for room, name_, content in taken:
                try:
                    if isinstance(content, _Unreadable):
                        raise ValueError(content)
                    outcome = Outcome(self._folder.root, content, name_.attempt > 1)._or_gone()
                except (ValueError, RecursionError) as e:  # nobody's to hand over: it waits for people
                    desk.put_aside(room, name_, e)
                    desk.lost.append(e)
                    continue
                if handler is None:
                    yield outcome
                desk.do(functools.partial(hand_over, room, name_, outcome, []))
                while done and handler:
                    yield done.pop(0)
                done.clear()
        if desk.lost and not follow:
            raise FiledropError(f"{len(desk.lost)} outcomes are left at {address}: {desk.lost[0]}") from desk.lost[0]
