"""nof0d and nof0ctl as the tests run them."""
import os
import re
import signal
import socket
import subprocess
import time

from support.http_client import Client
from support.servers import wait_until

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILD = os.environ.get("NOF0_TEST_BUILD", os.path.join(ROOT, "build/asan"))
NOF0D = os.path.join(BUILD, "server/nof0d")
NOF0CTL = os.path.join(BUILD, "cli/nof0ctl")
CONFIG = os.path.join(ROOT, "etc/nof0.yaml")
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed")
# Sanitizers make a program some times slower; no test is about how fast it starts or stops.
PATIENCE_S = 60


def environment(**settings):
    """A clean environment: nothing of NOF0_* comes from outside, sanitizer options do."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR") or k.endswith("SAN_OPTIONS")}
    kept.update({k: str(v) for k, v in settings.items() if v is not None})
    return kept


def no_report(text):
    found = REPORT.search(text)
    assert not found, text[max(0, found.start() - 200):found.start() + 6000]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def ctl(*arguments, dsn=None, expect=0, **settings):
    """Runs nof0ctl. `expect`: the exit code that it must have (None: any)."""
    done = subprocess.run([NOF0CTL, "--config", CONFIG] + [str(a) for a in arguments], cwd="/",
                          env=environment(NOF0_POSTGRES_DSN=dsn, **settings), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    no_report(result.err)
    assert expect is None or result.code == expect, repr(result)
    return result


def ctl_start(*arguments, dsn=None, out=None, **settings):
    """nof0ctl as a process that the caller may kill. `out`: a file that takes its standard output."""
    with open(out or os.devnull, "ab") as file:
        return subprocess.Popen([NOF0CTL, "--config", CONFIG] + [str(a) for a in arguments], cwd="/",
                                env=environment(NOF0_POSTGRES_DSN=dsn, **settings), stdin=subprocess.DEVNULL,
                                stdout=file if out else subprocess.PIPE, stderr=subprocess.PIPE)


class Nof0d:
    """A running server. Settings are environment variables of etc/nof0.yaml; `config` replaces that file."""

    def __init__(self, folder, config=CONFIG, wait="/readyz", port=None, **settings):
        self.port = port or free_port()
        self.log_path = os.path.join(folder, f"nof0d-{self.port}.log")
        settings = {"NOF0_WORKERS": 2, "NOF0_HOST": "127.0.0.1", **settings, "NOF0_PORT": self.port}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([NOF0D, "--config", config], cwd="/", env=environment(**settings),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.stopped = False
        if wait:
            try:
                self.wait_for(wait)
            except AssertionError:
                self.process.kill()
                self.process.wait()
                raise

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_for(self, path, status=200, seconds=PATIENCE_S):
        def there():
            assert self.process.poll() is None, self.log()
            try:
                return self.get(path).status == status
            except OSError:
                return False
        try:
            wait_until(there, seconds, f"{path} answers {status}")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log()}") from None

    def client(self, **options):
        return Client("127.0.0.1", self.port, **options)

    def get(self, path, **headers):
        with self.client() as client:
            return client.get(path, **headers)

    def raw(self, data, until_close=True, seconds=20):
        """Sends bytes as they are and returns what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            back = b""
            while chunk := connection.recv(65536):
                back += chunk
                if not until_close and b"\r\n\r\n" in back:
                    break
            return back

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024

    def stop(self):
        """SIGTERM; it must end with 0 and without a sanitizer's report."""
        if self.stopped:
            return
        self.stopped = True
        code = self.process.poll()
        if code is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("no end after SIGTERM\n" + self.log()) from None
        no_report(self.log())
        assert code == 0, f"nof0d ended with {code}\n{self.log()}"


def sleep_ms(milliseconds):
    time.sleep(milliseconds / 1000)
