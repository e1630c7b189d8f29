# SPDX-License-Identifier: Apache-2.0
# The subcommands that act as clients of a running store.
skerry_room(cli
  SOURCES cli_bulk.cpp cli_client.cpp cli_client_run.cpp cli_command.cpp cli_connection.cpp cli_health.cpp cli_output.cpp cli_parse.cpp
          cli_session.cpp completion.cpp json_library.cpp
  TESTS   cli_output_test.cpp cli_parse_test.cpp completion_test.cpp
  DEPS    base runtime net rpc client
  LINK    CLI11::CLI11 skerry_proto_health fmt::fmt
  PCH     <CLI/CLI.hpp> <boost/json.hpp> <fmt/format.h> <functional> <map> <memory> <string> <vector>)
