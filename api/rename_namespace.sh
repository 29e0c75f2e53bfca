#!/bin/sh
# Moves the C++ namespace of generated files from ::log to ::cairn::logapi (docs/adr/0002). Descriptors, method
# names and everything else inside string literals keep the wire package log.v1.
set -eu
exec sed -i -E \
  -e 's/::log::v1::/::cairn::logapi::v1::/g' \
  -e 's/^namespace log \{$/namespace cairn::logapi {/' \
  -e 's/^\}  \/\/ namespace log$/}  \/\/ namespace cairn::logapi/' \
  "$@"
