"""The kinds of faults. Each is a function of a Run that injects, lets clients go on, and heals."""
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import threading
import time

from clients import Clients
from driver import Cluster
from network import Network, Unavailable

ELECTION_MILLIS = (500, 1000)  # The configuration's defaults.


class Skip(Exception):
    """Why the fault cannot be had here."""


class Run:
    """One cluster with clients and a seed. The kind says what it needs before the start."""

    def __init__(self, options, kind, seed):
        self.options = options
        self.seed = seed
        self.random = random.Random(seed)
        self.network = self.clients = self.cluster = None
        self.mounts = []
        self.needs = NEEDS.get(kind, ())
        try:
            testnet = self.make_network() if "network" in self.needs else ()
            maker = self.other_program() if "other build" in self.needs else None
            self.cluster = Cluster(options.bin, options.validators, testnet=testnet, maker=maker)
            if self.network:
                self.cluster.around = self.network.around()
            if "small disks" in self.needs:
                self.mount_disks()
            if "wall clocks" in self.needs:
                self.preload_clocks()
            if "other build" in self.needs:
                self.cluster.programs = {i: maker for i in self.validators()}
        except BaseException:
            self.close()
            raise

    def validators(self):
        return range(1, self.options.validators + 1)

    def make_network(self):
        try:
            self.network = Network(self.options.validators)
        except Unavailable as why:
            raise Skip(str(why)) from why
        return ["--host", ",".join(self.network.address(i) for i in self.validators())]

    def other_program(self):
        if self.options.other_bin is None:
            raise Skip("--other-bin names no other build")
        return self.options.other_bin / "vigild"

    def mount_disks(self):
        for i in self.validators():
            disk = self.cluster.data(i)
            made = shutil.copytree(disk, self.cluster.folder / f"made-{i}")
            mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "vigil-test", str(disk)]
            if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
                raise Skip("a small disk needs the right to mount a tmpfs")
            self.mounts.append(disk)
            shutil.copytree(made, disk, dirs_exist_ok=True)

    def clock_file(self, i):
        return self.cluster.folder / f"clock-{i}"

    def preload_clocks(self):
        library = self.cluster.bin.parent / "tests" / "libwall_clock.so"
        if not library.exists():
            raise Skip(f"{library} is not built")
        for i in self.validators():
            self.set_clock(i, 7200)
            self.cluster.environments[i] = {"LD_PRELOAD": str(library),
                                            "VIGIL_WALL_CLOCK_FILE": str(self.clock_file(i))}
            shown = subprocess.run(["date", "+%s"], env=dict(os.environ, **self.cluster.environments[i]),
                                   capture_output=True, text=True, check=True).stdout
            if int(shown) - time.time() < 3600:
                raise Skip(f"{library} does not set the clock of a program here")
            self.set_clock(i, 0)

    def set_clock(self, i, seconds):
        """Of validator i, seconds ahead of the machine's; at once, also while it runs."""
        with open(self.clock_file(i), "r+b" if self.clock_file(i).exists() else "wb", buffering=0) as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))

    def start(self):
        self.cluster.start_all()
        self.clients = Clients(self.cluster, self.seed, local_reads=self.options.local_reads)
        self.clients.progress()

    def follower(self):
        leader = self.cluster.leader()
        return self.random.choice([i for i in self.validators() if i != leader])

    def kill(self, *victims):
        for i in victims:  # All of them before the first is waited for.
            self.cluster.processes[i].send_signal(signal.SIGKILL)
        for i in victims:
            self.cluster.processes.pop(i).wait()
            self.clients.down(i)

    def close(self):
        if self.clients:
            self.clients.close()
        if self.cluster:
            self.cluster.stop_all()
        for disk in self.mounts:
            subprocess.run(["umount", str(disk)], check=True)
        if self.cluster:
            self.cluster.close()
        if self.network:
            self.network.close()


def killed(run, what, *victims):
    run.clients.fault(f"kill -9 of {what}: {victims}")
    run.kill(*victims)
    if len(victims) < run.options.validators:
        run.clients.progress()
        run.clients.healed()
    for i in victims:
        run.cluster.start(i)
    if len(victims) == run.options.validators:
        run.clients.progress()
        run.clients.healed()


def kill_leader(run):
    killed(run, "the leader", run.cluster.leader())


def kill_follower(run):
    killed(run, "a follower", run.follower())


def kill_all(run):
    killed(run, "all", *run.validators())


def stopped(run, what, victim):
    """Frozen while the others go on; then it wakes up and believes that no time has passed."""
    run.clients.fault(f"SIGSTOP of {what}: {victim}")
    run.cluster.processes[victim].send_signal(signal.SIGSTOP)
    run.clients.progress()
    run.clients.healed()
    run.cluster.processes[victim].send_signal(signal.SIGCONT)
    run.clients.progress()


def stop_leader(run):
    stopped(run, "the leader", run.cluster.leader())


def stop_follower(run):
    stopped(run, "a follower", run.follower())


