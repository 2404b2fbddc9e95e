#pragma once

#include <cstddef>
#include <string_view>

#include "understudy/types.h"

namespace understudy {

// What a platform accepts. A request beyond a bound is refused with limit_exceeded (none), and the
// error names the bound.

inline constexpr std::size_t identifier_size_max = 128;  ///< Services, members, nodes, platforms.
inline constexpr std::size_t name_size_max = 255;        ///< Records, fields, sub-maps, calls.
inline constexpr std::size_t fields_max = 100'000;       ///< In one record, sub-maps included.
inline constexpr std::size_t record_size_max = 1 * MiB;  ///< One record's image, encoded.
inline constexpr std::size_t records_max = 1'000'000;    ///< Of one member of a service.
inline constexpr std::size_t arguments_size_max = 1 * MiB;    ///< Of one call, encoded.
inline constexpr std::size_t result_size_max = 1 * MiB;       ///< Of one call, encoded.
inline constexpr std::size_t subscriptions_max = 100'000;     ///< Of one connection.
inline constexpr std::size_t calls_outstanding_max = 65'536;  ///< Of one proxy.

/// Names that become paths: 1 to 128 of A-Z a-z 0-9 . _ -, not starting with a dot.
/// `what` opens the error's detail: "service", "member", "node", "platform".
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] US_API Result<void> check_identifier(std::string_view what, std::string_view name);

/// Names of records, fields, sub-maps and calls: 1 to 255 bytes of UTF-8 without control
/// characters and '/', not starting with a dot.
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] US_API Result<void> check_name(std::string_view what, std::string_view name);

[[nodiscard]] inline Result<void> check_service_name(std::string_view name) {
    return check_identifier("service", name);
}
[[nodiscard]] inline Result<void> check_member_name(std::string_view name) {
    return check_identifier("member", name);
}
[[nodiscard]] inline Result<void> check_record_name(std::string_view name) {
    return check_name("record", name);
}
[[nodiscard]] inline Result<void> check_field_name(std::string_view name) {
    return check_name("field", name);
}
[[nodiscard]] inline Result<void> check_call_name(std::string_view name) {
    return check_name("call", name);
}

/// Sizes against their bounds. Errors: limit_exceeded (none).
[[nodiscard]] US_API Result<void> check_record_size(std::size_t bytes);
[[nodiscard]] US_API Result<void> check_arguments_size(std::size_t bytes);
[[nodiscard]] US_API Result<void> check_result_size(std::size_t bytes);

}  // namespace understudy
