#include "apps/view/service_view.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "apps/view/quantity.h"
#include "role/cause.h"
#include "wire/definition.h"

namespace understudy::apps {

namespace pb = wire::pb;
using wire::Dynamic;

namespace {

[[nodiscard]] std::string on_registry_loss_of(const pb::ServiceInfo& service) {
    switch (service.config().on_registry_loss()) {
        case 1: return "keep";
        case 2: return "step_down";
        default: return "by_registry";
    }
}

[[nodiscard]] Dynamic text_or_nil(const std::string& text) {
    return text.empty() ? Dynamic() : Dynamic(text);
}

[[nodiscard]] Role role_of(const pb::MemberInfo& member) {
    return static_cast<Role>(member.role());
}

[[nodiscard]] std::string redundancy_of(const pb::ServiceInfo& service) {
    return std::string(name(static_cast<Redundancy>(service.config().redundancy())));
}

[[nodiscard]] std::string endpoint_of(const pb::MemberInfo& member) {
    return to_string(Address{member.endpoint().host(),
                             static_cast<std::uint16_t>(member.endpoint().port())});
}

[[nodiscard]] std::string time_text(const Dynamic& wall_ms) {
    const std::int64_t* const value = wall_ms.as<std::int64_t>();
    if (value == nullptr || *value <= 0) return "-";
    const std::time_t seconds = *value / 1000;
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}Z", fmt::gmtime(seconds), *value % 1000);
}

[[nodiscard]] std::string microseconds_text(const Dynamic& value) {
    const std::int64_t* const held = value.as<std::int64_t>();
    return held == nullptr ? "-" : humane_us(static_cast<std::uint64_t>(*held));
}

[[nodiscard]] Dynamic::Map member_json(const pb::MemberInfo& member, std::uint64_t place) {
    return {{"member", member.member()},
            {"role", std::string(name(role_of(member)))},
            {"place", place},
            {"order", member.order()},
            {"epoch", member.epoch()},
            {"endpoint", endpoint_of(member)},
            {"agent", member.agent()},
            {"pid", member.process().pid() == 0 ? Dynamic() : Dynamic(member.process().pid())},
            {"joined_ms", member.joined_wall_ms()}};
}

[[nodiscard]] bool is_journaled(const pb::ServiceInfo& service) {
    return service.config().redundancy() == static_cast<std::uint32_t>(Redundancy::journaled);
}

[[nodiscard]] std::string_view definition_kind(const pb::Definition& definition) {
    return definition.kind() == static_cast<std::uint32_t>(wire::ServiceKind::immortal) ? "immortal"
                                                                                        : "unknown";
}

[[nodiscard]] bool is_replicated(const pb::Definition& definition) {
    return definition.journal() == static_cast<std::uint32_t>(wire::JournalKind::replicated);
}

[[nodiscard]] std::string_view last_resort_of(const pb::ServiceInfo& service) {
    return service.config().last_resort() == 1 ? "allow" : "never";
}

[[nodiscard]] std::string_view checkpointer_of(const pb::ServiceInfo& service) {
    return service.config().checkpointer() == 1 ? "shared" : "dedicated";
}

[[nodiscard]] Dynamic port_or_nil(std::uint32_t port) {
    return port == 0 ? Dynamic() : Dynamic(port);
}

[[nodiscard]] Dynamic node_or_nil(const pb::Endpoint& node) {
    if (node.port() == 0) return {};
    return to_string(Address{node.host(), static_cast<std::uint16_t>(node.port())});
}

/// The newest entry that any member has reported as committed.
[[nodiscard]] std::uint64_t newest_entry(const pb::ServiceInfo& service) {
    std::uint64_t newest = 0;
    for (const pb::MemberInfo& member : service.members()) {
        newest = std::max({newest, member.position().committed(), member.position().applied()});
    }
    return newest;
}

/// The role of a member of a journaled service, its designation and its position.
void add_standing(Dynamic::Map& row, const pb::MemberInfo& member, std::uint64_t newest) {
    const pb::Designation& designation = member.designation();
    row["running"] = true;
    row["designated"] = std::string(name(static_cast<Role>(designation.role())));
    row["electable"] = designation.electable();
    row["takes_checkpoints"] = designation.takes_checkpoints();
    row["duty"] = designation.takes_checkpoints() ? Dynamic("checkpoints") : Dynamic();
    row["node"] = node_or_nil(member.node());
    const bool known = member.has_position();
    const pb::MemberPosition& position = member.position();
    const auto said = [&](std::uint64_t value) { return known ? Dynamic(value) : Dynamic(); };
    row["applied"] = said(position.applied());
    row["committed"] = said(position.committed());
    row["lag"] = said(newest - std::min(newest, position.applied()));
    const bool has_checkpoint = known && position.has_checkpoint();
    row["checkpoint"] = has_checkpoint ? Dynamic(position.checkpoint()) : Dynamic();
    row["checkpoint_age_ms"] =
        has_checkpoint ? Dynamic(position.checkpoint_age_ms() + position.heard_ms()) : Dynamic();
    row["heard_ms"] = said(position.heard_ms());
    row["detail"] = text_or_nil(position.detail());
}

/// A registered copy that does not run.
[[nodiscard]] Dynamic::Map resting(const pb::ReplicaDefinition& replica) {
    return {{"member", wire::replica_member(replica.number())}, {"role", Dynamic()},
            {"place", Dynamic()},       {"order", Dynamic()},
            {"epoch", Dynamic()},       {"endpoint", Dynamic()},
            {"agent", Dynamic()},       {"pid", Dynamic()},
            {"joined_ms", Dynamic()},   {"running", false},
            {"designated", Dynamic()},  {"electable", false},
            {"takes_checkpoints", false}, {"duty", Dynamic()},
            {"node", node_or_nil(replica.node())}, {"applied", Dynamic()},
            {"committed", Dynamic()},   {"lag", Dynamic()},
            {"checkpoint", Dynamic()},  {"checkpoint_age_ms", Dynamic()},
            {"heard_ms", Dynamic()},    {"detail", Dynamic()}};
}

[[nodiscard]] std::string role_text(const Dynamic& value) {
    return value.as<std::string>() == nullptr ? "not running" : cell_text(value);
}

[[nodiscard]] std::string age_text(const Dynamic& value) {
    if (const auto* held = value.as<std::int64_t>()) {
        return humane_us(static_cast<std::uint64_t>(*held) * 1000);
    }
    return "-";
}

/// Members in joining order, then the copies that do not run.
[[nodiscard]] Listing list_copies(const pb::ServiceInfo& service) {
    Listing listing{.columns = {{.key = "member", .title = "MEMBER"},
                                {.key = "role", .title = "ROLE", .shown = role_text},
                                {.key = "designated", .title = "DESIGNATED"},
                                {.key = "duty", .title = "DUTY"},
                                {.key = "epoch", .title = "EPOCH"},
                                {.key = "applied", .title = "APPLIED"},
                                {.key = "lag", .title = "LAG"},
                                {.key = "checkpoint", .title = "CHECKPOINT"},
                                {.key = "checkpoint_age_ms", .title = "AGE", .shown = age_text},
                                {.key = "endpoint", .title = "ENDPOINT"},
                                {.key = "pid", .title = "PID"}},
                    .rows = {},
                    .name_key = "member"};
    const std::uint64_t newest = newest_entry(service);
    std::uint64_t place = 0;
    for (const pb::MemberInfo& member : service.members()) {
        Dynamic::Map& row = listing.rows.emplace_back(member_json(member, ++place));
        add_standing(row, member, newest);
    }
    for (const pb::ReplicaDefinition& replica : service.definition().replicas()) {
        const std::string member = wire::replica_member(replica.number());
        auto row = std::find_if(listing.rows.begin(), listing.rows.end(), [&](const auto& one) {
            return *one.at("member").template as<std::string>() == member;
        });
        if (row == listing.rows.end()) row = listing.rows.insert(row, resting(replica));
        (*row)["replica"] = replica.number();
        (*row)["log"] = text_or_nil(replica.directory());
        (*row)["port"] = port_or_nil(replica.port());
        (*row)["app_port"] = port_or_nil(replica.app_port());
        if (replica.node().port() != 0) (*row)["node"] = node_or_nil(replica.node());
    }
    return listing;
}

[[nodiscard]] std::string definition_text(const pb::ServiceInfo& service) {
    const pb::Definition& definition = service.definition();
    const std::string journal = is_replicated(definition)
                                    ? std::string("replicated journal")
                                    : "journal in " + printable(definition.directory());
    // A version need not be given: copies then use the newest code that they have.
    const std::string version = definition.version() == 0
                                    ? std::string()
                                    : fmt::format("code version {}, ", definition.version());
    return fmt::format("{}, {}, {}", definition_kind(definition), journal, version);
}

[[nodiscard]] std::string joined(const std::vector<std::string>& texts) {
    return texts.empty() ? "-" : fmt::format("{}", fmt::join(texts, ", "));
}

[[nodiscard]] std::vector<std::string> standbys_of(const pb::ServiceInfo& service) {
    std::vector<std::string> names;
    for (const pb::MemberInfo& member : service.members()) {
        if (role_of(member) == Role::standby) names.push_back(member.member());
    }
    return names;
}

}  // namespace

