"""The table as a picture: a panel a work, a bar a candidate."""

import html

from results import FLOOR, OURS, ratio, said, titled
from work import better

COLUMNS, PANEL, NAMES, BAR, STEP, HEAD, MARGIN = 2, 470, 125, 215, 19, 34, 18
COLOURS = {FLOOR: "#9aa0a6", OURS: "#d9480f", f"{OURS} --worker": "#f08c5a"}
OTHERS = "#4c78a8"
# A bar that is so many times as long as ours is cut, and says so: else nobody could see the others.
LONGEST = 5


def svg(results):
    works = results.tried()
    rows = [works[start : start + COLUMNS] for start in range(0, len(works), COLUMNS)]
    parts, top = [], MARGIN
    for row in rows:
        for column, work in enumerate(row):
            parts.append(panel(results, work, MARGIN + column * PANEL, top))
        top += HEAD + STEP * max(len(results.figures[work.key]) for work in row) + MARGIN
    width, height = 2 * MARGIN + COLUMNS * PANEL, top
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
    )
    return head + "".join(parts) + "</svg>\n"


def panel(results, work, left, top):
    ranked = results.ranked(work)
    ours = results.median(work, OURS) or ranked[0][1]
    most = min(max(figure for _, figure in ranked), LONGEST * ours)
    direction = "less is better" if work.unit == "time" else "more is better"
    parts = [
        f'<text x="{left}" y="{top + 12}" font-weight="bold" fill="#202124">{html.escape(titled(results, work))}'
        f'<tspan dx="5" font-weight="normal" fill="#5f6368">{direction}</tspan></text>\n'
    ]
    for place, (name, figure) in enumerate(ranked):
        y = top + HEAD - 12 + place * STEP
        length = max(1, BAR * min(figure, most) / most)
        cut = " »" if figure > most else ""
        times = "" if name == OURS else html.escape(f"{ratio(better(work, figure, ours))} ×")
        parts.append(
            f'<text x="{left + NAMES - 6}" y="{y + 11}" text-anchor="end" fill="#202124">{html.escape(name)}</text>'
            f'<rect x="{left + NAMES}" y="{y}" width="{length:.1f}" height="{STEP - 5}" fill="{COLOURS.get(name, OTHERS)}"/>'
            f'<text x="{left + NAMES + length + 4:.1f}" y="{y + 11}" fill="#202124" font-size="11">{said(work, figure)}{cut}'
            f'<tspan dx="5" fill="#5f6368">{times}</tspan></text>\n'
        )
    return "".join(parts)
