// SPDX-License-Identifier: Apache-2.0
// How a Reshaper makes one shard of two.
#include <fmt/format.h>

#include <algorithm>

#include "replica/reshaper_job.hpp"
#include "store/reshape_error.hpp"
#include "store/state_fork.hpp"

namespace skerry::replica {
namespace {

using store::ReshapeError;

constexpr int merge_copies_max = 3;   // begun anew because ranges are deleted meanwhile; then it waits until nothing is written

}   // namespace

Task<Result<>> Reshaper::prepare_merge(std::shared_ptr<Job> job, ReshapePlan plan) {
  CO_TRYV(co_await store::check_sessions_apart(fork_of(plan).parents));
  for (int copies = 0; copies < merge_copies_max; ++copies) {
    if (!job->both) CO_TRYV(co_await copy_both(job, plan));
    Result<> followed;
    for (int round = 0; round < rounds_max && followed; ++round) {
      const std::vector<Offset> applied = applied_by(plan);
      const auto near = [](Offset now, Offset then) { return now.value() <= then.value() + entries_left; };
      if (std::ranges::equal(applied, job->both->copied, near)) co_return Result<>{};
      followed = co_await follow_both(job, applied);
    }
    if (followed) co_return followed;
    job->both.reset();
    if (followed.error() != Errc::unsupported && followed.error() != Errc::not_found) co_return followed;
  }
  co_return Result<>{};
}

Task<Result<>> Reshaper::copy_both(std::shared_ptr<Job> job, ReshapePlan plan) {
  CO_TRYV(co_await begin_anew(plan));
  std::vector<Offset> copied;
  CO_TRYV(co_await fork(plan, &copied));
  store::StateFork::Parts parts = fork_of(plan);
  job->both.emplace(std::move(copied), store::StateCatchUp({.core = parts_.core,
                                                            .parents = std::move(parts.parents),
                                                            .child = parts.children.front().engine,
                                                            .hashes = parts.children.front().hashes,
                                                            .order = plan.order,
                                                            .has_room = std::move(parts.has_room)}));
  co_return Result<>{};
}

// What the parents' logs touch up to these offsets, which they have applied.
Task<Result<>> Reshaper::follow_both(std::shared_ptr<Job> job, std::vector<Offset> up_to) {
  for (std::size_t parent = 0; parent < up_to.size(); ++parent) {
    Offset& copied = job->both->copied[parent];
    while (copied < up_to[parent]) {
      CO_TRY(const auto entries, co_await parts_.log.read(job->parents[parent], copied.next(), copied_chunk_bytes));
      if (entries.empty() || entries.front().offset != copied.next()) {
        co_return fail(Errc::not_found, fmt::format("the log of shard {} holds no entry {} any more",
                                                    job->parents[parent].value(), copied.next().value()));
      }
      for (const disk::LogEntry& entry : entries) {
        if (entry.offset > up_to[parent]) break;
        CO_TRYV(job->both->catch_up.note(entry.payload));
        copied = entry.offset;
      }
      CO_TRYV(co_await job->both->catch_up.settle());
    }
  }
  co_return Result<>{};
}

// Both states are those after the parents' last entries: they are applied.
Task<Result<>> Reshaper::merge(std::shared_ptr<Job> job, ReshapePlan plan) {
  std::vector<Offset> heads;
  for (const auto& each : plan.parents) heads.push_back(each.head.offset);
  if (applied_by(plan) != heads) co_return fail(ReshapeError::behind, "a parent has gone on");
  if (job->both) {
    const auto followed = co_await follow_both(job, heads);
    if (!followed) job->both.reset();
    if (!followed && followed.error() != Errc::unsupported && followed.error() != Errc::not_found) co_return followed;
  }
  if (!job->both) CO_TRYV(co_await copy_both(job, plan));
  job->both.reset();
  co_return co_await finish_both(std::move(plan));
}

Task<Result<>> Reshaper::finish_both(ReshapePlan plan) {
  {
    store::StateFork rest(fork_of(plan));
    CO_TRYV(co_await rest.take_bookkeeping());
  }
  const ShardId child = plan.children.front().shard;
  CO_TRY(store::ShardEngine * state, parts_.group.engine().shard(child));
  CO_TRYV(co_await state->finish_staging(plan.head().offset));
  CO_TRYV(parts_.log.snapshot_installed(child, plan.head().term, plan.head().offset));
  CO_TRY(const disk::Sequence sequence, parts_.log.record_term(child, plan.term));
  co_return co_await parts_.log.wait_synced(sequence);   // whoever opens it takes what is staged
}

}   // namespace skerry::replica
