#include "session/table.h"

#include <map>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::session {
namespace {

constexpr Limits small = {.sessions_max = 4,
                          .replies_max = 5,
                          .bytes_max = 1000,
                          .idle_max = 100ms,
                          .reply_age_max = 40ms};

/// Carries out a request as a replica does. Returns the answer, or why there is none.
std::string carry_out(Table& table, const Request& request, std::string_view reply,
                      Duration time = {}) {
    const Finding found = table.begin(request, time);
    switch (found.known) {
        case Known::fresh:
            table.finish(request, as_bytes(reply), time);
            return std::string(reply);
        case Known::answered:
            return std::string(as_text(found.reply));
        case Known::abandoned:
            return "abandoned";
        case Known::forgotten:
            return "forgotten";
        case Known::no_session:
            return "no session";
    }
    return "";
}

/// A table restored from an image in pieces of about `bytes_about`.
Result<void> copy(const Table& from, Table& to, std::size_t bytes_about = 64) {
    const auto image = from.image();
    bool first = true;
    for (bool more = true; more; first = false) {
        Buffer piece;
        more = image->next(piece, bytes_about);
        US_CHECK(to.restore_piece(piece, first));
    }
    return {};
}

TEST(SessionTable, AnUnknownSessionIsNeverServed) {
    Table table;
    EXPECT_EQ(carry_out(table, {.session = {1}, .number = {1}}, "x"), "no session");
    EXPECT_EQ(table.sessions(), 0U);
}

TEST(SessionTable, ARequestIsCarriedOutOnce) {
    Table table;
    const Request request{.session = table.open({}), .number = {1}};
    EXPECT_EQ(carry_out(table, request, "one"), "one");
    EXPECT_EQ(carry_out(table, request, "two"), "one");
    EXPECT_EQ(table.find(request).known, Known::answered);
}

TEST(SessionTable, NumbersMayComeInAnyOrder) {
    Table table;
    const SessionId session = table.open({});
    for (const std::uint64_t number : {5U, 2U, 9U, 3U}) {
        EXPECT_EQ(
            carry_out(table, {.session = session, .number = {number}}, std::to_string(number)),
            std::to_string(number));
    }
    for (const std::uint64_t number : {2U, 3U, 5U, 9U}) {
        EXPECT_EQ(carry_out(table, {.session = session, .number = {number}}, "again"),
                  std::to_string(number));
    }
    table.check_invariants();
}

TEST(SessionTable, NumberZeroIsNoRequest) {
    Table table;
    EXPECT_EQ(carry_out(table, {.session = table.open({}), .number = {}}, "x"), "forgotten");
}

TEST(SessionTable, WhatTheClientHasTheAnswersToIsForgotten) {
    Table table;
    const SessionId session = table.open({});
    for (std::uint64_t i = 1; i <= 3; ++i) {
        (void)carry_out(table, {.session = session, .number = {i}}, "x");
    }
    (void)carry_out(table, {.session = session, .number = {4}, .answered = {2}}, "x");
    EXPECT_EQ(carry_out(table, {.session = session, .number = {2}}, "again"), "forgotten");
    EXPECT_EQ(carry_out(table, {.session = session, .number = {3}}, "again"), "x");
    EXPECT_EQ(table.bytes(), 2 * Table::reply_cost(1));
}

TEST(SessionTable, BelowTheWindowNothingIsCarriedOutEvenIfItNeverWas) {
    Table table(small);
    const SessionId session = table.open({});
    for (std::uint64_t i = 2; i <= 7; ++i) {
        (void)carry_out(table, {.session = session, .number = {i}}, "x");
    }
    EXPECT_EQ(carry_out(table, {.session = session, .number = {1}}, "never"), "forgotten");
    EXPECT_EQ(carry_out(table, {.session = session, .number = {2}}, "again"), "forgotten");
    EXPECT_EQ(carry_out(table, {.session = session, .number = {3}}, "again"), "x");
}

TEST(SessionTable, AReplyThatIsTooOldIsForgotten) {
    Table table(small);
    const SessionId session = table.open({});
    (void)carry_out(table, {.session = session, .number = {1}}, "x", 0ms);
    EXPECT_EQ(carry_out(table, {.session = session, .number = {1}}, "again", 40ms), "x");
    EXPECT_EQ(carry_out(table, {.session = session, .number = {1}}, "again", 41ms), "forgotten");
}

TEST(SessionTable, AnIdleSessionEndsAndItsIdIsNeverGivenAgain) {
    Table table(small);
    const SessionId idle = table.open(0ms);
    const SessionId used = table.open(0ms);
    (void)carry_out(table, {.session = used, .number = {1}}, "x", 100ms);
    EXPECT_EQ(table.sessions(), 2U);
    (void)carry_out(table, {.session = used, .number = {2}}, "x", 101ms);
    EXPECT_EQ(table.sessions(), 1U);
    EXPECT_EQ(carry_out(table, {.session = idle, .number = {1}}, "x", 102ms), "no session");
    EXPECT_GT(table.open(103ms), used);
}

TEST(SessionTable, OneSessionTooManyEndsTheOneLongestUnused) {
    Table table(small);
    const SessionId first = table.open(0ms);
    const SessionId second = table.open(0ms);
    (void)table.open(0ms);
    (void)table.open(0ms);
    (void)carry_out(table, {.session = first, .number = {1}}, "x", 1ms);
    (void)table.open(1ms);
    EXPECT_EQ(table.find({.session = second, .number = {1}}).known, Known::no_session);
    EXPECT_EQ(table.find({.session = first, .number = {1}}).known, Known::answered);
}

TEST(SessionTable, BytesAreBounded) {
    Table table(small);
    const SessionId quiet = table.open({});
    const SessionId busy = table.open({});
    (void)carry_out(table, {.session = quiet, .number = {1}}, std::string(400, 'q'));
    (void)carry_out(table, {.session = busy, .number = {1}}, std::string(400, 'b'));
    (void)carry_out(table, {.session = busy, .number = {2}}, std::string(400, 'b'));
    EXPECT_EQ(table.find({.session = quiet, .number = {1}}).known, Known::no_session);
    EXPECT_EQ(carry_out(table, {.session = busy, .number = {3}}, std::string(900, 'b')),
              std::string(900, 'b'));
    EXPECT_EQ(table.find({.session = busy, .number = {2}}).known, Known::forgotten);
    EXPECT_EQ(carry_out(table, {.session = busy, .number = {4}}, std::string(2000, 'b')),
              std::string(2000, 'b'));
    EXPECT_EQ(carry_out(table, {.session = busy, .number = {4}}, "again"), "forgotten");
    table.check_invariants();
}

TEST(SessionTable, AnAbandonedRequestIsNeverCarriedOut) {
    Table table;
    const Request request{.session = table.open({}), .number = {1}};
    EXPECT_EQ(table.abandon(request, {}).known, Known::abandoned);
    EXPECT_EQ(carry_out(table, request, "x"), "abandoned");
    EXPECT_EQ(table.abandon(request, {}).known, Known::abandoned);
}

TEST(SessionTable, ACarriedOutRequestCannotBeAbandoned) {
    Table table;
    const Request request{.session = table.open({}), .number = {1}};
    (void)carry_out(table, request, "reply");
    const Finding found = table.abandon(request, {});
    EXPECT_EQ(found.known, Known::answered);
    EXPECT_EQ(as_text(found.reply), "reply");
}

TEST(SessionTable, AnImageIsTheTableAsItWas) {
    Table table;
    std::vector<SessionId> sessions;
    for (int i = 0; i < 20; ++i) sessions.push_back(table.open({}));
    for (const SessionId session : sessions) {
        (void)carry_out(table, {.session = session, .number = {1}}, "before");
    }
    const std::uint64_t hash = table.hash();
    const auto image = table.image();
    Table copied;
    bool first = true;
    for (bool more = true; more; first = false) {
        Buffer piece;
        more = image->next(piece, 30);
        ASSERT_TRUE(copied.restore_piece(piece, first));
        (void)carry_out(table, {.session = sessions[7], .number = {99}}, "after");
        (void)carry_out(table, {.session = sessions[19], .number = {2}}, "after");
        table.close(sessions[18]);
    }
    EXPECT_EQ(copied.hash(), hash);
    EXPECT_NE(table.hash(), hash);
    copied.check_invariants();
}

TEST(SessionTable, EveryPrefixAndEveryFlippedByteOfAnImageIsRefusedOrHarmless) {
    Table table(small);
    for (int i = 0; i < 3; ++i) {
        const SessionId session = table.open(1ms * i);
        (void)carry_out(table, {.session = session, .number = {3}}, "reply", 1ms * i);
        (void)table.abandon({.session = session, .number = {4}}, 1ms * i);
    }
    Buffer whole;
    ASSERT_FALSE(table.image()->next(whole, 1 * MiB));
    for (std::size_t length = 1; length < whole.size(); ++length) {
        Table copied(small);
        (void)copied.restore_piece(Bytes(whole).first(length), true);
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int flip : {1, 0x80, 0xff}) {
            Buffer bent = whole;
            bent[at] ^= static_cast<std::byte>(flip);
            Table copied(small);
            if (copied.restore_piece(bent, true)) copied.check_invariants();
        }
    }
    Table bounded({.sessions_max = 2});
    EXPECT_EQ(bounded.restore_piece(whole, true).error().code, Errc::corrupt);
}

