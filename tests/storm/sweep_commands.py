#!/usr/bin/env python3
"""sweep_commands.py - the n-th call of every command fails.

Runs each command over a table whose n-th call fails (tests/lib/failing.h, and
any allocation of the process besides), and then looks, with the real command,
at what is left:

  - it ended by itself, with the status of an I/O error (1), or with that of an
    unharmed run; a fault that must not be seen (interrupted, short) changes
    neither status nor output;
  - a status other than 0 has a message, and says no word of damage;
  - after `replay`, which mends what a fault may leave, parity is CLEAN and the
    log has every entry that it had, and every line that was acknowledged;
  - what only reads has changed no file;
  - the same command, run again, completes.

STORM_BUDGET   seconds (10): as many positions as fit, spread over all of them
STORM_ALL      every position
SWEEP_COMMAND, SWEEP_KIND, SWEEP_AT   only those; SWEEP_STRIDE with STORM_ALL:
               every so many-th of the allocations
CHECK_SEED     where the short form begins
PARITYLOG      the real command; paritylog-failing is looked for beside it
"""

import hashlib
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

SECONDS = 60  # no command takes longer
KINDS = (
    'EIO', 'EIO, done', 'ENOSPC', 'EINTR', 'short', 'sync EINTR', 'SQLite',
    'SQLite call', 'SQLite EINTR', 'SQLite short', 'malloc')
INVISIBLE = ('EINTR', 'short', 'SQLite EINTR', 'SQLite short')
ONCE = ('EIO, done', 'sync EINTR')


def find_commands():
    """The real command and the failing one, or None."""
    real = os.path.abspath(os.environ.get('PARITYLOG', 'build/paritylog'))
    place = os.path.dirname(real)
    for failing in (f'{place}/paritylog-failing',
                    f'{place}/tests/paritylog-failing'):
        if os.access(failing, os.X_OK):
            return real, failing
    return real, None


REAL, FAILING = find_commands()
seed = int(os.environ.get('CHECK_SEED', '1'), 0)
top = tempfile.mkdtemp(prefix='paritylog-sweep.')
stage = f'{top}/stage'
violations = 0


# ---- The commands ----------------------------------------------------------

# name, world, words; D is the log, O a new path, B the folder of the world.
# Of those that write: entries that they add, other statuses of a second run.
class Row:
    def __init__(self, world, words, adds=0, again=(), reads=False,
                 status=0, also=(), stdin=None, heals=False):
        self.world, self.words, self.adds = world, words, adds
        self.again, self.reads, self.status = again, reads, status
        self.also, self.stdin, self.heals = also, stdin, heals


def reads(words, world='plain', status=0, also=()):
    return Row(world, words, reads=True, status=status, also=also)


ROWS = [
    Row('empty', 'init D --origin sweep.example/log', adds=1, again=(6,)),
    Row('plain', 'append D B/new.in', adds=3),
    Row('plain', 'append D --group 1 --receipts', adds=3, stdin='new.in'),
    reads('get D r r1'),
    reads('get D r r1 --json'),
    reads('history D r r1'),
    reads('log D'),
    reads('log D --from 3 --to 5 --json'),
    reads("query D SELECT/**/*/**/FROM/**/records"),
    reads("query D SELECT/**/*/**/FROM/**/records --format csv"),
    reads('status D'),
    reads('status D --json', 'compacted'),
    reads('verify D'),
    reads('verify D --json', 'compacted'),
    reads('parity D'),
    reads('parity D --format junit', 'compacted'),
    reads('parity D --since B/note'),
    Row('plain', 'parity D --watermark O'),
    reads('doctor D', 'compacted', also=(12,)),
    reads('doctor D --quick --json', also=(12,)),
    reads('inspect B/odd.jsonl', status=5),
    reads('inspect B/odd.jsonl --json', status=5),
    reads('checkpoint D'),
    Row('plain', 'checkpoint D --witness O'),
    reads('prove D 5'),
    Row('plain', 'prove D 5 --out O', again=(6,)),
    reads('prove D --from B/note'),
    reads('verify-proof B/proof --key VKEY'),
    reads('cursor list D'),
    Row('plain', 'cursor set D src r page-9', adds=1),
    reads('strategy D'),
    Row('plain', 'strategy D arrival', adds=1),
    reads('peer list D'),
    Row('plain', 'peer add D near', adds=1, again=(6,)),
    Row('plain', 'peer ack D far 10'),
    Row('plain', 'peer rewind D far 2', adds=1, again=(6,)),
    Row('plain', 'peer evict D far --reason test', adds=1, again=(8,)),
    Row('plain', 'rotate D'),
    reads('redact D --list'),
    Row('plain', 'redact D 4 --reason test', adds=1),
    reads('key show D'),
    reads('key list D', 'compacted'),
    Row('plain', 'key rotate D', adds=1),
    Row('plain', 'key trust D OTHER'),
    Row('plain', 'replay D'),
    Row('storeless', 'replay D --account -', heals=True),
    Row('plain', 'replay D --fresh', heals=True),
    Row('plain', 'rebuild D --log --out O', again=(6,)),
    Row('plain', 'rebuild D --store --out O', again=(6,)),
    Row('plain', 'rebuild D --store --install', heals=True),
    Row('plain', 'restore D --out O', again=(6,)),
    Row('plain', 'restore D --out O --at 5 --continue-as sweep.example/other',
        again=(6,)),
    Row('plain', 'drill D'),
    Row('plain', 'salvage D --out O', again=(6,)),
    Row('damaged', 'salvage D --from-store', heals=True),
    Row('plain', 'compact D', adds=1),
    reads('compact D --dry-run'),
    Row('compacted', 'compact D --undo', adds=1, again=(6,)),
]


