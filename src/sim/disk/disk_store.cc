#include "sim/disk/disk_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace understudy::sim {
namespace {

using DirectoryPtr = StoredDirectory::DirectoryPtr;
using FilePtr = StoredDirectory::FilePtr;

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        const std::string part = path.substr(at, end - at);
        US_ASSERT(part != "..");
        if (!part.empty() && part != ".") parts.push_back(part);
        at = end + 1;
    }
    return parts;
}

Error no_such(const std::string& path) {
    return {.code = Errc::no_such_file, .detail = fmt::format("{}: no such file", path)};
}

Error wrong_kind(const std::string& path) {
    return {
        .code = Errc::bad_path,
        .detail = fmt::format("{}: a directory where a file is expected, or the reverse", path)};
}

const DirectoryPtr* as_directory(const StoredDirectory::Entry& entry) {
    return std::get_if<DirectoryPtr>(&entry);
}

Buffer bytes_of(const PagedFile& file) {
    Buffer out(static_cast<std::size_t>(file.size()));
    file.read(0, out);
    return out;
}

template <class T>
std::vector<std::shared_ptr<T>> living(const std::vector<std::weak_ptr<T>>& all) {
    std::vector<std::shared_ptr<T>> out;
    for (const auto& one : all) {
        if (auto alive = one.lock()) out.push_back(std::move(alive));
    }
    return out;
}

template <class T>
std::shared_ptr<T> remember(std::vector<std::weak_ptr<T>>& all, std::shared_ptr<T> made) {
    if (all.size() == all.capacity()) {  // Dead entries are removed before the list grows.
        std::erase_if(all, [](const auto& one) { return one.expired(); });
        all.reserve(2 * all.size() + 16);
    }
    all.push_back(made);
    return made;
}

}  // namespace

DiskStore::DiskStore(std::string name, const DiskOptions& options, std::uint64_t seed)
    : name_(std::move(name)),
      options_(options),
      random_(seed),
      used_pages_(std::make_shared<std::uint64_t>(0)),
      root_(new_directory()) {}

Result<FilePtr> DiskStore::open(const std::string& path, Disk::Open how, Owner owner) {
    const Place at = US_TRY(place(path));
    const auto found = at.directory->entries().find(at.name);
    if (found != at.directory->entries().end()) {
        if (as_directory(found->second)) return wrong_kind(path);
        if (how == Disk::Open::create_new) {
            return Error{.code = Errc::already_exists, .detail = path};
        }
        return std::get<FilePtr>(found->second);
    }
    if (how == Disk::Open::existing) return no_such(path);
    FilePtr file = new_file();
    at.directory->link(at.name, file, owner);
    name_changed(path);
    return file;
}

Result<FilePtr> DiskStore::open_directory(const std::string& path) const {
    const DirectoryPtr found = directory_at(path);
    if (!found) return no_such(path);
    if (!found->held) found->held = std::make_shared<StoredFile>(used_pages_);
    return found->held;
}

bool DiskStore::names(const std::string& path, const StoredFile& file) const {
    if (const FilePtr found = file_at(path)) return found.get() == &file;
    const DirectoryPtr found = directory_at(path);
    return found && found->held.get() == &file;
}

std::shared_ptr<void> DiskStore::watch(const std::string& path, std::vector<std::string> names,
                                       std::function<void()> changed) {
    auto made = std::make_shared<Watch>(Watch{path, std::move(names), std::move(changed)});
    return remember(watches_, std::move(made));
}

void DiskStore::name_changed(const std::string& path) {
    if (watches_.empty()) return;
    for (const auto& one : living(watches_)) {
        const bool inside = std::any_of(
            one->names.begin(), one->names.end(), [&](const std::string& name) {
                return parts_of(path) == parts_of(one->path + '/' + name);
            });
        if (inside || parts_of(path) == parts_of(one->path)) one->changed();
    }
}

void DiskStore::erase_directory(const std::string& path) {
    const DirectoryPtr found = directory_at(path);
    US_ASSERT(found != nullptr);
    const StoredDirectory::Entries entries = found->entries();
    for (const auto& [name, entry] : entries) {
        const std::string below = path + '/' + name;
        if (as_directory(entry) != nullptr) {
            erase_directory(below);
        } else {
            US_ASSERT(remove(below, {}));
        }
    }
    found->sync();
    US_ASSERT(remove(path, {}));
    const auto at = place(path);
    (*at).directory->sync();
}

Result<std::vector<std::string>> DiskStore::list(const std::string& directory) const {
    const DirectoryPtr found = US_TRY(directory_of(directory));
    std::vector<std::string> names;
    for (const auto& [name, entry] : found->entries()) names.push_back(name);
    return names;
}

Result<void> DiskStore::make_directory(const std::string& path) {
    DirectoryPtr at = root_;
    for (const std::string& part : parts_of(path)) {
        const auto found = at->entries().find(part);
        if (found == at->entries().end()) {
            DirectoryPtr made = new_directory();
            at->link_durably(part, made);
            at = std::move(made);
        } else if (const DirectoryPtr* next = as_directory(found->second)) {
            at = DirectoryPtr(*next);
        } else {
            return wrong_kind(path);
        }
    }
    return {};
}

