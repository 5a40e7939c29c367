"""A real Kubernetes on one machine, without a registry, a Docker daemon or systemd.

etcd, kube-apiserver, controller-manager and scheduler run in a network namespace of their own; each node is a set of namespaces
with containerd, kubelet and kube-proxy, joined to the control plane by a bridge. A node dies when its one process is killed, and
is cut off by its cable. Everything lives in one state folder and ends without a trace: by pid, mount by mount, cgroup by cgroup.
It does not fetch images: what runs is packed here from files."""
import sys
import time

_started = time.monotonic()


def say(text):
    """Progress, for the person who waits."""
    print(f"{time.monotonic() - _started:6.1f} s  {text}", file=sys.stderr, flush=True)
