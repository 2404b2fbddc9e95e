"""Help, usage, exit codes that need no platform, speed."""

import re
import subprocess
import time
import unittest

from program import Case, DONE, PROGRAM, SANITIZED, UNREACHABLE, USAGE, environment, main, run


def commands_in(help_text):
    """Names under "Commands:" in a help text."""
    part = help_text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  (\S+)", part, re.MULTILINE)


def every_command(path=()):
    yield path
    result = run(*path, "--help")
    for name in commands_in(result.stdout):
        yield from every_command(path + (name,))


class CommandLine(Case):
    def test_help_of_every_command(self):
        paths = list(every_command())
        self.assertIn(("registry", "backup"), paths)
        self.assertIn(("service", "switchover"), paths)
        self.assertIn(("demo", "hello"), paths)
        self.assertIn(("demo", "standby"), paths)
        for path in paths:
            with self.subTest(command=" ".join(path)):
                result = run(*path, "--help")
                self.assertEqual(result.returncode, DONE)
                self.assertEqual(result.stderr, "")
                self.assertIn("Usage: understudy", result.stdout)
                self.assertNotIn("demo-", result.stdout)
                self.assertNotIn("\x1b", result.stdout)

    def test_nonsense_is_usage(self):
        for line in [[], ["service"], ["servce", "list"], ["service", "list", "--watcj"],
                     ["service", "show"], ["service", "list", "-o", "yaml"],
                     ["service", "list", "extra"], ["--registry", "nowhere", "service", "list"],
                     ["--timeout", "5", "service", "list"], ["registry"],
                     ["registry", "--segment-size", "1KiB", "--data", "x"],
                     ["demo", "hello", "--rounds", "0"],
                     ["demo", "standby", "--rounds", "x"], ["journal"], ["journal", "verify"],
                     ["journal", "replay", "x", "--as", "what"], ["explain", "--nothing"],
                     ["record", "put", "Foo", "R", "no assignment"],
                     ["call", "Foo", "name", "{not json"]]:
            with self.subTest(line=line):
                result = run(*line)
                self.assertEqual(result.returncode, USAGE, result.stdout + result.stderr)
                self.assertEqual(result.stdout, "")
                self.assertTrue(result.stderr.startswith("understudy: "), result.stderr)

    def test_a_slip_is_answered_with_what_was_meant(self):
        self.assertIn("did you mean service?", run("servce", "list").stderr)
        self.assertIn("did you mean switchover?", run("service", "swichover", "Foo").stderr)
        self.assertIn("did you mean --registry?", run("service", "list", "--registri", "x").stderr)

    def test_a_registry_that_is_not_there_is_unreachable(self):
        # Port 1 of loopback has no listener.
        for line in [["service", "list"], ["service", "show", "Foo"], ["registry", "status"],
                     ["registry", "backup", "--to", str(self.directory / "b")],
                     ["record", "get", "Foo", "R"], ["call", "Foo", "x"], ["cluster", "list"],
                     ["service", "switchover", "Foo"], ["service", "explain", "Foo"]]:
            with self.subTest(line=line):
                result = run("--registry", "127.0.0.1:1", "--timeout", "300ms", *line)
                self.assertEqual(result.returncode, UNREACHABLE, result.stderr)
                self.assert_sentence(result)
                self.assertIn("127.0.0.1:1", result.stderr)
                self.assertIn("(connect: Connection refused)", result.stderr)
        self.assertFalse((self.directory / "b").exists())

    def test_each_of_several_registries_has_its_own_reason(self):
        for line in [["service", "list"], ["registry", "status"],
                     ["service", "show", "Foo", "--consistency", "cached"]]:
            with self.subTest(line=line):
                result = run("--registry", "127.0.0.1:1,nowhere.invalid:2", "--timeout", "2s",
                             *line)
                self.assertEqual(result.returncode, UNREACHABLE, result.stderr)
                self.assertRegex(result.stderr,
                                 r"no registry answers at 127\.0\.0\.1:1,nowhere\.invalid"
                                 r":2 \(127\.0\.0\.1:1: connect: Connection refused; "
                                 r"nowhere\.invalid:2: .+\)")

    def test_a_range_says_which_units_there_are(self):
        for line, told in [
                (["--timeout", "5", "service", "list"],
                 'client.timeout = "5": expected 1ms to 3600s: the unit is missing, as in 5s'),
                (["registry", "--data", "x", "--segment-size", "1MB"],
                 "expected 64KiB to 4GiB: MB is not a unit here, as in 1MiB (B, KiB, MiB or GiB)"),
                (["registry", "--data", "x", "--listen", "::1:22222"],
                 "an IPv6 host goes in brackets: [::1]:22222"),
                (["--registry", "::1:22222", "service", "list"],
                 "an IPv6 host goes in brackets: [::1]:22222"),
                (["coordinator", "--lease", "1"], "the unit is missing, as in 1s"),
                (["call", "Foo", "x", "--deadline", "5"], "the unit is missing, as in 5s"),
                (["demo", "hello", "--pause", "1"], "the unit is missing, as in 1s")]:
            with self.subTest(line=line):
                result = run(*line)
                self.assertEqual(result.returncode, USAGE, result.stderr)
                self.assertIn(told, result.stderr)

    def test_the_version_is_one_line(self):
        self.assertRegex(run("--version").stdout, r"^understudy \d+\.\d+\.\d+\n$")

    def test_error_codes_are_explained(self):
        self.assertIn("active role", run("explain", "not_active").stdout)
        result = run("explain", "not_activ")
        self.assertEqual(result.returncode, 1)
        self.assertIn("try: understudy explain not_active", result.stderr)

    @unittest.skipIf(SANITIZED, "sanitizers are slow to start")
    def test_it_starts_as_fast_as_programs_do(self):
        def fastest(*command):
            took = []
            for _ in range(20):
                begun = time.monotonic()
                subprocess.run(command, stdout=subprocess.DEVNULL, env=environment(), check=True)
                took.append(time.monotonic() - begun)
            return min(took)

        # Compared with a program that does nothing, on any machine and under any load.
        self.assertLess(fastest(PROGRAM, "--version"), 20 * fastest("/bin/true"))


if __name__ == "__main__":
    main()
