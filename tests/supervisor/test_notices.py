"""Notices, the long poll for them, and identities."""
import datetime
import threading
import time

import pytest
from ops import pebble

from herdtest.waiting import wait_for


def test_a_notice_is_recorded_with_its_data(daemon, client):
    number = client.notify(pebble.NoticeType.CUSTOM, "example.com/a", data={"k": "v"})
    notice = client.get_notice(number)
    assert (notice.key, notice.type, notice.user_id, notice.occurrences, notice.last_data) == (
        "example.com/a", pebble.NoticeType.CUSTOM, 0, 1, {"k": "v"})
    assert notice.expire_after == datetime.timedelta(days=7)


def test_the_same_key_again_is_another_occurrence_of_the_same_notice(client):
    first = client.notify(pebble.NoticeType.CUSTOM, "example.com/a", data={"n": "1"})
    assert client.notify(pebble.NoticeType.CUSTOM, "example.com/a", data={"n": "2"}) == first
    notice = client.get_notice(first)
    assert (notice.occurrences, notice.last_data) == (2, {"n": "2"}) and notice.last_repeated == notice.last_occurred


def test_repeat_after_holds_the_repetition_back(client):
    for _ in range(2):
        number = client.notify(pebble.NoticeType.CUSTOM, "example.com/a", repeat_after=datetime.timedelta(hours=1))
    notice = client.get_notice(number)
    assert notice.occurrences == 2 and notice.last_repeated == notice.first_occurred
    assert notice.repeat_after == datetime.timedelta(hours=1)


def test_notices_are_selected_by_type_and_key(daemon, client):
    client.notify(pebble.NoticeType.CUSTOM, "example.com/b")
    client.notify(pebble.NoticeType.CUSTOM, "example.com/a")
    assert [notice.key for notice in client.get_notices()] == ["example.com/b", "example.com/a"]
    assert [notice.key for notice in client.get_notices(keys=["example.com/a"])] == ["example.com/a"]
    assert client.get_notices(types=[pebble.NoticeType.CHANGE_UPDATE]) == []
    assert client.get_notices(types=["no-such-type"]) == []
    assert len(client.get_notices(users=pebble.NoticesUsers.ALL)) == 2
    assert client.get_notices(user_id=12345) == []


@pytest.mark.parametrize("body", [
    {"key": "bad"}, {"key": "Example.com/UPPER"}, {"key": "example.com/" + "x" * 300}, {"type": "change-update", "key": "example.com/a"},
    {"key": "example.com/a", "data": {"k": "x" * 5000}}, {"key": "example.com/a", "repeat-after": "zz"}, {"action": "remove", "key": "example.com/a"},
])
def test_a_wrong_notice_is_refused(daemon, body):
    assert daemon.post("/v1/notices", {"action": "add", "type": "custom", **body}).status == 400
    assert daemon.get("/v1/notices").result == []


def test_an_unknown_notice_is_404_with_its_id(daemon, client):
    with pytest.raises(pebble.APIError) as caught:
        client.get_notice("4711")
    assert (caught.value.code, caught.value.message) == (404, 'cannot find notice with ID "4711"')


def test_changes_announce_themselves_at_each_status(daemon, client):
    daemon.add(services={"a": {"command": "sleep 600"}})
    change = client.start_services(["a"])
    notice, = client.get_notices(types=[pebble.NoticeType.CHANGE_UPDATE], keys=[change])
    assert notice.user_id is None and notice.last_data == {"kind": "start"} and notice.occurrences >= 2


def test_a_failed_check_announces_itself_as_juju_expects(daemon, client):
    daemon.add(checks={"c": {"period": "50ms", "timeout": "40ms", "threshold": 1, "exec": {"command": "false"}}})
    wait_for("recovery", lambda: daemon.checks()["c"]["status"] == "down", 10)
    notices = client.get_notices(types=[pebble.NoticeType.CHANGE_UPDATE])
    failed = next(notice for notice in notices if notice.last_data["kind"] == "perform-check")
    assert failed.last_data["check-name"] == "c" and client.get_change(failed.key).status == "Error"


