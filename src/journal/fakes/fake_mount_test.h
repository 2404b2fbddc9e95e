#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "journal/fakes/fake_disk_test.h"

namespace understudy::journal {

/// One member's view of a store that several members mount.
///
/// The store is one FakeDisk, and this is a process that uses it. It dies at a call of its own, and
/// then releases its files and locks, while the others go on. Before any call another member may
/// take a turn.
class FakeMount final : public Disk {
public:
    explicit FakeMount(FakeDisk& store) : store_(store) {}
    ~FakeMount() override;
    FakeMount(const FakeMount&) = delete;
    FakeMount& operator=(const FakeMount&) = delete;

    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& directory) override;
    Result<void> sync_directory(const std::string& path) override;

    /// From this call on, no call has an effect. Calls are counted from 1.
    void die_at(std::uint64_t call) { die_at_ = call; }
    /// Dies before the next call with that name.
    void die_before(std::string call) { die_before_ = std::move(call); }
    /// The process is gone: no call has an effect any more, and its locks are free.
    void kill();
    /// Runs `others` once, before call `call`: the member is paused there, and others go on
    /// meanwhile.
    void pause_at(std::uint64_t call, std::function<void()> others);
    /// Runs before every call.
    void set_interruption(std::function<void()> interruption) {
        interruption_ = std::move(interruption);
    }

    [[nodiscard]] bool dead() const { return dead_; }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }

private:
    class OpenFile;

    Result<void> enter(std::string_view call);

    FakeDisk& store_;
    std::set<OpenFile*> files_;
    std::uint64_t calls_ = 0;
    std::uint64_t die_at_ = UINT64_MAX;
    std::string die_before_;
    std::uint64_t pause_at_ = UINT64_MAX;
    std::function<void()> others_;
    std::function<void()> interruption_;
    bool dead_ = false;
};

}  // namespace understudy::journal
