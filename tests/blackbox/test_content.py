"""The comparer itself: what it must not let through."""
import pytest

from support.content import differences, parse, same_content


@pytest.mark.parametrize("a, b, path", [
    ("1", "true", "$"), ("0", "false", "$"), ("null", "{}", "$"), ('{"a":null}', "{}", "$.a"), ("[1,2]", "[2,1]", "$[0]"),
    ("[1]", "[1,1]", "$"), ('{"a":[{"b":0.1}]}', '{"a":[{"b":0.10000000000000002}]}', "$.a[0].b"), ("0", "-0", "$"),
    ('"é"', '"e\u0301"', "$"), ("1", '"1"', "$"), ("9007199254740991", "9007199254740992", "$"),
])
def test_tells_apart(a, b, path):
    found = list(differences(parse(a), parse(b)))
    assert found and found[0].startswith(path + ":"), found


@pytest.mark.parametrize("a, b", [
    ("1", "1.0"), ("-0", "-0.0"), ("1e2", "100"), ('{"a":1,"b":2}', '{"b":2,"a":1}'), ('"\\u00e9"', '"é"'), ("0.1", "0.10000000000000001"),
])
def test_takes_as_the_same(a, b):
    same_content(parse(a), parse(b))


def test_ignores_only_at_the_top():
    same_content({"serverTime": 1}, {"serverTime": 2}, ignore=("serverTime",))
    with pytest.raises(AssertionError):
        same_content({"a": {"serverTime": 1}}, {"a": {"serverTime": 2}}, ignore=("serverTime",))


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', "NaN", "[Infinity]"])
def test_refuses_what_json_does_not_have(text):
    with pytest.raises(AssertionError):
        parse(text)
