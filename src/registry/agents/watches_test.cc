#include "registry/agents/watches.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

constexpr SessionId one{1};
constexpr SessionId two{2};

TEST(Watches, ImageFirstThenTheChangesOfThatFamily) {
    Parts parts;
    Watches watches(parts.state);
    parts.join("Foo", "Bar", 1);
    Turn turn = parts.turn();
    ASSERT_TRUE(watches.open(turn, one, 7, "Foo"));
    ASSERT_TRUE(watches.open(turn, two, 8, ""));
    const auto image = Parts::sent<pb::WatchImage>(turn, one, MessageType::watch_image);
    EXPECT_EQ(image->services_size(), 1);
    EXPECT_EQ(image->turn(), 0u);

    pb::WatchChange change;
    change.set_family("Other");
    change.set_revision(9);
    change.set_previous(3);
    watches.publish(turn, change);
    EXPECT_FALSE(Parts::sent<pb::WatchChange>(turn, one, MessageType::watch_change));
    const auto heard = Parts::sent<pb::WatchChange>(turn, two, MessageType::watch_change);
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->watch(), 8u);
    EXPECT_EQ(heard->previous(), 8u) << "who watches all has seen each revision";

    change.set_family("Foo");
    watches.publish(turn, change);
    EXPECT_EQ(Parts::sent<pb::WatchChange>(turn, one, MessageType::watch_change)->previous(), 3u);
}

TEST(Watches, EachImageOfAFamilyHasItsTurn) {
    Parts parts;
    Watches watches(parts.state);
    parts.join("Foo", "Bar", 1);
    Turn turn = parts.turn();
    for (std::uint64_t count = 0; count < 3; ++count) {
        ASSERT_TRUE(watches.open(turn, one, 7, "Foo"));
        EXPECT_EQ(Parts::sent<pb::WatchImage>(turn, one, MessageType::watch_image)->turn(), count);
    }
    EXPECT_EQ(watches.size(), 1u) << "the same watch was replaced";
}

TEST(Watches, EndWithTheirSession) {
    Parts parts;
    Watches watches(parts.state);
    ASSERT_TRUE(watches.add(one, 7, "Foo"));
    ASSERT_TRUE(watches.add(one, 8, ""));
    ASSERT_TRUE(watches.add(two, 7, "Foo"));
    watches.remove(one);
    ASSERT_EQ(watches.of("Foo").size(), 1u);
    EXPECT_EQ(watches.of("Foo")[0].session, two);
}

TEST(Watches, AreBoundedForASession) {
    Parts parts;
    Watches watches(parts.state);
    for (std::uint64_t watch = 0; watch < Watches::per_session_max; ++watch) {
        ASSERT_TRUE(watches.add(one, watch, "Foo"));
    }
    EXPECT_EQ(watches.add(one, 1'000'000, "Foo").error().code, Errc::limit_exceeded);
    EXPECT_TRUE(watches.add(one, 1, "Bar")) << "one that is in use is replaced";
    EXPECT_TRUE(watches.add(two, 1, "Foo"));
}

}  // namespace
}  // namespace understudy::registry
