"""Something else in the place of each file: links, FIFOs, devices, directories,
sockets.  Nothing is followed, nothing hangs, nothing is written through."""
import os
import shutil
import socket
import stat

from .cases import CASES, Case, attack, probe
from .world import Victim, fingerprint, need

PART = "Something else in the place of a file"
KINDS = ("a symbolic link to a copy", "a symbolic link to nothing", "a hard link",
         "a FIFO", "a device", "a directory", "a socket")


def put(v, name, kind):
    """Puts `kind` in the place of a file or folder.  What it was stands outside,
    so that a link to it would do, were it followed."""
    path = v.path(name.rstrip("/"))
    outside = os.path.join(v.w.outside, os.path.basename(path))
    if os.path.lexists(outside):
        shutil.rmtree(outside) if os.path.isdir(outside) else os.remove(outside)
    if os.path.isdir(path):
        shutil.move(path, outside)
    elif name.endswith("/"):
        os.mkdir(outside)
    elif os.path.exists(path):
        shutil.copy(path, outside)
        os.remove(path)
    else:
        with open(outside, "wb") as f:
            f.write(b"outside\n" * 64)
    if kind == KINDS[0] or kind == KINDS[2] and os.path.isdir(outside):
        os.symlink(outside, path)
    elif kind == KINDS[1]:
        os.symlink(os.path.join(v.w.outside, "nothing"), path)
    elif kind == KINDS[2]:
        os.link(outside, path)
    elif kind == KINDS[3]:
        os.mkfifo(path, 0o600)
    elif kind == KINDS[4]:
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            os.symlink("/dev/zero", path)
    elif kind == KINDS[5]:
        os.mkdir(path, 0o700)
    else:
        # The path of a socket must be short.
        here = os.getcwd()
        os.chdir(os.path.dirname(path))
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.basename(path))
        s.close()
        os.chdir(here)


class Place(Case):
    """One file: every kind of thing in its place, one a seed.

    either  columns that find some of the kinds only: what is not followed may as
            well not be there
    """

    def __init__(self, name, finds, base="plain", file=None, agree=True, either=""):
        self.file = file or (lambda v: name)

        def inject(v):
            raise NotImplementedError
        inject.__doc__ = name
        super().__init__(inject, PART, finds, base, agree, either=either)

    def run(self, w):
        # Another one in each place, and with each seed.
        kind = KINDS[(w.seed + CASES.index(self)) % len(KINDS)]
        v = Victim(w, self.base, self.name + kind)
        put(v, self.file(v), kind)
        outside = fingerprint(w.outside)
        cells = self.read_only(v)
        cells["a"] = self.append(v)
        need(fingerprint(w.outside) == outside, f"{kind}: something outside was changed")
        for column, values in cells.items():
            found = not all(c.endswith(" 0") for c in values)
            need(found == (column in self.finds) or column in self.either,
                 f"{kind}: {column}: {values}")
        return cells


def segment(at):
    return lambda v: "log/" + v.log().names()[at]


def vkey(v):
    return "keys/" + next(n for n in os.listdir(v.path("keys")) if n.endswith(".vkey"))


def only(folder):
    return lambda v: folder + "/" + sorted(os.listdir(v.path(folder)))[0]


ODD_KEYS = "a key that is no file: the second verifier does not look"
CASES += [
    Place("the first segment", "vkpw", file=segment(0)),
    Place("the last segment", "vkpwa", file=segment(-1)),
    Place("log/", "vkpwa", agree="there is no log"),
    Place("lock", "a", either="vkpw", agree="a reader may need the lock"),
    Place("store.db", "pa"),
    Place("store.db-wal", "pa"),
    Place("store.db-shm", "pa"),
    Place("store.db-journal", "", either="pa"),
    Place("the verifier key", "vpa", file=vkey),
    Place("keys/signing.key", "a"),
    Place("keys/signing.key.new", ""),
    Place("keys/", "vpa", agree=ODD_KEYS),
    Place("the order in orders/", "vkpw", base="restored", file=only("orders")),
    Place("orders/", "vkpw", base="restored", agree="orders/ must be a folder"),
    Place("the snapshot", "p", base="compacted", file=only("snapshots")),
    Place("snapshots/", "p", base="compacted"),
    Place("a segment in archive/", "", base="compacted", file=only("archive")),
    Place("archive/", "", base="compacted"),
    Place("quarantine/", ""),
    Place("a segment being rewritten", "",
          file=lambda v: "log/" + v.log().names()[-1] + ".new"),
]


