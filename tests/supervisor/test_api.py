"""The protocol below the client: envelopes, errors, access, connections."""
import base64
import json
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
from ops import pebble

from herdtest import unix_http
from herdtest.cluster import free_ports


def test_system_info_names_version_and_boot(daemon, client):
    info = daemon.get("/v1/system-info").result
    assert info["version"].startswith("v") and info["boot-id"]
    assert client.get_system_info().version == info["version"]


def test_the_boot_id_is_the_same_for_the_whole_life(daemon):
    assert daemon.get("/v1/system-info").result["boot-id"] == daemon.get("/v1/system-info").result["boot-id"]


def test_answers_have_the_envelope_and_plain_json_as_their_type(daemon):
    answer = daemon.get("/v1/services")
    assert answer.json == {"type": "sync", "status-code": 200, "status": "OK", "result": []}
    assert answer.headers["Content-Type"] == "application/json"


def test_a_change_is_answered_with_202_and_its_id_as_a_text(daemon):
    daemon.add(services={"a": {"command": "sleep 600"}})
    answer = daemon.post("/v1/services", {"action": "start", "services": ["a"]})
    assert answer.status == 202 and re.fullmatch("[a-z0-9]+", answer.json["change"])
    assert answer.json == {"type": "async", "status-code": 202, "status": "Accepted", "change": answer.json["change"], "result": None}


@pytest.mark.parametrize("method, path, status, message", [
    ("GET", "/v1/nope", 404, "invalid API endpoint requested"),
    ("GET", "/", 404, "invalid API endpoint requested"),
    ("GET", "/v1/warnings", 404, "invalid API endpoint requested"),
    ("DELETE", "/v1/services", 405, 'method "DELETE" not allowed'),
    ("POST", "/v1/health", 405, 'method "POST" not allowed'),
    ("GET", "/v1/changes/4711", 404, 'cannot find change with id "4711"'),
    ("GET", "/v1/changes/4711/wait", 404, 'cannot find change with id "4711"'),
    ("GET", "/v1/changes?select=zz", 400, ""),
])
def test_what_does_not_exist_is_an_error_in_the_envelope(daemon, method, path, status, message):
    answer = daemon.request(method, path)
    assert answer.status == status and answer.json["type"] == "error" and answer.json["status-code"] == status
    assert message in answer.message


@pytest.mark.parametrize("path, prefix", [
    ("/v1/services", "cannot decode data from request body: "), ("/v1/checks", "cannot decode data from request body: "),
    ("/v1/layers", "cannot decode request body: "), ("/v1/exec", "cannot decode request body: "),
    ("/v1/notices", "cannot decode request body: "), ("/v1/signals", "cannot decode request body: "),
])
@pytest.mark.parametrize("body", ["{", "", "[]", '"text"', '{"action": 7, "command": 7, "services": 7, "signal": 7}'])
def test_a_body_that_is_not_what_it_should_be_is_refused(daemon, path, prefix, body):
    answer = daemon.request("POST", path, body, headers={"Content-Type": "application/json"})
    assert answer.status == 400 and answer.message.startswith(prefix)


def test_a_wait_ends_with_504_when_the_change_is_not_ready(daemon):
    daemon.add(services={"a": {"command": "sleep 600"}})
    change = daemon.act("start", "a", wait=0)
    answer = daemon.get(f"/v1/changes/{change}/wait?timeout=0.200s")
    assert (answer.status, answer.message) == (504, "timed out waiting for change after 200ms")


def test_warnings_are_gone_as_in_the_version_it_follows(client):
    with pytest.raises((pebble.APIError, pebble.ConnectionError)):
        client.get_warnings()


def test_a_connection_serves_many_requests_and_closes_on_request(daemon):
    connection = unix_http.Connection(daemon.socket)
    for _ in range(50):
        assert daemon.request("GET", "/v1/health", connection=connection).status == 200
    answer = daemon.request("GET", "/v1/health", connection=connection, headers={"Connection": "close"})
    assert answer.headers["Connection"].lower() == "close"
    connection.close()


def test_a_request_in_chunks_is_understood_everywhere(daemon):
    body = json.dumps({"action": "add", "combine": True, "label": "x", "format": "yaml", "layer": "{}"}).encode()
    answer = daemon.request("POST", "/v1/layers", (body[at:at + 5] for at in range(0, len(body), 5)),
                            headers={"Content-Type": "application/json"})
    assert answer.status == 200


def test_pipelined_requests_are_answered_in_order(daemon):
    got = unix_http.raw(daemon.socket, b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET /v1/nope HTTP/1.1\r\nHost: x\r\n"
                        b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"200", b"404"]


