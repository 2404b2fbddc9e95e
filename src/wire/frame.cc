#include "wire/frame.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/trust.h"

namespace understudy::wire {

namespace {

std::uint32_t checksum(Bytes checked_header, Bytes payload) {
    return crc32c(payload, crc32c(checked_header));
}

/// Checked in the first bytes: a TLS alert is shorter than a header.
[[nodiscard]] Result<void> check_begin(Bytes input) {
    if (input.size() < 2) return {};
    const auto first = std::to_integer<std::uint8_t>(input[0]);
    const auto second = std::to_integer<std::uint8_t>(input[1]);
    if ((first | second << 8) == frame_magic) return {};
    constexpr std::uint8_t tls_alert = 0x15;
    constexpr std::uint8_t tls_handshake = 0x16;
    if ((first == tls_alert || first == tls_handshake) && second == 3) {
        return Error{.code = Errc::denied, .detail = std::string(peer_wants_tls)};
    }
    for (const std::string_view begin : {"GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "HTTP/"}) {
        if (as_text(input).starts_with(begin)) {
            return Error{.code = Errc::corrupt, .detail = "not our protocol, but HTTP"};
        }
    }
    return Error{.code = Errc::corrupt, .detail = "not our protocol"};
}

}  // namespace

Result<std::optional<Frame>> decode(Bytes input, std::size_t payload_max) {
    US_CHECK(check_begin(input));
    if (input.size() < header_size) return std::optional<Frame>();

    ByteReader header(input.first(header_size));
    const auto magic = *header.fixed<std::uint16_t>();
    const auto version = *header.fixed<std::uint8_t>();
    const auto kind = *header.fixed<std::uint8_t>();
    const auto length = *header.fixed<std::uint32_t>();
    const auto crc = *header.fixed<std::uint32_t>();

    // Everything that the peer sends is checked before it is used, the length above all.
    US_ASSERT(magic == frame_magic);
    if (version != frame_version) {
        return Error{.code = Errc::corrupt, .detail = fmt::format("frame version {}", version)};
    }
    if (kind < 1 || kind > kind_max) {
        return Error{.code = Errc::corrupt, .detail = fmt::format("frame kind {}", kind)};
    }
    if (length > payload_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("frame payload of {} bytes, at most {} here", length,
                                           payload_max)};
    }

    if (input.size() - header_size < length) return std::optional<Frame>();
    const Bytes payload = input.subspan(header_size, length);
    if (checksum(input.first(checked_header_size), payload) != crc) {
        return Error{.code = Errc::corrupt, .detail = "frame checksum"};
    }
    return std::optional<Frame>(
        Frame{static_cast<FrameKind>(kind), payload, header_size + length});
}

std::size_t missing(Bytes input) {
    if (input.size() < header_size) return header_size - input.size();
    ByteReader length(input.subspan(4, 4));
    const std::size_t whole = header_size + *length.fixed<std::uint32_t>();
    US_ASSERT(whole > input.size());
    return whole - input.size();
}

void seal(FrameKind kind, std::span<std::byte> frame) {
    US_ASSERT(frame.size() >= header_size);
    US_ASSERT(frame.size() - header_size <= payload_size_max);

    const auto put = [&frame](std::size_t at, auto number) {
        std::memcpy(frame.data() + at, &number, sizeof number);
    };
    put(0, frame_magic);
    put(2, frame_version);
    put(3, static_cast<std::uint8_t>(kind));
    put(4, static_cast<std::uint32_t>(frame.size() - header_size));
    put(8, checksum(frame.first(checked_header_size), frame.subspan(header_size)));
}

}  // namespace understudy::wire
