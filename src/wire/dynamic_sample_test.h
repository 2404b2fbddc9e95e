#pragma once

#include <string>

#include "base/random.h"
#include "wire/dynamic.h"

namespace understudy::wire {

/// A random tree, for tests.
[[nodiscard]] inline Dynamic sample(Random& random, std::size_t depth = 0) {
    const auto number = [&random] { return random.next() >> random.below(64); };
    const auto text = [&random] {
        static constexpr const char* letters[] = {"a", "\"", "\\",   "é", "€",
                                                  "😀", "\n", "\x01", "/"};
        std::string made;
        for (std::uint64_t i = random.below(12); i > 0; --i) made += letters[random.below(9)];
        return made;
    };
    switch (random.below(depth < 4 ? 9 : 7)) {
        case 0: return {};
        case 1: return random.chance(1, 2);
        case 2: return number();
        case 3: return -static_cast<std::int64_t>(number() >> 1) - 1;
        case 4: return static_cast<double>(number()) / static_cast<double>(1 + number());
        case 5: return text();
        case 6: {
            Buffer bytes(random.below(10));
            for (std::byte& each : bytes) each = static_cast<std::byte>(random.next());
            return bytes;
        }
        case 7: {
            Dynamic::Array array;
            for (std::uint64_t i = random.below(6); i > 0; --i) {
                array.push_back(sample(random, depth + 1));
            }
            return array;
        }
        default: {
            Dynamic::Map map;
            for (std::uint64_t i = random.below(6); i > 0; --i) {
                map[text()] = sample(random, depth + 1);
            }
            return map;
        }
    }
}

}  // namespace understudy::wire
