"""Makes a volume for each claim: a folder of the state folder, as a `local` PersistentVolume. Runs as a process of its own.

usage: python3 -m testbed.provisioner STATE

Class `local` (the default) ties the volume to the node that the scheduler picked, as a disk in it would be; class `network`
lets every node reach it, as a network disk. Volumes outlive pods and nodes, and are deleted with their claims."""
import os
import shutil
import sys
import time

from .api import Api, ApiError
from .pki import Pki

NAME = "testbed.pgherd.dev/folder"
CLASSES = {"local": True, "network": False}  # tied to a node?


def storage_class(name):
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": NAME,
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": str(name == "local").lower()}},
            "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}


def volume(claim, node, folder):
    """The PersistentVolume for a claim that is to be bound on `node`."""
    meta, kind = claim["metadata"], claim["spec"]["storageClassName"]
    label = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]} if CLASSES[kind] else \
        {"key": "kubernetes.io/hostname", "operator": "Exists"}
    return {"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": NAME}},
            "spec": {"capacity": claim["spec"]["resources"]["requests"], "accessModes": claim["spec"]["accessModes"],
                     "storageClassName": kind, "persistentVolumeReclaimPolicy": "Delete", "local": {"path": folder},
                     "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"],
                                  "name": meta["name"], "uid": meta["uid"]},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [label]}]}}}}


class Provisioner:
    def __init__(self, api, folder):
        self.api, self.folder = api, folder

    def pass_over(self):
        for claim in self.api.get("/api/v1/persistentvolumeclaims")["items"]:
            notes = claim["metadata"].get("annotations", {})
            node = notes.get("volume.kubernetes.io/selected-node")
            if claim["status"]["phase"] == "Pending" and node and notes.get("volume.kubernetes.io/storage-provisioner") == NAME:
                self._make(claim, node)
        for made in self.api.get("/api/v1/persistentvolumes")["items"]:
            if made["status"]["phase"] == "Released" and made["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == NAME:
                self._delete(made)

    def _make(self, claim, node):
        folder = os.path.join(self.folder, f"pvc-{claim['metadata']['uid']}")
        os.makedirs(folder, mode=0o755, exist_ok=True)
        try:
            self.api.create("/api/v1/persistentvolumes", volume(claim, node, folder))
        except ApiError as error:
            if error.status != 409:  # made by the pass before, and not bound yet
                raise

    def _delete(self, made):
        folder = os.path.join(self.folder, made["metadata"]["name"])
        if made["spec"]["local"]["path"] == folder:
            shutil.rmtree(folder, ignore_errors=True)
        self.api.delete(f"/api/v1/persistentvolumes/{made['metadata']['name']}")


def main(state):
    with open(os.path.join(state, "api-relay", "port")) as file:
        provisioner = Provisioner(Api(Pki(os.path.join(state, "pki")), int(file.read())), os.path.join(state, "volumes"))
    while True:
        try:
            provisioner.pass_over()
        except (OSError, KeyError) as error:  # the API server is away, or an object changes under our eyes
            print(error, flush=True)
        time.sleep(0.3)


if __name__ == "__main__":
    main(sys.argv[1])
