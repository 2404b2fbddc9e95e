"""The project's files, as the checks see them."""

import io
import os
import re
import subprocess
import tokenize
from pathlib import Path

CODE = (".h", ".cc", ".c")
TEXT = CODE + (".md", ".cmake", ".txt", ".proto", ".py", ".sh", ".toml", ".json", ".service", ".js",
               ".css", ".html", ".in")
SKIPPED_FOLDERS = {".git", "build", "__pycache__", "node_modules"}


class File:
    """One file: its path from the root, and its text."""

    def __init__(self, root, path):
        self.path = Path(path)
        self.name = self.path.as_posix()
        raw = (root / path).read_bytes()
        self.binary = b"\0" in raw
        self.text = "" if self.binary else raw.decode("utf-8", errors="replace")

    @property
    def is_code(self):
        return self.path.suffix in CODE

    @property
    def module(self):
        """The module under src/ that the file belongs to, or None."""
        parts = self.path.parts
        return parts[1] if len(parts) > 2 and parts[0] == "src" else None

    @property
    def is_test(self):
        """Tests, fuzzers and benchmarks may use everything."""
        return (self.path.parts[0] in ("tests", "bench", "tools") or
                re.search(r"_(test|fuzz|bench)\.(h|cc)$", self.name) is not None)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.files = [File(self.root, path) for path in sorted(self._paths())]

    def code(self):
        return [file for file in self.files if file.is_code]

    def _paths(self):
        try:
            listed = subprocess.run(
                ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                 "--exclude-standard"], capture_output=True, check=True).stdout.decode()
            names = {name for name in listed.split("\0") if name}
        except (OSError, subprocess.CalledProcessError):  # A tarball, or no git.
            names = set()
            for folder, folders, files in os.walk(self.root):
                folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
                names |= {str((Path(folder) / file).relative_to(self.root)) for file in files}
        return [name for name in names
                if (self.root / name).is_file() and not (self.root / name).is_symlink()]


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|'
    r'"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL)


def without_comments_and_strings(text):
    """The code alone, every removed character but newlines replaced by a blank.

    Include lines keep their names, so that what is included can still be read.
    """
    def blank(match):
        start = text.rfind("\n", 0, match.start()) + 1
        if match.group().startswith('"') and text[start:match.start()].lstrip().startswith("#"):
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())
    return TOKEN.sub(blank, text)


HASH_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
HASHED = (".cmake", ".sh", ".toml")


def comments(file):
    """The comments of a file of code, as (offset, text)."""
    if file.is_code or file.path.suffix in (".proto", ".js", ".css"):
        for match in TOKEN.finditer(file.text):
            if match.group().startswith("/"):
                yield match.start(), match.group()
    elif file.path.suffix == ".py":
        starts = [0]
        for line in file.text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
            if token.type == tokenize.COMMENT:
                yield starts[token.start[0] - 1] + token.start[1], token.string
    elif file.path.suffix in HASHED or file.path.name in ("CMakeLists.txt", "Makefile"):
        for match in HASH_COMMENT.finditer(file.text):
            yield match.start(), match.group()
