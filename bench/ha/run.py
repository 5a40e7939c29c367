#!/usr/bin/env python3
"""How long writes stop: pgherd and Patroni in turn, in one run, on this machine. See bench/README.md."""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests"))

from herdtest import patroni, paths, processes  # noqa: E402
from herdtest.cluster import Cluster  # noqa: E402
from herdtest.waiting import wait_for  # noqa: E402

SYSTEMS = {
    "pgherd": {"dcs": {"ttl": 5, "loop_wait": 1, "retry_timeout": 1}},
    "patroni-fastest": {"dcs": {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}},
    "patroni-default": {"dcs": {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}},
}


def make_cluster(system, sync):
    options = {"dcs": {**SYSTEMS[system]["dcs"], "synchronous_mode": sync}}
    if system != "pgherd":
        # Patroni does not change its user by itself; PostgreSQL refuses root.
        options |= {"agent": patroni.agent(), "user": "postgres"}
    return Cluster(**options)


def settle(cluster):
    leader = cluster.wait_healthy(180)
    time.sleep(2 + random.random() * cluster.dcs["loop_wait"])  # anywhere in the agent's loop
    return leader


def gap_around(cluster, fault, heal=lambda: None):
    """Longest write gap around fault(leader)."""
    leader = settle(cluster)
    writer = cluster.writes()
    time.sleep(1)
    fault(leader)
    cluster.wait_leader(deadline=120)
    time.sleep(1.5)
    report = writer.finish()
    heal()
    return {"gap_s": report["longest_gap_s"], "lost": report["lost"]}


def switchover(cluster):
    return gap_around(cluster, lambda leader: leader.request("POST", "/switchover", {"leader": leader.name}, 60))


def postmaster_killed(cluster):
    def fault(leader):
        dead = leader.postmaster
        processes.send(dead, signal.SIGKILL)
        wait_for("the postmaster's end", lambda: not processes.alive(dead))

        def served_again():
            current = cluster.leader()
            return current and (current is not leader or current.postmaster != dead) and current.sql("select pg_is_in_recovery()") == "f"
        wait_for("a primary again", served_again, 120)
    return gap_around(cluster, fault)


def host_lost(cluster):
    cut = []

    def fault(leader):
        leader.host.cut()
        cut.append(leader)
        cluster.wait_leader(other_than=leader, deadline=120)
    return gap_around(cluster, fault, lambda: cut[0].host.heal())


def agent_stopped(cluster):
    """Seconds during which the old and the new primary both accepted writes."""
    leader = settle(cluster)
    stopped = [pid for pid in [leader.process.pid, *leader.family()] if is_agent(leader, pid)]
    leader.sql("create table if not exists probe (at timestamptz default clock_timestamp())")
    for pid in stopped:
        processes.send(pid, signal.SIGSTOP)
    both = 0.0
    try:
        new = cluster.wait_leader(other_than=leader, deadline=150)
        began = time.monotonic()
        while time.monotonic() - began < 10 and accepts(leader):
            both = time.monotonic() - began if accepts(new) else both
            time.sleep(0.1)
    finally:
        for pid in stopped:
            processes.send(pid, signal.SIGCONT)
    return {"two_primaries_s": both}


def is_agent(member, pid):
    """pgherd: the brain (the guard is what protects from its hanging); Patroni: the daemon."""
    words = processes.command_line(pid)
    return "brain" in words[1:2] or any(word.endswith("/patroni") for word in words[:2])


def accepts(member):
    try:
        member.sql("set statement_timeout = '300ms'; insert into probe default values", timeout=3)
        return True
    except (ValueError, subprocess.TimeoutExpired):
        return False


def agent_start(cluster):
    """A standby's agent, ended and started again."""
    settle(cluster)
    member = cluster.standbys()[0]
    member.stop()
    began = time.monotonic()
    member.start()

    def answers():
        return member.request("GET", "/liveness", timeout=1)[0] in (200, 503)
    wait_for("REST to answer", answers, 30, every=0.002)
    return {"start_s": time.monotonic() - began}


SCENARIOS = {"switchover": switchover, "postmaster-killed": postmaster_killed, "host-lost": host_lost,
             "agent-stopped": agent_stopped, "agent-start": agent_start}


def describe(values):
    return f"{statistics.median(values):8.3f} ({min(values):.3f}-{max(values):.3f}) n{len(values)}"


def report(results):
    print(f"\n{'figure':<32}{'sync':<6}{'system':<18}{'median (min-max), s':<34}{'x pgherd'}")
    for (scenario, sync, figure), systems in sorted(results.items()):
        base = statistics.median(systems["pgherd"]) if "pgherd" in systems else None
        for system, values in systems.items():
            ratio = f"{statistics.median(values) / base:8.1f}" if base and figure.endswith("_s") and system != "pgherd" else ""
            print(f"{scenario + ' ' + figure:<32}{'on' if sync else 'off':<6}{system:<18}{describe(values):<34}{ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--system", action="append", choices=SYSTEMS)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--sync", choices=["off", "on", "both"], default="off")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    results, singles = {}, []
    for sync in {"off": [False], "on": [True], "both": [False, True]}[options.sync]:
        for system in options.system or SYSTEMS:
            cluster = make_cluster(system, sync)
            try:
                cluster.start(180)
                for scenario in options.scenario or SCENARIOS:
                    for run in range(options.runs):
                        values = SCENARIOS[scenario](cluster)
                        singles.append({"system": system, "sync": sync, "scenario": scenario, "run": run, **values})
                        print(json.dumps(singles[-1]), flush=True)
                        for figure, value in values.items():
                            results.setdefault((scenario, sync, figure), {}).setdefault(system, []).append(value)
            finally:
                cluster.close()
    report(results)
    print(f"\nmachine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; PostgreSQL {os.path.basename(os.path.dirname(paths.postgres_bin()))}, "
          f"Patroni {patroni.VERSION}, etcd on one node")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(singles, file, indent=1)


if __name__ == "__main__":
    main()