/// In a journaled service this is the designated member; the journal may elect another.
std::string next_in_line(const pb::ServiceInfo& service) {
    if (is_journaled(service)) {
        const pb::MemberInfo* next = nullptr;
        for (const pb::MemberInfo& member : service.members()) {
            if (member.member() == service.active() || !member.designation().electable()) continue;
            const bool designated = static_cast<Role>(member.designation().role()) == Role::active;
            if (next == nullptr || designated) next = &member;
        }
        return next == nullptr ? "" : next->member();
    }
    const auto standbys = standbys_of(service);
    return standbys.empty() ? "" : standbys.front();
}

bool is_served(const pb::ServiceInfo& service) {
    for (const pb::MemberInfo& member : service.members()) {
        if (role_of(member) == Role::active) return true;
    }
    return false;
}

Listing list_services(const std::vector<pb::ServiceInfo>& services) {
    Listing listing{.columns = {{.key = "service", .title = "SERVICE"},
                                {.key = "redundancy", .title = "REDUNDANCY"},
                                {.key = "active", .title = "ACTIVE"},
                                {.key = "epoch", .title = "EPOCH"},
                                {.key = "members", .title = "MEMBERS"},
                                {.key = "next", .title = "NEXT"}},
                    .rows = {},
                    .name_key = "service"};
    const bool registered = std::any_of(services.begin(), services.end(), [](const auto& service) {
        return service.has_definition();
    });
    if (registered) {
        listing.columns.push_back({.key = "kind", .title = "KIND"});
        listing.columns.push_back({.key = "replicas", .title = "REPLICAS"});
    }
    for (const pb::ServiceInfo& service : services) {
        Dynamic::Map& row = listing.rows.emplace_back(
            Dynamic::Map{{"service", service.config().family()},
                         {"redundancy", redundancy_of(service)},
                         {"active", text_or_nil(service.active())},
                         {"epoch", service.epoch()},
                         {"members", service.members_size()},
                         {"next", text_or_nil(next_in_line(service))},
                         {"served", is_served(service)}});
        if (!registered) continue;
        const bool has = service.has_definition();
        row["kind"] = has ? Dynamic(definition_kind(service.definition())) : Dynamic();
        row["replicas"] = has ? Dynamic(service.definition().replicas_size()) : Dynamic();
    }
    return listing;
}

