#include "sim/disk/paged_file.h"

#include <algorithm>
#include <cstring>

namespace understudy::sim {
namespace {

constexpr std::uint64_t page = PagedFile::page_bytes;

std::uint64_t pages_for(std::uint64_t bytes) { return (bytes + page - 1) / page; }

/// Calls `part(page, offset in page, offset in range, count)` for each page of the range.
template <class Part>
void for_pages(std::uint64_t offset, std::uint64_t count, Part part) {
    for (std::uint64_t done = 0; done < count;) {
        const std::uint64_t at = offset + done;
        const std::uint64_t here = std::min(count - done, page - at % page);
        part(static_cast<std::size_t>(at / page), static_cast<std::size_t>(at % page),
             static_cast<std::size_t>(done), static_cast<std::size_t>(here));
        done += here;
    }
}

}  // namespace

bool all_zero(Bytes data) {
    if (data.empty()) return true;
    if (data.front() != std::byte{0}) return false;
    return std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0;
}

PagedFile& PagedFile::operator=(const PagedFile& other) {
    if (this == &other) return *this;
    places_.resize(other.places_.size());
    for (std::size_t i = 0; i < places_.size(); ++i) {
        const Place& from = other.places_[i];
        places_[i].page = from.page ? std::make_unique<Page>(*from.page) : nullptr;
        places_[i].allocated = from.allocated;
    }
    size_ = other.size_;
    allocated_ = other.allocated_;
    return *this;
}

void PagedFile::read(std::uint64_t offset, std::span<std::byte> out) const {
    US_ASSERT(offset <= size_);
    US_ASSERT(out.size() <= size_ - offset);
    for_pages(offset, out.size(), [&](auto index, auto in_page, auto in_range, auto count) {
        const Place& place = places_[index];
        if (place.page) {
            std::memcpy(out.data() + in_range, place.page->data() + in_page, count);
        } else {
            std::memset(out.data() + in_range, 0, count);
        }
    });
}

void PagedFile::write(std::uint64_t offset, Bytes data) {
    if (data.empty()) return;
    if (offset + data.size() > size_) resize(offset + data.size());
    for_pages(offset, data.size(), [&](auto index, auto in_page, auto in_range, auto count) {
        Place& place = places_[index];
        if (!place.allocated) ++allocated_;
        place.allocated = true;
        const Bytes part = data.subspan(in_range, count);
        if (!place.page) {
            if (all_zero(part)) return;
            place.page = std::make_unique<Page>();
        }
        std::memcpy(place.page->data() + in_page, part.data(), count);
    });
}

void PagedFile::write_zeros(std::uint64_t offset, std::uint64_t count) {
    if (count == 0) return;
    if (offset + count > size_) resize(offset + count);
    for_pages(offset, count, [&](auto index, auto in_page, auto, auto part) {
        Place& place = places_[index];
        if (!place.allocated) ++allocated_;
        place.allocated = true;
        if (part == page) {
            place.page.reset();
        } else if (place.page) {
            std::memset(place.page->data() + in_page, 0, part);
        }
    });
}

void PagedFile::resize(std::uint64_t size) {
    const auto pages = static_cast<std::size_t>(pages_for(size));
    for (std::size_t i = pages; i < places_.size(); ++i) allocated_ -= places_[i].allocated;
    places_.resize(pages);
    if (size < size_ && size % page != 0 && places_.back().page) {
        const auto kept = static_cast<std::size_t>(size % page);
        std::memset(places_.back().page->data() + kept, 0, page_bytes - kept);
    }
    size_ = size;
}

std::uint64_t PagedFile::missing_pages(std::uint64_t offset, std::uint64_t count) const {
    std::uint64_t missing = 0;
    for_pages(offset, count, [&](auto index, auto, auto, auto) {
        missing += index >= places_.size() || !places_[index].allocated;
    });
    return missing;
}

}  // namespace understudy::sim
