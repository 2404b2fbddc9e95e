#pragma once

#include "tests/swarm/swarm.h"

namespace understudy::swarm {

/// One run of a service on a journal: its members on machines that fail, clients that write,
/// compare, append and read in sessions, and one history of their answers.
///
/// Safety phase: faults are drawn from the seed, while the oracle checks each entry, state, tenure
/// and acknowledgement. Liveness phase: in some runs only a majority heals, in the end everything
/// does, and clients must make progress within a bound. Then all work is drained: members must have
/// equal states that contain what was acknowledged, once, and the history is judged
/// (tests/history).
///
/// Requires: the scene is `shared` or `replicated`.
[[nodiscard]] SwarmResult run_journal_swarm(const SwarmOptions& options);

}  // namespace understudy::swarm
