"""Passwords in files change while the cluster runs: nobody restarts, and nobody logs in with a password before it counts."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from herdtest import processes
from herdtest.cluster import Cluster
from herdtest.waiting import wait_for

USERS = {"superuser": "postgres", "replication": "replicator", "rewind": "rewind_user"}


class Secret:
    """A directory as the kubelet mounts a Secret: a change is one link that is replaced."""

    def __init__(self, path):
        self.path, self.version = path, 0

    def write(self, values):
        self.version += 1
        folder = f"..version_{self.version}"
        os.makedirs(os.path.join(self.path, folder))
        for key, value in values.items():
            with open(os.path.join(self.path, folder, key), "w") as file:
                file.write(value + "\n")
            link = os.path.join(self.path, key)
            if not os.path.islink(link):
                os.symlink(f"..data/{key}", link)
        os.symlink(folder, os.path.join(self.path, "..new"))
        os.replace(os.path.join(self.path, "..new"), os.path.join(self.path, "..data"))
        for directory, folders, files in os.walk(self.path):
            for name in folders + files:
                shutil.chown(os.path.join(directory, name), "postgres", "postgres")


def passwords(generation):
    return {kind: f"{user}-{generation}" for kind, user in USERS.items()}


@pytest.fixture
def cluster():
    cluster = Cluster(store="sqlite")
    try:
        cluster.secrets = {}
        for member in cluster.members:
            secret = cluster.secrets[member.name] = Secret(os.path.join(member.directory, "secrets"))
            secret.write(passwords(1))
            with open(member.config_file) as file:
                config = json.load(file)
            config["postgresql"].pop("pg_hba")  # pgherd's own
            config["postgresql"]["authentication"] = {
                kind: {"username": user, "password_file": os.path.join(secret.path, kind)} for kind, user in USERS.items()}
            member.write_configuration(config)
        yield cluster.start()
    finally:
        cluster.close()


def accepts(member, user, password, replication=False):
    """Whether the member lets the user in over TCP."""
    dsn = f"host={member.host.address} port={member.port} user={user} dbname=postgres" + (" replication=true" if replication else "")
    done = subprocess.run(["psql", "-Xw", dsn, "-c", "IDENTIFY_SYSTEM" if replication else "select 1"], capture_output=True, text=True,
                          env={**os.environ, "PGPASSWORD": password}, timeout=20)
    return done.returncode == 0


def refusals(cluster):
    return [f"{member.name}: {line}" for member in cluster.members for line in member.log(100000).splitlines()
            if "password authentication failed" in line]


def test_a_changed_secret_counts_everywhere_without_a_restart_or_a_refused_login(cluster):
    primary = cluster.leader()
    first, second = cluster.standbys()
    started = {member.name: member.sql("select pg_postmaster_start_time()") for member in cluster.members}

    # One standby hears of it first. It connects anew meanwhile, and still gets in.
    cluster.secrets[first.name].write(passwords(2))
    wait_for("the standby to have read it", lambda: "read " in first.log() and "again" in first.log())
    first.sql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walreceiver'")
    wait_for("it to stream again", lambda: cluster.healthy(), 60)
    assert accepts(primary, "replicator", "replicator-1", replication=True)

    cluster.secrets[primary.name].write(passwords(2))
    wait_for("the new password to count", lambda: primary.log(1000).count("the new password of") >= 3, 30)
    cluster.secrets[second.name].write(passwords(2))
    for member in (first, second):
        wait_for(f"{member.name} to use it", lambda: "replicator-2" in open(os.path.join(member.directory, "pgpass")).read(), 30)
        member.sql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walreceiver'")
    wait_for("both to stream again", lambda: cluster.healthy(), 60)
    assert refusals(cluster) == []

    for user in USERS.values():
        assert accepts(primary, user, f"{user}-2", replication=user == "replicator")
        assert not accepts(primary, user, f"{user}-1", replication=user == "replicator")
    assert {member.name: member.sql("select pg_postmaster_start_time()") for member in cluster.members} == started


def test_a_member_that_was_away_while_the_password_changed_comes_back(cluster):
    primary = cluster.leader()
    away = cluster.standbys()[0]
    away.stop()
    for member in cluster.members:
        if member is not away:
            cluster.secrets[member.name].write(passwords(2))
    wait_for("the new password to count", lambda: accepts(primary, "replicator", "replicator-2", replication=True), 30)
    cluster.secrets[away.name].write(passwords(2))
    away.start()
    cluster.wait_healthy()


def test_a_standby_that_missed_the_change_learns_of_it_from_the_next_leader(cluster):
    primary = cluster.leader()
    behind, successor = cluster.standbys()
    receiver = next(pid for pid in processes.descendants(behind.postmaster)
                    if "walreceiver" in " ".join(processes.command_line(pid)))
    os.kill(receiver, signal.SIGSTOP)
    for member in cluster.members:
        cluster.secrets[member.name].write(passwords(2))
    wait_for("the new passwords to count", lambda: all(
        accepts(successor, user, f"{user}-2", kind == "replication") for kind, user in USERS.items()), 30)
    primary.kill_all()
    os.kill(receiver, signal.SIGTERM)  # it ends before it reads what the primary has sent it
    os.kill(receiver, signal.SIGCONT)
    assert cluster.wait_leader(primary) is successor
    cluster.wait_healthy(members=[behind, successor])


def test_an_old_file_on_a_new_primary_does_not_bring_the_old_password_back(cluster):
    primary = cluster.leader()
    others = cluster.standbys()
    cluster.secrets[primary.name].write(passwords(2))
    wait_for("the new password to count", lambda: accepts(primary, "postgres", "postgres-2"), 30)
    primary.kill_all()
    successor = cluster.wait_leader(primary)
    wait_for("it to take writes", lambda: successor.sql("create table written ()") == "", 30)
    assert accepts(successor, "postgres", "postgres-2")
    for member in others:
        cluster.secrets[member.name].write(passwords(2))
    primary.start()
    cluster.wait_healthy()
    assert accepts(successor, "postgres", "postgres-2")
