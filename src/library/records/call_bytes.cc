#include "library/records/call_bytes.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "understudy/limits.h"
#include "wire/dynamic.h"

namespace understudy::library {

namespace {

[[nodiscard]] std::size_t size_bytes(const Value& value) {
    if (const std::string* text = value.text()) return text->size();
    if (const Blob* bytes = value.bytes()) return bytes->size();
    return sizeof(std::uint64_t);
}

}  // namespace

Result<Buffer> encode(const Arguments& arguments) {
    if (2 * arguments.values().size() >= wire::Dynamic::nodes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} arguments", arguments.values().size())};
    }
    std::size_t size = 0;
    for (const auto& [name, value] : arguments.values()) {
        const bool fine = is_utf8(name) && (value.text() == nullptr || is_utf8(*value.text()));
        if (!fine) {
            return Error{.code = Errc::bad_config,
                         .detail = "argument '" + name + "' is text that is not UTF-8"};
        }
        size += name.size() + size_bytes(value);
    }
    US_CHECK(check_arguments_size(size));
    Buffer bytes = arguments.to_bytes();
    US_CHECK(check_arguments_size(bytes.size()));
    return bytes;
}

Result<Buffer> encode(const CallResult& result) {
    const auto check_size = [](std::size_t size) -> Result<void> {
        auto fits = check_result_size(size);
        if (fits) return {};
        Error error = std::move(fits).error();
        error.effect = Effect::unknown;  // The handler has run.
        return error;
    };
    if (result.value()) {
        const std::string* text = result.value()->text();
        if (text != nullptr && !is_utf8(*text)) {
            return Error{.code = Errc::failed, .effect = Effect::unknown,
                         .detail = "the result is text that is not UTF-8"};
        }
        US_CHECK(check_size(size_bytes(*result.value())));
    }
    Buffer bytes = result.to_bytes();
    US_CHECK(check_size(bytes.size()));
    return bytes;
}

}  // namespace understudy::library
