"""Runs every libFuzzer program of a build folder for some seconds, two at a time.

fuzz.py BUILD_DIR [--match TEXT] [--counts FILE]

Seeds are made here, the same for all: a bit of each language that nof0 reads. What a run learns stays in
BUILD_DIR/corpus, so that the next one begins there. NOF0_FUZZ_SECONDS sets the time of each (default 3).
"""
import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys

SEEDS = [
    b"", b"0", b"-0", b"9007199254740993", b"1e308", b"-10.363999999999999", b"5e-324", b"0.1", b"1E+2", b"null",
    b"[]", b"{}", b'{"a":[1,2.5,-3e-7,true,null,"\\u00e9\\ud83d\\ude00"]}', b'[[[[[[[[1]]]]]]]]', b'{"a":1,"a":2}',
    b'"\xc3\xa9\xe2\x80\x91\xf0\x9f\x98\x80"', b'{"\\"":"\\\\\\n"}',
    b'{"trades":[{"id":"m_1","model_id":"m","symbol":"BTC","side":"long","entry_time":1760738642.171,'
    b'"exit_plan":{},"entry_liquidation":null,"entry_tid":1122014183665846,"quantity":-0.5}],"serverTime":1761452354000}',
    b'{"accountTotals":[{"id":"m_0","model_id":"m","timestamp":1760738642.171829,"dollar_equity":10000,"positions":'
    b'{"BTC":{"symbol":"BTC","oid":-1,"exit_plan":"N/A","quantity":1}}}],"lastHourlyMarkerRead":0,"serverTime":1}',
    b'{"conversations":[{"model_id":"m","messages":[{"role":"user","content":"x","timestamp":"1760738642"}]}]}',
    b'{"conversations":[{"id":"m_1","model_id":"m","cycle_id":1,"cot_trace":{"a":1},"llm_response":{}}]}',
    b'{"analytics":[{"id":"m","model_id":"m","updated_at":1.5}],"serverTime":1}',
    b'{"prices":{"BTC":{"symbol":"BTC","price":111.5,"timestamp":1761452354000}},"serverTime":1761452354000}',
    b'{"id":"m_1","model_id":"m","symbol":"BTC","entry_time":1.5,"exit_time":2.5,"account_total":{"id":"m_0",'
    b'"model_id":"m","timestamp":1,"dollar_equity":1,"positions":{"BTC":{"quantity":1}}}}',
    b'{"model_id":"m","symbol":"BTC","entry_time":1,"entry_price":2,"quantity":-3,"timestamp":4,"status":"closed",'
    b'"exit_price":5,"exit_time":6}', b'{"symbol":"BTC","price":1,"timestamp":2,"provider":"p","volume":3}',
    b'{"provider":"p","symbol":"BTC","timestamp":1,"mark_px":1,"sz_decimals":2}',
    b'{"trader_id":"t","timestamp":1,"pause_until":2,"cooldown":{}}', b'[{"a":1} , {"b":"]"},\n[]]\n{"c":1}\n',
    b"GET /api/trades?model_id=m&limit=5&before=1.5 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0.5, *;q=0\r\n"
    b'If-None-Match: W/"abc", "d"\r\nX-Request-Id: r-1\r\n\r\n',
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    b"\x06POST /sp HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabcdefgPOST /se HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nabcde\r\n0\r\n\r\nPOST /sr HTTP/1.0\r\nContent-Length: 1\r\n\r\na",
    b"\x01POST /s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET /l HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", b"a=1&b=%20&c=%zz&a=2", b"limit=5&model_id=gpt-5",
    b"gzip, deflate;q=0.5, identity;q=0", b'W/"x", "y", *', b"lastHourlyMarker=198",
    b"server:\n  port: ${NOF0_PORT:-8888}\n  host: '127.0.0.1'\nlog: {level: info}\n", b"a: &x [1, *x]\n", b"${A:-${B}}",
    b"name: x\nparallel: 2\ndefaults: {soak: 10s, comparisons: 5}\nsteps: &s\n  - {to: shadow}\n  - {to: \"canary:5\"}\n"
    b"  - to: repo\nendpoints:\n  trades:\n  positions: {on_difference: stay, steps: *s}\n",
    b"redis://user:p%40ss@host:6379/2", b"unix:///tmp/redis.sock?db=1", b"rediss://[::1]:6380",
    b"postgres://u:p@h1,h2:5432/db?sslmode=require", b"host='a b' password=x\\'y",
    b"*2\r\n$3\r\nfoo\r\n:12\r\n", b"-- up\nCREATE TABLE a (b int);\n-- down\nDROP TABLE a;\n",
    b"SELECT 'a;b', $$c;d$$, \"e;f\"; -- g;\n/* h; /* i */ ; */ SELECT 1;",
]


def fuzz(program, seeds, corpus, seconds):
    os.makedirs(corpus, exist_ok=True)
    artifacts = os.path.join(os.path.dirname(corpus), "found-" + os.path.basename(program) + "-")
    command = [program, "-max_total_time=%d" % seconds, "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", "-artifact_prefix=" + artifacts, corpus, seeds]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds + 60)
        return program, done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return program, 1, (late.stdout or b"").decode(errors="replace") + "\ndoes not end"


def verdict(output):
    """The report's beginning and the input that caused it, without the shadow bytes in between."""
    lines = output.splitlines()
    first = next((n for n, line in enumerate(lines) if "ERROR:" in line or "runtime error:" in line), len(lines) - 20)
    return "\n".join(lines[max(first, 0):][:20] + [line for line in lines if "Test unit written" in line])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--match", default="")
    parser.add_argument("--counts")
    options = parser.parse_args()
    seconds = int(os.environ.get("NOF0_FUZZ_SECONDS", "3"))
    seeds = os.path.join(options.build, "seeds")
    os.makedirs(seeds, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        with open(os.path.join(seeds, "%02d" % number), "wb") as out:
            out.write(seed)
    programs = [p for p in sorted(glob.glob(os.path.join(options.build, "*", "*_fuzz")))
                if os.path.isfile(p) and options.match in os.path.basename(p)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        jobs = [pool.submit(fuzz, p, seeds, os.path.join(options.build, "corpus", os.path.basename(p)), seconds)
                for p in programs]
        for job in jobs:
            program, code, output = job.result()
            if code:
                failed += 1
                print(f"--- {program}\n{verdict(output)}", flush=True)
            else:
                runs = [line for line in output.splitlines() if "number_of_executed_units" in line]
                print(os.path.basename(program), *runs)
    if options.counts:
        with open(options.counts, "w", encoding="ascii") as out:
            out.write(f"{len(programs) - failed} {failed} {seconds} s each\n")
    sys.exit(failed != 0)


main()
