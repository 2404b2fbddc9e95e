#pragma once

#include <cstdint>

namespace understudy {

/// Bugs that a test build can switch on, one at a time, to prove that the simulator sees them.
///
/// Only with US_PLANTS defined, which no shipped build does; otherwise planted() is a constant.
enum class Plant : std::uint8_t {
    none,
    no_stall_grace,         ///< The registry holds its own pauses against the members.
    no_lease_check,         ///< A resumed active member answers before it has heard the registry.
    last_in_line,           ///< The latest member is promoted instead of the earliest.
    epoch_not_raised,       ///< A promotion keeps the epoch of its predecessor.
    forget_reported_epoch,  ///< A restored registry ignores the epochs that members report.
    told_before_durable,    ///< Commands are applied and told before they are on the disk.
    proxy_ignores_epoch,    ///< A proxy takes what a member of an old tenure sends.
    image_merges,           ///< An image is laid over what was there.
    delta_over_gap,         ///< A link that was full goes on without an image, and nobody minds.
    delta_across_epochs,    ///< A delta is applied to a state of another epoch.
    sent_call_retried,      ///< A call whose outcome is unknown is sent again.
    watch_gap_ignored,      ///< A watcher misses a change and does not notice.
    keeps_place,            ///< A returning member takes its old place in the line.
    // docs/protocols/fencing.md, "The shortcuts that lose entries".
    shared_check_before_append,  ///< The epoch is read before the write, not after the sync.
    shared_scan_before_publish,  ///< A claimer looks what there is, then publishes its epoch.
    shared_no_seal,              ///< Readers believe what stands behind a seal.
    shared_append_to_old,        ///< A new owner goes on in the old owner's segment.
    shared_no_directory_sync,    ///< A takeover does not sync the directory.
    shared_names_in_any_order,   ///< The name that a seal relies on is not made durable first.
    shared_no_claim_check,       ///< A claimer does not look for higher claims.
    shared_copy_nothing,         ///< What is readable is taken for durable.
    damage_cut,                  ///< What cannot be read any more is taken for a torn end.
    sync_retried,                ///< A sync that failed is asked again, and believed.
    // Consensus and its host: docs/decisions/0007-consensus-engine.md,
    // docs/protocols/replication.md.
    naive_host,             ///< The engine is used as it comes, without one of our guards.
    vote_not_kept,          ///< A vote is not on the disk, and a restart votes in the same term.
    term_not_kept,          ///< The disk is always one term behind.
    no_barrier,             ///< A new leader has no entry of its own term.
    sent_before_durable,    ///< Votes and answers leave before what they say is on the disk.
    told_before_committed,  ///< What a leader has written itself counts.
    empty_disk_votes,       ///< A node with a new, empty disk is taken for the one it was.
    install_keeps_log,      ///< A checkpoint that was sent leaves the old log in place.
    // Replica and sessions.
    reads_unconfirmed,           ///< Who thinks that it is active answers reads.
    sessions_not_in_checkpoint,  ///< A checkpoint has the state, and not who was answered.
    reply_by_session,            ///< The last reply of a session answers all its requests.
    request_carried_out_again,   ///< A request that was answered is carried out once more.
    abandoned_in_word_only,      ///< "Never will be" is said, and not kept.
    // Immortals: docs/protocols/immortals.md.
    watermarks_not_in_checkpoint,  ///< A checkpoint has the state, and not how far streams are.
    repeated_message_taken,        ///< What comes again is carried out again, and answered again.
    renumbered_by_recovery,        ///< After a restoration streams begin with 1 again.
    trimmed_when_sent,             ///< What was sent is not kept until it is durable there.
    stale_link_taken,              ///< What an earlier link of a client still carries is taken.
    // The registry and services with a journal: docs/protocols/roles.md.
    checkpointer_elected,   ///< The checkpointer is designated active, without a last resort.
    start_order_ignored,    ///< After a full stop, too, the first to start is active.
    two_designated,         ///< Who is not designated active any more is not told so.
    stale_report_believed,  ///< A member is active under an epoch below one that was reported.
    giver_keeps_place,      ///< Who gave its role away is the next in line for it.
    backup_believed,        ///< The registry's memory says who is active, not the members.
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
