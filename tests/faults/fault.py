"""What a deliberate fault is, and whether it still fits the source."""

import collections
import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL = "src/adapters/store/local/"

# What stands above the table of faults in ARCHITECTURE.md.
TABLE_HEAD = "| key | row | fault | caught by |\n| --- | --- | --- | --- |\n"


@dataclasses.dataclass
class Fault:
    key: str
    # The rows of PROTOCOL.md whose promise it breaks; empty where only processes are concerned.
    rows: str
    what: str
    # The target in tests/, and the test in it that must catch the fault: "proof races::a_test".
    test: str
    # (file, text, what stands there instead). The text must be there exactly once.
    edits: list

    @property
    def target(self):
        return self.test.split()[0]

    @property
    def name(self):
        return self.test.split()[1]

    def mutated(self):
        """What the files would be with this fault. ValueError if it no longer fits."""
        files = {}
        for name, text, instead in self.edits:
            source = files.get(name) or (ROOT / name).read_text(encoding="utf-8")
            if source.count(text) != 1:
                raise ValueError(f"fault {self.key} fits {name} {source.count(text)} times, not once:\n{text}")
            if text == instead:
                raise ValueError(f"fault {self.key} changes nothing in {name}:\n{text}")
            files[name] = source.replace(text, instead)
        return files


def local(file, text, instead=""):
    """An edit of the store: by default the text goes."""
    return (LOCAL + file, text, instead)


def table(faults):
    rows = [f"| `{f.key}` | {f.rows} | {f.what} | `{f.test}` |\n" for f in faults]
    return TABLE_HEAD + "".join(rows)


def misfits(faults):
    """What is wrong with the list: with the source, the tests, PROTOCOL.md or ARCHITECTURE.md."""
    keys = collections.Counter(fault.key for fault in faults)
    yield from (f"two faults have the key {key}" for key, times in keys.items() if times > 1)
    for fault in faults:
        try:
            fault.mutated()
        except (OSError, ValueError) as e:
            yield str(e)
        if not test_exists(fault):
            yield f"fault {fault.key}: tests/{fault.target} has no test {fault.name}"
    protocol = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(?:\| |- )([PR]\d+) ", protocol, re.MULTILINE)
    covered = {row for fault in faults for row in fault.rows.split()}
    yield from (f"no fault breaks {row} of PROTOCOL.md" for row in rows if row not in covered)
    yield from (f"PROTOCOL.md has no {row}" for row in sorted(covered - set(rows)))
    if table(faults) not in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"):
        yield "ARCHITECTURE.md has another table of faults than `tests/faults/run --table` prints"


def test_exists(fault):
    """Whether such a function is where its path says; modules that a macro makes are not told apart."""
    tests, (*modules, test) = ROOT / "tests", fault.name.split("::")
    if (tests / f"{fault.target}.rs").is_file():
        places = [tests / f"{fault.target}.rs"]
    else:
        places = [
            tests / fault.target / "main.rs",
            *(tests / fault.target).glob(f"{(modules or ['*'])[0]}*/**/*.rs"),
        ]
        places += (tests / fault.target).glob(f"{(modules or ['*'])[0]}.rs")
    function = re.compile(rf"\bfn {re.escape(test)}\b")
    return any(function.search(place.read_text(encoding="utf-8")) for place in places if place.is_file())