# ---- Running ---------------------------------------------------------------

class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


def run(command, words, stdin=None, env=None):
    full = dict(os.environ, LC_ALL='C', **(env or {}))
    feed = open(stdin, 'rb') if stdin else subprocess.DEVNULL
    try:
        p = subprocess.run([command, *words], stdin=feed, env=full,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=SECONDS)
        return Done(p.returncode, p.stdout, p.stderr)
    except subprocess.TimeoutExpired:
        return Done(None, b'', b'it hangs')
    finally:
        if stdin:
            feed.close()


def real(*words, stdin=None):
    return run(REAL, words, stdin)


def must(*words, stdin=None):
    done = real(*words, stdin=stdin)
    if done.status != 0:
        sys.exit(f'paritylog {" ".join(words)}: {done.status} '
                 f'{done.err.decode(errors="replace")}')
    return done


# ---- The worlds ------------------------------------------------------------

def delta(key, record):
    return ('{"id":"%s","resource":"r","record_id":"%s","op":"upsert",'
            '"payload":{"v":"%s some words"},"occurred_at":'
            '"2026-01-01T00:00:00Z","provenance":{"source":"s",'
            '"confidence":1}}\n' % (key, record, key))


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


vkeys = {}


def make_plain(base):
    d = f'{base}/log'
    vkeys['own'] = must('init', d, '--origin', 'sweep.example/log') \
        .out.decode().strip()
    write(f'{base}/old.in', ''.join(delta(f'i{i}', f'r{i % 3}')
                                    for i in range(1, 9)))
    write(f'{base}/new.in', ''.join(delta(f'n{i}', f'r{i}')
                                    for i in range(1, 4)))
    write(f'{base}/odd.jsonl', '{"a":1}\n{"a":1}\n{"a":\n\n[1]\n{"b":2')
    must('append', d, f'{base}/old.in', '--group', '2', '--quiet')
    write(f'{base}/note', must('checkpoint', d).out.decode())
    write(f'{base}/proof', must('prove', d, '3').out.decode())
    must('rotate', d)
    must('cursor', 'set', d, 'src', 'r', 'page-1')
    must('peer', 'add', d, 'far')
    must('peer', 'ack', d, 'far', '9')
    must('redact', d, '3', '--reason', 'test')
    must('init', f'{base}/stranger', '--origin', 'sweep.example/stranger')
    vkeys['other'] = must('key', 'show', f'{base}/stranger') \
        .out.decode().strip()
    shutil.rmtree(f'{base}/stranger')


def make_worlds():
    for name in ('empty', 'plain'):
        os.makedirs(f'{top}/{name}')
    make_plain(f'{top}/plain')
    for name in ('compacted', 'storeless', 'damaged'):
        shutil.copytree(f'{top}/plain', f'{top}/{name}')
    must('compact', f'{top}/compacted/log')
    for end in ('', '-wal', '-shm'):
        path = f'{top}/storeless/log/store.db{end}'
        if os.path.exists(path):
            os.remove(path)
    segment = f'{top}/damaged/log/log/{1:020}.jsonl'
    with open(segment, 'r+b') as f:
        f.seek(1500)
        byte = f.read(1)
        f.seek(1500)
        f.write(bytes([byte[0] ^ 1]))


def set_up(row):
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(f'{top}/{row.world}', stage)


def words_of(row):
    place = {'D': f'{stage}/log', 'O': f'{stage}/out', 'VKEY': vkeys['own'],
             'OTHER': vkeys['other']}
    return [place.get(w, w.replace('B/', f'{stage}/')) for w in
            row.words.split()]


