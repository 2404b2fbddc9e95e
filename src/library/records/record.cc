#include <utility>

#include "library/records/service_impl.h"
#include "understudy/service.h"

namespace understudy {

Result<void> Record::put(std::string_view field, Value value) {
    return impl_->draft.put(field, std::move(value));
}

Result<void> Record::put(std::string_view submap, std::string_view field, Value value) {
    return impl_->draft.put(submap, field, std::move(value));
}

bool Record::remove(std::string_view field) { return impl_->draft.remove(field); }

bool Record::remove(std::string_view submap, std::string_view field) {
    return impl_->draft.remove(submap, field);
}

bool Record::remove_submap(std::string_view submap) { return impl_->draft.remove_submap(submap); }

void Record::clear() { impl_->draft.clear(); }

std::string Record::name() const { return impl_->name; }

RecordImage Record::image() const { return impl_->draft.image(); }

}  // namespace understudy
