// An application in another process gets the same inputs as a linked one and has the same outputs.
// If it violates the protocol or stalls, its connection ends.
#include "immortal/remote.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "immortal/application_port.h"
#include "immortal/coordinator_client.h"
#include "immortal/fake_application_test.h"
#include "immortal/machine.h"
#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::immortal {
namespace {

const Address by_port{"h", 7000};
const Address by_path{"/run/server.sock", 0};

/// The calls to a machine, as text.
class HeardStage final : public Stage {
public:
    void output(const Output& output) override {
        lines.push_back(std::to_string(static_cast<int>(output.kind)) + " " +
                        std::string(output.to) + "/" + std::to_string(output.id) + " " +
                        std::string(output.name) + " " + std::string(as_text(output.body)));
    }
    void performed(Position upto) override { performed_upto = upto; }
    void imaged(Position at, std::shared_ptr<const Buffer> its_image) override {
        image_at = at;
        image = std::move(its_image);
        EXPECT_EQ(performed_upto, at);
    }
    void broken(const Error& error) override {
        EXPECT_FALSE(end) << "told twice";
        end = error;
    }

    std::vector<std::string> lines;
    Position performed_upto;
    Position image_at;
    std::shared_ptr<const Buffer> image;
    std::optional<Error> end;
};

/// A coordinator without a journal: the test provides the inputs.
class Desk final : public RemoteApplication::Owner {
public:
    Desk(Runtime& runtime, Log& log, const Address& place, RemoteApplication::Options options) {
        options.service = "server";
        options.member = "server-1";
        auto opened = ApplicationPort::open(runtime, log, place, std::move(options));
        US_ASSERT(opened);
        port = *std::move(opened);
        want();
    }
    void want() {
        port->want([this](std::unique_ptr<RemoteApplication> arrived) {
            stage = HeardStage();
            application = std::move(arrived);
            application->set_owner(*this);
            application->welcome();
        });
    }
    void call(std::string_view name, std::string_view body) {
        const Position position = next;
        next = next.next();
        application->perform({.position = position,
                              .source = "client",
                              .id = position.value,
                              .name = name,
                              .body = as_bytes(body),
                              .time = 1s},
                             stage);
    }
    void start() {
        application->perform({.position = {1}, .kind = InputKind::start, .id = 1}, stage);
        next = {2};
    }
    void application_here(RemoteApplication&) override { FAIL(); }
    void application_impulse(RemoteApplication& from, std::uint64_t id, std::string_view name,
                             Bytes arguments) override {
        impulses.push_back(std::string(name) + " " + std::string(as_text(arguments)));
        if (answer_impulses) from.answer(id, {});
    }
    void application_upgrade(RemoteApplication& from, std::uint64_t id,
                             std::uint32_t version) override {
        impulses.push_back("upgrade " + std::to_string(version));
        from.answer(id, Error{.code = Errc::bad_config, .detail = "not higher"});
    }
    void application_ended(RemoteApplication&, const Error& reason) override { ended = reason; }

    HeardStage stage;
    std::unique_ptr<ApplicationPort> port;
    std::unique_ptr<RemoteApplication> application;
    Position next{1};
    std::vector<std::string> impulses;
    bool answer_impulses = true;
    std::optional<Error> ended;
};

/// The process of an application.
struct Player {
    Player(Runtime& runtime, Log& log, std::vector<std::uint32_t> versions,
           const Address& place = by_port)
        : client(runtime, log,
                 {.coordinator = place,
                  .service = "server",
                  .application = "player",
                  .versions = std::move(versions)},
                 [this] {
                     auto made = std::make_unique<FakeApplication>();
                     application = made.get();
                     return made;
                 }) {
        client.on_situation([this](const auto& now) {
            if (!now.welcomed) application = nullptr;
        });
        client.on_trouble([this](const Error& error) { troubles.push_back(error); });
    }
    FakeApplication* application = nullptr;
    std::vector<Error> troubles;
    CoordinatorClient client;
};

class RemoteTest : public ::testing::Test {
protected:
    explicit RemoteTest(RemoteApplication::Options options = {}, const Address& at = by_port)
        : place(at) {
        world.add_node("h");
        coordinator =
            &world.node("h").start("coordinator", [at, options](Runtime& runtime, Log& log) {
                return std::make_unique<Desk>(runtime, log, at, options);
            });
    }
    void play(std::vector<std::uint32_t> versions = {1, 2, 3}) {
        player =
            &world.node("h").start("player", [versions, this](Runtime& runtime, Log& log) {
                return std::make_unique<Player>(runtime, log, versions, place);
            });
        ASSERT_TRUE(until([&] { return desk().application != nullptr; }));
        ASSERT_TRUE(until([&] { return app().client.situation().welcomed; }));
    }
    [[nodiscard]] Desk& desk() { return coordinator->app<Desk>(); }
    [[nodiscard]] Player& app() { return player->app<Player>(); }
    [[nodiscard]] bool until(const std::function<bool()>& done) {
        return world.run_until(done, 30s);
    }
    [[nodiscard]] bool performed() {
        return until([&] { return desk().stage.performed_upto.next() == desk().next; });
    }
    template <class Do>
    void in(sim::Process& process, Do what) {
        bool done = false;
        process.runtime().post([&] {
            what();
            done = true;
        });
        ASSERT_TRUE(until([&] { return done; }));
    }

