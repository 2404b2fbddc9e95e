#!/usr/bin/env python3
"""Hello world by two immortals in Python, each beside its coordinator.

The server counts its greetings for each name. The client asks it to greet, once or many times in a
row, and counts the answers. Either process, or its coordinator, may be killed at any time: nothing
is lost and nothing happens twice. Only the standard library is needed.

    understudy coordinator --instance server --log logs --port 2000 --app-port 2001 \
        --peers client=127.0.0.1:1000 &
    understudy coordinator --instance client --log logs --port 1000 --app-port 1001 \
        --peers server=127.0.0.1:2000 &
    examples/coordinator_hello.py server 127.0.0.1:2001 &
    examples/coordinator_hello.py client 127.0.0.1:1001
    greet Joe
    greet_many Ann 1000

The protocol: docs/protocols/coordinator.md.
"""

import selectors
import socket
import struct
import sys
import time

# --- MessagePack, as much as is needed: None, truth values, integers, text, arrays, maps ----------


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return struct.pack("B", value)
        if value < 0:
            return b"\xd3" + struct.pack(">q", value)
        for code, form, end in ((b"\xcc", ">B", 8), (b"\xcd", ">H", 16), (b"\xce", ">I", 32)):
            if value >> end == 0:
                return code + struct.pack(form, value)
        return b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, str):
        raw = value.encode()
        if len(raw) < 32:
            return struct.pack("B", 0xa0 | len(raw)) + raw
        if len(raw) < 256:
            return struct.pack("BB", 0xd9, len(raw)) + raw
        return b"\xda" + struct.pack(">H", len(raw)) + raw
    if isinstance(value, (list, tuple)):
        head = struct.pack("B", 0x90 | len(value)) if len(value) < 16 else \
            b"\xdd" + struct.pack(">I", len(value))
        return head + b"".join(map(pack, value))
    if isinstance(value, dict):  # Sorted by key, so that equal states give equal images.
        head = struct.pack("B", 0x80 | len(value)) if len(value) < 16 else \
            b"\xdf" + struct.pack(">I", len(value))
        return head + b"".join(pack(key) + pack(value[key]) for key in sorted(value))
    raise TypeError(f"cannot pack {type(value).__name__}")


def unpack(data):
    value, rest = take(memoryview(data))
    if len(rest):
        raise ValueError("bytes behind the value")
    return value


def take(data):
    first, rest = data[0], data[1:]

    def number(form):
        size = struct.calcsize(form)
        return struct.unpack(form, rest[:size])[0], rest[size:]

    if first < 0x80:
        return first, rest
    if first >= 0xe0:
        return first - 256, rest
    if first in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[first], rest
    if 0xcc <= first <= 0xd3:
        return number(">" + "BHIQbhiq"[first - 0xcc])
    if first < 0x90 or first in (0xde, 0xdf):
        size, rest = (first & 15, rest) if first < 0x90 else number((">H", ">I")[first - 0xde])
        value = {}
        for _ in range(size):
            key, rest = take(rest)
            value[key], rest = take(rest)
        return value, rest
    if first < 0xa0 or first in (0xdc, 0xdd):
        size, rest = (first & 15, rest) if first < 0xa0 else number((">H", ">I")[first - 0xdc])
        value = []
        for _ in range(size):
            item, rest = take(rest)
            value.append(item)
        return value, rest
    if first < 0xc0 or 0xd9 <= first <= 0xdb:
        size, rest = (first & 31, rest)
        if first >= 0xc0:
            size, rest = number((">B", ">H", ">I")[first - 0xd9])
        return bytes(rest[:size]).decode(), rest[size:]
    raise ValueError(f"cannot unpack 0x{first:02x}")


# --- The protocol ---------------------------------------------------------------------------------

WELCOME, RESTORE, PERFORM, ROLE, TAKE_IMAGE, DONE, END = 1, 2, 3, 4, 5, 6, 7
HELLO, OUTPUT, PERFORMED, IMAGE, IMPULSE, BROKEN, RESTORED = 65, 66, 67, 68, 69, 70, 71
START, CALL, REPLY, TIMER, UPGRADE = 1, 2, 3, 4, 5                 # Inputs.
OUT_CALL, OUT_REPLY, OUT_TIMER, OUT_CANCEL = 1, 2, 3, 4            # Outputs.
NOT_FOUND, BAD_CONFIG, FAILED = 10, 7, 17
ROLES = ("joining", "standby", "active", "checkpointer")
PIECE = 1 << 20


def frame(kind, *parts):
    body = b"".join(parts)
    return struct.pack("<IB", len(body) + 1, kind) + body


def text(value):
    raw = value.encode()
    return struct.pack("<H", len(raw)) + raw


