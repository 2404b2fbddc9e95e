// A map of keys and values that survives the process that holds it.
//
//   replicated_kv A /shared/dir                    on a directory that all members reach
//   replicated_kv A /own/dir A=HOST:PORT B=... C=...   each on its own disk, a majority runs
//
// Start it two or three times, with different names. Type "put KEY VALUE", "get KEY" or "erase KEY"
// at the active member. Kill it, and go on at the next.

#include <iostream>
#include <sstream>
#include <string>

#include <understudy/understudy.h>

namespace {

using namespace understudy;

/// Commands are the typed lines. Old values are kept while a checkpoint is taken, so a map of
/// gigabytes delays no command.
class KeyValue final : public StateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        std::istringstream words{std::string(as_text(command.body))};
        std::string verb, key, value;
        words >> verb >> key >> std::ws;
        std::getline(words, value);
        if (verb == "put") map_.put(key, value);
        if (verb == "erase") map_.erase(key);
        const Bytes answer = as_bytes(verb == "put" || verb == "erase" ? "ok" : "what?");
        reply.assign(answer.begin(), answer.end());
    }

    std::unique_ptr<Snapshot> begin_snapshot() override {
        return snapshot_of(map_, [](const std::string& key, const std::string& value, Buffer& out) {
            const std::string line = key + ' ' + value + '\n';
            out.insert(out.end(), as_bytes(line).begin(), as_bytes(line).end());
        });
    }

    Result<void> restore_piece(Bytes piece, PiecePlace place) override {
        if (place.first) map_.clear();
        std::istringstream lines{std::string(as_text(piece))};
        for (std::string key, value; lines >> key && lines.get() && std::getline(lines, value);) {
            map_.put(key, value);
        }
        return {};
    }

    std::uint64_t hash() const override {
        std::uint64_t hash = 0;
        for (const auto& [key, value] : map_) {
            for (const char c : key + ' ' + value + '\n') {
                hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
            }
        }
        return hash;
    }

    std::string get(const std::string& key) const {
        const std::string* value = map_.find(key);
        return value == nullptr ? "(none)" : *value;
    }

private:
    SnapshotMap<std::string, std::string> map_;
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 3) return std::cerr << "replicated_kv NAME DIRECTORY [NAME=HOST:PORT ...]\n", 2;
    ReplicaOptions options{.service = "kv", .member = argv[1], .journal = SharedDirectory{argv[2]}};
    if (argc > 3) {
        ReplicatedGroup group{.directory = argv[2], .nodes = {}};
        for (int i = 3; i < argc; ++i) {
            const std::string node = argv[i];
            const std::size_t at = node.find('=');
            group.nodes.push_back({node.substr(0, at), node.substr(at + 1)});
        }
        options.journal = group;
    }

    auto map = std::make_shared<KeyValue>();
    auto replica = Replica::open(options, map).value_or_throw();
    replica.on_role([](const ReplicaStatus& now) {
        std::cout << name(now.role) << ", epoch " << now.epoch.value << std::endl;
    });
    replica.wait_open(1h).value_or_throw();
    for (std::string line; std::getline(std::cin, line);) {
        if (line.starts_with("get ")) {
            const auto read =
                replica.read([&] { std::cout << map->get(line.substr(4)) << std::endl; });
            if (!read) std::cout << to_string(read.error()) << std::endl;
        } else if (const auto reply = replica.submit(as_bytes(line)); !reply) {
            std::cout << to_string(reply.error()) << std::endl;
        } else {
            std::cout << as_text(*reply) << std::endl;
        }
    }
} catch (const std::exception& exception) {
    std::cerr << "replicated_kv: " << exception.what() << "\n";
    return 1;
}
