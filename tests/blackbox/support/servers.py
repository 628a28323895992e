"""Private Postgres and Redis on unix sockets, killed and frozen at will."""
import os
import shutil
import signal
import subprocess
import time

import psycopg2

PG_BIN = "/usr/lib/postgresql/15/bin"
QUICK_PLACE_BYTES = 6 << 30  # some times what all the tests' servers hold at once


def as_service(command):
    """Postgres refuses to be root."""
    return ["runuser", "-u", "postgres", "--"] + command if os.geteuid() == 0 else command


def run_as_service(command, **options):
    return subprocess.run(as_service(command), cwd="/", check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def make_service_dir(path):
    os.mkdir(path)
    os.chmod(path, 0o700)
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    return path


def quick_place():
    """Where the servers' files stand: in memory where a machine has plenty, since the tests make some thousand files
    for each cluster and throw them away. A killed process leaves them as it leaves a disk's."""
    shared = "/dev/shm"
    try:
        room = os.statvfs(shared)
        with open("/proc/meminfo", encoding="ascii") as info:
            unused_kb = next(int(line.split()[1]) for line in info if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return "/tmp"
    plenty = min(room.f_bavail * room.f_frsize, unused_kb * 1024) >= QUICK_PLACE_BYTES
    return shared if plenty and os.access(shared, os.W_OK) else "/tmp"


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.02)


class Postgres:
    """One cluster. `home` must not exist; `template` is a folder made by initdb_template."""

    OPTIONS = ("listen_addresses=", "shared_buffers=64MB", "max_connections=200", "logging_collector=off",
               "log_min_messages=warning")

    def __init__(self, home, template, durable=False):
        make_service_dir(home)
        self.home = home
        self.data = os.path.join(home, "data")
        self.sockets = make_service_dir(os.path.join(home, "s"))
        self.durable = durable
        self.process = None
        self.databases = 0
        run_as_service(["cp", "-a", template, self.data])
        self.start()

    def start(self):
        options = list(self.OPTIONS) + [f"unix_socket_directories={self.sockets}"]
        if not self.durable:
            options += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        command = [f"{PG_BIN}/postgres", "-D", self.data, "-p", "5432"]
        for option in options:
            command += ["-c", option]
        log = os.open(os.path.join(self.home, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        # setpriv becomes Postgres, while runuser would stay as its parent and take the signals.
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + command
        self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
        os.close(log)
        wait_until(self.answers, 30, "Postgres accepts connections")

    def answers(self):
        assert self.process.poll() is None, open(os.path.join(self.home, "log"), encoding="utf-8").read()
        try:
            psycopg2.connect(self.dsn("postgres", "postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def dsn(self, database="nof0", user="nof0"):
        return f"host={self.sockets} port=5432 user={user} dbname={database}"

    def new_database(self):
        """The DSN of an empty database that the ordinary role nof0 owns."""
        self.databases += 1
        name = f"t{self.databases}"
        self.query(f"CREATE DATABASE {name} OWNER nof0", self.dsn("postgres", "postgres"))
        return self.dsn(name)

    @staticmethod
    def query(sql, dsn, *values):
        connection = psycopg2.connect(dsn)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def family(self):
        """The postmaster and its children."""
        pids = [self.process.pid]
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
                pids += [int(pid) for pid in children.read().split()]
        except OSError:
            pass
        return pids

    def signal_all(self, number):
        for pid in self.family():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """kill -9, of everyone, as when a machine's memory runs out."""
        self.signal_all(signal.SIGKILL)
        self.process.wait(10)

    def freeze(self):
        self.signal_all(signal.SIGSTOP)

    def thaw(self):
        self.signal_all(signal.SIGCONT)

    def stop(self):
        """The end of the cluster, with its files: nothing has to be written any more."""
        if self.process.poll() is None:
            self.thaw()
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home, ignore_errors=True)


def initdb_template(path):
    """A cluster with the role nof0, ready to be copied."""
    os.mkdir(path)
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    data = os.path.join(path, "data")
    run_as_service([f"{PG_BIN}/initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                    "--locale=C.UTF-8", "--no-sync"])
    subprocess.run(as_service([f"{PG_BIN}/postgres", "--single", "-D", data, "postgres"]), cwd="/", check=True,
                   input=b"CREATE ROLE nof0 LOGIN\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return data


class Redis:
    """One Redis without a TCP port that keeps nothing."""

    def __init__(self, home):
        os.mkdir(home)
        self.home = home
        self.socket = os.path.join(home, "redis.sock")
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no", "--dir",
             self.home, "--logfile", os.path.join(self.home, "log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: os.path.exists(self.socket), 20, "Redis has its socket")

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)