@attack("The directory", "a")
def world_writable(v):
    """others may write to the directory"""
    os.chmod(v.dir, 0o777)


@attack("The directory", "a")
def key_readable(v):
    """others may read the signing key"""
    os.chmod(v.path("keys", "signing.key"), 0o644)


@attack("The directory", "a")
def key_of_another(v):
    """the signing key belongs to somebody else"""
    os.chown(v.path("keys", "signing.key"), 4711, -1)


@probe("The directory")
def notes(w):
    """a link, a FIFO, a device, a directory, a socket as witness or watermark file:
    not followed, not waited for, not written through"""
    v, cells = Victim(w, "plain", "notes"), set()
    for kind in KINDS:
        for args in (("verify", "--witness"), ("checkpoint", "--witness"),
                     ("parity", "--since"), ("parity", "--watermark")):
            if os.path.isdir(v.path("note")) and not os.path.islink(v.path("note")):
                os.rmdir(v.path("note"))
            elif os.path.lexists(v.path("note")):
                os.remove(v.path("note"))
            shutil.copy(v.witness, v.path("note"))
            put(v, "note", kind)
            os.replace(v.path("note"), w.path("note"))
            outside = fingerprint(w.outside)
            r = w.run(args[0], v.dir, args[1], w.path("note"), "--json")
            need(fingerprint(w.outside) == outside, f"{args} wrote through {kind}")
            cells.add(r.cell())
            os.rmdir(w.path("note")) if os.path.isdir(w.path("note")) and \
                not os.path.islink(w.path("note")) else os.remove(w.path("note"))
    return ", ".join(sorted(cells))


LEFT = ("archive/", "snapshots/", "quarantine/", "orders/", "drill.json", "drill.json.tmp",
        "drill-0123abcd/", "keys/signing.key.new", "keys/signing.key.tmp",
        "keys/signing.key.new.tmp", "log/00000000000000000001.jsonl.new", "allow-network-fs",
        "compact.db", "snapshots.new", "store.db-journal", "store.db.tmp")
WRITERS = (("compact", "DIR"), ("redact", "DIR", "5", "--reason", "x"), ("drill", "DIR"),
           ("salvage", "DIR"), ("salvage", "DIR", "--from-store"), ("key", "rotate", "DIR"),
           ("replay", "DIR", "--fresh"), ("rebuild", "DIR", "--store", "--install"),
           ("rebuild", "DIR", "--log", "--install"), ("compact", "DIR", "--undo"),
           ("restore", "DIR", "--out", "OUT"), ("rebuild", "DIR", "--log", "--out", "OUT"))


@probe("The directory", slow=True)
def left(w):
    """links where a command would make a file or folder, or finds what a killed one
    left (archive/, quarantine/, drill-*, *.part-*, *.tmp, *.new): nothing behind
    them is written, moved or removed"""
    for name in LEFT + ("OUT.part-0123abcd/",):
        for kind in (KINDS[0], KINDS[1], KINDS[2]):
            v = Victim(w, "full", "left" + name)
            with open(v.path("log", v.log().names()[-1]), "ab") as f:
                f.write(b'{"seq":torn')
            out, before = w.path("out"), set(os.listdir(w.top))
            if name.startswith("OUT"):
                os.symlink(w.outside, w.path("out.part-0123abcd"))
            else:
                put(v, name, kind)
            if name.endswith("/"):  # something in it that a sweep might reach
                inside = os.path.join(w.outside, os.path.basename(name.rstrip("/")))
                os.makedirs(inside, exist_ok=True)
                shutil.copy(os.path.join(w.outside, "canary"), inside)
            outside = fingerprint(w.outside)
            for args in w.rng.sample(WRITERS, 4) + [("append", "DIR")]:
                w.run(*[a.replace("DIR", v.dir).replace("OUT", out) for a in args])
                need(fingerprint(w.outside) == outside, f"{args}: {name}: {kind}")
                shutil.rmtree(out, ignore_errors=True)
            for more in set(os.listdir(w.top)) - before:
                os.remove(w.path(more)) if os.path.islink(w.path(more)) else None
    return "untouched"
