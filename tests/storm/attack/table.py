"""docs/ATTACKS.md: what was found, as tables."""
import os

from .cases import CASES, COLUMNS, PROBES
from .world import SECONDS

HEAD = """# Attacks and what finds them

Made by `tests/storm/attacks.py --write` and compared with what it finds in every
run of the storms: change the program, not this file. What is proved, and what is
not, is in [THREATS.md](THREATS.md).

Each row is a copy of a small log (about 30 entries in 4 segments, with rotations,
redactions and compaction where it is about these), attacked at a place that the
seed chooses. The cells are verdicts and exit codes over all seeds (here {seeds});
a status of 0 says that the column does **not** find it.

- *verify*: `verify DIR`, the keys taken from the directory
- *verify --key*: with the newest verifier key of the log pinned
- *parity*: `parity DIR`, nothing pinned
- *with a witness*: the key pinned, and the head that the log had before the attack
  given with `--expect-head` (even seeds) or `--witness` (odd ones)
- *append*: opening for writing, and one more delta. Opening looks at the end of the
  log only (THREATS.md); what it takes, it destroys nothing of

`tests/verify.py`, run in the same process, says the same as both *verify* columns:
verdict, file and offset of the first finding, or size and root. Of every row it is
checked, too, that nothing that reads writes, that nothing outside of the directory
changes, that no output holds a secret key, that a refused append leaves the log as
it was, and that every command ends within {seconds} seconds of computing and 1 GiB
of address space, and not of a signal.

Rows without a finding in the column *with a witness* are no change of the history:
a store, a key or a file that only the other columns look at.

"""


def cell(values):
    """`A, B 5` for `A 5` and `B 5`."""
    by_status = {}
    for value in sorted(values):
        word, status = value.rsplit(" ", 1)
        by_status.setdefault(status, []).append(word)
    return "; ".join(f"{', '.join(words)} {status}" for status, words in
                     sorted(by_status.items()))


def title(case):
    """The attack, and what a command that is not in a column says of it."""
    also = {a[0]: word for a, word in getattr(case, "also", ()) if word}
    more = ", ".join(f"`{name}` says {word}" for name, word in also.items())
    return escaped(case.name) + (f"; {more}" if more else "")


def escaped(text):
    return text.replace("|", "\\|").replace("*", "\\*")


def write(top, tally, seeds):
    parts, lines = {}, [HEAD.format(seconds=SECONDS, seeds=seeds)]
    for case in CASES:
        if case.name in tally.cells:
            parts.setdefault(case.part, []).append(case)
    for part, cases in parts.items():
        lines += [f"## {part}\n", "| attack | " + " | ".join(COLUMNS.values()) + " |",
                  "| --- " * (1 + len(COLUMNS)) + "|"]
        lines += ["| " + " | ".join([title(c)] + [
            cell(tally.cells[c.name][column]) for column in COLUMNS]) + " |" for c in cases]
        lines.append("")
    parts = {}
    for case in PROBES:
        if case.name in tally.cells:
            parts.setdefault(case.part, []).append(case)
    for part, cases in parts.items():
        lines += [f"## {part}\n", "| attack | outcome |", "| --- | --- |"]
        for c in cases:
            said = sorted({w for text in tally.cells[c.name]["r"] for w in text.split(", ")})
            lines.append(f"| {escaped(c.name)} | {', '.join(said)} |")
        lines.append("")
    with open(os.path.join(top, "docs", "ATTACKS.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines).rstrip("\n") + "\n")


def words(text):
    """The single outcomes of a cell: {"A 5", "B 5", "OK 0"}."""
    out = set()
    for part in text.split("; "):
        said, status = part.rsplit(" ", 1) if " " in part else (part, "")
        out |= {f"{w} {status}" for w in said.split(", ")}
    return out


def known(top):
    """The rows of the document: cells by attack."""
    rows = {}
    with open(os.path.join(top, "docs", "ATTACKS.md"), encoding="utf-8") as f:
        for line in f:
            cells = line.rstrip("\n").strip("|").split(" | ")
            if line.startswith("| ") and not line.startswith(("| ---", "| attack |")):
                rows[cells[0].strip()] = [c.strip() for c in cells[1:]]
    return rows


def differs(top, tally):
    """Why the document is not what was found, or None.  A cell is found or clean in
    both; another verdict than its seeds gave is told and is no failure."""
    if not os.path.exists(os.path.join(top, "docs", "ATTACKS.md")):
        return "docs/ATTACKS.md is not there"
    rows = known(top)
    names = {title(c) for c in CASES + PROBES}
    if set(rows) - names:
        return f"docs/ATTACKS.md has rows of nothing: {sorted(set(rows) - names)}"
    for case in CASES + PROBES:
        if case.name not in tally.cells:
            continue
        have, found = rows.get(title(case)), tally.cells[case.name]
        if have is None:
            return f"docs/ATTACKS.md lacks {case.name}"
        if case in PROBES:
            more = {w for text in found["r"] for w in text.split(", ")} - set(
                have[0].split(", "))
            if more:
                print(f"# docs/ATTACKS.md, {case.name}: {more} was found, too")
            continue
        for cell_, column in zip(have, COLUMNS):
            what = f"docs/ATTACKS.md, {case.name}: {COLUMNS[column]} has {cell_}, found" \
                   f" was {sorted(found[column])}"
            clean, known_clean = ({w[-2:] == " 0" for w in said}
                                  for said in (found[column], words(cell_)))
            if clean - known_clean and column not in case.either:
                return what
            if found[column] - words(cell_):
                print("# " + what)
    return None
