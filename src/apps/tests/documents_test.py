"""The documents say what the program does: options, commands, codes."""

import re

from program import Case, ROOT, main, run
from command_line_test import every_command

CLI = (ROOT / "docs/cli.md").read_text()
OPERATIONS = (ROOT / "docs/operations/registry.md").read_text()
COORDINATOR = (ROOT / "docs/operations/coordinator.md").read_text()


class Documents(Case):
    def test_the_tables_of_options_are_those_of_the_program(self):
        self.assertIn(run("config", "reference", "client").stdout, CLI)
        self.assertIn(run("config", "reference", "registry").stdout, OPERATIONS)
        self.assertIn(run("config", "reference", "coordinator").stdout, COORDINATOR)

    def test_every_command_has_its_place(self):
        for path in every_command():
            command = " ".join(("understudy",) + path)
            self.assertIn(command, CLI, command)

    def test_every_exit_code_is_there(self):
        for code in [0, 1, 2, 69, 74, 75, 77, 130]:
            self.assertRegex(CLI, rf"(?m)^\| {code} \|")

    def test_every_error_code_is_there(self):
        for name in run("explain", "-o", "name").stdout.split():
            self.assertIn(f"`{name}`", CLI)

    def test_the_worked_example_of_a_backup_is_read(self):
        text = (ROOT / "docs/formats/registry-backup.md").read_text().rpartition("```text\n")[2]
        lines = [line.split("  ", 1)[1] for line in text.partition("```")[0].splitlines()]
        good = bytes.fromhex("".join(lines))
        backup = self.directory / "backup"

        def message(content):
            backup.write_bytes(content)
            return run("registry", "restore", "--from", backup, "--data",
                       self.directory / "d").stderr

        # The file is good; its content, nine digits, is not the state of a registry.
        self.assertIn("its content is not the state of a registry", message(good))
        self.assertIn("does not match its checksum", message(good[:-1] + b"8"))

    def test_every_event_of_a_registry_is_explained(self):
        events = set()
        names = r'"((?:registry|journal|replica|role|replicated|node_log)\.[a-z_.]+)"'
        for folder in ["node", "registry", "apps", "journal", "replica", "replicated"]:
            for path in (ROOT / "src" / folder).glob("*.cc"):
                # A registry has no journal in a shared directory.
                if not path.name.endswith("_test.cc") and not path.name.startswith("shared_"):
                    events |= set(re.findall(names, path.read_text()))
        options = set(run("config", "show", "-o", "name").stdout.split())
        for event in sorted(events - options):
            self.assertIn(f"`{event}`", OPERATIONS, f"{event} is not explained")


if __name__ == "__main__":
    main()