def slow_follower(run):
    """It gets a tenth of the time: stopped for 90 ms of every 100."""
    victim = run.follower()
    process = run.cluster.processes[victim]
    over = threading.Event()

    def brake():
        while not over.is_set():
            process.send_signal(signal.SIGSTOP)
            select.select([], [], [], 0.09)
            process.send_signal(signal.SIGCONT)
            select.select([], [], [], 0.01)

    run.clients.fault(f"a tenth of the time for a follower: {victim}")
    braking = threading.Thread(target=brake)
    braking.start()
    try:
        run.clients.progress(200)
    finally:
        over.set()
        braking.join()
    run.clients.healed()


def disk_full(run):
    """It says so and ends; the others go on; with room again it catches up."""
    victim = run.random.choice(run.validators())
    log_size = len(run.cluster.log_text(victim))
    run.clients.fault(f"disk full: {victim}")
    ballast = run.cluster.data(victim) / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"b" * size)
            except OSError:
                pass
    code = run.cluster.processes.pop(victim).wait(300)
    run.clients.down(victim)
    assert code == 1, f"validator {victim} ended with {code}"
    assert "No space left on device" in run.cluster.log_text(victim)[log_size:]
    run.clients.progress()
    run.clients.healed()
    ballast.unlink()
    run.cluster.start(victim)


def cut(run, what, pairs, appends=150):
    run.clients.fault(f"cut {what}: {pairs}")
    for source, target in pairs:
        run.network.cut(source, target)
    run.clients.progress(appends)
    run.clients.healed()
    run.network.heal()


def cut_leader(run):
    """Nothing passes between the leader and the others; clients reach all of them."""
    leader = run.cluster.leader()
    others = [i for i in run.validators() if i != leader]
    cut(run, "both ways", [(leader, i) for i in others] + [(i, leader) for i in others])


def cut_leader_out(run):
    leader = run.cluster.leader()
    cut(run, "from the leader", [(leader, i) for i in run.validators() if i != leader])


def cut_leader_in(run):
    leader = run.cluster.leader()
    cut(run, "to the leader", [(i, leader) for i in run.validators() if i != leader])


def cut_link(run):
    """Between the leader and one follower, which the others reach: it must not depose the leader for ever."""
    leader, other = run.cluster.leader(), run.follower()
    pairs = [(leader, other), (other, leader)] if run.random.random() < 0.5 else [(leader, other)]
    cut(run, "one link", pairs, appends=500)


def slow_link(run):
    victim = run.follower()
    run.clients.fault(f"256 kbit/s to a follower: {victim}")
    run.network.slow(victim, "256kbit")
    run.clients.progress(400)
    run.clients.healed()
    run.network.heal()


def clock_jump(run):
    """The wall clocks of one validator or of all jump, up to an hour either way, and stay there; then the
    leader is killed, so that the others elect one by clocks that differ."""
    victims = run.random.choice([[run.cluster.leader()], [run.follower()], run.validators()])
    jumps = {i: run.random.choice([-3600, -60, -5, 5, 60, 3600]) for i in victims}
    run.clients.fault(f"clocks jump: {jumps}")
    for i, seconds in jumps.items():
        run.set_clock(i, seconds)
    run.clients.progress(400)
    run.clients.healed()
    kill_leader(run)


def restarted(run, what):
    for i in run.validators():
        run.clients.fault(f"{what} of {i}")
        assert run.cluster.end(i) == 0
        run.clients.progress()
        run.clients.healed()
        run.cluster.start(i)
        run.cluster.wait_caught_up()


def rolling_restart(run):
    """SIGTERM and start, one after the other, while clients go on."""
    restarted(run, "restart")


def rolling_upgrade(run):
    """All begin as --other-bin, which also made the network; one after the other becomes this build. A round
    more replaces this build by itself."""
    run.cluster.programs.clear()
    restarted(run, "upgrade")


def mixed(run):
    """Any of those that need no cluster of their own kind, so that each meets what another left behind."""
    run.random.choice([kill_leader, kill_follower, kill_all, stop_leader, stop_follower, slow_follower, cut_leader,
                       cut_leader_out, cut_leader_in, cut_link, slow_link, clock_jump])(run)


FAULTS = {"kill-leader": kill_leader, "kill-follower": kill_follower, "kill-all": kill_all,
          "stop-leader": stop_leader, "stop-follower": stop_follower, "slow-follower": slow_follower,
          "disk-full": disk_full, "cut-leader": cut_leader, "cut-leader-out": cut_leader_out,
          "cut-leader-in": cut_leader_in, "cut-link": cut_link, "slow-link": slow_link, "clock-jump": clock_jump,
          "rolling-restart": rolling_restart, "rolling-upgrade": rolling_upgrade, "mixed": mixed}
NEEDS = {"disk-full": ["small disks"], "clock-jump": ["wall clocks"], "rolling-upgrade": ["other build"],
         "mixed": ["network", "wall clocks"],
         **{kind: ["network"] for kind in ("cut-leader", "cut-leader-out", "cut-leader-in", "cut-link", "slow-link")}}
