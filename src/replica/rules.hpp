// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace skerry::replica {

// The rules of docs/adr/0014 that the replication core keeps, one name for each that can be broken alone. The simulation builds
// the core once more with SKERRY_BREAKABLE_RULES, breaks them one by one and must notice; elsewhere kept() is a constant.
enum class Rule : std::uint8_t {
  older_term_refused,
  term_durable_before_answer,
  older_membership_refused,
  restarted_leads_no_old_term,
  commit_from_barrier_on,
  whole_log_committed_only_alone,
  acknowledged_when_synced,
  previous_entry_must_match,
  contradiction_is_cut,
  nothing_else_is_cut,
  both_majorities_while_joint,
  confirmed_when_committed_under_new_sets,
  learners_do_not_vote,
  lease_counted_from_sending,
  lease_needs_majority,
  lease_needs_acknowledged_term,
  lease_ends_with_news,
  news_until_confirmed,
  incarnation_ends_lease,
  restarted_node_stands_promised,
  promise_told_when_fenced,
  served_told_of_head_only,
  lease_waited_out,
  snapshot_carries_head,
  snapshot_never_replaces_what_matches,
  higher_term_ends_leadership,
};

#ifdef SKERRY_BREAKABLE_RULES
bool kept(Rule rule);
#else
constexpr bool kept(Rule) { return true; }
#endif

}   // namespace skerry::replica
