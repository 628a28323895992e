"""Runs the cmocka programs of a build folder, two for each core at a time since many wait, and counts their tests.

units.py BUILD_DIR [--match TEXT] [--without NAME]... [--first NAME]... [--counts FILE] [--prefix COMMAND]

ctest knows the programs; running them here gives each test's verdict instead of each program's. A program that ends
badly without a failed test (a crash, a sanitizer's report, a time-out) is one failure more. Says nothing when all is
well, and the output of each program that failed otherwise.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

LIMIT_S = 400  # for one program; the plan tests fill a database with two million rows


def programs(build):
    listing = json.loads(subprocess.check_output(["ctest", "--show-only=json-v1"], cwd=build))
    for test in listing["tests"]:
        command = test.get("command")
        cwd = next((p["value"] for p in test["properties"] if p["name"] == "WORKING_DIRECTORY"), build)
        yield test["name"], command, cwd


def run(name, command, cwd, prefix):
    if not command or not os.path.exists(command[0]):
        return name, 0, 1, 0, 0.0, "the program was not built"
    began = time.monotonic()
    try:
        done = subprocess.run(prefix + command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S)
        output, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = (late.stdout or b"").decode(errors="replace") + f"\nno end after {LIMIT_S} s", 1
    passed = len(re.findall(r"^\[ +OK \] ", output, re.M))
    skipped = len(re.findall(r"^\[ +SKIPPED \] (?!\d+ test)", output, re.M))
    # cmocka says FAILED at the test and again in its summary, where the name follows a count.
    failed = len(set(re.findall(r"^\[ +FAILED +\] (?!\d+ test)(\S+)", output, re.M)))
    report = re.search(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:", output)
    if (code != 0 or report) and failed == 0:
        failed = 1
        output += f"\n{name} ended with code {code}"
    if passed + failed + skipped == 0:
        failed, output = 1, output + f"\n{name} ran no test"
    return name, passed, failed, skipped, time.monotonic() - began, output


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--match", default="")
    parser.add_argument("--without", action="append", default=[], help="a program to leave out")
    parser.add_argument("--first", action="append", default=[], help="a long program, so that the others run beside it")
    parser.add_argument("--counts")
    parser.add_argument("--prefix", default="", help="words put before each program")
    options = parser.parse_args()
    jobs = [job for job in programs(options.build) if options.match in job[0] and job[0] not in options.without]
    jobs.sort(key=lambda job: job[0] not in options.first)
    passed = failed = skipped = 0
    slowest = []
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        for result in pool.map(lambda job: run(*job, options.prefix.split()), jobs):
            name, p, f, s, seconds, output = result
            passed, failed, skipped = passed + p, failed + f, skipped + s
            slowest.append((seconds, name))
            if f:
                print(f"--- {name}\n" + "\n".join(output.splitlines()[-60:]), flush=True)
    for seconds, name in sorted(slowest, reverse=True)[:5]:
        print(f"{seconds:7.1f} s {name}")
    if options.counts:
        with open(options.counts, "w", encoding="ascii") as out:
            note = f"{skipped} skipped" if skipped else ""
            out.write(f"{passed} {failed} {note}\n")
    sys.exit(failed != 0)


main()