    const Address place;
    sim::World world;
    sim::Process* coordinator = nullptr;
    sim::Process* player = nullptr;
};

TEST_F(RemoteTest, OutputsComeInTheOrderOfTheInputs) {
    play();
    in(*coordinator, [&] {
        desk().start();
        desk().call("add", "5");
        desk().call("ask", "bank");
        desk().call("tell", "bank");
        desk().call("wait", "20");
    });
    ASSERT_TRUE(performed());
    EXPECT_EQ(desk().stage.lines,
              (std::vector<std::string>{"2 client/2  5", "1 bank/1 add 1", "2 client/3  5",
                                        "1 bank/0 add 1", "2 client/4  5", "3 /2  ",
                                        "2 client/5  5"}));
    EXPECT_EQ(desk().application->version(), 1u);
    EXPECT_EQ(desk().application->version_newest(), 3u);
}

TEST_F(RemoteTest, AnImageTakesTheNextLifeToTheSamePoint) {
    play();
    in(*coordinator, [&] {
        desk().start();
        for (int i = 0; i < 1000; ++i) desk().call("add", "1");
        desk().application->want_image();
        for (int i = 0; i < 500; ++i) desk().call("add", "1");
    });
    ASSERT_TRUE(performed());
    ASSERT_TRUE(desk().stage.image);
    EXPECT_EQ(desk().stage.image_at, Position{1001});
    const auto image = desk().stage.image;
    const auto lines = desk().stage.lines;

    player->crash();
    ASSERT_TRUE(until([&] { return desk().ended.has_value(); }));
    EXPECT_EQ(desk().stage.end->code, Errc::unavailable);
    in(*coordinator, [&] {
        desk().application.reset();
        desk().want();
    });
    player->restart();
    ASSERT_TRUE(until([&] { return desk().application != nullptr; }));
    in(*coordinator, [&] {
        // The pieces also cut the head in two.
        const Bytes whole = *image;
        for (std::size_t at = 0; at < whole.size(); at += 7) {
            const Bytes piece = whole.subspan(at, std::min<std::size_t>(7, whole.size() - at));
            ASSERT_TRUE(desk().application->restore_piece(
                piece, {.first = at == 0, .last = at + 7 >= whole.size()}, 1, desk().stage));
        }
        EXPECT_EQ(desk().application->version(), 1u);
        EXPECT_FALSE(desk().application->holds({1001})) << "it has not said so";
        desk().next = {1002};
        for (int i = 0; i < 500; ++i) desk().call("add", "1");
    });
    ASSERT_TRUE(performed());
    EXPECT_TRUE(desk().application->holds({1501}));
    EXPECT_EQ(app().application->total, 1500u);
    EXPECT_EQ(desk().stage.lines, std::vector<std::string>(lines.begin() + 1000, lines.end()));

    // The position is also known directly after a restoration.
    in(*coordinator, [&] { desk().application->want_image(); });
    ASSERT_TRUE(until([&] { return desk().stage.image != nullptr; }));
    EXPECT_EQ(desk().stage.image_at, Position{1501});
}

// A standby lacked many entries and was restored: the earlier position of the application has no
// meaning any more.
TEST_F(RemoteTest, WhatItSaidBeforeItWasRestoredAgainIsNotHeard) {
    play();
    in(*coordinator, [&] {
        desk().start();
        desk().call("add", "7");
        desk().application->want_image();
    });
    ASSERT_TRUE(until([&] { return desk().stage.image != nullptr; }));
    in(*coordinator, [&] {
        desk().stage.lines.clear();
        desk().call("add", "100");
        ASSERT_TRUE(desk().application->restore_piece(*desk().stage.image,
                                                      {.first = true, .last = true}, 1,
                                                      desk().stage));
        desk().next = {3};
        desk().call("add", "1");
    });
    ASSERT_TRUE(performed());
    EXPECT_EQ(desk().stage.lines, std::vector<std::string>{"2 client/3  8"});
    EXPECT_EQ(app().application->total, 8u);
}

TEST_F(RemoteTest, ImpulsesAreForTheActiveCopyOnly) {
    play();
    std::vector<Errc> answers;
    const auto answered = [&](const Result<void>& result) {
        answers.push_back(result ? Errc{} : result.error().code);
    };
    in(*player, [&] { app().client.impulse("add", as_bytes("1"), answered); });
    ASSERT_TRUE(until([&] { return answers.size() == 1; }));
    in(*coordinator, [&] { desk().application->set_role(Role::active, {4}); });
    ASSERT_TRUE(until([&] { return app().client.situation().epoch == Epoch{4}; }));
    in(*player, [&] {
        app().client.impulse("add", as_bytes("2"), answered);
        app().client.upgrade(2, answered);
        app().client.upgrade(9, answered);
    });
    ASSERT_TRUE(until([&] { return answers.size() == 4; }));
    EXPECT_EQ(desk().impulses, (std::vector<std::string>{"add 2", "upgrade 2"}));
    EXPECT_EQ(std::count(answers.begin(), answers.end(), Errc::not_active), 1);
    EXPECT_EQ(std::count(answers.begin(), answers.end(), Errc::bad_config), 2);
    EXPECT_EQ(std::count(answers.begin(), answers.end(), Errc{}), 1);
}

TEST_F(RemoteTest, ImpulsesInFlightHaveAnUnknownOutcomeWhenTheCoordinatorDies) {
    play();
    in(*coordinator, [&] {
        desk().answer_impulses = false;
        desk().application->set_role(Role::active, {4});
    });
    ASSERT_TRUE(until([&] { return app().client.situation().role == Role::active; }));
    std::optional<Error> answer;
    in(*player, [&] {
        app().client.impulse("add", as_bytes("2"),
                             [&](const Result<void>& result) { answer = result.error(); });
    });
    ASSERT_TRUE(until([&] { return !desk().impulses.empty(); }));
    coordinator->crash();
    ASSERT_TRUE(until([&] { return answer.has_value(); }));
    EXPECT_EQ(answer->code, Errc::unavailable);
    EXPECT_EQ(answer->effect, Effect::unknown);
    EXPECT_EQ(app().client.application(), nullptr);
    coordinator->restart();
    EXPECT_TRUE(until([&] { return app().client.situation().welcomed; }));
}

class RemoteOverPathTest : public RemoteTest {
protected:
    RemoteOverPathTest() : RemoteTest({}, by_path) {}
};

TEST_F(RemoteOverPathTest, ItIsFoundThereAgainAfterTheCoordinatorDied) {
    play();
    EXPECT_EQ(desk().port->address(), by_path);
    in(*coordinator, [&] {
        desk().start();
        desk().call("add", "5");
    });
    ASSERT_TRUE(performed());
    EXPECT_EQ(desk().stage.lines, (std::vector<std::string>{"2 client/2  5"}));
    coordinator->crash();
    ASSERT_TRUE(until([&] { return app().application == nullptr; }));
    coordinator->restart();
    ASSERT_TRUE(until([&] { return app().client.situation().welcomed; }));
    in(*coordinator, [&] {
        desk().start();
        desk().call("add", "7");
    });
    ASSERT_TRUE(performed());
    EXPECT_EQ(desk().stage.lines, (std::vector<std::string>{"2 client/2  7"}));
}

TEST_F(RemoteTest, AVersionItDoesNotHaveIsItsEnd) {
    play({1});
    in(*coordinator, [&] {
        desk().start();
        desk().application->perform({.position = {2}, .kind = InputKind::upgrade, .id = 2},
                                    desk().stage);
    });
    ASSERT_TRUE(desk().stage.end);
    EXPECT_EQ(desk().stage.end->code, Errc::bad_config);
    EXPECT_EQ(desk().ended->code, Errc::bad_config);
    ASSERT_TRUE(until([&] { return !app().troubles.empty(); }));
    EXPECT_EQ(app().troubles[0].code, Errc::bad_config);
}

TEST_F(RemoteTest, AnotherServicesApplicationIsRefusedWithTheReason) {
    auto& stranger = world.node("h").start("stranger", [](Runtime& runtime, Log&) {
        return std::make_unique<sim::Client>(runtime, "h");
    });
    ASSERT_TRUE(until([&] { return stranger.app<sim::Client>().end != nullptr; }));
    auto& end = *stranger.app<sim::Client>().end;
    in(stranger, [&] {
        end.connection->send(encode_frame(HelloFrame{.service = "bank", .versions = {1}}));
    });
    ASSERT_TRUE(until([&] { return end.ended.has_value(); }));
    const Bytes said = as_bytes(end.text);
    const auto frame = decode_frame(std::to_integer<std::uint8_t>(said[4]), said.subspan(5));
    ASSERT_TRUE(frame);
    EXPECT_EQ(std::get<EndFrame>(*frame).reason.code, Errc::bad_config);
    EXPECT_EQ(std::get<EndFrame>(*frame).reason.detail, "this is the coordinator of server");
}

TEST_F(RemoteTest, OneThatComesWhileAnotherActsIsNextWhenThatOneEnds) {
    play();
    auto& second = world.node("h").start("second", [](Runtime& runtime, Log& log) {
        return std::make_unique<Player>(runtime, log, std::vector<std::uint32_t>{1});
    });
    ASSERT_TRUE(until([&] { return desk().port->waiting() == 1; }));
    EXPECT_FALSE(second.app<Player>().client.situation().welcomed);
    player->crash();
    ASSERT_TRUE(until([&] { return desk().ended.has_value(); }));
    in(*coordinator, [&] {
        desk().application.reset();
        desk().want();
    });
    EXPECT_TRUE(until([&] { return second.app<Player>().client.situation().welcomed; }));
}

// --- With a machine ------------------------------------------------------------------------------

class Quiet final : public Machine::Observer {
public:
    void output_ready(const std::string&) override {}
    void input_durable(const std::string&, MessageNo) override {}
    void timers_changed() override {}
    void image_ready() override { ++images; }
    void broken(const Error&) override {}
    int images = 0;
};

/// The n-th command of a journal: a client's call.
Buffer command(std::uint64_t n) {
    if (n == 0) return encode(StartCommand{.instance = 7, .seed = 8, .version = 1});
    Random random(n);
    static constexpr std::string_view names[] = {"add", "ask", "tell", "wait"};
    static constexpr std::string_view bodies[] = {"3", "bank", "audit", "40"};
    const std::size_t which = random.below(4);
    Buffer message;
    encode(Message{.kind = MessageKind::call,
                   .id = n,
                   .name = names[which],
                   .body = as_bytes(bodies[which])},
           message);
    return encode(ReceiveCommand{.source = "client",
                                 .instance = 9,
                                 .wall_ms = n,
                                 .batch = {.first = {n}, .count = 1, .messages = message}});
}

void apply(Machine& machine, std::uint64_t n) {
    Buffer reply;
    const Buffer body = command(n);
    machine.apply({.index = {n + 1}, .place = 0, .time = n * 1ms, .body = body}, reply);
}

std::vector<Buffer> image_of(Machine& machine) {
    std::vector<Buffer> pieces;
    const auto snapshot = machine.begin_snapshot();
    for (bool more = true; more;) more = snapshot->next(pieces.emplace_back(), 200);
    return pieces;
}

// The machine of an application in another process has the same state as that of a linked one, also
// after a restoration from an image that was older than the checkpoint.
TEST_F(RemoteTest, AMachineBesideItsApplicationHoldsWhatALinkedOneHolds) {
    constexpr std::uint64_t commands = 600;
    FakeApplication linked;
    Quiet quiet;
    Machine reference("server", linked, quiet);
    for (std::uint64_t n = 0; n < commands; ++n) apply(reference, n);

    play();
    Quiet heard;
    std::vector<Buffer> pieces;
    std::uint64_t taken_at = 0;
    auto machine = std::make_unique<Machine>("server", *desk().application, heard);
    in(*coordinator, [&] {
        for (std::uint64_t n = 0; n < 300; ++n) apply(*machine, n);
        machine->want_image();
        for (std::uint64_t n = 300; n < 350; ++n) apply(*machine, n);
    });
    ASSERT_TRUE(until([&] { return heard.images == 1; }));
    in(*coordinator, [&] {
        for (taken_at = 350; taken_at < 400; ++taken_at) apply(*machine, taken_at);
        pieces = image_of(*machine);
        for (std::uint64_t n = 400; n < 450; ++n) apply(*machine, n);
        desk().application->leave_stage();
        machine.reset();
        desk().application->end({.code = Errc::unavailable, .detail = "this copy has ended"});
    });
    ASSERT_TRUE(until([&] { return !app().client.situation().welcomed; }));
    in(*coordinator, [&] {
        desk().application.reset();
        desk().want();
    });
    ASSERT_TRUE(until([&] { return desk().application != nullptr; }));
    in(*coordinator, [&] {
        machine = std::make_unique<Machine>("server", *desk().application, heard);
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            ASSERT_TRUE(machine->restore_piece(
                pieces[i], {.first = i == 0, .last = i + 1 == pieces.size()}));
        }
        for (std::uint64_t n = taken_at; n < commands; ++n) apply(*machine, n);
    });
    ASSERT_TRUE(until([&] { return machine->performed() == machine->position(); }));

