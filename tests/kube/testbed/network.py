"""The cluster's network: a namespace with a bridge for the control plane, a namespace with one cable for each node.

  control plane  10.77.0.1     bridge, etcd and the API server
  node i         10.77.0.1i    eth0, its other end on the bridge
  pods           10.78.i.0/24  behind node i; everyone has a route to them
  Services       10.79.0.0/16  in the nodes, and in the control plane's namespace (kube-proxy)
None of these addresses is visible outside the namespaces."""
import os

from herdtest.namespaces import call_inside, sh

CONTROL_PLANE = "10.77.0.1"
PODS = "10.78.0.0/16"
SERVICES = "10.79.0.0/16"
API_SERVICE = "10.79.0.1"
DNS_SERVICE = "10.79.0.10"
MOST_NODES = 9


def node_address(number):
    return f"10.77.0.1{number}"


def pods_of(number):
    return f"10.78.{number}.0/24"


class Namespace:
    """A network namespace by name."""
    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"

    def exists(self):
        return os.path.exists(self.path)

    def command(self, words):
        """`ip netns exec` would hide /sys/fs/cgroup."""
        return ["nsenter", f"--net={self.path}", *words]

    def call(self, function):
        """Runs function() in a thread that is inside this namespace."""
        return call_inside(self.name, function)

    def _create(self):
        sh("ip", "netns", "add", self.name)
        sh("ip", "-n", self.name, "link", "set", "lo", "up")
        sh(*self.command(["sysctl", "-qw", "net.ipv4.ip_forward=1"]))

    def delete(self):
        if self.exists():
            sh("ip", "netns", "del", self.name)


class Bridge(Namespace):
    """The control plane's namespace."""
    def create(self):
        self._create()
        sh("ip", "-n", self.name, "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", self.name, "addr", "add", f"{CONTROL_PLANE}/24", "dev", "br0")
        sh("ip", "-n", self.name, "link", "set", "br0", "up")
        sh("ip", "-n", self.name, "route", "add", "default", "dev", "br0")


class Cabled(Namespace):
    """A node's namespace. `number` counts from 1."""
    def __init__(self, bridge, number):
        super().__init__(f"{bridge.name}-n{number}")
        self.bridge, self.number, self.port = bridge, number, f"n{number}"

    def create(self):
        self._create()
        sh("ip", "-n", self.bridge.name, "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "-n", self.bridge.name, "link", "set", self.port, "master", "br0", "up")
        sh("ip", "-n", self.name, "addr", "add", f"{node_address(self.number)}/24", "dev", "eth0")
        sh("ip", "-n", self.name, "link", "set", "eth0", "up")
        sh("ip", "-n", self.name, "route", "add", "default", "via", CONTROL_PLANE)
        sh("ip", "-n", self.bridge.name, "route", "replace", pods_of(self.number), "via", node_address(self.number))

    def know(self, others):
        """Routes to the pods of other nodes, as a cloud's network would have."""
        for other in others:
            if other != self.number:
                sh("ip", "-n", self.name, "route", "replace", pods_of(other), "via", node_address(other))

    def pull(self):
        """Takes the cable out: the node keeps its addresses."""
        sh("ip", "-n", self.bridge.name, "link", "set", self.port, "down")

    def plug(self):
        sh("ip", "-n", self.bridge.name, "link", "set", self.port, "up")
        sh(*self.command(["nft", "delete", "table", "inet", "cut"]), check=False)  # there is none when nothing was dropped

    def drop(self, direction):
        """direction: "in" (the node and its pods hear nobody) or "out" (nobody hears them)."""
        hook, device = {"in": ("prerouting", "iifname"), "out": ("postrouting", "oifname")}[direction]
        sh(*self.command(["nft", f"add table inet cut; "
                          f"add chain inet cut {direction} {{ type filter hook {hook} priority -310; }}; "
                          f"add rule inet cut {direction} {device} eth0 drop"]))
