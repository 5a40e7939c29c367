"""The command line: output, exit codes, formats, streams, signals, a terminal."""
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import time

import pytest
import yaml

from herdtest import paths, processes
from herdtest.waiting import wait_for

SLEEP = {"command": "sleep 600"}


def rows(text):
    return [re.split(r"\s{2,}", line) for line in text.splitlines()]


@pytest.fixture
def two(daemon):
    daemon.add(services={"a": {**SLEEP, "startup": "enabled"}, "b c": SLEEP})
    return daemon


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


# --- exec ---------------------------------------------------------------------------------------------------------------

def test_exec_passes_streams_and_the_exit_code(daemon):
    done = daemon.run("exec", "sh", "-c", "cat; echo err >&2; exit 7", stdin="typed\n", check=7)
    assert (done.stdout, done.stderr) == ("typed\n", "err\n")


@pytest.mark.parametrize("kind", ["null", "file", "pipe", "closed"])
def test_exec_reads_any_kind_of_standard_input_to_its_end(daemon, kind):
    path = daemon.path("input")
    with open(path, "w") as file:
        file.write("content\n" if kind in ("file", "pipe") else "")
    words = {"null": "< /dev/null", "file": f"< {path}", "pipe": "", "closed": "<&-"}[kind]
    command = f'{f"cat {path} | " if kind == "pipe" else ""}"$0" supervisor exec cat {words}'
    done = subprocess.run(["sh", "-c", command, paths.PGHERD], env=daemon.environment, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "content\n" if kind in ("file", "pipe") else ""), done.stderr


def test_exec_options_end_where_the_command_begins(daemon):
    assert daemon.run("exec", "-w", daemon.scratch, "--env", "A=b c", "sh", "-c", "echo $PWD $A", check=0).stdout == f"{daemon.scratch} b c\n"
    assert daemon.run("exec", "--", "echo", "-n", "x", check=0).stdout == "x"
    assert daemon.run("exec", "--user", "nobody", "-w", "/", "id", "-un", check=0).stdout == "nobody\n"


def test_exec_of_a_service_context(daemon):
    daemon.add(services={"a": {**SLEEP, "environment": {"FROM": "service"}}})
    assert daemon.run("exec", "--context", "a", "sh", "-c", "echo $FROM", check=0).stdout == "service\n"


def test_exec_joins_the_streams_when_they_go_to_the_same_place(daemon):
    done = subprocess.run([paths.PGHERD, "supervisor", "exec", "sh", "-c", "echo 1; echo 2 >&2; echo 3"], env=daemon.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=20)
    assert done.stdout == "1\n2\n3\n"


def test_exec_tells_why_it_could_not(daemon):
    assert daemon.run("exec", "/no/such/program", check=1).stderr == 'error: cannot find executable "/no/such/program"\n'
    done = daemon.run("exec", "--timeout", "300ms", "sleep", "600", check=1)
    assert done.stderr.startswith("error: cannot perform the following tasks:\n") and "timed out after 300ms: context deadline exceeded" in done.stderr
    assert "required argument" in daemon.run("exec", check=1).stderr


def test_exec_carries_megabytes_both_ways(daemon):
    content = os.urandom(8 << 20)
    assert daemon.run("exec", "cat", stdin=content, check=0, text=False).stdout == content


def test_exec_forwards_signals_and_ends_with_their_number(daemon):
    process = subprocess.Popen([paths.PGHERD, "supervisor", "exec", "sh", "-c", "echo ready; exec sleep 600"], env=daemon.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    process.stdout.close()


def test_exec_ends_quietly_when_its_terminal_hangs_up(daemon):
    process = subprocess.Popen([paths.PGHERD, "supervisor", "exec", "sh", "-c", "echo $$; exec sleep 600"], env=daemon.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGHUP)
    assert process.wait(10) == 0
    processes.wait_gone([pid], 10)
    process.stdout.close()


class Terminal:
    """A command of the command line in a terminal of its own."""

    def __init__(self, daemon, *words, columns=100, lines=40):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ.update({**daemon.environment, "TERM": "xterm-test"})
            os.execv(paths.PGHERD, [paths.PGHERD, "supervisor", *words])
        self.resize(columns, lines)
        self.seen = b""

    def resize(self, columns, lines):
        import fcntl
        import struct
        import termios
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text)

    def expect(self, text, deadline=10):
        end = time.monotonic() + deadline
        while text not in self.seen:
            assert time.monotonic() < end, f"waited in vain for {text!r}; seen: {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen

    def close(self):
        processes.send(self.pid, signal.SIGKILL)
        os.close(self.fd)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


@pytest.fixture
def terminal(daemon):
    opened = []

    def factory(*words, **options):
        opened.append(Terminal(daemon, *words, **options))
        return opened[-1]
    yield factory
    for each in opened:
        each.close()


def test_exec_in_a_terminal_is_a_terminal_there(daemon, terminal):
    # Not a sleep at the end: dash loses a Ctrl-C that comes while it starts a child.
    screen = terminal("exec", "sh", "-c", "tty; echo $TERM; read x; echo got $x; read y")
    screen.expect(b"xterm-test")
    assert b"/dev/pts/" in screen.seen
    screen.type(b"typed\r")
    screen.expect(b"got typed")
    screen.type(b"\x03")  # Ctrl-C goes through the raw terminal to the remote one
    wait_for("the end", lambda: not processes.alive(screen.pid), 10)


