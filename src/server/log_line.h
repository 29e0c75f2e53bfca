// How a line of the log looks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/logger.h"

namespace cairn::server {

struct LogLine {
  int64_t time_us = 0;  // since 1970
  LogModule module = LogModule::kServer;
  LogLevel level = LogLevel::kInfo;
  std::string_view message;
  std::span<const LogField> fields;
};

// The line with its newline: one object of JSON, or text for people. `format` is not kAuto.
std::string FormatLogLine(const LogLine& line, LogFormat format);

}  // namespace cairn::server
