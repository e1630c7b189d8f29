// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "rpc/status.hpp"

namespace skerry::bench {

constexpr auto store_timeout = 30s;
constexpr auto run_timeout = 24h;   // streams live as long as the run

inline Result<> store_result(const rpc::Status& status) {
  if (status.ok()) return {};
  return fail(Errc::unavailable, "the store answered: " + status.message);
}

}  // namespace skerry::bench
