"""`pgherd up`, `ctl` and `down` as a new user would: one machine, no store to install."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from herdtest import paths, processes
from herdtest.cluster import free_ports
from herdtest.waiting import wait_for


@pytest.fixture(scope="module")
def directory():
    path = tempfile.mkdtemp(prefix="pgherd-up-")
    os.chmod(path, 0o755)
    yield os.path.join(path, "herd")
    subprocess.run([paths.PGHERD, "down", "--dir", os.path.join(path, "herd"), "--purge"], capture_output=True)
    shutil.rmtree(path, ignore_errors=True)


def run(*words, check=True):
    done = subprocess.run([paths.PGHERD, *words], capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    if check:
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def members(directory):
    return json.loads(run("ctl", "--dir", directory, "list", "--format", "json").stdout)


def healthy(directory):
    rows = members(directory)
    leaders = [row for row in rows if row["Role"] == "Leader" and row["State"] == "running"]
    streaming = [row for row in rows if row["Role"] != "Leader" and row["State"] == "streaming"]
    return leaders[0] if len(leaders) == 1 and len(streaming) == len(rows) - 1 else None


def postmaster(directory, name):
    with open(os.path.join(directory, name, "data", "postmaster.pid")) as file:
        return int(file.readline())


@pytest.fixture(scope="module")
def herd(directory):
    run("up", "--detach", "--dir", directory)
    return directory


def test_up_gives_one_leader_and_two_streaming_replicas(herd):
    wait_for("three healthy members", lambda: healthy(herd), 30)
    assert len(members(herd)) == 3


def test_killed_postmaster_comes_back(herd):
    leader = wait_for("a leader", lambda: healthy(herd), 30)["Member"]
    processes.send(postmaster(herd, leader), signal.SIGKILL)
    wait_for("three healthy members", lambda: healthy(herd), 60)


def test_killed_member_is_replaced_and_rejoins(herd):
    leader = wait_for("a leader", lambda: healthy(herd), 30)["Member"]
    config = os.path.join(herd, leader, "agent.yml")
    family = [pid for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
              if config in processes.command_line(pid)]
    family += [postmaster(herd, leader)]
    processes.kill_all(family)
    wait_for("another leader", lambda: (healthy(herd) or {}).get("Member") not in (None, leader), 60)


def test_a_second_up_on_the_same_directory_is_refused(herd):
    done = run("up", "--detach", "--dir", herd, check=False)
    assert done.returncode == 1
    assert "already" in done.stderr


def test_down_leaves_nothing_running_and_up_finds_the_data(herd):
    wait_for("three healthy members", lambda: healthy(herd), 60)
    run("down", "--dir", herd)
    assert not [pid for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
                if any(herd in word for word in processes.command_line(pid))]
    run("up", "--detach", "--dir", herd)
    wait_for("three healthy members", lambda: healthy(herd), 60)
    run("down", "--dir", herd, "--purge")
    assert not os.path.exists(herd)


def test_a_port_in_use_is_an_error_and_nothing_is_touched(directory):
    import socket
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = run("up", "--detach", "--dir", directory + "-busy", "--port", f"{port}", check=False)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert not os.path.exists(directory + "-busy")


def test_a_foreign_directory_is_refused(directory):
    foreign = directory + "-foreign"
    os.makedirs(foreign)
    with open(os.path.join(foreign, "precious.txt"), "w") as file:
        file.write("do not touch")
    done = run("up", "--detach", "--dir", foreign, "--port", str(free_ports(1)[0]), check=False)
    assert done.returncode == 1
    assert os.listdir(foreign) == ["precious.txt"]
