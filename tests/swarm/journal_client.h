#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/world.h"
#include "tests/history/history.h"
#include "tests/swarm/journal_member.h"
#include "tests/swarm/journal_oracle.h"
#include "tests/swarm/sometimes.h"

namespace understudy::swarm {

/// What all clients of a run share: the members, the history, unique numbers.
struct Workload {
    Workload(sim::World& in, JournalOracle& judge, Sometimes& counts)
        : world(in), oracle(judge), sometimes(counts) {}

    /// A key with room for more operations; there are few at a time, so that clients meet.
    [[nodiscard]] std::string key(Random& random, bool list);
    void unknown(const std::string& key);
    void line(history::Event event);

    sim::World& world;
    JournalOracle& oracle;
    Sometimes& sometimes;
    history::History history;
    std::vector<sim::Process*> members;
    /// Called at that very moment; `index` is that of the entry.
    std::function<void(std::uint64_t value, Index index)> on_acknowledged;
    std::uint32_t loss_per_mille = 0;  ///< For messages between clients and members.
    std::size_t pad_bytes_max = 0;
    bool draining = false;  ///< Open operations are finished, and no new ones begin.

    std::uint64_t next_value = 0;
    std::int64_t next_process = 0;
    std::uint64_t done = 0;
    std::uint64_t refused = 0;
    std::uint64_t open_ended = 0;

private:
    static constexpr int operations_max = 60;
    static constexpr int unknown_max = 5;
    struct Key {
        std::string name;
        int operations = 0;
        int unknown = 0;
    };
    std::vector<Key> keys_ = std::vector<Key>(3);  ///< The last one is a list.
    std::uint64_t keys_made_ = 0;
};

/// A client outside of all processes. It makes one operation at a time, usually in a session, and
/// sends it again under the same number until it is answered or the client gives up.
class JournalClient {
public:
    JournalClient(Workload& workload, std::uint64_t seed);
    JournalClient(const JournalClient&) = delete;
    JournalClient& operator=(const JournalClient&) = delete;

    void start() { think(); }
    [[nodiscard]] bool idle() const { return !operation_; }
    [[nodiscard]] std::uint64_t done() const { return done_; }

private:
    struct Told {
        Result<std::uint64_t> value;
        Epoch epoch;
        std::string node;
    };
    using Reply = std::function<void(const Told&)>;
    using Serve =
        std::function<void(JournalMember&, const std::function<void(Result<std::uint64_t>)>&)>;

    struct Operation {
        std::string f;
        Order order;
        std::optional<Request> request;
        std::int64_t process = 0;
        int attempts = 0;
        bool maybe = false;  ///< An attempt may have been accepted.
        bool asks_outcome = false;
        TimePoint deadline;
    };

    void think();
    void begin();
    void open_session();
    void attempt();
    void ask_outcome();
    void send(const Serve& serve, const Reply& reply);
    void answered(const Told& told);
    void again(Duration wait);
    void finish(history::Type type, const Told* told, const std::string& why);
    void repeat(const Operation& operation, std::uint64_t reply);
    void target(const std::string& hint);
    [[nodiscard]] Duration latency();

    Workload& workload_;
    sim::World& world_;
    Random random_;
    std::size_t target_ = 0;
    SessionId session_;
    std::uint64_t number_ = 0;
    std::int64_t process_;
    std::uint64_t seen_ = 0;  ///< The last value that was read or written, and its key, for cas.
    std::string seen_key_;
    std::optional<Operation> operation_;
    std::uint64_t attempt_ = 0;
    std::uint64_t done_ = 0;
};

}  // namespace understudy::swarm
