#include "library/records/member_record.h"

#include <chrono>
#include <utility>

#include <unistd.h>

namespace understudy::library {

namespace {

[[nodiscard]] std::int64_t to_field(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

}  // namespace

MemberRecord::MemberRecord(client::Member& member, const std::string& agent) : member_(member) {
    const auto put = [this](std::string_view field, Value value) {
        const auto done = draft_.put(field, std::move(value));
        US_ASSERT(done);
    };
    put("family", member.family());
    put("member", member.name());
    put("agent", agent);
    put("pid", to_field(static_cast<std::uint64_t>(::getpid())));
    Buffer image;
    record::encode_image(draft_.image(), image);
    (void)draft_.commit();
    const auto created = member_.create(name, image);
    US_ASSERT(created);  // It is the member's first record.
    id_ = *created;
}

void MemberRecord::update(Runtime& runtime, TimePoint agent_started, std::uint64_t calls) {
    agent_started_ = agent_started;
    calls_ = calls;
    if (timer_ != nullptr) return;
    const TimePoint now = runtime.now();
    if (published_last_ == TimePoint() || now >= published_last_ + interval_min) {
        return publish(now);
    }
    timer_ = runtime.at(published_last_ + interval_min, [this, &runtime] {
        timer_.reset();
        publish(runtime.now());
    });
}

void MemberRecord::publish(TimePoint now) {
    published_last_ = now;
    record::Publisher& publisher = member_.publisher();
    const std::uint64_t own = publisher.subscriptions(name);
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(now - agent_started_);
    const std::pair<std::string_view, Value> fields[] = {
        {"role", understudy::name(member_.role().role())},
        {"epoch", to_field(member_.role().epoch().value)},
        {"clients", to_field(member_.clients())},
        {"records", to_field(publisher.records() - 1)},
        {"subscriptions", to_field(publisher.subscriptions() - own)},
        {"changes", to_field(publisher.metrics().changes - own_changes_)},
        {"calls", to_field(calls_)},
        {"uptime_s", to_field(static_cast<std::uint64_t>(uptime.count()))},
    };
    for (const auto& [field, value] : fields) {
        const auto put = draft_.put(field, value);
        US_ASSERT(put);
    }
    const auto delta = draft_.commit();
    if (!delta) return;
    const std::uint64_t before = publisher.metrics().changes;
    const auto committed = member_.commit(id_, *delta);
    US_ASSERT(committed);
    own_changes_ += publisher.metrics().changes - before;
}

}  // namespace understudy::library
