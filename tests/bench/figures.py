"""figures.py - what report.py and compare.py share: reading what the bench
wrote, medians, numbers as text."""
import json
import math


def load(path):
    """One result of the bench; raises ValueError for anything else."""
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    if data.get("schema") != "paritylog/bench/2":
        raise ValueError(f"{path}: not a result of this bench")
    return data


def median(values):
    """Of an even number the lower of the two in the middle, as the bench."""
    return sorted(values)[(len(values) - 1) // 2]


def spread(values):
    """Median, least and greatest."""
    return median(values), min(values), max(values)


def number(x):
    """Three digits that count, thousands with commas."""
    if x == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    return f"{round(x, digits):,.{digits if abs(x) < 100 else 0}f}"


def with_spread(values):
    mid, least, most = spread(values)
    if len(values) == 1:
        return number(mid)
    return f"{number(mid)} ({number(least)}–{number(most)})"


def over_limit(row):
    """Events per second over those of the overwrite loop right before, run by
    run; None for rows that have none."""
    figures = row["figures"]
    rate, limit = figures.get("events_per_s"), figures.get("o_events_per_s")
    if not rate or not limit or len(rate) != len(limit):
        return None
    return [a / b for a, b in zip(rate, limit)]
