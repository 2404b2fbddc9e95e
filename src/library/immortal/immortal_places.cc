#include "library/immortal/immortal_places.h"

#include <algorithm>
#include <utility>

#include "library/options.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

constexpr Duration leave_max = 500ms;  // For leaving the registry.

[[nodiscard]] AgentOptions agent_options(const ImmortalPlaces::Options& options) {
    return {.name = options.agent, .registry = options.registry, .tls = options.tls};
}

[[nodiscard]] Result<Address> reachable(const std::string& what, const std::string& text) {
    Address address = US_TRY(parse_address(text));
    if (!address.host.empty() && address.port != 0) return address;
    return Error{.code = Errc::bad_config, .detail = what + " " + text + ": expected HOST:PORT"};
}

}  // namespace

Result<void> ImmortalPlaces::check(const Options& options) {
    for (const auto& [service, addresses] : options.listed) {
        US_CHECK(check_service_name(service));
        for (const std::string& text : addresses) {
            if (auto address = reachable(service, text); !address) return address.error();
        }
    }
    if (options.registry.empty()) return {};
    if (auto checked = library::check(agent_options(options)); !checked) return checked.error();
    return {};
}

Result<std::unique_ptr<ImmortalPlaces>> ImmortalPlaces::open(Runtime& runtime, Log& log,
                                                             const Options& options) {
    std::unique_ptr<ImmortalPlaces> places(new ImmortalPlaces(runtime, log));
    for (const auto& [service, addresses] : options.listed) {
        for (const std::string& text : addresses) {
            places->listed_[service].push_back(
                {.member = {}, .address = US_TRY(reachable(service, text)), .epoch = {}});
        }
        places->places_.set(service, places->listed_[service]);
    }
    if (!options.registry.empty()) {
        client::AgentOptions how = US_TRY(library::check(agent_options(options)));
        places->agent_ = US_TRY(client::Agent::open(runtime, log, std::move(how), *places));
    }
    return places;
}

ImmortalPlaces::ImmortalPlaces(Runtime& runtime, Log& log) : log_(log), places_(runtime) {}

ImmortalPlaces::~ImmortalPlaces() = default;

std::unique_ptr<node::Locator::Watch> ImmortalPlaces::watch(const std::string& service,
                                                            Found found) {
    if (agent_ != nullptr && followed_.insert(service).second) agent_->follow(service);
    return places_.watch(service, std::move(found));
}

void ImmortalPlaces::heard(const std::string& service, const Place& active) {
    places_.heard(service, active);
}

void ImmortalPlaces::close(std::function<void()> done) {
    if (agent_ == nullptr) return done();
    agent_->close(leave_max, std::move(done));
}

void ImmortalPlaces::registry_changed(bool available, const std::string& detail) {
    if (available) {
        log_.info("registry.up");
    } else {
        log_.warn("registry.down", {kv("why", detail)});
    }
}

/// First the active member, then the others, then the listed addresses.
void ImmortalPlaces::service_changed(const std::string& family) {
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

}  // namespace understudy::library
