"""./run as a newcomer meets it, each time with a --var of its own."""
import glob
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from support.content import load, same_content
from support.http_client import Client
from support.programs import PATIENCE_S, ROOT, environment, free_port
from support.servers import Postgres, wait_until

RUN = os.path.join(ROOT, "run")
SHORT = f"/var/tmp/nof0-{os.geteuid()}-*"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


class Place:
    """A --var folder and a port."""

    def __init__(self, var, prefix=()):
        self.var, self.prefix, self.port = var, list(prefix), free_port()

    def __call__(self, *arguments, expect=0, **settings):
        done = subprocess.run(self.prefix + [RUN, "--var", self.var, *arguments], env=environment(**settings), cwd="/",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=400)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == expect, f"exit {done.returncode}\n{out}\n{err}"
        return out if expect == 0 else err

    def start(self, *arguments, **settings):
        return self("--detach", "--port", str(self.port), *arguments, **settings)

    def start_in_front(self, *arguments):
        """The process, a group of its own as a terminal makes one: it heeds Ctrl-C also when these tests, begun behind a
        script, do not."""
        return subprocess.Popen(self.prefix + [RUN, "--var", self.var, "--port", str(self.port), *arguments],
                                env=environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, start_new_session=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def get(self, path):
        with Client("127.0.0.1", self.port) as client:
            return client.get(path)

    def answers(self):
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def pid(self, name):
        with open(os.path.join(self.var, "run", name), encoding="ascii") as record:
            return int(record.read().split()[0])


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def place(folder, request):
    one = Place(tempfile.mkdtemp(dir=folder))
    os.chmod(one.var, 0o755)
    yield one
    if os.path.exists(os.path.join(one.var, ".nof0-var")):
        one("--stop")


@pytest.fixture(scope="module", autouse=True)
def no_short_folders_left():
    """Short folders that stand for those of this module go with them; ./run itself keeps them for its next start."""
    before = set(glob.glob(SHORT))
    yield
    for path in set(glob.glob(SHORT)) - before:
        shutil.rmtree(path)


def one_line(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("run: "), text
    return lines[0]


def test_start_find_stop(place, demo):
    said = place.start("--data", demo)
    assert f"http://127.0.0.1:{place.port}/api" in said
    same_content(place.get("/api/trades").json(), load(os.path.join(demo, "trades.json")), ignore=("serverTime",))
    assert place.get("/readyz").status == 200
    pids = [place.pid(name) for name in ("nof0d", "postgres", "redis")]
    again = place.start("--data", demo)
    assert "already" in again and f"http://127.0.0.1:{place.port}/api" in again
    assert [place.pid(name) for name in ("nof0d", "postgres", "redis")] == pids
    place("--stop")
    assert not any(alive(pid) for pid in pids) and not place.answers()
    place("--stop")
    place.start("--data", demo)  # what was imported is still there, and comes in once more
    assert place.get("/api/trades").status == 200


def test_the_env_file_leads_a_shell_to_the_servers(place, demo):
    said = place.start("--data", demo)
    env = os.path.join(place.var, "env")
    assert f"source {env}" in said
    shell = subprocess.run(["bash", "-c", f'source "{env}" && cd / && nof0ctl migrate status && '
                            'psql -XAtc "SELECT count(*) FROM trades" "$NOF0_POSTGRES_DSN" && ls "$NOF0_LEGACY_DIR" && '
                            'redis-cli -s "${NOF0_REDIS_URL#unix://}" ping'], env=environment(), stdout=subprocess.PIPE,
                           check=True).stdout.decode().splitlines()
    assert str(len(load(os.path.join(demo, "trades.json"))["trades"])) in shell
    assert "trades.json" in shell and "PONG" in shell
    assert os.stat(env).st_mode & 0o77 == 0
    subprocess.run(["bash", "-c", f'source "{env}" && cd / && nof0ctl flags set switch.stream off --reason quiet'],
                   env=environment(), check=True)
    kept = os.path.join(place.var, "flags.json")
    wait_until(lambda: os.path.exists(kept) and "switch.stream" in open(kept, encoding="ascii").read(), PATIENCE_S,
               "the flags are kept")
    place("--stop")
    assert not os.path.exists(env)


def test_a_port_of_another_run(place, folder, demo):
    """nof0d listens with SO_REUSEPORT: a second one must not share the port of the first in silence."""
    place.start("--legacy", "--data", demo)
    other = Place(os.path.join(folder, "other"))
    other.port = place.port
    assert f"port {place.port} is in use" in one_line(other.start("--legacy", "--data", demo, expect=2))
    assert place.answers()


def test_default_data_is_a_demo(place):
    place.start()
    assert place.get("/api/trades").json()["trades"] and os.path.exists(os.path.join(place.var, "demo/trades.json"))


def test_legacy_needs_no_servers(place, demo):
    place.start("--legacy", "--data", demo, "--workers", "1")
    same_content(place.get("/api/trades").json(), load(os.path.join(demo, "trades.json")), ignore=("serverTime",))
    assert not os.path.exists(os.path.join(place.var, "run/postgres"))
    assert not os.path.exists(os.path.join(place.var, "run/redis"))


def test_servers_that_exist_are_used_and_left_alone(place, demo, postgres, redis):
    dsn = postgres.new_database()
    place.start("--data", demo, NOF0_POSTGRES_DSN=dsn, NOF0_REDIS_URL=redis.url)
    assert not os.path.exists(os.path.join(place.var, "run/postgres"))
    assert Postgres.query("SELECT count(*) FROM trades", dsn)[0][0] > 0
    place("--stop")
    assert postgres.answers() and redis.process.poll() is None


def test_a_server_that_exists_but_does_not_answer(place, demo, folder):
    err = place.start("--data", demo, NOF0_POSTGRES_DSN=f"host={folder}/none dbname=x", expect=2)
    assert "run: the database could not be migrated" in err
    assert not alive_anything(place)


def alive_anything(place):
    return [name for name in ("nof0d", "postgres", "redis")
            if os.path.exists(os.path.join(place.var, "run", name)) and alive(place.pid(name))]


def test_fresh_throws_the_database_away(place, demo):
    place.start("--data", demo)
    before = place.pid("nof0d")
    kept = os.path.join(place.var, "flags.json")
    with open(kept, "w", encoding="ascii") as file:
        file.write('{"version":7,"flags":{"switch.stream":{"value":"off","version":7}}}')
    place.start("--data", demo, "--fresh")
    assert not os.path.exists(kept)
    assert place.pid("nof0d") != before and place.get("/api/trades").status == 200


def test_fresh_refuses_a_folder_that_it_did_not_make(folder, demo):
    mine = os.path.join(folder, "mine")
    os.makedirs(os.path.join(mine, "postgres"))
    thing = os.path.join(mine, "postgres", "thing")
    with open(thing, "w", encoding="ascii") as out:
        out.write("precious")
    assert "was not made by ./run" in one_line(Place(mine)("--fresh", "--data", demo, expect=2))
    assert os.path.exists(thing)


def test_a_folder_too_deep_for_a_socket(folder, demo):
    deep = Place(os.path.join(folder, *["quite-a-deep-folder"] * 8))
    assert len(deep.var) > 107
    before = set(glob.glob(SHORT))
    try:
        deep.start("--data", demo)
        assert deep.get("/readyz").status == 200
        short = set(glob.glob(SHORT)) - before
        assert len(short) == 1
    finally:
        deep("--stop")
        deep("--fresh", "--legacy", "--data", demo, "--detach", "--port", str(deep.port))
        deep("--stop")
    assert not any(os.path.exists(path) for path in short), "--fresh leaves nothing of the old behind"


def test_a_folder_with_a_space(folder, demo):
    odd = Place(os.path.join(folder, "a b'c"))
    try:
        odd.start("--data", demo)
        assert odd.get("/readyz").status == 200
    finally:
        odd("--stop")


@ROOT_ONLY
def test_a_folder_that_postgres_may_not_enter(folder, demo):
    shut = os.path.join(folder, "shut")
    os.mkdir(shut, 0o700)
    inside = Place(os.path.join(shut, "var"))
    try:
        inside.start("--data", demo)
        assert inside.get("/readyz").status == 200
    finally:
        inside("--stop")


@ROOT_ONLY
def test_a_full_disk(folder, demo):
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", small], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount here")
    try:
        assert "disk is full" in one_line(Place(os.path.join(small, "var")).start("--data", demo, expect=2))
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_port_in_use(place, folder, demo):
    import socket
    with socket.socket() as other:
        other.bind(("127.0.0.1", place.port))
        other.listen()
        err = place.start("--legacy", "--data", demo, expect=2)
    assert f"port {place.port} is in use" in one_line(err)


@pytest.mark.parametrize("arguments, word", [
    (["--bananas"], "--bananas"), (["--port", "0"], "--port"), (["--port", "65536"], "--port"), (["--port", "x"], "--port"),
    (["--workers", "many"], "--workers"), (["--data"], "--data"), (["--data", "/nowhere"], "/nowhere"),
    (["--stop", "--fresh"], "--fresh"),
])
def test_bad_arguments(place, arguments, word):
    assert word in one_line(place(*arguments, expect=2))


def test_help(place):
    said = place("--help")
    for option in ("--data", "--port", "--workers", "--var", "--detach", "--stop", "--fresh", "--legacy"):
        assert option in said


def test_a_stale_record_is_nobodys_death(place, demo):
    """The recorded id belongs to another process now: it lives on, and ./run starts as if nothing had been."""
    place.start("--legacy", "--data", demo)
    os.kill(place.pid("nof0d"), signal.SIGKILL)
    wait_until(lambda: not place.answers(), 20, "nof0d is gone")
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        record = os.path.join(place.var, "run/nof0d")
        with open(record, encoding="ascii") as old:
            fields = old.read().split()
        with open(record, "w", encoding="ascii") as out:
            out.write(f"{stranger.pid} {fields[1]} {fields[2]}\n")
        place("--stop")
        assert stranger.poll() is None
        with open(record, "w", encoding="ascii") as out:
            out.write("garbage\n")
        place.start("--legacy", "--data", demo)
        assert stranger.poll() is None and place.answers()
    finally:
        stranger.kill()
        stranger.wait()


def test_everything_killed_comes_back(place, demo):
    place.start("--data", demo)
    for name in ("nof0d", "redis", "postgres"):
        os.kill(place.pid(name), signal.SIGKILL)
    time.sleep(0.3)
    place.start("--data", demo)
    assert place.get("/api/trades").status == 200


def test_ctrl_c_stops_what_was_started(place, demo):
    process = place.start_in_front("--data", demo)
    try:
        wait_until(lambda: place.answers() and place.get("/readyz").status == 200, 300, "it is ready")
        pids = [place.pid(name) for name in ("nof0d", "postgres", "redis")]
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 and err == b"", (process.returncode, out, err)
        assert not any(alive(pid) for pid in pids)
    finally:
        if process.poll() is None:
            process.kill()


def test_the_foreground_shows_warnings(place, demo):
    """Quiet when well; what the log warns of comes to the terminal."""
    process = place.start_in_front("--data", demo)
    try:
        while b"Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None, process.stderr.read()
        os.kill(place.pid("postgres"), signal.SIGKILL)
        shown = b""
        while b" warn postgres.down" not in shown:
            assert select.select([process.stderr], [], [], 60)[0], f"not on the terminal: {shown}"
            piece = os.read(process.stderr.fileno(), 65536)
            assert piece, shown
            shown += piece
        assert b" info " not in shown
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0 and not place.answers()
    finally:
        if process.poll() is None:
            process.kill()


def test_an_ipv6_address(place, demo):
    said = place.start("--legacy", "--data", demo, NOF0_HOST="::1")
    assert f"http://[::1]:{place.port}/api/trades" in said
    assert "already" in place.start("--legacy", "--data", demo, NOF0_HOST="::1")


def test_two_at_once(place, demo):
    """One starts; the other either finds it or says that one is busy."""
    command = [RUN, "--var", place.var, "--port", str(place.port), "--data", demo, "--detach"]
    both = [subprocess.Popen(command, env=environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) for _ in range(2)]
    ends = [process.communicate(timeout=300) + (process.returncode,) for process in both]
    codes = sorted(code for _, _, code in ends)
    assert codes[0] == 0 and codes[1] in (0, 2), ends
    if codes[1] == 2:
        assert any(b"another ./run is busy" in err for _, err, _ in ends), ends
    assert place.answers()


def test_a_folder_that_another_one_is_just_making(folder):
    """The other ./run comes between two looks at the folder: that is played by an `ls` that makes what it makes."""
    tools, var = os.path.join(folder, "tools"), os.path.join(folder, "just-made")
    os.mkdir(tools)
    os.mkdir(var)
    with open(os.path.join(tools, "ls"), "w", encoding="ascii") as script:
        script.write(f"#!/bin/sh\ntouch {var}/.nof0-var\nmkdir -p {var}/run\nexec /bin/ls \"$@\"\n")
    os.chmod(os.path.join(tools, "ls"), 0o755)
    Place(var)("--stop", PATH=f"{tools}:{os.environ['PATH']}")
    assert os.path.exists(os.path.join(var, ".nof0-var"))


def test_bad_data_is_told(place, demo, folder):
    bad = os.path.join(folder, "bad")
    shutil.copytree(demo, bad)
    with open(os.path.join(bad, "trades.json"), "w", encoding="ascii") as out:
        out.write("{")
    err = place.start("--data", bad, expect=2)
    assert "trades.json" in err and "could not be imported" in err
    assert not alive_anything(place)


@pytest.fixture
def newcomer():
    """An ordinary user with a home, and how to become that user."""
    name = f"nof0t{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
    home = os.path.expanduser(f"~{name}")
    try:
        prefix = ["runuser", "-u", name, "--", "env", f"HOME={home}"]
        if subprocess.run(prefix + ["test", "-x", RUN], cwd="/").returncode:
            pytest.skip("an ordinary user cannot enter this checkout")
        yield home, prefix
    finally:
        subprocess.run(["userdel", "--remove", name], stderr=subprocess.DEVNULL, check=True)


@ROOT_ONLY
@pytest.mark.parametrize("mode", [["--legacy"], []])
def test_as_an_ordinary_user(newcomer, demo, mode):
    home, prefix = newcomer
    data = os.path.join(home, "data")
    subprocess.run(["cp", "-r", demo, data], check=True)
    subprocess.run(["chmod", "-R", "a+rX", data], check=True)
    place = Place(os.path.join(home, "var"), prefix)
    try:
        place.start("--data", data, *mode)
        assert place.get("/readyz").status == 200
        assert os.stat(f"/proc/{place.pid('nof0d')}").st_uid == os.stat(home).st_uid
        same_content(place.get("/api/trades").json(), load(os.path.join(demo, "trades.json")), ignore=("serverTime",))
    finally:
        place("--stop")