Listing list_members(const pb::ServiceInfo& service) {
    if (is_journaled(service)) return list_copies(service);
    Listing listing{.columns = {{.key = "place", .title = "PLACE"},
                                {.key = "member", .title = "MEMBER"},
                                {.key = "role", .title = "ROLE"},
                                {.key = "endpoint", .title = "ENDPOINT"},
                                {.key = "pid", .title = "PID"},
                                {.key = "agent", .title = "AGENT"},
                                {.key = "joined_ms", .title = "JOINED", .shown = time_text}},
                    .rows = {},
                    .name_key = "member"};
    std::uint64_t place = 0;
    for (const pb::MemberInfo& member : service.members()) {
        listing.rows.push_back(member_json(member, ++place));
    }
    return listing;
}

Dynamic::Map service_json(const pb::ServiceInfo& service) {
    Dynamic::Array members;
    for (auto& row : list_members(service).rows) members.emplace_back(std::move(row));
    Dynamic::Map json{{"service", service.config().family()},
            {"redundancy", redundancy_of(service)},
            {"active", text_or_nil(service.active())},
            {"next", text_or_nil(next_in_line(service))},
            {"awaited", text_or_nil(service.awaited())},
            {"waiting", text_or_nil(service.waiting())},
            {"epoch", service.epoch()},
            {"promotions", service.promotions()},
            {"lease_ms", service.config().lease_ms()},
            {"on_registry_loss", on_registry_loss_of(service)},
            {"served", is_served(service)},
            {"members", std::move(members)}};
    if (!is_journaled(service)) return json;
    const pb::Definition& definition = service.definition();
    const bool has = service.has_definition();
    json["kind"] = has ? Dynamic(definition_kind(definition)) : Dynamic();
    json["journal"] = !has                        ? Dynamic()
                      : is_replicated(definition) ? Dynamic("replicated")
                                                  : Dynamic("shared_directory");
    json["log"] = text_or_nil(definition.directory());
    json["code_version"] = definition.version() == 0 ? Dynamic() : Dynamic(definition.version());
    json["last_resort"] = last_resort_of(service);
    json["checkpointer"] = checkpointer_of(service);
    return json;
}

