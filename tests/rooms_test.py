#!/usr/bin/python3
"""Holds the source tree against docs/architecture.md: who may include whom, what CMake declares, how long files are.

Prints one line for each fault and exits 1 if there is any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINES = 600
OUTSIDE = ("bench", "tests", "console")  # may use any room, no room may use them


def table_rooms():
    """The rooms of the table, lowest first."""
    rows = re.findall(r"^\| ((?:`[a-z]+/` ?)+)\|", (ROOT / "docs/architecture.md").read_text(), re.M)
    return [names[0] for names in (re.findall(r"`([a-z]+)/`", row) for row in rows) if len(names) == 1]


def cmake_rooms(room):
    """The rooms that a room's CMakeLists.txt says it needs."""
    text = re.sub(r"#.*", "", (ROOT / room / "CMakeLists.txt").read_text())
    call = re.search(r"nof0_room\(\s*(\w+)([^)]*)\)", text)
    if not call or call[1] != room:
        return None
    needs = re.search(r"\bROOMS\b((?:\s+[a-z]+)*)", call[2])
    return needs[1].split() if needs else []


def closure(room, declared):
    seen = set()
    todo = [room]
    while todo:
        for needed in declared.get(todo.pop()) or []:
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    return seen


def sources(folder):
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".c", ".h", ".def"))


def check(rooms):
    height = {room: place for place, room in enumerate(rooms)}
    declared = {}
    for room in rooms:
        if (ROOT / room / "CMakeLists.txt").exists():
            declared[room] = cmake_rooms(room)
            if declared[room] is None:
                yield f"{room}/CMakeLists.txt: no nof0_room({room} ...)"
            for needed in declared[room] or []:
                if height.get(needed, len(rooms)) >= height[room]:
                    yield f"{room}/CMakeLists.txt: {needed} does not stand above {room}"
        elif sources(room):
            yield f"{room}/: sources without a CMakeLists.txt"
    for folder in rooms + list(OUTSIDE):
        allowed = closure(folder, declared) | {folder} if folder in height else set(rooms) | {folder}
        for path in sources(folder):
            yield from check_file(path, folder, allowed, height)


def check_file(path, folder, allowed, height):
    name = path.relative_to(ROOT)
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines, more than {MAX_LINES}"
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not include:
            continue
        place = f"{name}:{number}"
        target = include[1]
        room = target.split("/")[0]
        if re.fullmatch(r"nof0_\w+\.h", target):  # made by the build
            continue
        if not (ROOT / target).is_file():
            yield f'{place}: "{target}" is not a path from the root'
        elif folder in height and height.get(room, len(height)) > height[folder]:
            yield f"{place}: {folder} may not include {room}, which stands below it"
        elif room not in allowed:
            yield f"{place}: {folder} includes {room}, which its CMakeLists.txt does not name"
        if target.endswith(".c"):
            yield f"{place}: includes a source file"


def main():
    rooms = table_rooms()
    faults = list(check(rooms)) if len(rooms) >= 5 else ["docs/architecture.md: the table of rooms is gone"]
    print("\n".join(faults))
    sys.exit(bool(faults))


main()
