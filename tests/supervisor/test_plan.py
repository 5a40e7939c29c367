"""Layers, and the plan they make: merging, rendering, and what is refused with which words."""
import json

import pytest
import yaml
from ops import pebble

from herdtest import unix_http


def plan(daemon):
    return daemon.get("/v1/plan?format=yaml").result


def add_text(daemon, text, label="test", **more):
    return daemon.post("/v1/layers", {"action": "add", "combine": True, "label": label, "format": "yaml", "layer": text, **more})


def test_the_empty_plan_is_an_empty_object(daemon, client):
    assert plan(daemon) == "{}\n"
    assert client.get_plan().services == {}


def test_the_plan_is_rendered_in_the_order_of_the_fields_with_four_blanks(daemon):
    assert add_text(daemon, """
checks:
    up:
        http: {url: "http://localhost:1/"}
        override: replace
        threshold: 3
        level: ready
services:
    web:
        environment: {PORT: 80, FLAG: yes, NAME: "x"}
        requires: [db]
        command: sleep [ 1 ]
        override: merge
        startup: enabled
        summary: The web
        on-failure: shutdown
        kill-delay: 1500ms
        backoff-factor: 1.5
        after: [db]
        user: nobody
    db: {override: replace, command: sleep 2}
log-targets:
    t: {override: merge, labels: {b: "2", a: $X}, services: [all, -db], location: "http://x", type: loki}
""").status == 200
    assert plan(daemon) == """\
services:
    db:
        override: replace
        command: sleep 2
    web:
        summary: The web
        startup: enabled
        override: merge
        command: sleep [ 1 ]
        after:
            - db
        requires:
            - db
        environment:
            FLAG: "yes"
            NAME: x
            PORT: "80"
        user: nobody
        on-failure: shutdown
        backoff-factor: 1.5
        kill-delay: 1.5s
checks:
    up:
        override: replace
        level: ready
        threshold: 3
        http:
            url: http://localhost:1/
log-targets:
    t:
        type: loki
        location: http://x
        services:
            - all
            - -db
        override: merge
        labels:
            a: $X
            b: "2"
"""


def test_services_come_back_exactly_as_the_client_wrote_them(daemon, client):
    layer = pebble.Layer({"services": {
        "postgresql": {"override": "replace", "summary": "x", "command": "patroni /etc/x.yml", "startup": "enabled", "on-failure": "ignore",
                       "user": "nobody", "group": "nogroup", "environment": {"A": "1", "B": "y"}},
        "pgbackrest server": {"override": "replace", "summary": "s", "command": "pgbackrest server", "startup": "disabled"},
        "later": {"override": "replace", "command": "true", "after": ["postgresql"]}}})
    client.add_layer("postgresql", layer, combine=True)
    assert client.get_plan().services == layer.services


def test_a_second_layer_merges_field_by_field_and_appends_lists(daemon, client):
    daemon.add("one", services={"a": {"command": "one", "environment": {"A": "1", "B": "1"}, "after": ["x"], "summary": "kept"}})
    daemon.add("two", services={"a": {"override": "merge", "command": "two", "environment": {"B": "2"}, "after": ["y"]}})
    service = client.get_plan().services["a"]
    assert (service.command, service.summary, service.environment, service.after) == ("two", "kept", {"A": "1", "B": "2"}, ["x", "y"])
    assert service.override == "replace"


def test_override_replace_forgets_what_was_there(daemon, client):
    daemon.add("one", services={"a": {"command": "one", "summary": "gone"}})
    daemon.add("two", services={"a": {"command": "two"}})
    service = client.get_plan().services["a"]
    assert (service.command, service.summary) == ("two", "")


def test_a_label_is_taken_once_unless_it_is_combined(daemon, client):
    client.add_layer("x", {"services": {"a": {"override": "replace", "command": "one"}}})
    with pytest.raises(pebble.APIError) as caught:
        client.add_layer("x", {"services": {}})
    assert (caught.value.code, caught.value.message) == (400, 'layer "x" already exists')
    client.add_layer("x", {"services": {"a": {"override": "merge", "summary": "more"}}}, combine=True)
    assert client.get_plan().services["a"].to_dict() == {"override": "replace", "command": "one", "summary": "more"}


def test_labels_of_the_api_need_not_look_like_file_names(daemon, client):
    client.add_layer("Any Label_at all", {"services": {"a": {"override": "replace", "command": "one"}}}, combine=True)
    assert "a" in client.get_plan().services


def test_a_reserved_label_is_refused(daemon):
    answer = add_text(daemon, "{}", label="pebble-x")
    assert answer.status == 400 and answer.message == 'cannot use reserved label prefix "pebble-"'


SERVICE = 'services: {x: {override: replace, command: "sleep 1"%s}}'
CHECK = "checks: {c: {override: replace%s}}"
TARGET = "log-targets: {c: {override: replace%s}}"