@pytest.mark.parametrize("data", [b"\x00" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                  b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
                                  b"POST /v1/layers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_bytes_that_are_no_request_are_refused_and_hurt_nobody(daemon, data):
    got = unix_http.raw(daemon.socket, data, 3)
    assert got == b"" or got.startswith(b"HTTP/1.1 4")
    assert daemon.get("/v1/health").status == 200


def test_a_thousand_silent_connections_do_not_stop_the_others(daemon):
    silent = []
    try:
        for number in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            sock.connect(daemon.socket)
            if number % 2:
                sock.sendall(b"POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            silent.append(sock)
        begin = time.monotonic()
        assert daemon.get("/v1/health").status == 200
        assert time.monotonic() - begin < 2
    finally:
        for sock in silent:
            sock.close()


def test_a_huge_body_is_refused_without_being_kept(daemon):
    def pieces():
        for _ in range(3000):
            yield b"x" * 65536
    try:
        assert daemon.request("POST", "/v1/services", pieces()).status in (400, 413)
    except (BrokenPipeError, ConnectionResetError):
        pass
    with open(f"/proc/{daemon.pid}/status") as status:
        assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) < 64_000


# --- who may do what ----------------------------------------------------------------------------------------------------

AS_NOBODY = """
import json, os, sys
from herdtest import unix_http
requests = json.loads(sys.argv[2])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for method, path, body in requests:
    print(unix_http.request(sys.argv[1], method, path, body).status)
"""


def as_nobody(daemon, *requests):
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, daemon.socket, json.dumps(requests)], capture_output=True, text=True,
                          env={"PYTHONPATH": ":".join(sys.path)}, check=True)
    return [int(word) for word in done.stdout.split()]


def test_another_user_of_the_machine_may_read_and_nothing_else(daemon):
    assert as_nobody(daemon, ("GET", "/v1/services", None), ("GET", "/v1/health", None), ("GET", "/v1/changes", None),
                     ("GET", "/v1/plan?format=yaml", None), ("POST", "/v1/services", {"action": "replan"}),
                     ("POST", "/v1/exec", {"command": ["true"]}), ("GET", "/v1/files?action=list&path=/", None)) == [200, 200, 200, 401, 401, 401, 401]


def test_a_local_identity_makes_another_user_an_admin(daemon, client):
    client.replace_identities({"nobody": {"access": "admin", "local": {"user-id": 65534}}})
    assert as_nobody(daemon, ("GET", "/v1/plan?format=yaml", None), ("GET", "/v1/files?action=list&path=/", None)) == [200, 200]


def test_notices_of_a_user_are_his_own(daemon, client):
    as_nobody(daemon, ("POST", "/v1/notices", {"action": "add", "type": "custom", "key": "example.com/his"}))
    assert client.get_notices() == []
    notice, = client.get_notices(users=pebble.NoticesUsers.ALL)
    assert notice.user_id == 65534


@pytest.fixture
def on_tcp(make):
    port = free_ports(1)[0]
    daemon = make("--http", f":{port}")
    daemon.tcp = ("127.0.0.1", port)
    return daemon


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def password_hash(password):
    return subprocess.run(["openssl", "passwd", "-6", "-salt", "pepper", password], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("path, status", [
    ("/v1/system-info", 200), ("/v1/health", 200), ("/v1/services", 401), ("/v1/plan?format=yaml", 401), ("/v1/metrics", 401),
    ("/v1/logs", 401), ("/v1/notices", 401), ("/v1/files?action=list&path=/", 401), ("/v1/identities", 401), ("/v1/nope", 404)])
def test_on_tcp_only_health_and_system_info_are_open(on_tcp, path, status):
    answer = unix_http.request(on_tcp.tcp, "GET", path)
    assert answer.status == status
    if status == 401:
        assert answer.result == {"message": "access denied", "kind": "login-required"}


def test_on_tcp_metrics_are_for_metrics_identities_and_nothing_is_for_an_admin(on_tcp):
    on_tcp.client().replace_identities({"prometheus": {"access": "metrics", "basic": {"password": password_hash("secret")}},
                                        "boss": {"access": "admin", "basic": {"password": password_hash("secret")}}})

    def status(path, headers):
        return unix_http.request(on_tcp.tcp, "GET", path, headers=headers).status
    assert status("/v1/metrics", basic("prometheus", "secret")) == 200
    assert status("/v1/metrics", basic("prometheus", "wrong")) == 401
    assert status("/v1/metrics", basic("boss", "secret")) == 401
    assert status("/v1/services", basic("boss", "secret")) == 401


def test_system_info_tells_the_tcp_address(on_tcp):
    assert on_tcp.get("/v1/system-info").result["http-address"].endswith(f":{on_tcp.tcp[1]}")


def test_a_second_supervisor_does_not_take_the_socket(daemon, make):
    second = make(start=False, environment={"PEBBLE": daemon.home})
    second.start(wait=False)
    assert second.wait(10) == 1
    assert "already in use" in second.said("stderr")
    assert daemon.get("/v1/health").status == 200


def test_a_stale_socket_is_replaced(make):
    daemon = make()
    daemon.kill()
    assert daemon.start().get("/v1/health").status == 200


def test_the_socket_may_be_elsewhere(make):
    daemon = make(start=False)
    daemon.socket = daemon.path("other.socket")
    daemon.environment["PEBBLE_SOCKET"] = daemon.socket
    assert daemon.start().get("/v1/health").status == 200


def test_health_answers_at_once_while_changes_are_under_way(daemon):
    daemon.add(services={f"s{number}": {"command": "sleep 600"} for number in range(50)})
    daemon.act("start", *[f"s{number}" for number in range(50)], wait=0)
    slow = []

    def ask():
        for _ in range(50):
            begin = time.monotonic()
            daemon.get("/v1/health")
            slow.append(time.monotonic() - begin)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(slow) < 1


def test_angle_brackets_are_escaped_as_go_does(daemon):
    answer = daemon.get("/v1/changes/%3Ca%26b%3E")
    assert "\\u003ca\\u0026b\\u003e" in answer.text