def state():
    """Of all files; without SQLite's shared memory and an empty WAL."""
    h = hashlib.sha256()
    for folder, folders, files in os.walk(stage):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith('-shm') or \
                    (name.endswith('-wal') and not os.path.getsize(path)):
                continue
            h.update(path.encode() + b'\0')
            with open(path, 'rb') as f:
                h.update(hashlib.sha256(f.read()).digest())
    return h.digest()


def told(row, done):
    """What was printed, without times and ages; verify may not know of
    the store, nor status of SQLite's WAL where it reads a copy."""
    if row.words.startswith(('verify D', 'doctor', 'peer list',
                             'parity D --since')):  # it may check all instead
        return b''
    out = re.sub(rb'"wal_(frames|moved)":[0-9]+', b'', done.out)
    return re.sub(rb'[0-9]+\.[0-9]+(e-?[0-9]+)?|[0-9]+ ?(ms|s|m)\b *', b'#',
                  out)


def lines_of(directory):
    done = real('log', directory)
    return done.out.split(b'\n')[:-1] if done.status == 0 else None


# ---- One position ----------------------------------------------------------

class Swept:
    """What is known of a command: how it runs unharmed."""

    def __init__(self, row):
        self.row, self.judged = row, set()
        self.swept = {}
        set_up(row)
        self.before = state()
        self.lines = lines_of(f'{stage}/log') or \
            lines_of(f'{top}/plain/log')
        if row.world == 'empty':
            self.lines = []
        self.done, report = self.start(None)
        self.counts = {k: int(n) for k, n in
                       (r[6:].rsplit(':', 1) for r in report
                        if r.startswith('count '))}
        if self.done.status != row.status:
            complain(self, None, None, f'status {self.done.status} without a '
                     f'fault: {self.done.err.decode(errors="replace")}')
        if row.reads and state() != self.before:
            complain(self, None, None, 'it changed the directory')

    def start(self, fault):
        row = self.row
        env = {'SWEEP_REPORT': f'{top}/report'}
        if fault:
            env['SWEEP_FAIL'] = fault
        if os.path.exists(f'{top}/report'):
            os.remove(f'{top}/report')
        stdin = f'{stage}/{row.stdin}' if row.stdin else None
        done = run(FAILING, words_of(row), stdin, env)
        report = []
        if os.path.exists(f'{top}/report'):
            with open(f'{top}/report', errors='replace') as f:
                report = f.read().split('\n')
        return done, report


def complain(s, kind, at, text):
    global violations
    violations += 1
    if violations < 200:
        print(f"# SWEEP_COMMAND='{s.row.words}' SWEEP_KIND='{kind}' "
              f'SWEEP_AT={at}\n#   {text}', flush=True)


DAMAGE = (b'TAMPERED', b'CORRUPT', b'DIVERGED', b'ROLLBACK', b'FORK',
          b'UNKNOWN_KEY')


def check_outcome(s, kind, at, done, reached):
    row, base = s.row, s.done
    text = done.err.decode(errors='replace')[:200]
    name = kind.split(' for ever')[0]
    if done.status is None or done.status < 0 or done.status >= 126:
        complain(s, kind, at, f'status {done.status}: {text}')
    elif name in INVISIBLE:
        if done.status != base.status or (
                row.reads and told(row, done) != told(row, base)):
            complain(s, kind, at, f'was seen: status {done.status}: {text}')
    elif done.status == 11 and kind.startswith('SQLite call'):
        pass  # SQLite takes a lock that fails for one that is held
    elif done.status not in (base.status, 1, *row.also):
        complain(s, kind, at, f'status {done.status}: {text}')
    elif done.status == 1 and base.status != 1:
        if not done.err and not done.out:
            complain(s, kind, at, 'status 1 without a message')
        if any(word in done.err for word in DAMAGE) and not row.heals:
            complain(s, kind, at, f'it speaks of damage: {text}')
    elif done.status == base.status and row.reads and reached and \
            told(row, done) != told(row, base):
        complain(s, kind, at, 'it succeeded with another output')


def check_state(s, kind, at, done):
    """With the real command alone."""
    row, directory = s.row, f'{stage}/log'
    if row.world == 'empty' and done.status != 0:
        pass  # nothing was promised yet; running it again has to do
    elif not row.heals or done.status == 0:
        mended = real('replay', directory, '--quiet')
        parity = real('parity', directory, '--quiet')
        if mended.status or parity.status:
            complain(s, kind, at, f'afterwards: replay {mended.status}, parity '
                     f'{parity.status}: {(mended.err + parity.err)[:200]}')
        check_lines(s, kind, at, done)
    stdin = f'{stage}/{row.stdin}' if row.stdin else None
    again = run(REAL, words_of(row), stdin)
    if again.status not in (row.status, *row.again):
        complain(s, kind, at, f'run again: status {again.status}: '
                 f'{again.err.decode(errors="replace")[:200]}')
    parity = real('parity', directory, '--quiet')
    if parity.status:
        complain(s, kind, at, f'in the end: parity {parity.status}')


