#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "understudy/state_machine.h"

namespace understudy::swarm {

/// A client's request to a RegisterMachine.
struct Order {
    enum class Kind : std::uint8_t { write, cas, append };
    Kind kind = Kind::write;
    std::string key;
    std::uint64_t value = 0;     ///< Unique in the run.
    std::uint64_t expected = 0;  ///< For cas; 0: never written.
    std::uint64_t pad_bytes = 0;
};
[[nodiscard]] Buffer encoded(const Order& order);

/// Registers and lists, and a trail of all commands that were ever carried out: whatever is lost,
/// doubled, changed or out of order shows.
class RegisterMachine final : public SmallStateMachine {
public:
    /// Called after each command, with the hash of the trail.
    using Heard = std::function<void(const Command& command, std::uint64_t trail)>;

    explicit RegisterMachine(Heard heard) : heard_(std::move(heard)) {}

    /// Replies: write 1; cas 0 or 1, whether it was carried out; append the position in the list.
    void apply(const Command& command, Buffer& reply) override;
    void snapshot(Buffer& out) const override;
    Result<void> restore(Bytes state) override;
    [[nodiscard]] std::uint64_t hash() const override { return trail_; }

    [[nodiscard]] std::uint64_t value(const std::string& key) const;
    [[nodiscard]] const std::map<std::string, std::vector<std::uint64_t>>& lists() const {
        return lists_;
    }
    /// The values of all orders, in order.
    [[nodiscard]] const std::vector<std::uint64_t>& done() const { return done_; }

private:
    Heard heard_;
    std::map<std::string, std::uint64_t> registers_;
    std::map<std::string, std::vector<std::uint64_t>> lists_;
    std::vector<std::uint64_t> done_;
    std::uint64_t trail_ = 0;
};

}  // namespace understudy::swarm
