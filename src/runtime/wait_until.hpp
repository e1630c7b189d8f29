// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/time.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

// Waits in the list until it is woken; at the latest at that time, which wakes all that wait in it. For loops that look at
// everything anew each time.
Task<> wait_until(Core& core, WaitList& list, TimePoint at);

}   // namespace skerry
