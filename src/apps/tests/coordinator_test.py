"""Immortals in Python, each beside its coordinator: the example of docs/protocols/coordinator.md,
run with real processes, real kills, and counted."""

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from program import Case, ROOT, USAGE, environment, free_port, run

EXAMPLE = ROOT / "examples" / "coordinator_hello.py"
sys.path.insert(0, str(EXAMPLE.parent))
import coordinator_hello as protocol  # noqa: E402


class CoordinatorCase(Case):
    def setUp(self):
        super().setUp()
        self.ports = {name: free_port() for name in ("server", "client", "server-app",
                                                     "client-app", "server2", "server2-app")}

    def coordinator(self, name, *arguments, place=None, log="logs"):
        place = place or name
        running = self.start("coordinator", "--instance", name, "--log", self.directory / log,
                             "--port", self.ports[place], "--app-port",
                             self.ports[place + "-app"], *self.peers(), *arguments)
        self.assertEqual(running.line(),
                         f"{name}/replica-{1 if place != name else 0} waits for its "
                         f"application on 127.0.0.1:{self.ports[place + '-app']}",
                         running.error_text())
        return running

    def application(self, name, place=None):
        errors = open(self.directory / f"{place or name}.log", "a", encoding="utf-8")
        self.stack.callback(errors.close)
        # The output of the server is not read: a pipe would fill.
        said = subprocess.PIPE if name == "client" else errors
        process = subprocess.Popen(
            [sys.executable, EXAMPLE, name, f"127.0.0.1:{self.ports[(place or name) + '-app']}"],
            stdin=subprocess.PIPE, stdout=said, stderr=errors, text=True, env=environment())
        self.stack.callback(self.end_application, process)
        return process

    @staticmethod
    def end_application(process):
        process.kill()
        process.wait()
        process.stdin.close()
        if process.stdout is not None:
            process.stdout.close()

    @staticmethod
    def type(process, line):
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def peers(self):
        """The addresses of both, because an answer must reach its caller too."""
        return ("--peers", f"client=127.0.0.1:{self.ports['client']},"
                           f"server=127.0.0.1:{self.ports['server']},"
                           f"server=127.0.0.1:{self.ports['server2']}")

    def lines_of(self, running, wanted):
        """Reads lines until one is `wanted`."""
        while True:
            line = running.line()
            if line == wanted:
                return
            self.assertNotEqual(line, "", running.error_text())


