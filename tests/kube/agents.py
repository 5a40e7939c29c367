"""What runs PostgreSQL in the survival tests: pgherd from the quickstart, or Patroni beside it to compare with.

$KUBE_AGENT chooses: pgherd (the default), patroni, or patroni-failsafe (with failsafe_mode). Only pgherd is judged; of the others
the table shows what they do. Patroni's image is the workload image with one more layer: Patroni, and this machine's Python,
which the workload image has not."""
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import tarfile

from herdtest import patroni
from pg import QUICKSTART

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AGENT = os.environ.get("KUBE_AGENT", "pgherd")
POSTGRES = "15"
PYTHON = ("python3-minimal", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
          "libexpat1", "libffi8", "libuuid1")


def is_judged():
    return AGENT == "pgherd"


def manifest():
    """The text or file to apply."""
    if AGENT == "pgherd":
        return QUICKSTART
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "patroni", "cluster.yaml")) as file:
        return file.read().replace("@FAILSAFE@", "true" if AGENT == "patroni-failsafe" else "false")


def image():
    """The tar file of a further image that the agent needs, or None."""
    return None if AGENT == "pgherd" else _patroni_image(os.path.join(ROOT, "build", "kube-patroni.tar"))


def _add_python(tar):
    files = subprocess.run(["dpkg", "-L", *PYTHON], check=True, capture_output=True, text=True).stdout.split("\n")
    for path in sorted(set(filter(lambda path: os.path.islink(path) or os.path.isfile(path), files))):
        merged = path.startswith("/lib/")  # which is a link to /usr/lib
        tar.add(path, ("usr" if merged else "") + (path if merged else path[1:]), recursive=False)


def _patroni_image(path):
    loader = importlib.machinery.SourceFileLoader("image_build", os.path.join(ROOT, "deploy", "image", "build"))
    build = importlib.util.module_from_spec(importlib.util.spec_from_loader("image_build", loader))
    loader.exec_module(build)
    packages = os.path.join(os.path.dirname(patroni.environment()), "lib", "python3.11", "site-packages")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add_python(tar)
        tar.add(packages, "opt/patroni", filter=lambda info: None if "/pip" in info.name or "/setuptools" in info.name else info)
    with open(path, "wb") as out:
        config = {"config": {**build.image_config(POSTGRES, patroni.VERSION, 0)["config"], "Entrypoint": None}}
        build.write_image(out, "docker.io/library/pgherd-patroni:dev", config,
                          [build.Layer.of_base(build.base(POSTGRES, False)), build.Layer.of_bytes(layer.getvalue())])
    return path
