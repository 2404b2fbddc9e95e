// TLS with attackers, wrong configurations and broken peers. network_contract.h tests the streams
// themselves, also with TLS.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <openssl/ssl.h>

#include "base/random.h"
#include "base/scratch_test.h"
#include "platform/asio_runtime.h"
#include "platform/network/network.h"
#include "tests/contract/certificates.h"
#include "tests/contract/end.h"
#include "tests/contract/platform_harness.h"

namespace understudy::contract {
namespace {

using platform::SocketNetwork;

// An end that speaks TLS in an unusual way, over a plain connection.
class RawTls {
public:
    RawTls(SSL_CTX* context, End& end) : ssl_(SSL_new(context), &SSL_free), end_(end) {
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
        end_.on_received = [this] { advance(); };
    }

    void advance() {
        BIO_write(SSL_get_rbio(ssl_.get()), end_.text.data(), static_cast<int>(end_.text.size()));
        end_.text.clear();
        shaken = SSL_do_handshake(ssl_.get()) == 1;
        char ignored[256];
        if (shaken) (void)SSL_read(ssl_.get(), ignored, sizeof ignored);
        flush();
    }
    void change_keys() {
        (void)SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
        (void)SSL_do_handshake(ssl_.get());
        flush();
    }

    bool shaken = false;

private:
    void flush() {
        char* data = nullptr;
        const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
        if (size <= 0) return;
        end_.connection().send(as_bytes({data, static_cast<std::size_t>(size)}));
        (void)BIO_reset(SSL_get_wbio(ssl_.get()));
    }

    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
    End& end_;
};

class Tls : public testing::Test {
protected:
    ~Tls() override {
        raw_.reset();
        client_.reset();
        servers_.clear();
        attempt_.reset();
        listener_.reset();
    }

    [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration limit = 20s) {
        return harness_->run_until(done, limit);
    }
    [[nodiscard]] Network& network(std::size_t index) { return harness_->node(index).network(); }
    [[nodiscard]] const platform::LoopFigures& server_figures() {
        return dynamic_cast<platform::AsioRuntime&>(harness_->node(0)).figures();
    }

    [[nodiscard]] Result<void> listen(const std::optional<TlsOptions>& tls) {
        auto listener = network(0).listen({"127.0.0.1", 0}, tls,
                                          [this](std::unique_ptr<Connection> connection) {
                                              servers_.push_back(
                                                  std::make_unique<End>(std::move(connection)));
                                          });
        if (!listener) return listener.error();
        listener_ = std::move(*listener);
        return {};
    }

    // Connects host 1 and waits for the decision. An accepted client sends a hello, because with
    // TLS 1.3 it is done before the server has checked its certificate.
    void connect(const std::optional<TlsOptions>& tls, Duration timeout = 10s) {
        error_.reset();
        client_.reset();
        attempt_ = network(1).connect(
            {host_, listener_->address().port}, tls, timeout,
            [this](Result<std::unique_ptr<Connection>> result) {
                if (!result) {
                    error_ = result.error();
                    return;
                }
                client_ = std::make_unique<End>(std::move(*result));
                client_->on_closed = [this] { error_ = client_->reasons.front(); };
            });
        US_ASSERT(run_until([&] { return error_ || client_; }));
    }
    void connect_and_greet(const TlsOptions& tls) {
        connect(tls);
        if (!client_) return;
        client_->connection().send(as_bytes("hello"));
        US_ASSERT(run_until([&] {
            return error_ || (!servers_.empty() && servers_.back()->text == "hello");
        }));
    }
    void connect_raw(SSL_CTX* context) {
        connect(std::nullopt);
        raw_ = std::make_unique<RawTls>(context, *client_);
        raw_->advance();
    }

    [[nodiscard]] Errc error() const { return error_ ? error_->code : Errc{}; }

    const Scratch scratch_;
    const TestAuthority authority_{scratch_.path, "ours"};
    const TestAuthority stranger_{scratch_.path, "stranger"};
    const TlsOptions server_tls_ = authority_.issue("server", "IP:127.0.0.1,DNS:localhost");
    const TlsOptions client_tls_ = authority_.issue("client", "");
    const std::unique_ptr<Harness> harness_ = make_platform_harness(2);

