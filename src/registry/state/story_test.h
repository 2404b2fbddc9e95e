#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "registry/state/state.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

/// Applies commands to a State as its journal would, and checks the invariants after each command.
/// The service `family` is the one that a test is about.
class StateStory {
public:
    explicit StateStory(std::string its_family) : family(std::move(its_family)) {
        state.go_live();
        pb::RegistryCommand command;
        command.mutable_found()->set_platform("test");
        command.mutable_found()->set_registry_id(77);
        (void)apply(command);
    }

    Outcome apply(const pb::RegistryCommand& command) {
        Buffer body;
        (void)wire::encode(command, body);
        index = index.next();
        Buffer reply;
        state.apply({.index = index, .body = body}, reply);
        state.check_invariants();
        Outcome outcome = state.take_outcome(Applied{.index = index});
        check_snapshot();
        return outcome;
    }

    /// A copy that starts from a checkpoint has the same state as the others.
    void check_snapshot() {
        Buffer before;
        state.snapshot(before);
        State other;
        ASSERT_TRUE(other.restore(before));
        other.check_invariants();
        Buffer after;
        other.snapshot(after);
        ASSERT_EQ(before, after);
    }
    /// Restarts the state from a checkpoint: everything else is lost.
    void restart() {
        Buffer image;
        state.snapshot(image);
        ASSERT_TRUE(state.restore(image));
        state.check_invariants();
    }

    [[nodiscard]] const Service& service() const { return *state.find(family); }
    [[nodiscard]] std::string active() const {
        const Member* member = service().active_member();
        return member == nullptr ? "" : member->name;
    }
    [[nodiscard]] std::uint64_t epoch() const { return service().epoch.value; }
    [[nodiscard]] std::vector<std::string> line() const {
        std::vector<std::string> names;
        for (const auto& [order, member] : service().line) names.push_back(member.name);
        return names;
    }

    const std::string family;
    State state;
    Index index;
};

}  // namespace understudy::registry
