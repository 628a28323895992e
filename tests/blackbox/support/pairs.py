"""parity_pairs as the tests run it: many comparisons by the endpoints' rules in one process."""
import json
import os
import subprocess

from support.programs import BUILD, environment, no_report

PARITY_PAIRS = os.path.join(BUILD, "tests/parity_pairs")


def compare_all(questions):
    """Each question is (endpoint, left file, right file), or with (side, (offset, length, text)) behind it. Returns the
    list of differences of each."""
    lines = []
    for endpoint, left, right, *change in questions:
        fields = [endpoint, left, right]
        if change:
            side, splice = change
            fields += [side, *map(str, splice)]
        assert not any("\t" in field or "\n" in field for field in fields), fields
        lines.append("\t".join(fields) + "\n")
    done = subprocess.run([PARITY_PAIRS], input="".join(lines).encode(), cwd="/", env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    no_report(done.stderr.decode())
    assert done.returncode == 0, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    for question, answer in zip(questions, answers):
        assert isinstance(answer, list), (question, answer)
    return answers