def test_a_long_poll_wakes_up_at_the_notice(daemon, client):
    box = []
    thread = threading.Thread(target=lambda: box.append((daemon.get("/v1/notices?timeout=20s&keys=example.com/a", timeout=30), time.monotonic())))
    thread.start()
    client.notify(pebble.NoticeType.CUSTOM, "example.com/other")
    time.sleep(0.3)
    assert not box
    sent = time.monotonic()
    client.notify(pebble.NoticeType.CUSTOM, "example.com/a")
    thread.join(10)
    answer, when = box[0]
    assert [notice["key"] for notice in answer.result] == ["example.com/a"] and when - sent < 2


def test_a_long_poll_gives_an_empty_list_in_the_end(daemon):
    begin = time.monotonic()
    answer = daemon.get("/v1/notices?timeout=300ms")
    assert (answer.status, answer.result) == (200, []) and time.monotonic() - begin >= 0.3


def test_after_is_strictly_after_the_last_repetition(daemon, client):
    client.notify(pebble.NoticeType.CUSTOM, "example.com/a")
    last = daemon.get("/v1/notices").result[0]["last-repeated"]
    assert daemon.get(f"/v1/notices?after={last.replace('+', '%2B')}").result == []
    client.notify(pebble.NoticeType.CUSTOM, "example.com/b")
    assert [notice["key"] for notice in daemon.get(f"/v1/notices?after={last.replace('+', '%2B')}").result] == ["example.com/b"]


def test_a_hundred_long_polls_wake_up_together(daemon, client):
    got = []
    threads = [threading.Thread(target=lambda: got.append(daemon.get("/v1/notices?timeout=20s", timeout=30).result)) for _ in range(100)]
    for thread in threads:
        thread.start()
    wait_for("the polls to be open", lambda: _connections(daemon) >= 100, 10)
    client.notify(pebble.NoticeType.CUSTOM, "example.com/a")
    for thread in threads:
        thread.join(20)
    assert [len(notices) for notices in got] == [1] * 100


def _connections(daemon):
    with open("/proc/net/unix") as table:
        return sum(1 for line in table if line.rstrip().endswith(daemon.socket) and " 03 " in line)


# --- identities ---------------------------------------------------------------------------------------------------------

def test_identities_are_replaced_shown_without_secrets_and_removed(daemon, client):
    client.replace_identities({"bob": {"access": "admin", "local": {"user-id": 4711}},
                               "eve": {"access": "metrics", "basic": {"password": "$6$salt$hash"}}})
    shown = client.get_identities()
    assert shown["bob"].access == pebble.IdentityAccess.ADMIN and shown["bob"].local.user_id == 4711
    assert "hash" not in daemon.get("/v1/identities").text and "*****" in daemon.get("/v1/identities").text
    client.replace_identities({"bob": None})
    assert list(client.get_identities()) == ["eve"]
    client.remove_identities(["eve"])
    assert client.get_identities() == {}


@pytest.mark.parametrize("action, identities", [
    ("add", {"bob": {"access": "king", "local": {"user-id": 1}}}),
    ("add", {"bob": {"access": "read"}}),
    ("update", {"nobody": {"access": "read", "local": {"user-id": 1}}}),
    ("remove", {"nobody": None}),
    ("zz", {}),
])
def test_a_wrong_identity_request_is_refused(daemon, action, identities):
    assert daemon.post("/v1/identities", {"action": action, "identities": identities}).status == 400
    assert daemon.get("/v1/identities").result == {}


def test_an_unknown_identity_cannot_be_removed(daemon, client):
    with pytest.raises(pebble.APIError) as caught:
        client.remove_identities(["alice"])
    assert "identities do not exist: alice" in caught.value.message


def test_identities_survive_a_restart(make):
    daemon = make()
    daemon.client().replace_identities({"bob": {"access": "read", "local": {"user-id": 4711}}})
    assert daemon.stop() == 0
    daemon.start()
    assert list(daemon.client().get_identities()) == ["bob"]
