#include "registry/state/definition.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/errors.h"
#include "understudy/limits.h"
#include "wire/control.h"
#include "wire/definition.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::JournalKind;

namespace {

[[nodiscard]] JournalKind journal_of(const pb::Definition& definition) {
    return static_cast<JournalKind>(definition.journal());
}

[[nodiscard]] std::string_view name(std::uint32_t journal) {
    return static_cast<JournalKind>(journal) == JournalKind::replicated ? "replicated"
                                                                       : "a shared directory";
}

[[nodiscard]] Result<void> check_directory(const std::string& directory) {
    if (directory.size() > directory_size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("a directory of {} bytes: at most {}", directory.size(),
                                           directory_size_max)};
    }
    const bool printable = std::none_of(directory.begin(), directory.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20;
    });
    if (!directory.starts_with('/') || !printable) {
        return bad_config(fmt::format("directory {}: an absolute path is wanted", directory));
    }
    return {};
}

[[nodiscard]] Result<void> check_options(const pb::ReplicaOptions& options) {
    if (options.has_directory()) US_CHECK(check_directory(options.directory()));
    if (options.port() > 65'535 || options.app_port() > 65'535) {
        return bad_config("a port is at most 65535");
    }
    if (options.port() != 0 && options.port() == options.app_port()) {
        return bad_config(fmt::format(
            "port {} twice: one is for other services, one for the application", options.port()));
    }
    if (options.has_node() &&
        (options.node().host().empty() || options.node().host().size() > 255 ||
         options.node().port() == 0 || options.node().port() > 65'535)) {
        return bad_config("a node's address has a host and a port");
    }
    return {};
}

[[nodiscard]] std::string text(const pb::Endpoint& endpoint) {
    return endpoint.port() == 0 ? "any" : to_string(wire::from_endpoint(endpoint));
}

/// Puts given values into their places, and says where they differ from what was there.
class Merge {
public:
    Merge(std::string subject, bool is_new, bool update)
        : subject_(std::move(subject)), free_(is_new || update) {}

    template <class Value, class Set>
    void take(std::string_view what, const Value& now, const Value& wanted, const Set& set) {
        if (now == wanted) return;
        if (!free_ && !refused_) {
            refused_ = Error{.code = Errc::already_exists,
                             .detail = fmt::format("{} is registered with {} {}, not {}", subject_,
                                                   what, now, wanted)};
        }
        set(wanted);
    }

    [[nodiscard]] Result<void> end() const {
        if (refused_) return *refused_;
        return {};
    }

private:
    const std::string subject_;
    const bool free_;
    std::optional<Error> refused_;
};

void take_options(Merge& merge, pb::ReplicaDefinition& replica, const pb::ReplicaOptions& wanted,
                  bool own_directory) {
    if (wanted.has_directory() && own_directory) {
        merge.take("log", replica.directory(), wanted.directory(),
                   [&](const std::string& value) { replica.set_directory(value); });
    }
    if (wanted.has_port()) {
        merge.take("port", replica.port(), wanted.port(),
                   [&](std::uint32_t value) { replica.set_port(value); });
    }
    if (wanted.has_app_port()) {
        merge.take("application port", replica.app_port(), wanted.app_port(),
                   [&](std::uint32_t value) { replica.set_app_port(value); });
    }
    if (wanted.has_node()) {
        merge.take("node", text(replica.node()), text(wanted.node()),
                   [&](const std::string&) { *replica.mutable_node() = wanted.node(); });
    }
}

}  // namespace

role::LastResort last_resort_of(const pb::ServiceConfig& config) {
    return config.last_resort() == 1 ? role::LastResort::allow : role::LastResort::never;
}

role::Checkpointer checkpointer_of(const pb::ServiceConfig& config) {
    return config.checkpointer() == 1 ? role::Checkpointer::shared : role::Checkpointer::dedicated;
}

Result<void> check(const pb::DefinitionAsk& wanted) {
    switch (wanted.what_case()) {
        case pb::DefinitionAsk::kDefine: {
            const pb::DefineAsk& define = wanted.define();
            US_CHECK(check_service_name(define.family()));
            if (define.kind() != static_cast<std::uint32_t>(wire::ServiceKind::immortal)) {
                return bad_config(fmt::format("service kind {} is not known here", define.kind()));
            }
            if (define.has_journal() && (define.journal() < 1 || define.journal() > 2)) {
                return bad_config(
                    fmt::format("journal kind {} is not known here", define.journal()));
            }
            if (define.last_resort() > 1) return bad_config("last_resort: never or allow");
            if (define.checkpointer() > 1) return bad_config("checkpointer: dedicated or shared");
            if (define.has_directory()) US_CHECK(check_directory(define.directory()));
            return check_options(define.first());
        }
        case pb::DefinitionAsk::kAdd:
            US_CHECK(check_service_name(wanted.add().family()));
            if (wanted.add().number() > replica_number_max) {
                return bad_config(fmt::format("replica {}: numbers are 0 to {}",
                                              wanted.add().number(), replica_number_max));
            }
            return check_options(wanted.add().options());
        case pb::DefinitionAsk::kRemove: return check_service_name(wanted.remove().family());
        case pb::DefinitionAsk::kUndefine: return check_service_name(wanted.undefine().family());
        case pb::DefinitionAsk::WHAT_NOT_SET: break;
    }
    return bad_config("a definition of a kind unknown here");
}