class Hello(CoordinatorCase):
    def test_calls_answers_and_timers(self):
        server = self.coordinator("server")
        client = self.coordinator("client")
        self.application("server")
        typist = self.application("client")
        self.lines_of(server, "server/replica-0 is active, epoch 1")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 1, 1 answers\n")
        self.type(typist, "greet_many Joe 10")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 11, 11 answers\n")
        self.type(typist, "later Ann")
        self.assertEqual(typist.stdout.readline(), "Hello Ann, number 1, 12 answers\n")
        self.assertEqual(server.end(), 0)
        self.assertEqual(client.end(), 0)

    def test_an_application_that_comes_again_goes_on_where_it_was(self):
        self.coordinator("server", "--checkpoint-every", "64KiB")
        self.coordinator("client", "--checkpoint-every", "64KiB")
        server = self.application("server")
        typist = self.application("client")
        total = 0
        for _ in range(3):
            self.type(typist, "greet_many Joe 500")
            total += 500
            self.assertEqual(typist.stdout.readline(),
                             f"Hello Joe, number {total}, {total} answers\n")
            self.end_application(server)
            server = self.application("server")
            self.end_application(typist)
            typist = self.application("client")
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(),
                         f"Hello Joe, number {total + 1}, {total + 1} answers\n")

    def test_killed_in_any_order_nothing_is_lost_and_nothing_happens_twice(self):
        coordinators = {"server": self.coordinator("server", "--checkpoint-every", "64KiB"),
                        "client": self.coordinator("client", "--checkpoint-every", "64KiB")}
        applications = {name: self.application(name) for name in ("server", "client")}
        self.lines_of(coordinators["client"], "client/replica-0 is active, epoch 1")
        self.type(applications["client"], "greet_many Ann 1500")
        self.wait_until(lambda: "greets Ann, " in (self.directory / "server.log").read_text(),
                        "the call was taken")

        for turn in range(12):
            name = ("server", "client")[turn % 2]
            time.sleep(0.15)
            if turn % 4 < 2:
                applications[name].kill()
            else:
                coordinators[name].process.send_signal(signal.SIGKILL)
                coordinators[name].process.wait()
                coordinators[name] = self.coordinator(name, "--checkpoint-every", "64KiB")
            if applications[name].poll() is not None or turn % 4 < 2:
                self.end_application(applications[name])
                applications[name] = self.application(name)
        self.assertEqual(applications["client"].stdout.readline(),
                         "Hello Ann, number 1500, 1500 answers\n")
        self.type(applications["client"], "greet Ann")
        self.assertEqual(applications["client"].stdout.readline(),
                         "Hello Ann, number 1501, 1501 answers\n")

    def test_another_copy_takes_over_with_the_state(self):
        first = self.coordinator("server")
        self.application("server")
        self.lines_of(first, "server/replica-0 is active, epoch 1")
        second = self.coordinator("server", "--replica", "1", place="server2")
        self.application("server", place="server2")
        self.lines_of(second, "server/replica-1 is standby")
        client = self.coordinator("client")
        typist = self.application("client")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.type(typist, "greet_many Joe 100")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 100, 100 answers\n")
        first.process.kill()
        first.process.wait()
        self.lines_of(second, "server/replica-1 is active, epoch 2")
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 101, 101 answers\n")

    def test_an_application_that_hangs_gives_its_role_up(self):
        server = self.coordinator("server", "--stall-limit", "500ms")
        hung = self.application("server")
        client = self.coordinator("client")
        typist = self.application("client")
        self.lines_of(server, "server/replica-0 is active, epoch 1")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 1, 1 answers\n")
        hung.send_signal(signal.SIGSTOP)
        self.application("server")  # Waits for its turn.
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 2, 2 answers\n")
        self.assertIn("no progress after position", server.error_text())


