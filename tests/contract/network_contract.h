#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/contract/end.h"
#include "tests/contract/harness.h"

namespace understudy::contract {

/// Streams between host 0, which listens, and host 1, which connects.
class NetworkContract : public ContractTest {
protected:
    NetworkContract() : ContractTest(2) {}

    void TearDown() override {
        attempt_.reset();
        client_.reset();
        server_.reset();
        listener_.reset();
    }

    void listen() {
        on_loop(0, [this] {
            auto listener =
                node(0).network().listen(harness_->address(0), harness_->tls(),
                                         [this](std::unique_ptr<Connection> connection) {
                                             server_ = std::make_unique<End>(std::move(connection));
                                         });
            US_ASSERT(static_cast<bool>(listener));
            listener_ = std::move(*listener);
        });
    }

    /// Connects host 1 to `address`; `connected` gets the result.
    void connect(const Address& address, Network::Connected connected) {
        on_loop(1, [&] {
            attempt_ =
                node(1).network().connect(address, harness_->tls(), limit, std::move(connected));
        });
    }

    void establish() {
        listen();
        connect(listener_->address(), [this](Result<std::unique_ptr<Connection>> result) {
            US_ASSERT(static_cast<bool>(result));
            client_ = std::make_unique<End>(std::move(*result));
        });
        US_ASSERT(run_until([this] { return client_ && server_; }));
    }

    void send(std::size_t from, Bytes data) {
        on_loop(from, [&] { end(from).connection().send(data); });
    }
    [[nodiscard]] End& end(std::size_t index) { return index == 0 ? *server_ : *client_; }

    /// Sends until far more is under way than any system buffers.
    void overfill(std::size_t from) {
        const Buffer chunk(256 * KiB);
        on_loop(from, [&] {
            for (std::uint64_t sent = 0; sent < overfilled_bytes; sent += chunk.size()) {
                end(from).connection().send(chunk);
            }
        });
    }

    [[nodiscard]] static std::string numbered_bytes(std::size_t size) {
        std::string text(size, '\0');
        Random random(size);
        for (char& each : text) each = static_cast<char>(random.next());
        return text;
    }

    static constexpr std::uint64_t overfilled_bytes = 32 * MiB;

    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<End> server_;
    std::unique_ptr<End> client_;
};

// --- connecting ----------------------------------------------------------------------------------

TEST_P(NetworkContract, ConnectingToNobodyIsUnavailableAndSaidLater) {
    listen();
    const Address abandoned = listener_->address();
    on_loop(0, [this] { listener_.reset(); });

    std::vector<Error> errors;
    on_loop(1, [&] {
        const auto told = [&](Result<std::unique_ptr<Connection>> result) {
            US_ASSERT(!result);
            errors.push_back(result.error());
        };
        attempt_ = node(1).network().connect(abandoned, harness_->tls(), limit, told);
        EXPECT_TRUE(errors.empty());
    });

    ASSERT_TRUE(run_until([&] { return !errors.empty(); }));
    run_for(settle);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors.front().code, Errc::unavailable);
    EXPECT_EQ(errors.front().effect, Effect::none);
}

TEST_P(NetworkContract, ATakenPortIsInUse) {
    listen();
    on_loop(0, [this] {
        const auto second = node(0).network().listen(listener_->address(), harness_->tls(),
                                                     [](std::unique_ptr<Connection>) {});
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::in_use);
    });
}

TEST_P(NetworkContract, AListenerKnowsItsPortAndItsPortIsFreeAfterwards) {
    listen();
    const Address address = listener_->address();
    EXPECT_NE(address.port, 0);

    on_loop(0, [&] {
        listener_.reset();
        auto again = node(0).network().listen(address, harness_->tls(),
                                              [](std::unique_ptr<Connection>) {});
        ASSERT_TRUE(again);
        EXPECT_EQ((*again)->address(), address);
    });
}

TEST_P(NetworkContract, AHeldPortRefusesUntilItsListenerIsOpenAndOutlivesIt) {
    std::unique_ptr<HeldPort> held;
    on_loop(0, [&] {
        auto chosen = node(0).network().hold_port(harness_->address(0).host);
        ASSERT_TRUE(chosen);
        held = *std::move(chosen);
        EXPECT_NE(held->address().port, 0);
    });

    const auto connects = [&] {
        std::optional<bool> connected;
        on_loop(1, [&] {
            attempt_ = node(1).network().connect(
                held->address(), harness_->tls(), limit,
                [&](Result<std::unique_ptr<Connection>> result) { connected = bool(result); });
        });
        EXPECT_TRUE(run_until([&] { return connected.has_value(); }));
        return connected == true;
    };
    for (int life = 0; life < 2; ++life) {
        EXPECT_FALSE(connects());
        on_loop(0, [&] {
            auto opened = node(0).network().listen(held->address(), harness_->tls(), [](auto) {});
            ASSERT_TRUE(opened) << opened.error().detail;
            listener_ = *std::move(opened);
            EXPECT_EQ(listener_->address(), held->address());
        });
        EXPECT_TRUE(connects());
        on_loop(0, [this] { listener_.reset(); });
    }
    on_loop(0, [&] { held.reset(); });
}

