#include <utility>

#include "library/records/service_impl.h"
#include "understudy/service.h"

namespace understudy {

void Record::Impl::refresh() {
    if (source == nullptr) return;
    const std::uint64_t now = source->resets.load();
    if (std::exchange(reset, now) == now) return;
    auto durable = source->fetch(name);
    published = durable.has_value();
    draft = record::Draft(durable ? *std::move(durable) : RecordImage());
}

Result<void> Record::put(std::string_view field, Value value) {
    impl_->refresh();
    return impl_->draft.put(field, std::move(value));
}

Result<void> Record::put(std::string_view submap, std::string_view field, Value value) {
    impl_->refresh();
    return impl_->draft.put(submap, field, std::move(value));
}

bool Record::remove(std::string_view field) {
    impl_->refresh();
    return impl_->draft.remove(field);
}

bool Record::remove(std::string_view submap, std::string_view field) {
    impl_->refresh();
    return impl_->draft.remove(submap, field);
}

bool Record::remove_submap(std::string_view submap) {
    impl_->refresh();
    return impl_->draft.remove_submap(submap);
}

void Record::clear() {
    impl_->refresh();
    impl_->draft.clear();
}

std::string Record::name() const { return impl_->name; }

RecordImage Record::image() const {
    impl_->refresh();
    return impl_->draft.image();
}

}  // namespace understudy
