// Reads a segment file of arbitrary bytes. Reading stays inside the file, each accepted entry is
// what encode() writes, and the search for durable indexes ends.
//
// The input is the file, and its last eight bytes are also the generation. So inputs that were
// found for one seed are tried under others. A kept input ends with the right generation.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "journal/format/chain.h"
#include "journal/format/segment_reader.h"

namespace {

using namespace understudy;
using namespace understudy::journal;

class MemoryFile final : public File {
public:
    explicit MemoryFile(Bytes bytes) : bytes_(bytes) {}
    Result<std::uint64_t> size() override { return bytes_.size(); }
    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        US_ASSERT(offset <= bytes_.size());
        US_ASSERT(out.size() <= bytes_.size() - offset);
        if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
        return {};
    }
    Result<void> write_at(std::uint64_t, Bytes) override { return refused(); }
    Result<void> truncate(std::uint64_t) override { return refused(); }
    Result<void> sync() override { return refused(); }
    Result<void> lock() override { return refused(); }
    Result<bool> is_at(const std::string&) override { return refused(); }

private:
    static Error refused() { return {.code = Errc::denied}; }
    const Bytes bytes_;
};

void check_entry(const DecodedEntry& entry, Bytes file, std::uint64_t offset, std::uint32_t seed) {
    const EntryHeader& header = entry.header;
    US_ASSERT(offset + header.encoded_bytes() <= file.size());
    Buffer again;
    const auto checksum = encode(
        {.index = header.index, .epoch = header.epoch, .type = header.type, .body = entry.body},
        header.link, seed, again);
    US_ASSERT(checksum == header.checksum);
    const auto found = file.begin() + static_cast<std::ptrdiff_t>(offset);
    US_ASSERT(std::equal(again.begin(), again.end(), found));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::uint64_t generation = 0;
    if (size < sizeof generation) return 0;
    std::memcpy(&generation, data + size - sizeof generation, sizeof generation);
    const Bytes bytes(reinterpret_cast<const std::byte*>(data), size);

    MemoryFile file(bytes);
    SegmentReader reader(file, size, generation);
    Chain chain;
    const auto header = reader.header();
    if (header && *header) {
        US_ASSERT((*header)->generation == generation);
        chain.last = {(*header)->first.value - 1};
        chain.checksum = (*header)->previous;
    }
    std::uint64_t offset = segment_header_bytes;
    for (;;) {
        const auto entry = reader.entry_at(offset);
        US_ASSERT(static_cast<bool>(entry));
        if (!*entry || !chain.accepts((*entry)->header)) break;
        check_entry(**entry, bytes, offset, checksum_seed(generation));
        chain.advance((*entry)->header);
        offset += (*entry)->header.encoded_bytes();
    }
    const auto remains = reader.search(offset);
    US_ASSERT(static_cast<bool>(remains));
    US_ASSERT(remains->end <= std::max<std::uint64_t>(size, offset));
    return 0;
}
