#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

/// Marks what the shared library exports. Everything else is hidden.
#define US_API __attribute__((visibility("default")))

/// Checks an invariant of our own code, in every build type. Never use it on input.
#define US_ASSERT(condition) \
    ((condition) ? void() : ::understudy::assert_failed(#condition, __FILE__, __LINE__))

#define US_CONCAT_(a, b) a##b
#define US_CONCAT(a, b) US_CONCAT_(a, b)
#define US_TRY_(result, expression)                                 \
    __extension__({                                                 \
        auto&& result = (expression);                               \
        if (!result) [[unlikely]] return std::move(result).error(); \
        *std::move(result);                                         \
    })

/// Yields the value of a Result, or returns its error from the enclosing function.
#define US_TRY(expression) US_TRY_(US_CONCAT(us_try_, __COUNTER__), expression)

/// Returns the error of a Result<void> from the enclosing function, or goes on.
#define US_CHECK(expression)                                              \
    do {                                                                  \
        if (auto us_checked = (expression); !us_checked) [[unlikely]]     \
            return std::move(us_checked).error();                         \
    } while (false)

namespace understudy {

/// Prints the broken expectation and aborts the process; its standby takes over.
[[noreturn]] US_API void assert_failed(const char* condition, const char* file, int line);

/// Why an operation failed. A code exists only if some caller reacts to it differently; everything
/// else is `detail`. The numbers are part of the wire format: never reuse or renumber them.
enum class Errc : std::uint16_t {
    timed_out = 1,        ///< The deadline passed first.
    not_active = 2,       ///< This member does not hold the active role.
    session_expired = 3,  ///< The peer has forgotten this session; start a new one.
    limit_exceeded = 4,   ///< A declared bound was reached; the same request will reach it again.
    corrupt = 5,          ///< Bytes contradict their checksum or their format.
    disk_failed = 6,      ///< A write, read or sync returned an error.
    bad_config = 7,       ///< An option or argument is wrong; `detail` says which.
    unavailable = 8,      ///< Nothing answers there now.
    refused = 9,          ///< The peer understood and refused; `detail` says why.
    not_found = 10,       ///< No such service, member, record or call.
    already_exists = 11,  ///< The name is in use by a live member or by a file.
    no_space = 12,        ///< The disk is full; nothing was written.
    closed = 13,          ///< The object or the connection was closed.
    stale_epoch = 14,     ///< The sender's epoch is below one already seen.
    denied = 15,          ///< Not authenticated, or the peer does not allow it.
    in_use = 16,          ///< Another process holds the resource.
    failed = 17,          ///< The remote handler ran and reported a failure.
    no_descriptors = 18,  ///< No descriptor is left in the process or the system; this may pass.
    no_memory = 19,       ///< The system has no memory left for this; this may pass.
    bad_path = 20,  ///< Too long, or a file stands where a directory is wanted, or the reverse.
    not_permitted = 21,  ///< The system does not permit it: file permissions, or a low port.
    no_such_file = 22,   ///< There is no such file or directory.
};

/// The stable name of a code, as it appears in logs and in `--json` output.
[[nodiscard]] US_API std::string_view name(Errc code);

/// True for a shortage of the process or the system, which may pass by itself. If it occurs before
/// a write, nothing is lost and the operation can be tried again.
[[nodiscard]] constexpr bool is_shortage(Errc code) {
    return code == Errc::no_descriptors || code == Errc::no_memory;
}

/// What the caller may conclude after a failure.
enum class Effect : std::uint8_t {
    none,     ///< It did not happen. It may be repeated anywhere.
    unknown,  ///< It may have happened. Repeat it only if it may happen twice.
};

struct Error {
    Errc code;
    Effect effect = Effect::none;
    std::string detail = {};  ///< For people and logs. Programs never parse it.
};

/// "not_active: Foo/Bar1 is standby (effect: none)"
[[nodiscard]] US_API std::string to_string(const Error& error);

/// What value_or_throw() throws, for callers that prefer exceptions.
class US_API Exception : public std::runtime_error {
public:
    explicit Exception(Error error)
        : std::runtime_error(to_string(error)), error_(std::move(error)) {}
    [[nodiscard]] const Error& error() const { return error_; }

private:
    Error error_;
};

/// A value, or the Error that explains why there is none.
///
/// This is the subset of std::expected that we use, with three differences: the type itself is
/// nodiscard, only value_or_throw() throws, and access to the wrong side is an assertion failure.
template <class T>
class [[nodiscard]] Result {
public:
    template <class U = T>
        requires std::convertible_to<U, T> && (!std::same_as<std::remove_cvref_t<U>, Error>)
    Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }

    const T& operator*() const& { return get<0>(state_); }
    T& operator*() & { return get<0>(state_); }
    T&& operator*() && { return std::move(get<0>(state_)); }
    const T* operator->() const { return &get<0>(state_); }
    T* operator->() { return &get<0>(state_); }

    const Error& error() const& { return get<1>(state_); }
    Error&& error() && { return std::move(get<1>(state_)); }

    /// The value, or an Exception that carries the Error.
    T value_or_throw() && {
        if (!*this) throw Exception(error());
        return std::move(get<0>(state_));
    }

private:
    template <std::size_t side, class State>
    static auto& get(State& state) {
        US_ASSERT(state.index() == side);
        return *std::get_if<side>(&state);
    }

    std::variant<T, Error> state_;
};

/// Success, or the Error that says why not.
template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const { return !error_; }
    void operator*() const { US_ASSERT(!error_); }

    const Error& error() const& {
        US_ASSERT(error_.has_value());
        return *error_;
    }
    Error&& error() && {
        US_ASSERT(error_.has_value());
        return std::move(*error_);
    }

    void value_or_throw() && {
        if (error_) throw Exception(*error_);
    }

private:
    std::optional<Error> error_;
};

}  // namespace understudy
