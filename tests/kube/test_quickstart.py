"""What the quickstart manifest promises: ready soon, Services that find their members, passwords that change in place, members that
come and go, and Patroni's own patronictl beside ours."""
import base64
import json
import os
import subprocess
import time

import pytest

import agents
from herdtest import patroni
from pg import Pg
from testbed.waiting import wait_for

pytestmark = pytest.mark.skipif(not agents.is_judged(), reason="only pgherd has a quickstart")


@pytest.fixture(scope="module")
def pg(kube, namespace, tmp_path_factory):
    return Pg(kube, namespace, str(tmp_path_factory.mktemp("quickstart")))


def patronictl_in(pg, pod, *words):
    """pgherd's, in a pod, as a user would call it."""
    return pg.kubectl("exec", pod, "--container=postgresql", "--", "patronictl", *words)


def refused_logins(pg):
    return [line for name in pg.pods() for line in pg.kubectl("logs", name).splitlines() if "authentication failed" in line]


def logs_in(pg, user, password, address, replication=False):
    dsn = f"host={address} user={user} dbname=postgres" + (" replication=true" if replication else "")
    done = subprocess.run(pg.kube.command(["psql", "-Xw", dsn, "-c", "IDENTIFY_SYSTEM" if replication else "select 1"]),
                          env={**os.environ, "PGPASSWORD": password}, capture_output=True, text=True, timeout=20)
    return done.returncode == 0


def test_is_at_full_strength_within_a_minute(pg):
    begun = time.monotonic()
    pg.apply()
    pg.wait_whole(60)
    print(f"ready after {time.monotonic() - begun:.1f} s")
    wait_for("labels of the roles", lambda: sorted(map(str, pg.roles().values())) == ["primary", "replica", "replica"], 10)
    assert pg.roles()[pg.leader()] == "primary"
    wait_for("every pod to be ready", lambda: pg.kubectl("get", "statefulset", pg.name, "--output=jsonpath={.status.readyReplicas}") == "3")


