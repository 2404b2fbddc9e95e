#pragma once

#include <cstdint>

namespace understudy {

/// Bugs that a test build can switch on, one at a time, to prove that the simulator finds them.
///
/// They exist only if US_PLANTS is defined, which no release build does; otherwise planted() is a
/// constant.
enum class Plant : std::uint8_t {
    none,
    no_stall_grace,         ///< The registry counts its own pauses as silence of the members.
    no_lease_check,         ///< An active member that resumes answers before it has heard from the
                            ///< registry.
    last_in_line,           ///< The latest member is promoted, not the earliest.
    epoch_not_raised,       ///< A promotion does not raise the epoch.
    forget_reported_epoch,  ///< A restored registry ignores the epochs that members report.
    told_before_durable,    ///< Commands are applied and answered before they are on the disk.
    proxy_ignores_epoch,    ///< A proxy accepts what a member of an old tenure sends.
    image_merges,           ///< An image is merged into the old state.
    delta_over_gap,  ///< A link that was full goes on without an image, and the receiver accepts
                     ///< it.
    delta_across_epochs,  ///< A delta is applied to a state of another epoch.
    sent_call_retried,    ///< A call whose outcome is unknown is sent again.
    watch_gap_ignored,    ///< A watcher misses a change and does not notice it.
    keeps_place,          ///< A member that returns takes its old place in the line.
    // docs/protocols/fencing.md, "The shortcuts that lose entries".
    shared_check_before_append,  ///< The epoch is read before the write, not after the sync.
    shared_scan_before_publish,  ///< A claimer reads the entries first and publishes its epoch
                                 ///< afterwards.
    shared_no_seal,              ///< Readers believe the entries after a seal.
    shared_append_to_old,        ///< A new owner appends to the old owner's segment.
    shared_no_directory_sync,    ///< A takeover does not sync the directory.
    shared_names_in_any_order,   ///< The name that a seal depends on is not made durable first.
    shared_no_claim_check,       ///< A claimer does not look for higher claims.
    shared_copy_nothing,         ///< Entries that can be read count as durable.
    damage_cut,                  ///< Damage counts as a torn end.
    sync_retried,                ///< A failed sync is repeated, and the second result is believed.
    // Consensus and its host: docs/decisions/0007-consensus-engine.md,
    // docs/protocols/replication.md.
    naive_host,     ///< The engine is used without our guards.
    vote_not_kept,  ///< A vote is not on the disk, so a restarted node votes again in the same
                    ///< term.
    term_not_kept,  ///< The disk always has the term before.
    no_barrier,     ///< A new leader has no entry of its own term.
    sent_before_durable,    ///< Votes and answers are sent before they are on the disk.
    told_before_committed,  ///< A leader counts its own entries as committed.
    empty_disk_votes,       ///< A node with a new, empty disk counts as the node that it was.
    install_keeps_log,      ///< A node that installs a checkpoint keeps its old log.
    // Replica and sessions.
    reads_unconfirmed,  ///< A member that believes itself active answers reads without a check.
    sessions_not_in_checkpoint,  ///< A checkpoint has the state but not the answered requests.
    reply_by_session,            ///< The last reply of a session answers all its requests.
    request_carried_out_again,   ///< A request that was answered is carried out again.
    abandoned_in_word_only,      ///< A request that is reported as abandoned is carried out later.
    // Immortals: docs/protocols/immortals.md.
    watermarks_not_in_checkpoint,  ///< A checkpoint has the state but not the positions of the
                                   ///< streams.
    repeated_message_taken,        ///< A repeated message is carried out and answered again.
    renumbered_by_recovery,        ///< After a restoration, streams begin with 1 again.
    trimmed_when_sent,  ///< A message is dropped once it is sent, before it is durable at the
                        ///< receiver.
    stale_link_taken,   ///< Messages from an earlier link of a client are accepted.
    // The registry and services with a journal: docs/protocols/roles.md.
    checkpointer_elected,   ///< The checkpointer is designated active although last_resort is not
                            ///< allowed.
    start_order_ignored,    ///< The first member to start is active, also after a full stop.
    two_designated,         ///< A member whose designation as active has ended is not told so.
    stale_report_believed,  ///< A member becomes active with an epoch below one that was reported.
    giver_keeps_place,      ///< A member that gave up its role is the next to get it.
    backup_believed,        ///< The registry believes its own memory of the active member, not the
                            ///< members.
};

#ifdef US_PLANTS
namespace detail {
inline Plant planted_now = Plant::none;
}
[[nodiscard]] inline bool planted(Plant plant) { return detail::planted_now == plant; }
inline void plant(Plant plant) { detail::planted_now = plant; }
#else
[[nodiscard]] constexpr bool planted(Plant) { return false; }
#endif

}  // namespace understudy
