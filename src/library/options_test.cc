#include "library/options.h"

#include <gtest/gtest.h>

#include "understudy/limits.h"

namespace understudy::library {
namespace {

TEST(Options, APortForOthersWantsTlsOrTheWordInsecure) {
    const auto refused = check({.listen = "192.0.2.1:0"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_config);
    EXPECT_NE(refused.error().detail.find("tls"), std::string::npos) << refused.error().detail;
    EXPECT_NE(refused.error().detail.find("insecure"), std::string::npos);

    EXPECT_TRUE(check({.listen = "192.0.2.1:0", .insecure = true}));
    EXPECT_TRUE(check({.listen = "192.0.2.1:0", .tls = TlsFiles{"a", "b", "c"}}));
    EXPECT_TRUE(check({.listen = "[::1]:0"}));
    EXPECT_TRUE(check({.listen = "localhost:0"}));
}

TEST(Options, AllInterfacesWantAHostToBeReachedAt) {
    for (const char* listen : {":0", "0.0.0.0:0", "[::]:0"}) {
        const auto refused = check({.listen = listen, .insecure = true});
        ASSERT_FALSE(refused) << listen;
        EXPECT_NE(refused.error().detail.find("advertise"), std::string::npos);
        EXPECT_TRUE(check({.listen = listen, .advertise = "db1", .insecure = true})) << listen;
    }
}

TEST(Options, ARegistryIsAHostAndAPort) {
    EXPECT_FALSE(check({.registry = {}}));
    EXPECT_FALSE(check({.registry = {"somewhere"}}));
    EXPECT_FALSE(check({.registry = {":22222"}}));
    EXPECT_FALSE(check({.registry = {"127.0.0.1:0"}}));
    const auto fine = check({.registry = {"a:1", "[::1]:2"}});
    ASSERT_TRUE(fine);
    EXPECT_EQ(fine->registry.at(1), (Address{"::1", 2}));
}

TEST(Options, ANameIsMadeIfThereIsNoneAndEachIsAnother) {
    const auto first = check({});
    const auto second = check({});
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(check_identifier("agent", first->name));
    EXPECT_NE(first->name, second->name);
    EXPECT_FALSE(check({.name = "not a name"}));
    EXPECT_FALSE(check({.platform = "no/platform"}));
}

TEST(Options, NamesOfThePlatformAreNotForApplications) {
    EXPECT_FALSE(check_not_reserved("record", "understudy.member"));
    EXPECT_TRUE(check_not_reserved("record", "understudy"));
}

}  // namespace
}  // namespace understudy::library
