#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "understudy/pack.h"
#include "understudy/state_machine.h"

namespace understudy::counter {

/// The smallest service with a state and commands of its own: named counters.
///
/// A command is the name of a counter and what to add to it, packed; the reply is the new value.
/// Bytes that are no command have no reply.
class Counters final : public SmallStateMachine {
public:
    [[nodiscard]] static Buffer add(const std::string& name, std::int64_t amount) {
        Buffer command;
        Packer packer(command);
        packer.put(name);
        packer.put(amount);
        return command;
    }
    [[nodiscard]] static std::int64_t value(Bytes reply) {
        std::int64_t value = 0;
        (void)Unpacker(reply).take(value);
        return value;
    }

    void apply(const Command& command, Buffer& reply) override {
        std::string name;
        std::int64_t amount = 0;
        Unpacker unpacker(command.body);
        if (!unpacker.take(name) || !unpacker.take(amount)) return;
        Packer(reply).put(counters_[name] += amount);
    }
    void snapshot(Buffer& out) const override { Packer(out).put(counters_); }
    Result<void> restore(Bytes state) override {
        if (Unpacker(state).take(counters_)) return {};
        return Error{.code = Errc::corrupt, .detail = "no counters"};
    }

private:
    std::map<std::string, std::int64_t> counters_;
};

}  // namespace understudy::counter