TEST_P(NetworkContract, TheSystemChoosesAHeldPortForNothingElse) {
    std::vector<std::unique_ptr<HeldPort>> held;
    std::vector<std::unique_ptr<Listener>> open;
    on_loop(0, [&] {
        std::set<std::uint16_t> ports;
        for (int i = 0; i < 100; ++i) {
            auto chosen = node(0).network().hold_port(harness_->address(0).host);
            auto listener = node(0).network().listen(harness_->address(0), {}, [](auto) {});
            ASSERT_TRUE(chosen && listener);
            ports.insert((*chosen)->address().port);
            ports.insert((*listener)->address().port);
            held.push_back(*std::move(chosen));
            open.push_back(*std::move(listener));
        }
        EXPECT_EQ(ports.size(), 200u);
        open.clear();
        held.clear();
    });
}

TEST_P(NetworkContract, BothEndsKnowTheirPeer) {
    establish();

    EXPECT_EQ(client_->connection().peer(), listener_->address());
    EXPECT_NE(server_->connection().peer().port, 0);
    EXPECT_FALSE(server_->connection().peer().host.empty());
    EXPECT_EQ(client_->connection().peer_identity().has_value(), harness_->tls().has_value());
    EXPECT_EQ(client_->connection().backlog_bytes(), 0u);
}

// --- within a machine: Unix-domain sockets -------------------------------------------------------

class LocalNetworkContract : public NetworkContract {
protected:
    [[nodiscard]] Address path() const { return {directory_ + "/socket", 0}; }

    /// Listens with host 0. Returns an error, or nothing and sets listener_.
    [[nodiscard]] std::optional<Error> listen_at(const Address& address) {
        std::optional<Error> error;
        on_loop(0, [&] {
            auto listener = node(0).network().listen(
                address, std::nullopt, [this](std::unique_ptr<Connection> connection) {
                    server_ = std::make_unique<End>(std::move(connection));
                });
            if (listener) {
                listener_ = std::move(*listener);
            } else {
                error = listener.error();
            }
        });
        return error;
    }
    void close_listener() {
        on_loop(0, [this] { listener_.reset(); });
    }

    /// Connects from the same host. Returns an error, or nothing and sets client_.
    [[nodiscard]] std::optional<Error> connect_to(const Address& address) {
        std::optional<Error> error;
        on_loop(0, [&] {
            attempt_ = node(0).network().connect(
                address, std::nullopt, limit, [&](Result<std::unique_ptr<Connection>> result) {
                    if (result) {
                        client_ = std::make_unique<End>(std::move(*result));
                    } else {
                        error = result.error();
                    }
                });
            EXPECT_TRUE(!client_ && !error) << "connected within the call";
        });
        US_ASSERT(run_until([&] { return client_ || error; }));
        return error;
    }

    const std::string directory_ = harness_->directory(0);
};

TEST_P(LocalNetworkContract, APathThatIsTooLongIsBadConfig) {
    Address longest{directory_ + "/", 0};
    longest.host.append(local_path_max - longest.host.size(), 's');
    const Address longer{longest.host + 's', 0};

    const auto refused = listen_at(longer);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, Errc::bad_config);
    const auto not_connected = connect_to(longer);
    ASSERT_TRUE(not_connected);
    EXPECT_EQ(not_connected->code, Errc::bad_config);

    EXPECT_FALSE(listen_at(longest));
    EXPECT_FALSE(connect_to(longest));
}

TEST_P(LocalNetworkContract, APathWhereSomebodyListensIsInUse) {
    ASSERT_FALSE(listen_at(path()));

    const auto second = listen_at(path());
    ASSERT_TRUE(second);
    EXPECT_EQ(second->code, Errc::in_use);

    EXPECT_FALSE(connect_to(path())) << "the first one is still found";
}

