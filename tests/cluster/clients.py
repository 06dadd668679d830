"""Concurrent clients that record a history, and its judgement (history.h, history_check.cc)."""
import json
import os
import select
import subprocess
import time

from driver import dies_with_us


class Clients:
    """The program `history_client`, and beside it the lines of what was done to the validators."""

    def __init__(self, cluster, seed, processes=8, local_reads=False):
        self.cluster = cluster
        self.tests = cluster.bin.parent / "tests"
        self.history = cluster.folder / "history.ndjson"
        self.faults = cluster.folder / "faults.ndjson"
        self.faults.write_text("")
        self.pending = b""
        self.program = subprocess.Popen(
            [*cluster.around.get(0, ()), str(self.tests / "history_client"), cluster.env["VIGIL_CONTEXT"],
             str(self.history), str(seed), "--processes", str(processes), "--linearizable-percent",
             "0" if local_reads else "50"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=dies_with_us)
        self.acknowledged = 0

    def tell(self, line, seconds=180):
        """Gives a command; returns the answer's words."""
        self.program.stdin.write(line.encode() + b"\n")
        self.program.stdin.flush()
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.program.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"clients: no answer to '{line}' within {seconds} s"
            more = os.read(self.program.stdout.fileno(), 4096)
            assert more, "clients: the program ended"
            self.pending += more
        answer, _, self.pending = self.pending.partition(b"\n")
        return answer.decode().split()

    def progress(self, appends=40):
        """Until so many further appends are acknowledged."""
        self.acknowledged = int(self.tell(f"reach {self.now() + appends}")[1])

    def now(self):
        return int(self.tell("reach 0")[1])

    def note(self, **line):
        with open(self.faults, "a") as file:
            file.write(json.dumps(dict(line, time=time.monotonic_ns())) + "\n")

    def fault(self, what):
        self.note(type="fault", what=what)

    def healed(self):
        self.note(type="fault", what="healed")

    def down(self, i):
        """Validator i has ended without notice; what it had executed it may have to execute again."""
        self.note(type="down", endpoint=i)

    def finish(self):
        """Ends the load; when every validator has caught up, reads everything again. Returns the verdict."""
        assert self.tell("stop") == ["stopped"]
        self.cluster.wait_caught_up()
        answer = self.tell("settled")
        assert answer == ["settled"], answer
        self.program.stdin.close()
        assert self.program.wait(60) == 0
        return self.judge()

    def judge(self, history=None):
        done = subprocess.run([str(self.tests / "history_check"), str(history or self.history), str(self.faults)],
                              capture_output=True, text=True)
        assert done.returncode in (0, 6, 7), done.stderr
        return json.loads(done.stdout)

    def altered_are_refused(self):
        """Whether the judge finds a wrong answer in this very history: a record at another position, and a
        record that was acknowledged and is gone."""
        lines = [json.loads(line) for line in open(self.history)]
        settled = {line["op"] for line in lines if line.get("mode") == "settled"}
        appends = {line["op"] for line in lines if line.get("f") == "append"}
        moved = next(i for i, line in enumerate(lines) if line["type"] == "ok" and line["op"] in appends)
        gone = next(i for i, line in enumerate(lines) if line["type"] == "ok" and line["op"] in settled)
        answers = []
        for at, change in ((moved, {"position": lines[moved]["position"] + 1}),
                           (gone, {"position": 0, "sequence": 0, "leaf": ""})):
            altered = self.cluster.folder / "altered.ndjson"
            with open(altered, "w") as file:
                for i, line in enumerate(lines):
                    file.write(json.dumps(dict(line, **change) if i == at else line) + "\n")
            found = self.judge(altered)
            answers.append(found["verdict"] == "NOT LINEARIZABLE" or found["sessions"])
        return all(answers)

    def silences(self):
        """For each fault, the longest time in seconds without an acknowledged append until it was healed."""
        acknowledged, appends = [], set()
        for line in map(json.loads, open(self.history)):
            if line["type"] == "invoke" and line["f"] == "append":
                appends.add(line["op"])
            elif line["type"] == "ok" and line["op"] in appends:
                acknowledged.append(line["time"])
        acknowledged.sort()
        found, begin = [], None
        for line in map(json.loads, open(self.faults)):
            if line["type"] != "fault":
                continue
            if line["what"] == "healed" and begin is not None:
                times = [begin, *(time for time in acknowledged if begin < time < line["time"]), line["time"]]
                found.append(max(after - before for before, after in zip(times, times[1:])) / 1e9)
                begin = None
            elif line["what"] != "healed":
                begin = line["time"]
        return found

    def odd_answers(self):
        """Records that are on the chain without effect, as their author was told."""
        return [line for line in map(json.loads, open(self.history)) if line.get("odd")]

    def close(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
