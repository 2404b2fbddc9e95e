#include "raft/convert.h"

#include "consensus/configuration.h"

namespace understudy::raft {

using namespace consensus;

us_configuration Converted::configuration(const Configuration& from) {
    auto servers = std::make_unique<std::vector<us_server>>();
    for (const Server& server : from.servers) {
        servers->push_back(
            {.id = server.id.value, .voter = server.membership == Membership::voter});
    }
    const us_configuration to{.servers = servers->data(), .n = servers->size()};
    servers_.push_back(std::move(servers));
    return to;
}

us_snapshot Converted::snapshot(const SnapshotRef& from) {
    return {.index = from.index.value,
            .term = from.term.value,
            .configuration_index = from.configuration_index.value,
            .configuration = configuration(from.configuration)};
}

Result<const us_entry*> Converted::entries(const std::vector<LogEntry>& from) {
    entries_.clear();
    entries_.reserve(from.size());
    for (const LogEntry& entry : from) {
        us_entry to{.term = entry.term.value,
                    .kind = static_cast<us_kind>(entry.kind),
                    .configuration = {}};
        if (entry.kind == EntryKind::configuration) {
            to.configuration = configuration(US_TRY(decode_configuration(entry.body.bytes)));
        }
        entries_.push_back(to);
    }
    return entries_.data();
}

}  // namespace understudy::raft
