"""Commands inside the container: streams, exit codes, time-outs, terminals."""
import json
import os
import signal
import threading

import pytest
import websocket
from ops import pebble

import websockets
from herdtest import processes
from herdtest.waiting import wait_for


def test_output_and_exit_code_zero(client):
    assert client.exec(["echo", "hello"]).wait_output() == ("hello\n", "")


def test_a_failure_carries_its_code_and_both_streams(client):
    with pytest.raises(pebble.ExecError) as caught:
        client.exec(["sh", "-c", "echo out; echo err >&2; exit 5"]).wait_output()
    assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (5, "out\n", "err\n")


def test_streams_are_joined_in_order_on_request(client):
    out, err = client.exec(["sh", "-c", "echo 1; echo 2 >&2; echo 3"], combine_stderr=True).wait_output()
    assert (out, err) == ("1\n2\n3\n", None)


def test_a_megabyte_of_binary_goes_in_and_comes_out_intact(client):
    content = os.urandom(1 << 20)
    assert client.exec(["cat"], stdin=content, encoding=None).wait_output()[0] == content


def test_the_end_of_input_is_seen_by_the_command(client):
    assert client.exec(["wc", "-c"], stdin="12345").wait_output()[0].strip() == "5"


def test_a_command_that_does_not_read_its_input_ends_all_the_same(client):
    assert client.exec(["true"], stdin="x" * 300_000).wait_output() == ("", "")


def test_output_is_streamed_while_the_command_runs(client):
    process = client.exec(["sh", "-c", "echo first; read line; echo second $line"], stdin=None)
    assert process.stdout.readline() == "first\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "second go\n"
    process.stdin.close()
    process.wait()


def test_environment_directory_and_user_are_the_requested_ones(daemon, client):
    os.chmod(daemon.scratch, 0o777)
    out, _ = client.exec(["sh", "-c", "echo $A $PWD $(id -un) $USER $LANG"], environment={"A": "b"}, working_dir=daemon.scratch,
                         user="nobody", group="nogroup").wait_output()
    assert out.split() == ["b", daemon.scratch, "nobody", "nobody", os.environ.get("LANG") or "C.UTF-8"]


def test_a_service_lends_its_environment_directory_and_user(daemon, client):
    os.chmod(daemon.scratch, 0o777)
    daemon.add(services={"a": {"command": "sleep 600", "environment": {"FROM": "service", "BOTH": "service"}, "working-dir": daemon.scratch,
                               "user": "nobody"}})
    out, _ = client.exec(["sh", "-c", "echo $FROM $BOTH $PWD $(id -un)"], service_context="a", environment={"BOTH": "exec"}).wait_output()
    assert out.split() == ["service", "exec", daemon.scratch, "nobody"]


def test_a_time_out_is_an_error_of_the_change_with_its_length(client):
    with pytest.raises(pebble.ChangeError) as caught:
        client.exec(["sleep", "600"], timeout=0.4).wait_output()
    assert "timed out after 400ms: context deadline exceeded" in caught.value.err


def test_a_signal_ends_the_command_with_128_and_its_number(client):
    process = client.exec(["sleep", "600"])
    process.send_signal("SIGTERM")
    with pytest.raises(pebble.ExecError) as caught:
        process.wait_output()
    assert caught.value.exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize("fields, status, message", [
    ({"command": []}, 400, "must specify command"),
    ({"command": ["/no/such/program"]}, 400, 'cannot find executable "/no/such/program"'),
    ({"command": ["true"], "timeout": "zz"}, 400, "invalid timeout"),
    ({"command": ["true"], "service-context": "n"}, 400, 'context service "n" not found'),
    ({"command": ["true"], "user": "no-such-user"}, 400, "unknown user no-such-user"),
    ({"command": ["true"], "group": "nogroup"}, 400, "must specify user, not just group"),
    ({"command": ["true"], "user-id": 1, "user": "root"}, 400, 'user "root" UID (0) does not match user-id (1)'),
    ({"command": ["true"], "working-dir": "/n"}, 500, 'working directory "/n" does not exist'),
    ({"command": ["true"], "user": "nobody"}, 500, 'home directory "/nonexistent" does not exist'),
    ({"command": ["true"], "interactive": True}, 400, ""),
])
def test_a_command_that_cannot_run_is_refused_with_its_reason(daemon, fields, status, message):
    answer = daemon.post("/v1/exec", fields)
    assert answer.status == status and message in answer.message


def test_many_commands_run_at_the_same_time(client):
    done = []

    def one(number):
        done.append(client.exec(["sh", "-c", f"sleep 0.2; echo {number}"]).wait_output()[0].strip())
    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(int, done)) == list(range(20))


