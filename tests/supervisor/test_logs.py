"""The logs of services: reading, following, forwarding."""
import json
import os
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from herdtest.waiting import wait_for


def saying(*lines, then="exec sleep 600"):
    return {"command": "sh -c '" + "; ".join(f'echo "{line}"' for line in lines) + f"; {then}'"}


def messages(daemon, query="n=-1"):
    return [entry["message"] for entry in daemon.logs(query)]


def test_the_last_lines_are_given_as_json_lines(daemon):
    daemon.add(services={"a": saying("one", "two", "three")})
    daemon.act("start", "a")
    answer = daemon.get("/v1/logs?n=2")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert [(entry["service"], entry["message"]) for entry in entries] == [("a", "two"), ("a", "three")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entries[0]["time"])


def test_thirty_lines_are_given_by_default_and_all_on_request(daemon):
    daemon.add(services={"a": {"command": "sh -c 'seq 100; exec sleep 600'"}})
    daemon.act("start", "a")
    assert messages(daemon, "") == [str(number) for number in range(71, 101)]
    assert messages(daemon) == [str(number) for number in range(1, 101)]
    assert messages(daemon, "n=0") == []
    assert daemon.get("/v1/logs?n=-2").status == 400 and daemon.get("/v1/logs?n=x").status == 400
    assert daemon.get("/v1/logs?follow=maybe").status == 400


def test_services_are_selected_and_merged_by_time(daemon):
    daemon.add(services={"a": {"command": "sh -c 'for i in 1 3 5; do echo $i; sleep 0.2; done; exec sleep 600'"},
                         "b": {"command": "sh -c 'sleep 0.1; for i in 2 4 6; do echo $i; sleep 0.2; done; exec sleep 600'"}, "c": saying("c")})
    daemon.act("start", "a", "b", "c")
    wait_for("all lines", lambda: len(messages(daemon)) == 7, 5)
    assert messages(daemon, "services=a&n=-1") == ["1", "3", "5"]
    both = daemon.logs("services=a,b&n=-1")
    assert [entry["time"] for entry in both] == sorted(entry["time"] for entry in both) and len(both) == 6


def test_both_streams_are_kept_and_the_last_line_needs_no_end(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo out; echo err >&2; printf tail; sleep 1.2; exit 1'", "on-failure": "ignore"}})
    daemon.act("start", "a")
    daemon.wait_current("a", "error")
    assert messages(daemon) == ["out", "err", "tail"]


def test_logs_are_kept_across_restarts_of_a_service(daemon):
    daemon.add(services={"a": saying("hello")})
    daemon.act("start", "a")
    daemon.act("restart", "a")
    assert messages(daemon) == ["hello", "hello"]


def test_follow_gives_old_lines_on_request_and_new_ones_as_they_come(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo old; while [ ! -e go ]; do sleep 0.05; done; echo new; exec sleep 600'"}})
    daemon.act("start", "a")
    with daemon.follow("n=-1") as entries:
        assert next(entries)["message"] == "old"
        open(daemon.scratch + "/go", "w").close()
        assert next(entries)["message"] == "new"


def test_a_flood_is_bounded_in_memory_and_its_end_is_kept(daemon):
    daemon.add(services={"a": {"command": "sh -c 'seq 2000000; echo the end; exec sleep 600'"}})
    daemon.act("start", "a")
    wait_for("the end", lambda: messages(daemon, "n=1") == ["the end"], 20)
    kept = messages(daemon)
    assert kept[-2] == "2000000" and kept[:-1] == [str(number) for number in range(2_000_001 - len(kept) + 1, 2_000_001)]
    with open(f"/proc/{daemon.pid}/status") as status:
        assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) < 64_000


def test_a_line_without_end_is_cut_into_pieces(daemon):
    daemon.add(services={"a": {"command": "sh -c 'head -c 20000 /dev/zero | tr \"\\\\0\" x; echo; echo after; exec sleep 600'"}})
    daemon.act("start", "a")
    got = messages(daemon)
    assert got[-1] == "after" and "".join(got[:-1]).count("x") == 20000


def test_bytes_that_are_no_utf8_do_not_break_the_stream(daemon):
    daemon.add(services={"a": {"command": r"""sh -c 'printf "\377\376 \033[1m \001\n"; echo after; exec sleep 600'"""}})
    daemon.act("start", "a")
    wait_for("the last line", lambda: messages(daemon)[-1:] == ["after"], 5)


def test_verbose_copies_the_logs_to_standard_output_in_whole_lines(make):
    daemon = make("--verbose")
    daemon.add(services={"a": {"command": "sh -c 'for i in 1 2 3 4 5; do printf aa; sleep 0.02; echo aa; done; exec sleep 600'"},
                         "b": {"command": "sh -c 'for i in 1 2 3 4 5; do printf bb; sleep 0.02; echo bb; done; exec sleep 600'"}})
    daemon.act("start", "a", "b")
    wait_for("all lines", lambda: daemon.said("stdout").count("\n") >= 10, 5)
    for line in daemon.said("stdout").splitlines():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[(a\] aaaa|b\] bbbb)", line), line


