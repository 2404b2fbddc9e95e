#pragma once

#include <memory>
#include <string>

#include "runtime/network.h"

namespace understudy::contract {

/// Signs certificates for tests, and leaves them as files in a directory.
class TestAuthority {
public:
    /// Names of files begin with `name`.
    TestAuthority(std::string directory, std::string name);
    ~TestAuthority();
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;

    /// A certificate for `common_name` that names `alternatives` ("IP:127.0.0.1,DNS:localhost"),
    /// its key with mode 0600, and this authority as the one to trust.
    [[nodiscard]] TlsOptions issue(const std::string& common_name,
                                   const std::string& alternatives) const;
    [[nodiscard]] std::string authority_file() const;

private:
    struct Parts;
    const std::string stem_;
    std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::contract
