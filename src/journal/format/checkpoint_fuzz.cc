// Reads a checkpoint file of arbitrary bytes. What is accepted is what would be written, and all of
// it is given out.
#include <algorithm>
#include <cstdint>

#include "base/checksum.h"
#include "journal/fakes/fake_disk_test.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace understudy;
    using namespace understudy::journal;
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);
    const auto header = decode_checkpoint_header(input);
    const Index at = header ? header->checkpoint.at : Index{1};

    FakeDisk disk(1);
    disk.put(path_in("/fuzz", checkpoint_name(at)), Buffer(input.begin(), input.end()));
    const auto reader = CheckpointReader::open(disk, "/fuzz", at);
    if (!reader) return 0;
    US_ASSERT(header && (*reader)->checkpoint() == header->checkpoint);
    Buffer again = encode(*header);
    for (bool last = false; !last;) {
        const auto slice = (*reader)->next();
        US_ASSERT(static_cast<bool>(slice));
        US_ASSERT(slice->first == (again.size() == checkpoint_header_bytes));
        again.insert(again.end(), slice->bytes.begin(), slice->bytes.end());
        last = slice->last;
    }
    US_ASSERT(std::equal(again.begin(), again.end(), input.begin(), input.end()));
    return 0;
}
