// Records from a member to its subscribers, on real sockets.

#include <algorithm>
#include <limits>
#include <thread>
#include <tuple>

#include "library/platform_test.h"

namespace understudy::library {
namespace {

/// The arguments of a record listener.
struct Told {
    RecordImage image;
    RecordChange change;
};

class Records : public PlatformTest {
protected:
    [[nodiscard]] RecordListener listener() {
        return [told = told_](const RecordImage& image, const RecordChange& change) {
            told.add({image, change});
        };
    }

    Agent server_ = open_agent("server");
    Agent client_ = open_agent("client");
    Service service_ =
        server_.create_service({.family = "Foo", .member = "Bar"}).value_or_throw();
    Proxy proxy_ = client_.proxy("Foo").value_or_throw();
    Heard<Told> told_;
};

TEST_F(Records, NamesThatCannotBeAreRefused) {
    for (const std::string& name : {std::string(), std::string(".hidden"), std::string("a/b"),
                                    std::string(256, 'x'), std::string("a\nb")}) {
        EXPECT_FALSE(service_.record(name)) << name;
        EXPECT_FALSE(proxy_.subscribe(name, listener())) << name;
        EXPECT_FALSE(proxy_.get(name)) << name;
    }
    EXPECT_EQ(service_.record("understudy.member").error().code, Errc::bad_config);
    Record record = service_.record("r").value_or_throw();
    EXPECT_EQ(record.put("", 1).error().code, Errc::bad_config);
    EXPECT_EQ(record.put("field", std::string(record_size_max, 'x')).error().code,
              Errc::limit_exceeded);
    EXPECT_EQ(proxy_.subscribe("r", listener(), {.token = std::string(256, 't')}).error().code,
              Errc::limit_exceeded);
    EXPECT_EQ(proxy_.subscribe("r", nullptr).error().code, Errc::bad_config);
    EXPECT_FALSE(client_.proxy("no/service"));
    EXPECT_FALSE(client_.member_proxy("Foo", "no member"));
    EXPECT_FALSE(server_.create_service({.family = "a b", .member = "c"}));
    EXPECT_FALSE(server_.create_service({.family = "a", .member = ""}));
}

TEST_F(Records, ARecordOfAnotherServiceIsNotPublished) {
    Service other = server_.create_service({.family = "Foo2", .member = "Bar"}).value_or_throw();
    Record record = other.record("r").value_or_throw();
    EXPECT_EQ(service_.publish(record).error().code, Errc::bad_config);
    EXPECT_EQ(service_.remove_record(record).error().code, Errc::bad_config);
}

TEST_F(Records, AnImageComesFirstAndThenEachAtomicChange) {
    Record record = service_.record("r").value_or_throw();
    record.put("text", "one").value_or_throw();
    record.put("integer", std::numeric_limits<std::int64_t>::min()).value_or_throw();
    record.put("real", 0.1).value_or_throw();
    record.put("bytes", Blob{std::byte{0}, std::byte{0xff}}).value_or_throw();
    record.put("sub", "deep", 1).value_or_throw();
    service_.publish(record).value_or_throw();
    const Subscription subscription = proxy_.subscribe("r", listener()).value_or_throw();
    const auto first = told_.wait_for(1).front();
    EXPECT_TRUE(first.change.is_image);
    EXPECT_EQ(first.image, record.image());
    EXPECT_EQ(first.change.fields.puts.size(), 4U);
    EXPECT_EQ(subscription.status(), RecordStatus::connected);

    record.put("text", "two").value_or_throw();
    record.put("real", 0.1).value_or_throw();  // It is equal, so this is no change.
    EXPECT_TRUE(record.remove("bytes"));
    record.put("sub", "deep", 2).value_or_throw();
    record.put("sub", "more", "x").value_or_throw();
    service_.publish(record).value_or_throw();
    // There was no change since, so nothing is reported.
    service_.publish(record).value_or_throw();
    EXPECT_TRUE(record.remove_submap("sub"));
    service_.publish(record).value_or_throw();

    const auto all = told_.wait_for(3);
    const RecordChange& second = all[1].change;
    EXPECT_FALSE(second.is_image);
    EXPECT_EQ(second.fields.puts, (Fields{{"text", "two"}}));
    EXPECT_EQ(second.fields.overwritten, (Fields{{"text", "one"}}));
    EXPECT_EQ(second.fields.removed, (Fields{{"bytes", Blob{std::byte{0}, std::byte{0xff}}}}));
    EXPECT_EQ(second.submaps.at("sub").puts, (Fields{{"deep", 2}, {"more", "x"}}));
    EXPECT_EQ(second.submaps.at("sub").overwritten, (Fields{{"deep", 1}}));
    EXPECT_EQ(all[2].change.submaps.at("sub").removed, (Fields{{"deep", 2}, {"more", "x"}}));
    EXPECT_EQ(all[2].change.sequence, second.sequence + 1);
    EXPECT_EQ(all[2].image, record.image());
    EXPECT_EQ(subscription.image(), record.image());
}

TEST_F(Records, ARecordIsSeenFromItsFirstPublicationOnAndWhole) {
    Heard<RecordStatus> status;
    const Subscription subscription = proxy_.subscribe("r", listener()).value_or_throw();
    proxy_.on_record_status(subscription, [status](RecordStatus now) { status.add(now); });
    Record record = service_.record("r").value_or_throw();
    status.wait_for_last(RecordStatus::absent);
    EXPECT_EQ(proxy_.get("r").error().code, Errc::not_found);
    record.put("a", 1).value_or_throw();
    record.put("b", 2).value_or_throw();
    EXPECT_TRUE(told_.so_far().empty());
    service_.publish(record).value_or_throw();
    EXPECT_EQ(told_.wait_for(1).front().image.fields, (Fields{{"a", 1}, {"b", 2}}));
    status.wait_for_last(RecordStatus::connected);
    EXPECT_EQ(proxy_.get("r").value_or_throw(), record.image());
}

TEST_F(Records, ARemovedRecordIsGoneAndMayComeAgain) {
    Record record = service_.record("r").value_or_throw();
    record.put("a", 1).value_or_throw();
    service_.publish(record).value_or_throw();
    const Subscription subscription = proxy_.subscribe("r", listener()).value_or_throw();
    told_.wait_for(1);
    service_.remove_record(record).value_or_throw();
    const auto removed = told_.wait_for(2).back();
    EXPECT_TRUE(removed.image.empty());
    EXPECT_EQ(removed.change.fields.removed, (Fields{{"a", 1}}));
    EXPECT_EQ(subscription.status(), RecordStatus::absent);
    EXPECT_EQ(service_.publish(record).error().code, Errc::not_found);
    EXPECT_EQ(service_.remove_record(record).error().code, Errc::not_found);
    EXPECT_FALSE(service_.find_record("r"));

    Record again = service_.record("r").value_or_throw();
    again.put("a", 2).value_or_throw();
    service_.publish(again).value_or_throw();
    EXPECT_EQ(told_.wait_for(3).back().image.fields, (Fields{{"a", 2}}));
    EXPECT_EQ(service_.record_names(), std::vector<std::string>{"r"});
}

TEST_F(Records, AnEndedSubscriptionHearsNothingMoreAndItsImageStays) {
    Record record = service_.record("r").value_or_throw();
    record.put("a", 1).value_or_throw();
    service_.publish(record).value_or_throw();
    Heard<std::tuple<std::string, std::size_t, std::size_t>> counts;
    service_.on_subscriptions([counts](std::string_view name, std::size_t before, std::size_t now) {
        counts.add({std::string(name), before, now});
    });
    Subscription subscription = proxy_.subscribe("r", listener()).value_or_throw();
    told_.wait_for(1);
    counts.wait_for_last({"r", 0, 1});
    subscription.end();
    counts.wait_for_last({"r", 1, 0});
    record.put("a", 2).value_or_throw();
    service_.publish(record).value_or_throw();
    EXPECT_EQ(proxy_.get("r").value_or_throw().integer("a"), 2);
    EXPECT_EQ(told_.so_far().size(), 1U);
    EXPECT_EQ(subscription.image().integer("a"), 1);
}

TEST_F(Records, ThePermissionFilterDecidesByRecordAndToken) {
    service_.set_permission_filter([](std::string_view record, std::string_view token) {
        if (record == "throws") throw std::runtime_error("no");
        return record == "open" || token == "secret";
    });
    for (const char* name : {"open", "guarded", "throws"}) {
        Record record = service_.record(name).value_or_throw();
        service_.publish(record).value_or_throw();
    }
    Heard<RecordStatus> refused;
    Heard<RecordStatus> thrown;
    const auto without =
        proxy_.subscribe("guarded", listener(), {.token = "wrong"}).value_or_throw();
    proxy_.on_record_status(without, [refused](RecordStatus now) { refused.add(now); });
    const auto throws =
        proxy_.subscribe("throws", listener(), {.token = "secret"}).value_or_throw();
    proxy_.on_record_status(throws, [thrown](RecordStatus now) { thrown.add(now); });
    refused.wait_for_last(RecordStatus::refused);
    thrown.wait_for_last(RecordStatus::refused);
    EXPECT_TRUE(told_.so_far().empty());
    EXPECT_EQ(proxy_.get("guarded").error().code, Errc::denied);
    const auto with = proxy_.subscribe("guarded", listener(), {.token = "secret"}).value_or_throw();
    told_.wait_for(1);
    EXPECT_TRUE(proxy_.get("open"));
    EXPECT_TRUE(proxy_.get("understudy.member"));
}

TEST_F(Records, NamesOfRecordsAndCallsAreTold) {
    Heard<std::string> names;
    proxy_.on_records([names](const auto& added, const auto& removed) {
        for (const std::string& name : added) names.add("+" + name);
        for (const std::string& name : removed) names.add("-" + name);
    });
    Heard<std::vector<std::string>> calls;
    proxy_.on_rpcs([calls](const std::vector<std::string>& all) { calls.add(all); });
    Record record = service_.record("r").value_or_throw();
    service_.publish(record).value_or_throw();
    names.wait([](const std::vector<std::string>& all) {
        return std::count(all.begin(), all.end(), "+r") == 1;
    });
    service_.remove_record(record).value_or_throw();
    names.wait_for_last("-r");
    service_.publish_rpc("ping", [](const Arguments&) { return CallResult(); }).value_or_throw();
    calls.wait_for_last({"ping"});
    service_.unpublish_rpc("ping").value_or_throw();
    calls.wait_for_last({});
    EXPECT_EQ(service_.unpublish_rpc("ping").error().code, Errc::not_found);
}

TEST_F(Records, ThePlatformShowsEachMemberAsARecord) {
    service_.wait_registered().value_or_throw();
    Record record = service_.record("r").value_or_throw();
    service_.publish(record).value_or_throw();
    const auto subscription =
        proxy_.subscribe("understudy.member", listener()).value_or_throw();
    const auto shown = told_
                           .wait([](const std::vector<Told>& all) {
                               return !all.empty() && all.back().image.integer("clients") == 1 &&
                                      all.back().image.integer("records") == 1;
                           })
                           .back()
                           .image;
    EXPECT_EQ(shown.text("family"), "Foo");
    EXPECT_EQ(shown.text("member"), "Bar");
    EXPECT_EQ(shown.text("role"), "active");
    EXPECT_EQ(shown.text("agent"), "server");
    EXPECT_EQ(shown.integer("pid"), getpid());
    EXPECT_EQ(shown.integer("epoch"), static_cast<std::int64_t>(service_.epoch().value));
    EXPECT_EQ(shown.integer("subscriptions"), 0);
    EXPECT_EQ(shown.integer("calls"), 0);
    EXPECT_TRUE(shown.integer("uptime_s"));
}

TEST_F(Records, ASlowListenerSeesFewerChangesAndTheLastState) {
    Record record = service_.record("r").value_or_throw();
    const std::string padding(4 * KiB, 'x');
    const auto publish = [&](int n) {
        record.put("n", n).value_or_throw();
        record.put("padding", padding + std::to_string(n)).value_or_throw();
        service_.publish(record).value_or_throw();
    };
    publish(0);
    Door door;
    const auto subscription =
        proxy_
            .subscribe("r",
                       [told = told_, door](const RecordImage& image, const RecordChange& change) {
                           told.add({image, change});
                           door.pass();
                       })
            .value_or_throw();
    told_.wait_for(1);
    static constexpr int count = 5000;  // 20 MiB: much more than any buffer keeps.
    for (int n = 1; n <= count; ++n) publish(n);
    // The blocked callback does not delay the latest change of the member.
    while (proxy_.get("r").value_or_throw().integer("n") != count) std::this_thread::yield();
    door.open();
    const auto all = told_.wait([](const std::vector<Told>& told) {
        return told.back().image.integer("n") == count;
    });
    EXPECT_LT(all.size(), static_cast<std::size_t>(count) / 2);
    EXPECT_GT(subscription.coalesced(), 0U);
    std::int64_t before = -1;
    for (const Told& each : all) {
        EXPECT_GT(each.image.integer("n", -1), before);
        before = each.image.integer("n", -1);
    }
    publish(count + 1);
    EXPECT_EQ(told_.wait_for(all.size() + 1).back().image.integer("n"), count + 1);
}

TEST_F(Records, ListenersThatThrowDoNotHarmOthers) {
    Record record = service_.record("r").value_or_throw();
    service_.publish(record).value_or_throw();
    const auto throws =
        proxy_
            .subscribe("r", [](const RecordImage&, const RecordChange&) {
                throw std::runtime_error("no");
            })
            .value_or_throw();
    const auto fine = proxy_.subscribe("r", listener()).value_or_throw();
    told_.wait_for(1);
    record.put("a", 1).value_or_throw();
    service_.publish(record).value_or_throw();
    told_.wait_for(2);
    EXPECT_EQ(throws.image(), fine.image());
}

TEST_F(Records, AGetSaysWhatItWaitedFor) {
    Proxy nobody = client_.proxy("Nobody").value_or_throw();
    const auto late = nobody.get("r", 20ms);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::timed_out);
    EXPECT_EQ(late.error().effect, Effect::none);
    EXPECT_NE(late.error().detail.find("Nobody"), std::string::npos);
}

}  // namespace
}  // namespace understudy::library
