// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "control/raft_rules.hpp"

namespace skerry::sim {

inline std::map<std::string, control::RaftRule> raft_rules_by_name() {
  using enum control::RaftRule;
  return {
      {"one-candidate-for-a-term", one_candidate_for_a_term},
      {"older-term-refused", older_term_refused},
      {"term-durable-before-asking", term_durable_before_asking},
      {"vote-durable-before-answer", vote_durable_before_answer},
      {"vote-for-no-lower-head", vote_for_no_lower_head},
      {"majority-elects", majority_elects},
      {"restarted-leads-no-old-term", restarted_leads_no_old_term},
      {"higher-term-ends-leadership", higher_term_ends_leadership},
      {"previous-entry-must-match", previous_entry_must_match},
      {"contradiction-is-cut", contradiction_is_cut},
      {"nothing-else-is-cut", nothing_else_is_cut},
      {"acknowledged-when-synced", acknowledged_when_synced},
      {"acknowledged-in-this-term", acknowledged_in_this_term},
      {"commit-only-what-matches", commit_only_what_matches},
      {"majority-commits", majority_commits},
      {"commit-from-barrier-on", commit_from_barrier_on},
      {"office-after-barrier", office_after_barrier},
      {"lease-counted-from-sending", lease_counted_from_sending},
      {"lease-ends-office", lease_ends_office},
      {"promise-is-kept", promise_is_kept},
      {"restarted-voter-waits", restarted_voter_waits},
      {"snapshot-carries-head", snapshot_carries_head},
      {"snapshot-never-replaces-what-matches", snapshot_never_replaces_what_matches},
  };
}

}   // namespace skerry::sim
