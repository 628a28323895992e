"""A client of /api/stream that reconnects as a browser does."""
import http.client
import threading
import time


class StreamClient(threading.Thread):
    """Follows one of several servers, another one after each break, from where it stopped."""

    def __init__(self, ports, topics="trades"):
        super().__init__(daemon=True)
        self.ports, self.topics = ports, topics
        self.last_id = None
        self.events = []  # (event, id, data)
        self.ids = []  # that blocks gave, and where connections began
        self.connections = 0
        self.stopping = False

    def run(self):
        turn = 0
        while not self.stopping:
            turn += 1
            try:
                self.follow(self.ports[turn % len(self.ports)])
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)

    def follow(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        try:
            connection.request("GET", f"/api/stream?topics={self.topics}", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                return
            self.connections += 1
            self.ids.append(f"connected to {port} with {self.last_id}")
            self.read(answer)
        finally:
            connection.close()

    def read(self, answer):
        event = identity = data = None
        while not self.stopping:
            try:
                line = answer.readline()
            except TimeoutError:
                return
            if not line:
                return
            line = line.rstrip(b"\r\n")
            if not line:
                self.last_id = identity or self.last_id
                if identity:
                    self.ids.append(identity)
                if event:
                    self.events.append((event, identity, data))
                event = identity = data = None
            elif not line.startswith(b":"):
                name, _, value = line.partition(b": ")
                event = value.decode() if name == b"event" else event
                identity = value.decode() if name == b"id" else identity
                data = value.decode() if name == b"data" else data

    def stop(self):
        self.stopping = True
        self.join(15)
