// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>

#include "base/result.hpp"
#include "rpc/methods.hpp"
#include "skerry/control/v1/control.pb.h"

namespace skerry::control {

// Who a node says that it is. Fails with invalid_argument when the coordinator is of another cluster.
Result<v1::Greeting> greeting_of(const v1::NodeRecord& record, const v1::Hello& hello);

// What a node answers to one order of its coordinator, the number of which it has already; what it fails with ends the call.
using AnswerOrder = std::function<Task<Result<>>(const v1::Order& order, v1::Report& answer)>;
// Answers a coordinator's standing call until it ends; it begins with a hello.
Task<rpc::Status> answer_orders(rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& answers, AnswerOrder answer);

}   // namespace skerry::control
