#include "journal/format/directory_identity.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "journal/format/checkpoint.h"
#include "journal/format/header.h"
#include "journal/format/segment.h"
#include "journal/shared/shared_names.h"
#include "understudy/limits.h"

namespace understudy::journal {

namespace {

constexpr HeaderForm identity_form{.magic = "usjrnide", .bytes = identity_bytes};

// Replicas and immortals have always used this size. Registries use another size by default.
constexpr std::uint64_t service_segment_bytes = 64 * MiB;

Error damaged_identity(std::string_view why) {
    return {.code = Errc::corrupt, .detail = fmt::format("identity: {}", why)};
}

template <class Enum>
bool is_one_of(std::uint8_t value, Enum first, Enum last) {
    return value >= static_cast<std::uint8_t>(first) && value <= static_cast<std::uint8_t>(last);
}

bool has_local_files(const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
        return parse_segment_name(name).has_value();
    });
}

bool has_checkpoints(const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
        return parse_checkpoint_name(name).has_value();
    });
}

bool has_shared_files(const std::vector<std::string>& names) {
    const SharedNames shared = SharedNames::of(names);
    return !shared.segments.empty() || !shared.claims.empty() ||
           std::find(names.begin(), names.end(), epoch_name) != names.end();
}

/// The files that belong to a directory of this form.
DirectoryFiles files_of(DirectoryForm form) {
    switch (form) {
        case DirectoryForm::alone: return DirectoryFiles::local;
        case DirectoryForm::shared: return DirectoryFiles::shared;
        case DirectoryForm::node: return DirectoryFiles::node;
        case DirectoryForm::log: return DirectoryFiles::log;
        case DirectoryForm::copies: return DirectoryFiles::copies;
    }
    US_ASSERT(false);
    return {};
}

std::string_view describe(DirectoryFiles files) {
    switch (files) {
        case DirectoryFiles::none: return "no journal";
        case DirectoryFiles::local: return "a local journal";
        case DirectoryFiles::log: return "the log of a node of a replicated journal";
        case DirectoryFiles::shared: return "a shared journal";
        case DirectoryFiles::node: return "the log of a node of a replicated journal in log/";
        case DirectoryFiles::checkpoints:
            return "checkpoints of a group of a node; the entries are in the node's log";
        case DirectoryFiles::copies: return "directories of the copies of a replicated journal";
        case DirectoryFiles::several: return "files of more than one journal";
    }
    US_ASSERT(false);
    return {};
}

Error not_admitted(const DirectoryWanted& wanted, std::string_view what, std::string_view next) {
    return {.code = Errc::bad_config,
            .detail = fmt::format("{} {}, and not {}: nothing was changed in it\ntry: {}",
                                  wanted.directory, what, describe(wanted.identity), next)};
}

/// The advice for files that show what they are, but not to which program they belong.
std::string_view opened_by(DirectoryFiles files) {
    switch (files) {
        case DirectoryFiles::node:
            return "--name NAME --peers LIST if it is a registry's, --members LIST if it is a "
                   "coordinator's; or another directory";
        case DirectoryFiles::copies: return "--members LIST; or another directory";
        case DirectoryFiles::log:
        case DirectoryFiles::checkpoints:
            return "the directory of the node, which is above it; or another directory";
        case DirectoryFiles::shared:
            return "--journal shared if it is a coordinator's; or another directory";
        case DirectoryFiles::local:
            return "understudy registry without --peers if it is a registry's, --journal local if "
                   "it is a coordinator's; or another directory";
        case DirectoryFiles::none:
        case DirectoryFiles::several: break;
    }
    return "move what does not belong there to a directory of its own; understudy journal inspect";
}

bool same_identity(const DirectoryIdentity& wanted, const DirectoryIdentity& found) {
    // A text that one of the two does not know is no contradiction.
    const auto agree = [](const std::string& one, const std::string& other) {
        return one.empty() || other.empty() || one == other;
    };
    return wanted.use == found.use && wanted.form == found.form &&
           agree(wanted.platform, found.platform) && wanted.service == found.service &&
           wanted.node == found.node;
}

