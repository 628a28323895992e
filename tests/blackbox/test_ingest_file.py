"""nof0ctl ingest: events from files and pipes, stopped and gone on with at any moment."""
import json
import os
import re
import signal
import subprocess

import pytest

from support import items
from support.items import KINDS, MAKERS, digest, lines
from support.programs import CONFIG, NOF0CTL, PATIENCE_S, ctl, ctl_start, environment, no_report
from support.servers import Postgres, wait_until

MANY = 100000


class Files:
    def __init__(self, folder, dsn):
        self.folder, self.dsn = folder, dsn

    def put(self, content, name="in.json", mode="wb"):
        path = os.path.join(self.folder, name)
        with open(path, mode) as out:
            out.write(content)
        return path

    def ingest(self, kind, path, *options, expect=0):
        return ctl("ingest", kind, path, *options, dsn=self.dsn, expect=expect)

    def pipe(self, kind, content, *options, expect=0):
        done = subprocess.run([NOF0CTL, "--config", CONFIG, "ingest", kind, "-", *options], input=content, cwd="/",
                              env=environment(NOF0_POSTGRES_DSN=self.dsn), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        no_report(done.stderr.decode())
        assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done

    def count(self):
        return Postgres.query("SELECT count(*) FROM price_ticks", self.dsn)[0][0]


@pytest.fixture
def files(tmp_path, database):
    return Files(str(tmp_path), database)


def summary(result):
    """(accepted, duplicate, rejected, from which byte)"""
    found = re.search(r": (\d+) accepted, (\d+) duplicate, (\d+) rejected(?:, from byte (\d+) on)?\n", result.out)
    assert found, repr(result)
    return tuple(int(number or 0) for number in found.groups())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(files, kind):
    path = files.put(lines(MAKERS[kind](number) for number in range(3)))
    assert summary(files.ingest(kind, path)) == (3, 0, 0, 0)
    path = files.put(json.dumps([MAKERS[kind](number) for number in range(4)]).encode(), "array.json")
    assert summary(files.ingest(kind, path)) == (1, 3, 0, 0)


@pytest.mark.parametrize("form, expected", [
    (b"", 0), (b" \n\n", 0), (b"[]", 0), (b" [ ]\n", 0),
    (json.dumps(items.tick(1)).encode(), 1),
    (json.dumps(items.tick(1)).encode() + b"\r\n", 1),
    (json.dumps(items.tick(1), indent=2).encode() + b"\n", 1),
    (b"\n" + lines(items.tick(i) for i in range(3)).replace(b"\n", b"\n\n"), 3),
    (json.dumps([items.tick(i) for i in range(3)], indent=1).encode(), 3),
])
def test_forms(files, form, expected):
    assert summary(files.ingest("prices", files.put(form))) == (expected, 0, 0, 0)
    assert f": 0 accepted, {expected} duplicate, 0 rejected\n" in files.pipe("prices", form).stdout.decode()
    assert files.count() == expected


def test_what_was_rejected_is_told_by_line_or_index(files):
    good = json.dumps(items.tick(1)).encode()
    path = files.put(good + b"\n\n{}\n[1]\n" + good + b"\n" + json.dumps(items.tick(1, price=7)).encode() + b"\n", "a.txt")
    result = files.ingest("prices", path, expect=1)
    assert summary(result) == (1, 1, 3, 0)
    told = result.err.splitlines()
    assert told[0] == "a.txt:3: invalid $.symbol: is missing"
    assert told[1] == "a.txt:4: invalid $: must be an object, is an array"
    assert told[2].startswith("a.txt:6: conflict $: ") and len(told) == 3
    result = files.ingest("prices", files.put(b"[" + good + b",{}]"), "--quiet", expect=1)
    assert result.out == "" and result.err == "in.json[1]: invalid $.symbol: is missing\n"


def test_a_hundred_are_told(files):
    result = files.ingest("prices", files.put(b"{}\n" * 250), expect=1)
    told = result.err.splitlines()
    assert len(told) == 101 and told[-1] == "in.json: and 150 more"
    assert summary(result) == (0, 0, 250, 0)


def test_arrays_that_cannot_be_taken_apart(files):
    good = json.dumps(items.tick(1)).encode()
    result = files.ingest("prices", files.put(b"[" + good + b",{"), expect=1)
    assert summary(result)[0] == 1 and "the array does not end" in result.err
    result = files.ingest("prices", files.put(b"[" + good + b"] x", "b.json"), expect=1)
    assert "something follows the array" in result.err
    before = files.count()
    result = files.ingest("prices", files.put(b"[" + json.dumps(items.tick(2)).encode() + b"} ", "c.json"), "--atomic",
                          expect=1)
    assert files.count() == before


# --- going on ---

def test_a_file_that_has_grown(files):
    """Below and beyond the 64 KiB by which it is known again."""
    path = files.put(lines(items.tick(i) for i in range(10)))
    assert summary(files.ingest("prices", path)) == (10, 0, 0, 0)
    assert files.ingest("prices", path).out == "in.json: nothing new; 10 items were taken in before\n"
    at = 10
    for more in (1, 2000, 3, 3000):
        size = os.path.getsize(path)
        files.put(lines(items.tick(i) for i in range(at, at + more)), mode="ab")
        at += more
        assert summary(files.ingest("prices", path)) == (more, 0, 0, size)
    assert files.ingest("prices", path).out == f"in.json: nothing new; {at} items were taken in before\n"
    assert Postgres.query("SELECT kind, bytes_done, items_done FROM ingest_files", files.dsn) == [
        ("prices", os.path.getsize(path), at)]
    assert summary(files.ingest("prices", path, "--restart")) == (0, at, 0, 0)


def test_a_file_is_known_by_its_beginning_and_kind(files):
    path = files.put(lines(items.tick(i) for i in range(3)))
    assert summary(files.ingest("prices", path)) == (3, 0, 0, 0)
    assert summary(files.ingest("prices", files.put(lines(items.tick(i) for i in range(1, 4))))) == (1, 2, 0, 0)
    moved = files.put(lines(items.tick(i) for i in range(4)), "moved.json")  # the first, grown elsewhere
    assert summary(files.ingest("prices", moved))[:3] == (0, 1, 0)
    assert summary(files.ingest("trades", moved, expect=1))[:3] == (0, 0, 4)


def test_two_files_that_began_alike(files):
    """A file that was known by one line is known by more once it has more."""
    first = files.put(lines([items.tick(1)]), "first")
    files.ingest("prices", first)
    files.put(lines(items.tick(i) for i in range(2, 100)), "first", "ab")
    assert summary(files.ingest("prices", first))[0] == 98
    second = files.put(lines([items.tick(1)] + [items.tick(i) for i in range(200, 300)]), "second")
    assert summary(files.ingest("prices", second)) == (100, 1, 0, 0)


def test_a_last_line_that_is_not_finished(files):
    whole = lines([items.tick(1), items.tick(2)])
    path = files.put(whole[:-20])
    result = files.ingest("prices", path, expect=1)
    assert summary(result) == (1, 0, 1, 0) and result.err.startswith("in.json:2: invalid ")
    files.put(whole)
    assert summary(files.ingest("prices", path))[:3] == (1, 0, 0)
    files.put(lines([items.tick(3)])[:-1], mode="ab")  # whole, but for its end
    assert summary(files.ingest("prices", path))[:3] == (1, 0, 0)
    files.put(b"\n" + lines([items.tick(4)]), mode="ab")
    assert summary(files.ingest("prices", path))[:3] == (1, 0, 0)


def test_an_array_that_has_grown(files):
    path = files.put(json.dumps([items.tick(i) for i in range(5)], indent=1).encode())
    assert summary(files.ingest("prices", path)) == (5, 0, 0, 0)
    files.put(json.dumps([items.tick(i) for i in range(8)], indent=1).encode())
    accepted, duplicate, rejected, _ = summary(files.ingest("prices", path))
    assert (accepted, rejected) == (3, 0) and duplicate in (0, 5)  # its end is another beginning while it is short


@pytest.fixture
def big(files):
    return files.put(b"".join(b'{"symbol":"S%d","price":%d.5,"timestamp":%d}\n' % (i % 50, i + 1, 1700000000000 + i)
                              for i in range(MANY)))


def test_killed_at_any_moment(files, big):
    """Whatever was committed is not taken in again, whatever was not is."""
    for share in (0, 0.2, 0.5, 0.8):
        process = ctl_start("ingest", "prices", big, dsn=files.dsn)
        try:
            wait_until(lambda: files.count() > MANY * share or process.poll() is not None, PATIENCE_S, "some are stored")
        finally:
            process.kill()
            process.communicate()
    stored = files.count()
    done = Postgres.query("SELECT bytes_done, items_done FROM ingest_files", files.dsn)
    assert stored > MANY * 0.8 and done[0][1] == stored
    result = files.ingest("prices", big)
    if stored < MANY:
        assert summary(result) == (MANY - stored, 0, 0, done[0][0])
    assert files.count() == MANY


def test_postgres_goes_away(folder, template, tmp_path, big):
    own = Postgres(os.path.join(folder, "pg-file"), template)
    try:
        dsn = own.new_database()
        ctl("migrate", "up", dsn=dsn)
        process = ctl_start("ingest", "prices", big, dsn=dsn)
        own_files = Files(str(tmp_path), dsn)
        wait_until(lambda: own_files.count() > 0 or process.poll() is not None, PATIENCE_S, "some are stored")
        own.kill()
        out, err = process.communicate(timeout=PATIENCE_S)
        if process.returncode != 0:  # else it was done before
            assert process.returncode == 2 and b"ingest: Postgres: " in err, err
            assert b"accepted" in out
        own.start()
        own_files.ingest("prices", big)
        assert own_files.count() == MANY
    finally:
        own.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_two_batches(files, big, number):
    process = ctl_start("ingest", "prices", big, dsn=files.dsn)
    wait_until(lambda: files.count() > 0 or process.poll() is not None, PATIENCE_S, "some are stored")
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    no_report(err.decode())
    assert process.returncode == 2 and b"ingest: stopped" in err and b"goes on from there" in err
    stored = files.count()
    assert f"in.json: {stored} accepted, 0 duplicate, 0 rejected" in out.decode()
    assert summary(files.ingest("prices", big))[:3] == (MANY - stored, 0, 0)


# --- pipes ---

def test_what_came_through_a_pipe_is_stored_while_more_is_awaited(files):
    process = subprocess.Popen([NOF0CTL, "--config", CONFIG, "ingest", "prices", "-"], cwd="/", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(NOF0_POSTGRES_DSN=files.dsn))
    for number in range(3):
        process.stdin.write(lines([items.tick(number)]) + b'{"symbol":')
        process.stdin.flush()
        wait_until(lambda: files.count() == number + 1, PATIENCE_S, "it is stored")
        process.stdin.write(b'"x"}\n')
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (1, 2) and b"3 accepted" in out, (out, err)
    assert Postgres.query("SELECT count(*) FROM ingest_files", files.dsn) == [(0,)]


def test_a_long_array_through_a_pipe(files, big):
    with open(big, "rb") as source:
        content = b"[" + source.read().rstrip().replace(b"\n", b" ,\n") + b"]"
    assert f"{MANY} accepted" in files.pipe("prices", content).stdout.decode()
    assert files.count() == MANY


# --- all or nothing ---

def test_atomic(files, postgres):
    before = digest(postgres, files.dsn)
    path = files.put(lines(items.tick(i) for i in range(5000)) + b"{}\n")
    result = files.ingest("prices", path, "--atomic", expect=1)
    assert summary(result) == (0, 0, 5001, 0)
    assert "in.json:5001: invalid $.symbol: is missing" in result.err or "and 4901 more" in result.err
    assert digest(postgres, files.dsn) == before
    path = files.put(lines(items.tick(i) for i in range(5000)))
    assert summary(files.ingest("prices", path, "--atomic")) == (5000, 0, 0, 0)
    assert "nothing new" in files.ingest("prices", path, "--atomic").out
    with open(path, "r+b") as out:
        out.truncate(64 * 1024 * 1024 + 1)
    assert "64 MiB" in files.ingest("prices", path, "--atomic", expect=2).err


# --- what cannot run ---

def test_what_cannot_run(files, postgres, tmp_path):
    good = files.put(lines([items.tick(1)]))
    for arguments, said in (
            (["prices"], "which file"), ([], "which kind"), (["orders", good], "no kind"),
            (["prices", good, "more"], "not understood"), (["prices", good, "--loudly"], "not understood"),
            (["--schema"], "which kind"), (["--schema", "prices", good], "no file"), (["--schema", "orders"], "no kind"),
            (["prices", str(tmp_path / "none")], "No such file"), (["prices", str(tmp_path)], "is a folder")):
        assert said in ctl("ingest", *arguments, dsn=files.dsn, expect=2).err, arguments
    assert "Postgres" in ctl("ingest", "prices", good, expect=2).err
    assert "Postgres" in ctl("ingest", "prices", good, dsn="host=/nowhere user=x", expect=2).err
    assert "migrate up" in ctl("ingest", "prices", good, dsn=postgres.new_database(), expect=2).err
    assert "usage: nof0ctl ingest" in ctl("ingest", "--help").out
    assert "ingest" in ctl("--help").out


def test_an_item_that_is_too_long(files):
    long = b'{"symbol":"' + b"x" * (17 << 20) + b'"}\n'
    result = files.ingest("prices", files.put(lines([items.tick(1)]) + long), expect=2)
    assert "longer than" in result.err and summary(result)[0] == 1
