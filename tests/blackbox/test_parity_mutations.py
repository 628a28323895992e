"""The detector is measured: what the API answers from the files and from Postgres, changed in one place on one side, in
every way that is told apart. Each change must be told with its class and its path, and nothing else; and without a change,
nothing."""
import collections
import os
import random

import pytest

from support import data
from support.content import load
from support.mutations import ENDPOINTS, KINDS, Document, mutation, restyled
from support.pairs import compare_all
from support.programs import ctl
from support.row_edits import TABLES, RowEdits, label

MUTATIONS = 1000
MUTATIONS_DEMO = 200 if data.HAS_REAL else MUTATIONS
# Most of the time goes to documents of so many bytes: they take one change in LARGE_TURN, a number prime to the kinds'.
LARGE = 1 << 20
LARGE_TURN = 41
RESTYLED = 150
EDIT_ROUNDS = 5
SEED = 20251026


def fetch(server, folder, source, models):
    """Every endpoint's answer in a file: [(endpoint, file)]."""
    os.makedirs(folder, exist_ok=True)
    files = []
    for endpoint, (path, _, _) in ENDPOINTS.items():
        for model in models if "{}" in path else ("",):
            reply = server.get(path.format(model))
            assert reply.status == 200, f"{path}: {reply!r}"
            file = os.path.join(folder, f"{source}-{endpoint}-{model}.json")
            with open(file, "wb") as out:
                out.write(reply.content())
            files.append((endpoint, file))
    return files


class Sides:
    """A server of each kind on the same data."""

    def __init__(self, serve, folder, dataset, dsn):
        os.makedirs(folder)
        self.folder, self.dsn = folder, dsn
        self.models = data.models(dataset) + ["no-such-model"]
        self.repo = serve(NOF0_READ="repo", NOF0_POSTGRES_DSN=dsn, NOF0_CACHE="false")
        self.legacy = fetch(serve(NOF0_READ="legacy", NOF0_LEGACY_DIR=dataset), folder, "legacy", self.models)

    def pairs(self):
        """(endpoint, answer from the files, answer from Postgres as it is now) of everything, in files."""
        repo = fetch(self.repo, self.folder, "repo", self.models)
        return [(endpoint, left, right) for (endpoint, left), (_, right) in zip(self.legacy, repo)]


def with_emoji(document):
    """No data set has one by itself, and an emoji changed into another must be told too."""
    for row in document["conversations"]:
        if "messages" in row:
            row["messages"][0]["content"] += " \U0001F4C8\U0001F680"
        else:
            row["user_prompt"] += " \U0001F4C8\U0001F680"


@pytest.fixture(scope="module")
def sides(serve_module, folder, dataset, postgres):
    source = data.copy(dataset, os.path.join(folder, "source-" + os.path.basename(dataset)))
    data.edit(source, "conversations.json", with_emoji)
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", source, dsn=dsn)
    return Sides(serve_module, os.path.join(folder, "answers-" + os.path.basename(dataset)), source, dsn)


@pytest.fixture(scope="module")
def pairs(sides):
    return sides.pairs()


def silent(pairs):
    for pair, told in zip(pairs, compare_all(pairs)):
        assert told == [], f"{pair}: {told[:5]}"


@pytest.fixture(scope="module")
def documents(pairs):
    found = []
    for endpoint, left, right in pairs:
        texts = [open(file, "rb").read() for file in (left, right)]
        found.append({"question": (endpoint, left, right), "left": Document(endpoint, texts[0]),
                      "right": Document(endpoint, texts[1])})
    return found


def test_the_same_is_silent(pairs):
    silent(pairs)


def test_every_change_is_told(documents, dataset):
    rng = random.Random(SEED)
    wanted = MUTATIONS if dataset == data.REAL else MUTATIONS_DEMO
    made, impossible = [], []
    small = [pair for pair in documents if len(pair["left"].text) < LARGE]
    large = [pair for pair in documents if pair not in small] or small
    while len(made) < wanted:
        how = KINDS[(len(made) + len(impossible)) % len(KINDS)]
        turn = large if len(made) % LARGE_TURN == 0 else small
        found = mutation(rng, turn, how) or mutation(rng, small, how)
        (made if found else impossible).append(found or how)
    # Values that a folder does not have cannot be changed; nearly all kinds must have had their turn.
    assert len(set(impossible)) <= 3 and "emoji" not in impossible, set(impossible)

    answers = compare_all([(*pair["question"], change.side, change.splice) for pair, change in made])
    missed = [f"{change.how} on the {change.side} of {pair['question'][0]}: {change.lines}, told was {told[:5]}"
              for (pair, change), told in zip(made, answers) if not change.found_by(told)]
    assert not missed, f"{len(missed)} of {len(made)}:\n" + "\n".join(missed[:10])
    counts = collections.Counter(pair["question"][0] for pair, _ in made)
    assert set(counts) == set(ENDPOINTS), counts


def test_other_spellings_are_no_change(documents):
    rng = random.Random(SEED)
    questions = []
    for _ in range(RESTYLED):
        pair = rng.choice(documents)
        side = rng.choice(("left", "right"))
        questions.append((*pair["question"], side, restyled(rng, pair[side])))
    for question, told in zip(questions, compare_all(questions)):
        assert told == [], (question, told[:5])


def test_edited_rows_are_told(sides, documents):
    """The same through Postgres: a row is edited there, and the answers differ at its place."""
    rng = random.Random(SEED)
    left = {pair["question"][0]: pair["left"] for pair in documents}
    edits = RowEdits(sides.dsn)
    made = 0
    for _ in range(EDIT_ROUNDS):
        expected = collections.defaultdict(list)
        lines = [line for endpoint in TABLES for line in edits.row(rng, endpoint, left[endpoint])]
        lines += edits.position(rng, left["positions"])
        lines += edits.analytics(rng, left["analytics_all"])
        lines += edits.conversation(rng, left["conversations"])
        for endpoint, what, path in lines:
            expected[endpoint].append((what, path))
        pairs = sides.pairs()
        for (endpoint, file, _), told in zip(pairs, compare_all(pairs)):
            name = label(endpoint, file)
            assert [(line["class"], line["path"]) for line in told] == expected[name], name
            made += len(told)
        edits.put_back()
    assert made >= 9 * EDIT_ROUNDS
    silent(sides.pairs())


def shuffled(rng, document):
    for key, rows in document.items():
        if isinstance(rows, list):
            document[key] = rng.sample(rows, len(rows))


def test_rows_in_any_order_are_silent(dataset, database, serve, folder):
    """The same order on both sides, whatever it is; with cycles instead of messages where there are some."""
    rng = random.Random(SEED)
    source = data.copy(dataset, os.path.join(folder, "shuffled-" + os.path.basename(dataset)))
    if dataset == data.REAL and data.HAS_CYCLES:
        data.write(os.path.join(source, "conversations.json"), load(data.CYCLES))
    for name in data.ENDPOINTS:
        data.edit(source, name + ".json", lambda document: shuffled(rng, document))
    ctl("import", "--quiet", source, dsn=database)
    answers = os.path.join(folder, "answers-shuffled-" + os.path.basename(dataset))
    silent(Sides(serve, answers, source, database).pairs())
