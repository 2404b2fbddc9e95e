#pragma once

#include "consensus/core.h"
#include "raft/engine.h"

namespace understudy::raft {

/// Converts values for the engine's C interface. The results are valid as long as this object.
class Converted {
public:
    Converted() = default;
    Converted(const Converted&) = delete;
    Converted& operator=(const Converted&) = delete;

    [[nodiscard]] us_configuration configuration(const consensus::Configuration& from);
    [[nodiscard]] us_snapshot snapshot(const consensus::SnapshotRef& from);
    /// Decodes the configurations among the entries. Errors: corrupt (none).
    [[nodiscard]] Result<const us_entry*> entries(const std::vector<consensus::LogEntry>& from);

private:
    std::vector<std::unique_ptr<std::vector<us_server>>> servers_;
    std::vector<us_entry> entries_;
};

}  // namespace understudy::raft
