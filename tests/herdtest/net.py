"""Hosts on one machine: a network namespace each, joined by a bridge in a namespace of its own.

`cut` takes the bridge's end of a host's cable down (the host keeps its address); `cut_one_way` drops what the host sends or
what it would receive."""
import itertools
import os
import subprocess

from .namespaces import call_inside, sh

_serial = itertools.count()


class Loopback:
    """A host that is this machine itself."""
    name = "loopback"
    address = "127.0.0.1"

    def command(self, words):
        return list(words)

    def call(self, function):
        return function()


class Host:
    def __init__(self, net, name, number):
        self.net, self.name = net, name
        self.namespace = f"{net.prefix}{name}"
        self.address = f"{net.subnet}.{10 + number}"
        self.port = f"v{net.prefix}{number}"[:15]

    def command(self, words):
        return ["ip", "netns", "exec", self.namespace, *words]

    def call(self, function):
        """Runs function() in a thread that is inside this host."""
        return call_inside(self.namespace, function)

    def cut(self):
        sh("ip", "-n", self.net.switch, "link", "set", self.port, "down")

    def heal(self):
        sh("ip", "-n", self.net.switch, "link", "set", self.port, "up")
        subprocess.run(self.command(["nft", "delete", "table", "inet", "cut"]), capture_output=True)

    def cut_one_way(self, direction):
        """direction: "in" (hears nobody) or "out" (nobody hears it)."""
        hook = {"in": "input", "out": "output"}[direction]
        device = {"in": "iifname", "out": "oifname"}[direction]
        nft = self.command(["nft"])
        sh(*nft, "add", "table", "inet", "cut")
        sh(*nft, "add", "chain", "inet", "cut", "traffic", f"{{ type filter hook {hook} priority 0 ; }}")
        sh(*nft, "add", "rule", "inet", "cut", "traffic", device, "eth0", "drop")


class Net:
    def __init__(self, names):
        self.prefix = f"p{os.getpid() % 100000}x{next(_serial)}"
        self.subnet = f"10.{90 + os.getpid() % 100}.{next(_serial) % 200}"
        self.switch = f"{self.prefix}sw"
        self.hosts = {}
        sh("ip", "netns", "add", self.switch)
        sh("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", self.switch, "link", "set", "br0", "up")
        for number, name in enumerate(names):
            self._add(Host(self, name, number))

    def _add(self, host):
        self.hosts[host.name] = host
        sh("ip", "netns", "add", host.namespace)
        sh("ip", "-n", host.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", host.port, "netns", self.switch)
        sh("ip", "-n", self.switch, "link", "set", host.port, "master", "br0", "up")
        sh("ip", "-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        sh("ip", "-n", host.namespace, "link", "set", "eth0", "up")
        sh("ip", "-n", host.namespace, "link", "set", "lo", "up")

    def __getitem__(self, name):
        return self.hosts[name]

    def close(self):
        for host in self.hosts.values():
            subprocess.run(["ip", "netns", "del", host.namespace], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.switch], capture_output=True)
