"""Where pgherd's supervisor is meant to be better than what it replaces: one case for each weakness."""
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time

import pytest
import yaml

from herdtest import paths, processes
from herdtest.waiting import wait_for

FAST = {"period": "100ms", "timeout": "90ms"}


def plan(daemon):
    return daemon.get("/v1/plan?format=yaml").result


def add_text(daemon, text, label="test", **more):
    return daemon.post("/v1/layers", {"action": "add", "combine": True, "label": label, "format": "yaml", "layer": text, **more})


def test_a_check_that_stays_down_restarts_its_service_again(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo x >> starts; exec sleep 600'", "on-check-failure": {"c": "restart"}, "backoff-delay": "50ms"}},
               checks={"c": {**FAST, "threshold": 2, "startup": "disabled", "exec": {"command": "false"}}})
    daemon.act("start", "a")
    daemon.client().start_checks(["c"])
    wait_for("a third start", lambda: len(daemon.read("starts").split()) >= 3, 20)


def test_a_check_that_fails_in_the_start_window_is_not_lost(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo x >> starts; exec sleep 600'", "on-check-failure": {"c": "restart"}, "backoff-delay": "50ms"}},
               checks={"c": {**FAST, "threshold": 1, "exec": {"command": f"sh -c '[ $(wc -l < {daemon.scratch}/starts) != 1 ]'"}}})
    daemon.wait_check("c", "down", lambda check: check["status"] == "down")
    daemon.act("start", "a")
    wait_for("a second start", lambda: len(daemon.read("starts").split()) >= 2, 15)


def test_after_is_honoured_without_requires(daemon):
    note = "sh -c 'date +%s.%N > {0}; exec sleep 600'"
    daemon.add(services={"a": {"command": note.format("a")}, "b": {"command": note.format("b"), "after": ["a"]},
                         "c": {"command": note.format("c"), "before": ["a"]}})
    assert daemon.act("start", "b", "a", "c")["status"] == "Done"
    times = {name: float(daemon.read(name)) for name in "abc"}
    assert times["c"] + 0.9 < times["a"] and times["a"] + 0.9 < times["b"]


def test_a_program_that_is_missing_for_a_moment_is_tried_again_in_back_off(daemon):
    program = os.path.join(daemon.scratch, "program")
    os.symlink("/bin/sleep", program)
    daemon.add(services={"a": {"command": f"{program} 600", "backoff-delay": "100ms"}})
    daemon.act("start", "a")
    os.unlink(program)
    processes.send(processes.descendants(daemon.pid)[0], signal.SIGKILL)
    daemon.wait_current("a", "backoff")
    time.sleep(0.5)
    os.symlink("/bin/sleep", program)
    daemon.wait_current("a", "active", 15)


def test_replan_brings_running_dependants_of_a_changed_service_back(daemon):
    daemon.add(services={"a": {"command": "sleep 600", "startup": "enabled"}, "b": {"command": "sleep 600", "requires": ["a"], "after": ["a"]}})
    daemon.act("start", "b")
    daemon.add(label="new", services={"a": {"override": "merge", "environment": {"X": "1"}}})
    assert daemon.act("replan")["status"] == "Done"
    assert {name: each["current"] for name, each in daemon.services().items()} == {"a": "active", "b": "active"}


@pytest.mark.parametrize("name", ["pgbackrest server", "a, b", "x] y"])
def test_a_name_with_blanks_keeps_its_logs(daemon, name):
    daemon.add(services={name: {"command": "sh -c 'echo hello; exec sleep 600'"}})
    daemon.act("start", name)
    assert [(entry["service"], entry["message"]) for entry in daemon.logs()] == [(name, "hello")]


def test_lines_of_control_bytes_can_be_read_on_the_command_line(daemon):
    daemon.add(services={"a": {"command": "sh -c 'head -c 12000 /dev/zero; echo; echo after; exec sleep 600'"}})
    daemon.act("start", "a")
    assert daemon.run("logs", "-n", "all", check=0).stdout.endswith("[a] after\n")


