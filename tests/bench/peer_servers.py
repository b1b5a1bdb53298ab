"""peer_servers.py - PostgreSQL, Redis, etcd: for peers.py.

Each is started on a socket or port of its own, in a directory of its own, with
the setting that makes an acknowledgement durable.
"""
import base64
import glob
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

PAYLOAD = ('{"name":"n0123456789abcdef","mail":"0123456789abcdef@example.org","score":1.5,'
           '"tags":["alpha","beta"],"note":"0123456789abcdef"}')
EVENT = ('{"resource":"contacts","record_id":"%06d","op":"upsert","payload":' + PAYLOAD +
         ',"occurred_at":"2026-01-01T00:00:00.000Z","provenance":{"source":"bench",'
         '"confidence":0.50}}')


class Failed(Exception):
    """A peer that is there and did not run."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(ready, process, what):
    """Until ready() is true, at most 20 seconds."""
    for _ in range(400):
        if process.poll() is not None:
            raise Failed(f"{what} ended with status {process.returncode}")
        if ready():
            return
        time.sleep(0.05)
    raise Failed(f"{what} did not answer")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


class Server:
    """What they share: a process that is ended by its own id."""
    process = None

    def spawn(self, argv, **options):
        log = open(os.path.join(self.dir, "server.log"), "wb")
        with log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


def said(program, pattern):
    """What follows in the answer to --version."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True,
                          check=False).stdout
    found = re.search(pattern, told)
    return found.group(1) if found else "of unknown version"


# ---- PostgreSQL -----------------------------------------------------------------


