// Immortals of a platform: the registry says which copies may be active, and where they are.

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "library/platform_test.h"

namespace understudy::library {
namespace {

class RegisteredServer final : public Immortal {
public:
    std::int64_t greet(const std::string& name) { return ++greetings[name]; }
    template <class F>
    void fields(F& f) {
        f(greetings);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &RegisteredServer::greet);
    }
    std::map<std::string, std::int64_t> greetings;
};

class ImmortalPlatform : public PlatformTest {
protected:
    /// A copy, and the roles that it was told.
    struct Copy {
        ImmortalMember member;
        Heard<Role> roles;
    };
    std::unique_ptr<Copy> open_copy(const std::string& name) {
        auto copy = std::make_unique<Copy>(Copy{
            ImmortalMember::open<RegisteredServer>(
                {.service = "server",
                 .member = name,
                 .journal = SharedDirectory{.path = directory_.path + "/journal", .lease = 500ms},
                 .registry = {registry_.address()},
                 .log = quiet()})
                .value_or_throw(),
            {}});
        copy->member.on_role([roles = copy->roles, last = std::string()](
                                 const ImmortalStatus& now) mutable {
            const std::string told = std::string(understudy::name(now.role)) + " " +
                                     std::to_string(now.epoch.value) + " " + now.active;
            EXPECT_NE(told, last) << "no change";
            last = told;
            roles.add(now.role);
        });
        EXPECT_TRUE(copy->member.wait_open());
        return copy;
    }
};

TEST_F(ImmortalPlatform, TheStartOrderSaysWhoIsActiveAndWhoTakesCheckpoints) {
    auto a = open_copy("A");
    a->roles.wait_for_last(Role::active);
    auto b = open_copy("B");
    b->roles.wait_for_last(Role::checkpointer);
    auto c = open_copy("C");
    c->roles.wait_for_last(Role::standby);
    auto client = ImmortalClient::open(
                      {.service = "server", .registry = {registry_.address()}, .log = quiet()})
                      .value_or_throw();
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 1);

    a.reset();
    c->roles.wait_for_last(Role::active);
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 2);
    a = open_copy("A");
    a->roles.wait_for_last(Role::standby);

    c.reset();
    a->roles.wait_for_last(Role::active);
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 3);
    EXPECT_EQ(b->roles.so_far().back(), Role::checkpointer) << "it stays what it is";
}

TEST_F(ImmortalPlatform, ARegistryThatIsAwayStopsNothingThatRuns) {
    auto a = open_copy("A");
    a->roles.wait_for_last(Role::active);
    auto client = ImmortalClient::open(
                      {.service = "server", .registry = {registry_.address()}, .log = quiet()})
                      .value_or_throw();
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 1);
    const std::string address = registry_.address();
    registry_.close();
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 2);
    registry_ = open_registry(address);
    EXPECT_EQ(client.call<&RegisteredServer::greet>("Ann").value_or_throw(), 3);
    EXPECT_EQ(a->roles.so_far().back(), Role::active);
}

}  // namespace
}  // namespace understudy::library