def test_output_and_names_of_any_bytes_do_not_spoil_the_answers(daemon):
    daemon.add(services={"a": {"command": "printf 'hello \\377 w\\366rld\\n'", "on-success": "ignore"}})
    assert daemon.act("start", "a")["status"] == "Error"
    assert "hello \ufffd w\ufffdrld" in daemon.run("tasks", "--last", "start", check=0).stdout
    with open(os.path.join(os.fsencode(daemon.scratch), b"l\xe4rm"), "w"):
        pass
    assert daemon.run("ls", daemon.scratch, check=0).stdout == "l\ufffdrm\n"
    changes = daemon.get("/v1/changes?select=all").result
    daemon.kill()
    daemon.start()
    assert daemon.get("/v1/changes?select=all").result[:len(changes)] == changes


def test_a_state_that_cannot_be_written_or_read_keeps_no_service_from_starting(make):
    daemon = make(layers={"001-base.yaml": {"services": {"a": {"override": "replace", "command": "sleep 600", "startup": "enabled"}}}})
    assert daemon.stop() == 0
    state = os.path.join(daemon.home, ".pgherd.state")
    os.unlink(state)
    os.mkdir(state)
    os.mkdir(state + ".new")
    daemon.start()
    daemon.wait_current("a", "active")
    assert "cannot read state file" in daemon.said("stderr") and "cannot create state file" in daemon.said("stderr")


def test_a_reader_of_the_output_that_has_stopped_does_not_hold_up_the_end(make):
    daemon = make(start=False)
    daemon.write_layer("001-base.yaml", {"services": {"a": {"override": "replace", "command": "sh -c 'yes; sleep 600'", "startup": "enabled"}}})
    reads, writes = os.pipe()
    with subprocess.Popen([paths.PGHERD, "supervisor", "run", "--verbose"], stdout=writes, stderr=subprocess.DEVNULL,
                          env=daemon.environment) as process:
        os.close(writes)
        try:
            wait_for("a full pipe", lambda: int.from_bytes(fcntl.ioctl(reads, termios.FIONREAD, bytes(4)), sys.byteorder) > 60_000, 10)
            process.terminate()
            assert process.wait(8) == 0
        finally:
            process.kill()
            os.close(reads)


def test_combining_a_layer_does_not_bake_a_default_threshold_in(daemon):
    daemon.add("one", checks={"c": {"threshold": 5, "exec": {"command": "true"}}})
    for _ in range(2):
        daemon.add("two", checks={"c": {"override": "merge", "period": "1h", "exec": {"command": "true"}}})
    assert daemon.checks()["c"]["threshold"] == 5


def test_a_plan_of_checks_comes_back_as_it_was_written(daemon, client):
    from ops import pebble
    layer = pebble.Layer({"checks": {"c": {"override": "replace", "level": "ready", "http": {"url": "http://localhost:1/"}}}})
    client.add_layer("x", layer, combine=True)
    assert "threshold" not in plan(daemon)
    assert client.get_plan().checks["c"].to_dict()["http"] == layer.checks["c"].to_dict()["http"]


def test_an_exec_time_out_ends_the_grandchildren_too(daemon, client):
    from ops import pebble
    with pytest.raises(pebble.ChangeError):
        client.exec(["sh", "-c", f"sleep 600 & echo $! > {daemon.scratch}/pid; wait"], timeout=0.5).wait_output()
    processes.wait_gone([int(daemon.read("pid"))], 5)


def test_an_aborted_check_is_no_longer_shown_as_running(daemon, client):
    daemon.add(checks={"c": {**FAST, "exec": {"command": "true"}}})
    change = daemon.wait_check("c", "a success", lambda check: check.get("successes", 0) > 0)["change-id"]
    client.abort_change(change)

    def settled():
        check = daemon.checks()["c"]
        return check["status"] == "inactive" or check.get("change-id", change) != change
    wait_for("the check to be inactive, or to run under a new change", settled, 5)


