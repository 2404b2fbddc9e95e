#include "understudy/limits.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/utf8.h"

namespace understudy {

namespace {

std::string quoted(std::string_view what, std::string_view name) {
    return std::string(what) + " name '" + std::string(name) + "'";
}

Error bad_name(std::string_view what, std::string_view name, std::string_view why) {
    return {.code = Errc::bad_config, .detail = quoted(what, name) + ": " + std::string(why)};
}

Result<void> check_length(std::string_view what, std::string_view name, std::size_t size_max) {
    if (name.empty()) {
        return Error{.code = Errc::bad_config, .detail = std::string(what) + " name is empty"};
    }
    if (name.size() > size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = std::string(what) + " name of " + std::to_string(name.size()) +
                               " bytes, at most " + std::to_string(size_max)};
    }
    return {};
}

Result<void> check_size(std::string_view what, std::size_t bytes, std::size_t size_max) {
    if (bytes <= size_max) return {};
    return Error{.code = Errc::limit_exceeded,
                 .detail = std::string(what) + " of " + std::to_string(bytes) +
                           " bytes, at most " + std::to_string(size_max)};
}

bool is_identifier_character(char each) {
    return (each >= 'A' && each <= 'Z') || (each >= 'a' && each <= 'z') ||
           (each >= '0' && each <= '9') || each == '.' || each == '_' || each == '-';
}

bool is_control_or_slash(char each) {
    const auto byte = static_cast<unsigned char>(each);
    return byte < 0x20 || byte == 0x7f || byte == '/';
}

// U+0080 to U+009F, in UTF-8 0xc2 followed by 0x80 to 0x9f. Terminals obey these characters and do
// not show them.
bool has_late_control(std::string_view name) {
    for (std::size_t at = name.find('\xc2'); at != std::string_view::npos && at + 1 < name.size();
         at = name.find('\xc2', at + 1)) {
        if (static_cast<unsigned char>(name[at + 1]) < 0xa0) return true;
    }
    return false;
}

}  // namespace

Result<void> check_identifier(std::string_view what, std::string_view name) {
    US_CHECK(check_length(what, name, identifier_size_max));
    if (name.front() == '.') return bad_name(what, name, "starts with a dot");
    if (!std::all_of(name.begin(), name.end(), is_identifier_character)) {
        // A refused name may contain anything, so the message does not repeat it.
        return Error{.code = Errc::bad_config,
                     .detail = std::string(what) + " name: only A-Z a-z 0-9 . _ - are allowed"};
    }
    return {};
}

Result<void> check_name(std::string_view what, std::string_view name) {
    US_CHECK(check_length(what, name, name_size_max));
    if (!is_utf8(name)) {
        return Error{.code = Errc::bad_config, .detail = std::string(what) + " name is not UTF-8"};
    }
    if (std::any_of(name.begin(), name.end(), is_control_or_slash) || has_late_control(name)) {
        return Error{.code = Errc::bad_config,
                     .detail = std::string(what) + " name: control characters and '/' are refused"};
    }
    if (name.front() == '.') return bad_name(what, name, "starts with a dot");
    return {};
}

Result<void> check_record_size(std::size_t bytes) {
    return check_size("record", bytes, record_size_max);
}
Result<void> check_arguments_size(std::size_t bytes) {
    return check_size("arguments", bytes, arguments_size_max);
}
Result<void> check_result_size(std::size_t bytes) {
    return check_size("result", bytes, result_size_max);
}

}  // namespace understudy
