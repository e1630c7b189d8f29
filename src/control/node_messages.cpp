// SPDX-License-Identifier: Apache-2.0
#include "control/node_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace skerry::control {
namespace {

// What comes from afar is at most a day: a longer wait is a mistake, and must not overflow.
Duration from_microseconds(std::uint64_t value) {
  constexpr std::uint64_t day = 24ULL * 3600 * 1'000'000;
  return std::chrono::microseconds(std::min(value, day));
}
std::uint64_t to_microseconds(Duration value) {   // up: a promise must not become shorter
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::microseconds>(value).count()));
}

}  // namespace

rpc::Status outdated(const Error& error, Term known) {
  return rpc::Status::with_info(rpc::Code::aborted, error.message(),
                                {error_domain, outdated_reason, {{term_field, fmt::to_string(known.value())}}});
}

v1::EntryId write(const replica::EntryId& entry) {
  v1::EntryId written;
  written.set_term(entry.term.value());
  written.set_offset(entry.offset.value());
  return written;
}

replica::EntryId read(const v1::EntryId& entry) { return {Term(entry.term()), Offset(entry.offset())}; }

v1::Membership write(const replica::Membership& membership) {
  v1::Membership written;
  written.set_version(membership.version.value());
  for (const NodeId node : membership.old_voters) written.add_old_voters(node.value());
  for (const NodeId node : membership.voters) written.add_voters(node.value());
  for (const NodeId node : membership.learners) written.add_learners(node.value());
  return written;
}

replica::Membership read(const v1::Membership& membership) {
  replica::Membership read{.version = MembershipVersion(membership.version()), .old_voters = {}, .voters = {}, .learners = {}};
  for (const std::uint32_t node : membership.old_voters()) read.old_voters.emplace_back(node);
  for (const std::uint32_t node : membership.voters()) read.voters.emplace_back(node);
  for (const std::uint32_t node : membership.learners()) read.learners.emplace_back(node);
  return read;
}

v1::KeyOrder write(store::KeyOrder order) { return order == store::KeyOrder::natural ? v1::NATURAL : v1::HIERARCHICAL; }
store::KeyOrder read(v1::KeyOrder order) {
  return order == v1::NATURAL ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
}

v1::NewTermReply write(const replica::NewTermAnswer& answer) {
  v1::NewTermReply reply;
  reply.set_term(answer.term.value());
  *reply.mutable_head() = write(answer.head);
  reply.set_applied(answer.applied.value());
  reply.set_served(answer.served);
  reply.set_promised_us(to_microseconds(answer.promised));
  return reply;
}

replica::NewTermAnswer read(const v1::NewTermReply& reply) {
  return {.term = Term(reply.term()),
          .head = read(reply.head()),
          .applied = Offset(reply.applied()),
          .served = reply.served(),
          .promised = from_microseconds(reply.promised_us())};
}

v1::BecomeLeaderRequest write(ShardId shard, const replica::BecomeLeader& message) {
  v1::BecomeLeaderRequest request;
  request.set_shard(shard.value());
  request.set_term(message.term.value());
  *request.mutable_membership() = write(message.membership);
  for (const auto& each : message.heads) {
    auto& head = *request.add_heads();
    head.set_node(each.node.value());
    *head.mutable_head() = write(each.head);
  }
  request.set_lease_wait_us(to_microseconds(message.lease_wait));
  return request;
}

replica::BecomeLeader read(const v1::BecomeLeaderRequest& request) {
  replica::BecomeLeader message{.term = Term(request.term()), .membership = read(request.membership())};
  for (const auto& each : request.heads()) message.heads.push_back({NodeId(each.node()), read(each.head())});
  message.lease_wait = from_microseconds(request.lease_wait_us());
  return message;
}

v1::ChangeMembersRequest write(ShardId shard, const replica::ChangeMembers& message) {
  v1::ChangeMembersRequest request;
  request.set_shard(shard.value());
  request.set_term(message.term.value());
  *request.mutable_membership() = write(message.membership);
  return request;
}

replica::ChangeMembers read(const v1::ChangeMembersRequest& request) {
  return {.term = Term(request.term()), .membership = read(request.membership())};
}

v1::ReshapeRequest write(const Reshape& reshape) {
  v1::ReshapeRequest request;
  for (const Reshape::Parent& each : reshape.parents) {
    auto& parent = *request.add_parents();
    parent.set_shard(each.shard.value());
    parent.set_term(each.term.value());
    *parent.mutable_head() = write(each.head);
  }
  for (const Reshape::Child& each : reshape.children) {
    auto& child = *request.add_children();
    child.set_shard(each.shard.value());
    child.set_hash_min(each.hashes.min);
    child.set_hash_max(each.hashes.max);
  }
  request.set_namespace_(reshape.name_space);
  request.set_key_order(write(reshape.order));
  request.set_notifications(reshape.notifications);
  request.set_term(reshape.term.value());
  return request;
}

Reshape read(const v1::ReshapeRequest& request) {
  Reshape reshape{.parents = {},
                  .children = {},
                  .name_space = request.namespace_(),
                  .order = read(request.key_order()),
                  .notifications = request.notifications(),
                  .term = Term(request.term())};
  for (const auto& each : request.parents()) {
    reshape.parents.push_back({ShardId(each.shard()), Term(each.term()), read(each.head())});
  }
  for (const auto& each : request.children()) {
    reshape.children.push_back({ShardId(each.shard()), {each.hash_min(), each.hash_max()}});
  }
  return reshape;
}

}  // namespace skerry::control