def refusal(code, why):
    """Cuts `why` to 127 bytes, so that its length takes one byte."""
    raw = why.encode("ascii", "replace")[:127]
    return struct.pack("<HBB", code, 0, len(raw)) + raw


class Fields:
    """Takes numbers and texts from the front of a frame's body."""

    def __init__(self, body):
        self.rest = body

    def take(self, form):
        size = struct.calcsize("<" + form)
        values = struct.unpack("<" + form, self.rest[:size])
        self.rest = self.rest[size:]
        return values[0] if len(values) == 1 else values

    def text(self):
        size = self.take("H")
        value, self.rest = self.rest[:size].decode(), self.rest[size:]
        return value


class Immortal:
    """An object that outlives its process. Its whole state is in self.state.

    Handlers are methods whose name begins with on_; they may call(), after(), and look at self.time
    and self.random. They are carried out again, in the same order, by every new process.
    """

    service = ""
    versions = (1,)  # Of this code, ascending; a live upgrade needs the old one and the new one.

    def __init__(self):
        self.forget()

    def forget(self):
        self.state = {"next": 1, "waiting": {}, "timers": {}, **self.begin()}
        self.time = self.random = self.code = 0
        self.role = "joining"
        self.live = False

    def begin(self):
        return {}

    # Functions for handlers.

    def call(self, to, handler, *arguments, then=None, context=()):
        number = 0
        if then is not None:
            number = self.new_id()
            self.state["waiting"][number] = [then, list(context)]
        self.put(OUT_CALL, number, to=to, name=handler, body=pack(list(arguments)))

    def after(self, seconds, handler, *arguments):
        number = self.new_id()
        self.state["timers"][number] = [handler, list(arguments)]
        self.put(OUT_TIMER, number, due=self.time + int(seconds * 1e9))

    def new_id(self):
        self.state["next"] += 1
        return self.state["next"] - 1

    def put(self, kind, number, due=0, to="", name="", body=b"", refused=False):
        self.out += frame(OUTPUT, struct.pack("<BBQQ", kind, refused, number, due), text(to),
                          text(name), body)

    # Inputs from the coordinator.

    def perform(self, fields):
        position, kind, flags, number, self.time, _, self.random = fields.take("QBBQQQQ")
        source, name = fields.text(), fields.text()
        if kind in (START, UPGRADE):
            self.code = number
        elif kind == CALL:
            self.performed_call(source, number, name, bytes(fields.rest))
        elif kind == REPLY:
            continuation, context = self.state["waiting"].pop(number, (None, ()))
            if continuation:
                answer = None if flags & 1 or not fields.rest else unpack(fields.rest)
                getattr(self, continuation)(answer, *context)
        elif kind == TIMER:
            handler, arguments = self.state["timers"].pop(number, (None, ()))
            if handler:
                getattr(self, "on_" + handler)(*arguments)
        self.performed = position

    def performed_call(self, source, number, name, body):
        handler = getattr(self, "on_" + name, None)
        refused, answer = True, refusal(NOT_FOUND, f"{self.service} has no handler {name}")
        if handler is not None:
            try:
                result = handler(*unpack(body))
                refused, answer = False, b"" if result is None else pack(result)
            except (TypeError, ValueError) as problem:
                answer = refusal(BAD_CONFIG, str(problem))
        if number:
            self.put(OUT_REPLY, number, to=source, body=answer, refused=refused)

    def image(self, at):
        data = pack(self.state)
        pieces = [data[i:i + PIECE] for i in range(0, len(data), PIECE)]
        for piece in pieces[:-1]:
            self.out += frame(IMAGE, struct.pack("<QB", at, 0), piece)
        self.out += frame(IMAGE, struct.pack("<QB", at, 2), pieces[-1])

    def restore(self, fields):
        flags, self.code, position = fields.take("BIQ")
        self.pieces = (b"" if flags & 1 else self.pieces) + bytes(fields.rest)
        if flags & 2:
            self.state = unpack(self.pieces)
            self.performed = None
            self.out += frame(RESTORED, struct.pack("<Q", position))

    # The connection to the coordinator.

    def received(self, kind, body):
        fields = Fields(body)
        if kind == PERFORM:
            self.perform(fields)
            return
        self.settle()
        if kind == WELCOME:
            fields.take("HBI")
            note(f"acts for {fields.text()}, {fields.text()}")
            self.live = True
        elif kind == RESTORE:
            self.restore(fields)
        elif kind == TAKE_IMAGE:
            self.image(fields.take("Q"))
        elif kind == ROLE:
            self.role = ROLES[fields.take("BQ")[0]]
            note(self.role)
        elif kind == DONE:
            number, code, effect = fields.take("QHB")
            self.done(number, code, effect, fields.text())
        elif kind == END:
            note("the coordinator says: " + fields.text() if fields.take("H") else "")

    def done(self, number, code, effect, why):
        pass

    def settle(self):
        if self.performed is not None:
            self.out += frame(PERFORMED, struct.pack("<Q", self.performed))
            self.performed = None

    def run(self, address, idle=lambda link: None, watch=None):
        """Connects repeatedly. Calls `idle(link)` after each turn; waits for `watch` too."""
        while True:
            try:
                with connect(address) as link:
                    self.one_life(link, idle, watch)
            except OSError as problem:
                note(f"no coordinator: {problem}")
            time.sleep(0.2)

    def one_life(self, link, idle, watch):
        self.forget()
        self.out, self.performed, self.pieces, data = b"", None, b"", b""
        link.sendall(frame(HELLO, b"USAP", struct.pack("<H", 1), text(self.service),
                           text("coordinator_hello.py"),
                           struct.pack(f"<H{len(self.versions)}I", len(self.versions),
                                       *self.versions)))
        with selectors.DefaultSelector() as ready:
            ready.register(link, selectors.EVENT_READ)
            if watch is not None:
                ready.register(watch, selectors.EVENT_READ)
            while True:
                ready_now = [key.fileobj for key, _ in ready.select()]
                if link in ready_now:
                    more = link.recv(1 << 18)
                    if not more:
                        return
                    data = self.frames(data + more)
                if watch in ready_now and not idle(True):
                    ready.unregister(watch)
                idle(False)
                if self.out:
                    link.sendall(self.out)
                    self.out = b""

    def frames(self, data):
        at = 0
        while len(data) - at >= 5:
            length, kind = struct.unpack_from("<IB", data, at)
            if len(data) - at < 4 + length:
                break
            self.received(kind, data[at + 5:at + 4 + length])
            at += 4 + length
        self.settle()
        return data[at:]


