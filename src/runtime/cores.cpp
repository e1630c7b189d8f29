// SPDX-License-Identifier: Apache-2.0
#include "runtime/cores.hpp"

#include "base/assert.hpp"

namespace skerry {

Cores::Cores(std::size_t count, const Clock& clock, std::uint64_t seed, Outside outside) {
  SKERRY_ASSERT(count > 0);
  Random seeds(seed);
  for (std::size_t i = 0; i < count; ++i) {
    cores_.push_back(std::make_unique<Core>(CoreId(static_cast<std::uint32_t>(i)), clock, seeds.next(), outside));
  }
  mailboxes_ = std::make_unique<Mailboxes>(cores_);
}

Cores::~Cores() {
  // A frame that serves another core's call still writes its answer into a ring when it is destroyed.
  for (const auto& core : cores_) core->drop_frames();
}

namespace {
Task<> end_calls_on(Mailboxes* mailboxes, CoreId core) { return mailboxes->tasks(core).cancel_and_join(); }
}  // namespace

Task<> Cores::end_calls() {
  Core& here = Core::of(co_await asio::this_coro::executor);
  using Call = detail::Call<decltype(&end_calls_on), Mailboxes*, CoreId>;
  for (const auto& core : cores_) {
    if (core->id() == here.id()) continue;
    const auto letter = std::make_shared<Call>(*mailboxes_, here, core->id(), Mailboxes::Service::control, &end_calls_on,
                                               mailboxes_.get(), core->id());
    co_await letter->round_trip(here);
  }
  co_await end_calls_on(mailboxes_.get(), here.id());
}

}  // namespace skerry
