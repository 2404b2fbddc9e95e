#include "record/draft.h"

#include <gtest/gtest.h>

#include "record/apply.h"
#include "record/sample_test.h"
#include "understudy/limits.h"

namespace understudy::record {
namespace {

Errc refusal(const Result<void>& result) { return result ? Errc{} : result.error().code; }

// The image after the delta.
RecordImage applied(RecordImage image, const std::optional<Buffer>& delta,
                    RecordChange* change = nullptr) {
    DeltaView view;
    EXPECT_TRUE(delta);
    EXPECT_TRUE(decode_delta(*delta, view));
    apply(image, view, change);
    return image;
}

TEST(Draft, BadNamesAreRefusedAndChangeNothing) {
    Draft draft;
    EXPECT_EQ(refusal(draft.put("", 1)), Errc::bad_config);
    EXPECT_EQ(refusal(draft.put("a/b", 1)), Errc::bad_config);
    EXPECT_EQ(refusal(draft.put("\xff", 1)), Errc::bad_config);
    EXPECT_EQ(refusal(draft.put("map", "a\nb", 1)), Errc::bad_config);
    EXPECT_EQ(refusal(draft.put(".map", "a", 1)), Errc::bad_config);
    EXPECT_EQ(refusal(draft.put(std::string(256, 'x'), 1)), Errc::limit_exceeded);
    EXPECT_TRUE(draft.image().empty());
    EXPECT_FALSE(draft.commit());
}

TEST(Draft, RecordsBeyondTheirSizeAreRefusedAndStayAsTheyWere) {
    Draft draft;
    ASSERT_TRUE(draft.put("a", std::string(record_size_max / 2, 'x')));
    EXPECT_EQ(refusal(draft.put("b", std::string(record_size_max / 2, 'x'))),
              Errc::limit_exceeded);
    EXPECT_EQ(refusal(draft.put("map", "b", std::string(record_size_max / 2, 'x'))),
              Errc::limit_exceeded);
    EXPECT_EQ(refusal(draft.put("a", std::string(record_size_max, 'x'))), Errc::limit_exceeded);
    EXPECT_EQ(draft.image().text("a")->size(), record_size_max / 2);
    EXPECT_EQ(draft.fields(), 1U);

    // Up to the bound every subscriber can read the image.
    const std::size_t left = record_size_max - draft.size_bytes();
    ASSERT_TRUE(draft.put("b", std::string(left - 2 - 1 - 3, 'x')));
    EXPECT_EQ(draft.size_bytes(), record_size_max);
    Buffer bytes;
    encode_image(draft.image(), bytes);
    EXPECT_TRUE(to_image(bytes));
    EXPECT_EQ(refusal(draft.put("c", "")), Errc::limit_exceeded);
}

TEST(Draft, FieldsBeyondTheirNumberAreRefused) {
    Draft draft;
    for (std::size_t i = 0; i < fields_max; ++i) {
        ASSERT_TRUE(draft.put("m" + std::to_string(i % 2), std::to_string(i), ""));
    }
    EXPECT_EQ(refusal(draft.put("one more", "")), Errc::limit_exceeded);
    EXPECT_EQ(refusal(draft.put("m0", "one more", "")), Errc::limit_exceeded);
    EXPECT_TRUE(draft.remove("m0", "0"));
    EXPECT_TRUE(draft.put("one more", ""));
}

TEST(Draft, AllChangesSinceTheLastCommitAreOneChange) {
    Draft draft;
    ASSERT_TRUE(draft.put("a", 1));
    ASSERT_TRUE(draft.put("b", "old"));
    ASSERT_TRUE(draft.put("map", "c", 2.5));
    const RecordImage before = applied({}, draft.commit());

    ASSERT_TRUE(draft.put("b", "new"));
    ASSERT_TRUE(draft.put("d", Blob{std::byte{1}}));
    EXPECT_TRUE(draft.remove("a"));
    EXPECT_TRUE(draft.remove_submap("map"));
    RecordChange change;
    EXPECT_EQ(applied(before, draft.commit(), &change), draft.image());
    EXPECT_EQ(change.fields.puts, (Fields{{"b", "new"}, {"d", Blob{std::byte{1}}}}));
    EXPECT_EQ(change.fields.overwritten, (Fields{{"b", "old"}}));
    EXPECT_EQ(change.fields.removed, (Fields{{"a", 1}}));
    EXPECT_EQ(change.submaps["map"].removed, (Fields{{"c", 2.5}}));
}

TEST(Draft, AnEqualPutIsNoChange) {
    Draft draft;
    ASSERT_TRUE(draft.put("a", 1));
    ASSERT_TRUE(draft.put("map", "b", 2));
    ASSERT_TRUE(draft.commit());
    ASSERT_TRUE(draft.put("a", 1));
    ASSERT_TRUE(draft.put("map", "b", 2));
    EXPECT_FALSE(draft.commit());
}

TEST(Draft, WhatIsPutBackBeforeTheCommitIsNoChange) {
    Draft draft;
    ASSERT_TRUE(draft.put("a", 1));
    ASSERT_TRUE(draft.put("map", "b", 2));
    ASSERT_TRUE(draft.commit());

    ASSERT_TRUE(draft.put("a", 5));
    EXPECT_TRUE(draft.remove("a"));
    ASSERT_TRUE(draft.put("a", 1));
    EXPECT_TRUE(draft.remove_submap("map"));
    ASSERT_TRUE(draft.put("map", "b", 2));
    ASSERT_TRUE(draft.put("new", 1));
    EXPECT_TRUE(draft.remove("new"));
    EXPECT_FALSE(draft.commit());
}

TEST(Draft, NullRemoves) {
    Draft draft;
    ASSERT_TRUE(draft.put("a", 1));
    ASSERT_TRUE(draft.put("a", std::nullopt));
    EXPECT_TRUE(draft.image().empty());
    EXPECT_FALSE(draft.remove("a"));
    EXPECT_FALSE(draft.remove("map", "a"));
    EXPECT_FALSE(draft.remove_submap("map"));
}

TEST(Draft, StartsFromAnImageThatIsPublishedAlready) {
    RecordImage image;
    image.fields["a"] = 1;
    Draft draft(image);
    EXPECT_FALSE(draft.commit());
    ASSERT_TRUE(draft.put("a", 2));
    EXPECT_EQ(applied(image, draft.commit()), draft.image());
}

// Compared with a simple second version: for any puts and removes, the commits lead from image to
// image.
TEST(Draft, RandomCommitsCarryExactlyTheDifference) {
    Random random(21);
    Draft draft;
    RecordImage committed;
    for (int turn = 0; turn < 5000; ++turn) {
        const std::string field = sample_name(random, 'f'), submap = sample_name(random, 'm');
        switch (random.below(12)) {
            case 0: draft.remove(field); break;
            case 1: draft.remove(submap, field); break;
            case 2: draft.remove_submap(submap); break;
            case 3:
                if (random.chance(1, 20)) draft.clear();
                break;
            case 4:
                if (random.chance(1, 3)) {
                    draft.roll_back();
                    EXPECT_EQ(draft.image(), committed) << "turn " << turn;
                }
                break;
            case 5:
            case 6: {
                const RecordChange wanted = change_between(committed, draft.image());
                const auto delta = draft.commit();
                ASSERT_EQ(delta.has_value(), !wanted.empty()) << "turn " << turn;
                if (!delta) break;
                RecordChange noted;
                committed = applied(committed, delta, &noted);
                EXPECT_EQ(noted, wanted) << "turn " << turn;
                EXPECT_EQ(committed, draft.image()) << "turn " << turn;
                break;
            }
            case 7:
            case 8: ASSERT_TRUE(draft.put(submap, field, sample_value(random))); break;
            default: ASSERT_TRUE(draft.put(field, sample_value(random)));
        }
        ASSERT_EQ(draft.size_bytes(), size_bytes(draft.image())) << "turn " << turn;
        ASSERT_EQ(draft.fields(), count_fields(draft.image())) << "turn " << turn;
    }
}

}  // namespace
}  // namespace understudy::record
