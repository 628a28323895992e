"""Medians and ratios of what bench/read-path measured, as a Markdown table: table.py IMPORT.txt READS.txt"""

import statistics
import sys
from collections import defaultdict


def medians(lines, key_words):
    """{key: [median of each column]} of lines "KEY... number...", where a key has key_words words."""
    samples = defaultdict(list)
    for line in lines:
        words = line.split()
        samples[tuple(words[:key_words])].append([float(word) for word in words[key_words:]])
    return {key: [statistics.median(column) for column in zip(*rows)] for key, rows in samples.items()}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        imports = medians(file, 1)
    print(f"import into an empty database {imports[('first',)][0]:.2f} s, "
          f"again without changes {imports[('again',)][0]:.2f} s\n")
    with open(sys.argv[2], encoding="utf-8") as file:
        reads = medians(file, 2)
    print("| endpoint | answer, bytes | libpq /s | repo /s | repo/libpq | repo median ms | repo p99 ms "
          "| legacy /s | legacy/repo |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for label in dict.fromkeys(label for label, _ in reads):
        libpq, repo, legacy = (reads[label, side] for side in ("libpq", "repo", "legacy"))
        print(f"| {label} | {repo[3]:.0f} | {libpq[0]:.0f} | {repo[0]:.0f} | {repo[0] / libpq[0]:.2f} "
              f"| {repo[1] / 1000:.2f} | {repo[2] / 1000:.2f} | {legacy[0]:.0f} | {legacy[0] / repo[0]:.1f} |")


if __name__ == "__main__":
    main()
