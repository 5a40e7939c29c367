"""A member that streams from a standby (the tag `replicatefrom`), with replication slots."""
import pytest

from herdtest.cluster import Cluster
from herdtest.waiting import wait_for


@pytest.fixture
def cluster():
    cluster = Cluster(store="sqlite", tags={"b": {"nofailover": True}, "c": {"nofailover": True, "replicatefrom": "b"}})
    try:
        for member in cluster.members:
            member.start()
        yield cluster
    finally:
        cluster.close()


def serves(source, name):
    """`source` streams to `name`, through its slot."""
    try:
        return source.sql(f"select count(*) from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid "
                          f"where s.slot_name = '{name}' and r.state = 'streaming'") == "1"
    except Exception:
        return False


def wait_serves(cluster, source, name):
    try:
        wait_for(f"{name} streams from {source}", lambda: serves(cluster[source], name), 60)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cluster.story()}") from None


def test_a_member_streams_from_a_standby_and_from_the_leader_while_that_one_is_away(cluster):
    wait_serves(cluster, "a", "b")
    wait_serves(cluster, "b", "c")
    assert not serves(cluster["a"], "c")
    cluster["a"].sql("create table numbers as select 1 as n")
    wait_for("the row on c", lambda: cluster["c"].sql("select to_regclass('numbers') is not null") == "t", 30)
    cluster["b"].stop()
    wait_serves(cluster, "a", "c")
    cluster["b"].start()
    wait_serves(cluster, "b", "c")
