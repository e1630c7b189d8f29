// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/types.hpp"
#include "net/testing/memory_network.hpp"
#include "oxia/client.pb.h"
#include "rpc/server.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"
#include "skerry/store/v1/store.pb.h"

namespace skerry::client::testing {

namespace pb = io::oxia::proto::v1;

// The other end of the client library, for its tests: servers on a network in memory that speak the public protocol over plain
// maps. Does what the protocol says on good days; the hooks make bad ones. All servers share the shards' state, as replicas that
// never lag.
class FakeStore {
 public:
  FakeStore(Core& core, net::testing::MemoryFabric& fabric);
  ~FakeStore();

  void add_server(const std::string& host);                                  // at host:6648
  void add_shard(ShardId id, std::uint32_t hash_min, std::uint32_t hash_max, const std::string& host);
  void add_even_shards(int count, const std::vector<std::string>& hosts);    // in turn
  void lead(ShardId id, const std::string& host);                            // "": election under way
  void split(ShardId parent, ShardId left, ShardId right);                   // at the middle, on the same server
  void merge(ShardId left, ShardId right, ShardId into);                     // neighbours; on the left one's server
  void expire_sessions(ShardId id);
  void leave(const std::string& host);   // from now on it tells what it knows now
  Task<> stop();

  struct Stored {
    std::string key, value;
    pb::Version version;
    std::vector<std::pair<std::string, std::string>> indexes;
  };
  struct Shard {
    std::uint32_t hash_min = 0, hash_max = 0;
    std::string leader;
    std::map<std::string, Stored> records;        // by encoded key
    std::vector<pb::NotificationBatch> changes;
    std::int64_t next_version = 0, next_offset = 0;
    std::set<std::int64_t> sessions;
  };
  Shard& shard(ShardId id) { return shards_.at(id); }
  std::vector<std::string> keys(ShardId id);

  // Asked before a batch is applied, and after: a status ends the stream with it.
  using Hook = std::function<std::optional<rpc::Status>(ShardId, const pb::WriteRequest&)>;
  Hook before_write, after_write;
  std::function<std::optional<rpc::Status>(const pb::ReadRequest&)> before_read;
  std::function<void(ShardId)> before_session;   // is made
  bool refuse_namespace = false;
  bool offers_v1 = false;   // streams of writes of skerry.store.v1, with request ids; nothing else of it

  // What was seen.
  std::vector<std::size_t> write_batches, read_batches;   // operations in each
  int sessions_created = 0, heartbeats = 0, sessions_closed = 0, scans_opened = 0, follows_opened = 0;
  std::string last_authorization;

 private:
  struct Host;
  static rpc::Status refusal(rpc::Code code, std::string reason, std::map<std::string, std::string> metadata = {});
  void register_methods(Host& host);
  // How a request for this shard at this host is refused; nothing when it leads.
  std::optional<rpc::Status> refuse(const Host& host, ShardId id);

  pb::ShardAssignments assignments(const std::string& name_space) const;
  Task<rpc::Status> tell_assignments(Host& host, const pb::ShardAssignmentsRequest& request,
                                     rpc::Replies<pb::ShardAssignments>& replies);
  Task<rpc::Status> write_stream(Host& host, rpc::ServerCall& call, rpc::Requests<pb::WriteRequest>& requests,
                                 rpc::Replies<pb::WriteResponse>& replies);
  Task<rpc::Status> write_stream_v1(Host& host, rpc::ServerCall& call, rpc::Requests<store::v1::WriteRequest>& requests,
                                    rpc::Replies<pb::WriteResponse>& replies);
  Task<rpc::Status> read(Host& host, const pb::ReadRequest& request, rpc::Replies<pb::ReadResponse>& replies);
  Task<rpc::Status> list(Host& host, const pb::ListRequest& request, rpc::Replies<pb::ListResponse>& replies);
  Task<rpc::Status> scan(Host& host, const pb::RangeScanRequest& request, rpc::Replies<pb::RangeScanResponse>& replies);
  Task<rpc::Status> notifications(Host& host, const pb::NotificationsRequest& request,
                                  rpc::Replies<pb::NotificationBatch>& replies);
  Task<rpc::Status> sequence(Host& host, const pb::GetSequenceUpdatesRequest& request,
                             rpc::Replies<pb::GetSequenceUpdatesResponse>& replies);
  Task<rpc::Status> create_session(Host& host, const pb::CreateSessionRequest& request, pb::CreateSessionResponse& reply);
  Task<rpc::Status> keep_alive(Host& host, const pb::SessionHeartbeat& request);
  Task<rpc::Status> close_session(Host& host, const pb::CloseSessionRequest& request);

  pb::WriteResponse apply(ShardId id, const pb::WriteRequest& request);
  pb::PutResponse apply_put(Shard& shard, const pb::PutRequest& put, pb::NotificationBatch& changes);
  pb::GetResponse look_up(Shard& shard, const pb::GetRequest& get);
  std::vector<const Stored*> in_range(const Shard& shard, const std::string& start, const std::string& end,
                                      const std::string& index);

  Core& core_;
  net::testing::MemoryFabric& fabric_;
  std::map<ShardId, Shard> shards_;
  std::map<std::string, std::unique_ptr<Host>> hosts_;
  std::map<std::string, pb::ShardAssignments> left_;   // what those hosts tell
  std::map<std::string, pb::WriteResponse> remembered_;   // by request id
  Signal changed_;
};

}  // namespace skerry::client::testing
