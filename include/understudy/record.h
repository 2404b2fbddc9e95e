#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "understudy/types.h"
#include "understudy/value.h"

namespace understudy {

/// Named maps of fields inside a record; one level, no deeper.
using Submaps = std::map<std::string, Fields, std::less<>>;

/// All that a record holds at one moment. A sub-map exists while it holds a field: an empty sub-map
/// and no sub-map are the same.
///
/// Thread: any, as a std::map.
struct US_API RecordImage {
    Fields fields;
    Submaps submaps;

    /// The field, or null if there is none.
    [[nodiscard]] const Value* find(std::string_view name) const;
    [[nodiscard]] const Value* find(std::string_view submap, std::string_view name) const;
    /// The sub-map, or null if there is none.
    [[nodiscard]] const Fields* submap(std::string_view name) const;

    /// The field if it has exactly this type. Views live until the image changes.
    [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
    [[nodiscard]] std::optional<double> real(std::string_view name) const;
    [[nodiscard]] std::optional<Bytes> bytes(std::string_view name) const;

    /// The field, or `otherwise` if it is absent or has another type.
    [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise) const;
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
    [[nodiscard]] double real(std::string_view name, double otherwise) const;

    [[nodiscard]] bool empty() const { return fields.empty() && submaps.empty(); }
    void clear();

    friend bool operator==(const RecordImage&, const RecordImage&) = default;
};

/// What changed in one map of a record.
struct Change {
    Fields puts;         ///< New values of fields that were added or changed.
    Fields overwritten;  ///< Their old values, for those that existed before.
    Fields removed;      ///< The last values of fields that were removed.

    [[nodiscard]] bool empty() const { return puts.empty() && removed.empty(); }
    friend bool operator==(const Change&, const Change&) = default;
};

/// One atomic change of a record: everything between two calls of publish().
///
/// After an image (the first answer to a subscription, and after each failover) `puts` holds every
/// field, also those that kept their value, and `removed` holds the fields that the image no longer
/// has.
struct RecordChange {
    Change fields;
    std::map<std::string, Change, std::less<>> submaps;  ///< Only those that changed.
    bool is_image = false;
    Epoch epoch = {};            ///< Of the active member that published it.
    std::uint64_t sequence = 0;  ///< Counts the changes of this record in this epoch.

    [[nodiscard]] bool empty() const { return fields.empty() && submaps.empty(); }
    friend bool operator==(const RecordChange&, const RecordChange&) = default;
};

}  // namespace understudy
