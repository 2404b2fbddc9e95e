"""Words that do not belong where they stand, each with what to use instead.

A line may be excused, with its reason:  // tidy: allow(WORD) because ...
"""

import re

from tree import without_comments_and_strings

# Where threads, clocks, sockets and files are allowed (style: rule "Asynchrony", 2).
SHELLS = {"platform", "library", "apps"}

TIME = "take TimePoint as an argument; the shell asks Runtime::now()"
THREADS = "post to the loop, or use a Worker (runtime/worker.h); threads live in platform/"
FILES = "use Disk (runtime/disk.h)"
SOCKETS = "use Network (runtime/network.h)"
CHANCE = "use Random (base/random.h), handed in"

BANNED = [(re.compile(pattern), instead) for pattern, instead in [
    (r"\bstd::(jthread|thread|async|future|promise|packaged_task)\b", THREADS),
    (r"\bstd::(\w*mutex|lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable\w*)\b",
     THREADS),
    (r"\bstd::(atomic\w*|latch|barrier|\w*semaphore)\b", THREADS),
    (r"\bpthread_\w+\b", THREADS),
    (r"\bthread_local\b", THREADS),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>])sleep\s*\(",
     "time is handed in; ask for a Timer (Runtime::at)"),
    (r"\b(steady_clock|system_clock|high_resolution_clock|utc_clock)\b", TIME),
    (r"\b(clock_gettime|gettimeofday)\b|\bstd::(time|clock)\s*\(", TIME),
    (r"\b(random_device|mt19937\w*|minstd_rand\w*|default_random_engine)\b", CHANCE),
    (r"(?<![\w.>])s?rand\s*\(", CHANCE),
    (r"\bstd::(uniform_\w+_distribution|bernoulli_distribution|shuffle)\b",
     "use Random (base/random.h): the sequence of the standard's is the library's business"),
    (r"\b(secure_)?getenv\b", "options are read at the edge, in apps/, and handed in"),
    (r"(?<![\w>)])::(socket|connect|bind|listen|accept4?|recv|send|setsockopt|getaddrinfo)\s*\(",
     SOCKETS),
    (r"(?<![\w>)])::(open|openat|creat|read|pread|write|pwrite|fsync|fdatasync|close|unlink|rename)"
     r"\s*\(",
     FILES),
    (r"\b(fopen|freopen|tmpfile)\b", FILES),
    (r"\bstd::([io]?fstream|filesystem)\b", FILES),
]]

INCLUDES = {
    "thread": THREADS, "mutex": THREADS, "shared_mutex": THREADS, "condition_variable": THREADS,
    "atomic": THREADS, "future": THREADS, "latch": THREADS, "barrier": THREADS,
    "semaphore": THREADS, "stop_token": THREADS, "fstream": FILES, "filesystem": FILES,
    "random": CHANCE, "ctime": TIME, "coroutine": "g++ 12 miscompiles coroutines; write a machine",
}

# One place writes what the program says, and checks that it was written; libraries say nothing.
PRINTED = re.compile(r"\bstd::(cout|cerr|clog|puts|putc)\b|\bfmt::print\b"
                     r"|\b(v?f?printf|fputs|fwrite|fputc|putchar|fflush|perror|stdout|stderr)\b"
                     r"|::write\s*\(\s*(STD(OUT|ERR)_FILENO|[12]\b)")
PRINTER = "src/apps/output.cc"

COROUTINES = re.compile(r"\bco_(await|yield|return)\b")
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.MULTILINE)
UNORDERED = re.compile(r"\bunordered_(?:flat_)?(?:multi)?(?:map|set)\s*<")
TODO = re.compile(r"\b(TODO|FIXME|XXX)\b")
EXCUSE = re.compile(r"tidy: allow\(([^)]+)\)")


def excused(file, offset, word):
    """True if the line at `offset`, or the one above it, allows `word`."""
    lines = file.text.split("\n")
    number = file.line_of(offset) - 1
    near = lines[max(0, number - 1):number + 1]
    return any(word in match.group(1) for line in near for match in EXCUSE.finditer(line))


def end_of_template(code, start):
    depth = 0
    for at in range(start, len(code)):
        depth += {"<": 1, ">": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


def unordered_names(code):
    """Variables that the code declares as unordered containers."""
    names = set()
    for match in UNORDERED.finditer(code):
        declared = re.match(r"\s*&?\s*(\w+)\s*[;={(]",
                            code[end_of_template(code, match.end() - 1):])
        if declared:
            names.add(declared.group(1))
    return names


def check_order(file, code, headers):
    """Machines do not walk through unordered containers: the order differs between machines."""
    own_header = headers.get(re.sub(r"\.cc$", ".h", file.name), "")
    for name in unordered_names(code) | unordered_names(own_header):
        for match in re.finditer(rf"for\s*\([^;)]*:\s*{name}\s*\)", code):
            if not excused(file, match.start(), "unordered"):
                yield f"{file.name}:{file.line_of(match.start())}: iterates over the unordered " \
                      f"{name}: its order is not the same everywhere; keep a std::map"


def check_machine_words(file, code):
    for pattern, instead in BANNED:
        for match in pattern.finditer(code):
            word = match.group().strip(" (")
            if not excused(file, match.start(), word.removeprefix("std::")):
                yield f"{file.name}:{file.line_of(match.start())}: {word}: {instead}"
    for match in INCLUDE.finditer(code):
        if match.group(1) in INCLUDES and not excused(file, match.start(), match.group(1)):
            yield f"{file.name}:{file.line_of(match.start())}: <{match.group(1)}>: " \
                  f"{INCLUDES[match.group(1)]}"


def check_printing(file, code):
    if file.name == PRINTER or file.is_test or file.name.startswith("src/apps/tests/"):
        return
    for match in PRINTED.finditer(code):
        word = match.group().strip(" (")
        if not excused(file, match.start(), word.removeprefix("std::")):
            yield f"{file.name}:{file.line_of(match.start())}: {word}: print(), remark() or " \
                  f"tell() (apps/output.h), or a Log"


def check(tree):
    bare = {file.name: without_comments_and_strings(file.text) for file in tree.code()}
    headers = {name: code for name, code in bare.items() if name.endswith(".h")}
    for file in tree.code():
        code = bare[file.name]
        for match in TODO.finditer(file.text):
            yield f"{file.name}:{file.line_of(match.start())}: {match.group()}: write an issue"
        for match in COROUTINES.finditer(code):
            yield f"{file.name}:{file.line_of(match.start())}: {match.group()}: " \
                  f"{INCLUDES['coroutine']}"
        if file.module is not None:
            yield from check_printing(file, code)
        if file.module is None or file.module in SHELLS or file.is_test:
            continue
        yield from check_machine_words(file, code)
        yield from check_order(file, code, headers)
