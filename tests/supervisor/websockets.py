"""The websockets of exec, one by one, as a client that does not follow the script would use them."""
import json

import websocket

from herdtest import unix_http


def open_socket(daemon, task, name, timeout=10):
    sock = unix_http.connect(daemon.socket, timeout)
    return websocket.create_connection(f"ws://localhost/v1/tasks/{task}/websocket/{name}", timeout=timeout, socket=sock)


def start(daemon, *command, **fields):
    """POST /v1/exec: (change, task)."""
    answer = daemon.post("/v1/exec", {"command": list(command), **fields})
    assert answer.status == 202, answer
    return answer.json["change"], answer.result["task-id"]


def read_all(stdio):
    """Everything until the end marker."""
    got = b""
    while True:
        message = stdio.recv()
        if isinstance(message, str):
            if json.loads(message).get("command") == "end":
                return got
            raise AssertionError(f"unexpected text {message!r}")
        if not message:
            return got
        got += message


def end(stdio):
    stdio.send(json.dumps({"command": "end"}))
