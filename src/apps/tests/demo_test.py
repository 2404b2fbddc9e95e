"""The fault-tolerant hello world, with the output of the system that it follows."""

import json
import os
import re
import signal
import subprocess

from program import Case, DONE, INTERRUPTED, PROGRAM, USAGE, environment, main, run

BAR1 = "Hello World (from Bar1)"
BAR2 = "Hello World (from Bar2)"


def columns_of(output):
    """The lines of each process, in order, by column title."""
    rows = [line.split(" |") for line in output.splitlines() if " |" in line]
    titles = [cell.strip() for cell in rows[0]]
    columns = {title: [] for title in titles}
    for row in rows[1:]:
        for title, cell in zip(titles, row):
            if cell.strip():
                columns[title].append(cell.strip())
    return columns


class Demo(Case):
    def play(self, *arguments):
        result = run("demo", "hello", *arguments, env={"TMPDIR": str(self.directory)})
        self.assertEqual(result.returncode, DONE, result.stdout + result.stderr)
        self.assertEqual(os.listdir(self.directory), [])
        return result

    def test_the_lines_are_those_of_the_source_document(self):
        result = self.play()
        columns = columns_of(result.stdout)
        self.assertEqual(list(columns), ["ms", "Registry", "Foo:Bar1", "Foo:Bar2", "Client"])
        self.assertTrue(" ".join(columns["Registry"]).startswith("registry ready on 127.0.0.1:"))
        # Killed after its first line, back as standby, active again by the switchover.
        self.assertEqual(columns["Foo:Bar1"], ["MASTER", "STANDBY", "MASTER"])
        self.assertEqual(columns["Foo:Bar2"], ["STANDBY", "MASTER", "STANDBY"])
        self.assertEqual(columns["Client"], [BAR1, BAR2, BAR1])
        self.assertRegex(result.stdout, r"--- kill -9 \d+ \(Foo:Bar1\)")
        self.assertRegex(result.stdout, r"--- failover: [\d.]+ (us|ms|s) from just before kill\(\)")
        # The member that came back is last in line.
        lines = result.stdout.splitlines()
        members = [line.split()[1:3] for line in lines if line[:2] in ("1 ", "2 ")]
        self.assertEqual(members, [["Bar2", "active"], ["Bar1", "standby"]])
        self.assertRegex(result.stdout, r"\nFoo: Bar2 -> Bar1, epoch \d+, ")
        self.assertEqual(result.stderr, "")

    def test_rounds_go_to_and_fro_and_are_summed_up(self):
        result = self.play("--rounds", "3", "--json")
        summary = json.loads(result.stdout)
        self.assertEqual(sorted(summary),
                         ["client_us", "failover_us", "ok", "rounds", "switchover"])
        self.assertIs(summary["ok"], True)
        self.assertEqual([(r["killed"], r["successor"]) for r in summary["rounds"]],
                         [("Bar1", "Bar2"), ("Bar2", "Bar1"), ("Bar1", "Bar2")])
        figures = sorted(r["failover_us"] for r in summary["rounds"])
        self.assertEqual(summary["failover_us"],
                         {"min": figures[0], "p50": figures[1], "max": figures[2]})
        self.assertIn(BAR2, result.stderr)

    def test_it_does_not_listen_to_what_configures_other_platforms(self):
        result = run("demo", "hello", "--json",
                     env={"TMPDIR": str(self.directory), "UNDERSTUDY_REGISTRY": "127.0.0.1:1",
                          "UNDERSTUDY__REGISTRY__LOG_FORMAT": "json"})
        self.assertEqual(result.returncode, DONE, result.stderr)

    def test_active_standbys_as_the_source_document_tells_it(self):
        result = run("demo", "standby", "--rounds", "2", env={"TMPDIR": str(self.directory)})
        self.assertEqual(result.returncode, DONE, result.stdout + result.stderr)
        self.assertEqual(os.listdir(self.directory), [])
        columns = columns_of(result.stdout)
        # Killed as active, back as standby, active after the other's kill, standby by the
        # switchover; killed with the other, started alone; all stopped and started.
        self.assertEqual(columns["server 0"],
                         ["active", "standby", "active", "standby", "active", "checkpointer"])
        self.assertEqual(columns["server 1"], ["checkpointer", "active"])
        self.assertEqual(columns["server 2"],
                         ["standby", "active", "standby", "active", "standby"])
        total = re.search(r"asked (\d+), answered (\d+), counted (\d+)",
                          " ".join(columns["client"]))
        self.assertEqual(len(set(total.groups())), 1)
        self.assertGreater(int(total.group(1)), 5)
        self.assertRegex(result.stdout, r"\nserver: replica-0 -> replica-2, epoch \d+, ")
        self.assertRegex(result.stdout, r"--- switchover: the client waited [\d.]+ (us|ms|s) for")
        self.assertRegex(result.stdout, r"at most min [^\n]+, max [^\n]+\n(  up to .*\n)+$")

    def test_active_standbys_are_summed_up(self):
        result = run("demo", "standby", "--rounds", "1", "--json",
                     env={"TMPDIR": str(self.directory)})
        self.assertEqual(result.returncode, DONE, result.stderr)
        summary = json.loads(result.stdout)
        self.assertEqual(sorted(summary),
                         ["active_us", "counts", "gap_us", "ok", "rounds", "switchover"])
        self.assertEqual([(r["killed"], r["successor"]) for r in summary["rounds"]],
                         [("server 0", "server 2")])
        self.assertEqual(summary["counts"]["asked"], summary["counts"]["carried_out"])
        gap = summary["gap_us"]
        self.assertEqual(sorted(gap), ["buckets", "max", "min", "p50", "p90", "p99"])
        [bucket] = gap["buckets"]
        self.assertEqual(bucket["count"], 1)
        self.assertLessEqual(gap["max"], bucket["upto_us"])

    def children(self, pid):
        """Processes started by `pid`, as /proc knows them."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat:
                        fields = stat.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == pid and fields[0] != "Z":
                    found.append(int(name))
        return found

    def begin(self):
        process = subprocess.Popen([PROGRAM, "demo", "hello", "--pause", "1m"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                   env=environment({"TMPDIR": str(self.directory)}))
        self.addCleanup(process.stdout.close)
        while BAR1 not in process.stdout.readline():
            self.assertIsNone(process.poll())
        children = self.children(process.pid)
        self.assertEqual(len(children), 4)
        return process, children

    def gone(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def test_ctrl_c_ends_everything(self):
        process, children = self.begin()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), INTERRUPTED)
        self.assertTrue(all(map(self.gone, children)))
        self.assertEqual(os.listdir(self.directory), [])

    def test_its_processes_die_with_it(self):
        process, children = self.begin()
        process.kill()
        process.wait(30)
        self.wait_until(lambda: all(map(self.gone, children)),
                        "a process outlived the demonstration")

    def test_a_pause_is_a_duration(self):
        self.assertEqual(run("demo", "hello", "--pause", "long").returncode, USAGE)


if __name__ == "__main__":
    main()