class Registered(CoordinatorCase):
    """Three copies of a server that a registry knows, each with an application of its own."""

    def setUp(self):
        super().setUp()
        self.platform = self.registry().address
        logs = ("--log", self.directory / "logs")
        self.ask(self.platform, "service", "register", "server", "--kind", "immortal", *logs)
        for number in (1, 2):
            self.ask(self.platform, "service", "add-replica", "server", "--replica", number)
        self.ask(self.platform, "service", "register", "client", "--kind", "immortal", *logs)
        self.copies = {}

    def start_copy(self, number, name="server"):
        """Starts a coordinator and its application; waits until the coordinator prints its role."""
        coordinator = self.start("coordinator", "--instance", name, "--replica", number,
                                 "--registry", self.platform)
        line = coordinator.line()
        self.assertTrue(line.startswith(f"{name}/replica-{number} waits for its application on "),
                        line + coordinator.error_text())
        place = f"{name}{number}"
        self.ports[place + "-app"] = int(line.rpartition(":")[2])
        self.copies[place] = coordinator, self.application(name, place=place)
        return coordinator

    def is_now(self, number, what, name="server"):
        self.lines_of(self.copies[f"{name}{number}"][0], f"{name}/replica-{number} is {what}")

    def kill_copy(self, number):
        coordinator, application = self.copies.pop(f"server{number}")
        coordinator.process.kill()
        self.end_application(application)
        coordinator.process.wait()

    def greet(self, number):
        typist = self.copies["client0"][1]
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(),
                         f"Hello Joe, number {number}, {number} answers\n")

    def roles(self):
        """Exit code 1 means that no copy is active."""
        shown = run("--registry", self.platform, "service", "show", "server", "--json")
        return {member["member"]: member["role"] for member in json.loads(shown.stdout)["members"]}

    def test_the_active_role_goes_back_and_forth_past_the_one_that_takes_checkpoints(self):
        self.start_copy(0)
        self.is_now(0, "active, epoch 1")
        self.start_copy(1)
        self.is_now(1, "checkpointer")
        self.start_copy(2)
        self.is_now(2, "standby")
        self.start_copy(0, name="client")
        self.is_now(0, "active, epoch 1", name="client")
        self.greet(1)
        for turn in range(4):
            old, new = (0, 2) if turn % 2 == 0 else (2, 0)
            self.kill_copy(old)
            self.is_now(new, f"active, epoch {turn + 2}")
            self.greet(turn + 2)
            self.start_copy(old)
            self.is_now(old, "standby")
        self.assertEqual(self.roles(), {"replica-0": "active", "replica-1": "checkpointer",
                                        "replica-2": "standby"})
        self.kill_copy(2)  # First: else it would be active, for as long as it lives.
        self.kill_copy(0)
        self.wait_until(lambda: "active" not in self.roles().values(), "nobody is active")
        time.sleep(1.5)  # A lease and more: it stays what it is.
        self.assertEqual(self.roles()["replica-1"], "checkpointer")
        self.start_copy(2)
        self.is_now(2, "active, epoch 6")
        self.greet(6)

    def test_after_a_full_stop_the_second_is_active(self):
        for number in range(3):
            self.start_copy(number)
            self.is_now(number, ("active, epoch 1", "checkpointer", "standby")[number])
        for coordinator, application in self.copies.values():
            self.assertEqual(coordinator.end(), 0)
            self.end_application(application)
        self.wait_until(lambda: set(self.roles().values()) == {None}, "all have left")
        self.start_copy(1)
        self.is_now(1, "checkpointer")
        self.start_copy(2)
        self.is_now(2, "standby")
        self.lines_until_active(2)
        self.start_copy(0)
        self.is_now(0, "standby")

    def lines_until_active(self, number):
        line = self.copies[f"server{number}"][0].line()
        self.assertRegex(line, f"^server/replica-{number} is active, epoch [0-9]+$")


