#include "journal/shared/shared_epoch.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/plant.h"
#include "journal/format/header.h"
#include "journal/format/segment.h"
#include "journal/shared/shared_names.h"

namespace understudy::journal {

namespace {

constexpr HeaderForm epoch_form{.magic = "usjrnepo", .bytes = epoch_record_bytes};

Error bad_epoch_record(std::string_view why) {
    return {.code = Errc::corrupt, .detail = fmt::format("epoch record: {}", why)};
}

}  // namespace

Buffer encode(const EpochRecord& record) {
    US_ASSERT(record.tenure != 0);
    US_ASSERT(record.member.size() <= member_bytes_max);
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(record.epoch.value);
    body.fixed(record.tenure);
    body.fixed(static_cast<std::uint32_t>(record.member.size()));
    body.fixed(std::uint32_t{0});
    body.raw(as_bytes(record.member));

    Buffer out;
    put_header(epoch_form, fields, 0, out);
    return out;
}

Result<EpochRecord> decode_epoch_record(Bytes file) {
    ByteReader reader = US_TRY(open_header(epoch_form, "epoch record", file, 0));
    EpochRecord record;
    record.epoch = {*reader.fixed<std::uint64_t>()};
    record.tenure = *reader.fixed<std::uint64_t>();
    const auto length = *reader.fixed<std::uint32_t>();
    const auto reserved = *reader.fixed<std::uint32_t>();
    const auto member = reader.raw(length);
    if (!member || reserved != 0) return bad_epoch_record("length or reserved bytes");
    record.member = std::string(as_text(*member));
    if (!is_reserved(reader)) return bad_epoch_record("reserved bytes");
    if (record.epoch == Epoch{} || record.tenure == 0) return bad_epoch_record("no epoch");
    return record;
}

void encode(const ProcessId& process, Buffer& out) {
    if (process.boot.empty() || process.boot.size() > boot_bytes_max) return;
    Buffer covered;
    ByteWriter body(covered);
    body.raw(as_bytes(process.boot));
    covered.resize(boot_bytes_max);
    body.fixed(process.pid_namespace);
    body.fixed(process.pid);
    body.fixed(process.start_ticks);
    ByteWriter writer(out);
    writer.fixed(crc32c(covered));
    writer.fixed(std::uint32_t{0});
    writer.raw(covered);
}

std::optional<ProcessId> decode_process(Bytes bytes) {
    if (bytes.size() < process_bytes) return std::nullopt;
    ByteReader reader(bytes.first(process_bytes));
    const auto checksum = *reader.fixed<std::uint32_t>();
    (void)reader.fixed<std::uint32_t>();
    if (crc32c(reader.rest()) != checksum) return std::nullopt;
    const std::string_view boot = as_text(*reader.raw(boot_bytes_max));
    ProcessId process;
    process.boot = std::string(boot.substr(0, boot.find('\0')));
    process.pid_namespace = *reader.fixed<std::uint64_t>();
    process.pid = *reader.fixed<std::uint64_t>();
    process.start_ticks = *reader.fixed<std::uint64_t>();
    return process;
}

void encode(const Address& address, Buffer& out) {
    if (address.host.empty() || address.host.size() > address_host_max) return;
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(std::uint32_t{address.port});
    body.fixed(static_cast<std::uint32_t>(address.host.size()));
    body.fixed(std::uint32_t{0});
    body.raw(as_bytes(address.host));
    covered.resize(address_bytes - sizeof(std::uint32_t));
    ByteWriter writer(out);
    writer.fixed(crc32c(covered));
    writer.raw(covered);
}

std::optional<Address> decode_address(Bytes bytes) {
    if (bytes.size() < address_bytes) return std::nullopt;
    ByteReader reader(bytes.first(address_bytes));
    const auto checksum = *reader.fixed<std::uint32_t>();
    if (crc32c(reader.rest()) != checksum) return std::nullopt;
    const auto port = *reader.fixed<std::uint32_t>();
    const auto length = *reader.fixed<std::uint32_t>();
    (void)reader.fixed<std::uint32_t>();
    const auto host = reader.raw(length);
    if (!host || host->empty() || port == 0 || port > UINT16_MAX) return std::nullopt;
    return Address{.host = std::string(as_text(*host)), .port = static_cast<std::uint16_t>(port)};
}

void encode(const LastBegun& begun, Buffer& out) {
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(std::uint32_t{0});
    body.fixed(begun.generation);
    body.fixed(begun.entry.value);
    ByteWriter writer(out);
    writer.fixed(crc32c(covered));
    writer.raw(covered);
}

Result<std::optional<LastBegun>> read_last_begun(Disk& disk, const std::string& directory,
                                                 Epoch epoch) {
    const std::optional<LastBegun> none;
    const auto file = disk.open(path_in(directory, claim_name(epoch)), Disk::Open::existing);
    if (!file && file.error().code == Errc::no_such_file) return none;
    if (!file) return file.error();
    if (US_TRY((*file)->size()) < last_begun_offset + last_begun_bytes) return none;
    Buffer raw(last_begun_bytes);
    US_CHECK((*file)->read_at(last_begun_offset, raw));
    ByteReader reader(raw);
    const auto checksum = *reader.fixed<std::uint32_t>();
    if (crc32c(reader.rest()) != checksum) return none;
    (void)reader.fixed<std::uint32_t>();
    LastBegun begun;
    begun.generation = *reader.fixed<std::uint64_t>();
    begun.entry = {*reader.fixed<std::uint64_t>()};
    if (segment_count(begun.generation) == 0 || begun.entry == Index{}) return none;
    return std::optional(begun);
}

Result<std::optional<Contact>> read_contact(Disk& disk, const std::string& directory, Epoch epoch,
                                            std::uint64_t tenure) {
    const std::optional<Contact> none;
    const auto file = disk.open(path_in(directory, claim_name(epoch)), Disk::Open::existing);
    if (!file) {
        if (file.error().code == Errc::no_such_file) return none;
        return file.error();
    }
    Buffer raw(address_offset + address_bytes);
    if (US_TRY((*file)->size()) < raw.size()) return none;
    US_CHECK((*file)->read_at(0, raw));
    const auto record = decode_epoch_record(raw);
    if (!record || record->epoch != epoch || record->tenure != tenure) return none;
    auto address = decode_address(Bytes(raw).subspan(address_offset));
    if (!address) return none;
    return std::optional(Contact{.address = *std::move(address),
                                 .process = decode_process(Bytes(raw).subspan(process_offset))});
}

Result<std::optional<EpochRecord>> read_epoch(Disk& disk, const std::string& directory) {
    auto file = disk.open(path_in(directory, epoch_name), Disk::Open::existing);
    if (!file && file.error().code == Errc::no_such_file) return std::optional<EpochRecord>();
    if (!file) return std::move(file).error();
    Buffer raw(epoch_record_bytes);
    US_CHECK((*file)->read_at(0, raw));
    return std::optional(US_TRY(decode_epoch_record(raw)));
}

Result<void> publish_epoch(Disk& disk, const std::string& directory, const EpochRecord& record) {
    // Each claimer has a file of its own: two that publish at once must not write to the same file.
    const std::string temporary =
        path_in(directory, hex16(record.epoch.value) + "-" + hex16(record.tenure) + ".epoch" +
                               std::string(temporary_suffix));
    {
        const auto file = US_TRY(disk.open(temporary, Disk::Open::create_new));
        US_CHECK(file->write_at(0, encode(record)));
        US_CHECK(file->sync());
    }
    US_CHECK(disk.rename(temporary, path_in(directory, epoch_name)));
    if (planted(Plant::shared_no_directory_sync)) return {};
    return disk.sync_directory(directory);
}

Error superseded(const EpochRecord& own, const std::optional<EpochRecord>& found, Effect effect) {
    return {.code = Errc::not_active,
            .effect = effect,
            .detail = fmt::format("epoch {} was superseded by epoch {} of '{}'", own.epoch.value,
                                  found ? found->epoch.value : 0, found ? found->member : "")};
}

Result<void> check_epoch(Disk& disk, const std::string& directory, const EpochRecord& own) {
    const auto found = read_epoch(disk, directory);
    if (!found) {
        const Errc code =
            is_shortage(found.error().code) ? found.error().code : Errc::disk_failed;
        return Error{.code = code, .effect = Effect::unknown, .detail = found.error().detail};
    }
    if (*found != own) return superseded(own, *found, Effect::unknown);
    return {};
}

}  // namespace understudy::journal
