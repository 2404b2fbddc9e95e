"""Runs the program as users do."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["UNDERSTUDY_PROGRAM"]
SERVICE = os.environ.get("UNDERSTUDY_TEST_SERVICE", "")
ROOT = pathlib.Path(__file__).resolve().parents[3]
SANITIZED = os.environ.get("UNDERSTUDY_SANITIZED", "") != ""
LIMIT = 60

DONE, NO, USAGE, UNREACHABLE, IO_FAILED, AGAIN, DENIED, INTERRUPTED = 0, 1, 2, 69, 74, 75, 77, 130


def environment(extra=None):
    """The environment without variables that configure the program, and with `extra`."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith("UNDERSTUDY") and name != "NOTIFY_SOCKET"}
    clean.update(extra or {})
    return clean


def run(*arguments, env=None, cwd=None, program=PROGRAM):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=LIMIT, env=environment(env), cwd=cwd, stdin=subprocess.DEVNULL)


held_ports = []


def free_port():
    """A port that the system gives to no other process while this program runs. A program that is
    started may listen on it, and again after its end: its sockets have SO_REUSEADDR too."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    held_ports.append(held)
    return held.getsockname()[1]


def free_address():
    return f"127.0.0.1:{free_port()}"


class Running:
    """A process that runs until it is ended; its lines are read one by one."""

    def __init__(self, *arguments, env=None, program=PROGRAM):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([program, *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment(env),
                                        stdin=subprocess.DEVNULL)

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def error_text(self):
        if self.errors.closed:
            return self.said
        # Not by seek(), because the process shares the position in the file.
        descriptor = self.errors.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def end(self, number=signal.SIGTERM):
        """Sends the signal and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(LIMIT)
        finally:
            self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.said = self.error_text()
        self.errors.close()


class Case(unittest.TestCase):
    """A test with a temporary directory; processes that it started end with it."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def start(self, *arguments, **options):
        running = Running(*arguments, **options)
        self.stack.callback(running.close)
        return running

    def registry(self, *arguments, data="data", env=None):
        """A registry that answers on a free port; .address has the address."""
        running = self.start("registry", "--listen", "127.0.0.1:0", "--data",
                             self.directory / data, *arguments, env=env)
        line = running.line()
        self.assertTrue(line.startswith("registry ready on "), line + running.error_text())
        running.ready = line
        running.address = line.removeprefix("registry ready on ").split(",")[0]
        return running

    def member(self, address, name, *arguments, family="Foo", role=None):
        """A member of a service (service.cc) that has printed its first role."""
        running = self.start("--registry", address, "--family", family, "--member", name,
                             *arguments,
                             program=SERVICE)
        first = running.line()
        if role is not None:
            self.assertEqual(first, role, running.error_text())
        return running

    def ask(self, address, *arguments, code=DONE):
        """Runs a command against a registry; its exit code must be `code`."""
        result = run("--registry", address, *arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def ask_json(self, address, *arguments, code=DONE):
        return json.loads(self.ask(address, *arguments, "--json", code=code).stdout)

    def assert_sentence(self, result):
        """Standard error is one sentence with its code in brackets, possibly with advice."""
        lines = result.stderr.strip().split("\n")
        self.assertRegex(lines[0], r"^understudy: .* \[[a-z_]+(, outcome unknown)?\]$")
        for line in lines[1:]:
            self.assertTrue(line.startswith("try: "), result.stderr)
        self.assertEqual(result.stdout, "")

    def wait_until(self, condition, what):
        """Waits for events in other processes."""
        deadline = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)


def main():
    unittest.main()
