"""One supervisor (`pgherd supervisor run`) in a directory of its own: started, asked, killed and cleaned up."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

from . import ops, paths, processes, unix_http
from .waiting import wait_for

IN_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]


class Supervisor:
    """`layers`: file name -> content (a text, or a document). `namespace`: it is PID 1 of a PID namespace of its own."""

    def __init__(self, *words, layers=None, environment=None, namespace=False, program=None):
        self.directory = tempfile.mkdtemp(prefix="pgherd-supervisor-")
        os.chmod(self.directory, 0o755)
        self.home = os.path.join(self.directory, "pebble")
        self.socket = os.path.join(self.home, ".pebble.socket")
        self.scratch = os.path.join(self.directory, "scratch")
        os.mkdir(self.scratch)
        self.words = list(words)
        self.environment = {**os.environ, "PEBBLE": self.home, **(environment or {})}
        if "PEBBLE_SOCKET" not in (environment or {}):
            self.environment.pop("PEBBLE_SOCKET", None)
        self.namespace, self.process = namespace, None
        self.program = program or [paths.PGHERD, "supervisor", "run"]
        for name, content in (layers or {}).items():
            self.write_layer(name, content)

    def write_layer(self, name, content):
        path = os.path.join(self.home, "layers", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    # --- life ---------------------------------------------------------------------------------------------------------
    def start(self, wait=True):
        words = [*(IN_NAMESPACE if self.namespace else []), *self.program, "--create-dirs", *self.words]
        with open(self.path("stdout"), "ab") as out, open(self.path("stderr"), "ab") as err:
            self.process = subprocess.Popen(words, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=self.environment,
                                            cwd=self.scratch)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, deadline=20):
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the supervisor ended with {self.process.returncode}: {self.said('stderr')[-2000:]}")
            return unix_http.request(self.socket, "GET", "/v1/system-info", timeout=2).status == 200
        try:
            wait_for("the supervisor's API", answers, deadline, 0.01)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said('stderr')[-2000:]}") from None

    @property
    def pid(self):
        """The supervisor's own process, also behind unshare."""
        if not self.namespace:
            return self.process.pid
        children = wait_for("the process in the namespace", lambda: _children(self.process.pid), 10)
        return children[0]

    def signal(self, number):
        processes.send(self.pid, number)

    def wait(self, deadline=30):
        """Its exit code."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the supervisor has not ended within {deadline} s\n{self.said('stderr')[-2000:]}") from None

    def stop(self, deadline=30):
        self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def kill(self):
        """SIGKILL of the supervisor alone; gives the processes that it leaves behind."""
        family = processes.descendants(self.process.pid)
        processes.send(self.pid, signal.SIGKILL)
        self.process.wait()
        return family

    def close(self):
        if self.process and self.process.poll() is None:
            # Services lead groups of their own: they are found before their parent is gone. Behind unshare, the signal is for its child.
            family = processes.descendants(self.process.pid)
            for pid in [self.process.pid, *family]:
                processes.send(pid, signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(8)
            processes.kill_all([*family, self.process.pid] if self.process.poll() is None else family)
            self.process.wait()
        # A killed supervisor may have started a service a moment before.
        processes.kill_all(processes.with_variable("PEBBLE", self.home))
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- asking -------------------------------------------------------------------------------------------------------
    def client(self, timeout=10):
        ops.use()
        from ops import pebble
        return pebble.Client(self.socket, timeout=timeout)

    def request(self, method, path, body=None, **options):
        return unix_http.request(self.socket, method, path, body, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body, **options):
        return self.request("POST", path, body, **options)

    def add(self, label="test", combine=True, **sections):
        """Adds a layer: services={…}, checks={…}; every entry gets `override: replace` unless it says otherwise."""
        layer = {}
        for section, entries in sections.items():
            layer[section.replace("_", "-")] = {name: {"override": "replace", **fields} for name, fields in entries.items()}
        answer = self.post("/v1/layers", {"action": "add", "combine": combine, "label": label, "format": "yaml",
                                          "layer": json.dumps(layer)})
        assert answer.status == 200, answer
        return answer

    def act(self, action, *services, wait=20):
        """POST /v1/services and the change it ends with; `wait` 0 gives the id at once."""
        answer = self.post("/v1/services", {"action": action, "services": list(services)})
        assert answer.status == 202, answer
        return self.wait_change(answer.json["change"], wait) if wait else answer.json["change"]

    def wait_change(self, change, wait=20):
        answer = self.get(f"/v1/changes/{change}/wait?timeout={wait}s", timeout=wait + 5)
        assert answer.status == 200, answer
        return answer.result

    def services(self):
        return {each["name"]: each for each in self.get("/v1/services").result}

    def current(self, name):
        return self.services()[name]["current"]

    def wait_current(self, name, status, deadline=10):
        wait_for(f"{name} to be {status}", lambda: self.current(name) == status, deadline, 0.02)

    def checks(self):
        return {each["name"]: each for each in self.get("/v1/checks").result}

    def wait_check(self, name, what, condition, deadline=10):
        return wait_for(f"check {name}: {what}", lambda: condition(self.checks()[name]) and self.checks()[name], deadline, 0.02)

    def logs(self, query="n=-1"):
        return [json.loads(line) for line in self.get(f"/v1/logs?{query}").text.splitlines()]

    @contextlib.contextmanager
    def follow(self, query="n=0", timeout=10):
        """An open GET /v1/logs?follow=true: a generator of entries (the head comes with the first of them)."""
        connection = unix_http.Connection(self.socket, timeout)
        connection.request("GET", f"/v1/logs?follow=true&{query}")

        def entries():
            answer = connection.getresponse()
            while line := answer.readline():
                yield json.loads(line)
        try:
            yield entries()
        finally:
            connection.close()

    def run(self, *words, stdin=None, check=None, timeout=30, environment=None, text=True):
        """A command of the command line against this supervisor."""
        done = subprocess.run([paths.PGHERD, "supervisor", *words], capture_output=True, text=text, timeout=timeout,
                              input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              env={**self.environment, "TZ": "UTC", "XDG_CONFIG_HOME": self.path("config"), **(environment or {})})
        if check is not None:
            assert done.returncode == check, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    # --- files --------------------------------------------------------------------------------------------------------
    def path(self, name):
        return os.path.join(self.directory, name)

    def said(self, stream):
        with contextlib.suppress(FileNotFoundError), open(self.path(stream), errors="replace") as file:
            return file.read()
        return ""

    def read(self, name):
        """A file that a service writes in its working directory; empty when it is not there."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.scratch, name)) as file:
            return file.read()
        return ""


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
