// SPDX-License-Identifier: Apache-2.0
// Any wish that people may put to a coordinator, and anything that its servers may answer it, through to the status that it
// keeps. Whatever is said, nothing crashes, every wish is answered, and the next term of office can use the status.
//
// Input: calls as asked.hpp takes them. What names a method of a server is answered there next, with these replies; until then
// servers do as they are told. Flags: 1 and 2 which server, 4 then time passes, 8 the server refuses instead, or a restore's
// stream stays open; 16 who asks for a backup or a restore goes away.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "asked.hpp"
#include "base/assert.hpp"
#include "control/admin_service.hpp"
#include "control/backup_messages.hpp"
#include "control/cluster_admin.hpp"
#include "control/cluster_backup.hpp"
#include "control/metadata_memory.hpp"
#include "control/node_messages.hpp"
#include "fuzz_world.hpp"
#include "net/testing/memory_network.hpp"
#include "rpc/server.hpp"
#include "serve/testing/fake_call.hpp"

namespace skerry {
namespace {

namespace v1 = control::v1;

constexpr std::size_t calls_max = 16;
constexpr Duration step = 1s;
constexpr Duration backup_takes_max = 10min;   // its patience with servers included, however often they refuse

// A server that has no replicas, and says of them what its coordinator expects, or what the input has it say.
class Server {
 public:
  Server(FuzzWorld& world, net::testing::MemoryFabric& fabric, const std::string& name) : network_(world.core, fabric, name) {
    register_in(methods_);
    server_ = rpc::Server::make(world.core, network_, methods_, {});
    SKERRY_ASSERT(server_->start({name, 2}).has_value());
  }

  void register_in(rpc::Methods& methods) {
    methods.bidirectional<v1::Order, v1::Report>(control::node_method("Attend"),
                                                 [this](rpc::ServerCall&, rpc::Requests<v1::Order>& orders,
                                                        rpc::Replies<v1::Report>& reports) { return attend(orders, reports); });
    add<v1::NewTermRequest, v1::NewTermReply>(methods, "NewTerm", [](const auto& request, auto& reply) {
      reply.set_term(request.term());
      reply.mutable_head()->set_term(-1);
      reply.mutable_head()->set_offset(-1);
      reply.set_applied(-1);
    });
    add<v1::BecomeLeaderRequest, v1::BecomeLeaderReply>(methods, "BecomeLeader", [this](const auto& request, auto&) {
      auto& led = led_[request.shard()];
      led.set_shard(request.shard());
      led.set_role(v1::ReplicaReport::LEADER);
      led.set_serving(true);
      led.set_term(request.term());
      led.set_version(request.membership().version());
      led.set_confirmed(request.membership().version());
    });
    add<v1::ChangeMembersRequest, v1::ChangeMembersReply>(methods, "ChangeMembers",
                                                          [](const auto&, auto& reply) { reply.set_confirmed(true); });
    const auto nothing = [](const auto&, auto&) {};
    add<v1::DeleteReplicaRequest, v1::DeleteReplicaReply>(methods, "DeleteReplica", nothing);
    add<v1::ReshapeRequest, v1::ReshapeReply>(methods, "PrepareReshape", nothing);
    add<v1::ReshapeRequest, v1::ReshapeReply>(methods, "Reshape", nothing);
    add<v1::SealShardRequest, v1::SealShardReply>(methods, "SealShard", nothing);
    add<v1::SealShardRequest, v1::UnsealShardReply>(methods, "UnsealShard", nothing);
    methods.server_stream<v1::ReadStateRequest, v1::ReadStateReply>(
        control::node_method("ReadState"), [this](rpc::ServerCall&, const v1::ReadStateRequest&,
                                                  rpc::Replies<v1::ReadStateReply>& blocks) { return read_state(blocks); });
    methods.client_stream<v1::MakeReplicaRequest, v1::MakeReplicaReply>(
        control::node_method("MakeReplica"), [this](rpc::ServerCall&, rpc::Requests<v1::MakeReplicaRequest>& blocks,
                                                    v1::MakeReplicaReply& reply) { return make_replica(blocks, reply); });
  }

