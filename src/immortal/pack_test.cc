// Typed values as MessagePack: what is written can be read, anything else is refused, and the bytes
// are the same as those of the project's own MessagePack codec.
#include "understudy/pack.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/msgpack.h"

namespace understudy {
namespace {

enum class Colour : std::uint8_t { red = 1, blue = 200 };

struct Line {
    std::string item;
    std::int64_t pieces = 0;
    template <class F>
    void fields(F& f) {
        f(item, pieces);
    }
    friend bool operator==(const Line&, const Line&) = default;
};

/// Line, two versions later.
struct LongerLine {
    std::string item;
    std::int64_t pieces = 0;
    std::string note = "none";
    std::vector<int> marks{7};
    template <class F>
    void fields(F& f) {
        f(item, pieces);
        f(note, marks);
    }
};

struct Everything {
    bool truth = false;
    std::uint8_t small = 0;
    std::int64_t number = 0;
    double real = 0;
    Colour colour = Colour::red;
    Duration wait{};
    Epoch epoch;
    std::string text;
    Buffer bytes;
    std::optional<std::string> maybe;
    std::vector<Line> lines;
    std::array<std::uint16_t, 3> three{};
    std::set<std::string> names;
    std::map<std::string, std::vector<std::int64_t>> rows;
    std::pair<std::int32_t, std::string> pair;
    std::tuple<bool, std::uint64_t> tuple;
    template <class F>
    void fields(F& f) {
        f(truth, small, number, real, colour, wait, epoch, text, bytes, maybe, lines, three, names,
          rows, pair, tuple);
    }
    friend bool operator==(const Everything&, const Everything&) = default;
};

template <class T>
[[nodiscard]] Buffer packed_value(const T& value) {
    Buffer out;
    Packer(out).put(value);
    return out;
}

template <class T>
[[nodiscard]] std::optional<T> unpacked(Bytes bytes) {
    Unpacker unpacker(bytes);
    T value{};
    if (!unpacker.take(value) || !unpacker.done()) return std::nullopt;
    return value;
}

[[nodiscard]] Buffer raw(std::initializer_list<int> bytes) {
    Buffer out;
    for (const int byte : bytes) out.push_back(static_cast<std::byte>(byte));
    return out;
}

[[nodiscard]] std::string any_text(Random& random, std::size_t size_max) {
    std::string text(random.below(size_max + 1), 'a');
    for (char& c : text) c = static_cast<char>('a' + random.below(26));
    return text;
}

[[nodiscard]] std::int64_t any_number(Random& random) {
    return static_cast<std::int64_t>(random.next() >> random.below(64)) *
           (random.chance(1, 2) ? 1 : -1);
}

[[nodiscard]] Everything anything(Random& random) {
    Everything made;
    made.truth = random.chance(1, 2);
    made.small = static_cast<std::uint8_t>(random.next());
    made.number = any_number(random);
    made.real = static_cast<double>(any_number(random)) / 3;
    made.colour = random.chance(1, 2) ? Colour::red : Colour::blue;
    made.wait = Duration(any_number(random));
    made.epoch = {random.next()};
    made.text = any_text(random, 300);
    made.bytes.resize(random.below(300), std::byte{0xab});
    if (random.chance(1, 2)) made.maybe = any_text(random, 3);
    for (std::uint64_t i = random.below(20); i > 0; --i) {
        made.lines.push_back({any_text(random, 40), any_number(random)});
        made.names.insert(any_text(random, 40));
        made.rows[any_text(random, 4)].push_back(any_number(random));
    }
    made.three = {1, 300, 0xffff};
    made.pair = {static_cast<std::int32_t>(any_number(random) % 100'000), any_text(random, 5)};
    made.tuple = {random.chance(1, 2), random.next()};
    return made;
}

TEST(Pack, WhatIsWrittenIsRead) {
    Random random(1);
    for (int turn = 0; turn < 500; ++turn) {
        const Everything made = anything(random);
        const Buffer bytes = packed_value(made);
        const auto read = unpacked<Everything>(bytes);
        ASSERT_TRUE(read) << "turn " << turn;
        EXPECT_EQ(*read, made) << "turn " << turn;
        EXPECT_EQ(packed_value(*read), bytes) << "turn " << turn;
    }
}

// Both write only the shortest form, so equal bytes have the same meaning.
TEST(Pack, TheBytesAreThoseOfTheProjectsMessagePack) {
    Random random(2);
    for (int turn = 0; turn < 500; ++turn) {
        const Buffer bytes = packed_value(anything(random));
        const auto tree = wire::decode_msgpack(bytes);
        ASSERT_TRUE(tree) << "turn " << turn << ": " << to_string(tree.error());
        Buffer again;
        ASSERT_TRUE(wire::encode_msgpack(*tree, again));
        EXPECT_EQ(again, bytes) << "turn " << turn;
    }
}

TEST(Pack, EveryCutIsRefused) {
    Random random(3);
    const Buffer bytes = packed_value(anything(random));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(unpacked<Everything>(Bytes(bytes).first(size))) << size;
    }
    Buffer longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(unpacked<Everything>(longer));
}

TEST(Pack, GarbageIsReadOrRefusedAndNothingElse) {
    Random random(4);
    const Buffer sound = packed_value(anything(random));
    for (int turn = 0; turn < 5'000; ++turn) {
        Buffer bytes = sound;
        for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
            bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next());
        }
        if (const auto read = unpacked<Everything>(bytes)) {
            EXPECT_TRUE(unpacked<Everything>(packed_value(*read)));
        }
        Buffer noise(random.below(40));
        for (std::byte& each : noise) each = static_cast<std::byte>(random.next());
        (void)unpacked<Everything>(noise);
        (void)unpacked<std::map<std::string, std::vector<std::optional<double>>>>(noise);
    }
}

template <class Number>
void reads_its_bounds() {
    using Limits = std::numeric_limits<Number>;
    for (const Number number : {Limits::min(), Limits::max(), Number{0}, Number{1}, Number{127}}) {
        EXPECT_EQ(unpacked<Number>(packed_value(number)), number);
    }
}

TEST(Pack, EveryNumberReadsItsBounds) {
    reads_its_bounds<std::int8_t>();
    reads_its_bounds<std::uint8_t>();
    reads_its_bounds<std::int16_t>();
    reads_its_bounds<std::uint16_t>();
    reads_its_bounds<std::int32_t>();
    reads_its_bounds<std::uint32_t>();
    reads_its_bounds<std::int64_t>();
    reads_its_bounds<std::uint64_t>();
    reads_its_bounds<float>();
    reads_its_bounds<double>();
}

TEST(Pack, ANumberThatDoesNotFitIsRefused) {
    EXPECT_FALSE(unpacked<std::uint8_t>(packed_value(256)));
    EXPECT_FALSE(unpacked<std::uint8_t>(packed_value(-1)));
    EXPECT_FALSE(unpacked<std::int8_t>(packed_value(128)));
    EXPECT_FALSE(unpacked<std::int8_t>(packed_value(-129)));
    EXPECT_FALSE(unpacked<std::uint64_t>(packed_value(-1)));
    EXPECT_FALSE(unpacked<std::int64_t>(packed_value(std::uint64_t{1} << 63)));
    EXPECT_FALSE(unpacked<Colour>(packed_value(256)));
    EXPECT_FALSE(unpacked<std::int64_t>(packed_value(1.0)));
    EXPECT_FALSE(unpacked<bool>(packed_value(1)));
    EXPECT_FALSE(unpacked<std::string>(packed_value(Buffer{})));
    EXPECT_FALSE(unpacked<Buffer>(packed_value("")));
    EXPECT_FALSE((unpacked<std::array<int, 2>>(packed_value(std::vector<int>{1, 2, 3}))));
}

// Another writer may not choose the shortest form.
TEST(Pack, LongerFormsAreReadToo) {
    EXPECT_EQ(unpacked<std::uint8_t>(raw({0xcf, 0, 0, 0, 0, 0, 0, 0, 5})), 5);
    EXPECT_EQ(unpacked<std::int8_t>(raw({0xd3, 255, 255, 255, 255, 255, 255, 255, 251})), -5);
    EXPECT_EQ(unpacked<std::uint8_t>(raw({0xd0, 5})), 5);
    EXPECT_EQ(unpacked<std::string>(raw({0xdb, 0, 0, 0, 1, 'x'})), "x");
    EXPECT_EQ(unpacked<std::vector<int>>(raw({0xdd, 0, 0, 0, 1, 9})), std::vector<int>{9});
}

TEST(Pack, ASizeThatTheInputCannotHoldAllocatesNothing) {
    EXPECT_FALSE(unpacked<std::vector<int>>(raw({0xdd, 255, 255, 255, 255, 1})));
    EXPECT_FALSE((unpacked<std::map<int, int>>(raw({0xdf, 255, 255, 255, 255, 1, 1}))));
    EXPECT_FALSE(unpacked<std::string>(raw({0xdb, 255, 255, 255, 255, 'x'})));
    EXPECT_FALSE(unpacked<Buffer>(raw({0xc6, 255, 255, 255, 255, 1})));
}

struct Tree {
    std::vector<Tree> branches;
    template <class F>
    void fields(F& f) {
        f(branches);
    }
};

TEST(Pack, AnInputThatNestsTooDeepIsRefused) {
    const auto nested = [](std::size_t levels) {
        Buffer bytes;
        for (std::size_t i = 0; i < levels; ++i) {
            bytes.push_back(std::byte{0x91});  // The struct, of one field ...
            bytes.push_back(std::byte{0x91});  // ... its branches, of which there is one.
        }
        bytes.push_back(std::byte{0x91});
        bytes.push_back(std::byte{0x90});
        return bytes;
    };
    EXPECT_TRUE(unpacked<Tree>(nested(Unpacker::depth_max / 2 - 1)));
    EXPECT_FALSE(unpacked<Tree>(nested(Unpacker::depth_max / 2)));
    EXPECT_FALSE(unpacked<Tree>(nested(100'000)));
}

TEST(Pack, AStructThatHasGainedFieldsReadsWhatAnOlderOneWrote) {
    const auto read = unpacked<LongerLine>(packed_value(Line{"bolt", 3}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->item, "bolt");
    EXPECT_EQ(read->pieces, 3);
    EXPECT_EQ(read->note, "none");
    EXPECT_EQ(read->marks, std::vector<int>{7});
    EXPECT_FALSE(unpacked<Line>(packed_value(LongerLine{})));
}

}  // namespace
}  // namespace understudy
