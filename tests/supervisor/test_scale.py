"""Many services, many followers of a log, and changes of all kinds cut off by SIGKILL."""
import json
import os
import random
import re
import selectors
import threading
import time

import pytest

from herdtest import processes, unix_http


def test_five_hundred_services_start_replan_and_stop(daemon):
    names = [f"service-{number:03}" for number in range(500)]
    daemon.add(services={name: {"command": "sleep 600", "startup": "enabled"} for name in names})
    begin = time.monotonic()
    assert daemon.act("replan", wait=60)["status"] == "Done"
    started = time.monotonic() - begin
    assert [each["current"] for each in daemon.services().values()] == ["active"] * 500
    family = processes.descendants(daemon.pid)
    assert len(family) == 500
    daemon.add(label="more", services={name: {"override": "merge", "environment": {"X": "1"}} for name in names[:250]})
    assert daemon.act("replan", wait=60)["status"] == "Done"
    again = processes.descendants(daemon.pid)
    assert len(again) == 500 and len(set(again) & set(family)) == 250
    begin = time.monotonic()
    assert daemon.act("stop", *names, wait=60)["status"] == "Done"
    print(f"500 services: started in {started:.1f} s, stopped in {time.monotonic() - begin:.1f} s")
    assert processes.descendants(daemon.pid) == []


