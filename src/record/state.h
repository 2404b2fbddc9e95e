#pragma once

#include <cstdint>
#include <string_view>

#include "record/publisher.h"
#include "understudy/result.h"
#include "understudy/state_machine.h"

namespace understudy::record {

/// Records whose names begin like this belong to a member and not to its service.
inline constexpr std::string_view platform_prefix = "understudy.";

/// The replicated part of a service whose records survive: applies changes from a journal to the
/// records of a publisher, which sends them to subscribers if the member is active. All members
/// have the same records at the same index, but for those of the platform.
///
/// Commands: kind u8, name text, then an image (create), a delta (change) or nothing (remove).
/// Source: docs/formats/record.md, "Records on a journal".
/// Thread: loop only.
class State final : public SmallStateMachine {
public:
    enum class Kind : std::uint8_t { create = 1, change = 2, remove = 3 };

    /// The publisher outlives it.
    explicit State(Publisher& publisher) : publisher_(publisher) {}

    /// Replaces the content of `out`.
    static void encode(Kind kind, std::string_view name, Bytes bytes, Buffer& out);
    /// What apply() replied: whether the change has been made. Errors: those of Publisher.
    [[nodiscard]] static Result<void> result_of(Bytes reply);

    void apply(const Command& command, Buffer& reply) override;
    void snapshot(Buffer& out) const override;
    [[nodiscard]] Result<void> restore(Bytes state) override;

private:
    [[nodiscard]] Result<void> carry_out(Bytes command);
    void clear();

    Publisher& publisher_;
};

}  // namespace understudy::record
