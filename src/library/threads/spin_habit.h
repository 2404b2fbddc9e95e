#pragma once

#include <algorithm>

namespace understudy::library {

/// Learns whether it pays to look out for the next thing before going to sleep.
///
/// After a time in vain the next chances are left out, more each time; one that paid takes half of
/// that back. So a stream costs no wake-ups, and what comes now and then, or on a machine that is
/// busy with other things, costs next to no processor time.
/// Thread: the owner's.
class SpinHabit {
public:
    static constexpr int left_out_max = 255;

    /// Asked once before each sleep; if the answer is yes, say how it went.
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
