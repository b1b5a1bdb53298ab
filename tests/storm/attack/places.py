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
    """One file: every kind of thing in its place, a few a seed.

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
        cells = {}
        for i, kind in enumerate(KINDS):
            if (i + w.seed) % 3 == 0:
                for column, values in self.one(w, kind).items():
                    cells.setdefault(column, [])
                    cells[column] += values
        return cells

    def one(self, w, kind):
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
    Place("the verifier key", "vpa", file=vkey, agree=ODD_KEYS),
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
