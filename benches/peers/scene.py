"""Players: processes that say `ready`, wait for a line, do their work, and say how many nanoseconds that took."""

import collections
import contextlib
import os
import select
import signal
import subprocess
import time

# `counts`: its time is the figure. `stays`: it does not end by itself.
Player = collections.namedtuple("Player", "command counts stays", defaults=[False, False])
PATIENCE_SECONDS = 120


class Failed(Exception):
    pass


def play(players):
    """Starts all of them, waits until all are ready, has them begin in order. The time of the one that counts. If several do, that from the
    begin of the first to the end of the last: not all of them need work at the same time. None if none does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with contextlib.ExitStack() as stack:
        cast = [stack.enter_context(started(player)) for player in players]
        for actor in cast:
            if (said := actor.line(deadline)) != "ready":
                raise Failed(f"{actor.name} said {said!r} instead of ready")
        begun = time.perf_counter_ns()
        for actor in cast:
            actor.begin()
        # Who ends is heard in the order of the cast.
        times = [(actor.counts, int(actor.line(deadline))) for actor in cast if not actor.stays]
        together = time.perf_counter_ns() - begun
        counted = [taken for counts, taken in times if counts]
        return together if len(counted) > 1 else next(iter(counted), None)


@contextlib.contextmanager
def started(player):
    command = [str(word) for word in player.command]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Its own session, so that whatever it started ends with it.
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        yield Actor(process, player, " ".join(os.path.basename(word) for word in command[:4]))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Actor:
    def __init__(self, process, player, name):
        self._process, self.name = process, name
        self.counts, self.stays = player.counts, player.stays
        self._come = b""

    def begin(self):
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._last_words()) from None

    def line(self, deadline):
        out = self._process.stdout
        while b"\n" not in self._come:
            if not select.select([out], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"{self.name} took longer than {PATIENCE_SECONDS} s")
            piece = os.read(out.fileno(), 4096)
            if not piece:
                raise Failed(self._last_words())
            self._come += piece
        line, self._come = self._come.split(b"\n", 1)
        return line.decode(errors="replace").strip()

    def _last_words(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        os.set_blocking(self._process.stderr.fileno(), False)
        said = (self._process.stderr.read() or b"").decode(errors="replace").strip().splitlines()
        return f"{self.name} died: {' / '.join(said[-2:])}"
