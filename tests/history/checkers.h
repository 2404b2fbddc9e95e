#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/operation.h"

namespace understudy::history {

// Each answers with its complaints; an empty answer means that it has none.

/// Of watches (`event`, `compacted`): a listener never hears a smaller revision, nor one twice; it
/// misses no revision that anybody knows of, from its first to its last, or was told that it is
/// compacted; a revision has one content for all. With `dense`, revisions of a key are numbered
/// without a gap.
[[nodiscard]] std::vector<std::string> faults_in_watches(const History& history,
                                                         const std::vector<Operation>& operations,
                                                         bool dense);

/// What shares an active member, and with it epochs and revisions.
enum class Scope : std::uint8_t {
    key,      ///< Each key is a service of its own.
    history,  ///< All keys belong to one service.
};

/// Of acknowledged changes with an epoch (of registers, sets, journals; the epoch of a lease is its
/// own): along the revisions epochs never fall, one index of a journal is acknowledged once, an
/// epoch has one node, and what began after a later epoch had acknowledged something is not
/// acknowledged by an earlier one.
[[nodiscard]] std::vector<std::string> faults_in_epochs(const std::vector<Operation>& operations,
                                                        Scope scope);

/// Of `append`, against each `final` content of the journal: what was acknowledged is there, once,
/// at its index if it has one; what was refused is not; nothing is there that nobody sent; what was
/// acknowledged before another began precedes it. Without a `final` there is no verdict.
[[nodiscard]] std::vector<std::string> faults_in_journals(const History& history,
                                                          const std::vector<Operation>& operations);

/// Of `state`: replicas that have applied the same index have the same hash.
[[nodiscard]] std::vector<std::string> faults_in_replicas(const History& history);

/// From a fault to when clients were served again.
struct Gap {
    const Event* fault = nullptr;
    std::int64_t nanoseconds = 0;  ///< The longest time without an `ok` before the next fault.
    bool open = false;             ///< Nothing was acknowledged from there on.
};

/// The gap that each fault of the nemesis tore: the longest stretch without an acknowledgement,
/// from the fault to the next one.
[[nodiscard]] std::vector<Gap> gaps_of(const History& history,
                                       const std::vector<Operation>& operations);

}  // namespace understudy::history
