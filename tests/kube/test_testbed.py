"""The test Kubernetes itself: what the other tests build on is there, and its faults are real ones."""
import json
import time
import urllib.request

import pytest

from testbed.waiting import wait_for

PODS = r"""
apiVersion: v1
kind: Service
metadata: {name: keeper}
spec: {selector: {app: keeper}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Service
metadata: {name: keepers}
spec: {clusterIP: None, selector: {app: keeper}, publishNotReadyAddresses: true, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: keeper}
spec:
  serviceName: keepers
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 0
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {labelSelector: {matchLabels: {app: keeper}}, topologyKey: kubernetes.io/hostname}
      securityContext: {runAsUser: 999, runAsGroup: 999, fsGroup: 999, runAsNonRoot: true}
      containers:
        - name: keeper
          image: pgherd:dev
          imagePullPolicy: IfNotPresent
          command: [sh, -c, "echo started >> /data/starts; hostname > /data/name; exec perl -e \"$SERVER\""]
          env:
            - name: SERVER  # the files of /data; the image has no server of files
              value: |
                use IO::Socket::INET;
                $SIG{TERM} = sub { exit 0 };
                my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 64, ReuseAddr => 1) or die $@;
                while (my $client = $server->accept) {
                    my ($name) = (<$client> // q()) =~ m{^GET /(\w+) };
                    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
                    my $found = defined $name && open(my $file, q(<), "/data/$name");
                    my $text = $found ? join(q(), <$file>) : q();
                    print $client "HTTP/1.0 ", $found ? 200 : 404, " -\r\nContent-Length: ", length $text, "\r\n\r\n", $text;
                    close $client;
                }
          readinessProbe: {httpGet: {path: /name, port: 8000}, periodSeconds: 1}
          securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


class Keepers:
    """Three pods on three nodes, each with a volume and a small web server."""
    def __init__(self, kube, namespace):
        self.kube, self.namespace = kube, namespace
        kube.apply(PODS, f"--namespace={namespace}")
        self.wait_ready()

    def pod(self, name):
        return self.kube.api.get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    def is_ready(self, name):
        return any(each["type"] == "Ready" and each["status"] == "True" for each in self.pod(name)["status"].get("conditions", []))

    def wait_ready(self, deadline=60):
        wait_for("three ready pods", lambda: all(self.is_ready(f"keeper-{number}") for number in range(3)), deadline,
                 hint=lambda: self.kube.kubectl("get", "pods", "-A", "-o", "wide"))

    def starts(self, name):
        """How often it has started, by what it wrote on its volume."""
        return len(self.execute(name, "cat", "/data/starts").split())

    def node_of(self, name):
        return self.kube[self.pod(name)["spec"]["nodeName"]]

    def execute(self, name, *words):
        return self.kube.kubectl("exec", f"--namespace={self.namespace}", name, "--", *words)

    def answers(self, name):
        """Does its node's kubelet run programs in it?"""
        return bool(self.kube.kubectl("exec", f"--namespace={self.namespace}", name, "--", "hostname", check=False))

    def fetch(self, address, path="name", patience=2):
        """What a client outside of the nodes gets over HTTP, or None."""
        def ask():
            with urllib.request.urlopen(f"http://{address}/{path}", timeout=patience) as answer:
                return answer.read().decode().strip()
        try:
            return self.kube.call(ask)
        except OSError:
            return None


@pytest.fixture(scope="module")
def keepers(kube, namespace):
    return Keepers(kube, namespace)


def test_all_nodes_are_ready(kube):
    conditions = {node["metadata"]["name"]: {each["type"]: each["status"] for each in node["status"]["conditions"]}
                  for node in kube.api.get("/api/v1/nodes")["items"]}
    assert {name: status["Ready"] for name, status in conditions.items()} == {"node1": "True", "node2": "True", "node3": "True"}


