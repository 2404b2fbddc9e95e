"""What a comment points to is there: no file that is not in the repository."""

import posixpath
import re

from layers import FOREIGN, STANDARD
from tree import comments

# A path from the root, or a name that ends as sources and documents do. Not: part of a longer
# word, a pattern, a place in the network.
START = r"(?<![\w./*<>{}$~@+-])"
FILE = re.compile(START + r"((?:\.\./)*[\w-][\w./-]*\.(?:h|cc|c|md|py|proto|cmake|sh|pml))\b"
                          r"(?![\w/*(<-])")
FOLDER = re.compile(START + r"((?:docs|src|include|tests|tools|cmake|bench|examples|packaging)/"
                            r"[\w][\w./-]*)(?![\w*<{])")


def named(text):
    for pattern in (FILE, FOLDER):
        for match in pattern.finditer(text):
            yield match.start(), match.group(1).rstrip("./-")


def check(tree):
    files = {file.name for file in tree.files}
    folders = {folder.as_posix() for file in tree.files for folder in file.path.parents}
    basenames = {file.path.name for file in tree.files}

    def is_there(name, file):
        """From the root, from where sources are included, beside the file, or a bare name."""
        name = re.sub(r"\.pb\.h$", ".proto", name)  # Generated.
        if "/" not in name and name in basenames | STANDARD | set(FOREIGN):
            return True
        starts = ("", "src", "include", file.path.parent.as_posix())
        return any(posixpath.normpath(posixpath.join(start, name)) in files | folders
                   for start in starts)

    for file in tree.files:
        told = set()
        for start, text in comments(file):
            for at, name in named(text):
                line = file.line_of(start + at)
                if (line, name) not in told and not is_there(name, file):
                    told.add((line, name))
                    yield f"{file.name}:{line}: the comment names {name}, which is not in the " \
                          f"repository"
