#include "immortal/machine.h"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "immortal/fake_application_test.h"

namespace understudy::immortal {
namespace {

/// A machine, its application, and the calls to its owner.
class Copy final : public Machine::Observer {
public:
    explicit Copy(const std::string& name, bool immediate = true)
        : application(immediate), machine(name, application, *this) {}

    Buffer apply(const AnyCommand& command) { return apply_bytes(encode(command)); }
    Buffer apply_bytes(const Buffer& body) {
        Buffer reply;
        index = index.next();
        machine.apply({.index = index, .time = now, .body = body}, reply);
        return reply;
    }
    void start() { apply(StartCommand{.instance = 11, .seed = 5, .wall_ms = 1, .version = 2}); }
    std::string impulse(const std::string& name, const std::string& arguments = "") {
        const Buffer reply =
            apply(ImpulseCommand{.wall_ms = 1, .name = name, .arguments = as_bytes(arguments)});
        return reply.empty() ? "" : std::string(as_text(reply).substr(1));
    }
    void receive(const std::string& from, std::uint64_t first,
                 std::initializer_list<Message> messages, std::uint64_t instance = 7) {
        Buffer stream;
        for (const Message& message : messages) encode(message, stream);
        apply(ReceiveCommand{.source = from,
                             .instance = instance,
                             .wall_ms = 2,
                             .batch = {{first}, messages.size(), stream}});
    }
    void confirm(const std::string& peer, std::uint64_t upto, std::uint64_t instance = 7) {
        apply(ConfirmCommand{.rows = {{.peer = peer, .instance = instance, .upto = {upto}}}});
    }

    void output_ready(const std::string& peer) override { ready.push_back(peer); }
    void input_durable(const std::string& peer, MessageNo upto) override { durable[peer] = upto; }
    void timers_changed() override { ++timer_changes; }
    void image_ready() override { ++images; }
    void broken(const Error& error) override { failure = error; }

