"""A throw-away PKI: one authority, EC keys, and a kubeconfig for each identity that speaks to the API server."""
import os

from .network import API_SERVICE, CONTROL_PLANE, node_address, sh

_NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost"

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: pgherd-test, cluster: {{server: "{server}", certificate-authority: "{folder}/ca.crt"}}}}]
users: [{{name: {name}, user: {{client-certificate: "{folder}/{name}.crt", client-key: "{folder}/{name}.key"}}}}]
contexts: [{{name: pgherd-test, context: {{cluster: pgherd-test, user: {name}}}}}]
current-context: pgherd-test
"""
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Pki:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def create(self, nodes):
        os.makedirs(self.folder, mode=0o700)
        sh("openssl", "req", "-x509", *_KEY, "-keyout", self.path("ca.key"), "-out", self.path("ca.crt"), "-days", "3650",
           "-subj", "/CN=pgherd-test", "-addext", "keyUsage=critical,keyCertSign,digitalSignature")
        sh("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", self.path("sa.key"))
        sh("openssl", "pkey", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))
        self._issue("apiserver", "/CN=kube-apiserver", f"{_NAMES},IP:127.0.0.1,IP:{CONTROL_PLANE},IP:{API_SERVICE}")
        self._issue("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet")
        self._identity("admin", "/O=system:masters/CN=admin")
        self._identity("controller-manager", "/CN=system:kube-controller-manager")
        self._identity("scheduler", "/CN=system:kube-scheduler")
        self._identity("proxy", "/CN=system:kube-proxy")
        for number in range(1, nodes + 1):
            self._identity(f"node{number}", f"/O=system:nodes/CN=system:node:node{number}",
                           f"DNS:node{number},IP:{node_address(number)}")

    def _issue(self, name, subject, alternatives=None):
        more = ["-addext", f"subjectAltName={alternatives}"] if alternatives else []
        sh("openssl", "req", "-x509", "-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key"), *_KEY, "-days", "3650",
           "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.crt"), "-subj", subject,
           "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=digitalSignature",
           "-addext", "extendedKeyUsage=serverAuth,clientAuth", *more)

    def _identity(self, name, subject, alternatives=None):
        self._issue(name, subject, alternatives)
        self.kubeconfig(name, f"https://{CONTROL_PLANE}:6443", self.path(f"{name}.kubeconfig"))

    def kubeconfig(self, name, server, path):
        with open(path, "w") as file:
            file.write(KUBECONFIG.format(name=name, server=server, folder=self.folder))
