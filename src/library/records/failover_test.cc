// Roles and failover as applications see them, on real sockets.

#include <set>

#include "library/platform_test.h"
#include "library/registry/admin.h"

namespace understudy::library {
namespace {

class Failover : public PlatformTest {
protected:
    static std::function<void(const RoleChange&)> into(const Heard<std::string>& heard) {
        return [heard](const RoleChange& change) { heard.add(std::string(name(change.role))); };
    }
};

TEST_F(Failover, TheFirstIsActiveAndTheNextTakesOverWithOneImage) {
    auto first = std::make_unique<Agent>(open_agent("first"));
    Agent second = open_agent("second");
    Agent client = open_agent("client");
    Heard<std::string> roles1;
    Heard<std::string> roles2;
    Service one = open_greeter(*first, "Bar1");
    one.on_role(into(roles1));
    roles1.wait_for_last("active");
    Service two = open_greeter(second, "Bar2");
    two.on_role(into(roles2));
    roles2.wait_for_last("standby");
    EXPECT_EQ(one.role(), Role::active);

    Proxy proxy = client.proxy("Foo").value_or_throw();
    Heard<std::string> greetings;
    Heard<Epoch> epochs;
    Heard<RecordStatus> status;
    const auto subscription =
        proxy
            .subscribe("greeting",
                       [=](const RecordImage& image, const RecordChange& change) {
                           EXPECT_TRUE(change.is_image);
                           epochs.add(change.epoch);
                           greetings.add(image.text("from", ""));
                       })
            .value_or_throw();
    proxy.on_record_status(subscription, [status](RecordStatus now) { status.add(now); });
    greetings.wait_for_last("Bar1");
    first.reset();

    EXPECT_EQ(greetings.wait_for_last("Bar2"), (std::vector<std::string>{"Bar1", "Bar2"}));
    const auto seen = epochs.wait_for(2);
    EXPECT_LT(seen[0], seen[1]);
    EXPECT_EQ(roles1.so_far(), std::vector<std::string>{"active"});
    EXPECT_EQ(roles2.wait_for(2), (std::vector<std::string>{"standby", "active"}));
    status.wait_for_last(RecordStatus::connected);
    EXPECT_EQ(proxy.status().member, "Bar2");
    EXPECT_EQ(two.epoch(), seen[1]);
    // A later change continues from there.
    Record record = two.record("greeting").value_or_throw();
    record.put("from", "Bar2 again").value_or_throw();
    EXPECT_EQ(subscription.image().text("from"), "Bar2");
    EXPECT_EQ(one.publish(record).error().code, Errc::bad_config);
}

TEST_F(Failover, AReturningMemberGoesToTheBack) {
    auto first = std::make_unique<Agent>(open_agent("first"));
    Agent second = open_agent("second");
    Service one = open_greeter(*first, "Bar1");
    Service two = open_greeter(second, "Bar2");
    Heard<std::string> roles2;
    two.on_role(into(roles2));
    first.reset();
    roles2.wait_for_last("active");
    Agent again = open_agent("first");
    Heard<std::string> roles1;
    Service back = open_greeter(again, "Bar1");
    back.on_role(into(roles1));
    EXPECT_EQ(roles1.wait_for(1), std::vector<std::string>{"standby"});
    EXPECT_EQ(two.role(), Role::active);
    // A listener that is added later gets the present role.
    Heard<std::string> late;
    two.on_role(into(late));
    EXPECT_EQ(late.wait_for(1), std::vector<std::string>{"active"});
}

TEST_F(Failover, ClosingTheServiceAloneHandsItsRoleOn) {
    Agent first = open_agent("first");
    Agent second = open_agent("second");
    Service one = open_greeter(first, "Bar1");
    Service two = open_greeter(second, "Bar2");
    Heard<std::string> roles;
    two.on_role(into(roles));
    one.close();
    one.close();
    roles.wait_for_last("active");
    EXPECT_EQ(one.record("x").error().code, Errc::closed);
    EXPECT_EQ(one.wait_registered().error().code, Errc::closed);
    // Its name is free again, also in this agent.
    Service again = open_greeter(first, "Bar1");
    EXPECT_EQ(again.wait_registered().operator bool(), true);
}

TEST_F(Failover, CallsFollowTheActiveMember) {
    auto first = std::make_unique<Agent>(open_agent("first"));
    Agent second = open_agent("second");
    Agent client = open_agent("client");
    const auto serve = [](Service& service, const std::string& member) {
        service
            .publish_rpc("who", [member](const Arguments&) { return CallResult(Value(member)); })
            .value_or_throw();
    };
    Service one = open_greeter(*first, "Bar1");
    Service two = open_greeter(second, "Bar2");
    serve(one, "Bar1");
    serve(two, "Bar2");
    Proxy proxy = client.proxy("Foo").value_or_throw();
    EXPECT_EQ(proxy.call("who").value_or_throw().text(), "Bar1");
    first.reset();
    EXPECT_EQ(proxy.call("who", {}, {.repeatable = true}).value_or_throw().text(), "Bar2");
    Proxy named = client.member_proxy("Foo", "Bar2").value_or_throw();
    EXPECT_EQ(named.call("who").value_or_throw().text(), "Bar2");
}

TEST_F(Failover, ALoadBalancedServiceSpreadsItsClients) {
    std::vector<Agent> agents;
    std::vector<Service> services;
    for (int i = 0; i < 2; ++i) {
        const std::string member = "Bar" + std::to_string(i);
        agents.push_back(open_agent("server" + std::to_string(i)));
        services.push_back(agents.back()
                               .create_service({.family = "Foo", .member = member,
                                                .redundancy = Redundancy::load_balanced})
                               .value_or_throw());
        services.back().wait_registered().value_or_throw();
        services.back()
            .publish_rpc("who", [member](const Arguments&) { return CallResult(Value(member)); })
            .value_or_throw();
    }
    std::vector<Agent> clients;
    std::set<std::string> members;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(open_agent("client" + std::to_string(i)));
        clients.back().wait_for_service("Foo").value_or_throw();
        Proxy proxy = clients.back().proxy("Foo").value_or_throw();
        members.emplace(proxy.call("who").value_or_throw().text().value());
    }
    EXPECT_EQ(members, (std::set<std::string>{"Bar0", "Bar1"}));
    for (const Service& each : services) EXPECT_EQ(each.role(), Role::active);
}

TEST_F(Failover, MixedRedundancyAndASecondMemberOfOneNameAreRefused) {
    Agent first = open_agent("first");
    Agent second = open_agent("second");
    Service one = open_greeter(first, "Bar1");
    EXPECT_EQ(
        first.create_service({.family = "Foo", .member = "Bar1", .lease = long_lease}).error().code,
        Errc::already_exists);
    Service same = second.create_service({.family = "Foo", .member = "Bar1", .lease = long_lease})
                       .value_or_throw();
    Heard<Errc> refused;
    same.on_refused([refused](const Error& error) { refused.add(error.code); });
    const auto twice = same.wait_registered();
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code, Errc::already_exists);
    EXPECT_EQ(refused.wait_for(1).front(), Errc::already_exists);
    EXPECT_EQ(same.role(), Role::joining);

