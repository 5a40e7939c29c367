"""Three members with a store, in network namespaces (etcd) or on loopback (SQLite)."""
import json
import os
import shutil
import socket
import tempfile

from . import paths
from .etcd import Etcd
from .member import PASSWORDS, Member, configuration
from .net import Loopback, Net
from .waiting import wait_for
from .writer import Writer

FAST = {"ttl": 5, "loop_wait": 1, "retry_timeout": 1}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    def __init__(self, dcs=None, names=("a", "b", "c"), scope="test", store="etcd", agent=None, user=None, tags=None, keep=False):
        self.scope, self.keep = scope, keep
        self.directory = tempfile.mkdtemp(prefix="pgherd-test-")
        os.chmod(self.directory, 0o755)
        self.net = self.etcd = None
        self.writers = []
        self.dcs = {**FAST, "postgresql": {"use_pg_rewind": True, "use_slots": True}, **(dcs or {})}
        try:
            if store == "etcd":
                self._namespaces(names, agent, user, tags or {})
            else:
                self._loopback(names, agent, user, tags or {})
        except BaseException:
            self.close()
            raise

    def _namespaces(self, names, agent, user, tags):
        self.net = Net([*names, "store", "client"])
        self.client = self.net["client"]
        self.etcd = Etcd(self.net["store"], os.path.join(self.directory, "etcd"))
        self.etcd.start()
        store = {"etcd3": {"hosts": [self.etcd.endpoint]}}
        self.members = [self._member(name, self.net[name], 5432, 8008, store, agent, user, tags) for name in names]

    def _loopback(self, names, agent, user, tags):
        host = self.client = Loopback()
        os.mkdir(os.path.join(self.directory, "store"))
        shutil.chown(os.path.join(self.directory, "store"), "postgres", "postgres")
        self.store_file = os.path.join(self.directory, "store", "store.db")
        store = {"sqlite": {"path": self.store_file}}
        ports = free_ports(2 * len(names))
        self.members = [self._member(name, host, ports[2 * i], ports[2 * i + 1], store, agent, user, tags)
                        for i, name in enumerate(names)]

    def _member(self, name, host, port, rest_port, store, agent, user, tags):
        member = Member(name, host, os.path.join(self.directory, name), port, rest_port, agent, user)
        member.write_configuration(configuration(name, self.scope, host, member.directory, member.data_dir, port, rest_port, store, self.dcs,
                                                 tags.get(name)))
        return member

    def __getitem__(self, name):
        return next(member for member in self.members if member.name == name)

    def start(self, deadline=60):
        for member in self.members:
            member.start()
        self.wait_healthy(deadline)
        return self

    # --- what it is like ----------------------------------------------------------------------------------------------
    def statuses(self):
        found = {}
        for member in self.members:
            try:
                found[member.name] = member.status()
            except (OSError, ValueError):
                pass
        return found

    def leader(self):
        """The member that runs as a primary and answers /primary with 200; None or more than one: None."""
        leaders = []
        for member in self.members:
            try:
                if member.process and member.request("GET", "/primary", timeout=2)[0] == 200:
                    leaders.append(member)
            except OSError:
                pass
        return leaders[0] if len(leaders) == 1 else None

    def standbys(self):
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def healthy(self, members=None):
        """One leader, all others streaming from its timeline, and really: PostgreSQL is asked too."""
        members = members or self.members
        leader = self.leader()
        if not leader or leader not in members:
            return False
        statuses = self.statuses()
        timeline = statuses[leader.name].get("timeline")
        for member in members:
            status = statuses.get(member.name)
            if not status or status["state"] not in ("running", "streaming") or status.get("timeline") != timeline:
                return False
            if member is not leader and status.get("replication_state") != "streaming":
                return False
        streaming = int(leader.sql("select count(*) from pg_stat_replication where state = 'streaming'"))
        return leader if streaming >= len(members) - 1 else False

    def wait_healthy(self, deadline=60, members=None):
        try:
            return wait_for("one leader and streaming standbys", lambda: self.healthy(members), deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def wait_leader(self, other_than=None, deadline=30):
        def found():
            leader = self.leader()
            return leader if leader and leader is not other_than else None
        try:
            return wait_for("a leader" + (f" other than {other_than.name}" if other_than else ""), found, deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def story(self, lines=40):
        parts = [f"statuses: {json.dumps(self.statuses())}"]
        for member in self.members:
            if os.path.exists(member.log_file):
                parts.append(f"--- {member.name}: the last lines of its log\n{member.log(lines)}")
        return "\n".join(parts)

    # --- clients ------------------------------------------------------------------------------------------------------
    def dsn(self):
        hosts = ",".join(member.host.address for member in self.members)
        ports = ",".join(str(member.port) for member in self.members)
        return f"host={hosts} port={ports} user=postgres password={PASSWORDS['postgres']} dbname=postgres"

    def writes(self, **options):
        writer = Writer(self.client, self.dsn(), self.directory, len(self.writers), **options)
        self.writers.append(writer)
        return writer.start()

    def ctl(self, *words, program=None):
        """The words of a ctl command against this cluster, run on the client's host."""
        return self.client.command([*(program or [paths.PGHERD, "ctl"]), "-c", self.members[0].config_file, *words])

    def close(self):
        for writer in self.writers:
            writer.kill()
        for member in getattr(self, "members", []):
            member.close()
        if self.etcd:
            self.etcd.stop()
        if self.net:
            self.net.close()
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
