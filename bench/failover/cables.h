#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/fd.h"
#include "understudy/types.h"

namespace understudy::bench {

/// Network namespaces joined by a bridge, each by a cable that can be cut.
///
/// The namespaces have no names. Only descriptors of this process hold them, so the kernel removes
/// everything when the process ends. Needs root.
class Cables {
public:
    /// Errors: failed (none).
    [[nodiscard]] static Result<Cables> lay(std::size_t ends);

    /// The namespace at the end of a cable, for Child::Options::network.
    [[nodiscard]] int end(std::size_t which) const { return ends_[which].get(); }
    [[nodiscard]] static std::string address(std::size_t which) {
        return "10.77.0." + std::to_string(which + 1);
    }

    /// Silently drops every packet in both directions. Errors: failed.
    [[nodiscard]] Result<void> cut(std::size_t which) const;
    [[nodiscard]] Result<void> heal(std::size_t which) const;

    /// While this exists, this thread and the threads that it starts are at the end of a cable.
    class Inside {
    public:
        explicit Inside(Fd home) : home_(std::move(home)) {}
        Inside(Inside&&) = default;
        Inside& operator=(Inside&&) = delete;
        ~Inside();

    private:
        Fd home_;
    };
    [[nodiscard]] Result<Inside> enter(std::size_t which) const;

private:
    Cables() = default;

    Fd hub_;
    std::vector<Fd> ends_;
};

}  // namespace understudy::bench
