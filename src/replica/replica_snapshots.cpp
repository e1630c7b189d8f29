// SPDX-License-Identifier: Apache-2.0
// How a ReplicaDriver brings a replica up by the state instead of the log.
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "replica/replica_driver.hpp"

namespace skerry::replica {

// --- sending

// Takes its node off the list of those that are being sent the state, however it ends; unless another has begun by then.
class ReplicaDriver::SendingPlace {
 public:
  SendingPlace(ReplicaDriver& driver, Term term, NodeId node, std::uint64_t number)
      : driver_(driver), key_(term, node), number_(number) {}
  SendingPlace(const SendingPlace&) = delete;
  SendingPlace& operator=(const SendingPlace&) = delete;
  ~SendingPlace() {
    if (driver_.find_sending(key_.first, key_.second, number_) != nullptr) driver_.sending_.erase(key_);
  }

 private:
  ReplicaDriver& driver_;
  const std::pair<Term, NodeId> key_;
  const std::uint64_t number_;
};

void ReplicaDriver::begin_snapshot(NodeId node) {
  const Term term = parts_.replica.term();
  if (sending_.contains({term, node})) return;   // it is about to end, and the follower will be asked where it stands
  const std::uint64_t number = ++sendings_;
  if (const auto task = tasks_.spawn_with_handle(send_snapshot(term, node, number)))
    sending_.emplace(std::pair(term, node), Sending{number, *task});
}

ReplicaDriver::Sending* ReplicaDriver::find_sending(Term term, NodeId node, std::uint64_t number) {
  const auto found = sending_.find({term, node});
  return found == sending_.end() || found->second.number != number ? nullptr : &found->second;
}

Task<> ReplicaDriver::send_snapshot(Term term, NodeId node, std::uint64_t number) {
  const SendingPlace place(*this, term, node, number);
  const auto sent = co_await parts_.peers->send_snapshot(
      node, {.shard = parts_.shard, .term = term, .version = parts_.replica.version(), .open = [this, term, node, number] {
               return open_snapshot(term, node, number);
             }});
  if (!sent) co_await parts_.core.sleep_for(limits::append_patience);   // whatever it was, at once it would be again
  const Sending* sending = find_sending(term, node, number);
  if (failure_ || parts_.replica.term() != term || sending == nullptr) co_return;
  const auto offset = sent ? std::optional(sending->offset) : std::nullopt;
  sending_.erase({term, node});
  carry_out(parts_.replica.snapshot_ended(node, offset));
}

Task<Result<std::unique_ptr<store::SnapshotSource>>> ReplicaDriver::open_snapshot(Term term, NodeId node, std::uint64_t number) {
  CO_TRY(auto source, co_await snapshot());
  Sending* sending = find_sending(term, node, number);
  if (sending == nullptr) co_return fail(Errc::aborted, "the snapshot is wanted no more");
  sending->offset = source->head().offset;
  co_return source;
}

Task<Result<std::unique_ptr<store::SnapshotSource>>> ReplicaDriver::snapshot() {
  if (parts_.checkpoint) CO_TRYV(co_await parts_.checkpoint());
  while (installing_ && !failure_) co_await changed_.wait();
  if (installing_) co_return fail(*failure_);
  const auto of_entry = parts_.replica.term_of(parts_.state.applied());
  SKERRY_ASSERT(of_entry);
  co_return std::make_unique<store::SnapshotSource>(parts_.state,
                                                    store::SnapshotHead{.shard = parts_.shard,
                                                                        .term = *of_entry,
                                                                        .version = parts_.replica.version(),
                                                                        .order = parts_.machine.order(),
                                                                        .next_version_id = parts_.machine.next_version_id(),
                                                                        .last_stamp = parts_.machine.last_stamp(),
                                                                        .bytes = parts_.state.approximate_bytes()});
}

void ReplicaDriver::stop_snapshots() {
  // Off the list first: one that had not begun tells nobody that it ended, and others may end while their neighbour is told.
  for (auto& [key, sending] : std::exchange(sending_, {})) tasks_.cancel(sending.task);
}

std::optional<Offset> ReplicaDriver::wanted_after_snapshots() const {
  std::optional<Offset> oldest;
  for (const auto& [key, sending] : sending_) {
    if (sending.offset != no_offset) oldest = std::min(oldest.value_or(sending.offset.next()), sending.offset.next());
  }
  return oldest;
}

// --- receiving

Task<Result<>> ReplicaDriver::receive_snapshot(NodeId from, SnapshotHeader header, Bytes head, ArrivingSnapshot& blocks) {
  if (failure_) co_return fail(*failure_);
  if (installing_) co_return fail(Errc::aborted, fmt::format("shard {} installs another snapshot", parts_.shard.value()));
  const bool wanted = parts_.replica.wants(header);
  if (wanted) {
    CO_TRYV(co_await reception_.take(std::move(head), blocks));
    const EntryId of{reception_.head().term, reception_.head().offset};
    if (of != header.entry) co_return fail(Errc::corrupt, "the snapshot is of another entry than was said");
    if (failure_) co_return fail(*failure_);
  } else {
    reception_.drop();
  }
  CO_TRY(Effects effects, parts_.replica.snapshot_arrived(from, header, now()));
  const bool installs = effects.install.has_value();
  SKERRY_ASSERT(wanted || !installs);
  carry_out(effects);
  if (wanted && !installs) reception_.drop();
  if (header.term < parts_.replica.term()) co_return fail(Errc::aborted, "a higher term is known");
  while (installing_ && !failure_) co_await changed_.wait();
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

// What is staged is whole and durable, so with this record the state has become it: should the power go now, the next start takes
// it. It is not taken before the record is synced: nothing of the engine's may be durable that the log does not know.
Result<> ReplicaDriver::log_installation(EntryId entry) {
  SKERRY_ASSERT(parts_.state.staged() == entry.offset);
  TRY(const disk::Sequence sequence, parts_.log.snapshot_installed(parts_.shard, entry.term, entry.offset));
  cache_.clear();
  newest_stamp_ = std::max(newest_stamp_, reception_.bookkeeping().counters.last_stamp);
  installing_ = true;
  logged(sequence);
  tasks_.spawn(install(sequence));
  return {};
}

Task<> ReplicaDriver::install(disk::Sequence logged) {
  const auto synced = co_await parts_.log.wait_synced(logged);
  if (!synced) co_return;   // the log has stopped, and this replica with it
  parts_.state.take_staged();
  parts_.machine.replaced(std::move(reception_.bookkeeping()));
  reception_.end();
  installing_ = false;
  parts_.listener.on_replaced(parts_.state.applied());
  changed_.wake_all();
  apply_committed();
}

}   // namespace skerry::replica
