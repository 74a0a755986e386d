"""How the tools are called. Each is called as its manual says, for many files at once, and slowly for one."""

import dataclasses
import typing


@dataclasses.dataclass
class Command:
    argv: list
    home: str
    stdin: str = ""


@dataclasses.dataclass
class Way:
    # Begins the names of its files.
    key: str
    name: str
    # (sources, place) -> Command
    send: typing.Callable
    # (source, place) -> Command, throttled; None where a file comes in one step.
    slow: typing.Callable
    # Its sources lie on another file system than the inbox.
    from_elsewhere: bool = False


def command(argv, place, stdin=""):
    return Command([str(word) for word in argv], str(place.home), stdin)


def both(make, throttle):
    """One tool's two commands, from one function `(sources, place, options)`."""
    return (
        lambda sources, place: make(sources, place, []),
        lambda source, place: make([source], place, throttle),
    )


def sftp(sources, place, options):
    batch = "".join(f'put "{source}" "{place.inbox}/{source.name}"\n' for source in sources)
    return command(["sftp", "-F", place.ssh_config, *options, "-b", "-", "drop"], place, batch)


def scp(*protocol):
    def make(sources, place, options):
        return command(
            ["scp", *protocol, "-q", "-F", place.ssh_config, *options, *sources, f"drop:{place.inbox}/"], place
        )

    return make


def rsync(*how):
    def make(sources, place, options):
        shell = f"ssh -F {place.ssh_config}"
        return command(["rsync", *how, *options, "-e", shell, *sources, f"drop:{place.inbox}/"], place)

    return make


def lftp(*settings):
    def make(sources, place, options):
        lines = [f"set {setting}" for setting in ["cmd:fail-exit yes", "net:max-retries 2", *settings, *options]]
        lines.append(f"open {place.ftp_inbox}")
        lines += [f'put "{source}"' for source in sources]
        return command(["lftp"], place, "\n".join(lines) + "\n")

    return make


def lftp_sftp(sources, place, options):
    lines = [f"set {setting}" for setting in ["cmd:fail-exit yes", "net:max-retries 2", *options]]
    lines.append(f'set sftp:connect-program "ssh -a -x -F {place.ssh_config}"')
    lines.append(f"open sftp://drop{place.inbox}/")
    lines += [f'put "{source}"' for source in sources]
    return command(["lftp"], place, "\n".join(lines) + "\n")


def rclone(target):
    def make(sources, place, options):
        names = "".join(f"{source.name}\n" for source in sources)
        argv = ["rclone", "copy", "-q", *options, "--files-from-raw", "-", sources[0].parent, target(place)]
        return command(argv, place, names)

    return make


def rclone_sftp(place):
    return f":sftp,host=127.0.0.1,port={place.ssh_port},user=root,key_file={place.ssh_key}:{place.inbox}"


def curl(sources, place, options):
    pairs = "".join(f'upload-file = "{source}"\nurl = "{place.ftp_inbox}"\n' for source in sources)
    return command(["curl", "-sS", "--fail-early", *options, "-K", "-"], place, pairs)


def local(*argv):
    """A program that is given the sources and then the inbox."""
    return lambda sources, place: command([*argv, *sources, f"{place.inbox}/"], place)


def shell(script):
    """A script whose $0 is the inbox, and whose arguments are the sources."""
    return lambda sources, place: command(["sh", "-c", script, place.inbox, *sources], place)


# The writer has the file open all the time, and pauses in the middle.
PAUSING = """
for file; do
    half=$(($(wc -c < "$file") / 2))
    { head -c "$half" "$file"; sleep "$PAUSE"; tail -c "+$((half + 1))" "$file"; } > "$0/${file##*/}" &
done
wait
"""

# Half a megabyte at a time, with pauses, into a program that copies.
TRICKLE = """
for nth in 0 1 2 3 4 5; do dd if="$1" bs=524288 skip=$nth count=1 status=none; sleep 0.3; done |
"""

WAYS = [
    Way("sftp", "sftp put", *both(sftp, ["-l", "8000"])),
    Way("scp", "scp", *both(scp(), ["-l", "8000"])),
    Way("oldscp", "scp -O", *both(scp("-O"), ["-l", "8000"])),
    Way("rsync", "rsync", *both(rsync(), ["--bwlimit=1000"])),
    Way("inplace", "rsync --inplace", *both(rsync("--inplace"), ["--bwlimit=1000"])),
    Way("archive", "rsync -a", *both(rsync("-a"), ["--bwlimit=1000"])),
    Way("lftp", "lftp put", *both(lftp(), ["net:limit-rate 1000000"])),
    Way("lftptemp", "lftp, use-temp-file", *both(lftp("xfer:use-temp-file yes"), ["net:limit-rate 1000000"])),
    Way("lftpssh", "lftp, sftp", *both(lftp_sftp, ["net:limit-rate 1000000"])),
    Way("rclone", "rclone copy", *both(rclone(lambda place: str(place.inbox)), ["--bwlimit", "1M"])),
    Way("rclonessh", "rclone copy, sftp", *both(rclone(rclone_sftp), ["--bwlimit", "1M"])),
    Way("curl", "curl -T, ftp", *both(curl, ["--limit-rate", "1M"])),
    Way("cp", "cp", local("cp"), lambda source, place: shell(TRICKLE + 'cp /dev/stdin "$0/${1##*/}"')([source], place)),
    Way("cppreserve", "cp -p", local("cp", "-p"), None),
    Way("mv", "mv, same disk", local("mv"), None),
    Way("mvdisk", "mv, other disk", local("mv"), lambda source, place: local("mv")([source], place), True),
    Way("ln", "ln", local("ln"), None),
    Way("install", "install", local("install", "-m", "644"), None),
    Way(
        "cat",
        "cat >",
        shell('for file; do cat "$file" > "$0/${file##*/}"; done'),
        lambda source, place: shell(TRICKLE + 'cat > "$0/${1##*/}"')([source], place),
    ),
    Way("pause", "slow writer", shell(PAUSING), None),
]
