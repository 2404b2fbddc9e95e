"""Services of several copies beside their coordinators: a journal that they replicate, under kills;
and new code, from its registration to the calls that it answers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from coordinator_test import EXAMPLE, CoordinatorCase
from program import NO, environment, free_port, main, run


class Told:
    """The output of a coordinator, read as it arrives."""

    def __init__(self, running):
        self.running = running
        self.lines = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while line := self.running.line():
            self.lines.append(line)

    @property
    def active(self):
        return " is active, epoch " in (self.lines or [""])[-1]

    @property
    def has_role(self):
        return any(f" is {role}" in line for role in ("active", "standby", "checkpointer")
                   for line in self.lines)

    def has_said(self, what):
        return any(what in line for line in self.lines)

    def kill(self):
        self.running.process.kill()
        self.running.process.wait()
        self.reader.join()

    def end(self):
        self.running.process.send_signal(signal.SIGTERM)
        code = self.running.process.wait(60)
        self.reader.join()
        return code


class Calls:
    """Twenty calls one after the other, repeatedly; the last of each twenty is reported."""

    def __init__(self, typist):
        self.typist = typist
        self.answers = []
        self.ending = threading.Event()
        self.caller = threading.Thread(target=self.run)
        self.caller.start()

    def run(self):
        while not self.ending.is_set():
            CoordinatorCase.type(self.typist, "greet_many Ann 20")
            if not (answer := self.typist.stdout.readline()):
                return
            self.answers.append(answer)

    def end(self):
        self.ending.set()
        self.caller.join()


class Copies(CoordinatorCase):
    """Coordinators by copy, each with the port for its application."""

    def setUp(self):
        super().setUp()
        self.copies = {}
        self.applications = {}
        self.stack.callback(self.stop_all)

    def stop_all(self):
        for told in self.copies.values():
            told.kill()

    def follow(self, place, running):
        self.copies[place] = Told(running)
        self.wait_until(lambda: self.copies[place].has_said("waits for its application on ") or
                        running.process.poll() is not None, running.error_text())
        waits = next(line for line in self.copies[place].lines if "waits for" in line)
        self.ports[place + "-app"] = int(waits.rpartition(":")[2])

    def act(self, name, place):
        """Starts an application, whether or not there was one before."""
        if place in self.applications:
            self.end_application(self.applications[place])
        self.applications[place] = self.application(name, place)
        return self.applications[place]

    def active_place(self, name):
        found = [place for place, told in self.copies.items()
                 if place.startswith(name) and told.active]
        return found[-1] if len(found) == 1 else None

    def wait_for_active(self, name):
        self.wait_until(lambda: self.active_place(name) is not None, f"{name} has an active copy")
        return self.active_place(name)

    def call(self):
        """Calls repeatedly and keeps each answer."""
        calls = Calls(self.applications["client"])
        self.stack.callback(calls.end)
        return calls

    def typed(self, line, answer):
        typist = self.applications["client"]
        self.type(typist, line)
        self.assertEqual(typist.stdout.readline(), answer + "\n")


@unittest.skipIf(os.environ.get("UNDERSTUDY_RAFT") in ("OFF", "0"), "built without it")
class Replicated(Copies):
    """Three copies of the server with a directory each, and one client."""

    NUMBERS = range(3)

    def setUp(self):
        super().setUp()
        self.nodes = {number: free_port() for number in self.NUMBERS}
        for number in self.NUMBERS:
            self.ports[f"server{number}"] = free_port()
            self.ports[f"server{number}-app"] = free_port()

    def start_copy(self, number):
        place = f"server{number}"
        members = ",".join(f"replica-{n}=127.0.0.1:{port}" for n, port in self.nodes.items())
        self.follow(place, self.start(
            "coordinator", "--instance", "server", "--replica", number, "--log",
            self.directory / "logs", "--port", self.ports[place], "--app-port",
            self.ports[place + "-app"], "--members", members, "--peers",
            f"client=127.0.0.1:{self.ports['client']}", "--checkpoint-every", "64KiB"))

    def peers(self):
        """The client's report; the leader of the group answers it."""
        return ("--peers", ",".join(f"server=127.0.0.1:{self.ports[f'server{number}']}"
                                    for number in self.NUMBERS))

    def test_the_active_coordinator_and_the_active_application_may_be_killed(self):
        for number in self.NUMBERS:
            self.start_copy(number)
            self.act("server", f"server{number}")
        self.wait_for_active("server")
        self.copies["client"] = Told(self.coordinator("client"))
        self.act("client", "client")
        self.wait_until(lambda: self.copies["client"].active, "the client's copy is active")
        self.typed("greet Ann", "Hello Ann, number 1, 1 answers")

        calls = self.call()
        for turn in range(10):
            self.wait_until(lambda n=len(calls.answers): len(calls.answers) > n,
                            "calls are answered")
            place = self.wait_for_active("server")
            number = int(place.removeprefix("server"))
            if turn % 2 == 0:
                self.copies.pop(place).kill()
                self.wait_for_active("server")  # Two of three are a majority.
                self.start_copy(number)
            else:
                before = len(self.copies[place].lines)
                self.applications[place].kill()
                self.wait_until(lambda p=place, b=before: len(self.copies[p].lines) > b,
                                "the copy gives its role up")
                self.act("server", place)
        calls.end()
        count = 1 + 20 * len(calls.answers)
        self.assertEqual(calls.answers, [f"Hello Ann, number {at}, {at} answers\n"
                                         for at in range(21, count + 1, 20)])
        # The next active copy knows the same.
        place = self.wait_for_active("server")
        self.copies.pop(place).kill()
        self.wait_for_active("server")
        self.typed("greet Ann", f"Hello Ann, number {count + 1}, {count + 1} answers")


