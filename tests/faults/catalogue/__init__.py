"""All deliberate faults, in the order of the table in ARCHITECTURE.md."""

from . import answers, flushes, judging, names, orders, travel

FAULTS = [
    *flushes.FAULTS,
    *names.FAULTS,
    *orders.FAULTS,
    *answers.FAULTS,
    *judging.FAULTS,
    *travel.FAULTS,
]
