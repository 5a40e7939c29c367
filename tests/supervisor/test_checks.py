"""Checks: how they run, what they are as changes, and what health says."""
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ops import pebble

from herdtest.waiting import wait_for

FAST = {"period": "100ms", "timeout": "90ms"}


@pytest.fixture
def web():
    """An HTTP server whose status can be set; it keeps the headers of the last request."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen = dict(self.headers)
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(b"what it said\n")

        def log_message(self, *_):
            pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.seen = 200, {}
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def switch(daemon, **more):
    """An exec check that is up while the file `good` is there."""
    return {**FAST, "exec": {"command": f"sh -c 'echo it says; test -e {daemon.scratch}/good'"}, **more}


def turn(daemon, good):
    path = os.path.join(daemon.scratch, "good")
    if good:
        open(path, "w").close()
    else:
        os.unlink(path)


def changes(daemon, kind):
    return [change for change in daemon.get("/v1/changes?select=all").result if change["kind"] == kind]


def test_a_check_of_each_type_goes_up(daemon, client, web):
    listener = socket.create_server(("127.0.0.1", 0))
    daemon.add(checks={"web": {**FAST, "http": {"url": web.url, "headers": {"X-Who": "me"}}},
                       "port": {**FAST, "level": "alive", "tcp": {"port": listener.getsockname()[1]}},
                       "program": {**FAST, "level": "ready", "exec": {"command": "true"}}})
    for name in ("web", "port", "program"):
        daemon.wait_check(name, "up with a success", lambda check: check["status"] == "up" and check.get("successes", 0) > 0)
    assert web.seen["X-Who"] == "me"
    assert [check.name for check in client.get_checks()] == ["port", "program", "web"]
    assert [check.name for check in client.get_checks(level=pebble.CheckLevel.ALIVE)] == ["port"]
    assert [check.name for check in client.get_checks(names=["web", "port"])] == ["port", "web"]
    check, = client.get_checks(names=["program"])
    assert (check.level, check.threshold, check.failures, check.startup) == (
        pebble.CheckLevel.READY, 3, 0, pebble.CheckStartup.ENABLED)
    assert check.change_id and check.has_run
    listener.close()


def test_a_running_check_is_a_change_for_ever_in_progress(daemon, client):
    daemon.add(checks={"c": {"exec": {"command": "true"}}})
    change, = client.get_changes(pebble.ChangeState.IN_PROGRESS)
    assert (change.kind, change.status, change.summary) == ("perform-check", "Doing", 'Perform exec check "c"')
    assert client.get_checks()[0].change_id == change.id


def test_threshold_failures_turn_a_check_down_and_a_success_turns_it_up(daemon, client):
    turn(daemon, True)
    daemon.add(checks={"c": switch(daemon, threshold=2)})
    daemon.wait_check("c", "up", lambda check: check.get("successes", 0) > 0)
    first = daemon.checks()["c"]["change-id"]
    turn(daemon, False)
    down = daemon.wait_check("c", "down", lambda check: check["status"] == "down")
    assert down["failures"] >= 2 and down["change-id"] != first
    failed = client.get_change(first)
    assert failed.status == "Error" and "exit status 1; it says" in failed.err
    recover, = changes(daemon, "recover-check")
    assert (recover["status"], recover["summary"]) == ("Doing", 'Recover exec check "c"')
    turn(daemon, True)
    up = daemon.wait_check("c", "up again", lambda check: check["status"] == "up")
    assert up.get("failures", 0) == 0
    assert client.get_change(recover["id"]).status == "Done"


@pytest.mark.parametrize("status, message", [(500, "non-2xx status code 500; what it said"), (404, "non-2xx status code 404")])
def test_an_http_check_tells_the_status_and_the_body(daemon, client, web, status, message):
    web.status = status
    daemon.add(checks={"c": {**FAST, "threshold": 1, "http": {"url": web.url}}})
    daemon.wait_check("c", "down", lambda check: check["status"] == "down")
    assert message in changes(daemon, "perform-check")[0]["err"]


def test_a_slow_check_times_out_with_its_children(daemon):
    daemon.add(checks={"c": {"period": "300ms", "timeout": "100ms", "threshold": 1,
                             "exec": {"command": f"sh -c 'echo $$ >> {daemon.scratch}/pids; sleep 600'"}}})
    daemon.wait_check("c", "down", lambda check: check["status"] == "down")
    assert "check timed out after 100ms" in changes(daemon, "perform-check")[0]["err"]


def test_a_refused_port_is_told_in_words(daemon):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    daemon.add(checks={"c": {**FAST, "threshold": 1, "tcp": {"port": port}}})
    daemon.wait_check("c", "down", lambda check: check["status"] == "down")
    assert "connection refused" in changes(daemon, "perform-check")[0]["err"]


def test_stopped_checks_are_inactive_without_a_change_and_start_again(daemon, client):
    daemon.add(checks={"a": {**FAST, "exec": {"command": "true"}}, "b": {**FAST, "exec": {"command": "true"}}})
    assert client.stop_checks(["b", "a"]) == ["a", "b"]
    assert client.stop_checks(["a"]) == []
    assert {check.name: (check.status, bool(check.change_id)) for check in client.get_checks()} == {
        "a": (pebble.CheckStatus.INACTIVE, False), "b": (pebble.CheckStatus.INACTIVE, False)}
    assert client.start_checks(["a"]) == ["a"]
    assert client.get_checks(names=["a"])[0].status == pebble.CheckStatus.UP
    assert client.start_checks(["a"]) == []


def test_an_unknown_check_is_refused(daemon, client):
    with pytest.raises(pebble.APIError) as caught:
        client.start_checks(["zz"])
    assert (caught.value.code, caught.value.message) == (400, "cannot start checks: cannot find checks in plan: zz")


def test_a_disabled_check_waits_until_it_is_started(daemon, client):
    daemon.add(checks={"c": {**FAST, "startup": "disabled", "exec": {"command": "true"}}})
    check, = client.get_checks()
    assert (check.status, check.startup) == (pebble.CheckStatus.INACTIVE, pebble.CheckStartup.DISABLED)
    client.start_checks(["c"])
    daemon.wait_check("c", "a success", lambda check: check.get("successes", 0) > 0)


def test_replan_starts_enabled_stopped_checks_and_no_disabled_ones(daemon, client):
    daemon.add(services={"a": {"command": "sleep 600", "startup": "enabled"}},
               checks={"on": {"exec": {"command": "true"}}, "off": {"startup": "disabled", "exec": {"command": "true"}}})
    client.stop_checks(["on"])
    client.replan_services()
    assert {check.name: check.status.value for check in client.get_checks()} == {"on": "up", "off": "inactive"}


def test_the_same_layer_again_leaves_a_running_check_alone(daemon):
    check = {**FAST, "exec": {"command": "true"}, "override": "replace"}
    daemon.add(checks={"c": check})
    before = daemon.wait_check("c", "successes", lambda check: check.get("successes", 0) >= 2)
    daemon.add(checks={"c": check})
    after = daemon.checks()["c"]
    assert after["change-id"] == before["change-id"] and after["successes"] >= before["successes"]


def test_a_changed_check_starts_anew(daemon):
    daemon.add(checks={"c": {**FAST, "exec": {"command": "true"}}})
    before = daemon.wait_check("c", "successes", lambda check: check.get("successes", 0) >= 2)
    daemon.add(checks={"c": {**FAST, "period": "1h", "exec": {"command": "true"}}})
    after = daemon.checks()["c"]
    assert after["change-id"] != before["change-id"] and after.get("successes", 0) == 0


def test_refresh_runs_a_check_now(daemon):
    turn(daemon, True)
    daemon.add(checks={"c": switch(daemon, period="1h", threshold=1)})
    answer = daemon.post("/v1/checks/refresh", {"name": "c"})
    assert answer.status == 200 and answer.result["info"]["successes"] == 1 and not answer.result.get("error")
    turn(daemon, False)
    answer = daemon.post("/v1/checks/refresh", {"name": "c"})
    assert answer.result["info"]["status"] == "down" and "exit status 1" in answer.result["error"]
    assert daemon.post("/v1/checks/refresh", {"name": "zz"}).status == 404


def health(daemon, query=""):
    answer = daemon.get(f"/v1/health{query}")
    return answer.status, answer.json.get("result", {}).get("healthy")


def test_health_is_good_without_checks(daemon):
    assert health(daemon) == (200, True)


def test_health_follows_the_levels(daemon):
    daemon.add(checks={"ready": switch(daemon, level="ready", threshold=1), "alive": {**FAST, "level": "alive", "exec": {"command": "true"}},
                       "plain": {**FAST, "exec": {"command": "true"}}})
    wait_for("ill health", lambda: health(daemon) == (502, False), 10)
    assert health(daemon, "?level=ready") == (502, False)
    assert health(daemon, "?level=alive") == (200, True)
    assert health(daemon, "?names=alive,plain") == (200, True)
    assert health(daemon, "?names=ready") == (502, False)
    assert daemon.get("/v1/health").json["type"] == "sync"
    turn(daemon, True)
    wait_for("good health", lambda: health(daemon) == (200, True), 10)


def test_an_alive_check_that_is_down_is_not_ready_either(daemon):
    daemon.add(checks={"alive": switch(daemon, level="alive", threshold=1)})
    wait_for("ill health", lambda: health(daemon, "?level=alive") == (502, False), 10)
    assert health(daemon, "?level=ready") == (502, False)


def test_a_check_without_level_counts_only_when_no_level_is_asked_for(daemon):
    daemon.add(checks={"plain": switch(daemon, threshold=1)})
    wait_for("ill health", lambda: health(daemon) == (502, False), 10)
    assert (health(daemon, "?level=alive"), health(daemon, "?level=ready")) == ((200, True), (200, True))


def test_an_unknown_level_is_refused(daemon):
    assert daemon.get("/v1/health?level=zz").status == 400
    assert daemon.get("/v1/checks?level=zz").status == 400


def test_a_failed_check_restarts_its_service(daemon):
    turn(daemon, True)
    daemon.add(services={"a": {"command": "sh -c 'echo $$ >> a.pids; exec sleep 600'", "on-check-failure": {"c": "restart"},
                               "backoff-delay": "50ms"}},
               checks={"c": switch(daemon, threshold=1)})
    daemon.act("start", "a")
    turn(daemon, False)
    wait_for("a second start", lambda: len(daemon.read("a.pids").split()) >= 2, 10)


def test_the_checks_of_a_daemon_appear_in_its_metrics(daemon):
    daemon.add(services={"a": {"command": "sleep 600"}}, checks={"c": {**FAST, "exec": {"command": "true"}}})
    daemon.act("start", "a")
    daemon.wait_check("c", "a success", lambda check: check.get("successes", 0) > 0)
    lines = daemon.get("/v1/metrics").text.splitlines()
    assert 'pebble_service_active{service="a"} 1' in lines and 'pebble_service_start_count{service="a"} 1' in lines
    assert 'pebble_check_up{check="c"} 1' in lines and 'pgherd_log_lines_lost_total{service="a"} 0' in lines
    assert any(line.startswith('pebble_check_success_count{check="c"} ') for line in lines)
