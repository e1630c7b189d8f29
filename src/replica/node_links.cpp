// SPDX-License-Identifier: Apache-2.0
#include "replica/node_links.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <vector>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "replica/link_messages.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::replica {
namespace {

constexpr auto link_method = "/skerry.replica.v1.Replication/Link";
constexpr auto snapshot_method = "/skerry.replica.v1.Replication/SendSnapshot";
constexpr std::size_t early_bytes_max = 4 << 20;   // from one node, for replicas that are not here yet
constexpr auto instance_header = "skerry-instance", from_header = "skerry-from", to_header = "skerry-to";

std::optional<NodeId> node_in(std::optional<std::string_view> text) {
  std::uint32_t value = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return NodeId(value);
}

}  // namespace

// --- to another node

class NodeLinks::Outbound {
 public:
  Outbound(NodeLinks& links, NodeId node, net::Address address)
      : links_(links), node_(node), address_(std::move(address)),
        channel_(rpc::Channel::make(links.core_, links.network_, address_,
                                    {.connect_timeout = limits::node_silence_max,
                                     .backoff_min = limits::node_reconnect_pause,
                                     .backoff_max = limits::node_reconnect_pause * 4})),
        ready_(links.core_), tasks_(links.core_) {
    tasks_.spawn(run());
  }

  const net::Address& address() const { return address_; }
  const std::shared_ptr<rpc::Channel>& channel() const { return channel_; }
  rpc::CallOptions call_options() const {
    rpc::CallOptions options{.deadline = no_deadline, .metadata = {}};
    options.metadata.add(instance_header, links_.identity_->instance);
    options.metadata.add(from_header, std::to_string(links_.identity_->self.value()));
    options.metadata.add(to_header, std::to_string(node_.value()));
    return options;
  }

  void send(ShardId shard, const Append& message, std::span<const BytesView> entries) {
    if (!connected_ || queued_bytes_ > limits::node_queued_bytes_max) return;
    for (const BytesView entry : entries) queued_bytes_ += entry.size();
    write(message, shard, entries, *queued_.add_appends());
    ready_.wake_all();
  }

  Task<> stop() {
    co_await tasks_.cancel_and_join();
    co_await channel_->stop();
  }

 private:
  Task<> run() {
    for (;;) {
      co_await serve_stream();
      connected_ = false;
      queued_.Clear();
      queued_bytes_ = 0;
      co_await links_.core_.sleep_for(limits::node_reconnect_pause);
    }
  }

  Task<> serve_stream() {
    auto call = co_await channel_->open(link_method, call_options());
    if (!call) co_return;
    connected_ = true;
    answered_ = links_.core_.now();
    links_.probe_all(node_);
    co_await run_beside(links_.core_, read(**call), beside(**call));
  }

  Task<> beside(rpc::ClientCall& call) { co_await run_beside(links_.core_, write_queued(call), beat(call)); }

  // What has gathered while the message before was being written goes as one.
  Task<> write_queued(rpc::ClientCall& call) {
    for (;;) {
      while (queued_.appends_size() == 0 && !queued_.has_heartbeat()) co_await ready_.wait();
      wire::LinkRequest request;
      request.Swap(&queued_);
      queued_bytes_ = 0;
      if (!co_await call.write(request)) co_return call.cancel();
    }
  }

  Task<> beat(rpc::ClientCall& call) {
    for (;;) {
      if (links_.core_.now() - answered_ > limits::node_silence_max) co_return call.cancel();
      // The time of sending is when it is queued: what waits makes the lease shorter, not longer.
      write(links_.leases_.heartbeat(node_, links_.core_.clock().now()), *queued_.mutable_heartbeat());
      ready_.wake_all();
      co_await links_.core_.sleep_for(limits::heartbeat_interval);
    }
  }

  Task<> read(rpc::ClientCall& call) {
    wire::LinkAnswer answer;
    for (;;) {
      const auto more = co_await call.read(answer);
      if (!more || !*more || !take(answer)) co_return call.cancel();
    }
  }

  bool take(const wire::LinkAnswer& answer) {
    if (answer.has_heartbeat()) {   // first: what it promises must not count for shards that it names
      const auto heartbeat = replica::read(answer.heartbeat());
      if (!heartbeat) return false;
      answered_ = links_.core_.now();
      links_.heard_[node_] = answered_;
      links_.take(node_, links_.leases_.answered(node_, *heartbeat));
    }
    for (const auto& each : answer.answers()) {
      const auto message = replica::read(each);
      if (!message) return false;
      if (Shard* shard = links_.group_.find(ShardId(each.shard()))) shard->answered(node_, *message);
    }
    return true;
  }

  NodeLinks& links_;
  const NodeId node_;
  const net::Address address_;
  const std::shared_ptr<rpc::Channel> channel_;   // shared with who opens a call on it
  bool connected_ = false;
  TimePoint answered_;   // a heartbeat
  wire::LinkRequest queued_;
  std::size_t queued_bytes_ = 0;   // of entries
  WaitList ready_;
  TaskScope tasks_;
};

