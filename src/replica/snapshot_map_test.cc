#include "understudy/snapshot_map.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy {
namespace {

using Map = SnapshotMap<int, std::string>;
using Truth = std::map<int, std::string>;

// Compares with a plain map. Sometimes a snapshot is open and is read in small pieces: it shows the
// map as it was when it was opened, in order.
TEST(SnapshotMap, ASnapshotIsTheMapAsItWasWhateverHappensMeanwhile) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        Map map;
        Truth truth;
        std::optional<Map::Frozen> frozen;
        Truth then;
        Truth shown;
        for (int step = 0; step < 400; ++step) {
            const int key = static_cast<int>(random.below(20));
            const std::string value = std::to_string(step);
            switch (random.below(9)) {
                case 0:
                case 1:
                case 2:
                    map.put(key, value);
                    truth[key] = value;
                    break;
                case 3:
                    EXPECT_EQ(map.erase(key), truth.erase(key) > 0);
                    break;
                case 4:
                    EXPECT_EQ(map.update(key, [&](std::string& old) { old += value; }),
                              truth.contains(key));
                    if (truth.contains(key)) truth[key] += value;
                    break;
                case 5:
                    if (random.chance(1, 20)) {
                        map.clear();
                        truth.clear();
                    }
                    break;
                case 6:
                    if (!frozen) {
                        frozen.emplace(map);
                        then = truth;
                        shown.clear();
                    }
                    break;
                default:
                    if (!frozen) break;
                    const bool more = frozen->next([&](int at, const std::string& old) {
                        ASSERT_TRUE(shown.empty() || shown.rbegin()->first < at) << "seed " << seed;
                        shown.emplace(at, old);
                    });
                    if (!more) {
                        ASSERT_EQ(shown, then) << "seed " << seed << ", step " << step;
                        frozen.reset();
                    }
            }
            ASSERT_EQ(Truth(map.begin(), map.end()), truth) << "seed " << seed;
            ASSERT_TRUE(frozen || map.aside() == 0);
        }
    }
}

TEST(SnapshotMap, WhatIsNotTouchedIsNotSetAside) {
    Map map;
    for (int i = 0; i < 100; ++i) map.put(i, "x");
    Map::Frozen frozen(map);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(frozen.next([](int, const std::string&) {}));
    for (int i = 0; i < 50; ++i) map.put(i, "y");
    EXPECT_EQ(map.aside(), 0U) << "the snapshot has come by";
    map.put(60, "y");
    map.put(60, "z");
    EXPECT_EQ(map.aside(), 1U);
}

}  // namespace
}  // namespace understudy
