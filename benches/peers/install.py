"""What is measured, and where it comes from: Debian, PyPI, this repository."""

import contextlib
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# A program, and the Debian package that has it.
PACKAGES = {
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "redis-server": "redis-server",
    "beanstalkd": "beanstalkd",
    "postgres": "postgresql",
    "nats-server": "nats-server",
    "inotifywait": "inotify-tools",
    "nq": "nq",
    "xargs": "findutils",
}
# Whoever asks Debian's scripts to start a service is told no while this is there: what is installed is not to run by itself.
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def find(program):
    """Its path, also where no PATH leads. None if it is not there."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return path or max(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), default=None)


def packages():
    """Installs what is missing, as far as it can."""
    missing = [package for program, package in PACKAGES.items() if not find(program)]
    if not missing:
        return
    if os.getuid() != 0 or not shutil.which("apt-get"):
        print(f"not installed, since that needs root and apt-get: {', '.join(missing)}", file=sys.stderr)
        return
    print(f"installs {', '.join(missing)}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = {"stdout": subprocess.DEVNULL, "env": environment, "check": False}
    with nothing_started():
        subprocess.run(["apt-get", "update", "-q"], **quiet)
        for package in missing:
            # One at a time: what is not to be had keeps no other away.
            subprocess.run(["apt-get", "install", "-yq", "--no-install-recommends", package], **quiet)


@contextlib.contextmanager
def nothing_started():
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def python(package):
    """The interpreter of an environment that has this package of PyPI's, and its module of that name, or None. Made once, in target/."""
    place = TARGET / "peers" / "venv"
    interpreter = place / "bin/python"
    has = [interpreter, "-c", f"import {package}"]
    if not interpreter.exists():
        made = subprocess.run([sys.executable, "-m", "venv", place], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            print(f"no environment for {package}: {made.stdout.strip()} {made.stderr.strip()}", file=sys.stderr)
            return None
    if subprocess.run(has, capture_output=True, check=False).returncode != 0:
        print(f"installs {package} in {place}", file=sys.stderr)
        command = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if subprocess.run(has, capture_output=True, check=False).returncode != 0:
        return None
    return str(interpreter)


def version(command):
    """The first number in what a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    numbers = (part.strip(",v=") for part in (said.stdout + said.stderr).split() if any(digit in part for digit in "0123456789"))
    return next(numbers, "?")


def ours():
    """The paths of the benchmarks and of the programs, built as they are shipped."""
    cargo = ["cargo", "bench", "--locked", "--no-run", "--bench", "hot", "--bench", "peers", "--message-format=json"]
    built = subprocess.run(cargo, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    paths = {}
    for message in map(json.loads, built.splitlines()):
        if message.get("executable"):
            paths[message["target"]["name"]] = message["executable"]
    programs = ["cargo", "build", "--locked", "--quiet", "--release", "--bins"]
    subprocess.run(programs, cwd=ROOT, check=True)
    for name in ("consumer", "producer", "filedrop"):
        paths[name] = str(TARGET / "release" / name)
    return paths


def commit():
    """Which commit of this repository that is."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    if not find("git") or not (head := git("rev-parse", "--short=12", "HEAD")):
        return "of a commit that git does not tell"
    # A run writes into docs/ itself.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return f"{head}, with changes that are not committed" if changed else head
