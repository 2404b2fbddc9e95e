"""The examples end with a line and an exit code when they cannot work."""

import os
import pathlib
import unittest

from program import Case, main, run

EXAMPLES = pathlib.Path(os.environ.get("UNDERSTUDY_EXAMPLES", "nowhere"))


@unittest.skipUnless((EXAMPLES / "replicated_kv").exists(), "the examples are not built")
class Examples(Case):
    def test_an_example_that_cannot_go_on_says_why_in_a_line(self):
        place = str(self.directory / "place")
        for name, *arguments in [
                ("replicated_kv", "A", "/dev/null/place"),
                ("replicated_kv", "A", place, "nonsense"),
                ("immortal_hello", "server", "A", "/dev/null/place"),
                ("immortal_hello", "ask", "Ann"),
                ("hello_registry", "nonsense", place),
                ("hello_registry", "127.0.0.1:0", "/dev/null/place"),
                ("hello_bar", "Bar1", "nonsense"), ("hello_client", "nonsense"),
                ("ten_lines", "a/b")]:
            with self.subTest(example=name, arguments=arguments):
                result = run(*arguments, program=str(EXAMPLES / name), cwd=self.directory)
                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                lines = [line for line in result.stderr.splitlines() if not line.startswith("ts=")]
                self.assertEqual(len(lines), 1, result.stderr)
                self.assertRegex(lines[0], r"^[a-z_]+: .")


if __name__ == "__main__":
    main()
