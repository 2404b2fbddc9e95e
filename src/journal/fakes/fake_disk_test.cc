#include "journal/fakes/fake_disk_test.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace understudy::journal {

namespace {

Error failure(Errc code, std::string_view call, const std::string& path) {
    return {.code = code,
            .effect = code == Errc::disk_failed ? Effect::unknown : Effect::none,
            .detail = std::string(call) + " " + path};
}

}  // namespace

class FakeDisk::OpenFile final : public File {
public:
    OpenFile(FakeDisk& disk, InodePtr inode, std::string path)
        : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), boot_(disk.boot_) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() override {
        if (inode_->locked_by == this) inode_->locked_by = nullptr;
    }

    Result<std::uint64_t> size() override {
        US_CHECK(enter("size"));
        return inode_->now.size();
    }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        US_CHECK(enter("read"));
        const Buffer& now = inode_->now;
        if (offset > now.size() || out.size() > now.size() - offset) {
            return failure(Errc::corrupt, "read past the end", path_);
        }
        if (!out.empty()) std::memcpy(out.data(), now.data() + offset, out.size());
        return {};
    }

    Result<void> write_at(std::uint64_t offset, Bytes data) override {
        if (auto entered = enter("write"); !entered) {
            // A write that fails may have written any part of the data.
            if (!disk_.dead_ && boot_ == disk_.boot_ && entered.error().code == Errc::disk_failed) {
                write(offset,
                      data.first(static_cast<std::size_t>(disk_.random_.below(data.size() + 1))));
            }
            return entered;
        }
        const std::uint64_t end = offset + data.size();
        const std::uint64_t grows = end > inode_->now.size() ? end - inode_->now.size() : 0;
        if (disk_.used() + grows > disk_.capacity_) {
            return failure(Errc::no_space, "write", path_);
        }
        write(offset, data);
        return {};
    }

    Result<void> truncate(std::uint64_t) override {
        return failure(Errc::not_permitted, "truncate", path_);
    }

    Result<void> sync() override {
        if (auto entered = enter("sync"); !entered) {
            // An arbitrary part of the writes is on the platter. The rest can still be read, but is
            // lost at a power cut, and the next sync has nothing to do.
            if (!disk_.dead_ && boot_ == disk_.boot_) {
                for (const Write& write : std::exchange(inode_->pending, {})) {
                    if (disk_.random_.chance(1, 2)) apply(write, inode_->platter);
                }
            }
            return entered;
        }
        for (const Write& write : std::exchange(inode_->pending, {})) {
            apply(write, inode_->platter);
        }
        return {};
    }

    Result<void> lock() override {
        US_CHECK(enter("lock"));
        if (inode_->locked_by != nullptr && inode_->locked_by != this) {
            return failure(Errc::in_use, "lock", path_);
        }
        inode_->locked_by = this;
        return {};
    }

    Result<bool> is_at(const std::string& path) override {
        US_CHECK(enter("is_at"));
        for (const Names* names : {&disk_.tree_.names, &disk_.tree_.directories}) {
            const auto found = names->find(path);
            if (found != names->end()) return found->second == inode_;
        }
        return false;
    }

private:
    Result<void> enter(std::string_view call) {
        if (boot_ != disk_.boot_) return failure(Errc::disk_failed, "closed", path_);
        return disk_.enter(call, path_);
    }
    void write(std::uint64_t offset, Bytes data) {
        Write write{.offset = offset, .bytes = Buffer(data.begin(), data.end())};
        apply(write, inode_->now);
        inode_->pending.push_back(std::move(write));
    }

    FakeDisk& disk_;
    const InodePtr inode_;
    const std::string path_;
    const std::uint64_t boot_;
};

FakeDisk::Tree::Tree(const Tree& other) { *this = other; }

