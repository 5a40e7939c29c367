"""Services over the API, mostly through the ops client: start, stop, restart, replan, order, back-off, users."""
import os
import signal

import pytest
from ops import pebble

from herdtest import processes
from herdtest.waiting import wait_for

SLEEP = {"command": "sleep 600"}
# Writes a line at each start; SIGTERM ends it at once.
NOTING = "sh -c 'echo $$ >> {0}.pids; exec sleep 600'"


def noting(name, **fields):
    return {"command": NOTING.format(name), **fields}


def pids(daemon, name):
    return [int(line) for line in daemon.read(f"{name}.pids").split()]


def task_log(change, number=0):
    return "\n".join(change["tasks"][number].get("log") or [])


def test_an_empty_plan_has_no_services(client):
    assert client.get_services() == []


def test_a_started_service_is_active_and_says_since_when(daemon, client):
    daemon.add(services={"a": {**SLEEP, "startup": "enabled"}})
    assert client.get_services()[0].current == pebble.ServiceStatus.INACTIVE
    change = client.get_change(client.start_services(["a"]))
    assert (change.status, change.kind, change.summary, change.ready) == ("Done", "start", 'Start service "a"', True)
    service, = client.get_services(["a"])
    assert service.is_running() and service.startup == pebble.ServiceStartup.ENABLED
    assert daemon.services()["a"]["current-since"]


def test_a_good_start_takes_the_okay_window_and_parallel_starts_share_it(daemon):
    daemon.add(services={f"s{number}": SLEEP for number in range(10)})
    change = daemon.act("start", *[f"s{number}" for number in range(10)])
    assert change["status"] == "Done"
    assert change["summary"] == 'Start service "s0" and 9 more'
    assert len(change["tasks"]) == 10


def test_starting_a_running_service_is_done_at_once_and_says_so(daemon):
    daemon.add(services={"a": SLEEP})
    daemon.act("start", "a")
    change = daemon.act("start", "a")
    assert change["status"] == "Done" and 'INFO Service "a" already started.' in task_log(change)


def test_stopping_what_never_ran_or_is_stopped_is_done_and_says_so(daemon):
    daemon.add(services={"a": SLEEP})
    assert "has never been started" in task_log(daemon.act("stop", "a"))
    daemon.act("start", "a")
    assert daemon.act("stop", "a")["status"] == "Done"
    assert "already stopped" in task_log(daemon.act("stop", "a"))


def test_names_filter_the_list_and_unknown_ones_are_silently_absent(daemon, client):
    daemon.add(services={"b": SLEEP, "a": SLEEP, "c d": SLEEP})
    assert [each.name for each in client.get_services()] == ["a", "b", "c d"]
    assert [each.name for each in client.get_services(["b", "nope", "c d"])] == ["b", "c d"]
    assert [each["name"] for each in daemon.get("/v1/services?names=a,b&names=c%20d").result] == ["a", "b", "c d"]


def test_an_unknown_service_is_refused_by_name(daemon, client):
    with pytest.raises(pebble.APIError) as caught:
        client.start_services(["nope"])
    assert caught.value.code == 400
    assert caught.value.message == 'cannot start services: service "nope" does not exist'


@pytest.mark.parametrize("body, message", [
    ({"action": "start"}, "must specify services for start action"),
    ({"action": "stop", "services": []}, "must specify services for stop action"),
    ({"action": "replan", "services": ["a"]}, "replan accepts no service names"),
    ({"action": "autostart", "services": ["a"]}, "autostart accepts no service names"),
    ({"action": "bad"}, 'invalid action "bad"'),
])
def test_a_wrong_request_is_refused_with_its_reason(daemon, body, message):
    answer = daemon.post("/v1/services", body)
    assert (answer.status, answer.message) == (400, message)


def test_autostart_without_enabled_services_has_a_kind_of_its_own(daemon):
    daemon.add(services={"a": SLEEP})
    answer = daemon.post("/v1/services", {"action": "autostart"})
    assert (answer.status, answer.kind, answer.message) == (400, "no-default-services", "no default services")


def test_autostart_starts_what_is_enabled_and_nothing_else(daemon, client):
    daemon.add(services={"a": {**SLEEP, "startup": "enabled"}, "b": SLEEP})
    client.autostart_services()
    assert {each.name: each.is_running() for each in client.get_services()} == {"a": True, "b": False}


