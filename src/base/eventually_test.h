#pragma once

#include <chrono>
#include <thread>

namespace understudy {

/// How long a test waits for something that must happen. It is longer than any machine needs, also
/// a slow or busy one, or one that runs sanitizers.
inline constexpr std::chrono::seconds patience{60};

/// Calls `question` until its answer is true or the time is up, and returns the last answer: a
/// bool, an optional or a pointer. It calls once per try, so an answer that is true only for a
/// moment counts.
template <class Question>
[[nodiscard]] auto eventually(Question question,
                              std::chrono::steady_clock::duration limit = patience) {
    constexpr std::chrono::milliseconds pause{2};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const bool last = std::chrono::steady_clock::now() >= deadline;
        auto answer = question();
        if (answer || last) return answer;
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace understudy
