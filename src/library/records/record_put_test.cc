// Operators change records of a member that allows it.

#include "library/records/record_put.h"

#include "library/platform_test.h"

namespace understudy::library {
namespace {

class RecordPut : public PlatformTest {
protected:
    [[nodiscard]] Service open(bool allowed) {
        Service service = server_.create_service({.family = "Foo", .member = "Bar",
                                                  .allow_record_put = allowed})
                              .value_or_throw();
        service.wait_registered().value_or_throw();
        return service;
    }
    [[nodiscard]] Result<CallResult> put(std::string_view json) {
        return proxy_.call(record_put_call, Arguments::from_json(json).value_or_throw());
    }

    Agent server_ = open_agent("server");
    Agent client_ = open_agent("client");
    Proxy proxy_ = client_.proxy("Foo").value_or_throw();
};

TEST_F(RecordPut, IsNoCallUnlessTheApplicationAllowsIt) {
    [[maybe_unused]] const Service service = open(false);
    const auto result = put(R"({"record": "R", "fields": {"f": 1}})");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_EQ(result.error().effect, Effect::none);
}

TEST_F(RecordPut, WhatItCannotTakeChangesNothing) {
    Service service = open(true);
    Record record = service.record("R").value_or_throw();
    record.put("a", 1).value_or_throw();
    record.put("large", std::string(record_size_max / 2, 'x')).value_or_throw();
    service.publish(record).value_or_throw();
    for (const std::string& json : std::vector<std::string>{
             R"({})", R"({"record": 3})", R"({"record": "a/b"})", R"({"record": "R", "fields": 3})",
             R"({"record": "R", "fields": {"a": true}})", R"({"record": "R", "fields": {"/": 1}})",
             R"({"record": "R", "fields": {"a": 2, "b": [1]}})",
             R"({"record": "R", "submaps": {"s": 3}})", R"({"record": "R", "submaps": {"": {}}})",
             R"({"record": "understudy.member", "fields": {"a": 1}})"}) {
        const auto result = put(json);
        ASSERT_FALSE(result) << json;
        EXPECT_EQ(result.error().code, Errc::bad_config) << json;
        EXPECT_EQ(result.error().effect, Effect::none) << json;
    }
    // "a" and "n" are assigned before "z" turns out to be too large, and are then reset.
    const auto result =
        proxy_.call(record_put_call,
                    Arguments::from_json(R"({"record": "R", "fields": {"a": 2, "n": 1, "z": ")" +
                                         std::string(record_size_max / 2, 'z') + R"("}})")
                        .value_or_throw());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
    EXPECT_EQ(result.error().effect, Effect::none);
    EXPECT_EQ(record.image().find("n"), nullptr);
    EXPECT_EQ(record.image().integer("a"), 1);
    EXPECT_EQ(proxy_.get("R").value_or_throw().integer("a"), 1);
}

TEST_F(RecordPut, AllOfItBecomesOneChange) {
    Service service = open(true);
    ASSERT_TRUE(put(R"({"record": "R", "fields": {"t": "1", "i": 1, "r": 1.0}})"));
    const Heard<RecordChange> heard;
    const auto subscription =
        proxy_.subscribe("R", [heard](const RecordImage&, const RecordChange& change) {
                  heard.add(change);
              }).value_or_throw();
    (void)heard.wait_for(1);
    ASSERT_TRUE(put(R"({"record": "R", "fields": {"t": null, "i": 2, "b": {"$bytes": "00ff"}},
                        "submaps": {"s": {"f": "x"}}})"));
    const RecordChange change = heard.wait_for(2).back();
    EXPECT_EQ(change.fields.puts, (Fields{{"i", 2}, {"b", Blob{std::byte{0}, std::byte{255}}}}));
    EXPECT_EQ(change.fields.removed, (Fields{{"t", "1"}}));
    EXPECT_EQ(change.submaps.at("s").puts, (Fields{{"f", "x"}}));
    EXPECT_EQ(subscription.image().fields.at("r"), Value(1.0));
}

}  // namespace
}  // namespace understudy::library