class LastResort(Copies):
    """Two copies beside their coordinators; one is lost. The other may be allowed to be active."""

    def begin(self, *more):
        self.running_registry = self.registry()
        self.platform = self.running_registry.address
        self.ask(self.platform, "service", "register", "server", "--kind", "immortal", "--log",
                 self.directory / "logs", *more)
        self.ask(self.platform, "service", "add-replica", "server", "--replica", 1)
        for number, role in ((0, "is active"), (1, "is checkpointer")):
            self.begin_copy(number)
            self.wait_until(lambda n=number, r=role: self.copies[f"server{n}"].has_said(r),
                            "a copy has its role")

    def begin_copy(self, number):
        place = f"server{number}"
        self.follow(place, self.start("coordinator", "--instance", "server", "--replica", number,
                                      "--registry", self.platform))
        self.act("server", place)

    def kill_copy(self, number):
        self.copies.pop(f"server{number}").kill()
        self.end_application(self.applications.pop(f"server{number}"))

    def shown(self):
        """Exit code 1 means that no copy is active."""
        return json.loads(run("--registry", self.platform, "service", "show", "server",
                              "--json").stdout)

    def row(self, number):
        return next(row for row in self.shown()["members"]
                    if row["member"] == f"replica-{number}")

    def left(self):
        """The members that have unregistered, according to the registry's journal."""
        rows = run("journal", "replay", self.directory / "data", "--json").stdout.splitlines()
        commands = [each["command"] for row in map(json.loads, rows)
                    for each in row.get("commands", [])]
        return [command["member"] for command in commands
                if command["do"] == "remove" and command["cause"] == "left"]

    def wait_for_last_resort(self, number):
        place = f"server{number}"
        self.wait_until(lambda: self.copies[place].active, "the last resort is active")
        self.wait_until(lambda: self.shown()["active"] == f"replica-{number}",
                        "the registry knows it")

    def test_the_one_that_remains_is_active_at_its_old_place(self):
        self.begin("--last-resort")
        before = self.row(1)
        self.kill_copy(0)
        self.wait_for_last_resort(1)
        after = self.row(1)
        self.assertEqual((after["order"], after["joined_ms"], after["pid"]),
                         (before["order"], before["joined_ms"], before["pid"]))
        self.assertEqual(self.left(), [])
        story = self.ask_json(self.platform, "service", "explain", "server")
        self.assertEqual((story[-1]["cause"], story[-1]["previous"], story[-1]["member"]),
                         ("process_gone", "replica-0", "replica-1"))
        # It goes on when the other one is back: no copy is demoted for that.
        self.begin_copy(0)
        self.wait_until(lambda: self.copies["server0"].has_said("is standby"), "it is back")
        self.assertTrue(self.copies["server1"].active)

    def test_one_that_comes_back_alone_after_a_full_stop_is_active(self):
        self.begin("--last-resort")
        self.kill_copy(0)
        self.wait_for_last_resort(1)
        self.kill_copy(1)
        self.begin_copy(0)
        self.wait_for_last_resort(0)
        self.assertEqual(self.left(), [])

    def test_restarts_of_registry_and_coordinator_change_nothing_about_it(self):
        self.begin("--last-resort")
        self.kill_copy(0)
        self.running_registry.process.kill()
        self.running_registry.process.wait()
        again = self.start("registry", "--listen", self.platform, "--data", self.directory / "data")
        self.assertTrue(again.line().startswith("registry ready on "), again.error_text())
        self.wait_for_last_resort(1)
        self.copies.pop("server1").kill()
        self.begin_copy(1)
        self.wait_for_last_resort(1)
        self.assertEqual(self.left(), [])

    def test_without_it_nobody_is_active_and_everybody_says_why(self):
        self.begin()
        self.kill_copy(0)
        self.wait_until(lambda: self.copies["server1"].has_said("nobody is active"), "it says so")
        shown = self.shown()
        self.assertIsNone(shown["active"])
        self.assertEqual(shown["waiting"],
                         "nobody may become active: replica-1 is the checkpointer, "
                         "and last_resort = never; start replica-0")
        text = self.ask(self.platform, "service", "show", "server", code=NO).stdout
        self.assertIn("waiting: nobody may become active: replica-1", text)
        self.assertIn("registry.nobody_active", self.running_registry.error_text())
        self.assertFalse(self.copies["server1"].active)
        # The option of the service can still be changed.
        self.ask(self.platform, "service", "register", "server", "--update", "--last-resort")
        self.wait_for_last_resort(1)
        self.assertEqual(self.left(), [])

    def test_a_second_coordinator_of_a_copy_is_refused_with_the_pid_of_the_first(self):
        self.begin()
        first = self.copies["server1"].running.process.pid
        second = self.start("coordinator", "--instance", "server", "--replica", 1, "--registry",
                            self.platform)
        second_port = int(second.line().rpartition(":")[2])
        self.ports["second-app"] = second_port
        self.application("server", place="second")
        code = second.process.wait(60)
        self.assertNotEqual(code, 0)
        self.assertIn(f"(pid {first})", second.error_text())
        self.assertIsNone(self.copies["server1"].running.process.poll())
        self.assertEqual(self.row(1)["pid"], first)


