#!/usr/bin/env python3
"""compare.py - what moved between two results of the bench.

    python3 tests/bench/compare.py A B

A, B   results (--json of the bench), or commits of this repository: those are
       built and run with `make bench`, one after the other, and the result is
       kept in BUILD/commits (BUILD: default build)

Rows that write are compared by their ratio to the overwrite loop, because
disks drift; all others as they are.  A row moved when the median of B lies
outside of the spread of A, by more than 3 %; it is slower when no run of B is
as good as any of A.  p99 is told and fails nothing.

Exit status: 0; 1 when something got slower; 2 usage.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from figures import load, over_limit, spread, with_spread  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
BAND = 0.03
# Of each figure whether more is better; those that only describe are left out.
BETTER = {"events_per_s": True, "mb_per_s": True, "p50_us": False, "p99_us": False,
          "cpu_us_per_event": False, "ms": False, "ratio": None, "ms_over_allowance": False,
          "ms_longer_wait": False, "peak_rss_mib": False, "beyond_cache_mib": False,
          "log_bytes_over_event": False, "both_legs_bytes_per_event": False,
          "syncs_per_commit": False}
TELL_ONLY = ("p99_us", "ms_longer_wait", "ms_over_allowance")


def result_of(what):
    """The result in a file, or of a commit."""
    if os.path.isfile(what):
        return load(what)
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--verify", "--quiet",
                             what + "^{commit}"], capture_output=True, text=True,
                            check=False).stdout.strip()
    if not commit:
        sys.exit(usage(f"{what} is neither a file nor a commit"))
    kept = os.path.join(BUILD, "commits", commit + ".json")
    if not os.path.exists(kept):
        measure(commit, kept)
    return load(kept)


def measure(commit, kept):
    """Builds a commit beside this one and runs its bench."""
    tree = os.path.join(BUILD, "commits", commit)
    os.makedirs(tree, exist_ok=True)
    files = subprocess.run(["git", "-C", TOP, "archive", commit], check=True,
                           stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", tree], input=files, check=True)
    subprocess.run(["make", f"-j{os.cpu_count() or 1}", "-C", tree, f"BUILD={tree}/build",
                    "bench"], check=True)
    os.replace(os.path.join(tree, "build", "bench.json"), kept)


def usage(why):
    print(f"compare.py: {why}", file=sys.stderr)
    print("usage: compare.py A B   (results, or commits)", file=sys.stderr)
    return 2


def comparable(row):
    """Name of a figure -> its values, run by run."""
    figures = {name: values for name, values in row["figures"].items() if name in BETTER}
    ratio = over_limit(row)
    if ratio:
        figures["events_per_s"] = ratio
    return figures


def more_is_better(figure, row_name):
    if figure == "ratio":  # of archive to zlib; of compact and append to what they cost
        return row_name == "archive"
    return BETTER[figure]


def judge(before, after, up):
    """"": not moved; else faster, slower or moved."""
    mid, least, most = spread(after)
    _, low, high = spread(before)
    room = BAND * max(abs(low), abs(high))
    if low - room <= mid <= high + room:
        return ""
    if mid > high + room:
        apart, better = least > high, up
    else:
        apart, better = most < low, not up
    return ("faster" if better else "slower") if apart else "moved"


def compare(a, b):
    """Prints what moved; returns how many rows got slower."""
    slower = 0
    old = {row["name"]: row for row in a["rows"]}
    for row in b["rows"]:
        if row["name"] not in old:
            print(f"new      {row['name']}")
            continue
        before, after = comparable(old[row["name"]]), comparable(row)
        for figure in before.keys() & after.keys():
            word = judge(before[figure], after[figure], more_is_better(figure, row["name"]))
            if not word:
                continue
            if word == "slower" and figure in TELL_ONLY:
                word = "moved"
            slower += word == "slower"
            unit = "ratio to O" if figure == "events_per_s" and over_limit(row) else figure
            print(f"{word:8} {row['name']}: {unit} {with_spread(before[figure])}"
                  f" -> {with_spread(after[figure])}")
    for name in old.keys() - {row["name"] for row in b["rows"]}:
        print(f"gone     {name}")
    return slower


def main():
    if len(sys.argv) != 3:
        return usage("two results are wanted")
    try:
        a, b = result_of(sys.argv[1]), result_of(sys.argv[2])
    except (OSError, ValueError, subprocess.CalledProcessError) as e:
        return usage(e)
    slower = compare(a, b)
    print(f"{slower} slower" if slower else "nothing got slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
