"""The completions that bash offers, tested by running the script in bash."""

import pathlib
import shlex
import subprocess
import time
import unittest

from program import Case, LIMIT, PROGRAM, environment, main, run


@unittest.skipUnless(pathlib.Path("/bin/bash").exists(), "no bash")
class Completion(Case):
    def offers(self, line):
        """The completions at the end of `line`, split into words as bash splits it."""
        words = []
        for word in shlex.split(line) + ([""] if line.endswith(" ") else []):
            at = 0
            for index, letter in enumerate(word):
                if letter in ":=":
                    if word[at:index]:
                        words.append(word[at:index])
                    words.append(letter)
                    at = index + 1
            if word[at:] or not word:
                words.append(word[at:])
        words[0] = PROGRAM
        script = (f"source <({shlex.quote(PROGRAM)} completion bash)\n"
                  f"COMP_WORDS=({' '.join(map(shlex.quote, words))})\n"
                  f"COMP_CWORD={len(words) - 1}\n"
                  "COMPREPLY=()\n_understudy\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
        result = subprocess.run(["/bin/bash", "--norc", "-c", script], capture_output=True,
                                text=True,
                                timeout=60, env=environment(), cwd=self.directory)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_commands(self):
        offered = self.offers("us ")
        self.assertIn("registry", offered)
        self.assertIn("service", offered)
        self.assertNotIn("demo-member", offered)
        self.assertEqual(self.offers("us serv"), ["service"])
        self.assertEqual(self.offers("us --registry 127.0.0.1:1 service sw"), ["switchover"])
        self.assertEqual(self.offers("us -o json service sw"), ["switchover"])

    def test_options_of_the_command_and_of_all(self):
        offered = self.offers("us registry --l")
        self.assertEqual(sorted(offered), ["--listen", "--log-format", "--log-level"])
        self.assertIn("--timeout", self.offers("us service list --"))

    def test_values(self):
        self.assertEqual(self.offers("us -o js"), ["json", "jsonl"])
        self.assertEqual(sorted(self.offers("us registry --log-level ")),
                         ["debug", "error", "info", "warn"])
        (self.directory / "some.toml").write_text("")
        self.assertEqual(self.offers("us --config so"), ["some.toml"])
        self.assertEqual(self.offers("us completion "), ["bash"])
        self.assertEqual(self.offers("us journal replay --as r"), ["registry"])
        (self.directory / "somewhere").mkdir()
        self.assertEqual(self.offers("us journal verify somew"), ["somewhere"])

    def test_names_of_services_come_from_the_registry(self):
        address = self.registry().address
        self.member(address, "Bar1", family="Orders", role="active")
        # The program gives up after 200 ms: a busy machine may need more than one try.
        self.wait_until(
            lambda: self.offers(f"us --registry {address} service show Or") == ["Orders"],
            "the service is offered")

    def test_without_a_registry_it_does_not_wait(self):
        begun = time.monotonic()
        self.assertEqual(self.offers("us --registry 127.0.0.1:1 service show "), [])
        self.assertLess(time.monotonic() - begun, LIMIT / 2)

    def test_the_installed_script_is_this_one(self):
        built = pathlib.Path(PROGRAM).parent / "understudy.bash"
        self.assertEqual(built.read_text(), run("completion", "bash").stdout)


if __name__ == "__main__":
    main()
