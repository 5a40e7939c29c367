"""Images on nodes without a registry, and without unpacking the same layer once for each node.

A prototype of containerd's store is made once by a containerd of its own, and kept in the cache: the cluster's own images, and
the base of the workload image. A node's store is then seeded in no time: containerd's two small databases are copied, blobs are
hard links, and an unpacked layer, which overlayfs only reads, is a symbolic link. An image that is loaded later is sent without
the blobs that the node has. Images are OCI layouts in a tar file; the tar of `docker save` has to carry one too (it does)."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

from . import cache, say
from .waiting import wait_for

CONTENT = "io.containerd.content.v1.content/blobs/sha256"
LAYERS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
DATABASES = ["io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"]


class Store:
    """containerd's root folder."""
    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def has(self, digest):
        return os.path.exists(self.path(f"{CONTENT}/{digest}"))

    def seed(self, prototype):
        """A new store knows at once what the prototype holds; one that exists is left as it is."""
        if os.path.exists(self.path(DATABASES[0])):
            return
        for name in (CONTENT, LAYERS, *map(os.path.dirname, DATABASES)):
            os.makedirs(self.path(name), exist_ok=True)
        for digest in os.listdir(os.path.join(prototype, CONTENT)):
            _link(os.path.join(prototype, CONTENT, digest), self.path(f"{CONTENT}/{digest}"))
        for layer in os.listdir(os.path.join(prototype, LAYERS)):
            os.symlink(os.path.join(prototype, LAYERS, layer), self.path(f"{LAYERS}/{layer}"))
        for name in DATABASES:
            shutil.copy2(os.path.join(prototype, name), self.path(name))


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


# --- packing -----------------------------------------------------------------------------------------------------------------

def _blob(tar, data):
    digest = hashlib.sha256(data).hexdigest()
    _member(tar, f"blobs/sha256/{digest}", data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def _member(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def pack_program(program, name, path):
    """An image of one static program, as the tar file `path`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar, open(program, "rb") as file:
        info = tarfile.TarInfo(os.path.basename(program))
        info.size, info.mode = os.stat(program).st_size, 0o755
        tar.addfile(info, file)
    diff = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": [f"/{os.path.basename(program)}"]},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]}}
    with tarfile.open(path, "w") as tar:
        kind = "application/vnd.oci.image"
        manifest = {"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json",
                    "config": {"mediaType": f"{kind}.config.v1+json", **_blob(tar, json.dumps(config).encode())},
                    "layers": [{"mediaType": f"{kind}.layer.v1.tar", **_blob(tar, layer.getvalue())}]}
        entry = {"mediaType": f"{kind}.manifest.v1+json", **_blob(tar, json.dumps(manifest).encode()),
                 "annotations": {"io.containerd.image.name": name}}
        _member(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _member(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())


# --- the prototype -----------------------------------------------------------------------------------------------------------

def prototype(programs, bases):
    """The cached store with the cluster's own images and the tar files `bases`."""
    def identity(path):
        return f"{os.path.basename(path)} {os.stat(path).st_size} {os.stat(path).st_mtime_ns}"
    key = cache.digest(programs.bin, *map(identity, sorted(bases)))
    return cache.folder("stores", key, lambda folder: _make_prototype(programs, bases, folder), keep=3)


def _make_prototype(programs, bases, folder):
    say(f"unpacking images once for all nodes: pause, coredns{''.join(', ' + os.path.basename(base) for base in bases)}")
    with tempfile.TemporaryDirectory(prefix="pgherd-store-") as work:
        own = []
        for name in ("pause", "coredns"):
            own.append(os.path.join(work, f"{name}.tar"))
            pack_program(os.path.join(programs.bin, name), f"docker.io/library/{name}:1", own[-1])
        socket = os.path.join(work, "s")
        with open(os.path.join(work, "config.toml"), "w") as file:
            file.write(f'version = 2\nroot = "{folder}"\nstate = "{work}/state"\noom_score = 0\n'
                       f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n[grpc]\n  address = "{socket}"\n')
        process = subprocess.Popen(["unshare", "--mount", programs["containerd"], f"--config={work}/config.toml"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=programs.environment(),
                                   stderr=open(os.path.join(work, "log"), "w"))
        try:
            wait_for("containerd to listen", lambda: os.path.exists(socket), 30, hint=lambda: open(os.path.join(work, "log")).read()[-800:])
            for tar in (*own, *bases):
                subprocess.run([programs["ctr"], f"--address={socket}", "--namespace=k8s.io", "images", "import", tar],
                               check=True, stdout=subprocess.DEVNULL, env=programs.environment())
        finally:
            process.terminate()
            process.wait()


# --- loading -----------------------------------------------------------------------------------------------------------------

def load(tar_path, nodes):
    """Imports an image into running nodes; of its blobs only those that a node lacks are read again."""
    with tarfile.open(tar_path) as tar:
        blobs = {member.name.rsplit("/", 1)[1]: member for member in tar if member.name.startswith("blobs/sha256/") and member.isfile()}
        if not blobs:
            raise SystemExit(f"cannot load {tar_path}: it holds no OCI layout (blobs/sha256/…)")
        for node in nodes:
            with tempfile.NamedTemporaryFile(suffix=".tar", dir=node.folder) as thin:
                with tarfile.open(fileobj=thin, mode="w") as out:
                    for digest, member in blobs.items():
                        if not node.store.has(digest):
                            out.addfile(member, tar.extractfile(member))
                    for name in ("oci-layout", "index.json"):
                        out.addfile(tar.getmember(name), tar.extractfile(name))
                thin.flush()
                node.ctr("images", "import", thin.name)
