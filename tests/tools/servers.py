"""What the tools need: Debian's packages, and an SSH and an FTP server on the loopback interface."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess
import time

# A program, and the package that has it.
PROGRAMS = {
    "sshd": "openssh-server",
    "sftp": "openssh-client",
    "rsync": "rsync",
    "lftp": "lftp",
    "rclone": "rclone",
    "vsftpd": "vsftpd",
    "curl": "curl",
    "inotifywait": "inotify-tools",
}
START_SECONDS = 30


@dataclasses.dataclass
class Place:
    """Where the tools find things."""

    home: pathlib.Path
    inbox: pathlib.Path
    ssh_config: pathlib.Path
    ssh_port: int
    ssh_key: pathlib.Path
    # Ends with a slash; the inbox as the FTP server shows it.
    ftp_inbox: str


def install():
    """By Debian's names, what is missing."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        print(f"installing {' '.join(missing)}", flush=True)
        for what in (["update", "-q"], ["install", "-yq", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *what], env=quiet, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def running(here, drop):
    """Both servers, until the end of the block."""
    settings = here / "servers"
    settings.mkdir()
    home = here / "home"
    home.mkdir()
    with contextlib.ExitStack() as stack:
        ssh_port, ssh_config, key = ssh(settings, stack)
        ftp_port = ftp(settings, here, stack)
        ftp_inbox = f"ftp://127.0.0.1:{ftp_port}/{(drop / 'inbox').relative_to(here)}/"
        yield Place(home, drop / "inbox", ssh_config, ssh_port, key, ftp_inbox)


def ssh(settings, stack):
    """An SSH server for whoever runs this, with keys that nobody else has."""
    port = free_port()
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", settings / name], check=True)
    shutil.copy(settings / "key.pub", settings / "authorized")
    server = settings / "sshd.conf"
    server.write_text(
        f"""ListenAddress 127.0.0.1:{port}
HostKey {settings}/host
AuthorizedKeysFile {settings}/authorized
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
Subsystem sftp internal-sftp
"""
    )
    client = settings / "ssh.conf"
    client.write_text(
        f"""Host drop
  HostName 127.0.0.1
  Port {port}
  User root
  IdentityFile {settings}/key
  IdentitiesOnly yes
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  LogLevel ERROR
"""
    )
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    start([shutil.which("sshd"), "-D", "-e", "-f", server], port, settings / "sshd.log", stack)
    return port, client, settings / "key"


def ftp(settings, here, stack):
    """An FTP server for anybody, who writes as the user that the package made."""
    port = free_port()
    empty = settings / "empty"
    empty.mkdir(mode=0o755)
    server = settings / "vsftpd.conf"
    server.write_text(
        f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
local_enable=NO
anonymous_enable=YES
anon_root={here}
anon_umask=022
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
secure_chroot_dir={empty}
max_per_ip=0
seccomp_sandbox=NO
"""
    )
    start([shutil.which("vsftpd"), server], port, settings / "vsftpd.log", stack)
    return port


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port, log, stack):
    """Starts a server, waits until it answers, and ends it with the block."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    stack.callback(end, process)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as why:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")
                raise RuntimeError(f"{command[0]} does not answer: {why}; it said: {said}") from why
        time.sleep(0.05)


def end(process):
    process.terminate()
    process.wait()
