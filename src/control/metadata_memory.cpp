// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_memory.hpp"

#include <utility>

namespace skerry::control {

Task<Result<Metadata::Office>> MetadataMemory::take_office() {
  oust();
  while (shared_.in_office != nullptr && !stopping_) co_await shared_.changed.wait();
  if (stopping_) co_return fail(Errc::closed, "this coordinator is stopping");
  shared_.in_office = this;
  ++shared_.epoch;
  shared_.changed.notify_all();
  co_return Office{shared_.epoch, shared_.table.items()};
}

Task<Result<>> MetadataMemory::commit(std::vector<MetadataChange> changes) {
  const std::int64_t epoch = shared_.epoch;
  const auto lost = [this, epoch] { return !in_office() || shared_.epoch != epoch; };
  if (lost()) co_return fail(Errc::aborted, "this coordinator is not in office");
  CO_TRYV(shared_.table.check(changes));
  if (shared_.commit_takes > Duration()) {
    co_await core_.sleep_for(shared_.commit_takes);
  } else {
    co_await core_.yield();
  }
  if (lost()) co_return fail(Errc::aborted, "another coordinator has taken office");
  const bool fails = shared_.fail_commits > 0;
  if (!fails || shared_.fail_commits % 2 == 0) shared_.table.apply(changes);
  if (!fails) co_return Result<>{};
  --shared_.fail_commits;
  oust();
  co_return fail(Errc::io_failed, "the test wants this commit to fail");
}

Task<> MetadataMemory::wait_ousted() {
  const std::int64_t epoch = shared_.epoch;
  while (in_office() && shared_.epoch == epoch) co_await shared_.changed.wait();
}

std::string MetadataMemory::holder() const { return shared_.in_office == nullptr ? std::string() : shared_.in_office->address_; }

void MetadataMemory::oust() {
  if (!in_office()) return;
  shared_.in_office = nullptr;
  shared_.changed.notify_all();
}

Task<> MetadataMemory::stop() {
  stopping_ = true;
  oust();
  shared_.changed.notify_all();
  co_return;
}

}  // namespace skerry::control
