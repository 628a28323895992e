"""Whether two JSON documents say the same."""
import json


def parse(text):
    """JSON with every fault that Python forgives refused: doubled keys, NaN, Infinity."""
    def no_doubles(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"doubled key in {keys}"
        return dict(pairs)

    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    def integer(digits):
        return -0.0 if digits == "-0" else int(digits)  # Python's integers have one zero, JSON's numbers two

    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return json.loads(text, object_pairs_hook=no_doubles, parse_constant=no_constant, parse_int=integer)


def load(path):
    with open(path, "rb") as source:
        return parse(source.read())


def kind(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "text", list: "array", dict: "object"}[type(value)]


def same_number(a, b):
    """Equal as doubles, the sign of zero included; integers up to 2^53 are doubles without loss."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return float(a).hex() == float(b).hex()


def differences(a, b, ignore=(), path="$"):
    """Yields "path: what" for each difference. Objects by key, arrays in order, numbers as doubles, a boolean is no
    number, null is not absent. `ignore`: keys left out of the top object."""
    if kind(a) != kind(b):
        yield f"{path}: {kind(a)} {short(a)} against {kind(b)} {short(b)}"
    elif isinstance(a, dict):
        for key in a.keys() | b.keys():
            if key in ignore:
                continue
            if key not in a or key not in b:
                yield f"{path}.{key}: only in the {'first' if key in a else 'second'}"
            else:
                yield from differences(a[key], b[key], (), f"{path}.{key}")
    elif isinstance(a, list):
        if len(a) != len(b):
            yield f"{path}: {len(a)} elements against {len(b)}"
        for index, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, (), f"{path}[{index}]")
    elif kind(a) == "number":
        if not same_number(a, b):
            yield f"{path}: {a!r} against {b!r}"
    elif a != b:
        yield f"{path}: {short(a)} against {short(b)}"


def short(value):
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."


def same_content(a, b, ignore=()):
    """Asserts it, with the first differences' paths."""
    found = []
    for difference in differences(a, b, ignore):
        found.append(difference)
        if len(found) == 10:
            break
    assert not found, "\n".join(found)