def test_exec_in_a_terminal_follows_its_size(daemon, terminal):
    screen = terminal("exec", "sh", "-c", "echo ready; read x; stty size; read x")
    screen.expect(b"ready")
    screen.resize(77, 33)
    time.sleep(0.3)
    screen.type(b"\r")
    screen.expect(b"33 77")


SLOW = {"command": "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'", "kill-delay": "3s"}


def test_what_takes_long_is_told_at_a_terminal(daemon, terminal):
    daemon.add(services={"slow": SLOW})
    daemon.act("start", "slow")
    screen = terminal("stop", "slow")
    screen.expect(b'Stop service "slow" ')
    screen.expect(b"\\")  # it turns
    wait_for("the end", lambda: not processes.alive(screen.pid), 10)
    screen.expect(b"\r\x1b[K")
    assert daemon.current("slow") == "inactive"


def test_a_program_that_waits_is_told_nothing(daemon):
    daemon.add(services={"slow": SLOW})
    daemon.act("start", "slow")
    done = daemon.run("stop", "slow", check=0)
    assert (done.stdout, done.stderr) == ("", "")


def test_nothing_but_the_change_is_told_without_waiting(daemon, terminal):
    daemon.add(services={"slow": SLOW})
    daemon.act("start", "slow")
    screen = terminal("stop", "--no-wait", "slow")
    wait_for("the end", lambda: not processes.alive(screen.pid), 10)
    screen.expect(b"\r\n")
    assert screen.seen.strip().isdigit()


# --- files --------------------------------------------------------------------------------------------------------------

def test_push_and_pull_carry_any_file_with_its_mode(daemon):
    local, remote, back = daemon.path("local"), f"{daemon.scratch}/sub/remote", daemon.path("back")
    content = os.urandom(5_000_000) + b"\r\n--"
    with open(local, "wb") as file:
        file.write(content)
    os.chmod(local, 0o751)
    assert daemon.run("push", local, remote, check=1).stderr.startswith("error: open ")
    daemon.run("push", "-p", local, remote, check=0)
    assert stat.S_IMODE(os.stat(remote).st_mode) == 0o751
    daemon.run("pull", remote, back, check=0)
    with open(back, "rb") as file:
        assert file.read() == content
    daemon.run("push", "-m", "600", "--user", "nobody", "--group", "nogroup", local, remote, check=0)
    assert (stat.S_IMODE(os.stat(remote).st_mode), os.stat(remote).st_uid) == (0o600, 65534)


def test_a_pull_of_nothing_leaves_the_local_file_alone(daemon):
    back = daemon.path("back")
    with open(back, "w") as file:
        file.write("old")
    done = daemon.run("pull", f"{daemon.scratch}/nope", back, check=1)
    assert done.stderr == f"error: open {daemon.scratch}/nope: no such file or directory\n"
    with open(back) as file:
        assert file.read() == "old"


def test_an_empty_file_is_pushed_and_pulled(daemon):
    open(daemon.path("empty"), "w").close()
    daemon.run("push", daemon.path("empty"), f"{daemon.scratch}/empty", check=0)
    daemon.run("pull", f"{daemon.scratch}/empty", daemon.path("back"), check=0)
    assert os.path.getsize(daemon.path("back")) == 0


def test_ls_lists_names_and_everything_on_request(daemon):
    daemon.run("mkdir", "-m", "750", f"{daemon.scratch}/dir", check=0)
    with open(f"{daemon.scratch}/file.txt", "w") as file:
        file.write("1234")
    os.chmod(f"{daemon.scratch}/file.txt", 0o644)
    assert daemon.run("ls", daemon.scratch, check=0).stdout == "dir\nfile.txt\n"
    assert daemon.run("ls", f"{daemon.scratch}/*.txt", check=0).stdout == "file.txt\n"
    long = daemon.run("ls", "-l", daemon.scratch, check=0).stdout.splitlines()
    assert re.fullmatch(r"drwxr-x---  root  root  -    today at \d\d:\d\d UTC  dir", long[0]), long[0]
    assert re.fullmatch(r"-rw-r--r--  root  root  4B   today at \d\d:\d\d UTC  file.txt", long[1]), long[1]
    assert daemon.run("ls", "-d", daemon.scratch, check=0).stdout == f"{daemon.scratch}\n"
    assert daemon.run("ls", f"{daemon.scratch}/nope", check=1).stderr == f"error: stat {daemon.scratch}/nope: no such file or directory\n"


def test_mkdir_and_rm_do_what_they_are_told(daemon):
    daemon.run("mkdir", f"{daemon.scratch}/a/b", check=1)
    daemon.run("mkdir", "-p", f"{daemon.scratch}/a/b", check=0)
    daemon.run("mkdir", "-p", f"{daemon.scratch}/a/b", check=0)
    daemon.run("rm", f"{daemon.scratch}/a", check=1)
    daemon.run("rm", "-r", f"{daemon.scratch}/a", check=0)
    assert not os.path.exists(f"{daemon.scratch}/a")


