// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "node/cli_connection.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace skerry::node {

// One call with one answer to the first of the addresses that is reached, or to the coordinator in office that another one names. For
// subcommands that ask a server once. Fails with what the server says, and the address where it says nothing.
Result<> ask_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& reply);

}   // namespace skerry::node
