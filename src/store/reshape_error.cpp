// SPDX-License-Identifier: Apache-2.0
#include "store/reshape_error.hpp"

#include <string>

namespace skerry::store {
namespace {

class ReshapeCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "skerry.reshape"; }
  std::string message(int code) const override {
    switch (static_cast<ReshapeError>(code)) {
      case ReshapeError::outdated: return "another term has begun";
      case ReshapeError::behind: return "this replica can't make the copy";
      case ReshapeError::foreign_records: return "a record lies where its hash does not belong";
      case ReshapeError::sessions_collide: return "sessions have the same id";
    }
    return "unknown reshape error";
  }
};

}  // namespace

std::error_code make_error_code(ReshapeError code) {
  static const ReshapeCategory category;
  return {static_cast<int>(code), category};
}

}  // namespace skerry::store