Result<void> DiskStore::rename(const std::string& from, const std::string& to, Owner owner) {
    if (to.starts_with(from + '/')) return wrong_kind(to);
    const Place source = US_TRY(place(from));
    const Place target = US_TRY(place(to));
    const auto moved = source.directory->entries().find(source.name);
    if (moved == source.directory->entries().end()) return no_such(from);
    const auto replaced = target.directory->entries().find(target.name);
    if (replaced != target.directory->entries().end()) {
        const DirectoryPtr* victim = as_directory(replaced->second);
        const bool same_kind = (victim != nullptr) == (as_directory(moved->second) != nullptr);
        if (!same_kind || (victim && !(*victim)->entries().empty())) return wrong_kind(to);
    }
    if (source.directory == target.directory) {
        source.directory->rename(source.name, target.name, owner);
    } else {
        source.directory->move(source.name, target.directory, target.name, owner);
    }
    name_changed(from);
    name_changed(to);
    return {};
}

Result<void> DiskStore::remove(const std::string& path, Owner owner) {
    const Place at = US_TRY(place(path));
    const auto found = at.directory->entries().find(at.name);
    if (found == at.directory->entries().end()) return no_such(path);
    const DirectoryPtr* directory = as_directory(found->second);
    if (directory && !(*directory)->entries().empty()) {
        return Error{.code = Errc::disk_failed, .detail = fmt::format("{}: not empty", path)};
    }
    at.directory->unlink(at.name, owner);
    name_changed(path);
    return {};
}

Result<void> DiskStore::sync_directory(const std::string& path) {
    US_TRY(directory_of(path))->sync();
    return {};
}

bool DiskStore::has_room(std::uint64_t pages) const {
    return (*used_pages_ + pages) * PagedFile::page_bytes <= options_.capacity_bytes;
}

std::uint64_t DiskStore::used_bytes() const { return *used_pages_ * PagedFile::page_bytes; }

std::uint64_t DiskStore::free_bytes() const {
    return options_.capacity_bytes - std::min(options_.capacity_bytes, used_bytes());
}

bool DiskStore::exists(const std::string& path) const {
    return file_at(path) || directory_at(path);
}

std::optional<Buffer> DiskStore::contents(const std::string& path) const {
    const FilePtr found = file_at(path);
    if (!found) return std::nullopt;
    return bytes_of(found->cached());
}

std::optional<Buffer> DiskStore::durable(const std::string& path) const {
    DirectoryPtr at = root_;
    const std::vector<std::string> parts = parts_of(path);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto found = at->durable_entries().find(parts[i]);
        if (found == at->durable_entries().end()) return std::nullopt;
        if (const DirectoryPtr* next = as_directory(found->second)) {
            at = DirectoryPtr(*next);
        } else if (i + 1 == parts.size()) {
            return bytes_of(std::get<FilePtr>(found->second)->platter());
        } else {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

void DiskStore::plant(const std::string& path, Bytes contents) {
    const Result<Place> at = place(path);
    US_ASSERT(at);
    const FilePtr file = new_file();
    file->write(0, contents, Owner{});
    file->sync();
    at->directory->link_durably(at->name, file);
}

void DiskStore::flip_bit(const std::string& path, std::uint64_t bit) {
    const FilePtr found = file_at(path);
    US_ASSERT(found);
    US_ASSERT(bit / 8 < found->cached().size());
    std::byte byte{};
    found->cached().read(bit / 8, {&byte, 1});
    byte ^= static_cast<std::byte>(1U << (bit % 8));
    found->damage(bit / 8, {&byte, 1});
}

void DiskStore::damage(const std::string& path, std::uint64_t offset, Bytes data) {
    const FilePtr found = file_at(path);
    US_ASSERT(found);
    found->damage(offset, data);
}

void DiskStore::wipe() {
    directories_.clear();
    files_.clear();
    root_ = new_directory();
}

void DiskStore::crash(std::optional<Owner> owner) {
    for (const auto& file : living(files_)) file->crash(owner, random_);
    for (const auto& directory : living(directories_)) directory->crash(owner, random_);
}

Result<DiskStore::Place> DiskStore::place(const std::string& path) const {
    std::vector<std::string> parts = parts_of(path);
    if (parts.empty()) return wrong_kind(path);
    const std::string name = std::move(parts.back());
    parts.pop_back();
    DirectoryPtr at = root_;
    for (const std::string& part : parts) {
        const auto found = at->entries().find(part);
        if (found == at->entries().end()) return no_such(path);
        const DirectoryPtr* next = as_directory(found->second);
        if (!next) return wrong_kind(path);
        at = DirectoryPtr(*next);
    }
    return Place{std::move(at), name};
}

Result<DirectoryPtr> DiskStore::directory_of(const std::string& path) const {
    if (parts_of(path).empty()) return root_;
    const Place at = US_TRY(place(path));
    const auto found = at.directory->entries().find(at.name);
    if (found == at.directory->entries().end()) return no_such(path);
    const DirectoryPtr* directory = as_directory(found->second);
    if (directory == nullptr) return wrong_kind(path);
    return DirectoryPtr(*directory);
}

DirectoryPtr DiskStore::directory_at(const std::string& path) const {
    const auto found = directory_of(path);
    return found ? *found : nullptr;
}

FilePtr DiskStore::file_at(const std::string& path) const {
    const Result<Place> at = place(path);
    if (!at) return nullptr;
    const auto found = at->directory->entries().find(at->name);
    if (found == at->directory->entries().end()) return nullptr;
    const FilePtr* file = std::get_if<FilePtr>(&found->second);
    return file ? *file : nullptr;
}

FilePtr DiskStore::new_file() {
    return remember(files_, std::make_shared<StoredFile>(used_pages_));
}

DirectoryPtr DiskStore::new_directory() {
    return remember(directories_, std::make_shared<StoredDirectory>());
}

}  // namespace understudy::sim
