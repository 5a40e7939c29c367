"""The image by itself, as users of the well-known `postgres` image start it: one container, a few variables, no store of others."""
import base64
import gzip
import json
import lzma
import urllib.request

import pytest

import agents
from testbed.waiting import wait_for

pytestmark = pytest.mark.skipif(not agents.is_judged(), reason="only pgherd has this image")

def insert(who):
    return f"insert into noted (who) values ('{who}');\n".encode()


def zst(text):
    """One block, not compressed: Python has no zstd to compress it with."""
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(text)]) + (len(text) << 3 | 1).to_bytes(3, "little") + text


SCRIPTS = {
    "10-table.sql": b"create table noted (at serial, who text);"
                    b"insert into noted (who) select current_database() || ' ' || session_user;",
    "20-sourced.sh": b'words=(no bash)\n'
                     b'psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -c "insert into noted (who) values (\'${words[1]}\')"\n',
    "30-run.sh": b"#!/bin/sh -e\ntest -s \"$PGDATA/PG_VERSION\"\npsql -c \"insert into noted (who) values ('run')\"\n",
    "40.sql.gz": gzip.compress(insert("gz")),
    "50.sql.xz": lzma.compress(insert("xz")),
    "60.sql.zst": zst(insert("zst")),
    "README": b"neither SQL nor a script: left alone",
}
NOTED = "shop's admin, bash, run, gz, xz, zst"


def pod(name, environment, mounts=(), volumes=()):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{
            "name": "postgres", "image": "pgherd:dev", "imagePullPolicy": "IfNotPresent",
            "env": [{"name": variable, "value": value} for variable, value in environment.items()],
            "volumeMounts": [{"name": "data", "mountPath": "/var/lib/postgresql"}, *mounts]}],
        "securityContext": {"fsGroup": 999},
        "volumes": [{"name": "data", "emptyDir": {}}, *volumes]}}


def manifest():
    packed = {name: base64.b64encode(text).decode() for name, text in SCRIPTS.items()}
    files = [{"key": name, "path": name, "mode": 0o755 if "run" in name else 0o644} for name in SCRIPTS]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"}, "binaryData": packed},
        pod("single", {"POSTGRES_PASSWORD": "it's a secret", "POSTGRES_USER": "admin", "POSTGRES_DB": "shop's",
                       "POSTGRES_INITDB_ARGS": "--wal-segsize 4"},
            [{"name": "scripts", "mountPath": "/docker-entrypoint-initdb.d"}],
            [{"name": "scripts", "configMap": {"name": "scripts", "items": files}}]),
        pod("open", {"POSTGRES_USER": "kim", "POSTGRES_HOST_AUTH_METHOD": "trust"})]})


@pytest.fixture(scope="module")
def kubectl(kube, namespace):
    def run(*words, **options):
        return kube.kubectl(f"--namespace={namespace}", *words, **options)
    kube.apply(manifest(), f"--namespace={namespace}")
    return run


def psql(kubectl, dsn, statement, where="single"):
    return kubectl("exec", where, "--", "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", dsn, "-c", statement).strip()


def once_there(kubectl, *words, **options):
    """What psql answers, nothing while there is nobody to answer."""
    try:
        return psql(kubectl, *words, **options)
    except RuntimeError:
        return None


def noted(kubectl):
    return once_there(kubectl, r"dbname='shop\'s' user=admin", "select string_agg(who, ', ' order by at) from noted")


def test_a_database_of_the_users_own_and_the_scripts_of_the_first_start(kubectl):
    wait_for("all scripts to have run, in their order", lambda: noted(kubectl) == NOTED, 60, hint=lambda: kubectl("logs", "single"))
    assert psql(kubectl, "user=admin dbname=postgres", "show wal_segment_size") == "4MB"


def test_the_scripts_run_only_once(kubectl):
    kubectl("exec", "single", "--", "sh", "-c", "kill 1")
    wait_for("the container to be started again", lambda: kubectl(
        "get", "pod", "single", "--output=jsonpath={.status.containerStatuses[0].restartCount}") == "1", 120)
    assert wait_for("PostgreSQL", lambda: noted(kubectl), 60, hint=lambda: kubectl("logs", "single")) == NOTED


def test_without_a_name_the_database_is_called_as_its_user_and_with_trust_nobody_needs_a_password(kubectl):
    def names():
        address = kubectl("get", "pod", "open", "--output=jsonpath={.status.podIP}")
        return once_there(kubectl, f"host={address} user=kim", "select current_database(), current_user", where="open")
    assert wait_for("a login", names, 60, hint=lambda: kubectl("logs", "open")) == "kim|kim"
    assert "trust lets everybody in" in kubectl("logs", "open")


