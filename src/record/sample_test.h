#pragma once

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "understudy/record.h"

namespace understudy::record {

// Random records, and a simple second version of the codec, for tests.

[[nodiscard]] inline Value sample_value(Random& random) {
    switch (random.below(4)) {
        case 0: return std::string(random.below(20), static_cast<char>('a' + random.below(3)));
        case 1: return static_cast<std::int64_t>(random.below(3));
        case 2: return static_cast<double>(random.below(3)) / 2;
        default: return Blob(random.below(5), static_cast<std::byte>(random.below(2)));
    }
}

[[nodiscard]] inline std::string sample_name(Random& random, char first) {
    return std::string(1, first) + std::to_string(random.below(12));
}

[[nodiscard]] inline RecordImage sample_image(Random& random, std::uint64_t fields) {
    RecordImage image;
    for (std::uint64_t i = 0; i < fields; ++i) {
        image.fields[sample_name(random, 'f')] = sample_value(random);
        image.submaps[sample_name(random, 'm')][sample_name(random, 'f')] = sample_value(random);
    }
    return image;
}

/// The image after a few random puts and removes.
[[nodiscard]] inline RecordImage changed(RecordImage image, Random& random) {
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
        const std::string field = sample_name(random, 'f');
        const std::string submap = sample_name(random, 'm');
        switch (random.below(6)) {
            case 0:
            case 1: image.fields[field] = sample_value(random); break;
            case 2: image.fields.erase(field); break;
            case 3: image.submaps[submap][field] = sample_value(random); break;
            case 4: image.submaps.erase(submap); break;
            default:
                if (const auto found = image.submaps.find(submap); found != image.submaps.end()) {
                    found->second.erase(field);
                    if (found->second.empty()) image.submaps.erase(found);
                }
        }
    }
    return image;
}

[[nodiscard]] inline Change change_between(const Fields& before, const Fields& after) {
    Change change;
    for (const auto& [name, value] : after) {
        const auto was = before.find(name);
        if (was != before.end() && was->second == value) continue;
        change.puts[name] = value;
        if (was != before.end()) change.overwritten[name] = was->second;
    }
    for (const auto& [name, value] : before) {
        if (!after.contains(name)) change.removed[name] = value;
    }
    return change;
}

[[nodiscard]] inline RecordChange change_between(const RecordImage& before,
                                                 const RecordImage& after) {
    RecordChange change;
    change.fields = change_between(before.fields, after.fields);
    Submaps names = before.submaps;
    names.insert(after.submaps.begin(), after.submaps.end());
    for (const auto& [name, fields] : names) {
        const Fields none;
        const Fields* was = before.submap(name);
        const Fields* is = after.submap(name);
        Change submap = change_between(was ? *was : none, is ? *is : none);
        if (!submap.empty()) change.submaps[name] = std::move(submap);
    }
    return change;
}

inline void expect_leads(Fields before, const Change& change, const Fields& after) {
    for (const auto& [name, value] : change.overwritten) {
        EXPECT_TRUE(before.contains(name) && before[name] == value) << name;
        EXPECT_TRUE(change.puts.contains(name)) << name;
    }
    for (const auto& [name, value] : change.removed) {
        EXPECT_TRUE(before.contains(name) && before[name] == value) << name;
        EXPECT_FALSE(change.puts.contains(name)) << name;
        before.erase(name);
    }
    for (const auto& [name, value] : change.puts) {
        EXPECT_EQ(before.contains(name), change.overwritten.contains(name)) << name;
        before[name] = value;
    }
    EXPECT_EQ(before, after);
}

/// Checks that the change leads from one image to the other.
inline void expect_leads(const RecordImage& before, const RecordChange& change,
                         const RecordImage& after) {
    expect_leads(before.fields, change.fields, after.fields);
    Submaps names = before.submaps;
    names.insert(after.submaps.begin(), after.submaps.end());
    for (const auto& [name, fields] : names) {
        const Fields none;
        const Fields* was = before.submap(name);
        const Fields* is = after.submap(name);
        const auto found = change.submaps.find(name);
        expect_leads(was ? *was : none, found == change.submaps.end() ? Change() : found->second,
                     is ? *is : none);
    }
}

}  // namespace understudy::record
