"""Rules of the detectors of a running network: replaced while events flow, and alerts that lie about them."""
import json
import subprocess

from driver import ingest_args, sample, wait_until

# Few entities, and ordinary flows suffice: it matches soon, and not often.
ADDED = """
rule 99 any-flow
  title Flows to one port
  technique T1046
  score 7
  entity port
  when type flow
  at-least events 5 in 60s
  quiet 1h
"""


def admin(cluster, org, *args, expect=0):
    return cluster.vigil("--signing-key", cluster.net / f"clients/org-{org}-admin.key", "--identity",
                         f"org-{org}/admin", "-o", "json", "admin", "rules", *args, expect=expect)


def active(cluster):
    return json.loads(cluster.vigil("-o", "json", "admin", "rules", "show").stdout)


def rule_alerts(cluster, *words):
    page = json.loads(cluster.vigil("alert", "list", "--component", "rule", *words, "--all", "-o", "json").stdout)
    return page["alerts"]


def matched_by_all(cluster, digest):
    """Whether every validator's detector holds events against these rules."""
    for i in range(1, cluster.count + 1):
        done = subprocess.run(cluster.command("vigil", "--endpoints", cluster.endpoint(i), "-o", "json", "detector", "status"),
                              env=cluster.env, capture_output=True, text=True)
        if done.returncode != 0 or json.loads(done.stdout)["rules"]["matched_digest"] != digest:
            return False
    return True


def replace_while_events_flow(cluster):
    """The organisations add a rule under an ingest; returns the digests before and after."""
    before = active(cluster)
    file = cluster.folder / "rules.txt"
    cluster.vigil("admin", "rules", "show", "--save", file)
    text = file.read_text()
    file.write_text(text.replace("score 14", "score many", 1))
    refused = admin(cluster, 1, "propose", file, "--reason", "a typing error", "--yes", expect=2)
    assert "rule 1: a score is 1 to 64 bits" in refused.stderr, refused
    file.write_text(text.replace(f"version {before['version']}\n", f"version {before['version'] + 1}\n", 1) + ADDED)
    tried = json.loads(cluster.vigil("-o", "json", "admin", "rules", "try", file).stdout)
    found = {one["rule"]: one for one in tried["rules"]}
    assert int(found[99]["matches"]) > 0 and "matches_of_active" not in found[99], tried
    # Later than all events before: what lies behind an entity's windows does not count in them.
    more, lines = sample(cluster, "while-rules-change", 5000, "--seed", 31, "--start", "2026-01-20T00:00:00Z")
    ingest = subprocess.Popen([str(cluster.bin / "vigil"), *map(str, ingest_args(cluster, more, "rules"))],
                              env=cluster.env, stdout=subprocess.PIPE, text=True)
    made = admin(cluster, 1, "propose", file, "--reason", "flows to one port", "--yes")
    proposal = json.loads(made.stdout)["proposal"]
    shown = cluster.vigil("admin", "rules", "show", proposal).stdout
    assert "+ rule 99 any-flow" in shown and "org-1 approves" in shown, shown
    admin(cluster, 1, "approve", proposal, "--yes", expect=1)
    admin(cluster, 2, "approve", proposal, "--yes")
    assert active(cluster)["digest"] == before["digest"]  # Two of four are no majority.
    assert proposal in cluster.vigil("detector", "status").stdout
    admin(cluster, 3, "approve", proposal, "--yes")
    admin(cluster, 4, "approve", proposal, "--yes", expect=9)
    now = active(cluster)
    assert now["digest"] != before["digest"] and now["proposal"] == proposal, now
    report = json.loads(ingest.communicate(timeout=240)[0])
    assert ingest.returncode == 0 and int(report["total"]["accepted"]) == lines, report
    wait_until("every detector goes by the new rules", lambda: matched_by_all(cluster, now["digest"]))
    behind, _ = sample(cluster, "behind-the-change", 1000, "--seed", 32, "--start", "2026-01-21T00:00:00Z")
    cluster.vigil(*ingest_args(cluster, behind, "behind"))
    wait_until("an alert of the new rule is confirmed",
               lambda: rule_alerts(cluster, "--rule", 99, "--state", "confirmed"))
    history = json.loads(cluster.vigil("-o", "json", "admin", "rules", "history").stdout)["rules"]
    assert [one["digest"] for one in history] == [now["digest"], before["digest"]], history
    return before["digest"], now["digest"]