    Service mixed = second.create_service({.family = "Foo", .member = "Bar2",
                                           .redundancy = Redundancy::load_balanced})
                        .value_or_throw();
    const auto refusal = mixed.wait_registered();
    ASSERT_FALSE(refusal);
    EXPECT_NE(refusal.error().detail.find("fault_tolerant"), std::string::npos)
        << refusal.error().detail;
    EXPECT_EQ(second.create_service({.family = "Foo", .member = "Bar3", .lease = 1ms})
                  .error()
                  .code,
              Errc::bad_config);
}

TEST_F(Failover, TheRegistryMayStartAfterTheAgents) {
    const std::string address = registry_.address();
    registry_.close();
    Agent server = open_agent("server", address);
    Agent client = open_agent("client", address);
    Heard<bool> available;
    client.on_registry([available](bool now) { available.add(now); });
    EXPECT_EQ(available.wait_for(1).front(), false);
    Service service =
        server.create_service({.family = "Foo", .member = "Bar1", .lease = long_lease})
            .value_or_throw();
    const auto early = service.wait_registered(10ms);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, Errc::timed_out);
    EXPECT_NE(early.error().detail.find(address), std::string::npos) << early.error().detail;
    Proxy proxy = client.proxy("Foo").value_or_throw();
    Heard<std::string> greetings;
    const auto subscription =
        proxy
            .subscribe("greeting",
                       [greetings](const RecordImage& image, const RecordChange&) {
                           greetings.add(image.text("from", ""));
                       })
            .value_or_throw();
    Record record = service.record("greeting").value_or_throw();
    record.put("from", "Bar1").value_or_throw();
    service.publish(record).value_or_throw();

    registry_ = open_registry(address);
    greetings.wait_for_last("Bar1");
    available.wait_for_last(true);
    EXPECT_TRUE(client.registry_available());
}

