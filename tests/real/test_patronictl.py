"""The real patronictl from PyPI drives a pgherd cluster on etcd."""
import json
import subprocess

import pytest

from herdtest import patroni
from herdtest.cluster import Cluster
from herdtest.waiting import wait_for


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def patronictl(cluster):
    program = patroni.patronictl()

    def run(*words):
        done = subprocess.run(cluster.ctl(*words, program=program), capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
        print(f"$ patronictl {' '.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0
        return done.stdout
    return run


def test_list(cluster, patronictl):
    rows = json.loads(patronictl("list", "-f", "json"))
    assert sorted(row["Role"] for row in rows) == ["Leader", "Replica", "Replica"]
    assert sorted(row["State"] for row in rows) == ["running", "streaming", "streaming"]


def test_switchover(cluster, patronictl):
    old = cluster.wait_healthy()
    assert "Successfully switched over" in patronictl("switchover", cluster.scope, "--leader", old.name, "--force")
    assert cluster.wait_healthy() is not old


def test_history(cluster, patronictl):
    cluster.wait_healthy()
    wait_for("a line of history", lambda: "no recovery target specified" in patronictl("history", cluster.scope), 20)


def test_pause_and_resume(cluster, patronictl):
    assert "Success" in patronictl("pause", cluster.scope, "--wait")
    assert "Maintenance mode: on" in patronictl("list", cluster.scope)
    assert "Success" in patronictl("resume", cluster.scope, "--wait")


def test_failover_while_paused(cluster, patronictl):
    old = cluster.wait_healthy()
    new = next(member for member in cluster.standbys())
    patronictl("pause", cluster.scope, "--wait")
    try:
        patronictl("failover", cluster.scope, "--candidate", new.name, "--force")
        assert cluster.wait_leader(other_than=old) is new
        wait_for("a primary in the pause", lambda: new.sql("select pg_is_in_recovery()::text") == "false", 15)
    finally:
        patronictl("resume", cluster.scope, "--wait")
    assert cluster.wait_healthy() is new


def test_show_and_edit_config(cluster, patronictl):
    patronictl("edit-config", cluster.scope, "-q", "-p", "work_mem=7MB", "--force")
    assert "work_mem: 7MB" in patronictl("show-config", cluster.scope)
    leader = cluster.wait_healthy()
    wait_for("the setting to be in force", lambda: leader.sql("show work_mem") == "7MB", 20)


def test_restart(cluster, patronictl):
    standby = next(member for member in cluster.standbys())
    before = standby.postmaster
    assert "Success: restart on member" in patronictl("restart", cluster.scope, standby.name, "--force")
    assert standby.postmaster != before
    cluster.wait_healthy()


def test_reinit(cluster, patronictl):
    standby = next(member for member in cluster.standbys())
    before = standby.postmaster
    assert "Success: reinitialize for member" in patronictl("reinit", cluster.scope, standby.name, "--force")
    wait_for("a new instance", lambda: standby.postmaster != before, 60)
    cluster.wait_healthy(90)


def test_failover(cluster, patronictl):
    leader = cluster.wait_healthy()
    candidate = next(member for member in cluster.standbys())
    assert "Successfully" in patronictl("failover", cluster.scope, "--candidate", candidate.name, "--force")
    assert cluster.wait_healthy() is candidate
    assert leader is not candidate
