#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::bench {

/// A temporary directory that is removed with this object.
class Place {
public:
    /// Errors: failed (none).
    [[nodiscard]] static Result<Place> make(const std::string& parent);
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + "/" + std::string(name);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    explicit Place(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

/// Errors: failed (none).
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view text);
[[nodiscard]] Result<std::string> read_file(const std::string& path);
/// The end of a file, for messages; nothing if it is empty or missing.
[[nodiscard]] std::string last_lines(const std::string& path);

[[nodiscard]] bool accepts(std::uint16_t port);
/// Errors: timed_out (none).
[[nodiscard]] Result<void> wait_accepts(std::uint16_t port, Duration limit);

}  // namespace understudy::bench