  // False when no method of a server is meant.
  bool will_say(const Asked& asked) {
    if (methods_.find(asked.method->name) == nullptr) return false;
    auto& queue = said_[asked.method->name];
    for (const Bytes& each : asked.requests) queue.push_back({each, (asked.flags & 8) != 0});
    return true;
  }
  Task<> stop(TimePoint now) { co_await server_->stop(now); }

 private:
  struct Said {
    Bytes reply;
    bool refuses;
  };

  template <class Request, class Reply, class Fill>
  void add(rpc::Methods& methods, const std::string& name, Fill fill) {
    methods.unary<Request, Reply>(control::node_method(name),
                                  [this, fill, name](rpc::ServerCall&, const Request& request, Reply& reply) {
                                    fill(request, reply);
                                    return answer(control::node_method(name), reply);
                                  });
  }

  std::optional<Said> next(const std::string& method) {
    auto& queue = said_[method];
    if (queue.empty()) return std::nullopt;
    Said said = std::move(queue.front());
    queue.pop_front();
    return said;
  }

  Task<rpc::Status> answer(std::string method, google::protobuf::MessageLite& reply) {
    const auto said = next(method);
    if (!said) co_return rpc::Status();
    if (said->refuses) {
      co_return rpc::Status::with_info(rpc::Code::aborted, "no",
                                       {control::error_domain, control::outdated_reason, {{control::term_field, said->reply}}});
    }
    static_cast<void>(reply.ParseFromString(said->reply));
    co_return rpc::Status();
  }

  Task<rpc::Status> attend(rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
    v1::Order order;
    v1::Hello hello;
    for (;;) {
      const auto more = co_await orders.next(order);
      if (!more || !*more) co_return rpc::Status();
      if (order.has_hello()) hello = order.hello();
      v1::Report report;
      if (order.has_hello()) {
        report.mutable_greeting()->set_incarnation(1);
        report.mutable_greeting()->set_pool(hello.name());
        report.mutable_greeting()->set_bound(hello.bind());
        report.mutable_greeting()->set_node(hello.node());
      }
      for (const auto& [shard, led] : led_) *report.add_replicas() = led;
      const auto said = next(control::node_method("Attend"));
      if (said && said->refuses) co_return rpc::Status(rpc::Code::failed_precondition, "no");
      if (said) static_cast<void>(report.ParseFromString(said->reply));
      report.set_number(order.number());
      if (!co_await reports.write(report)) co_return rpc::Status();
    }
  }

  // All that the input says, as the blocks of one state.
  Task<rpc::Status> read_state(rpc::Replies<v1::ReadStateReply>& blocks) {
    const std::string method = control::node_method("ReadState");
    for (auto said = next(method); said; said = next(method)) {
      v1::ReadStateReply reply;
      if (said->refuses) co_return rpc::Status(rpc::Code::failed_precondition, "no");
      static_cast<void>(reply.ParseFromString(said->reply));
      if (!co_await blocks.write(reply)) break;
    }
    co_return rpc::Status();
  }
  Task<rpc::Status> make_replica(rpc::Requests<v1::MakeReplicaRequest>& blocks, v1::MakeReplicaReply& reply) {
    reply.set_term(1);
    rpc::Status status = co_await answer(control::node_method("MakeReplica"), reply);
    v1::MakeReplicaRequest request;
    while (status.ok() && (co_await blocks.next(request)).value_or(false)) {}
    co_return status;
  }

