"""etcd, kube-apiserver, controller-manager and scheduler: one of each, in the bridge's namespace, with etcd's data on disk.

The API server reaches etcd through a relay that can slow it down, and the host reaches the API server through another. There is
a kube-proxy too, so that a client in this namespace can use Services: it stands outside of every node, and outlives them all."""
import os
import signal
import sys

from .api import Api
from .network import CONTROL_PLANE, PODS, SERVICES, sh
from .waiting import wait_for

# Their default of 20 requests a second makes a new cluster wait seconds for its first ServiceAccount.
_EAGER = ["--kube-api-qps=500", "--kube-api-burst=1000"]
_API = ["scheduler", "controller-manager", "apiserver"]

KUBE_PROXY = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {{kubeconfig: "{kubeconfig}"}}
mode: nftables
hostnameOverride: {name}
clusterCIDR: {pods}
conntrack: {{maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s}}
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: 127.0.0.1:10256
"""


class ControlPlane:
    def __init__(self, state, bridge, pki, daemons, node_grace="40s"):
        self.state, self.bridge, self.pki, self.daemons, self.node_grace = state, bridge, pki, daemons, node_grace
        self.programs = None

    # --- start and end -----------------------------------------------------------------------------------------------------

    def start(self, programs):
        self.programs = programs
        if not self.bridge.exists():
            self.bridge.create()
        self._relay("etcd-relay", self.bridge.name, 2378, "127.0.0.1:2379")
        self._relay("api-relay", "-", 0, f"{CONTROL_PLANE}:6443")
        self.pki.kubeconfig("admin", f"https://127.0.0.1:{self.port()}", os.path.join(self.state, "kubeconfig"))
        self.start_etcd()
        self.start_api()
        self._start_proxy()

    def kill(self):
        self.daemons.kill("outside-proxy", *_API, "etcd", "etcd-relay", "api-relay")

    def port(self):
        """Where the API server is on the host's loopback."""
        with open(os.path.join(self.state, "api-relay", "port")) as file:
            return int(file.read())

    def api(self):
        return Api(self.pki, self.port())

    # --- faults ------------------------------------------------------------------------------------------------------------

    def stop_api(self, etcd=False):
        """The control plane dies; what it knows stays on disk. etcd lives on unless told otherwise."""
        self.daemons.kill(*_API, *(["etcd"] if etcd else []))

    def start_api(self):
        """Starts what stop_api stopped, and returns when the API answers again."""
        if not self.daemons.pid("etcd"):
            self.start_etcd()
        self._start_apiserver()
        api = self.api()
        wait_for("the API server to be ready", lambda: api.get("/readyz") == "ok", 60,
                 hint=lambda: f"({self.daemons.log('apiserver')})")
        api.close()
        # They end themselves when the bootstrap roles are not there yet.
        self._start_controllers()

    def freeze_api(self):
        """The API server hangs: connections stay, answers do not come."""
        self.daemons.signal("apiserver", signal.SIGSTOP)

    def thaw_api(self):
        self.daemons.signal("apiserver", signal.SIGCONT)

    def slow_etcd(self, delay):
        """Each packet between the API server and etcd takes `delay` seconds more; 0 heals."""
        with open(os.path.join(self.state, "etcd-relay", "delay"), "w") as file:
            file.write(str(delay))
        self.daemons.signal("etcd-relay", signal.SIGUSR1)

    # --- the processes -----------------------------------------------------------------------------------------------------

    def _inside(self, name, *words):
        words = (self.programs[words[0]], *words[1:])
        self.daemons.start(name, self.bridge.command(words), self.programs.environment())

    def _relay(self, name, listen, port, target):
        folder = os.path.join(self.state, name)
        os.makedirs(folder, exist_ok=True)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
        self.daemons.start(name, [sys.executable, script, listen, str(port), self.bridge.name, target, folder])
        wait_for(f"{name} to listen", lambda: os.path.exists(os.path.join(folder, "port")), 10,
                 hint=lambda: f"({self.daemons.log(name)})")

    def start_etcd(self):
        # A test host's crash may take the cluster with it; waiting for the disk would only make every test slower.
        self._inside("etcd", "etcd", "--name=only", f"--data-dir={self.state}/etcd", "--unsafe-no-fsync", "--log-level=warn",
                     "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
                     "--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                     "--initial-cluster=only=http://127.0.0.1:2380")

    def _start_apiserver(self):
        key = self.pki.path
        self._inside(
            "apiserver", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2378", "--bind-address=0.0.0.0",
            f"--advertise-address={CONTROL_PLANE}", "--secure-port=6443", f"--tls-cert-file={key('apiserver.crt')}",
            f"--tls-private-key-file={key('apiserver.key')}", f"--client-ca-file={key('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={key('sa.pub')}", f"--service-account-signing-key-file={key('sa.key')}",
            f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            f"--kubelet-client-certificate={key('apiserver-kubelet.crt')}",
            f"--kubelet-client-key={key('apiserver-kubelet.key')}", f"--kubelet-certificate-authority={key('ca.crt')}",
            "--kubelet-preferred-address-types=InternalIP", "--enable-aggregator-routing=true", "--profiling=false")

    def _start_controllers(self):
        def known(name):
            path = self.pki.path(f"{name}.kubeconfig")
            return [f"--{option}={path}" for option in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")]
        key = self.pki.path
        self._inside("controller-manager", "kube-controller-manager", *known("controller-manager"), "--bind-address=127.0.0.1",
                     "--leader-elect=false", "--use-service-account-credentials=true",
                     f"--service-account-private-key-file={key('sa.key')}", f"--root-ca-file={key('ca.crt')}",
                     f"--cluster-signing-cert-file={key('ca.crt')}", f"--cluster-signing-key-file={key('ca.key')}",
                     "--allocate-node-cidrs=false", f"--node-monitor-grace-period={self.node_grace}", *_EAGER)
        self._inside("scheduler", "kube-scheduler", *known("scheduler"), "--bind-address=127.0.0.1", "--leader-elect=false", *_EAGER)

    def _start_proxy(self):
        path = os.path.join(self.state, "outside-proxy.yaml")
        with open(path, "w") as file:
            file.write(KUBE_PROXY.format(kubeconfig=self.pki.path("proxy.kubeconfig"), name="outside", pods=PODS))
        self._inside("outside-proxy", "kube-proxy", f"--config={path}")


def wait_account(api):
    """Pods are refused until their namespace has its ServiceAccount."""
    wait_for("the default ServiceAccount", lambda: api.get("/api/v1/namespaces/default/serviceaccounts/default"), 60)


def route_services(bridge):
    """Service addresses need a route to leave by; kube-proxy rewrites them before the packet does."""
    sh("ip", "-n", bridge.name, "route", "replace", SERVICES, "dev", "br0")