// --- from another node

class NodeLinks::Inbound {
 public:
  Inbound(NodeLinks& links, NodeId node, rpc::Requests<v1::LinkRequest>& requests, rpc::Replies<v1::LinkAnswer>& replies)
      : links_(links), node_(node), requests_(requests), replies_(replies), ready_(links.core_) {
    links_.inbound_[node_] = this;
  }
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;
  ~Inbound() {
    if (const auto mine = links_.inbound_.find(node_); mine != links_.inbound_.end() && mine->second == this) {
      links_.inbound_.erase(mine);
    }
  }

  Task<rpc::Status> serve() {
    co_await run_beside(links_.core_, read(), write_queued());
    co_return std::move(status_);
  }

  void send(ShardId shard, const AppendAnswer& message) {
    write(message, shard, *queued_.add_answers());
    ready_.wake_all();
  }

 private:
  Task<> read() {
    wire::LinkRequest request;
    for (;;) {
      const auto more = co_await requests_.next(request);
      if (!more) status_ = rpc::Status::from(more.error());
      if (!more || !*more) co_return;
      links_.heard_[node_] = links_.core_.now();
      if (auto taken = co_await take_all(request); !taken) {
        status_ = rpc::Status::from(taken.error());
        co_return;
      }
      if (!request.has_heartbeat()) continue;
      const Heartbeat heartbeat = replica::read(request.heartbeat());
      write(links_.leases_.answer(node_, heartbeat, links_.core_.clock().now()), *queued_.mutable_heartbeat());
      ready_.wake_all();
    }
  }

  // Fails when the stream makes no sense; what a replica refuses is lost, and its leader asks again.
  Task<Result<>> take_all(const wire::LinkRequest& request) {
    CO_TRYV(take_early());
    for (const auto& each : request.appends()) {
      CO_TRYV(take(each));
      if (links_.core_.yield_due()) co_await links_.core_.yield();
    }
    co_return Result<>{};
  }

  Result<> take(const wire::Append& each) {
    TRY(const Append message, replica::read(each));
    Shard* shard = links_.group_.find(ShardId(each.shard()));
    if (shard == nullptr) {
      keep_for_later(each);
      return {};
    }
    entries_.assign(each.entries().begin(), each.entries().end());
    const auto done = shard->append(node_, message, entries_);
    if (!done && done.error() == make_error_code(Errc::corrupt)) return fail(done.error());
    return {};
  }

  // The replica may be about to be opened, here as a new member or after a start. Were it lost, its leader would ask again only
  // when its patience ends.
  void keep_for_later(const wire::Append& each) {
    const ShardId shard(each.shard());
    if (const auto older = early_.extract(shard)) early_bytes_ -= older.mapped().ByteSizeLong();
    const std::size_t bytes = each.ByteSizeLong();
    if (early_bytes_ + bytes > early_bytes_max) return;
    early_bytes_ += bytes;
    early_.emplace(shard, each);
  }

  Result<> take_early() {
    for (auto next = early_.begin(); next != early_.end();) {
      const auto at = next++;
      if (links_.group_.find(at->first) == nullptr) continue;
      const wire::Append due = std::move(early_.extract(at).mapped());
      early_bytes_ -= due.ByteSizeLong();
      TRYV(take(due));
    }
    return {};
  }

  Task<> write_queued() {
    for (;;) {
      while (queued_.answers_size() == 0 && !queued_.has_heartbeat()) co_await ready_.wait();
      wire::LinkAnswer answer;
      answer.Swap(&queued_);
      if (!co_await replies_.write(answer)) co_return;
    }
  }

  NodeLinks& links_;
  const NodeId node_;
  rpc::Requests<v1::LinkRequest>& requests_;
  rpc::Replies<v1::LinkAnswer>& replies_;
  wire::LinkAnswer queued_;
  std::vector<BytesView> entries_;   // kept for its room
  std::map<ShardId, wire::Append> early_;   // the newest for each replica that is not here yet, if there was room
  std::size_t early_bytes_ = 0;
  rpc::Status status_;
  WaitList ready_;
};

// --- all of them

NodeLinks::NodeLinks(Core& core, net::Network& network, ShardGroup& group, NodeLeases& leases)
    : core_(core), network_(network), group_(group), leases_(leases),
      snapshots_(core, group, [this](NodeId to) { return call_for_snapshot(to); }), tasks_(core) {}

NodeLinks::~NodeLinks() = default;

void NodeLinks::join(NodeIdentity identity) {
  SKERRY_ASSERT(!identity_);
  identity_ = std::move(identity);
}

