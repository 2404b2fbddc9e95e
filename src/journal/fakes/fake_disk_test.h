#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// A disk in memory that dies, fails or becomes full at the call that a test chooses.
///
/// It has two layers: what processes read, and what is on the platter. Calls are counted from 1.
/// From the call at which it dies, no call has an effect.
class FakeDisk final : public Disk {
public:
    /// What a power cut leaves of writes and of changed names that were not synced.
    enum class Survival { none, all, some, torn };

    explicit FakeDisk(std::uint64_t seed) : random_(seed) {}
    // A copy is another disk with the same contents. Open files stay with the original.

    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& directory) override;
    Result<void> sync_directory(const std::string& path) override;

    // Faults.
    void die_at(std::uint64_t call) { die_at_ = call; }
    /// Decides for each call, by its name ("write", "sync", ...) and its path, whether it fails.
    using Fault =
        std::function<std::optional<Errc>(std::string_view call, const std::string& path)>;
    void set_fault(Fault fault) { fault_ = std::move(fault); }
    void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
    /// The power is cut, and the host boots again.
    void power_cut(Survival survival);
    /// The process died. The kernel keeps its memory.
    void restart_process();

    [[nodiscard]] bool dead() const { return dead_; }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    [[nodiscard]] std::uint64_t used() const;

    // For tests: reads and changes the contents, in both layers.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] bool exists(const std::string& path) const { return tree_.names.contains(path); }
    [[nodiscard]] const Buffer& contents(const std::string& path) const;
    void put(const std::string& path, Buffer contents);
    void erase(const std::string& path);
    void erase_directory(const std::string& path);  ///< With everything in it.
    void flip(const std::string& path, std::uint64_t bit);

private:
    class OpenFile;

    struct Write {
        std::uint64_t offset = 0;
        Buffer bytes;
    };
    struct Inode {
        Buffer now;
        Buffer platter;
        std::vector<Write> pending;
        const void* locked_by = nullptr;
    };
    using InodePtr = std::shared_ptr<Inode>;
    struct NameChange {
        std::string gone;  // Empty: none.
        std::string there;
        InodePtr inode;
    };
    using Names = std::map<std::string, InodePtr>;

    Result<void> enter(std::string_view call, const std::string& path);
    void change(NameChange change);
    static void apply(const NameChange& change, Names& names);
    static void apply(const Write& write, Buffer& contents);
    void keep_some(Inode& inode, Survival survival);

    /// The names and the files that they refer to.
    struct Tree {
        Tree() = default;
        Tree(const Tree& other);
        Tree& operator=(const Tree& other);
        ~Tree() = default;

        Names names;
        Names platter;
        Names directories;  ///< Durable at once.
        std::vector<NameChange> pending;
    };

    Random random_;
    Tree tree_;
    std::uint64_t calls_ = 0;
    std::uint64_t die_at_ = UINT64_MAX;
    std::uint64_t capacity_ = UINT64_MAX;
    std::uint64_t boot_ = 0;
    bool dead_ = false;
    Fault fault_;
};

}  // namespace understudy::journal
