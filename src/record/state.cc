#include "record/state.h"

#include <string>
#include <vector>

#include "base/bytes.h"

namespace understudy::record {

void State::encode(Kind kind, std::string_view name, Bytes bytes, Buffer& out) {
    out.clear();
    ByteWriter writer(out);
    writer.fixed(static_cast<std::uint8_t>(kind));
    writer.text(name);
    writer.raw(bytes);
}

Result<void> State::result_of(Bytes reply) {
    if (reply.empty()) return {};
    ByteReader reader(reply);
    const auto code = reader.varint();
    const auto detail = reader.text();
    if (!reader.done()) return Error{.code = Errc::corrupt, .detail = "the reply makes no sense"};
    return Error{.code = static_cast<Errc>(*code), .detail = std::string(*detail)};
}

void State::apply(const Command& command, Buffer& reply) {
    const auto done = carry_out(command.body);
    if (done) return;
    ByteWriter writer(reply);
    writer.varint(static_cast<std::uint64_t>(done.error().code));
    writer.text(done.error().detail);
}

Result<void> State::carry_out(Bytes command) {
    ByteReader reader(command);
    const auto kind = reader.fixed<std::uint8_t>();
    const auto name = reader.text();
    if (reader.failed() || name->starts_with(platform_prefix)) {
        return Error{.code = Errc::corrupt, .detail = "the change of a record makes no sense"};
    }
    if (*kind == static_cast<std::uint8_t>(Kind::create)) {
        auto created = publisher_.create(*name, reader.rest());
        return created ? Result<void>() : std::move(created).error();
    }
    const auto record = publisher_.find(*name);
    if (!record) {
        return Error{.code = Errc::not_found, .detail = "no record " + std::string(*name)};
    }
    if (*kind == static_cast<std::uint8_t>(Kind::change)) {
        return publisher_.commit(*record, reader.rest());
    }
    if (*kind == static_cast<std::uint8_t>(Kind::remove)) return publisher_.remove(*record);
    return Error{.code = Errc::corrupt, .detail = "the change of a record makes no sense"};
}

void State::snapshot(Buffer& out) const {
    ByteWriter writer(out);
    Buffer image;
    for (const std::string_view name : publisher_.names()) {
        if (name.starts_with(platform_prefix)) continue;
        encode_image(*publisher_.image(*publisher_.find(name)), image);
        writer.text(name);
        writer.bytes(image);
    }
}

Result<void> State::restore(Bytes state) {
    clear();
    ByteReader reader(state);
    while (!reader.done()) {
        const auto name = reader.text();
        const auto image = reader.bytes();
        if (reader.failed()) {
            return Error{.code = Errc::corrupt, .detail = "the records of a checkpoint are cut"};
        }
        US_CHECK(publisher_.create(*name, *image));
    }
    return {};
}

void State::clear() {
    std::vector<std::string> names;
    for (const std::string_view name : publisher_.names()) {
        if (!name.starts_with(platform_prefix)) names.emplace_back(name);
    }
    for (const std::string& name : names) (void)publisher_.remove(*publisher_.find(name));
}

}  // namespace understudy::record