# --- changes and notices ------------------------------------------------------------------------------------------------

def test_changes_are_a_table_in_order(two):
    assert two.run("changes", check=1).stderr == "error: no changes found\n"
    two.run("start", "a", check=0)
    two.run("stop", "a", check=0)
    table = rows(two.run("changes", check=0).stdout)
    assert table[0] == ["ID", "Status", "Spawn", "Ready", "Summary"]
    assert [(row[1], row[4]) for row in table[1:]] == [("Done", 'Start service "a"'), ("Done", 'Stop service "a"')]
    assert len(rows(two.run("changes", "a", check=0).stdout)) == 3
    assert len(json.loads(two.run("changes", "--format=json", check=0).stdout)) == 2


def test_tasks_of_the_last_change_of_a_kind(two):
    two.run("start", "a", check=0)
    assert 'Start service "a"' in two.run("tasks", "--last=start", check=0).stdout
    assert two.run("tasks", "--last=stop", check=1).stderr == 'error: no changes of type "stop" found\n'
    assert two.run("tasks", "--last=stop?", check=0).stdout == ""
    two.run("tasks", check=1)
    two.run("tasks", "4711", check=1)


def test_notices_are_shown_until_somebody_says_okay(daemon):
    assert daemon.run("notices", check=0).stderr == "No matching notices.\n"
    assert "have been listed" in daemon.run("okay", check=1).stderr
    assert re.fullmatch(r"Recorded notice \d+\n", daemon.run("notify", "example.com/a", "k=v", "x=y=z", check=0).stdout)
    table = rows(daemon.run("notices", check=0).stdout)
    assert table[0] == ["ID", "User", "Type", "Key", "First", "Repeated", "Occurrences"]
    assert table[1][1:4] == ["0", "custom", "example.com/a"] and table[1][6] == "1"
    assert len(rows(daemon.run("notices", check=0).stdout)) == 2
    daemon.run("okay", check=0)
    assert daemon.run("notices", check=0).stdout == ""
    daemon.run("notify", "example.com/a", check=0)
    assert rows(daemon.run("notices", "--type=custom", "--key=example.com/a", check=0).stdout)[1][6] == "2"


def test_one_notice_is_shown_by_number_or_by_type_and_key(daemon):
    number = daemon.run("notify", "example.com/a", "k=v", check=0).stdout.split()[-1]
    for words in ([number], ["custom", "example.com/a"]):
        shown = yaml.safe_load(daemon.run("notice", *words, check=0).stdout)
        assert (shown["id"], shown["user-id"], shown["last-data"], shown["expire-after"]) == (number, 0, {"k": "v"}, "168h0m0s")
    assert "cannot find" in daemon.run("notice", "custom", "example.com/zz", check=1).stderr
    assert "name=value" in daemon.run("notify", "example.com/a", "nonsense", check=1).stderr


def test_notices_wait_for_a_match(daemon):
    process = subprocess.Popen([paths.PGHERD, "supervisor", "notices", "--timeout=20s", "--key=example.com/a"],
                               env={**daemon.environment, "XDG_CONFIG_HOME": daemon.path("config")}, stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    assert process.poll() is None
    daemon.run("notify", "example.com/a", check=0)
    assert process.wait(5) == 0
    assert "example.com/a" in process.stdout.read()
    process.stdout.close()


def test_warnings_are_a_kind_of_notices(daemon):
    assert daemon.run("warnings", check=0).stderr == "No warnings.\n"
    assert daemon.run("okay", "--warnings", check=1).stderr.startswith("error: no warnings have been listed")


def test_identities_come_from_files(daemon):
    path = daemon.path("identities.yaml")
    with open(path, "w") as file:
        file.write("identities:\n    bob:\n        access: admin\n        local:\n            user-id: 42\n"
                   "    eve:\n        access: metrics\n        basic:\n            password: $6$salt$hash\n")
    assert daemon.run("identities", check=0).stderr == "No identities.\n"
    assert daemon.run("add-identities", "--from", path, check=0).stdout == "Added 2 identities.\n"
    assert rows(daemon.run("identities", check=0).stdout) == [["Name", "Access", "Types"], ["bob", "admin", "local"], ["eve", "metrics", "basic"]]
    assert yaml.safe_load(daemon.run("identity", "bob", check=0).stdout) == {"access": "admin", "local": {"user-id": 42}}
    assert "hash" not in daemon.run("identity", "eve", check=0).stdout
    daemon.run("add-identities", "--from", path, check=1)
    with open(path, "w") as file:
        file.write("identities: {bob: null}")
    assert daemon.run("update-identities", "--replace", "--from", path, check=0).stdout == "Replaced 1 identity.\n"
    with open(path, "w") as file:
        file.write("identities: {eve: null}")
    assert daemon.run("remove-identities", "--from", path, check=0).stdout == "Removed 1 identity.\n"
    assert "--from" in daemon.run("remove-identities", check=1).stderr


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
