"""Processes that outlive the command which started them, each known by a file that holds its pid and the time it began.

A pid that has been given to another process meanwhile is therefore never taken for ours."""
import json
import os
import signal
import subprocess
import time


def _stat(pid):
    with open(f"/proc/{pid}/stat") as stat:
        text = stat.read()
    fields = text[text.rindex(")") + 2:].split()
    return fields[0], fields[19]  # state, start time


def began(pid):
    """When the process began, or None when it is gone (or only waits to be reaped)."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        state, start = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else start


class Daemons:
    def __init__(self, state):
        self.folder, self.logs = os.path.join(state, "processes"), os.path.join(state, "logs")

    def start(self, name, command, environment=None):
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.logs, exist_ok=True)
        with open(self.log(name), "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                       start_new_session=True)
        process.returncode = 0  # it is not this object that waits for it
        with open(self._file(name), "w") as file:
            json.dump({"pid": process.pid, "began": _stat(process.pid)[1]}, file)
        return process.pid

    def log(self, name):
        return os.path.join(self.logs, f"{name}.log")

    def _file(self, name):
        return os.path.join(self.folder, f"{name}.json")

    def pid(self, name):
        """Its pid while it lives, else None."""
        try:
            with open(self._file(name)) as file:
                known = json.load(file)
        except (FileNotFoundError, ValueError):
            return None
        return known["pid"] if began(known["pid"]) == known["began"] else None

    def names(self):
        return [name[:-len(".json")] for name in sorted(os.listdir(self.folder))] if os.path.isdir(self.folder) else []

    def check(self):
        """Fails with the log of one that was started and lives no more."""
        for name in self.names():
            if not self.pid(name):
                with open(self.log(name), errors="replace") as log:
                    raise RuntimeError(f"{name} ended by itself: {log.read()[-2000:]}")

    def signal(self, name, number):
        pid = self.pid(name)
        if pid:
            os.kill(pid, number)

    def kill(self, *names):
        """Kills them at once, and waits until they are gone."""
        for name in names:
            self.signal(name, signal.SIGKILL)
        for name in names:
            until = time.monotonic() + 20
            while self.pid(name):
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} (pid {self.pid(name)}) does not end")
                time.sleep(0.01)
            if os.path.exists(self._file(name)):
                os.remove(self._file(name))
