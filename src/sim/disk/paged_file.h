#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "understudy/types.h"

namespace understudy::sim {

/// The bytes of a file in pages; holes and written zeros take no memory.
///
/// Journals fill their segments with zeros in advance; a whole cluster of them would not fit into
/// memory.
class PagedFile {
public:
    static constexpr std::size_t page_bytes = 4 * KiB;

    PagedFile() = default;
    PagedFile(const PagedFile& other) { *this = other; }
    PagedFile& operator=(const PagedFile& other);

    /// Requires: offset + out.size() <= size().
    void read(std::uint64_t offset, std::span<std::byte> out) const;
    void write(std::uint64_t offset, Bytes data);
    void write_zeros(std::uint64_t offset, std::uint64_t count);
    /// Cuts the file, or extends it by a hole that reads as zeros.
    void resize(std::uint64_t size);

    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] std::uint64_t allocated_pages() const { return allocated_; }
    /// The number of pages that such a write would allocate.
    [[nodiscard]] std::uint64_t missing_pages(std::uint64_t offset, std::uint64_t count) const;

private:
    using Page = std::array<std::byte, page_bytes>;
    struct Place {
        std::unique_ptr<Page> page;  // Null: zeros.
        bool allocated = false;      // False: a hole, which takes no space on the disk either.
    };

    std::vector<Place> places_;
    std::uint64_t size_ = 0;
    std::uint64_t allocated_ = 0;
};

[[nodiscard]] bool all_zero(Bytes data);

}  // namespace understudy::sim
