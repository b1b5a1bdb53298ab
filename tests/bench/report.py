#!/usr/bin/env python3
"""report.py - the measured part of docs/BENCHMARKS.md, and its picture.

    python3 tests/bench/report.py RESULT [--plain RESULT] [--peers FILE]
                                  [--command TEXT] [--write DOC] [--svg FILE]

RESULT     what the bench wrote with --json
--plain    that of a build without libcrypto: a column beside
--peers    what peers.py wrote
--command  what was run, to be named
--write    puts the text between the two markers of DOC (else it is printed)
--svg      where the picture goes
"""
import argparse
import json
import sys

sys.dont_write_bytecode = True
import plot  # noqa: E402
from figures import load, number, over_limit, spread, with_spread  # noqa: E402

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
STEPS = (("log_sync_us", "the log's fdatasync"), ("log_write_us", "the log's pwrite"),
         ("signing_us", "signing"), ("sqlite_us", "SQLite, computing"),
         ("store_read_us", "SQLite, reads"), ("store_write_us", "SQLite, writes to its WAL"),
         ("store_sync_us", "SQLite, syncs"),
         ("checkpoint_us", "checkpoints, with their reads, writes and syncs"),
         ("rest_us", "the rest: scanning, encoding, hashing, locks"),
         ("other_threads_us", "beside it, on other threads"))
WORDS = {"BELOW": "**no**", "floor": "yes", "aim": "yes, and the aim", "-": "no floor"}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def machine(data, command):
    m, libs, s = data["machine"], data["libraries"], data["settings"]
    return [f"{m['processor']}, {m['processors']} processors; {m['kernel']}; {m['file_system']},"
            f" where an overwrite with its fdatasync took {m['sync_us']:.0f} µs before the run."
            f" SQLite {libs['sqlite']}, libsodium {libs['libsodium']}, zlib {libs['zlib']},"
            f" SHA-256 by {libs['sha256']}. Commit `{data['commit'] or 'unknown'}`, `{command}`:"
            f" {s['runs']} runs of {s['seconds']:g} s a row that writes; logs of"
            f" {s['events']:,} and {s['large_events']:,} entries; medians (least–greatest).", ""]


def bound(limit, name):
    if limit[name] is None:
        return "–"
    return ("≤ " if limit["at_most"] else "≥ ") + f"{limit[name]:g}"


def floors(data, plain):
    """Each floor, and whether it is met; plain: the other build's, by its key."""
    other = {(p["row"], p["what"]): p for p in plain["limits"]} if plain else {}
    head = ["row", "held against", "measured", "floor", "aim", "met"]
    head += ["without libcrypto"] if plain else []
    rows = []
    for limit in data["limits"]:
        row = [limit["row"], limit["what"], with_spread(limit["values"]), bound(limit, "floor"),
               bound(limit, "aim"), WORDS[limit["verdict"]]]
        if plain:
            twin = other.get((limit["row"], limit["what"]))
            row.append(with_spread(twin["values"]) if twin else "")
        rows.append(row)
    return table(head, rows)


def cell(figures, name):
    return number(spread(figures[name])[0]) if figures.get(name) else ""


def rates(data, plain):
    """Rows with events a second."""
    other = {row["name"]: row["figures"] for row in plain["rows"]} if plain else {}
    head = ["row, events a commit", "events/s", "× O", "p50 µs", "p99 µs", "CPU µs/event"]
    head += ["without libcrypto"] if plain else []
    rows = []
    for row in data["rows"]:
        figures = row["figures"]
        if not figures.get("events_per_s") or row["group"] == "steps":
            continue
        over = over_limit(row)
        line = [row["name"], with_spread(figures["events_per_s"]),
                with_spread(over) if over else "", cell(figures, "p50_us"),
                cell(figures, "p99_us"), cell(figures, "cpu_us_per_event")]
        if plain:
            twin = other.get(row["name"], {}).get("events_per_s")
            line.append(with_spread(twin) if twin else "")
        rows.append(line)
    return table(head, rows)


