#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <string_view>

#include <unistd.h>

extern "C" void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

namespace understudy {

/// A line that is printed to stderr if the process dies while this object lives: by a failed
/// assertion, a signal, or a sanitizer's report. It is for the simulator and for tests that run
/// seeds.
///
/// A run that breaks a promise returns, and its caller prints how to repeat it. A run that crashes
/// does not return, so its line must be ready before it begins.
///
/// If several exist, the first one is printed, because it describes the whole run.
///
/// Thread: one. Bounds: longer lines are cut.
class RepeatLine {
public:
    explicit RepeatLine(std::string_view line) {
        if (depth++ > 0) return;
        static const bool listening = listen();
        static_cast<void>(listening);
        const std::size_t kept = std::min(line.size(), text.size() - 1);
        std::copy_n(line.begin(), kept, text.begin());
        text[kept] = '\n';
        size = kept + 1;
    }
    RepeatLine(const RepeatLine&) = delete;
    RepeatLine& operator=(const RepeatLine&) = delete;
    ~RepeatLine() {
        if (--depth == 0) size = 0;
    }

private:
    static constexpr std::array signals = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    static bool listen() {
        for (std::size_t i = 0; i < signals.size(); ++i) {
            struct sigaction action = {};
            action.sa_handler = &died;
            ::sigaction(signals[i], &action, &before[i]);
        }
        if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&print);
        return true;
    }
    static void print() {
        const std::size_t length = size.exchange(0);
        if (length > 0) static_cast<void>(!::write(STDERR_FILENO, text.data(), length));
    }
    /// Passes the signal on to the handler that was set before.
    static void died(int signal) {
        print();
        for (std::size_t i = 0; i < signals.size(); ++i) {
            if (signals[i] == signal) ::sigaction(signal, &before[i], nullptr);
        }
        static_cast<void>(::raise(signal));
    }

    static inline std::array<struct sigaction, signals.size()> before = {};
    static inline std::array<char, 512> text = {};
    static inline std::atomic<std::size_t> size{0};
    static inline int depth = 0;
};

}  // namespace understudy
