"""No file is left out of the build: sources are named by a CMakeLists.txt, headers are included."""

import posixpath
import re

from layers import INCLUDE

SOURCE = re.compile(r"[\w./${}-]+\.(?:cc|c)\b")


def named_sources(tree):
    """Every source that some CMake file names, as (path from the root, CMake file)."""
    for file in tree.files:
        if file.path.name != "CMakeLists.txt" and file.path.suffix != ".cmake":
            continue
        text = re.sub(r"#[^\n]*", "", file.text)
        for match in SOURCE.finditer(text):
            name = match.group()
            name = re.sub(r"^\$\{(PROJECT|CMAKE)_SOURCE_DIR\}/", "/", name)
            name = re.sub(r"^\$\{CMAKE_CURRENT_SOURCE_DIR\}/", "", name)
            if "$" in name:  # Generated, in the build folder.
                continue
            path = name[1:] if name.startswith("/") else posixpath.normpath(
                (file.path.parent / name).as_posix())
            yield path, file.name


def check(tree):
    named = dict(named_sources(tree))
    code = {file.name for file in tree.code()}
    for path, by in sorted(named.items()):
        if path not in code:
            yield f"{by}: names {path}, which is not there"
    for file in tree.code():
        if file.path.suffix != ".h" and file.name not in named:
            yield f"{file.name}: no CMakeLists.txt names it, so it is never built"

    included = {match.group(2) for file in tree.code() for match in INCLUDE.finditer(file.text)}
    for file in tree.code():
        if file.path.suffix == ".h" and not file.name.startswith("include/"):
            short = file.name.removeprefix("src/")
            if short not in included and file.name not in included \
                    and file.path.name not in included:
                yield f"{file.name}: nobody includes it"
