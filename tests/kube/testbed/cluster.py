"""The whole cluster, known by its state folder: what one process starts, another can use and stop."""
import glob
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from . import binaries, cache, images, provisioner, say
from .control_plane import ControlPlane, route_services, wait_account
from .daemons import Daemons
from .network import API_SERVICE, MOST_NODES, Bridge, Cabled
from .node import Node
from .pki import Pki
from .waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


def base_images():
    """Bases of workload images that this machine has built; nodes come with them unpacked."""
    return glob.glob(os.path.join(cache.ROOT, "image", "base-*", "base.tar"))


class Cluster:
    def __init__(self, state, node_grace="40s"):
        self.state = os.path.abspath(state)
        # Namespaces and control groups are the machine's: their names tell clusters apart.
        self.name = f"pgk{hashlib.sha256(self.state.encode()).hexdigest()[:6]}"
        self.pki = Pki(os.path.join(self.state, "pki"))
        self.daemons = Daemons(self.state)
        self.bridge = Bridge(self.name)
        self.control_plane = ControlPlane(self.state, self.bridge, self.pki, self.daemons, node_grace)
        self.kubeconfig = os.path.join(self.state, "kubeconfig")
        self.nodes, self._api, self._programs, self.prototype = [], None, None, None
        self._attach()

    # --- what is there -----------------------------------------------------------------------------------------------------

    def _file(self):
        return os.path.join(self.state, "cluster.json")

    def _attach(self):
        """Learns from the state folder what another process has started."""
        if os.path.exists(self._file()):
            with open(self._file()) as file:
                known = json.load(file)
            self.prototype = known["prototype"]
            self.nodes = [Node(self, Cabled(self.bridge, number)) for number in range(1, known["nodes"] + 1)]

    def is_up(self):
        return self.daemons.pid("apiserver") is not None

    @property
    def programs(self):
        if not self._programs:
            self._programs = self.control_plane.programs = binaries.ensure()
        return self._programs

    @property
    def api(self):
        if not self._api:
            self._api = self.control_plane.api()
        return self._api

    @property
    def kept(self):
        """Folders outside of the state folder that a node's daemons need as they are."""
        return [path for path in (cache.KUBE, HERE) if os.path.isdir(path)]

    def __getitem__(self, name):
        """A node by name."""
        return next(node for node in self.nodes if node.name == name)

    # --- up and down -------------------------------------------------------------------------------------------------------

    def start(self, nodes=3):
        """From nothing to ready nodes with DNS and storage. What an earlier run left behind is removed first."""
        if not 0 <= nodes <= MOST_NODES:
            raise ValueError(f"cannot start {nodes} nodes: from 0 to {MOST_NODES} are possible")
        programs = self.programs
        self.prototype = images.prototype(programs, base_images())
        self.stop()
        os.makedirs(self.state)
        with open(self._file(), "w") as file:
            json.dump({"nodes": nodes, "prototype": self.prototype}, file)
        self._attach()
        say(f"starting the control plane (Kubernetes {binaries.KUBERNETES})")
        self.pki.create(nodes)
        self.control_plane.start(programs)
        route_services(self.bridge)
        if nodes:
            self._start_nodes()
        wait_account(self.api)
        self._start_storage()
        if nodes:
            self.apply(os.path.join(HERE, "manifests", "dns.yaml"))
            wait_for("CoreDNS on each node", self._dns_is_ready, 90, hint=lambda: f"({self.daemons.logs})")
        wait_for("Services outside of the nodes", self._services_are_routed, 90, hint=lambda: f"({self.daemons.log('outside-proxy')})")
        self.daemons.check()
        say(f"ready: {nodes} nodes with DNS and storage")
        return self

    def _start_nodes(self):
        say(f"starting {len(self.nodes)} nodes")
        numbers = [node.number for node in self.nodes]
        for node in self.nodes:
            node.net.create()
            node.net.know(numbers)
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.start(wait=False), self.nodes))
        for node in self.nodes:
            node.wait_ready()

    def _start_storage(self):
        for name in provisioner.CLASSES:
            self.api.create("/apis/storage.k8s.io/v1/storageclasses", provisioner.storage_class(name))
        self.daemons.start("provisioner", [sys.executable, "-m", "testbed.provisioner", self.state],
                           {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})

    def _dns_is_ready(self):
        status = self.api.get("/apis/apps/v1/namespaces/kube-system/daemonsets/coredns")["status"]
        return status.get("numberReady", 0) == len(self.nodes)

    def _services_are_routed(self):
        def connect():
            socket.create_connection((API_SERVICE, 443), timeout=0.5).close()
            return True
        return self.call(connect)

    def stop(self):
        """Ends everything by pid and removes what is in the kernel and on the disk, logs included."""
        if self._api:
            self._api.close()
            self._api = None
        # Controllers would only see their nodes die.
        self.daemons.kill("provisioner")
        self.control_plane.kill()
        with ThreadPoolExecutor(max(1, len(self.nodes))) as pool:
            list(pool.map(lambda node: node.remove(), self.nodes))
        self.daemons.kill(*self.daemons.names())
        self.bridge.delete()
        shutil.rmtree(self.state, ignore_errors=True)
        self.nodes = []

    # --- use ---------------------------------------------------------------------------------------------------------------

    def kubectl(self, *words, check=True, **options):
        """Runs kubectl as the administrator; returns what it prints. Fails with what it says."""
        options = {"capture_output": True, "text": True, **options}
        done = subprocess.run([self.programs["kubectl"], f"--kubeconfig={self.kubeconfig}", *words], **options)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: exit code {done.returncode}: {(done.stderr or '').strip()}")
        return done.stdout

    def apply(self, path_or_text, *words):
        """kubectl apply of a file, or of a text of YAML."""
        if os.path.exists(path_or_text):
            return self.kubectl("apply", f"--filename={path_or_text}", *words)
        return self.kubectl("apply", "--filename=-", *words, input=path_or_text)

    def load(self, tar):
        """Puts an image on all nodes that are on."""
        nodes = [node for node in self.nodes if node.is_on()]
        say(f"loading {os.path.basename(tar)} on {len(nodes)} nodes")
        images.load(tar, nodes)

    def command(self, words):
        """`words` to be run outside of every node but in the cluster's network: pods and Services are within reach."""
        return self.bridge.command(words)

    def call(self, function):
        """Runs function() outside of every node but in the cluster's network, in a thread."""
        return self.bridge.call(function)
