"""Commands that are killed, or find the disk full, and are run again.

A scene is a damaged state, a command, and what must hold once it has run to
its end; killing it or taking its space must change nothing about that.
"""
import ctypes
import json
import os
import random
import shutil
import subprocess
import time

from . import kinds, world

SCENES = []
TMPFS = 64 << 20  # bytes; holds every scene and what its command writes


class Scene:
    def __init__(self, prepare, args, ends, status, data, takes, small):
        self.prepare, self.args, self.ends = prepare, args, ends
        self.status, self.data = status, data
        self.takes, self.small = takes, small
        self.name = " ".join(args).replace(" --quiet", "")


def scene(args, ends, status=0, data=None, takes=False, small=False):
    """takes: it is the command's work to make bytes go; `ends` says which.
    small: what it writes may fit into blocks that are there."""
    def add(prepare):
        SCENES.append(Scene(prepare, args.split(), ends, status, data, takes,
                            small))
        return prepare
    return add


# ---- Where a command must end ----------------------------------------------


def mended(v, out):
    v.w.is_whole(v.dir)


def appended(v, out):
    """All deltas are there once, behind the older log, and both legs agree."""
    said, status, _ = v.w.check(v.dir, "--key", v.w.vkey, "--expect-head",
                                v.w.older_head)
    world.need(status == 0, f"parity says {said.get('verdict')}")
    now, old = world.log_of(v.dir), v.w.older_log
    for name in old:
        world.need(now[name].startswith(old[name].rstrip(b"\n")), f"{name} changed")
    rows = world.rows_of(v.dir, v.w.scratch)["events"]
    ids = [json.loads(d)["id"].encode() for d in v.w.deltas]
    world.need([r[1] for r in rows if r[1]] == ids, "not each delta once and in order")


def same_log(v, out):
    world.need(world.log_of(out) == v.w.log, "the rebuilt log differs")
    v.w.is_whole(v.dir)


def same_store(v, out):
    world.need(world.rows_of(out, v.w.scratch) == v.w.rows, "the rebuilt store differs")
    v.w.is_whole(v.dir)


def restored(v, out):
    v.w.is_whole(out)
    v.w.is_whole(v.dir)


def witnessed(v, out):
    note = world.read(v.w.path("whole.witness"))
    world.need(note in world.read(out), "the note is not in the witness file")
    v.w.is_whole(v.dir)


def ranges_kept(v, out):
    """Salvage without the store: nothing is healed, the bad range is in quarantine."""
    text = [f for f in world.files(v.dir) if f.startswith("quarantine/")]
    world.need(any(b'"blob":"0' in world.read(v.path(f)) for f in text),
               "the damaged range is not in quarantine/")
    said, status, _ = v.w.check(v.dir)
    world.need(said["verdict"] == "TAMPERED" and status == 5, "the log is not what it was")


REDACTED = 2000


def redacted(v, out):
    """One payload is gone from every file, and nothing else."""
    said, status, _ = v.w.check(v.dir, "--key", v.w.vkey)
    world.need(status == 0, f"parity says {said.get('verdict')}")
    whole = next(row for row in v.w.rows["events"] if row[0] == REDACTED)[-1]
    salt = whole[whole.index(b'"salt":"') + 8:][:24]
    left = [f for f in world.files(v.dir) if salt in world.read(v.path(f))]
    world.need(not left, f"the payload is left in {left}")
    now, old = world.log_of(v.dir), v.w.log
    for name in old:
        kept = old[name].rstrip(b"\n").split(b"\n")
        lines = now[name].rstrip(b"\n").split(b"\n")
        other = [line for line, is_now in zip(kept, lines) if is_now != line]
        grows = name == max(old)  # by the order
        world.need((grows or len(lines) == len(kept)) and
                   other in ([], [whole]), f"{name} changed")