std::string service_text(const pb::ServiceInfo& service, Paint paint) {
    std::string out = fmt::format("{}  {}, epoch {}, lease {}\n", service.config().family(),
                                  redundancy_of(service), service.epoch(),
                                  format_duration_ms(service.config().lease_ms()));
    if (service.has_definition()) out += definition_text(service);
    if (is_journaled(service)) {
        out += fmt::format("last resort {}, checkpointer {}\n", last_resort_of(service),
                           checkpointer_of(service));
    }
    if (service.config().redundancy() != static_cast<std::uint32_t>(Redundancy::load_balanced)) {
        const std::string next = next_in_line(service);
        out += fmt::format("active: {}   next in line: {}\n",
                           service.active().empty() ? "nobody" : service.active(),
                           next.empty() ? "nobody" : next);
    }
    if (!service.waiting().empty()) out += fmt::format("waiting: {}\n", service.waiting());
    if (service.members().empty() && !service.has_definition()) return out + "no members\n";
    return out + to_text(list_members(service), Format::table, paint);
}

Listing list_promotions(const pb::Answer& answer) {
    Listing listing{
        .columns = {{.key = "time_ms", .title = "TIME", .shown = time_text},
                    {.key = "epoch", .title = "EPOCH"},
                    {.key = "previous", .title = "FROM"},
                    {.key = "member", .title = "TO"},
                    {.key = "cause", .title = "CAUSE"},
                    {.key = "noticed_us", .title = "NOTICED", .shown = microseconds_text},
                    {.key = "decided_us", .title = "DECIDED", .shown = microseconds_text},
                    {.key = "evidence", .title = "EVIDENCE"}},
        .rows = {},
        .name_key = "member"};
    for (const pb::Promotion& one : answer.promotions()) {
        listing.rows.push_back(
            {{"time_ms", one.wall_ms()},
             {"service", one.family()},
             {"epoch", one.epoch()},
             {"revision", one.revision()},
             {"previous", text_or_nil(one.previous())},
             {"member", text_or_nil(one.member())},
             {"cause", std::string(role::name(static_cast<role::Cause>(one.cause())))},
             {"evidence", text_or_nil(one.evidence())},
             {"noticed_us", one.noticed_us() == 0 ? Dynamic() : Dynamic(one.noticed_us())},
             {"decided_us", one.decided_us() == 0 ? Dynamic() : Dynamic(one.decided_us())}});
    }
    return listing;
}

Listing list_clusters(const std::vector<pb::ServiceInfo>& services) {
    const auto texts = [](const Dynamic& value) {
        std::vector<std::string> parts;
        for (const Dynamic& one : *value.as<Dynamic::Array>()) {
            parts.push_back(cell_text(one));
        }
        return joined(parts);
    };
    Listing listing{.columns = {{.key = "cluster", .title = "[cluster]"},
                                {.key = "masters", .title = "[masters]", .shown = texts},
                                {.key = "slaves", .title = "[slaves]", .shown = texts},
                                {.key = "services", .title = "[services]", .shown = texts}},
                    .rows = {},
                    .name_key = "cluster"};
    for (const pb::ServiceInfo& service : services) {
        Dynamic::Array masters;
        Dynamic::Array urls;
        for (const pb::MemberInfo& member : service.members()) {
            if (role_of(member) != Role::active) continue;
            masters.emplace_back(member.member());
            urls.emplace_back("tcp://" + endpoint_of(member));
        }
        Dynamic::Array slaves;
        for (const std::string& standby : standbys_of(service)) slaves.emplace_back(standby);
        listing.rows.push_back({{"cluster", service.config().family()},
                                {"masters", std::move(masters)},
                                {"slaves", std::move(slaves)},
                                {"services", std::move(urls)}});
    }
    return listing;
}

bool matches(std::string_view pattern, std::string_view family) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return family.starts_with(pattern);
    // Each part between stars is searched after the previous one; the first and the last are
    // anchored.
    if (!family.starts_with(pattern.substr(0, star))) return false;
    family.remove_prefix(star);
    pattern.remove_prefix(star + 1);
    for (std::size_t next; (next = pattern.find('*')) != std::string_view::npos;) {
        const std::size_t found = family.find(pattern.substr(0, next));
        if (found == std::string_view::npos) return false;
        family.remove_prefix(found + next);
        pattern.remove_prefix(next + 1);
    }
    return family.ends_with(pattern);
}

}  // namespace understudy::apps
