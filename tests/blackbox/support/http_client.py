"""A small HTTP client on the standard library: one connection, kept alive, every header visible."""
import gzip
import http.client

from support.content import parse


class Reply:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def header(self, name):
        """Its value, or None. A header that must stand alone and came twice is a fault."""
        values = self.headers.get_all(name) or []
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def content(self):
        """The body as bytes, unpacked."""
        return gzip.decompress(self.body) if self.header("Content-Encoding") == "gzip" else self.body

    def json(self):
        assert self.header("Content-Type").split(";")[0] == "application/json", self.header("Content-Type")
        return parse(self.content())

    def error(self):
        """The error object of an error's answer, checked for its form."""
        document = self.json()
        assert set(document) == {"error"}, document
        error = document["error"]
        assert {"code", "message"} <= set(error) <= {"code", "message", "param"}, error
        assert error["code"] and error["message"], error
        return error

    def __repr__(self):
        return f"{self.status} {self.reason}\n{self.headers}\n{self.body[:500]!r}"


class Client:
    def __init__(self, host, port, timeout=60):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def request(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body=body, headers=headers or {})
        answer = self.connection.getresponse()
        return Reply(answer.status, answer.reason, answer.headers, answer.read())

    def get(self, path, **headers):
        """Header names with "_" for "-"."""
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
