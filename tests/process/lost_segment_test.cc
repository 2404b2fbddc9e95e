// A file of a journal is lost between two processes: the second must not go on as if nothing had
// been acknowledged.

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/process/process.h"

namespace understudy::process {

namespace {

constexpr std::size_t long_value = 900'000;  // Four fill the first segment of a tenure.

std::string newest_segment(const std::string& directory) {
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const std::string name = entry.path().filename();
        if (name.ends_with(".seg")) newest = std::max(newest, name);
    }
    return newest;
}

/// True if the claim says that the second segment of its tenure has been begun.
bool claim_tells_of_the_second(const std::string& directory) {
    const std::string claim = contents(directory + "/0000000000000001.claim");
    constexpr std::size_t generation_at = 896;
    std::uint32_t count = 0;
    if (claim.size() < generation_at + sizeof count) return false;
    std::memcpy(&count, claim.data() + generation_at, sizeof count);
    return count == 2;
}

void put_eight_values(const std::string& directory, const std::string& errors) {
    Process holder("A", {.arguments = {KEY_VALUE_PROGRAM, "A", directory}}, errors);
    holder.expect("active,");
    const std::string value(long_value, 'x');
    for (int i = 1; i <= 8; ++i) {
        holder.say("put k" + std::to_string(i) + " " + value);
        holder.expect("ok");
    }
    const auto limit = Clock::now() + patience;
    while (!claim_tells_of_the_second(directory)) {
        if (Clock::now() > limit) throw Broken("the claim never tells");
        std::this_thread::sleep_for(1ms);
    }
    holder.kill();
    (void)holder.wait();
}

/// The answer of the next active member for a value that was acknowledged, or its errors if it
/// fails with corrupt. A member whose input ends closes, possibly before it has taken over; so it
/// is asked when it is active.
std::string asked_for_the_last(const std::string& directory) {
    const TemporaryDirectory place;
    Process next("B", {.arguments = {KEY_VALUE_PROGRAM, "B", directory}}, place / "errors");
    const auto limit = Clock::now() + patience;
    while (!next.await("active,", 20ms)) {
        const std::string errors = next.errors();
        if (errors.find("corrupt") != std::string::npos) return errors;
        if (Clock::now() > limit) throw Broken("neither active nor corrupt: " + errors);
        std::this_thread::sleep_for(5ms);  // It may have ended without a line.
    }
    next.say("get k8");
    return next
        .expect(
            "what k8 is",
            [](const Line& line) { return line.text == "(none)" || line.text.starts_with("x"); })
        .text;
}

}  // namespace

TEST(LostSegment, TheNewestOneIsMissedWhateverBecameOfIt) {
    const TemporaryDirectory place;
    const std::string directory = place / "d";
    put_eight_values(directory, place / "errors");
    const std::string name = newest_segment(directory);
    const std::string file = directory + "/" + name;
    const std::string kept = place / "kept";
    std::filesystem::rename(file, kept);
    const auto size = std::filesystem::file_size(kept);

    const auto make = [&](std::uintmax_t bytes, bool zeros) {
        if (zeros) std::ofstream(file).close();
        if (!zeros) std::filesystem::copy_file(kept, file);
        std::filesystem::resize_file(file, bytes);
    };
    for (const std::string loss : {"emptied", "cut", "zeros", "removed"}) {
        SCOPED_TRACE(loss);
        if (loss == "emptied") make(0, true);
        if (loss == "cut") make(1'500'000, false);
        if (loss == "zeros") make(size, true);
        const Finished verified =
            run({.arguments = {UNDERSTUDY_PROGRAM, "journal", "verify", directory}});
        EXPECT_EQ(verified.ending.code, 1) << verified.output;
        EXPECT_NE(verified.output.find(name), std::string::npos) << verified.output;
        const std::string said = asked_for_the_last(directory);
        EXPECT_NE(said.find(name), std::string::npos) << said;
        std::filesystem::remove(file);
    }
    std::filesystem::rename(kept, file);
    EXPECT_NE(asked_for_the_last(directory).find("xxx"), std::string::npos) << "all is there again";
}

TEST(LostSegment, WhatWasNeverUsedIsRepairedAndNoEntryIsGivenUp) {
    const TemporaryDirectory place;
    const std::string directory = place / "d";
    put_eight_values(directory, place / "errors");
    const std::string file = directory + "/" + newest_segment(directory);
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
    EXPECT_NE(asked_for_the_last(directory).find("understudy journal repair"), std::string::npos);
    const Finished repaired =
        run({.arguments = {UNDERSTUDY_PROGRAM, "journal", "repair", directory}});
    EXPECT_EQ(repaired.ending.code, 0) << repaired.errors;
    EXPECT_NE(asked_for_the_last(directory).find("xxx"), std::string::npos);
}

}  // namespace understudy::process
