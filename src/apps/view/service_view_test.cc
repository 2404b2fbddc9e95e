#include "apps/view/service_view.h"

#include <gtest/gtest.h>

#include "wire/json.h"

namespace understudy::apps {
namespace {

namespace pb = wire::pb;

[[nodiscard]] pb::ServiceInfo foo() {
    pb::ServiceInfo service;
    service.mutable_config()->set_family("Foo");
    service.mutable_config()->set_redundancy(1);
    service.mutable_config()->set_lease_ms(1000);
    service.mutable_config()->set_on_registry_loss(1);
    service.set_epoch(3);
    service.set_active("Bar2");
    const auto add = [&](const char* name, Role role, std::uint64_t order) {
        pb::MemberInfo& member = *service.add_members();
        member.set_member(name);
        member.set_agent("agent");
        member.set_role(static_cast<std::uint32_t>(role));
        member.set_order(order);
        member.mutable_endpoint()->set_host("127.0.0.1");
        member.mutable_endpoint()->set_port(4000);
        member.mutable_process()->set_pid(7);
        member.set_joined_wall_ms(1'000);
    };
    add("Bar2", Role::active, 2);
    add("Bar3", Role::standby, 3);
    add("Bar1", Role::standby, 4);
    return service;
}

TEST(ServiceView, AServiceWithoutMembersIsShownAsNotServed) {
    pb::ServiceInfo empty = foo();
    empty.clear_members();
    empty.clear_active();
    EXPECT_FALSE(is_served(empty));
    EXPECT_EQ(next_in_line(empty), "");
    EXPECT_EQ(service_text(empty, Paint::plain),
              "Foo  fault_tolerant, epoch 3, lease 1s\nactive: nobody   next in line: nobody\n"
              "no members\n");
    EXPECT_EQ(to_text(list_clusters({empty}), Format::table, Paint::plain),
              "[cluster]  [masters]  [slaves]  [services]\nFoo        -          -         -\n");
}

TEST(ServiceView, TheEarliestStandbyIsNext) {
    EXPECT_EQ(next_in_line(foo()), "Bar3");
    EXPECT_EQ(to_text(list_services({foo()}), Format::table, Paint::plain),
              "SERVICE  REDUNDANCY      ACTIVE  EPOCH  MEMBERS  NEXT\n"
              "Foo      fault_tolerant  Bar2    3      3        Bar3\n");
}

TEST(ServiceView, MembersStandInLineOrder) {
    EXPECT_EQ(to_text(list_members(foo()), Format::table, Paint::plain),
              "PLACE  MEMBER  ROLE     ENDPOINT        PID  AGENT  JOINED\n"
              "1      Bar2    active   127.0.0.1:4000  7    agent  1970-01-01 00:00:01.000Z\n"
              "2      Bar3    standby  127.0.0.1:4000  7    agent  1970-01-01 00:00:01.000Z\n"
              "3      Bar1    standby  127.0.0.1:4000  7    agent  1970-01-01 00:00:01.000Z\n");
}

TEST(ServiceView, TheClusterListHasTheColumnsOfTheSeed) {
    EXPECT_EQ(to_text(list_clusters({foo()}), Format::table, Paint::plain),
              "[cluster]  [masters]  [slaves]    [services]\n"
              "Foo        Bar2       Bar3, Bar1  tcp://127.0.0.1:4000\n");
}

TEST(ServiceView, APromotionTellsItsCauseAndItsTimes) {
    pb::Answer answer;
    pb::Promotion& one = *answer.add_promotions();
    one.set_wall_ms(1'700'000'000'123);
    one.set_epoch(2);
    one.set_member("Bar2");
    one.set_previous("Bar1");
    one.set_cause(2);
    one.set_evidence("pid 7 is gone");
    one.set_noticed_us(1'500);
    EXPECT_EQ(
        to_text(list_promotions(answer), Format::table, Paint::plain),
        "TIME                      EPOCH  FROM  TO    CAUSE         NOTICED  DECIDED  EVIDENCE\n"
        "2023-11-14 22:13:20.123Z  2      Bar1  Bar2  process_gone  1.50 ms  -        pid 7 is "
        "gone\n");
}

/// An immortal with three copies: the first has gone, the second takes checkpoints, the third is
/// active.
[[nodiscard]] pb::ServiceInfo server() {
    pb::ServiceInfo service;
    service.mutable_config()->set_family("server");
    service.mutable_config()->set_redundancy(3);
    service.mutable_config()->set_lease_ms(1000);
    service.set_epoch(2);
    service.set_active("replica-2");
    pb::Definition& definition = *service.mutable_definition();
    definition.set_kind(1);
    definition.set_journal(1);
    definition.set_directory("/logs");
    for (const std::uint32_t number : {0U, 1U, 2U}) {
        pb::ReplicaDefinition& replica = *definition.add_replicas();
        replica.set_number(number);
        replica.set_directory("/logs");
        replica.set_port(2001 + 1000 * number);
    }
    const auto add = [&](const char* name, Role role, std::uint64_t epoch, std::uint64_t applied) {
        pb::MemberInfo& member = *service.add_members();
        member.set_member(name);
        member.set_role(static_cast<std::uint32_t>(role));
        member.set_epoch(epoch);
        member.mutable_endpoint()->set_host("127.0.0.1");
        member.mutable_endpoint()->set_port(4000);
        member.mutable_process()->set_pid(7);
        member.mutable_designation()->set_role(static_cast<std::uint32_t>(role));
        member.mutable_designation()->set_electable(role != Role::checkpointer);
        member.mutable_designation()->set_takes_checkpoints(role == Role::checkpointer);
        member.mutable_position()->set_applied(applied);
        member.mutable_position()->set_committed(applied);
        member.mutable_position()->set_has_checkpoint(true);
        member.mutable_position()->set_checkpoint(8);
        member.mutable_position()->set_checkpoint_age_ms(500);
        member.mutable_position()->set_heard_ms(700);
    };
    add("replica-1", Role::checkpointer, 0, 10);
    add("replica-2", Role::active, 2, 13);
    return service;
}

TEST(ServiceView, CopiesThatDoNotRunAreShownBehindThoseThatDo) {
    EXPECT_EQ(
        service_text(server(), Paint::plain),
        "server  journaled, epoch 2, lease 1s\n"
        "immortal, journal in /logs, last resort never, checkpointer dedicated\n"
        "active: replica-2   next in line: nobody\n"
        "MEMBER     ROLE          DESIGNATED    DUTY         EPOCH  APPLIED  LAG  CHECKPOINT  "
        "AGE     ENDPOINT        PID\n"
        "replica-1  checkpointer  checkpointer  checkpoints  0      10       3    8           "
        "1.20 s  127.0.0.1:4000  7\n"
        "replica-2  active        active        -            2      13       0    8           "
        "1.20 s  127.0.0.1:4000  7\n"
        "replica-0  not running   -             -            -      -        -    -           "
        "-       -               -\n");
}

TEST(ServiceView, OnAJournaledServiceTheDesignatedOneIsNext) {
    pb::ServiceInfo service = server();
    EXPECT_EQ(next_in_line(service), "") << "a checkpointer is no successor";
    for (const char* name : {"replica-3", "replica-4"}) {
        pb::MemberInfo& member = *service.add_members();
        member.set_member(name);
        member.mutable_designation()->set_electable(true);
        member.mutable_designation()->set_role(static_cast<std::uint32_t>(Role::standby));
    }
    EXPECT_EQ(next_in_line(service), "replica-3");
    service.clear_active();
    service.mutable_members(3)->mutable_designation()->set_role(
        static_cast<std::uint32_t>(Role::active));
    service.mutable_members(1)->mutable_designation()->set_role(
        static_cast<std::uint32_t>(Role::standby));
    EXPECT_EQ(next_in_line(service), "replica-4");
}

TEST(ServiceView, TheListSaysWhatIsRegisteredOnceAnythingIs) {
    EXPECT_EQ(to_text(list_services({foo(), server()}), Format::table, Paint::plain),
              "SERVICE  REDUNDANCY      ACTIVE     EPOCH  MEMBERS  NEXT  KIND      REPLICAS\n"
              "Foo      fault_tolerant  Bar2       3      3        Bar3  -         -\n"
              "server   journaled       replica-2  2      2        -     immortal  3\n");
}

TEST(ServiceView, APatternNamesABeginningOrHasStars) {
    EXPECT_TRUE(matches("", "Foo"));
    EXPECT_TRUE(matches("Fo", "Foo"));
    EXPECT_FALSE(matches("oo", "Foo"));
    EXPECT_TRUE(matches("*oo", "Foo"));
    EXPECT_FALSE(matches("*o", "Fox"));
    EXPECT_TRUE(matches("F*.*r", "Foo.bar"));
    EXPECT_FALSE(matches("a*a", "a"));
    EXPECT_TRUE(matches("a*b*c", "abbc"));
}

}  // namespace
}  // namespace understudy::apps
