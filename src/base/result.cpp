// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

namespace skerry {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "skerry"; }
  std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::cancelled: return "cancelled";
      case Errc::deadline_exceeded: return "deadline exceeded";
      case Errc::invalid_argument: return "invalid argument";
      case Errc::not_found: return "not found";
      case Errc::already_exists: return "already exists";
      case Errc::resource_exhausted: return "a limit was reached";
      case Errc::unavailable: return "unavailable, try again";
      case Errc::aborted: return "aborted";
      case Errc::corrupt: return "corrupt data";
      case Errc::io_failed: return "input/output failed";
      case Errc::closed: return "closed";
      case Errc::unsupported: return "not supported";
      case Errc::internal: return "internal error";
    }
    return "unknown error";
  }
};

}  // namespace

std::error_code make_error_code(Errc code) {
  static const Category category;
  return {static_cast<int>(code), category};
}

}  // namespace skerry
