"""A real etcd on one host."""
import json
import os
import signal
import subprocess
import urllib.request

from . import paths, processes
from .waiting import wait_for


class Etcd:
    def __init__(self, host, directory, client_port=2379, peer_port=2380):
        self.host, self.directory = host, directory
        self.client_port, self.peer_port = client_port, peer_port
        self.endpoint = f"{host.address}:{client_port}"
        self.process = None

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        client, peer = f"http://{self.endpoint}", f"http://{self.host.address}:{self.peer_port}"
        log = open(os.path.join(self.directory, "etcd.log"), "ab")
        self.process = subprocess.Popen(
            self.host.command([paths.etcd_binary(), "--name", "e", "--data-dir", os.path.join(self.directory, "data"),
                               "--listen-client-urls", client, "--advertise-client-urls", client,
                               "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                               "--initial-cluster", f"e={peer}", "--logger", "zap", "--log-level", "warn"]),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        wait_for("etcd to answer", self.healthy, 30)

    def healthy(self):
        def ask():
            with urllib.request.urlopen(f"http://{self.endpoint}/health", timeout=1) as answer:
                return json.load(answer)["health"] == "true"
        return self.host.call(ask)

    def freeze(self):
        processes.send(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        processes.send(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process:
            self.thaw()
            processes.end(self.process, 10)
            self.process = None
