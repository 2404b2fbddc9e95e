// The frames between an application process and its coordinator: they are encoded as in
// docs/protocols/coordinator.md, and decoded again; invalid ones are refused.
#include "immortal/coordinator_frame.h"

#include <string>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "wire/worked_example_test.h"

namespace understudy::immortal {
namespace {

Buffer example(const std::string& name) {
    return wire::worked_example("../protocols/coordinator.md", name);
}
Buffer copy(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }
Bytes packed_text(std::string_view text) { return as_bytes(text); }

Result<AnyFrame> decode(Bytes whole) {
    return decode_frame(std::to_integer<std::uint8_t>(whole[4]), whole.subspan(5));
}

TEST(CoordinatorFrame, TheWorkedExampleIsWhatIsSentAndUnderstood) {
    const std::vector<std::pair<std::string, AnyFrame>> said = {
        {"hello", HelloFrame{.service = "server", .application = "hello.py", .versions = {1, 3}}},
        {"welcome", WelcomeFrame{.service = "server", .member = "server-1"}},
        {"start", Input{.position = {1},
                        .kind = InputKind::start,
                        .id = 3,
                        .wall_ms = 1'700'000'000'000,
                        .random = 0x0102030405060708}},
        {"call", Input{.position = {2},
                       .kind = InputKind::call,
                       .source = "client",
                       .id = 7,
                       .name = "greet",
                       .body = packed_text("\x91\xa3Joe"),
                       .time = 250ms,
                       .wall_ms = 1'700'000'000'250,
                       .random = 0x1112131415161718}},
        {"reply",
         Output{.kind = OutputKind::reply, .to = "client", .id = 7, .body = packed_text("\x01")}},
        {"timer", Output{.kind = OutputKind::timer, .id = 8, .due = 5250ms}},
        {"performed", PerformedFrame{{2}}},
        {"take_image", TakeImageFrame{{2}}},
        {"image", ImageFrame{.at = {2}, .last = true, .piece = packed_text("\x81\xa3Joe\x01")}},
        {"restore", RestoreFrame{.first = true,
                                 .last = true,
                                 .version = 3,
                                 .position = {2},
                                 .piece = packed_text("\x81\xa3Joe\x01")}},
        {"restored", RestoredFrame{{2}}},
        {"role", RoleFrame{.role = Role::active, .epoch = {5}}},
        {"impulse", ImpulseFrame{.id = 1,
                                 .name = "greet",
                                 .arguments = packed_text("\x91\xa3"
                                                          "Ann")}},
        {"done",
         DoneFrame{.id = 1,
                   .error = Error{.code = Errc::not_active, .detail = "server-1 is standby"}}},
        {"upgrade", UpgradeFrame{.id = 2, .version = 3}},
        {"broken", BrokenFrame{{.code = Errc::failed, .detail = "no table"}}},
        {"end", EndFrame{{.code = Errc::closed, .detail = "the coordinator ends"}}},
    };
    for (const auto& [name, frame] : said) {
        const Buffer shown = example(name);
        EXPECT_EQ(encode_frame(frame), shown) << name;
        const auto understood = decode(shown);
        ASSERT_TRUE(understood) << name;
        EXPECT_EQ(understood->index(), frame.index()) << name;
        EXPECT_EQ(encode_frame(*understood), shown) << name;
    }
}

TEST(CoordinatorFrame, EveryPrefixAndEveryLongerOneIsRefusedOrAnotherFrame) {
    for (const char* const name : {"hello", "welcome", "call", "reply", "role", "done", "restore",
                                   "image", "impulse", "upgrade", "performed", "end", "broken"}) {
        const Buffer whole = example(name);
        for (std::size_t size = 5; size < whole.size(); ++size) {
            const auto cut = decode(Bytes(whole).first(size));
            if (cut) {  // Only a frame with a rest may be shorter.
                EXPECT_EQ(encode_frame(*cut).size(), size) << name;
            } else {
                EXPECT_EQ(cut.error().code, Errc::corrupt) << name;
            }
        }
    }
}

TEST(CoordinatorFrame, NumbersOutOfRangeAreRefused) {
    const auto changed = [](const char* name, std::size_t at, int value) {
        Buffer frame = example(name);
        frame[at] = static_cast<std::byte>(value);
        return decode(frame);
    };
    EXPECT_FALSE(changed("hello", 5, 'u'));      // magic
    EXPECT_FALSE(changed("welcome", 7, 3));      // mode
    EXPECT_FALSE(changed("call", 13, 6));        // kind
    EXPECT_FALSE(changed("call", 14, 2));        // flags
    EXPECT_FALSE(changed("call", 30, 0x80));     // time beyond 63 bits
    EXPECT_FALSE(changed("role", 5, 4));         // role
    EXPECT_FALSE(changed("reply", 5, 0));        // kind
    EXPECT_FALSE(changed("restore", 5, 4));      // flags
    EXPECT_FALSE(changed("image", 13, 1));       // flags
    EXPECT_FALSE(changed("done", 15, 2));        // effect
    EXPECT_FALSE(changed("done", 13, 0));        // a reason without an error
    EXPECT_FALSE(changed("call", 4, 99));        // type
    // without a receiver
    EXPECT_FALSE(decode(encode_frame(Output{.kind = OutputKind::call, .id = 1})));
    Buffer versions = example("hello");
    versions[versions.size() - 4] = std::byte{1};  // Not ascending.
    EXPECT_FALSE(decode(versions));
}

// Random bytes are not a frame, or one that is encoded to the same bytes.
TEST(CoordinatorFrame, WhateverIsUnderstoodIsWhatWasSent) {
    Random random(4);
    int understood = 0;
    for (int round = 0; round < 200'000; ++round) {
        Buffer frame(5 + random.below(60));
        for (std::byte& byte : frame) {
            byte = random.below(2) == 0 ? std::byte{0} : static_cast<std::byte>(random.below(256));
        }
        const std::uint8_t type = static_cast<std::uint8_t>(
            random.below(2) == 0 ? 1 + random.below(7) : 65 + random.below(8));
        const auto decoded = decode_frame(type, Bytes(frame).subspan(5));
        if (!decoded) continue;
        ++understood;
        EXPECT_EQ(copy(Bytes(encode_frame(*decoded)).subspan(5)), copy(Bytes(frame).subspan(5)));
    }
    EXPECT_GT(understood, 100);
}

TEST(CoordinatorFrame, ErrorsThatAreTooLongOrNoTextAreCut) {
    const auto sent = [](std::string detail) {
        const auto frame =
            decode(encode_frame(EndFrame{{.code = Errc::failed, .detail = std::move(detail)}}));
        return frame ? std::get<EndFrame>(*frame).reason.detail : std::string("refused");
    };
    EXPECT_EQ(sent(std::string(5000, 'x')), std::string(1024, 'x'));
    EXPECT_EQ(sent("good \xff bad"), "good ");
    EXPECT_EQ(sent(std::string(1023, 'x') + "\xc3\xa4"), std::string(1023, 'x'));
}

TEST(FrameStream, FramesComeWholeHoweverTheyWereCut) {
    Buffer all;
    for (const char* const name : {"welcome", "start", "call", "take_image"}) {
        const Buffer one = example(name);
        all.insert(all.end(), one.begin(), one.end());
    }
    for (std::size_t step = 1; step < all.size(); step += 7) {
        FrameStream stream;
        Buffer seen;
        for (std::size_t at = 0; at < all.size(); at += step) {
            stream.received(Bytes(all).subspan(at, std::min(step, all.size() - at)));
            while (true) {
                const auto raw = stream.next(frame_size_max);
                ASSERT_TRUE(raw);
                if (!*raw) break;
                put_frame(*decode_frame((*raw)->type, (*raw)->body), seen);
            }
        }
        EXPECT_EQ(seen, all) << "in steps of " << step;
        EXPECT_EQ(stream.waiting_bytes(), 0u);
    }
}

TEST(FrameStream, LengthsAreJudgedBeforeTheFrameIsThere) {
    const auto first = [](std::uint32_t length, std::size_t size_max) {
        Buffer bytes;
        ByteWriter(bytes).fixed(length);
        FrameStream stream;
        stream.received(bytes);
        const auto raw = stream.next(size_max);
        return raw ? Errc{} : raw.error().code;
    };
    EXPECT_EQ(first(0, frame_size_max), Errc::corrupt);
    EXPECT_EQ(first(frame_size_max, frame_size_max), Errc{});
    EXPECT_EQ(first(frame_size_max + 1, frame_size_max), Errc::limit_exceeded);
    EXPECT_EQ(first(hello_frame_size_max + 1, hello_frame_size_max), Errc::limit_exceeded);
}

}  // namespace
}  // namespace understudy::immortal