def connect(address):
    """Connects to HOST:PORT, or to the path of a Unix-domain socket, which contains a '/'."""
    if "/" in address:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(address)
        except OSError:
            link.close()
            raise
        return link
    host, _, port = address.rpartition(":")
    link = socket.create_connection((host, int(port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def note(line):
    print(line, file=sys.stderr, flush=True)


def say(line):
    print(line, flush=True)


# --- Hello world ----------------------------------------------------------------------------------


class Server(Immortal):
    service = "server"

    def begin(self):
        return {"greeted": {}, "total": 0}

    def on_greet(self, name):
        greeted = self.state["greeted"]
        greeted[name] = greeted.get(name, 0) + 1
        self.state["total"] += 1
        if self.role == "active":
            say(f"greets {name}, {self.state['total']} in all")
        return f"Hello {name}, number {greeted[name]}"

    def on_total(self):
        return self.state["total"]


class Client(Immortal):
    """Lines of standard input are calls: greet NAME, greet_many NAME COUNT, later NAME."""

    service = "client"

    def __init__(self):
        self.lines, self.number, self.sent = [], 0, False
        super().__init__()

    def begin(self):
        return {"answers": 0}

    def on_greet(self, name):
        self.call("server", "greet", name, then="answered", context=(name, 0))

    def on_greet_many(self, name, count):
        self.call("server", "greet", name, then="answered", context=(name, int(count) - 1))

    def on_later(self, name):
        self.after(1, "greet", name)

    def answered(self, answer, name, left):
        self.state["answers"] += 1
        if left > 0:
            self.on_greet_many(name, left)
        elif self.role == "active":
            say(f"{answer}, {self.state['answers']} answers")

    # Impulses: a typed line waits until this copy is active, and until it is durable.

    def typed(self, readable):
        if readable:
            line = sys.stdin.readline()
            if not line:
                return False
            self.lines.append(line.split())
        if self.role == "active" and self.lines and not self.sent:
            name, *arguments = self.lines[0]
            self.number += 1
            self.sent = True
            self.out += frame(IMPULSE, struct.pack("<Q", self.number), text(name), pack(arguments))
        return True

    def done(self, number, code, effect, why):
        self.sent = False
        if code == 0 or effect == 1:  # Done, or the outcome is unknown: it is not repeated.
            self.lines.pop(0)
        if code:
            note(f"impulse: {why}")

    def forget(self):
        super().forget()
        if self.sent:
            self.sent = False
            self.lines.pop(0)
            note("impulse: the coordinator went away; nobody knows whether it was taken")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("server", "client"):
        sys.exit("usage: coordinator_hello.py server|client HOST:PORT|PATH")
    if "/" not in sys.argv[2] and not sys.argv[2].rpartition(":")[2].isdecimal():
        sys.exit(f"coordinator_hello.py: {sys.argv[2]}: expected HOST:PORT, or a path with a '/'")
    if sys.argv[1] == "server":
        Server().run(sys.argv[2], idle=lambda readable: True)
    else:
        client = Client()
        client.run(sys.argv[2], idle=client.typed, watch=sys.stdin)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