    EXPECT_EQ(machine->position(), reference.position());
    EXPECT_EQ(machine->next_due(), reference.next_due());
    ASSERT_EQ(machine->peers().size(), reference.peers().size());
    for (const auto& [name, peer] : reference.peers()) {
        ASSERT_NE(machine->find(name), nullptr) << name;
        EXPECT_EQ(machine->find(name)->received, peer.received) << name;
        EXPECT_EQ(machine->find(name)->out.next(), peer.out.next()) << name;
        EXPECT_EQ(machine->find(name)->out.chain(), peer.out.chain()) << name;
    }
    ASSERT_NE(app().application, nullptr);
    EXPECT_EQ(app().application->total, linked.total);
    EXPECT_EQ(app().application->next_id, linked.next_id);
    in(*coordinator, [&] {
        desk().application->leave_stage();
        machine.reset();
    });
}

/// Sends frames of the protocol by hand.
class ByHandTest : public RemoteTest {
protected:
    explicit ByHandTest(RemoteApplication::Options options = {}) : RemoteTest(options) {
        hand = &world.node("h").start("hand", [](Runtime& runtime, Log&) {
            return std::make_unique<sim::Client>(runtime, "h");
        });
        EXPECT_TRUE(until([&] { return hand->app<sim::Client>().end != nullptr; }));
    }
    [[nodiscard]] sim::Heard& end() { return *hand->app<sim::Client>().end; }
    void say(const AnyFrame& frame) {
        in(*hand, [&] { end().connection->send(encode_frame(frame)); });
    }
    void begin() {
        say(HelloFrame{.service = "server", .versions = {1}});
        ASSERT_TRUE(until([&] { return desk().application != nullptr; }));
        in(*coordinator, [&] {
            desk().start();
            desk().call("add", "1");
        });
    }
    [[nodiscard]] std::string refusal() {
        if (!until([&] { return desk().ended.has_value(); })) return "none";
        return desk().ended->detail;
    }
    sim::Process* hand = nullptr;
};

