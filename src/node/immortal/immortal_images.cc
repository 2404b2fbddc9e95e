#include "node/immortal/immortal_images.h"

#include <utility>

namespace understudy::node {

using replica::CheckpointDuty;

ImmortalImages::ImmortalImages(Runtime& runtime, immortal::Machine& machine,
                               replica::Replica& replica, std::uint64_t every_bytes,
                               CheckpointDuty duty)
    : runtime_(runtime),
      machine_(machine),
      replica_(replica),
      every_bytes_(every_bytes),
      duty_(duty) {}

ImmortalImages::~ImmortalImages() { life_.end(); }

bool ImmortalImages::due() const {
    if (every_bytes_ == 0 || duty_ == CheckpointDuty::others) return false;
    // The active copy takes one only if it seems that no standby can.
    const bool last = duty_ == CheckpointDuty::standbys && replica_.active();
    return bytes_ >= (last ? 2 * every_bytes_ : every_bytes_);
}

void ImmortalImages::applied(std::uint64_t bytes) {
    bytes_ += bytes;
    if (stage_ == Stage::idle && !retry_ && due()) begin();
}

void ImmortalImages::set_duty(CheckpointDuty duty) { duty_ = duty; }

void ImmortalImages::take(Taken taken) {
    waiting_.push_back(std::move(taken));
    if (stage_ == Stage::idle) begin();
}

/// Not within a command, because the image is of the state between two commands.
void ImmortalImages::begin() {
    stage_ = Stage::wanted;
    runtime_.post([this, here = life_.watch()] {
        if (here.ended() || stage_ != Stage::wanted) return;
        served_ = std::exchange(waiting_, {});
        covered_bytes_ = bytes_;
        machine_.want_image();
    });
}

void ImmortalImages::image_ready() {
    if (stage_ != Stage::wanted) return;
    stage_ = Stage::writing;
    replica_.checkpoint_now([this, here = life_.watch()](const Result<Index>& result) {
        if (!here.ended()) ended(result);
    });
}

void ImmortalImages::ended(const Result<Index>& result) {
    stage_ = Stage::idle;
    machine_.drop_image();
    if (result) {
        bytes_ -= covered_bytes_;
    } else {
        retry_ = runtime_.at(runtime_.now() + retry_interval, [this] {
            const auto timer = std::move(retry_);
            applied(0);
        });
    }
    const Lifetime::Watch here = life_.watch();
    for (const Taken& taken : std::exchange(served_, {})) {
        if (taken) taken(result);
        if (here.ended()) return;
    }
    if (stage_ == Stage::idle && (!waiting_.empty() || (!retry_ && due()))) begin();
}

void ImmortalImages::restored() {
    bytes_ = 0;
    // The replica abandons the checkpoint that it writes, and reports it.
    if (stage_ != Stage::wanted) return;
    stage_ = Stage::idle;
    runtime_.post([this, here = life_.watch()] {
        if (here.ended()) return;
        for (Taken& taken : std::exchange(served_, {})) waiting_.push_back(std::move(taken));
        if (stage_ == Stage::idle && !waiting_.empty()) begin();
    });
}

}  // namespace understudy::node
