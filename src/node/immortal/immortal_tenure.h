#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/lifetime.h"
#include "hosting/submitter.h"
#include "node/immortal/courier.h"
#include "node/immortal/immortal_member.h"

namespace understudy::node {

/// The work of an immortal's active member during one tenure. It proposes what arrives, what it
/// sends to itself, what peers have confirmed, and its timers. It decides which peers may call, and
/// where each stream continues.
///
/// Nothing here is part of the state: the next active member begins with what the machine holds.
/// Thread: loop only.
class ImmortalTenure {
public:
    /// Batches that wait: those of clients because too much waits for peers, those of any peer
    /// because the application lags. A batch beyond the bound ends its link and is sent again.
    static constexpr std::size_t parked_bytes_max = 64 * MiB;
    /// In one command; the others follow in the next.
    static constexpr std::size_t fired_at_once_max = 1024;
    static constexpr Duration retry_interval = 10ms;

    struct World {
        Runtime& runtime;
        Log& log;
        const ImmortalMember::Options& options;
        replica::Replica& replica;
        immortal::Machine& machine;
        immortal::Application& application;
        hosting::Submitter& submitter;
        Courier& courier;
        ImmortalMember::Counters& counters;
        std::function<void()> first_started;  ///< This member has just started the service.
    };

    /// Requires: the replica is active.
    explicit ImmortalTenure(World world);
    ~ImmortalTenure();
    ImmortalTenure(const ImmortalTenure&) = delete;
    ImmortalTenure& operator=(const ImmortalTenure&) = delete;

    // Calls of the machine.
    void output_ready(const std::string& peer);
    void input_durable(const std::string& peer);
    void timers_changed();

    // Calls of the courier.
    [[nodiscard]] ImmortalHello hello(const std::string& peer) const;
    void link_wanted(Courier::GuestId guest, const ImmortalHello& hello);
    [[nodiscard]] Result<void> link_taken(const std::string& peer, const ImmortalWelcome& welcome);
    void link_lost(const std::string& peer);
    [[nodiscard]] bool wants_link(const std::string& peer) const;
    [[nodiscard]] immortal::Outbox::ChunkPtr chunk(const std::string& peer, MessageNo from);
    [[nodiscard]] Result<void> batch_received(const std::string& peer,
                                              const immortal::Batch& batch);
    [[nodiscard]] Result<void> durable_there(const std::string& peer, MessageNo upto,
                                             std::size_t bytes);
    [[nodiscard]] MessageNo durable_here(const std::string& peer) const;

    /// True if too much waits for peers, or for the application: then impulses and clients wait.
    [[nodiscard]] bool too_much_waits();
    /// What others sent while the submitter held commands back can go on.
    void released();

    using Done = std::function<void(Result<void>)>;
    /// What waits for this peer is dropped, and what it has sent is forgotten.
    void forget(const std::string& peer, Done done);

private:
    /// What is known about a peer besides the machine's state.
    struct Row {
        std::uint64_t instance = 0;
        MessageNo taken;    ///< From its stream: proposed or parked.
        MessageNo confirm;  ///< From our stream: it has everything up to here.
        std::deque<Buffer> parked;
    };
    /// The stream to this immortal itself.
    struct Own {
        MessageNo next;  ///< To be proposed next; 0: the one after the last received.
        std::size_t under_way_bytes = 0;
        std::unique_ptr<Timer> retry;
    };
    using Proposed = std::function<void(const Result<Index>&)>;

    void propose(const immortal::AnyCommand& command, Proposed done);
    void start();
    [[nodiscard]] Result<ImmortalWelcome> greet(const ImmortalHello& hello) const;
    void admit(Courier::GuestId guest, const ImmortalHello& hello, immortal::Position behind);
    void take(Courier::GuestId guest, const ImmortalHello& hello);
    void refuse(Courier::GuestId guest, const ImmortalHello& hello, const Error& reason);
    void receive(const std::string& peer, Row& row, const immortal::Batch& batch);
    void receive_failed(const std::string& peer, const Error& error);
    [[nodiscard]] Result<void> park(Row& row, const immortal::Batch& batch);
    void unpark();
    void forget_parked(Row& row);
    void send_own();
    void confirm_later(bool at_once);
    void confirm();
    void touch_later();
    void touch_clients();
    void arm_fire();
    void fire();
    [[nodiscard]] Duration service_time() const;
    [[nodiscard]] std::uint64_t wall_ms() const;
    [[nodiscard]] bool lags() const;
    [[nodiscard]] bool lags_far() const;
    [[nodiscard]] bool must_wait(const std::string& peer);
    [[nodiscard]] std::unique_ptr<Timer> after(Duration delay, std::function<void()> task);

    World world_;
    const Duration time_at_begin_;
    const TimePoint begun_;
    std::map<std::string, Row, std::less<>> rows_;
    Own own_;
    TurnEnd send_own_{world_.runtime.turn_ends(), TurnPhase::commands, [this] { send_own(); }};

    std::set<std::string> to_confirm_;
    std::size_t confirm_bytes_ = 0;
    std::unique_ptr<Timer> confirm_timer_;
    bool confirm_under_way_ = false;

    std::size_t parked_bytes_ = 0;
    std::unique_ptr<Timer> unpark_timer_;
    std::optional<TimePoint> waiting_looked_;
    bool too_much_ = false;

    std::unique_ptr<Timer> fire_timer_;
    Duration fire_at_{};
    TurnEnd arm_fire_{world_.runtime.turn_ends(), TurnPhase::commands, [this] { arm_fire(); }};
    bool fire_under_way_ = false;

    std::unique_ptr<Timer> start_timer_;
    std::unique_ptr<Timer> touch_timer_;
    std::uint64_t admitting_ = 0;
    /// Clients that wait for a lagging application.
    std::map<std::uint64_t, std::unique_ptr<Timer>> admissions_;

    std::set<std::string> forgetting_;
    std::set<std::string> refused_;  ///< They were logged.
    Lifetime life_;
};

}  // namespace understudy::node
