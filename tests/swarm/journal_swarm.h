#pragma once

#include "tests/swarm/swarm.h"

namespace understudy::swarm {

/// One run of a service on a journal: its members on machines that fail, clients that write,
/// compare, append and read under sessions, one history of what they were told.
///
/// Safety phase: faults drawn from the seed, while the oracle watches each entry, state, tenure and
/// acknowledgement. Liveness phase: in some runs only a majority heals, in the end everything does,
/// and within a bound clients must get on. Then all is drained: members must have equal states that
/// hold what was acknowledged, once, and the history is judged (tests/history).
///
/// Requires: the scene is `shared` or `replicated`.
[[nodiscard]] SwarmResult run_journal_swarm(const SwarmOptions& options);

}  // namespace understudy::swarm
