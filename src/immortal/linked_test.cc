// A hosted class of an immortal: inputs go in, outputs come out, and images carry its state.
#include "immortal/linked.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "base/random.h"
#include "immortal/message.h"
#include "understudy/limits.h"

namespace understudy::immortal {
namespace {

struct Order {
    std::string item;
    std::int64_t pieces = 0;
    template <class F>
    void fields(F& f) {
        f(item, pieces);
    }
};

/// Has one of everything that a handler may do.
class Shop final : public Immortal {
public:
    std::int64_t add(std::int64_t number) { return total_ += number; }
    void note(const std::string& text) { notes_.push_back(std::string(caller()) + ":" + text); }
    std::int64_t order(const Order& order) {
        stock_.put(order.item, order.pieces);
        return order.pieces;
    }
    [[nodiscard]] std::int64_t pieces(const std::string& item) const noexcept {
        const std::int64_t* found = stock_.find(item);
        return found == nullptr ? 0 : *found;
    }
    void fail() {
        ++total_;
        throw std::runtime_error("no more");
    }
    std::string draw() {
        const std::uint64_t first = random();
        return std::to_string(first) + " " + std::to_string(random());
    }
    void remind(Duration delay, const std::string& text) {
        timer_ = after<&Shop::note>(delay, text);
    }
    bool forget() { return cancel(timer_); }
    void tell(const std::string& to) { send<&Shop::note>(to, "hello"); }
    void ask(const std::string& to, std::int64_t number) {
        call<&Shop::add>(to, number).then<&Shop::heard>(number, "asked");
    }
    void heard(const Result<std::int64_t>& answer, std::int64_t number, const std::string& why) {
        notes_.push_back(why + " " + std::to_string(number) + " " +
                         (answer ? std::to_string(*answer) : answer.error().detail));
        if (!answer && answer.error().code == Errc::denied) throw std::runtime_error("denied");
    }
    void shout(const std::string& to) { send<&Shop::note>(to, std::string(2 * MiB, 'a')); }
    void mumble(const std::string& name, const std::string& how) {
        const Buffer none(1, std::byte{0x90});
        if (how == "call") return context().call("other", "note", none, name, none);
        if (how == "send") return context().send("other", name, none);
        context().after(1ms, name, none);
    }
    std::string give(std::uint64_t size) { return std::string(size, 'a'); }
    void timer_that_throws() { after<&Shop::fail>(1ms); }

    void first_start() override { note("first start"); }

    template <class F>
    void fields(F& f) {
        f(total_, notes_, timer_, stock_);
    }
    template <class H>
    static void handlers(H& h) {
        h("add", &Shop::add);
        h("note", &Shop::note);
        h("order", &Shop::order);
        h("pieces", &Shop::pieces);
        h("fail", &Shop::fail);
        h("draw", &Shop::draw);
        h("remind", &Shop::remind);
        h("forget", &Shop::forget);
        h("tell", &Shop::tell);
        h("ask", &Shop::ask);
        h("heard", &Shop::heard);
        h("shout", &Shop::shout);
        h("mumble", &Shop::mumble);
        h("give", &Shop::give);
        h("timer_that_throws", &Shop::timer_that_throws);
    }

    std::int64_t total_ = 0;
    std::vector<std::string> notes_;
    ImmortalTimer timer_;
    SnapshotMap<std::string, std::int64_t> stock_;
};

/// Its second version, with doubled amounts and one map more.
class Shop2 final : public Immortal {
public:
    static constexpr std::uint32_t version = 2;
    std::int64_t add(std::int64_t number) { return doubled_ += 2 * number; }
    void note(const std::string& text) { notes_.push_back("2:" + text); }

    void upgraded(std::uint32_t from) override {
        notes_.push_back("from " + std::to_string(from));
        after<&Shop2::note>(1s, "upgraded");
    }

    template <class F>
    void fields(F& f) {
        if (f.version() < 2) {
            std::int64_t total = doubled_ / 2;
            f(total);
            doubled_ = 2 * total;
        } else {
            f(doubled_);
        }
        f(notes_, timer_, stock_);
        if (f.version() >= 2) f(more_);
    }
    template <class H>
    static void handlers(H& h) {
        h("add", &Shop2::add);
        h("note", &Shop2::note);
    }

