#include "link/mark.h"

#include <fmt/format.h>

namespace understudy::link {

void write_mark(ByteWriter& writer, const Mark& mark) {
    writer.raw(as_bytes(mark.text));
    writer.fixed(mark.version);
}

Result<void> check_mark(ByteReader& reader, const Mark& mark) {
    const auto found = reader.raw(mark.text.size());
    if (!found || as_text(*found) != mark.text) {
        return Error{.code = Errc::refused, .detail = "the other end speaks another protocol"};
    }
    const auto spoken = reader.fixed<std::uint8_t>();
    if (!spoken || *spoken != mark.version) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("the other end speaks version {} between {}, not {}",
                                           spoken.value_or(0), mark.between, mark.version)};
    }
    return {};
}

}  // namespace understudy::link
