"""/metrics, read strictly."""
import re


def metrics(server):
    """Name with labels -> number."""
    reply = server.get("/metrics")
    assert reply.status == 200
    assert reply.header("Content-Type").startswith("text/plain; version=0.0.4")
    numbers = {}
    for line in reply.content().decode().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) nof0_\w+ .+", line), line
            continue
        name, number = line.rsplit(" ", 1)
        assert name not in numbers, line
        numbers[name] = float(number) if "." in number else int(number)
    return numbers
