"""The programs of the test cluster: Kubernetes, etcd and CoreDNS built from the Go module proxy; containerd, runc and the CNI
plugins unpacked (not installed) from Debian's packages.

The first build takes minutes; afterwards everything comes from the cache. Go is the machine's own when it is new enough;
Debian 12's is not, but can fetch and verify the newer one, which is itself a module of the proxy."""
import glob
import json
import os
import re
import shutil
import stat
import subprocess

from . import cache, say

KUBERNETES = "v1.34.4"
GO = "1.25.5"
GO_SUM = "h1:IkknVKy/4hLMR+ZwWfP4Oqhjz2sKqNtEXz1meP8P3Nc="
DEBIAN = ["containerd", "runc", "containernetworking-plugins"]
COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"]
SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "go")


class Programs:
    """Paths of what was built and unpacked."""
    def __init__(self, built, debian):
        self.bin = os.path.join(built, "bin")
        self.cni = os.path.join(debian, "usr/lib/cni")
        self.runc = os.path.join(debian, "usr/sbin/runc")
        self.path = ":".join([self.bin, os.path.join(debian, "usr/bin"), os.path.join(debian, "usr/sbin"),
                              "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])

    def __getitem__(self, name):
        return shutil.which(name, path=self.path)

    def environment(self):
        return {**os.environ, "PATH": self.path}


def _key():
    return cache.digest(KUBERNETES, cache.digest_files(SOURCES))


def are_built():
    return os.path.isdir(os.path.join(cache.KUBE, "programs", _key()))


def ensure():
    """Builds and unpacks what is missing."""
    return Programs(cache.folder("programs", _key(), _build),
                    cache.folder("debian", cache.digest(*DEBIAN), _unpack_debian))


# --- Go ----------------------------------------------------------------------------------------------------------------------

def _go():
    """A Go that is new enough: the machine's, or the toolchain that the machine's Go downloads as a module."""
    own = shutil.which("go") or next(iter(sorted(glob.glob("/usr/local/go/bin/go"))), None)
    if not own:
        raise SystemExit("cannot build Kubernetes: there is no Go; ./dev kube up installs Debian's (golang-go)")
    version = subprocess.run([own, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    if [int(part) for part in re.findall(r"\d+", version)[:2]] >= [int(part) for part in GO.split(".")[:2]]:
        return own
    return _toolchain(own)


def _toolchain(old):
    module = f"golang.org/toolchain@v0.0.1-go{GO}.linux-amd64"
    say(f"fetching Go {GO} ({version_of(old)} is too old)")
    done = subprocess.run([old, "mod", "download", "-json", module], capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise SystemExit(f"cannot fetch {module}: {done.stderr or done.stdout}")
    found = json.loads(done.stdout)
    if found["Sum"] != GO_SUM:
        raise SystemExit(f"cannot use {module}: its sum is {found['Sum']}, not {GO_SUM}")
    # Modules hold no modes.
    for pattern in ("bin/*", "pkg/tool/*/*"):
        for program in glob.glob(os.path.join(found["Dir"], pattern)):
            os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return os.path.join(found["Dir"], "bin", "go")


def version_of(go):
    return subprocess.run([go, "version"], capture_output=True, text=True).stdout.split()[2]


def _build(folder):
    go, place = _go(), os.path.join(folder, "bin")
    os.makedirs(place)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath"}
    environment.pop("GOROOT", None)
    for name, flags in (("kubernetes", _version_flags()), ("coredns", "")):
        say(f"building {name} (the first time takes minutes)")
        subprocess.run(["nice", go, "build", "-ldflags", f"-s -w {flags}", "-o", os.path.join(place, name), "."],
                       cwd=os.path.join(SOURCES, name), env=environment, check=True)
    for component in COMPONENTS:
        os.symlink("kubernetes", os.path.join(place, component))
    subprocess.run(["clang-19", "-static", "-Os", "-s", "-o", os.path.join(place, "pause"),
                    os.path.join(SOURCES, "pause", "pause.c")], check=True)


def _version_flags():
    """What `kubectl version` and the API server say they are."""
    minor = KUBERNETES.split(".")[1]
    facts = {"gitVersion": KUBERNETES, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean", "gitCommit": "module",
             "buildDate": "1970-01-01T00:00:00Z"}
    return " ".join(f"-X {package}.{key}={value}" for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
                    for key, value in facts.items())


# --- Debian ------------------------------------------------------------------------------------------------------------------

def _unpack_debian(folder):
    say(f"unpacking {', '.join(DEBIAN)}")
    downloads = os.path.join(folder, "downloads")
    os.makedirs(downloads)
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *DEBIAN]
    if subprocess.run(download, cwd=downloads, capture_output=True).returncode:
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(download, cwd=downloads, check=True)
    for package in glob.glob(os.path.join(downloads, "*.deb")):
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    shutil.rmtree(downloads)