def postgres_program(name):
    """The newest; Debian's wrapper of that name wants a cluster of its own."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)
    return found[0] if found else shutil.which(name)


class Postgres(Server):
    """synchronous_commit=on, its default; one INSERT of an event a commit, or a
    hundred in one; pgbench on a Unix socket, prepared statements."""
    name = "PostgreSQL"

    def missing(self):
        if not all(map(postgres_program, ("postgres", "initdb", "pgbench"))):
            return "not installed"
        return None

    def version(self):
        return said(postgres_program("postgres"), r"\) ([0-9.]+)")

    def rows(self):
        title = f"{self.name} synchronous_commit=on"
        return [(f"{title}, 1", lambda s: self.load(s, 1, 1)),
                (f"{title}, 100", lambda s: self.load(s, 1, 100)),
                (f"{title}, 16 clients, 1", lambda s: self.load(s, 16, 1)),
                (f"{title}, 64 clients, 1", lambda s: self.load(s, 64, 1))]

    def as_user(self):
        """It refuses to be root."""
        if os.geteuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            try:
                who = pwd.getpwnam(name)
                return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": [],
                        "cwd": self.dir}
            except KeyError:
                continue
        raise Failed("no user to run as")

    def start(self, directory):
        self.dir = directory
        options = self.as_user()
        data = os.path.join(directory, "data")
        os.mkdir(data, 0o700)
        if options:
            os.chown(data, options["user"], options["group"])
            os.chown(directory, options["user"], options["group"])
        made = subprocess.run([postgres_program("initdb"), "-D", data, "-A", "trust", "-U",
                               "bench", "-E", "UTF8", "--locale=C"], capture_output=True,
                              text=True, check=False, **options)
        if made.returncode:
            raise Failed(made.stderr.strip()[-200:])
        self.spawn([postgres_program("postgres"), "-D", data, "-k", directory, "-c",
                    "listen_addresses=", "-c", "max_connections=100"], **options)
        wait_for(lambda: os.path.exists(os.path.join(directory, ".s.PGSQL.5432")) and
                 self.sql("SELECT 1") == 0, self.process, "postgres")
        if self.sql("CREATE TABLE events(seq BIGSERIAL PRIMARY KEY, resource TEXT, record_id TEXT,"
                    " op TEXT, payload TEXT, hash BYTEA)"):
            raise Failed("no table")

    def stop(self, how=signal.SIGINT):  # a fast shutdown
        super().stop(how)

    def sql(self, text):
        script = os.path.join(self.dir, "once.sql")
        with open(script, "w", encoding="utf-8") as f:
            f.write(text + ";\n")
        return self.bench(script, ["-t", "1"]).returncode

    def bench(self, script, options):
        return subprocess.run([postgres_program("pgbench"), "-n", "-h", self.dir, "-U", "bench",
                               "-f", script] + options + ["postgres"], capture_output=True,
                              text=True, check=False, cwd=self.dir)

    def load(self, seconds, clients, batch):
        script = os.path.join(self.dir, "load.sql")
        with open(script, "w", encoding="utf-8") as f:
            f.write("\\set id random(0, 249999)\n"
                    "INSERT INTO events(resource, record_id, op, payload, hash) SELECT 'contacts',"
                    f" lpad(((:id + g) % 250000)::text, 6, '0'), 'upsert', '{PAYLOAD}',"
                    " '\\x" + "ab" * 32 + f"'::bytea FROM generate_series(1, {batch}) g;\n")
        done = self.bench(script, ["-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
                                   "-T", str(max(1, round(seconds))), "-l", "--log-prefix",
                                   os.path.join(self.dir, "latency")])
        found = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode or not found:
            raise Failed(done.stderr.strip()[-200:])
        latencies = []
        for path in glob.glob(os.path.join(self.dir, "latency.*")):
            with open(path, encoding="utf-8") as f:
                latencies += [int(line.split()[2]) / 1e6 for line in f]
        return float(found.group(1)) * batch, latencies


# ---- Redis ----------------------------------------------------------------------


class Redis(Server):
    """appendfsync always, without snapshots; XADD of an event; redis-benchmark
    on a Unix socket."""
    name = "Redis"

    def missing(self):
        if not (shutil.which("redis-server") and shutil.which("redis-benchmark")):
            return "not installed"
        return None

    def version(self):
        return said("redis-server", r"v=([0-9.]+)")

    def rows(self):
        title = f"{self.name} AOF appendfsync always"
        return [(f"{title}, 1", lambda s: self.load(s, 1, 1, 4000)),
                (f"{title}, pipeline of 100", lambda s: self.load(s, 1, 100, 80000)),
                (f"{title}, 16 clients, 1", lambda s: self.load(s, 16, 1, 25000)),
                (f"{title}, 64 clients, 1", lambda s: self.load(s, 64, 1, 50000))]

    def start(self, directory):
        self.dir = directory
        self.path = os.path.join(directory, "redis.sock")
        self.spawn([shutil.which("redis-server"), "--port", "0", "--unixsocket", self.path,
                    "--dir", directory, "--appendonly", "yes", "--appendfsync", "always",
                    "--save", "", "--auto-aof-rewrite-percentage", "0"])
        wait_for(lambda: os.path.exists(self.path), self.process, "redis-server")

    def load(self, seconds, clients, pipeline, per_second):
        event = EVENT % 123456
        done = subprocess.run([shutil.which("redis-benchmark"), "-s", self.path, "-c", str(clients),
                               "-P", str(pipeline), "-n", str(int(per_second * seconds)), "--csv",
                               "XADD", "events", "*", "e", event], capture_output=True, text=True,
                              check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode or len(lines) < 2:
            raise Failed(done.stderr.strip()[-200:] or "redis-benchmark says nothing")
        rps, _, _, p50, _, p99, _ = [float(x) for x in re.findall(r'"([0-9.]+)"', lines[-1])][-7:]
        return rps, [p50 / 1e3] * 50 + [p99 / 1e3] * 2


# ---- etcd -----------------------------------------------------------------------


class Etcd(Server):
    """One member; put, or a transaction of 100 puts, on one connection."""
    name = "etcd"

    def missing(self):
        return None if shutil.which("etcd") else "not installed"

    def version(self):
        return said("etcd", r"Version: ([0-9.]+)")

    def rows(self):
        return [("etcd, put, 1", lambda s: self.load(s, 1)),
                ("etcd, transaction of 100", lambda s: self.load(s, 100))]

    def start(self, directory):
        self.dir, self.port, peer = directory, free_port(), free_port()
        here, there = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        self.spawn([shutil.which("etcd"), "--data-dir", os.path.join(directory, "data"),
                    "--listen-client-urls", here, "--advertise-client-urls", here,
                    "--listen-peer-urls", there, "--initial-advertise-peer-urls", there,
                    "--initial-cluster", f"default={there}"])
        wait_for(lambda: answers(self.port) and self.leads(), self.process, "etcd")

    def post(self, connection, path, body):
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failed(text[:200].decode("utf-8", "replace"))

    def leads(self):
        try:
            self.post(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5), "/v3/kv/put",
                      {"key": "YQ==", "value": "YQ=="})
            return True
        except (Failed, OSError):
            return False

    def load(self, seconds, batch):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        latencies, count, began = [], 0, time.monotonic()
        while time.monotonic() - began < seconds:
            puts = []
            for _ in range(batch):
                puts.append({"key": base64.b64encode(b"%012d" % count).decode(),
                             "value": base64.b64encode((EVENT % (count % 250000)).encode())
                             .decode()})
                count += 1
            then = time.monotonic()
            if batch == 1:
                self.post(connection, "/v3/kv/put", puts[0])
            else:
                self.post(connection, "/v3/kv/txn",
                          {"success": [{"requestPut": put} for put in puts]})
            latencies.append(time.monotonic() - then)
        return count / sum(latencies), latencies


ALL = [Postgres(), Redis(), Etcd()]