    std::int64_t doubled_ = 0;
    std::vector<std::string> notes_;
    ImmortalTimer timer_;
    SnapshotMap<std::string, std::int64_t> stock_;
    SnapshotMap<std::int64_t, std::string> more_;
};

/// Cannot read the state of the others.
class Shop3 final : public Immortal {
public:
    static constexpr std::uint32_t version = 3;
    template <class F>
    void fields(F& f) {
        f(only_);
    }
    template <class H>
    static void handlers(H&) {}
    std::string only_;
};

struct Said {
    OutputKind kind;
    std::string to;
    std::uint64_t id;
    std::string name;
    Buffer body;
    bool refused;
    Duration due;
};

struct Heard final : Stage {
    void output(const Output& output) override {
        said.push_back({output.kind, std::string(output.to), output.id, std::string(output.name),
                        Buffer(output.body.begin(), output.body.end()), output.refused,
                        output.due});
    }
    void performed(Position) override { FAIL() << "the application is immediate"; }
    void imaged(Position, std::shared_ptr<const Buffer>) override { FAIL(); }
    void broken(const Error& error) override { why.push_back(to_string(error)); }

    std::vector<Said> said;
    std::vector<std::string> why;
};

template <class... Values>
[[nodiscard]] Buffer packed(const Values&... values) {
    Buffer out;
    Packer packer(out);
    packer.array(sizeof...(values));
    (packer.put(values), ...);
    return out;
}

template <class... Shops>
[[nodiscard]] Classes classes() {
    return {std::make_shared<ImmortalClassOf<Shops>>()...};
}

/// A log that keeps its lines.
struct Lines final : Log {
    void write(LogLevel, std::string_view event, std::initializer_list<LogField> fields) override {
        std::string line(event);
        for (const LogField& field : fields) line += " " + field.value;
        lines.push_back(line);
    }
    std::vector<std::string> lines;
};

/// An application under test, and its outputs.
struct Hosted {
    explicit Hosted(Classes its_classes = classes<Shop>()) : application(log, its_classes) {}

    void perform(Input input) {
        input.position = ++position;
        input.time = time;
        input.random = 7 * position.value;
        application.perform(input, heard);
    }
    void start(std::uint64_t version = 1) { perform({.kind = InputKind::start, .id = version}); }
    /// The outputs of a call that wants an answer.
    template <class... Values>
    std::vector<Said> call(std::string_view name, const Values&... values) {
        return call_packed(name, packed(values...));
    }
    std::vector<Said> call_packed(std::string_view name, Bytes arguments) {
        heard.said.clear();
        perform({.source = "peer", .id = 9, .name = name, .body = arguments});
        return heard.said;
    }
    std::vector<Said> reply(std::uint64_t id, Bytes body, bool refused = false) {
        heard.said.clear();
        perform({.kind = InputKind::reply,
                 .source = "peer",
                 .id = id,
                 .body = body,
                 .refused = refused});
        return heard.said;
    }
    template <class T = Shop>
    [[nodiscard]] const T& object() const {
        return dynamic_cast<const ImmortalObjectOf<T>&>(*application.object()).object();
    }

    Lines log;
    Heard heard;
    LinkedApplication application;
    struct At {
        std::uint64_t value = 0;
        Position operator++() { return {++value}; }
    } position;
    Duration time = 5s;
};

template <class T>
[[nodiscard]] std::optional<T> answer(const std::vector<Said>& said) {
    if (said.empty() || said.back().kind != OutputKind::reply || said.back().refused) return {};
    Unpacker unpacker(said.back().body);
    T value{};
    if (!unpacker.take(value)) return {};
    return value;
}

[[nodiscard]] std::optional<Error> refusal(const std::vector<Said>& said) {
    if (said.empty() || said.back().kind != OutputKind::reply || !said.back().refused) return {};
    return decode_refusal(said.back().body);
}

[[nodiscard]] std::vector<Buffer> pieces_of(Snapshot& snapshot, std::size_t bytes_about) {
    std::vector<Buffer> pieces;
    for (bool more = true; more;) more = snapshot.next(pieces.emplace_back(), bytes_about);
    return pieces;
}

[[nodiscard]] Result<void> restore(Hosted& into, const std::vector<Buffer>& pieces,
                                   std::uint32_t version = 1) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        US_CHECK(into.application.restore_piece(
            pieces[i], {.first = i == 0, .last = i + 1 == pieces.size()}, version, into.heard));
    }
    return {};
}

