"""A primary whose disk is full, or hangs: writes may fail meanwhile, but nothing acknowledged is lost, and all is well in the end."""
import time

import pytest

from herdtest.cluster import Cluster
from herdtest.waiting import wait_for


@pytest.fixture
def cluster(mount):
    cluster = Cluster(dcs={"synchronous_mode": True})
    try:
        for member in cluster.members:
            mount(member)
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.mark.parametrize("mount", [lambda member: member.mount_disk("220m")], ids=["small"])
def test_full_disk_loses_nothing_and_ends_with_the_room(cluster):
    leader = cluster.wait_healthy()
    writer = cluster.writes()
    time.sleep(1)  # some writes before the fault
    leader.fill_disk()

    def writes_fail():
        try:
            leader.sql("create table if not exists filler as select 1; create table filler_too as select generate_series(1, 100000)")
            leader.sql("drop table filler_too")
            return False
        except ValueError as error:
            return "No space left" in str(error) or "init file" in str(error)
    wait_for("writes to fail on a full disk", writes_fail, 30)
    time.sleep(2 * cluster.dcs["ttl"])  # longer than a lease: no loop of promotions may have begun
    timelines = {status.get("timeline", 1) for status in cluster.statuses().values()}
    assert max(timelines) <= 2, f"a loop of promotions: {timelines}"
    leader.free_disk()
    cluster.wait_healthy(90)
    report = writer.finish()
    assert report["lost"] == 0
    assert report["acknowledged"] > 50


@pytest.mark.parametrize("mount", [lambda member: member.mount_image("400m")], ids=["image"])
def test_a_primary_whose_disk_hangs_is_replaced(cluster):
    old = cluster.wait_healthy()
    writer = cluster.writes()
    time.sleep(1)  # some writes before the fault
    old.hang_disk()

    # Ten seconds of silence, two for the end of processes that do not end, and a lease.
    new = wait_for("another leader", lambda: (leader := cluster.leader()) and leader is not old and leader, 60)
    assert old.status()["role"] != "primary"
    old.wake_disk()
    cluster.wait_healthy(60)
    assert cluster.leader() is new
    report = writer.finish()
    assert report["lost"] == 0
    assert report["acknowledged"] > 50