def test_an_exec_is_a_change_with_the_exit_code_in_its_task(daemon, client):
    process = client.exec(["sh", "-c", "exit 3"])
    with pytest.raises(pebble.ExecError):
        process.wait()
    change = daemon.get("/v1/changes?select=all").result[0]
    assert (change["kind"], change["status"], change["summary"]) == ("exec", "Done", 'Execute command "sh"')
    assert change["tasks"][0]["data"]["exit-code"] == 3


# --- websockets that do not follow the script ---------------------------------------------------------------------------

def test_a_command_nobody_attaches_to_fails_after_five_seconds(daemon):
    change, task = websockets.start(daemon, "sh", "-c", "echo x > ran")
    websockets.open_socket(daemon, task, "control")
    failed = daemon.wait_change(change)
    assert failed["status"] == "Error" and "timeout waiting for websocket connections" in failed["err"]
    assert not daemon.read("ran")


@pytest.mark.parametrize("task, name, status", [("999", "stdio", 404), (None, "stderr", 404), (None, "zz", 404)])
def test_a_websocket_that_does_not_exist_is_refused(daemon, task, name, status):
    _, mine = websockets.start(daemon, "true")
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websockets.open_socket(daemon, task or mine, name)
    assert caught.value.status_code == status


def test_a_websocket_is_taken_once(daemon):
    _, task = websockets.start(daemon, "cat")
    first = websockets.open_socket(daemon, task, "stdio")
    with pytest.raises(websocket.WebSocketBadStatusException):
        websockets.open_socket(daemon, task, "stdio")
    first.close()


def test_a_lost_control_connection_ends_the_command(daemon):
    change, task = websockets.start(daemon, "sh", "-c", f"echo $$ > {daemon.scratch}/pid; exec sleep 600")
    control, stdio = websockets.open_socket(daemon, task, "control"), websockets.open_socket(daemon, task, "stdio")
    pid = int(wait_for("the command's pid", lambda: daemon.read("pid"), 5))
    control.sock.close()
    processes.wait_gone([pid], 10)
    stdio.close()
    assert daemon.wait_change(change)["ready"]


def test_nonsense_on_a_websocket_hurts_nobody(daemon, client):
    _, task = websockets.start(daemon, "cat")
    control, stdio = websockets.open_socket(daemon, task, "control"), websockets.open_socket(daemon, task, "stdio")
    for text in ("no json", "[]", '{"command": 7}', '{"command": "signal"}', '{"command": "resize", "resize": {"width": -1}}'):
        try:
            control.send(text)
            stdio.send(text)
        except (OSError, websocket.WebSocketException):
            break
    assert client.exec(["echo", "fine"]).wait_output()[0] == "fine\n"


def test_a_terminal_is_a_terminal_of_the_requested_size_and_can_be_resized(daemon):
    change, task = websockets.start(daemon, "sh", "-c", "tty >/dev/null && stty size; read x; stty size", terminal=True, interactive=True,
                                    width=100, height=40)
    control, stdio = websockets.open_socket(daemon, task, "control"), websockets.open_socket(daemon, task, "stdio")
    got = stdio.recv()
    while b"\n" not in got:
        got += stdio.recv()
    assert got.split() == [b"40", b"100"]
    control.send(json.dumps({"command": "resize", "resize": {"width": 120, "height": 50}}))
    control.ping()
    wait_for("the resize", lambda: _resized(control), 5)
    stdio.send_binary(b"go\n")
    assert b"50 120" in websockets.read_all(stdio)
    assert daemon.wait_change(change)["status"] == "Done"


def _resized(control):
    # The control messages are handled in order: the answer to a ping comes after the resize.
    return control.recv_data_frame(control_frame=True)[0] == websocket.ABNF.OPCODE_PONG


def test_a_terminal_joins_the_streams_and_echoes(daemon):
    _, task = websockets.start(daemon, "sh", "-c", "read x; echo err >&2; echo got $x", terminal=True, interactive=True)
    control, stdio = websockets.open_socket(daemon, task, "control"), websockets.open_socket(daemon, task, "stdio")
    stdio.send_binary(b"typed\n")
    assert websockets.read_all(stdio) == b"typed\r\nerr\r\ngot typed\r\n"
    control.close()


def test_a_client_that_reads_nothing_does_not_stop_the_others(daemon, client):
    _, task = websockets.start(daemon, "sh", "-c", "yes | head -c 200000000")
    control, stdio = websockets.open_socket(daemon, task, "control"), websockets.open_socket(daemon, task, "stdio")
    assert client.exec(["echo", "fine"]).wait_output()[0] == "fine\n"
    with open(f"/proc/{daemon.pid}/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert resident < 100_000
    control.close()
    stdio.close()
