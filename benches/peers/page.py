"""docs/PERFORMANCE.md: page.md with the figures of a run. Nobody edits them by hand."""

import os
import pathlib
import platform
import re
import subprocess
import time

import install
import plot
import results as found
from work import AT_A_TIME, THREADS, better

TEMPLATE = install.HERE / "page.md"


def write(results, candidates, commit, disk, rounds, command, into):
    """Writes the page and its picture into a folder."""
    values = {
        "command": command,
        "commit": commit,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "disk": disk.words,
        "rounds": f"{rounds} rounds" if rounds > 1 else "one round, which says little",
        "threads": str(THREADS["flush"]),
        "at_a_time": str(AT_A_TIME["submit-and-handle"]),
        "in_a_drain": str(AT_A_TIME["drain"]),
        "overview": overview(results),
        "table": table(results),
        "claims": claims(results),
        "losses": losses(results),
        "durable": durable(candidates),
        "troubles": troubles(results),
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda name: values[name.group(1)], TEMPLATE.read_text())
    into.mkdir(parents=True, exist_ok=True)
    (into / "PERFORMANCE.md").write_text(page)
    (into / "performance.svg").write_text(plot.svg(results))


# Everybody else has a column together.
COLUMNS = ["Redis", "beanstalkd", "NATS JetStream", "PostgreSQL", "SQLite"]


def overview(results):
    """A line for each work, a column for whoever does most of them."""
    head = [found.FLOOR, f"**{found.OURS}**", "× the floor", *COLUMNS, "others"]
    lines = [f"| work | {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)} --- |"]
    for work in results.tried():
        medians = dict(results.ranked(work))
        floor, ours = (medians.pop(name, None) for name in (found.FLOOR, found.OURS))
        cells = [shown(work, floor), f"**{shown(work, ours)}**", ratio(work, ours, floor) if ours else ""]
        cells += [shown(work, medians.pop(name, None)) for name in COLUMNS]
        cells.append(", ".join(f"{name} {shown(work, figure)}" for name, figure in medians.items()))
        lines.append(f"| {found.titled(results, work)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(work, figure):
    return found.said(work, figure) if figure else "–"


def table(results):
    """A line for each work and candidate: the median, how far the rounds were apart, and two ratios."""
    lines = ["| work | who | median | of all rounds | × the floor | × filedrop |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for work in results.tried():
        title = f"**{found.titled(results, work)}**"
        for name, figure in results.ranked(work):
            rounds = results.figures[work.key][name]
            apart = f"{found.said(work, min(rounds))} to {found.said(work, max(rounds))}"
            ratios = [ratio(work, figure, results.median(work, than)) for than in (found.FLOOR, found.OURS)]
            shown = f"**{name}**" if name == found.OURS else name
            lines.append(f"| {title} | {shown} | {found.said(work, figure)} | {apart} | {ratios[0]} | {ratios[1]} |")
            title = ""
    return "\n".join(lines)


def ratio(work, figure, than):
    """How many times as good: of times, the other one is divided by this one."""
    return found.ratio(better(work, figure, than)) if than else ""


def claims(results):
    lines = ["| what must be | what was | |", "| --- | ---: | --- |"]
    lines += [f"| {what} | {was} | {'holds' if holds else '**does not hold**'} |" for what, was, holds in found.claims(results)]
    return "\n".join(lines)


def losses(results):
    lines = []
    for work, ahead in found.losses(results):
        names = ", ".join(f"{name} {found.ratio(by)} ×" for name, by in ahead)
        lines.append(f"- {found.titled(results, work)}: {names}")
    return "\n".join(lines) or "Nobody was quicker by more than 5 %, in anything."


def durable(candidates):
    lines = ["| who | version | not flushed | flushed |", "| --- | --- | --- | --- |"]
    for each in candidates:
        words = [each.durable.get(durability, "–") for durability in ("os", "flush")]
        lines.append(f"| {each.name} | {each.version} | {words[0]} | {words[1]} |")
    return "\n".join(lines)


def troubles(results):
    lines = [f"- {what}: {' / '.join(why.split(chr(10)))}" for what, why in results.troubles.items()]
    return "\n".join(["Not measured:", "", *lines]) if lines else "Everybody could be measured."


def machine():
    """What of a machine matters here. Not its name."""
    kernel = re.match(r"[\d.]+", platform.release())
    models = re.findall(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    virtual = subprocess.run(["systemd-detect-virt", "--quiet"], check=False).returncode == 0 if install.find("systemd-detect-virt") else False
    kind = "a virtual machine" if virtual else "a machine"
    processor = f" ({models[0].strip()})" if models else ""
    return f"{kind} with {os.cpu_count()} cores{processor}, {memory:.0f} GiB, {platform.system()} {kernel.group() if kernel else '?'}"


def printed(results):
    """The table for a terminal."""
    lines = []
    for work in results.tried():
        lines.append(f"\n{found.titled(results, work)}")
        for name, figure in results.ranked(work):
            ratios = [ratio(work, figure, results.median(work, than)) or "-" for than in (found.FLOOR, found.OURS)]
            lines.append(f"  {name:<20} {found.said(work, figure):>14} {ratios[0]:>8} × floor {ratios[1]:>8} × filedrop")
    lines.append("\nmust show")
    for what, was, holds in found.claims(results):
        lines.append(f"  {'holds  ' if holds else 'FAILS  '} {what}: {was}")
    lines += ["", *(f"not measured: {what}: {why}" for what, why in results.troubles.items())]
    return "\n".join(lines)