    std::string host_ = "127.0.0.1";  // The name that the client uses for the server.
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Attempt> attempt_;
    std::vector<std::unique_ptr<End>> servers_;
    std::unique_ptr<End> client_;
    std::unique_ptr<RawTls> raw_;
    std::optional<Error> error_;
};

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

Context client_context(const std::string& authority_file) {
    Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    US_ASSERT(SSL_CTX_load_verify_file(context.get(), authority_file.c_str()) == 1);
    return context;
}

void give_certificate(SSL_CTX* context, const TlsOptions& tls) {
    US_ASSERT(SSL_CTX_use_certificate_file(context, tls.certificate_file.c_str(),
                                           SSL_FILETYPE_PEM) == 1);
    US_ASSERT(SSL_CTX_use_PrivateKey_file(context, tls.key_file.c_str(), SSL_FILETYPE_PEM) == 1);
}

// --- accepted and refused certificates ---------------------------------------------------------

TEST_F(Tls, TwoEndsOfOneAuthorityLearnEachOthersNames) {
    ASSERT_TRUE(listen(server_tls_));
    connect_and_greet(client_tls_);

    ASSERT_FALSE(error_) << to_string(*error_);
    EXPECT_EQ(client_->connection().peer_identity(), "server");
    EXPECT_EQ(servers_.back()->connection().peer_identity(), "client");
    EXPECT_EQ(server_figures().handshakes_failed, 0u);
}

TEST_F(Tls, AServerOfAnotherAuthorityIsDenied) {
    ASSERT_TRUE(listen(stranger_.issue("server", "IP:127.0.0.1")));
    connect(client_tls_);

    EXPECT_EQ(error(), Errc::denied);
    EXPECT_EQ(error_->effect, Effect::none);
    EXPECT_TRUE(servers_.empty());
}

TEST_F(Tls, AClientOfAnotherAuthorityIsDenied) {
    TlsOptions tls = stranger_.issue("client", "");
    tls.authority_file = authority_.authority_file();  // It trusts the server all the same.
    ASSERT_TRUE(listen(server_tls_));
    connect_and_greet(tls);

    EXPECT_EQ(error(), Errc::denied) << to_string(*error_);
    EXPECT_TRUE(servers_.empty());
    EXPECT_EQ(server_figures().handshakes_failed, 1u);
}

TEST_F(Tls, ACertificateForAnotherHostIsDenied) {
    ASSERT_TRUE(listen(authority_.issue("server", "IP:127.0.0.2,DNS:elsewhere")));
    for (const char* host : {"127.0.0.1", "localhost"}) {
        host_ = host;
        connect(client_tls_);
        EXPECT_EQ(error(), Errc::denied) << host;
    }
}

TEST_F(Tls, ACertificateServesEachNameThatItHolds) {
    ASSERT_TRUE(listen(server_tls_));
    for (const char* host : {"127.0.0.1", "localhost"}) {
        host_ = host;
        connect_and_greet(client_tls_);
        EXPECT_FALSE(error_) << host;
    }
}

TEST_F(Tls, ACommonNameIsNoHostName) {
    ASSERT_TRUE(listen(authority_.issue("localhost", "")));
    host_ = "localhost";
    connect(client_tls_);

    EXPECT_EQ(error(), Errc::denied);
}

TEST_F(Tls, AClientWithoutCertificateIsDenied) {
    ASSERT_TRUE(listen(server_tls_));
    const Context context = client_context(authority_.authority_file());
    connect_raw(context.get());

    EXPECT_TRUE(run_until([&] { return client_->is_closed(); }));
    EXPECT_TRUE(servers_.empty());
    EXPECT_EQ(server_figures().handshakes_failed, 1u);
}

TEST_F(Tls, AnOlderProtocolIsDenied) {
    ASSERT_TRUE(listen(server_tls_));
    const Context context = client_context(authority_.authority_file());
    give_certificate(context.get(), client_tls_);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    connect_raw(context.get());

    EXPECT_TRUE(run_until([&] { return client_->is_closed(); }));
    EXPECT_FALSE(raw_->shaken);
    EXPECT_TRUE(servers_.empty());
}

// --- peers without TLS -------------------------------------------------------------------------

TEST_F(Tls, APlainClientIsTurnedAway) {
    ASSERT_TRUE(listen(server_tls_));
    connect(std::nullopt);
    client_->connection().send(as_bytes("CONNECT\n\n"));

    EXPECT_TRUE(run_until([&] { return client_->is_closed(); }));
    EXPECT_TRUE(servers_.empty());
}

TEST_F(Tls, APlainServerIsDenied) {
    ASSERT_TRUE(listen(std::nullopt));
    const auto denied = [this](const auto& result) {
        US_ASSERT(!result);
        error_ = result.error();
    };
    attempt_ = network(1).connect(listener_->address(), client_tls_, 10s, denied);
    ASSERT_TRUE(run_until([&] { return !servers_.empty(); }));
    servers_.back()->connection().send(as_bytes("+OK who are you?\r\n"));

    ASSERT_TRUE(run_until([&] { return error_.has_value(); }));
    EXPECT_EQ(error(), Errc::denied);
}

TEST_F(Tls, GarbageIsTurnedAwayWhateverItIs) {
    ASSERT_TRUE(listen(server_tls_));
    Random random(3);
    for (int round = 0; round < 50; ++round) {
        connect(std::nullopt);
        Buffer garbage(1 + random.below(2000));
        for (std::byte& each : garbage) each = static_cast<std::byte>(random.next());
        // Half of them look like the first record of a handshake.
        if (round % 2 == 0) {
            const std::byte header[] = {std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0}};
            std::copy_n(header, std::min<std::size_t>(4, garbage.size()), garbage.begin());
        }
        client_->connection().send(garbage);
        client_->connection().finish(5s);
        ASSERT_TRUE(run_until([&] { return client_->is_closed(); })) << "round " << round;
    }

