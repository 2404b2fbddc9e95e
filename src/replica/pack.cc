#include "replica/pack.h"

namespace understudy::replica {

namespace {

constexpr unsigned kind_bits = 3;
constexpr std::uint64_t kind_mask = (1U << kind_bits) - 1;
static_assert(time_ms_max < std::uint64_t{Duration::max().count()} / 1'000'000);

bool has_body(ItemKind kind) { return kind == ItemKind::command || kind == ItemKind::request; }
bool has_number(ItemKind kind) { return kind == ItemKind::request || kind == ItemKind::abandon; }

}  // namespace

void encode(const Item& item, Duration time, Buffer& out) {
    US_ASSERT(has_body(item.kind) || item.body.empty());
    ByteWriter writer(out);
    if (out.empty()) {
        writer.varint(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(time).count()));
    }
    writer.varint(item.body.size() << kind_bits | static_cast<std::uint64_t>(item.kind));
    if (has_number(item.kind) || item.kind == ItemKind::close_session) {
        writer.varint(item.request.session.value);
    }
    if (has_number(item.kind)) {
        writer.varint(item.request.number.value);
        writer.varint(item.request.answered.value);
    }
    writer.raw(item.body);
}

PackReader::PackReader(Bytes pack) : reader_(pack) {
    const std::uint64_t ms = reader_.varint().value_or(time_ms_max);
    failed_ = ms >= time_ms_max;
    if (!failed_) time_ = std::chrono::milliseconds(ms);
}

std::optional<Item> PackReader::next() {
    if (failed_ || reader_.rest().empty()) return std::nullopt;
    const std::uint64_t head = reader_.varint().value_or(kind_mask);
    Item item{.kind = static_cast<ItemKind>(head & kind_mask)};
    failed_ = item.kind > ItemKind::abandon;
    if (!failed_ && (has_number(item.kind) || item.kind == ItemKind::close_session)) {
        item.request.session = SessionId{reader_.varint().value_or(0)};
    }
    if (!failed_ && has_number(item.kind)) {
        item.request.number = RequestNo{reader_.varint().value_or(0)};
        item.request.answered = RequestNo{reader_.varint().value_or(0)};
    }
    const std::uint64_t size = head >> kind_bits;
    failed_ = failed_ || (size > 0 && !has_body(item.kind));
    if (!failed_) item.body = reader_.raw(size).value_or(Bytes{});
    failed_ = failed_ || reader_.failed();
    if (failed_) return std::nullopt;
    return item;
}

}  // namespace understudy::replica