TEST_F(ByHandTest, WhatContradictsTheProtocolIsItsEnd) {
    begin();
    say(PerformedFrame{{3}});
    EXPECT_EQ(refusal(),
              "the application violates the protocol: position 3 is not one that it had to "
              "perform");
    EXPECT_EQ(desk().stage.end->code, Errc::corrupt);
    EXPECT_TRUE(until([&] { return end().ended.has_value(); }));
}

TEST_F(ByHandTest, APositionPerformedTwiceIsItsEnd) {
    begin();
    say(PerformedFrame{{1}});
    say(PerformedFrame{{1}});
    EXPECT_NE(refusal().find("position 1 is not one"), std::string::npos);
}

TEST_F(ByHandTest, AnImageBeforeItsInputsArePerformedIsItsEnd) {
    begin();
    in(*coordinator, [&] { desk().application->want_image(); });
    say(PerformedFrame{{1}});
    say(ImageFrame{.at = {2}, .last = true, .piece = {}});
    EXPECT_NE(refusal().find("before the inputs that it contains were performed"),
              std::string::npos);
}

TEST_F(ByHandTest, OutputsWithoutAnInputAreItsEnd) {
    begin();
    say(PerformedFrame{{2}});
    say(Output{.kind = OutputKind::call, .to = "bank", .name = "add"});
    EXPECT_NE(refusal().find("nothing to perform"), std::string::npos);
}