TEST_P(LocalNetworkContract, WhereNobodyListensAnyMoreIsUnavailableAndFree) {
    ASSERT_FALSE(listen_at(path()));
    close_listener();

    const auto error = connect_to(path());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::unavailable);
    EXPECT_EQ(error->effect, Effect::none);

    EXPECT_FALSE(listen_at(path()));
}

TEST_P(LocalNetworkContract, BytesArriveBothWaysAndBothEndsNameThePath) {
    ASSERT_FALSE(listen_at(path()));
    EXPECT_EQ(listener_->address(), path());
    ASSERT_FALSE(connect_to(path()));
    ASSERT_TRUE(run_until([this] { return server_ != nullptr; }));
    EXPECT_EQ(client_->connection().peer(), path());
    EXPECT_EQ(server_->connection().peer(), path());

    const std::string there = numbered_bytes(3 * MiB);
    const std::string back = numbered_bytes(2 * MiB);
    on_loop(0, [&] {
        client_->connection().send(as_bytes(there));
        server_->connection().send(as_bytes(back));
    });
    ASSERT_TRUE(run_until([&] {
        return server_->text.size() == there.size() && client_->text.size() == back.size();
    }));
    EXPECT_TRUE(server_->text == there);
    EXPECT_TRUE(client_->text == back);

    on_loop(0, [&] { client_->connection().finish(limit); });
    ASSERT_TRUE(run_until([&] { return server_->is_closed(); }));
    EXPECT_TRUE(server_->closed_with(Errc::closed));
}

// --- the end of attempts -------------------------------------------------------------------------

TEST_P(NetworkContract, ADestroyedAttemptTellsNobody) {
    listen();
    bool told = false;
    on_loop(1, [&] {
        attempt_ = node(1).network().connect(
            listener_->address(), harness_->tls(), limit,
            [&](Result<std::unique_ptr<Connection>>) { told = true; });
        attempt_.reset();
    });

    run_for(settle);
    EXPECT_FALSE(told);
}

TEST_P(NetworkContract, AnAttemptMayBeDestroyedByItsOwnHandler) {
    listen();
    const auto kept = std::make_shared<int>(7);
    int seen = 0;
    connect(listener_->address(), [this, &seen, kept](Result<std::unique_ptr<Connection>> result) {
        attempt_.reset();
        US_ASSERT(static_cast<bool>(result));
        client_ = std::make_unique<End>(std::move(*result));
        seen = *kept;
    });

    ASSERT_TRUE(run_until([&] { return seen == 7 && server_ != nullptr; }));
    send(1, as_bytes("still open"));
    EXPECT_TRUE(run_until([&] { return server_->text == "still open"; }));
}

TEST_P(NetworkContract, AnAttemptMayBeDestroyedByItsHandlerAfterAFailure) {
    listen();
    const Address abandoned = listener_->address();
    on_loop(0, [this] { listener_.reset(); });

    bool failed = false;
    connect(abandoned, [this, &failed](Result<std::unique_ptr<Connection>> result) {
        attempt_.reset();
        failed = !result;
    });

    EXPECT_TRUE(run_until([&] { return failed; }));
}

TEST_P(NetworkContract, AListenerMayBeDestroyedByItsOwnHandler) {
    const auto kept = std::make_shared<int>(7);
    int seen = 0;
    on_loop(0, [&] {
        auto listener = node(0).network().listen(
            harness_->address(0), harness_->tls(),
            [this, &seen, kept](std::unique_ptr<Connection> connection) {
                listener_.reset();
                server_ = std::make_unique<End>(std::move(connection));
                seen = *kept;
            });
        US_ASSERT(static_cast<bool>(listener));
        listener_ = std::move(*listener);
    });
    connect(listener_->address(), [this](Result<std::unique_ptr<Connection>> result) {
        if (result) client_ = std::make_unique<End>(std::move(*result));
    });

    ASSERT_TRUE(run_until([&] { return seen == 7 && client_ != nullptr; }));
    send(1, as_bytes("still open"));
    EXPECT_TRUE(run_until([&] { return server_->text == "still open"; }));
}

TEST_P(NetworkContract, AConnectionDestroyedByItsReceiverIsClosed) {
    on_loop(0, [&] {
        auto listener = node(0).network().listen(harness_->address(0), harness_->tls(),
                                                 [](std::unique_ptr<Connection>) {});
        US_ASSERT(static_cast<bool>(listener));
        listener_ = std::move(*listener);
    });
    connect(listener_->address(), [this](Result<std::unique_ptr<Connection>> result) {
        if (result) client_ = std::make_unique<End>(std::move(*result));
    });

    EXPECT_TRUE(run_until([&] { return client_ && client_->is_closed(); }));
}

