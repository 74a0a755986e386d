"""What happened in the inbox, name by name, as the kernel told it."""

import collections
import contextlib
import dataclasses
import subprocess
import threading
import time


@dataclasses.dataclass
class Name:
    """What happened to one name."""

    # When somebody last wrote, closed, changed or renamed the file, before it was taken; on the monotonic clock.
    ready: float = 0
    # When it left the inbox, each time.
    taken: list = dataclasses.field(default_factory=list)
    # It was renamed within the inbox, to its final name.
    renamed: bool = False


class Journal:
    def __init__(self):
        self.names = collections.defaultdict(Name)
        self._left = {}

    def note(self, now, cookie, events, name):
        events = events.split(",")
        if "MOVED_FROM" in events:
            self.names[name].taken.append(now)
            self._left[cookie] = name
        elif "MOVED_TO" in events and cookie in self._left:
            # It only has another name: so it was not taken.
            before = self.names[self._left.pop(cookie)]
            before.taken.pop()
            before.renamed = True
            self.names[name].ready = now
        elif not self.names[name].taken:
            self.names[name].ready = now


@contextlib.contextmanager
def of(inbox):
    """Watches until the end of the block."""
    seen = Journal()
    watched = "create,close_write,attrib,move,delete"
    command = ["inotifywait", "--monitor", "--format", "%c %e %f", "--event", watched, inbox]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    for line in process.stderr:
        if "established" in line:
            break

    def read():
        for line in process.stdout:
            cookie, events, name = line.rstrip("\n").split(" ", 2)
            seen.note(time.monotonic(), cookie, events, name)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        process.terminate()
        thread.join()
        process.wait()
