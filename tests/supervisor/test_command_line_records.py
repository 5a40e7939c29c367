"""The command line: changes, tasks, notices, warnings and identities."""
import json
import re
import subprocess
import time

import yaml

from herdtest import paths
from herdtest.tables import rows


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