void NodeLinks::register_in(rpc::Methods& methods) {
  methods.bidirectional<v1::LinkRequest, v1::LinkAnswer>(
      link_method, [this](rpc::ServerCall& call, rpc::Requests<v1::LinkRequest>& requests,
                          rpc::Replies<v1::LinkAnswer>& replies) { return answer_link(call, requests, replies); });
  methods.bidirectional<v1::SnapshotRequest, v1::SnapshotAnswer>(
      snapshot_method, [this](rpc::ServerCall& call, rpc::Requests<v1::SnapshotRequest>& requests,
                              rpc::Replies<v1::SnapshotAnswer>& replies) { return answer_snapshot(call, requests, replies); });
}

std::expected<NodeId, rpc::Status> NodeLinks::check_caller(const rpc::ServerCall& call) const {
  const auto refuse = [](std::string why) {
    return std::unexpected(rpc::Status(rpc::Code::failed_precondition, std::move(why)));
  };
  if (!identity_) return refuse("this node belongs to no cluster yet: its coordinator has not called");
  if (call.header(instance_header) != identity_->instance) {
    return refuse(
        fmt::format("this node belongs to the cluster {}, the caller to {}: a data folder was moved, or an address is wrong",
                    identity_->instance, call.header(instance_header).value_or("none")));
  }
  if (node_in(call.header(to_header)) != identity_->self) {
    return refuse(fmt::format("this is node {}, the caller looks for {}: an address is wrong or out of date",
                              identity_->self.value(), call.header(to_header).value_or("none")));
  }
  const auto from = node_in(call.header(from_header));
  if (!from || *from == identity_->self) return refuse("the caller does not say which node it is");
  return *from;
}

Task<rpc::Status> NodeLinks::answer_link(rpc::ServerCall& call, rpc::Requests<v1::LinkRequest>& requests,
                                         rpc::Replies<v1::LinkAnswer>& replies) {
  const auto from = check_caller(call);
  if (!from) co_return from.error();
  Inbound inbound(*this, *from, requests, replies);
  co_return co_await inbound.serve();
}

Task<rpc::Status> NodeLinks::answer_snapshot(rpc::ServerCall& call, rpc::Requests<v1::SnapshotRequest>& requests,
                                             rpc::Replies<v1::SnapshotAnswer>& replies) {
  const auto from = check_caller(call);
  if (!from) co_return from.error();
  co_return co_await snapshots_.receive(*from, requests, replies);
}

Task<Result<std::unique_ptr<rpc::ClientCall>>> NodeLinks::call_for_snapshot(NodeId to) {
  const auto link = outbound_.find(to);
  if (link == outbound_.end()) co_return fail(Errc::unavailable, fmt::format("where node {} is, is not known", to.value()));
  const std::shared_ptr<rpc::Channel> channel = link->second->channel();
  co_return co_await channel->open(snapshot_method, link->second->call_options());
}

Task<Result<>> NodeLinks::send_snapshot(NodeId to, SnapshotSender sender) {
  co_return co_await snapshots_.send(to, std::move(sender));
}

void NodeLinks::set_nodes(std::map<NodeId, net::Address> nodes) {
  SKERRY_ASSERT(identity_ || nodes.empty());
  if (identity_) nodes.erase(identity_->self);
  for (auto each = outbound_.begin(); each != outbound_.end();) {
    const auto wanted = nodes.find(each->first);
    if (wanted != nodes.end() && wanted->second.text() == each->second->address().text()) {
      ++each;
      continue;
    }
    tasks_.spawn(let_go(std::move(each->second)));
    each = outbound_.erase(each);
  }
  for (auto& [node, address] : nodes) {
    auto& link = outbound_[node];
    if (!link) link = std::make_unique<Outbound>(*this, node, std::move(address));
  }
}

Task<> NodeLinks::let_go(std::unique_ptr<Outbound> link) { co_await link->stop(); }

Task<> NodeLinks::stop() {
  snapshots_.stop();
  set_nodes({});
  co_await tasks_.join();
}

void NodeLinks::send(NodeId to, ShardId shard, const Append& message, std::span<const BytesView> entries) {
  if (const auto link = outbound_.find(to); link != outbound_.end()) link->second->send(shard, message, entries);
}

void NodeLinks::send(NodeId to, ShardId shard, const AppendAnswer& message) {
  if (const auto link = inbound_.find(to); link != inbound_.end()) link->second->send(shard, message);
}

std::optional<TimePoint> NodeLinks::heard(NodeId node) const {
  const auto found = heard_.find(node);
  return found == heard_.end() ? std::nullopt : std::optional(found->second);
}

void NodeLinks::take(NodeId from, const HeartbeatNews& news) {
  for (const FencedNews& each : news.fenced) {
    if (Shard* shard = group_.find(each.shard)) shard->hear(each.term);
  }
  if (news.restarted) probe_all(from);
}

void NodeLinks::probe_all(NodeId node) {
  for (const auto& [id, shard] : group_.shards()) shard->probe(node);
}

}   // namespace skerry::replica
