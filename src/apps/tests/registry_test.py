"""A registry from its start to its end: alone on its directory, backed up, restored, supervised."""

import json
import os
import pathlib
import signal
import socket
import subprocess

from program import AGAIN, Case, DONE, NO, PROGRAM, USAGE, environment, main, run


class Registry(Case):
    def refused(self, *arguments, code=NO):
        result = run("registry", *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        message = [line for line in result.stderr.splitlines() if line.startswith("understudy: ")]
        self.assertEqual(len(message), 1, result.stderr)
        self.assertEqual(result.stdout, "")
        return message[0]

    def test_a_directory_that_cannot_be_used_is_refused_with_what_to_look_at(self):
        file = self.directory / "file"
        file.write_text("x")
        below = self.directory / "file" / "data"
        long = self.directory / ("n" * 300)
        for path in [file, below, long]:
            result = run("registry", "--listen", "127.0.0.1:0", "--data", path)
            self.assertEqual(result.returncode, USAGE, result.stderr)
            self.assertIn("[bad_path]", result.stderr)
            self.assertIn(f"try: stat {path}", result.stderr)
        # A relative path is printed as an absolute one, because the log may be read elsewhere.
        result = run("registry", "--listen", "127.0.0.1:0", "--data", "file", cwd=self.directory)
        self.assertIn(str(file), result.stderr.splitlines()[0])

    def test_a_file_of_options_that_cannot_be_read_says_why(self):
        for path, code, name in [(self.directory, USAGE, "bad_path"),
                                 (self.directory / "absent", NO, "no_such_file")]:
            result = run("config", "check", path)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(f"[{name}]", result.stderr)
            self.assertIn(str(path), result.stderr)
            result = run("service", "list", "--config", path)
            self.assertEqual(result.returncode, USAGE, result.stderr)
            self.assertIn("[bad_config]", result.stderr)

    def test_with_too_few_descriptors_it_says_so_and_does_not_begin(self):
        data = self.directory / "data"
        for limit in [6, 10, 16, 24]:
            result = run("-c", f'ulimit -n {limit}; exec "$0" "$@"', PROGRAM, "registry",
                         "--listen",
                         "127.0.0.1:0", "--data", data, program="/bin/sh")
            self.assertEqual(result.returncode, AGAIN, f"{limit}: {result.stderr}")
            self.assertIn("[no_descriptors]", result.stderr)
            self.assertIn("try: ulimit -n", result.stderr)
            self.assertFalse(data.exists())

    def test_the_second_on_a_directory_is_refused(self):
        self.registry()
        message = self.refused("--listen", "127.0.0.1:0", "--data", self.directory / "data")
        self.assertIn("[in_use]", message)
        self.assertIn(str(self.directory / "data"), message)

    def test_a_taken_port_is_refused(self):
        first = self.registry()
        message = self.refused("--listen", first.address, "--data", self.directory / "other")
        self.assertIn("[in_use]", message)
        self.assertIn(first.address.split(":")[1], message)

    def test_damage_is_reported_not_repaired(self):
        data = self.directory / "data"
        for _ in range(2):  # The second start shows that the entries of the first are durable.
            self.assertEqual(self.registry("--platform", "Stage").end(), DONE)
        damaged = 0
        for path in data.rglob("*"):
            content = path.read_bytes()
            if b"Stage" in content:
                path.write_bytes(content.replace(b"Stage", b"stage"))
                damaged += 1
        self.assertGreater(damaged, 0)
        message = self.refused("--listen", "127.0.0.1:0", "--data", data)
        self.assertIn("[corrupt]", message)

    def test_beyond_loopback_it_wants_tls_or_a_clear_word(self):
        message = self.refused("--listen", "0.0.0.0:0", "--data", self.directory / "d", code=USAGE)
        self.assertIn("without TLS", message)
        self.assertFalse((self.directory / "d").exists())
        running = self.start("registry", "--listen", "0.0.0.0:0", "--data", self.directory / "d",
                             "--insecure")
        self.assertIn("registry ready on 0.0.0.0:", running.line())

    def test_names_become_paths_and_are_checked(self):
        message = self.refused("--data", self.directory / "d", "--platform", "a/b", code=USAGE)
        self.assertIn("platform", message)
        self.refused("--data", self.directory / "d", "--tls-cert", "x", code=USAGE)

    def test_the_ready_line_says_address_platform_and_revision(self):
        running = self.registry("--platform", "Stage")
        self.assertRegex(running.ready,
                         r"^registry ready on 127\.0\.0\.1:\d+, platform Stage, revision \d+$")

    def test_signals_end_it_cleanly(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(signal=number.name):
                running = self.registry(data=number.name)
                self.assertEqual(running.end(number), DONE, running.error_text())

    def test_its_reader_may_go_away(self):
        running = self.registry()
        running.process.stdout.close()
        self.ask(running.address, "registry", "status")

    def test_a_directory_keeps_the_name_of_its_platform(self):
        self.assertEqual(self.registry("--platform", "Old").end(), DONE)
        running = self.registry("--platform", "New")
        self.assertIn("platform Old", running.ready)
        self.assertIn("was founded as platform Old", running.error_text())

    def test_status_in_every_format(self):
        running = self.registry("--platform", "Stage")
        status = self.ask_json(running.address, "registry", "status")
        self.assertEqual(sorted(status), ["active_node", "address", "agents", "checkpoint", "epoch",
                                          "journal_index", "members", "node", "nodes", "platform",
                                          "registry_id", "revision", "services", "sessions",
                                          "space",
                                          "uptime_ms", "version", "waiting"])
        self.assertEqual(status["nodes"], [])  # It runs alone.
        self.assertEqual(status["platform"], "Stage")
        self.assertEqual(status["space"], "ok")
        self.assertEqual(self.ask(running.address, "registry", "status", "-o", "name").stdout,
                         "Stage\n")
        self.assertIn("platform    Stage", self.ask(running.address, "registry", "status").stdout)

    def test_a_backup_restored_elsewhere_knows_what_was_known(self):
        first = self.registry("--platform", "Stage")
        self.member(first.address, "A", role="active")
        self.member(first.address, "B", role="standby")
        self.ask(first.address, "service", "switchover", "Foo")
        before = self.ask_json(first.address, "service", "show", "Foo")
        backup = self.directory / "backup"
        self.ask(first.address, "registry", "backup", "--to", backup)
        self.ask(first.address, "registry", "backup", "--to", backup, code=NO)
        self.ask(first.address, "registry", "backup", "--to", backup, "--force")
        self.assertEqual(os.listdir(self.directory).count("backup"), 1)
        self.assertEqual([name for name in os.listdir(self.directory) if "part" in name], [])

        restored = run("registry", "restore", "--from", backup, "--data", self.directory / "new")
        self.assertEqual(restored.returncode, DONE, restored.stderr)
        self.assertIn("platform Stage with 1 service(s)", restored.stdout)
        second = self.registry(data="new")
        self.assertIn("platform Stage", second.ready)
        after = self.ask_json(second.address, "service", "list")
        self.assertGreaterEqual(after[0]["epoch"], before["epoch"])

        again = run("registry", "restore", "--from", backup, "--data", self.directory / "data2")
        self.assertEqual(again.returncode, DONE)
        twice = run("registry", "restore", "--from", backup, "--data", self.directory / "data2")
        self.assertEqual(twice.returncode, NO)
        self.assertIn("[already_exists]", twice.stderr)

    def test_a_backup_goes_through_a_pipe(self):
        first = self.registry("--platform", "Stage")
        self.ask(first.address, "service", "register", "Kept", "--log", "/logs")
        taken = subprocess.run([PROGRAM, "--registry", first.address, "registry", "backup", "--to",
                                "-"],
                               capture_output=True, timeout=60, env=environment(), check=False,
                               cwd=self.directory)
        self.assertEqual(taken.returncode, DONE, taken.stderr)
        self.assertRegex(taken.stderr.decode(), r"^\d+ bytes in standard output\n$")
        self.assertFalse((self.directory / "-").exists())
        restored = subprocess.run([PROGRAM, "registry", "restore", "--from", "-", "--data",
                                   self.directory / "new"], input=taken.stdout, capture_output=True,
                                  timeout=60, env=environment(), check=False)
        self.assertEqual(restored.returncode, DONE, restored.stderr)
        second = self.registry(data="new")
        self.assertEqual(self.ask(second.address, "service", "list", "-o", "name").stdout, "Kept\n")

    def test_the_address_of_a_status_is_that_of_who_answers(self):
        running = self.registry()
        status = self.ask_json(f"127.0.0.1:1,{running.address}", "registry", "status")
        self.assertEqual(status["address"], running.address)

    def test_a_damaged_backup_is_refused(self):
        first = self.registry()
        backup = self.directory / "backup"
        self.ask(first.address, "registry", "backup", "--to", backup)
        good = backup.read_bytes()
        for bad in [b"", good[:20], good[:-1], good + b"x", b"X" + good[1:],
                    good[:-1] + bytes([good[-1] ^ 1])]:
            backup.write_bytes(bad)
            result = run("registry", "restore", "--from", backup, "--data", self.directory / "new")
            self.assertEqual(result.returncode, NO)
            self.assertIn("[corrupt]", result.stderr)
        self.assertFalse((self.directory / "new").exists())

    def test_a_service_manager_is_told(self):
        path = str(self.directory / "notify")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(path)
        manager.settimeout(30)
        running = self.registry(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        self.assertTrue(manager.recv(4096).decode().startswith("READY=1\nSTATUS=platform "))
        self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
        self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
        running.process.send_signal(signal.SIGTERM)
        messages = set()
        while b"STOPPING=1" not in messages:
            messages.add(manager.recv(4096))
        self.assertEqual(running.end(), DONE)

    def test_events_are_lines_of_json_if_asked(self):
        running = self.registry("--log-format", "json")
        self.assertEqual(running.end(), DONE)
        events = [json.loads(line) for line in running.error_text().splitlines()]
        names = [event["event"] for event in events]
        self.assertIn("registry.serving", names)
        self.assertIn("registry.signal", names)

    def test_the_unit_starts_what_there_is(self):
        unit = (pathlib.Path(__file__).resolve().parents[3]
                / "packaging/understudy-registry.service").read_text()
        command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
        flags = [word for word in command.split() if word.startswith("--")]
        help_text = run("registry", "--help").stdout
        for flag in flags:
            self.assertIn(flag, help_text)


if __name__ == "__main__":
    main()
