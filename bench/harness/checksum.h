#pragma once

#include <cstdint>
#include <string_view>

namespace understudy::bench {

/// A checksum over the work that was done. It is printed, so that the compiler cannot leave the
/// work out.
///
/// FNV-1a over numbers and bytes.
class Checksum {
public:
    void add(std::uint64_t number) {
        for (int shift = 0; shift < 64; shift += 8) mix(static_cast<std::uint8_t>(number >> shift));
    }
    void add(std::string_view bytes) {
        for (const char byte : bytes) mix(static_cast<std::uint8_t>(byte));
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    void mix(std::uint8_t byte) { value_ = (value_ ^ byte) * 1099511628211u; }

    std::uint64_t value_ = 14695981039346656037u;
};

}  // namespace understudy::bench
