#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "journal/fakes/fake_runtime_test.h"
#include "replicated/fake_surroundings_test.h"
#include "replicated/group/context.h"
#include "replicated/group/fake_core_test.h"
#include "replicated/group/owner.h"

namespace understudy::replicated {

/// Records what it is told, as words.
class Hearer final : public journal::Observer {
public:
    Result<void> restore(const journal::StateSlice& slice) override {
        heard.push_back("restore " + std::to_string(slice.at.value));
        return {};
    }
    void committed(const journal::Entry& entry) override {
        heard.push_back(std::to_string(entry.index.value) +
                        (entry.type == journal::EntryType::tenure ? " tenure"
                         : entry.type == journal::EntryType::mark
                             ? " mark"
                             : " " + std::string(as_text(entry.body))));
    }
    void standing_changed(const journal::Standing& now) override {
        heard.push_back(std::string(name(now.role)) + " " + std::to_string(now.epoch.value));
    }
    void space_changed(journal::Space) override { heard.emplace_back("space"); }
    void failed(const Error& error) override {
        heard.push_back("failed " + std::string(understudy::name(error.code)));
    }
    std::vector<std::string> take() { return std::exchange(heard, {}); }
    std::vector<std::string> heard;
};

using Words = std::vector<std::string>;

/// Stands for the group that owns a part, and records what the part asks for.
class FakeOwner final : public Owner {
public:
    std::shared_ptr<const void> keep() override { return alive; }
    bool ended() const override { return has_ended; }
    bool detached() const override { return has_ended; }
    bool serving() const override { return !has_ended; }
    bool expects_checkpoint() const override { return false; }
    void fail(Error error) override {
        has_ended = true;
        calls.push_back("fail " + std::string(name(error.code)));
    }
    void turn() override { calls.emplace_back("turn"); }
    void woken() override { calls.emplace_back("woken"); }
    void settle() override { calls.emplace_back("settle"); }
    void lead_changed(Epoch led) override {
        calls.push_back("led in " + std::to_string(led.value));
    }
    void checkpoint_wanted(ServerId, const consensus::SnapshotRef& snapshot) override {
        calls.push_back("checkpoint " + std::to_string(snapshot.index.value));
    }
    void restart() override { calls.emplace_back("restart"); }
    void run(consensus::Recovered) override { calls.emplace_back("run"); }

    std::vector<std::string> take() { return std::exchange(calls, {}); }

    std::shared_ptr<int> alive = std::make_shared<int>(0);
    bool has_ended = false;
    std::vector<std::string> calls;
};

/// What a part of a group needs around it. The group has the members `a`, `b` and `c`; this member
/// is `a`.
class PartTest : public testing::Test {
protected:
    PartTest() {
        around.identities = {{"b", 20}, {"c", 30}};
        members = Members({{.id = self, .member = {"a", {"a", 1}, MemberKind::data}},
                           {.id = b, .member = {"b", {"b", 1}, MemberKind::data}},
                           {.id = c, .member = {"c", {"c", 1}, MemberKind::data}}});
    }

    [[nodiscard]] GroupContext context_of(MemberKind kind) {
        GroupContext context{.runtime = runtime,
                             .log = null_log,
                             .node_log = log,
                             .surroundings = around,
                             .make_core = make_fake_core,
                             .directory = "/node/groups/s",
                             .self = {.name = "a", .address = {"a", 1}, .kind = kind},
                             .options = {.service = "s", .founders = {}, .kind = kind},
                             .node = {},
                             .observer = hearer};
        context.options.outstanding_entries_max = 4;
        context.node.platform = "p";
        context.node.name = "a";
        return context;
    }

    const GroupId group_id = group_of("s");
    const ServerId self = server_of(77, group_id);
    const ServerId b = server_of(20, group_id);
    const ServerId c = server_of(30, group_id);
    journal::FakeDisk disk{1};
    journal::FakeRuntime runtime{disk, 1};
    NullLog null_log;
    FakeNodeLog log;
    FakeSurroundings around{log};
    Hearer hearer;
    Members members;
};

}  // namespace understudy::replicated
