// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "skerry/control/v1/control.pb.h"

namespace skerry::control {

// Who a node says that it is. Fails with invalid_argument when the coordinator is of another cluster.
Result<v1::Greeting> greeting_of(const v1::NodeRecord& record, const v1::Hello& hello);

}   // namespace skerry::control
