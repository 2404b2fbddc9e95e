#include "journal/shared/shared_names.h"

#include <algorithm>

#include "journal/format/checkpoint.h"
#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

constexpr std::string_view claim_suffix = ".claim";
constexpr std::string_view spare_suffix = ".spare";
constexpr std::size_t epoch_digits = 16;

struct SegmentName {
    Epoch epoch;
    std::uint64_t generation = 0;
};

std::optional<SegmentName> parse_shared_segment_name(std::string_view name) {
    if (name.size() <= epoch_digits) return std::nullopt;
    const auto epoch = parse_hex16(name.substr(0, epoch_digits + 1), "-");
    const auto generation = parse_hex16(name.substr(epoch_digits + 1), segment_suffix);
    if (!epoch || !generation || *epoch == 0) return std::nullopt;
    if (segment_count(*generation) == 0) return std::nullopt;
    return SegmentName{.epoch = {*epoch}, .generation = *generation};
}

}  // namespace

std::string shared_segment_name(Epoch epoch, std::uint64_t generation) {
    return hex16(epoch.value) + "-" + hex16(generation) + std::string(segment_suffix);
}

std::string claim_name(Epoch epoch) { return hex16(epoch.value) + std::string(claim_suffix); }

std::string spare_name(std::uint64_t owner) { return hex16(owner) + std::string(spare_suffix); }

SharedNames SharedNames::of(const std::vector<std::string>& names) {
    SharedNames found;
    for (const std::string& name : names) {
        if (const auto segment = parse_shared_segment_name(name)) {
            found.segments[segment->epoch].push_back(segment->generation);
        } else if (const auto epoch = parse_hex16(name, claim_suffix)) {
            if (*epoch != 0) found.claims.push_back({*epoch});
        } else if (const auto at = parse_checkpoint_name(name)) {
            found.checkpoints.insert(found.checkpoints.begin(), *at);
        } else if (parse_hex16(name, spare_suffix)) {
            found.spares.push_back(name);
        } else if (name.ends_with(temporary_suffix)) {
            found.temporaries.push_back(name);
        }
    }
    return found;
}

Epoch SharedNames::head() const { return segments.empty() ? Epoch{} : segments.rbegin()->first; }

Epoch SharedNames::highest() const {
    return std::max(head(), claims.empty() ? Epoch{} : claims.back());
}

}  // namespace understudy::journal
