#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "replica/state_machine.h"

namespace understudy::replica {

/// The simplest machine that notices a command lost, doubled, changed or out of order.
class ListMachine final : public StateMachine {
public:
    void apply(Index index, Bytes command) override {
        US_ASSERT(index > last);
        last = index;
        commands.emplace_back(as_text(command));
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
    [[nodiscard]] std::uint64_t hash() const override {
        Buffer state;
        snapshot(state);
        return hash64(state);
    }

    std::vector<std::string> commands;
    Index last;
    int restored = 0;
};

}  // namespace understudy::replica
