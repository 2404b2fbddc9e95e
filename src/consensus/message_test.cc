#include "consensus/message.h"

#include <gtest/gtest.h>

#include "consensus/configuration.h"

namespace understudy::consensus {
namespace {

SharedBytes frame_of(const Message& message) {
    auto owner = std::make_shared<Buffer>();
    encode(message, *owner);
    return {.owner = owner, .bytes = *owner};
}

LogEntry entry(std::uint64_t term, std::string_view body) {
    return {.term = {term},
            .kind = EntryKind::command,
            .body = {.owner = nullptr, .bytes = as_bytes(body)}};
}

AppendRequest append() {
    AppendRequest request;
    request.term = {7};
    request.prev_index = {10};
    request.prev_term = {5};
    request.leader_commit = {9};
    request.entries = {entry(5, "one"), entry(7, ""), entry(7, "three")};
    request.count = 3;
    return request;
}

InstallRequest install() {
    InstallRequest request;
    request.term = {7};
    request.snapshot.index = {100};
    request.snapshot.term = {6};
    request.snapshot.configuration = {{{.id = {1}, .membership = Membership::voter}}};
    request.snapshot.configuration_index = {90};
    request.snapshot.reference = {std::byte{1}, std::byte{2}};
    return request;
}

std::vector<Message> one_of_each() {
    VoteRequest vote;
    vote.term = {8};
    vote.candidate = {3};
    vote.last_index = {200};
    vote.last_term = {7};
    vote.disrupt_leader = true;
    AppendResult result;
    result.term = {7};
    result.rejected = {12};
    result.last_index = {10};
    result.capacity = 300;
    TimeoutNow now;
    now.term = {7};
    now.last_index = {300};
    now.last_term = {7};
    return {vote,      VoteResult{.term = {8}, .granted = true, .pre_vote = true},
            append(),  result,
            install(), now};
}

Errc refusal(const Message& message) {
    const auto checked = check(message);
    return checked ? Errc{} : checked.error().code;
}

TEST(Message, EachComesBackFromItsBytes) {
    for (const Message& message : one_of_each()) {
        const SharedBytes frame = frame_of(message);
        EXPECT_EQ(frame.bytes.size(), encoded_size(message));
        const auto decoded = decode(frame);
        ASSERT_TRUE(decoded) << decoded.error().detail;
        ASSERT_EQ(decoded->index(), message.index());
        const SharedBytes again = frame_of(*decoded);
        EXPECT_TRUE(std::ranges::equal(again.bytes, frame.bytes));
    }
}

TEST(Message, EveryShorterOrLongerFormIsRefused) {
    for (const Message& message : one_of_each()) {
        const SharedBytes frame = frame_of(message);
        for (std::size_t size = 0; size < frame.bytes.size(); ++size) {
            const auto decoded = decode({.owner = nullptr, .bytes = frame.bytes.first(size)});
            ASSERT_FALSE(decoded) << message.index() << " cut to " << size;
            EXPECT_EQ(decoded.error().code, Errc::corrupt);
        }
        Buffer longer(frame.bytes.begin(), frame.bytes.end());
        longer.push_back(std::byte{0});
        EXPECT_FALSE(decode({.owner = nullptr, .bytes = longer})) << message.index();
    }
}

TEST(Message, EntryBodiesStayInTheFrameAndKeepIt) {
    std::weak_ptr<const void> frame_life;
    Message message;
    {
        const SharedBytes frame = frame_of(append());
        frame_life = frame.owner;
        message = decode(frame).value_or_throw();
        const Bytes body = std::get<AppendRequest>(message).entries.at(2).body.bytes;
        EXPECT_EQ(as_text(body), "three");
        EXPECT_GE(body.data(), frame.bytes.data());
        EXPECT_LE(body.data() + body.size(), frame.bytes.data() + frame.bytes.size());
    }
    EXPECT_FALSE(frame_life.expired());
    std::get<AppendRequest>(message).entries.clear();
    EXPECT_TRUE(frame_life.expired());
}

TEST(Message, UnknownKindsAndFlagsAreRefused) {
    for (const Message& message : one_of_each()) {
        const SharedBytes frame = frame_of(message);
        Buffer bytes(frame.bytes.begin(), frame.bytes.end());
        bytes[1] = std::byte{4};
        EXPECT_FALSE(decode({.owner = nullptr, .bytes = bytes}));
        for (const int kind : {0, 7, 255}) {
            bytes[0] = static_cast<std::byte>(kind);
            EXPECT_FALSE(decode({.owner = nullptr, .bytes = bytes}));
        }
    }
}

TEST(Message, ACountThatLiesAllocatesNothing) {
    AppendRequest request = append();
    request.entries.clear();
    request.count = 0;
    const SharedBytes frame = frame_of(request);
    Buffer bytes(frame.bytes.begin(), frame.bytes.end() - 1);
    for (const int byte : {0xff, 0xff, 0x03})
        bytes.push_back(static_cast<std::byte>(byte));  // 65535
    EXPECT_FALSE(decode({.owner = nullptr, .bytes = bytes}));
}

TEST(Message, FieldsThatContradictEachOtherAreRefused) {
    const auto with = [](auto message, auto change) {
        change(message);
        return refusal(message);
    };
    using A = AppendRequest;
    const A good = append();
    EXPECT_EQ(refusal(good), Errc{});
    EXPECT_EQ(with(good, [](A& m) { m.term = {0}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.term = {std::uint64_t{1} << 63}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.prev_term = {0}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.prev_index = {0}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.prev_term = {8}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.count = 2; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.entries[0].term = {0}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.entries[0].term = {4}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.entries[2].term = {8}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.entries[2].kind = EntryKind{9}; }), Errc::corrupt);
    EXPECT_EQ(with(good, [](A& m) { m.entries[2].kind = EntryKind::barrier; }), Errc::corrupt);

    using R = AppendResult;
    EXPECT_EQ(with(R{{1}, {5}, {5}, 0}, [](R&) {}), Errc::corrupt);
    EXPECT_EQ(with(R{{1}, {5}, {4}, 0}, [](R&) {}), Errc{});
    EXPECT_EQ(with(R{{1}, {0}, {4}, 0}, [](R&) {}), Errc{});

    using V = VoteRequest;
    EXPECT_EQ(with(V{{2}, {1}, {3}, {2}}, [](V&) {}), Errc{});
    EXPECT_EQ(with(V{{2}, {0}, {3}, {2}}, [](V&) {}), Errc::corrupt);
    EXPECT_EQ(with(V{{2}, {1}, {3}, {0}}, [](V&) {}), Errc::corrupt);
    EXPECT_EQ(with(V{{2}, {1}, {3}, {3}}, [](V&) {}), Errc::corrupt);

    using I = InstallRequest;
    EXPECT_EQ(with(install(), [](I&) {}), Errc{});
    EXPECT_EQ(with(install(), [](I& m) { m.snapshot.index = {0}; }), Errc::corrupt);
    EXPECT_EQ(with(install(), [](I& m) { m.snapshot.configuration.servers.clear(); }),
              Errc::corrupt);
    EXPECT_EQ(with(install(), [](I& m) { m.snapshot.configuration_index = {101}; }), Errc::corrupt);
    EXPECT_EQ(with(install(), [](I& m) { m.snapshot.reference.resize(reference_size_max + 1); }),
              Errc::limit_exceeded);
}

TEST(Message, AConfigurationTravelsAlone) {
    const Buffer body = encoded({{{.id = {1}, .membership = Membership::voter}}});
    AppendRequest request = append();
    request.entries.resize(1);
    request.entries[0].kind = EntryKind::configuration;
    request.entries[0].body = {.owner = nullptr, .bytes = body};
    request.count = 1;
    EXPECT_EQ(refusal(request), Errc{});
    request.entries.push_back(entry(7, "x"));
    request.count = 2;
    EXPECT_EQ(refusal(request), Errc::corrupt);
    request.entries.resize(1);
    request.count = 1;
    request.entries[0].body.bytes = Bytes(body).first(5);
    EXPECT_EQ(refusal(request), Errc::corrupt);
}

}  // namespace
}  // namespace understudy::consensus
