"""`pgherd up`, `ctl` and `down` as a new user would: one machine, no store to install."""
import contextlib
import http.server
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading

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


@pytest.mark.parametrize("words, code, named", [
    ("nonsense", 2, '"nonsense"; `pgherd help`'), ("up --nonsense", 2, '"--nonsense"; see `pgherd up --help`'),
    ("ctl", 2, "no verb is given; see `pgherd ctl --help`"), ("ctl nonsense", 2, '"nonsense"; see `pgherd ctl --help`'),
    ("ctl list --nonsense", 2, '"--nonsense"; see `pgherd ctl list --help`'), ("ctl list a b", 2, '"b" is one word too many'),
    ("ctl list --dir /nonexistent", 3, "/nonexistent/cluster.json: No such file or directory"),
    ("agent a.yml b.yml", 2, "b.yml; see `pgherd agent --help`"), ("agent", 1, "no configuration file was given")])
def test_mistakes_are_named_and_say_where_to_look(words, code, named):
    done = run(*words.split(), check=False)
    assert (done.returncode, done.stdout) == (code, "") and named in done.stderr, done.stderr


def test_help_about_a_command_is_what_the_command_says():
    for command in ["up", "down", "ctl", "agent", "writes", "container"]:
        assert run("help", command).stdout == run(command, "--help").stdout
    assert "--log-dir" in run("supervisor", "help", "run").stdout
    assert run("help", "nonsense", check=False).returncode == 2


def test_a_list_that_nobody_reads_any_more_ends(herd):
    reads, writes = os.pipe()
    with subprocess.Popen([paths.PGHERD, "ctl", "--dir", herd, "list", "--watch", "0.2"], stdout=writes) as process:
        os.close(writes)
        assert b"Cluster" in os.read(reads, 4096)
        os.close(reads)
        try:
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_output_that_cannot_be_written_is_an_error(herd):
    with open("/dev/full", "w") as full:
        done = subprocess.run([paths.PGHERD, "ctl", "--dir", herd, "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "Error: cannot write to standard output: No space left on device\n")


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


class Somebody(http.server.BaseHTTPRequestHandler):
    """A member of another name, at the address that the store has of ours."""

    def do_GET(self):
        body = json.dumps({"state": "running", "role": "replica", "xlog": {"received_location": 1}, "patroni": {"scope": "local", "name": "other"}})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def test_a_member_starts_although_somebody_else_has_its_old_address_by_now(directory):
    moved = directory + "-moved"
    try:
        run("up", "--detach", "--members", "1", "--dir", moved)
        run("down", "--dir", moved)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Somebody) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/patroni"
            with contextlib.closing(sqlite3.connect(os.path.join(moved, "store.db"))) as store, store:
                store.execute("INSERT INTO record VALUES ('members/member-1', ?, 1, 1, 0)", [json.dumps({"api_url": url}).encode()])
            run("up", "--detach", "--dir", moved)
            server.shutdown()
    finally:
        run("down", "--dir", moved, "--purge", check=False)