// --- Refused -------------------------------------------------------------------------------------

TEST(Linked, ClassesWithoutAVersionOfTheirOwnAreRefused) {
    EXPECT_FALSE(LinkedApplication::check({}));
    EXPECT_FALSE(LinkedApplication::check(classes<Shop, Shop2, Shop>()));
    EXPECT_TRUE(LinkedApplication::check(classes<Shop, Shop2>()));
}

TEST(Linked, AHandlerThatIsNotThereIsAnsweredNotFound) {
    Hosted hosted;
    hosted.start();
    EXPECT_EQ(refusal(hosted.call("paint"))->code, Errc::not_found);
    EXPECT_EQ(refusal(hosted.call("heard", 1))->code, Errc::not_found) << "a continuation is none";
}

TEST(Linked, OtherArgumentsAreAnsweredBadConfigAndDoNothing) {
    Hosted hosted;
    hosted.start();
    for (const Buffer& wrong : {packed(), packed("x"), packed(1, 2), packed(1.5), Buffer{}}) {
        EXPECT_EQ(refusal(hosted.call_packed("add", wrong))->code, Errc::bad_config);
    }
    EXPECT_EQ(hosted.object().total_, 0);
}

TEST(Linked, AHandlerThatThrowsIsAnsweredFailedAndHasDoneWhatItDid) {
    Hosted hosted;
    hosted.start();
    const auto refused = refusal(hosted.call("fail"));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, Errc::failed);
    EXPECT_EQ(refused->effect, Effect::unknown);
    EXPECT_EQ(refused->detail, "no more");
    EXPECT_EQ(hosted.object().total_, 1);
}

TEST(Linked, WhatIsTooLongFailsInsteadOfBeingSent) {
    Hosted hosted;
    hosted.start();
    EXPECT_EQ(refusal(hosted.call("shout", "other"))->code, Errc::failed);
    EXPECT_EQ(hosted.heard.said.size(), 1U) << "the refusal alone";
    EXPECT_EQ(refusal(hosted.call("tell", "no such name!"))->code, Errc::failed);
    EXPECT_EQ(refusal(hosted.call("give", message_size_max))->code, Errc::limit_exceeded);
    EXPECT_EQ(answer<std::string>(hosted.call("give", 1000))->size(), 1000U);
}

TEST(Linked, AHandlersNameIsBoundedWhateverItIsFor) {
    Hosted hosted;
    hosted.start();
    for (const char* how : {"send", "call", "after"}) {
        const std::string longest(name_size_max, 'a');
        EXPECT_EQ(refusal(hosted.call("mumble", longest + "a", how))->code, Errc::failed) << how;
        EXPECT_EQ(hosted.heard.said.size(), 1U) << how << ": the refusal alone";
        EXPECT_FALSE(refusal(hosted.call("mumble", longest, how))) << how;
    }
    EXPECT_EQ(hosted.application.answers_awaited(), 1U);
    EXPECT_EQ(hosted.application.timers(), 1U);
}

TEST(Linked, ATimerOrAContinuationThatThrowsIsLoggedOnce) {
    Hosted hosted;
    hosted.start();
    for (int turn = 0; turn < 3; ++turn) {
        const std::uint64_t timer = hosted.call("timer_that_throws").front().id;
        hosted.perform({.kind = InputKind::timer, .id = timer});
    }
    const std::uint64_t asked = hosted.call("ask", "other", 5).front().id;
    hosted.reply(asked, encode_refusal({.code = Errc::denied, .detail = "no"}), true);
    ASSERT_EQ(hosted.log.lines.size(), 2U);
    EXPECT_EQ(hosted.log.lines[0],
              "immortal.handler_failed timer fail failed: no more (effect: unknown)");
    EXPECT_EQ(hosted.object().total_, 3);
}