def test_the_password_counts_over_tcp_and_stays_out_of_sight(kubectl):
    def login(password):
        return kubectl("exec", "single", "--", "env", f"PGPASSWORD={password}", "psql", "-Xw", "host=127.0.0.1 user=admin dbname=postgres",
                       "-c", "select 1", check=False)
    assert "(1 row)" in login("it's a secret")
    assert "(1 row)" not in login("another")
    assert "it's a secret" not in kubectl("exec", "single", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline; cat /run/pgherd/agent.d/*")
    assert "it's a secret" not in kubectl("logs", "single")


def test_pebbles_and_patronis_commands_work_in_it(kubectl):
    assert "postgresql" in kubectl("exec", "single", "--", "pebble", "services")
    rows = json.loads(kubectl("exec", "single", "--", "patronictl", "list", "-f", "json"))
    assert [(row["Role"], row["State"]) for row in rows] == [("Leader", "running")]


POOLER = """
[databases]
* = host=/run/postgresql user=admin
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
unix_socket_dir = /run/postgresql
auth_type = any
pidfile = /tmp/pgbouncer.pid
"""


@pytest.fixture(scope="module")
def pooler(kubectl):
    """PgBouncer, started by hand as its unprivileged user: nothing in pgherd starts it yet."""
    kubectl("exec", "--stdin", "single", "--", "sh", "-c", "cat > /tmp/pgbouncer.ini", input=POOLER)
    kubectl("exec", "single", "--", "sh", "-c", "pgbouncer /tmp/pgbouncer.ini >/tmp/pgbouncer.log 2>&1 &")
    dsn = "host=127.0.0.1 port=6432 user=admin dbname=postgres"
    wait_for("PgBouncer", lambda: once_there(kubectl, dsn, "select 1"), 30,
             hint=lambda: kubectl("exec", "single", "--", "cat", "/tmp/pgbouncer.log"))
    return dsn


@pytest.fixture(scope="module")
def scrape(kube, kubectl):
    """scrape(port, start of a line): waits until the exporter there says that, and gives all its lines."""
    address = kubectl("get", "pod", "single", "--output=jsonpath={.status.podIP}")

    def lines(port, start):
        with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=10) as answer:
            found = answer.read().decode().splitlines()
        return found if any(line.startswith(start) for line in found) else None

    def until(port, start):
        return wait_for(f"{start} at port {port}", lambda: kube.call(lambda: lines(port, start)), 30,
                        hint=lambda: kubectl("exec", "single", "--", "sh", "-c", "cat /tmp/exporter-*.log"))
    return until


def export(kubectl, program, environment=""):
    kubectl("exec", "single", "--", "sh", "-c", f"{environment} {program} >/tmp/exporter-{program}.log 2>&1 &")


def test_the_pooler_and_pgbackrest_that_it_brings_work_in_it(kubectl, pooler):
    assert psql(kubectl, pooler, "select current_user") == "admin"
    assert kubectl("exec", "single", "--", "pgbackrest", "version").startswith("pgBackRest ")


def test_the_exporter_of_postgresql_works_in_it(kubectl, scrape):
    export(kubectl, "prometheus-postgres-exporter", "DATA_SOURCE_NAME='host=/run/postgresql user=admin dbname=postgres'")
    scrape(9187, "pg_up 1")


def test_the_exporter_of_pgbouncer_works_in_it(kubectl, pooler, scrape):
    export(kubectl, "prometheus-pgbouncer-exporter")
    lines = scrape(9127, "pgbouncer_up 1")
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    pool = '{database="postgres",user="admin"}'
    for name in ("client_active_connections", "client_waiting_connections", "client_maxwait_seconds", "server_active_connections",
                 "server_idle_connections", "server_used_connections"):
        assert f"pgbouncer_pools_{name}{pool}" in found, lines
    assert found['pgbouncer_stats_queries_pooled_total{database="postgres"}'] >= 1
    assert found['pgbouncer_stats_queries_duration_seconds_total{database="postgres"}'] > 0
    assert found["pgbouncer_config_max_client_connections"] == 100
    kubectl("exec", "single", "--", "sh", "-c", "kill $(cat /tmp/pgbouncer.pid)")
    scrape(9127, "pgbouncer_up 0")


def test_without_a_password_it_says_what_is_missing(kubectl):
    kubectl("run", "bare", "--image=pgherd:dev", "--image-pull-policy=IfNotPresent", "--restart=Never")
    wait_for("its end", lambda: kubectl("get", "pod", "bare", "--output=jsonpath={.status.phase}") == "Failed", 60)
    assert "set POSTGRES_PASSWORD" in kubectl("logs", "bare")
