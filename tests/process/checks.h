#pragma once

#include <string>
#include <vector>

#include "tests/process/process.h"

namespace understudy::process {

// What programs printed, against what they were promised. Each answers with its complaints.

/// Of a subscription to Ticks: an image first, then no gap, nothing of an older epoch after a newer
/// one, nothing of another member beside the one that published it (I4, I5).
[[nodiscard]] std::vector<std::string> faults_in_ticks(const std::vector<Line>& client);

/// Of calls, against the ids that were appended: done means once, refused means never, unknown
/// means at most once; and each has one outcome (I6).
[[nodiscard]] std::vector<std::string> faults_in_calls(const std::vector<Line>& client,
                                                       const std::vector<std::string>& appended);

/// Of watched services: epochs never fall, and none has two active members (I1).
[[nodiscard]] std::vector<std::string> faults_in_services(const std::vector<Line>& watcher);

}  // namespace understudy::process
