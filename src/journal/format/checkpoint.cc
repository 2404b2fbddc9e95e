#include "journal/format/checkpoint.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "journal/format/header.h"
#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

constexpr HeaderForm checkpoint_form{.magic = "usjrnckp", .bytes = checkpoint_header_bytes};
constexpr std::string_view checkpoint_suffix = ".ckpt";

}  // namespace

Buffer encode(const CheckpointHeader& header) {
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(header.checkpoint.journal);
    body.fixed(header.checkpoint.checksum);
    body.fixed(header.checkpoint.at.value);
    body.fixed(header.checkpoint.epoch.value);
    body.fixed(header.state_bytes);
    body.fixed(header.state_checksum);

    Buffer out;
    put_header(checkpoint_form, fields, 0, out);
    return out;
}

Result<CheckpointHeader> decode_checkpoint_header(Bytes file) {
    ByteReader reader = US_TRY(open_header(checkpoint_form, "checkpoint", file, 0));
    CheckpointHeader header;
    Checkpoint& checkpoint = header.checkpoint;
    checkpoint.journal = *reader.fixed<std::uint32_t>();
    checkpoint.checksum = *reader.fixed<std::uint32_t>();
    checkpoint.at = {*reader.fixed<std::uint64_t>()};
    checkpoint.epoch = {*reader.fixed<std::uint64_t>()};
    header.state_bytes = *reader.fixed<std::uint64_t>();
    header.state_checksum = *reader.fixed<std::uint32_t>();
    if (!is_reserved(reader)) return bad_checkpoint("reserved bytes");
    if (checkpoint.at == Index{} || checkpoint.epoch == Epoch{}) return bad_checkpoint("no entry");
    return header;
}

std::string checkpoint_name(Index at) { return hex16(at.value) + std::string(checkpoint_suffix); }

std::optional<Index> parse_checkpoint_name(std::string_view name) {
    const auto number = parse_hex16(name, checkpoint_suffix);
    if (!number || *number == 0) return std::nullopt;
    return Index{*number};
}

Error bad_checkpoint(std::string_view why) {
    return {.code = Errc::corrupt, .detail = fmt::format("checkpoint: {}", why)};
}

}  // namespace understudy::journal
