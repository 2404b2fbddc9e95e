#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "replica/state_machine.h"

namespace understudy::replica {

/// The simplest machine that notices if a command is lost, repeated, changed or out of order.
class ListMachine final : public SmallStateMachine {
public:
    /// Replies with the number of commands so far.
    void apply(const Command& command, Buffer& reply) override {
        US_ASSERT(reply.empty());
        US_ASSERT(command.index > last || (command.index == last && command.place == place + 1));
        US_ASSERT(command.time >= time);
        last = command.index;
        place = command.place;
        time = command.time;
        commands.emplace_back(as_text(command.body));
        const std::string count = std::to_string(commands.size());
        ByteWriter(reply).raw(as_bytes(count));
    }
    void snapshot(Buffer& out) const override {
        ByteWriter writer(out);
        writer.varint(commands.size());
        for (const std::string& command : commands) writer.text(command);
    }
    Result<void> restore(Bytes snapshot) override {
        ByteReader reader(snapshot);
        const auto count = reader.varint();
        commands.clear();
        for (std::uint64_t i = 0; count && i < *count && !reader.failed(); ++i) {
            commands.emplace_back(reader.text().value_or(""));
        }
        if (!reader.done()) return Error{.code = Errc::corrupt, .detail = "list machine"};
        ++restored;
        return {};
    }

    std::vector<std::string> commands;
    Index last;
    std::uint32_t place = 0;
    Duration time{};
    int restored = 0;
};

}  // namespace understudy::replica
