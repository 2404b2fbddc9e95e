#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "consensus/core.h"
#include "immortal/linked.h"
#include "journal/shared/shared_journal.h"
#include "node/immortal/immortal_client.h"
#include "node/immortal/immortal_member.h"
#include "replicated/node/node.h"
#include "sim/world.h"

namespace understudy::scenario {

inline constexpr std::uint16_t port = 7700;
inline constexpr std::uint16_t node_port = 7701;
inline const std::string share_path = "/mnt/share";

inline const std::vector<std::string> bank_names = {"bank1", "bank2", "bank3"};

/// Sends money to banks, also to itself, as its timer and its random numbers decide, and counts the
/// requests of clients. It notices whatever is lost, doubled or out of order.
class Bank final : public Immortal {
public:
    static constexpr std::uint64_t transfers_max = 120;
    static constexpr std::int64_t balance_at_first = 1000;

    void first_start() override;
    void tick();
    std::int64_t deposit(std::uint64_t number, std::int64_t amount);
    void note(std::uint64_t number);
    void deposited(const Result<std::int64_t>& answer, std::int64_t amount);
    std::uint64_t hit(std::uint64_t intent);

    template <class F>
    void fields(F& f) {
        f(balance, made, answered, refused, in_flight, disorder, doubled, hits, sent_, seen_,
          noted_, notes_, intents_);
    }
    template <class H>
    static void handlers(H& h) {
        h("tick", &Bank::tick);
        h("deposit", &Bank::deposit);
        h("note", &Bank::note);
        h("deposited", &Bank::deposited);
        h("hit", &Bank::hit);
    }

    std::int64_t balance = balance_at_first;
    std::uint64_t made = 0;
    std::uint64_t answered = 0;
    std::uint64_t refused = 0;
    std::int64_t in_flight = 0;
    std::uint64_t disorder = 0;  ///< Numbers that were not the next one.
    std::uint64_t doubled = 0;   ///< Calls of clients that had been carried out before.
    std::uint64_t hits = 0;

private:
    std::map<std::string, std::uint64_t> sent_;
    std::map<std::string, std::uint64_t> seen_;
    std::uint64_t noted_ = 0;
    std::map<std::string, std::uint64_t> notes_;
    std::set<std::uint64_t> intents_;
};

/// Compares what all copies of all immortals report.
class ImmortalOracle {
public:
    /// A copy has this state after this entry.
    void state(const std::string& who, const std::string& service, Index index,
               const immortal::Machine& machine);
    /// The same for the application alone, also during a replay.
    void application(const std::string& who, const std::string& service, Index index,
                     std::uint64_t hash);
    void broken(std::string what);
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] std::uint64_t compared() const { return compared_; }

private:
    using States = std::map<std::string, std::map<Index, std::uint64_t>>;

    void compare(States& states, const std::string& who, const std::string& service, Index index,
                 std::uint64_t hash);

    States states_;
    States applications_;
    /// By receiver and sender: what is durable there.
    std::map<std::string, std::map<std::string, immortal::MessageNo>> received_;
    std::vector<std::string> violations_;
    std::uint64_t compared_ = 0;
};

enum class BankJournal : std::uint8_t { local, shared, replicated };

struct BankSpec {
    std::string service;
    std::string member;  ///< Also the name of its host.
    BankJournal journal = BankJournal::local;
    std::string directory;
    std::map<std::string, std::vector<hosting::Locator::Place>> places;
    std::uint64_t checkpoint_every_bytes = 8 * KiB;
    consensus::MakeCore make_core = nullptr;  ///< For a replicated journal.
};

/// A process with one copy of a bank.
class BankApp final : private journal::Observer {
public:
    BankApp(Runtime& runtime, Log& log, ImmortalOracle& oracle, BankSpec spec);
    ~BankApp() override;

