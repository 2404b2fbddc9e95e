// Services whose records survive: over real threads, files and sockets.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "library/engine.h"
#include "library/platform_test.h"
#include "platform/free_port.h"

namespace understudy::library {
namespace {

class SurvivingRecords : public PlatformTest {
protected:
    struct Copy {
        std::optional<Agent> agent;
        std::optional<Service> service;
        Heard<Role> roles;
    };
    using Journal = std::variant<SharedDirectory, ReplicatedGroup>;

    std::unique_ptr<Copy> open_copy(const std::string& name, Journal journal) {
        auto copy = std::make_unique<Copy>();
        copy->agent = open_agent("agent-" + name);
        copy->service = copy->agent
                            ->create_service({.family = "Prices",
                                              .member = name,
                                              .journal = std::move(journal)})
                            .value_or_throw();
        copy->service->on_role(
            [roles = copy->roles](const RoleChange& now) { roles.add(now.role); });
        return copy;
    }
    [[nodiscard]] Journal shared() const {
        return SharedDirectory{.path = directory_.path + "/journal", .lease = 500ms};
    }
    static void publish(Copy& copy, const std::string& record, const std::string& price) {
        Record made = copy.service->record(record).value_or_throw();
        made.put("price", price).value_or_throw();
        const auto done = copy.service->publish_durably(made);
        ASSERT_TRUE(done) << to_string(done.error());
    }
    /// What a subscriber is told of the price of a record, in order.
    struct Watching {
        Agent agent;
        Proxy proxy;
        Heard<std::string> prices;
        Subscription subscription;
    };
    std::unique_ptr<Watching> watch(const std::string& record) {
        Agent agent = open_agent("watching");
        Proxy proxy = agent.proxy("Prices").value_or_throw();
        Heard<std::string> prices;
        Subscription subscription =
            proxy.subscribe(record, [prices](const RecordImage& image, const RecordChange&) {
                     const auto found = image.fields.find("price");
                     prices.add(found == image.fields.end() ? "" : found->second.to_text());
                 })
                .value_or_throw();
        return std::make_unique<Watching>(
            Watching{std::move(agent), std::move(proxy), prices, std::move(subscription)});
    }
};

TEST_F(SurvivingRecords, AnotherMemberGoesOnWithThem) {
    auto a = open_copy("A", shared());
    a->roles.wait_for_last(Role::active);
    auto b = open_copy("B", shared());
    b->roles.wait_for_last(Role::standby);
    publish(*a, "gold", "1");
    publish(*a, "silver", "5");
    auto watching = watch("gold");
    watching->prices.wait_for_last("1");

    Record standby = b->service->record("gold").value_or_throw();
    standby.put("price", "9").value_or_throw();
    EXPECT_EQ(b->service->publish(standby).error().code, Errc::not_active);
    EXPECT_EQ(b->service->publish_durably(standby).error().code, Errc::not_active);

    a.reset();
    b->roles.wait_for_last(Role::active);
    // What was put as standby was never published: the record is as it is durable.
    EXPECT_EQ(standby.image().fields.at("price").to_text(), "1");
    EXPECT_EQ(b->service->record_names(), (std::vector<std::string>{"gold", "silver"}));
    publish(*b, "gold", "2");
    watching->prices.wait_for_last("2");
    Record silver = b->service->record("silver").value_or_throw();
    EXPECT_EQ(silver.image().fields.at("price").to_text(), "5");
    ASSERT_TRUE(b->service->remove_record(silver));
    publish(*b, "gold", "3");

    a = open_copy("A", shared());
    a->roles.wait_for_last(Role::standby);
    b.reset();
    a->roles.wait_for_last(Role::active);
    EXPECT_EQ(a->service->record_names(), (std::vector<std::string>{"gold"}));
    watching->prices.wait_for_last("3");
}

TEST_F(SurvivingRecords, AFullStopLosesNothing) {
    for (int life = 1; life <= 3; ++life) {
        auto a = open_copy("A", shared());
        a->roles.wait_for_last(Role::active);
        if (life > 1) {
            EXPECT_EQ(a->service->record("gold")->image().fields.at("price").to_text(),
                      std::to_string(life - 1));
        }
        publish(*a, "gold", std::to_string(life));
    }
}

TEST_F(SurvivingRecords, TheRegistryMayBeAway) {
    auto a = open_copy("A", shared());
    a->roles.wait_for_last(Role::active);
    auto b = open_copy("B", shared());
    b->roles.wait_for_last(Role::standby);
    publish(*a, "gold", "1");
    auto watching = watch("gold");
    watching->prices.wait_for_last("1");
    registry_.close();
    publish(*a, "gold", "2");
    watching->prices.wait_for_last("2");
    a.reset();
    b->roles.wait_for_last(Role::active);
    publish(*b, "gold", "3");
    watching->prices.wait_for_last("3");
}

TEST_F(SurvivingRecords, OnAReplicatedJournalToo) {
    if (engine() == nullptr) GTEST_SKIP() << "no replicated journal in this build";
    const std::vector<std::string> names{"A", "B", "C"};
    std::vector<ReplicatedGroup::Node> nodes;
    for (const std::string& name : names) {
        nodes.push_back({.name = name, .address = platform::free_address()});
    }
    std::map<std::string, std::unique_ptr<Copy>> copies;
    const auto open = [&](const std::string& name) {
        copies[name] = open_copy(
            name, ReplicatedGroup{.directory = directory_.path + "/" + name, .nodes = nodes});
    };
    for (const std::string& name : names) open(name);
    const auto active = [&]() -> Copy* {
        for (const auto& [name, copy] : copies) {
            if (copy->service->role() == Role::active) return copy.get();
        }
        return nullptr;
    };
    ASSERT_TRUE(eventually([&] { return active() != nullptr; }));
    publish(*active(), "gold", "1");
    auto watching = watch("gold");
    watching->prices.wait_for_last("1");
    copies.erase(active()->service->member());
    ASSERT_TRUE(eventually([&] { return active() != nullptr; }));
    publish(*active(), "gold", "2");
    watching->prices.wait_for_last("2");
}

TEST_F(SurvivingRecords, WrongOptionsAreRefused) {
    Agent agent = open_agent("wrong");
    EXPECT_EQ(agent.create_service({.family = "Prices",
                                    .member = "A",
                                    .redundancy = Redundancy::load_balanced,
                                    .journal = shared()})
                  .error().code,
              Errc::bad_config);
    EXPECT_EQ(agent.create_service({.family = "Prices",
                                    .member = "A",
                                    .journal = SharedDirectory{.path = ""}})
                  .error().code,
              Errc::bad_config);
    Service plain = agent.create_service({.family = "Plain", .member = "A"}).value_or_throw();
    Record record = plain.record("gold").value_or_throw();
    EXPECT_EQ(plain.publish_durably(record).error().code, Errc::bad_config);
}

}  // namespace
}  // namespace understudy::library
