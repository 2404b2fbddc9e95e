#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "library/immortal/immortal_here.h"
#include "tests/scenario/immortal_stage.h"
#include "tests/scenario/stage.h"

namespace understudy::scenario {

/// Counts the requests of clients, and calls itself all the time.
class Tally final : public Immortal {
public:
    static constexpr std::uint64_t ticks_max = 1500;

    void first_start() override;
    void tick();
    void noted(std::uint64_t number);
    std::uint64_t hit(std::uint64_t intent);

    template <class F>
    void fields(F& f) {
        f(hits, doubled, ticks, notes, disorder, intents_);
    }
    template <class H>
    static void handlers(H& h) {
        h("tick", &Tally::tick);
        h("noted", &Tally::noted);
        h("hit", &Tally::hit);
    }

    std::uint64_t hits = 0;
    std::uint64_t doubled = 0;
    std::uint64_t ticks = 0;
    std::uint64_t notes = 0;
    std::uint64_t disorder = 0;

private:
    std::set<std::uint64_t> intents_;
};

/// A process with one copy of the tally, as in the library, with a registry.
class TallyApp final : private library::ImmortalBody::Observer {
public:
    TallyApp(Runtime& runtime, Log& log, ImmortalOptions options);

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    [[nodiscard]] ImmortalStatus status() const;
    /// True if the registry's last designation is active and was not revoked.
    [[nodiscard]] bool designated_active() const { return *designated_; }
    /// Looks at the state of the active copy; at most one look at a time.
    void look(std::function<void(const Tally&)> seen);

private:
    class DesignationLog;

    void standing_changed() override {}
    void failed(const Error& error) override { error_ = error; }

    std::shared_ptr<bool> designated_ = std::make_shared<bool>(false);
    std::unique_ptr<Log> log_;
    const ImmortalOptions options_;
    std::optional<Error> error_;
    library::ImmortalHere body_;
};

/// Checks the registry's rules for a service with a journal from outside.
class DesignationOracle {
public:
    explicit DesignationOracle(ImmortalOracle& broken) : broken_(broken) {}

    /// Called often, with the state of the registry's active node.
    void look(const registry::Service& service);
    /// A switchover is done: these were in line when `giver` gave up its role.
    void given(const registry::Service& service, const std::string& giver);

private:
    using Line = std::set<std::pair<std::string, std::uint64_t>>;

    void look_at_start(const registry::Service& service, const role::StartOrder::Saved& saved);
    [[nodiscard]] static Line line_of(const registry::Service& service);

    ImmortalOracle& broken_;
    bool was_empty_ = false;
    std::string active_;
    bool was_switching_ = false;
    Line checkpointers_;
    std::pair<std::string, std::uint64_t> giver_;
    Line before_giver_;
};

struct SwitchoverPlan {
    std::uint64_t seed = 1;
    bool replicated = false;
    std::size_t copies = 3;  ///< At most four.
    std::size_t clients = 2;
    std::uint64_t intents = 60;  ///< For each client.
    Duration lasts = 4s;
    bool harm = true;  ///< Kills, hangs, network cuts, full stops, also of the registry.
    std::function<void(std::string_view)> sink = {};
};

struct SwitchoverOutcome {
    std::vector<std::string> violations;
    std::uint64_t asked = 0;
    std::uint64_t done = 0;
    std::uint64_t harmed = 0;
    std::uint64_t hits = 0;
    Duration stall{};  ///< The longest wait of a client that makes one call at a time.
    std::set<std::string> refusals;
    std::string tail;
};

/// Runs copies with a registry that an operator asks for switchovers repeatedly. Then all must come
/// to rest, with every promise kept.
[[nodiscard]] SwitchoverOutcome run_switchovers(const SwitchoverPlan& plan);

}  // namespace understudy::scenario
