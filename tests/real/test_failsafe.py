"""The store is away, and the members keep their leader; real PostgreSQL and etcd, a client that writes all the time."""
import signal
import time

import pytest

from herdtest import processes
from herdtest.cluster import Cluster
from herdtest.waiting import wait_for

TTL = 5
AWAY = {"quorum": 40, True: 15}


@pytest.fixture(scope="module", params=["quorum", True], ids=["quorum", "named"])
def cluster(request):
    cluster = Cluster(dcs={"synchronous_mode": request.param, "failsafe_mode": True})
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def synchronous(cluster):
    """The standbys in the synchronous set, as they see it themselves."""
    return [name for name, status in cluster.statuses().items() if status.get("sync_standby") or status.get("quorum_standby")]


def wait_synchronous(cluster):
    quorum = cluster.dcs["synchronous_mode"] == "quorum"
    return wait_for("the synchronous set", lambda: len(synchronous(cluster)) == (2 if quorum else 1) and synchronous(cluster), 30)


def spare(cluster):
    """A replica that may be missed: with a list of names one that is not in it."""
    named = [] if cluster.dcs["synchronous_mode"] == "quorum" else wait_synchronous(cluster)
    return next(member for member in cluster.standbys() if member.name not in named)


def stays_primary(leader, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert leader.sql("select pg_is_in_recovery()") == "f", leader.log()
        time.sleep(0.5)


def test_store_away_and_a_replica_dead(cluster):
    leader = cluster.wait_healthy()
    wait_synchronous(cluster)
    postmaster = leader.postmaster
    dead = spare(cluster)
    writer = cluster.writes()
    time.sleep(1)
    cluster.etcd.freeze()
    try:
        dead.kill_all()
        dead.process = None
        stays_primary(leader, AWAY[cluster.dcs["synchronous_mode"]])
        assert leader.request("GET", "/primary")[0] == 200
        assert leader.request("GET", "/readiness")[0] == 200
    finally:
        cluster.etcd.thaw()
    dead.start()
    new = cluster.wait_healthy(60)
    report = writer.finish()
    print(f"longest gap {report['longest_gap_s']:.2f} s, {report['acknowledged']} acknowledged, {report['lost']} lost")
    assert new is leader and leader.postmaster == postmaster
    assert report["lost"] == 0 and report["duplicated"] == 0
    assert report["longest_gap_s"] < 2


def test_store_away_and_every_voter_dead(cluster):
    """Nobody keeps the leader: it stops before anybody else could lead."""
    leader = cluster.wait_healthy()
    wait_synchronous(cluster)
    standbys = cluster.standbys()
    cluster.etcd.freeze()
    try:
        for each in standbys:
            each.kill_all()
            each.process = None
        wait_for("the primary to stop", lambda: leader.sql("select pg_is_in_recovery()") == "t", 6 * TTL)
    finally:
        cluster.etcd.thaw()
    for each in standbys:
        each.start()
    cluster.wait_healthy(60)


def test_a_leader_that_ends_hands_over_at_once(cluster):
    leader = cluster.wait_healthy()
    wait_synchronous(cluster)
    writer = cluster.writes()
    time.sleep(1)
    process = leader.process
    processes.send(process.pid, signal.SIGTERM)
    try:
        cluster.wait_leader(other_than=leader, deadline=10)
    finally:
        process.wait(30)
    leader.process = None
    time.sleep(1)
    report = writer.finish()
    leader.start()
    cluster.wait_healthy(60)
    print(f"longest gap {report['longest_gap_s']:.2f} s, {report['acknowledged']} acknowledged, {report['lost']} lost")
    assert report["lost"] == 0 and report["duplicated"] == 0
    assert report["longest_gap_s"] < TTL, "as long as a lease"
