#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "understudy/types.h"

namespace understudy::wire {

/// The bytes of the block "```hex NAME" of a document in docs/formats, for tests: a format document
/// that is wrong fails the build. Comments run from ';' to the end of the line.
[[nodiscard]] inline Buffer worked_example(const std::string& document, const std::string& name) {
    std::ifstream file(UNDERSTUDY_SOURCE "/docs/formats/" + document);
    Buffer bytes;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("```", 0) == 0) {
            inside = line == "```hex " + name;
            continue;
        }
        if (!inside) continue;
        std::istringstream words(line.substr(0, line.find(';')));
        for (std::string word; words >> word;) {
            bytes.push_back(static_cast<std::byte>(std::stoul(word, nullptr, 16)));
        }
    }
    EXPECT_FALSE(bytes.empty()) << "no example '" << name << "' in " << document;
    return bytes;
}

}  // namespace understudy::wire
