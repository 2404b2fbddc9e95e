#pragma once

#include <memory>

#include "immortal/input.h"
#include "understudy/state_machine.h"

namespace understudy::immortal {

/// What an application tells its machine. Thread: loop only.
class Stage {
public:
    virtual ~Stage() = default;

    /// In the order in which it was made; of inputs in their order.
    virtual void output(const Output& output) = 0;
    /// All inputs up to this one have been carried out, and all their outputs told.
    /// Only for applications that are not immediate.
    virtual void performed(Position upto) = 0;
    /// The image that was asked for: the state after `at`, of which performed() has been told and
    /// nothing that comes later. Not for immediate applications.
    virtual void imaged(Position at, std::shared_ptr<const Buffer> image) = 0;
    /// The application cannot go on; this copy is no use any more. Comes once, also within a call.
    virtual void broken(const Error& error) = 0;
};

/// The user's code: linked in, or a process beside this one.
///
/// Deterministic: the same inputs give the same outputs in the same order, at every copy and in
/// every replay. Thread: loop only.
class Application {
public:
    virtual ~Application() = default;

    /// Carries out an input within perform(). Otherwise inputs are queued, in their order.
    [[nodiscard]] virtual bool immediate() const = 0;
    /// Of the code that acts now; 0 before the first input or state.
    [[nodiscard]] virtual std::uint32_t version() const = 0;
    /// The version a service starts with.
    [[nodiscard]] virtual std::uint32_t version_newest() const = 0;

    /// May code of that version act from now on? A version that is refused here would end every
    /// copy once it is in the journal. Errors: bad_config (none).
    [[nodiscard]] virtual Result<void> check_upgrade(std::uint32_t version) const = 0;

    virtual void perform(const Input& input, Stage& stage) = 0;
    /// Of inputs that are queued.
    [[nodiscard]] virtual std::size_t lag_bytes() const { return 0; }

    /// The state as it is now. Requires: immediate; one at a time.
    [[nodiscard]] virtual std::unique_ptr<Snapshot> begin_image() = 0;
    /// Asks for Stage::imaged() of the state after all inputs so far. Requires: not immediate.
    virtual void want_image() = 0;
    /// Replaces the state by that of an image of code of that version. Errors: corrupt,
    /// bad_config: the version is not known here (none).
    [[nodiscard]] virtual Result<void> restore_piece(Bytes piece, PiecePlace place,
                                                     std::uint32_t version, Stage& stage) = 0;
    /// Equal for equal states. Requires: immediate.
    [[nodiscard]] virtual std::uint64_t hash() const = 0;
};

}  // namespace understudy::immortal
