"""HTTP over a unix socket (or TCP) as it goes over the wire, for what a friendly client hides."""
import http.client
import json
import socket


class Connection(http.client.HTTPConnection):
    """`where`: the path of a unix socket, or (host, port)."""

    def __init__(self, where, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self.where = where

    def connect(self):
        self.sock = connect(self.where, self.timeout)


def connect(where, timeout=10):
    if isinstance(where, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(where)
        return sock
    return socket.create_connection(where, timeout)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def result(self):
        return self.json["result"]

    @property
    def message(self):
        return self.result["message"]

    @property
    def kind(self):
        return self.result.get("kind")

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.headers.get('content-type')} {self.body[:400]!r}>"


def request(where, method, path, body=None, headers=None, timeout=10, connection=None):
    """One request; `body` is sent as JSON unless it is bytes, a text or an iterator. Gives an Answer."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)) and not hasattr(body, "__next__"):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    own = connection is None
    connection = connection or Connection(where, timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        if own:
            connection.close()


def raw(where, data, timeout=5):
    """Sends bytes as they are; gives all that comes until the peer closes or is silent."""
    sock = connect(where, timeout)
    try:
        sock.sendall(data)
        got = b""
        while True:
            try:
                piece = sock.recv(65536)
            except (socket.timeout, ConnectionResetError):
                break
            if not piece:
                break
            got += piece
        return got
    finally:
        sock.close()
