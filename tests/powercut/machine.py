"""The virtual machine: Debian's kernel, a small initramfs, and a disk whose writes are recorded.

Plain emulation: it runs wherever qemu does, and is slow enough to be cut in the middle of anything.
"""

import collections
import contextlib
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "depmod": "kmod",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mkfs.btrfs": "btrfs-progs",
    "busybox": "busybox-static",
}
KERNEL = "linux-image-cloud-amd64"
MODULES = ["virtio_pci", "virtio_blk"]
# No boot, and no check, takes so long, however slow the machine.
PATIENCE_SECONDS = 600

# A line that the guest said, and how long the record of its writes was when it came.
Line = collections.namedtuple("Line", "text recorded")


def install():
    """What is missing, from Debian's packages."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        update()
        install = ["apt-get", "install", "-yq", "--no-install-recommends", *missing]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, env=environment)


def update():
    """So that what the archive offers is known."""
    subprocess.run(["apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)


def build():
    """Our program, as it is shipped."""
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--release", "--example", "powercut"], cwd=ROOT, check=True)
    return target() / "release/examples/powercut"


def target():
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


class Machine:
    def __init__(self, here, fs, program, preload=None):
        """Prepares kernel and initramfs in the folder `here`. `preload` is a library that gets between program and kernel."""
        self._here, self._fs, self._preload = here, fs, preload
        kernel = unpack(KERNEL)
        self._kernel = next((kernel / "boot").glob("vmlinuz-*"))
        self._initramfs = initramfs(here, kernel, fs, program, preload)

    @contextlib.contextmanager
    def boot(self, disk, record, books, todo, seed):
        """Runs it until the end of the block, and kills it then. `record` is where the writes to `disk` are recorded."""
        record.unlink(missing_ok=True)
        record.touch()
        words = f"powercut.fs={self._fs} powercut.seed={seed} powercut.todo={','.join(todo)}"
        if self._preload:
            words += f" powercut.preload=/lib/{self._preload.name}"
        # The host may keep in its memory what it likes: it is the guest's power that goes. A flush that the guest asks for is recorded.
        below = "driver=file,cache.no-flush=on,node-name"
        command = [
            *["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "384"],
            *["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
            *["-kernel", self._kernel, "-initrd", self._initramfs],
            *["-append", f"console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on {words}"],
            *["-serial", f"file:{self._here / 'console'}", "-serial", "stdio"],
            *["-blockdev", f"{below}=data,filename={disk}", "-blockdev", f"{below}=record,filename={record}"],
            *["-blockdev", "driver=blklogwrites,node-name=disk,file=data,log=record,log-sector-size=512"],
            *["-device", "virtio-blk-pci,drive=disk,write-cache=on,discard=off,write-zeroes=off,num-queues=1,queue-size=64,physical_block_size=4096"],
            *["-blockdev", f"driver=file,node-name=books,filename={books},read-only=on"],
            *["-device", "virtio-blk-pci,drive=books"],
        ]
        with (self._here / "qemu").open("wb") as complaints:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        try:
            yield Wire(process, record)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def console(self):
        """What its kernel, and qemu, said last."""
        texts = [(self._here / name).read_text(errors="replace") for name in ("console", "qemu")]
        return "\n".join("\n".join(texts).splitlines()[-30:])


class Wire:
    """What the guest says, as it comes."""

    def __init__(self, process, record):
        self._process, self._record = process, record
        self._rest = b""
        self.lines = []

    def listen(self, enough):
        """Until `enough(line)`, or the machine is off. Whether there was enough."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not select.select([self._process.stdout], [], [], 1)[0]:
                continue
            new = self._read()
            if any(enough(line.text) for line in new):
                return True
            if new is self.lines:
                return False
        raise RuntimeError("the machine says nothing any more")

    def cut(self):
        """Cuts the power. What it had said before that counts."""
        self._process.kill()
        self._process.wait()
        while self._read() is not self.lines:
            pass

    def _read(self):
        """The new lines; all lines, when there will be no more."""
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            return self.lines
        # After they were said: so what was acknowledged lies before this place in the record.
        recorded = self._record.stat().st_size
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        new = [Line(text.decode(errors="replace").rstrip("\r"), recorded) for text in whole]
        self.lines.extend(new)
        return new

    def said(self):
        """What it said beside acknowledgements."""
        return [line.text for line in self.lines if not line.text.startswith("@ ")]


def unpack(package):
    """The folder of what is in one of Debian's packages, or in the one that it stands for. Loaded once."""
    place = target() / "powercut" / package
    if place.exists():
        return place
    scratch = place.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    update()
    depends = subprocess.run(["apt-cache", "depends", package], check=True, capture_output=True, text=True).stdout
    real = re.search(r"Depends: (linux-image-\S+)", depends)
    name = real.group(1) if real else package
    subprocess.run(["apt-get", "download", "-q", name], cwd=scratch, check=True, capture_output=True)
    subprocess.run(["dpkg-deb", "-x", next(scratch.glob("*.deb")), scratch], check=True)
    scratch.rename(place)
    return place


def initramfs(here, kernel, fs, program, preload):
    """An archive of all that the guest needs."""
    root = here / "initramfs"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ["bin", "lib", "lib64", "modules"]:
        (root / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    shutil.copy(HERE / "init", root / "init")
    shutil.copy(program, root / "powercut")
    for library in libraries(program):
        # Where the loader looks by itself.
        folder = "lib64" if library.name.startswith("ld-") else "lib"
        shutil.copy(library, root / folder / library.name)
    if preload:
        shutil.copy(preload, root / "lib" / preload.name)
    modules(kernel, [*MODULES, fs], root / "modules")
    names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
    archive = here / "initramfs.cpio"
    with archive.open("wb") as out:
        command = ["cpio", "--create", "--format=newc", "--quiet"]
        subprocess.run(command, cwd=root, input=names, stdout=out, check=True)
    return archive


def libraries(program):
    """Those that a program is linked to, and what loads them."""
    told = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", told)]


def modules(kernel, wanted, into):
    """Copies these modules of the kernel's, and those that they need. Writes down in which order they are to be loaded."""
    place = next((kernel / "lib/modules").iterdir())
    subprocess.run(["depmod", "-b", kernel, place.name], check=True)
    needs = dict(line.split(":") for line in (place / "modules.dep").read_text().splitlines())
    builtin = {pathlib.Path(line).stem for line in (place / "modules.builtin").read_text().splitlines()}
    order = []
    for name in wanted:
        found = [path for path in needs if pathlib.Path(path).stem == name]
        if not found and name not in builtin:
            raise RuntimeError(f"the kernel has no module {name}")
        for path in found:
            # What is named last is needed first.
            order += [each for each in [*reversed(needs[path].split()), path] if each not in order]
    # depmod does not know that whoever is on the bus needs its rings.
    order.sort(key=lambda path: pathlib.Path(path).stem != "virtio_ring")
    for path in order:
        shutil.copy(place / path, into / pathlib.Path(path).name)
    (into / "order").write_text("".join(f"{pathlib.Path(path).name}\n" for path in order))
