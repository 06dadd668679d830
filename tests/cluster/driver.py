"""The driver of a cluster of real `vigild` processes: makes the network, starts, stops and asks.

Waits on state, never on time. Ends only processes it started, by id; they end with it, however it ends.
"""
import ctypes
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def dies_with_us():
    """Between fork and exec: the process is killed when the one that started it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(what, reached, seconds=120):
    """Looks until `reached()` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = reached()
        if value:
            return value
        assert time.monotonic() < deadline, f"not reached within {seconds} s: {what}"
        select.select([], [], [], 0.05)


class Cluster:
    """Validators 1 to `validators` in one folder. Two hooks let faults in: `around` (words before the
    program of validator i, or of a client for i = 0) and `environments` (of validator i)."""

    def __init__(self, bin_folder, validators, first_port=None, testnet=(), maker=None):
        self.bin = pathlib.Path(bin_folder)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigil-cluster-"))
        self.count = validators
        self.net = self.folder / "net"
        self.port = free_port_range(10 * validators, first_port or int(os.environ.get("VIGIL_TEST_PORT", 0)) or 20000 + os.getpid() % 10000)
        self.processes = {}
        self.programs = {}
        self.around = {}
        self.environments = {}
        # Small numbers for tests that are over soon; what `testnet` says counts in their place.
        usual = {"--heartbeat-millis": 500, "--reveal-length": 4096, "--period-events": 512}
        words = [word for name, value in usual.items() if name not in testnet for word in (name, value)]
        self.run(maker or "vigild", "testnet", "--dir", self.net, "--validators", validators, "--base-port", self.port,
                 *words, *testnet)
        self.env = dict(os.environ, VIGIL_CONTEXT=str(self.net / "clients/vigil.toml"))

    def command(self, program, *args):
        """Of a client."""
        return [*self.around.get(0, ()), str(self.bin / program), *map(str, args)]

    def run(self, program, *args, expect=0):
        """Runs a program to its end; fails unless it exits with `expect`."""
        env = getattr(self, "env", None)
        done = subprocess.run(self.command(program, *args), env=env, capture_output=True, text=True)
        assert done.returncode == expect, (program, args, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    def vigil(self, *args, expect=0):
        return self.run("vigil", *args, expect=expect)

    def start(self, i, descriptors_max=None):
        log = open(self.folder / f"validator-{i}.log", "ab")

        def prepare():
            dies_with_us()
            if descriptors_max:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))

        program = self.programs.get(i, self.bin / "vigild")
        self.processes[i] = subprocess.Popen(
            [*self.around.get(i, ()), str(program), "start", "-c", str(self.net / f"validator-{i}/vigild.toml")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=prepare,
            env=dict(os.environ, **self.environments.get(i, {})))
        log.close()

    def start_all(self):
        for i in range(1, self.count + 1):
            self.start(i)
        self.vigil("wait", "--leader", "--all", "--timeout", 60)

    def end(self, i, how=signal.SIGTERM):
        process = self.processes.pop(i)
        process.send_signal(how)
        return process.wait()

    def statuses(self):
        """Of the validators that answer."""
        done = subprocess.run(self.command("vigil", "status", "-o", "ndjson"), env=self.env, capture_output=True,
                              text=True)
        assert done.returncode in (0, 3, 8), (done.returncode, done.stderr)
        return [one for one in map(json.loads, done.stdout.splitlines()) if one["role"] != "unreachable"]

    def leader(self):
        self.vigil("wait", "--leader", "--timeout", 60)
        for status in self.statuses():
            if status["role"] == "leader":
                return int(status["validator"].rsplit("-", 1)[1])
        return self.leader()

    def wait_caught_up(self):
        """Until every validator has executed what any of them had committed when this began."""
        def all_statuses():
            found = self.statuses()
            return found if len(found) == self.count else None

        goal = max(int(one["committed_height"]) for one in wait_until("every validator answers", all_statuses))
        wait_until(f"every validator is at height {goal}",
                   lambda: len(found := self.statuses()) == self.count and
                   all(int(one["executed_height"]) >= goal for one in found))

    def data(self, i):
        return self.net / f"validator-{i}/data"

    def endpoint(self, i):
        """Where clients reach validator i."""
        toml = (self.net / f"validator-{i}/vigild.toml").read_text()
        return next(line.split('"')[1] for line in toml.splitlines() if line.startswith("api = "))

    def log_text(self, i):
        return (self.folder / f"validator-{i}.log").read_text()

    def verify(self, i, expect=0):
        done = self.vigil("verify", "ledger", self.data(i), "--genesis", self.net / "genesis.json", "-o", "json",
                          expect=expect)
        return json.loads(done.stdout)

    def stop_all(self):
        for i in list(self.processes):
            self.end(i, signal.SIGKILL)

    def close(self):
        self.stop_all()
        shutil.rmtree(self.folder)


def free_port_range(size, first):
    """The first port of a range from `first` on that nobody listens on right now."""
    for base in range(first, 60000, size):
        sockets = []
        try:
            for port in range(base, base + size):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def sample(cluster, name, events, *more):
    folder = cluster.folder / name
    cluster.vigil("sample", "--dir", folder, "--events", events, *more)
    file = folder / "zeek.json"
    return file, sum(1 for _ in open(file))


def ingest_args(cluster, file, stream="ingest"):
    return ["ingest", "--quiet", "-o", "json", "--batch", 100, "--stream", stream,
            "--spool", cluster.folder / f"spool-{stream}", file]
