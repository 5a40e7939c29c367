"""The supervisor as the first process of a PID namespace, as a container runs it: orphans, the end, exit codes."""
import os
import signal
import subprocess
import threading
import time

import pytest

from herdtest import paths, processes
from herdtest.supervisor import Supervisor
from herdtest.waiting import wait_for


def zombies(daemon):
    found = []
    for pid in processes.descendants(daemon.pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    found.append(pid)
        except FileNotFoundError:
            pass
    return found


@pytest.fixture
def first(make):
    return make(namespace=True)


def long_poll(daemon):
    """A client that waits for a notice, as Juju always does; gives a function that tells whether it is connected."""
    def ask():
        try:
            daemon.get("/v1/notices?timeout=60s&keys=example.com/never", timeout=90)
        except OSError:
            pass
        except Exception:  # the server may end in the middle of an answer
            pass
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    time.sleep(0.2)
    return thread


def test_orphans_are_reaped(first):
    first.add(services={"a": {"command": "sh -c '(sleep 0.1 & sleep 0.2 & sleep 0.3 &) ; for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.$i &) ; done; "
                                         "echo done > marker; exec sleep 600'"}})
    first.act("start", "a")
    client = first.client()
    client.exec(["sh", "-c", "(sleep 0.3 & sleep 0.1 &); exit 0"]).wait()
    wait_for("the sleepers to be gone", lambda: len(processes.descendants(first.pid)) == 1, 10)
    assert zombies(first) == []


def test_the_boot_id_is_new_at_each_start(make):
    one, two = make(namespace=True), make(namespace=True)
    assert one.get("/v1/system-info").result["boot-id"] != two.get("/v1/system-info").result["boot-id"]


@pytest.mark.parametrize("namespace", [False, True])
def test_sigterm_stops_services_in_order_and_ends_with_0_while_a_client_waits(make, namespace):
    say = "sh -c 'trap \"echo stop-{0} >> order; sleep {1}; echo gone-{0} >> order; exit 0\" TERM; while :; do sleep 0.05; done'"
    daemon = make(namespace=namespace)
    daemon.add(services={"base": {"command": say.format("base", 0)},
                         "middle": {"command": say.format("middle", 0.3), "requires": ["base"], "after": ["base"]},
                         "top": {"command": say.format("top", 0.3), "requires": ["middle"], "after": ["middle"]}})
    daemon.act("start", "top")
    poll = long_poll(daemon)
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 5
    assert daemon.read("order").split() == ["stop-top", "gone-top", "stop-middle", "gone-middle", "stop-base", "gone-base"]
    poll.join(5)
    assert not poll.is_alive()


def test_a_stubborn_service_is_killed_after_its_kill_delay(make):
    daemon = make(namespace=True)
    daemon.add(services={"a": {"command": "sh -c 'trap \"\" TERM; while :; do sleep 0.05; done'", "kill-delay": "500ms"}})
    daemon.act("start", "a")
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert 0.4 < time.monotonic() - begin < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_each_signal_that_ends_it_gives_0(make, number):
    daemon = make()
    daemon.signal(number)
    assert daemon.wait(10) == 0
    assert not os.path.exists(daemon.socket)


@pytest.mark.parametrize("exit_code, policy, expected", [
    (0, {"on-success": "shutdown"}, 0),
    (1, {"on-failure": "success-shutdown"}, 0),
    (1, {"on-failure": "shutdown"}, 10),
    (0, {"on-success": "failure-shutdown"}, 10),
])
@pytest.mark.parametrize("namespace", [False, True])
def test_an_end_that_ends_all_gives_its_exit_code_while_a_client_waits(make, exit_code, policy, expected, namespace):
    daemon = make(namespace=namespace)
    daemon.add(services={"a": {"command": f"sh -c 'sleep 1.3; exit {exit_code}'", **policy}, "other": {"command": "sleep 600"}})
    long_poll(daemon)
    daemon.act("start", "a", "other", wait=0)
    assert daemon.wait(15) == expected


@pytest.mark.parametrize("policy, expected", [("shutdown", 11), ("success-shutdown", 0)])
@pytest.mark.parametrize("namespace", [False, True])
def test_a_failed_check_that_ends_all_gives_its_exit_code_while_a_client_waits(make, policy, expected, namespace):
    daemon = make(namespace=namespace)
    daemon.add(services={"a": {"command": "sleep 600", "on-check-failure": {"c": policy}}},
               checks={"c": {"startup": "disabled", "period": "100ms", "timeout": "90ms", "threshold": 2, "exec": {"command": "false"}}})
    daemon.act("start", "a")
    long_poll(daemon)
    daemon.client().start_checks(["c"])
    assert daemon.wait(15) == expected


def test_a_log_follower_and_an_exec_do_not_hold_the_end_up(make):
    daemon = make()
    process = daemon.client().exec(["sleep", "600"])
    with daemon.follow():
        begin = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begin < 4
    process._waited = True


def test_all_processes_of_a_namespace_are_gone_afterwards(make):
    daemon = make(namespace=True)
    daemon.add(services={"a": {"command": "sh -c 'setsid sleep 600 & exec sleep 600'"}})
    daemon.act("start", "a")
    family = processes.descendants(daemon.process.pid)
    assert daemon.stop() == 0
    processes.wait_gone(family, 5)


def test_systemd_is_told_about_readiness_and_the_end(make):
    import socket
    daemon = make(start=False)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = daemon.path("notify")
    listener.bind(path)
    listener.settimeout(10)
    daemon.environment |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
    daemon.start()
    got = b""
    while b"READY=1" not in got:
        got += listener.recv(4096)
    while b"WATCHDOG=1" not in got:
        got += listener.recv(4096)
    assert daemon.stop() == 0
    while b"STOPPING=1" not in got:
        got += listener.recv(4096)
    listener.close()


def test_a_wrong_option_ends_it_with_1(make):
    daemon = make("--no-such-option", start=False).start(wait=False)
    assert daemon.wait(10) == 1
    assert daemon.said("stderr").startswith("error: ")


def test_a_missing_directory_ends_it_with_1_unless_it_may_be_made():
    with Supervisor() as daemon:
        done = subprocess.run([paths.PGHERD, "supervisor", "run"], env=daemon.environment, capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and daemon.home in done.stderr


def test_a_directory_is_copied_once_when_asked(make):
    daemon = make(start=False)
    source = daemon.path("source")
    os.makedirs(os.path.join(source, "layers"))
    with open(os.path.join(source, "layers", "001-base.yaml"), "w") as file:
        file.write("services: {a: {override: replace, command: sleep 600}}")
    daemon.environment["PEBBLE_COPY_ONCE"] = source
    daemon.start()
    assert list(daemon.services()) == ["a"]


def test_state_can_be_kept_in_memory_only(make):
    daemon = make(environment={"PEBBLE_PERSIST": "never"})
    daemon.client().replace_identities({"bob": {"access": "read", "local": {"user-id": 4711}}})
    assert os.listdir(daemon.home) == [".pebble.socket"] or not os.path.exists(os.path.join(daemon.home, ".pebble.state"))
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.get("/v1/identities").result == {}


def test_the_state_file_is_for_its_owner_only(make):
    daemon = make()
    daemon.client().replace_identities({"bob": {"access": "read", "local": {"user-id": 4711}}})
    assert daemon.stop() == 0
    for name in os.listdir(daemon.home):
        if "state" in name:
            assert os.stat(os.path.join(daemon.home, name)).st_mode & 0o077 == 0
