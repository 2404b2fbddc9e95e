#include "record/mirror.h"

#include <gtest/gtest.h>

#include "record/sample_test.h"
#include "understudy/limits.h"

namespace understudy::record {
namespace {

Buffer image_of(const RecordImage& image) {
    Buffer out;
    encode_image(image, out);
    return out;
}

Buffer delta_of(const RecordImage& before, const RecordImage& after) {
    Buffer out;
    encode_delta(change_between(before, after), out);
    return out;
}

RecordImage with(Fields fields) { return {.fields = std::move(fields), .submaps = {}}; }

const RecordImage one = with({{"a", 1}, {"gone", "x"}});
const RecordImage two = with({{"a", 2}});
const Buffer to_two = delta_of(one, two);

Mirror at(Epoch epoch, Sequence sequence, const RecordImage& image = one) {
    Mirror mirror;
    EXPECT_EQ(mirror.apply_image(epoch, sequence, image_of(image)).value_or_throw(),
              Applied::changed);
    return mirror;
}

TEST(Mirror, ADeltaWithoutAnImageIsAGap) {
    Mirror mirror;
    EXPECT_EQ(mirror.apply_delta({1}, {1}, to_two).value_or_throw(), Applied::gap);
    EXPECT_FALSE(mirror.exists());
    EXPECT_FALSE(mirror.in_sync());
}

TEST(Mirror, ADeltaOverAGapIsRefusedAndSoIsEverythingUntilAnImage) {
    Mirror mirror = at({1}, {5});
    EXPECT_EQ(mirror.apply_delta({1}, {7}, to_two).value_or_throw(), Applied::gap);
    EXPECT_EQ(mirror.image(), one);
    EXPECT_EQ(mirror.apply_delta({1}, {6}, to_two).value_or_throw(), Applied::gap);
    EXPECT_EQ(mirror.apply_image({1}, {7}, image_of(two)).value_or_throw(), Applied::changed);
    EXPECT_TRUE(mirror.in_sync());
    EXPECT_EQ(mirror.image(), two);
}

TEST(Mirror, ARepeatedDeltaIsNotAppliedTwice) {
    Mirror mirror = at({1}, {5});
    EXPECT_EQ(mirror.apply_delta({1}, {6}, to_two).value_or_throw(), Applied::changed);
    EXPECT_EQ(mirror.apply_delta({1}, {6}, to_two).value_or_throw(), Applied::gap);
}

// A known bug of another system: the new active member's change happened to be exactly last + 1.
TEST(Mirror, ADeltaNeverAppliesAcrossEpochs) {
    Mirror mirror = at({1}, {5});
    EXPECT_EQ(mirror.apply_delta({2}, {6}, to_two).value_or_throw(), Applied::gap);
    EXPECT_EQ(mirror.image(), one);
    EXPECT_EQ(mirror.epoch(), Epoch{1});
}

TEST(Mirror, AnImageReplacesAlsoWhenItsSequenceIsTheNextOne) {
    Mirror mirror = at({1}, {5});
    RecordChange change;
    EXPECT_EQ(mirror.apply_image({2}, {6}, image_of(two), &change).value_or_throw(),
              Applied::changed);
    EXPECT_EQ(mirror.image(), two);
    EXPECT_TRUE(change.is_image);
    EXPECT_EQ(change.epoch, Epoch{2});
    EXPECT_EQ(change.sequence, 6U);
    EXPECT_EQ(change.fields.puts, (Fields{{"a", 2}}));
    EXPECT_EQ(change.fields.overwritten, (Fields{{"a", 1}}));
    EXPECT_EQ(change.fields.removed, (Fields{{"gone", "x"}}));
}

// A listener is called after each failover, also if nothing differs.
TEST(Mirror, AnEqualImagePutsEveryFieldAgain) {
    Mirror mirror = at({1}, {5}, two);
    RecordChange change;
    EXPECT_EQ(mirror.apply_image({2}, {1}, image_of(two), &change).value_or_throw(),
              Applied::changed);
    EXPECT_EQ(change.fields.puts, two.fields);
    EXPECT_TRUE(change.fields.removed.empty());
}

TEST(Mirror, AFormerActiveMemberIsIgnored) {
    Mirror mirror = at({2}, {1});
    EXPECT_EQ(mirror.apply_image({1}, {9}, image_of(two)).value_or_throw(), Applied::stale_epoch);
    EXPECT_EQ(mirror.apply_delta({1}, {2}, to_two).value_or_throw(), Applied::stale_epoch);
    EXPECT_EQ(mirror.apply_removed({1}, {2}), Applied::stale_epoch);
    EXPECT_EQ(mirror.apply_absent({1}), Applied::stale_epoch);
    EXPECT_EQ(mirror.image(), one);
    EXPECT_TRUE(mirror.in_sync());
}

TEST(Mirror, AfterADisconnectionDataAreReadableAndOnlyAnImageGoesOn) {
    Mirror mirror = at({1}, {5});
    mirror.disconnected();
    EXPECT_EQ(mirror.image(), one);
    EXPECT_FALSE(mirror.in_sync());
    EXPECT_EQ(mirror.apply_delta({1}, {6}, to_two).value_or_throw(), Applied::gap);
    EXPECT_EQ(mirror.apply_image({1}, {6}, image_of(two)).value_or_throw(), Applied::changed);
}

TEST(Mirror, AnotherMemberOfALoadBalancedServiceMayHaveALowerEpoch) {
    Mirror mirror = at({5}, {1});
    mirror.forget_epoch();
    EXPECT_EQ(mirror.apply_image({2}, {1}, image_of(two)).value_or_throw(), Applied::changed);
    EXPECT_EQ(mirror.epoch(), Epoch{2});
}

TEST(Mirror, ARemovedRecordIsEmptyUntilItsNextImage) {
    Mirror mirror = at({1}, {5});
    RecordChange change;
    EXPECT_EQ(mirror.apply_removed({1}, {6}, &change), Applied::changed);
    EXPECT_FALSE(mirror.exists());
    EXPECT_TRUE(mirror.image().empty());
    EXPECT_EQ(change.fields.removed, one.fields);
    EXPECT_EQ(mirror.apply_delta({1}, {7}, to_two).value_or_throw(), Applied::gap);
    EXPECT_EQ(mirror.apply_image({1}, {8}, image_of(two)).value_or_throw(), Applied::changed);
    EXPECT_TRUE(mirror.exists());
}

TEST(Mirror, AnAbsentRecordChangesSomethingOnlyIfItWasThere) {
    Mirror mirror;
    EXPECT_EQ(mirror.apply_absent({1}), Applied::unchanged);
    EXPECT_TRUE(mirror.in_sync());
    mirror = at({1}, {5});
    RecordChange change;
    EXPECT_EQ(mirror.apply_absent({2}, &change), Applied::changed);
    EXPECT_EQ(change.fields.removed, one.fields);
    EXPECT_EQ(mirror.epoch(), Epoch{2});
}

TEST(Mirror, CorruptBytesChangeNothing) {
    Mirror mirror = at({1}, {5});
    EXPECT_EQ(mirror.apply_image({1}, {6}, as_bytes("nonsense")).error().code, Errc::corrupt);
    EXPECT_EQ(mirror.image(), one);
    EXPECT_TRUE(mirror.in_sync());
    EXPECT_EQ(mirror.apply_delta({1}, {6}, as_bytes("nonsense")).error().code, Errc::corrupt);
    EXPECT_EQ(mirror.image(), one);
    EXPECT_FALSE(mirror.in_sync());
}

// A hostile publisher cannot make a mirror grow without bound, however small its steps are.
TEST(Mirror, ARecordBeyondItsSizeIsRefused) {
    Mirror mirror = at({1}, {1}, RecordImage());
    const std::string piece(record_size_max / 4, 'x');
    for (std::uint64_t i = 0; i < 3; ++i) {
        const Buffer delta = delta_of({}, with({{"f" + std::to_string(i), piece}}));
        ASSERT_EQ(mirror.apply_delta({1}, {2 + i}, delta).value_or_throw(), Applied::changed);
    }
    const Buffer delta = delta_of({}, with({{"f3", piece}}));
    EXPECT_EQ(mirror.apply_delta({1}, {5}, delta).error().code, Errc::limit_exceeded);
    EXPECT_EQ(mirror.image().fields.size(), 3U);
}

}  // namespace
}  // namespace understudy::record
