#include "record/apply.h"

#include <algorithm>
#include <utility>

#include "understudy/limits.h"

namespace understudy::record {

namespace {

std::ptrdiff_t difference(std::size_t after, std::size_t before) {
    return static_cast<std::ptrdiff_t>(after) - static_cast<std::ptrdiff_t>(before);
}

// Writes the fields of a change, in order, over those of the change before. A stream of changes to
// the same fields allocates nothing.
class Noted {
public:
    explicit Noted(Fields& fields) : fields_(fields) { fields_.swap(spare_); }

    /// The value of the new field. The caller assigns to it.
    [[nodiscard]] Value& add(std::string_view name) {
        if (spare_.empty()) {
            return fields_.emplace_hint(fields_.end(), name, std::string())->second;
        }
        auto node = spare_.extract(spare_.begin());
        if (node.key() != name) node.key() = name;
        return fields_.insert(fields_.end(), std::move(node))->second;
    }

private:
    Fields& fields_;
    Fields spare_;
};

// The content of `change` is replaced. Null: the change is not wanted.
std::ptrdiff_t apply_section(Fields& fields, const DeltaView& view,
                             const DeltaView::Section& section, Change* change) {
    Change nobody;
    Noted puts(change == nullptr ? nobody.puts : change->puts);
    Noted overwritten(change == nullptr ? nobody.overwritten : change->overwritten);
    if (change != nullptr) change->removed.clear();
    std::ptrdiff_t grown = 0;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        const FieldView& put = view.puts[i];
        grown += static_cast<std::ptrdiff_t>(field_size_bytes(put));
        const auto at = fields.lower_bound(put.name);
        if (at != fields.end() && at->first == put.name) {
            grown -= static_cast<std::ptrdiff_t>(field_size_bytes(put.name, at->second));
            if (change != nullptr) std::swap(overwritten.add(put.name), at->second);
            put.value.assign_to(at->second);
        } else {
            fields.emplace_hint(at, put.name, put.value.value());
        }
        if (change != nullptr) put.value.assign_to(puts.add(put.name));
    }
    for (std::size_t i = section.removed_begin; i < section.removed_end; ++i) {
        const auto at = fields.find(view.removed[i]);
        if (at == fields.end()) continue;
        grown -= static_cast<std::ptrdiff_t>(field_size_bytes(at->first, at->second));
        if (change != nullptr) {
            change->removed.emplace_hint(change->removed.end(), at->first, std::move(at->second));
        }
        fields.erase(at);
    }
    return grown;
}

std::ptrdiff_t growth_of_section(const Fields* fields, const DeltaView& view,
                                 const DeltaView::Section& section) {
    const auto size_of = [fields](std::string_view name) -> std::size_t {
        if (fields == nullptr) return 0;
        const auto found = fields->find(name);
        return found == fields->end() ? 0 : field_size_bytes(found->first, found->second);
    };
    std::ptrdiff_t grown = 0;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        grown += difference(field_size_bytes(view.puts[i]), size_of(view.puts[i].name));
    }
    for (std::size_t i = section.removed_begin; i < section.removed_end; ++i) {
        grown -= static_cast<std::ptrdiff_t>(size_of(view.removed[i]));
    }
    return grown;
}

// The change from one map to another by an image: all of `after` is put.
void note_replaced(Fields&& before, const Fields& after, Change& change) {
    change.puts = after;
    for (auto& [name, value] : before) {
        Fields& to = after.contains(name) ? change.overwritten : change.removed;
        to.emplace_hint(to.end(), name, std::move(value));
    }
}

void note_replaced(RecordImage&& before, const RecordImage& after, RecordChange& change) {
    note_replaced(std::move(before.fields), after.fields, change.fields);
    for (const auto& [name, fields] : after.submaps) {
        const auto was = before.submaps.find(name);
        note_replaced(was == before.submaps.end() ? Fields() : std::move(was->second), fields,
                      change.submaps[name]);
    }
    for (auto& [name, fields] : before.submaps) {
        if (!after.submaps.contains(name)) change.submaps[name].removed = std::move(fields);
    }
}

}  // namespace

std::size_t replace(RecordImage& image, const DeltaView& view, RecordChange* change) {
    RecordImage before = std::exchange(image, make_image(view));
    if (change != nullptr) note_replaced(std::move(before), image, *change);
    return size_bytes(image);
}

std::ptrdiff_t apply(RecordImage& image, const DeltaView& view, RecordChange* change) {
    if (change != nullptr) change->submaps.clear();
    std::ptrdiff_t grown = apply_section(image.fields, view, view.sections.front(),
                                         change == nullptr ? nullptr : &change->fields);
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        const DeltaView::Section& section = view.sections[i];
        auto at = image.submaps.lower_bound(section.submap);
        if (at == image.submaps.end() || at->first != section.submap) {
            if (section.puts_begin == section.puts_end) continue;  // Its fields are not there.
            at = image.submaps.emplace_hint(at, section.submap, Fields());
            grown += static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        }
        Change noted;
        grown += apply_section(at->second, view, section, change == nullptr ? nullptr : &noted);
        if (change != nullptr && !noted.empty()) {
            change->submaps.emplace_hint(change->submaps.end(), section.submap, std::move(noted));
        }
        if (at->second.empty()) {
            image.submaps.erase(at);
            grown -= static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        }
    }
    return grown;
}

std::ptrdiff_t growth(const RecordImage& image, const DeltaView& view) {
    std::ptrdiff_t grown = growth_of_section(&image.fields, view, view.sections.front());
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        const DeltaView::Section& section = view.sections[i];
        const Fields* fields = image.submap(section.submap);
        grown += growth_of_section(fields, view, section);
        if (fields == nullptr) {
            if (section.puts_begin == section.puts_end) continue;
            grown += static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        } else if (section.puts_begin == section.puts_end) {
            const auto is_there = [&](std::string_view name) { return fields->contains(name); };
            const auto gone = std::count_if(
                view.removed.begin() + static_cast<std::ptrdiff_t>(section.removed_begin),
                view.removed.begin() + static_cast<std::ptrdiff_t>(section.removed_end), is_there);
            if (static_cast<std::size_t>(gone) == fields->size()) {
                grown -= static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
            }
        }
    }
    return grown;
}

Result<void> check_growth(const RecordImage& image, std::size_t size_bytes, const DeltaView& view) {
    std::size_t at_most = size_bytes;
    for (const FieldView& put : view.puts) at_most += field_size_bytes(put);
    for (const auto& section : view.sections) at_most += submap_size_bytes(section.submap);
    if (at_most <= record_size_max) return {};
    const std::ptrdiff_t after = static_cast<std::ptrdiff_t>(size_bytes) + growth(image, view);
    US_ASSERT(after >= 0);
    return check_record_size(static_cast<std::size_t>(after));
}

}  // namespace understudy::record