def test_pods_find_each_other_by_name_and_balance_over_a_service(kube, keepers):
    found = keepers.execute("keeper-0", "getent", "hosts", "keeper-2.keepers", "keeper").split()
    assert keepers.pod("keeper-2")["status"]["podIP"] in found
    service = kube.api.get(f"/api/v1/namespaces/{keepers.namespace}/services/keeper")["spec"]["clusterIP"]
    assert service in found
    wait_for("each pod to answer through the Service",
             lambda: {keepers.fetch(service) for _ in range(20)} == {"keeper-0", "keeper-1", "keeper-2"}, 30)


def test_a_volume_outlives_its_pod_and_the_power_of_its_node(kube, keepers):
    node, before, pod = keepers.node_of("keeper-1"), keepers.starts("keeper-1"), keepers.pod("keeper-1")
    kube.kubectl("delete", "pod", "keeper-1", f"--namespace={keepers.namespace}")
    wait_for("another pod", lambda: keepers.pod("keeper-1")["metadata"]["uid"] != pod["metadata"]["uid"])
    keepers.wait_ready()
    assert keepers.starts("keeper-1") == before + 1
    address = keepers.pod("keeper-1")["status"]["podIP"]
    assert keepers.fetch(f"{address}:8000") == "keeper-1"
    node.kill()
    assert keepers.fetch(f"{address}:8000") is None
    node.start()
    wait_for("the pod to answer again", lambda: keepers.fetch(f"{keepers.pod('keeper-1')['status']['podIP']}:8000"), 60)
    keepers.wait_ready()
    assert keepers.starts("keeper-1") == before + 2
    assert keepers.node_of("keeper-1") is node


@pytest.mark.parametrize("how", ["cut", "cut_in", "cut_out"])
def test_a_node_that_is_cut_off_is_out_of_reach_until_healed(kube, keepers, how):
    node = keepers.node_of("keeper-0")
    address = f"{keepers.pod('keeper-0')['status']['podIP']}:8000"
    assert keepers.fetch(address) == "keeper-0"
    getattr(node, how)()
    assert keepers.fetch(address, patience=1) is None
    assert keepers.fetch(f"{keepers.pod('keeper-1')['status']['podIP']}:8000") == "keeper-1"
    node.heal()
    wait_for("the pod to answer again", lambda: keepers.fetch(address) == "keeper-0", 20)


def test_the_control_plane_comes_back_with_what_it_knew(kube, keepers):
    before = json.loads(kube.kubectl("get", "pods,pvc", f"--namespace={keepers.namespace}", "-o", "json"))
    kube.control_plane.stop_api(etcd=True)
    with pytest.raises(OSError):
        kube.api.get("/readyz")
    service_still_works = keepers.fetch(f"{before['items'][0]['status']['podIP']}:8000")
    kube.control_plane.start_api()
    after = json.loads(kube.kubectl("get", "pods,pvc", f"--namespace={keepers.namespace}", "-o", "json"))
    assert service_still_works == "keeper-0"
    assert [item["metadata"]["uid"] for item in after["items"]] == [item["metadata"]["uid"] for item in before["items"]]


def test_etcd_can_be_made_slow(kube):
    def seconds():
        begun = time.monotonic()
        kube.api.merge("/api/v1/namespaces/default", {"metadata": {"annotations": {"at": str(begun)}}})
        return time.monotonic() - begun
    kube.control_plane.slow_etcd(0.3)
    try:
        assert seconds() >= 0.6
    finally:
        kube.control_plane.slow_etcd(0)
    wait_for("etcd to be quick again", lambda: seconds() < 0.5, 10)


def test_a_kubelet_that_dies_is_started_again_and_its_pods_go_on(kube, keepers):
    node, starts = keepers.node_of("keeper-2"), keepers.starts("keeper-2")
    kubelet = node.run("cat", "/run/kubelet.pid")
    node.restart_kubelet()
    wait_for("another kubelet", lambda: node.run("cat", "/run/kubelet.pid") != kubelet, 20)
    wait_for("the kubelet to answer", lambda: keepers.answers("keeper-2"), 30)
    assert keepers.starts("keeper-2") == starts
