"""The servers of bench/peers: how each is started, asked and stopped. Everything they write lies in one folder."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time

SERVER_CORE = 0
LOAD_CORE = 1


class Trouble(Exception):
    """Something that ends the run, said in one line."""


def get(port, target, headers=None, method="GET"):
    """(status, headers, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def whole_reply(port, target, headers):
    """All bytes of one reply, its head too, as they came."""
    lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall("\r\n".join(lines + ["", ""]).encode())
        stream = client.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                raise Trouble(f"{target}: half a reply")
            head += line
        size = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        has_body = size and not head.startswith(b"HTTP/1.1 304")
        return head + (stream.read(int(size[1])) if has_body else b"")


def metrics(port):
    """{name with labels: number} of /metrics once the workers have told what they did: they do so four times a second."""
    time.sleep(0.6)
    lines = get(port, "/metrics")[2].decode().splitlines()
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def pinned(core, command):
    """The command on that core; None: on any."""
    return command if core is None else ["taskset", "-c", str(core), *command]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_metric(party, name, good, seconds=30):
    """Until good(number of the metric) holds; returns all metrics."""
    until = time.monotonic() + seconds
    while True:
        numbers = metrics(party.port)
        if good(numbers.get(name, 0)):
            return numbers
        if time.monotonic() > until:
            raise Trouble(f"{party.name}: {name} stays {numbers.get(name)}")


def check_answer(party, path, headers, status, size):
    """The party answers so, with a body of that size. webdis may still hand out what wrk asked for and did not wait for: it
    gets more than one chance."""
    found = "nothing"
    for _ in range(5):
        try:
            got, _, body = get(party.port, path, headers)
            if got == status and len(body) == size:
                return
            found = f"{got} and {len(body)} bytes"
        except http.client.HTTPException as fault:
            found = str(fault)
        time.sleep(0.2)
    raise Trouble(f"{party.name} answers {path} {headers} with {found}, not {status} and {size} bytes")


class Party:
    """One running server program."""

    def __init__(self, name, port, command, log, env=None, core=SERVER_CORE):
        self.name, self.port, self.log = name, port, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(pinned(core, command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env={**os.environ, **(env or {})})

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, target, wanted=200, seconds=30):
        """Until `target` answers as wanted."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if get(self.port, target)[0] == wanted:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise Trouble(f"{self.name} did not get ready: {log.read()[-500:].strip()}")

    def cpu_seconds(self):
        """User and system time of the whole process so far (proc(5): fields 14 and 15)."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        """Resident memory."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Door:
    """One of several ports of a party."""

    def __init__(self, party, port):
        self.party, self.port, self.name = party, port, party.name

    def cpu_seconds(self):
        return self.party.cpu_seconds()


class Parties:
    """All that run; stops them at the end in the opposite order, whatever happened."""

    def __init__(self, place):
        self.place = place  # the parsed arguments: root, build, data, work, port
        self.running = []
        self.redis_party = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for party in reversed(self.running):
            party.stop()

    def start(self, name, offset, command, **more):
        party = Party(name, self.place.port + offset, command, f"{self.place.work}/{name}.log", **more)
        self.running.append(party)
        return party

    def nof0d(self, read="legacy", offset=0, config=None, settings=None, name="nof0d", core=SERVER_CORE):
        """One worker, unless `settings`, further environment variables of etc/nof0.yaml, say otherwise. Several at once
        need names and offsets of their own."""
        place = self.place
        env = {"NOF0_READ": read, "NOF0_LEGACY_DIR": place.data, "NOF0_PORT": str(place.port + offset),
               "NOF0_WORKERS": "1", **(settings or {})}
        for unwanted in ("NOF0_POSTGRES_DSN", "NOF0_REDIS_URL"):
            env.setdefault(unwanted, "")
        command = [f"{place.build}/server/nof0d", "--config", config or f"{place.root}/etc/nof0.yaml"]
        return self.start(name, offset, command, env=env, core=core).wait_for("/readyz")

    def nginx(self, files, offset=1):
        """Serves `files` ({name: (plain, gzip)}) as a careful administrator would make it serve them."""
        folder = f"{self.place.work}/nginx"
        os.makedirs(f"{folder}/www")
        for name, (plain, gzip) in files.items():
            for path, content in ((name, plain), (f"{name}.gz", gzip)):
                if not content:
                    continue
                with open(f"{folder}/www/{path}", "wb") as file:
                    file.write(content)
        with open(f"{folder}/nginx.conf", "w", encoding="ascii") as conf:
            conf.write(f"""daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 12000; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/json;
    sendfile on; tcp_nopush on; open_file_cache max=100 inactive=1h; open_file_cache_valid 1h; gzip_static on;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{self.place.port + offset} backlog=4096; root {folder}/www; }}
}}
""")
        for path, _, names in os.walk(folder):
            os.chmod(path, 0o755)
            for name in names:
                os.chmod(os.path.join(path, name), 0o644)
        command = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"]
        return self.start("nginx", offset, command).wait_for("/" + next(iter(files)))

    def floor(self, replies, offset=3):
        """Doors behind which these bytes are all that there is (bench/floor.c), one each."""
        paths = []
        for number, reply in enumerate(replies):
            paths.append(f"{self.place.work}/floor-{number}")
            with open(paths[-1], "wb") as file:
                file.write(reply)
        port = self.place.port + offset
        party = self.start("floor", offset, [f"{self.place.build}/bench/floor", str(port), *paths])
        until = time.monotonic() + 10
        for number in range(len(paths)):
            while not listens(port + number):
                if time.monotonic() > until or party.process.poll() is not None:
                    raise Trouble(f"floor did not start; see {party.log}")
                time.sleep(0.02)
        return [Door(party, port + number) for number in range(len(paths))]

    def redis_socket(self):
        return f"{self.place.work}/redis.sock"

    def redis(self):
        """The one Redis of all parties, on the server's core."""
        if self.redis_party:
            return self.redis_party
        socket = self.redis_socket()
        redis = self.start("redis", 0, ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
                                        "--appendonly", "no", "--dir", self.place.work])
        until = time.monotonic() + 10
        while not os.path.exists(socket):
            if time.monotonic() > until or redis.process.poll() is not None:
                raise Trouble(f"redis-server did not start; see {redis.log}")
            time.sleep(0.02)
        self.redis_party = redis
        return redis

    def webdis(self, values, offset=2):
        """webdis before the Redis, which gets `values` ({key: bytes}); None when it is not installed. Only webdis' own
        time counts as its time."""
        if not shutil.which("webdis"):
            print("webdis is not installed; its rows are left out")
            return None
        self.redis()
        socket = self.redis_socket()
        for key, value in values.items():
            subprocess.run(["redis-cli", "-s", socket, "-x", "SET", key], input=value, check=True,
                           stdout=subprocess.DEVNULL)
        conf = f"{self.place.work}/webdis.json"
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"""{{"redis_host": "{socket}", "redis_port": 0, "http_host": "127.0.0.1",
"http_port": {self.place.port + offset}, "threads": 1, "pool_size": 16, "daemonize": false, "websockets": false,
"database": 0, "http_max_request_size": 8192, "verbosity": 0, "logfile": "{self.place.work}/webdis-own.log"}}""")
        party = self.start("webdis", offset, ["webdis", conf])
        return party.wait_for("/GET/" + next(iter(values)) + ".txt")
