// SPDX-License-Identifier: Apache-2.0
#include "replica/reshaper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "replica/reshaper_job.hpp"
#include "runtime/core.hpp"
#include "store/reshape_error.hpp"
#include "store/state_fork.hpp"

namespace skerry::replica {
namespace {

using store::ReshapeError;

constexpr std::uint64_t old_log_bytes_max = 32 << 20;   // of the parent's, copied for those who follow changes
constexpr Term preparing_term{0};   // of a child's replica until it is made

}   // namespace

// --- the plan

EntryId ReshapePlan::head() const {
  EntryId head = parents.front().head;
  for (const Parent& each : parents) head = {std::max(head.term, each.head.term), std::max(head.offset, each.head.offset)};
  return head;
}

Result<> ReshapePlan::check() const {
  const auto refuse = [](const char* why) { return fail(Errc::invalid_argument, why); };
  if (parents.empty() || children.empty() || parents.size() + children.size() != 3) {
    return refuse("one shard becomes two, or two become one");
  }
  for (const Child& child : children) {
    if (child.hashes.min > child.hashes.max) return refuse("a child's hashes end before they begin");
    if (child.shard < ShardId(0)) return refuse("a shard's id is not negative");
    if (std::ranges::any_of(parents, [&](const Parent& each) { return each.shard == child.shard; }))
      return refuse("a child is its own parent");
  }
  if (splits() && (children[0].shard == children[1].shard || children[0].hashes.max >= children[1].hashes.min))
    return refuse("the children overlap");
  if (!splits() && parents[0].shard == parents[1].shard) return refuse("a shard can't be merged with itself");
  return {};
}

// --- jobs

// Tells that a run has ended, however it does.
class Reshaper::Running {
 public:
  explicit Running(std::shared_ptr<Job> job) : job_(std::move(job)) {
    job_->result = fail(Errc::aborted, "the reshape was given up");
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (!job_->result) {
      job_->copy.reset();
      job_->both.reset();
    }
    job_->task.reset();
    ++job_->runs;
    job_->ended.wake_all();
  }