TEST_F(Failover, ARegistryThatRestartsChangesNothing) {
    Agent first = open_agent("first");
    Agent second = open_agent("second");
    Agent client = open_agent("client");
    Heard<std::string> roles1;
    Heard<std::string> roles2;
    Service one = open_greeter(first, "Bar1");
    one.on_role(into(roles1));
    Service two = open_greeter(second, "Bar2");
    two.on_role(into(roles2));
    Proxy proxy = client.proxy("Foo").value_or_throw();
    Heard<std::string> greetings;
    proxy
        .on_record("greeting", [greetings](const RecordImage& image,
                                   const RecordChange&) { greetings.add(image.text("from", "")); })
        .value_or_throw();
    greetings.wait_for_last("Bar1");
    const Epoch epoch = one.epoch();
    Heard<bool> available;
    first.on_registry([available](bool now) { available.add(now); });
    const std::string address = registry_.address();
    registry_.close();
    available.wait_for_last(false);
    Record record = one.record("greeting").value_or_throw();
    record.put("from", "Bar1 alone").value_or_throw();
    one.publish(record).value_or_throw();
    greetings.wait_for_last("Bar1 alone");
    registry_ = open_registry(address);
    available.wait_for_last(true);
    EXPECT_EQ(one.epoch(), epoch);
    EXPECT_EQ(roles1.so_far(), std::vector<std::string>{"active"});
    EXPECT_EQ(roles2.so_far(), std::vector<std::string>{"standby"});
    EXPECT_EQ(greetings.so_far().size(), 2U);
}

TEST_F(Failover, WaitingForAServiceSaysWhatIsMissing) {
    Agent client = open_agent("client");
    ASSERT_FALSE(client.wait_for_service("no/name"));
    const auto nobody = client.wait_for_service("Foo", 300ms);
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, Errc::timed_out);
    EXPECT_NE(nobody.error().detail.find("no member of it is registered"), std::string::npos)
        << nobody.error().detail;
    Agent server = open_agent("server");
    Service service = open_greeter(server, "Bar1");
    EXPECT_TRUE(client.wait_for_service("Foo"));
    EXPECT_TRUE(client.wait_for_service("Foo"));
    Agent astray = open_agent("astray", "127.0.0.1:1");
    const auto without = astray.wait_for_service("Foo", 10ms);
    ASSERT_FALSE(without);
    EXPECT_NE(without.error().detail.find("no registry at 127.0.0.1:1"), std::string::npos)
        << without.error().detail;
}

TEST_F(Failover, ServicesAreToldAsTheyAreAndAsTheyChange) {
    Agent watcher = open_agent("watcher");
    Heard<std::string> all;
    Heard<std::string> one;
    const auto line = [](const ServiceStatus& service) {
        std::string text = service.family + ":" + service.active;
        for (const MemberStatus& member : service.members) text += " " + member.name;
        return text;
    };
    watcher.on_services([all, line](const ServiceStatus& service) { all.add(line(service)); });
    watcher.on_service("Foo",
                       [one, line](const ServiceStatus& service) { one.add(line(service)); });
    one.wait_for_last("Foo:");
    Agent first = open_agent("first");
    Service bar1 = open_greeter(first, "Bar1");
    Service bar2 = open_greeter(first, "Bar2");
    all.wait_for_last("Foo:Bar1 Bar1 Bar2");
    one.wait_for_last("Foo:Bar1 Bar1 Bar2");
    Heard<std::string> late;
    watcher.on_services([late, line](const ServiceStatus& service) { late.add(line(service)); });
    late.wait_for_last("Foo:Bar1 Bar1 Bar2");
    first.close();
    all.wait_for_last("Foo:");
}

TEST_F(Failover, AnOperatorSeesServicesAndAsksForASwitchover) {
    Agent first = open_agent("first");
    Agent second = open_agent("second");
    Service one = open_greeter(first, "Bar1");
    Service two = open_greeter(second, "Bar2");
    Heard<std::string> roles;
    two.on_role(into(roles));
    Agent tool = open_agent("tool");
    for (const Consistency consistency : {Consistency::linearizable, Consistency::cached}) {
        const auto listed = look_up(tool, "", consistency, patience).value_or_throw();
        ASSERT_EQ(listed.services().size(), 1);
        EXPECT_EQ(listed.services(0).active(), "Bar1");
        EXPECT_EQ(listed.services(0).members().size(), 2);
    }
    EXPECT_EQ(
        look_up(tool, "Nobody", Consistency::cached, patience).value_or_throw().services().size(),
        0);

    wire::pb::Ask question;
    question.mutable_switchover()->set_family("Foo");
    const auto answer = ask(tool, question, patience).value_or_throw();
    EXPECT_EQ(answer.member(), "Bar2");
    roles.wait_for_last("active");
    question.mutable_switchover()->set_family("Nobody");
    EXPECT_EQ(ask(tool, question, patience).error().code, Errc::not_found);
    Agent astray = open_agent("astray", "127.0.0.1:1");
    EXPECT_EQ(ask(astray, question, 10ms).error().code, Errc::timed_out);
    tool.close();
    EXPECT_EQ(look_up(tool, "", Consistency::linearizable, patience).error().code, Errc::closed);
}

}  // namespace
}  // namespace understudy::library