// --- bytes ---------------------------------------------------------------------------------------

// Three megabytes in each direction at once, in pieces of every size from one byte to 100 KiB.
TEST_P(NetworkContract, BytesArriveCompleteAndInOrderWhateverTheirPieces) {
    establish();
    const std::string sent = numbered_bytes(3 * MiB);
    Random random(1);
    for (std::size_t at = 0; at < sent.size();) {
        const std::uint64_t size_max = random.chance(1, 2) ? 100 : 100 * KiB;
        const auto size = static_cast<std::size_t>(
            std::min<std::uint64_t>(1 + random.below(size_max), sent.size() - at));
        const Bytes piece = as_bytes(std::string_view(sent).substr(at, size));
        on_loop(0, [&] { server_->connection().send(piece); });
        on_loop(1, [&] { client_->connection().send(piece); });
        at += size;
    }

    ASSERT_TRUE(run_until([&] {
        return client_->text.size() >= sent.size() && server_->text.size() >= sent.size();
    }));
    EXPECT_TRUE(client_->text == sent);
    EXPECT_TRUE(server_->text == sent);
    EXPECT_FALSE(client_->is_closed());
}

TEST_P(NetworkContract, WhatIsSentBeforeStartingArrivesToo) {
    listen();
    connect(listener_->address(), [this](Result<std::unique_ptr<Connection>> result) {
        US_ASSERT(static_cast<bool>(result));
        (*result)->send(as_bytes("hello"));
        client_ = std::make_unique<End>(std::move(*result));
    });

    EXPECT_TRUE(run_until([&] { return server_ && server_->text == "hello"; }));
}

TEST_P(NetworkContract, SendCopiesWhatItIsGiven) {
    establish();
    on_loop(1, [&] {
        std::string text = "original";
        client_->connection().send(as_bytes(text));
        text.assign("replaced");
        client_->connection().send({});
    });

    EXPECT_TRUE(run_until([&] { return server_->text == "original"; }));
}

TEST_P(NetworkContract, TheBacklogGrowsWhileThePeerDoesNotReadAndDrainsOnceItDoes) {
    establish();
    harness_->pause(0, true);
    overfill(1);
    EXPECT_GE(client_->connection().backlog_bytes(), Connection::high_water_bytes);
    run_for(settle);
    EXPECT_GE(client_->connection().backlog_bytes(), Connection::high_water_bytes);
    EXPECT_EQ(client_->drains, 0);

    harness_->pause(0, false);

    ASSERT_TRUE(run_until([&] { return client_->drains == 1; }));
    EXPECT_EQ(client_->connection().backlog_bytes(), 0u);
    ASSERT_TRUE(run_until([&] { return server_->text.size() == overfilled_bytes; }));
    EXPECT_EQ(client_->drains, 1);
}

TEST_P(NetworkContract, AConnectionThatWasFullWorksAsBefore) {
    establish();
    for (int round = 0; round < 3; ++round) {
        server_->text.clear();
        client_->text.clear();
        overfill(1);
        ASSERT_TRUE(run_until([&] { return server_->text.size() == overfilled_bytes; }));

        send(0, as_bytes("question"));
        ASSERT_TRUE(run_until([&] { return client_->text == "question"; })) << "round " << round;
        send(1, as_bytes("answer"));
        ASSERT_TRUE(run_until([&] { return server_->text.ends_with("answer"); }));
    }
}

TEST_P(NetworkContract, ABacklogBelowTheHighWaterMarkDrainsInSilence) {
    establish();
    const Buffer chunk(Connection::high_water_bytes - 1);
    send(1, chunk);

    ASSERT_TRUE(run_until([&] { return server_->text.size() == chunk.size(); }));
    EXPECT_EQ(client_->connection().backlog_bytes(), 0u);
    EXPECT_EQ(client_->drains, 0);
}

// --- the end -------------------------------------------------------------------------------------

TEST_P(NetworkContract, ClosedIsCalledOnceAndLast) {
    establish();
    on_loop(0, [this] {
        server_->connection().send(as_bytes("last words"));
        server_->connection().send(as_bytes(" before the end"));
        server_->connection().finish(limit);
    });

    ASSERT_TRUE(run_until([&] { return client_->is_closed(); }));
    run_for(settle);
    EXPECT_EQ(client_->text, "last words before the end");
    EXPECT_TRUE(client_->closed_with(Errc::closed)) << to_string(client_->reasons.front());
}

