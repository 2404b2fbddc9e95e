#include "bench/fanout/subscriber.h"

#include "bench/fanout/message.h"
#include "bench/harness/clock.h"

namespace understudy::bench {

void Subscriber::heard(std::string_view text) {
    if (!any_) {
        any_ = true;
        board_.add_ready();
    }
    const auto content = Message::read(text);
    if (!content || content->number == 0) return;
    const Phase phase = board_.phase();
    if (phase == Phase::in_turn ||
        (phase == Phase::saturated && content->number % sampled_every == 0)) {
        const auto sent = static_cast<std::int64_t>(content->sent_ns);
        samples_[static_cast<std::size_t>(phase)].add(now() - TimePoint(Duration(sent)));
    }
    if (received_ != 0 && content->number != received_ + 1)
        slot_.lost += content->number - received_ - 1;
    received_ = content->number;
    checksum_ = checksum_ * 31 + content->number;
    slot_.checksum.store(checksum_, std::memory_order_relaxed);
    slot_.received.store(received_, std::memory_order_release);
    if (phase == Phase::in_turn) board_.came();
}

}  // namespace understudy::bench
