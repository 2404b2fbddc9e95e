// The registry's state: services that are registered before their members run.

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "registry/state/definition.h"
#include "registry/state/state.h"
#include "wire/definition.h"

namespace understudy::registry {

namespace pb = wire::pb;

namespace {

[[nodiscard]] Outcome refused_definition(Error error) {
    Outcome outcome;
    outcome.error = std::move(error);
    return outcome;
}

[[nodiscard]] Outcome refused_definition(Errc code, std::string detail) {
    return refused_definition(Error{.code = code, .detail = std::move(detail)});
}

[[nodiscard]] bool equal(const pb::Definition& left, const pb::Definition& right) {
    return left.SerializeAsString() == right.SerializeAsString();
}

[[nodiscard]] std::vector<std::string> copies_of(const pb::Definition& definition) {
    std::vector<std::string> names;
    for (const pb::ReplicaDefinition& replica : definition.replicas()) {
        names.push_back(wire::replica_member(replica.number()));
    }
    return names;
}

}  // namespace

Outcome State::on(const pb::DefinitionAsk& wanted) {
    switch (wanted.what_case()) {
        case pb::DefinitionAsk::kDefine:
            return define(wanted.define());
        case pb::DefinitionAsk::kAdd:
        case pb::DefinitionAsk::kRemove:
            return change_replicas(wanted);
        case pb::DefinitionAsk::kUndefine:
            return undefine(wanted.undefine());
        case pb::DefinitionAsk::WHAT_NOT_SET:
            break;
    }
    return refused_definition(Errc::corrupt, "a definition of unknown kind");
}

Outcome State::define(const pb::DefineAsk& wanted) {
    const std::string& family = wanted.family();
    Service* old = service_of(family);
    const bool defined = old != nullptr && old->definition.has_value();
    if (old == nullptr && services_.size() >= services_max) {
        return refused_definition(Errc::limit_exceeded,
                                  fmt::format("the platform has {} services", services_max));
    }
    if (old != nullptr && !defined && !old->line.empty()) {
        return refused_definition(
            Errc::refused, fmt::format("members of service {} run that was not registered: {}",
                                       family, old->names()));
    }
    Definition before;
    if (defined) {
        before = {.rows = *old->definition,
                  .last_resort = last_resort_of(old->config),
                  .checkpointer = checkpointer_of(old->config)};
    }
    auto now = registry::define(defined ? &before : nullptr, wanted);
    if (!now) return refused_definition(std::move(now).error());
    if (defined && now->last_resort == before.last_resort &&
        now->checkpointer == before.checkpointer && equal(now->rows, before.rows)) {
        return {};
    }
    if (defined && !old->line.empty() && moves_journal(before.rows, now->rows)) {
        return refused_definition(Errc::refused,
                                  fmt::format("the journal of {} cannot move while members run: {}",
                                              family, old->names()));
    }

    pb::ServiceConfig config;
    config.set_family(family);
    config.set_redundancy(static_cast<std::uint32_t>(Redundancy::journaled));
    config.set_lease_ms(defined_lease_ms);
    if (old == nullptr) old = &services_.emplace(family, Service(config)).first->second;
    Service& service = *old;
    Change change{.service = service, .changed = true};
    if (!defined) {
        service.configure(config);
        service.election().defined(change, copies_of(now->rows));
    }
    service.definition = std::move(now->rows);
    service.config.set_last_resort(now->last_resort == role::LastResort::allow ? 1 : 0);
    service.config.set_checkpointer(now->checkpointer == role::Checkpointer::shared ? 1 : 0);
    service.election().configured(change);
    return finish(change);
}

Outcome State::change_replicas(const pb::DefinitionAsk& wanted) {
    const std::string& family = wanted.has_add() ? wanted.add().family() : wanted.remove().family();
    Service* found = service_of(family);
    if (found == nullptr || !found->definition) {
        return refused_definition(Errc::not_found,
                                  fmt::format("no service {} is registered", family));
    }
    Service& service = *found;
    const std::uint32_t number =
        wanted.has_add() ? wanted.add().number() : wanted.remove().number();
    const std::string name = wire::replica_member(number);
    auto now = wanted.has_add() ? add_replica(*service.definition, wanted.add())
                                : remove_replica(*service.definition, wanted.remove());
    if (!now) return refused_definition(std::move(now).error());
    if (equal(*now, *service.definition)) return {};
    const Member* running = service.find(name);
    if (running != nullptr && wanted.has_add() && moves_journal(*service.definition, *now)) {
        return refused_definition(
            Errc::refused, fmt::format("{} of {} runs: its journal cannot move", name, family));
    }
    if (running != nullptr && wanted.has_remove() && service.active == running->order) {
        return refused_definition(Errc::refused, fmt::format("{} is active: stop it first", name));
    }

    Change change{.service = service, .changed = true};
    service.definition = std::move(*now);
    if (wanted.has_add()) {
        service.election().copy_added(change, name);
    } else {
        if (running != nullptr) change.erase(running->order);
        service.election().copy_removed(change, name);
    }
    return finish(change);
}

Outcome State::undefine(const pb::UndefineAsk& wanted) {
    const std::string& family = wanted.family();
    const Service* service = find(family);
    if (service == nullptr || service->redundancy() != Redundancy::journaled) {
        return refused_definition(Errc::not_found,
                                  fmt::format("no service {} is registered", family));
    }
    if (!service->line.empty()) {
        return refused_definition(
            Errc::refused,
            fmt::format("members of {} run: {}; stop them first", family, service->names()));
    }
    Outcome outcome;
    revision_ = revision_.next();
    pb::WatchChange& out = outcome.change.emplace();
    out.set_revision(revision_.value);
    out.set_previous(service->revision);
    out.set_family(family);
    out.set_removed(true);
    services_.erase(family);
    return outcome;
}

}  // namespace understudy::registry
