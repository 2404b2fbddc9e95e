#include "replicated/group/durable_writes.h"

#include <algorithm>
#include <utility>

namespace understudy::replicated {

void DurableWrites::written(journal::LogPosition position, std::uint64_t number, Index last) {
    written_.push_back({.position = position, .number = number, .last = last});
}

void DurableWrites::cut(Index last) {
    for (Written& each : written_) each.last = std::min(each.last, last);
    last_ = std::min(last_, last);
}

void DurableWrites::when_durable(journal::LogPosition position, Task task) {
    waiting_.push_back({.position = position, .task = std::move(task)});
}

std::uint64_t DurableWrites::durable(journal::LogPosition position) {
    std::uint64_t number = 0;
    while (!written_.empty() && written_.front().position <= position) {
        number = written_.front().number;
        last_ = std::max(last_, written_.front().last);
        written_.pop_front();
    }
    return number;
}

std::optional<DurableWrites::Task> DurableWrites::next_task(journal::LogPosition position) {
    if (waiting_.empty() || waiting_.front().position > position) return std::nullopt;
    Task task = std::move(waiting_.front().task);
    waiting_.pop_front();
    return task;
}

}  // namespace understudy::replicated