class Followers:
    """Many open GET /v1/logs?follow=true, read by one thread: what each has got is kept as bytes."""

    def __init__(self, daemon, count):
        self.selector = selectors.DefaultSelector()
        self.bytes = [bytearray() for _ in range(count)]
        self.sockets = []
        for number in range(count):
            sock = unix_http.connect(daemon.socket)
            sock.sendall(b"GET /v1/logs?follow=true&n=-1 HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ, self.bytes[number])
            self.sockets.append(sock)

    def read_until(self, marker, deadline):
        """Until everyone has seen the marker in its last bytes."""
        end = time.monotonic() + deadline
        waiting = {id(each) for each in self.bytes}
        while waiting and time.monotonic() < end:
            for key, _ in self.selector.select(0.1):
                try:
                    piece = key.fileobj.recv(1 << 18)
                except BlockingIOError:
                    continue
                assert piece, "the supervisor has closed a follower"
                key.data.extend(piece)
                if marker in key.data[-len(piece) - len(marker):]:
                    waiting.discard(id(key.data))
        assert not waiting, f"{len(waiting)} followers have not seen the end within {deadline} s"

    def numbers(self, follower):
        """The numbers in the lines, in the order they came."""
        return [int(number) for number in re.findall(rb'"message":"line (\d+)"', unchunked(bytes(self.bytes[follower])))]

    def close(self):
        for sock in self.sockets:
            sock.close()


def unchunked(answer):
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"200" in head.split(b"\r\n")[0] and b"chunked" in head.lower(), head
    body = bytearray()
    at = 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            return bytes(body[:body.rfind(b"\n") + 1])
        size = int(rest[at:end], 16)
        body += rest[end + 2:end + 2 + size]
        at = end + 2 + size + 2


def test_a_hundred_followers_lose_no_line_that_was_still_in_the_ring(daemon):
    # 400 lines fit into the ring several times over: whoever reads between the bursts must have every one of them.
    bursts, lines = 10, 400
    daemon.add(services={"a": {"command": f"sh -c 'i=0; while [ $i -lt {bursts} ]; do while [ ! -e go-$i ]; do sleep 0.01; done; "
                                          f"seq -f \"line %.0f\" $((i * {lines} + 1)) $(((i + 1) * {lines})); echo end-$i; i=$((i + 1)); done; "
                                          "exec sleep 600'"}})
    daemon.act("start", "a")
    followers = Followers(daemon, 100)
    try:
        for burst in range(bursts):
            open(os.path.join(daemon.scratch, f"go-{burst}"), "w").close()
            followers.read_until(b"end-%d" % burst, 20)
        expected = list(range(1, bursts * lines + 1))
        for follower in range(100):
            assert followers.numbers(follower) == expected
    finally:
        followers.close()


def test_a_hundred_followers_of_a_flood_get_ordered_lines_and_the_whole_end_while_health_answers(daemon):
    daemon.add(services={"a": {"command": "sh -c 'while [ ! -e go ]; do sleep 0.01; done; seq -f \"line %.0f\" 1 100000; echo the-end; "
                                          "exec sleep 600'"}})
    daemon.act("start", "a")
    followers = Followers(daemon, 100)
    times, done = [], threading.Event()

    def ask_health():
        connection = unix_http.Connection(daemon.socket)
        while not done.is_set():
            begin = time.monotonic()
            assert daemon.request("GET", "/v1/health", connection=connection).status == 200
            times.append(time.monotonic() - begin)
            time.sleep(0.005)
        connection.close()
    asking = threading.Thread(target=ask_health)
    asking.start()
    try:
        open(os.path.join(daemon.scratch, "go"), "w").close()
        followers.read_until(b"the-end", 60)
    finally:
        done.set()
        asking.join()
        followers.close()
    for follower in range(100):
        numbers = followers.numbers(follower)
        assert all(after > before for before, after in zip(numbers, numbers[1:])), "lines came twice or out of order"
        # The last of them were all in the ring when nothing more was written.
        assert numbers[-200:] == list(range(99_801, 100_001))
    times.sort()
    p99 = times[int(len(times) * 0.99)]
    print(f"health during the flood: p99 {p99 * 1000:.1f} ms of {len(times)}")
    assert p99 < 1, "bench/supervisor says what it is on a quiet machine"


def test_kill_at_two_hundred_random_moments_leaves_a_readable_state_with_all_that_was_acknowledged(make):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    daemon = make()
    acknowledged = {"notices": {}, "changes": {}, "identities": set(), "gone": set(), "services": set()}
    for life in range(200):
        daemon.add(label="base", services={name: {"command": "sleep 600"} for name in ("a", "b")})
        worker = threading.Thread(target=change_things, args=(daemon, life, chance.randrange(1 << 32), acknowledged))
        worker.start()
        time.sleep(chance.random() * 0.08)
        left_behind = daemon.kill()
        worker.join(10)
        processes.kill_all(left_behind)
        daemon.start()
        if life % 5 == 4:
            verify(daemon, acknowledged, f"life {life}, seed {seed}")
    verify(daemon, acknowledged, f"seed {seed}")
    assert sum(times for _, times in acknowledged["notices"].values()) > 200 and len(acknowledged["changes"]) > 50


def change_things(daemon, life, seed, acknowledged):
    chance = random.Random(seed)
    connection = unix_http.Connection(daemon.socket)

    def post(path, body):
        return daemon.request("POST", path, body, connection=connection)
    try:
        for step in range(10_000):
            choice = chance.randrange(5)
            if choice == 0:
                key = f"example.com/n{chance.randrange(60)}"
                answer = post("/v1/notices", {"action": "add", "type": "custom", "key": key})
                if answer.status == 200:
                    number, times = acknowledged["notices"].get(key, (None, 0))
                    assert number in (None, answer.result["id"])
                    acknowledged["notices"][key] = (answer.result["id"], times + 1)
            elif choice == 1:
                answer = post("/v1/services", {"action": chance.choice(["start", "stop", "restart"]), "services": [chance.choice("ab")]})
                if answer.status == 202:
                    assert answer.json["change"] not in acknowledged["changes"], "a change's number was given twice"
                    acknowledged["changes"][answer.json["change"]] = life
            elif choice == 2:
                name = f"user{life}x{step}"
                if post("/v1/identities", {"action": "add", "identities": {name: {"access": "read", "local": {"user-id": 10000 + life * 50 + step}}}}).status == 200:
                    acknowledged["identities"].add(name)
            elif choice == 3 and acknowledged["identities"]:
                name = chance.choice(sorted(acknowledged["identities"]))
                acknowledged["identities"].discard(name)  # unknown until it is acknowledged
                if post("/v1/identities", {"action": "remove", "identities": {name: None}}).status == 200:
                    acknowledged["gone"].add(name)
            else:
                name = f"s{chance.randrange(20)}"
                if post("/v1/layers", {"action": "add", "combine": True, "label": f"l{chance.randrange(5)}", "format": "yaml",
                                       "layer": json.dumps({"services": {name: {"override": "replace", "command": "true"}}})}).status == 200:
                    acknowledged["services"].add(name)
    except (OSError, ValueError, unix_http.http.client.HTTPException):
        pass  # killed in the middle
    finally:
        connection.close()


def verify(daemon, acknowledged, where):
    notices = {notice["key"]: notice for notice in daemon.get("/v1/notices?types=custom").result}
    for key, (number, times) in acknowledged["notices"].items():
        assert key in notices, f"{where}: notice {key} is lost"
        assert notices[key]["id"] == number and notices[key]["occurrences"] >= times, f"{where}: {notices[key]}"
    changes = {change["id"] for change in daemon.get("/v1/changes?select=all").result}
    lost = set(acknowledged["changes"]) - changes
    # The book of changes is pruned to the last 1000.
    if len(changes) < 900:
        assert not lost, f"{where}: changes {sorted(lost, key=int)} are lost"
    services = set(daemon.services())
    assert acknowledged["services"] <= services, f"{where}: the layers of {acknowledged['services'] - services} are lost"
    identities = set(daemon.get("/v1/identities").result)
    assert acknowledged["identities"] <= identities, f"{where}: identities {acknowledged['identities'] - identities} are lost"
    assert not acknowledged["gone"] & identities, f"{where}: identities {acknowledged['gone'] & identities} are back"


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 4096, b'{"data": 7}'])
def test_a_state_that_cannot_be_read_is_said_or_put_aside_but_never_a_crash(make, content):
    daemon = make()
    daemon.client().replace_identities({"bob": {"access": "read", "local": {"user-id": 4711}}})
    assert daemon.stop() == 0
    for name in os.listdir(daemon.home):
        if "state" in name:
            with open(os.path.join(daemon.home, name), "wb") as file:
                file.write(content)
    daemon.start(wait=False)
    try:
        daemon.wait_ready(5)
    except AssertionError:
        assert daemon.wait(5) == 1 and "state" in daemon.said("stderr")
