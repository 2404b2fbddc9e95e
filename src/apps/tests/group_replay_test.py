"""The past of a service whose journal is replicated, from the log of one of its copies: what is
proven to be committed, and the rest only on request."""

import json
import os
import shutil
import subprocess
import threading
import unittest

from coordinator_test import CoordinatorCase
from program import Case, DONE, USAGE, environment, free_address, free_port, main, run

REPLICA = os.environ.get("UNDERSTUDY_TEST_REPLICA", "")


class OneNode(Case):
    """A single node decides alone: everything that it holds is committed."""

    def setUp(self):
        super().setUp()
        self.node = self.directory / "node"
        result = subprocess.run([REPLICA, "node", str(self.node), "5", free_address()],
                                capture_output=True, text=True, timeout=60, env=environment(),
                                stdin=subprocess.DEVNULL)
        if "has no replicated journal" in result.stderr:
            self.skipTest("built without the replicated journal")
        self.assertEqual(result.returncode, 0, result.stderr)

    def replay(self, *arguments, code=DONE):
        result = run("journal", "replay", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def test_its_directory_gives_the_entries_of_its_group(self):
        rows = [json.loads(line) for line in self.replay(self.node, "--json").stdout.splitlines()]
        found, entries = rows[0], rows[1:]
        self.assertEqual(found["proof"], "only_voter")
        self.assertEqual(found["committed"], found["last"])
        self.assertEqual([entry["index"] for entry in entries],
                         list(range(found["first"], found["last"] + 1)))
        commands = [each for entry in entries for each in entry["commands"]
                    if each["kind"] == "command"]
        self.assertEqual(len(commands), 5)
        named = self.replay(self.node, "--group", found["service"], "--json").stdout
        self.assertEqual([json.loads(line) for line in named.splitlines()], rows)
        by_id = self.replay(self.node / "log", "--group", found["group"], "--json").stdout
        self.assertEqual(len(by_id.splitlines()), len(rows))
        text = self.replay(self.node).stdout
        self.assertIn(f"committed up to {found['last']} (this node alone decides)", text)

    def test_its_log_alone_is_shown_as_it_is(self):
        rows = [json.loads(line) for line in
                self.replay(self.node / "log", "--json").stdout.splitlines()]
        kinds = {each["kind"] for row in rows for each in row["commands"]}
        self.assertIn("identity", kinds)
        self.assertIn("entry", kinds)

    def test_a_group_that_is_not_there_is_said(self):
        result = self.replay(self.node, "--group", "bank", code=USAGE)
        self.assertIn("has no group bank; it has ", result.stderr)
        empty = self.directory / "empty"
        empty.mkdir()
        result = self.replay(empty, "--group", "bank", code=USAGE)
        self.assertIn("is not the directory or the log of a node", result.stderr)
        local = self.directory / "local"
        subprocess.run([REPLICA, "local", str(local), "1", "-"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=60, check=True, env=environment())
        result = self.replay(local, "--group", "bank", code=USAGE)
        self.assertIn("is not the log of a node", result.stderr)

    def test_nothing_is_changed(self):
        def all_bytes():
            return {path: path.read_bytes() for path in self.node.rglob("*") if path.is_file()}
        before = all_bytes()
        self.replay(self.node, "--uncommitted")
        self.assertEqual(all_bytes(), before)

    def test_a_byte_that_is_wrong_is_damage(self):
        for segment in (self.node / "log").iterdir():
            data = bytearray(segment.read_bytes())
            at = data.find(b"command 2")
            if at >= 0:
                data[at] ^= 1
                segment.write_bytes(data)
        result = run("journal", "replay", self.node)
        self.assertNotEqual(result.returncode, DONE, result.stdout)


class ThreeNodes(CoordinatorCase):
    """Three copies of a server that are killed at once: only their logs remain."""

    def setUp(self):
        super().setUp()
        self.nodes = [free_port() for _ in range(3)]
        self.running = {}
        for number in range(3):
            self.ports[f"server{number}"] = free_port()

    def peers(self):
        return ("--peers", ",".join([f"server=127.0.0.1:{self.ports[f'server{n}']}"
                                     for n in range(3)]
                                    + [f"client=127.0.0.1:{self.ports['client']}"]))

    def start_copies(self, *more):
        """The number of the one that becomes active."""
        members = ",".join(f"replica-{n}=127.0.0.1:{port}" for n, port in enumerate(self.nodes))
        active, found = [], threading.Event()

        def follow(number, running):
            while line := running.line():
                if " is active, epoch " in line:
                    active.append(number)
                    found.set()

        for number in range(3):
            place = f"server{number}"
            running = self.start("coordinator", "--instance", "server", "--replica", number,
                                 "--log", self.directory / "logs", "--port", self.ports[place],
                                 "--members", members, *self.peers(), *more)
            line = running.line()
            if "has no replicated journal" in running.error_text():
                self.skipTest("built without the replicated journal")
            self.ports[place + "-app"] = int(line.rpartition(":")[2])
            reader = threading.Thread(target=follow, args=(number, running))
            reader.start()
            self.running[number] = running, self.application("server", place=place), reader
        self.assertTrue(found.wait(60), "nobody is active")
        return active[-1]

    def kill_all(self):
        for running, _, _ in self.running.values():
            running.process.kill()
        for running, application, reader in self.running.values():
            running.process.wait()
            reader.join()
            self.end_application(application)
        self.running.clear()

    def greet(self, typist, line, answer):
        self.type(typist, line)
        self.assertEqual(typist.stdout.readline(), answer + "\n")

    def replay(self, *arguments):
        """Replays with the same application and returns its rows."""
        self.ports["past-app"] = port = free_port()
        told = self.start("journal", "replay", *arguments, "--app-port", port, "--json")
        self.wait_until(lambda: "waits for the application" in told.error_text(), "it waits")
        application = self.application("server", place="past")
        rows = [json.loads(line) for line in told.process.stdout.read().splitlines()]
        self.assertEqual(told.process.wait(60), DONE, told.error_text())
        self.end_application(application)
        answers = [output["result"] for row in rows for output in row.get("outputs", [])]
        self.image = rows[-1].get("image")
        return rows[0], answers, told.error_text()

    def test_what_is_proven_is_told_and_the_rest_on_request(self):
        active = self.start_copies()
        client = self.coordinator("client")
        typist = self.application("client")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.greet(typist, "greet_many Joe 5", "Hello Joe, number 5, 5 answers")
        self.kill_all()
        five = [f"Hello Joe, number {n}" for n in range(1, 6)]

        copy = self.directory / "copy"
        shutil.copytree(self.directory / "logs" / "server" / f"replica-{active}", copy)
        found, answers, said = self.replay(copy)
        self.assertEqual(found["service"], "server")
        self.assertLess(found["committed"], found["last"])
        self.assertEqual(answers, [], "of the calls of the last tenure nothing is proven")
        self.assertIn("--uncommitted replays them", said)
        found, answers, said = self.replay(copy, "--uncommitted")
        self.assertEqual(answers, five)
        self.assertIn("another copy may hold something else", said)

        # The next leader takes a command, so everything before it is committed.
        active = self.start_copies()
        self.greet(typist, "greet Ann", "Hello Ann, number 1, 6 answers")
        self.kill_all()
        node = self.directory / "logs" / "server" / f"replica-{active}"
        found, answers, _ = self.replay(node)
        self.assertEqual(found["proof"], "later_command")
        self.assertEqual(answers, five)
        _, answers, _ = self.replay(node, "--uncommitted")
        self.assertEqual(answers, five + ["Hello Ann, number 1"])
        _, answers, _ = self.replay(node / "log", "--group", "server", "--until",
                                    found["committed"] - 1)
        self.assertEqual(answers, five)

    def test_a_checkpoint_proves_what_is_below_it_and_spares_it(self):
        self.start_copies("--checkpoint-every", "64KiB")
        client = self.coordinator("client")
        typist = self.application("client")
        self.lines_of(client, "client/replica-0 is active, epoch 1")
        self.greet(typist, "greet_many Joe 3000", "Hello Joe, number 3000, 3000 answers")
        self.kill_all()

        # One of the copies has made the checkpoint, and the entries that it holds. Each may lack
        # the last entries.
        nodes = [self.directory / "logs" / "server" / f"replica-{number}" for number in range(3)]
        founds = []
        for node in nodes:
            told = run("journal", "replay", node, "--json")
            self.assertEqual(told.returncode, DONE, told.stderr)
            founds.append(json.loads(told.stdout.splitlines()[0]))
        upto = min(found["last"] for found in founds)
        self.assertGreater(max(found["committed"] for found in founds), 10)
        self.assertIn("checkpoint", [found["proof"] for found in founds])
        images, counts = set(), []
        for node, found in zip(nodes, founds):
            if found["starts"] > upto + 1:
                continue
            _, answers, _ = self.replay(node, "--uncommitted", "--until", upto)
            images.add(self.image)
            counts.append(len(answers))
            if found["starts"] == 1:
                self.assertEqual(answers, [f"Hello Joe, number {n}"
                                           for n in range(1, len(answers) + 1)])
        self.assertEqual(len(images), 1, (founds, counts))
        self.assertNotEqual(images, {None})


if __name__ == "__main__":
    main()
