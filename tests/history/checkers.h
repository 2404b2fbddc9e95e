#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/operation.h"

namespace understudy::history {

// Each checker returns its complaints; an empty result means that there are none.

/// Checks watches (`event`, `compacted`). A listener never gets a smaller revision, and none twice.
/// It misses no known revision between its first and its last, unless it was told that the revision
/// is compacted. All listeners get the same content for a revision. With `dense`, the revisions of
/// a key are numbered without gaps.
[[nodiscard]] std::vector<std::string> faults_in_watches(const History& history,
                                                         const std::vector<Operation>& operations,
                                                         bool dense);

/// The keys that share an active member, and with it epochs and revisions.
enum class Scope : std::uint8_t {
    key,      ///< Each key is a separate service.
    history,  ///< All keys belong to one service.
};

/// Checks acknowledged changes with an epoch (of registers, sets and journals; a lease has its own
/// epochs). Epochs never fall along the revisions. An index of a journal is acknowledged once. An
/// epoch has one node. An operation that began after a later epoch had acknowledged something is
/// not acknowledged by an earlier one.
[[nodiscard]] std::vector<std::string> faults_in_epochs(const std::vector<Operation>& operations,
                                                        Scope scope);

/// Checks `append` against each `final` content of the journal. What was acknowledged is there,
/// once, at its index if it has one. What was refused is not there. Nothing is there that was not
/// sent. What was acknowledged before another append began comes before it. Without a `final` there
/// is no verdict.
[[nodiscard]] std::vector<std::string> faults_in_journals(const History& history,
                                                          const std::vector<Operation>& operations);

/// Checks `state`: replicas that have applied the same index have the same hash.
[[nodiscard]] std::vector<std::string> faults_in_replicas(const History& history);

/// The time from a fault until clients were served again.
struct Gap {
    const Event* fault = nullptr;
    std::int64_t nanoseconds = 0;  ///< The longest time without an `ok` before the next fault.
    bool open = false;             ///< Nothing was acknowledged from there on.
};

/// The gap after each fault of the nemesis: the longest time without an acknowledgement between the
/// fault and the next one.
[[nodiscard]] std::vector<Gap> gaps_of(const History& history,
                                       const std::vector<Operation>& operations);

}  // namespace understudy::history
