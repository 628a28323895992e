"""Keeps cores awake while something is measured. A virtual machine gives a core without work back to its host, and a busy
host returns it late, by milliseconds: what is then measured of answers that take a tenth of one is the host. So one process
for each core runs where nobody else wants to, and yields whenever asked.

    with Awake((0, 1)) as awake:
        with awake.now(): ..."""

import contextlib
import os
import signal
import subprocess
import sys


class Awake:
    def __init__(self, cores):
        self.cores = cores
        self.processes = []

    def __enter__(self):
        # A session of its own: Linux shares a core among sessions first (autogroup, sched(7)).
        self.processes = [subprocess.Popen([sys.executable, __file__, str(core)], start_new_session=True)
                          for core in self.cores]
        for process in self.processes:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT | os.WEXITED)  # by itself, once it has stepped back
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()

    def signal(self, number):
        for process in self.processes:
            process.send_signal(number)

    @contextlib.contextmanager
    def now(self):
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.signal(signal.SIGSTOP)


def step_back():
    """Behind everybody else, the idle ones of other sessions, too."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write("19")
    except OSError:
        pass  # a kernel without it has no sessions to step back behind


def main():
    os.sched_setaffinity(0, {int(sys.argv[1])})
    step_back()
    parent = os.getppid()
    os.kill(os.getpid(), signal.SIGSTOP)
    while os.getppid() == parent:
        for _ in range(1000):
            os.sched_yield()


if __name__ == "__main__":
    main()
