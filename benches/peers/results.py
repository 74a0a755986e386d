"""What was measured, and what must show in it."""

import collections
import statistics

from work import WORKS, better

OURS, FLOOR = "filedrop", "floor"


class Results:
    """For each work that was tried: how many jobs, and for each candidate the figures of its rounds."""

    def __init__(self):
        self.jobs = {}
        self.figures = collections.defaultdict(dict)
        # What could not be measured, and why.
        self.troubles = {}

    def add(self, work, name, figure):
        self.figures[work.key].setdefault(name, []).append(figure)

    def trouble(self, what, why):
        self.troubles.setdefault(what, why)

    def median(self, work, name):
        figures = self.figures[work.key].get(name)
        return statistics.median(figures) if figures else None

    def tried(self):
        return [work for work in WORKS if work.key in self.jobs]

    def ranked(self, work):
        """Names and medians, the best first."""
        found = [(name, self.median(work, name)) for name in self.figures[work.key]]
        return sorted(found, key=lambda each: each[1], reverse=work.unit == "rate")


# What must be: `of` is ours, divided by that of `than`: at most or at least so much.
Claim = collections.namedtuple("Claim", "work than limit", defaults=[None])
CLAIMS = [
    Claim("round-trip-os", FLOOR, 1.3),
    Claim("round-trip-os", "NATS JetStream", 1),
    Claim("round-trip-os", "beanstalkd", 1.1),
    Claim("round-trip-flush", "PostgreSQL", 0.7),
    Claim("round-trip-flush", "beanstalkd", 1),
    Claim("submit-flush-1", FLOOR, 0.9),
    Claim("submit-flush-8", FLOOR, 0.9),
    Claim("submit-flush-32", FLOOR, 0.9),
    Claim("submit-and-handle-flush", FLOOR, 0.85),
    Claim("submit-and-handle-os", FLOOR, 0.85),
    Claim("drain-os-100000", FLOOR, 1.2),
    Claim("pick-up-os", FLOOR, 1.5),
    Claim("process-os", FLOOR, 0.8),
]
LEAST_BY_WORKERS = 8000


def claims(results):
    """Lines of three words: what must be, what was, whether it holds. What was not measured is none."""
    works = {work.key: work for work in results.tried()}
    for claim in CLAIMS:
        work = works.get(claim.work)
        ours, than = (work and results.median(work, name) for name in (OURS, claim.than))
        if not (ours and than):
            continue
        limit = f"{'at most' if work.unit == 'time' else 'at least'} {claim.limit:g} × {claim.than}"
        holds = ours <= claim.limit * than if work.unit == "time" else ours >= claim.limit * than
        yield f"{titled(results, work)}: {limit}", f"{ours / than:.2f} ×", holds
    few, many = (works.get(f"drain-os-{jobs}") for jobs in (1000, 100_000))
    if few and many and (one := results.median(few, OURS)) and (other := results.median(many, OURS)):
        what = f"drain: a job of {results.jobs[many.key]:,} costs within 25 % of one of {results.jobs[few.key]:,}"
        yield what, f"{other / one:.2f} ×", 0.75 <= other / one <= 1.25
    work = works.get("process-os")
    if work and (rate := results.median(work, "filedrop --worker")):
        yield f"`--worker` with {LEAST_BY_WORKERS:,} jobs a second", f"{rate:,.0f} /s", rate >= LEAST_BY_WORKERS


def titled(results, work):
    return work.title.format(jobs=f"{results.jobs[work.key]:,}")


def said(work, figure):
    """A figure for people."""
    if work.unit == "rate":
        return f"{figure:,.0f} /s"
    return f"{figure:,.1f} µs" if figure < 100 else f"{figure:,.0f} µs"


def ratio(times):
    """So many times as good, for people."""
    return "< 0.01" if times < 0.01 else f"{times:.2g}" if times < 100 else f"{times:,.0f}"


def losses(results):
    """For each work those that are better than ours, the best first, the floor apart."""
    for work in results.tried():
        ours = results.median(work, OURS)
        if not ours:
            continue
        others = [(name, better(work, figure, ours)) for name, figure in results.ranked(work) if name not in (OURS, FLOOR, "filedrop --worker")]
        ahead = [(name, by) for name, by in others if by >= 1.05]
        if ahead:
            yield work, ahead
