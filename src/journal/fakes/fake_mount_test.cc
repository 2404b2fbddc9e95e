#include "journal/fakes/fake_mount_test.h"

#include <utility>

namespace understudy::journal {

class FakeMount::OpenFile final : public File {
public:
    OpenFile(FakeMount& mount, std::unique_ptr<File> file)
        : mount_(&mount), file_(std::move(file)) {
        mount_->files_.insert(this);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() override {
        if (mount_ != nullptr) mount_->files_.erase(this);
    }

    void let_go() { file_.reset(); }
    void forget_mount() {
        file_.reset();
        mount_ = nullptr;
    }

    Result<std::uint64_t> size() override {
        US_CHECK(enter("size"));
        return file_->size();
    }
    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        US_CHECK(enter("read_at"));
        return file_->read_at(offset, out);
    }
    Result<void> write_at(std::uint64_t offset, Bytes data) override {
        US_CHECK(enter("write_at"));
        return file_->write_at(offset, data);
    }
    Result<void> truncate(std::uint64_t size) override {
        US_CHECK(enter("truncate"));
        return file_->truncate(size);
    }
    Result<void> sync() override {
        US_CHECK(enter("sync"));
        return file_->sync();
    }
    Result<void> lock() override {
        US_CHECK(enter("lock"));
        return file_->lock();
    }
    Result<bool> is_at(const std::string& path) override {
        US_CHECK(enter("is_at"));
        return file_->is_at(path);
    }

private:
    Result<void> enter(std::string_view call) {
        if (mount_ == nullptr) return Error{.code = Errc::disk_failed, .detail = "unmounted"};
        return mount_->enter(call);
    }

    FakeMount* mount_;
    std::unique_ptr<File> file_;
};

FakeMount::~FakeMount() {
    for (OpenFile* file : files_) file->forget_mount();
}

Result<std::unique_ptr<File>> FakeMount::open(const std::string& path, Open how) {
    US_CHECK(enter("open"));
    auto file = US_TRY(store_.open(path, how));
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(file)));
}

Result<std::vector<std::string>> FakeMount::list(const std::string& directory) {
    US_CHECK(enter("list"));
    return store_.list(directory);
}

Result<void> FakeMount::make_directory(const std::string& path) {
    US_CHECK(enter("make_directory"));
    return store_.make_directory(path);
}

Result<void> FakeMount::rename(const std::string& from, const std::string& to) {
    US_CHECK(enter("rename"));
    return store_.rename(from, to);
}

Result<void> FakeMount::remove(const std::string& path) {
    US_CHECK(enter("remove"));
    return store_.remove(path);
}

Result<std::uint64_t> FakeMount::free_bytes(const std::string& directory) {
    US_CHECK(enter("free_bytes"));
    return store_.free_bytes(directory);
}

Result<void> FakeMount::sync_directory(const std::string& path) {
    US_CHECK(enter("sync_directory"));
    return store_.sync_directory(path);
}

void FakeMount::kill() {
    dead_ = true;
    for (OpenFile* file : files_) file->let_go();
}

void FakeMount::pause_at(std::uint64_t call, std::function<void()> others) {
    pause_at_ = call;
    others_ = std::move(others);
}

Result<void> FakeMount::enter(std::string_view call) {
    ++calls_;
    if (!dead_ && (calls_ >= die_at_ || call == die_before_)) kill();
    if (!dead_ && calls_ == pause_at_) std::exchange(others_, {})();
    if (!dead_ && interruption_) interruption_();
    // Another member may have cut the power of the store.
    if (!dead_ && store_.dead()) kill();
    if (dead_) return Error{.code = Errc::disk_failed, .detail = "dead"};
    return {};
}

}  // namespace understudy::journal
