#pragma once

#include <memory>

#include "immortal/input.h"
#include "understudy/state_machine.h"

namespace understudy::immortal {

/// The calls that an application makes to its machine. Thread: loop only.
class Stage {
public:
    virtual ~Stage() = default;

    /// Outputs come in the order in which they were made, and in the order of their inputs.
    virtual void output(const Output& output) = 0;
    /// All inputs up to this one have been carried out, and all their outputs were reported. Not
    /// for immediate applications.
    virtual void performed(Position upto) = 0;
    /// The image that was requested: the state after input `at`. performed() has been called for
    /// `at` and for no later input. Not for immediate applications.
    virtual void imaged(Position at, std::shared_ptr<const Buffer> image) = 0;
    /// The application cannot go on, so this copy cannot be used any more. Called once; it may come
    /// within another call.
    virtual void broken(const Error& error) = 0;
};

/// The code of the user: linked in, or a separate process.
///
/// Deterministic: the same inputs give the same outputs in the same order, at every copy and in
/// every replay. Thread: loop only.
class Application {
public:
    virtual ~Application() = default;

    /// True if perform() carries out the input before it returns. Otherwise inputs are queued in
    /// order.
    [[nodiscard]] virtual bool immediate() const = 0;
    /// The version of the code in use; 0 before the first input or state.
    [[nodiscard]] virtual std::uint32_t version() const = 0;
    /// The version with which a service starts.
    [[nodiscard]] virtual std::uint32_t version_newest() const = 0;

    /// Checks whether code of that version can be used from now on. A version that is refused here
    /// would end every copy once it is in the journal. Errors: bad_config (none).
    [[nodiscard]] virtual Result<void> check_upgrade(std::uint32_t version) const = 0;

    virtual void perform(const Input& input, Stage& stage) = 0;
    /// The size of queued inputs.
    [[nodiscard]] virtual std::size_t lag_bytes() const { return 0; }

    /// The state as it is now. Requires: immediate; at most one image at a time.
    [[nodiscard]] virtual std::unique_ptr<Snapshot> begin_image() = 0;
    /// Requests the state after all inputs so far; Stage::imaged() delivers it. Requires: not
    /// immediate.
    virtual void want_image() = 0;
    /// Replaces the state by that of an image of code of that version. Errors: corrupt (none);
    /// bad_config (none): the version is not known here.
    [[nodiscard]] virtual Result<void> restore_piece(Bytes piece, PiecePlace place,
                                                     std::uint32_t version, Stage& stage) = 0;
    /// Equal for equal states. Requires: immediate.
    [[nodiscard]] virtual std::uint64_t hash() const = 0;
};

}  // namespace understudy::immortal