def test_layers_of_clients_survive_a_crash_but_not_an_orderly_end(make):
    daemon = make(layers={"001-base.yaml": {"services": {"file": {"override": "replace", "command": "sleep 600", "startup": "enabled"}}}})
    daemon.add(label="mine", services={"a": {"command": "sleep 600", "startup": "enabled"}})
    daemon.add(label="mine", services={"a": {"override": "merge", "environment": {"X": "1"}}})
    daemon.add(label="more", services={"b": {"command": "sleep 600"}})
    before = plan(daemon)
    processes.kill_all(daemon.kill())
    daemon.start()
    assert plan(daemon) == before
    daemon.wait_current("a", "active")  # it starts what is enabled, of all layers
    processes.kill_all(daemon.kill())  # a second time, now from what the first one has kept
    daemon.start()
    assert plan(daemon) == before
    assert daemon.stop() == 0
    daemon.start()
    assert sorted(daemon.services()) == ["file"]


def test_layers_of_clients_end_with_their_container(make):
    daemon = make(namespace=True)
    daemon.add(label="mine", services={"a": {"command": "sleep 600"}})
    daemon.kill()
    daemon.start()
    assert plan(daemon) == "{}\n"


def test_a_layer_that_disables_a_check_stops_it(daemon):
    daemon.add(checks={"c": {**FAST, "exec": {"command": "true"}}})
    daemon.add(checks={"c": {**FAST, "startup": "disabled", "exec": {"command": "true"}}})
    check = daemon.wait_check("c", "inactive", lambda check: check["status"] == "inactive")
    assert check["startup"] == "disabled"


def test_a_new_address_of_a_log_target_takes_effect(daemon):
    from test_logs import Receiver
    first, second = Receiver(), Receiver()
    try:
        daemon.add(services={"a": {"command": "sh -c 'echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exec sleep 600'"}},
                   log_targets={"t": {"type": "loki", "location": first.url, "services": ["all"]}})
        daemon.act("start", "a")
        wait_for("the first line", lambda: first.loki_lines() == ["one"], 10)
        daemon.add(label="new", log_targets={"t": {"override": "merge", "location": second.url}})
        open(os.path.join(daemon.scratch, "go"), "w").close()
        wait_for("the second line", lambda: second.loki_lines() == ["two"], 10)
        assert first.loki_lines() == ["one"]
    finally:
        first.close()
        second.close()


def test_an_exec_writes_little(daemon, client):
    daemon.add(services={f"s{number}": {"command": "sleep 600"} for number in range(20)})
    client.exec(["true"]).wait()

    def written():
        with open(f"/proc/{daemon.pid}/io") as io:
            return int(re.search(r"write_bytes: (\d+)", io.read())[1])
    before = written()
    for _ in range(50):
        client.exec(["true"]).wait()
    assert (written() - before) / 50 < 40_000


def test_a_layer_that_fails_leaves_the_layers_as_they_were(make):
    layer = {"services": {"a": {"override": "replace", "command": "inside"}}}
    daemon = make(layers={"001-sub.d/001-base.yaml": layer})
    before = plan(daemon)
    for label in ("sub/new", "new"):
        assert add_text(daemon, json.dumps({"services": {"a": {"override": "merge", "requires": ["zz"]}}}), label, inner=True).status == 400
    assert plan(daemon) == before
    assert add_text(daemon, "{}", "other").status == 200 and plan(daemon) == before


