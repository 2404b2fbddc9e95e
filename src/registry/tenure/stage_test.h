#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "registry/tenure/tenure.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

/// A registry without a journal: commands are durable when commit() says so. The service `family`
/// is the one that a test is about.
class RegistryStage {
public:
    explicit RegistryStage(std::string its_family) : family(std::move(its_family)) { restart(); }

    /// Begins the next tenure. Only the replicated state is kept.
    void restart() {
        tenure.emplace(Tenure::Options{.turn_max = 50ms, .last_resort_wait = 3s}, state, log, now);
        take(tenure->start(now, 0, 77));
        commit();
    }

    SessionId connect(std::uint64_t incarnation) {
        const SessionId id{++session_last};
        pb::Hello hello;
        hello.set_agent("agent" + std::to_string(incarnation));
        hello.set_incarnation(incarnation);
        hello.mutable_process()->set_pid(incarnation);
        EXPECT_TRUE(tenure->welcome(hello));
        take(tenure->opened(now, id, hello));
        return id;
    }

    template <class Message>
    void say(SessionId from, MessageType type, const Message& message) {
        Buffer body;
        auto effects = tenure->received(now, 0, from, type, wire::encode(message, body));
        ASSERT_TRUE(effects);
        take(*std::move(effects));
    }
    void beat(SessionId from) { say(from, MessageType::heartbeat, pb::Heartbeat{}); }

    void pass(Duration time, const std::vector<SessionId>& beating = {}) {
        const TimePoint end = now + time;
        while (now < end) {
            now += 20ms;
            for (const SessionId id : beating) beat(id);
            take(tenure->tick(now, 0));
            commit();
        }
    }

    void take(Effects effects) {
        for (Effect& effect : effects) {
            if (auto* propose = std::get_if<Propose>(&effect)) {
                proposals.push_back(std::move(*propose));
            } else if (auto* send = std::get_if<Send>(&effect)) {
                sent.push_back(std::move(*send));
            } else if (const auto* close = std::get_if<Close>(&effect)) {
                closed.push_back(close->session);
                take(tenure->closed(now, close->session));
            } else if (const auto* confirm = std::get_if<Confirm>(&effect)) {
                confirms.push_back(confirm->token);
            } else if (const auto* change = std::get_if<ChangeNodes>(&effect)) {
                changes.push_back(*change);
            } else if (const auto* watch = std::get_if<WatchProcess>(&effect)) {
                watched.push_back(watch->agent);
                if (!provable) tenure->unprovable(watch->agent);
            }
        }
        tenure->check_invariants();
    }

    void commit() {
        while (!proposals.empty()) {
            const Propose propose = std::move(proposals.front());
            proposals.erase(proposals.begin());
            index = index.next();
            Buffer reply;
            state.apply({.index = index, .body = propose.command}, reply);
            take(tenure->committed(now, 0, propose.token, Applied::from(index, reply)));
        }
    }
    void refuse(Errc code) {
        const Propose propose = std::move(proposals.front());
        proposals.erase(proposals.begin());
        take(tenure->committed(now, 0, propose.token, Error{.code = code}));
    }

    template <class Message>
    std::optional<Message> last(SessionId to, MessageType type) {
        for (auto row = sent.rbegin(); row != sent.rend(); ++row) {
            if (row->to == to && row->type == type) return *wire::decode_as<Message>(row->body);
        }
        return std::nullopt;
    }
    [[nodiscard]] std::size_t count(SessionId to, MessageType type) const {
        std::size_t n = 0;
        for (const Send& row : sent) n += row.to == to && row.type == type ? 1 : 0;
        return n;
    }
    [[nodiscard]] std::string active() const {
        const Service* service = state.find(family);
        const Member* member = service == nullptr ? nullptr : service->active_member();
        return member == nullptr ? "" : member->name;
    }

    const std::string family;
    State state;
    NullLog log;
    std::optional<Tenure> tenure;
    TimePoint now{1000s};
    Index index;
    std::uint64_t session_last = 0;
    std::uint64_t request_last = 0;
    bool provable = true;
    std::vector<Propose> proposals;
    std::vector<Send> sent;
    std::vector<SessionId> closed;
    std::vector<Incarnation> watched;
    std::vector<std::uint64_t> confirms;
    std::vector<ChangeNodes> changes;
};

}  // namespace understudy::registry
