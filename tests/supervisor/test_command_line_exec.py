"""The command line: exec, its streams, signals and exit codes, and what is told at a terminal."""
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from herdtest import paths, processes
from herdtest.waiting import wait_for

SLEEP = {"command": "sleep 600"}


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