TEST_P(NetworkContract, ADestroyedConnectionEndsForItsPeerAndTellsItsObserverNothing) {
    establish();
    on_loop(1, [this] { client_->destroy_connection(); });

    ASSERT_TRUE(run_until([&] { return server_->is_closed(); }));
    EXPECT_TRUE(server_->closed_with(Errc::closed)) << to_string(server_->reasons.front());
    run_for(settle);
    EXPECT_FALSE(client_->is_closed());
}

TEST_P(NetworkContract, SendingToAPeerThatIsGoneIsHarmless) {
    establish();
    on_loop(0, [this] { server_->destroy_connection(); });
    ASSERT_TRUE(run_until([&] { return client_->is_closed(); }));

    send(1, as_bytes("nobody hears this"));
    on_loop(1, [this] { client_->connection().finish(1s); });

    run_for(settle);
    EXPECT_EQ(client_->reasons.size(), 1u);
}

TEST_P(NetworkContract, AConnectionMayBeDestroyedWhileItReceives) {
    establish();
    client_->on_received = [this] { client_->destroy_connection(); };
    const Buffer chunk(1 * MiB);
    send(0, chunk);

    ASSERT_TRUE(run_until([&] { return server_->is_closed(); }));
    run_for(settle);
    EXPECT_FALSE(client_->is_closed());
}

TEST_P(NetworkContract, AConnectionMayBeDestroyedByClosed) {
    establish();
    client_->on_closed = [this] { client_->destroy_connection(); };
    on_loop(0, [this] { server_->destroy_connection(); });

    ASSERT_TRUE(run_until([&] { return client_->is_closed(); }));
    run_for(settle);
    EXPECT_EQ(client_->reasons.size(), 1u);
}

TEST_P(NetworkContract, AConnectionMayBeDestroyedWhenItHasDrained) {
    establish();
    client_->on_drained = [this] { client_->destroy_connection(); };
    overfill(1);

    ASSERT_TRUE(run_until([&] { return server_->is_closed(); }));
    EXPECT_EQ(client_->drains, 1);
}

TEST_P(NetworkContract, FinishFlushesTheWholeBacklog) {
    establish();
    const std::string sent = numbered_bytes(5 * MiB);
    on_loop(1, [&] {
        client_->connection().send(as_bytes(sent));
        client_->connection().finish(limit);
    });

    ASSERT_TRUE(run_until([&] { return server_->is_closed() && client_->is_closed(); }));
    EXPECT_TRUE(server_->text == sent);
    EXPECT_TRUE(server_->closed_with(Errc::closed)) << to_string(server_->reasons.front());
    EXPECT_TRUE(client_->closed_with(Errc::closed)) << to_string(client_->reasons.front());
}

TEST_P(NetworkContract, FinishGivesUpOnAPeerThatDoesNotRead) {
    establish();
    harness_->pause(0, true);
    overfill(1);
    on_loop(1, [this] { client_->connection().finish(20ms); });

    ASSERT_TRUE(run_until([&] { return client_->is_closed(); }));
    EXPECT_TRUE(client_->closed_with(Errc::unavailable)) << to_string(client_->reasons.front());
    harness_->pause(0, false);
    EXPECT_TRUE(run_until([&] { return server_->is_closed(); }));
}

TEST_P(NetworkContract, AfterFinishOnlyClosedComesAndNothingMoreIsSent) {
    establish();
    on_loop(1, [this] {
        client_->connection().send(as_bytes("before"));
        client_->connection().finish(limit);
        client_->connection().send(as_bytes("after"));
    });
    send(0, as_bytes("too late"));

    ASSERT_TRUE(run_until([&] { return server_->is_closed() && client_->is_closed(); }));
    EXPECT_EQ(server_->text, "before");
    EXPECT_EQ(client_->text, "");
}

// A server without room sends a long reason to a client that reads late and goes on sending. If the
// connection were closed as soon as the reason was sent, the client's next message would destroy
// the reason.
TEST_P(NetworkContract, LastWordsReachAPeerThatIsSending) {
    establish();
    const std::string words = numbered_bytes(300 * KiB);
    const Buffer chunk(64 * KiB);
    client_->on_received = [&] { client_->connection().send(chunk); };
    harness_->pause(1, true);
    on_loop(0, [&] {
        server_->connection().send(as_bytes(words));
        server_->connection().finish(limit);
    });
    run_for(settle);

    harness_->pause(1, false);

    ASSERT_TRUE(run_until([&] { return client_->is_closed() && server_->is_closed(); }));
    EXPECT_TRUE(client_->text == words);
}

}  // namespace understudy::contract
