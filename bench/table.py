#!/usr/bin/env python3
"""Turns results.jsonl of `make bench` into the Markdown table of docs/benchmarks.md.

    bench/table.py build/release/bench/results.jsonl
"""

import json
import sys


def time(us):
    for unit, size in (("s", 1e6), ("ms", 1e3), ("us", 1)):
        if us >= size:
            return f"{us / size:.3g} {unit}"
    return f"{us * 1e3:.0f} ns"


def rate(value):
    for unit, size in ((" M", 1e6), (" k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def target(row):
    if "of_target" not in row:
        return ""
    parts = []
    for key, value in row["target"].items():
        if key == "per_second":
            parts.append(f"{rate(value)}/s")
        elif key == "most":
            parts.append(f"{value:g} {row['unit']}")
        else:
            parts.append(f"{key.removesuffix('_us')} {time(value)}")
    return f"{row['of_target']:.2f} of {', '.join(parts)}" + ("" if row["met"] else " (missed)")


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    run = rows[0]["run"]
    print(f"{run['date'][:10]}, commit {run['commit']}, {run['processors']} cores of "
          f"{run['processor']}, {run['file_system']}, Linux {run['kernel'].split('-')[0]}, "
          f"load before {run['load_before']:g}.\n")
    print("| Benchmark | What | p50 | p99 | p99.9 | max | per s | Of its target "
          "| Beside, same run |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows[1:]:
        if "p50_us" not in row and "amount" not in row:
            note = row.get("skipped") or row.get("failed", "")
            print(f"| {row['benchmark']} | {row.get('what', '')} | {note} |||||||")
            continue
        times = [time(row[key]) if key in row else ""
                 for key in ("p50_us", "p99_us", "p99_9_us", "max_us")]
        last = rate(row["per_second"]) if "per_second" in row else ""
        if "amount" in row:
            last = f"{row['amount']:.3g} {row['unit']}"
        beside = ", ".join(f"{ratio:.2f} x {name}" for name, ratio in row.get("beside", {}).items())
        print(f"| {row['benchmark']} | {row['what']} | {' | '.join(times)} | {last} | "
              f"{target(row)} | {beside} |")


if __name__ == "__main__":
    main()