def test_log_files_are_rotated_by_size_and_hold_every_line(make):
    daemon = make("--log-dir", "logs/of services", "--log-size", "16k", "--log-keep", "3")
    daemon.add(services={"a/b": {"command": "sh -c 'seq 1 3000; exec sleep 600'"}})
    daemon.act("start", "a/b")
    directory = os.path.join(daemon.scratch, "logs", "of services")
    wait_for("the last line", lambda: "[a/b] 3000\n" in daemon.read("logs/of services/a%2fb.log"), 10)
    names = sorted(os.listdir(directory))
    assert names == ["a%2fb.log", "a%2fb.log.1", "a%2fb.log.2", "a%2fb.log.3"]
    assert all(os.path.getsize(os.path.join(directory, name)) <= 16 * 1024 for name in names)
    text = "".join(daemon.read(f"logs/of services/{name}") for name in [*reversed(names[1:]), names[0]])
    numbers = [int(line.rsplit(" ", 1)[1]) for line in text.splitlines()]
    assert len(numbers) > 1000 and numbers == list(range(numbers[0], 3001))
    assert all(re.fullmatch(r"\S+Z \[a/b] \d+", line) for line in text.splitlines())


def test_log_files_hold_the_last_lines_and_go_on_after_a_restart(make):
    daemon = make("--log-dir", "logs")
    daemon.add(services={"a": {"command": "sh -c 'trap \"echo bye; exit\" TERM; echo hello; sleep 600 & wait'"}})
    for _ in range(2):
        daemon.act("start", "a")
        assert daemon.stop() == 0
        daemon.start()
        daemon.add(services={"a": {"command": "sh -c 'trap \"echo bye; exit\" TERM; echo hello; sleep 600 & wait'"}})
    assert [line.rsplit(" ", 1)[1] for line in daemon.read("logs/a.log").splitlines()] == ["hello", "bye"] * 2


def test_log_files_that_cannot_be_kept_are_said(make):
    daemon = make("--log-dir", "/proc/nothing", start=False)
    daemon.start(wait=False)
    assert daemon.wait(10) == 1
    assert "cannot keep log files in /proc/nothing: " in daemon.said("stderr")


def test_a_follower_that_reads_nothing_hurts_nobody(daemon):
    daemon.add(services={"a": {"command": "sh -c 'yes | head -n 20000000; echo the end; exec sleep 600'"}})
    daemon.act("start", "a", wait=0)
    with daemon.follow("n=0"):
        wait_for("the end", lambda: messages(daemon, "n=1") == ["the end"], 30)
        begin = time.monotonic()
        assert daemon.get("/v1/health").status == 200 and time.monotonic() - begin < 1
        with open(f"/proc/{daemon.pid}/status") as status:
            assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) < 64_000


# --- forwarding ---------------------------------------------------------------------------------------------------------

