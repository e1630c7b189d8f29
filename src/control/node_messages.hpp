// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "control/node_call.hpp"
#include "replica/messages.hpp"
#include "rpc/status.hpp"
#include "skerry/control/v1/control.pb.h"
#include "store/key_order.hpp"

// Between skerry.control.v1 and the words of the replicas.
namespace skerry::control {

inline std::string node_method(std::string_view name) { return "/skerry.control.v1.Node/" + std::string(name); }

constexpr auto instance_header = "skerry-instance", to_header = "skerry-to", epoch_header = "skerry-epoch";
constexpr auto error_domain = "skerry.control";
constexpr auto outdated_reason = "OUTDATED", term_field = "term";   // the caller knows a lower term than the node
constexpr auto behind_reason = "BEHIND", foreign_records_reason = "FOREIGN_RECORDS", sessions_collide_reason = "SESSIONS_COLLIDE",
               not_leader_reason = "NOT_LEADER";

// Whether counting on from it never overflows; others are of a node that is out of its mind, and nothing is built on them.
inline bool is_possible(Term term) { return term.value() >= no_term.value() && term.value() <= std::int64_t{1} << 60; }

// The refusal of who knows a higher term than the caller.
rpc::Status outdated(const Error& error, Term known);

v1::EntryId write(const replica::EntryId& entry);
replica::EntryId read(const v1::EntryId& entry);
v1::Membership write(const replica::Membership& membership);
replica::Membership read(const v1::Membership& membership);
v1::KeyOrder write(store::KeyOrder order);
store::KeyOrder read(v1::KeyOrder order);

v1::NewTermReply write(const replica::NewTermAnswer& answer);
replica::NewTermAnswer read(const v1::NewTermReply& reply);
v1::BecomeLeaderRequest write(ShardId shard, const replica::BecomeLeader& message);
replica::BecomeLeader read(const v1::BecomeLeaderRequest& request);
v1::ChangeMembersRequest write(ShardId shard, const replica::ChangeMembers& message);
replica::ChangeMembers read(const v1::ChangeMembersRequest& request);

v1::ReshapeRequest write(const Reshape& reshape);
Reshape read(const v1::ReshapeRequest& request);

}   // namespace skerry::control