def rotated(v, out):
    """One key is in force and at hand, and the old log stands."""
    said, status, _ = v.w.check(v.dir, "--key", v.w.vkey, "--expect-head", v.w.head)
    world.need(status == 0, f"parity says {said.get('verdict')}")
    keys = json.loads(v.w.run("key", "list", v.dir, "--json").out)["keys"]
    now = [k for k in keys if k["current"]]
    world.need(len(keys) > 1 and len(now) == 1 and now[0]["secret"], f"keys: {keys}")


def changed(v, out):
    said, status, _ = v.w.check(v.dir, "--key", v.w.vkey, "--expect-head", v.w.head)
    world.need(status == 0, f"parity says {said.get('verdict')}")
    said = json.loads(v.w.run("status", v.dir, "--json").out)
    world.need(said["strategy"] == "arrival", f"the strategy is {said['strategy']}")


def goes_on(v, out):
    said, status, _ = v.w.check(out, "--expect-head", v.w.head)
    world.need(status == 0 and said["origin"] == "example.org/on",
               f"parity says {said.get('verdict')} of {said.get('origin')}")
    v.w.is_whole(v.dir)


def marked(v, out):
    note = v.w.run("checkpoint", v.dir).out
    world.need(world.read(out) == note, "the watermark is not the head's note")
    v.w.is_whole(v.dir)


# ---- The scenes ------------------------------------------------------------


@scene("append DIR --group 100 --quiet", appended,
       data=lambda w: b"".join(w.deltas[world.OLDER:]))
def append(v):
    v.start_from("older")


@scene("replay DIR", mended)
def replay(v):
    v.drop_store()


@scene("replay DIR --fresh", mended)
def replay_fresh(v):
    kinds.event_edited(v)


@scene("salvage DIR --from-store", mended)
def salvage_healing(v):
    kinds.entry_edited(v)
    kinds.segment_last(v)


@scene("salvage DIR", ranges_kept, status=5)
def salvage(v):
    kinds.entry_edited(v)


@scene("rebuild DIR --log --out OUT", same_log)
def rebuild_log(v):
    pass


@scene("rebuild DIR --store --out OUT", same_store)
def rebuild_store(v):
    pass


@scene("restore DIR --out OUT", restored)
def restore(v):
    pass


@scene("drill DIR", mended)
def drill(v):
    pass


@scene("checkpoint DIR --witness OUT", witnessed)
def checkpoint(v):
    pass


@scene(f"redact DIR {REDACTED} --reason test", redacted, takes=True, small=True)
def redact(v):
    pass


@scene("key rotate DIR", rotated, takes=True)  # the old secret
def key_rotate(v):
    pass


@scene("strategy DIR arrival", changed, small=True)
def strategy(v):
    v.w.well("strategy", v.dir, "keep-local")


@scene("restore DIR --out OUT --continue-as example.org/on", goes_on)
def restore_on(v):
    pass


@scene("rebuild DIR --log --install", mended)
def install_log(v):
    kinds.segment_last(v)


@scene("rebuild DIR --store --install", mended)
def install_store(v):
    kinds.event_edited(v)


@scene("parity DIR --watermark OUT", marked)
def watermark(v):
    pass


@scene("key trust DIR VKEY", mended)
def key_trust(v):
    kinds.vkey_gone(v)


# ---- Running one -----------------------------------------------------------