def test_pods_run_without_privileges(pg):
    for pod in pg.pods().values():
        container = pod["spec"]["containers"][0]["securityContext"]
        assert container["readOnlyRootFilesystem"] and container["capabilities"] == {"drop": ["ALL"]}
        assert not container["allowPrivilegeEscalation"] and pod["spec"]["securityContext"]["runAsNonRoot"]
    leader = pg.leader()
    assert pg.kubectl("exec", leader, "--", "id", "-u").strip() == "999"
    # No password shows in arguments, environments or files that others may read.
    passwords = [base64.b64decode(value).decode() for value in
                 json.loads(pg.kubectl("get", "secret", f"{pg.name}-passwords", "--output=json"))["data"].values()]
    shown = pg.kubectl("exec", leader, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /run/pgherd/agent.d/*")
    shown += pg.kubectl("logs", leader) + pg.kubectl("get", "configmaps", "--output=yaml")
    assert not [password for password in passwords if password in shown]


def test_another_pod_writes_through_the_primarys_service_and_reads_through_the_replicas(pg):
    def run(name, service, statement):
        overrides = {"spec": {"containers": [{
            "name": name, "image": "pgherd:dev", "imagePullPolicy": "IfNotPresent",
            "command": ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host={service} user=postgres dbname=postgres", "-c", statement],
            "env": [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": f"{pg.name}-passwords", "key": "superuser-password"}}}]}]}}
        pg.kubectl("run", name, "--image=pgherd:dev", "--restart=Never", f"--overrides={json.dumps(overrides)}")
        phase = wait_for("the pod to end", lambda: pg.pod_phase(name) in ("Succeeded", "Failed") and pg.pod_phase(name), 60)
        output = pg.kubectl("logs", name).strip()
        pg.kubectl("delete", "pod", name, "--wait=false")
        assert phase == "Succeeded", output
        return output

    assert run("writer", f"{pg.name}-primary", "create table kept as select generate_series(1, 1000) as n; select pg_is_in_recovery()") == "f"
    assert run("reader", f"{pg.name}-replicas", "select pg_is_in_recovery()") == "t"


def test_our_patronictl_in_a_pod(pg):
    rows = json.loads(patronictl_in(pg, "pg-0", "list", "-f", "json"))
    assert sorted(row["Member"] for row in rows) == ["pg-0", "pg-1", "pg-2"]
    assert [row["Member"] for row in rows if row["Role"] == "Leader"] == [pg.leader()]


def test_patronis_own_patronictl_lists_and_switches_over(pg, tmp_path):
    config = tmp_path / "patronictl.yaml"
    config.write_text(json.dumps({
        "scope": pg.name, "kubernetes": {"namespace": pg.namespace, "context": "pgherd-test", "labels": {}, "scope_label": "cluster-name"},
        "ctl": {"authentication": {"username": "pgherd", "password": pg.secret("restapi-password")}}}))

    def patronictl(*words):
        done = subprocess.run(pg.kube.command([*patroni.patronictl(), "-c", str(config), *words]), capture_output=True, text=True,
                              env={**os.environ, "KUBECONFIG": pg.kube.pki.path("admin.kubeconfig")}, timeout=90)
        print(done.stdout, done.stderr)
        assert done.returncode == 0
        return done.stdout

    leader = pg.wait_whole()
    rows = json.loads(patronictl("list", "-f", "json"))
    assert [row["Member"] for row in rows if row["Role"] == "Leader"] == [leader]
    assert sorted(row["State"] for row in rows) == ["running", "streaming", "streaming"]
    successor = next(row["Member"] for row in rows if row["Role"] == "Quorum Standby")
    assert "Successfully switched over" in patronictl("switchover", "--leader", leader, "--candidate", successor, "--force")
    wait_for(f"{successor} to lead", lambda: pg.leader() == successor, 30)
    wait_for("the label to follow", lambda: pg.roles() == {name: "primary" if name == successor else "replica" for name in pg.roles()}, 10)
    pg.wait_whole()


def test_a_changed_secret_counts_without_a_restart_or_a_refused_login(pg):
    leader = pg.wait_whole()
    refused = refused_logins(pg)
    values = {"superuser-password": "chosen by the user", "replication-password": "another: one", "rewind-password": "and \\ this"}
    pg.kubectl("patch", "secret", f"{pg.name}-passwords", f"--patch={json.dumps({'stringData': values})}")
    address = pg.addresses[leader]
    # The kubelet takes up to a minute and a half to hand a changed Secret to its pods.
    wait_for("the new password to count", lambda: logs_in(pg, "replicator", "another: one", address, replication=True), 150, every=2)
    wait_for("the superuser's too", lambda: logs_in(pg, "postgres", "chosen by the user", address), 10)
    # Our own trials above were refused until then; nobody else's may have been.
    assert {line.split('for user')[-1] for line in refused_logins(pg)[len(refused):]} <= {' "replicator"'}
    for name in pg.addresses:
        pgpass = wait_for(f"{name} to use it", lambda: "another" in (text := pg.kubectl(
            "exec", name, "--", "cat", f"/var/lib/postgresql/.pgpass_{name}")) and text, 150, every=2)
        assert "another\\: one" in pgpass
    standby = next(name for name in pg.addresses if name != leader)
    pg.kubectl("exec", standby, "--", "psql", "-Xqc", "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walreceiver'")
    assert pg.wait_whole() == leader
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in pg.pods().values())


def test_members_come_and_go(pg):
    """1 → 3 was the start; 3 → 5 → 2 → 0 → 3."""
    patronictl_in(pg, "pg-0", "edit-config", "--force", "-q", "-s", "member_slots_ttl=5")

    def scale(size):
        pg.kubectl("scale", "statefulset", pg.name, f"--replicas={size}")
        pg.size = size
        wait_for(f"{size} pods", lambda: len(pg.pods()) == size, 240)
        if size:
            pg.wait_whole(240)

    scale(5)
    copied_from = [line for name in ("pg-3", "pg-4") for line in pg.kubectl("logs", name).splitlines() if "rule=clone" in line and "cloning from" in line]
    leader = pg.leader()
    assert len(copied_from) >= 2 and not [line for line in copied_from if f"from {leader} " in line], copied_from
    claims = {name: pg.kubectl("get", "pvc", f"data-{name}", "--output=jsonpath={.metadata.uid}") for name in ("pg-0", "pg-1")}
    scale(2)
    leader = pg.leader()
    slots = lambda: sorted(pg.psql("select slot_name from pg_replication_slots").split())  # noqa: E731
    others = [name.replace("-", "_") for name in pg.addresses if name != leader]
    wait_for("no slot of a member that left", lambda: slots() == others, 60)
    rows = json.loads(patronictl_in(pg, leader, "list", "-f", "json"))
    assert sorted(row["Member"] for row in rows) == ["pg-0", "pg-1"]
    scale(0)
    scale(3)
    assert pg.psql("select count(*), sum(n) from kept") == "1000|500500"
    assert claims == {name: pg.kubectl("get", "pvc", f"data-{name}", "--output=jsonpath={.metadata.uid}") for name in claims}
    pg.psql("insert into kept values (1001)")


def test_a_foreign_data_directory_is_refused_and_left_alone(pg):
    leader = pg.wait_whole()
    victim = next(name for name in ("pg-2", "pg-1", "pg-0") if name != leader)
    # As if the volume of another cluster had been attached: the directory is replaced while PostgreSQL is stopped.
    pg.kubectl("exec", victim, "--", "sh", "-c", """set -e
        pebble stop postgresql
        cd /var/lib/postgresql && mv data own && initdb --auth=reject --no-sync --pgdata=data > /dev/null && touch data/foreign
        pebble start postgresql || true""")
    log = lambda: pg.kubectl("logs", "--tail=40", victim)  # noqa: E731
    wait_for("a refusal that says why", lambda: "the data directory has system id" in log(), 60, hint=log)
    assert pg.kubectl("exec", victim, "--", "ls", "/var/lib/postgresql/data/foreign").strip()
    assert pg.leader() == leader
    pg.kubectl("exec", victim, "--", "sh", "-c", """set -e
        pebble stop postgresql; cd /var/lib/postgresql; rm -r data; mv own data; pebble start postgresql""")
    pg.wait_whole()
