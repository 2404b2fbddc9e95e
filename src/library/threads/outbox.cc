#include "library/threads/outbox.h"

#include <cstring>
#include <utility>

namespace understudy::library {

namespace {

constexpr std::size_t outbox_kept_bytes_max = 1 * MiB;  // The memory of longer buffers is freed.

}  // namespace

Result<void> Outbox::add(Kind kind, std::uint64_t record, Bytes bytes,
                         const std::weak_ptr<void>& owner) {
    const std::size_t size = sizeof(Head) + bytes.size();
    {
        std::unique_lock lock(mutex_);
        if (closed_ || !make_room(lock, size)) {
            return Error{.code = Errc::closed, .detail = "the service is closed"};
        }
        const Head head{static_cast<std::uint32_t>(bytes.size()), kind, record};
        const auto* raw = reinterpret_cast<const std::byte*>(&head);
        waiting_.insert(waiting_.end(), raw, raw + sizeof head);
        waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
        unsent_bytes_ += size;
        if (std::exchange(posted_, true)) return {};
    }
    loop_.post([this, owner] { turn(owner); });
    return {};
}

// A single change that is longer than the bound has room when there is no other one.
bool Outbox::make_room(std::unique_lock<std::mutex>& lock, std::size_t size) {
    while (unsent_bytes_ > 0 && unsent_bytes_ + size > Service::unsent_max_bytes && !closed_) {
        if (loop_.on_loop()) {
            lock.unlock();
            drain();
            lock.lock();
            if (taking_) return true;  // The sink has called us: it cannot be called again.
            continue;
        }
        ++publishers_waiting_;
        room_.wait(lock);
        --publishers_waiting_;
    }
    return !closed_;
}

void Outbox::turn(const std::weak_ptr<void>& owner) {
    const auto held = owner.lock();
    if (held == nullptr) return;
    if (take_slice(slice_max_bytes)) loop_.post([this, owner] { turn(owner); });
}

void Outbox::drain() {
    if (taking_) return;
    while (take_slice(static_cast<std::size_t>(-1))) {
    }
}

// Returns whether there is more. If not, the next add() posts a task.
bool Outbox::take_slice(std::size_t size_max) {
    taking_ = true;
    if (taken_at_ == taken_.size()) {
        taken_.clear();
        taken_at_ = 0;
        if (taken_.capacity() > outbox_kept_bytes_max) Buffer().swap(taken_);
        const std::lock_guard lock(mutex_);
        taken_.swap(waiting_);
    }
    const std::size_t begin = taken_at_;
    while (taken_at_ < taken_.size() && taken_at_ - begin < size_max) {
        Head head;
        std::memcpy(&head, taken_.data() + taken_at_, sizeof head);
        const Bytes bytes = Bytes(taken_).subspan(taken_at_ + sizeof head, head.size);
        taken_at_ += sizeof head + head.size;
        sink_(head.kind, head.record, bytes);
    }
    taking_ = false;

    const std::lock_guard lock(mutex_);
    unsent_bytes_ -= taken_at_ - begin;
    if (publishers_waiting_ > 0) room_.notify_all();
    posted_ = unsent_bytes_ > 0;
    return posted_;
}

void Outbox::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
}

}  // namespace understudy::library
