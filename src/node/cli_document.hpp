// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/json/fwd.hpp>
#include <string>

#include "node/cli_admin_output.hpp"

namespace skerry::node {

// A value as JSON on one line, or as YAML in block style; with the last newline. `format` is one of these two.
std::string document_text(const boost::json::value& value, AdminFormat format);

}   // namespace skerry::node
