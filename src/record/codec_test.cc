#include "record/codec.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "record/apply.h"
#include "record/sample_test.h"
#include "understudy/limits.h"

namespace understudy::record {
namespace {

Buffer bytes_of(std::initializer_list<unsigned> list) {
    Buffer bytes;
    for (const unsigned each : list) bytes.push_back(static_cast<std::byte>(each));
    return bytes;
}

Errc refusal_of_image(const Buffer& bytes) {
    DeltaView view;
    const auto decoded = decode_image(bytes, view);
    return decoded ? Errc{} : decoded.error().code;
}

Errc refusal_of_delta(const Buffer& bytes) {
    DeltaView view;
    const auto decoded = decode_delta(bytes, view);
    return decoded ? Errc{} : decoded.error().code;
}

Buffer encoded(const RecordImage& image) {
    Buffer out;
    encode_image(image, out);
    return out;
}

TEST(RecordCodec, MalformedImagesAreRefused) {
    const unsigned text = 1, integer = 2;
    EXPECT_EQ(refusal_of_image({}), Errc::corrupt);
    EXPECT_EQ(refusal_of_image(bytes_of({0})), Errc::corrupt);                      // No sub-maps.
    EXPECT_EQ(refusal_of_image(bytes_of({0, 0, 0})), Errc::corrupt);                // Left over.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 0})), Errc::corrupt);                   // No field.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 0, text, 0, 0})), Errc::corrupt);       // Empty name.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, '/', text, 0, 0})), Errc::corrupt);  // Bad name.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, 0xff, text, 0, 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, 'a', 0, 0, 0})), Errc::corrupt);     // Type 0.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, 'a', 5, 0, 0})), Errc::corrupt);     // Type 5.
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, 'a', text, 9, 'x', 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_image(bytes_of({1, 1, 'a', integer, 1, 2, 3, 4, 5, 6, 7})),
              Errc::corrupt);
    EXPECT_EQ(refusal_of_image(bytes_of({2, 1, 'b', text, 0, 1, 'a', text, 0, 0})),
              Errc::corrupt);                                                       // Order.
    EXPECT_EQ(refusal_of_image(bytes_of({2, 1, 'a', text, 0, 1, 'a', text, 0, 0})),
              Errc::corrupt);                                                       // Twice.
    EXPECT_EQ(refusal_of_image(bytes_of({0, 1, 1, 'm', 0})), Errc::corrupt);        // Empty map.
    EXPECT_EQ(refusal_of_image(bytes_of({0, 2, 1, 'm', 1, 1, 'a', text, 0,          //
                                         1, 'm', 1, 1, 'a', text, 0})),
              Errc::corrupt);                                                       // Map twice.
    EXPECT_EQ(refusal_of_image(bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f})), Errc::corrupt);
    EXPECT_EQ(refusal_of_image(Buffer(record_size_max + 1)), Errc::limit_exceeded);
    EXPECT_EQ(refusal_of_image(bytes_of({0, 0})), Errc{});
}

TEST(RecordCodec, MalformedDeltasAreRefused) {
    const unsigned text = 1;
    EXPECT_EQ(refusal_of_delta({}), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 0, 0})), Errc::corrupt);  // Changes nothing.
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 1, 1, 'a'})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({1, 1, 'a', text, 0, 1, 1, 'a', 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 2, 1, 'b', 1, 'a', 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 2, 1, 'a', 1, 'a', 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 1, 1, 'a', 1, 1, 'm', 0, 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 1, 1, 'a', 0, 0})), Errc::corrupt);
    EXPECT_EQ(refusal_of_delta(Buffer(delta_size_max + 1)), Errc::limit_exceeded);
    EXPECT_EQ(refusal_of_delta(bytes_of({0, 1, 1, 'a', 0})), Errc{});
    EXPECT_EQ(refusal_of_delta(bytes_of({2, 1, 'a', text, 0, 1, 'c', text, 0, 1, 1, 'b', 0})),
              Errc{});
}

TEST(RecordCodec, MoreFieldsThanAllowedAreRefused) {
    RecordImage image;
    for (std::size_t i = 0; i <= fields_max; ++i) {
        image.fields[std::to_string(i)] = "";
    }
    EXPECT_EQ(refusal_of_image(encoded(image)), Errc::limit_exceeded);
    image.fields.erase("0");
    EXPECT_EQ(refusal_of_image(encoded(image)), Errc{});
}

// Every prefix is refused, and every single flipped bit gives a refusal or another valid image.
// Nothing is read past the end; the sanitizers check that.
TEST(RecordCodec, DamagedImagesAreNeverReadPastTheirEnd) {
    Random random(3);
    const Buffer bytes = encoded(sample_image(random, 6));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_NE(refusal_of_image(Buffer(bytes.begin(),
                                          bytes.begin() + static_cast<std::ptrdiff_t>(size))),
                  Errc{})
            << size;
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Buffer damaged = bytes;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        const auto image = to_image(damaged);
        if (image) {
            EXPECT_NE(encoded(*image), bytes) << bit;
        }
    }
}

