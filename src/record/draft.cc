#include "record/draft.h"

#include <fmt/format.h>

#include "record/codec.h"
#include "understudy/limits.h"

namespace understudy::record {

Draft::Draft(RecordImage image)
    : image_(std::move(image)),
      size_bytes_(record::size_bytes(image_)),
      fields_(count_fields(image_)) {}

Result<void> Draft::put(std::string_view name, Value value) {
    return put_into(image_.fields, before_, name, std::move(value), 0);
}

Result<void> Draft::put(std::string_view submap, std::string_view name, Value value) {
    const auto found = image_.submaps.find(submap);
    if (found != image_.submaps.end()) {
        return put_into(found->second, before_of(submap), name, std::move(value), 0);
    }

    US_CHECK(check_name("sub-map", submap));
    Fields fields;
    auto result = put_into(fields, before_of(submap), name, std::move(value),
                           submap_size_bytes(submap));
    if (result) {
        image_.submaps.emplace(submap, std::move(fields));
        size_bytes_ += submap_size_bytes(submap);
    }
    forget_if_empty(submap);
    return result;
}

Result<void> Draft::put_into(Fields& fields, Before& before, std::string_view name, Value value,
                             std::size_t extra_bytes) {
    const auto at = fields.lower_bound(name);
    if (at != fields.end() && at->first == name) {
        if (at->second == value) return {};
        const std::size_t size_bytes = size_bytes_ - field_size_bytes(name, at->second) +
                                       field_size_bytes(name, value);
        US_CHECK(check_record_size(size_bytes));
        note(before, name, std::move(at->second));
        at->second = std::move(value);
        size_bytes_ = size_bytes;
        return {};
    }

    US_CHECK(check_field_name(name));
    const std::size_t size_bytes = size_bytes_ + field_size_bytes(name, value);
    US_CHECK(check_record_size(size_bytes + extra_bytes));
    if (fields_ >= fields_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("record of more than {} fields", fields_max)};
    }
    note(before, name, std::nullopt);
    fields.emplace_hint(at, name, std::move(value));
    size_bytes_ = size_bytes;
    ++fields_;
    return {};
}

// Only the first change since the commit is noted: later ones overwrite unpublished values.
void Draft::note(Before& before, std::string_view name, std::optional<Value> value) {
    const auto at = before.lower_bound(name);
    if (at != before.end() && at->first == name) return;
    before.emplace_hint(at, name, std::move(value));
}

Draft::Before& Draft::before_of(std::string_view submap) {
    const auto at = before_submaps_.lower_bound(submap);
    if (at != before_submaps_.end() && at->first == submap) return at->second;
    return before_submaps_.emplace_hint(at, submap, Before())->second;
}

bool Draft::remove(std::string_view name) { return remove_from(image_.fields, before_, name); }

bool Draft::remove(std::string_view submap, std::string_view name) {
    const auto found = image_.submaps.find(submap);
    if (found == image_.submaps.end()) return false;
    const bool removed = remove_from(found->second, before_of(submap), name);
    forget_if_empty(submap);
    if (found->second.empty()) {
        size_bytes_ -= submap_size_bytes(submap);
        image_.submaps.erase(found);
    }
    return removed;
}

bool Draft::remove_from(Fields& fields, Before& before, std::string_view name) {
    const auto found = fields.find(name);
    if (found == fields.end()) return false;
    US_ASSERT(fields_ > 0);
    size_bytes_ -= field_size_bytes(name, found->second);
    --fields_;
    // A field that did not exist at the last commit is as it was: no note is needed. So there are
    // no more notes than fields, those at the commit and those now.
    const auto noted = before.find(name);
    if (noted == before.end()) {
        before.emplace(found->first, std::move(found->second));
    } else if (!noted->second) {
        before.erase(noted);
    }
    fields.erase(found);
    return true;
}

void Draft::forget_if_empty(std::string_view submap) {
    const auto found = before_submaps_.find(submap);
    if (found != before_submaps_.end() && found->second.empty()) before_submaps_.erase(found);
}

bool Draft::remove_submap(std::string_view submap) {
    const auto found = image_.submaps.find(submap);
    if (found == image_.submaps.end()) return false;
    Before& before = before_of(submap);
    while (!found->second.empty()) {
        const std::string name = found->second.begin()->first;
        remove_from(found->second, before, name);
    }
    forget_if_empty(found->first);
    size_bytes_ -= submap_size_bytes(found->first);
    image_.submaps.erase(found);
    return true;
}

void Draft::clear() {
    while (!image_.fields.empty()) {
        const std::string name = image_.fields.begin()->first;
        remove(name);
    }
    while (!image_.submaps.empty()) {
        const std::string name = image_.submaps.begin()->first;
        remove_submap(name);
    }
}

std::optional<Buffer> Draft::commit() {
    DeltaSource& source = source_;
    source.sections.clear();
    source.puts.clear();
    source.removed.clear();
    gather({}, before_, &image_.fields);
    for (const auto& [name, before] : before_submaps_) {
        gather(name, before, image_.submap(name));
    }

    std::optional<Buffer> delta;
    if (!source.puts.empty() || !source.removed.empty()) encode_delta(source, delta.emplace());
    before_.clear();
    before_submaps_.clear();
    return delta;
}

// Adds the difference of one map since the commit. The section of the record's own fields is always
// there.
void Draft::gather(std::string_view submap, const Before& before, const Fields* fields) {
    DeltaView::Section section{.submap = submap,
                               .puts_begin = source_.puts.size(),
                               .removed_begin = source_.removed.size()};
    for (const auto& [name, was] : before) {
        const Value* is = nullptr;
        if (fields != nullptr) {
            if (const auto found = fields->find(name); found != fields->end()) is = &found->second;
        }
        if (is != nullptr) {
            if (!was || !(*was == *is)) source_.puts.push_back({name, is});
        } else if (was) {
            source_.removed.push_back(name);
        }
    }
    section.puts_end = source_.puts.size();
    section.removed_end = source_.removed.size();
    const bool changes = section.puts_begin != section.puts_end ||
                         section.removed_begin != section.removed_end;
    if (changes || source_.sections.empty()) source_.sections.push_back(section);
}

void Draft::roll_back() {
    const auto restore = [](Fields& fields, Before& before) {
        for (auto& [name, was] : before) {
            if (was) {
                fields.insert_or_assign(name, std::move(*was));
            } else {
                fields.erase(name);
            }
        }
        before.clear();
    };
    restore(image_.fields, before_);
    for (auto& [name, before] : before_submaps_) {
        Fields& fields = image_.submaps[name];
        restore(fields, before);
        if (fields.empty()) image_.submaps.erase(name);
    }
    before_submaps_.clear();
    size_bytes_ = record::size_bytes(image_);
    fields_ = count_fields(image_);
}

}  // namespace understudy::record
