#include "tests/swarm/register_machine.h"

#include "base/bytes.h"
#include "base/checksum.h"

namespace understudy::swarm {

Buffer encoded(const Order& order) {
    Buffer out;
    ByteWriter writer(out);
    // First and with a fixed length, because the durability oracle searches for it on the disks.
    writer.fixed(order.value);
    writer.fixed(order.value ^ 0x6f72'6465'7221'0a0dULL);
    writer.fixed(static_cast<std::uint8_t>(order.kind));
    writer.text(order.key);
    writer.varint(order.expected);
    writer.text(std::string(order.pad_bytes, static_cast<char>('a' + order.value % 26)));
    return out;
}

void RegisterMachine::apply(const Command& command, Buffer& reply) {
    trail_ = hash64(command.body, trail_);
    ByteReader reader(command.body);
    const std::uint64_t value = reader.fixed<std::uint64_t>().value_or(0);
    (void)reader.fixed<std::uint64_t>();
    const auto kind = static_cast<Order::Kind>(reader.fixed<std::uint8_t>().value_or(0));
    const std::string key(reader.text().value_or(""));
    const std::uint64_t expected = reader.varint().value_or(0);
    (void)reader.text();
    std::uint64_t answer = 1;
    if (reader.done()) {
        done_.push_back(value);
        switch (kind) {
            case Order::Kind::write:
                registers_[key] = value;
                break;
            case Order::Kind::cas: {
                answer = this->value(key) == expected ? 1 : 0;
                if (answer == 1) registers_[key] = value;
                break;
            }
            case Order::Kind::append:
                lists_[key].push_back(value);
                answer = lists_[key].size();
                break;
        }
    }
    ByteWriter(reply).fixed(answer);
    if (heard_) heard_(command, trail_);
}

void RegisterMachine::snapshot(Buffer& out) const {
    ByteWriter writer(out);
    writer.fixed(trail_);
    writer.varint(registers_.size());
    for (const auto& [key, value] : registers_) {
        writer.text(key);
        writer.varint(value);
    }
    writer.varint(lists_.size());
    for (const auto& [key, list] : lists_) {
        writer.text(key);
        writer.varint(list.size());
        for (const std::uint64_t value : list) writer.varint(value);
    }
    writer.varint(done_.size());
    for (const std::uint64_t value : done_) writer.varint(value);
}

Result<void> RegisterMachine::restore(Bytes state) {
    ByteReader reader(state);
    registers_.clear();
    lists_.clear();
    done_.clear();
    trail_ = reader.fixed<std::uint64_t>().value_or(0);
    const std::uint64_t registers = reader.varint().value_or(0);
    for (std::uint64_t i = 0; i < registers && !reader.failed(); ++i) {
        const std::string key(reader.text().value_or(""));
        registers_[key] = reader.varint().value_or(0);
    }
    const std::uint64_t lists = reader.varint().value_or(0);
    for (std::uint64_t i = 0; i < lists && !reader.failed(); ++i) {
        std::vector<std::uint64_t>& list = lists_[std::string(reader.text().value_or(""))];
        const std::uint64_t size = reader.varint().value_or(0);
        for (std::uint64_t k = 0; k < size && !reader.failed(); ++k) {
            list.push_back(reader.varint().value_or(0));
        }
    }
    const std::uint64_t done = reader.varint().value_or(0);
    for (std::uint64_t i = 0; i < done && !reader.failed(); ++i) {
        done_.push_back(reader.varint().value_or(0));
    }
    if (!reader.done()) return Error{.code = Errc::corrupt, .detail = "registers"};
    return {};
}

std::uint64_t RegisterMachine::value(const std::string& key) const {
    const auto found = registers_.find(key);
    return found == registers_.end() ? 0 : found->second;
}

}  // namespace understudy::swarm