def check_lines(s, kind, at, done):
    row = s.row
    lines = lines_of(f'{stage}/log')
    if lines is None:
        return  # below a floor; parity has looked at what there is
    if row.words.startswith(('redact', 'compact')):
        return
    if lines[:len(s.lines)] != s.lines:
        complain(s, kind, at, 'an entry is lost or changed')
    added = len(lines) - len(s.lines)
    if added > row.adds or (done.status == 0 and added < row.adds):
        complain(s, kind, at, f'{added} entries were added')
    # Of a receipt that was printed the entry is there.
    if '--receipts' in row.words and added < done.out.count(b'\n'):
        complain(s, kind, at, f'{done.out.count(10)} receipts, '
                 f'{added} entries')


def position(s, kind, at):
    """Returns whether the fault was reached."""
    name, _, ever = kind.partition(' for ever')
    set_up(s.row)
    fault = f'{name}:{at}' + (':ever' if ' for ever' in kind else '')
    done, report = s.start(fault)
    reached = any(r.startswith('reached ') for r in report)
    s.swept[name] = s.swept.get(name, 0) + 1
    check_outcome(s, kind, at, done, reached)
    for r in report:
        if r.startswith('resynced '):
            complain(s, kind, at, f'a sync failed and was made again: {r}')
    now = state()
    if s.row.reads:
        if now != s.before:
            complain(s, kind, at, 'it changed the directory')
        return reached
    key = (now, done.status == 0)
    if key not in s.judged:
        s.judged.add(key)
        check_state(s, kind, at, done)
    return reached


# ---- The storm -------------------------------------------------------------

def wanted(variable, value):
    only = os.environ.get(variable)
    return not only or only == value


def positions(swept):
    """Every (command, kind, n)."""
    rows = []
    for s in swept:
        for name in KINDS:
            for kind in (name, f'{name} for ever'):
                if (name in ONCE and kind != name) or \
                        not wanted('SWEEP_KIND', kind):
                    continue
                if s.counts.get(name):
                    rows.append((s, kind, s.counts[name]))
    return rows


def chosen(rows):
    """In the order in which they are run."""
    if os.environ.get('SWEEP_AT'):
        for s, kind, _ in rows:
            yield s, kind, int(os.environ['SWEEP_AT'])
        return
    if os.environ.get('STORM_ALL'):
        stride = int(os.environ.get('SWEEP_STRIDE', '1'))
        for s, kind, count in rows:
            step = stride if kind.startswith('malloc') else 1
            for at in range(1 + seed % step, count + 2, step):
                yield s, kind, at
        return
    # Kinds in turn: there are far more allocations than anything else.
    pick = random.Random(seed)
    while rows:
        s, kind, count = rows[pick.randrange(len(rows))]
        yield s, kind, pick.randrange(count) + 1


def print_table(swept):
    print('# positions swept, by kind of fault (once + for ever)')
    print('# ' + 'command'.ljust(34) +
          ''.join(k.rjust(13) for k in KINDS) + 'all'.rjust(9))
    for s in swept:
        if s.swept:
            print('# ' + s.row.words[:34].ljust(34) +
                  ''.join(str(s.swept.get(k, 0)).rjust(13) for k in KINDS) +
                  str(sum(s.swept.values())).rjust(9))


def main():
    if not FAILING:
        print('skip sweep of commands: paritylog-failing is not built')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    began = time.monotonic()
    make_worlds()
    swept = [Swept(row) for row in ROWS if wanted('SWEEP_COMMAND', row.words)]
    rows = positions(swept)
    total = sum(count for _, _, count in rows)
    until = began + float(os.environ.get('STORM_BUDGET', '10'))
    endless = os.environ.get('STORM_ALL') or os.environ.get('SWEEP_AT')
    done = reached = 0
    for s, kind, at in chosen(rows):
        if not endless and done > 20 and time.monotonic() > until:
            break
        reached += position(s, kind, at)
        done += 1
    print_table(swept)
    judged = sum(len(s.judged) for s in swept)
    print(f'# sweep_commands: seed {seed}, {len(swept)} commands, {done} '
          f'positions of {total}, {reached} faults reached, {judged} states '
          f'judged, {time.monotonic() - began:.0f} s')
    good = violations == 0 and reached > 0
    print(f'{"ok" if good else "FAIL"} sweep of commands')
    print('1 passed, 0 failed, 0 skipped' if good
          else '0 passed, 1 failed, 0 skipped')
    return 0 if good else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(top, ignore_errors=True)
