#!/usr/bin/env python3
"""verify_matrix.py - the second verifier on every file of the damage matrix.

    python3 tests/storm/verify_matrix.py [DIR]

DIR is what `storm/matrix` and `storm/matrix_gz` wrote with MATRIX_OUT=DIR: the
log, its keys, and of each case how it was damaged and what verify said of it
first; of each changed snapshot its bytes and what parity said.  The same damage
is done here in memory, and tests/verify.py must say the same: verdict, file and
offset, or the size of a clean log.  Without DIR the programs are run first, for
a quarter of STORM_BUDGET seconds (default 10) each.

BUILD   where storm/matrix is (default build)
"""
import collections
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)


def skip(why):
    print(f'skip verify_matrix: {why}')
    print('0 passed, 0 failed, 1 skipped')
    sys.exit(0)


try:
    import verify
except SystemExit:
    skip('python3 has no Ed25519 (python3-cryptography or python3-nacl)')


# ---- A damaged log in memory ---------------------------------------------------


class Original(verify.Directory):
    """The log as it was, and where its groups end."""

    def __init__(self, path):
        super().__init__(path)
        self.segments = [verify.Directory.read(self, 'log/' + name)
                         for name in sorted(self.names('log'))]
        self.files = {int(name[:20]): data for name, data in
                      zip(sorted(self.names('log')), self.segments)}
        self.keys = {name: self.read('keys/' + name)
                     for name in self.names('keys') if name.endswith('.vkey')}
        self.groups = {}
        for data in self.segments:
            self.find_groups(data)

    def find_groups(self, data):
        at = start = data.index(b'\n') + 1
        for line in data[at:].split(b'\n'):
            at += len(line) + 1
            if line.startswith(b'{"commit":'):
                group = data[start:at]
                self.groups[group.split(b',', 1)[0]] = group
                start = at


class Damaged:
    """What matrix calls a case: the text behind its verdict."""

    def __init__(self, original, text):
        self.original, self.files = original, dict(original.files)
        for part in text.split(';')[:-1]:
            if part.startswith('-'):
                del self.files[int(part[1:])]
                continue
            first, pieces = part.split(':')
            self.files[int(first)] = b''.join(
                map(self.piece, pieces.split(',') if pieces else []))

    def piece(self, text):
        if text.startswith('='):
            return bytes.fromhex(text[1:])
        segment, at, n = map(int, text[1:].split('.'))
        return self.original.segments[segment][at:at + n]

    def names(self, folder):
        if folder == 'log':
            return [f'{first:020d}.jsonl' for first in self.files]
        return list(self.original.keys) if folder == 'keys' else []

    def has(self, file):
        return file.startswith('log/') and int(file[4:24]) in self.files

    def read(self, file):
        folder, name = file.split('/')
        if folder == 'keys':
            return self.original.keys[name]
        return self.files[int(name[:20])]


class Quick(verify.Verifier):
    """Judges a whole group of the original once, and again only where what is
    before it differs."""

    known, groups = {}, {}

    def read_group(self, data, file, start):
        end = data.find(b',', start, start + 64)
        group = self.groups.get(data[start:end])
        if group is None or not data.startswith(group, start):
            return super().read_group(data, file, start)
        before = (group, self.origin, self.size, tuple(self.tree),
                  self.last and self.last.line(), tuple(self.chain),
                  self.open, start == self.header_end)
        after = self.known.get(before)
        if after is None:
            met = len(self.orders.met) + len(self.orders.floors_met)
            end = super().read_group(data, file, start)
            if len(self.orders.met) + len(self.orders.floors_met) == met:
                self.known[before] = (self.origin, self.size, self.tree,
                                      self.last, list(self.chain), self.open)
            return end
        self.origin, self.size, self.tree, self.last, chain, self.open = after
        self.chain = list(chain)
        return start + len(group)


def judge(damaged):
    """What the second verifier says, in the words of matrix."""
    try:
        return f'OK {verify.verify(damaged, kind=Quick).size}'
    except verify.Fault as f:
        return f'{f.verdict} {f.file} {"-" if f.offset is None else f.offset}'


# ---- All cases -----------------------------------------------------------------


