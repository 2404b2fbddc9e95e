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

Buffer encode_checkpoint_header(const Checkpoint& checkpoint, Bytes state) {
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(format_version);
    body.fixed(checkpoint.journal);
    body.fixed(checkpoint.checksum);
    body.fixed(checkpoint.at.value);
    body.fixed(checkpoint.epoch.value);
    body.fixed(static_cast<std::uint64_t>(state.size()));
    body.fixed(crc32c(state));
    covered.resize(checkpoint_header_bytes - covered_from);

    Buffer out;
    ByteWriter writer(out);
    writer.raw(as_bytes(magic));
    writer.fixed(crc32c(covered));
    writer.raw(covered);
    return out;
}

Result<LoadedCheckpoint> decode_checkpoint(Buffer file) {
    if (file.size() < checkpoint_header_bytes) return damaged("shorter than its header");
    const Bytes raw = Bytes(file).first(checkpoint_header_bytes);
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
    Checkpoint checkpoint;
    checkpoint.journal = *reader.fixed<std::uint32_t>();
    checkpoint.checksum = *reader.fixed<std::uint32_t>();
    checkpoint.at = {*reader.fixed<std::uint64_t>()};
    checkpoint.epoch = {*reader.fixed<std::uint64_t>()};
    const auto length = *reader.fixed<std::uint64_t>();
    const auto checksum = *reader.fixed<std::uint32_t>();
    const Bytes reserved = reader.rest();
    if (std::any_of(reserved.begin(), reserved.end(),
                    [](std::byte b) { return b != std::byte{}; })) {
        return damaged("reserved bytes");
    }
    if (checkpoint.at == Index{} || checkpoint.epoch == Epoch{}) return damaged("no entry");
    if (file.size() - checkpoint_header_bytes != length) return damaged("wrong length");
    if (crc32c(Bytes(file).subspan(checkpoint_header_bytes)) != checksum) {
        return damaged("checksum of the state");
    }
    file.erase(file.begin(), file.begin() + checkpoint_header_bytes);
    return LoadedCheckpoint{.checkpoint = checkpoint, .state = std::move(file)};
}

std::string checkpoint_name(Index at) { return hex16(at.value) + std::string(suffix); }

std::optional<Index> parse_checkpoint_name(std::string_view name) {
    const auto number = parse_hex16(name, suffix);
    if (!number || *number == 0) return std::nullopt;
    return Index{*number};
}

}  // namespace understudy::journal
