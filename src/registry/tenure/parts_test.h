#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "registry/agents/sessions.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

/// What a part of a tenure needs: a state, sessions and the time. There is nothing else of the
/// tenure.
class Parts {
public:
    Parts() {
        state.go_live();
        pb::RegistryCommand command;
        command.mutable_found()->set_platform("test");
        command.mutable_found()->set_registry_id(77);
        (void)apply(command);
    }

    [[nodiscard]] Turn turn() { return {.now = now, .wall_ms = 0, .pending = pending}; }
    /// Makes the next turn of this one.
    void renew(Turn& turn) const {
        turn.now = now;
        turn.out.clear();
    }

    Outcome apply(const pb::RegistryCommand& command) {
        Buffer body;
        Buffer reply;
        index = index.next();
        state.apply({.index = index, .body = wire::encode(command, body)}, reply);
        return state.take_outcome(Applied{.index = index});
    }
    /// The command that was proposed last in this turn.
    [[nodiscard]] static pb::RegistryCommand proposed(const Turn& turn) {
        for (auto effect = turn.out.rbegin(); effect != turn.out.rend(); ++effect) {
            if (const auto* propose = std::get_if<Propose>(&*effect)) {
                return *wire::decode_as<pb::RegistryCommand>(propose->command);
            }
        }
        ADD_FAILURE() << "nothing was proposed";
        return {};
    }
    template <class Message>
    [[nodiscard]] static std::optional<Message> sent(const Turn& turn, SessionId to,
                                                     MessageType type) {
        for (auto effect = turn.out.rbegin(); effect != turn.out.rend(); ++effect) {
            const auto* send = std::get_if<Send>(&*effect);
            if (send == nullptr || send->to != to || send->type != type) continue;
            return *wire::decode_as<Message>(send->body);
        }
        return std::nullopt;
    }
    template <class Kind>
    [[nodiscard]] static std::size_t count(const Turn& turn) {
        std::size_t n = 0;
        for (const Effect& effect : turn.out) n += std::holds_alternative<Kind>(effect) ? 1 : 0;
        return n;
    }

    /// The incarnation identifies both the member and its agent.
    const Member& join(const std::string& family, const std::string& member,
                       std::uint64_t incarnation,
                       Redundancy redundancy = Redundancy::fault_tolerant, bool resort = false) {
        pb::RegistryCommand command;
        pb::AddMember& add = *command.mutable_add();
        pb::ServiceConfig& config = *add.mutable_wanted()->mutable_config();
        config.set_family(family);
        config.set_redundancy(static_cast<std::uint32_t>(redundancy));
        config.set_lease_ms(1000);
        config.set_last_resort(resort ? 1 : 0);
        add.mutable_wanted()->set_member(member);
        add.set_agent("agent-" + member);
        add.set_incarnation(incarnation);
        add.mutable_process()->set_pid(incarnation);
        EXPECT_FALSE(apply(command).error);
        return *state.find(family, member);
    }
    /// Applies the report of a member with a journal.
    void report(const std::string& family, const std::string& member, Role role,
                std::uint64_t epoch) {
        pb::RegistryCommand command;
        pb::MemberReported& reported = *command.mutable_report();
        reported.set_family(family);
        reported.set_member(member);
        reported.set_incarnation(state.find(family, member)->incarnation.value);
        reported.set_role(static_cast<std::uint32_t>(role));
        reported.set_epoch(epoch);
        (void)apply(command);
    }
    /// Connects an agent that has members.
    SessionId connect(std::uint64_t incarnation) {
        Turn turn = this->turn();
        const SessionId id{++session_last};
        sessions.opened(turn, id, hello(incarnation));
        sessions.bind(id);
        return id;
    }
    [[nodiscard]] static pb::Hello hello(std::uint64_t incarnation) {
        pb::Hello hello;
        hello.set_agent("agent");
        hello.set_incarnation(incarnation);
        return hello;
    }

    State state;
    Pending pending;
    Sessions sessions;
    NullLog log;
    TimePoint now{1000s};
    Index index;
    std::uint64_t session_last = 0;
};

}  // namespace understudy::registry
