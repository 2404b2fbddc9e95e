"""Commands against a platform: what they print, in which format, and their exit codes."""

import csv
import io
import json
import signal

from program import AGAIN, Case, DONE, INTERRUPTED, NO, USAGE, main, run


class Platform(Case):
    def setUp(self):
        super().setUp()
        self.address = self.registry("--platform", "Stage").address

    def two_members(self):
        self.bar1 = self.member(self.address, "Bar1", role="active")
        self.bar2 = self.member(self.address, "Bar2", role="standby")

    # --- services

    def test_what_is_not_there_is_no_and_says_what_was_meant(self):
        self.two_members()
        for line in [["service", "show", "Fo"], ["service", "explain", "Fo"],
                     ["service", "switchover", "Fo"], ["record", "list", "Fo"],
                     ["record", "get", "Fo", "R"], ["call", "Fo", "echo"]]:
            result = self.ask(self.address, *line, code=NO)
            self.assert_sentence(result)
            self.assertIn("[not_found]", result.stderr)
            self.assertIn("Foo", result.stderr)

    def test_an_empty_platform_has_empty_lists(self):
        self.assertEqual(self.ask_json(self.address, "service", "list"), [])
        self.assertEqual(self.ask(self.address, "service", "list", "-o", "name").stdout, "")
        self.assertEqual(self.ask(self.address, "service", "list", "-o", "jsonl").stdout, "")
        self.assertEqual(self.ask(self.address, "service", "list", "-o", "csv").stdout,
                         "service,redundancy,active,epoch,members,next\n")

    def test_service_list_in_every_format(self):
        self.two_members()
        rows = self.ask_json(self.address, "service", "list")
        self.assertEqual(rows, [{"service": "Foo", "redundancy": "fault_tolerant", "active": "Bar1",
                                 "epoch": rows[0]["epoch"], "members": 2, "next": "Bar2",
                                 "served": True}])
        self.assertEqual(self.ask(self.address, "service", "list", "-o", "name").stdout, "Foo\n")
        lines = self.ask(self.address, "service", "list", "-o", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line) for line in lines], rows)
        table = self.ask(self.address, "service", "list").stdout
        self.assertEqual(table.splitlines()[0].split(),
                         ["SERVICE", "REDUNDANCY", "ACTIVE", "EPOCH", "MEMBERS", "NEXT"])
        self.assertNotIn("\x1b", table)

    def test_service_show_in_every_format(self):
        self.two_members()
        shown = self.ask_json(self.address, "service", "show", "Foo")
        self.assertEqual(sorted(shown),
                         ["active", "awaited", "epoch", "lease_ms", "members", "next",
                                         "on_registry_loss", "promotions", "redundancy", "served",
                                         "service", "waiting"])
        self.assertEqual([(m["member"], m["role"], m["place"]) for m in shown["members"]],
                         [("Bar1", "active", 1), ("Bar2", "standby", 2)])
        self.assertEqual(shown["members"][0]["pid"], self.bar1.process.pid)
        self.assertEqual(sorted(shown["members"][0]),
                         ["agent", "endpoint", "epoch", "joined_ms", "member", "order", "pid",
                          "place", "role"])
        rows = list(csv.DictReader(io.StringIO(
            self.ask(self.address, "service", "show", "Foo", "-o", "csv").stdout)))
        self.assertEqual([row["member"] for row in rows], ["Bar1", "Bar2"])
        self.assertEqual(self.ask(self.address, "service", "show", "Foo", "-o", "name").stdout,
                         "Bar1\nBar2\n")
        text = self.ask(self.address, "service", "show", "Foo").stdout
        self.assertIn("active: Bar1   next in line: Bar2", text)

    def test_a_service_that_nobody_serves_is_shown_with_no(self):
        member = self.member(self.address, "Bar1", role="active")
        member.end()
        self.wait_until(lambda: self.ask_json(self.address, "service", "list")[0]["members"] == 0,
                        "the member that ended is still counted")
        shown = self.ask_json(self.address, "service", "show", "Foo", code=NO)
        self.assertEqual(shown["members"], [])
        for line in [["record", "get", "Foo", "HelloWorld"], ["call", "Foo", "echo"]]:
            result = run("--registry", self.address, "--timeout", "200ms", *line)
            self.assertEqual(result.returncode, AGAIN, result.stderr)
            self.assert_sentence(result)

    def test_switchover_hands_over_and_is_explained(self):
        self.two_members()
        done = self.ask_json(self.address, "service", "switchover", "Foo")
        self.assertEqual((done["previous"], done["active"]), ("Bar1", "Bar2"))
        self.assertEqual(self.bar1.line(), "standby")
        self.assertEqual(self.bar2.line(), "active")
        text = self.ask(self.address, "service", "switchover", "Foo", "--to", "Bar1").stdout
        self.assertRegex(text, r"^Foo: Bar2 -> Bar1, epoch \d+, ")
        story = self.ask_json(self.address, "service", "explain", "Foo")
        self.assertEqual([(row["member"], row["cause"]) for row in story],
                         [("Bar1", "first_member"), ("Bar2", "switchover"), ("Bar1", "switchover")])
        self.assertEqual(sorted(story[0]), ["cause", "decided_us", "epoch", "evidence", "member",
                                            "noticed_us", "previous", "revision", "service",
                                            "time_ms"])

    def test_a_switchover_to_nobody_is_no(self):
        self.two_members()
        result = self.ask(self.address, "service", "switchover", "Foo", "--to", "Bar9", code=NO)
        self.assert_sentence(result)

    def test_a_kill_is_explained_with_its_evidence(self):
        self.two_members()
        self.bar1.end(signal.SIGKILL)
        self.assertEqual(self.bar2.line(), "active")
        story = self.ask_json(self.address, "service", "explain", "Foo")
        self.assertEqual(story[-1]["cause"], "process_gone")
        self.assertEqual((story[-1]["previous"], story[-1]["member"]), ("Bar1", "Bar2"))
        self.assertNotEqual(story[-1]["evidence"], None)

    def test_the_cluster_list_has_the_columns_of_the_seed(self):
        self.two_members()
        self.member(self.address, "X", family="Other", role="active")
        lines = self.ask(self.address, "cluster", "list").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["[cluster]", "[masters]", "[slaves]", "[services]"])
        self.assertRegex(lines[1], r"^Foo +Bar1 +Bar2 +tcp://127\.0\.0\.1:\d+$")
        self.assertRegex(lines[2], r"^Other +X +- +tcp://127\.0\.0\.1:\d+$")
        self.assertEqual(len(self.ask(self.address, "cluster", "list", "Oth").stdout.splitlines()),
                         2)
        rows = self.ask_json(self.address, "cluster", "list", "*oo")
        self.assertEqual([(row["cluster"], row["masters"], row["slaves"]) for row in rows],
                         [("Foo", ["Bar1"], ["Bar2"])])

    def test_watching_goes_on_and_ctrl_c_ends_it(self):
        watching = self.start("--registry", self.address, "service", "list", "-w", "-o", "name")
        self.member(self.address, "Bar1", role="active")
        self.assertEqual(watching.line(), "Foo")
        self.assertEqual(watching.end(signal.SIGINT), INTERRUPTED)

    # --- records

    def test_record_list_and_get(self):
        self.two_members()
        rows = self.ask_json(self.address, "record", "list", "Foo")
        names = [row["record"] for row in rows]
        self.assertIn("HelloWorld", names)
        self.assertIn("Other", names)
        record = self.ask_json(self.address, "record", "get", "Foo", "HelloWorld")
        self.assertEqual(record, {"service": "Foo", "record": "HelloWorld",
                                  "fields": {"a message": "Hello World (from Bar1)", "count": 3,
                                             "share": 0.5},
                                  "submaps": {"sub": {"field": "x"}}})
        table = self.ask(self.address, "record", "get", "Foo", "HelloWorld").stdout
        self.assertIn("sub/field  text     x", table)
        result = self.ask(self.address, "record", "get", "Foo", "Absent", code=NO)
        self.assertIn("[not_found]", result.stderr)
        self.assertIn("try: understudy record list Foo", result.stderr)

    def test_a_watched_record_follows_the_failover(self):
        self.two_members()
        watching = self.start("--registry", self.address, "record", "watch", "Foo", "HelloWorld",
                              "--count", "2", "-o", "jsonl")
        first = json.loads(watching.line())
        self.assertEqual((first["kind"], first["puts"]["a message"]),
                         ("image", "Hello World (from Bar1)"))
        self.bar1.end(signal.SIGKILL)
        second = json.loads(watching.line())
        self.assertEqual((second["kind"], second["puts"]["a message"]),
                         ("image", "Hello World (from Bar2)"))
        self.assertGreater(second["epoch"], first["epoch"])
        self.assertEqual(watching.process.wait(30), DONE)

    def test_a_watched_record_is_interrupted(self):
        self.two_members()
        watching = self.start("--registry", self.address, "record", "watch", "Foo", "HelloWorld")
        self.assertIn("a message = Hello World (from Bar1)", watching.line())
        self.assertEqual(watching.end(signal.SIGINT), INTERRUPTED)

    def test_watch_refuses_formats_that_cannot_go_on(self):
        self.ask(self.address, "record", "watch", "Foo", "R", "-o", "csv", code=USAGE)
        self.ask(self.address, "record", "watch", "Foo", "R", "--count", "0", code=USAGE)

    def test_put_is_refused_unless_the_program_allows_it(self):
        self.two_members()
        result = self.ask(self.address, "record", "put", "Foo", "New", "f=1", code=NO)
        self.assert_sentence(result)
        self.assertIn("allow_record_put", result.stderr)

    def test_put_changes_a_record_where_it_is_allowed(self):
        self.member(self.address, "Bar1", "--allow-record-put", role="active")
        self.ask(self.address, "record", "put", "Foo", "New", "t=1", "i:=1", "r:=1.5", "s/f=x")
        self.ask(self.address, "record", "put", "Foo", "New", "t:=null", "i:=2")
        record = self.ask_json(self.address, "record", "get", "Foo", "New")
        self.assertEqual(record["fields"], {"i": 2, "r": 1.5})
        self.assertEqual(record["submaps"], {"s": {"f": "x"}})

    # --- calls

    def test_a_call_prints_its_result(self):
        self.two_members()
        arguments = '{"left": 40, "right": 2}'
        self.assertEqual(self.ask(self.address, "call", "Foo", "add", arguments).stdout, "42\n")
        json_result = self.ask_json(self.address, "call", "Foo", "add", arguments)
        self.assertEqual(json_result["result"], 42)
        self.assertEqual(sorted(json_result), ["call", "member", "result", "service", "took_us"])
        nested = '{"a": [1, {"b": null}]}'
        echoed = self.ask(self.address, "call", "Foo", "echo", nested).stdout
        self.assertEqual(json.loads(echoed), json.loads(nested))

    def test_a_call_that_fails_says_whether_it_happened(self):
        self.two_members()
        failed = self.ask(self.address, "call", "Foo", "fail", code=NO)
        self.assertIn("not today", failed.stderr)
        half = self.ask(self.address, "call", "Foo", "half", code=NO)
        self.assertIn("outcome unknown", half.stderr)
        thrown = self.ask(self.address, "call", "Foo", "throw", code=NO)
        self.assertIn("thrown within the handler [failed", thrown.stderr)
        refused = self.ask(self.address, "call", "Foo", "add", code=NO)
        self.assertIn("left and right, please", refused.stderr)
        absent = self.ask(self.address, "call", "Foo", "absent", code=NO)
        self.assertIn("[not_found]", absent.stderr)

    def test_a_member_that_cannot_be_reached_is_named_with_the_reason(self):
        # It listens at 127.0.0.1 and advertises 127.0.0.2, where there is no listener.
        self.member(self.address, "Far", "--advertise", "127.0.0.2", family="Away", role="active")
        for line in [["call", "Away", "echo", "--deadline", "1s"],
                     ["record", "get", "Away", "HelloWorld"]]:
            with self.subTest(line=line):
                told = self.ask(self.address, "--timeout", "1s", *line, code=AGAIN).stderr
                self.assertRegex(told, r"Far at 127\.0\.0\.2:\d+: connect: Connection refused")


if __name__ == "__main__":
    main()
