// SPDX-License-Identifier: Apache-2.0
#include "replica/sequence_hub.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "replica/shard_error.hpp"

namespace skerry::replica {

class SequenceHub::Follower final : public SequenceFollower {
 public:
  Follower(SequenceHub& hub, Bytes prefix)
      : hub_(hub), hub_alive_(hub.self_), place_(hub.followers_.emplace(std::move(prefix), this)), news_(hub.core_) {}
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() override {
    if (*hub_alive_ != nullptr) hub_.followers_.erase(place_);
  }

  void changed() {
    changed_ = true;
    wake();
  }
  void wake() { news_.wake_all(); }

  Task<Result<Bytes>> next() override {
    for (;;) {
      if (hub_.stopped_ || hub_.ended_ != ended_at_start_) co_return fail(ShardError::not_serving, "the shard has stopped");
      if (!changed_) {
        co_await news_.wait();
        continue;
      }
      auto answer = hub_.machine_.highest_sequence_key(place_->first);
      if (auto* needs = std::get_if<store::Needs>(&answer)) {
        CO_TRYV(co_await hub_.machine_.load(std::move(*needs)));
        continue;
      }
      if (auto* error = std::get_if<Error>(&answer)) co_return fail(std::move(*error));
      changed_ = false;
      auto& highest = std::get<std::optional<Bytes>>(answer);
      if (!highest || *highest == told_) continue;
      told_ = *std::move(highest);
      co_return told_;
    }
  }

 private:
  SequenceHub& hub_;
  std::shared_ptr<SequenceHub*> hub_alive_;
  const std::uint64_t ended_at_start_ = hub_.ended_;
  std::multimap<Bytes, Follower*, std::less<>>::iterator place_;
  WaitList news_;
  bool changed_ = true;   // the current highest is news to a new follower
  Bytes told_;
};

void SequenceHub::applied(std::span<const Bytes> prefixes) {
  if (followers_.empty()) return;
  for (const Bytes& prefix : prefixes) {
    const auto [first, last] = followers_.equal_range(prefix);
    for (auto each = first; each != last; ++each) each->second->changed();
  }
}

void SequenceHub::stop() {
  stopped_ = true;
  end_followers();
}

void SequenceHub::end_followers() {
  ++ended_;
  for (const auto& [prefix, follower] : followers_) follower->wake();
}

Result<std::unique_ptr<SequenceFollower>> SequenceHub::follow(Bytes prefix) {
  if (followers_.size() >= limits::shard_followers_max) {
    return fail(Errc::resource_exhausted, fmt::format("the shard has {} followers of sequences, the limit", followers_.size()));
  }
  return std::make_unique<Follower>(*this, std::move(prefix));
}

}  // namespace skerry::replica
