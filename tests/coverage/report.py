#!/usr/bin/env python3
"""report.py - line and branch coverage of core and recovery; `make coverage`.

    report.py OBJECTS [--long | --update]

OBJECTS is the directory with the .gcno and .gcda files of core/ and
recovery/.  Prints both numbers for each file and in total, and every line and
branch that no test came by, with the reason that uncovered.txt has for it.

The short form, which leaves out the error sweeps and some slow tests, fails
below FLOOR.  With --long (every test and storm ran) each line and each branch
must be covered, or have a reason in uncovered.txt, and each entry there must
still be one.  --update writes uncovered.txt anew after a long run: reasons
stay with what they are about, what is new stands under `not yet explained`,
which --long counts as failures.
"""
import collections
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
from places import listed, place  # noqa: E402

PARTS = ("core/", "recovery/")
LIST = HERE + "/uncovered.txt"
NEW = "not yet explained"
FLOOR = {"lines": 90, "branches": 75}


def documents(directory):
    """What gcov says of each object."""
    notes = [os.path.join(root, name) for root, _, names in os.walk(directory)
             for name in sorted(names) if name.endswith(".gcno")]
    if not notes:
        sys.exit(f"{directory} has no .gcno files")
    gcov = os.environ.get("GCOV", "gcov").split()
    out = subprocess.run([*gcov, "--json-format", "--stdout", "--branch-probabilities",
                          *notes], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    return [json.loads(line) for line in out.decode().splitlines() if line]


def collect(directory):
    """{file: {line: [function, count, [branch counts]]}}; an inline function
    of a header is one, wherever it was compiled into."""
    files = collections.defaultdict(dict)
    for document in documents(directory):
        for file in document["files"]:
            name = os.path.normpath(file["file"])
            if not name.startswith(PARTS):
                continue
            for line in file["lines"]:
                entry = files[name].setdefault(
                    line["line_number"], [line.get("function_name", ""), 0, []])
                entry[1] += line["count"]
                for i, branch in enumerate(line["branches"]):
                    if i == len(entry[2]):
                        entry[2].append(0)
                    entry[2][i] += branch["count"]
    return files


def uncovered(files):
    """[(entry, where)] in the order of the files; what stands in a line that
    never ran is not said again branch by branch."""
    for file, lines in sorted(files.items()):
        for number, (function, count, branches) in sorted(lines.items()):
            name, where = place(file, function, number), f"{file}:{number}"
            if not count:
                yield name + " line", where
                continue
            for i, taken in enumerate(branches):
                if not taken:
                    yield f"{name} branch {i + 1} of {len(branches)}", where


def share(n, what):
    seen, of = n["seen " + what], n[what]
    return f"{seen}/{of} {what} ({100 * seen / of:.2f} %)" if of else f"no {what}"


def print_table(files):
    total = collections.Counter()
    for file, lines in sorted(files.items()):
        n = collections.Counter()
        for _, count, branches in lines.values():
            n["lines"] += 1
            n["seen lines"] += count > 0
            n["branches"] += len(branches)
            n["seen branches"] += sum(b > 0 for b in branches)
        total += n
        print(f"{file}: {share(n, 'lines')}, {share(n, 'branches')}")
    print(f"total of core and recovery: {share(total, 'lines')}, {share(total, 'branches')}")
    return total


def print_uncovered(found, known):
    by_reason = collections.defaultdict(list)
    for entry, where in found:
        by_reason[known.get(entry, NEW)].append((entry, where))
    for reason, entries in sorted(by_reason.items()):
        print(f"= {reason}")
        for entry, where in entries:
            print(f"    {entry} [{where}]")


def judge_list(found, known):
    """How many entries are missing, have no reason, or are no more."""
    unexplained = [e for e, _ in found if known.get(e, NEW) == NEW]
    gone = sorted(set(known) - {e for e, _ in found})
    for entry in unexplained:
        print(f"FAIL nothing says why: {entry}")
    for entry in gone:
        print(f"FAIL listed, but covered or gone: {entry}")
    return len(unexplained) + len(gone)


def update(found, known):
    by_reason = collections.defaultdict(list)
    for entry, _ in found:
        by_reason[known.get(entry, NEW)].append(entry)
    with open(LIST) as f:
        head = "".join(line for line in f if line.startswith("#"))
    with open(LIST, "w") as f:
        f.write(head)
        for reason, entries in sorted(by_reason.items()):
            f.write(f"\n= {reason}\n" + "".join(e + "\n" for e in entries))


def main():
    files = collect(sys.argv[1])
    found, known = list(uncovered(files)), listed(LIST)
    if "--update" in sys.argv:
        update(found, known)
        return 0
    print_uncovered(found, known)
    total = print_table(files)
    failed = 0
    if "--long" in sys.argv:
        failed = judge_list(found, known)
    for what, floor in FLOOR.items():
        if 100 * total["seen " + what] < floor * total[what]:
            print(f"FAIL less than {floor} % of the {what}")
            failed += 1
    print(f"{0 if failed else 1} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
