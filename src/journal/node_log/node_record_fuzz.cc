// Reads a command body of arbitrary bytes. Records that are read are written in the same way, and
// an index that accepts them is consistent.
#include <cstdint>

#include "journal/node_log/node_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace understudy;
    using namespace understudy::journal;
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);

    ByteReader reader(input);
    while (!reader.done()) {
        const auto record = decode_record(reader);
        if (!record) break;
        Buffer written;
        const std::size_t body_at = encode(*record, written);
        US_ASSERT(body_at + record->body.size() == written.size());
        ByteReader again(written);
        const auto same = decode_record(again);
        US_ASSERT(same && again.done());
        US_ASSERT(same->what == record->what && same->group == record->group);
        US_ASSERT(same->index == record->index && same->term == record->term);
        US_ASSERT(same->checksum == record->checksum && same->number == record->number);
        US_ASSERT(as_text(same->body) == as_text(record->body));
    }
    for (const std::uint32_t segment : {0U, 1U}) {
        NodeIndex index;
        const auto applied = index.apply_all(input, segment, 100);
        US_ASSERT(applied || applied.error().code == Errc::corrupt);
        for (const auto& [id, group] : index.groups()) {
            US_ASSERT(id != GroupId{} && group.first != Index{});
            US_ASSERT(group.state.size() <= group_state_bytes_max);
            for (const IndexedEntry& entry : group.entries) US_ASSERT(entry.placed());
        }
    }
    return 0;
}
