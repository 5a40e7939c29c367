"""Processes by pid: who descends from whom, and ending them all."""
import os
import signal
import time

from .waiting import wait_for


def _stat(pid):
    with open(f"/proc/{pid}/stat") as stat:
        text = stat.read()
    fields = text[text.rindex(")") + 2:].split()
    return fields[0], int(fields[1])  # state, parent


def alive(pid):
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """All living descendants of pid, itself not included."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(_stat(int(entry))[1], []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def with_variable(name, value):
    """Those whose environment holds it, whoever their parent is by now."""
    wanted, found = f"{name}={value}".encode(), []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as environment:
                    if wanted in environment.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                pass
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as cmdline:
            return cmdline.read().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end(process, patience=30):
    """Ends a Popen and everything that descends from it: SIGTERM, then SIGKILL."""
    family = descendants(process.pid)
    for pid in family:
        send(pid, signal.SIGCONT)
    send(process.pid, signal.SIGTERM)
    until = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    kill_all([process.pid, *family, *descendants(process.pid)])
    process.wait()


def kill_all(pids):
    for pid in pids:
        send(pid, signal.SIGKILL)


def wait_gone(pids, deadline=30):
    wait_for(f"processes {pids} to end", lambda: not any(alive(pid) for pid in pids), deadline)
