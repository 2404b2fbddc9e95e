#!/usr/bin/env python3
"""The house rules that a program can check. Runs as a test; prints nothing if all is well.

    tools/tidy/tidy.py [ROOT]

Exit code: 0 nothing found, 1 something found.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import comments  # noqa: E402
import layers  # noqa: E402
import listed  # noqa: E402
import standard  # noqa: E402
import texts  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402


def findings(root):
    tree = Tree(root)
    for check in (layers, listed, standard, words, texts, comments):
        yield from check.check(tree)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = list(findings(root))
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