  net::testing::MemoryNetwork network_;
  rpc::Methods methods_;
  std::unique_ptr<rpc::Server> server_;
  std::map<std::string, std::deque<Said>> said_;
  std::map<std::int64_t, v1::ReplicaReport> led_;
};

// A coordinator in office, and what it manages.
class Cluster {
 public:
  explicit Cluster(FuzzWorld& world) : world_(world) {
    service_.register_in(methods_);
    admin_.register_in(methods_);
    backup_.register_in(methods_);
    for (const char* name : {"one", "two", "three"}) {
      servers_.push_back(std::make_unique<Server>(world_, fabric_, name));
      config_.servers.push_back(
          {.name = name, .public_address = std::string(name) + ":1", .internal_address = std::string(name) + ":2"});
    }
    servers_.front()->register_in(methods_);   // for their names
    config_.namespaces = {{.name = "default", .shards = 2, .replicas = 3}};
    coordinator_.start();
    world_.pass(10ms);
    SKERRY_ASSERT(coordinator_.configure(config_).has_value());
    world_.pass(step);
  }
  ~Cluster() { world_.run(stop()); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void take(ByteReader& input) {
    const Asked asked = take_call(methods_, input);
    Server& server = *servers_[(asked.flags & 3) % servers_.size()];
    if (!server.will_say(asked)) wish(asked);
    if ((asked.flags & 4) != 0) world_.pass(step);
  }

  void check_status() {
    world_.run(end_backups());
    world_.pass(step);
    const auto kept = control::ClusterStatus::from_items(shared_.table.items());
    SKERRY_ASSERT(kept.has_value() && kept->to_items() == shared_.table.items());
    SKERRY_ASSERT(!kept->to_yaml().empty() && control::ClusterConfig::from_yaml(kept->configuration).has_value());
    metadata_.oust();
    world_.pass(step);
    SKERRY_ASSERT(coordinator_.in_office() != nullptr && coordinator_.epoch() == 2);
  }

 private:
  void wish(const Asked& asked) {
    auto call = std::make_unique<serve::testing::FakeCall>(world_.core);
    const bool restores = asked.method->name == control::backup_method("Restore");
    for (const Bytes& request : asked.requests) call->push_bytes(request);
    if (!restores || (asked.flags & 8) == 0) call->half_close();
    call->start(*asked.method);
    world_.settle();
    if (asked.method->name.ends_with("/WatchCluster") && !call->ended()) call->cancel();
    world_.pass(100ms);
    if (restores || asked.method->name == control::backup_method("Backup")) {
      if ((asked.flags & 16) != 0 && !call->ended()) call->cancel();
      backups_.push_back(std::move(call));
    } else {
      SKERRY_ASSERT(call->ended());
    }
  }

  // As CoordinatorRole does, without a file.
  Task<Result<>> change_config(control::ConfigEdit edit) {
    const control::CoordinatorCore* const in_office = coordinator_.in_office();
    if (in_office == nullptr) co_return fail(Errc::unavailable, "it is not in office");
    control::ClusterConfig config = *in_office->config();
    CO_TRYV(edit(config));
    CO_TRY(const control::CommitNumber number, coordinator_.configure(std::move(config)));
    co_return co_await coordinator_.wait_stored(number);
  }

  Task<> end_backups() {
    const Deadline deadline = world_.core.now() + backup_takes_max;
    for (const auto& call : backups_) call->half_close();
    while (!std::ranges::all_of(backups_, [](const auto& call) { return call->ended(); })) {
      SKERRY_ASSERT(world_.core.now() < deadline);
      co_await world_.core.sleep_for(100ms);
    }
  }

  Task<> stop() {
    co_await backup_.stop();
    co_await coordinator_.stop();
    for (const auto& server : servers_) co_await server->stop(world_.core.now());
  }

  FuzzWorld& world_;
  net::testing::MemoryFabric fabric_;
  net::testing::MemoryNetwork network_{world_.core, fabric_, "coordinator"};
  std::vector<std::unique_ptr<Server>> servers_;
  control::ClusterConfig config_;
  control::MetadataShared shared_{world_.core};
  control::MetadataMemory metadata_{world_.core, shared_, "coordinator:6651"};
  LogRegistry logs_{world_.clock, {.levels = {.others = LogLevel::off, .modules = {}}, .background = false}};
  control::Coordinator coordinator_{{.core = world_.core,
                                     .network = network_,
                                     .metadata = metadata_,
                                     .logger = logs_.logger("coordinator"),
                                     .give_up = [](const Error&) { SKERRY_ASSERT(false); }}};
  control::AdminOffice office_{world_.core, coordinator_, std::bind_front(&Cluster::change_config, this)};
  control::AdminService service_{office_};
  control::ClusterAdmin admin_{office_};
  control::ClusterBackup backup_{office_, network_};
  rpc::Methods methods_;
  std::vector<std::unique_ptr<serve::testing::FakeCall>> backups_;   // and restores, beside what is wished next
};

}   // namespace
}   // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  ByteReader input(BytesView(reinterpret_cast<const char*>(data), size));
  FuzzWorld world;
  Cluster cluster(world);
  for (std::size_t calls = 0; calls < calls_max && input.ok() && !input.done(); ++calls) cluster.take(input);
  cluster.check_status();
  return 0;
}