FakeDisk::Tree& FakeDisk::Tree::operator=(const Tree& other) {
    if (this == &other) return *this;
    names = other.names;
    platter = other.platter;
    directories = other.directories;
    pending = other.pending;
    std::map<InodePtr, InodePtr> copies;
    const auto copy_of = [&](const InodePtr& inode) {
        InodePtr& copy = copies[inode];
        if (inode && !copy) {
            copy = std::make_shared<Inode>(*inode);
            copy->locked_by = nullptr;
        }
        return copy;
    };
    for (auto& [path, inode] : names) inode = copy_of(inode);
    for (auto& [path, inode] : platter) inode = copy_of(inode);
    for (auto& [path, inode] : directories) inode = copy_of(inode);
    for (NameChange& change : pending) change.inode = copy_of(change.inode);
    return *this;
}

Result<std::unique_ptr<File>> FakeDisk::open(const std::string& path, Open how) {
    US_CHECK(enter("open", path));
    if (how == Open::directory) {
        const auto held = tree_.directories.find(path);
        if (held == tree_.directories.end()) return failure(Errc::no_such_file, "open", path);
        return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, held->second, path));
    }
    auto found = tree_.names.find(path);
    if (found == tree_.names.end()) {
        if (how == Open::existing) return failure(Errc::no_such_file, "open", path);
        change({.gone = "", .there = path, .inode = std::make_shared<Inode>()});
        found = tree_.names.find(path);
    } else if (how == Open::create_new) {
        return failure(Errc::already_exists, "open", path);
    }
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, found->second, path));
}

Result<std::vector<std::string>> FakeDisk::list(const std::string& directory) {
    US_CHECK(enter("list", directory));
    if (!tree_.directories.contains(directory)) {
        return failure(Errc::no_such_file, "list", directory);
    }
    std::set<std::string> found;
    const std::string prefix = directory + "/";
    for (const Names* names : {&tree_.names, &tree_.directories}) {
        for (const auto& [path, inode] : *names) {
            if (!path.starts_with(prefix)) continue;
            const std::string rest = path.substr(prefix.size());
            found.insert(rest.substr(0, rest.find('/')));
        }
    }
    return std::vector<std::string>(found.begin(), found.end());
}

Result<void> FakeDisk::make_directory(const std::string& path) {
    US_CHECK(enter("make_directory", path));
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        InodePtr& made = tree_.directories[path.substr(0, end)];
        if (!made) made = std::make_shared<Inode>();
        if (end == std::string::npos) return {};
    }
}

Result<void> FakeDisk::rename(const std::string& from, const std::string& to) {
    US_CHECK(enter("rename", to));
    const auto found = tree_.names.find(from);
    if (found == tree_.names.end()) return failure(Errc::no_such_file, "rename", from);
    change({.gone = from, .there = to, .inode = found->second});
    return {};
}

Result<void> FakeDisk::remove(const std::string& path) {
    US_CHECK(enter("remove", path));
    if (!tree_.names.contains(path)) return failure(Errc::no_such_file, "remove", path);
    change({.gone = path, .there = "", .inode = nullptr});
    return {};
}

Result<std::uint64_t> FakeDisk::free_bytes(const std::string& directory) {
    US_CHECK(enter("free_bytes", directory));
    return capacity_ - std::min(capacity_, used());
}

Result<void> FakeDisk::sync_directory(const std::string& path) {
    US_CHECK(enter("sync_directory", path));
    const auto inside = [&](const std::string& name) {
        return name.size() > path.size() && name.starts_with(path) &&
               name.find_last_of('/') == path.size();
    };
    for (NameChange& pending : std::exchange(tree_.pending, {})) {
        if (inside(pending.gone) || inside(pending.there)) {
            apply(pending, tree_.platter);
        } else {
            tree_.pending.push_back(std::move(pending));
        }
    }
    return {};
}

void FakeDisk::power_cut(Survival survival) {
    for (const NameChange& pending : std::exchange(tree_.pending, {})) {
        const bool kept =
            survival == Survival::all || (survival != Survival::none && random_.chance(1, 2));
        if (kept) apply(pending, tree_.platter);
    }
    for (auto& [path, inode] : tree_.platter) keep_some(*inode, survival);
    tree_.names = tree_.platter;
    restart_process();
}

