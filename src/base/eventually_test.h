#pragma once

#include <chrono>
#include <thread>

namespace understudy {

/// How long a test waits for what will happen unless it is broken. Longer than any machine needs,
/// be it slow, busy with other things, or running sanitizers.
inline constexpr std::chrono::seconds patience{60};

/// Asks `question` until its answer is true, or time is up, and returns the last answer: a bool, an
/// optional, a pointer. It asks once per try: what was true for a moment counts.
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
