#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/network.h"

namespace understudy::contract {

/// One end of a connection, which records everything that it gets.
class End final : public Connection::Observer {
public:
    explicit End(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {
        connection_->start(*this);
    }

    void received(Bytes data) override {
        EXPECT_FALSE(data.empty());
        EXPECT_TRUE(reasons.empty()) << "received() after closed()";
        text.append(as_text(data));
        if (on_received) on_received();
    }
    void drained() override {
        EXPECT_TRUE(reasons.empty()) << "drained() after closed()";
        ++drains;
        if (on_drained) on_drained();
    }
    void closed(const Error& reason) override {
        reasons.push_back(reason);
        if (on_closed) on_closed();
    }

    [[nodiscard]] Connection& connection() { return *connection_; }
    void destroy_connection() { connection_.reset(); }
    [[nodiscard]] bool is_closed() const { return !reasons.empty(); }
    [[nodiscard]] bool closed_with(Errc code) const {
        return reasons.size() == 1 && reasons.front().code == code;
    }

    std::string text;
    int drains = 0;
    std::vector<Error> reasons;
    std::function<void()> on_received;
    std::function<void()> on_drained;
    std::function<void()> on_closed;

private:
    std::unique_ptr<Connection> connection_;
};

}  // namespace understudy::contract