TEST(RecordCodec, EveryValueIsReadAsWritten) {
    RecordImage image;
    image.fields["a"] = "";
    image.fields["b"] = std::string(300, 'x');
    image.fields["c"] = std::numeric_limits<std::int64_t>::min();
    image.fields["d"] = -0.0;
    image.fields["e"] = std::nan("");
    image.fields["f"] = Blob{std::byte{0}, std::byte{255}};
    image.fields["g"] = Blob();
    image.submaps["Zürich"]["数量"] = 7;
    EXPECT_EQ(to_image(encoded(image)).value_or_throw(), image);
}

TEST(RecordCodec, RandomImagesAreReadAsWrittenAndTheirSizeIsKnown) {
    Random random(4);
    for (int turn = 0; turn < 500; ++turn) {
        const RecordImage image = sample_image(random, random.below(20));
        const Buffer bytes = encoded(image);
        const auto decoded = to_image(bytes);
        ASSERT_TRUE(decoded) << "turn " << turn << ": " << to_string(decoded.error());
        EXPECT_EQ(*decoded, image) << "turn " << turn;
        EXPECT_LE(bytes.size(), size_bytes(image)) << "turn " << turn;
        EXPECT_LE(size_bytes(image), bytes.size() + 4 + 2 * image.submaps.size());
    }
}

// Compared with a simple second version: a change must lead from the image before to the image
// after, and the tracked size must equal a count from the start.
TEST(RecordCodec, RandomDeltasDoWhatTheySay) {
    Random random(5);
    RecordImage image;
    std::size_t size = size_bytes(image);
    for (int turn = 0; turn < 3000; ++turn) {
        const RecordImage before = image;
        const RecordImage after = turn % 50 == 49 ? RecordImage{} : changed(before, random);
        const RecordChange wanted = change_between(before, after);
        if (wanted.empty()) continue;

        Buffer delta;
        encode_delta(wanted, delta);
        DeltaView view;
        ASSERT_TRUE(decode_delta(delta, view)) << "turn " << turn;
        const std::ptrdiff_t grown = growth(image, view);
        RecordChange noted;
        ASSERT_EQ(apply(image, view, random.chance(1, 2) ? &noted : nullptr), grown);
        size = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(size) + grown);

        EXPECT_EQ(image, after) << "turn " << turn;
        EXPECT_EQ(size, size_bytes(image)) << "turn " << turn;
        if (!noted.empty()) {
            EXPECT_EQ(noted, wanted) << "turn " << turn;
        }
    }
}

TEST(RecordCodec, RemovingWhatIsNotThereIsNoChange) {
    RecordImage image;
    image.fields["a"] = 1;
    const RecordImage before = image;
    const Buffer delta = bytes_of({0, 1, 1, 'b', 1, 1, 'm', 0, 1, 1, 'x'});
    DeltaView view;
    ASSERT_TRUE(decode_delta(delta, view));
    RecordChange change;
    EXPECT_EQ(growth(image, view), 0);
    EXPECT_EQ(apply(image, view, &change), 0);
    EXPECT_EQ(image, before);
    EXPECT_TRUE(change.empty());
}

// An image that replaces another puts every field, also those that keep their value, and removes
// those that it lacks.
TEST(RecordCodec, RandomReplacementsSayEverything) {
    Random random(6);
    RecordImage image;
    for (int turn = 0; turn < 500; ++turn) {
        const RecordImage before = image;
        const RecordImage after = turn % 20 == 19 ? RecordImage{} : changed(before, random);
        DeltaView view;
        const Buffer bytes = encoded(after);
        ASSERT_TRUE(decode_image(bytes, view));
        RecordChange change;
        EXPECT_EQ(replace(image, view, &change), size_bytes(after));
        EXPECT_EQ(image, after);
        EXPECT_EQ(change.fields.puts, after.fields);
        for (const auto& [name, fields] : after.submaps) {
            EXPECT_EQ(change.submaps[name].puts, fields);
        }
        expect_leads(before, change, after);
    }
}

TEST(RecordCodec, GrowthBeyondTheRecordSizeIsRefused) {
    RecordImage image;
    image.fields["a"] = std::string(record_size_max - 100, 'x');
    const std::size_t size = size_bytes(image);
    const auto refusal = [&](const RecordImage& after) {
        Buffer delta;
        encode_delta(change_between(image, after), delta);
        DeltaView view;
        EXPECT_TRUE(decode_delta(delta, view));
        const auto checked = check_growth(image, size, view);
        return checked ? Errc{} : checked.error().code;
    };
    RecordImage after = image;
    after.fields["b"] = std::string(200, 'x');
    EXPECT_EQ(refusal(after), Errc::limit_exceeded);
    after.fields.erase("a");
    EXPECT_EQ(refusal(after), Errc{});
}

}  // namespace
}  // namespace understudy::record