TEST_F(ByHandTest, FramesOfACoordinatorAreItsEnd) {
    begin();
    say(TakeImageFrame{{2}});
    EXPECT_NE(refusal().find("only coordinators"), std::string::npos);
}

TEST_F(ByHandTest, AnImageEndsWhereTheStreamContinues) {
    begin();
    say(PerformedFrame{{2}});
    in(*coordinator, [&] { desk().application->want_image(); });
    say(ImageFrame{.at = {2}, .last = false, .piece = as_bytes("ab")});
    say(ImageFrame{.at = {2}, .last = true, .piece = as_bytes("c")});
    ASSERT_TRUE(until([&] { return desk().stage.image != nullptr; }));
    EXPECT_EQ(as_text(Bytes(*desk().stage.image).subspan(16)), "abc");
}

TEST_F(ByHandTest, OneThatDoesNothingIsGivenUp) {
    begin();
    const TimePoint begun = world.now();
    EXPECT_NE(refusal().find("no progress after position 0"), std::string::npos);
    EXPECT_EQ(desk().ended->code, Errc::timed_out);
    EXPECT_GE(world.now() - begun, 10s);
    EXPECT_LT(world.now() - begun, 13s);
}

TEST_F(ByHandTest, OneThatHasNothingToDoMayBeSilent) {
    begin();
    say(PerformedFrame{{2}});
    world.run_for(60s);
    EXPECT_FALSE(desk().ended);
    in(*coordinator, [&] { desk().call("add", "1"); });
    world.run_for(9s);
    EXPECT_FALSE(desk().ended);
    say(PerformedFrame{{3}});
    world.run_for(60s);
    EXPECT_FALSE(desk().ended);
}