def test_a_follower_sees_services_that_start_later(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo a; exec sleep 600'"}, "b": {"command": "sh -c 'echo b; exec sleep 600'"}})
    daemon.act("start", "a")
    with daemon.follow("n=-1") as entries:
        assert next(entries)["message"] == "a"
        daemon.act("start", "b", wait=0)
        assert next(entries)["message"] == "b"
        daemon.add(label="new", services={"c": {"command": "sh -c 'echo c; exec sleep 600'"}})
        daemon.act("start", "c", wait=0)
        assert next(entries)["message"] == "c"


def test_metrics_have_one_head_for_each_family(daemon):
    daemon.add(services={name: {"command": "sleep 600"} for name in ("a", "b", 'we"ird\\\nname')},
               checks={name: {"exec": {"command": "true"}} for name in ("x", "y")})
    daemon.act("start", "a", "b")
    text = daemon.get("/v1/metrics").text
    assert text.endswith("\n")
    families, current = [], None
    for line in text.splitlines():
        if found := re.match(r"# (HELP|TYPE) (\w+) ", line):
            if found[1] == "HELP":
                current = found[2]
                families.append(current)
            assert found[2] == current
        else:
            assert re.fullmatch(r'(\w+)(\{(\w+="([^"\\\n]|\\[\\"n])*",?)*\})? -?[0-9.e+]+', line), line
            assert line.startswith(current)
    assert len(families) == len(set(families)) >= 4


def test_changes_are_listed_in_order(daemon):
    daemon.add(services={f"s{number}": {"command": "sleep 600"} for number in range(12)})
    for number in range(12):
        daemon.act("stop", f"s{number}")
    numbers = [int(change["id"]) for change in daemon.get("/v1/changes?select=all").result]
    assert numbers == sorted(numbers) and len(numbers) == 12


def test_an_exec_does_not_hand_the_supervisors_secrets_to_the_client(make):
    daemon = make(environment={"DATABASE_PASSWORD": "very-secret"})
    answer = daemon.post("/v1/exec", {"command": ["true"], "environment": {"MINE": "1"}})
    assert "very-secret" not in answer.text and answer.result["environment"]["MINE"] == "1"


@pytest.mark.parametrize("layer, message", [
    ("services: {x: {override: replace, command: a, startup: banana}}", "startup"),
    ("services: {x: {override: replace, command: 'a [ b'}}", "command invalid"),
    ('log-targets: {"": {override: replace, type: loki, location: "http://x"}}', "log target"),
])
def test_what_was_silently_accepted_is_refused(daemon, layer, message):
    answer = add_text(daemon, layer)
    assert answer.status == 400 and message in answer.message
    assert plan(daemon) == "{}\n"


def test_the_order_of_a_plan_survives_the_round_trip(daemon):
    daemon.add(services={f"s{number}": {"command": "true"} for number in (10, 9, 1)})
    text = plan(daemon)
    assert list(yaml.safe_load(text)["services"]) == ["s1", "s9", "s10"]
    assert add_text(daemon, text, "again").status == 200
    assert plan(daemon) == text


def test_enter_with_run_and_no_default_services_does_not_hang(make):
    import subprocess

    from herdtest import paths
    daemon = make(start=False)
    done = subprocess.run([paths.PGHERD, "supervisor", "enter", "--create-dirs", "--run", "exec", "echo", "inside"], env=daemon.environment,
                          capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, "inside\n")


def test_enter_runs_a_command_beside_nothing_and_ends_with_its_code(make):
    import subprocess

    from herdtest import paths
    daemon = make(start=False)
    done = subprocess.run([paths.PGHERD, "supervisor", "enter", "--create-dirs", "exec", "sh", "-c", "echo inside; exit 7"], env=daemon.environment,
                          capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (7, "inside\n")


def test_a_thousand_changes_take_little_memory(daemon):
    daemon.add(services={"a": {"command": "true"}})
    for _ in range(1200):
        daemon.act("stop", "a", wait=0)
    changes = wait_for("the changes", lambda: daemon.get("/v1/changes?select=all").result, 5)
    assert len(changes) >= 1000
    with open(f"/proc/{daemon.pid}/status") as status:
        assert next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) < 40_000