# Code of two versions. The newer one answers differently, and may fail on the past.
NEWER = """
import os, sys, time
sys.path.insert(0, sys.argv[2])
import coordinator_hello as protocol

class Newer(protocol.Server):
    versions = (1, 2)

    def on_greet(self, name):
        if sys.argv[3] == "crashes":
            time.sleep(0.5)
            os._exit(1)
        if sys.argv[3] == "refuses":
            time.sleep(0.5)
            self.out += protocol.frame(protocol.BROKEN, protocol.struct.pack("<H", protocol.FAILED),
                                       protocol.text("no table"))
        return super().on_greet(name) + ("!" if self.code == 2 else "")

Newer().run(sys.argv[1], idle=lambda readable: True)
"""


class Upgrade(Copies):
    def newer(self, port, how="works"):
        errors = open(self.directory / "newer.log", "a", encoding="utf-8")
        self.stack.callback(errors.close)
        process = subprocess.Popen(
            [sys.executable, "-c", NEWER, f"127.0.0.1:{port}", str(EXAMPLE.parent), how],
            stdin=subprocess.PIPE, stdout=errors, stderr=errors, text=True, env=environment())
        self.stack.callback(self.end_application, process)
        return process

    def upgrades(self, log):
        """The upgrades in a server's journal."""
        rows = run("journal", "replay", log, "--json").stdout.splitlines()
        commands = [each["command"] for row in map(json.loads, rows)
                    for each in row.get("commands", [])]
        return [command["version"] for command in commands if command["do"] == "upgrade"]

    # --- from the registration to the calls

    def start_copy(self, number, *more, name="server"):
        self.follow(name if name == "client" else f"{name}{number}",
                    self.start("coordinator", "--instance", name, "--replica", number, "--registry",
                               self.platform, *more))

    def compare(self, log, how):
        """The exit code and the output of a what-if replay with the newer code."""
        port = free_port()
        replay = self.start("journal", "replay", log, "--app-port", port, "--compare")
        self.ports["past-app"] = port
        self.wait_until(lambda: "waits for the application" in replay.error_text(), "it waits")
        older = self.application("server", place="past")
        # The order of their connections tells them apart.
        self.wait_until(lambda: "of newer code" in replay.error_text(), "the older code is there")
        newer = self.newer(port, how)
        text = replay.process.stdout.read()
        code = replay.process.wait(60)
        for process in (older, newer):
            self.end_application(process)
        return code, text

    def goes_on(self, place, answers):
        """Waits until that copy has a role again and calls are answered."""
        self.wait_until(lambda: self.copies[place].has_role, f"{place} is back")
        before = len(answers)
        self.wait_until(lambda: len(answers) > before + 1, "calls are answered")

    def test_new_code_is_registered_compared_and_takes_over_while_calls_run(self):
        self.platform = self.registry().address
        logs = ("--log", self.directory / "logs")
        self.ask(self.platform, "service", "register", "server", "--kind", "immortal", *logs)
        self.ask(self.platform, "service", "register", "client", "--kind", "immortal", *logs)
        for number in (1, 2):
            self.ask(self.platform, "service", "add-replica", "server", "--replica", number)
        for number in range(3):
            self.start_copy(number)
            self.act("server", f"server{number}")
            self.wait_until(lambda n=number: self.copies[f"server{n}"].has_said(
                ("is active", "is checkpointer", "is standby")[n]), "a copy has its role")
        self.start_copy(0, name="client")
        self.act("client", "client")
        self.wait_until(lambda: self.copies["client"].active, "the client's copy is active")
        self.typed("greet_many Ann 10", "Hello Ann, number 10, 10 answers")

        # It is registered ...
        self.ask(self.platform, "service", "register", "server", "--update", "--code-version", "2")
        shown = self.ask(self.platform, "service", "show", "server")
        self.assertIn(", code version 2, ", shown.stdout)
        # ... and compared with the past, while the service runs.
        code, text = self.compare(self.directory / "logs" / "server", "works")
        self.assertEqual(code, 1, text)
        self.assertIn('newer code: answers client 1: "Hello Ann, number 1!"', text)

        # Every application is replaced by one that has both versions, then each coordinator is
        # told.
        calls = self.call()
        answers = calls.answers
        last = self.active_place("server")
        places = [f"server{n}" for n in range(3) if f"server{n}" != last] + [last]
        self.wait_until(lambda: answers, "calls are answered")
        for place in places:
            self.copies[place].lines.clear()
            self.end_application(self.applications[place])
            self.applications[place] = self.newer(self.ports[place + "-app"])
            self.goes_on(place, answers)
        for place in places:
            self.assertEqual(self.copies.pop(place).end(), 0)
            self.end_application(self.applications[place])
            self.start_copy(int(place[-1]), "--upgrade", "2")
            self.applications[place] = self.newer(self.ports[place + "-app"])
            self.goes_on(place, answers)
        self.wait_until(lambda: answers and "!" in answers[-1], "the newer code answers")
        calls.end()
        upgraded = next(at for at, answer in enumerate(answers) if "!" in answer)
        self.assertGreater(upgraded, 0)
        self.assertEqual(answers, [
            f"Hello Ann, number {10 + 20 * (at + 1)}{'!' if at >= upgraded else ''}, "
            f"{10 + 20 * (at + 1)} answers\n" for at in range(len(answers))])
        count = 10 + 20 * len(answers)
        self.typed("greet Joe", f"Hello Joe, number 1!, {count + 1} answers")
        self.assertEqual(self.upgrades(self.directory / "logs" / "server"), [2])

        # The old code is no longer accepted, and is told so.
        place = self.active_place("server")
        self.end_application(self.applications.pop(place))
        self.act("server", place)
        self.wait_until(lambda: "no code of version 2" in
                        (self.directory / f"{place}.log").read_text(), "it is told")
        self.typed("greet Joe", f"Hello Joe, number 2!, {count + 2} answers")

    # --- a failure before the commit changes nothing

    def start_server(self, *more):
        self.copies["server"] = Told(self.start(
            "coordinator", "--instance", "server", "--log", self.directory / "logs", "--port",
            self.ports["server"], "--app-port", self.ports["server-app"], *self.peers(), *more))

    def test_an_upgrade_that_fails_leaves_the_old_code_at_work(self):
        self.start_server()
        self.act("server", "server")
        self.copies["client"] = Told(self.coordinator("client"))
        self.act("client", "client")
        self.wait_until(lambda: self.copies["client"].active, "the client's copy is active")
        self.typed("greet Ann", "Hello Ann, number 1, 1 answers")
        log = self.directory / "logs" / "server"
        answers = 1

        # There is no such code.
        self.copies.pop("server").end()
        self.start_server("--upgrade", "2")
        server = self.copies["server"]
        self.wait_until(lambda: "no such code" in server.running.error_text(), "it says so")
        answers += 1
        self.typed("greet Ann", f"Hello Ann, number {answers}, {answers} answers")
        self.assertEqual(self.upgrades(log), [])

        # The code fails on the past, or refuses it.
        for how in ("crashes", "refuses"):
            with self.subTest(how=how):
                self.end_application(self.applications["server"])
                newer = self.newer(self.ports["server-app"], how)
                lost = server.running.error_text().count("coordinator.member_failed")
                self.wait_until(lambda n=lost: server.running.error_text().count(
                    "coordinator.member_failed") > n, "it does not live")
                self.end_application(newer)
                self.act("server", "server")
                answers += 1
                self.typed("greet Ann", f"Hello Ann, number {answers}, {answers} answers")
                self.assertEqual(self.upgrades(log), [])

        # The same command accepts code that works.
        self.end_application(self.applications["server"])
        self.newer(self.ports["server-app"])
        self.wait_until(lambda: self.upgrades(log) == [2], "it is upgraded")
        answers += 1
        self.typed("greet Ann", f"Hello Ann, number {answers}!, {answers} answers")


if __name__ == "__main__":
    main()
