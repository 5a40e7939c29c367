"""The command line: services, the plan, checks, logs, help, mistakes and completion."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
import yaml

from herdtest import paths
from herdtest.tables import rows
from herdtest.waiting import wait_for

SLEEP = {"command": "sleep 600"}


# --- services -----------------------------------------------------------------------------------------------------------

def test_services_are_a_table_with_times_of_today(two):
    two.run("start", "a", check=0)
    table = two.run("services", check=0).stdout
    assert rows(table)[0] == ["Service", "Startup", "Current", "Since"]
    assert re.fullmatch(r"a        enabled   active    (to|yester)day at \d\d:\d\d UTC", table.splitlines()[1])
    assert table.splitlines()[2] == "b c      disabled  inactive  -"
    assert re.search(r"active +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", two.run("services", "--abs-time", check=0).stdout)


def test_services_are_json_and_yaml_on_request(two):
    assert [each["name"] for each in json.loads(two.run("services", "--format", "json", check=0).stdout)] == ["a", "b c"]
    assert yaml.safe_load(two.run("services", "a", "--format=yaml", check=0).stdout)[0]["startup"] == "enabled"


def test_no_services_is_said_on_standard_error_and_no_failure(daemon):
    for words, text in ([], "Plan has no services.\n"), (["x"], "No matching services.\n"):
        done = daemon.run("services", *words, check=0)
        assert (done.stdout, done.stderr) == ("", text)


def test_start_stop_restart_and_replan_wait_and_say_nothing(two):
    for words, expected in (["start", "a", "b c"], "active"), (["restart", "a"], "active"), (["stop", "a", "b c"], "inactive"), (["replan"], "active"), \
            (["autostart"], "active"):
        done = two.run(*words, check=0)
        assert (done.stdout, done.stderr, two.current("a")) == ("", "", expected)


def test_no_wait_prints_the_change_which_tasks_can_show(two):
    change = two.run("start", "--no-wait", "a", check=0).stdout.strip()
    assert change.isdigit()
    two.wait_change(change)
    table = rows(two.run("tasks", change, check=0).stdout)
    assert table[0] == ["Status", "Spawn", "Ready", "Summary"] and table[1][0] == "Done" and table[1][3] == 'Start service "a"'


def test_a_failed_start_ends_with_1_and_the_reason(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo last words; exit 3'"}})
    done = daemon.run("start", "a", check=1)
    assert done.stderr.startswith("error: cannot perform the following tasks:\n- Start service \"a\" (")
    assert daemon.run("start", "nope", check=1).stderr == 'error: cannot start services: service "nope" does not exist\n'
    shown = daemon.run("tasks", "--last=start", check=0).stdout
    assert "." * 70 in shown and "last words" in shown


def test_ctrl_c_aborts_the_change(daemon):
    daemon.add(services={"a": SLEEP, "b": {**SLEEP, "requires": ["a"], "after": ["a"]}})
    process = subprocess.Popen([paths.PGHERD, "supervisor", "start", "b"], env=daemon.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for("the change", lambda: daemon.get("/v1/changes?select=all").result, 5)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 1 and "error: " in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_a_signal_is_sent_by_its_short_or_long_name(daemon):
    daemon.add(services={"a": {"command": "sh -c 'trap \"echo hup >> got\" HUP; while :; do sleep 0.05; done'"}})
    daemon.run("start", "a", check=0)
    daemon.run("signal", "HUP", "a", check=0)
    daemon.run("signal", "SIGHUP", "a", check=0)
    wait_for("the traps", lambda: daemon.read("got").count("hup") >= 1, 5)
    assert "uppercase" in daemon.run("signal", "hup", "a", check=1).stderr
    assert daemon.run("signal", "FOO", "a", check=1).stderr == 'error: cannot send signal to "a": invalid signal name "SIGFOO"\n'


# --- plan ---------------------------------------------------------------------------------------------------------------

def test_plan_and_add_speak_yaml(daemon):
    assert daemon.run("plan", check=0).stdout == "{}\n"
    path = daemon.path("layer.yaml")
    with open(path, "w") as file:
        file.write("services:\n    a:\n        override: replace\n        command: sleep 1\n")
    assert daemon.run("add", "x", path, check=0).stdout == f'Layer "x" added successfully from "{path}"\n'
    assert daemon.run("plan", check=0).stdout == "services:\n    a:\n        override: replace\n        command: sleep 1\n"
    assert daemon.run("add", "x", path, check=1).stderr == 'error: layer "x" already exists\n'
    daemon.run("add", "--combine", "x", path, check=0)
    assert daemon.run("add", "y", "/no/such/file", check=1).stderr == "error: open /no/such/file: no such file or directory\n"


# --- checks -------------------------------------------------------------------------------------------------------------

def test_checks_are_a_table_with_the_last_error(daemon):
    daemon.add(checks={"bad": {"period": "100ms", "timeout": "90ms", "threshold": 2, "exec": {"command": "sh -c 'echo it says; exit 3'"}},
                       "good": {"level": "alive", "exec": {"command": "true"}}, "off": {"startup": "disabled", "exec": {"command": "true"}}})
    daemon.wait_check("bad", "down", lambda check: check["status"] == "down" and check["failures"] >= 3)
    table = rows(daemon.run("checks", check=0).stdout)
    assert table[0] == ["Check", "Level", "Startup", "Status", "Successes", "Failures", "Change"]
    assert table[1][:4] == ["bad", "-", "enabled", "down"] and re.fullmatch(r"\d+/2", table[1][5])
    assert re.fullmatch(r"\d+ \(exit status 3; it says\)", table[1][6])
    assert table[2][:4] == ["good", "alive", "enabled", "up"] and table[2][6].isdigit()
    assert table[3] == ["off", "-", "disabled", "inactive", "-", "-", "-"]
    assert [row[0] for row in rows(daemon.run("checks", "--level", "alive", check=0).stdout)[1:]] == ["good"]
    assert daemon.run("checks", "zz", check=0).stderr == "No matching health checks.\n"
    shown = yaml.safe_load(daemon.run("check", "bad", check=0).stdout)
    assert shown["name"] == "bad" and any("exit status 3" in line for line in shown["logs"])


def test_check_refresh_runs_it_now(daemon):
    daemon.add(checks={"c": {"period": "1h", "exec": {"command": "true"}}})
    assert yaml.safe_load(daemon.run("check", "c", "--refresh", check=0).stdout)["successes"] == 1
    daemon.run("check", "zz", "--refresh", check=1)


def test_health_ends_with_0_or_1_as_text_and_always_with_0_otherwise(daemon):
    assert daemon.run("health", check=0).stdout == "healthy\n"
    daemon.add(checks={"bad": {"period": "50ms", "timeout": "40ms", "threshold": 1, "level": "ready", "exec": {"command": "false"}}})
    daemon.wait_check("bad", "down", lambda check: check["status"] == "down")
    assert daemon.run("health", check=1).stdout == "unhealthy\n"
    assert daemon.run("health", "--level", "alive", check=0).stdout == "healthy\n"
    assert json.loads(daemon.run("health", "--format=json", check=0).stdout) == {"healthy": False}
    assert "Allowed values are: alive or ready" in daemon.run("health", "--level", "x", check=1).stderr


def test_checks_are_stopped_and_started_by_name(daemon):
    daemon.add(checks={"a": {"exec": {"command": "true"}}, "b": {"exec": {"command": "true"}}})
    assert daemon.run("stop-checks", "b", "a", check=0).stdout == "Checks stopped: a, b\n"
    assert daemon.run("stop-checks", "a", check=0).stdout == "Checks already stopped.\n"
    assert daemon.run("start-checks", "a", check=0).stdout == "Checks started: a\n"


# --- logs ---------------------------------------------------------------------------------------------------------------

def test_logs_are_lines_with_milliseconds_as_the_charm_reads_them(daemon):
    daemon.add(services={"a": {"command": "sh -c 'seq 40; exec sleep 600'"}})
    daemon.run("start", "a", check=0)
    lines = daemon.run("logs", check=0).stdout.splitlines()
    assert len(lines) == 30 and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[a\] \d+", line) for line in lines)
    assert daemon.run("logs", "a", "-n", "all", check=0).stdout.count("\n") == 40
    assert daemon.run("logs", "-n2", check=0).stdout.count("\n") == 2
    assert json.loads(daemon.run("logs", "-n1", "--format=json", check=0).stdout)["message"] == "40"
    assert daemon.run("logs", "-n", "x", check=1).stderr == 'error: expected n to be a non-negative integer or "all", not "x"\n'


def test_logs_follow_until_ctrl_c(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exec sleep 600'"}})
    daemon.run("start", "a", check=0)
    process = subprocess.Popen([paths.PGHERD, "supervisor", "logs", "-f"], env=daemon.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().endswith("[a] one\n")
    open(daemon.scratch + "/go", "w").close()
    assert process.stdout.readline().endswith("[a] two\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    process.stdout.close()


def test_logs_end_when_their_reader_has_gone(daemon):
    daemon.add(services={"a": {"command": "sh -c 'while :; do echo x; sleep 0.01; done'"}})
    daemon.run("start", "a", check=0)
    done = subprocess.run(["sh", "-c", '"$0" supervisor logs -f | head -n 1', paths.PGHERD], env=daemon.environment, capture_output=True,
                          text=True, timeout=10)
    assert done.stdout.endswith("[a] x\n")


# --- everything else ----------------------------------------------------------------------------------------------------

def test_version_tells_both_sides_or_one(daemon):
    client = daemon.run("version", "--client", check=0).stdout.strip()
    server = daemon.get("/v1/system-info").result["version"]
    assert daemon.run("version", check=0).stdout == f"client  {client}\nserver  {server}\n"
    assert json.loads(daemon.run("version", "--format=json", check=0).stdout) == {"client": client, "server": server}
    assert daemon.run("--version", check=0).stdout == f"client  {client}\nserver  {server}\n"


def test_help_lists_groups_commands_and_options(daemon):
    summary = daemon.run("help", check=0).stdout
    for group in ("Run: run", "Plan: add, plan, replan", "Services: services", "Identities: identities"):
        assert group in summary
    assert "start-checks" in daemon.run("help", "--all", check=0).stdout
    for words in (["help", "logs"], ["logs", "--help"], ["logs", "-h"]):
        text = daemon.run(*words, check=0).stdout
        assert text.startswith("Usage:") and "-f, --follow" in text


@pytest.mark.parametrize("words, text", [
    (["zz"], "unknown command \"zz\", see 'pgherd supervisor help'"), (["services", "--zz"], "unknown flag `zz'"),
    (["start"], "the required argument `<service> (at least 1 argument)` was not provided"),
    (["add", "label"], "the required argument `<layer-path>` was not provided"), (["plan", "x"], "too many arguments"),
    (["services", "--format", "xml"], "Invalid value `xml' for option `--format'. Allowed values are: text, json or yaml"),
])
def test_what_is_mistyped_is_named_and_ends_with_1(daemon, words, text):
    done = daemon.run(*words, check=1)
    assert done.stdout == "" and done.stderr.startswith("error: ") and text in done.stderr


def test_a_reading_command_waits_for_its_supervisor_a_few_seconds(make):
    daemon = make(start=False)
    process = subprocess.Popen([paths.PGHERD, "supervisor", "services"], env=daemon.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    assert process.poll() is None
    daemon.start()
    assert process.wait(8) == 0 and process.stderr.read() == "Plan has no services.\n"
    process.stdout.close()
    process.stderr.close()


def test_output_that_cannot_be_written_is_an_error(daemon):
    with open("/dev/full", "w") as full:
        done = subprocess.run([paths.PGHERD, "supervisor", "plan"], env=daemon.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (1, "error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("words", [("add", "label", "DIR"), ("push", "DIR", "/nonexistent/x"), ("add-identities", "--from", "DIR")])
def test_a_local_file_that_cannot_be_read_is_named(daemon, words):
    done = daemon.run(*[daemon.scratch if word == "DIR" else word for word in words], check=1)
    assert done.stderr == f"error: read {daemon.scratch}: is a directory\n"


def test_a_layer_that_is_no_text_is_refused(daemon):
    path = daemon.path("layer.yaml")
    with open(path, "wb") as file:
        file.write(b"services: {a: {override: replace, command: 'echo \xff'}}")
    assert daemon.run("add", "label", path, check=1).stderr == f"error: cannot use {path} as a layer: it is no UTF-8 text\n"


def test_without_a_supervisor_the_socket_is_named(make):
    daemon = make(start=False)
    begin = time.monotonic()
    done = daemon.run("start", "a", check=1)
    assert time.monotonic() - begin < 3
    assert done.stderr.startswith("error: cannot communicate with server: ") and daemon.socket in done.stderr


def test_the_program_called_pebble_is_the_command_line(daemon):
    os.mkdir(daemon.path("bin"))
    link = daemon.path("bin/pebble")
    os.symlink(os.path.abspath(paths.PGHERD), link)
    done = subprocess.run([link, "services"], env=daemon.environment, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "Plan has no services.\n")
    done = subprocess.run([link, "zz"], env=daemon.environment, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (1, "error: unknown command \"zz\", see 'pebble help'\n")


def test_the_program_called_pebble_runs_the_supervisor(make):
    import tempfile
    with tempfile.TemporaryDirectory() as directory:
        link = os.path.join(directory, "pebble")
        os.symlink(os.path.abspath(paths.PGHERD), link)
        daemon = make(program=[link, "run"])
        assert daemon.get("/v1/health").status == 200


def complete(daemon, *words):
    script = daemon.run("completion", "bash", check=0).stdout
    program = f"""
pgherd() {{ {paths.PGHERD} "$@"; }}
{script}
COMP_WORDS=({' '.join(words[:-1])} "{words[-1]}")
COMP_CWORD={len(words) - 1}
_pgherd_supervisor
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return subprocess.run(["bash", "-c", program], env=daemon.environment, capture_output=True, text=True, timeout=20, check=True).stdout.split()


def test_bash_completes_commands_options_values_and_names(two):
    assert "services" in complete(two, "pgherd", "supervisor", "serv")
    assert complete(two, "pgherd", "supervisor", "logs", "--fol") == ["--follow"]
    assert complete(two, "pgherd", "supervisor", "health", "--level", "") == ["alive", "ready"]
    assert "a" in complete(two, "pgherd", "supervisor", "start", "")
    assert "replan" in complete(two, "pgherd", "supervisor", "help", "")
