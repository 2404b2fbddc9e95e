"""Every text file: no trailing blanks, one final newline, no line too long.

Markdown: one title, links that resolve.
"""

import re
from urllib.parse import unquote

from tree import CODE, TEXT

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
TITLE = re.compile(r"^# .+", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)


CODE_COLUMNS = 100
DOCUMENT_COLUMNS = 150  # Of prose: a row of a table is one line, and output stands as it is.
WIDE_CODE = CODE + (".py", ".cmake", ".proto", ".sh")


def prose(text):
    """The text without code, in which neither titles nor links are meant."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return INLINE.sub(blank, FENCE.sub(blank, text))


def anchors(text):
    found = set()
    for match in HEADING.finditer(FENCE.sub("", text)):
        words = re.sub(r"[^\w\- ]", "", match.group(1).replace("`", "").lower())
        found.add(words.replace(" ", "-"))
    return found


def check_blanks(file):
    for number, line in enumerate(file.text.split("\n"), start=1):
        if line != line.rstrip():
            yield f"{file.name}:{number}: trailing blank"
    if file.text and not file.text.endswith("\n"):
        yield f"{file.name}: no newline at the end"
    if file.text.endswith("\n\n"):
        yield f"{file.name}: empty line at the end"


def check_columns(file):
    if file.path.suffix == ".md":
        columns = DOCUMENT_COLUMNS
        text = FENCE.sub(lambda match: "\n" * match.group().count("\n"), file.text)
    elif file.path.suffix in WIDE_CODE or file.path.name == "CMakeLists.txt":
        columns, text = CODE_COLUMNS, file.text
    else:
        return
    for number, line in enumerate(text.split("\n"), start=1):
        row = file.path.suffix == ".md" and line.lstrip().startswith("|")
        if len(line) > columns and not row:
            yield f"{file.name}:{number}: {len(line)} columns; there is room for {columns}"


def check_markdown(tree, file):
    text = prose(file.text)
    titles = TITLE.findall(text)
    if len(titles) != 1:
        yield f"{file.name}: {len(titles)} titles; a document has one"
    for match in LINK.finditer(text):
        target = match.group(1)
        if re.match(r"^[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = tree.root / file.path.parent / unquote(name) if name else tree.root / file.path
        if name.startswith("/") or not path.exists():
            yield f"{file.name}:{file.line_of(match.start())}: {target} leads nowhere"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            yield f"{file.name}:{file.line_of(match.start())}: {target}: no such heading"


def check(tree):
    for file in tree.files:
        if file.binary or "/corpus/" in file.name or "/golden/" in file.name:
            continue
        if file.path.suffix in TEXT or file.path.name in ("Makefile", "bootstrap", "run"):
            yield from check_blanks(file)
            yield from check_columns(file)
        if file.path.suffix == ".md":
            yield from check_markdown(tree, file)
