#include "journal/shared_seal.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "journal/segment.h"

namespace understudy::journal {

namespace {

constexpr std::string_view magic = "usjrnsea";
constexpr std::size_t covered_from = magic.size() + 4;

}  // namespace

void encode(const Seal& seal, std::uint32_t seed, Buffer& out) {
    US_ASSERT(seal.old < seal.epoch);
    US_ASSERT(seal.at < seal.last);
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(format_version);
    body.fixed(seal.journal);
    body.fixed(seal.checksum);
    body.fixed(seal.epoch.value);
    body.fixed(seal.old.value);
    body.fixed(seal.at.value);
    body.fixed(seal.last.value);
    covered.resize(seal_bytes - covered_from);

    ByteWriter writer(out);
    writer.raw(as_bytes(magic));
    writer.fixed(crc32c(covered, seed));
    writer.raw(covered);
}

Result<std::optional<Seal>> decode_seal(Bytes bytes, std::uint32_t seed) {
    const std::optional<Seal> none;
    if (bytes.size() < seal_bytes) return none;
    const Bytes raw = bytes.first(seal_bytes);
    if (as_text(raw.first(magic.size())) != magic) return none;

    ByteReader reader(raw.subspan(magic.size()));
    if (crc32c(raw.subspan(covered_from), seed) != *reader.fixed<std::uint32_t>()) return none;
    const auto version = *reader.fixed<std::uint32_t>();
    if (version != format_version) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("seal has format version {}, this program reads {}",
                                           version, format_version)};
    }
    Seal seal;
    seal.journal = *reader.fixed<std::uint32_t>();
    seal.checksum = *reader.fixed<std::uint32_t>();
    seal.epoch = {*reader.fixed<std::uint64_t>()};
    seal.old = {*reader.fixed<std::uint64_t>()};
    seal.at = {*reader.fixed<std::uint64_t>()};
    seal.last = {*reader.fixed<std::uint64_t>()};
    const Bytes reserved = reader.rest();
    if (std::any_of(reserved.begin(), reserved.end(),
                    [](std::byte b) { return b != std::byte{}; })) {
        return none;
    }
    if (seal.journal == 0 || seal.old >= seal.epoch || seal.at >= seal.last) return none;
    return std::optional(seal);
}

std::uint32_t content_checksum(const Entry& entry) {
    std::array<std::byte, 17> head{};
    std::memcpy(head.data(), &entry.index.value, 8);
    std::memcpy(head.data() + 8, &entry.epoch.value, 8);
    head[16] = static_cast<std::byte>(entry.type);
    return crc32c(entry.body, crc32c(head));
}

}  // namespace understudy::journal
