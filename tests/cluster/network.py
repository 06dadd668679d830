"""A network of its own for a cluster: every validator in a network namespace, a router between them.

Needs root and the programs of iproute2 and util-linux. Nothing of it is seen from outside, and the
namespaces end with the processes that hold them, so with this one. Addresses are of 192.0.2.0/24, which
are for documentation and routed nowhere.
"""
import os
import pathlib
import shutil
import subprocess

from driver import dies_with_us, wait_until


class Unavailable(Exception):
    """Why this machine cannot have such a network."""


class Network:
    def __init__(self, count):
        for program in ("ip", "tc", "unshare", "nsenter", "sleep"):
            if shutil.which(program) is None:
                raise Unavailable(f"{program} is not installed (Debian: iproute2, util-linux)")
        self.holders = []
        try:
            self.router = self.hold()
            self.nodes = [self.hold() for _ in range(count)]
            self.connect()
        except subprocess.CalledProcessError as error:
            self.close()
            raise Unavailable(f"{' '.join(map(str, error.cmd[-6:]))}: {error.stderr.decode().strip()}") from error
        except BaseException:
            self.close()
            raise

    def hold(self):
        """The id of a process in a new namespace."""
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=dies_with_us,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.holders.append(holder)
        own = os.readlink("/proc/self/ns/net")

        def is_in():
            if holder.poll() is not None:
                raise Unavailable(f"network namespaces: {holder.stderr.read().decode().strip()}")
            entered = os.readlink(f"/proc/{holder.pid}/ns/net") != own
            return entered and pathlib.Path(f"/proc/{holder.pid}/comm").read_text() == "sleep\n"

        wait_until("a network namespace", is_in)
        return holder.pid

    @staticmethod
    def inside(holder):
        """The words that run a program in a namespace."""
        return ["nsenter", f"--net=/proc/{holder}/ns/net", "--"]

    def do(self, holder, *words):
        subprocess.run([*self.inside(holder), *map(str, words)], check=True, capture_output=True)

    def address(self, i):
        return f"192.0.2.{4 * i + 2}"

    def connect(self):
        self.do(self.router, "ip", "link", "set", "lo", "up")
        self.do(self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for i, node in enumerate(self.nodes, 1):
            gateway = f"192.0.2.{4 * i + 1}"
            self.do(self.router, "ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", node)
            self.do(self.router, "ip", "addr", "add", f"{gateway}/30", "dev", f"v{i}")
            self.do(self.router, "ip", "link", "set", f"v{i}", "up")
            self.do(node, "ip", "link", "set", "lo", "up")
            self.do(node, "ip", "addr", "add", f"{self.address(i)}/30", "dev", "eth0")
            self.do(node, "ip", "link", "set", "eth0", "up")
            self.do(node, "ip", "route", "add", "default", "via", gateway)

    def around(self):
        """For Cluster.around: clients live on the router and reach everybody, whatever is cut."""
        return {0: self.inside(self.router), **{i: self.inside(node) for i, node in enumerate(self.nodes, 1)}}

    def cut(self, source, target):
        """What validator `source` sends to `target` is lost from now on, without a word."""
        self.do(self.router, "ip", "rule", "add", "pref", 100, "from", self.address(source), "to",
                self.address(target), "blackhole")

    def slow(self, i, rate):
        """Everything to validator i passes at `rate` ("512kbit")."""
        self.do(self.router, "tc", "qdisc", "replace", "dev", f"v{i}", "root", "tbf", "rate", rate, "burst", "16kb",
                "latency", "400ms")

    def heal(self):
        while subprocess.run([*self.inside(self.router), "ip", "rule", "del", "pref", "100"],
                             capture_output=True).returncode == 0:
            pass
        for i in range(1, len(self.nodes) + 1):
            subprocess.run([*self.inside(self.router), "tc", "qdisc", "del", "dev", f"v{i}", "root"],
                           capture_output=True)

    def close(self):
        for holder in self.holders:
            holder.kill()
            holder.wait()