class TimeTravel(CoordinatorCase):
    """A replay of a server's past."""

    NEWER = """
import sys
sys.path.insert(0, sys.argv[2])
import coordinator_hello as protocol

class Newer(protocol.Server):
    versions = (1, 2)

    def on_greet(self, name):
        return super().on_greet(name) + ("!" if self.code == 2 and name == sys.argv[3] else "")

Newer().run(sys.argv[1], idle=lambda readable: True)
"""

    def setUp(self):
        super().setUp()
        server = self.coordinator("server")
        client = self.coordinator("client")
        application = self.application("server")
        typist = self.application("client")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.type(typist, "greet_many Joe 5")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 5, 5 answers\n")
        self.type(typist, "greet Ann")
        self.assertEqual(typist.stdout.readline(), "Hello Ann, number 1, 6 answers\n")
        self.end_application(typist)
        self.end_application(application)
        self.assertEqual(server.end(), 0)
        self.assertEqual(client.end(), 0)
        self.journal = self.directory / "logs" / "server"

    def newer(self, but_for):
        process = subprocess.Popen(
            [sys.executable, "-c", self.NEWER, f"127.0.0.1:{self.ports['server-app']}",
             str(EXAMPLE.parent), but_for], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environment())
        self.stack.callback(process.stdout.close)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def replay(self, *arguments):
        return run("journal", "replay", self.journal, "--app-port", self.ports["server-app"],
                   *arguments)

    def test_commands_are_shown_with_their_arguments(self):
        before = {path: path.read_bytes() for path in self.journal.iterdir()}
        rows = [json.loads(line) for line in
                run("journal", "replay", self.journal, "--json").stdout.splitlines()]
        commands = [each["command"] for row in rows for each in row["commands"]]
        self.assertEqual(commands[0]["do"], "start")
        calls = [message for command in commands for message in command.get("messages", [])]
        self.assertEqual([call["arguments"] for call in calls], [["Joe"]] * 5 + [["Ann"]])
        self.assertEqual(before, {path: path.read_bytes() for path in self.journal.iterdir()})

    def test_the_application_says_the_same_again_and_stops_where_it_is_told(self):
        self.application("server")
        rows = [json.loads(line) for line in self.replay("--json").stdout.splitlines()]
        outputs = [output for row in rows for output in row.get("outputs", [])]
        self.assertEqual([output["result"] for output in outputs],
                         [f"Hello Joe, number {n}" for n in range(1, 6)] + ["Hello Ann, number 1"])
        whole = rows[-1]["image"]
        first = next(row["index"] for row in rows if row.get("outputs"))
        text = self.replay("--until", first).stdout
        self.assertIn('-> answers client', text)
        self.assertIn('"Hello Joe, number 1"', text)
        self.assertNotIn("number 2", text)
        self.assertIn(f"after entry {first}, position 2: image ", text)
        rows = [json.loads(line) for line in self.replay("--json").stdout.splitlines()]
        self.assertEqual(rows[-1]["image"], whole)

    def test_newer_code_is_compared_with_the_old(self):
        self.application("server")
        # The order of their connections tells them apart.
        timer = threading.Timer(1, lambda: self.newer("Nobody"))
        timer.start()
        result = self.replay("--compare")
        timer.join()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("newer code, version 2, says the same", result.stdout)

    def test_the_first_difference_is_found(self):
        self.application("server")
        timer = threading.Timer(1, lambda: self.newer("Ann"))
        timer.start()
        result = self.replay("--compare")
        timer.join()
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertRegex(result.stdout,
                         'entry [0-9]+: answers client [0-9]+: "Hello Ann, number 1"\n'
                                        ' +newer code: answers client [0-9]+: "Hello Ann, number '
                                        '1!"')


class OverASocket(CoordinatorCase):
    """The same protocol through a socket that only this user can open."""

    def setUp(self):
        super().setUp()
        self.path = self.directory / "server.sock"

    def coordinator_there(self, *arguments):
        return self.start("coordinator", "--instance", "server", "--journal", "local", "--log",
                          self.directory / "logs", "--port", self.ports["server"],
                          "--app-socket", self.path, *self.peers(), *arguments)

    def greeter(self):
        errors = open(self.directory / "server.log", "a", encoding="utf-8")
        self.stack.callback(errors.close)
        process = subprocess.Popen([sys.executable, EXAMPLE, "server", str(self.path)],
                                   stdin=subprocess.PIPE, stdout=errors, stderr=errors, text=True,
                                   env=environment())
        self.stack.callback(self.end_application, process)
        return process

    def test_an_application_finds_it_by_its_path_also_after_a_kill(self):
        server = self.coordinator_there()
        self.assertEqual(server.line(),
                         f"server/replica-0 waits for its application on {self.path}")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.greeter()
        client = self.coordinator("client")
        typist = self.application("client")
        self.lines_of(server, "server/replica-0 is active, epoch 1")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.type(typist, "greet_many Joe 20")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 20, 20 answers\n")

        server.process.kill()
        server.process.wait()
        self.assertTrue(self.path.is_socket(), "what a killed one leaves behind")
        server = self.coordinator_there()
        self.lines_of(server, "server/replica-0 is active, epoch 2")
        self.type(typist, "greet Joe")
        self.assertEqual(typist.stdout.readline(), "Hello Joe, number 21, 21 answers\n")
        self.assertEqual(server.end(), 0)
        self.assertEqual(list(self.directory.glob("server.sock*")), [])

    def test_it_does_not_take_what_is_anothers(self):
        self.coordinator_there().line()
        second = run("coordinator", "--instance", "other", "--log", self.directory / "other",
                     "--app-socket", self.path)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("[in_use]", second.stderr)
        self.assertIn("another process listens there", second.stderr)
        self.assertTrue(self.path.is_socket())
        plain = self.directory / "plain"
        plain.write_text("mine", encoding="utf-8")
        result = run("coordinator", "--instance", "other", "--log", self.directory / "other",
                     "--app-socket", plain)
        self.assertIn("is not a socket", result.stderr)
        self.assertEqual(plain.read_text(encoding="utf-8"), "mine")

    def test_a_path_that_is_too_long_is_said(self):
        result = run("coordinator", "--instance", "server", "--log", self.directory,
                     "--app-socket", "/tmp/" + 103 * "s")
        self.assertEqual(result.returncode, USAGE)
        self.assert_sentence(result)
        self.assertIn("at most 107 bytes", result.stderr)

    def test_a_port_and_a_path_are_too_much(self):
        result = run("coordinator", "--instance", "server", "--log", self.directory,
                     "--app-socket", self.path, "--app-port", "1")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("--app-port and --app-socket exclude each other", result.stderr)

    def test_the_past_is_told_through_a_path_too(self):
        server = self.coordinator_there()
        application = self.greeter()
        self.lines_of(server, "server/replica-0 is active, epoch 1")
        self.end_application(application)
        self.assertEqual(server.end(), 0)
        self.greeter()
        told = run("journal", "replay", self.directory / "logs" / "server", "--app-socket",
                   self.path)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("position 1: image ", told.stdout)