TEST(Linked, AVersionThatIsNotHereBreaksTheCopyWithAWordWhy) {
    Hosted hosted(classes<Shop, Shop2>());
    hosted.start(1);
    hosted.perform({.kind = InputKind::upgrade, .id = 7});
    ASSERT_EQ(hosted.heard.why.size(), 1U);
    EXPECT_NE(hosted.heard.why[0].find("version 7 of the code is wanted, and this program has 1 2"),
              std::string::npos)
        << hosted.heard.why[0];
    EXPECT_TRUE(hosted.call("add", 1).empty()) << "it does nothing any more";
    Hosted other;
    other.start(2);
    EXPECT_EQ(other.heard.why.size(), 1U);
    EXPECT_EQ(other.application.version(), 0U);
}

TEST(Linked, AnUpgradeIsTriedBeforeAnybodyIsToldOfIt) {
    Hosted hosted(classes<Shop, Shop2, Shop3>());
    EXPECT_TRUE(hosted.application.check_upgrade(2)) << "it has no state yet";
    hosted.start(1);
    hosted.call("add", 5);
    EXPECT_TRUE(hosted.application.check_upgrade(2));
    EXPECT_EQ(hosted.application.check_upgrade(3).error().code, Errc::bad_config);
    EXPECT_EQ(hosted.application.check_upgrade(7).error().code, Errc::bad_config);
    EXPECT_EQ(hosted.application.version(), 1U);
    EXPECT_EQ(answer<std::int64_t>(hosted.call("add", 1)), 6) << "nothing has happened";
    EXPECT_TRUE(hosted.heard.why.empty());
}

TEST(Linked, AStateThatDoesNotFitTheNextVersionBreaksTheCopy) {
    Hosted hosted(classes<Shop, Shop3>());
    hosted.start(1);
    hosted.perform({.kind = InputKind::upgrade, .id = 3});
    ASSERT_EQ(hosted.heard.why.size(), 1U);
    EXPECT_EQ(hosted.application.version(), 1U);
}

// --- Calls ---------------------------------------------------------------------------------------

TEST(Linked, ACallIsAnsweredToItsCaller) {
    Hosted hosted;
    hosted.start();
    const auto said = hosted.call("add", 5);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].to, "peer");
    EXPECT_EQ(said[0].id, 9U);
    EXPECT_EQ(answer<std::int64_t>(said), 5);
    EXPECT_TRUE(hosted.call("note", "x").front().body.empty()) << "void";
    EXPECT_EQ(hosted.object().notes_, (std::vector<std::string>{":first start", "peer:x"}));
}

TEST(Linked, AStructIsAnArgument) {
    Hosted hosted;
    hosted.start();
    EXPECT_EQ(answer<std::int64_t>(hosted.call("order", Order{"bolt", 4})), 4);
    EXPECT_EQ(answer<std::int64_t>(hosted.call("pieces", "bolt")), 4);
}

TEST(Linked, WhoWantsNoAnswerGetsNone) {
    Hosted hosted;
    hosted.start();
    hosted.heard.said.clear();
    const Buffer arguments = packed(5);
    hosted.perform({.source = "peer", .name = "add", .body = arguments});
    hosted.perform({.source = "peer", .name = "paint", .body = arguments});
    EXPECT_TRUE(hosted.heard.said.empty());
    EXPECT_EQ(hosted.object().total_, 5);
}

TEST(Linked, AnAnswerGoesToItsContinuationOnceWithWhatWasKept) {
    Hosted hosted;
    hosted.start();
    const auto said = hosted.call("ask", "other", 3);
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0].kind, OutputKind::call);
    EXPECT_EQ(said[0].to, "other");
    EXPECT_EQ(said[0].name, "add");
    EXPECT_EQ(said[0].body, packed(3));
    EXPECT_EQ(hosted.application.answers_awaited(), 1U);
    Buffer eight;
    Packer(eight).put(8);
    hosted.reply(said[0].id, eight);
    hosted.reply(said[0].id, eight);
    hosted.reply(12345, eight);
    EXPECT_EQ(hosted.object().notes_.back(), "asked 3 8");
    EXPECT_EQ(hosted.object().notes_.size(), 2U);
    EXPECT_EQ(hosted.application.answers_awaited(), 0U);
}

