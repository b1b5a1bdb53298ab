"""places.py - names for places in the source that survive a moved line.

A list that explains lines of code (tests/coverage/uncovered.txt,
tests/mutate/survivors.txt) names them

    core/buf.c:plog_buf_put: `if (rc)` (2)

by file, function and text; (2) is there when this is the second line of the
function with this text.  In such a list a line that begins with `= ` is the
heading, the reason for all entries below it up to the next one; `#` begins a
comment, and lines that begin with a space are more of the text above.
"""
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_sources = {}


def source(file):
    if file not in _sources:
        with open(os.path.join(TOP, file)) as f:
            _sources[file] = f.read().split("\n")
    return _sources[file]


def place(file, function, line):
    lines = source(file)
    text = lines[line - 1].strip()
    first = line - 1
    while first > 0 and lines[first] != "{":
        first -= 1
    nth = sum(1 for other in lines[first:line] if other.strip() == text)
    return f"{file}:{function}: `{text}`" + (f" ({nth})" if nth > 1 else "")


def listed(path):
    """{entry: heading} of such a list."""
    entries, heading = {}, ""
    if not os.path.exists(path):
        return entries
    with open(path) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("= "):
                heading = line[2:]
            elif line and line[0] not in "# ":
                if line in entries:
                    raise SystemExit(f"{path}:{number}: this is there twice")
                entries[line] = heading
    return entries
