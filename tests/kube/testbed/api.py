"""The Kubernetes API as the testbed itself needs it: JSON in and out over a kept connection for each thread, by client certificate.

It does not watch; the testbed asks again. Starting kubectl for each question would cost a tenth of a second of a core."""
import http.client
import json
import ssl
import threading


class ApiError(OSError):
    def __init__(self, status, text):
        super().__init__(f"the API server says {status}: {text}")
        self.status = status


class Api:
    def __init__(self, pki, port, host="127.0.0.1", timeout=5):
        self.host, self.port, self.timeout = host, port, timeout
        self.tls = ssl.create_default_context(cafile=pki.path("ca.crt"))
        self.tls.load_cert_chain(pki.path("admin.crt"), pki.path("admin.key"))
        self.own = threading.local()

    @property
    def connection(self):
        return getattr(self.own, "connection", None)

    @connection.setter
    def connection(self, value):
        self.own.connection = value

    def call(self, method, path, body=None, content_type="application/json"):
        """Raises OSError when there is no answer, ApiError when it is a refusal."""
        if not self.connection:
            self.connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.tls)
        data = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, path, data, {"Content-Type": content_type} if data else {})
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(f"cannot ask the API server: {error}") from error
        if answer.status >= 300:
            raise ApiError(answer.status, text)
        return json.loads(text) if text.startswith("{") else text

    def get(self, path):
        return self.call("GET", path)

    def create(self, path, body):
        return self.call("POST", path, body)

    def delete(self, path):
        return self.call("DELETE", path)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None
