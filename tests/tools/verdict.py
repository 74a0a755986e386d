"""What became of the files, as a table."""

import collections
import hashlib
import statistics


def tell(tried, made, sent, log, seen, drop):
    """Prints the table. Whether all was well."""
    handled = collections.defaultdict(list)
    for line in log.read_text(encoding="utf-8").splitlines():
        by_descriptor, by_name, name = line.split(" ", 2)
        handled[name].append((by_descriptor, by_name))
    final = {name for each in made.values() for name in each.expected}
    titles = ["tool", "files", "whole", "twice", "half", "lost", "stopped", "taken after", "name while it is written"]
    rows, failures = [titles], []
    for way in tried:
        each = made[way.name]
        failure, caught = sent[way.name]
        row, well = judge(way, each, handled, seen, caught)
        rows.append(row)
        if failure:
            failures.append(f"{way.name} failed: {failure}")
        if not well:
            failures.append(f"{way.name}: not every file was handled whole, once")
        if way.name == "ln" and any(digest(path) != each.expected[path.name] for path in each.sources):
            failures.append("ln: a file was changed under its other name")
    failures += strangers(handled, seen, final, drop)
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()
    for failure in failures:
        print(failure)
    back = sum(len(seen.names[name].taken) - 1 for name in final if seen.names[name].taken)
    print(f"{len(final)} files, {back} put back after a second look: {'BAD' if failures else 'all well'}", flush=True)
    return not failures


def judge(way, each, handled, seen, caught):
    """One row, and whether it is a good one."""
    runs = {name: handled.get(name, []) for name in each.expected}
    whole = sum((checksum, checksum) in runs[name] for name, checksum in each.expected.items())
    twice = sum(len(times) > 1 for times in runs.values())
    half = sum(run != (each.expected[name],) * 2 for name, times in runs.items() for run in times)
    lost = sum(not times for times in runs.values())
    names = [seen.names[name] for name in each.expected if name in seen.names]
    waits = [name.taken[0] - name.ready for name in names if name.taken]
    after = f"{statistics.median(waits):.1f} s" if waits else "-"
    stopped = "-" if way.slow is None else "half-way" if caught else "too late"
    counts = [str(number) for number in (len(each.expected), whole, twice, half, lost)]
    written = sorted(name for name, story in seen.names.items() if story.renamed and way_of(name) == way.key)
    row = [way.name, *counts, stopped, after, written[0] if written else "its own"]
    return row, whole == len(each.expected) and not (twice or half or lost)


def way_of(name):
    """The key of the tool that wrote a file of this name, be it a temporary one."""
    return name.removeprefix(".in").lstrip(".").split("-")[0]


def strangers(handled, seen, final, drop):
    """What was touched that nobody dropped, and what is left."""
    failures = [f"{name} was handled, and nobody dropped it" for name in handled if name not in final]
    for name, story in seen.names.items():
        # Our own jobs come and go there, too.
        if story.taken and name not in final and not name.endswith(".job.json"):
            failures.append(f"{name} was taken while it was being written")
    for name in sorted(path.name for path in (drop / "inbox").iterdir()):
        failures.append(f"{name} is left in the inbox")
    return failures


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