class Receiver(ThreadingHTTPServer):
    """Keeps what was posted; answers with `status`."""
    daemon_threads = True

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers["Content-Length"]))
            status = self.server.status
            if status < 300:
                self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            else:
                self.server.refused += 1
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.got, self.refused, self.status = [], 0, 204
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def loki_lines(self):
        return [value[1] for _, _, body in self.got for stream in body["streams"] for value in stream["values"]]

    def close(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


def test_loki_gets_streams_with_labels_from_the_services_environment(daemon, receiver):
    daemon.add(services={"a": {**saying("hello <world>"), "environment": {"OWNER": "me"}}, "b": saying("unwanted")},
               log_targets={"t": {"type": "loki", "location": f"{receiver.url}/loki/api/v1/push", "services": ["all", "-b"],
                                  "labels": {"owner": "$OWNER", "both": "${OWNER}-x", "none": "$UNSET"}}})
    daemon.act("start", "a", "b")
    wait_for("a line", lambda: receiver.loki_lines() == ["hello <world>"], 10)
    path, kind, body = receiver.got[0]
    assert path == "/loki/api/v1/push" and kind.startswith("application/json")
    stream = body["streams"][0]
    assert stream["stream"] == {"owner": "me", "both": "me-x", "none": "", "pebble_service": "a"}
    assert abs(int(stream["values"][0][0]) / 1e9 - time.time()) < 60


def test_opentelemetry_gets_records_under_the_service(daemon, receiver):
    daemon.add(services={"a": saying("hello")},
               log_targets={"t": {"type": "opentelemetry", "location": receiver.url, "services": ["a"], "labels": {"team": "x"}}})
    daemon.act("start", "a")
    wait_for("a record", lambda: receiver.got, 10)
    path, _, body = receiver.got[0]
    assert path == "/v1/logs"
    resource = body["resourceLogs"][0]
    attributes = {each["key"]: each["value"]["stringValue"] for each in resource["resource"]["attributes"]}
    assert attributes["service.name"] == "a" and attributes["team"] == "x"
    record = resource["scopeLogs"][0]["logRecords"][0]
    assert record["body"]["stringValue"] == "hello" and int(record["timeUnixNano"]) > 0


def test_syslog_over_tcp_is_framed_by_octet_counts(daemon):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(15)
    daemon.add(services={"a": saying("hello")},
               log_targets={"t": {"type": "syslog", "location": f"tcp://127.0.0.1:{listener.getsockname()[1]}", "services": ["a"],
                                  "labels": {"k": "v"}}})
    daemon.act("start", "a", wait=0)
    peer, _ = listener.accept()
    peer.settimeout(10)
    got = b""
    while b"hello" not in got:
        got += peer.recv(4096)
    size, _, message = got.partition(b" ")
    assert len(message) == int(size)
    assert re.fullmatch(rb'<13>1 \S+ \S+ a - - \[pebble@28978 k="v"\] hello', message.rstrip(b"\n")), message
    peer.close()
    listener.close()


def test_syslog_over_udp_is_one_message_a_datagram(daemon):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(15)
    daemon.add(services={"a": saying("one", "two")},
               log_targets={"t": {"type": "syslog", "location": f"udp://127.0.0.1:{listener.getsockname()[1]}", "services": ["a"]}})
    daemon.act("start", "a", wait=0)
    assert [listener.recv(65536).split()[-1] for _ in range(2)] == [b"one", b"two"]
    listener.close()


def test_an_outage_of_the_target_loses_no_recent_line(daemon, receiver):
    receiver.status = 503
    daemon.add(services={"a": {"command": "sh -c 'for i in $(seq 50); do echo $i; done; exec sleep 600'"}},
               log_targets={"t": {"type": "loki", "location": receiver.url, "services": ["all"]}})
    daemon.act("start", "a")
    wait_for("refusals", lambda: receiver.refused > 0, 15)
    receiver.status = 204
    wait_for("all lines", lambda: len(receiver.loki_lines()) >= 50, 30)
    assert receiver.loki_lines() == [str(number) for number in range(1, 51)]


def test_a_refused_batch_is_dropped_and_the_next_one_is_sent(daemon, receiver):
    receiver.status = 400
    daemon.add(services={"a": {"command": "sh -c 'echo bad; while [ ! -e go ]; do sleep 0.05; done; echo good; exec sleep 600'"}},
               log_targets={"t": {"type": "loki", "location": receiver.url, "services": ["all"]}})
    daemon.act("start", "a")
    wait_for("a refusal", lambda: receiver.refused > 0, 15)
    receiver.status = 204
    open(daemon.scratch + "/go", "w").close()
    wait_for("the next line", lambda: receiver.loki_lines(), 15)
    assert receiver.loki_lines() == ["good"]


def test_the_last_lines_are_forwarded_before_the_end(daemon, receiver):
    daemon.add(services={"a": {"command": "sh -c 'trap \"seq 1 300; exit\" TERM; sleep 600 & wait'"}},
               log_targets={"t": {"type": "loki", "location": receiver.url, "services": ["all"]}})
    daemon.act("start", "a")
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 3
    assert receiver.loki_lines() == [str(number) for number in range(1, 301)]


def test_a_target_that_does_not_answer_holds_the_end_up_for_three_seconds_and_no_longer(daemon):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon.add(services={"a": {"command": "sh -c 'echo hello; exec sleep 600'"}},
                   log_targets={"t": {"type": "loki", "location": f"http://127.0.0.1:{silent.getsockname()[1]}/", "services": ["all"]}})
        daemon.act("start", "a")
        begin = time.monotonic()
        assert daemon.stop() == 0
        assert 2 < time.monotonic() - begin < 6


def test_a_target_that_is_out_of_reach_does_not_hold_the_end_up(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo hello; exec sleep 600'"}},
               log_targets={"t": {"type": "loki", "location": "http://127.0.0.1:1/", "services": ["all"]}})
    daemon.act("start", "a")
    wait_for("the supervisor to notice", lambda: "cannot send lines" in daemon.said("stderr"), 10)
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 2
