"""The image by itself, as users of the well-known `postgres` image start it: one container, a few variables, no store of others."""
import json
import urllib.request

import pytest

import agents
from testbed.waiting import wait_for

pytestmark = pytest.mark.skipif(not agents.is_judged(), reason="only pgherd has this image")

SCRIPTS = {
    "10-table.sql": "create table noted as select current_database()::text as db, session_user::text as who;",
    "20-shell.sh": 'psql -v ON_ERROR_STOP=1 --dbname "$POSTGRES_DB" -c "insert into noted values (\'$POSTGRES_USER\', \'shell\')"\n',
    "README": "neither SQL nor a script: left alone",
}


def manifest(environment):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"}, "data": SCRIPTS},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "single"}, "spec": {"containers": [{
            "name": "postgres", "image": "pgherd:dev", "imagePullPolicy": "IfNotPresent",
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "volumeMounts": [{"name": "data", "mountPath": "/var/lib/postgresql"},
                             {"name": "scripts", "mountPath": "/docker-entrypoint-initdb.d"}]}],
            "securityContext": {"fsGroup": 999},
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "scripts", "configMap": {"name": "scripts"}}]}}]})


@pytest.fixture(scope="module")
def kubectl(kube, namespace):
    def run(*words, **options):
        return kube.kubectl(f"--namespace={namespace}", *words, **options)
    kube.apply(manifest({"POSTGRES_PASSWORD": "it's a secret", "POSTGRES_USER": "admin", "POSTGRES_DB": "shop's",
                         "POSTGRES_INITDB_ARGS": "--wal-segsize=4"}), f"--namespace={namespace}")
    return run


def psql(kubectl, dsn, statement):
    return kubectl("exec", "single", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", dsn, "-c", statement).strip()


def test_a_database_of_the_users_own_and_the_scripts_of_the_first_start(kubectl):
    own = r"dbname='shop\'s' user=admin"

    def noted():
        try:
            return psql(kubectl, own, "select string_agg(db || ' ' || who, ', ' order by who) from noted")
        except RuntimeError:  # not there yet
            return None
    wait_for("both scripts to have run", lambda: noted() == "shop's admin, admin shell", 60, hint=lambda: kubectl("logs", "single"))
    assert psql(kubectl, own, "show wal_segment_size") == "4MB"


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
unix_socket_dir =
auth_type = any
ignore_startup_parameters = extra_float_digits
"""


def test_the_pooler_and_the_exporter_of_postgresql_that_it_brings_work_in_it(kube, kubectl):
    """Started by hand, as its unprivileged user: nothing in pgherd starts them yet. Debian's exporter for PgBouncer fails
    with Debian's PgBouncer (docs/internals/status.md)."""
    kubectl("exec", "--stdin", "single", "--", "sh", "-c", "cat > /tmp/pgbouncer.ini", input=POOLER)
    kubectl("exec", "single", "--", "sh", "-c", "pgbouncer /tmp/pgbouncer.ini >/tmp/pgbouncer.log 2>&1 &")

    def pooled():
        try:
            return psql(kubectl, "host=127.0.0.1 port=6432 user=admin dbname=postgres", "select current_user")
        except RuntimeError:  # not up yet
            return None
    assert wait_for("PgBouncer", pooled, 30, hint=lambda: kubectl("exec", "single", "--", "cat", "/tmp/pgbouncer.log")) == "admin"
    assert kubectl("exec", "single", "--", "pgbackrest", "version").startswith("pgBackRest ")
    address = kubectl("get", "pod", "single", "--output=jsonpath={.status.podIP}")
    kubectl("exec", "single", "--", "sh", "-c",
            "DATA_SOURCE_NAME='host=/run/postgresql user=admin dbname=postgres' prometheus-postgres-exporter >/tmp/exporter.log 2>&1 &")

    def scraped():
        with urllib.request.urlopen(f"http://{address}:9187/metrics", timeout=2) as answer:
            return "pg_up 1" in answer.read().decode().splitlines()
    wait_for("pg_up 1", lambda: kube.call(scraped), 30, hint=lambda: kubectl("exec", "single", "--", "cat", "/tmp/exporter.log"))


def test_without_a_password_it_says_what_is_missing(kubectl):
    kubectl("run", "bare", "--image=pgherd:dev", "--image-pull-policy=IfNotPresent", "--restart=Never")
    wait_for("its end", lambda: kubectl("get", "pod", "bare", "--output=jsonpath={.status.phase}") == "Failed", 60)
    assert "set POSTGRES_PASSWORD" in kubectl("logs", "bare")
