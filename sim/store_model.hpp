// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "store/key_order.hpp"
#include "store/notification.hpp"
#include "store/operations.hpp"

namespace skerry::sim {

// What one client wants, with its bytes.
struct Operation {
  struct Put {
    Bytes key, value;
    std::optional<VersionId> expected;
    std::optional<SessionId> session;
    std::uint64_t delta = 0;   // not 0: a sequence of one part
  };
  struct Delete {
    Bytes key;
    std::optional<VersionId> expected;
  };
  struct Range {
    Bytes start, end;
  };
  struct RequestName {
    Bytes client;
    std::uint64_t sequence = 0;
    friend auto operator<=>(const RequestName&, const RequestName&) = default;
  };
  std::vector<Put> puts;
  std::vector<Delete> deletes;
  std::vector<Range> ranges;
  std::optional<RequestName> id;
};

// What a shard must hold and answer, written from the protocol alone and as plainly as can be: nothing of it is shared with the
// state machine that it judges. Times of records are left out, since they are the leader's clock's.
class StoreModel {
 public:
  struct Record {
    Bytes value;
    VersionId version{};
    std::int64_t modifications = 0;
    std::optional<SessionId> session;
  };
  struct KeyLess {
    store::KeyOrder order;
    bool operator()(BytesView a, BytesView b) const;
  };
  using Records = std::map<Bytes, Record, KeyLess>;
  using Notifications = std::map<Bytes, store::Notification>;   // by key: the last operation wins

  explicit StoreModel(store::KeyOrder order) : records_(KeyLess{order}) {}

  store::WriteOutcome write(const Operation& operation);
  void create_session(SessionId session);
  void end_sessions(const std::vector<SessionId>& sessions);   // in one entry
  // What the last of the three above told followers.
  const Notifications& notifications() const { return notifications_; }

  const Records& records() const { return records_; }
  const std::set<SessionId>& sessions() const { return sessions_; }
  VersionId next_version() const { return next_version_; }

 private:
  store::PutOutcome put(const Operation::Put& put);
  Bytes next_in_sequence(const Bytes& prefix, std::uint64_t delta) const;
  store::Status erase(const Operation::Delete& request);
  void erase_range(const Operation::Range& range);
  void tell(const Bytes& key, store::NotificationKind kind, std::optional<VersionId> version = std::nullopt, Bytes end = {});

  Records records_;
  std::set<SessionId> sessions_;
  VersionId next_version_{0};
  std::map<Operation::RequestName, store::WriteOutcome> answered_;
  Notifications notifications_;
};

}  // namespace skerry::sim
