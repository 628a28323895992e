"""An HTTP server that misbehaves as it is told, and remembers what it was asked."""
import gzip
import http.server
import json
import os
import threading
import time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        path = self.path.split("?")[0]
        with server.lock:
            server.asked.append((self.path, dict(self.headers), self.client_address))
            script = server.scripts.get(path)
            action = script.pop(0) if script else None
        try:
            (action or ordinary)(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status in (204, 304):
            body = b""  # What followed would be read as the next reply of the connection.
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ordinary(handler):
    """The file that belongs to the path, without a validator."""
    name = handler.path.split("?")[0].split("/api/", 1)[1].replace("/", "-")
    path = os.path.join(handler.server.folder, name + ".json")
    if not os.path.exists(path):
        handler.reply(404, b"{}")
        return
    with open(path, "rb") as source:
        handler.reply(200, source.read())


def status(code, body=b"nothing here", kind="text/plain", **headers):
    return lambda handler: handler.reply(code, body, kind, **headers)


def text(body, **headers):
    return lambda handler: handler.reply(200, body if isinstance(body, bytes) else json.dumps(body).encode(), **headers)


def cut_off(handler):
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"trades":[')
    handler.close_connection = True


def unannounced_end(handler):
    """No length: the body ends where the connection does, in the middle of the JSON."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b'{"trades":[{"id":"a"')
    handler.close_connection = True


def silent(handler):
    """Says nothing until the client gives up or the server ends."""
    handler.server.ending.wait(60)
    handler.close_connection = True


def dripping(handler):
    """A status line, then one byte of a header line now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.ending.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def redirect(place):
    return status(302, b"", Location=place)


def zipped(document, **headers):
    return text(gzip.compress(json.dumps(document).encode()), Content_Encoding="gzip", **headers)


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that goes away is what the tests want."""


class UglyServer:
    """Answers from `folder`. scripts[path] is a list of actions that are used up first."""

    def __init__(self, folder):
        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.server.folder = folder
        self.server.asked = []
        self.server.scripts = {}
        self.server.lock = threading.Lock()
        self.server.ending = threading.Event()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def script(self, name, *actions):
        with self.server.lock:
            self.server.scripts[f"/api/{name}"] = list(actions)

    def asked(self, name=None):
        """Paths with parameters, of all requests or those of one endpoint."""
        with self.server.lock:
            return [path for path, _, _ in self.server.asked if name in (None, path.split("?")[0].split("/api/")[1])]

    def headers(self, name):
        with self.server.lock:
            return [headers for path, headers, _ in self.server.asked if path.split("?")[0] == f"/api/{name}"]

    def connections(self):
        with self.server.lock:
            return len({address for _, _, address in self.server.asked})

    def wait_asked(self, count, name):
        deadline = time.monotonic() + 60
        while len(self.asked(name)) < count:
            assert time.monotonic() < deadline, self.asked(name)
            time.sleep(0.01)

    def stop(self):
        self.server.ending.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
