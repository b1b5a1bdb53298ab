"""plot.py - the picture of a result of the bench, as SVG.

Above: events a second of the rows that write, on a logarithmic scale, with
the spread of the runs.  Below: each floor as 1, and how far the row is from
it; what lies left of the line is not reached.
"""
import math
from xml.sax.saxutils import escape

from figures import number, over_limit, spread

WIDTH, NAMES, RIGHT, BAR, GAP = 900, 330, 110, 13, 5
COLOURS = {"limits": "#8a8a8a", "writing": "#1f6fb2", "other data": "#6aa5d8",
           "peers": "#c07a2c"}
LEAST, MOST = 0.05, 20  # times the floor that are drawn
MET, NOT_MET = "#3d8b4f", "#b5403a"


class Picture:
    """SVG elements, and the height that they take so far."""

    def __init__(self):
        self.parts, self.y = [], 0

    def text(self, x, y, words, anchor="start", size=11, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'font-size="{size}" font-weight="{weight}">{escape(words)}</text>')

    def box(self, x, width, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{self.y}" width="{max(width, 1):.1f}" '
                          f'height="{BAR}" fill="{colour}"/>')

    def line(self, x1, y1, x2, y2, colour="#222", width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def title(self, words):
        self.y += 26
        self.text(10, self.y, words, size=13, weight="bold")
        self.y += 12

    def row(self, name):
        self.text(NAMES - 8, self.y + BAR - 3, name, "end")

    def next(self):
        self.y += BAR + GAP

    def svg(self):
        height = self.y + 12
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
                f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def scale(least, most):
    """Logarithmic: a value's x."""
    low, high = math.log10(least), math.log10(most)

    def place(value):
        at = (math.log10(max(value, least)) - low) / (high - low)
        return NAMES + at * (WIDTH - NAMES - RIGHT)
    return place


def grid(picture, place, least, most, top):
    """A line for each power of ten."""
    for power in range(math.ceil(math.log10(least)), math.floor(math.log10(most)) + 1):
        x = place(10 ** power)
        picture.parts.insert(0, f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" '
                             f'y2="{picture.y}" stroke="#ddd"/>')


def draw_rates(picture, rows):
    """rows: group, name, events per second run by run, and those over O."""
    picture.title("Events a second, durable (and the ratio to O, the bare overwrite)")
    values = [v for _, _, rates, _ in rows for v in rates]
    least, most = min(values) / 1.5, max(values) * 1.2
    place, top = scale(least, most), picture.y
    for group, name, rates, ratios in rows:
        mid, low, high = spread(rates)
        picture.row(name)
        picture.box(NAMES, place(mid) - NAMES, COLOURS.get(group, "#999"))
        middle = picture.y + BAR / 2
        picture.line(place(low), middle, place(high), middle)
        over = f" ({number(spread(ratios)[0])} O)" if ratios else ""
        picture.text(place(high) + 5, picture.y + BAR - 3, number(mid) + over, size=10)
        picture.next()
    grid(picture, place, least, most, top)


def draw_floors(picture, limits):
    """How many times each floor is reached."""
    picture.title("Floors: 1 is the floor, further right is better")
    reached = []
    for limit in limits:
        mid = spread(limit["values"])[0]
        if limit["at_most"]:
            times = limit["floor"] / mid if mid > 0 else MOST
        else:
            times = mid / limit["floor"]
        reached.append((limit, min(max(times, LEAST), MOST)))
    place, top = scale(LEAST, 1.2 * MOST), picture.y
    for limit, times in reached:
        picture.row(f"{limit['row']}: {limit['what']}"[:58])
        colour = NOT_MET if limit["verdict"] == "BELOW" else MET
        left, right = sorted((place(1), place(times)))
        picture.box(left, right - left, colour)
        words = f"{times:.2f}" + ("+" if times == MOST else "")
        picture.text(place(max(times, 1)) + 5, picture.y + BAR - 3, words, size=10)
        picture.next()
    picture.line(place(1), top, place(1), picture.y)


def draw(data, peers=()):
    """The picture of a result; peers: name, events per second, ratios to O."""
    rows = [(row["group"], row["name"], row["figures"]["events_per_s"], over_limit(row))
            for row in data["rows"]
            if row["group"] in COLOURS and row["figures"].get("events_per_s")]
    rows += [("peers", name, rates, ratios) for name, rates, ratios in peers]
    picture = Picture()
    if rows:
        draw_rates(picture, rows)
    limits = [limit for limit in data["limits"] if limit["floor"]]
    if limits:
        draw_floors(picture, limits)
    return picture.svg()