class Refusals(CoordinatorCase):
    def hello(self, service, version=1, protocol_version=1):
        return protocol.frame(protocol.HELLO, b"USAP", struct.pack("<H", protocol_version),
                              protocol.text(service), protocol.text("test"),
                              struct.pack("<HI", 1, version))

    def refused(self, data):
        with socket.create_connection(("127.0.0.1", self.ports["server-app"])) as link:
            link.settimeout(30)
            link.sendall(data)
            answer = b""
            while True:
                more = link.recv(65536)
                if not more:
                    break
                answer += more
        _, kind = struct.unpack_from("<IB", answer)
        self.assertEqual(kind, protocol.END)
        fields = protocol.Fields(answer[5:])
        return fields.take("H"), fields.text()

    def test_who_cannot_be_helped_is_told_why(self):
        self.coordinator("server")
        self.assertEqual(self.refused(self.hello("bank")),
                         (7, "this is the coordinator of server"))
        self.assertEqual(self.refused(self.hello("server", protocol_version=2)),
                         (7, "this coordinator speaks version 1 of the protocol"))
        code, why = self.refused(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(code, 5)
        self.assertIn("at most 4096", why)
        code, why = self.refused(protocol.frame(protocol.PERFORMED, struct.pack("<Q", 1)))
        self.assertEqual((code, why), (5, "the application violates the protocol: the first "
                                          "frame must be a hello"))

    def test_what_the_command_line_lacks_is_named(self):
        result = run("coordinator")
        self.assertEqual(result.returncode, USAGE)
        self.assert_sentence(result)
        self.assertIn("--instance NAME", result.stderr)
        result = run("coordinator", "--instance", "server")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("--log DIR", result.stderr)
        result = run("coordinator", "--instance", "server", "--log", self.directory, "--app-host",
                     "0.0.0.0")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("without encryption", result.stderr)
        result = run("coordinator", "--instance", "server", "--log", self.directory, "--port",
                     "65536")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("0 to 65535", result.stderr)

    def test_a_port_that_is_taken_is_said(self):
        self.coordinator("server")
        result = run("coordinator", "--instance", "other", "--log", self.directory, "--app-port",
                     self.ports["server-app"])
        self.assertIn("[in_use]", result.stderr)


if __name__ == "__main__":
    unittest.main()