def test_one_service_by_path_is_not_implemented(daemon):
    answer = daemon.get("/v1/services/a")
    assert (answer.status, answer.message) == (400, "not implemented")


def test_starting_takes_the_requirements_along_and_stopping_the_dependants(daemon, client):
    daemon.add(services={"a": SLEEP, "b": {**SLEEP, "requires": ["a"], "after": ["a"]}, "c": SLEEP})
    client.start_services(["b"])
    assert {name: each["current"] for name, each in daemon.services().items()} == {"a": "active", "b": "active", "c": "inactive"}
    client.stop_services(["a"])
    assert daemon.current("b") == "inactive"


def test_a_service_starts_after_what_it_requires_and_stops_before_it(daemon):
    say = "sh -c 'echo start-{0} >> order; trap \"echo stop-{0} >> order; exit 0\" TERM; while :; do sleep 0.05; done'"
    daemon.add(services={"base": {"command": say.format("base")},
                         "top": {"command": say.format("top"), "requires": ["base"], "after": ["base"]}})
    daemon.act("start", "top")
    daemon.act("stop", "base")
    assert daemon.read("order").split() == ["start-base", "start-top", "stop-top", "stop-base"]


def test_a_failed_requirement_holds_the_rest_of_its_lane(daemon):
    daemon.add(services={"base": {"command": "sh -c 'exit 1'", "on-failure": "ignore"},
                         "top": {**SLEEP, "requires": ["base"], "after": ["base"]}})
    change = daemon.act("start", "top")
    assert change["status"] == "Error"
    assert [task["status"] for task in change["tasks"]] == ["Error", "Hold"]


def test_a_restart_gives_a_new_process_of_the_named_service_only(daemon, client):
    daemon.add(services={"a": noting("a"), "b": {**noting("b"), "requires": ["a"]}})
    client.start_services(["b"])
    client.restart_services(["a"])
    assert (len(pids(daemon, "a")), len(pids(daemon, "b"))) == (2, 1)


def test_replan_restarts_what_has_changed_and_starts_what_is_enabled(daemon, client):
    daemon.add(services={"same": noting("same"), "changed": noting("changed"), "enabled": noting("enabled", startup="enabled")})
    client.start_services(["same", "changed"])
    daemon.add(label="new", services={"changed": noting("changed", environment={"X": "1"})})
    client.replan_services()
    assert {name: len(pids(daemon, name)) for name in ("same", "changed", "enabled")} == {"same": 1, "changed": 2, "enabled": 1}


def test_replan_with_nothing_to_do_is_done_at_once(daemon):
    daemon.add(services={"a": SLEEP})
    change = daemon.act("replan")
    assert (change["kind"], change["status"], change["summary"]) == ("replan", "Done", "Replan - no services")
    assert not change.get("tasks")


def test_a_quick_exit_fails_the_start_with_the_last_output_and_is_tried_again(daemon, client):
    daemon.add(services={"a": {"command": "sh -c 'echo last words; exit 3'"}})
    with pytest.raises(pebble.ChangeError) as caught:
        client.start_services(["a"])
    assert "exited quickly with code 3, will restart" in caught.value.err
    assert "last words" in str(caught.value)
    assert caught.value.err.startswith('cannot perform the following tasks:\n- Start service "a" (service start attempt: ')
    wait_for("back-off", lambda: daemon.current("a") in ("backoff", "active"), 5)


def test_a_program_that_does_not_exist_is_named(daemon):
    daemon.add(services={"a": {"command": "no-such-program-here"}})
    change = daemon.act("start", "a")
    assert change["status"] == "Error"
    assert 'cannot start service: exec: "no-such-program-here": executable file not found in $PATH' in change["err"]
    assert daemon.current("a") == "inactive"


def test_back_off_grows_by_its_factor_up_to_its_limit(daemon):
    daemon.add(services={"a": {"command": "sh -c 'date +%s.%N >> times; sleep 0.01; exit 1'", "backoff-delay": "200ms", "backoff-factor": 2.0,
                               "backoff-limit": "800ms"}})
    daemon.act("start", "a")
    wait_for("six starts", lambda: len(daemon.read("times").split()) >= 6, 15)
    times = [float(word) for word in daemon.read("times").split()]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert gaps[0] >= 0.2 and gaps[1] >= 0.4 and gaps[2] >= 0.8
    assert all(gap >= 0.8 for gap in gaps[2:5]), gaps
    daemon.act("stop", "a")


