// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace skerry {

// What went wrong: a code for the caller that acts on it, and a text for the person who reads it.
// Codes are enums registered with <system_error>: `Errc` below, and one enum per room that needs finer ones.
struct Error {
  std::error_code code;
  std::string text;   // may be empty: then the code's own message says enough

  // The text where there is one, otherwise the code's message.
  std::string message() const { return text.empty() ? code.message() : text; }

  friend bool operator==(const Error& error, const std::error_code& wanted) { return error.code == wanted; }
};

// Failures that callers in every room tell apart. A code exists only if some caller acts on it.
enum class Errc {
  cancelled = 1,        // the caller went away or the scope is closing
  deadline_exceeded,    // the outcome may be unknown
  invalid_argument,     // the request can never succeed as it stands
  not_found,
  already_exists,
  resource_exhausted,   // a named limit was reached
  unavailable,          // try again later or elsewhere
  aborted,
  corrupt,              // bytes that fail their checksum or cannot be decoded
  io_failed,            // the operating system refused; the text names file and reason
  closed,               // the other end, or this object, is closed
  unsupported,
  internal,             // our bug
};
std::error_code make_error_code(Errc code);

// A value or an Error. Expected failures travel as values; exceptions remain for cancellation and lack of memory.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
  using Base = std::expected<T, Error>;

 public:
  using Base::Base;
  Result() = default;
  Result(const Result&) = default;
  Result(Result&&) = default;
  // Without this, copying a non-const Result<bool> would ask its operator bool.
  Result(Result& other) : Base(static_cast<const Base&>(other)) {}
  Result& operator=(const Result&) = default;
  Result& operator=(Result&&) = default;
};

inline std::unexpected<Error> fail(std::error_code code, std::string text = {}) {
  return std::unexpected(Error{code, std::move(text)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

}  // namespace skerry

template <>
struct std::is_error_code_enum<skerry::Errc> : std::true_type {};

#define SKERRY_CONCAT_(a, b) a##b
#define SKERRY_CONCAT(a, b) SKERRY_CONCAT_(a, b)
#define SKERRY_TRY_(leave, temporary, declaration, ...) \
  auto temporary = (__VA_ARGS__); \
  if (!temporary.has_value()) [[unlikely]] \
    leave std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
#define SKERRY_TRYV_(leave, temporary, ...) \
  if (auto temporary = (__VA_ARGS__); !temporary.has_value()) [[unlikely]] \
  leave std::unexpected(std::move(temporary).error())

// TRY(const ShardId shard, find(key));  declares `shard`, or returns the error from this function.
#define TRY(declaration, ...) SKERRY_TRY_(return, SKERRY_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
#define TRYV(...) SKERRY_TRYV_(return, SKERRY_CONCAT(try_, __COUNTER__), __VA_ARGS__)
// The same inside a coroutine.
#define CO_TRY(declaration, ...) SKERRY_TRY_(co_return, SKERRY_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
#define CO_TRYV(...) SKERRY_TRYV_(co_return, SKERRY_CONCAT(try_, __COUNTER__), __VA_ARGS__)
