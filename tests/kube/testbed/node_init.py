"""Pid 1 of a node: prepares its mounts and cgroups, and keeps containerd, kubelet and kube-proxy running.

usage: node_init.py CONFIG.json, in mount, pid, uts, ipc and network namespaces of its own

What the daemons write outside of the state folder lands in memory and is gone with the node, as are its mounts. A daemon that
ends is started again after a second, as systemd would."""
import glob
import json
import os
import socket
import subprocess
import sys
import time

# The kubelet wants these values and would set them for the whole machine; here it finds them set.
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
           "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
WRITTEN = ["etc", "var", "opt"]
CGROUPS = "/sys/fs/cgroup"


def mount(*words, fds=()):
    subprocess.run(["mount", *words], check=True, pass_fds=fds)


def prepare_mounts(keep):
    mount("--make-rprivate", "/")
    kept = {path: os.open(path, os.O_PATH) for path in keep}
    mount("-t", "tmpfs", "tmpfs", "/run")
    for name in WRITTEN:
        upper, work = f"/run/written/{name}/upper", f"/run/written/{name}/work"
        os.makedirs(upper)
        os.makedirs(work)
        mount("-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", f"/{name}")
    # The checkout and the cache may lie below one of those; they are not to be hidden.
    for path, fd in kept.items():
        mount("--no-canonicalize", "--bind", f"/proc/self/fd/{fd}", path, fds=(fd,))
        os.close(fd)
    os.makedirs("/run/sysctl")
    for name, value in SYSCTLS.items():
        file = f"/run/sysctl/{name.replace('/', '_')}"
        with open(file, "w") as out:
            out.write(f"{value}\n")
        mount("--bind", file, f"/proc/sys/{name}")
    mount("--make-rshared", "/")


def prepare_cgroups(name):
    if os.path.exists(f"{CGROUPS}/cgroup.controllers"):
        with open(f"{CGROUPS}/cgroup.subtree_control", "w") as control:
            control.write("+cpu +memory +pids +cpuset")
        os.makedirs(f"{CGROUPS}/{name}", exist_ok=True)
        return
    for hierarchy in glob.glob(f"{CGROUPS}/*/"):
        if os.path.basename(hierarchy.rstrip("/")) == "unified":
            continue
        os.makedirs(f"{hierarchy}{name}", exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group, which then takes no process
            if os.path.exists(f"{hierarchy}{setting}"):
                with open(f"{hierarchy}{setting}") as source, open(f"{hierarchy}{name}/{setting}", "w") as target:
                    target.write(source.read())


class Keeper:
    def __init__(self, config):
        self.config, self.running, self.due = config, {}, {}

    def start(self, name):
        with open(self.config["log"].format(name), "ab") as log:
            process = subprocess.Popen(self.config["daemons"][name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.returncode = 0  # reap() waits for it, as for everything that is left to pid 1
        self.running[process.pid] = name
        with open(f"/run/{name}.pid", "w") as file:
            file.write(str(process.pid))

    def reap(self):
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self.running:
                self.due[self.running.pop(pid)] = time.monotonic() + 1

    def run(self):
        for name in self.config["daemons"]:
            self.start(name)
            if name == "containerd":
                while not os.path.exists("/run/containerd/containerd.sock"):
                    time.sleep(0.02)
        while True:
            time.sleep(0.2)
            self.reap()
            for name in [name for name, due in self.due.items() if due <= time.monotonic()]:
                del self.due[name]
                self.start(name)


def main(path):
    with open(path) as file:
        config = json.load(file)
    socket.sethostname(config["name"])
    prepare_mounts(config["keep"])
    prepare_cgroups(config["cgroup"])
    Keeper(config).run()


if __name__ == "__main__":
    main(sys.argv[1])
