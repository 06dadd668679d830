#!/usr/bin/env python3
"""Real logs into a local network of three validators: which known attacks were alerted, by what, and at which rank.

Usage: real_logs.py BIN_FOLDER [--shared FOLDER] [CASE ...]

One network per case, so that none learns from another. Printed per case: events, alerts by rule and by component of
the forest, the attacks that are known of the file with the rank of the first alert on each (all alerts by score, most
first; ties by order on chain), and the alerts on anything else per 10,000 events. What is known differs by file and is
said with each: `known` is a label or the whole file, `told` what another sensor said, `none` nothing, so that the
alerts on "anything else" are then unjudged, not false. Periods have 512 events, so that the forest has models soon. Logs that `vigil ingest` has no adapter for (OpenSSH, Windows) are turned into its own JSON here.
"""
import argparse
import collections
import contextlib
import datetime
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from driver import Cluster, wait_until  # noqa: E402

VALIDATORS = 3
Case = collections.namedtuple("Case", "name parts knowledge attack_of what")
# parts: (file name to write, bytes, format). attack_of: event JSON -> name of the attack it belongs to, or None.


def read(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def lines_of(events):
    return "".join(json.dumps(event) + "\n" for event in events).encode()


def address(event, side):
    return event.get(side, {}).get("ip", "")


# --- OpenSSH -----------------------------------------------------------------------------------------------------

SSH_LINE = re.compile(r"^(\w{3} +\d+ [\d:]{8}) (\S+) sshd\[(\d+)\]: (.*)$")
SSH_FAILED = re.compile(r"^(Failed|Accepted) (\S+) for (?:invalid user )?(.*?) from (\S+) port (\d+)")
SSH_REPEATED = re.compile(r"^message repeated (\d+) times: \[ (.*)\]$")


def openssh(path):
    failures = collections.Counter()
    events = []
    for line in read(path).decode("utf-8", "replace").splitlines():
        found = SSH_LINE.match(line)
        if not found:
            continue
        stamp, host, pid, text = found.groups()
        when = datetime.datetime.strptime("2023 " + " ".join(stamp.split()), "%Y %b %d %H:%M:%S")
        event = {"time": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "source": "sshd", "type_uid": 300299, "severity_id": 1,
                 "device": {"hostname": host}, "actor": {"pid": int(pid)}, "message": text[:500]}
        repeated = SSH_REPEATED.match(text)
        if repeated:
            event["count"], text = int(repeated.group(1)), repeated.group(2)
        logon = SSH_FAILED.match(text)
        if logon:
            verdict, _, user, source, port = logon.groups()
            event.update(type_uid=300201, status_id=2 if verdict == "Failed" else 1, app_protocol="ssh",
                         src={"ip": source, "port": int(port)})
            event["actor"]["user"] = user.strip() or "(empty)"
            if verdict == "Failed":
                failures[source] += event.get("count", 1)
        events.append(event)
    attackers = {source for source, count in failures.items() if count >= 10}

    def attack_of(event):
        source = address(event, "src")
        return f"brute force by {source}" if source in attackers else None

    return Case("openssh", [("openssh.ndjson", lines_of(events), "vigil")], "known", attack_of,
                f"loghub OpenSSH_2k: {len(attackers)} sources with 10 failed logons or more; {len(failures)} with any")


# --- Zeek and Suricata -------------------------------------------------------------------------------------------

def zeek(name, files, knowledge, attack, what):
    parts = []
    for path in files:
        data = read(path)
        kind = "zeek-tsv" if data.startswith(b"#") else "zeek-json"
        # Zeek's JSON does not say which log it is; its file name does.
        parts.append((path.name.removesuffix(".gz"), data, kind))
    return Case(name, parts, knowledge, (lambda event: attack) if attack else (lambda event: None), what)


def suricata(path):
    rows = [json.loads(line) for line in read(path).splitlines()]
    attackers = {row["src_ip"] for row in rows if row["event_type"] == "alert"}
    # Without Suricata's alerts: they would give the answer away.
    rest = sorted((row for row in rows if row["event_type"] != "alert"), key=lambda row: row["timestamp"])

    def attack_of(event):
        source = address(event, "src")
        return f"source {source}" if source in attackers else None

    return Case("suricata", [("eve.json", lines_of(rest), "suricata")], "told", attack_of,
                f"slips test6, inbound from the internet: {len(attackers)} sources that Suricata alerted on, its alerts left out")


# --- Windows -----------------------------------------------------------------------------------------------------

WINDOWS_KINDS = {1: 100701, 4688: 100701, 5: 100702, 4689: 100702, 3: 400106, 5156: 400106, 5158: 400106, 4624: 300201,
                 4625: 300201, 4634: 300202, 4648: 300201, 7: 100501, 10: 100703, 11: 100101, 12: 20100199, 13: 20100199}


def windows_event(row):
    number = int(row.get("EventID") or 0)
    when = str(row.get("UtcTime") or row.get("EventTime") or row.get("@timestamp") or "2020-10-01T00:00:00")
    when = when.replace(" ", "T").removesuffix("Z").split(".")[0] + "Z"
    event = {"time": when, "source": ("windows." + str(row.get("Channel", "")).split("/")[0].rsplit("-", 1)[-1].lower())[:64],
             "event_id": str(number), "type_uid": WINDOWS_KINDS.get(number, 100199), "severity_id": 1,
             "device": {"hostname": str(row.get("Hostname") or row.get("host") or "unknown")[:250]},
             "message": str(row.get("Message", ""))[:600]}
    actor = {"user": row.get("TargetUserName") or row.get("User") or row.get("SubjectUserName"),
             "path": row.get("Image") or row.get("NewProcessName") or row.get("SourceImage"),
             "cmd_line": row.get("CommandLine"), "parent": row.get("ParentImage")}
    event["actor"] = {key: str(value)[:1000 if key == "path" else 250 if key != "cmd_line" else 4000]
                      for key, value in actor.items() if value and value != "-"}
    if not event["actor"]:
        del event["actor"]
    for side, names in (("src", ("SourceIp", "IpAddress", "SourceAddress")), ("dst", ("DestinationIp", "DestAddress"))):
        value = next((str(row[name]) for name in names if row.get(name) and row[name] not in ("-", "LOCAL")), None)
        if value and re.fullmatch(r"[0-9a-fA-F.:]+", value):
            event[side] = {"ip": value.removeprefix("::ffff:")}
    if "dst" in event and str(row.get("DestinationPort") or row.get("DestPort") or "").isdigit():
        event["dst"]["port"] = int(row.get("DestinationPort") or row.get("DestPort"))
    if number in (4624, 4625):
        event["status_id"] = 1 if number == 4624 else 2
    target = row.get("TargetImage") or row.get("TargetObject") or row.get("ImageLoaded") or row.get("TargetFilename")
    if target:
        event["file"] = {"path": str(target)[:1000]}
    return event


def windows(path, words):
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode("utf-8", "replace")
    events = sorted((windows_event(json.loads(line)) for line in text.splitlines() if line.strip()),
                    key=lambda event: event["time"])
    pattern = re.compile(words, re.IGNORECASE)

    def attack_of(event):
        return f"events that match /{words}/" if pattern.search(json.dumps(event)) else None

    name = "windows-" + path.stem.split("__")[1]
    return Case(name, [("windows.ndjson", lines_of(events), "vigil")], "told", attack_of,
                f"OTRF {path.stem}: one simulated attack; its events by words that its description names")


def all_cases(shared):
    slips, brim, otrf = shared / "zeek_slips", shared / "zeek_brim/json", shared / "otrf_windows"
    yield "openssh", lambda: openssh(shared / "loghub/OpenSSH_2k.log")
    for kind, what in (("vertical", "46 of 50 connections go to 44 ports of one host, nearly all rejected"),
                       ("horizontal", "29 hosts in 32 s; most connections succeed, so that the file hardly is what it is filed as")):
        yield f"zeek-{kind}-scan", lambda kind=kind, what=what: zeek(
            f"zeek-{kind}-scan", [slips / f"port-scans/{kind}/conn.log.gz"], "told", f"{kind} port scan", f"slips: {what}")
    yield "zeek-dhcp-scan", lambda: zeek(
        "zeek-dhcp-scan", sorted((slips / "test13-malicious-dhcpscan-zeek-dir").glob("*.gz")), "known", "DHCP scan",
        "slips test13: the whole file is malicious")
    for number in (9, 10):
        yield f"zeek-mixed-{number}", lambda number=number: zeek(
            f"zeek-mixed-{number}", sorted((slips / f"test{number}-mixed-zeek-dir").glob("*.gz")), "none", None,
            "slips: attacks and ordinary traffic, unlabelled")
    for log in ("ssh", "rdp", "ftp", "ntlm", "smtp", "dns"):
        yield f"zeek-wrccdc-{log}", lambda log=log: zeek(
            f"zeek-wrccdc-{log}", [brim / f"{log}.json.gz"], "none", None, "WRCCDC 2018, red against blue, unlabelled")
    yield "suricata", lambda: suricata(shared / "suricata_slips/test6-malicious.suricata.json.gz")
    for stem, words in (("credential_access__cmd_psexec_lsa_secrets_dump", "psexec|lsa"),
                        ("credential_access__empire_mimikatz_logonpasswords", "mimikatz|lsass"),
                        ("lateral_movement__empire_psexec_dcerpc_tcp_svcctl", "psexec|svcctl|services.exe"),
                        ("persistence__empire_schtasks_creation_standard_user", "schtasks|Updater"),
                        ("privilege_escalation__cmd_service_mod_fax", r"\bfax\b|fxssvc")):
        yield f"windows-{stem.split('__')[1]}", lambda stem=stem, words=words: windows(otrf / f"{stem}.zip", words)


# --- A network per case ------------------------------------------------------------------------------------------

def settle(cluster):
    """Until nothing is left to be detected, proposed or judged."""
    def quiet():
        found = cluster.statuses()
        if len(found) < VALIDATORS:
            return None
        last = max(int(one["executed_height"]) for one in found)
        return all(int(one["detector_height"]) >= last - 1 for one in found)

    cluster.wait_caught_up()
    before = None
    while True:
        wait_until("the detectors have read everything", quiet)
        alerts = alerts_of(cluster)
        key = [(alert["record_index"], alert["state"]) for alert in alerts]
        heights = [one["committed_height"] for one in cluster.statuses()]
        if key == before:
            return alerts
        before = key
        # Every validator had its turn to propose after so many blocks.
        goal = max(map(int, heights)) + 4 * VALIDATORS + 2
        wait_until("further blocks", lambda: all(int(one["executed_height"]) >= goal for one in cluster.statuses()))


def alerts_of(cluster):
    return json.loads(cluster.vigil("alert", "list", "--all", "--ascending", "-o", "json").stdout)["alerts"]


def run(case, bin_folder):
    with contextlib.closing(Cluster(bin_folder, VALIDATORS, testnet=("--window-rows", 4096))) as cluster, \
            tempfile.TemporaryDirectory() as folder:
        cluster.start_all()
        for name, data, form in case.parts:
            path = pathlib.Path(folder, name)
            path.write_bytes(data)
            done = subprocess.run(
                cluster.command("vigil", "ingest", path, "--final", "--quiet", "--format", form, "--spool",
                                f"{folder}/spool-{name}", "--stream", re.sub(r"[^a-z0-9-]", "-", name.lower()), "--batch", 100),
                env=cluster.env, capture_output=True, text=True)
            if done.returncode not in (0, 9):
                raise SystemExit(f"{case.name}: {name}: {done.stderr[-800:]}")
        alerts = settle(cluster)
        events = max(int(one["event_count"]) for one in cluster.statuses())
    return events, alerts


def by_what(alert):
    return f"rule {alert['rule']['number']} {alert['rule']['name']}" if "rule" in alert else alert["component"]


def report(case, events, alerts, out=sys.stdout):
    ranked = sorted(alerts, key=lambda alert: (-float(alert["score_bits"]), int(alert["record_index"])))
    first, others = {}, collections.Counter()
    for rank, alert in enumerate(ranked, 1):
        attack = case.attack_of(alert["event"].get("event") or alert["event"])
        if attack is None:
            others[by_what(alert)] += 1
        elif attack not in first:
            first[attack] = (rank, by_what(alert), alert["state"])
    print(f"\n== {case.name}: {case.what}", file=out)
    counts = collections.Counter(map(by_what, alerts))
    states = collections.Counter(alert["state"] for alert in alerts)
    print(f"   {events} events, {len(alerts)} alerts ({', '.join(f'{n} {s}' for s, n in states.items()) or 'none'}): "
          + (", ".join(f"{n} by {what}" for what, n in counts.most_common()) or "-"), file=out)
    for attack, (rank, what, state) in sorted(first.items(), key=lambda item: item[1][0])[:12]:
        print(f"   rank {rank:4}: {attack}, {what}, {state}", file=out)
    if len(first) > 12:
        print(f"   ... and {len(first) - 12} further attacks", file=out)
    word = {"known": "false alerts", "told": "alerts on what nobody told of", "none": "alerts, unjudged"}[case.knowledge]
    print(f"   {len(first)} attacks alerted; {word}: {sum(others.values())}, {10_000 * sum(others.values()) / max(events, 1):.1f} "
          f"per 10,000 events ({', '.join(f'{n} {what}' for what, n in others.most_common()) or '-'})", file=out)
    return len(first), sum(others.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2].parent / "shared/data")
    parser.add_argument("--list", action="store_true", help="names of the cases")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    cases = dict(all_cases(options.shared))
    if options.list:
        print("\n".join(cases))
        return
    unknown = set(options.cases) - set(cases)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; known: {', '.join(cases)}")
    for name in options.cases or cases:
        case = cases[name]()
        report(case, *run(case, options.bin))


if __name__ == "__main__":
    main()
