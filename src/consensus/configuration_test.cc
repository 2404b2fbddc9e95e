#include "consensus/configuration.h"

#include <gtest/gtest.h>

namespace understudy::consensus {
namespace {

constexpr Server voter(std::uint64_t id) { return {.id = {id}, .membership = Membership::voter}; }
constexpr Server observer(std::uint64_t id) {
    return {.id = {id}, .membership = Membership::observer};
}

TEST(Configuration, ComesBackFromItsBytes) {
    const Configuration configuration{{voter(1), observer(7), voter(~std::uint64_t{0})}};
    const auto decoded = decode_configuration(encoded(configuration));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, configuration);
}

TEST(Configuration, EveryShorterOrLongerFormIsRefused) {
    const Buffer whole = encoded({{voter(1), voter(2), observer(3)}});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_configuration(Bytes(whole).first(size))) << size;
    }
    Buffer longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_configuration(longer));
}

TEST(Configuration, NonsenseIsRefused) {
    const auto refused = [](Buffer bytes, std::size_t at, std::uint8_t value) {
        bytes.at(at) = std::byte{value};
        const auto decoded = decode_configuration(bytes);
        return !decoded && decoded.error().code == Errc::corrupt;
    };
    const Buffer good = encoded({{voter(5), observer(6)}});
    EXPECT_TRUE(refused(good, 0, 2)) << "another version";
    EXPECT_TRUE(refused(good, 1, 0)) << "nobody";
    EXPECT_TRUE(refused(good, 1, 65)) << "too many";
    EXPECT_TRUE(refused(good, 2, 0)) << "server 0";
    EXPECT_TRUE(refused(good, 2, 6)) << "twice the same";
    EXPECT_TRUE(refused(good, 2, 9)) << "out of order";
    EXPECT_TRUE(refused(good, 10, 0)) << "no membership";
    EXPECT_TRUE(refused(good, 10, 3)) << "unknown membership";
    EXPECT_TRUE(refused(good, 10, 2)) << "no voter";
}

TEST(Configuration, HoldsItsMostServersAndNoMore) {
    Configuration configuration;
    for (std::uint64_t id = 1; id <= servers_max; ++id) configuration.servers.push_back(voter(id));
    EXPECT_EQ(decode_configuration(encoded(configuration)).value_or_throw(), configuration);
    configuration.servers.push_back(voter(servers_max + 1));
    EXPECT_FALSE(well_formed(configuration));
}

TEST(Configuration, ChangesAreCountedByServer) {
    const Configuration one{{voter(1), voter(2), observer(3)}};
    EXPECT_EQ(differences(one, one), 0U);
    EXPECT_EQ(differences(one, with(one, voter(4))), 1U);
    EXPECT_EQ(differences(one, with(one, voter(3))), 1U);
    EXPECT_EQ(differences(one, without(one, {2})), 1U);
    EXPECT_EQ(differences(one, with(without(one, {2}), voter(4))), 2U);
}

TEST(Configuration, ServersStayInOrder) {
    Configuration configuration{{voter(5)}};
    configuration = with(with(configuration, voter(9)), observer(2));
    EXPECT_EQ(configuration, (Configuration{{observer(2), voter(5), voter(9)}}));
    EXPECT_EQ(voters(configuration), 2U);
    EXPECT_TRUE(is_voter(configuration, {9}));
    EXPECT_FALSE(is_voter(configuration, {2}));
    EXPECT_FALSE(is_voter(configuration, {3}));
}

}  // namespace
}  // namespace understudy::consensus
