"""One member of a cluster: its configuration file, its agent process (pgherd or Patroni) and the faults it can suffer."""
import base64
import json
import os
import pwd
import shutil
import subprocess
import urllib.error
import urllib.request

from . import paths, processes
from .net import sh
from .waiting import wait_for

PASSWORDS = {"postgres": "super-secret", "replicator": "repl-secret", "rewind": "rewind-secret", "rest": "rest-secret"}


def configuration(name, scope, host, directory, data_dir, port, rest_port, store, dcs, tags=None):
    """A configuration that both Patroni and pgherd understand."""
    return {
        "scope": scope, "name": name, "namespace": "/service/",
        "restapi": {"listen": f"{host.address}:{rest_port}", "connect_address": f"{host.address}:{rest_port}",
                    "authentication": {"username": "rest", "password": PASSWORDS["rest"]}},
        **store,
        "bootstrap": {"dcs": dcs, "initdb": [{"encoding": "UTF8"}, "data-checksums", {"locale": "C.UTF-8"}]},
        "postgresql": {
            "listen": f"{host.address},127.0.0.1:{port}" if host.address != "127.0.0.1" else f"127.0.0.1:{port}",
            "connect_address": f"{host.address}:{port}", "data_dir": data_dir,
            "bin_dir": paths.postgres_bin(), "pgpass": os.path.join(directory, "pgpass"),
            "authentication": {
                "superuser": {"username": "postgres", "password": PASSWORDS["postgres"]},
                "replication": {"username": "replicator", "password": PASSWORDS["replicator"]},
                "rewind": {"username": "rewind_user", "password": PASSWORDS["rewind"]}},
            "pg_hba": ["local all all trust", "host all all all scram-sha-256", "host replication replicator all scram-sha-256"],
            "parameters": {"unix_socket_directories": directory},
        },
        "tags": tags or {},
    }


class Member:
    """`agent`: the words that run the agent; the configuration file is appended."""

    def __init__(self, name, host, directory, port, rest_port, agent=None, user=None):
        self.name, self.host, self.directory, self.port, self.rest_port = name, host, directory, port, rest_port
        self.agent = agent or [paths.PGHERD, "agent"]
        self.user = user
        self.data_dir = os.path.join(directory, "disk", "data")
        self.config_file = os.path.join(directory, f"{name}.yml")
        self.log_file = os.path.join(directory, "agent.log")
        self.process = None
        self.mounted = self.hangs = False

    def write_configuration(self, config):
        for directory in (self.directory, self.disk):
            os.makedirs(directory, exist_ok=True)
            shutil.chown(directory, "postgres", "postgres")
            os.chmod(directory, 0o755)
        with open(self.config_file, "w") as file:
            json.dump(config, file, indent=1)
        shutil.chown(self.config_file, "postgres", "postgres")
        os.chmod(self.config_file, 0o600)

    # --- a disk of its own, that can be full or hang -------------------------------------------------------------------
    @property
    def disk(self):
        return os.path.join(self.directory, "disk")

    def mount_disk(self, size):
        """Before the first start: the data directory lies on a file system of this size."""
        sh("mount", "-t", "tmpfs", "-o", f"size={size},uid={pwd.getpwnam('postgres').pw_uid},mode=0755", "none", self.disk)
        self.mounted = True

    def fill_disk(self):
        with open(os.path.join(self.disk, "filler"), "wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 65536):
                    pass
            except OSError:
                pass

    def free_disk(self):
        os.unlink(os.path.join(self.disk, "filler"))

    def mount_image(self, size):
        """The same on a file system in a file, which can hang."""
        image = os.path.join(self.directory, "disk.img")
        sh("truncate", "-s", size, image)
        sh("mkfs.ext4", "-q", image)
        sh("mount", "-o", "loop", image, self.disk)
        self.mounted = True
        os.rmdir(os.path.join(self.disk, "lost+found"))
        shutil.chown(self.disk, "postgres", "postgres")

    def hang_disk(self):
        """Whoever writes there waits, and cannot even be killed."""
        sh("fsfreeze", "--freeze", self.disk)
        self.hangs = True

    def wake_disk(self):
        sh("fsfreeze", "--unfreeze", self.disk)
        self.hangs = False

    def start(self):
        words = [*self.agent, self.config_file]
        if self.user:
            words = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *words]
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(self.host.command(words), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        cwd=self.directory)
        log.close()

    # --- who is who ---------------------------------------------------------------------------------------------------
    def family(self):
        return processes.descendants(self.process.pid) if self.process else []

    @property
    def guard(self):
        return self.process.pid

    @property
    def brain(self):
        for pid in self.family():
            if "brain" in processes.command_line(pid)[1:2]:
                return pid
        raise ValueError(f"{self.name} has no brain")

    @property
    def postmaster(self):
        with open(os.path.join(self.data_dir, "postmaster.pid")) as file:
            return int(file.readline())

    # --- faults -------------------------------------------------------------------------------------------------------
    def kill_all(self):
        """Everything of this member at once, as if the machine's processes were gone."""
        family = self.family()
        try:
            family.append(self.postmaster)
            family += processes.descendants(self.postmaster)
        except (OSError, ValueError):
            pass
        processes.kill_all([self.process.pid, *family])
        self.process.wait()
        processes.wait_gone(family)

    def stop(self):
        if not self.process:
            return
        family = self.family()
        try:
            family += [self.postmaster, *processes.descendants(self.postmaster)]
        except (OSError, ValueError):
            pass
        processes.end(self.process)
        processes.kill_all(family)
        self.process = None

    def close(self):
        if self.hangs:
            self.wake_disk()
        self.stop()
        if self.mounted:
            subprocess.run(["umount", "-l", self.disk], capture_output=True)

    # --- REST ---------------------------------------------------------------------------------------------------------
    def request(self, method, path, body=None, timeout=30):
        """Gives (status, text)."""
        def ask():
            request = urllib.request.Request(f"http://{self.host.address}:{self.rest_port}{path}", method=method)
            token = base64.b64encode(f"rest:{PASSWORDS['rest']}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
            data = None
            if body is not None:
                request.add_header("Content-Type", "application/json")
                data = json.dumps(body).encode()
            try:
                with urllib.request.urlopen(request, data, timeout) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        return self.host.call(ask)

    def status(self):
        """The body of GET /patroni."""
        return json.loads(self.request("GET", "/patroni", timeout=3)[1])

    def log(self, lines=60):
        with open(self.log_file, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    # --- SQL ----------------------------------------------------------------------------------------------------------
    def sql(self, text, database="postgres", timeout=10):
        """Runs psql over the unix socket and gives its output."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", str(self.port), "-U", "postgres",
                               "-d", database, "-c", text], capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise ValueError(f"{self.name}: {done.stderr.strip()}")
        return done.stdout.strip()

    def wait_for_rest(self, deadline=30):
        wait_for(f"{self.name} to answer on REST", lambda: self.status(), deadline)
