#pragma once

#include <algorithm>

namespace understudy::library {

/// Learns whether it is worth it to spin for the next event before the thread sleeps.
///
/// After each failure more of the next occasions are skipped. A success halves that number. So a
/// stream of events costs no wake-ups, and rare events, or a busy machine, cost hardly any
/// processor time. Thread: the owner's.
class SpinHabit {
public:
    static constexpr int left_out_max = 255;

    /// Called once before each sleep. If it returns true, ended() tells the result of the spinning.
    [[nodiscard]] bool wants() {
        if (left_ == 0) return true;
        --left_;
        return false;
    }
    void paid() { left_out_ /= 2; }
    void in_vain() {
        left_out_ = std::min(2 * left_out_ + 1, left_out_max);
        left_ = left_out_;
    }
    void ended(bool well) { well ? paid() : in_vain(); }

private:
    int left_ = 0;
    int left_out_ = 0;
};

}  // namespace understudy::library
