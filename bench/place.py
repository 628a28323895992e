"""Where a measurement runs: the built programs, a folder of its own, and a Postgres and a Redis of its own, which are
stopped and thrown away at the end whatever happened. Needs tools/*.sh, which ./run and ./test use too."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from peers_parties import Trouble, listens

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PROGRAMS = ("wrk", "taskset", "redis-server", "psql", "bash")
PORTS = 10  # from the first on, that a measurement may use
TOOLS = """
set -euo pipefail
source "$1/tools/common.sh"; source "$1/tools/process.sh"; source "$1/tools/servers.sh"; source "$1/tools/build.sh"
work=$2
servers_place "$work"
"""


def write_config(folder, name, **values):
    """A copy of etc/nof0.yaml with other values; a key that stands in several sections is named section__key."""
    with open(f"{ROOT}/etc/nof0.yaml", encoding="utf-8") as file:
        text = file.read()
    for key, value in values.items():
        section, _, key = key.rpartition("__")
        text, count = re.subn(rf"^({section}:\n(?:[ #].*\n|\n)*?  {key}:).*$" if section else rf"^(\s+{key}:).*$",
                              rf"\g<1> {value}", text, flags=re.MULTILINE)
        if count != 1:
            raise Trouble(f"etc/nof0.yaml has {key} {count} times")
    path = f"{folder}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Place:
    """Has what peers_parties.Parties asks for: root, build, data, work and port."""

    def __init__(self, arguments):
        self.root, self.build, self.data, self.port = ROOT, arguments.build, arguments.data, arguments.port
        self.seconds = getattr(arguments, "seconds", 0)
        self.work = tempfile.mkdtemp(prefix="nof0-bench-")
        os.chmod(self.work, 0o755)
        self.dsn = self.redis_url = ""
        self.used_servers = False

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            for program in PROGRAMS:
                if not shutil.which(program):
                    raise Trouble(f"{program} is not installed (see docs/dependencies.md)")
            if os.cpu_count() < 2:
                raise Trouble("this needs two cores: one for the server, one for the load")
            self.refuse_taken_ports()
            if not self.build:
                self.build = f"{ROOT}/build/release"
                self.bash("build_preset release nof0d nof0ctl herd || "
                          '{ tail -n 20 "$ROOT/build/release.log" >&2; exit 1; }')
        except BaseException:
            self.__exit__()
            raise
        return self

    def refuse_taken_ports(self):
        """nof0d would share a port with another one (SO_REUSEPORT), and half of the requests would go astray."""
        for port in range(self.port, self.port + PORTS):
            if listens(port):
                raise Trouble(f"something listens on port {port} already; give another --port")

    def __exit__(self, *exception):
        if self.used_servers:
            stop = ('process_stop "$work/postgres.record" INT 20\nprocess_stop "$work/redis.record" TERM 10\n'
                    'servers_erase "$work"')
            subprocess.run(["bash", "-c", TOOLS + stop, "bash", ROOT, self.work], check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def bash(self, script):
        """What the script prints, run behind the project's shell tools; it sees $ROOT and $work."""
        done = subprocess.run(["bash", "-c", TOOLS + script, "bash", ROOT, self.work], stdout=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode:
            raise Trouble(f"this failed: {script.splitlines()[0]}")
        return done.stdout

    def start_servers(self, redis=True):
        self.used_servers = True
        self.dsn = self.bash('postgres_start "$work/postgres.record" "$work/postgres.log" >&2 || '
                             '{ tail -n 5 "$work/postgres.log" >&2; exit 1; }\n'
                             "postgres_role nof0 >&2\npostgres_dsn nof0").strip()
        if redis:
            self.redis_url = self.bash('redis_start "$work/redis.record" "$work/redis.log" >&2\nredis_url').strip()

    def put_postgres_aside(self, core):
        """Postgres as if on a machine of its own: on one core, and there only when nobody else runs. What it takes of the
        cores that are measured is nothing then, but answers to it may come late."""
        with open(f"{self.work}/postgres.record", encoding="ascii") as record:
            postmaster = int(record.read().split()[0])
        with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as children:
            servers = [postmaster, *map(int, children.read().split())]
        for pid in servers:  # those that it starts later inherit both
            os.sched_setaffinity(pid, {core})
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))

    def settings(self):
        """The environment variables of etc/nof0.yaml that lead to the servers."""
        return {"NOF0_POSTGRES_DSN": self.dsn, "NOF0_REDIS_URL": self.redis_url}

    def control(self, *words):
        """nof0ctl with these words, on the own servers; what it prints."""
        done = subprocess.run([f"{self.build}/cli/nof0ctl", "--config", f"{ROOT}/etc/nof0.yaml", *words],
                              capture_output=True, text=True, check=False, env={**os.environ, **self.settings()})
        if done.returncode:
            raise Trouble(f"nof0ctl {' '.join(words)}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def config(self, name, **values):
        return write_config(self.work, name, **values)

    def demo(self, name, *options):
        """A folder of generated legacy files."""
        folder = f"{self.work}/{name}"
        self.control("demo", *options, folder)
        return folder


def parser(description, port):
    """The options that every measurement has."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--data", metavar="DIR", help="a folder of legacy JSON files (default: generated demo data)")
    result.add_argument("--build", metavar="DIR", help="a build folder with the programs (default: builds the release)")
    result.add_argument("--port", type=int, default=port, metavar="N", help=f"the TCP port (default {port})")
    return result


def run(work, arguments):
    """work(place, arguments) in a place; one line when it could not be done."""
    try:
        with Place(arguments) as place:
            work(place, arguments)
    except (Trouble, OSError, subprocess.CalledProcessError) as trouble:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)


def how_busy():
    """What else the machine did: a number that is much above the load that we make ourselves tells of others."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} over the last minute"
