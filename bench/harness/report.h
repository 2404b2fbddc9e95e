#pragma once

#include <concepts>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bench/harness/samples.h"
#include "understudy/types.h"

namespace understudy::bench {

/// The target of a row. Percentiles and `most` are upper bounds, per_second is a lower bound.
struct Target {
    std::optional<Duration> p50 = {};
    std::optional<Duration> p99 = {};
    std::optional<Duration> max = {};
    std::optional<double> per_second = {};
    std::optional<double> most = {};  ///< Of Row::amount.
};

/// Another system that did the same in the same run. Above 1: ours is that many times better.
struct Beside {
    std::string name;
    double ratio;
};

/// One value of a configuration: a number or a text.
struct Setting {
    template <std::integral Number>
    Setting(Number number) : value(static_cast<std::int64_t>(number)) {}
    Setting(double number) : value(number) {}
    Setting(std::string text) : value(std::move(text)) {}

    std::variant<std::int64_t, double, std::string> value;
};

/// One line of the table and one line of JSON.
struct Row {
    std::string what;  ///< "first answer"
    Samples latency = {};
    std::optional<double> per_second = {};
    std::optional<double> amount = {};  ///< Another quantity, in `unit`.
    std::string unit = {};
    Target target = {};
    std::vector<Beside> beside = {};
    std::uint64_t checksum = 0;
    std::vector<std::pair<std::string, Setting>> configuration = {};
    bool show_histogram = false;
};

/// Facts about the whole run; the first line of JSON.
struct RunFacts {
    std::string commit;
    std::string size;
    std::string directory;
    std::string results;  ///< A file for the lines of JSON too; empty: none.
};

/// Prints each row as a line of JSON as soon as it is complete, and a table for people at the end.
class Report {
public:
    explicit Report(const RunFacts& facts);

    void begin(std::string_view benchmark) { benchmark_ = benchmark; }
    void add(Row row);
    /// Prints why something was not measured.
    void skip(std::string_view what, std::string_view why);
    /// Prints why it could not be measured, or that the system did not work.
    void fail(std::string_view why);
    void print_table() const;

    /// The worst ratio of the row to its target: 1 and above means met. Nothing without a target.
    [[nodiscard]] static std::optional<double> of_target(const Row& row);

private:
    struct Line {
        std::string benchmark;
        Row row;
        std::string instead = {};  ///< In place of figures.
    };

    void print(const std::string& json);

    static constexpr double quiet_load_max = 1;

    std::ofstream results_;
    double load_before_ = 0;
    std::string benchmark_;
    std::vector<Line> lines_;
};

/// "13.2 us", "4.81 ms"
[[nodiscard]] std::string time_text(Duration time);
/// "22.6 k", "1.50 M"
[[nodiscard]] std::string rate_text(double per_second);

}  // namespace understudy::bench