TEST_F(ByHandTest, InputsAreSentAWindowAheadAndNoMore) {
    begin();
    const std::string big(1 * MiB, 'x');
    in(*coordinator, [&] {
        for (int i = 0; i < 10; ++i) desk().call("add", big);
    });
    world.run_for(1s);
    const std::size_t sent = end().text.size();
    EXPECT_GT(sent, 4 * MiB);
    EXPECT_LT(sent, 6 * MiB);
    EXPECT_GT(desk().application->lag_bytes(), 10 * MiB);
    say(PerformedFrame{{4}});
    world.run_for(1s);
    EXPECT_GT(end().text.size(), sent + 1 * MiB);
}

class ShortOfRoomTest : public ByHandTest {
protected:
    ShortOfRoomTest() : ByHandTest({.backlog_bytes_max = 2 * MiB}) {}
};

TEST_F(ShortOfRoomTest, OneThatLagsTooFarIsGivenUp) {
    begin();
    const std::string big(1 * MiB, 'x');
    in(*coordinator, [&] {
        for (int i = 0; i < 7; ++i) desk().call("add", big);
    });
    EXPECT_EQ(desk().ended->code, Errc::limit_exceeded);
}

TEST_F(RemoteTest, SilentConnectionsAreEndedAndTooManyRefused) {
    std::vector<sim::Process*> crowd;
    for (int i = 0; i < 20; ++i) {
        crowd.push_back(&world.node("h").start(
            "c" + std::to_string(i), [](Runtime& runtime, Log&) {
                return std::make_unique<sim::Client>(runtime, "h");
            }));
    }
    const auto ended = [&] {
        return std::count_if(crowd.begin(), crowd.end(), [](sim::Process* each) {
            auto& end = each->app<sim::Client>().end;
            return end && end->ended;
        });
    };
    ASSERT_TRUE(until([&] { return ended() == 4; }));
    EXPECT_LT(world.now() - world.start(), 3s);
    ASSERT_TRUE(until([&] { return ended() == 20; }));
    EXPECT_LT(world.now() - world.start(), 8s);
}

}  // namespace
}  // namespace understudy::immortal
