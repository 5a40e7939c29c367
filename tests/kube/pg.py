"""A PostgreSQL cluster on the test Kubernetes as its clients and owners see it: Services, labels, the members' REST API.

Members are asked directly, at their pods' addresses, so that an answer does not depend on the API server being there."""
import base64
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from herdtest.writer import Writer
from testbed.waiting import wait_for

QUICKSTART = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                          "deploy", "kubernetes", "quickstart.yaml")
PRIMARY = ("primary", "master")


class Pg:
    def __init__(self, kube, namespace, folder, name="pg", size=3):
        self.kube, self.namespace, self.folder, self.name, self.size = kube, namespace, folder, name, size
        self.writers = 0
        self.addresses = {}  # of pods, as last heard

    # --- Kubernetes' view --------------------------------------------------------------------------------------------------

    def kubectl(self, *words, **options):
        return self.kube.kubectl(f"--namespace={self.namespace}", *words, **options)

    def apply(self, manifest=QUICKSTART):
        """A file, or a text of YAML."""
        return self.kube.apply(manifest, f"--namespace={self.namespace}")

    def pods(self):
        """By name; raises OSError when the API server is away."""
        found = self.kube.api.get(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=cluster-name%3D{self.name}")["items"]
        self.addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in found if pod["status"].get("podIP")}
        return {pod["metadata"]["name"]: pod for pod in found}

    def pod(self, name):
        return self.pods()[name]

    def node_of(self, name):
        return self.kube[self.pod(name)["spec"]["nodeName"]]

    def container(self, name):
        """(node, id of the container in containerd)"""
        status = self.pod(name)["status"]["containerStatuses"][0]
        return self.node_of(name), status["containerID"].removeprefix("containerd://")

    def service(self, role):
        """The address of the Service for "primary" or "replicas"."""
        return self.kube.api.get(f"/api/v1/namespaces/{self.namespace}/services/{self.name}-{role}")["spec"]["clusterIP"]

    def secret(self, key):
        secret = self.kube.api.get(f"/api/v1/namespaces/{self.namespace}/secrets/{self.name}-passwords")
        return base64.b64decode(secret["data"][key]).decode()

    def password(self):
        return self.secret("superuser-password")

    def pod_phase(self, name):
        """Of any pod of the namespace."""
        return self.kube.api.get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")["status"]["phase"]

    def roles(self):
        """What the pods' labels say."""
        return {name: pod["metadata"]["labels"].get("role") for name, pod in self.pods().items()}

    # --- the members' own word ---------------------------------------------------------------------------------------------

    def _ask(self, address):
        def ask():
            try:
                with urllib.request.urlopen(f"http://{address}:8008/patroni", timeout=2) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as answer:  # a member that is not well still says who it is
                return json.load(answer)
        try:
            return self.kube.call(ask)
        except (OSError, ValueError):
            return None

    def statuses(self):
        """Each member's /patroni, None for those that do not answer."""
        try:
            self.pods()
        except OSError:
            pass
        return {name: self._ask(address) for name, address in self.addresses.items()}

    def leader(self):
        """The name of the one member that says it is primary, or None."""
        primaries = [name for name, status in self.statuses().items() if status and status.get("role") in PRIMARY]
        return primaries[0] if len(primaries) == 1 else None

    def is_whole(self):
        """One primary, everybody else streaming from it, somebody synchronous."""
        statuses = self.statuses()
        if len(statuses) != self.size or not all(statuses.values()):
            return False
        primaries = [status for status in statuses.values() if status["role"] in PRIMARY and status["state"] == "running"]
        standbys = [status for status in statuses.values() if status.get("replication_state") == "streaming"]
        synchronous = [status for status in standbys if status.get("sync_standby") or status.get("quorum_standby")]
        return len(primaries) == 1 and len(standbys) == self.size - 1 and bool(synchronous or self.size == 1)

    def wait_whole(self, deadline=120):
        wait_for(f"{self.size} members at full strength", self.is_whole, deadline, hint=self.story)
        return self.leader()

    def wait_other_leader(self, old, deadline=90):
        wait_for(f"a leader other than {old}", lambda: self.leader() not in (None, old), deadline, hint=self.story)
        return self.leader()

    def timeline(self):
        return max(status["timeline"] for status in self.statuses().values() if status and status.get("timeline"))

    def story(self):
        """What happened, for the reader of a failure."""
        parts = ["", json.dumps(self.statuses(), indent=1)]
        for words in (["get", "pods", "--output=wide", "--show-labels"], ["get", "events", "--sort-by=.lastTimestamp"]):
            parts.append(self.kubectl(*words, check=False))
        for name in sorted(self.addresses):
            parts.append(f"--- {name}\n" + self.kubectl("logs", "--tail=25", name, check=False))
        return "\n".join(parts)

    # --- clients -----------------------------------------------------------------------------------------------------------

    def dsn(self, role="primary"):
        password = self.password().replace("\\", "\\\\").replace("'", "\\'")
        return f"host={self.service(role)} user=postgres password='{password}' dbname=postgres"

    def writer(self):
        """`pgherd writes` through the Service of the primary, from outside of every node; it has begun to write."""
        self.writers += 1
        writer = Writer(self.kube, self.dsn(), self.folder, self.writers).start()

        def has_written():
            with open(writer.log_file) as log:
                return re.search(r" [1-9]\d* acknowledged", log.read())
        try:
            wait_for("acknowledged writes through the Service", has_written, 30, hint=self.story)
        except BaseException:
            writer.kill()
            raise
        return writer

    def psql(self, statement, role="primary"):
        """From outside of every node, through a Service."""
        return subprocess.run(self.kube.command(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.dsn(role), "-c", statement]),
                              capture_output=True, text=True, check=True, timeout=30).stdout.strip()