TEST(Linked, ARefusalAndAnAnswerOfAnotherTypeAreErrorsToTheContinuation) {
    Hosted hosted;
    hosted.start();
    const std::uint64_t first = hosted.call("ask", "other", 3).front().id;
    hosted.reply(first, encode_refusal({.code = Errc::not_found, .detail = "no handler"}), true);
    EXPECT_EQ(hosted.object().notes_.back(), "asked 3 no handler");
    const std::uint64_t second = hosted.call("ask", "other", 4).front().id;
    hosted.reply(second, as_bytes("?!"));
    EXPECT_EQ(hosted.object().notes_.back(), "asked 4 the answer is of another type");
}

TEST(Linked, ATimerFiresOnceAndNotAfterItsEnd) {
    Hosted hosted;
    hosted.start();
    const auto said = hosted.call("remind", Duration(2s), "tea");
    ASSERT_EQ(said[0].kind, OutputKind::timer);
    EXPECT_EQ(said[0].due, 7s);
    hosted.perform({.kind = InputKind::timer, .id = said[0].id});
    hosted.perform({.kind = InputKind::timer, .id = said[0].id});
    EXPECT_EQ(hosted.object().notes_.back(), ":tea");
    EXPECT_EQ(hosted.object().notes_.size(), 2U);
    EXPECT_EQ(answer<bool>(hosted.call("forget")), false);

    const std::uint64_t next = hosted.call("remind", Duration(2s), "cake").front().id;
    const auto ended = hosted.call("forget");
    EXPECT_EQ(answer<bool>(ended), true);
    EXPECT_EQ(ended.front().kind, OutputKind::cancel);
    EXPECT_EQ(ended.front().id, next);
    hosted.perform({.kind = InputKind::timer, .id = next});
    EXPECT_EQ(hosted.object().notes_.size(), 2U);
    EXPECT_EQ(hosted.call("remind", Duration::max(), "never").front().due, Duration::max());
    EXPECT_EQ(hosted.call("remind", Duration(-5s), "now").front().due, hosted.time);
}

TEST(Linked, RandomValuesFollowFromTheInputAlone) {
    Hosted one;
    Hosted other;
    one.start();
    other.start();
    const auto first = answer<std::string>(one.call("draw"));
    EXPECT_EQ(first, answer<std::string>(other.call("draw")));
    EXPECT_NE(first, answer<std::string>(one.call("draw")));
}

// --- Images --------------------------------------------------------------------------------------

/// A state in which everything waits for something.
void fill(Hosted& hosted) {
    for (int i = 0; i < 500; ++i) {
        (void)hosted.call("order", Order{"item" + std::to_string(i), i});
        if (i % 5 == 0) (void)hosted.call("ask", "other", i);
        if (i % 7 == 0) (void)hosted.call("remind", Duration(1s) * i, "tea");
    }
}

TEST(Linked, AnImageIsTheStateAndNothingIsMissing) {
    Hosted hosted;
    hosted.start();
    fill(hosted);
    for (const std::size_t about : {std::size_t{1}, std::size_t{100}, std::size_t{MiB}}) {
        const auto pieces = pieces_of(*hosted.application.begin_image(), about);
        Hosted copy;
        ASSERT_TRUE(restore(copy, pieces)) << about;
        EXPECT_EQ(copy.application.hash(), hosted.application.hash()) << about;
        EXPECT_EQ(copy.application.answers_awaited(), 100U);
        EXPECT_EQ(copy.application.timers(), 72U);
    }
    EXPECT_GT(pieces_of(*hosted.application.begin_image(), 100).size(), 50U);
}

TEST(Linked, ACopyGoesOnAsTheFirstDoes) {
    Hosted hosted;
    hosted.start();
    fill(hosted);
    Hosted copy;
    copy.position.value = hosted.position.value;
    ASSERT_TRUE(restore(copy, pieces_of(*hosted.application.begin_image(), 1000)));
    for (Hosted* each : {&hosted, &copy}) {
        Buffer answered;
        Packer(answered).put(77);
        each->reply(1, answered);
        const auto said = each->call("ask", "other", 1);
        EXPECT_EQ(answer<std::string>(each->call("draw")).has_value(), true);
        EXPECT_EQ(each->object().notes_.back(), "asked 0 77");
        EXPECT_GT(said[0].id, 170U);
    }
    EXPECT_EQ(copy.application.hash(), hosted.application.hash());
}