    EXPECT_TRUE(servers_.empty());
    connect_and_greet(client_tls_);
    EXPECT_FALSE(error_);
}

TEST_F(Tls, ASilentServerCostsTheClientItsTimeout) {
    ASSERT_TRUE(listen(std::nullopt));
    connect(client_tls_, 30ms);

    EXPECT_EQ(error(), Errc::timed_out);
}

TEST_F(Tls, AnAttemptGivenUpDuringItsHandshakeIsOver) {
    ASSERT_TRUE(listen(std::nullopt));
    attempt_ = network(1).connect(listener_->address(), client_tls_, 10s,
                                  [](const auto&) { FAIL() << "it was given up"; });
    ASSERT_TRUE(run_until([&] { return !servers_.empty() && !servers_.back()->text.empty(); }));

    attempt_.reset();

    EXPECT_TRUE(run_until([&] { return servers_.back()->is_closed(); }));
}

TEST_F(Tls, ASilentClientIsTurnedAwayAtTheDeadline) {
    ASSERT_TRUE(listen(server_tls_));
    connect(std::nullopt);

    EXPECT_FALSE(run_until([&] { return client_->is_closed(); },
                           SocketNetwork::handshake_time_max - 500ms));
    EXPECT_TRUE(run_until([&] { return client_->is_closed(); }, 2s));
    EXPECT_EQ(server_figures().handshakes_failed, 1u);
}

// Silent peers cannot block the port: the one that has been silent for longest is closed.
TEST_F(Tls, StrangersWhoSayNothingDelayNobody) {
    ASSERT_TRUE(listen(server_tls_));
    std::vector<std::unique_ptr<End>> silent;
    for (std::size_t i = 0; i < SocketNetwork::handshakes_max; ++i) {
        connect(std::nullopt);
        silent.push_back(std::move(client_));
        silent.back()->on_closed = nullptr;  // It is expected for one of them.
    }

    connect_and_greet(client_tls_);

    EXPECT_FALSE(error_);
    EXPECT_TRUE(run_until([&] { return silent.front()->is_closed(); }));
    EXPECT_FALSE(silent.back()->is_closed());
}

// --- faults after the handshake ----------------------------------------------------------------

TEST_F(Tls, AnEndWithoutFarewellIsNotAnOrderlyOne) {
    ASSERT_TRUE(listen(server_tls_));
    const Context context = client_context(authority_.authority_file());
    give_certificate(context.get(), client_tls_);
    connect_raw(context.get());
    ASSERT_TRUE(run_until([&] { return !servers_.empty(); }));

    client_->destroy_connection();

    ASSERT_TRUE(run_until([&] { return servers_.back()->is_closed(); }));
    EXPECT_TRUE(servers_.back()->closed_with(Errc::unavailable));
}

TEST_F(Tls, ABrokenRecordEndsTheConnection) {
    ASSERT_TRUE(listen(server_tls_));
    const Context context = client_context(authority_.authority_file());
    give_certificate(context.get(), client_tls_);
    connect_raw(context.get());
    ASSERT_TRUE(run_until([&] { return !servers_.empty(); }));

    std::string record("\x17\x03\x03\x00\x20", 5);
    record.append(32, 'x');
    client_->connection().send(as_bytes(record));

    ASSERT_TRUE(run_until([&] { return servers_.back()->is_closed(); }));
    EXPECT_TRUE(servers_.back()->closed_with(Errc::denied));
}

TEST_F(Tls, APeerThatKeepsChangingKeysIsDenied) {
    ASSERT_TRUE(listen(server_tls_));
    const Context context = client_context(authority_.authority_file());
    give_certificate(context.get(), client_tls_);
    connect_raw(context.get());
    ASSERT_TRUE(run_until([&] { return raw_->shaken && !servers_.empty(); }));

    for (int i = 0; i < 10; ++i) raw_->change_keys();
    EXPECT_FALSE(run_until([&] { return client_->is_closed(); }, 20ms));
    for (int i = 0; i < 10; ++i) raw_->change_keys();

    ASSERT_TRUE(run_until([&] { return servers_.back()->is_closed(); }));
    EXPECT_TRUE(servers_.back()->closed_with(Errc::denied));
}

// --- files ---------------------------------------------------------------------------------------

TEST_F(Tls, AKeyThatOthersMayReadIsRefused) {
    ASSERT_EQ(::chmod(server_tls_.key_file.c_str(), 0640), 0);

    const auto listening = listen(server_tls_);
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code, Errc::bad_config);
    EXPECT_NE(listening.error().detail.find(server_tls_.key_file), std::string::npos);

