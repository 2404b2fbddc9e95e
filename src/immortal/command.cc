#include "immortal/command.h"

namespace understudy::immortal {

namespace {

// Numbers of the journal's format: never reuse, never renumber.
enum class CommandKind : std::uint8_t {
    start = 1,
    receive = 2,
    impulse = 3,
    confirm = 4,
    fire = 5,
    upgrade = 6,
    forget = 7,
};

void kind(Buffer& out, CommandKind value) {
    out.push_back(static_cast<std::byte>(value));
}

void write(Buffer& out, const StartCommand& start) {
    kind(out, CommandKind::start);
    ByteWriter writer(out);
    writer.fixed(start.instance);
    writer.fixed(start.seed);
    writer.varint(start.wall_ms);
    writer.varint(start.version);
}
void write(Buffer& out, const ReceiveCommand& receive) {
    out.reserve(receive.batch.messages.size() + receive.source.size() + 48);
    kind(out, CommandKind::receive);
    ByteWriter writer(out);
    writer.text(receive.source);
    writer.fixed(receive.instance);
    writer.varint(receive.wall_ms);
    writer.varint(receive.batch.first.value);
    writer.varint(receive.batch.count);
    writer.raw(receive.batch.messages);
}
void write(Buffer& out, const ImpulseCommand& impulse) {
    out.reserve(impulse.arguments.size() + impulse.name.size() + 16);
    kind(out, CommandKind::impulse);
    ByteWriter writer(out);
    writer.varint(impulse.wall_ms);
    writer.text(impulse.name);
    writer.raw(impulse.arguments);
}
void write(Buffer& out, const ConfirmCommand& confirm) {
    kind(out, CommandKind::confirm);
    ByteWriter writer(out);
    writer.varint(confirm.rows.size());
    for (const ConfirmCommand::Row& row : confirm.rows) {
        writer.text(row.peer);
        writer.fixed(row.instance);
        writer.varint(row.upto.value);
    }
}
void write(Buffer& out, const FireCommand& fire) {
    kind(out, CommandKind::fire);
    ByteWriter writer(out);
    writer.varint(fire.wall_ms);
    writer.varint(fire.timers.size());
    for (const std::uint64_t timer : fire.timers) writer.varint(timer);
}
void write(Buffer& out, const UpgradeCommand& upgrade) {
    kind(out, CommandKind::upgrade);
    ByteWriter writer(out);
    writer.varint(upgrade.wall_ms);
    writer.varint(upgrade.version);
}
void write(Buffer& out, const ForgetCommand& forget) {
    kind(out, CommandKind::forget);
    ByteWriter(out).text(forget.peer);
}

Error bad_command(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("immortal: ") + what};
}

Result<AnyCommand> read_start(ByteReader& in) {
    StartCommand start;
    start.instance = in.fixed<std::uint64_t>().value_or(0);
    start.seed = in.fixed<std::uint64_t>().value_or(0);
    start.wall_ms = in.varint().value_or(0);
    const std::uint64_t version = in.varint().value_or(0);
    start.version = static_cast<std::uint32_t>(version);
    if (!in.done() || start.instance == 0 || version > 0xffff'ffff) return bad_command("start");
    return AnyCommand(start);
}
Result<AnyCommand> read_receive(ByteReader& in) {
    ReceiveCommand receive;
    receive.source = in.text().value_or("");
    receive.instance = in.fixed<std::uint64_t>().value_or(0);
    receive.wall_ms = in.varint().value_or(0);
    if (in.failed() || receive.source.empty() || receive.instance == 0)
        return bad_command("receive");
    receive.batch = US_TRY(read_batch(in.rest()));
    return AnyCommand(receive);
}
Result<AnyCommand> read_impulse(ByteReader& in) {
    ImpulseCommand impulse;
    impulse.wall_ms = in.varint().value_or(0);
    impulse.name = in.text().value_or("");
    if (in.failed()) return bad_command("impulse");
    impulse.arguments = in.rest();
    return AnyCommand(impulse);
}
Result<AnyCommand> read_confirm(ByteReader& in) {
    ConfirmCommand confirm;
    const std::uint64_t count = in.varint().value_or(0);
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
        ConfirmCommand::Row row;
        row.peer = in.text().value_or("");
        row.instance = in.fixed<std::uint64_t>().value_or(0);
        row.upto = {in.varint().value_or(0)};
        confirm.rows.push_back(row);
    }
    if (!in.done()) return bad_command("confirm");
    return AnyCommand(std::move(confirm));
}
Result<AnyCommand> read_fire(ByteReader& in) {
    FireCommand fire;
    fire.wall_ms = in.varint().value_or(0);
    const std::uint64_t count = in.varint().value_or(0);
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
        fire.timers.push_back(in.varint().value_or(0));
    }
    if (!in.done()) return bad_command("fire");
    return AnyCommand(std::move(fire));
}
Result<AnyCommand> read_upgrade(ByteReader& in) {
    UpgradeCommand upgrade;
    upgrade.wall_ms = in.varint().value_or(0);
    const std::uint64_t version = in.varint().value_or(0);
    upgrade.version = static_cast<std::uint32_t>(version);
    if (!in.done() || version > 0xffff'ffff) return bad_command("upgrade");
    return AnyCommand(upgrade);
}
Result<AnyCommand> read_forget(ByteReader& in) {
    ForgetCommand forget;
    forget.peer = in.text().value_or("");
    if (!in.done()) return bad_command("forget");
    return AnyCommand(forget);
}

}  // namespace

Buffer encode(const AnyCommand& command) {
    Buffer out;
    std::visit([&out](const auto& each) { write(out, each); }, command);
    return out;
}

Result<AnyCommand> decode_command(Bytes body) {
    ByteReader in(body);
    const auto first = in.fixed<std::uint8_t>();
    switch (static_cast<CommandKind>(first.value_or(0))) {
        case CommandKind::start: return read_start(in);
        case CommandKind::receive: return read_receive(in);
        case CommandKind::impulse: return read_impulse(in);
        case CommandKind::confirm: return read_confirm(in);
        case CommandKind::fire: return read_fire(in);
        case CommandKind::upgrade: return read_upgrade(in);
        case CommandKind::forget: return read_forget(in);
    }
    return bad_command("a command of an unknown kind");
}

}  // namespace understudy::immortal
