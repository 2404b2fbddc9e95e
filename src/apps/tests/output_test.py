"""Output that cannot be written, for every command: full disk, closed descriptor, no reader."""

import os
import signal
import subprocess
import unittest

from command_line_test import every_command
from program import Case, DONE, IO_FAILED, LIMIT, NO, PROGRAM, environment, \
    free_address, free_port, main, run

FULL = "No space left on device"
CLOSED = "it is closed"

# Commands that print nothing but their help.
GROUPS = [(), ("service",), ("record",), ("cluster",), ("journal",), ("config",), ("demo",)]
# Hidden commands: the processes of demonstrations, and the generator for documents.
HIDDEN = [("config", "reference"), ("demo-member",), ("demo-client",), ("demo-server-copy",),
          ("demo-asking-client",)]
# Servers: their first line is output, and its reader may go.
SERVERS = [("registry",), ("coordinator",)]
# Commands that only a registry of several nodes takes.
SEVERAL = [("registry", "add"), ("registry", "remove"), ("registry", "transfer")]


def run_into(target, *arguments, env=None, directory=None):
    """Runs the program with a standard output that fails in the way of `target`."""
    line = [PROGRAM, *map(str, arguments)]
    options = {"stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True,
               "env": environment({"TMPDIR": str(directory), **(env or {})}), "timeout": LIMIT}
    if target == "closed":
        return subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *line], check=False,
                              **options)
    if target == "full":
        with open("/dev/full", "w", encoding="utf-8") as full:
            return subprocess.run(line, stdout=full, check=False, **options)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(line, stdout=writer, check=False, **options)
    finally:
        os.close(writer)


@unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
class Output(Case):
    def commands(self):
        """Each command with arguments that make it print, and without earlier output."""
        registry = self.registry("--platform", "Stage")
        at = registry.address
        self.member(at, "Bar1", "--allow-record-put", role="active")
        self.member(at, "Bar2", "--allow-record-put", role="standby")
        self.ask(at, "service", "register", "Asked", "--log", "/logs")
        journal = self.directory / "data"
        config = self.directory / "good.toml"
        config.write_text("[client]\ntimeout = \"2s\"\n")
        fresh = iter(range(1000))

        def new(name):
            return self.directory / f"{name}{next(fresh)}"

        backup = new("backup")
        self.ask(at, "registry", "backup", "--to", backup)

        def restored():
            """A journal that is not in use."""
            place = new("restored")
            result = run("registry", "restore", "--from", backup, "--data", place)
            self.assertEqual(result.returncode, DONE, result.stderr)
            return place

        def ask(*line):
            return lambda: ("--registry", at, *line)

        def named(*line):
            """Another service each time."""
            def made():
                name = f"Own{next(fresh)}"
                self.ask(at, "service", "register", name, "--log", "/logs")
                self.ask(at, "service", "add-replica", name, "--replica", "1")
                return ("--registry", at, "service", line[0], name, *line[1:])
            return made

        return {
            ("registry",): lambda: ("registry", "--listen", "127.0.0.1:0", "--data", new("data")),
            ("registry", "status"): ask("registry", "status"),
            ("registry", "backup"): lambda: ("--registry", at, "registry", "backup", "--to",
                                             new("backup")),
            ("registry", "restore"): lambda: ("registry", "restore", "--from", backup, "--data",
                                              new("data")),
            ("coordinator",): lambda: ("coordinator", "--instance", "server", "--log", new("logs"),
                                       "--app-port", free_port()),
            ("service", "list"): ask("service", "list"),
            ("service", "show"): ask("service", "show", "Foo"),
            ("service", "register"): lambda: ("--registry", at, "service", "register",
                                              f"New{next(fresh)}", "--log", "/logs"),
            ("service", "add-replica"): named("add-replica", "--replica", "2"),
            ("service", "remove-replica"): named("remove-replica", "--replica", "1"),
            ("service", "unregister"): named("unregister"),
            ("service", "switchover"): ask("service", "switchover", "Foo"),
            ("service", "explain"): ask("service", "explain", "Foo"),
            ("record", "list"): ask("record", "list", "Foo"),
            ("record", "get"): ask("record", "get", "Foo", "HelloWorld"),
            ("record", "watch"): ask("record", "watch", "Foo", "HelloWorld", "--count", "3"),
            ("record", "put"): ask("record", "put", "Foo", "HelloWorld", "a message=x"),
            ("call",): ask("call", "Foo", "echo", '{"a":1}'),
            ("cluster", "list"): ask("cluster", "list"),
            ("journal", "inspect"): lambda: ("journal", "inspect", journal),
            ("journal", "verify"): lambda: ("journal", "verify", journal),
            ("journal", "replay"): lambda: ("journal", "replay", journal),
            ("journal", "repair"): lambda: ("journal", "repair", restored()),
            ("demo", "hello"): lambda: ("demo", "hello"),
            ("demo", "standby"): lambda: ("demo", "standby"),
            ("config", "check"): lambda: ("config", "check", config),
            ("config", "show"): lambda: ("config", "show"),
            ("config", "reference"): lambda: ("config", "reference", "client"),
            ("explain",): lambda: ("explain",),
            ("completion",): lambda: ("completion", "bash"),
            ("demo-member",): lambda: ("demo-member", "--registry", at, "--member", "Bar9"),
            ("demo-client",): lambda: ("demo-client", "--registry", at),
            ("demo-server-copy",): lambda: ("demo-server-copy", "--registry", at, "--member",
                                            "Copy1", "--directory", new("copies")),
            ("demo-asking-client",): lambda: ("demo-asking-client", "--registry", at, "--member",
                                              "Copy1", "--directory", new("copies")),
        }

    def assert_refused(self, result, why):
        self.assertEqual(result.returncode, IO_FAILED, result.stderr)
        lines = result.stderr.splitlines()
        complaint = f"understudy: standard output cannot be written: {why}"
        self.assertEqual(lines.count(complaint), 1, result.stderr)
        self.assertEqual(lines[-1], complaint)

    def test_the_list_of_commands_is_that_of_the_program(self):
        self.assertEqual(sorted({*self.commands(), *GROUPS, *SEVERAL}),
                         sorted({*every_command(), *HIDDEN}))

    def test_a_command_whose_output_is_refused_ends_with_74(self):
        for path, line in self.commands().items():
            for target, why in [("full", FULL), ("closed", CLOSED)]:
                with self.subTest(command=" ".join(path), target=target):
                    scratch = self.directory / "scratch"
                    scratch.mkdir(exist_ok=True)
                    self.assert_refused(run_into(target, *line(), directory=scratch), why)
                    if path[0] == "demo":
                        self.assertEqual(os.listdir(scratch), [])

    def test_help_and_version_that_are_refused_end_with_74(self):
        for path in [*every_command(), *HIDDEN]:
            with self.subTest(command=" ".join(path)):
                self.assert_refused(run_into("full", *path, "--help"), FULL)
        self.assert_refused(run_into("closed", "--version"), CLOSED)

    def test_a_reader_that_goes_ends_a_command_quietly(self):
        for path, line in self.commands().items():
            if path in SERVERS:
                continue
            with self.subTest(command=" ".join(path)):
                scratch = self.directory / "scratch"
                scratch.mkdir(exist_ok=True)
                result = run_into("gone", *line(), directory=scratch)
                self.assertEqual(result.returncode, -signal.SIGPIPE, result.stderr)
                self.assertNotIn("standard output", result.stderr)

    def test_what_watches_ends_when_its_reader_goes(self):
        address = self.registry().address
        self.ask(address, "service", "register", "Zero", "--log", "/logs")
        watching = self.start("--registry", address, "service", "list", "-w", "-o", "jsonl")
        watching.line()
        watching.process.stdout.close()
        for name in ["One", "Two"]:
            self.ask(address, "service", "register", name, "--log", "/logs")
        self.assertEqual(watching.process.wait(LIMIT), -signal.SIGPIPE)

    def test_a_server_goes_on_without_the_reader_of_its_lines(self):
        running = self.registry()
        running.process.stdout.close()
        self.ask(running.address, "registry", "status")
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(running.process.wait(LIMIT), DONE)
        port = free_port()
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen(
            [PROGRAM, "coordinator", "--instance", "server", "--log", self.directory / "logs",
             "--app-port", str(port)], stdout=writer, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, env=environment())
        os.close(writer)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        self.wait_until(lambda: self.listens(port), "the coordinator listens")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), DONE)

    @staticmethod
    def listens(port):
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = table.read().splitlines()[1:]
        return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A"
                   for row in rows)

    def test_no_file_takes_the_place_of_a_closed_standard_output(self):
        data = self.directory / "data"
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@" 2>&- <&-', "sh", PROGRAM, "registry", "--listen",
             "127.0.0.1:0", "--data", data], stdout=subprocess.PIPE, text=True, env=environment())
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        self.stack.callback(process.stdout.close)
        self.assertTrue(process.stdout.readline().startswith("registry ready on "))
        taken = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in (0, 2)]
        self.assertEqual(taken, ["/dev/null", "/dev/null"])

    def test_what_says_nothing_on_standard_output_does_not_need_it(self):
        result = run_into("closed", "explain", "nothing_such")
        self.assertEqual(result.returncode, NO)
        self.assertIn("[not_found]", result.stderr)


    @unittest.skipUnless(os.environ.get("UNDERSTUDY_RAFT", "") in ("ON", "1", "TRUE"),
                         "built without the replicated journal")
    def test_so_do_the_commands_that_change_the_nodes_of_a_registry(self):
        at = {f"r{number}": free_address() for number in (1, 2, 3, 4)}
        founders = ",".join(f"{name}={at[name]}" for name in ("r1", "r2", "r3"))
        for name, more in [("r1", ()), ("r2", ()), ("r3", ()), ("r4", ("--advertise", at["r4"]))]:
            self.start("registry", "--name", name, "--peers", founders, "--data",
                       self.directory / name, *more)
        where = ("--registry", ",".join(at.values()), "--timeout", "40s")
        self.wait_until(lambda: run(*where, "registry", "status").returncode == DONE,
                        "it is founded")

        def standby():
            nodes = self.ask_json(where[1], "registry", "status")["nodes"]
            return next(node["node"] for node in nodes if node["role"] == "standby")

        self.assert_refused(
            run_into("full", *where, "registry", "add", f"r4={at['r4']}"), FULL)
        self.assert_refused(run_into("closed", *where, "registry", "transfer", standby()), CLOSED)
        self.assert_refused(run_into("full", *where, "registry", "remove", standby()), FULL)


if __name__ == "__main__":
    main()