    ASSERT_TRUE(listen(std::nullopt));
    connect(server_tls_);
    EXPECT_EQ(error(), Errc::bad_config);
}

TEST_F(Tls, FilesThatAreMissingForeignOrBrokenAreRefused) {
    const std::string broken = scratch_.path + "/broken.pem";
    std::filesystem::copy_file(scratch_.path + "/ours.server.key", broken);
    std::filesystem::resize_file(broken, 100);
    std::filesystem::permissions(broken, std::filesystem::perms::owner_read);

    const auto refused = [&](std::string TlsOptions::*file, const std::string& instead) {
        TlsOptions tls = server_tls_;
        tls.*file = instead;
        const auto listening = listen(tls);
        return !listening && listening.error().code == Errc::bad_config;
    };
    for (const auto file : {&TlsOptions::certificate_file, &TlsOptions::key_file,
                            &TlsOptions::authority_file}) {
        EXPECT_TRUE(refused(file, scratch_.path + "/missing"));
        EXPECT_TRUE(refused(file, scratch_.path));
        EXPECT_TRUE(refused(file, broken));
        EXPECT_TRUE(refused(file, ""));
    }
    EXPECT_TRUE(refused(&TlsOptions::key_file, client_tls_.key_file));
}

TEST_F(Tls, RenewedFilesServeTheNextConnectionAndLeaveTheOthersAlone) {
    ASSERT_TRUE(listen(server_tls_));
    connect_and_greet(client_tls_);
    ASSERT_FALSE(error_);
    const std::unique_ptr<End> before = std::move(client_);

    const TlsOptions renewed = authority_.issue("renewed", "IP:127.0.0.1");
    std::filesystem::rename(renewed.certificate_file, server_tls_.certificate_file);
    connect_and_greet(client_tls_);
    ASSERT_FALSE(error_) << "half replaced, the old ones serve: " << to_string(*error_);
    EXPECT_EQ(client_->connection().peer_identity(), "server");

    std::filesystem::rename(renewed.key_file, server_tls_.key_file);
    connect_and_greet(client_tls_);
    ASSERT_FALSE(error_) << to_string(*error_);
    EXPECT_EQ(client_->connection().peer_identity(), "renewed");
    EXPECT_FALSE(before->is_closed());
}

}  // namespace
}  // namespace understudy::contract
