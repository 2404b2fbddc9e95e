#include "client/directory.h"

#include <gtest/gtest.h>

namespace understudy::client {
namespace {

namespace pb = wire::pb;

pb::WatchImage image(std::uint64_t watch, std::uint64_t revision, const char* family,
                     std::initializer_list<const char*> members) {
    pb::WatchImage out;
    out.set_watch(watch);
    out.set_registry_id(7);
    out.set_revision(revision);
    pb::ServiceInfo& service = *out.add_services();
    service.mutable_config()->set_family(family);
    service.set_revision(revision);
    service.set_epoch(1);
    std::uint64_t order = 0;
    for (const char* name : members) {
        pb::MemberInfo& info = *service.add_members();
        info.set_member(name);
        info.set_order(++order);
    }
    return out;
}

pb::WatchChange change(std::uint64_t watch, std::uint64_t previous, std::uint64_t revision,
                       const char* family) {
    pb::WatchChange out;
    out.set_watch(watch);
    out.set_previous(previous);
    out.set_revision(revision);
    out.set_family(family);
    out.set_epoch(2);
    return out;
}

TEST(Directory, AServiceThatIsRemovedIsForgottenAndMayComeBack) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    (void)directory.apply(image(watch, 5, "Foo", {"a"}), families);
    pb::WatchChange defined = change(watch, 5, 6, "Foo");
    defined.mutable_definition()->set_kind(1);
    ASSERT_EQ(directory.apply(defined, families), Directory::Taken::applied);
    EXPECT_TRUE(directory.find("Foo")->has_definition());
    pb::WatchChange gone = change(watch, 6, 7, "Foo");
    gone.set_removed(true);

    ASSERT_EQ(directory.apply(gone, families), Directory::Taken::applied);

    EXPECT_EQ(directory.find("Foo"), nullptr);
    EXPECT_EQ(directory.apply(change(watch, 0, 9, "Foo"), families), Directory::Taken::gap)
        << "another service of that name: an image first";
}

TEST(Directory, AChangeAppliesOnTopOfItsPredecessorOnly) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    ASSERT_EQ(directory.apply(image(watch, 5, "Foo", {"a"}), families), Directory::Taken::applied);

    EXPECT_EQ(directory.apply(change(watch, 7, 8, "Foo"), families), Directory::Taken::gap);
    // After a gap only an image goes on.
    EXPECT_EQ(directory.apply(change(watch, 5, 6, "Foo"), families), Directory::Taken::gap);
    ASSERT_EQ(directory.apply(image(watch, 8, "Foo", {"a", "b"}), families),
              Directory::Taken::applied);
    EXPECT_EQ(directory.find("Foo")->members_size(), 2);
}

TEST(Directory, ChangesAddMoveAndRemoveMembersInOrder) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    (void)directory.apply(image(watch, 5, "Foo", {"a", "b"}), families);
    auto moved = change(watch, 5, 6, "Foo");
    moved.add_left("b");
    auto* back = moved.add_joined();
    back->set_member("a");
    back->set_order(9);
    auto* joined = moved.add_joined();
    joined->set_member("c");
    joined->set_order(3);

    ASSERT_EQ(directory.apply(moved, families), Directory::Taken::applied);

    const pb::ServiceInfo& service = *directory.find("Foo");
    ASSERT_EQ(service.members_size(), 2);
    EXPECT_EQ(service.members(0).member(), "c");
    EXPECT_EQ(service.members(1).member(), "a");
}

// A service that did not exist when it was watched arrives as a change on top of nothing.
TEST(Directory, AWatchedServiceMayComeIntoBeingLater) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    pb::WatchImage nothing;
    nothing.set_watch(watch);
    nothing.set_revision(4);
    ASSERT_EQ(directory.apply(nothing, families), Directory::Taken::applied);
    EXPECT_EQ(directory.find("Foo"), nullptr);

    EXPECT_EQ(directory.apply(change(watch, 0, 5, "Foo"), families), Directory::Taken::applied);
    EXPECT_NE(directory.find("Foo"), nullptr);
}

TEST(Directory, EpochsOnlyGrowAndSurviveTheServicesImage) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    EXPECT_TRUE(directory.heard_epoch("Foo", Epoch{9}));
    (void)directory.apply(image(watch, 5, "Foo", {"a"}), families);
    EXPECT_EQ(directory.epoch("Foo"), Epoch{9});
    const auto request = directory.request(watch);
    ASSERT_EQ(request.known_size(), 1);
    EXPECT_EQ(request.known(0).epoch(), 9u);
}

TEST(Directory, TheHighestEpochOfAFamilyHasAPlaceThatStaysWhateverElseIsHeard) {
    Directory directory;
    std::vector<std::string> families;
    const Epoch& place = directory.epoch_place("Foo");
    EXPECT_EQ(place, Epoch{});
    const auto watch = directory.add("Foo");
    EXPECT_EQ(directory.request(watch).known_size(), 0);  // Nothing was heard yet.
    for (int i = 0; i < 100; ++i) {
        (void)directory.heard_epoch("Other" + std::to_string(i), Epoch{1});
    }
    (void)directory.apply(image(watch, 5, "Foo", {"a"}), families);
    (void)directory.heard_epoch("Foo", Epoch{9});
    EXPECT_EQ(place, Epoch{9});
    EXPECT_EQ(&place, &directory.epoch_place("Foo"));
}

TEST(Directory, WordsForAnEndedWatchAreIgnored) {
    Directory directory;
    std::vector<std::string> families;
    const auto watch = directory.add("Foo");
    directory.remove(watch);
    EXPECT_EQ(directory.apply(image(watch, 5, "Foo", {"a"}), families), Directory::Taken::unknown);
    EXPECT_TRUE(families.empty());
}

}  // namespace
}  // namespace understudy::client
