#include "bench/harness/samples.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace understudy::bench {

namespace {

struct FileHead {
    std::uint64_t count;
    std::uint64_t stride;
    std::int64_t max;
    std::uint64_t kept;
};

constexpr double bars = 12;
constexpr std::size_t bars_max = 16;

/// The next of 1, 2, 5, 10, 20, … that is not lower; at least 100 ns.
[[nodiscard]] double step_for(double width) {
    for (double decade = 100;; decade *= 10) {
        for (const double step : {1, 2, 5}) {
            if (step * decade >= width) return step * decade;
        }
    }
}

}  // namespace

void Samples::add(Duration time) {
    max_ = std::max(max_, time);
    if (count_++ % stride_ != 0) return;
    if (kept_.size() == kept_max) {
        // Whether sorted or not, each sample still stands for the same number of others.
        for (std::size_t i = 0; i < kept_.size() / 2; ++i) kept_[i] = kept_[2 * i];
        kept_.resize(kept_.size() / 2);
        stride_ *= 2;
    }
    kept_.push_back(time.count());
    sorted_ = false;
}

void Samples::add(const Samples& others) {
    const std::uint64_t together = count_ + others.count_;
    for (const std::int64_t time : others.kept_) add(Duration(time));
    count_ = together;
    max_ = std::max(max_, others.max_);
}

Duration Samples::at(double fraction) const {
    if (kept_.empty()) return {};
    if (!sorted_) std::sort(kept_.begin(), kept_.end());
    sorted_ = true;
    const double rank = std::ceil(fraction * static_cast<double>(kept_.size()));
    const auto place = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
    return Duration(kept_[std::min(place, kept_.size() - 1)]);
}

std::vector<Samples::Bucket> Samples::histogram() const {
    std::vector<Bucket> buckets;
    if (kept_.empty()) return buckets;
    // Most samples decide, so that one outlier does not compress the rest into one bar.
    const double most = static_cast<double>(at(0.95).count());
    const double width = step_for((most - static_cast<double>(at(0).count())) / bars);
    auto up_to = static_cast<std::int64_t>(static_cast<double>(at(0).count()) / width) *
                 static_cast<std::int64_t>(width);
    for (std::size_t counted = 0; counted < kept_.size();) {
        // Far outliers are in one last bar.
        up_to = buckets.size() < bars_max ? up_to + static_cast<std::int64_t>(width) : kept_.back();
        const auto end = std::upper_bound(kept_.begin(), kept_.end(), up_to);
        const auto below = static_cast<std::size_t>(end - kept_.begin());
        buckets.push_back({Duration(up_to), (below - counted) * stride_});
        counted = below;
    }
    return buckets;
}

Result<void> Samples::write(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    const FileHead head{count_, stride_, max_.count(), kept_.size()};
    file.write(reinterpret_cast<const char*>(&head), sizeof head);
    file.write(reinterpret_cast<const char*>(kept_.data()),
               static_cast<std::streamsize>(kept_.size() * sizeof kept_[0]));
    file.flush();
    if (!file) return Error{.code = Errc::failed, .detail = "cannot write " + path};
    return {};
}

Result<Samples> Samples::read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    FileHead head{};
    Samples samples;
    if (file.read(reinterpret_cast<char*>(&head), sizeof head) && head.kept <= kept_max) {
        samples.kept_.resize(head.kept);
        file.read(reinterpret_cast<char*>(samples.kept_.data()),
                  static_cast<std::streamsize>(head.kept * sizeof samples.kept_[0]));
    }
    if (!file || head.kept > kept_max) {
        return Error{.code = Errc::failed, .detail = "no samples in " + path};
    }
    samples.count_ = head.count;
    samples.stride_ = head.stride;
    samples.max_ = Duration(head.max);
    samples.sorted_ = false;
    return samples;
}

}  // namespace understudy::bench
