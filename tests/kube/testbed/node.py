"""One node as its owner sees it: power, cable, and the daemons inside."""
import json
import os
import signal
import subprocess
import sys
import time
from calendar import timegm
from glob import glob

from .images import Store
from .network import DNS_SERVICE, PODS, node_address, pods_of
from .control_plane import KUBE_PROXY
from .daemons import began
from .waiting import wait_for

CNI = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": True, "isDefaultGateway": True, "ipMasq": False, "hairpinMode": True,
     "ipam": {"type": "host-local", "dataDir": "/run/cni-addresses", "ranges": []}}]}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE nobody may lower it, and runc would fail.
CONTAINERD = """\
version = 2
root = "{root}"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        SystemdCgroup = false
"""

KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failSwapOn: false
failCgroupV1: false
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: "{pki}/ca.crt"}}}}
authorization: {{mode: Webhook}}
tlsCertFile: "{pki}/{name}.crt"
tlsPrivateKeyFile: "{pki}/{name}.key"
clusterDNS: ["{dns}"]
clusterDomain: cluster.local
resolvConf: "{folder}/resolv.conf"
podLogsDir: "{folder}/pod-logs"
volumePluginDir: "{folder}/volume-plugins"
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}}
maxPods: 60
"""


class Node:
    def __init__(self, cluster, namespace):
        self.cluster, self.net, self.number = cluster, namespace, namespace.number
        self.name = f"node{self.number}"
        self.address = node_address(self.number)
        self.folder = os.path.join(cluster.state, self.name)
        self.store = Store(os.path.join(self.folder, "containerd"))
        self.cgroup = namespace.name

    # --- power -------------------------------------------------------------------------------------------------------------

    def start(self, wait=True):
        """Power on. With `wait` it returns when Kubernetes calls the node ready."""
        programs = self.cluster.programs
        if not self.net.exists():
            self.net.create()
        self.store.seed(self.cluster.prototype)
        self._write_files(programs)
        started = time.time()
        self.cluster.daemons.start(self.name, self.net.command(
            ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_init.py"),
             os.path.join(self.folder, "init.json")]), programs.environment())
        if wait:
            self.wait_ready(since=started)
        return self

    def kill(self):
        """Power off: everything on the node is gone at once, its disk stays."""
        init = self.init()
        self.cluster.daemons.kill(self.name)
        if init:
            wait_for(f"the processes of {self.name} to be gone", lambda: began(init) is None, 20, every=0.01)
        # No power, no control groups; a kubelet that found some would ask for their containers at length.
        wait_for(f"the control groups of {self.name} to be empty", self._remove_cgroups, 20, every=0.01)

    def is_on(self):
        return self.cluster.daemons.pid(self.name) is not None

    def wait_ready(self, since=0.0, deadline=90):
        """Ready by the word of a kubelet that started after `since`."""
        def ready():
            for condition in self.cluster.api.get(f"/api/v1/nodes/{self.name}")["status"]["conditions"]:
                if condition["type"] == "Ready":
                    heard = time.strptime(condition["lastHeartbeatTime"], "%Y-%m-%dT%H:%M:%SZ")
                    # Heartbeats are in whole seconds.
                    return condition["status"] == "True" and timegm(heard) >= int(since)
        wait_for(f"{self.name} to be ready", ready, deadline, hint=lambda: f"({self.cluster.daemons.logs}/{self.name}*.log)")

    def remove(self):
        """Ends the node and takes away what it left in the kernel."""
        self.kill()
        self.net.delete()

    def _remove_cgroups(self):
        tops = glob(f"/sys/fs/cgroup/{self.cgroup}") + glob(f"/sys/fs/cgroup/*/{self.cgroup}")
        for top in tops:
            for folder, _, _ in os.walk(top, topdown=False):
                os.rmdir(folder)
        return True

    # --- cable -------------------------------------------------------------------------------------------------------------

    def cut(self):
        """The node and its pods reach nobody outside of it, and nobody reaches them."""
        self.net.pull()

    def cut_in(self):
        """They hear nobody, but are heard."""
        self.net.drop("in")

    def cut_out(self):
        """They hear everybody, but are not heard."""
        self.net.drop("out")

    def heal(self):
        self.net.plug()

    # --- inside ------------------------------------------------------------------------------------------------------------

    def init(self):
        """The host's pid of the node's pid 1."""
        pid = self.cluster.daemons.pid(self.name)
        if not pid:
            return None
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            found = children.read().split()
        return int(found[0]) if found else None

    def command(self, words):
        """`words` to be run inside: its files, processes and network."""
        return ["nsenter", f"--target={self.init()}", "--mount", "--pid", "--net", "--uts", "--ipc", "--", *words]

    def run(self, *words, **options):
        """Runs a program inside; returns what it prints."""
        options = {"check": True, "capture_output": True, "text": True, **options}
        return subprocess.run(self.command(words), env=self.cluster.programs.environment(), **options).stdout

    def ctr(self, *words, **options):
        return self.run("ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io", *words, **options)

    def _signal(self, daemon, number):
        self.run("kill", f"-{int(number)}", self.run("cat", f"/run/{daemon}.pid"))

    def restart_kubelet(self):
        """It dies, and is started again a second later."""
        self._signal("kubelet", signal.SIGKILL)

    def freeze_kubelet(self):
        self._signal("kubelet", signal.SIGSTOP)

    def thaw_kubelet(self):
        self._signal("kubelet", signal.SIGCONT)

    def _write_files(self, programs):
        state, pki = self.cluster.state, self.cluster.pki
        os.makedirs(os.path.join(self.folder, "cni"), exist_ok=True)
        cni = json.loads(json.dumps(CNI))
        cni["plugins"][0]["ipam"]["ranges"] = [[{"subnet": pods_of(self.number)}]]
        facts = {"root": self.store.root, "folder": self.folder, "name": self.name, "cgroup": self.cgroup, "cni": programs.cni,
                 "runc": programs.runc, "pki": pki.folder, "dns": DNS_SERVICE}
        self._write("cni/10-pods.conflist", json.dumps(cni))
        self._write("containerd.toml", CONTAINERD.format(**facts))
        self._write("kubelet.yaml", KUBELET.format(**facts))
        self._write("proxy.yaml", KUBE_PROXY.format(kubeconfig=pki.path("proxy.kubeconfig"), name=self.name, pods=PODS))
        self._write("resolv.conf", f"nameserver {DNS_SERVICE}\n")
        self._write("init.json", json.dumps({
            "name": self.name, "cgroup": self.cgroup, "keep": [state, *self.cluster.kept],
            "log": os.path.join(self.cluster.daemons.logs, self.name + "-{}.log"),
            "daemons": {
                "containerd": [programs["containerd"], f"--config={self.folder}/containerd.toml"],
                "kubelet": [programs["kubelet"], f"--config={self.folder}/kubelet.yaml",
                            f"--kubeconfig={pki.path(self.name + '.kubeconfig')}", f"--hostname-override={self.name}",
                            f"--node-ip={self.address}", f"--root-dir={self.folder}/kubelet"],
                "kube-proxy": [programs["kube-proxy"], f"--config={self.folder}/proxy.yaml"]}}, indent=1))

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)
