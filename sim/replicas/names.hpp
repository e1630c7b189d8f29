// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "sim/replicas/plan.hpp"

namespace skerry::sim {

inline std::map<std::string, ReshapeMistake> reshape_mistakes_by_name() {
  using enum ReshapeMistake;
  return {
      {"answered-before-synced", answered_before_synced},
      {"lease-wait-forgotten", lease_wait_forgotten},
  };
}

inline std::map<std::string, replica::Rule> rules_by_name() {
  using enum replica::Rule;
  return {
      {"older-term-refused", older_term_refused},
      {"term-durable-before-answer", term_durable_before_answer},
      {"older-membership-refused", older_membership_refused},
      {"restarted-leads-no-old-term", restarted_leads_no_old_term},
      {"commit-from-barrier-on", commit_from_barrier_on},
      {"whole-log-committed-only-alone", whole_log_committed_only_alone},
      {"acknowledged-when-synced", acknowledged_when_synced},
      {"previous-entry-must-match", previous_entry_must_match},
      {"contradiction-is-cut", contradiction_is_cut},
      {"nothing-else-is-cut", nothing_else_is_cut},
      {"both-majorities-while-joint", both_majorities_while_joint},
      {"confirmed-when-committed-under-new-sets", confirmed_when_committed_under_new_sets},
      {"learners-do-not-vote", learners_do_not_vote},
      {"lease-counted-from-sending", lease_counted_from_sending},
      {"lease-needs-majority", lease_needs_majority},
      {"lease-needs-acknowledged-term", lease_needs_acknowledged_term},
      {"lease-ends-with-news", lease_ends_with_news},
      {"news-until-confirmed", news_until_confirmed},
      {"incarnation-ends-lease", incarnation_ends_lease},
      {"restarted-node-stands-promised", restarted_node_stands_promised},
      {"promise-told-when-fenced", promise_told_when_fenced},
      {"served-told-of-head-only", served_told_of_head_only},
      {"lease-waited-out", lease_waited_out},
      {"snapshot-carries-head", snapshot_carries_head},
      {"snapshot-never-replaces-what-matches", snapshot_never_replaces_what_matches},
      {"higher-term-ends-leadership", higher_term_ends_leadership},
  };
}

inline std::map<std::string, Mistake> mistakes_by_name() {
  using enum Mistake;
  return {
      {"heads-of-leaving-ignored", heads_of_leaving_ignored},   {"highest-offset-leads", highest_offset_leads},
      {"step-without-confirmation", step_without_confirmation}, {"one-majority-while-joint", one_majority_while_joint},
      {"lease-wait-forgotten", lease_wait_forgotten},
  };
}

}  // namespace skerry::sim