void FakeDisk::restart_process() {
    for (auto& [path, inode] : tree_.names) inode->locked_by = nullptr;
    for (auto& [path, inode] : tree_.directories) inode->locked_by = nullptr;
    ++boot_;
    dead_ = false;
    die_at_ = UINT64_MAX;
    calls_ = 0;
}

std::uint64_t FakeDisk::used() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, inode] : tree_.names) bytes += inode->now.size();
    return bytes;
}

std::vector<std::string> FakeDisk::names() const {
    std::vector<std::string> found;
    for (const auto& [path, inode] : tree_.names) found.push_back(path);
    return found;
}

const Buffer& FakeDisk::contents(const std::string& path) const {
    return tree_.names.at(path)->now;
}

void FakeDisk::put(const std::string& path, Buffer contents) {
    auto inode = std::make_shared<Inode>();
    inode->now = contents;
    inode->platter = std::move(contents);
    tree_.names[path] = inode;
    tree_.platter[path] = inode;
}

void FakeDisk::erase(const std::string& path) {
    tree_.names.erase(path);
    tree_.platter.erase(path);
}

void FakeDisk::erase_directory(const std::string& path) {
    const auto inside = [&](const auto& one) {
        return one.first == path || one.first.starts_with(path + "/");
    };
    for (Names* names : {&tree_.names, &tree_.platter, &tree_.directories}) {
        std::erase_if(*names, inside);
    }
}

void FakeDisk::flip(const std::string& path, std::uint64_t bit) {
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    Inode& inode = *tree_.names.at(path);
    inode.now.at(bit / 8) ^= mask;
    if (bit / 8 < inode.platter.size()) inode.platter[bit / 8] ^= mask;
}

Result<void> FakeDisk::enter(std::string_view call, const std::string& path) {
    if (++calls_ >= die_at_) dead_ = true;
    if (dead_) return failure(Errc::disk_failed, "dead", path);
    if (fault_) {
        if (const auto code = fault_(call, path)) return failure(*code, call, path);
    }
    return {};
}

void FakeDisk::change(NameChange change) {
    apply(change, tree_.names);
    tree_.pending.push_back(std::move(change));
}

void FakeDisk::apply(const NameChange& change, Names& names) {
    if (!change.gone.empty()) names.erase(change.gone);
    if (!change.there.empty()) names[change.there] = change.inode;
}

void FakeDisk::apply(const Write& write, Buffer& contents) {
    const std::size_t end = static_cast<std::size_t>(write.offset) + write.bytes.size();
    if (contents.size() < end) contents.resize(end);
    std::copy(write.bytes.begin(), write.bytes.end(),
              contents.begin() + static_cast<std::ptrdiff_t>(write.offset));
}

void FakeDisk::keep_some(Inode& inode, Survival survival) {
    for (const Write& write : std::exchange(inode.pending, {})) {
        if (survival == Survival::all) {
            apply(write, inode.platter);
        } else if (survival == Survival::some) {
            if (random_.chance(1, 2)) apply(write, inode.platter);
        } else if (survival == Survival::torn) {
            // Pieces of any length, each written or not.
            for (std::size_t at = 0; at < write.bytes.size();) {
                const auto left = write.bytes.size() - at;
                const auto piece = static_cast<std::size_t>(
                    random_.between(std::uint64_t{1}, std::uint64_t{left}));
                if (random_.chance(1, 2)) {
                    const Bytes bytes = Bytes(write.bytes).subspan(at, piece);
                    apply(
                        {.offset = write.offset + at, .bytes = Buffer(bytes.begin(), bytes.end())},
                        inode.platter);
                }
                at += piece;
            }
        }
    }
    inode.now = inode.platter;
}

}  // namespace understudy::journal
