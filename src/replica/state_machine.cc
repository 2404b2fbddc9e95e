#include "replica/state_machine.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"

namespace understudy {

namespace {

// A copy of the state, given out from start to end.
class CopiedSnapshot final : public Snapshot {
public:
    explicit CopiedSnapshot(Buffer state) : state_(std::move(state)) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        const Bytes rest = Bytes(state_).subspan(at_);
        const Bytes piece = rest.first(std::min(rest.size(), bytes_about));
        out.insert(out.end(), piece.begin(), piece.end());
        at_ += piece.size();
        return at_ < state_.size();
    }

private:
    const Buffer state_;
    std::size_t at_ = 0;
};

}  // namespace

StateMachine::~StateMachine() = default;

std::unique_ptr<Snapshot> SmallStateMachine::begin_snapshot() {
    Buffer state;
    snapshot(state);
    return std::make_unique<CopiedSnapshot>(std::move(state));
}

Result<void> SmallStateMachine::restore_piece(Bytes piece, PiecePlace place) {
    if (place.first) pieces_.clear();
    if (place.first && place.last) return restore(piece);
    pieces_.insert(pieces_.end(), piece.begin(), piece.end());
    if (!place.last) return {};
    const Buffer whole = std::exchange(pieces_, {});
    return restore(whole);
}

std::uint64_t SmallStateMachine::hash() const {
    Buffer state;
    snapshot(state);
    return hash64(state);
}

}  // namespace understudy
