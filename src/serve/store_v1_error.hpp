// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "rpc/status.hpp"

namespace skerry::serve {

// How a failure is told to clients of skerry.store.v1: with google.rpc.ErrorInfo always. The reasons of Oxia's table stay as they
// are (domain oxia.io); what has none there has one of domain skerry.store.v1:
//   INVALID_REQUEST      it can never succeed; the text names the field
//   TOO_LARGE            it, its answer or its log entry exceeds a limit; the text names it
//   OUTCOME_FORGOTTEN    a request id older than what is remembered: whether it took place is unknown
//   OUTCOME_UNKNOWN      logged, but it could not be learnt whether durably; ask again with the same request id
rpc::Status store_v1_status(const Error& error);

}   // namespace skerry::serve