@pytest.mark.parametrize("layer, message", [
    ("services: {x: {override: replace}}", 'plan must define "command" for service "x"'),
    ("services: {x: {command: a}}", 'layer "test" must define "override" for service "x"'),
    ("services: {x: {override: add, command: a}}", 'layer "test" has invalid "override" value for service "x"'),
    ("services: {x: }", 'cannot parse layer YAML: service object cannot be null for service "x"'),
    ("checks: {c: }", 'cannot parse layer YAML: check object cannot be null for check "c"'),
    ("nonsense: 1", 'unknown section "nonsense"'),
    ("services: {x: {override: replace, command: a, bogus: 1}}", "field bogus not found"),
    ("services: {x: {override: replace, command: \"a 'b\"}}",
     'plan service "x" command invalid: cannot parse service "x" command: EOF found when expecting closing quote'),
    (SERVICE % ", on-failure: foo", 'plan service "x" on-failure action "foo" invalid'),
    (SERVICE % ", on-success: foo", 'plan service "x" on-success action "foo" invalid'),
    (SERVICE % ", on-check-failure: {c: foo}", 'plan service "x" on-check-failure action "foo" invalid'),
    (SERVICE % ", backoff-factor: 0.5", 'plan service "x" backoff-factor must be 1.0 or greater, not 0.5'),
    (SERVICE % ", kill-delay: 5", 'invalid duration "5"'),
    (SERVICE % ", requires: [zz]", 'service "zz" does not exist'),
    ("services: {a: {override: replace, command: s, before: [b]}, b: {override: replace, command: s, before: [a]}}",
     "services in before/after loop: a, b"),
    (SERVICE % ", workload: w", 'workload "w": not defined for service "x"'),
    (CHECK % "", 'plan must specify one of "http", "tcp", or "exec" for check "c"'),
    (CHECK % ", http: {}", 'plan must set "url" for http check "c"'),
    (CHECK % ", tcp: {}", 'plan must set "port" for tcp check "c"'),
    (CHECK % ", exec: {}", 'plan must set "command" for exec check "c"'),
    (CHECK % ", level: x, tcp: {port: 1}", 'plan check "c" level must be "alive" or "ready"'),
    (CHECK % ", startup: x, tcp: {port: 1}", 'plan check "c" startup must be "enabled" or "disabled"'),
    (CHECK % ", period: 0s, tcp: {port: 1}", 'plan check "c" period must not be zero'),
    (CHECK % ", timeout: 0s, tcp: {port: 1}", 'plan check "c" timeout must not be zero'),
    (CHECK % ", exec: {command: a, service-context: no}", 'plan check "c" service context specifies non-existent service "no"'),
    (TARGET % ", type: foo, location: l", 'log target "c" has unsupported type "foo", must be "loki", "opentelemetry" or "syslog"'),
    (TARGET % ", type: loki", 'plan must define "location" for log target "c"'),
    (TARGET % ", type: loki, location: l, services: [zz]", 'log target "c" specifies unknown service "zz"'),
    (TARGET % ", type: loki, location: l, labels: {pebble_x: y}", 'label "pebble_x" uses reserved prefix "pebble_"'),
    ("services: [", "cannot parse layer"),
])
def test_a_wrong_layer_is_refused_with_its_reason_and_changes_nothing(daemon, layer, message):
    answer = add_text(daemon, layer)
    assert answer.status == 400 and message in answer.message, answer
    assert plan(daemon) == "{}\n"


@pytest.mark.parametrize("body, status", [
    ({"action": "remove", "label": "x", "format": "yaml", "layer": "{}"}, 400),
    ({"action": "add", "label": "", "format": "yaml", "layer": "{}"}, 400),
    ({"action": "add", "label": "x", "format": "json", "layer": "{}"}, 400),
])
def test_a_layer_request_must_be_an_add_with_a_label_in_yaml(daemon, body, status):
    assert daemon.post("/v1/layers", body).status == status


def test_the_plan_is_given_as_yaml_only(daemon):
    assert daemon.get("/v1/plan").status == 400
    assert daemon.get("/v1/plan?format=json").status == 400


def test_layer_files_are_merged_in_the_order_of_their_numbers(make):
    def layer(command, **more):
        return {"services": {"a": {"override": "merge", "command": command, **more}}}
    daemon = make(layers={"002-second.yaml": layer("second", summary="two"), "001-first.yaml": layer("first", description="one"),
                          "003-more.d/001-third.yaml": layer("third"), "README": "not a layer"})
    service = yaml.safe_load(plan(daemon))["services"]["a"]
    assert (service["command"], service["summary"], service["description"]) == ("third", "two", "one")


@pytest.mark.parametrize("names", [["1-short.yaml"], ["001-UPPER.yaml"], ["001-one.yaml", "001-two.yaml"]])
def test_the_supervisor_does_not_start_with_badly_named_layer_files(make, names):
    daemon = make(layers={name: "{}" for name in names}, start=False).start(wait=False)
    assert daemon.wait(10) == 1
    assert "layer filename" in daemon.said("stderr")


def test_a_layer_goes_into_a_sub_directory_only_when_it_says_inner(make):
    def layer(command):
        return json.dumps({"services": {"a": {"override": "merge", "command": command}}})
    daemon = make(layers={"001-sub.d/001-base.yaml": layer("inside"), "002-last.yaml": layer("last")})
    refused = add_text(daemon, layer("new"), label="sub/new")
    assert "cannot insert sub-directory layer without 'inner' attribute set" in refused.message
    assert add_text(daemon, layer("new"), label="sub/new", inner=True).status == 200
    assert yaml.safe_load(plan(daemon))["services"]["a"]["command"] == "last"


def test_a_layer_of_the_limits_size_is_taken_and_an_endless_one_is_refused(daemon):
    many = {f"service-{number:05}": {"override": "replace", "command": "sleep 600"} for number in range(3000)}
    daemon.add(services={name: fields for name, fields in many.items()})
    assert len(daemon.services()) == 3000
    answer = unix_http.raw(daemon.socket, b"POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{", 5)
    assert answer == b"" or answer.split()[1] in (b"413", b"400")


def test_yaml_that_explodes_is_refused_quickly(daemon):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
    assert add_text(daemon, bomb).status == 400
    assert daemon.get("/v1/health").status == 200
