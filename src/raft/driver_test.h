#pragma once

#include <gtest/gtest.h>

#include "consensus/configuration.h"
#include "raft/raft_core.h"

namespace understudy::raft {

inline consensus::Configuration voting(std::initializer_list<std::uint64_t> ids) {
    consensus::Configuration configuration;
    for (const std::uint64_t id : ids) {
        configuration.servers.push_back({.id = {id}, .membership = consensus::Membership::voter});
    }
    return configuration;
}

inline consensus::LogEntry command(std::uint64_t term) {
    return {.term = {term}, .kind = consensus::EntryKind::command, .body = {}};
}

inline consensus::LogEntry change(std::uint64_t term, const consensus::Configuration& to) {
    auto body = std::make_shared<const Buffer>(encoded(to));
    return {.term = {term},
            .kind = consensus::EntryKind::configuration,
            .body = {.owner = body, .bytes = *body}};
}

/// One core, server 1, driven step by step. The test decides when its disk has written.
class Driver {
public:
    explicit Driver(consensus::Recovered found, Guards guards = {}, bool electable = true)
        : core({.id = {1}, .seed = 1, .electable = electable}, guards) {
        must(consensus::Start{.recovered = std::move(found)});
    }
    /// A founder of `members` whose log has entries of these terms after the configuration.
    explicit Driver(std::initializer_list<std::uint64_t> terms = {}, Guards guards = {},
                    const consensus::Configuration& members = voting({1, 2, 3}),
                    bool electable = true)
        : Driver(founder(terms, members), guards, electable) {}

    static consensus::Recovered founder(std::initializer_list<std::uint64_t> terms,
                                        const consensus::Configuration& members) {
        consensus::Recovered found{.hard = {.term = {2}, .vote = {}},
                                   .snapshot = {},
                                   .first = {1},
                                   .entries = {change(1, members)}};
        for (const std::uint64_t term : terms) {
            found.entries.push_back(command(term));
            found.hard.term = std::max(found.hard.term, Epoch{term});
        }
        return found;
    }

    Result<void> step(consensus::Event event) {
        auto result = core.step(std::move(event), now);
        if (!result) return std::move(result).error();
        effects = *std::move(result);
        return {};
    }
    void must(consensus::Event event) {
        const auto done = step(std::move(event));
        ASSERT_TRUE(done) << done.error().detail;
    }
    Errc refusal(consensus::Event event) {
        const auto done = step(std::move(event));
        return done ? Errc{} : done.error().code;
    }
    void hear(std::uint64_t from, consensus::Message message) {
        must(consensus::Receive{.from = {from}, .message = std::move(message)});
    }
    void wait() {
        now = std::max(now, core.next_deadline());
        must(consensus::Deadline{});
    }
    /// Everything that the last step wrote is durable.
    void persist() {
        std::uint64_t write = 0;
        for (const auto& one : all<consensus::PersistEntries>()) write = one.write;
        if (write != 0) must(consensus::Persisted{write});
    }

    template <class Kind>
    std::vector<Kind> all() const {
        std::vector<Kind> found;
        for (const consensus::Effect& effect : effects) {
            if (const auto* one = std::get_if<Kind>(&effect)) found.push_back(*one);
        }
        return found;
    }
    template <class Kind>
    std::vector<Kind> sent(std::uint64_t to = 0) const {
        std::vector<Kind> found;
        for (const auto& send : all<consensus::Send>()) {
            const auto* one = std::get_if<Kind>(&send.message);
            if (one != nullptr && (to == 0 || send.to.value == to)) found.push_back(*one);
        }
        return found;
    }

    void append(std::uint64_t from, std::uint64_t term, std::uint64_t prev, std::uint64_t prev_term,
                std::vector<consensus::LogEntry> entries, std::uint64_t commit = 0) {
        const auto count = static_cast<std::uint32_t>(entries.size());
        hear(from, consensus::AppendRequest{.term = {term},
                                            .prev_index = {prev},
                                            .prev_term = {prev_term},
                                            .leader_commit = {commit},
                                            .count = count,
                                            .entries = std::move(entries)});
    }
    void accept(std::uint64_t from, std::uint64_t last) {
        hear(from, consensus::AppendResult{
                       .term = core.term(), .rejected = {}, .last_index = {last}, .capacity = 0});
    }
    /// Campaigns and is elected by server 2. Its first entry is durable at both servers.
    void lead() {
        wait();
        hear(2,
             consensus::VoteResult{.term = core.term().next(), .granted = true, .pre_vote = true});
        hear(2, consensus::VoteResult{.term = core.term(), .granted = true});
        ASSERT_EQ(core.state(), consensus::State::leader);
        persist();
        accept(2, core.last().value);
    }

    RaftCore core;
    TimePoint now{1s};
    consensus::Effects effects;  // Of the last step.
};

}  // namespace understudy::raft
