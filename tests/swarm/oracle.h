#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/types.h"

namespace understudy::swarm {

/// Gets all events of members and clients of a simulated platform, and judges them by the promises
/// of docs/protocols/roles.md. It does not know how they are kept.
class Oracle {
public:
    /// From now on a registry without data grants epochs: those of its predecessor may come again
    /// until a member reports them.
    void registry_emptied() { ++registry_; }
    /// A member's application was told its role.
    void role_told(const std::string& service, const std::string& member, Incarnation incarnation,
                   Role role, Epoch epoch);
    /// A member ran a call; `id` is unique in the run. `must_have_stopped`: its service steps down
    /// with its lease, so nothing may run in an epoch once a later one was granted.
    void executed(std::uint64_t id, Epoch epoch, bool must_have_stopped);
    /// The outcome of a client's call.
    void call_done(std::uint64_t id);
    void call_refused(std::uint64_t id);
    void call_unknown(std::uint64_t id);
    /// A client's copy of a record changed.
    void applied(const std::string& client, Incarnation incarnation, Epoch epoch,
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

    std::map<std::tuple<std::string, std::uint64_t, Epoch>, Incarnation> holders_;
    std::uint64_t registry_ = 0;
    std::map<std::pair<std::string, Incarnation>, std::pair<Role, Epoch>> told_;
    Epoch granted_last_;
    std::map<std::uint64_t, Call> calls_;
    std::map<std::pair<std::string, Incarnation>, Epoch> seen_;
    std::vector<std::string> violations_;
    std::uint64_t done_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t changes_ = 0;
};

}  // namespace understudy::swarm
