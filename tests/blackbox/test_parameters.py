"""Bad parameters of every endpoint are 400 and named; good ones at their edges are not."""
import pytest

BIG = "99999999999999999999"
NUMBERS = ["", "x", "1.5", "-1", "+1", "%201", "1x", "0x10", "1e3", BIG, "NaN", "%00", "1%00", "%E0%A5%A7"]
MARKER = NUMBERS
LIMIT = NUMBERS + ["0"]
MODEL = ["", "%00", "a%0Ab", "%ff", "%ed%a0%80", "m" * 129, "%zz", "%4"]
CURSOR = ["", "%00", "a%0Ab", "%ff", "m" * 257, "%zz"]

BAD = [
    ("/api/account-totals", "lastHourlyMarker", MARKER),
    ("/api/positions", "limit", LIMIT),
    ("/api/trades", "limit", LIMIT + ["1001"]),
    ("/api/conversations", "limit", LIMIT + ["1001"]),
    ("/api/trades", "model_id", MODEL),
    ("/api/conversations", "model_id", MODEL),
    ("/api/trades", "before", CURSOR),
    ("/api/trades", "after", CURSOR),
]
GOOD = [
    "/api/account-totals?lastHourlyMarker=0", "/api/account-totals?lastHourlyMarker=9007199254740991",
    "/api/positions?limit=1", "/api/positions?limit=5000", "/api/trades?limit=1", "/api/trades?limit=1000",
    "/api/trades?before=0", "/api/trades?before=1761452354.829&after=-1.5e3", "/api/trades?model_id=%C3%A9%E2%80%91",
    "/api/trades?model_id=" + "m" * 128, "/api/conversations?limit=1000", "/api/trades?", "/api/trades?&&", "/api/trades?x",
    "/api/trades?after=some-id", "/api/leaderboard?limit=x", "/api/crypto-prices?model_id=%00", "/api/trades?Limit=x",
    "/api/trades?model_id=a%2Fb%26c", "/api/trades?model_id='%3B%20DROP%20TABLE%20trades",
    "/api/analytics/%C3%A9", "/api/analytics/a%2Fb", "/api/analytics/a%20b%27%22%5C",
]


@pytest.mark.parametrize("path, param, values", BAD, ids=lambda part: part if isinstance(part, str) else "")
def test_bad(api, path, param, values):
    with api.client() as client:
        for value in values:
            reply = client.get(f"{path}?{param}={value}")
            assert reply.status == 400, f"{value}: {reply!r}"
            error = reply.error()
            assert error["param"] == param and param in error["message"], error


def test_good(api):
    with api.client() as client:
        for path in GOOD:
            reply = client.get(path)
            assert reply.status == 200, f"{path}: {reply!r}"
            reply.json()


@pytest.mark.parametrize("path, param", [
    ("/api/trades?limit=1&limit=2", "limit"), ("/api/positions?limit=1&limit=1", "limit"),
    ("/api/account-totals?lastHourlyMarker=1&lastHourlyMarker=1", "lastHourlyMarker"),
    ("/api/trades?model_id=a&model_id=b", "model_id"), ("/api/trades?before=1&before=2", "before"),
])
def test_given_twice(api, path, param):
    reply = api.get(path)
    assert reply.status == 400 and reply.error()["param"] == param


def test_a_broken_name_is_400(api):
    reply = api.get("/api/trades?%zz=1")
    assert reply.status == 400 and "param" not in reply.error()


def test_the_answer_to_an_odd_model_names_it(api):
    for escaped, model in (("a%2Fb", "a/b"), ("%C3%A9", "é"), ("a%20b%27%22%5C", "a b'\"\\")):
        assert api.get(f"/api/analytics/{escaped}").json()["analytics"]["model_id"] == model
