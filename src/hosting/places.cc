#include "hosting/places.h"

#include <algorithm>
#include <utility>

#include "understudy/limits.h"

namespace understudy::hosting {

namespace {

constexpr Duration leave_max = 500ms;  // For leaving the registry.

[[nodiscard]] Result<Address> reachable(const std::string& what, const std::string& text) {
    Address address = US_TRY(parse_address(text));
    if (!address.host.empty() && address.port != 0) return address;
    return Error{.code = Errc::bad_config, .detail = what + " " + text + ": expected HOST:PORT"};
}

}  // namespace

Result<void> Places::check(const Options& options) {
    for (const auto& [service, addresses] : options.listed) {
        US_CHECK(check_service_name(service));
        for (const std::string& text : addresses) {
            if (auto address = reachable(service, text); !address) return address.error();
        }
    }
    return {};
}

Result<std::unique_ptr<Places>> Places::open(Runtime& runtime, Log& log, Options options) {
    std::unique_ptr<Places> places(new Places(runtime, log));
    for (const auto& [service, addresses] : options.listed) {
        for (const std::string& text : addresses) {
            places->listed_[service].push_back(
                {.member = {}, .address = US_TRY(reachable(service, text)), .epoch = {}});
        }
        places->places_.set(service, places->listed_[service]);
    }
    if (options.registry) {
        places->agent_ =
            US_TRY(client::Agent::open(runtime, log, *std::move(options.registry), *places));
    }
    return places;
}

Places::Places(Runtime& runtime, Log& log) : log_(log), places_(runtime) {}

Places::~Places() = default;

std::unique_ptr<Locator::Watch> Places::watch(const std::string& service, Found found) {
    if (agent_ != nullptr && followed_.insert(service).second) agent_->follow(service);
    return places_.watch(service, std::move(found));
}

void Places::heard(const std::string& service, const Place& active) {
    places_.heard(service, active);
}

void Places::close(std::function<void()> done) {
    if (agent_ == nullptr) return done();
    agent_->close(leave_max, std::move(done));
}

void Places::registry_changed(bool available, const std::string& detail) {
    if (available) {
        log_.info("registry.up");
    } else {
        log_.warn("registry.down", {kv("why", detail)});
    }
}

/// First the active member, then the others, then the listed addresses.
void Places::service_changed(const std::string& family) {
    const wire::pb::ServiceInfo* info = agent_->directory().find(family);
    if (info == nullptr) return;
    std::vector<Place> places;
    for (const wire::pb::MemberInfo& member : info->members()) {
        if (member.endpoint().port() == 0) continue;
        const bool active = member.member() == info->active();
        Place place{.member = member.member(),
                    .address = {.host = member.endpoint().host(),
                                .port = static_cast<std::uint16_t>(member.endpoint().port())},
                    .epoch = {active ? info->epoch() : 0}};
        places.insert(active ? places.begin() : places.end(), std::move(place));
    }
    const auto listed = listed_.find(family);
    if (listed != listed_.end()) {
        places.insert(places.end(), listed->second.begin(), listed->second.end());
    }
    if (!places.empty()) places_.set(family, std::move(places));
}

}  // namespace understudy::hosting
