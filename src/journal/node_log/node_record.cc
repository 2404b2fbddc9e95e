#include "journal/node_log/node_record.h"

#include <array>
#include <cstring>

#include "base/checksum.h"

namespace understudy::journal {

namespace {

bool has_index(RecordWhat what) {
    switch (what) {
        case RecordWhat::trim:
        case RecordWhat::cut:
        case RecordWhat::restart:
        case RecordWhat::entry:
        case RecordWhat::copy:
        case RecordWhat::place:
            return true;
        case RecordWhat::identity:
        case RecordWhat::state:
        case RecordWhat::forget:
            break;
    }
    return false;
}

bool is_entry(RecordWhat what) {
    return what == RecordWhat::entry || what == RecordWhat::copy || what == RecordWhat::place;
}

bool has_record_body(RecordWhat what) {
    return what == RecordWhat::state || what == RecordWhat::entry || what == RecordWhat::copy;
}

bool is_what(std::uint8_t number) {
    return number >= static_cast<std::uint8_t>(RecordWhat::identity) &&
           number <= static_cast<std::uint8_t>(RecordWhat::place);
}

}  // namespace

std::uint32_t entry_checksum(GroupId group, Index index, Epoch term, std::uint8_t kind,
                             Bytes body) {
    const std::array<std::uint64_t, 5> about{group.value, index.value, term.value, kind,
                                             body.size()};
    std::array<std::byte, sizeof about> raw;
    std::memcpy(raw.data(), about.data(), raw.size());
    return crc32c(body, crc32c(raw));
}

std::size_t encode(const NodeRecord& record, Buffer& out) {
    ByteWriter writer(out);
    writer.fixed(static_cast<std::uint8_t>(record.what));
    if (record.what == RecordWhat::identity) {
        writer.fixed(record.number);
        return out.size();
    }
    writer.varint(record.group.value);
    if (has_index(record.what)) writer.varint(record.index.value);
    if (is_entry(record.what)) {
        writer.varint(record.term.value);
        writer.fixed(record.kind);
        writer.fixed(record.checksum);
    }
    if (record.what == RecordWhat::place) {
        writer.varint(record.segment);
        writer.varint(record.offset);
        writer.varint(record.body_bytes);
    }
    if (!has_record_body(record.what)) return out.size();
    writer.varint(record.body.size());
    const std::size_t at = out.size();
    writer.raw(record.body);
    return at;
}

std::optional<NodeRecord> decode_record(ByteReader& input) {
    const auto number = input.fixed<std::uint8_t>();
    if (!number || !is_what(*number)) return std::nullopt;
    NodeRecord record;
    record.what = static_cast<RecordWhat>(*number);
    if (record.what == RecordWhat::identity) {
        record.number = input.fixed<std::uint64_t>().value_or(0);
        if (record.number == 0) return std::nullopt;
        return record;
    }
    record.group = {input.varint().value_or(0)};
    if (record.group == GroupId{}) return std::nullopt;
    if (has_index(record.what)) {
        record.index = {input.varint().value_or(0)};
        if (record.index == Index{}) return std::nullopt;
    }
    if (is_entry(record.what)) {
        record.term = {input.varint().value_or(0)};
        record.kind = input.fixed<std::uint8_t>().value_or(0);
        record.checksum = input.fixed<std::uint32_t>().value_or(0);
    }
    if (record.what == RecordWhat::place) {
        const std::uint64_t segment = input.varint().value_or(0);
        const std::uint64_t offset = input.varint().value_or(0);
        const std::uint64_t bytes = input.varint().value_or(0);
        if (segment == 0 || segment > UINT32_MAX || offset > UINT32_MAX || bytes > UINT32_MAX) {
            return std::nullopt;
        }
        record.segment = static_cast<std::uint32_t>(segment);
        record.offset = static_cast<std::uint32_t>(offset);
        record.body_bytes = static_cast<std::uint32_t>(bytes);
    }
    if (has_record_body(record.what)) record.body = input.bytes().value_or(Bytes{});
    if (input.failed()) return std::nullopt;
    if (record.what == RecordWhat::state && record.body.size() > group_state_bytes_max) {
        return std::nullopt;
    }
    return record;
}

}  // namespace understudy::journal
