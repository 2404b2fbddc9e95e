#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <optional>

#include "understudy/types.h"

namespace understudy {

static_assert(std::endian::native == std::endian::little,
              "formats are little-endian and copied as they stand");

/// Appends fixed-size little-endian numbers, varints and length-prefixed bytes to a Buffer.
class ByteWriter {
public:
    explicit ByteWriter(Buffer& out) : out_(out) {}

    template <std::unsigned_integral Number>
    void fixed(Number value) {
        const auto* raw = reinterpret_cast<const std::byte*>(&value);
        out_.insert(out_.end(), raw, raw + sizeof value);
    }
    void varint(std::uint64_t value) {  // LEB128
        while (value >= 0x80) {
            out_.push_back(static_cast<std::byte>(value | 0x80));
            value >>= 7;
        }
        out_.push_back(static_cast<std::byte>(value));
    }
    void raw(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void bytes(Bytes value) {
        varint(value.size());
        raw(value);
    }
    void text(std::string_view value) { bytes(as_bytes(value)); }

private:
    Buffer& out_;
};

/// Takes numbers and bytes from the front of an input and never reads past its end.
///
/// A read that finds too few bytes returns nullopt, and the reader has then failed. Later reads
/// fail too, so a decoder may read everything and check once.
class ByteReader {
public:
    explicit ByteReader(Bytes input) : rest_(input) {}

    template <std::unsigned_integral Number>
    [[nodiscard]] std::optional<Number> fixed() {
        if (failed_ || rest_.size() < sizeof(Number)) return fail<Number>();
        Number value;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_ = rest_.subspan(sizeof value);
        return value;
    }
    [[nodiscard]] std::optional<std::uint64_t> varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && !failed_ && !rest_.empty(); shift += 7) {
            const auto byte = std::to_integer<std::uint64_t>(rest_.front());
            rest_ = rest_.subspan(1);
            if (shift == 63 && byte > 1) break;  // Does not fit 64 bits.
            value |= (byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
        return fail<std::uint64_t>();
    }
    [[nodiscard]] std::optional<Bytes> raw(std::uint64_t size) {
        if (failed_ || rest_.size() < size) return fail<Bytes>();
        const Bytes value = rest_.first(static_cast<std::size_t>(size));
        rest_ = rest_.subspan(static_cast<std::size_t>(size));
        return value;
    }
    [[nodiscard]] std::optional<Bytes> bytes() {
        const auto size = varint();
        if (!size) return std::nullopt;
        return raw(*size);
    }
    [[nodiscard]] std::optional<std::string_view> text() {
        const auto value = bytes();
        if (!value) return std::nullopt;
        return as_text(*value);
    }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool done() const { return !failed_ && rest_.empty(); }
    [[nodiscard]] Bytes rest() const { return rest_; }

private:
    template <class T>
    std::optional<T> fail() {
        failed_ = true;
        return std::nullopt;
    }

    Bytes rest_;
    bool failed_ = false;
};

}  // namespace understudy