/// The files have the right form. Checks that they do not show another use.
Result<void> check_use(const DirectoryWanted& wanted, const DirectoryContent& content) {
    if (!content.group_names.empty() && !wanted.group.empty() &&
        std::find(content.group_names.begin(), content.group_names.end(), wanted.group) ==
            content.group_names.end()) {
        return not_admitted(wanted, "is the directory of a node of another service",
                      "the name of that service; or another directory");
    }
    if (!content.segment_bytes) return {};
    const bool as_service = *content.segment_bytes == service_segment_bytes;
    if (wanted.identity.use != DirectoryUse::registry && !as_service) {
        return not_admitted(wanted, "was made by a registry",
                      wanted.identity.form == DirectoryForm::alone
                          ? "understudy registry --data DIR"
                          : "understudy registry --name NAME --peers LIST --data DIR");
    }
    if (wanted.identity.use == DirectoryUse::registry && as_service &&
        wanted.segment_bytes != service_segment_bytes) {
        return not_admitted(wanted, "was made by a replica or a coordinator",
                      "another --data; or, if a registry with segments of 64 MiB made it, "
                      "--segment-size 64MiB this once");
    }
    return {};
}

}  // namespace

Buffer encode(const DirectoryIdentity& identity) {
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(static_cast<std::uint8_t>(identity.use));
    body.fixed(static_cast<std::uint8_t>(identity.form));
    body.fixed(std::uint16_t{0});
    for (const std::string* text : {&identity.platform, &identity.service, &identity.node}) {
        US_ASSERT(text->size() <= identifier_size_max);
        body.fixed(static_cast<std::uint32_t>(text->size()));
    }
    for (const std::string* text : {&identity.platform, &identity.service, &identity.node}) {
        body.raw(as_bytes(*text));
    }
    Buffer out;
    put_header(identity_form, fields, 0, out);
    return out;
}

Result<DirectoryIdentity> decode_identity(Bytes file) {
    ByteReader reader = US_TRY(open_header(identity_form, "identity", file, 0));
    DirectoryIdentity identity;
    const auto use = *reader.fixed<std::uint8_t>();
    const auto form = *reader.fixed<std::uint8_t>();
    const auto reserved = *reader.fixed<std::uint16_t>();
    std::uint32_t lengths[3] = {};
    for (std::uint32_t& length : lengths) length = *reader.fixed<std::uint32_t>();
    std::size_t next = 0;
    for (std::string* text : {&identity.platform, &identity.service, &identity.node}) {
        const std::uint32_t length = lengths[next++];
        const auto bytes = reader.raw(length);
        if (!bytes || length > identifier_size_max) return damaged_identity("length of a name");
        *text = std::string(as_text(*bytes));
    }
    if (file.size() != identity_bytes) return damaged_identity("length of the file");
    if (reserved != 0 || !is_reserved(reader)) return damaged_identity("reserved bytes");
    if (!is_one_of(use, DirectoryUse::registry, DirectoryUse::immortal) ||
        !is_one_of(form, DirectoryForm::alone, DirectoryForm::copies)) {
        return damaged_identity("a kind that does not exist");
    }
    identity.use = static_cast<DirectoryUse>(use);
    identity.form = static_cast<DirectoryForm>(form);
    return identity;
}

std::string describe(const DirectoryIdentity& identity) {
    if (identity.use == DirectoryUse::registry) {
        if (identity.form == DirectoryForm::alone) {
            return "the directory of a registry that runs alone";
        }
        const std::string of_platform =
            identity.platform.empty() ? "" : fmt::format(" of platform {}", identity.platform);
        return fmt::format("{} of node {} of a registry of several nodes{}",
                           identity.form == DirectoryForm::log ? "the log" : "the directory",
                           identity.node, of_platform);
    }
    const std::string_view kind = identity.use == DirectoryUse::immortal ? "immortal" : "service";
    if (identity.service == several_services) {
        return fmt::format("{} of node {}, which several replicated {}s share",
                           identity.form == DirectoryForm::log ? "the log" : "the directory",
                           identity.node, kind);
    }
    const std::string service = fmt::format("{} {}", kind, identity.service);
    switch (identity.form) {
        case DirectoryForm::alone: return "the local journal of " + service;
        case DirectoryForm::shared: return "the shared journal of " + service;
        case DirectoryForm::node:
            return fmt::format("the directory of member {} of the replicated {}", identity.node,
                               service);
        case DirectoryForm::log:
            return fmt::format("the log of member {} of the replicated {}", identity.node, service);
        case DirectoryForm::copies:
            return "the place of the directories of the members of the replicated " + service;
    }
    US_ASSERT(false);
    return {};
}

