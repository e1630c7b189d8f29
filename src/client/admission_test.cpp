// SPDX-License-Identifier: Apache-2.0
#include "client/admission.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "runtime/task_scope.hpp"

namespace skerry::client {
namespace {

struct AdmissionWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  Admission admission{core, 2, 100};
  std::vector<std::string> log;
  std::vector<Admission::Lease> leases;
  TaskScope tasks{core};

  void run() {
    while (core.run_turn()) {}
  }
  ~AdmissionWorld() {
    core.drop_frames();
    leases.clear();
  }
};

Task<> enter(AdmissionWorld& world, std::string name, std::size_t bytes, Deadline deadline = no_deadline) {
  Result<Admission::Lease> lease = co_await world.admission.enter(bytes, deadline);
  world.log.push_back(name + (lease ? " in" : " refused"));
  if (lease) world.leases.push_back(std::move(*lease));
}

TEST(Admission, lets_in_up_to_the_limit_and_then_in_order_of_arrival) {
  AdmissionWorld world;
  for (const char* name : {"a", "b", "c", "d"}) world.tasks.spawn(enter(world, name, 10));
  world.run();
  EXPECT_EQ(world.log, (std::vector<std::string>{"a in", "b in"}));
  EXPECT_EQ(world.admission.waiting(), 2U);
  world.leases.pop_back();
  world.run();
  EXPECT_EQ(world.log.back(), "c in");
  EXPECT_EQ(world.admission.operations(), 2U);
}

TEST(Admission, bounds_bytes_too_and_lets_a_small_one_wait_behind_a_large_one) {
  AdmissionWorld world;
  world.tasks.spawn(enter(world, "a", 60));
  world.tasks.spawn(enter(world, "large", 60));
  world.tasks.spawn(enter(world, "small", 1));
  world.run();
  EXPECT_EQ(world.log, (std::vector<std::string>{"a in"}));
  world.leases.clear();
  world.run();
  EXPECT_EQ(world.log, (std::vector<std::string>{"a in", "large in", "small in"}));
}

TEST(Admission, lets_one_above_the_whole_limit_in_when_it_is_alone) {
  AdmissionWorld world;
  world.tasks.spawn(enter(world, "huge", 1000));
  world.run();
  EXPECT_EQ(world.log, (std::vector<std::string>{"huge in"}));
}

TEST(Admission, refuses_at_the_deadline_and_forgets_who_waited) {
  AdmissionWorld world;
  world.tasks.spawn(enter(world, "a", 10));
  world.tasks.spawn(enter(world, "b", 10));
  world.tasks.spawn(enter(world, "c", 10, world.clock.now() + 1s));
  world.run();
  world.clock.advance(2s);
  world.run();
  EXPECT_EQ(world.log.back(), "c refused");
  EXPECT_EQ(world.admission.waiting(), 0U);
}

Task<> cancel(TaskScope& tasks) { co_await tasks.cancel_and_join(); }

TEST(Admission, gives_back_what_a_cancelled_waiter_was_granted) {
  AdmissionWorld world;
  TaskScope doomed(world.core);
  world.tasks.spawn(enter(world, "a", 100));
  world.run();
  doomed.spawn(enter(world, "waits", 100));
  world.run();
  world.leases.clear();                  // grants it, before it has run
  world.tasks.spawn(cancel(doomed));
  world.run();
  world.leases.clear();
  EXPECT_EQ(world.admission.operations(), 0U);
  EXPECT_EQ(world.admission.bytes(), 0U);
}

}  // namespace
}  // namespace skerry::client
