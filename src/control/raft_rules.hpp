// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace skerry::control {

// The rules by which coordinators agree, one name for each that can be broken alone. The simulation builds the core once more
// with SKERRY_BREAKABLE_RULES, breaks them one by one and must notice; elsewhere kept() is a constant.
enum class RaftRule : std::uint8_t {
  one_candidate_for_a_term,
  older_term_refused,
  term_durable_before_asking,
  vote_durable_before_answer,
  vote_for_no_lower_head,
  majority_elects,
  restarted_leads_no_old_term,
  higher_term_ends_leadership,
  previous_entry_must_match,
  contradiction_is_cut,
  nothing_else_is_cut,
  acknowledged_when_synced,
  acknowledged_in_this_term,
  commit_only_what_matches,
  majority_commits,
  commit_from_barrier_on,
  office_after_barrier,
  lease_counted_from_sending,
  lease_ends_office,
  promise_is_kept,
  restarted_voter_waits,
  snapshot_carries_head,
  snapshot_never_replaces_what_matches,
};

#ifdef SKERRY_BREAKABLE_RULES
bool kept(RaftRule rule);
#else
constexpr bool kept(RaftRule) { return true; }
#endif

}   // namespace skerry::control