class Stage:
    """One scene, prepared below a folder."""

    def __init__(self, w, top, what):
        shutil.rmtree(top, ignore_errors=True)
        os.mkdir(top)
        self.w, self.top, self.what = w, top, what
        self.dir, self.out = os.path.join(top, "d"), os.path.join(top, "out")
        world.copy(w.path("whole"), self.dir)
        self.v = kinds.Victim(w, self.dir)
        what.prepare(self.v)
        self.data = what.data(w) if what.data else None
        tokens = {"DIR": self.dir, "OUT": self.out, "VKEY": w.vkey}
        self.args = [tokens.get(a, a) for a in what.args]
        self.before = world.Bytes([self.dir], w.scratch)

    def keeps(self):
        if self.what.takes:
            return
        lost = self.before.lost_to(world.Bytes([self.dir], self.w.scratch))
        world.need(not lost, f"lost: {lost[:3]}")

    def out_of_the_way(self):
        """What a run left under OUT is whole; the repeat gets a free place."""
        if os.path.isdir(self.out):
            self.what.ends(self.v, self.out)
            shutil.rmtree(self.out)

    def finish(self):
        """The repeat: it ends well, and what must hold holds."""
        self.out_of_the_way()
        r = self.w.run(*self.args, data=self.data)
        world.need(r.status == self.what.status,
                   f"the repeat ended with {r.status}: {r.err[-300:]}")
        self.what.ends(self.v, self.out)
        self.keeps()
        return r.seconds


def killed(w, what, moments, seed, seconds):
    """SIGKILL at a moment, then again during the repeat, then a run to the end.

    Returns how many runs died and how long the last one took, at worst.
    """
    rng, died, worst = random.Random(f"{seed} {what.name}"), 0, 0.0
    began = time.monotonic()
    took = Stage(w, w.path("stage"), what).finish()
    for done in range(moments + 60):
        late = done >= moments or (done and time.monotonic() - began > seconds)
        if died and late:
            break
        stage = Stage(w, w.path("stage"), what)
        for _ in range(2):
            stage.out_of_the_way()
            died += kill_once(w, stage, rng.uniform(0, took * 1.1))
        worst = max(worst, stage.finish())
    shutil.rmtree(w.path("stage"))
    world.need(died > 0, "no run was killed before its end")
    return died, worst


def kill_once(w, stage, delay):
    with open(w.path("input"), "wb") as f:
        f.write(stage.data or b"")
    with open(w.path("input"), "rb") as f:
        p = subprocess.Popen([w.command, *stage.args], stdin=f,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        p.wait(delay)
    except subprocess.TimeoutExpired:
        pass
    p.kill()
    return p.wait() < 0


# ---- A full disk -----------------------------------------------------------


def small_disk(path):
    """Mounts a tmpfs that only this process and its children see; why not, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        return "not root"
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        return "no mount namespace: " + os.strerror(ctypes.get_errno())
    libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)  # MS_REC | MS_PRIVATE
    os.makedirs(path, exist_ok=True)
    if libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, f"size={TMPFS}".encode()) != 0:
        return "no tmpfs: " + os.strerror(ctypes.get_errno())
    return None


def fill(disk, left):
    """Takes all space but `left` bytes."""
    free = os.statvfs(disk)
    size = free.f_bavail * free.f_frsize - left
    with open(os.path.join(disk, "ballast"), "wb") as f:
        os.posix_fallocate(f.fileno(), 0, size)
    return os.path.join(disk, "ballast")


def full(w, disk, what, slacks):
    """No space during the command; it says so, loses nothing, and then succeeds.

    Returns how long the run after space was made took, at worst.
    """
    failed, worst = 0, 0.0
    for left in slacks:
        stage = Stage(w, os.path.join(disk, "stage"), what)
        ballast = fill(disk, left)
        try:
            r = w.run(*stage.args, "--json", data=stage.data)
        finally:
            os.unlink(ballast)
        world.need(r.status in (1, what.status), f"ended with {r.status}: {r.err[-300:]}")
        if r.status == 1:
            failed += 1
            error = json.loads(r.err.strip().split(b"\n")[-1])["error"]
            world.need(error["code"] == "IO", f"with {left} bytes left it says: {error}")
            world.need("space" in error["message"].lower() or "full" in error["message"],
                       f"with {left} bytes left it says: {error}")
        stage.keeps()
        worst = max(worst, stage.finish())
        shutil.rmtree(stage.top)
    world.need(failed > 0 or what.small, "there was always space enough")
    return worst
