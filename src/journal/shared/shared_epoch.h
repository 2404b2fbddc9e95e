#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/disk.h"
#include "runtime/host.h"

namespace understudy::journal {

/// Which member has which epoch: the content of the file `epoch`, and the beginning of a claim.
///
/// `tenure` is a random number of the claimer. Records are compared as a whole, so no member takes
/// the record of another for its own, whatever happened to the names of files.
struct EpochRecord {
    Epoch epoch;
    std::uint64_t tenure = 0;  ///< Not 0.
    std::string member;        ///< Name of the claimer; at most member_bytes_max.
    friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

inline constexpr std::size_t epoch_record_bytes = 512;
inline constexpr std::size_t member_bytes_max = 472;
/// Where the progress stamp is in a claim: eight bytes, a number that changes.
inline constexpr std::uint64_t stamp_offset = epoch_record_bytes;
/// Where a claim says which process made it. A claim may be shorter.
inline constexpr std::uint64_t process_offset = stamp_offset + sizeof(std::uint64_t);
inline constexpr std::size_t process_bytes = 96;
inline constexpr std::size_t boot_bytes_max = 64;
/// Where a claim says at which address its maker prompts standbys. A claim may be shorter.
inline constexpr std::uint64_t address_offset = process_offset + process_bytes;
inline constexpr std::size_t address_bytes = 272;
inline constexpr std::size_t address_host_max = 256;
/// Where a claim says which segment its maker began last. A claim may be shorter.
inline constexpr std::uint64_t last_begun_offset = address_offset + address_bytes;
inline constexpr std::size_t last_begun_bytes = 24;

/// Source: docs/formats/shared-journal.md, section "Epoch and claims".
[[nodiscard]] Buffer encode(const EpochRecord& record);
/// Errors: corrupt (none); bad_config (none) for another version.
[[nodiscard]] Result<EpochRecord> decode_epoch_record(Bytes file);

/// Appends the process of the claimer, process_bytes long. Appends nothing if it is not known.
void encode(const ProcessId& process, Buffer& out);
/// The process that is named there, or nullopt. It only helps to notice its end sooner, so its
/// absence is no error.
[[nodiscard]] std::optional<ProcessId> decode_process(Bytes bytes);

/// Appends an address, address_bytes long. Appends nothing if its host is empty or too long.
void encode(const Address& address, Buffer& out);
/// The address that is given there, or nullopt. It only helps to learn of new entries sooner, so
/// its absence is no error.
[[nodiscard]] std::optional<Address> decode_address(Bytes bytes);

/// The segment that the owner of an epoch began last.
///
/// It is written to the claim when an entry of that segment has been committed. So if the last
/// segment of an epoch is lost as a whole, that can be distinguished from a segment that was never
/// made.
struct LastBegun {
    std::uint64_t generation = 0;
    Index entry;  ///< A committed entry in it.
    friend bool operator==(const LastBegun&, const LastBegun&) = default;
};

/// Appends it, last_begun_bytes long.
void encode(const LastBegun& begun, Buffer& out);
/// What the claim of `epoch` says about it; nullopt if it says nothing, or if there is no claim.
/// Errors: disk_failed (none).
[[nodiscard]] Result<std::optional<LastBegun>> read_last_begun(Disk& disk,
                                                               const std::string& directory,
                                                               Epoch epoch);

/// How the owner of an epoch can be reached.
struct Contact {
    Address address;
    std::optional<ProcessId> process;
};
/// What the claim of `epoch` says about it; nullopt if the claim is not that of `tenure`, is
/// absent, or gives no address.
/// Errors: disk_failed (none).
[[nodiscard]] Result<std::optional<Contact>> read_contact(Disk& disk, const std::string& directory,
                                                          Epoch epoch, std::uint64_t tenure);

/// Opens the file `epoch` again and reads it; nullopt if no epoch has been published.
/// Errors: corrupt, bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<EpochRecord>> read_epoch(Disk& disk,
                                                            const std::string& directory);

/// Replaces the content of the file `epoch` with `record`, durably.
/// Errors: no_space, disk_failed (unknown from the rename on).
[[nodiscard]] Result<void> publish_epoch(Disk& disk, const std::string& directory,
                                         const EpochRecord& record);

/// The error of an operation that is refused or given up because another member has published a
/// higher epoch.
[[nodiscard]] Error superseded(const EpochRecord& own, const std::optional<EpochRecord>& found,
                               Effect effect);

/// Reads the file `epoch` again.
/// Errors: not_active (unknown) if it is not `own`; disk_failed (unknown) if it cannot be read; a
///         shortage (unknown) if it cannot be read now.
[[nodiscard]] Result<void> check_epoch(Disk& disk, const std::string& directory,
                                       const EpochRecord& own);

}  // namespace understudy::journal
