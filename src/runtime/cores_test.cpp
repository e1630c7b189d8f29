// SPDX-License-Identifier: Apache-2.0
#include "runtime/cores.hpp"

#include <gtest/gtest.h>

#include "runtime/core_threads.hpp"
#include "runtime/join.hpp"
#include "runtime/queue.hpp"
#include "runtime/sharded.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

TEST(Sharded, compiles) {
  SystemClock clock;
  Cores cores(2, clock, 1);
  Sharded<std::string> s(cores);
  (void)s.invoke_on(CoreId{0}, &std::string::size);
}

}  // namespace
}  // namespace skerry
