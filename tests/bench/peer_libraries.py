"""peer_libraries.py - LMDB, RocksDB, hypercore, ssb-db2: for peers.py.

The first two through ctypes, in this process; those of node in one of their
own, which prints what it measured.  Only time between asking and being told
counts; making the event does not.
"""
import ctypes
import ctypes.util
import glob
import json
import os
import re
import shutil
import subprocess
import time

from peer_servers import EVENT, Failed

HERE = os.path.dirname(os.path.abspath(__file__))


def library(name):
    """The newest that the loader or LD_LIBRARY_PATH has, or None."""
    found = ctypes.util.find_library(name)
    for directory in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        found = found or next(iter(sorted(glob.glob(f"{directory}/lib{name}.so*"))), None)
    try:
        return ctypes.CDLL(found) if found else None
    except OSError:
        return None


class Library:
    """A loop of commits; commit(events) makes them durable."""

    def missing(self):
        return None if library(self.so) else "not installed"

    def stop(self):
        pass

    def loop(self, seconds, batch):
        latencies, count, began = [], 0, time.monotonic()
        while time.monotonic() - began < seconds:
            events = [(b"%012d" % (count + i), (EVENT % ((count + i) % 250000)).encode())
                      for i in range(batch)]
            then = time.monotonic()
            self.commit(events)
            latencies.append(time.monotonic() - then)
            count += batch
        return count / sum(latencies), latencies

    def rows(self):
        return [(f"{self.title}, {batch}", lambda s, b=batch: self.loop(s, b))
                for batch in (1, 100)]


def must(rc, what):
    if rc:
        raise Failed(f"{what}: {rc}")


class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_char_p)]


class Lmdb(Library):
    name, so, title = "LMDB", "lmdb", "LMDB, synchronous"

    def version(self):
        c = library(self.so)
        c.mdb_version.restype = ctypes.c_char_p
        return re.search(r"[0-9.]+", c.mdb_version(None, None, None).decode()).group(0)

    def start(self, directory):
        self.c, self.env, self.dbi = library(self.so), ctypes.c_void_p(), ctypes.c_uint()
        must(self.c.mdb_env_create(ctypes.byref(self.env)), "mdb_env_create")
        must(self.c.mdb_env_set_mapsize(self.env, ctypes.c_size_t(8 << 30)), "the map")
        must(self.c.mdb_env_open(self.env, directory.encode(), 0, 0o600), "mdb_env_open")
        txn = self.begin()
        must(self.c.mdb_dbi_open(txn, None, 0, ctypes.byref(self.dbi)), "mdb_dbi_open")
        must(self.c.mdb_txn_commit(txn), "commit")

    def stop(self):
        if getattr(self, "env", None):
            self.c.mdb_env_close(self.env)
            self.env = None

    def begin(self):
        txn = ctypes.c_void_p()
        must(self.c.mdb_txn_begin(self.env, None, 0, ctypes.byref(txn)), "begin")
        return txn

    def commit(self, events):
        txn = self.begin()
        for key, value in events:
            must(self.c.mdb_put(txn, self.dbi, ctypes.byref(Val(len(key), key)),
                                ctypes.byref(Val(len(value), value)), 0), "put")
        must(self.c.mdb_txn_commit(txn), "commit")


class RocksDb(Library):
    name, so, title = "RocksDB", "rocksdb", "RocksDB, sync=true"

    def version(self):  # the C interface does not tell
        found = re.search(r"rocksdb\.so\.([0-9.]+)", library(self.so)._name)
        return found.group(1) if found else "of unknown version"

    def start(self, directory):
        c = self.c = library(self.so)
        for name in ("options_create", "writeoptions_create", "writebatch_create", "open"):
            getattr(c, "rocksdb_" + name).restype = ctypes.c_void_p
        options, error = ctypes.c_void_p(c.rocksdb_options_create()), ctypes.c_char_p()
        c.rocksdb_options_set_create_if_missing(options, 1)
        self.sync = ctypes.c_void_p(c.rocksdb_writeoptions_create())
        c.rocksdb_writeoptions_set_sync(self.sync, 1)
        self.db = ctypes.c_void_p(c.rocksdb_open(options, os.path.join(directory, "db").encode(),
                                                 ctypes.byref(error)))
        if error:
            raise Failed(error.value.decode("utf-8", "replace"))
        self.batch = ctypes.c_void_p(c.rocksdb_writebatch_create())

    def stop(self):
        if getattr(self, "db", None):
            self.c.rocksdb_writebatch_destroy(self.batch)
            self.c.rocksdb_close(self.db)
            self.db = None

    def commit(self, events):
        error = ctypes.c_char_p()
        self.c.rocksdb_writebatch_clear(self.batch)
        for key, value in events:
            self.c.rocksdb_writebatch_put(self.batch, key, ctypes.c_size_t(len(key)), value,
                                          ctypes.c_size_t(len(value)))
        self.c.rocksdb_write(self.db, self.sync, self.batch, ctypes.byref(error))
        if error:
            raise Failed(error.value.decode("utf-8", "replace"))


class Node(Library):
    """A package of node: peer_node.js writes and tells."""

    def __init__(self, name, kind, rows):
        self.name, self.kind, self.list = name, kind, rows

    def missing(self):
        if not shutil.which("node"):
            return "no node"
        seen = subprocess.run(["node", "-e", f"require.resolve('{self.name}')"],
                              capture_output=True, check=False)
        return "not installed (NODE_PATH)" if seen.returncode else None

    def version(self):
        script = f"console.log(require.resolve('{self.name}'))"
        path = subprocess.run(["node", "-e", script], capture_output=True, text=True,
                              check=False).stdout.split(f"/{self.name}/")[0]
        with open(f"{path}/{self.name}/package.json", encoding="utf-8") as f:
            return json.load(f)["version"]

    def start(self, directory):
        self.dir = directory

    def rows(self):
        return [(title, lambda s, how=how, batch=batch: self.run(s, how, batch))
                for title, how, batch in self.list]

    def run(self, seconds, how, batch):
        done = subprocess.run(["node", os.path.join(HERE, "peer_node.js"), self.kind, how, self.dir,
                               str(seconds), str(batch)], capture_output=True, text=True,
                              check=False, timeout=seconds * 10 + 60)
        if done.returncode:
            raise Failed(done.stderr.strip()[-200:])
        try:
            told = json.loads(done.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError) as e:
            raise Failed(f"what it tells is no result: {e}") from e
        return told["events"] / told["seconds"], told["latencies"]


ALL = [Lmdb(), RocksDb(),
       Node("hypercore", "hypercore", [("hypercore, await append, 1 (not durable)", "append", 1),
                                       ("hypercore, 100 (not durable)", "append", 100)]),
       Node("ssb-db2", "ssb", [("ssb-db2, create, 1 (not durable)", "create", 1),
                               ("ssb-db2, create and onDrain, 1", "drain", 1)])]
