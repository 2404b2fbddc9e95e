#pragma once

#include <string>
#include <vector>

#include "tests/process/process.h"

namespace understudy::process {

// Checks of programs' output against their promises. Each returns its complaints.

/// Checks a subscription to Ticks: an image first, then no gap, nothing of an older epoch after a
/// newer one, and nothing of a member other than the one that published it (I4, I5).
[[nodiscard]] std::vector<std::string> faults_in_ticks(const std::vector<Line>& client);

/// Checks calls against the ids that were appended: done means once, refused means never, unknown
/// means at most once; each call has one outcome (I6).
[[nodiscard]] std::vector<std::string> faults_in_calls(const std::vector<Line>& client,
                                                       const std::vector<std::string>& appended);

/// Checks watched services: epochs never fall, and no epoch has two active members (I1).
[[nodiscard]] std::vector<std::string> faults_in_services(const std::vector<Line>& watcher);

}  // namespace understudy::process