Result<Definition> define(const Definition* old, const pb::DefineAsk& wanted) {
    Definition now;
    if (old != nullptr) now = *old;
    pb::Definition& rows = now.rows;
    const bool is_new = old == nullptr;
    if (is_new) {
        if (!wanted.has_journal() && !wanted.has_directory()) {
            return bad_config("which journal: a shared directory or replicated?");
        }
        rows.set_kind(wanted.kind());
        rows.set_journal(wanted.has_journal()
                             ? wanted.journal()
                             : static_cast<std::uint32_t>(JournalKind::shared_directory));
        rows.add_replicas();
    }
    Merge merge("service " + wanted.family(), is_new, wanted.update());
    if (wanted.has_journal()) {
        merge.take("journal", std::string(name(rows.journal())),
                   std::string(name(wanted.journal())),
                   [&](const std::string&) { rows.set_journal(wanted.journal()); });
    }
    const bool shared = journal_of(rows) == JournalKind::shared_directory;
    if (wanted.has_directory() && shared) {
        merge.take("log", rows.directory(), wanted.directory(),
                   [&](const std::string& value) { rows.set_directory(value); });
    }
    if (wanted.has_last_resort()) {
        merge.take("last resort", now.last_resort == role::LastResort::allow ? 1U : 0U,
                   wanted.last_resort(), [&](std::uint32_t value) {
                       now.last_resort =
                           value == 1 ? role::LastResort::allow : role::LastResort::never;
                   });
    }
    if (wanted.has_checkpointer()) {
        const auto checkpointer = static_cast<role::Checkpointer>(wanted.checkpointer());
        merge.take("checkpointer", role::name(now.checkpointer), role::name(checkpointer),
                   [&](std::string_view) { now.checkpointer = checkpointer; });
    }
    if (wanted.has_version()) {
        if (wanted.version() < rows.version()) {
            return bad_config(fmt::format("version {} of {}: versions only grow, it has {}",
                                          wanted.version(), wanted.family(), rows.version()));
        }
        merge.take("version", rows.version(), wanted.version(),
                   [&](std::uint64_t value) { rows.set_version(value); });
    }
    const auto first =
        std::find_if(rows.mutable_replicas()->begin(), rows.mutable_replicas()->end(),
                     [](const auto& replica) { return replica.number() == 0; });
    if (first != rows.mutable_replicas()->end()) {
        take_options(merge, *first, wanted.first(), !shared);
    } else if (wanted.first().ByteSizeLong() != 0) {
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("replica 0 of {} was removed", wanted.family())};
    }
    if (shared) {
        if (rows.directory().empty()) return bad_config("a shared directory wants a path");
        for (auto& replica : *rows.mutable_replicas()) replica.set_directory(rows.directory());
    } else {
        rows.clear_directory();
    }
    US_CHECK(merge.end());
    return now;
}

Result<pb::Definition> add_replica(const pb::Definition& old, const pb::AddReplicaAsk& wanted) {
    pb::Definition now = old;
    auto& replicas = *now.mutable_replicas();
    auto at = std::lower_bound(replicas.begin(), replicas.end(), wanted.number(),
                               [](const auto& replica, std::uint32_t number) {
                                   return replica.number() < number;
                               });
    const bool is_new = at == replicas.end() || at->number() != wanted.number();
    if (is_new && replicas.size() >= replicas_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("service {} has {} replicas", wanted.family(),
                                           replicas_max)};
    }
    const bool shared = journal_of(now) == JournalKind::shared_directory;
    if (shared && wanted.options().has_directory() &&
        wanted.options().directory() != now.directory()) {
        return bad_config(fmt::format("the journal of {} is in {}: all of its replicas share it",
                                      wanted.family(), now.directory()));
    }
    if (is_new) {
        const auto place = at - replicas.begin();
        replicas.Add()->set_number(wanted.number());
        std::rotate(replicas.begin() + place, replicas.end() - 1, replicas.end());
        at = replicas.begin() + place;
        if (shared) at->set_directory(now.directory());
    }
    Merge merge(fmt::format("replica {} of {}", wanted.number(), wanted.family()), is_new,
                wanted.update());
    take_options(merge, *at, wanted.options(), !shared);
    US_CHECK(merge.end());
    return now;
}

Result<pb::Definition> remove_replica(const pb::Definition& old,
                                      const pb::RemoveReplicaAsk& wanted) {
    pb::Definition now = old;
    auto& replicas = *now.mutable_replicas();
    const auto found = std::find_if(replicas.begin(), replicas.end(), [&](const auto& replica) {
        return replica.number() == wanted.number();
    });
    if (found == replicas.end()) {
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("service {} has no replica {}", wanted.family(),
                                           wanted.number())};
    }
    if (replicas.size() == 1) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("replica {} is the last one of {}", wanted.number(),
                                           wanted.family())};
    }
    replicas.erase(found);
    return now;
}

bool moves_journal(const pb::Definition& from, const pb::Definition& to) {
    if (from.journal() != to.journal()) return true;
    for (const pb::ReplicaDefinition& replica : from.replicas()) {
        for (const pb::ReplicaDefinition& other : to.replicas()) {
            if (replica.number() == other.number() && replica.directory() != other.directory()) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace understudy::registry