def others(data):
    """Rows told in milliseconds, MiB and bytes."""
    names = (("ms", "ms"), ("mb_per_s", "MB/s"), ("peak_rss_mib", "peak RSS, MiB"),
             ("beyond_cache_mib", "of it beyond SQLite's cache, MiB"),
             ("log_bytes_over_event", "log over the event, bytes an event"),
             ("both_legs_bytes_per_event", "both legs, bytes an event"))
    rows = []
    for row in data["rows"]:
        told = [f"{with_spread(row['figures'][name])} {unit}" for name, unit in names
                if row["figures"].get(name)]
        if told and row["group"] != "reading":
            rows.append([row["name"], "; ".join(told)])
        elif row["figures"].get("ms"):
            rows.append([row["name"], "; ".join(told)])
    return table(["row", "measured"], rows)


def steps(data):
    """Where a commit's time goes: microseconds and share."""
    rows = {row["name"]: row["figures"] for row in data["rows"] if row["group"] == "steps"}
    if not rows:
        return []
    body = []
    for name, words in STEPS:
        line = [words]
        for figures in rows.values():
            total = sum(spread(figures[n])[0] for n, _ in STEPS[:-1])
            us = spread(figures[name])[0]
            line.append(f"{us:,.1f} ({100 * us / total:.0f} %)")
        body.append(line)
    return table(["µs a commit (share)"] + [name.replace("steps of a ", "") for name in rows],
                 body)


def peer_table(peers):
    body = []
    for row in peers["rows"]:
        body.append([row["name"], with_spread(row["events_per_s"]),
                     with_spread([a / b for a, b in zip(row["events_per_s"], row["o"])]),
                     number(row["p50_us"]) if row.get("p50_us") else "",
                     number(row["p99_us"]) if row.get("p99_us") else ""])
    lines = table(["peer, events a commit", "events/s", "× O", "p50 µs", "p99 µs"], body)
    told = [f"{name} {version}" for name, version in peers["versions"].items()]
    lines += [", ".join(told) + f"; {peers['runs']} runs of {peers['seconds']:g} s.", ""]
    absent = [f"{row['name']} ({row['why']})" for row in peers["absent"]]
    if absent:
        lines += ["Not measured in this run: " + ", ".join(absent) + ".", ""]
    return lines


def text(data, plain, peers, command, svg):
    lines = ["## Measured", ""] + machine(data, command)
    if svg:
        lines += [f"![Events a second, and floors]({svg})", ""]
    lines += ["### Floors", "", "Milliseconds are divided by O's p50 over 140 µs, where that is"
              " more; *met* goes by the median.", ""] + floors(data, plain)
    lines += ["### Rates", ""] + rates(data, plain)
    lines += ["### Times, memory, bytes", ""] + others(data)
    lines += ["### Where a commit's time goes", ""] + steps(data)
    if peers:
        lines += ["### Peers in the same run", ""] + peer_table(peers)
    if data["skipped"]:
        lines += ["Left out: " + "; ".join(f"{s['name']}: {s['why']}" for s in data["skipped"])
                  + ".", ""]
    return "\n".join(lines)


def write(path, measured):
    with open(path, encoding="utf-8") as f:
        old = f.read()
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"report.py: {path}: the two markers are not there once each")
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before}{BEGIN}\n\n{measured}\n{END}{after}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("result")
    for name in ("--plain", "--peers", "--write", "--svg"):
        parser.add_argument(name)
    parser.add_argument("--command", default="make bench")
    args = parser.parse_args()
    data = load(args.result)
    plain = load(args.plain) if args.plain else None
    peers = None
    if args.peers:
        with open(args.peers, encoding="utf-8") as f:
            peers = json.load(f)
    if args.svg:
        bars = [(row["name"], row["events_per_s"],
                 [a / b for a, b in zip(row["events_per_s"], row["o"])])
                for row in (peers["rows"] if peers else [])]
        with open(args.svg, "w", encoding="utf-8") as f:
            f.write(plot.draw(data, bars))
    measured = text(data, plain, peers, args.command,
                    args.svg.rsplit("/", 1)[-1] if args.svg else None)
    if args.write:
        write(args.write, measured)
    else:
        print(measured)


if __name__ == "__main__":
    main()
