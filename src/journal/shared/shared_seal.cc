#include "journal/shared/shared_seal.h"

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/checksum.h"
#include "journal/format/header.h"

namespace understudy::journal {

namespace {

constexpr HeaderForm seal_form{.magic = "usjrnsea", .bytes = seal_bytes};

}  // namespace

void encode(const Seal& seal, std::uint32_t seed, Buffer& out) {
    US_ASSERT(seal.old < seal.epoch);
    US_ASSERT(seal.at < seal.last);
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(seal.journal);
    body.fixed(seal.checksum);
    body.fixed(seal.epoch.value);
    body.fixed(seal.old.value);
    body.fixed(seal.at.value);
    body.fixed(seal.last.value);
    put_header(seal_form, fields, seed, out);
}

Result<std::optional<Seal>> decode_seal(Bytes bytes, std::uint32_t seed) {
    const std::optional<Seal> none;
    auto fields = open_header(seal_form, "seal", bytes, seed);
    if (!fields && fields.error().code == Errc::corrupt) return none;
    ByteReader reader = US_TRY(std::move(fields));
    Seal seal;
    seal.journal = *reader.fixed<std::uint32_t>();
    seal.checksum = *reader.fixed<std::uint32_t>();
    seal.epoch = {*reader.fixed<std::uint64_t>()};
    seal.old = {*reader.fixed<std::uint64_t>()};
    seal.at = {*reader.fixed<std::uint64_t>()};
    seal.last = {*reader.fixed<std::uint64_t>()};
    if (!is_reserved(reader)) return none;
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
