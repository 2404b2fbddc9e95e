#include "understudy/types.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(Address, RefusesWhatIsNotOne) {
    for (const std::string_view text :
         {"", "host", "host:", "host:x", "host:70000", "host:-1", "host:+1", "host: 1", "host:1 ",
          "::1", "::1:80", "[::1]", "[::1]80", "[::1", "[host]:1", "[]:1", "a b:1", "a/b:1",
          "a]:1", "host:1:2"}) {
        const Result<Address> address = parse_address(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error().code, Errc::bad_config);
        EXPECT_EQ(address.error().effect, Effect::none);
    }
    const std::string zero("a\0b:1", 5);
    EXPECT_FALSE(parse_address(zero));
}

TEST(Address, ReadsHostsOfAllKinds) {
    EXPECT_EQ(*parse_address("example.org:80"), (Address{"example.org", 80}));
    EXPECT_EQ(*parse_address("127.0.0.1:65535"), (Address{"127.0.0.1", 65535}));
    EXPECT_EQ(*parse_address("[::1]:7000"), (Address{"::1", 7000}));
    EXPECT_EQ(*parse_address("[fe80::1%eth0]:1"), (Address{"fe80::1%eth0", 1}));
    EXPECT_EQ(*parse_address(":0"), (Address{"", 0}));
}

TEST(Address, TextIsReadBack) {
    for (const std::string_view text : {"example.org:80", "[::1]:7000", ":0", "127.0.0.1:1"}) {
        EXPECT_EQ(to_string(*parse_address(text)), text);
    }
}

TEST(Address, APathIsNoHostAndIsShownWithoutPort) {
    EXPECT_FALSE(parse_address("/run/app.sock"));
    EXPECT_FALSE(parse_address("/run/app.sock:0"));
    EXPECT_EQ(to_string(Address{.host = "/run/app:1.sock"}), "/run/app:1.sock");
}

TEST(Strong, OrdersByValueAndStartsAtZero) {
    EXPECT_EQ(Epoch{}, Epoch{0});
    EXPECT_LT(Epoch{1}, Epoch{2});
    EXPECT_EQ(Epoch{1}.next(), Epoch{2});
}

TEST(Role, EveryValueHasItsName) {
    EXPECT_EQ(name(Role::joining), "joining");
    EXPECT_EQ(name(Role::standby), "standby");
    EXPECT_EQ(name(Role::active), "active");
    EXPECT_EQ(name(Role::checkpointer), "checkpointer");
    EXPECT_EQ(name(static_cast<Role>(200)), "unrecognized");
    EXPECT_EQ(name(Redundancy::fault_tolerant), "fault_tolerant");
    EXPECT_EQ(name(Redundancy::load_balanced), "load_balanced");
    EXPECT_EQ(name(Redundancy::journaled), "journaled");
    EXPECT_EQ(name(static_cast<Redundancy>(200)), "unrecognized");
}

}  // namespace
}  // namespace understudy
