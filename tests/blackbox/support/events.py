"""A client of the live stream, and a filler of the stream in Redis."""
import http.client
import json
import time

KEY = "nof0:live:events"


class Event:
    def __init__(self, fields):
        self.id, self.event, self.data = fields.get("id"), fields.get("event"), fields.get("data")

    def __repr__(self):
        return f"{self.id} {self.event} {self.data}"


class Events:
    """One open stream. Iterate for its events; the end of the stream ends the iteration."""

    def __init__(self, server, query="", last=None, timeout=60):
        self.timeout = timeout
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
        self.connection.request("GET", "/api/stream" + query, headers={"Last-Event-ID": last} if last else {})
        self.reply = self.connection.getresponse()
        self.status, self.headers = self.reply.status, self.reply.headers
        self.last = last  # as a browser keeps it
        self.comments, self.retry = [], None
        if self.status == 200:
            self.block()
            assert self.comments == ["connected"] and self.retry == "2000", (self.comments, self.retry)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()
        self.reply.close()

    def block(self):
        """The fields up to the next empty line, or None at the end."""
        fields = {}
        while True:
            line = self.reply.readline()
            if not line:
                assert not fields, f"the stream ends within {fields}"
                return None
            line = line.decode()
            assert line.endswith("\n")
            if line == "\n":
                break
            name, _, value = line[:-1].partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "":
                self.comments.append(value)
                continue
            assert name in ("id", "event", "data", "retry") and name not in fields, line
            fields[name] = value
        self.retry = fields.pop("retry", self.retry)
        self.last = fields.get("id", self.last)
        return fields

    def __iter__(self):
        return self

    def __next__(self):
        latest = time.monotonic() + self.timeout
        while True:
            fields = self.block()
            if fields is None:
                raise StopIteration
            assert time.monotonic() < latest, "only comments come"
            if "data" in fields:
                json.loads(fields["data"])
                return Event(fields)

    def take(self, count):
        return [next(self) for _ in range(count)]


def add(redis, number, topic="prices", model="", data=None, item=0):
    redis("XADD", KEY, f"{number}-{item}", "topic", topic, "model", model, "data",
          json.dumps({"n": number}) if data is None else data)
