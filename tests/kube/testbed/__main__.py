"""The command line: ./dev kube."""
import argparse
import os
import subprocess
import sys

from . import binaries, say
from .cluster import Cluster
from .network import MOST_NODES

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
STATE = os.path.join(ROOT, "build", "kube")
IMAGES = os.path.join(ROOT, "build", "image")
EXAMPLES = """\
examples:
  ./dev kube up                  three nodes; the first time builds Kubernetes, which takes minutes
  ./dev kubectl get nodes        as any kubectl with --kubeconfig build/kube/kubeconfig
  ./dev image && ./dev kube load build the workload image and put it on the nodes as pgherd:dev
  ./dev kube node 2 off          node2 loses power; also on, cut, cut-in, cut-out, heal
  ./dev kube api stop            the control plane dies, its data stays; ./dev kube api start
  ./dev kube down                everything is gone, data included
"""


def up(cluster, options):
    if cluster.is_up():
        sys.exit("a cluster is up already: ./dev kube down ends it")
    cluster.start(options.nodes)
    if os.path.isdir(IMAGES) and options.nodes:
        for name in sorted(os.listdir(IMAGES)):
            if name.endswith(".tar"):
                cluster.load(os.path.join(IMAGES, name))
    print(f"use it: ./dev kubectl get nodes\n    or: export KUBECONFIG={cluster.kubeconfig}")


def down(cluster, options):
    cluster.stop()
    say("the cluster is gone")


def load(cluster, options):
    need_up(cluster)
    cluster.load(options.file)


def node(cluster, options):
    need_up(cluster)
    if not 1 <= options.number <= len(cluster.nodes):
        sys.exit(f"there is no node {options.number}; there are {len(cluster.nodes)}")
    one = cluster.nodes[options.number - 1]
    {"off": one.kill, "on": one.start, "cut": one.cut, "cut-in": one.cut_in, "cut-out": one.cut_out, "heal": one.heal,
     "restart-kubelet": one.restart_kubelet}[options.what]()
    say(f"{one.name}: {options.what}")


def api(cluster, options):
    plane = cluster.control_plane
    cluster.programs
    if options.what == "slow":
        plane.slow_etcd(options.delay)
    else:
        {"stop": plane.stop_api, "start": plane.start_api, "freeze": plane.freeze_api, "thaw": plane.thaw_api}[options.what]()
    say(f"API server: {options.what}")


def kubectl(cluster, words):
    need_up(cluster)
    path = cluster.programs["kubectl"]
    os.execve(path, ["kubectl", *words], {**os.environ, "KUBECONFIG": cluster.kubeconfig})


def enter(cluster, words):
    need_up(cluster)
    words = cluster.command(words or ["bash"])
    os.execvp(words[0], words)


# Their arguments are another program's.
PASSED_ON = {"kubectl": kubectl, "enter": enter}


def need_up(cluster):
    if not cluster.daemons.pid("api-relay"):
        sys.exit("no cluster is up: ./dev kube up starts one")


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev kube", description="A real Kubernetes on this machine, in network namespaces.",
                                     epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", default=STATE, help="folder of the cluster (default build/kube)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added
    command("up", up, "start a cluster, and load the images of build/image").add_argument(
        "--nodes", type=int, default=3, choices=range(MOST_NODES + 1), metavar="N", help="how many (default %(default)s; 0: only the API)")
    command("down", down, "end the cluster and remove all it made")
    command("load", load, "put an image on the nodes").add_argument(
        "file", nargs="?", default=os.path.join(IMAGES, "pgherd-15.tar"), help="a tar file (default build/image/pgherd-15.tar)")
    faults = command("node", node, "harm a node, or heal it")
    faults.add_argument("number", type=int)
    faults.add_argument("what", choices=["off", "on", "cut", "cut-in", "cut-out", "heal", "restart-kubelet"])
    plane = command("api", api, "harm the control plane, or heal it")
    plane.add_argument("what", choices=["stop", "start", "freeze", "thaw", "slow"])
    plane.add_argument("delay", type=float, nargs="?", default=0.5, help="slow: seconds more for each packet to and from etcd; 0 heals")
    for name, text in (("kubectl", "kubectl as the administrator"), ("enter", "run a program in the cluster's network, outside of the nodes")):
        command(name, None, text)
    return parser.parse_args(words)


def main():
    # For ./dev.
    if sys.argv[1:] == ["is-built"]:
        sys.exit(0 if binaries.are_built() else 1)
    if sys.argv[1:] == ["programs"]:
        return print(binaries.ensure().bin)
    options = argparse.Namespace(state=STATE) if sys.argv[1:] and sys.argv[1] in PASSED_ON else parse(sys.argv[1:])
    if os.geteuid() != 0:
        sys.exit("namespaces and nodes need root: sudo ./dev kube …")
    try:
        if "function" in options:
            options.function(Cluster(options.state), options)
        else:
            PASSED_ON[sys.argv[1]](Cluster(options.state), sys.argv[2:])
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"./dev kube: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