    FakeApplication application;
    Machine machine;
    Index index;
    Duration now{};
    std::vector<std::string> ready;
    std::map<std::string, MessageNo> durable;
    int timer_changes = 0;
    int images = 0;
    std::optional<Error> failure;
};

const Message add_one{.kind = MessageKind::one_way, .name = "add", .body = as_bytes("1")};
const Message add_asked{.kind = MessageKind::call, .id = 40, .name = "add", .body = as_bytes("5")};

/// The messages that `copy` has made for `peer` after `confirmed`.
std::vector<std::pair<MessageKind, std::string>> made(Copy& copy, const std::string& peer) {
    std::vector<std::pair<MessageKind, std::string>> found;
    const Peer* known = copy.machine.find(peer);
    if (known == nullptr) return found;
    MessageNo from = known->out.confirmed().next();
    while (const auto chunk = copy.machine.chunk(peer, from)) {
        ByteReader in(chunk->messages);
        MessageNo number = chunk->first;
        for (; number <= chunk->last(); number = number.next()) {
            const auto message = decode_message(in);
            if (number >= from) found.emplace_back(message->kind, as_text(message->body));
        }
        from = number;
    }
    return found;
}

/// Carries the state of `from` to `to` by a checkpoint, in pieces of that size.
void carry_over(Copy& from, Copy& to, std::size_t piece_bytes = 100) {
    const auto snapshot = from.machine.begin_snapshot();
    PiecePlace place{.first = true};
    while (!place.last) {
        Buffer piece;
        place.last = !snapshot->next(piece, piece_bytes);
        ASSERT_TRUE(to.machine.restore_piece(piece, place));
        place.first = false;
    }
    to.now = from.now;
    to.index = from.index;
}

TEST(Machine, NothingHappensBeforeTheStart) {
    Copy copy("server");
    copy.impulse("add", "3");
    copy.receive("client", 1, {add_one});
    EXPECT_FALSE(copy.machine.started());
    EXPECT_FALSE(copy.machine.greet("client", 7));
    EXPECT_TRUE(copy.application.told.empty());
    copy.start();
    EXPECT_TRUE(copy.machine.started());
    EXPECT_EQ(copy.application.version(), 2u);
    copy.apply(StartCommand{.instance = 12, .seed = 6, .wall_ms = 1, .version = 3});
    EXPECT_EQ(copy.machine.instance(), 11u);
    EXPECT_EQ(copy.machine.position(), Position{1});
}

TEST(Machine, AnImpulseIsAnsweredWithWhatItReturned) {
    Copy copy("server");
    copy.start();
    EXPECT_EQ(copy.impulse("add", "3"), "3");
    EXPECT_EQ(copy.impulse("add", "4"), "7");
    const Buffer refused = copy.apply(ImpulseCommand{.wall_ms = 1, .name = "refuse"});
    ASSERT_FALSE(refused.empty());
    EXPECT_EQ(refused.front(), std::byte{1});
}

TEST(Machine, EachMessageOfAStreamIsCarriedOutOnce) {
    Copy copy("server");
    copy.start();
    copy.receive("client", 1, {add_one, add_one});
    copy.receive("client", 1, {add_one, add_one, add_one});  // The third is new.
    copy.receive("client", 2, {add_one});
    EXPECT_EQ(copy.application.total, 3u);
    EXPECT_EQ(copy.durable["client"], MessageNo{3});
    copy.receive("client", 5, {add_one});  // A gap: nothing of it is accepted.
    EXPECT_EQ(copy.application.total, 3u);
    EXPECT_EQ(copy.durable["client"], MessageNo{3});
    copy.receive("client", 4, {add_one});
    EXPECT_EQ(copy.application.total, 4u);
}

TEST(Machine, RepliesAreNumberedWithAllElseForThatPeer) {
    Copy copy("server");
    copy.start();
    copy.receive("client", 1, {add_asked});
    copy.impulse("tell", "client");
    EXPECT_EQ(made(copy, "client"), (std::vector<std::pair<MessageKind, std::string>>{
                                        {MessageKind::reply, "5"}, {MessageKind::one_way, "1"}}));
    EXPECT_EQ(copy.ready, (std::vector<std::string>{"client", "client"}));
    copy.confirm("client", 1);
    EXPECT_EQ(made(copy, "client"),
              (std::vector<std::pair<MessageKind, std::string>>{{MessageKind::one_way, "1"}}));
}

TEST(Machine, APeerThatWasMadeAnewIsNotTakenForTheOld) {
    Copy copy("server");
    copy.start();
    copy.receive("client", 1, {add_one}, 7);
    EXPECT_EQ(*copy.machine.greet("client", 7), MessageNo{1});
    EXPECT_EQ(copy.machine.greet("client", 8).error().code, Errc::refused);
    copy.receive("client", 1, {add_one}, 8);
    EXPECT_EQ(copy.application.total, 1u);
    copy.impulse("tell", "client");
    copy.confirm("client", 1, 8);
    EXPECT_EQ(made(copy, "client").size(), 1u) << "another instance trimmed messages";
    copy.apply(ForgetCommand{.peer = "client"});
    EXPECT_TRUE(copy.machine.greet("client", 8));
    copy.receive("client", 1, {add_one}, 8);
    EXPECT_EQ(copy.application.total, 2u);
}

TEST(Machine, AConfirmationOfWhatWasNeverMadeEndsTheCopy) {
    Copy copy("server");
    copy.start();
    copy.impulse("tell", "client");
    copy.confirm("client", 2);
    ASSERT_TRUE(copy.failure);
    EXPECT_EQ(copy.failure->code, Errc::corrupt);
    copy.impulse("add", "1");
    EXPECT_EQ(copy.application.total, 0u) << "it went on";
}

TEST(Machine, WhatItTellsItselfIsConfirmedWhenItIsTaken) {
    Copy copy("server");
    copy.start();
    copy.impulse("ask", "server");
    const auto chunk = copy.machine.chunk("server", {1});
    ASSERT_TRUE(chunk);
    ASSERT_TRUE(copy.machine.greet("server", 11));
    copy.apply(ReceiveCommand{.source = "server",
                              .instance = 11,
                              .wall_ms = 1,
                              .batch = {chunk->first, chunk->count, chunk->messages}});
    EXPECT_EQ(copy.application.total, 1u);
    EXPECT_EQ(made(copy, "server"),
              (std::vector<std::pair<MessageKind, std::string>>{{MessageKind::reply, "1"}}));
}

TEST(Machine, TimersAreDueInTheTimeOfTheServiceAndFireOnce) {
    Copy copy("server");
    copy.start();
    copy.now = 10ms;
    copy.impulse("wait", "50");
    copy.impulse("wait", "20");
    EXPECT_EQ(copy.machine.next_due(), Duration(30ms));
    EXPECT_TRUE(copy.machine.due(29ms).empty());
    EXPECT_EQ(copy.machine.due(60ms), (std::vector<std::uint64_t>{2, 1}));
    copy.apply(FireCommand{.wall_ms = 1, .timers = {2}});
    EXPECT_EQ(copy.application.total, 100u);
    EXPECT_EQ(copy.machine.due(60ms), (std::vector<std::uint64_t>{1}));
    copy.impulse("stop", "1");
    EXPECT_FALSE(copy.machine.next_due());
    EXPECT_EQ(copy.timer_changes, 4);
}

TEST(Machine, ClientsThatAreNotHeardForAnHourAreForgotten) {
    Copy copy("server");
    copy.start();
    copy.receive("~1", 1, {add_asked});
    copy.now = 59min;
    copy.receive("~2", 1, {add_asked});
    copy.receive("client", 1, {add_asked});
    copy.now = 62min;
    copy.impulse("add", "1");
    EXPECT_EQ(copy.machine.find("~1"), nullptr);
    EXPECT_NE(copy.machine.find("~2"), nullptr);
    copy.now = 200min;
    copy.impulse("add", "1");
    EXPECT_EQ(copy.machine.find("~2"), nullptr);
    EXPECT_NE(copy.machine.find("client"), nullptr) << "an immortal is for good";
}

TEST(Machine, GarbageInTheJournalChangesNothing) {
    Copy copy("server");
    copy.start();
    const std::uint64_t before = copy.machine.hash();
    for (int kind = 0; kind < 256; ++kind) {
        copy.apply_bytes({static_cast<std::byte>(kind), std::byte{0xff}, std::byte{3}});
    }
    copy.apply_bytes({});
    EXPECT_EQ(copy.machine.hash(), before);
}

/// The same history for each test of checkpoints.
void live(Copy& copy, int from, int to) {
    for (int i = from; i < to; ++i) {
        copy.now = i * 7ms;
        copy.impulse("add", std::to_string(i));
        copy.impulse(i % 2 == 0 ? "ask" : "tell", i % 3 == 0 ? "bank" : "client");
        if (i % 4 == 0) copy.impulse("wait", std::to_string(i));
        copy.receive("client", static_cast<std::uint64_t>(i) + 1, {add_asked});
        if (i % 5 == 4) copy.confirm("client", static_cast<std::uint64_t>(i / 2));
        if (i % 9 == 8) {
            copy.apply(FireCommand{.wall_ms = 1, .timers = copy.machine.due(copy.now)});
        }
    }
}

TEST(Machine, AReplayMakesTheSameFromEveryCheckpoint) {
    Copy whole("server");
    whole.start();
    live(whole, 0, 60);
    for (int at = 0; at <= 60; at += 3) {
        Copy first("server");
        first.start();
        live(first, 0, at);
        Copy second("server");
        carry_over(first, second);
        EXPECT_EQ(second.machine.hash(), first.machine.hash()) << at;
        live(second, at, 60);
        EXPECT_EQ(second.machine.hash(), whole.machine.hash()) << at;
        EXPECT_EQ(made(second, "client"), made(whole, "client")) << at;
        EXPECT_EQ(made(second, "bank"), made(whole, "bank")) << at;
    }
}

TEST(Machine, AnImageShowsWhatWasWhateverComesMeanwhile) {
    Copy first("server");
    first.start();
    live(first, 0, 20);
    const std::uint64_t then = first.machine.hash();
    const auto snapshot = first.machine.begin_snapshot();
    live(first, 20, 40);
    Copy second("server");
    PiecePlace place{.first = true};
    while (!place.last) {
        Buffer piece;
        place.last = !snapshot->next(piece, 64);
        ASSERT_TRUE(second.machine.restore_piece(piece, place));
        place.first = false;
    }
    EXPECT_EQ(second.machine.hash(), then);
}

TEST(Machine, ADamagedCheckpointIsRefusedAndNeverCrashes) {
    Copy first("server");
    first.start();
    live(first, 0, 9);
    const auto snapshot = first.machine.begin_snapshot();
    Buffer piece;
    ASSERT_TRUE(snapshot->next(piece, 100));
    for (std::size_t size = 0; size < piece.size(); ++size) {
        Copy second("server");
        EXPECT_FALSE(
            second.machine.restore_piece(Bytes(piece).first(size), {.first = true, .last = false}));
    }
    Copy second("server");
    EXPECT_FALSE(second.machine.restore_piece(piece, {.first = false, .last = false}));
}

// --- An application that lags --------------------------------------------------------------------

TEST(LaggingMachine, MakesTheSameAsAnImmediateOne) {
    Copy immediate("server");
    Copy lagging("server", false);
    for (Copy* copy : {&immediate, &lagging}) {
        copy->start();
        for (int i = 0; i < 30; ++i) {
            copy->impulse("add", "2");
            copy->impulse("tell", "client");
            copy->receive("client", static_cast<std::uint64_t>(i) + 1, {add_asked});
            if (i % 5 == 0) copy->application.work(7);
        }
        copy->application.work();
    }
    EXPECT_EQ(lagging.application.total, immediate.application.total);
    EXPECT_EQ(lagging.application.randoms, immediate.application.randoms);
    EXPECT_EQ(made(lagging, "client"), made(immediate, "client"));
    EXPECT_EQ(lagging.machine.performed(), lagging.machine.position());
}

TEST(LaggingMachine, IsRestoredAsItsImageAndWhatItWasToldSince) {
    Copy whole("server", false);
    whole.start();
    Copy first("server", false);
    first.start();
    for (Copy* copy : {&whole, &first}) {
        copy->impulse("add", "2");
        copy->impulse("tell", "client");
        copy->impulse("wait", "5");
    }
    first.application.work(2);
    first.machine.want_image();
    first.receive("client", 1, {add_asked});
    whole.receive("client", 1, {add_asked});
    EXPECT_FALSE(first.machine.has_image());
    first.application.work();
    ASSERT_EQ(first.images, 1);
    first.impulse("tell",
                  "client");  // It is an input, but not carried out when the checkpoint is taken.
    whole.impulse("tell", "client");

    Copy second("server", false);
    carry_over(first, second, 30);
    first.machine.drop_image();
    EXPECT_EQ(second.machine.hash(), first.machine.hash());
    for (Copy* copy : {&whole, &first, &second}) {
        copy->now = 50ms;
        copy->application.work();
        copy->apply(FireCommand{.wall_ms = 1, .timers = copy->machine.due(copy->now)});
        copy->impulse("ask", "client");
        copy->application.work();
        EXPECT_EQ(copy->application.total, 107u);
        EXPECT_EQ(made(*copy, "client"), made(whole, "client"));
    }
}

TEST(LaggingMachine, ATimerThatFiredBeforeItWasStartedDoesNotFireAgain) {
    Copy copy("server", false);
    copy.start();
    copy.impulse("wait", "5");
    // The decision of a member whose application was faster.
    copy.apply(FireCommand{.wall_ms = 1, .timers = {1}});
    copy.application.work();
    EXPECT_EQ(copy.application.total, 100u);
    EXPECT_FALSE(copy.machine.next_due());
}

TEST(LaggingMachine, WhatWasConfirmedBeforeItWasMadeAgainIsNotSentAgain) {
    Copy copy("server", false);
    copy.start();
    copy.impulse("tell", "client");
    copy.impulse("tell", "client");
    copy.confirm("client", 1);
    copy.application.work();
    EXPECT_EQ(made(copy, "client").size(), 1u);
    EXPECT_FALSE(copy.failure);
}

}  // namespace
}  // namespace understudy::immortal
