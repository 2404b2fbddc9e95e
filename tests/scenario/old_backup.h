#pragma once

#include <cstdint>

#include <gtest/gtest.h>

#include "tests/scenario/stage.h"

namespace understudy::scenario {

/// Bar1 is active and alone. Then Bar2 joins and gets the role by a switchover. Then an old backup
/// is restored.
struct OldBackup {
    explicit OldBackup(std::uint64_t seed, bool with_client) : stage(seed) {
        registry = &stage.start_registry();
        bar1 = &stage.start_member("n1", "Bar1");
        EXPECT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));
        if (with_client) client = &stage.start_client("c", "client");
        const Buffer backup = stage.backup();
        bar2 = &stage.start_member("n2", "Bar2");
        EXPECT_TRUE(stage.until([&] { return stage.line().size() == 2; }));
        stage.world.run_for(500ms);
        wire::pb::Ask ask;
        ask.mutable_switchover()->set_family("Foo");
        bar2->app<MemberApp>().agent->ask(std::move(ask), 5s, [](Result<wire::pb::Answer>) {});
        EXPECT_TRUE(stage.until([&] { return stage.active() == "Bar2"; }));
        stage.world.run_for(500ms);
        registry->crash();
        stage.restore(backup, "/restored");
    }
    Stage stage;
    sim::Process* registry;
    sim::Process* bar1;
    sim::Process* bar2;
    sim::Process* client = nullptr;
};

}  // namespace understudy::scenario