def test_an_unexpected_end_is_followed_by_a_restart(daemon):
    daemon.add(services={"a": noting("a", **{"backoff-delay": "50ms"})})
    daemon.act("start", "a")
    processes.send(pids(daemon, "a")[0], signal.SIGKILL)
    wait_for("a second start", lambda: len(pids(daemon, "a")) == 2, 5)
    daemon.wait_current("a", "active")


@pytest.mark.parametrize("command, policy, expected", [
    ("sh -c 'sleep 1.3; exit 0'", {"on-success": "ignore"}, "inactive"),
    ("sh -c 'sleep 1.3; exit 7'", {"on-failure": "ignore"}, "error"),
])
def test_an_ignored_end_is_inactive_after_success_and_error_after_failure(daemon, command, policy, expected):
    daemon.add(services={"a": {"command": command, **policy}})
    daemon.act("start", "a")
    daemon.wait_current("a", expected)


def test_stop_waits_for_the_kill_delay_and_then_kills_the_whole_group(daemon):
    daemon.add(services={"a": {"command": "sh -c 'trap \"\" TERM; sleep 600 & echo $! >> a.pids; echo $$ >> a.pids; wait; sleep 600'",
                               "kill-delay": "300ms"}})
    daemon.act("start", "a")
    family = pids(daemon, "a")
    assert daemon.act("stop", "a")["status"] == "Done"
    processes.wait_gone(family, 5)


def test_children_of_a_service_get_the_signal_too(daemon):
    daemon.add(services={"a": {"command": "sh -c 'sleep 600 & echo $! >> a.pids; wait'"}})
    daemon.act("start", "a")
    daemon.act("stop", "a")
    processes.wait_gone(pids(daemon, "a"), 5)


def test_a_signal_goes_to_the_main_process(daemon, client):
    daemon.add(services={"a": {"command": "sh -c 'trap \"echo hup >> got\" HUP; while :; do sleep 0.05; done'"}})
    client.start_services(["a"])
    client.send_signal(signal.SIGHUP, ["a"])
    wait_for("the trap", lambda: daemon.read("got") == "hup\n", 5)
    client.send_signal("SIGHUP", ["a"])
    wait_for("the trap", lambda: daemon.read("got") == "hup\nhup\n", 5)


@pytest.mark.parametrize("name, service, message", [
    ("SIGHUP", "stopped", 'cannot send signal to "stopped": service is not running'),
    ("SIGFOO", "running", 'cannot send signal to "running": invalid signal name "SIGFOO"'),
])
def test_a_signal_that_cannot_be_sent_says_why(daemon, client, name, service, message):
    daemon.add(services={"stopped": SLEEP, "running": SLEEP})
    client.start_services(["running"])
    with pytest.raises(pebble.APIError) as caught:
        client.send_signal(name, [service])
    assert (caught.value.code, caught.value.message) == (500, message)


def test_environment_directory_and_arguments_reach_the_service(daemon):
    os.mkdir(os.path.join(daemon.scratch, "there"))
    daemon.add(services={"a": {"command": "sh -c 'printf \"%s|%s|%s\" \"$GREETING\" \"$PWD\" \"$1\" > out; exec sleep 600' x [ 'two words' ]",
                               "environment": {"GREETING": "hello world", "NUMBER": 7},
                               "working-dir": os.path.join(daemon.scratch, "there")}})
    daemon.act("start", "a")
    assert daemon.read("there/out") == f"hello world|{daemon.scratch}/there|two words"


def test_no_shell_expands_a_command(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo \"$1\" > out; exec sleep 600' x $HOME"}})
    daemon.act("start", "a")
    assert daemon.read("out") == "$HOME\n"


def test_a_user_gets_his_home_his_group_and_no_others(daemon):
    os.chmod(daemon.scratch, 0o777)
    daemon.add(services={"a": {"command": "sh -c 'echo $(id -un) $(id -gn) $(id -G) $HOME $USER > out; exec sleep 600'", "user": "nobody"}})
    daemon.act("start", "a")
    assert daemon.read("out").split() == ["nobody", "nogroup", "65534", "/nonexistent", "nobody"]