    /// Null until it is open.
    [[nodiscard]] node::ImmortalMember* member() { return member_.get(); }
    [[nodiscard]] bool active() const { return member_ && !error_ && member_->replica().active(); }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    /// The last entry that may have changed the state.
    [[nodiscard]] Index changed() const { return changed_; }
    /// Null before the first input.
    [[nodiscard]] const Bank* bank() const;

private:
    [[nodiscard]] bool alive() const;
    [[nodiscard]] journal::Open local_journal();
    [[nodiscard]] journal::Open shared_journal();
    [[nodiscard]] journal::Open replicated_journal();
    void open_node();
    void open(const journal::Open& journal);
    void look();

    Result<void> restore(const journal::StateSlice& slice) override {
        if (slice.last) changed_ = slice.at;
        return to_->restore(slice);
    }
    void committed(const journal::Entry& entry) override;
    void standing_changed(const journal::Standing& standing) override {
        to_->standing_changed(standing);
    }
    void space_changed(journal::Space space) override { to_->space_changed(space); }
    void failed(const Error& error) override { to_->failed(error); }

    Runtime& runtime_;
    Log& log_;
    ImmortalOracle& oracle_;
    const BankSpec spec_;
    immortal::LinkedApplication application_;
    hosting::StaticLocator locator_;
    std::optional<Error> error_;
    journal::Observer* to_ = nullptr;
    Index changed_;
    std::unique_ptr<journal::Opening> node_opening_;
    std::unique_ptr<replicated::Node> node_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<node::ImmortalMember> member_;
};

/// What a client records, and still has after its own restart.
struct ClientNotes {
    std::uint64_t session = 0;
    std::uint64_t first = 0;  ///< Its intents are numbered from here; those of all clients differ.
    std::uint64_t intents_max = 60;
    std::uint64_t intents = 0;  ///< Decided so far.
    /// By number of the call: an intent that is not answered yet.
    std::map<std::uint64_t, std::uint64_t> calls;
    /// Intents whose call is known not to have arrived.
    std::set<std::uint64_t> to_call;
    /// All are different if each call was carried out once.
    std::set<std::uint64_t> answers;
    std::uint64_t answered = 0;
    std::uint64_t resumed = 0;
    std::uint64_t not_arrived = 0;
    [[nodiscard]] bool done() const { return answered == intents_max; }
};

/// A process that calls a bank, and goes on where it was after its restart.
class HitApp final {
public:
    HitApp(Runtime& runtime, Log& log, ImmortalOracle& oracle, ClientNotes& notes,
           const std::string& service,
           const std::map<std::string, std::vector<hosting::Locator::Place>>& places);

    [[nodiscard]] node::ImmortalClient& client() { return *client_; }

private:
    [[nodiscard]] bool alive() const;
    void go_on();
    void call(std::uint64_t intent);
    void told(std::uint64_t number, const Result<Bytes>& reply);

    Runtime& runtime_;
    ImmortalOracle& oracle_;
    ClientNotes& notes_;
    hosting::StaticLocator locator_;
    std::unique_ptr<node::ImmortalClient> client_;
    std::unique_ptr<Timer> timer_;
};

struct BankPlan {
    std::uint64_t seed = 1;
    BankJournal journal = BankJournal::local;
    std::size_t copies = 1;  ///< Of each bank.
    std::size_t clients = 1;
    Duration chaos = 4s;
    bool kills = true;
    bool hangs_and_cuts = false;  ///< In addition to kills.
    bool slow_disk = false;
    consensus::MakeCore make_core = nullptr;
    std::function<void(std::string_view)> sink = {};
};

struct BankOutcome {
    std::vector<std::string> violations;
    std::uint64_t kills = 0;
    std::uint64_t transfers = 0;
    std::uint64_t hits = 0;
    std::uint64_t resumed = 0;
    std::uint64_t compared = 0;  ///< Compared states of different copies, or of a replay.
    std::uint64_t trace_hash = 0;
    std::string tail;
};

/// Runs three banks and clients with kills. Then all must come to rest, with every promise kept.
[[nodiscard]] BankOutcome run_banks(const BankPlan& plan);

}  // namespace understudy::scenario
