"""Includes point strictly down: each #include against cmake/modules.cmake."""

import re

from tree import without_comments_and_strings

STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono
cinttypes climits clocale cmath codecvt compare complex concepts condition_variable coroutine
csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque
exception execution filesystem format forward_list fstream functional future initializer_list
iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource
mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator
semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string
string_view strstream syncstream system_error thread tuple type_traits typeindex typeinfo
unordered_map unordered_set utility valarray variant vector version
assert.h ctype.h errno.h float.h inttypes.h limits.h math.h signal.h stdarg.h stdbool.h stddef.h
stdint.h stdio.h stdlib.h string.h time.h
""".split())

# Header prefix -> the library's name in the layer table. The longest prefix decides.
FOREIGN = {
    "fmt/": "fmt",
    "xxhash.h": "xxhash",
    "google/protobuf/": "protobuf",
    "zlib.h": "zlib",
    "zstd": "zstd",
    "lz4": "lz4",
    "raft.h": "libraft",
    "raft/": "libraft",
    "proton/": "proton",
    "boost/asio": "asio",
    "boost/system": "asio",
    "boost/beast": "beast",
    "boost/json": "boost_json",
    "openssl/": "openssl",
    "spdlog/": "spdlog",
    "prometheus/": "prometheus",
    "CLI/": "cli11",
    "toml++/": "tomlplusplus",
    "histedit.h": "libedit",
    "gtest/": "tests only",
    "gmock/": "tests only",
    "benchmark/": "tests only",
}

# Headers of the system itself: shells on floors 9 and 10, and the processor's own instructions.
SYSTEM_USERS = {"platform", "library", "apps"}
INSTRUCTIONS = re.compile(r"^[a-z]+mmintrin\.h$|^immintrin\.h$|^arm_acle\.h$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
LAYER = re.compile(r"^understudy_layer\(([^)]*)\)", re.MULTILINE)
OPEN_TO_ALL = {"fmt"}


def read_table(text):
    """cmake/modules.cmake -> {module: (floor, modules it may include, foreign libraries)}."""
    table = {}
    for match in LAYER.finditer(text):
        words, fields, field = match.group(1).split(), {}, None
        for word in words:
            if word in ("NAME", "FLOOR", "MAY", "FOREIGN"):
                field = word
                fields[field] = []
            else:
                fields[field].append(word)
        table[fields["NAME"][0]] = (int(fields["FLOOR"][0]), set(fields["MAY"]),
                                    set(fields["FOREIGN"]))
    return table


def check_table(table):
    for module, (floor, may, _) in table.items():
        for other in may:
            if other not in table:
                yield f"cmake/modules.cmake: {module} may include {other}, which has no line"
            elif table[other][0] > floor or (table[other][0] == floor and floor < 9):
                yield f"cmake/modules.cmake: {module} (floor {floor}) may include {other} " \
                      f"(floor {table[other][0]}): arrows point strictly down"


def foreign_name(header):
    found = [prefix for prefix in FOREIGN if header.startswith(prefix)]
    return FOREIGN[max(found, key=len)] if found else None


def refusal(file, quote, header, table):
    """Why `file` may not include `header`, or None."""
    first = header.split("/")[0]
    if first == "understudy":
        return None
    public = file.name.startswith("include/")
    example = file.name.startswith("examples/") or file.name.startswith("tests/consumer/")
    if quote == "<" and header in STANDARD:
        return None
    if example and quote == '"' and "/" not in header:
        return None  # Its neighbour in the same folder.
    if public or example:
        where = "the public API" if public else "an example"
        return f"{where} includes understudy/ and the standard library only"
    if file.is_test or file.module is None:
        return None
    if file.module not in table:
        return f"module {file.module} has no line in cmake/modules.cmake"

    _, may, foreign = table[file.module]
    if quote == '"':
        if "/" not in header:
            return f'include by full path: "{file.module}/{header}"'
        if first not in table:
            return f"{first} is no module of the layer table"
        if first != file.module and first not in may:
            return f"{file.module} may not include {first} (cmake/modules.cmake)"
        if first == "gateway" and file.module == "gateway":
            ours, theirs = file.path.parts[2:-1], tuple(header.split("/")[1:-1])
            if theirs and ours != theirs:
                return "a gateway never includes another"
        return None
    library = foreign_name(header)
    if library is None:
        if file.module in SYSTEM_USERS or INSTRUCTIONS.match(header):
            return None
        return "a system header, or a library that tools/tidy/layers.py does not know: " \
               "these belong to platform/"
    if library in OPEN_TO_ALL or library in foreign:
        return None
    return f"{file.module} may not include {library} (cmake/modules.cmake)"


def check(tree):
    table = read_table((tree.root / "cmake/modules.cmake").read_text())
    yield from check_table(table)
    for file in tree.code():
        for match in INCLUDE.finditer(without_comments_and_strings(file.text)):
            why = refusal(file, match.group(1), match.group(2), table)
            if why:
                yield f"{file.name}:{file.line_of(match.start())}: <{match.group(2)}>: {why}"
