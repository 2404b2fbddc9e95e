#include "wire/compression.h"

#include <cstring>
#include <limits>

#include <zlib.h>
#include <zstd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/errors.h"

namespace understudy::wire {

namespace {

constexpr int gzip_level = 1;             // Batches are small, and speed counts more.
constexpr int zstd_level = 1;
constexpr int gzip_window_bits = 15 + 16;  // 16: with gzip's header and trailer.
constexpr std::size_t plain_size_field = sizeof(std::uint32_t);
constexpr std::size_t compression_kept_size_max =
    1 * MiB;  // Of a buffer, after a large batch.

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

// zlib reads through a pointer to non-const, unless this is defined, but does not write.
unsigned char* raw(Bytes bytes) {
    return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
}

// Room for `size` bytes of any content. Frees the memory that a large batch has taken.
void make_room(Buffer& buffer, std::size_t size) {
    if (buffer.size() >= size && buffer.size() <= compression_kept_size_max) return;
    if (size <= compression_kept_size_max && buffer.size() > compression_kept_size_max) {
        Buffer(size).swap(buffer);
    } else if (buffer.size() < size) {
        buffer.resize(size);
    }
}

bool within_ratio(std::size_t plain_size, std::size_t compressed_size) {
    return plain_size <= Compressor::plain_allowance + compressed_size * Compressor::ratio_max;
}

}  // namespace

std::string_view name(Compression compression) {
    switch (compression) {
        case Compression::none: return "none";
        case Compression::gzip: return "gzip";
        case Compression::zstd: return "zstd";
    }
    return "unrecognized";
}

std::optional<Compression> parse_compression(std::string_view text) {
    for (const auto each : {Compression::none, Compression::gzip, Compression::zstd}) {
        if (text == name(each)) return each;
    }
    return std::nullopt;
}

// What the libraries keep between batches. Without memory the process ends, as with new.
struct Compressor::Contexts {
    ~Contexts() {
        if (deflating) deflateEnd(&*deflating);
        if (inflating) inflateEnd(&*inflating);
        ZSTD_freeCCtx(zstd_compressing);
        ZSTD_freeDCtx(zstd_restoring);
    }

    z_stream& fresh_deflate() {
        if (deflating) {
            const int reset = deflateReset(&*deflating);
            US_ASSERT(reset == Z_OK);
        } else {
            deflating.emplace();
            const int made = deflateInit2(&*deflating, gzip_level, Z_DEFLATED, gzip_window_bits,
                                          MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
            US_ASSERT(made == Z_OK);
        }
        return *deflating;
    }
    z_stream& fresh_inflate() {
        if (inflating) {
            const int reset = inflateReset(&*inflating);
            US_ASSERT(reset == Z_OK);
        } else {
            inflating.emplace();
            const int made = inflateInit2(&*inflating, gzip_window_bits);
            US_ASSERT(made == Z_OK);
        }
        return *inflating;
    }
    ZSTD_CCtx* zstd_compress() {
        if (zstd_compressing == nullptr) zstd_compressing = ZSTD_createCCtx();
        US_ASSERT(zstd_compressing != nullptr);
        return zstd_compressing;
    }
    ZSTD_DCtx* zstd_restore() {
        if (zstd_restoring == nullptr) zstd_restoring = ZSTD_createDCtx();
        US_ASSERT(zstd_restoring != nullptr);
        return zstd_restoring;
    }

    std::optional<z_stream> deflating;
    std::optional<z_stream> inflating;
    ZSTD_CCtx* zstd_compressing = nullptr;
    ZSTD_DCtx* zstd_restoring = nullptr;
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;

std::optional<Bytes> Compressor::compress(Compression compression, Bytes plain) {
    US_ASSERT(compression != Compression::none);
    US_ASSERT(plain.size() <= std::numeric_limits<std::uint32_t>::max());
    if (plain.size() <= plain_size_field) return std::nullopt;

    // Room for a result that is smaller than the input: a longer one is not used.
    make_room(compressed_, plain.size());
    const std::size_t room = plain.size() - plain_size_field - 1;
    std::size_t size = 0;
    if (compression == Compression::gzip) {
        z_stream& stream = contexts_->fresh_deflate();
        stream.next_in = raw(plain);
        stream.avail_in = static_cast<uInt>(plain.size());
        stream.next_out = raw(compressed_.data()) + plain_size_field;
        stream.avail_out = static_cast<uInt>(room);
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return std::nullopt;
        size = room - stream.avail_out;
    } else {
        size = ZSTD_compressCCtx(contexts_->zstd_compress(), compressed_.data() + plain_size_field,
                                 room, plain.data(), plain.size(), zstd_level);
        if (ZSTD_isError(size) != 0) return std::nullopt;
    }
    if (!within_ratio(plain.size(), size)) return std::nullopt;

    const auto plain_size = static_cast<std::uint32_t>(plain.size());
    std::memcpy(compressed_.data(), &plain_size, sizeof plain_size);
    return Bytes(compressed_).first(plain_size_field + size);
}

Result<Bytes> Compressor::restore(Compression compression, Bytes payload, std::size_t plain_max) {
    US_ASSERT(compression != Compression::none);
    ByteReader reader(payload);
    const auto plain_size = reader.fixed<std::uint32_t>();
    if (!plain_size) return corrupt("compressed batch without a size");
    const Bytes compressed = reader.rest();

    if (*plain_size > plain_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("compressed batch of {} plain bytes, at most {} here",
                                           *plain_size, plain_max)};
    }
    if (!within_ratio(*plain_size, compressed.size())) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} bytes that claim to hold {}, at most {} to 1",
                                           compressed.size(), *plain_size, ratio_max)};
    }

    // One byte more than the claimed size, so that a longer batch is noticed and not cut.
    make_room(plain_, *plain_size + std::size_t{1});
    std::size_t size = 0;
    if (compression == Compression::gzip) {
        z_stream& stream = contexts_->fresh_inflate();
        stream.next_in = raw(compressed);
        stream.avail_in = static_cast<uInt>(compressed.size());
        stream.next_out = raw(plain_.data());
        stream.avail_out = *plain_size + 1;
        if (inflate(&stream, Z_FINISH) != Z_STREAM_END) {
            return corrupt("gzip batch does not restore");
        }
        if (stream.avail_in != 0) return corrupt("bytes behind a gzip batch");
        size = *plain_size + std::size_t{1} - stream.avail_out;
    } else {
        size = ZSTD_decompressDCtx(contexts_->zstd_restore(), plain_.data(),
                                   *plain_size + std::size_t{1}, compressed.data(),
                                   compressed.size());
        if (ZSTD_isError(size) != 0) return corrupt("zstd batch does not restore");
    }
    if (size != *plain_size) return corrupt("compressed batch of another size than it says");
    return Bytes(plain_).first(size);
}

}  // namespace understudy::wire
