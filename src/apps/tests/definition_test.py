"""Services that are registered before their members run: requests, refusals and output."""

import csv
import io

from program import Case, DONE, NO, USAGE, main, run


class Definitions(Case):
    def setUp(self):
        super().setUp()
        self.address = self.registry("--platform", "Stage").address

    def service(self, *line, code=DONE):
        return self.ask(self.address, "service", *line, code=code)

    def show(self, name="server"):
        return self.ask_json(self.address, "service", "show", name, code=NO)  # No copy runs.

    def three_copies(self):
        """A service and two more copies, with ports."""
        self.service("register", "server", "--kind", "immortal", "--log", "/logs",
                     "--port", "2001", "--app-port", "2000")
        self.service("add-replica", "server", "--replica", "1", "--port", "3001",
                     "--app-port", "3000")
        self.service("add-replica", "server", "--replica", "2", "--port", "4001",
                     "--app-port", "4000", "--log", "/logs/")

    def assert_refused(self, code, word, *line):
        result = self.service(*line, code=code)
        self.assert_sentence(result)
        self.assertIn(f"[{word}]", result.stderr)
        return result.stderr

    # --- refusals

    def test_a_service_wants_a_journal(self):
        self.assertIn("try: --log DIR", self.assert_refused(
            USAGE, "bad_config", "register", "server", "--kind", "immortal"))
        self.assertEqual(self.ask_json(self.address, "service", "list"), [])

    def test_bad_names_ports_and_numbers_are_refused(self):
        for line in [["register", "a/b", "--log", "/logs"],
                     ["register", "server", "--log", "/logs", "--port", "65536"],
                     ["register", "server", "--log", "/logs", "--port", "seven"],
                     ["register", "server", "--log", "/logs", "--port", "7", "--app-port", "7"],
                     ["register", "server", "--replicated", "--node", ":7"],
                     ["register", "server", "--log", "/logs", "--last-resort",
                      "--no-last-resort"],
                     ["add-replica", "server", "--replica", "1000"],
                     ["add-replica", "server", "--replica", "-1"]]:
            self.service(*line, code=USAGE)
        self.assertEqual(self.ask_json(self.address, "service", "list"), [])

    def test_what_is_not_registered_is_not_found(self):
        for line in [["add-replica", "server", "--replica", "1"],
                     ["remove-replica", "server", "--replica", "1"], ["unregister", "server"]]:
            self.assertIn("try: understudy service",
                          self.assert_refused(NO, "not_found", *line))

    def test_other_options_want_update_and_nothing_is_reset(self):
        self.three_copies()
        told = self.assert_refused(NO, "already_exists", "register", "server", "--log", "/logs",
                                   "--port", "2002")
        self.assertIn("port 2001, not 2002", told)
        self.assertIn("--update", told)
        self.assert_refused(NO, "already_exists", "add-replica", "server", "--replica", "1",
                            "--port", "2002")
        self.assert_refused(NO, "already_exists", "register", "server", "--log", "/other")
        self.service("register", "server", "--log", "/logs")  # As it is.
        self.service("register", "server", "--update", "--port", "2002")
        self.service("add-replica", "server", "--replica", "1", "--update", "--app-port", "3002")
        copies = self.show()["members"]
        self.assertEqual([(copy["port"], copy["app_port"]) for copy in copies],
                         [(2002, 2000), (3001, 3002), (4001, 4000)])

    def test_the_last_copy_stays(self):
        self.three_copies()
        self.service("remove-replica", "server", "--replica", "0")
        self.service("remove-replica", "server", "--replica", "2")
        self.assertIn("try: understudy service unregister server", self.assert_refused(
            NO, "refused", "remove-replica", "server", "--replica", "1"))

    def test_versions_only_grow(self):
        self.service("register", "server", "--log", "/logs", "--code-version", "3")
        self.assert_refused(USAGE, "bad_config", "register", "server", "--update",
                            "--code-version", "2")
        self.service("register", "server", "--update", "--code-version", "4")
        self.assertEqual(self.show()["code_version"], 4)

    # --- output

    def test_copies_that_do_not_run_are_shown(self):
        self.three_copies()
        shown = self.show()
        self.assertEqual((shown["redundancy"], shown["kind"], shown["journal"], shown["log"],
                          shown["last_resort"], shown["checkpointer"], shown["served"],
                          shown["active"]),
                         ("journaled", "immortal", "shared_directory", "/logs", "never",
                          "dedicated", False, None))
        self.assertEqual([(copy["member"], copy["replica"], copy["running"], copy["log"])
                          for copy in shown["members"]],
                         [(f"replica-{n}", n, False, "/logs") for n in range(3)])
        text = self.service("show", "server", code=NO).stdout
        self.assertIn("immortal, journal in /logs", text)
        self.assertRegex(text, r"(?m)^replica-2 +not running ")
        rows = list(csv.DictReader(io.StringIO(
            self.service("show", "server", "-o", "csv", code=NO).stdout)))
        self.assertEqual([row["member"] for row in rows], ["replica-0", "replica-1", "replica-2"])

    def test_the_list_counts_who_is_registered_and_who_runs(self):
        self.three_copies()
        self.assertEqual(self.ask_json(self.address, "service", "list"),
                         [{"service": "server", "redundancy": "journaled", "active": None,
                           "epoch": 0, "members": 0, "next": None, "served": False,
                           "kind": "immortal", "replicas": 3}])

    def test_a_replicated_service_has_a_log_for_each_copy(self):
        self.service("register", "server", "--replicated", "--log", "/a", "--node",
                     "127.0.0.1:5000", "--last-resort")
        self.service("add-replica", "server", "--replica", "1", "--log", "/b")
        shown = self.show()
        self.assertEqual((shown["journal"], shown["log"], shown["last_resort"]),
                         ("replicated", None, "allow"))
        self.assertEqual([(copy["log"], copy["node"]) for copy in shown["members"]],
                         [("/a", "127.0.0.1:5000"), ("/b", None)])

    def test_what_is_done_is_said_in_every_format(self):
        said = self.service("register", "server", "--log", "/logs").stdout
        self.assertEqual(said, "server is registered, an immortal; its member is replica-0\n")
        done = self.ask_json(self.address, "service", "add-replica", "server", "--replica", "1")
        self.assertEqual(len(done["members"]), 2)
        self.assertEqual(self.service("unregister", "server", "-o", "name").stdout, "server\n")
        self.assertEqual(self.ask_json(self.address, "service", "list"), [])

    def test_a_backup_holds_what_is_registered(self):
        self.three_copies()
        backup = self.directory / "backup"
        self.ask(self.address, "registry", "backup", "--to", backup)
        restored = run("registry", "restore", "--from", backup, "--data", self.directory / "new")
        self.assertEqual(restored.returncode, DONE, restored.stderr)
        again = self.registry(data="new").address
        shown = self.ask_json(again, "service", "show", "server", code=NO)
        self.assertEqual(len(shown["members"]), 3)


if __name__ == "__main__":
    main()
