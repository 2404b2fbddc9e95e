#pragma once

#include <cstdint>

namespace understudy::raft {

/// Each guard keeps a defect of the engine, C-Raft 0.22.1, from doing harm. The letters and numbers
/// are those of docs/decisions/0007-consensus-engine.md.
enum class Guard : std::uint8_t {
    vote_results,        ///< F: only a candidate looks at votes.
    old_rejections,      ///< B: a rejection of entries that are known to match is not a rejection.
    compacted_prefix,    ///< C: entries that a checkpoint covers need not be compared.
    lone_configuration,  ///< D: a configuration is sent alone.
    taught_term,         ///< A: a server that asks with an old term is told the newer one.
    short_hints,         ///< G: go back one term at a time, never below the commit index.
    stale_requests,      ///< L: an old request is refused without asking the engine.
    steady_commit,       ///< J: no message moves the commit index back.
    committed_configuration,  ///< Rule 7: the engine is told which configuration is committed.
    cut_writes,               ///< Rule 4: a write that was cut makes nothing durable.
    unaware_voter,            ///< P: a server that does not know yet that it is a voter votes.
    offered_checkpoint,       ///< Q: heartbeats name the checkpoint that was offered.
    calm_candidate,           ///< M: each new attempt asks for pre-votes first.
};

/// All guards are on, except in tests that show what each is for.
struct Guards {
    std::uint32_t off = 0;

    [[nodiscard]] bool on(Guard guard) const {
        return (off >> static_cast<unsigned>(guard) & 1U) == 0;
    }
    [[nodiscard]] static Guards without(Guard guard) {
        return {1U << static_cast<unsigned>(guard)};
    }
    [[nodiscard]] static Guards none() { return {~0U}; }
};

}  // namespace understudy::raft