TEST(Linked, AnImageShowsItsMomentWhateverHappensMeanwhile) {
    Hosted hosted(classes<Shop, Shop2>());
    hosted.start();
    fill(hosted);
    const std::uint64_t hash = hosted.application.hash();
    const auto image = hosted.application.begin_image();
    std::vector<Buffer> pieces;
    Random random(5);
    bool upgraded = false;
    for (bool more = true; more;) {
        more = image->next(pieces.emplace_back(), 100);
        const auto item = static_cast<int>(random.below(1000));
        if (!upgraded) {
            (void)hosted.call("order", Order{"item" + std::to_string(item), -1});
            (void)hosted.call("ask", "other", item);
            hosted.reply(1 + random.below(200), packed());
        }
        if (pieces.size() == 40) {
            hosted.perform({.kind = InputKind::upgrade, .id = 2});
            upgraded = true;
        }
    }
    EXPECT_TRUE(upgraded);
    EXPECT_EQ(hosted.application.version(), 2U);
    Hosted copy;
    ASSERT_TRUE(restore(copy, pieces));
    EXPECT_EQ(copy.application.hash(), hash);
    EXPECT_NE(hosted.application.hash(), hash);
}

TEST(Linked, ABrokenImageIsRefusedAndNothingElseHappens) {
    Hosted hosted;
    hosted.start();
    fill(hosted);
    const auto pieces = pieces_of(*hosted.application.begin_image(), 1000);
    Hosted strange(classes<Shop2>());
    EXPECT_EQ(restore(strange, pieces).error().code, Errc::bad_config);
    const std::vector<Buffer> no_end(pieces.begin(), pieces.begin() + 3);
    Hosted cut;
    EXPECT_FALSE(restore(cut, no_end));
    EXPECT_EQ(cut.application.object(), nullptr);
    Random random(6);
    for (int turn = 0; turn < 500; ++turn) {
        std::vector<Buffer> wrong = pieces;
        Buffer& piece = wrong[random.below(wrong.size())];
        switch (random.below(3)) {
            case 0: piece[random.below(piece.size())] ^= std::byte{0x11}; break;
            case 1: piece.resize(random.below(piece.size())); break;
            case 2: std::swap(piece, wrong[random.below(wrong.size())]); break;
        }
        Hosted other;
        if (restore(other, wrong)) {
            (void)other.application.hash();
        } else {
            EXPECT_EQ(other.application.object(), nullptr);
        }
    }
    Hosted last;
    ASSERT_TRUE(restore(last, pieces)) << "a sound one is taken after all of that";
    ASSERT_TRUE(restore(last, pieces)) << "and replaces what is there";
    EXPECT_EQ(last.application.hash(), hosted.application.hash());
}

TEST(Linked, AnUpgradeTakesTheStateOverAndWhatWaits) {
    Hosted hosted(classes<Shop, Shop2>());
    EXPECT_EQ(hosted.application.version_newest(), 2U);
    hosted.start(1);
    (void)hosted.call("add", 21);
    fill(hosted);
    const std::uint64_t timer = hosted.call("remind", Duration(1s), "tea").front().id;
    hosted.heard.said.clear();
    hosted.perform({.kind = InputKind::upgrade, .id = 2});
    ASSERT_TRUE(hosted.heard.why.empty()) << hosted.heard.why.front();
    EXPECT_EQ(hosted.application.version(), 2U);
    ASSERT_EQ(hosted.heard.said.size(), 1U) << "upgraded() may do what a handler may";
    const Shop2& shop = hosted.object<Shop2>();
    EXPECT_EQ(shop.doubled_, 42);
    EXPECT_EQ(shop.stock_.size(), 500U);
    EXPECT_EQ(shop.notes_.back(), "from 1");
    hosted.perform({.kind = InputKind::timer, .id = timer});
    EXPECT_EQ(shop.notes_.back(), "2:tea") << "what waited is called in the new code";
    EXPECT_EQ(answer<std::int64_t>(hosted.call("add", 1)), 44);
    Hosted copy(classes<Shop, Shop2>());
    ASSERT_TRUE(restore(copy, pieces_of(*hosted.application.begin_image(), 1000), 2));
    EXPECT_EQ(copy.application.hash(), hosted.application.hash());
}

}  // namespace
}  // namespace understudy::immortal
