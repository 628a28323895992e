"""Answers that say which edition of the data they are, and the servers that give them."""
import os
import signal
import time

import pytest

from support import data
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.servers import Redis, wait_until


def settled(server, name):
    """A counter when all workers have told about all that was asked before: they do so every quarter of a second."""
    time.sleep(1)
    return metrics(server)[name]


@pytest.fixture
def redis_server(folder, request):
    server = Redis(os.path.join(folder, "redis-" + request.node.name[5:20]))
    yield server
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()


class Editions:
    """A folder whose leaderboard says in each equity which edition it is, imported again and again."""

    def __init__(self, demo, path, dsn, redis):
        self.path, self.dsn, self.redis = data.copy(demo, path), dsn, redis
        self.number = 0

    def publish(self):
        self.number += 1

        def change(document):
            for row in document["leaderboard"]:
                row["equity"] = self.number
        data.edit(self.path, "leaderboard.json", change)
        ctl("import", "--quiet", "--only", "leaderboard", self.path, dsn=self.dsn, NOF0_REDIS_URL=self.redis.url)
        return self.number


def edition_of(reply):
    """Which one; a mixture is a fault."""
    assert reply.status == 200, repr(reply)
    numbers = {row["equity"] for row in reply.json()["leaderboard"]}
    assert len(numbers) == 1, numbers
    return numbers.pop()


@pytest.fixture
def editions(demo, folder, database, redis_server, request):
    ctl("import", "--quiet", demo, dsn=database)
    return Editions(demo, os.path.join(folder, "editions-" + request.node.name[5:20]), database, redis_server)


@pytest.fixture
def pair(serve, database, redis_server):
    return [serve(NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url) for _ in range(2)]


def heard(server):
    wait_until(lambda: metrics(server)["nof0_cache_announcements_heard"] == 1, PATIENCE_S, "announcements are heard")