/// The model: it forgets nothing, and knows every request that was ever carried out.
struct Truth {
    std::set<std::pair<SessionId, RequestNo>> carried_out;
    std::map<std::pair<SessionId, RequestNo>, std::string> replies;
};

// In any order of events, and across images taken at any moment, no request is carried out twice,
// and each reply is the one of that execution.
TEST(SessionTable, NothingIsEverCarriedOutTwice) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Random random(seed);
        auto table = std::make_unique<Table>(small);
        Truth truth;
        std::vector<SessionId> sessions;
        Duration time{};
        std::uint64_t executions = 0;
        for (int step = 0; step < 600; ++step) {
            if (random.chance(1, 4)) time += 1ms * static_cast<int>(random.below(20));
            if (sessions.empty() || random.chance(1, 15)) sessions.push_back(table->open(time));
            const Request request{.session = sessions[random.below(sessions.size())],
                                  .number = {random.below(30)},
                                  .answered = {random.chance(1, 20) ? random.below(10) : 0}};
            const auto key = std::pair(request.session, request.number);
            switch (random.below(12)) {
                case 0:
                    if (table->abandon(request, time).known == Known::abandoned) {
                        ASSERT_FALSE(truth.carried_out.contains(key)) << "seed " << seed;
                    }
                    break;
                case 1: {
                    auto copied = std::make_unique<Table>(small);
                    ASSERT_TRUE(copy(*table, *copied, 1 + random.below(200)));
                    ASSERT_EQ(copied->hash(), table->hash()) << "seed " << seed;
                    table = std::move(copied);
                    break;
                }
                case 2:
                    if (random.chance(1, 8)) table->close(request.session);
                    break;
                default: {
                    const Finding found = table->begin(request, time);
                    if (found.known == Known::fresh) {
                        ASSERT_TRUE(truth.carried_out.insert(key).second)
                            << "twice, seed " << seed << ", step " << step;
                        truth.replies[key] = std::to_string(++executions);
                        table->finish(request, as_bytes(truth.replies[key]), time);
                    } else if (found.known == Known::answered) {
                        ASSERT_EQ(as_text(found.reply), truth.replies[key]) << "seed " << seed;
                    }
                }
            }
            table->check_invariants();
        }
        EXPECT_GT(executions, 50U);
    }
}

}  // namespace
}  // namespace understudy::session
