#pragma once

#include <cstdint>
#include <string>

#include "understudy/state_machine.h"

namespace understudy::library {

/// Adds its commands, and answers with the sum.
class Sum final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        total += std::stoull(std::string(as_text(command.body)));
        const std::string text = std::to_string(total);
        reply.assign(as_bytes(text).begin(), as_bytes(text).end());
    }
    void snapshot(Buffer& out) const override {
        const std::string text = std::to_string(total);
        out.insert(out.end(), as_bytes(text).begin(), as_bytes(text).end());
    }
    Result<void> restore(Bytes state) override {
        total = std::stoull(std::string(as_text(state)));
        return {};
    }

    std::uint64_t total = 0;
};

}  // namespace understudy::library
