"""Requests that bring events and are wrong: each is answered as this table says, and none changes the data."""
import json
import socket

import pytest

from support import items
from support.config import write_config
from support.content import parse
from support.items import TOKEN, digest
from support.programs import ctl

MOST = 256 * 1024  # ingest.max_body_bytes
J = "application/json"
N = "application/x-ndjson"
TICK = json.dumps(items.tick(1)).encode()


def head(path="/api/ingest/prices", form=J, token=TOKEN, method="POST", version="HTTP/1.1", more=()):
    lines = [f"{method} {path} {version}", "Host: a", "Connection: close"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if form is not None:
        lines.append(f"Content-Type: {form}")
    return ("\r\n".join(lines + list(more)) + "\r\n").encode()


def whole(body, **options):
    """A good request around the body."""
    body = body.encode() if isinstance(body, str) else body
    return head(**options) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def of(kind, body, **options):
    return whole(body, path=f"/api/ingest/{kind}", **options)


def chunked(chunks, **options):
    return head(**options) + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


def with_(kind, **changes):
    """A good item of the kind with some members replaced; ... removes one."""
    item = {**items.MAKERS[kind](1), **changes}
    return of(kind, json.dumps({key: value for key, value in item.items() if value is not ...}))


def price(text):
    """A tick whose price is this text."""
    return whole('{"symbol":"BTC","timestamp":1700000000000,"price":' + text + "}")


def when(text):
    return whole('{"symbol":"BTC","price":1,"timestamp":' + text + "}")


DEEP = "[" * 64 + "]" * 64
GOOD_CHUNK = b"%x\r\n%s\r\n" % (len(TICK), TICK)

# name -> (request, status, what the answer says: for an error its code (and a piece of its message), for an item its
# path ("*": begins so) and a piece of the reason, for lines what the last one says)
CASES = {
    # --- the body is no JSON ---
    "empty_body": (whole(""), 400, "malformed", "no body"),
    "no_body_at_all": (head() + b"\r\n", 400, "malformed", "no body"),
    "empty_chunked_body": (chunked(b"0\r\n\r\n"), 400, "malformed", "no JSON"),
    "blanks": (whole(" \r\n\t "), 400, "malformed", "no JSON"),
    "cut_off_object": (whole(TICK[:-1]), 422, "$.timestamp", "ends too early"),
    "cut_off_text": (whole(TICK[:10]), 422, "$.symbol", "ends too early"),
    "array_without_end": (whole(b"[" + TICK), 400, "malformed", "does not end"),
    "array_with_comma_at_the_end": (whole(b"[{},]"), 400, "malformed", "a value belongs here"),
    "array_with_comma_at_the_front": (whole(b"[,{}]"), 400, "malformed", "a value belongs here"),
    "array_without_comma": (whole(b"[{} {}]"), 400, "malformed", "comma"),
    "array_closed_wrongly": (whole(b"[{}}"), 400, "malformed", "comma"),
    "array_and_more": (whole(b"[{}] {}"), 400, "malformed", "something follows"),
    "array_twice": (whole(b"[][]"), 400, "malformed", "something follows"),
    "object_and_more": (whole(TICK + b" 1"), 422, "$", "line 1"),
    "two_objects": (whole(TICK + TICK), 422, "$", "line 1"),
    "lines_as_json": (whole(TICK + b"\n" + TICK + b"\n"), 422, "$", "line 2"),
    "nan": (price("NaN"), 422, "$.price", "line 1"),
    "infinity": (price("Infinity"), 422, "$.price", "line 1"),
    "minus_infinity": (price("-Infinity"), 422, "$.price", "line 1"),
    "too_large_a_double": (price("1e999"), 422, "$.price", "line 1"),
    "leading_zero": (price("01"), 422, "$.price", "leading zero"),
    "plus_sign": (price("+1"), 422, "$.price", "line 1"),
    "hexadecimal": (price("0x10"), 422, "$.price", "line 1"),
    "dot_at_the_end": (price("1."), 422, "$.price", "line 1"),
    "number_of_many_digits": (price("1." + "0" * 70), 422, "$.price", "line 1"),
    "integer_beyond_2_53": (price("9007199254740993"), 422, "$.price", "2^53"),
    "single_quotes": (whole("{'symbol':'BTC'}"), 422, "$", "line 1"),
    "comment": (whole(b"/* x */" + TICK), 422, "$", "line 1"),
    "key_twice": (whole('{"symbol":"BTC","price":1,"timestamp":1,"price":2}'), 422, "$.price", "twice"),
    "key_twice_escaped": (whole('{"symbol":"BTC","price":1,"timestamp":1,"\\u0070rice":2}'), 422,
                          '$["\\u0070rice"]', "twice"),
    "key_twice_inside": (of(
        "trades", '{"id":"a","model_id":"m","symbol":"B","entry_time":1,"exit_time":2,"exit_plan":{"a":1,"a":1}}'),
        422, "$.exit_plan.a", "twice"),
    "depth_65": (of("trades", '{"exit_plan":' + DEEP + "}"), 422, "$.exit_plan*", "nested deeper than 64"),
    "depth_of_many_thousands": (whole("[" * 100000), 400, "malformed", "does not end"),
    "depth_of_many_objects": (whole('{"a":' * 40000), 422, "$.a*", "nested deeper than 64"),
    "byte_order_mark": (whole(b"\xef\xbb\xbf" + TICK), 422, "$", "line 1"),
    "byte_order_mark_before_an_array": (whole(b"\xef\xbb\xbf[" + TICK + b"]"), 422, "$", "line 1"),
    "utf_16": (whole(TICK.decode().encode("utf-16")), 422, "$", "line 1"),
    "utf_8_cut_off": (whole(b'{"symbol":"\xc3","price":1,"timestamp":1}'), 422, "$.symbol", "UTF-8"),
    "utf_8_cut_off_in_a_key": (whole(b'{"a\xc3":1}'), 422, "$*", "UTF-8"),
    "bad_in_a_very_long_key": (whole('{"' + "\u00e9" * 1000 + '":nul}'), 422, "...*", "line 1"),
    "utf_8_overlong": (whole(b'{"symbol":"\xc0\xaf","price":1,"timestamp":1}'), 422, "$.symbol", "UTF-8"),
    "utf_8_of_a_surrogate": (whole(b'{"symbol":"\xed\xa0\x80","price":1,"timestamp":1}'), 422, "$.symbol", "UTF-8"),
    "latin_1": (whole('{"symbol":"\xe9","price":1,"timestamp":1}'.encode("latin-1")), 422, "$.symbol", "UTF-8"),
    "lone_surrogate": (whole('{"symbol":"\\ud800","price":1,"timestamp":1}'), 422, "$.symbol", "surrogate"),
    "surrogates_the_wrong_way_round": (whole('{"symbol":"\\udc00\\ud800","price":1,"timestamp":1}'), 422, "$.symbol",
                                       "surrogate"),
    "escaped_nul": (whole('{"symbol":"B\\u0000","price":1,"timestamp":1}'), 422, "$.symbol", "U+0000"),
    "nul_byte": (whole(b'{"symbol":"B\x00","price":1,"timestamp":1}'), 422, "$.symbol", "line 1"),
    "nul_behind": (whole(TICK + b"\x00"), 422, "$", "line 1"),
    "line_break_in_a_text": (whole('{"symbol":"B\n","price":1,"timestamp":1}'), 422, "$.symbol", "line 1"),
    "unknown_escape": (whole('{"symbol":"\\x41","price":1,"timestamp":1}'), 422, "$.symbol", "line 1"),
    # --- it is JSON, but no such item ---
    "null": (whole("null"), 422, "$", "must be an object, is null"),
    "text": (whole('"x"'), 422, "$", "must be an object, is a text"),
    "array_in_an_array": (whole("[[]]"), 422, "$", "must be an object, is an array"),
    "empty_object": (whole("{}"), 422, "$.symbol", "is missing"),
    "text_for_a_number": (price('"1"'), 422, "$.price", "must be a number, is a text"),
    "boolean_for_a_number": (price("true"), 422, "$.price", "must be a number, is a boolean"),
    "null_for_a_required_number": (price("null"), 422, "$.price", "must be a number, is null"),
    "fraction_for_an_integer": (when("1.5"), 422, "$.timestamp", "must be an integer"),
    "double_beyond_2_53_for_an_integer": (when("1e300"), 422, "$.timestamp", "out of range"),
    "price_of_zero": (price("0"), 422, "$.price", "over 0"),
    "negative_price": (price("-1.5"), 422, "$.price", "over 0"),
    "negative_timestamp": (when("-1"), 422, "$.timestamp", "negative"),
    "negative_volume": (with_("prices", volume=-1), 422, "$.volume", "negative"),
    "number_for_a_text": (with_("prices", symbol=1), 422, "$.symbol", "must be a text"),
    "empty_key": (with_("prices", symbol=""), 422, "$.symbol", "empty"),
    "key_too_long": (with_("prices", symbol="x" * 801), 422, "$.symbol", "longer"),
    "number_for_a_provider": (with_("prices", provider=1), 422, "$.provider", "must be a text"),
    "empty_provider": (with_("prices", provider=""), 422, "$.provider", "empty"),
    "text_for_a_boolean": (with_("trades", entry_crossed="true"), 422, "$.entry_crossed", "must be a boolean"),
    "trade_without_exit": (with_("trades", exit_time=...), 422, "$.exit_time", "is missing"),
    "trade_with_null_exit": (with_("trades", exit_time=None), 422, "$.exit_time", "must not be null"),
    "time_out_of_range": (with_("trades", entry_time=1e300), 422, "$.entry_time", "out of range"),
    "trade_of_another_model_s_account": (with_("trades", account_total=items.total(1, model_id="other")), 422,
                                         "$.account_total.model_id", "another model"),
    "account_total_no_object": (with_("trades", account_total=[1]), 422, "$.account_total", "must be an object"),
    "32_bits": (with_("account-totals", since_inception_hourly_marker=2147483648), 422,
                "$.since_inception_hourly_marker", "32 bits"),
    "positions_no_map": (with_("account-totals", positions=[]), 422, "$.positions", "must be an object"),
    "position_no_object": (with_("account-totals", positions={"BTC": 1}), 422, "$.positions.BTC", "must be an object"),
    "position_without_time": (with_("positions", timestamp=...), 422, "$.timestamp", "is missing"),
    "unknown_status": (with_("positions", status="half"), 422, "$.status", "open or closed"),
    "open_position_with_exit": (with_("positions", exit_price=1), 422, "$.exit_price", "only a closed position"),
    "neither_cycle_nor_conversation": (of("conversations", '{"model_id":"m"}'), 422, "$", "neither"),
    "unknown_role": (of("conversations", json.dumps(items.talk("x")).replace('"user"', '"robot"')), 422,
                     "$.messages[0].role", "system, user or assistant"),
    "no_messages": (of("conversations", '{"model_id":"m","messages":[]}'), 422, "$.messages", "array with a message"),
    "message_no_object": (of("conversations", '{"model_id":"m","messages":[1]}'), 422, "$.messages[0]",
                          "must be an object"),
    "analytics_without_instant": (with_("analytics", updated_at="x"), 422, "$.updated_at", "must be a number"),
    "analytics_table_no_object": (with_("analytics", signals_breakdown_table=[]), 422, "$.signals_breakdown_table",
                                  "must be an object"),
    "unknown_member_of_a_strict_kind": (with_("trader-state", colour=1), 422, "$.colour", "is not known"),
    "instant_out_of_range": (with_("trader-state", pause_until=1e300), 422, "$.pause_until", "out of range"),
    "negative_zero_is_no_trouble_but_the_rest_is": (
        of("account-totals", '{"id":"z","model_id":"m","timestamp":"now","dollar_equity":1,'
                             '"since_inception_hourly_marker":-0}'), 422, "$.timestamp", "must be a number"),
    # --- what is said around it ---
    "wrong_token": (whole(TICK, token="wrong"), 401, "unauthorized", "token"),
    "no_token": (whole(TICK, token=None), 401, "unauthorized", "token"),
    "unknown_kind": (of("orders", TICK), 404, "not_found", "kind"),
    "no_kind": (of("", TICK), 404, "not_found", "kind"),
    "slash_behind": (of("prices/", TICK), 404, "not_found", "kind"),
    "slash_twice": (of("/prices", TICK), 404, "not_found", "kind"),
    "kind_in_capitals": (of("Prices", TICK), 404, "not_found", "kind"),
    "up_and_down_again": (of("%2e%2e/ingest/prices", TICK), 404, "not_found", ""),
    "up_and_down_plainly": (of("../ingest/prices", TICK), 404, "not_found", ""),
    "escaped_slash": (of("x%2fprices", TICK), 404, "not_found", ""),
    "nul_in_the_path": (of("prices%00", TICK), 404, "not_found", ""),
    "column_for_dash": (of("account_totals", TICK), 404, "not_found", "kind"),
    "put": (whole(TICK, method="PUT"), 405, "method_not_allowed", "POST"),
    "get": (head(method="GET") + b"\r\n", 405, "method_not_allowed", "POST"),
    "xml": (whole(TICK, form="text/xml"), 415, "unsupported_media_type", "application/json"),
    "form": (whole(b"a=1", form="application/x-www-form-urlencoded"), 415, "unsupported_media_type", "json"),
    "json_and_a_bit": (whole(TICK, form="application/json5"), 415, "unsupported_media_type", "json"),
    "other_charset": (whole(TICK, form="application/json; charset=latin1"), 415, "unsupported_media_type", "utf-8"),
    "charset_that_begins_well": (whole(TICK, form="application/json; charset=utf-80"), 415, "unsupported_media_type",
                                 "utf-8"),
    "charset_behind_another_parameter": (whole(TICK, form='application/json; a=b; charset="utf-16"'), 415,
                                         "unsupported_media_type", "utf-8"),
    "gzip": (whole(TICK, more=["Content-Encoding: gzip"]), 415, "unsupported_media_type", "Content-Encoding"),
    "atomic_maybe": (whole(TICK, path="/api/ingest/prices?atomic=maybe"), 400, "bad_parameter", "atomic"),
    "atomic_empty": (whole(TICK, path="/api/ingest/prices?atomic"), 400, "bad_parameter", "atomic"),
    "atomic_twice": (whole(TICK, path="/api/ingest/prices?atomic=true&atomic=true"), 400, "bad_parameter", "atomic"),
    "atomic_in_other_words": (whole(TICK, path="/api/ingest/prices?atomic=True"), 400, "bad_parameter", "atomic"),
    # --- the length of it ---
    "body_too_large": (whole(b"[" + b" " * MOST + b"]"), 413, "body_too_large", "max_body_bytes"),
    "body_too_large_in_chunks": (chunked(b"1000\r\n" + b" " * 4096 + b"\r\n" + b"40000\r\n" + b" " * MOST + b"\r\n0\r\n\r\n"),
                                 413, "body_too_large", "max_body_bytes"),
    "line_too_long": (whole(b" " * (MOST * 4), form=N), 413, "line_too_long", "max_body_bytes"),
    "atomic_lines_too_large": (whole(b"\n" * (MOST + 1), form=N, path="/api/ingest/prices?atomic=true"), 413,
                               "body_too_large", "atomic"),
    "length_of_letters": (head() + b"Content-Length: abc\r\n\r\n" + TICK, 400, "bad_request", ""),
    "length_with_sign": (head() + b"Content-Length: +5\r\n\r\n" + TICK, 400, "bad_request", ""),
    "negative_length": (head() + b"Content-Length: -5\r\n\r\n" + TICK, 400, "bad_request", ""),
    "hexadecimal_length": (head() + b"Content-Length: 0x10\r\n\r\n" + TICK, 400, "bad_request", ""),
    "two_lengths": (head() + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + TICK, 400, "bad_request", ""),
    "length_in_a_list": (head() + b"Content-Length: 5, 6\r\n\r\n" + TICK, 400, "bad_request", ""),
    "length_beyond_64_bits": (head() + b"Content-Length: 99999999999999999999999\r\n\r\n" + TICK, 400, "bad_request", ""),
    "length_and_chunks": (head() + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(TICK) + GOOD_CHUNK
                          + b"0\r\n\r\n", 400, "bad_request", ""),
    "other_coding": (head() + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + GOOD_CHUNK + b"0\r\n\r\n", 501,
                     "not_implemented", ""),
    "chunked_twice": (head() + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + GOOD_CHUNK
                      + b"0\r\n\r\n", 400, "bad_request", ""),
    "chunked_with_a_vertical_tab": (head() + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + GOOD_CHUNK + b"0\r\n\r\n", 400,
                                    "bad_request", ""),
    "blank_before_the_colon": (head() + b"Transfer-Encoding : chunked\r\n\r\n" + GOOD_CHUNK + b"0\r\n\r\n", 400,
                               "bad_request", ""),
    "chunked_in_1_0": (head(version="HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + GOOD_CHUNK + b"0\r\n\r\n", 400,
                       "bad_request", ""),
    "chunk_size_of_letters": (chunked(b"xyz\r\n" + TICK), 400, "bad_request", ""),
    "chunk_size_with_sign": (chunked(b"+5\r\nabcde\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_size_with_0x": (chunked(b"0x5\r\nabcde\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_size_missing": (chunked(b"\r\nabcde\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_size_beyond_64_bits": (chunked(b"ffffffffffffffffff\r\n" + TICK), 400, "bad_request", ""),
    "chunk_longer_than_said": (chunked(b"5\r\nabcdefgh\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_ended_by_lf_alone": (chunked(b"5\r\nabcde\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_line_ended_by_lf_alone": (chunked(b"5\nabcde\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_line_ended_by_cr_alone": (chunked(b"5\rabcde\r\n0\r\n\r\n"), 400, "bad_request", ""),
    "chunk_extension_without_end": (chunked(b"5;" + b"x" * 70000), 431, "", ""),
    "trailer_that_is_none": (chunked(GOOD_CHUNK + b"0\r\nno trailer\r\n\r\n"), 400, "bad_request", ""),
    "body_cut_off": (head() + b"Content-Length: 1000\r\n\r\n" + TICK, None, "", ""),
    "chunks_cut_off": (chunked(GOOD_CHUNK), None, "", ""),
    "chunk_cut_off": (chunked(GOOD_CHUNK[:20]), None, "", ""),
    # --- lines ---
    "lines_of_rubbish": (whole(b"{\n}\nx\n\n[]\n", form=N), 200, "lines", {"rejected": 4, "accepted": 0}),
    "a_line_with_two_objects": (whole(TICK + b" " + TICK + b"\n", form=N), 200, "lines", {"rejected": 1}),
    "a_pretty_object_as_lines": (whole(b"{\n" + TICK[1:-1] + b"\n}\n", form=N), 200, "lines", {"rejected": 3}),
    "a_line_with_a_byte_order_mark": (whole(b"\xef\xbb\xbf" + TICK, form=N), 200, "lines", {"rejected": 1}),
    "an_array_as_a_line": (whole(b"[" + TICK + b"]", form=N), 200, "lines", {"rejected": 1}),
    "atomic_lines_of_which_one_is_bad": (whole(TICK + b"\n{}\n", form=N, path="/api/ingest/prices?atomic=true"), 422,
                                         "lines", {"rejected": 2, "accepted": 0}),
}


@pytest.fixture(scope="module")
def dsn(postgres):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    return dsn


@pytest.fixture(scope="module")
def server(serve_module, dsn, folder):
    config = write_config(folder, "bad.yaml", ingest__token=TOKEN, ingest__max_body_bytes=MOST,
                          outbox__enabled=False)
    return serve_module(config=config, NOF0_POSTGRES_DSN=dsn)


@pytest.fixture(scope="module")
def untouched(server, postgres, dsn):
    """The database before the first of them; the same after the last."""
    before = digest(postgres, dsn)
    yield before
    assert digest(postgres, dsn) == before


def exchange(server, request):
    """Sends it, then ends the sending side, and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was answered before all of it was sent
        back = b""
        try:
            while piece := connection.recv(65536):
                back += piece
        except ConnectionResetError:
            pass
        return back


def test_the_table_is_long_enough():
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_bad_request(server, untouched, postgres, dsn, name):
    request, status, code, fragment = CASES[name]
    back = exchange(server, request)
    if status is None:
        assert b" 200 " not in back.split(b"\r\n")[0], back
    else:
        top, _, body = back.partition(b"\r\n\r\n")
        assert int(top.split(b" ")[1]) == status, back[:600]
        assert back.count(b"HTTP/1.1 ") == 1, back  # nothing behind it was taken for a request
        if code == "lines":
            last = unchunked(top, body).splitlines()[-1]
            document = json.loads(last)
            assert document["done"] is True and {k: document[k] for k in fragment} == fragment, document
        else:
            check(parse(unchunked(top, body)), status, code, fragment)
    assert digest(postgres, dsn) == untouched
    assert server.get("/healthz").status == 200


def check(document, status, code, fragment):
    if code.startswith(("$", "...")):
        bad = [entry for entry in document["items"] if entry["status"] == "rejected"]
        assert bad and document["accepted"] == 0, document
        begins = code.endswith("*") and bad[0]["path"].startswith(code[:-1])
        assert bad[0]["code"] == "invalid" and fragment in bad[0]["reason"], bad[0]
        assert begins or bad[0]["path"] == code, bad[0]
        return
    error = document["error"]
    assert (not code or error["code"] == code) and fragment in error["message"], error
    if status == 400 and code == "bad_parameter":
        assert error["param"] == "atomic"


def unchunked(top, body):
    if b"chunked" not in top.lower():
        return body
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        out += body[:int(size, 16)]
        body = body[int(size, 16) + 2:]
    return out
