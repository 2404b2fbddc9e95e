#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/types.h"

namespace understudy::swarm {

/// Sees everything that members and clients of a simulated platform tell their applications, and
/// judges it by the promises of docs/protocols/roles.md. Knows nothing of how they are kept.
class Oracle {
public:
    /// A member's application was told its role.
    void role_told(const std::string& family, const std::string& member, Incarnation incarnation,
                   Role role, Epoch epoch);
    /// A member ran a call; `id` is unique over the run.
    void executed(std::uint64_t id, Epoch epoch);
    /// What a client was told of its call.
    void call_done(std::uint64_t id);
    void call_refused(std::uint64_t id);
    void call_unknown(std::uint64_t id);
    /// A client's view of a record changed.
    void applied(const std::string& client, const std::string& family, Epoch epoch,
                 const std::string& why);
    void broken(std::string what);

    /// Checks that need the whole run.
    void finish();

    [[nodiscard]] bool good() const { return violations_.empty(); }
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] std::uint64_t grants() const { return holders_.size(); }
    [[nodiscard]] std::uint64_t calls_done() const { return done_; }
    [[nodiscard]] std::uint64_t calls_unknown() const { return unknown_; }
    [[nodiscard]] std::uint64_t calls_refused() const { return refused_; }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }

private:
    static constexpr std::size_t violations_max = 20;

    enum class Said : std::uint8_t { nothing, done, refused, unknown };
    struct Call {
        std::uint64_t executions = 0;
        Said said = Said::nothing;
    };

    std::map<std::pair<std::string, Epoch>, Incarnation> holders_;
    std::map<std::pair<std::string, Incarnation>, std::pair<Role, Epoch>> told_;
    std::map<std::uint64_t, Call> calls_;
    std::map<std::pair<std::string, std::string>, Epoch> seen_;
    std::vector<std::string> violations_;
    std::uint64_t done_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t changes_ = 0;
};

}  // namespace understudy::swarm
