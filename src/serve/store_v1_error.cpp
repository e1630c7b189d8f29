// SPDX-License-Identifier: Apache-2.0
#include "serve/store_v1_error.hpp"

#include "replica/shard_error.hpp"
#include "serve/oxia_error.hpp"

namespace skerry::serve {
namespace {

rpc::Status told(rpc::Code code, const Error& error, const char* reason) {
  return rpc::Status::with_info(code, error.message(), {"skerry.store.v1", reason, {}});
}

}  // namespace

rpc::Status store_v1_status(const Error& error) {
  if (error == Errc::invalid_argument) return told(rpc::Code::invalid_argument, error, "INVALID_REQUEST");
  if (error == Errc::resource_exhausted) return told(rpc::Code::resource_exhausted, error, "TOO_LARGE");
  if (error == Errc::aborted) return told(rpc::Code::failed_precondition, error, "OUTCOME_FORGOTTEN");
  if (error == replica::ShardError::outcome_unknown) return told(rpc::Code::unknown, error, "OUTCOME_UNKNOWN");
  return oxia_status(error);
}

}  // namespace skerry::serve
