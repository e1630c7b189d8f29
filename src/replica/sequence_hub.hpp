// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <span>

#include "replica/sequence_follower.hpp"
#include "runtime/wait_list.hpp"
#include "store/state_machine.hpp"

namespace skerry::replica {

// Who follows which sequence of a shard. Owned by its shard.
class SequenceHub {
 public:
  SequenceHub(Core& core, store::StateMachine& machine) : core_(core), machine_(machine) {}
  SequenceHub(const SequenceHub&) = delete;
  SequenceHub& operator=(const SequenceHub&) = delete;
  ~SequenceHub() { *self_ = nullptr; }

  // These prefixes got a new highest key.
  void applied(std::span<const Bytes> prefixes);
  // Ends every follower with not_serving, those of now or, after stop(), also those to come.
  void end_followers();
  void stop();
  // Fails with resource_exhausted when too many follow already.
  Result<std::unique_ptr<SequenceFollower>> follow(Bytes prefix);
  std::size_t followers() const { return followers_.size(); }

 private:
  class Follower;

  Core& core_;
  store::StateMachine& machine_;
  // Null once this is gone: a follower may be destroyed later, on its way home from another core, but not used.
  std::shared_ptr<SequenceHub*> self_ = std::make_shared<SequenceHub*>(this);
  std::multimap<Bytes, Follower*, std::less<>> followers_;
  bool stopped_ = false;
  std::uint64_t ended_ = 0;   // calls of end_followers(): a follower that began before the last one ends
};

}  // namespace skerry::replica