def test_an_unknown_user_fails_the_start(daemon):
    daemon.add(services={"a": {**SLEEP, "user": "no-such-user"}})
    change = daemon.act("start", "a")
    assert change["status"] == "Error" and "unknown user no-such-user" in change["err"]


def test_a_start_during_back_off_begins_at_once(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo x >> tries; [ -e good ] || exit 1; exec sleep 600'", "backoff-delay": "1h",
                               "backoff-limit": "2h"}})
    daemon.act("start", "a")
    daemon.wait_current("a", "backoff")
    open(os.path.join(daemon.scratch, "good"), "w").close()
    assert daemon.act("start", "a")["status"] == "Done"
    assert daemon.current("a") == "active"


def test_a_stop_ends_a_back_off(daemon):
    daemon.add(services={"a": {"command": "sh -c 'echo x >> tries; exit 1'", "backoff-delay": "300ms", "backoff-limit": "300ms"}})
    daemon.act("start", "a")
    daemon.wait_current("a", "backoff")
    assert daemon.act("stop", "a")["status"] == "Done"
    assert daemon.current("a") == "inactive"


def test_changes_are_listed_by_state_and_by_service(daemon, client):
    daemon.add(services={"a": SLEEP, "b": SLEEP})
    change = client.start_services(["a"])
    client.start_services(["b"])
    assert client.get_changes(pebble.ChangeState.IN_PROGRESS) == []
    assert [each.id for each in client.get_changes(pebble.ChangeState.ALL, service="a")] == [change]
    assert len(client.get_changes(pebble.ChangeState.READY)) == 2
    task, = client.get_change(change).tasks
    assert (task.kind, task.status, task.progress.done, task.progress.total) == ("start", "Done", 1, 1)
    assert task.summary == 'Start service "a"' and task.spawn_time and task.ready_time


def test_a_change_under_way_can_be_waited_for_and_aborted(daemon, client):
    daemon.add(services={"a": noting("a")})
    change = client.start_services(["a"], timeout=0)
    with pytest.raises(pebble.TimeoutError):
        client.wait_change(change, timeout=0.1)
    aborted = client.abort_change(change)
    assert aborted.id == change
    assert client.wait_change(change).ready
    wait_for("the aborted start's end", lambda: not any(map(processes.alive, pids(daemon, "a"))), 5)


def test_a_ready_change_cannot_be_aborted(daemon, client):
    daemon.add(services={"a": SLEEP})
    change = client.start_services(["a"])
    with pytest.raises(pebble.APIError) as caught:
        client.abort_change(change)
    assert (caught.value.code, caught.value.message) == (400, f"cannot abort change {change} with nothing pending")


def test_services_enabled_in_layer_files_run_from_the_beginning(make):
    daemon = make(layers={"001-base.yaml": {"services": {"a": {"override": "replace", "command": "sleep 600", "startup": "enabled"}}}})
    daemon.wait_current("a", "active")


def test_with_hold_nothing_starts_by_itself(make):
    daemon = make("--hold", layers={"001-base.yaml": {"services": {"a": {"override": "replace", "command": "sleep 600",
                                                                          "startup": "enabled"}}}})
    assert daemon.current("a") == "inactive" and daemon.get("/v1/changes?select=all").result == []


def test_arguments_of_the_command_line_replace_the_default_ones(make):
    daemon = make("--args", "a", "two", "three", ";",
                  layers={"001-base.yaml": {"services": {"a": {"override": "replace", "startup": "enabled",
                                                               "command": "sh -c 'echo $@ > out; exec sleep 600' x [ one ]"}}}})
    wait_for("the output", lambda: daemon.read("out"), 5)
    assert daemon.read("out") == "two three\n"


def test_services_with_an_endless_kill_delay_are_waited_for_at_the_end(daemon):
    slow = "sh -c 'trap \"sleep 0.5; echo ended > {0}.end; exit 0\" TERM; echo ready > {0}.ready; while :; do sleep 0.05; done'"
    names = ["a", "b", "c", "d"]
    daemon.add(services={name: {"command": slow.format(name), "kill-delay": "876000h"} for name in names})
    daemon.act("start", *names)
    wait_for("the traps", lambda: all(os.path.exists(daemon.scratch + f"/{name}.ready") for name in names), 10)
    assert daemon.stop() == 0
    assert [daemon.read(f"{name}.end") for name in names] == ["ended\n"] * 4