def compare(directory, cases):
    """(cases, verdicts by word, disagreements, the first of them)"""
    original = Original(directory)
    Quick.groups = original.groups
    count, words, wrong, shown = 0, collections.Counter(), \
        collections.Counter(), []
    with open(cases, encoding='ascii') as lines:
        for line in lines:
            theirs, text = line.rstrip('\n').split('\t')
            ours = judge(Damaged(original, text))
            count += 1
            words[ours.split()[0]] += 1
            if ours != theirs:
                wrong[theirs.split()[0], ours.split()[0]] += 1
                if len(shown) < 8 or sum(wrong.values()) % 5000 == 0:
                    shown.append((text, theirs, ours))
    return count, words, wrong, shown


class Changed(verify.Directory):
    """The compacted log with another snapshot."""

    def __init__(self, path, file, data):
        super().__init__(path)
        self.file, self.data = file, data

    def has(self, file):
        return self.data is not None if file == self.file else \
            super().has(file)

    def read(self, file):
        return self.data if file == self.file else super().read(file)


def compare_snapshots(directory, cases):
    """The same of changed snapshots, and what parity said of them."""
    path = os.path.join(directory, 'gz')
    v = verify.verify(verify.Directory(path))
    count, words, wrong, shown = 0, collections.Counter(), \
        collections.Counter(), []
    with open(cases, encoding='ascii') as lines:
        for line in lines:
            theirs, file, text = line.rstrip('\n').split('\t')
            data = None if text == '-' else bytes.fromhex(text)
            try:
                verify.check_snapshots(Changed(path, file, data), v)
                ours = 'OK'
            except verify.Fault as f:
                ours = f.verdict if f.file == file else f'{f.verdict} {f.file}'
            count += 1
            words[ours] += 1
            if ours != theirs:
                wrong[theirs, ours] += 1
                if len(shown) < 4:
                    shown.append((text[:200], theirs, ours))
    return count, words, wrong, shown


def compare_any(directory, cases):
    if os.path.basename(cases).startswith('gz.'):
        return compare_snapshots(directory, cases)
    return compare(directory, cases)


def compare_all(directory):
    began, failed, total = time.monotonic(), False, 0
    words, wrong = collections.Counter(), collections.Counter()
    files = sorted(os.path.join(directory, name) for name in
                   os.listdir(directory) if name.startswith(('cases.', 'gz.')))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for count, w, bad, shown in pool.map(compare_any,
                                             [directory] * len(files), files):
            total += count
            words += w
            wrong += bad
            for text, theirs, ours in shown:
                print(f'# {text}\n#   verify     {theirs}\n'
                      f'#   verify.py  {ours}')
    for word, n in sorted(words.items()):
        print(f'# {word:20s} {n}')
    for (theirs, ours), n in sorted(wrong.items()):
        print(f'# {n} times {theirs} there and {ours} here')
        failed = True
    print(f'# {total} files in {time.monotonic() - began:.0f} s')
    if total == 0:
        failed = True
    print('FAIL' if failed else 'ok', 'both_verifiers_say_the_same')
    print('0 passed, 1 failed, 0 skipped' if failed else
          '1 passed, 0 failed, 0 skipped')
    return 1 if failed else 0


def main(argv):
    if argv:
        return compare_all(argv[0])
    storm = os.path.join(os.environ.get('BUILD', 'build'), 'storm')
    programs = [os.path.join(storm, name) for name in ('matrix', 'matrix_gz')]
    budget = float(os.environ.get('STORM_BUDGET') or 10)
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ, MATRIX_OUT=directory, MATRIX_VERIFY='1',
                   STORM_BUDGET=str(max(1, int(budget / 4))))
        env.pop('STORM_ALL', None)
        for program in programs:
            if not os.path.exists(program):
                skip(f'{program} is not built')
            # What it finds wrong it says itself, in its own run.
            if subprocess.run([program], env=env, check=False,
                              stdout=subprocess.DEVNULL).returncode > 1:
                print(f'FAIL {program} ended badly')
                print('0 passed, 1 failed, 0 skipped')
                return 1
        return compare_all(directory)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
