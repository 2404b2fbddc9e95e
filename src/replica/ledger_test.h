#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/types.h"

namespace understudy::replica {

/// What a client knows, whatever happens to the processes.
class Ledger {
public:
    void offer(const std::string& command) { offered_.push_back(command); }
    void settle(const std::string& command, const Result<Index>& outcome) {
        const auto found = std::find(offered_.begin(), offered_.end(), command);
        ASSERT_NE(found, offered_.end()) << "told twice";
        if (!outcome && outcome.error().effect == Effect::unknown) return;
        if (outcome) {
            ASSERT_EQ(found, offered_.begin()) << "acknowledged out of order";
            sure_.push_back(command);
        }
        offered_.erase(found);
    }

    /// Checks the state after a restart, which is `commands`: all commands that are certain, then
    /// perhaps some of those that were offered.
    void check(const std::vector<std::string>& commands) const {
        ASSERT_GE(commands.size(), sure_.size()) << "acknowledged commands are lost";
        const auto end = commands.begin() + static_cast<std::ptrdiff_t>(sure_.size());
        ASSERT_TRUE(std::equal(sure_.begin(), sure_.end(), commands.begin(), end));
        auto rest = end;
        for (const std::string& command : offered_) {
            if (rest != commands.end() && *rest == command) ++rest;
        }
        ASSERT_EQ(rest, commands.end()) << "a command nobody offered, or a refused one, or twice";
    }
    /// A replica serves with this state, so from now on it is certain.
    void agree(const std::vector<std::string>& commands) {
        sure_ = commands;
        offered_.clear();
    }
    [[nodiscard]] const std::vector<std::string>& sure() const { return sure_; }

    std::uint64_t next = 0;  ///< Number of the next command.
    Epoch epoch;             ///< The highest epoch that ever served.

private:
    std::vector<std::string> sure_;
    std::vector<std::string> offered_;  // Their outcome is open or unknown.
};

}  // namespace understudy::replica
