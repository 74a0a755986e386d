"""The servers, each once for each durability: they listen on a Unix socket or on 127.0.0.1, keep their data on the disk that all
share, run from the first round to the last, and are stopped whatever happens."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import install

PATIENCE_SECONDS = 30


class Failed(Exception):
    pass


@contextlib.contextmanager
def running(command, at, reachable, user=None, stop=None):
    """Runs it until the end of the block. `reachable` says an address once it answers."""
    with (at / "said").open("wb") as said:
        who = {"user": user, "group": user, "extra_groups": []} if user else {}
        # A session of its own: Ctrl-C is for us, and we stop it.
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, **who)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (address := reachable()):
            if server.poll() is not None or time.monotonic() > deadline:
                last = (at / "said").read_text(errors="replace").strip().splitlines()[-3:]
                raise Failed(f"{command[0]}: {' / '.join(last)}")
            time.sleep(0.02)
        yield address
    finally:
        server.send_signal(stop) if stop else server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def answers(address):
    """A function that says the address, once somebody listens there."""

    def reachable():
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as connection:
            try:
                connection.connect(address)
            except OSError:
                return None
        return address if isinstance(address, str) else "{}:{}".format(*address)

    return reachable


def place(disk, name):
    at = disk.at / name
    at.mkdir()
    return at


def redis(disk, durability):
    at = place(disk, f"redis-{durability}")
    fsync = "always" if durability == "flush" else "everysec"
    options = {"port": "0", "unixsocket": at / "s", "dir": at, "save": "", "appendonly": "yes", "appendfsync": fsync}
    options |= {"auto-aof-rewrite-percentage": "0", "daemonize": "no"}
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    return running([install.find("redis-server"), *words], at, answers(str(at / "s")))


def beanstalkd(disk, durability):
    at = place(disk, f"beanstalkd-{durability}")
    command = [install.find("beanstalkd"), "-l", f"unix:{at}/s", "-b", str(at), "-f0" if durability == "flush" else "-F"]
    return running(command, at, answers(str(at / "s")))


def nats(disk, durability):
    at = place(disk, f"nats-{durability}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sync = "sync_interval: always" if durability == "flush" else ""
    config = at / "config"
    config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{at}", {sync} }}\n')
    command = [install.find("nats-server"), "-c", str(config)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        raise Failed("this version knows no `sync_interval: always`: it acknowledges before it flushes" if sync else checked.stderr)
    return running(command, at, answers(("127.0.0.1", port)))


def postgres(disk, durability):
    """Whether a commit is flushed, each session says by itself."""
    at = place(disk, f"postgres-{durability}")
    # It refuses to be root.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(at, user, user)
    who = {"user": user, "group": user, "extra_groups": []} if user else {}
    data = at / "data"
    init = [install.find("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8"]
    made = subprocess.run(init, capture_output=True, text=True, check=False, cwd=at, **who)
    if made.returncode != 0:
        raise Failed(f"initdb: {made.stderr.strip()}")
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={at}"]
    command = [install.find("postgres"), "-D", str(data), *options]
    # SIGINT: without waiting for who is connected.
    return running(command, at, answers(f"{at}/.s.PGSQL.5432"), user, signal.SIGINT)
