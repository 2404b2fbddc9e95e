#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/disk.h"
#include "runtime/host.h"

namespace understudy::journal {

/// Who has which epoch: what the file `epoch` says, and what a claim begins with.
///
/// `tenure` is a random number of the claimer: a record is compared as a whole, so that nobody
/// takes another's for its own, whatever became of names.
struct EpochRecord {
    Epoch epoch;
    std::uint64_t tenure = 0;  ///< Not 0.
    std::string member;        ///< Name of the claimer; at most member_bytes_max.
    friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

inline constexpr std::size_t epoch_record_bytes = 512;
inline constexpr std::size_t member_bytes_max = 472;
/// Where the progress stamp stands in a claim: eight bytes, a number that changes.
inline constexpr std::uint64_t stamp_offset = epoch_record_bytes;
/// Where a claim says which process made it; a claim may end before.
inline constexpr std::uint64_t process_offset = stamp_offset + sizeof(std::uint64_t);
inline constexpr std::size_t process_bytes = 96;
inline constexpr std::size_t boot_bytes_max = 64;
/// Where a claim says at which address its maker prompts standbys; a claim may end before.
inline constexpr std::uint64_t address_offset = process_offset + process_bytes;
inline constexpr std::size_t address_bytes = 272;
inline constexpr std::size_t address_host_max = 256;
/// Where a claim says which segment its maker began last; a claim may end before.
inline constexpr std::uint64_t last_begun_offset = address_offset + address_bytes;
inline constexpr std::size_t last_begun_bytes = 24;

/// Source: docs/formats/shared-journal.md, section "Epoch and claims".
[[nodiscard]] Buffer encode(const EpochRecord& record);
/// Errors: corrupt (none); bad_config (none) for another version.
[[nodiscard]] Result<EpochRecord> decode_epoch_record(Bytes file);

/// Appends who claims, process_bytes long; nothing if it is not known.
void encode(const ProcessId& process, Buffer& out);
/// The process that is told there, or nullopt: it serves to notice an end sooner, and is no error.
[[nodiscard]] std::optional<ProcessId> decode_process(Bytes bytes);

/// Appends an address, address_bytes long; nothing if its host is too long.
void encode(const Address& address, Buffer& out);
/// The address that is told there, or nullopt: it serves to hear sooner, and is no error.
[[nodiscard]] std::optional<Address> decode_address(Bytes bytes);

/// The segment that the owner of an epoch began last.
///
/// It is written to the claim when an entry of that segment has been committed. So a segment that
/// is lost whole, the last of its epoch, is told from one that was never made.
struct LastBegun {
    std::uint64_t generation = 0;
    Index entry;  ///< In it, and committed.
    friend bool operator==(const LastBegun&, const LastBegun&) = default;
};

/// Appends it, last_begun_bytes long.
void encode(const LastBegun& begun, Buffer& out);
/// What the claim of `epoch` says of it; nullopt if it says nothing, or there is none.
/// Errors: disk_failed (none).
[[nodiscard]] Result<std::optional<LastBegun>> read_last_begun(Disk& disk,
                                                               const std::string& directory,
                                                               Epoch epoch);

/// How the owner of an epoch can be reached.
struct Contact {
    Address address;
    std::optional<ProcessId> process;
};
/// What the claim says of it; nullopt if it is another's, or says nothing.
/// Errors: disk_failed (none).
[[nodiscard]] Result<std::optional<Contact>> read_contact(Disk& disk, const std::string& directory,
                                                          Epoch epoch, std::uint64_t tenure);

/// Opens `epoch` anew and reads it; nullopt if nobody has published one.
/// Errors: corrupt, bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<EpochRecord>> read_epoch(Disk& disk,
                                                            const std::string& directory);

/// Replaces `epoch` by `record`, durably.
/// Errors: no_space, disk_failed (unknown from the moment of the renaming).
[[nodiscard]] Result<void> publish_epoch(Disk& disk, const std::string& directory,
                                         const EpochRecord& record);

/// Why something is refused or given up after another has published a higher epoch.
[[nodiscard]] Error superseded(const EpochRecord& own, const std::optional<EpochRecord>& found,
                               Effect effect);

/// Reads `epoch` once more. Errors: not_active (unknown) if it is not what `own` published;
/// disk_failed (unknown) if that cannot be told; a shortage (unknown) if it cannot be told now.
[[nodiscard]] Result<void> check_epoch(Disk& disk, const std::string& directory,
                                       const EpochRecord& own);

}  // namespace understudy::journal
