#!/usr/bin/env python3
"""peers.py - larger programs that keep events, as far as they are installed.

    python3 tests/bench/peers.py [--dir DIR] [--runs N] [--seconds S]
                                 [--json FILE] [WORD...]

Each row writes events of about 300 bytes for some seconds and waits for the
acknowledgement that the program gives under the setting that is named; before
each run an overwrite of pre-written space with its fdatasync is looped (O), as
make bench does.  What an acknowledgement is worth stands in docs/BENCHMARKS.md.
Servers get a directory of their own below DIR and are ended by their own
process id.  WORD: only peers with one of them in their name.

Looked for: postgres and pgbench (also in /usr/lib/postgresql), redis-server and
redis-benchmark, etcd, liblmdb, librocksdb, and for node the packages hypercore
and ssb-db2 (with ssb-keys,
ssb-caps and secret-stack 6; NODE_PATH).  Those that are not there are listed with the reason.
Servers are loaded by their own tools, etcd through its JSON gateway, libraries
through ctypes: these and node add some microseconds of their own.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import peer_libraries  # noqa: E402
import peer_servers  # noqa: E402

AHEAD = 16 << 20


def overwrite_rate(directory, seconds):
    """Commits a second of O."""
    line = b"x" * 299 + b"\n"
    path = os.path.join(directory, "raw")
    new = not os.path.exists(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if new:
            os.pwrite(fd, b"\n" * AHEAD, 0)
            os.fsync(fd)
        count, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            os.pwrite(fd, line, count * 300 % (AHEAD - 300))
            os.fdatasync(fd)
            count += 1
        return count / (time.monotonic() - began)
    finally:
        os.close(fd)


def percentile(values, p):
    return values[round(p / 100 * (len(values) - 1))]


def measure(peer, args, top):
    """All rows of a peer, run by run; each run begins anew."""
    rows = {}
    for _ in range(args.runs):
        for name, run in peer.rows():
            limit = overwrite_rate(top, args.seconds / 3)
            directory = tempfile.mkdtemp(prefix="peer.", dir=top)
            try:
                peer.start(directory)
                rate, latencies = run(args.seconds)
            finally:
                peer.stop()
                shutil.rmtree(directory)
            row = rows.setdefault(name, {"name": name, "events_per_s": [], "o": [],
                                         "p50": [], "p99": []})
            row["events_per_s"].append(round(rate, 1))
            row["o"].append(round(limit, 1))
            if latencies:
                latencies.sort()
                row["p50"].append(percentile(latencies, 50) * 1e6)
                row["p99"].append(percentile(latencies, 99) * 1e6)
            print(f"{name}: {rate:,.0f}/s, {rate / limit:.2f} O", file=sys.stderr)
    for row in rows.values():
        for name in ("p50", "p99"):
            values = sorted(row.pop(name))
            if values:
                row[name + "_us"] = round(values[(len(values) - 1) // 2], 1)
    return list(rows.values())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--dir", default=".")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    top = tempfile.mkdtemp(prefix="paritylog-peers.", dir=os.path.abspath(args.dir))
    os.chmod(top, 0o755)  # PostgreSQL does not run as root
    found = {"schema": "paritylog/bench-peers/1", "runs": args.runs, "seconds": args.seconds,
             "rows": [], "absent": [], "versions": {}}
    try:
        for peer in peer_servers.ALL + peer_libraries.ALL:
            if args.words and not any(word in peer.name for word in args.words):
                continue
            why = peer.missing()
            if not why:
                try:
                    found["versions"][peer.name] = peer.version()
                    found["rows"] += measure(peer, args, top)
                except peer_servers.Failed as e:
                    why = f"did not run: {e}"
            if why:
                found["absent"].append({"name": peer.name, "why": why})
                print(f"skip {peer.name}: {why}", file=sys.stderr)
    finally:
        shutil.rmtree(top)
    text = json.dumps(found, indent=1)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
