// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "net/stream.hpp"

namespace skerry {
class Core;
}

namespace skerry::node {

struct HttpPost {
  net::Address address;
  std::string path;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers = {};   // besides those that every request has
  std::string body;
};

struct HttpAnswer {
  int status = 0;
  std::string text;   // the beginning of the body, where the status is no success
};

// One request on a connection of its own. Fails when no answer came: no connection, or not by the deadline.
Task<Result<HttpAnswer>> http_post(Core& core, net::Network& network, HttpPost post, Deadline deadline);

}  // namespace skerry::node
