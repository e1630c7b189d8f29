// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>

#include "node/cli_connection.hpp"
#include "rpc/channel.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace skerry::node {

// One call with one answer to the first of the addresses that is reached, or to the coordinator in office that another one names.
// For subcommands that ask a server once. Fails with what the server says, and the address where it says nothing.
Result<> ask_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& reply);
// The same for a call that changes something: without an answer to one that was sent it fails with ClientErrc::outcome_unknown,
// and no other address is tried.
Result<> change_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                       google::protobuf::MessageLite& reply);

// What is said to one server over a channel to it, and how that ended.
struct Talked {
  rpc::Status status;
  bool begun = false;   // something came of it: no other address is tried
  bool change_sent = false;   // and it may have happened, whether an answer came or not
};
using Talk = std::function<Task<Talked>(rpc::Channel& channel, rpc::Metadata metadata)>;
// For subcommands that stream: as ask_server(), without a deadline. `method` is for what is said of failures.
Result<> talk_to_server(const ConnectionFlags& flags, const std::string& method, const Talk& talk);

}   // namespace skerry::node
