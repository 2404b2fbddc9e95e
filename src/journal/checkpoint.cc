#include "journal/checkpoint.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "journal/segment.h"

namespace understudy::journal {

namespace {

constexpr std::string_view magic = "usjrnckp";
constexpr std::string_view suffix = ".ckpt";
constexpr std::size_t covered_from = magic.size() + 4;

Error damaged(std::string_view why) {
    return {.code = Errc::corrupt, .detail = fmt::format("checkpoint: {}", why)};
}

}  // namespace

Buffer encode(const CheckpointHeader& header) {
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(format_version);
    body.fixed(header.checkpoint.journal);
    body.fixed(header.checkpoint.checksum);
    body.fixed(header.checkpoint.at.value);
    body.fixed(header.checkpoint.epoch.value);
    body.fixed(header.state_bytes);
    body.fixed(header.state_checksum);
    covered.resize(checkpoint_header_bytes - covered_from);

    Buffer out;
    ByteWriter writer(out);
    writer.raw(as_bytes(magic));
    writer.fixed(crc32c(covered));
    writer.raw(covered);
    return out;
}

Result<CheckpointHeader> decode_checkpoint_header(Bytes file) {
    if (file.size() < checkpoint_header_bytes) return damaged("shorter than its header");
    const Bytes raw = file.first(checkpoint_header_bytes);
    if (as_text(raw.first(magic.size())) != magic) return damaged("wrong magic");

    ByteReader reader(raw.subspan(magic.size()));
    if (crc32c(raw.subspan(covered_from)) != *reader.fixed<std::uint32_t>()) {
        return damaged("checksum of the header");
    }
    const auto version = *reader.fixed<std::uint32_t>();
    if (version != format_version) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("checkpoint has format version {}, this program reads {}",
                                  version, format_version)};
    }
    CheckpointHeader header;
    Checkpoint& checkpoint = header.checkpoint;
    checkpoint.journal = *reader.fixed<std::uint32_t>();
    checkpoint.checksum = *reader.fixed<std::uint32_t>();
    checkpoint.at = {*reader.fixed<std::uint64_t>()};
    checkpoint.epoch = {*reader.fixed<std::uint64_t>()};
    header.state_bytes = *reader.fixed<std::uint64_t>();
    header.state_checksum = *reader.fixed<std::uint32_t>();
    const Bytes reserved = reader.rest();
    if (std::any_of(reserved.begin(), reserved.end(),
                    [](std::byte b) { return b != std::byte{}; })) {
        return damaged("reserved bytes");
    }
    if (checkpoint.at == Index{} || checkpoint.epoch == Epoch{}) return damaged("no entry");
    return header;
}

std::string checkpoint_name(Index at) { return hex16(at.value) + std::string(suffix); }

std::optional<Index> parse_checkpoint_name(std::string_view name) {
    const auto number = parse_hex16(name, suffix);
    if (!number || *number == 0) return std::nullopt;
    return Index{*number};
}

}  // namespace understudy::journal
