#!/usr/bin/env python3
"""Each rule finds what it is for, and leaves alone what only looks like it."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from tidy import findings  # noqa: E402

TABLE = """
understudy_layer(NAME base FLOOR 1 MAY FOREIGN xxhash)
understudy_layer(NAME journal FLOOR 3 MAY base FOREIGN)
understudy_layer(NAME gateway FLOOR 6 MAY base FOREIGN)
understudy_layer(NAME platform FLOOR 8 MAY base FOREIGN asio openssl)
"""


class TidyTest(unittest.TestCase):
    def found(self, files, listed=True):
        """What tidy says of a tree that holds `files`; sources are listed unless told."""
        with tempfile.TemporaryDirectory() as root:
            files = {"cmake/modules.cmake": TABLE, **files}
            if listed:
                sources = [name for name in files if name.endswith(".cc")]
                files["CMakeLists.txt"] = "add(" + " ".join(sources) + ")\n"
            for name, text in files.items():
                path = Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(findings(root))

    def assert_one(self, files, part, **how):
        found = self.found(files, **how)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def assert_none(self, files, **how):
        self.assertEqual(self.found(files, **how), [])

    def test_an_include_that_points_up_is_found(self):
        self.assert_one({"src/base/a.cc": '#include "journal/format/segment.h"\n'},
                        "base may not include journal")
        self.assert_none({"src/journal/a.cc": '#include "base/types.h"\n'})

    def test_a_gateway_never_includes_another(self):
        header = {"src/gateway/mqtt/a.h": "int a();\n"}
        self.assert_one({**header, "src/gateway/stomp/a.cc": '#include "gateway/mqtt/a.h"\n'},
                        "never includes another")
        self.assert_none({**header, "src/gateway/mqtt/a.cc": '#include "gateway/mqtt/a.h"\n'})

    def test_a_test_may_include_everything(self):
        self.assert_none({"src/base/a_test.cc": '#include "journal/format/segment.h"\n#include '
                                                '<thread>\n'})

    def test_an_include_in_a_comment_or_string_is_none(self):
        self.assert_none({"src/journal/a.h": "int a();\n",
                          "src/journal/a.cc": '#include "journal/a.h"\n',
                          "src/base/a.cc":
                          '// #include "journal/a.h"\n/*\n#include "journal/a.h"\n*/\n'
                          'const char* s = R"(\n#include "journal/a.h"\n)";\n'})

    def test_a_foreign_library_out_of_its_place_is_found(self):
        self.assert_one({"src/journal/a.cc": "#include <boost/asio/post.hpp>\n"},
                        "journal may not include asio")
        self.assert_none({"src/platform/a.cc": "#include <boost/asio/post.hpp>\n"})
        self.assert_one({"src/journal/a.cc": "#include <sys/socket.h>\n"}, "system header")
        self.assert_none({"src/journal/a.cc": "#include <fmt/format.h>\n"})

    def test_the_public_api_includes_the_standard_library_only(self):
        self.assert_one({"include/understudy/a.h": "#include <fmt/format.h>\n"}, "public API")
        self.assert_one({"examples/a.cc": '#include "base/types.h"\n'}, "example")

    def test_a_short_include_is_found(self):
        self.assert_one({"src/base/a.cc": '#include "types.h"\n'}, 'full path: "base/types.h"')

    def test_a_table_that_points_up_is_found(self):
        upside_down = TABLE + "understudy_layer(NAME wire FLOOR 2 MAY journal FOREIGN)\n"
        self.assert_one({"cmake/modules.cmake": upside_down}, "strictly down")

    def test_banned_words_are_found_outside_the_shells_only(self):
        for code in ("std::async(f);", "auto t = std::chrono::steady_clock::now();", "x = rand();",
                     "auto e = getenv(\"A\");", "int fd = ::open(p, 0);", "pthread_self();",
                     "return ::send(fd, p, n, 0);", "sleep(1);", "#include <mutex>"):
            with self.subTest(code):
                self.assert_one({"src/journal/a.cc": code + "\n"}, "src/journal/a.cc:1:")
                self.assert_none({"src/platform/a.cc": code + "\n"})
                self.assert_none({"src/journal/a_test.cc": code + "\n"})

    def test_what_only_looks_banned_is_left_alone(self):
        self.assert_none({"src/journal/a.cc":
                          "// std::mutex\nauto s = \"std::thread\";\nauto f = Disk::open(path);\n"
                          "disk.open(path);\nvoid Link::send(int) {}\nint operand(int);\nauto x = "
                          "1'000'000; auto y = 2'0;\n"})

    def test_an_excuse_counts_for_its_word_only(self):
        excused = "// tidy: allow(async) because it is a name\nstd::async(f);\n"
        self.assert_none({"src/journal/a.cc": excused})
        self.assert_one({"src/journal/a.cc": excused.replace("std::async", "std::promise")},
                        "std::promise")

    def test_walking_through_an_unordered_container_is_found(self):
        header = "#include <unordered_map>\nstd::unordered_map<int, Map<int>> peers_;\n"
        self.assert_one({"src/journal/a.h": header,
                         "src/journal/a.cc": '#include "journal/a.h"\n'
                                             "for (const auto& [k, v] : peers_) use(k);\n"},
                        "unordered peers_")
        self.assert_none({"src/journal/a.cc": header + "return peers_.find(1);\n"})

    def test_a_standard_header_that_came_by_luck_is_found(self):
        self.assert_one({"src/base/a.cc": "#include <vector>\nvoid f() { std::sort(a, b); }\n"},
                        "std::sort without <algorithm>")
        self.assert_none({"src/base/b.h": "#include <algorithm>\n",
                          "src/base/a.cc": '#include "base/b.h"\nvoid f() { std::sort(a, b); }\n'})

    def test_what_prints_past_the_one_place_is_found(self):
        for code in ("std::cout << a;", "std::fprintf(f, a);", "printf(a);", "fmt::print(a);",
                     "std::puts(a);", "f(stderr);", "(void)!::write(STDOUT_FILENO, p, n);",
                     "(void)!::write(1, p, n);", "std::fflush(nullptr);"):
            with self.subTest(code):
                for name in ("src/apps/a.cc", "src/platform/a.cc"):
                    self.assert_one({name: "#include <cstdio>\n" + code + "\n"}, name + ":2:")
                self.assert_none({"src/apps/output.cc": "#include <cstdio>\n" + code + "\n"})
                self.assert_none({"src/apps/a_test.cc": "#include <cstdio>\n" + code + "\n"})
        self.assert_none({"src/apps/a.cc": "print(a);\nsnprintf(a, n, b);\n::write(fd, p, 12);\n"})

    def test_coroutines_are_found_everywhere(self):
        self.assert_one({"src/platform/a.cc": "co_await f();\n"}, "co_await")

    def test_unfinished_business_is_found(self):
        self.assert_one({"src/base/a.cc": "// " + "TO" + "DO: later\n"}, "write an issue")

    def test_a_source_that_is_never_built_is_found(self):
        self.assert_one({"src/base/a.cc": "int a;\n"}, "never built", listed=False)
        self.assert_one({"src/base/a.h": "int a();\n"}, "nobody includes it")
        self.assert_one({"src/base/CMakeLists.txt": "understudy_module(SOURCES gone.cc)\n"},
                        "names src/base/gone.cc")

    def test_blanks_at_the_end_are_found(self):
        self.assert_one({"a.md": "# A \n"}, "trailing blank")
        self.assert_one({"a.md": "# A"}, "no newline")

    def test_a_line_that_is_too_long_is_found(self):
        for name in ("src/base/a.cc", "cmake/a.cmake", "tools/a.py", "src/wire/a.proto"):
            with self.subTest(name):
                self.assert_one({name: "#" + 100 * "x" + "\n"}, name + ":1: 101 columns")
                self.assert_none({name: "#" + 99 * "ü" + "\n"})
        self.assert_one({"a.md": "# A\n" + 151 * "x" + "\n"}, "a.md:2: 151 columns")
        self.assert_none({"a.md": "# A\n| " + 200 * "x" + " |\n\n```\n" + 200 * "x" + "\n```\n"})

    def test_a_comment_that_names_a_file_that_is_not_there_is_found(self):
        for comment in ("// gone.md, section 3", "/// As in\n/// base/gone.h.", "/* docs/gone/b */",
                        "int a;  // tests/gone"):
            with self.subTest(comment):
                self.assert_one({"src/base/a.cc": comment + "\n"}, "is not in the repository")
        self.assert_one({"cmake/a.cmake": "# gone.cc\n"},
                        "cmake/a.cmake:1: the comment names gone.cc")
        self.assert_one({"tools/a.py": "a = 1  # docs/gone.md\n"}, "names docs/gone.md")

    def test_a_comment_may_name_what_is_there_and_what_is_no_file(self):
        self.assert_none({"src/base/b_test.cc": "int b;\n", "src/wire/a.proto": "\n",
                          "docs/sub/a.md": "# A\n",
                          "src/base/a.cc": "// docs/sub/a.md, docs/sub, b_test.cc; "
                                           "base/b_test.cc.\n"
                                           "// wire/a.pb.h, raft.h, errno.h, *_test.cc, a.b, "
                                           "e.g.,\n"
                                           "// https://example.org/docs/x.md, /etc/a.md, "
                                           "a/$NAME.cc\n"
                                           "auto s = \"docs/gone.md\";\n"})

    def test_a_document_has_one_title(self):
        self.assert_one({"a.md": "# A\n# B\n"}, "2 titles")
        self.assert_none({"a.md": "# A\n\n```\n# a comment\n```\n"})

    def test_a_link_that_leads_nowhere_is_found(self):
        self.assert_one({"a.md": "# A\n[b](b.md)\n"}, "leads nowhere")
        self.assert_one({"a.md": "# A\n[b](b.md#c)\n", "b.md": "# B\n"}, "no such heading")
        self.assert_none({"a.md": "# A\n[b](b.md#the-b-side) [c](https://example.org)\n",
                          "b.md": "# B\n## The B-side\n"})


if __name__ == "__main__":
    unittest.main()
