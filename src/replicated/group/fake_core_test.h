#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "consensus/core.h"

namespace understudy::replicated {

/// A consensus that does what the test says: the newest one is `latest`.
class FakeCore final : public consensus::ConsensusCore {
public:
    explicit FakeCore(const Options& options) : options_now(options) { latest = this; }
    ~FakeCore() override { latest = nullptr; }

    Result<consensus::Effects> step(consensus::Event event, TimePoint) override {
        events.push_back(event);
        if (refuse && std::holds_alternative<consensus::Propose>(event)) return *refuse;
        consensus::Effects effects;
        if (auto* propose = std::get_if<consensus::Propose>(&event)) {
            consensus::PersistEntries persist{
                .from = last_now.next(), .entries = propose->entries, .write = ++writes};
            for (auto& entry : persist.entries) entry.term = term_now;
            last_now.value += persist.entries.size();
            effects.push_back(persist);
        }
        if (!scripted.empty()) {
            for (auto& effect : scripted.front()) effects.push_back(effect);
            scripted.pop_front();
        }
        return effects;
    }
    TimePoint next_deadline() const override { return TimePoint::max(); }
    consensus::State state() const override { return state_now; }
    Epoch term() const override { return term_now; }
    ServerId leader() const override { return {}; }
    Index commit() const override { return commit_now; }
    Index first() const override { return Index{1}; }
    Index last() const override { return last_now; }
    const consensus::Configuration& configuration() const override { return configuration_now; }
    consensus::ConfigurationAt configuration_at(Index) const override {
        return {.index = Index{1}, .configuration = configuration_now};
    }
    Index match(ServerId server) const override {
        const auto found = matches.find(server);
        return found == matches.end() ? Index{} : found->second;
    }
    consensus::CatchUpState catch_up(ServerId) const override { return catch_up_now; }
    void set_electable(bool electable) override { options_now.electable = electable; }

    template <class Event>
    [[nodiscard]] std::size_t count() const {
        std::size_t n = 0;
        for (const auto& event : events) n += std::holds_alternative<Event>(event) ? 1U : 0U;
        return n;
    }

    static inline FakeCore* latest = nullptr;
    Options options_now;
    std::vector<consensus::Event> events;
    std::deque<consensus::Effects> scripted;  ///< What the next steps bring.
    std::optional<Error> refuse;
    consensus::State state_now = consensus::State::follower;
    Epoch term_now{2};
    Index commit_now;
    Index last_now;
    std::uint64_t writes = 0;
    consensus::Configuration configuration_now;
    std::map<ServerId, Index> matches;
    consensus::CatchUpState catch_up_now = consensus::CatchUpState::none;
};

inline std::unique_ptr<consensus::ConsensusCore> make_fake_core(
    const consensus::ConsensusCore::Options& options) {
    return std::make_unique<FakeCore>(options);
}

}  // namespace understudy::replicated