 private:
  const std::shared_ptr<Job> job_;
};

Reshaper::Reshaper(Parts parts) : parts_(std::move(parts)), room_(&parts_.group.engine()), tasks_(parts_.core) {}
Reshaper::~Reshaper() = default;

Task<> Reshaper::stop() {
  co_await tasks_.cancel_and_join();
  jobs_.clear();
}

Result<std::shared_ptr<Reshaper::Job>> Reshaper::job_of(const ReshapePlan& plan) {
  TRYV(plan.check());
  std::vector<ShardId> parents, children;
  for (const auto& each : plan.parents) parents.push_back(each.shard);
  for (const auto& each : plan.children) children.push_back(each.shard);
  std::shared_ptr<Job> job;
  for (const ShardId child : children) {
    const auto known = jobs_.find(child);
    if (known == jobs_.end()) continue;
    if (known->second->children != children || known->second->parents != parents) {
      return fail(Errc::invalid_argument, fmt::format("shard {} is made out of others already", child.value()));
    }
    job = known->second;
  }
  if (job) return job;
  job = std::make_shared<Job>(parts_.core);
  job->parents = std::move(parents);
  job->children = children;
  for (const ShardId child : children) jobs_[child] = job;
  return job;
}

void Reshaper::start(std::shared_ptr<Job> job, ReshapePlan plan, Last last) {
  auto running = std::make_unique<Running>(job);
  job->task = tasks_.spawn_with_handle(run(job, std::move(running), std::move(plan), last));
}

Task<> Reshaper::run(std::shared_ptr<Job> job, std::unique_ptr<Running>, ReshapePlan plan, Last last) {
  job->result = co_await work(job, std::move(plan), last);
}

// Starts it, or joins what runs, and returns what comes of it.
Task<Result<>> Reshaper::done(std::shared_ptr<Job> job, ReshapePlan plan, Last last) {
  const std::uint64_t runs = job->runs;
  if (!job->task) start(job, std::move(plan), last);
  while (job->task && job->runs == runs) co_await job->ended.wait();
  if (job->runs == runs) co_return fail(Errc::closed, "the node is stopping");
  co_return job->result;
}

Task<Result<>> Reshaper::prepare(ReshapePlan plan) {
  CO_TRYV(plan.check());
  Term highest = no_term;
  for (const auto& each : plan.parents) highest = std::max(highest, each.term);
  // What comes late must undo nothing: a child that was made knows a term above its parents', one that is only prepared does not.
  for (const auto& each : plan.children)
    if (parts_.group.find(each.shard) != nullptr || parts_.log.shard(each.shard).term > highest) co_return Result<>{};
  CO_TRYV(check_free(plan));
  CO_TRY(const std::shared_ptr<Job> job, job_of(plan));
  co_return co_await done(job, std::move(plan), Last::no);
}

Task<Result<>> Reshaper::make(ReshapePlan plan) {
  CO_TRYV(plan.check());
  if (plan.head().offset < Offset(0) || plan.term <= plan.head().term) {
    co_return fail(Errc::invalid_argument, "the children's term must be above that of the parents' last entries");
  }
  std::shared_ptr<Job> job;
  for (;;) {   // after each wait it may have been made, or abandoned
    if (made(plan)) co_return Result<>{};
    CO_TRYV(check_free(plan));
    CO_TRY(job, job_of(plan));
    if (!job->task) break;   // else it copies beforehand, or for a call before this one
    co_await job->ended.wait();
  }
  for (const auto& each : plan.children) {
    if (parts_.group.find(each.shard) != nullptr)
      co_return fail(ReshapeError::behind, fmt::format("shard {} is open, and not made by this", each.shard.value()));
  }
  CO_TRYV(co_await done(job, plan, Last::yes));
  forget(*job);
  co_return Result<>{};
}

Result<> Reshaper::check_free(const ReshapePlan& plan) const {
  for (const auto& each : plan.children) {
    if (!parts_.is_taken || !parts_.is_taken(each.shard)) continue;
    return fail(Errc::aborted, fmt::format("the replica of shard {} is being opened or deleted", each.shard.value()));
  }
  return {};
}

bool Reshaper::made(const ReshapePlan& plan) const {
  return std::ranges::all_of(plan.children, [&](const ReshapePlan::Child& child) {
    const disk::LogShard logged = parts_.log.shard(child.shard);
    return logged.term > plan.term || (logged.term == plan.term && logged.last == plan.head().offset);
  });
}

Task<> Reshaper::abandon(ShardId shard) {
  std::vector<std::shared_ptr<Job>> jobs;
  for (const auto& [child, job] : jobs_)
    if (child == shard || std::ranges::find(job->parents, shard) != job->parents.end()) jobs.push_back(job);
  for (const std::shared_ptr<Job>& job : jobs) {
    while (job->task) {
      tasks_.cancel(*job->task);
      co_await job->ended.wait();
    }
    job->copy.reset();
    job->both.reset();
    forget(*job);
  }
}

void Reshaper::forget(const Job& job) {
  std::erase_if(jobs_, [&](const auto& each) { return each.second.get() == &job; });
}

// --- work

Task<Result<>> Reshaper::work(std::shared_ptr<Job> job, ReshapePlan plan, Last last) {
  std::vector<ShardUse> uses;   // none is deleted meanwhile
  for (const auto& parent : plan.parents) {
    CO_TRY(Shard * shard, parent_of(parent));
    uses.push_back(shard->use());
    if (last == Last::yes) {
      const ShardUse& use = uses.back();
      if (use->term() != parent.term)
        co_return fail(ReshapeError::behind, fmt::format("shard {} is not fenced in this term", parent.shard.value()));
      if (auto done = co_await use->vouched(parent.head); !done) co_return fail(ReshapeError::behind, done.error().message());
    }
  }
  if (!plan.splits()) {
    if (last == Last::no) co_return co_await prepare_merge(std::move(job), std::move(plan));
    co_return co_await merge(std::move(job), std::move(plan));
  }
  if (!job->copy) CO_TRYV(co_await copy(job, plan));
  const store::ShardEngine& parent = **parts_.group.engine().shard(plan.parents.front().shard);
  if (last == Last::yes) {
    CO_TRYV(co_await follow(job, plan.head().offset));
    CO_TRYV(co_await finish(plan));
    job->copy.reset();
    co_return Result<>{};
  }
  for (int round = 0; round < rounds_max && parent.applied().value() > job->copy->applied.value() + entries_left; ++round)
    CO_TRYV(co_await follow(job, parent.applied()));
  co_return Result<>{};
}

Result<Shard*> Reshaper::parent_of(const ReshapePlan::Parent& parent) const {
  Shard* shard = parts_.group.find(parent.shard);
  if (shard == nullptr) return fail(ReshapeError::behind, fmt::format("shard {} is not here", parent.shard.value()));
  if (shard->term() > parent.term) {
    return fail(ReshapeError::outdated, fmt::format("shard {} knows term {}, above {}", parent.shard.value(),
                                                    shard->term().value(), parent.term.value()));
  }
  return shard;
}

// Of a child that is not whole nothing is kept. The log forgets first: entries whose state is gone would be taken for damage by
// who opens the child when this is given up half-way. And it knows of the child before the engine does: a state without any
// term would be taken for one whose log was lost.
Task<Result<>> Reshaper::begin_anew(ReshapePlan plan) {
  disk::Sequence last{};
  for (const auto& child : plan.children) {
    CO_TRY(last, parts_.log.delete_shard(child.shard));
    if (plan.splits()) {
      CO_TRY(last, parts_.log.record_term(child.shard, preparing_term));
    }
  }
  CO_TRYV(co_await parts_.log.wait_synced(last));
  for (const auto& child : plan.children) CO_TRYV(co_await parts_.group.engine().drop(child.shard));
  co_return Result<>{};
}

store::StateFork::Parts Reshaper::fork_of(const ReshapePlan& plan) {
  store::StateFork::Parts parts{.core = parts_.core, .order = plan.order, .parents = {}, .children = {}};
  parts.has_room = [this] { return room_.any(); };
  for (const auto& each : plan.parents) parts.parents.push_back(*parts_.group.engine().shard(each.shard));
  for (const auto& each : plan.children) parts.children.push_back({*parts_.group.engine().shard(each.shard), each.hashes});
  return parts;
}

// Stages the children's states. Says up to where of each parent's, read when their views are pinned.
Task<Result<>> Reshaper::fork(ReshapePlan plan, std::vector<Offset>* copied) {
  CO_TRYV(co_await parts_.group.checkpoint());   // so that little in memory is pinned
  store::StateFork::Parts parts = fork_of(plan);
  for (const auto& each : parts.children) each.engine->stage_anew();
  *copied = applied_by(plan);
  store::StateFork copy(std::move(parts));
  co_return co_await copy.run();
}

std::vector<Offset> Reshaper::applied_by(const ReshapePlan& plan) const {
  std::vector<Offset> applied;
  for (const auto& each : plan.parents) applied.push_back((*parts_.group.engine().shard(each.shard))->applied());
  return applied;
}

// --- a split

Task<Result<>> Reshaper::copy(std::shared_ptr<Job> job, ReshapePlan plan) {
  CO_TRYV(co_await begin_anew(plan));
  Copy made;
  std::vector<Offset> copied;
  CO_TRYV(co_await fork(plan, &copied));
  made.applied = copied.front();
  if (made.applied == no_offset) co_return fail(ReshapeError::behind, "the parent's state is empty");
  std::vector<store::HashRange> hashes;
  for (const auto& each : plan.children) hashes.push_back(each.hashes);
  for (std::size_t self = 0; self < plan.children.size(); ++self) {
    const ShardId child = plan.children[self].shard;
    CO_TRY(store::ShardEngine * state, parts_.group.engine().shard(child));
    CO_TRYV(co_await state->finish_staging(made.applied));
    state->take_staged();
    made.children.push_back(
        {child, std::make_unique<store::StateMachine>(child, plan.order, *state), store::EntrySplit(plan.order, hashes, self)});
  }
  // Before the log tells of older entries: those can't be applied to anything else.
  CO_TRYV(co_await parts_.group.checkpoint());
  for (const auto& child : made.children) CO_TRYV(co_await child.machine->open());
  const Offset last = made.applied, first = oldest_copied(job->parents.front(), last);
  if (first > Offset(0)) {
    const Term term = term_at(job->parents.front(), first.previous());
    for (const auto& child : made.children) CO_TRYV(parts_.log.snapshot_installed(child.shard, term, first.previous()));
  }
  job->copy = std::move(made);
  co_return co_await copy_log(job, first, last);
}

// The parent's entries from here on go into the children's logs, so that changes can be followed back.
Offset Reshaper::oldest_copied(ShardId parent, Offset copied) const {
  const disk::LogShard logged = parts_.log.shard(parent);
  if (logged.first == no_offset || logged.first > copied) return copied.next();
  const std::uint64_t after = parts_.log.bytes_since(parent, copied.next());
  Offset low = logged.first, high = copied.next();
  while (low < high) {   // bytes_since falls as the offset rises
    const Offset middle(low.value() + (high.value() - low.value()) / 2);
    if (parts_.log.bytes_since(parent, middle) - after > old_log_bytes_max) {
      low = middle.next();
    } else {
      high = middle;
    }
  }
  return high;
}

Term Reshaper::term_at(ShardId parent, Offset offset) const {
  Term term = Term(0);
  for (const disk::TermStart& each : parts_.log.terms(parent))
    if (each.first <= offset || term == Term(0)) term = each.term;
  return term;
}

Task<Result<>> Reshaper::follow(std::shared_ptr<Job> job, Offset up_to) {
  co_return co_await copy_log(job, job->copy->applied.next(), up_to);
}

Task<Result<>> Reshaper::copy_log(std::shared_ptr<Job> job, Offset first, Offset last) {
  for (Offset next = first; next <= last;) {
    CO_TRY(const auto entries, co_await parts_.log.read(job->parents.front(), next, copied_chunk_bytes));
    std::size_t bytes = 0;
    for (const disk::LogEntry& entry : entries) bytes += entry.payload.size();
    co_await wait_for_room(job->copy->children.size() * bytes);
    for (const disk::LogEntry& entry : entries) {
      if (entry.offset > last) break;
      if (entry.offset != next) break;
      CO_TRYV(take_entry(*job->copy, entry));
      next = entry.offset.next();
      if (parts_.core.yield_due()) co_await parts_.core.yield();
    }
    if (entries.empty() || entries.front().offset > next) {
      co_return fail(Errc::unavailable,
                     fmt::format("the log of shard {} holds no entry {} any more", job->parents.front().value(), next.value()));
    }
  }
  co_return Result<>{};
}

Result<> Reshaper::take_entry(Copy& copy, const disk::LogEntry& entry) {
  for (const Copy::Child& child : copy.children) {
    TRY(const Bytes ours, child.entries.split(entry.payload));
    TRYV(parts_.log.append(child.shard, entry.term, entry.offset, ours));
    if (entry.offset > copy.applied) TRYV(child.machine->apply(entry.offset, ours));
  }
  copy.applied = std::max(copy.applied, entry.offset);
  return {};
}

Task<> Reshaper::wait_for_room(std::size_t bytes) {
  while (!room_.any() || !parts_.log.has_room(1, bytes)) co_await parts_.core.sleep_for(10ms);
}

Task<Result<>> Reshaper::finish(ReshapePlan plan) {
  disk::Sequence last{};
  for (const auto& child : plan.children) {
    CO_TRY(last, parts_.log.record_term(child.shard, plan.term));
  }
  co_return co_await parts_.log.wait_synced(last);
}

}   // namespace skerry::replica
