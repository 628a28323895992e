"""Documents of the API changed in one place, and what a comparison must say of each change.

A Document knows where its rows lie in its text, so that a change is a splice: (side, offset, length, new text)."""
import copy
import json
import math
import re

from support.content import kind, parse

# name in server/endpoints.def -> (path, the member with the rows, identities in the order in which they count)
ENDPOINTS = {
    "account_totals": ("/api/account-totals", "accountTotals", ("id",)),
    "positions": ("/api/positions", "accountTotals", ("model_id",)),
    "trades": ("/api/trades", "trades", ("id",)),
    "crypto_prices": ("/api/crypto-prices", "prices", ()),
    "since_inception": ("/api/since-inception-values", "sinceInceptionValues", ("id",)),
    "leaderboard": ("/api/leaderboard", "leaderboard", ("id",)),
    "analytics_all": ("/api/analytics", "analytics", ("id", "model_id")),
    "analytics_one": ("/api/analytics/{}", "analytics", ()),
    "conversations": ("/api/conversations", "conversations", ("id", "model_id")),
}
BLANKS = re.compile(r"[ \n\t\r]*")
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.:/+@-]+")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
TIMES = re.compile(r"time|timestamp|updated_at|inserted_at|_date$")


def member(path, key):
    return f"{path}.{key}" if PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Document:
    """The text of an answer. `units`: what a change replaces: (path, offset, length) of each row, or of the one object."""

    def __init__(self, endpoint, text):
        self.endpoint = endpoint
        self.text = text
        _, self.rows_key, self.identities = ENDPOINTS[endpoint]
        self.spans = {}  # of the top's members
        self.row_spans = []
        self.in_array = False
        self.walk(text.decode("latin-1"))  # a byte a character

    def walk(self, letters):
        decoder = json.JSONDecoder()

        def skip(at):
            return BLANKS.match(letters, at).end()

        def container(at, on_item):
            close = {"[": "]", "{": "}"}[letters[at]]
            at = skip(at + 1)
            while letters[at] != close:
                at = skip(on_item(at))
                if letters[at] == ",":
                    at = skip(at + 1)
            return at + 1

        def value(at):
            return decoder.raw_decode(letters, at)[1]

        def keyed(note, descend=None):
            def item(at):
                key, behind = json.decoder.scanstring(letters, at + 1)
                start = skip(skip(behind) + 1)
                end = descend(key, start) if descend and descend(key, start) else value(start)
                note(key, start, end)
                return end
            return item

        def row(at):
            end = value(at)
            self.row_spans.append((None, at, end - at))
            return end

        def rows(key, start):
            if key != self.rows_key or self.row_spans:
                return None
            if letters[start] == "[":
                self.in_array = True
                return container(start, row)
            if self.endpoint == "crypto_prices":
                return container(start, keyed(lambda name, a, b: self.row_spans.append((name, a, b - a))))
            return None

        def top(key, start, end):
            self.spans[key] = (start, end - start)

        found = {}

        def descend(key, start):
            if start not in found:
                found[start] = rows(key, start)
            return found[start]

        container(skip(0), keyed(top, descend))
        if not self.row_spans:
            self.row_spans.append((self.rows_key, *self.spans[self.rows_key]))
        self.names = [self.name(index, self.row(index)) for index in range(len(self.row_spans))]

    def row(self, index):
        _, offset, length = self.row_spans[index]
        return parse(self.text[offset:offset + length])

    def name(self, index, row):
        """A row's path."""
        key = self.row_spans[index][0]
        if not self.in_array:
            top = "$" if self.endpoint == "analytics_one" else "$." + self.rows_key
            return member(top, key)
        for identity in self.identities:
            value = row.get(identity)
            if value is None or isinstance(value, (list, dict)):
                continue
            plain = isinstance(value, str) and PLAIN_VALUE.fullmatch(value) and not NUMBER.fullmatch(value) \
                and value not in ("true", "false")
            return f"$.{self.rows_key}[{identity}={value if plain else dump(value)}]"
        return f"$.{self.rows_key}[{index}]"

    def unique(self, name):
        return self.names.count(name) == 1