std::string opened_by(const DirectoryIdentity& identity, const std::string& directory) {
    if (identity.form == DirectoryForm::log) {
        return fmt::format("the directory of the node, which is above {}; or another directory",
                           directory);
    }
    if (identity.use == DirectoryUse::registry) {
        if (identity.form == DirectoryForm::alone) {
            return fmt::format("understudy registry --data {}, without --peers; or another "
                               "directory", directory);
        }
        const std::string platform =
            identity.platform.empty() ? "" : fmt::format(" --platform {}", identity.platform);
        return fmt::format("understudy registry --name {} --peers LIST{} --data {}", identity.node,
                           platform, directory);
    }
    const bool several =
        identity.form == DirectoryForm::node || identity.form == DirectoryForm::copies;
    if (identity.use == DirectoryUse::immortal) {
        const std::string_view option = several ? "--members LIST"
                                        : identity.form == DirectoryForm::shared
                                            ? "--journal shared"
                                            : "--journal local";
        return fmt::format("understudy coordinator --instance {} {}; or another directory",
                           identity.service, option);
    }
    const std::string_view kind = several                                  ? "ReplicatedGroup"
                                  : identity.form == DirectoryForm::shared ? "SharedDirectory"
                                                                           : "LocalDirectory";
    if (identity.service == several_services) {
        return fmt::format("ReplicatedGroup with node {}; or another directory", identity.node);
    }
    const std::string member =
        identity.node.empty() ? "" : fmt::format(", member {}", identity.node);
    return fmt::format("{} of service {}{}; or another directory", kind, identity.service, member);
}

DirectoryFiles recognise(const DirectoryContent& content) {
    const bool local = has_local_files(content.names);
    const bool shared = has_shared_files(content.names);
    const bool node = has_local_files(content.log_names);
    if (static_cast<int>(local) + static_cast<int>(shared) + static_cast<int>(node) > 1) {
        return DirectoryFiles::several;
    }
    if (node) return DirectoryFiles::node;
    if (shared) return DirectoryFiles::shared;
    if (local) {
        // A replica writes entries of the type `commands`, and a node's log writes entries of the
        // type `command`.
        return content.first_entry == EntryType::command ? DirectoryFiles::log
                                                         : DirectoryFiles::local;
    }
    if (has_checkpoints(content.names)) return DirectoryFiles::checkpoints;
    return content.nodes.empty() ? DirectoryFiles::none : DirectoryFiles::copies;
}

Result<bool> admit_directory(const DirectoryWanted& wanted,
                             const std::optional<DirectoryIdentity>& found,
                             const DirectoryContent& content) {
    if (found && !same_identity(wanted.identity, *found)) {
        return not_admitted(wanted, "is " + describe(*found), opened_by(*found, wanted.directory));
    }
    const DirectoryFiles files = recognise(content);
    const DirectoryFiles right = files_of(wanted.identity.form);
    // A node's log without such an entry looks like any other local journal.
    const bool log_begins = right == DirectoryFiles::log && files == DirectoryFiles::local &&
                            !content.first_entry;
    if (files != DirectoryFiles::none && files != right && !log_begins) {
        return not_admitted(wanted, fmt::format("holds {}", describe(files)), opened_by(files));
    }
    if (found) return false;
    US_CHECK(check_use(wanted, content));
    return true;
}

}  // namespace understudy::journal
