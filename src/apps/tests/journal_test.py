"""Journals seen from outside: real ones, in use, damaged, torn, and directories that are none."""

import json
import os
import subprocess
import unittest

from program import Case, DONE, NO, USAGE, environment, free_address, main, run

REPLICA = os.environ.get("UNDERSTUDY_TEST_REPLICA", "")
DENIED = 77


def listing(directory):
    """All files, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


class Journal(Case):
    def make(self, kind, count=5, directory=None):
        directory = directory or self.directory / kind
        result = subprocess.run([REPLICA, kind, str(directory), str(count), free_address()],
                                capture_output=True, text=True, timeout=60, env=environment(),
                                stdin=subprocess.DEVNULL)
        if "has no replicated journal" in result.stderr:
            self.skipTest("built without the replicated journal")
        self.assertEqual((result.returncode, result.stdout), (0, "ready\n"), result.stderr)
        return directory / "log" if kind == "node" else directory

    def staying(self, kind):
        """A live member; the caller must end it."""
        directory = self.directory / kind
        process = subprocess.Popen([REPLICA, kind, str(directory), "3", free_address(), "stay"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL, env=environment())

        def end():
            process.stdin.close()
            process.wait(60)
            process.stdout.close()

        self.stack.callback(end)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process, directory / "log" if kind == "node" else directory

    def journal(self, *arguments, code=DONE):
        result = run("journal", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def inspected(self, directory):
        return json.loads(self.journal("inspect", directory, "--json").stdout)

    def verified(self, directory, code=DONE):
        return json.loads(self.journal("verify", directory, "--json", code=code).stdout)

    def test_every_kind_is_told_and_good_and_left_alone(self):
        for kind in ["local", "shared", "node"]:
            with self.subTest(kind=kind):
                directory = self.make(kind)
                before = listing(directory)
                found = self.inspected(directory)
                self.assertEqual(found["kind"], kind)
                self.assertFalse(found["live"])
                self.assertEqual(found["damages"], [])
                self.assertGreaterEqual(found["last"], 7)
                self.assertTrue(self.verified(directory)["good"])
                text = self.journal("inspect", directory).stdout
                self.assertIn("SEGMENT", text)
                self.assertIn("good: entries 1 to", self.journal("verify", directory).stdout)
                self.journal("replay", directory)
                self.assertEqual(listing(directory), before)

    def test_a_node_log_shows_its_groups(self):
        groups = self.inspected(self.make("node"))["groups"]
        self.assertIn("Last", [group["service"] for group in groups])

    def test_a_shared_journal_shows_epochs_seals_and_claims(self):
        directory = self.make("shared")
        self.make("shared", directory=directory)
        found = self.inspected(directory)
        self.assertEqual([seal["epoch"] for seal in found["seals"]],
                         [tenure["epoch"] for tenure in found["tenures"]])
        self.assertEqual(len(found["seals"]), 2)
        self.assertEqual(found["published"]["member"], "A")
        self.assertEqual(found["claims"][-1]["member"], "A")

    def test_beside_a_live_member(self):
        for kind in ["local", "shared", "node"]:
            with self.subTest(kind=kind):
                process, directory = self.staying(kind)
                found = self.inspected(directory)
                self.assertTrue(found["live"])
                self.assertTrue(self.verified(directory)["good"])
                self.assertIn("in use by a live process",
                              self.journal("verify", directory).stdout)
                self.assertIsNone(process.poll())

    def test_a_flipped_bit_is_named(self):
        for kind in ["local", "shared", "node"]:
            with self.subTest(kind=kind):
                directory = self.make(kind)
                segment = self.inspected(directory)["segments"][0]
                path = directory / segment["segment"]
                content = bytearray(path.read_bytes())
                content[segment["used"] // 2] ^= 4
                path.write_bytes(content)
                damages = self.verified(directory, code=NO)["damages"]
                self.assertEqual(damages[0]["file"], segment["segment"])
                self.assertGreater(damages[0]["entry"], 1)
                self.assertLessEqual(damages[0]["offset"], segment["used"] // 2)
                said = self.journal("verify", directory, code=NO).stdout
                self.assertIn(f"damaged: {segment['segment']} at {damages[0]['offset']}: ", said)
                replayed = self.journal("replay", directory, code=NO)
                self.assertIn("[corrupt]", replayed.stderr)

    def test_a_torn_end_is_no_damage(self):
        directory = self.make("local")
        segment = self.inspected(directory)["segments"][0]
        path = directory / segment["segment"]
        content = bytearray(path.read_bytes())
        content[segment["used"]:segment["used"] + 24] = b"x" * 24
        path.write_bytes(content)
        found = self.verified(directory)
        self.assertEqual(found["torn"],
                         [{"file": segment["segment"], "offset": segment["used"], "bytes": 24}])
        self.assertIn("a torn write", self.journal("verify", directory).stdout)

    def lost(self, path):
        """The ways in which a file can be lost; it is restored at the end."""
        kept = self.directory / "kept"
        path.rename(kept)
        for loss in ["emptied", "cut", "zeros", "removed"]:
            with open(path, "wb") as file:
                if loss == "cut":
                    file.write(kept.read_bytes()[:100])
                if loss == "zeros":
                    file.truncate(kept.stat().st_size)
            if loss == "removed":
                path.unlink()
            yield loss
        path.unlink(missing_ok=True)
        kept.rename(path)

    def test_a_newest_segment_that_is_lost_is_named_and_ends_the_opening(self):
        for kind in ["local", "shared", "node"]:
            directory = self.make(kind)
            newest = [segment for segment in self.inspected(directory)["segments"]
                      if segment["state"] == "begun"][-1]["segment"]
            home = directory.parent if kind == "node" else directory
            for loss in self.lost(directory / newest):
                with self.subTest(kind=kind, loss=loss):
                    self.assertIn(newest, self.journal("verify", directory, code=NO).stdout)
                    opened = subprocess.run([REPLICA, kind, str(home), "1", free_address()],
                                            capture_output=True, text=True, timeout=60,
                                            env=environment(), stdin=subprocess.DEVNULL)
                    self.assertEqual(opened.returncode, 1, opened.stderr)
                    self.assertIn("corrupt", opened.stderr)
                    self.assertIn(newest, opened.stderr)
            self.assertTrue(self.verified(directory)["good"])

    def test_a_segment_that_lacks_what_was_never_used_is_repaired(self):
        for kind in ["local", "shared", "node"]:
            with self.subTest(kind=kind):
                directory = self.make(kind)
                newest = [segment for segment in self.inspected(directory)["segments"]
                          if segment["state"] == "begun"][-1]
                self.assertIn("needs no repair", self.journal("repair", directory).stdout)
                path = directory / newest["segment"]
                os.truncate(path, newest["bytes"] - 1)
                said = self.journal("verify", directory, code=NO).stdout
                self.assertIn(f"every entry up to {newest['last']} is whole", said)
                self.assertIn("1 bytes of zeros appended", self.journal("repair", directory).stdout)
                self.assertTrue(self.verified(directory)["good"])
                os.truncate(path, newest["used"])
                refused = self.journal("repair", directory, code=NO).stderr
                self.assertIn("nothing was changed", refused)
                self.assertEqual(path.stat().st_size, newest["used"])

    def test_nothing_is_repaired_beside_a_live_member(self):
        for kind in ["local", "shared", "node"]:
            with self.subTest(kind=kind):
                _, directory = self.staying(kind)
                self.assertIn("[in_use]", self.journal("repair", directory, code=NO).stderr)

    def test_a_foreign_file_is_named(self):
        directory = self.make("local")
        (directory / "notes").write_text("mine")
        self.assertEqual(self.inspected(directory)["others"], ["notes"])
        self.assertTrue(self.verified(directory)["good"])

    def test_what_is_no_journal_is_said(self):
        file = self.directory / "file"
        file.write_text("")
        for path in [self.directory / "nowhere", file, self.directory]:
            for command in ["inspect", "verify", "repair", "replay"]:
                result = self.journal(command, path, code=USAGE)
                self.assert_sentence(result)
                self.assertIn(str(path), result.stderr)
        parent = self.make("node").parent
        self.assertIn(f"try: understudy journal inspect {parent}/log",
                      self.journal("inspect", parent, code=USAGE).stderr)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_what_may_not_be_read_is_not_permitted(self):
        directory = self.make("local")
        os.chmod(directory / self.inspected(directory)["segments"][0]["segment"], 0)
        self.assertIn("[not_permitted]", self.journal("verify", directory, code=DENIED).stderr)

    def test_a_read_only_file_is_enough(self):
        directory = self.make("local")
        for path in directory.iterdir():
            path.chmod(0o400)
        directory.chmod(0o500)
        self.addCleanup(directory.chmod, 0o700)
        self.assertTrue(self.verified(directory)["good"])

    def replayed(self, directory, *arguments):
        lines = self.journal("replay", directory, "-o", "jsonl", *arguments).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def test_replay_shows_entries_and_their_commands(self):
        entries = self.replayed(self.make("local"), "--body", "text")
        self.assertEqual([entry["index"] for entry in entries],
                         list(range(1, len(entries) + 1)))
        self.assertEqual(entries[0]["type"], "tenure")
        commands = [part for entry in entries for part in entry["commands"]]
        self.assertEqual([part["body"] for part in commands if part["kind"] == "command"],
                         [f"command {at}" for at in range(5)])
        request = next(part for part in commands if part["kind"] == "request")
        self.assertEqual((request["session"], request["number"], request["body"]), (1, 1, "once"))
        self.assertIsNone(entries[-1]["state"])

        some = self.replayed(self.directory / "local", "--from", "3", "--to", "4", "--body", "hex")
        self.assertEqual([entry["index"] for entry in some], [3, 4])
        self.assertIn(b"command 1", bytes.fromhex(some[0]["body"]))
        self.journal("replay", self.directory / "local", "--from", "x", code=USAGE)
        self.journal("replay", self.directory / "local", "-o", "csv", code=USAGE)

    def test_replay_of_a_registry_decodes_and_hashes(self):
        running = self.registry("--platform", "Stage")
        self.member(running.address, "Bar1", role="active")
        self.assertEqual(running.end(), DONE)
        for _ in range(2):
            entries = self.replayed(self.directory / "data")
            done = [part["command"] for entry in entries for part in entry["commands"]]
            self.assertEqual((done[0]["do"], done[0]["platform"]), ("found", "Stage"))
            added = next(one for one in done if one["do"] == "add")
            self.assertEqual((added["service"], added["member"]), ("Foo", "Bar1"))
            states = [entry["state"] for entry in entries if entry["commands"]]
            self.assertNotIn(None, states)
            self.assertGreater(len(set(states)), 1)
        again = self.replayed(self.directory / "data", "--as", "registry", "--from",
                              entries[-1]["index"])
        self.assertEqual(again[-1]["state"], entries[-1]["state"])
        self.assertIn("found platform=Stage",
                      self.journal("replay", self.directory / "data").stdout)
        as_entries = self.replayed(self.directory / "data", "--as", "entries")
        self.assertIsNone(as_entries[-1]["state"])


if __name__ == "__main__":
    main()