def places(value, path):
    """Every (container, its path, key, path) in a row."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        at = member(path, key) if isinstance(value, dict) else f"{path}[{key}]"
        yield value, path, key, at
        yield from places(value[key], at)


# -- Changes of one value: value and key in, another value out, or None where it cannot be made -------------------------

NULL = object()  # the other value is null


def number(value):
    return kind(value) == "number"


def last_digit(rng, value, _):
    if isinstance(value, float) and value and not value.is_integer():
        return math.nextafter(value, rng.choice((-math.inf, math.inf)))


def sign(_, value, __):
    return (-value if value else -0.0) if number(value) and str(value) != "-0.0" else None


def off_by_one(rng, value, _):
    return value + rng.choice((-1, 1)) if type(value) is int and abs(value) < 2**52 else None


def one_millisecond(rng, value, key):
    if number(value) and value and TIMES.search(str(key)):
        return value + 1 if value > 1e11 else value + rng.choice((-0.001, 0.001))


def other_character(rng, value, _):
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        other = rng.choice([c for c in "aZ0 \u2011\u00e9\U0001F600\U0001F601" if c != value[at]])
        return value[:at] + other + value[at + 1:]


def other_emoji(rng, value, _):
    at = [i for i, c in enumerate(value) if c > "\uffff"] if isinstance(value, str) else []
    if at:
        i = rng.choice(at)
        return value[:i] + chr(ord(value[i]) ^ 1) + value[i + 1:]


def other_case(_, value, __):
    if isinstance(value, str) and value.swapcase() != value:
        at = next(i for i, c in enumerate(value) if c.swapcase() != c)
        return value[:at] + value[at].swapcase() + value[at + 1:]


def shorter(_, value, __):
    return value[:-1] if isinstance(value, str) and value else None


def flipped(_, value, __):
    return not value if isinstance(value, bool) else None


def as_text(_, value, __):
    return dump(value) if number(value) or isinstance(value, bool) else None


def as_null(_, value, __):
    return NULL if value is not None else None


def for_null(by):
    return lambda _, value, __: copy.copy(by) if value is None else None


def other_container(_, value, __):
    return [] if value == {} else {} if value == [] else None


VALUE, TYPE = "value", "type"
LEAVES = {
    "last digit": (last_digit, VALUE), "sign": (sign, VALUE), "off by one": (off_by_one, VALUE),
    "1 ms": (one_millisecond, VALUE), "character": (other_character, VALUE), "emoji": (other_emoji, VALUE),
    "case": (other_case, VALUE), "shorter": (shorter, VALUE), "flipped": (flipped, VALUE), "\"1\" for 1": (as_text, TYPE),
    "null for a value": (as_null, TYPE), "{} for null": (for_null({}), TYPE), "[] for null": (for_null([]), TYPE),
    "\"\" for null": (for_null(""), TYPE), "0 for null": (for_null(0), TYPE),
    "false for null": (for_null(False), TYPE), "[] for {}": (other_container, TYPE),
}


def change_leaf(rng, row, path, how):
    change, what = LEAVES[how]
    found = list(places(row, path))
    for inside, _, key, at in rng.sample(found, len(found)):
        new = change(rng, inside[key], key)
        if new is not None:
            inside[key] = None if new is NULL else new
            return [(what, at)]
    return None


# -- Changes of keys and elements: a row in, the (class, path) out that must be told ---------------------------------------

def objects(rng, row, path):
    found = [(row, path)] + [(c[k], at) for c, _, k, at in places(row, path) if isinstance(c[k], dict)]
    return rng.sample(found, len(found))


def some_member(rng, row, path, wanted):
    found = [place for place in places(row, path) if isinstance(place[0], dict) and wanted(place[0][place[2]])]
    return rng.choice(found) if found else None


def null_for_absent(rng, row, path):
    inside, at = objects(rng, row, path)[0]
    inside["not_there"] = None
    return [("null-vs-absent", member(at, "not_there"))]


def absent_for_null(rng, row, path):
    if place := some_member(rng, row, path, lambda value: value is None):
        del place[0][place[2]]
        return [("null-vs-absent", place[3])]
    return None


def absent(rng, row, path):
    inside, _, key, at = some_member(rng, row, path, lambda value: value is not None)
    del inside[key]
    return [("missing", at)]


def extra(rng, row, path):
    inside, at = objects(rng, row, path)[0]
    key = rng.choice(("surplus", "odd key", "\u00e9"))
    inside[key] = rng.choice((0, "", {}, [], False))
    return [("extra", member(at, key))]


def key_case(rng, row, path):
    inside, around, key, at = some_member(rng, row, path, lambda value: value is not None)
    other = key.swapcase()
    if other in inside:
        return None
    inside[other] = inside.pop(key)
    return [("missing", at), ("extra", member(around, other))]


def swapped(rng, row, path):
    for inside, at in objects(rng, row, path):
        scalars = [key for key, value in inside.items() if not isinstance(value, (dict, list))]
        rng.shuffle(scalars)
        for a, b in zip(scalars, scalars[1:]):
            one, other = inside[a], inside[b]
            if kind(one) == kind(other) and one == other:
                continue
            inside[a], inside[b] = other, one
            what = VALUE if kind(one) == kind(other) else TYPE
            return [(what, member(at, a)), (what, member(at, b))]
    return None


def element(rng, row, path):
    """An element of an array without identity that is unlike its neighbours."""
    found = [place for place in places(row, path) if isinstance(inside := place[0], list)
             and all(inside[place[2]] != inside[n] for n in (place[2] - 1, place[2] + 1) if 0 <= n < len(inside))]
    return rng.choice(found) if found else None


def dropped_element(rng, row, path):
    if place := element(rng, row, path):
        del place[0][place[2]]
        return [("missing", place[3])]
    return None


def doubled_element(rng, row, path):
    if place := element(rng, row, path):
        inside, around, index, _ = place
        inside.insert(index, inside[index])
        return [("extra", f"{around}[{index + 1}]")]
    return None


KEYS = {"null for absent": null_for_absent, "absent for null": absent_for_null, "absent": absent, "extra key": extra,
        "case of a key": key_case, "two fields swapped": swapped, "dropped element": dropped_element,
        "doubled element": doubled_element}
ROWS = ("dropped row", "doubled row", "two rows exchanged")
KINDS = (*LEAVES, *KEYS, *ROWS)


class Mutation:
    """`splice` makes it; `lines` are the (class, path) that must be told; with `either` just one of them."""

    def __init__(self, document, how, side, splice, lines, either=False):
        mirror = {"missing": "extra", "extra": "missing"} if side == "left" else {}
        self.document, self.how, self.side, self.splice, self.either = document, how, side, splice, either
        self.lines = sorted((mirror.get(what, what), path) for what, path in lines)

    def found_by(self, told):
        told = sorted((line["class"], line["path"]) for line in told)
        return len(told) == 1 and told[0] in self.lines if self.either else told == self.lines


def mutate_row(rng, document, how, side):
    index = rng.randrange(len(document.row_spans))
    _, offset, length = document.row_spans[index]
    row = document.row(index)
    name = document.names[index]
    lines = change_leaf(rng, row, name, how) if how in LEAVES else KEYS[how](rng, row, name)
    if not lines:
        return None
    now = document.name(index, row)
    if now != name:  # it changed what tells the row from others
        if now in document.names or not document.unique(name):
            return None
        lines = [("missing", name), ("extra", now)]
    return Mutation(document, how, side, (offset, length, dump(row)), lines)


def mutate_rows(rng, document, how, side):
    spans = document.row_spans
    index = rng.randrange(len(spans))
    if not document.in_array or not document.unique(document.names[index]) or len(spans) < 2:
        return None

    def text(i):
        return document.text[spans[i][1]:spans[i][1] + spans[i][2]].decode()

    _, offset, length = spans[index]
    if how == "doubled row":
        at = rng.randrange(len(spans))  # its double may stand anywhere
        return Mutation(document, how, side, (spans[at][1], 0, text(index) + ","), [("duplicate", document.names[index])])
    if how == "dropped row":
        last = index == len(spans) - 1
        start = spans[index - 1][1] + spans[index - 1][2] if last else offset
        end = offset + length if last else spans[index + 1][1]
        return Mutation(document, how, side, (start, end - start, ""), [("missing", document.names[index])])
    other = rng.randrange(len(spans))
    a, b = sorted((index, other))
    if b - a in (0, 2) or not document.unique(document.names[other]):
        return None  # with one between them, more than one answer is right
    between = document.text[spans[a][1] + spans[a][2]:spans[b][1]].decode()
    splice = (spans[a][1], spans[b][1] + spans[b][2] - spans[a][1], text(b) + between + text(a))
    return Mutation(document, how, side, splice, [("order", document.names[i]) for i in (a, b)], either=b == a + 1)


def mutation(rng, pairs, how, attempts=60):
    """One change of that kind on one side of one of the pairs of documents, or None when none of them has a place for it.
    Returns the pair and the change."""
    make = mutate_rows if how in ROWS else mutate_row
    for _ in range(attempts):
        pair = rng.choice(pairs)
        side = rng.choice(("left", "right"))
        made = make(rng, pair[side], how, side)
        if made:
            return pair, made
    return None


def restyled(rng, document):
    """A row in other bytes that says the same: keys in another order, escapes, numbers spelled anew."""
    def spell(value):
        if isinstance(value, dict):
            keys = rng.sample(list(value), len(value))
            return "{" + ", ".join(json.dumps(key) + " : " + spell(value[key]) for key in keys) + "}"
        if isinstance(value, list):
            return "[ " + ",".join(map(spell, value)) + "]"
        if type(value) is int and abs(value) < 10**12:
            return rng.choice((f"{value}", f"{value}.0", f"{value}e0", f"{value}0e-1" if value else "0e7"))
        if isinstance(value, float) and "e" not in repr(value):
            return rng.choice((repr(value), repr(value) + "0", f"{repr(value)}E+0"))
        return json.dumps(value)

    index = rng.randrange(len(document.row_spans))
    _, offset, length = document.row_spans[index]
    return offset, length, spell(document.row(index))
