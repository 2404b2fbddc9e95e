#include "record/state.h"

#include <gtest/gtest.h>

#include "record/draft.h"

namespace understudy::record {
namespace {

class Nowhere final : public Outlet {
public:
    Flow send(LinkId, wire::MessageType, std::span<const Bytes>) override { return Flow::open; }
    void subscriptions_changed(std::string_view, std::size_t, std::size_t) override {}
};

/// One member: its publisher, and the state on it.
struct Here {
    Result<void> apply(State::Kind kind, std::string_view name, Bytes bytes) {
        Buffer command;
        State::encode(kind, name, bytes, command);
        Buffer reply;
        state.apply({.index = {1}, .time = {}, .body = command}, reply);
        return State::result_of(reply);
    }
    Result<void> create(std::string_view name, const Draft& draft) {
        Buffer image;
        encode_image(draft.image(), image);
        return apply(State::Kind::create, name, image);
    }
    [[nodiscard]] RecordImage image(std::string_view name) const {
        const auto found = publisher.find(name);
        return found ? *publisher.image(*found) : RecordImage();
    }

    Nowhere nowhere;
    Publisher publisher{nowhere};
    State state{publisher};
};

[[nodiscard]] Draft with(std::string_view field, const char* value) {
    Draft draft;
    draft.put(field, value).value_or_throw();
    return draft;
}

TEST(RecordState, AppliesWhatWasChanged) {
    Here here;
    Draft draft = with("price", "1");
    ASSERT_TRUE(here.create("gold", draft));
    (void)draft.commit();
    draft.put("price", "2").value_or_throw();
    draft.put("place", "Paris").value_or_throw();
    ASSERT_TRUE(here.apply(State::Kind::change, "gold", *draft.commit()));
    EXPECT_EQ(here.image("gold"), draft.image());
    ASSERT_TRUE(here.apply(State::Kind::remove, "gold", {}));
    EXPECT_FALSE(here.publisher.find("gold"));
}

TEST(RecordState, SaysWhyAChangeCannotBeMade) {
    Here here;
    EXPECT_EQ(here.apply(State::Kind::change, "gold", {}).error().code, Errc::not_found);
    EXPECT_EQ(here.apply(State::Kind::remove, "gold", {}).error().code, Errc::not_found);
    ASSERT_TRUE(here.create("gold", with("price", "1")));
    EXPECT_EQ(here.create("gold", with("price", "1")).error().code, Errc::already_exists);
    EXPECT_EQ(here.apply(State::Kind::change, "gold", as_bytes("?")).error().code, Errc::corrupt);
    EXPECT_EQ(here.create("understudy.member", with("role", "active")).error().code,
              Errc::corrupt);
    Buffer reply;
    here.state.apply({.index = {1}, .time = {}, .body = as_bytes("?")}, reply);
    EXPECT_EQ(State::result_of(reply).error().code, Errc::corrupt);
    EXPECT_EQ(here.image("gold"), with("price", "1").image());
}

TEST(RecordState, ACheckpointHoldsTheRecordsOfTheServiceAndNoOthers) {
    Here here;
    ASSERT_TRUE(here.publisher.create("understudy.member"));
    ASSERT_TRUE(here.create("gold", with("price", "1")));
    ASSERT_TRUE(here.create("silver", with("price", "2")));
    Buffer checkpoint;
    here.state.snapshot(checkpoint);

    Here other;
    ASSERT_TRUE(other.publisher.create("understudy.member"));
    ASSERT_TRUE(other.create("lead", with("price", "3")));
    ASSERT_TRUE(other.state.restore(checkpoint));
    EXPECT_EQ(other.publisher.names(),
              (std::vector<std::string_view>{"gold", "silver", "understudy.member"}));
    EXPECT_EQ(other.image("silver"), here.image("silver"));
    EXPECT_EQ(other.state.hash(), here.state.hash());

    checkpoint.pop_back();
    EXPECT_EQ(other.state.restore(checkpoint).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace understudy::record
